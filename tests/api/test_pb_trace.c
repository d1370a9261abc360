/* test_pb_trace.c - records of traced packets as messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/api/pb_trace.h"
#include "tests/api/rig.h"

#define T0 RIG_T0

struct rig {
	struct table *t;
	struct policy pol;
	struct pb_trace pb;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	r->t = rig_table();
	r->pol = rig_policy();
	if (!r->t || pb_trace_init(&r->pb, r->t, &r->pol, false))
		return -1;
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	pb_trace_free(&r->pb);
	region_memory_free(r->t);
	free(r);
	return 0;
}

/* The batch as a client would get it. */
static Ctshard__Response *carry(struct rig *r)
{
	Ctshard__Response m = CTSHARD__RESPONSE__INIT, *got;

	m.n_trace = r->pb.n;
	m.trace = r->pb.line;
	r->pb.n = 0;
	got = rig_carry(&m);
	assert_non_null(got);
	return got;
}

static void test_fields(void **state)
{
	struct rig *r = *state;
	struct trace_rec rec = {.seq = 1,
	                        .frame = 7,
	                        .ts_ns = T0 + 5,
	                        .id = 99,
	                        .l3len = 40,
	                        .verdict = TRACE_INVALID,
	                        .info = CTINFO_INVALID,
	                        .dir = DIR_REPLY,
	                        .flags = TRACE_F_DIR | TRACE_F_ZONE_REPLY,
	                        .zone = 3,
	                        .rule = {2, 0, 200},
	                        .why = "because"};
	Ctshard__Response *m;
	const Ctshard__TraceLine *l;

	snprintf(r->pol.rule[1].name, POLICY_NAME, "zones");
	tracker_find(&r->pol, 6, &rec.flow.trk);
	rec.flow.l3proto = 4;
	rec.flow.l4proto = 6;
	rec.flow.kind = TRACE_PORTS;
	rec.flow.port[1] = 80;
	rec.before.status = rec.after.status = CONN_CONFIRMED | CONN_LIVE;
	rec.before.state = 3;
	rec.after.state = 200; /* no such state */
	rec.after.left_ms = 1500;
	pb_trace_add(&r->pb, &rec);
	pb_trace_lost(&r->pb, 5);
	m = carry(r);
	assert_int_equal(m->n_trace, 2);
	l = m->trace[0];
	assert_int_equal(l->frame, 7);
	assert_int_equal(l->since_ns, 5);
	assert_string_equal(l->proto, "tcp");
	assert_int_equal(l->packet->dport, 80);
	assert_null(l->quoted);
	assert_string_equal(l->direction, "reply");
	assert_string_equal(l->class_, "invalid");
	assert_string_equal(l->verdict, "invalid");
	assert_string_equal(l->reason, "because");
	assert_int_equal(l->n_rule, 1);
	assert_string_equal(l->rule[0]->name, "zones");
	assert_string_equal(l->rule[0]->gave, "zone");
	assert_int_equal(l->zone, 0);
	assert_int_equal(l->zone_reply, 3);
	assert_string_equal(l->before->state, "ESTABLISHED");
	assert_int_equal(l->before->status, CONN_CONFIRMED);
	assert_null(l->after->state);
	assert_int_equal(l->after->timeout_ms, 1500);
	assert_int_equal(l->after->n_inside, 13);
	assert_int_equal(m->trace[1]->lost, 5);
	assert_null(m->trace[1]->packet);
	ctshard__response__free_unpacked(m, NULL);
}

/* F004: a fragment alone is of no class */
static void test_fragments(void **state)
{
	struct rig *r = *state;
	struct trace_rec rec = {.frame = 12,
	                        .verdict = TRACE_REFUSED,
	                        .info = CTINFO_INVALID,
	                        .flow.l3proto = 4,
	                        .nfrags = 3,
	                        .nframes = 2,
	                        .frag_frame = {10, 11},
	                        .frag_from = 8,
	                        .frag_to = 24};
	Ctshard__Response *m;

	pb_trace_add(&r->pb, &rec);
	rec.verdict = TRACE_NEW;
	rec.info = CTINFO_NEW;
	rec.flags = TRACE_F_REASSEMBLED;
	pb_trace_add(&r->pb, &rec);
	m = carry(r);
	assert_string_equal(m->trace[0]->class_, "fragment");
	assert_string_equal(m->trace[0]->verdict, "refused");
	assert_int_equal(m->trace[0]->fragment_from, 8);
	assert_int_equal(m->trace[0]->fragment_to, 24);
	assert_int_equal(m->trace[0]->fragments, 3);
	assert_string_equal(m->trace[1]->class_, "new");
	assert_true(m->trace[1]->reassembled);
	assert_false(m->trace[1]->has_fragment_to);
	assert_int_equal(m->trace[1]->fragments, 3);
	assert_int_equal(m->trace[1]->n_fragment_frame, 2);
	assert_int_equal(m->trace[1]->fragment_frame[1], 11);
	ctshard__response__free_unpacked(m, NULL);
}

/* Segments may be damaged: a record of anything is a message, or nothing. */
static void test_noise(void **state)
{
	struct rig *r = *state;
	uint32_t x = 1;
	unsigned int i, k;

	for (i = 0; i < 20000; i++) {
		struct trace_rec rec;
		uint8_t *b = (uint8_t *)&rec;

		for (k = 0; k < sizeof(rec); k++)
			b[k] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		if (i % 2) {
			rec.flow.l3proto = rec.quoted.l3proto = 6;
			rec.flow.trk = i % 9;
			rec.quoted.trk = i % 8;
		}
		pb_trace_add(&r->pb, &rec);
		if (r->pb.n == PB_TRACES)
			ctshard__response__free_unpacked(carry(r), NULL);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments, setup,
	                                        teardown),
		cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

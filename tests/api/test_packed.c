/*
 * test_packed.c - events that are made into bytes once: whoever gets them, and
 * whatever was there before, they are what the general way makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/api/packed.h"
#include "proto/rows.h"
#include "tests/api/rig.h"

#define T0 RIG_T0

struct rig {
	struct table *t;
	struct policy pol;
	struct pb pb;
	struct packed packed;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	r->t = rig_table();
	r->pol = rig_policy();
	if (!r->t || pb_init(&r->pb, r->t, &r->pol))
		return -1;
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	packed_free(&r->packed);
	pb_free(&r->pb);
	region_memory_free(r->t);
	free(r);
	return 0;
}

/* Event `n` of the log: no two are the same, all kinds and lengths. */
static struct event_slot slot_of(uint64_t n)
{
	static const uint8_t types[] = {EVENT_NEW, EVENT_UPDATE, EVENT_DESTROY};
	struct conn_view v = n % 5 ? rig_view(n % 2 ? 6 : 17, "10.0.0.1",
	                                      (uint16_t)n, "10.0.1.1", 80, 0)
	                           : rig_view(6, "2001:db8::1", (uint16_t)n,
	                                      "2001:db8::2", 443, 0);
	struct event_slot s;

	memset(&s, 0, sizeof(s));
	s.cell.type = types[n % 3];
	s.cell.cells = n % 3 ? 2 : 1;
	s.cell.key = v.conn.key;
	s.cell.addr6 = v.addr6;
	s.cell.status = v.conn.status;
	s.cell.id = conn_id((uint32_t)n, 5, 7);
	s.cell.gseq = n;
	s.cell.shard_seq = n;
	s.cell.ts_ns = T0 + n;
	s.cell.state = 1;
	s.cell.flags = EVENT_F_ACCT;
	s.cell.vlan = n % 7 ? 0 : 12;
	if (n % 3) {
		s.more.detail.rtt_us[0] = (uint32_t)n * 1000;
		s.more.labels[0] = n % 11;
		s.more.packets[0] = n << 20;
		s.more.bytes[0] = n << 30;
	}
	return s;
}

/* One subscriber takes events first, first + step, ... */
static void take(struct rig *r, uint64_t first, uint64_t step, unsigned int n,
                 bool brief)
{
	struct frame_buf got, want;
	const uint8_t *a, *b;
	size_t alen, blen;
	unsigned int i;

	frame_init(&got, FRAME_ANSWER_MAX);
	frame_init(&want, FRAME_ANSWER_MAX);
	pb_begin(&r->pb);
	r->pb.brief = brief;
	packed_begin(&r->packed);
	for (i = 0; i < n; i++) {
		struct event_slot s = slot_of(first + i * step);

		assert_false(packed_full(&r->packed));
		assert_true(
			packed_add(&r->packed, &r->pb, first + i * step, &s));
	}
	assert_int_equal(r->packed.n, n);
	assert_int_equal(r->pb.n, 0);
	assert_true(rows_put_events(&got, 9, r->pb.now_ns, r->packed.bytes,
	                            r->packed.len));
	for (i = 0; i < n; i++) {
		struct event_slot s = slot_of(first + i * step);

		pb_event(&r->pb, &s);
	}
	pb_response(&r->pb)->has_id = 1;
	pb_response(&r->pb)->id = 9;
	assert_int_equal(frame_put(&want, &pb_response(&r->pb)->base), 0);
	a = frame_data(&got, &alen);
	b = frame_data(&want, &blen);
	assert_int_equal(alen, blen);
	assert_memory_equal(a, b, alen);
	frame_free(&got);
	frame_free(&want);
}

static void test_shared(void **state)
{
	struct rig *r = *state;
	unsigned int turn;

	for (turn = 0; turn < 3; turn++) {
		take(r, 100, 1, PB_ROWS, false);
		take(r, 100, 1, PB_ROWS, true);
		take(r, 150, 1, 60, false);
	}
	assert_true(packed_full(&r->packed) || r->packed.n == 60);
}

/* positions that share a place, within one batch and after a turn of the log */
static void test_places(void **state)
{
	struct rig *r = *state;
	uint64_t i;

	take(r, 3, PACKED_ROWS, PB_ROWS, false);
	take(r, 3, PACKED_ROWS / 2, PB_ROWS, false);
	for (i = 0; i < 4 * PACKED_ROWS; i += 64)
		take(r, i, 1, PB_ROWS, i & 64);
}

/* what the policy has a part in is made anew with it */
static void test_policy(void **state)
{
	struct rig *r = *state;

	r->pol.active_timeout = 0;
	take(r, 5, 1, 30, false);
	r->pol.active_timeout = 60;
	r->pol.version++;
	take(r, 5, 1, 30, false);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_shared),
		T(test_places),
		T(test_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_pb.c - entries and events as messages: what is there, what is absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/api/pb.h"
#include "tests/api/rig.h"

#define T0 RIG_T0

struct rig {
	struct table *t;
	struct policy pol;
	struct pb pb;
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

	pb_free(&r->pb);
	region_memory_free(r->t);
	free(r);
	return 0;
}

/* The row as a client would get it. */
static Ctshard__Response *carry(struct rig *r)
{
	Ctshard__Response *got = rig_carry(pb_response(&r->pb));

	assert_non_null(got);
	return got;
}

static Ctshard__Response *carry_view(struct rig *r, const struct conn_view *v)
{
	pb_begin(&r->pb);
	pb_conn(&r->pb, v);
	return carry(r);
}

static const char *detail(const Ctshard__Conn *c, const char *key)
{
	size_t i;

	for (i = 0; i < c->n_detail; i++)
		if (!strcmp(c->detail[i]->key, key))
			return c->detail[i]->value;
	return NULL;
}

static void test_tcp(void **state)
{
	struct rig *r = *state;
	struct conn_view v = rig_view(6, "10.0.1.1", 80, "10.0.0.1", 40000,
	                              CONN_ORIG1 | CONN_ASSURED | CONN_ACCT);
	const uint8_t client[4] = {10, 0, 0, 1};
	Ctshard__Response *m;
	Ctshard__Conn *c;

	v.conn.state = 3;
	v.conn.seq = 8;
	v.conn.deadline = 15500; /* ms behind T0, the clock stands at 10 s */
	v.conn.packets[0] = 3;
	v.conn.bytes[0] = 137;
	v.conn.packets[1] = 2;
	v.conn.bytes[1] = 92;
	v.detail.start_ns = T0 + 5;
	v.detail.last_ns = T0 + 6;
	v.detail.retrans[1] = 4;
	v.detail.vlan = 12;
	m = carry_view(r, &v);
	assert_int_equal(m->n_conn, 1);
	assert_int_equal(m->now_ns, T0 + 10 * NS_PER_S);
	c = m->conn[0];
	assert_int_equal(c->id, conn_id(3, 5, 7));
	assert_int_equal(c->l3, 4);
	assert_int_equal(c->protonum, 6);
	assert_string_equal(c->proto, "tcp");
	assert_string_equal(c->state, tracker_state_name(6, 3));
	/* ours are not shown: ORIG1, LIVE */
	assert_int_equal(c->status, CONN_ASSURED | CONN_CONFIRMED);
	assert_int_equal(c->timeout_ms, 5500);
	assert_int_equal(c->original->src.len, 4);
	assert_memory_equal(c->original->src.data, client, 4);
	assert_memory_equal(c->reply->dst.data, client, 4);
	assert_int_equal(c->original->sport, 40000);
	assert_int_equal(c->original->dport, 80);
	assert_int_equal(c->reply->sport, 80);
	assert_int_equal(c->original->packets, 3);
	assert_int_equal(c->original->bytes, 137);
	assert_int_equal(c->reply->packets, 2);
	assert_int_equal(c->start_ns, T0 + 5);
	assert_int_equal(c->last_ns, T0 + 6);
	assert_int_equal(c->version, 8);
	assert_string_equal(detail(c, "retrans_reply"), "4");
	assert_string_equal(detail(c, "vlan"), "12");
	assert_null(detail(c, "retrans_orig"));
	assert_false(c->has_zone || c->has_master || c->has_labels ||
	             c->has_stop_ns || c->reason || c->helper ||
	             c->original->has_type || c->original->has_srckey ||
	             c->has_timestamp);
	ctshard__response__free_unpacked(m, NULL);
}

static void test_icmp(void **state)
{
	struct rig *r = *state;
	/* endpoint 1 asks, and is the one who spoke first */
	struct conn_view v =
		rig_view(1, "10.0.0.9", 77, "10.0.1.1", 8 << 8 | 3, CONN_ORIG1);
	Ctshard__Response *m;
	Ctshard__Conn *c;

	v.conn.key.flags |= KEY_REQ1;
	m = carry_view(r, &v);
	c = m->conn[0];
	assert_string_equal(c->proto, "icmp");
	assert_null(c->state);
	assert_int_equal(c->original->type, 8);
	assert_int_equal(c->reply->type, 0);
	assert_int_equal(c->original->code, 3);
	assert_int_equal(c->reply->code, 3);
	assert_int_equal(c->original->icmp_id, 77);
	assert_int_equal(c->reply->icmp_id, 77);
	assert_false(c->original->has_sport);
	assert_false(c->has_timeout_ms);
	ctshard__response__free_unpacked(m, NULL);

	v = rig_view(58, "fd00::1", 5, "fd01::1", 128 << 8, 0);
	m = carry_view(r, &v);
	c = m->conn[0];
	assert_int_equal(c->l3, 6);
	assert_int_equal(c->original->src.len, 16);
	assert_memory_equal(c->original->src.data, v.addr6.a[0], 16);
	assert_int_equal(c->original->type, 128);
	assert_int_equal(c->reply->type, 129);
	ctshard__response__free_unpacked(m, NULL);
}

/* F048: zones of one direction stand with their tuple; F106: labels */
static void test_zones_labels(void **state)
{
	struct rig *r = *state;
	struct conn_view orig = rig_view(17, "10.0.0.1", 1, "10.0.1.1", 2, 0);
	struct conn_view reply = orig;
	Ctshard__Response *m;

	orig.conn.key.zone = reply.conn.key.zone = 12;
	orig.conn.key.flags |= KEY_ZONE_ORIG;
	reply.conn.key.flags |= KEY_ZONE_REPLY;
	orig.conn.ext = 1;
	orig.ext.labels[0] = 6;
	orig.ext.labels[1] = 1ull << 63;
	pb_begin(&r->pb);
	pb_conn(&r->pb, &orig);
	pb_conn(&r->pb, &reply);
	m = carry(r);
	assert_false(m->conn[0]->has_zone || m->conn[1]->has_zone);
	assert_int_equal(m->conn[0]->original->zone, 12);
	assert_false(m->conn[0]->reply->has_zone);
	assert_false(m->conn[1]->original->has_zone);
	assert_int_equal(m->conn[1]->reply->zone, 12);
	assert_int_equal(m->conn[0]->labels.len, 16);
	assert_int_equal(m->conn[0]->labels.data[0], 6);
	assert_int_equal(m->conn[0]->labels.data[15], 0x80);
	assert_false(m->conn[1]->has_labels);
	ctshard__response__free_unpacked(m, NULL);
}

static void test_others(void **state)
{
	struct rig *r = *state;
	struct conn_view gre =
		rig_view(47, "10.0.0.1", 0x11, "10.0.1.1", 0x22, 0);
	struct conn_view any = rig_view(89, "10.0.0.1", 0, "10.0.1.1", 0, 0);
	Ctshard__Response *m;

	gre.conn.key.zone = 11;
	gre.conn.status |= CONN_TIMESTAMP;
	/* F109: what the entry was made with counts, not what is set now */
	r->pol.acct = 1;
	r->pol.timestamp = 0;
	pb_begin(&r->pb);
	pb_conn(&r->pb, &gre);
	pb_conn(&r->pb, &any);
	m = carry(r);
	assert_int_equal(m->n_conn, 2);
	assert_int_equal(m->conn[0]->original->srckey, 0x11);
	assert_int_equal(m->conn[0]->reply->srckey, 0x22);
	assert_false(m->conn[0]->original->has_sport);
	assert_false(m->conn[0]->original->has_packets);
	assert_int_equal(m->conn[0]->zone, 11);
	assert_true(m->conn[0]->timestamp);
	assert_null(m->conn[1]->proto);
	assert_false(m->conn[1]->original->has_sport ||
	             m->conn[1]->original->has_srckey ||
	             m->conn[1]->original->has_type);
	ctshard__response__free_unpacked(m, NULL);
}

/* A start without a detail line is a tick, which wraps every 49 days. */
static void test_start_tick(void **state)
{
	struct rig *r = *state;
	struct conn_view v = rig_view(17, "10.0.0.1", 1, "10.0.1.1", 2, 0);
	uint64_t day = 86400 * NS_PER_S;
	Ctshard__Response *m;

	r->t->hdr->clock_ns = T0 + 60 * day;
	v.conn.start = table_tick_of(r->t, T0 + 59 * day);
	m = carry_view(r, &v);
	assert_int_equal(m->conn[0]->start_ns, T0 + 59 * day);
	ctshard__response__free_unpacked(m, NULL);
}

static struct event_slot slot_of(uint8_t type)
{
	struct conn_view v = rig_view(6, "10.0.0.1", 40000, "10.0.1.1", 80, 0);
	struct event_slot s;

	memset(&s, 0, sizeof(s));
	s.cell.type = type;
	s.cell.cells = type == EVENT_NEW ? 1 : 2;
	s.cell.key = v.conn.key;
	s.cell.status = v.conn.status;
	s.cell.id = conn_id(3, 5, 7);
	s.cell.gseq = 42;
	s.cell.shard_seq = 9;
	s.cell.ver = 2;
	s.cell.ts_ns = T0 + 9 * NS_PER_S;
	s.cell.start = 8000;
	s.cell.state = 1;
	s.cell.bits = 33;
	s.cell.flags = EVENT_F_ACCT;
	s.cell.len = 60;
	return s;
}

static void test_events(void **state)
{
	struct rig *r = *state;
	struct event_slot new = slot_of(EVENT_NEW);
	struct event_slot end = slot_of(EVENT_DESTROY);
	Ctshard__Response *m;
	Ctshard__Event *e;

	new.cell.left_ms = 120000;
	end.cell.reason = REASON_TIMEOUT;
	end.cell.flags = EVENT_F_ACCT | EVENT_F_TIMESTAMP;
	end.more.packets[1] = 6;
	end.more.bytes[1] = 600;
	end.more.labels[0] = 5;
	end.more.master = 99;
	pb_begin(&r->pb);
	pb_event(&r->pb, &new);
	pb_event(&r->pb, &end);
	m = carry(r);
	assert_int_equal(m->n_event, 2);
	e = m->event[0];
	assert_int_equal(e->type, CTSHARD__EVENT_TYPE__NEW);
	assert_int_equal(e->seq, 42);
	assert_int_equal(e->bits, 33);
	assert_int_equal(e->time_ns, T0 + 9 * NS_PER_S);
	assert_int_equal(e->conn->timeout_ms, 120000);
	assert_int_equal(e->conn->original->packets, 1);
	assert_int_equal(e->conn->original->bytes, 60);
	assert_int_equal(e->conn->start_ns, T0 + 9 * NS_PER_S);
	assert_int_equal(e->conn->shard_seq, 9);
	assert_false(e->conn->has_timestamp || e->conn->has_stop_ns);
	e = m->event[1];
	assert_int_equal(e->type, CTSHARD__EVENT_TYPE__DESTROY);
	assert_string_equal(e->conn->reason, "timeout");
	assert_false(e->conn->has_timeout_ms);
	assert_int_equal(e->conn->reply->packets, 6);
	assert_int_equal(e->conn->start_ns, T0 + 8 * NS_PER_S);
	assert_int_equal(e->conn->stop_ns, T0 + 9 * NS_PER_S);
	assert_int_equal(e->conn->labels.len, 16);
	assert_int_equal(e->conn->labels.data[0], 5);
	assert_int_equal(e->conn->master, 99);
	assert_true(e->conn->timestamp);
	ctshard__response__free_unpacked(m, NULL);
}

static void test_gap(void **state)
{
	struct rig *r = *state;
	struct event_slot s;
	Ctshard__Response *m;

	memset(&s, 0, sizeof(s));
	s.cell.type = EVENT_GAP;
	s.cell.gseq = 17;
	s.cell.id = 5;
	s.cell.source = SLOT_REAPER;
	pb_begin(&r->pb);
	pb_event(&r->pb, &s);
	s.cell.source = 0;
	pb_event(&r->pb, &s);
	pb_list_end(&r->pb, 23);
	m = carry(r);
	assert_int_equal(m->n_event, 3);
	assert_int_equal(m->event[0]->type, CTSHARD__EVENT_TYPE__GAP);
	assert_int_equal(m->event[0]->from, 12);
	assert_int_equal(m->event[0]->to, 18);
	assert_int_equal(m->event[0]->lost, 5);
	assert_string_equal(m->event[0]->source, "ring.reaper");
	assert_string_equal(m->event[1]->source, "ring.worker0");
	assert_null(m->event[0]->conn);
	assert_int_equal(m->event[2]->type, CTSHARD__EVENT_TYPE__LIST_END);
	assert_int_equal(m->event[2]->seq, 23);
	ctshard__response__free_unpacked(m, NULL);
}

/* A batch that is full, used again: rows keep nothing of the ones before. */
static void test_batch(void **state)
{
	struct rig *r = *state;
	struct conn_view v = rig_view(6, "10.0.0.1", 1, "10.0.1.1", 2, 0);
	Ctshard__Response *m;
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		pb_begin(&r->pb);
		for (i = 0; !pb_full(&r->pb); i++) {
			v.conn.key.port[0] = (uint16_t)(i + round);
			v.detail.vlan = (uint16_t)(round == 1 ? 7 : 0);
			pb_list(&r->pb, &v, i);
		}
		assert_int_equal(i, PB_ROWS);
		m = carry(r);
		assert_int_equal(m->n_event, PB_ROWS);
		for (i = 0; i < PB_ROWS; i++) {
			Ctshard__Conn *c = m->event[i]->conn;

			assert_int_equal(c->original->sport, i + round);
			assert_int_equal(c->shard_seq, i);
			assert_int_equal(detail(c, "vlan") != NULL, round == 1);
		}
		ctshard__response__free_unpacked(m, NULL);
	}
}

static void test_expired(void **state)
{
	struct rig *r = *state;
	struct conn_view v = rig_view(6, "10.0.0.1", 1, "10.0.1.1", 2, 0);

	pb_begin(&r->pb);
	v.conn.deadline = 10001;
	assert_false(pb_expired(&r->pb, &v));
	v.conn.deadline = 10000;
	assert_true(pb_expired(&r->pb, &v));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_tcp),          T(test_icmp),       T(test_others),
		T(test_zones_labels), T(test_start_tick), T(test_events),
		T(test_gap),          T(test_batch),      T(test_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_ops.c - insert, update, delete: lists, lines, chains, events */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/check.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "tests/lib/keys.h"

static void clean(const struct table *t)
{
	assert_int_equal(shard_faults(t, 0), 0);
	assert_int_equal(shard_faults(t, 1), 0);
	assert_int_equal(rings_check(t, NULL, NULL), 0);
}

static void test_life(void **state)
{
	struct table *t = table_make(100, true, 64);
	unsigned int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		struct conn_lookup k = key_make(t, 5, v6, 0);
		struct conn_view v;
		uint32_t idx = conn_put(t, &k), gen;

		assert_int_equal(idx, v6 ? t->cap - 1 : 1);
		assert_int_equal(conn_lookup(t, &k, &v), 1);
		assert_int_equal(v.idx, idx);
		assert_true(key_equal(&v.conn.key, &k.key));
		assert_int_equal(v.conn.seq, 2);
		if (v6)
			assert_memory_equal(&v.addr6, &k.addr6, 32);
		gen = v.conn.gen;
		assert_int_equal(conn_bump(t, &k), idx);
		assert_int_equal(conn_lookup(t, &k, &v), 1);
		assert_int_equal(v.conn.packets[0], 2);
		assert_int_equal(v.conn.seq, 4);
		assert_int_equal(t->shard[0].count, 1);
		assert_int_equal(conn_drop(t, &k), idx);
		assert_int_equal(conn_lookup(t, &k, &v), 0);
		assert_int_equal(t->shard[0].count, 0);
		clean(t);
		/* the entry comes back with another id */
		assert_int_equal(conn_put(t, &k), idx);
		assert_int_equal(conn_lookup(t, &k, &v), 1);
		assert_int_equal(v.conn.gen, gen + 1);
		conn_drop(t, &k);
	}
	table_drop(t);
}

/* the same folds, other addresses: two connections */
static void test_addr6_decides(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup a = key_make(t, 5, true, 0), b = a;
	struct conn_view v;
	uint64_t searched = 0;

	(void)state;
	b.addr6.a[1][1] ^= 1ull << 40;
	conn_put(t, &a);
	assert_int_equal(conn_lookup(t, &b, &v), 0);
	assert_int_equal(conn_find(t, &b, NULL, &searched), 0);
	assert_int_equal(searched, 1);
	table_drop(t);
}

/* FIFO: an index that was freed comes back last */
static void test_free_list(void **state)
{
	struct table *t = table_make(1, true, 64);
	struct conn_lookup k[64];
	uint32_t i, n = t->cap - 1;

	(void)state;
	for (i = 0; i < n; i++) {
		k[i] = key_make(t, i, false, 0);
		assert_int_equal(conn_put(t, &k[i]), i + 1);
	}
	k[n] = key_make(t, n, false, 0);
	assert_int_equal(conn_put(t, &k[n]), 0);
	conn_drop(t, &k[7]);
	conn_drop(t, &k[3]);
	conn_drop(t, &k[5]);
	clean(t);
	assert_int_equal(conn_put(t, &k[3]), 8);
	assert_int_equal(conn_put(t, &k[5]), 4);
	conn_drop(t, &k[9]);
	assert_int_equal(conn_put(t, &k[7]), 6);
	assert_int_equal(conn_put(t, &k[9]), 10);
	clean(t);
	table_drop(t);
}

/* one index space: IPv6 takes what IPv4 freed, and the other way round */
static void test_other_family(void **state)
{
	struct table *t = table_make(1, true, 64);
	struct conn_lookup k[80];
	uint32_t i, n = t->cap - 1;
	struct conn_view v;

	(void)state;
	for (i = 0; i < n; i++) {
		k[i] = key_make(t, i, i >= n / 2, 0);
		assert_true(conn_put(t, &k[i]) > 0);
	}
	for (i = 0; i < 4; i++) {
		uint32_t out = i & 1 ? n - 1 - i : i;

		assert_true(conn_drop(t, &k[out]) > 0);
		k[n + i] = key_make(t, n + i, !(i & 1), 0);
		assert_true(conn_put(t, &k[n + i]) > 0);
		assert_int_equal(conn_lookup(t, &k[n + i], &v), 1);
		clean(t);
	}
	for (i = 0; i < n + 4; i++)
		conn_drop(t, &k[i]);
	assert_int_equal(t->shard[0].count, 0);
	clean(t);
	for (i = 0; i < n; i++)
		assert_true(conn_put(t, &k[n - 1 - i]) > 0);
	clean(t);
	table_drop(t);
}

/* overflow lines come and go; 75 connections are a chain's limit */
static void test_chain(void **state)
{
	struct table *t = table_make(40000, false, 64);
	struct conn_lookup k[76];
	struct conn init;
	enum op_refusal why;
	uint32_t i, bump;
	struct conn_view v;

	(void)state;
	memset(&init, 0, sizeof(init));
	for (i = 0; i < 76; i++)
		k[i] = key_in_bucket(t, i, i & 1, 0, 3);
	for (i = 0; i < 75; i++)
		assert_true(conn_put(t, &k[i]) > 0);
	clean(t);
	bump = t->shard[0].ovf_bump;
	assert_int_equal(bump, t->nbucket + 4);
	shard_lock(t, 0);
	assert_int_equal(op_insert(t, &k[75], &init, NULL, NULL, NULL,
	                           (struct op_cursor){0, 0}, &why),
	                 0);
	assert_int_equal(why, OP_CHAIN_FULL);
	shard_unlock(t, 0);
	for (i = 0; i < 75; i++)
		assert_int_equal(conn_lookup(t, &k[i], &v), 1);
	/* a hole in the middle is filled first */
	conn_drop(t, &k[20]);
	conn_put(t, &k[75]);
	assert_int_equal(conn_lookup(t, &k[75], &v), 1);
	for (i = 75; i > 0; i--) {
		conn_drop(t, &k[i]);
		clean(t);
	}
	assert_int_equal(conn_lookup(t, &k[0], &v), 1);
	assert_int_equal(table_line(t, 0, 3)->next, 0);
	assert_true(t->shard[0].ovf_free != 0);
	for (i = 1; i < 60; i++)
		conn_put(t, &k[i]);
	assert_int_equal(t->shard[0].ovf_bump, bump);
	clean(t);
	table_drop(t);
}

/* an insert that is taken back gives its line back in front of the others */
static void test_undo_line(void **state)
{
	struct table *t = table_make(40000, false, 64);
	struct shard *q = &t->shard[0];
	struct conn_lookup k[50];
	uint32_t i, idx, first;

	(void)state;
	for (i = 0; i < 50; i++) {
		k[i] = key_in_bucket(t, i, false, 0, 3);
		conn_put(t, &k[i]);
	}
	for (i = 49; i > 14; i--)
		conn_drop(t, &k[i]);
	first = q->ovf_free;
	assert_true(table_line(t, 0, first)->next != 0);
	idx = conn_put(t, &k[20]);
	assert_int_equal(table_line(t, 0, 3)->next, first);
	/* the record still stands: as if killed before the commit */
	q->op = OP_INSERT;
	q->count = q->op_cnt;
	table_conn(t, 0, idx)->seq--;
	op_undo(t, 0);
	assert_int_equal(q->ovf_free, first);
	assert_true(table_line(t, 0, first)->next != 0);
	clean(t);
	table_drop(t);
}

/* lines are shared by the buckets of a shard: without one, refused */
static void test_no_line(void **state)
{
	struct table *t = table_make(20000, false, 64);
	struct conn init;
	enum op_refusal why = OP_DONE;
	uint32_t b, i, n = 0;

	(void)state;
	memset(&init, 0, sizeof(init));
	for (b = 0; b < t->nbucket && why == OP_DONE; b++)
		for (i = 0; i < 16 && why == OP_DONE; i++) {
			struct conn_lookup k = key_in_bucket(t, n, false, 0, b);

			op_insert(t, &k, &init, NULL, NULL, NULL,
			          (struct op_cursor){0, 0}, &why);
			n += why == OP_DONE;
		}
	assert_int_equal(why, n == t->cap - 1 ? OP_NO_INDEX : OP_CHAIN_FULL);
	assert_int_equal(t->shard[0].count, n);
	clean(t);
	table_drop(t);
}

/* ---- events ---- */

struct ev {
	struct table *t;
	struct conn_lookup k;
};

static uint32_t ev_new(struct ev *e, bool more, uint64_t pkt)
{
	static const struct conn_ext ext = {.master = 5, .labels = {0, 6}};
	struct op_event ev;
	struct conn init;
	enum op_refusal why;
	uint32_t idx;

	memset(&ev, 0, sizeof(ev));
	memset(&init, 0, sizeof(init));
	init.bytes[0] = 77;
	init.deadline = 9;
	ev.type = EVENT_NEW;
	ev.ts_ns = 1234;
	shard_lock(e->t, 0);
	idx = op_insert(e->t, &e->k, &init, NULL, more ? &ext : NULL, &ev,
	                (struct op_cursor){pkt, 2}, &why);
	shard_unlock(e->t, 0);
	assert_true(idx > 0);
	return idx;
}

static void ev_end(struct ev *e, uint8_t type, uint64_t pkt)
{
	struct op_event ev;
	uint32_t slot, idx;

	memset(&ev, 0, sizeof(ev));
	ev.type = type;
	ev.reason = type == EVENT_DESTROY ? REASON_TIMEOUT : 0;
	ev.left_ms = 42;
	shard_lock(e->t, 0);
	idx = conn_find(e->t, &e->k, &slot, NULL);
	op_update_begin(e->t, 0, idx);
	table_conn(e->t, 0, idx)->packets[1] += 3;
	table_detail(e->t, 0, idx)->rtt_us[0] = 99;
	if (type == EVENT_DESTROY)
		op_delete_commit(e->t, 0, idx, slot, &ev,
		                 (struct op_cursor){pkt, 2});
	else
		op_update_commit(e->t, 0, idx, &ev, (struct op_cursor){pkt, 2});
	shard_unlock(e->t, 0);
}

static const struct event_cell *cell(const struct ev *e, uint64_t at)
{
	const struct event_ring *g = &e->t->ring[0];

	assert_true(at < g->hdr->tail);
	return &g->cell[at & g->mask];
}

static void test_events(void **state)
{
	struct ev e = {.t = table_make(100, true, 64)};
	const struct ring_header *h = e.t->ring[0].hdr;
	const struct event_cell *c;
	const struct event_more *m;
	uint64_t id;

	(void)state;
	e.k = key_make(e.t, 1, true, 0);
	id = conn_id(1, 0, ev_new(&e, false, 10));
	assert_int_equal(h->tail, 1);
	assert_int_equal(h->cursor[2], 10);
	c = cell(&e, 0);
	assert_int_equal(c->seq, 1);
	assert_true(c->id == id);
	assert_int_equal(c->type, EVENT_NEW);
	assert_int_equal(c->cells, 1);
	assert_int_equal(c->shard_seq, 1);
	assert_int_equal(c->ordinal, 1);
	assert_int_equal(c->ver, 2);
	assert_int_equal(c->len, 77);
	assert_int_equal(c->ts_ns, 1234);
	assert_true(c->status & CONN_LIVE);
	assert_memory_equal(&c->addr6, &e.k.addr6, 32);
	ev_end(&e, EVENT_UPDATE, 0);
	assert_int_equal(h->tail, 3);
	assert_int_equal(h->cursor[2], 10);
	c = cell(&e, 1);
	m = (const void *)cell(&e, 2);
	assert_int_equal(c->cells, 2);
	assert_int_equal(c->left_ms, 42);
	assert_true(m->seq == (EVENT_CONT | 3));
	assert_int_equal(m->packets[1], 3);
	assert_int_equal(m->detail.rtt_us[0], 99);
	ev_end(&e, EVENT_DESTROY, 11);
	c = cell(&e, 3);
	assert_int_equal(c->type, EVENT_DESTROY);
	assert_int_equal(c->reason, REASON_TIMEOUT);
	assert_true(c->status & CONN_LIVE);
	assert_int_equal(c->shard_seq, 3);
	assert_int_equal(c->ordinal, 3);
	assert_int_equal(((const struct event_more *)(const void *)cell(&e, 4))
	                         ->packets[1],
	                 6);
	assert_int_equal(h->cursor[2], 11);
	assert_int_equal(e.t->shard[0].ev_seq, 3);
	clean(e.t);
	table_drop(e.t);
}

static void test_new_with_more(void **state)
{
	struct ev e = {.t = table_make(100, true, 64)};
	const struct event_more *m;

	(void)state;
	e.k = key_make(e.t, 1, false, 0);
	ev_new(&e, true, 1);
	assert_int_equal(e.t->ring[0].hdr->tail, 2);
	assert_int_equal(cell(&e, 0)->cells, 2);
	m = (const void *)cell(&e, 1);
	assert_int_equal(m->master, 5);
	assert_int_equal(m->labels[1], 6);
	table_drop(e.t);
}

/* a record of two cells never crosses the ring's end */
static void test_pad(void **state)
{
	struct ev e = {.t = table_make(100, true, 64)};
	const struct event_cell *c;
	int i;

	(void)state;
	e.k = key_make(e.t, 1, false, 0);
	ev_new(&e, false, 1);
	for (i = 0; i < 31; i++)
		ev_end(&e, EVENT_UPDATE, 0);
	assert_int_equal(e.t->ring[0].hdr->tail, 63);
	ev_end(&e, EVENT_UPDATE, 0);
	assert_int_equal(e.t->ring[0].hdr->tail, 66);
	c = cell(&e, 63);
	assert_int_equal(c->type, EVENT_PAD);
	assert_int_equal(c->seq, 64);
	assert_int_equal(cell(&e, 64)->seq, 65);
	assert_int_equal(cell(&e, 64)->ordinal, 33);
	assert_int_equal(e.t->ring[0].hdr->intent, 66);
	clean(e.t);
	table_drop(e.t);
}

/* chk is the reaper's: never behind the deadline */
static void test_chk(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup k = key_make(t, 1, false, 0);
	uint32_t idx = conn_put(t, &k), i;
	/* sooner, but not before it; and sooner than it */
	static const uint32_t dl[] = {5000, 3000, 400, 700, 500, 300, 0};
	static const uint32_t chk[] = {1000, 1000, 400, 400, 400, 300, 1};
	const struct op_event told = {.type = EVENT_UPDATE};

	(void)state;
	assert_int_equal(*table_chk(t, 0, idx), 1000);
	for (i = 0; i < ARRAY_SIZE(dl); i++) {
		op_update_begin(t, 0, idx);
		table_conn(t, 0, idx)->deadline = dl[i];
		op_update_commit(t, 0, idx, i & 1 ? &told : NULL,
		                 (struct op_cursor){0, 0});
		assert_int_equal(*table_chk(t, 0, idx), chk[i]);
		clean(t);
	}
	conn_drop(t, &k);
	assert_int_equal(*table_chk(t, 0, idx), 0);
	table_drop(t);
}

static void test_cursor_alone(void **state)
{
	struct table *t = table_make(100, true, 64);

	(void)state;
	op_cursor_set(t, (struct op_cursor){9, 3});
	op_cursor_set(t, (struct op_cursor){0, 3});
	assert_int_equal(t->ring[0].hdr->cursor[3], 9);
	table_drop(t);
}

/* records that no code of ours has written */
static void test_sane(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct shard *q = &t->shard[0], good;

	(void)state;
	q->op = OP_INSERT;
	q->op_idx = 1;
	good = *q;
	assert_true(op_sane(t, 0));
#define BAD(field, value)                    \
	do {                                 \
		*q = good;                   \
		q->field = (value);          \
		assert_false(op_sane(t, 0)); \
	} while (0)
	BAD(op, OP_REBUILD);
	BAD(op_idx, 0);
	BAD(op_idx, t->cap);
	BAD(op_owner, NRING);
	BAD(op_owner, 7); /* a ring that is not there */
	BAD(op_src, NSOURCE);
	BAD(op_tail, 4);
	BAD(op_slot, t->nline << 4);
	BAD(op_slot, 15);
	BAD(op_line, t->nline);
	BAD(op_line, 1);
	BAD(op_from, FROM_BUMP6 + 1);
	BAD(free_head[0], t->cap);
	BAD(free_head[1], t->cap);
	BAD(free_tail[0], t->cap);
	BAD(free_tail[1], t->cap);
#undef BAD
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_addr6_decides),
		cmocka_unit_test(test_free_list),
		cmocka_unit_test(test_other_family),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_undo_line),
		cmocka_unit_test(test_no_line),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_new_with_more),
		cmocka_unit_test(test_pad),
		cmocka_unit_test(test_chk),
		cmocka_unit_test(test_cursor_alone),
		cmocka_unit_test(test_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_told.c - long connections tell what they count while they last. */
#include "shm/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/update.h"
#include "tests/lib/keys.h"

#define T0   1700000000000000000ull
#define S    NS_PER_S
#define TELL 60000u

struct rig {
	struct table *t;
	struct conn_lookup k;
	uint32_t idx;
	uint64_t seen; /* cells of the ring that were looked at */
};

/* one connection with a deadline far away */
static void rig_open(struct rig *r, bool v6, uint32_t status)
{
	struct conn init;
	enum op_refusal why;

	memset(r, 0, sizeof(*r));
	r->t = table_make(100, true, 256);
	assert_non_null(r->t);
	r->t->hdr->t0_real_ns = T0;
	r->t->tell_ms = TELL;
	r->k = key_make(r->t, 5, v6, 0);
	memset(&init, 0, sizeof(init));
	init.status = CONN_CONFIRMED | status;
	init.deadline = 3000000;
	init.packets[0] = 1;
	init.bytes[0] = 40;
	shard_lock(r->t, 0);
	r->idx = op_insert(r->t, &r->k, &init, NULL, NULL, NULL,
	                   (struct op_cursor){0, 0}, &why);
	shard_unlock(r->t, 0);
	assert_int_not_equal(r->idx, 0);
}

static void rig_pass(struct rig *r, unsigned int dir, uint64_t packets,
                     uint64_t bytes)
{
	struct conn *c = table_conn(r->t, 0, r->idx);

	shard_lock(r->t, 0);
	op_update_begin(r->t, 0, r->idx);
	c->packets[dir] += packets;
	c->bytes[dir] += bytes;
	op_update_commit(r->t, 0, r->idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(r->t, 0);
}

/* The reaper's look at `s` seconds; the event that it makes, or NULL. */
static const struct event_cell *rig_look(struct rig *r, uint64_t s)
{
	const struct event_ring *g = &r->t->ring[0];
	const struct event_cell *e;
	uint32_t due = 0;

	shard_expire(r->t, 0, T0 + s * S, 100, 100, true, &due);
	while (r->seen < g->hdr->tail) {
		e = &g->cell[r->seen & g->mask];
		r->seen += e->cells;
		if (e->type != EVENT_PAD) {
			assert_int_equal(r->seen, g->hdr->tail);
			return e;
		}
	}
	return NULL;
}

static const struct event_more *more(const struct event_cell *e)
{
	return (const void *)(e + 1);
}

static void delta_is(const struct event_cell *e, uint64_t packets,
                     uint64_t bytes, uint64_t rpackets, uint64_t rbytes)
{
	const struct conn_delta *d = &more(e)->detail.delta;

	assert_true(e->flags & EVENT_F_DELTA);
	assert_int_equal(d->packets[0], packets);
	assert_int_equal(delta_bytes(d, 0), bytes);
	assert_int_equal(d->packets[1], rpackets);
	assert_int_equal(delta_bytes(d, 1), rbytes);
}

static void test_turns(void **state)
{
	const struct event_cell *e;
	struct rig r;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		rig_open(&r, v6, CONN_ACCT);
		assert_null(rig_look(&r, 59));
		e = rig_look(&r, 61);
		assert_non_null(e);
		assert_int_equal(e->type, EVENT_UPDATE);
		assert_int_equal(e->ts_ns, T0 + 61 * S);
		delta_is(e, 1, 40, 0, 0);
		assert_int_equal(more(e)->packets[0], 1);
		rig_pass(&r, 1, 3, 5000000000ull);
		rig_pass(&r, 0, 2, 80);
		assert_null(rig_look(&r, 120));
		e = rig_look(&r, 121);
		assert_non_null(e);
		delta_is(e, 2, 80, 3, 5000000000ull);
		assert_int_equal(more(e)->packets[0], 3);
		assert_int_equal(more(e)->bytes[1], 5000000000ull);
		/* nothing passed: nothing to tell, until something does */
		assert_null(rig_look(&r, 182));
		rig_pass(&r, 0, 1, 40);
		assert_null(rig_look(&r, 200));
		e = rig_look(&r, 242);
		assert_non_null(e);
		delta_is(e, 1, 40, 0, 0);
		/* and the rest at its end */
		rig_pass(&r, 0, 1, 60);
		e = rig_look(&r, 3001);
		assert_non_null(e);
		assert_int_equal(e->type, EVENT_DESTROY);
		delta_is(e, 1, 60, 0, 0);
		assert_int_equal(more(e)->bytes[0], 220);
		assert_int_equal(shard_faults(r.t, 0), 0);
		table_drop(r.t);
	}
}

/* counters that were taken off (-z) leave the differences what they are */
static void test_lowered(void **state)
{
	struct conn *c;
	struct rig r;

	(void)state;
	rig_open(&r, false, CONN_ACCT);
	assert_non_null(rig_look(&r, 61));
	rig_pass(&r, 0, 9, 900);
	c = table_conn(r.t, 0, r.idx);
	shard_lock(r.t, 0);
	op_update_begin(r.t, 0, r.idx);
	c->packets[0] -= 10;
	c->bytes[0] -= 940;
	told_lower(r.t, 0, r.idx, 0, 10, 940);
	op_update_commit(r.t, 0, r.idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(r.t, 0);
	rig_pass(&r, 0, 1, 100);
	delta_is(rig_look(&r, 122), 10, 1000, 0, 0);
	table_drop(r.t);
}

/* who counts nothing has nothing to tell; nor is there anything to tell where
 * nobody listens; and an entry that is used again begins anew */
static void test_silence(void **state)
{
	const struct event_cell *e;
	struct rig r;
	uint32_t due = 0, gone;

	(void)state;
	rig_open(&r, false, 0);
	assert_null(rig_look(&r, 61));
	assert_null(rig_look(&r, 1000));
	table_drop(r.t);

	rig_open(&r, false, CONN_ACCT);
	shard_expire(r.t, 0, T0 + 61 * S, 100, 100, false, &due);
	assert_int_equal(r.t->ring[0].hdr->tail, 0);
	assert_non_null(rig_look(&r, 122));
	gone = conn_drop(r.t, &r.k);
	assert_int_equal(gone, r.idx);
	assert_int_equal(conn_put(r.t, &r.k), gone);
	assert_false(table_conn(r.t, 0, gone)->status & CONN_TOLD);
	e = rig_look(&r, 1001);
	assert_int_equal(e->type, EVENT_DESTROY);
	assert_false(e->flags & EVENT_F_DELTA);
	table_drop(r.t);
}

/* set while the daemon runs: what is there is found */
static void test_again(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, false, CONN_ACCT);
	r.t->tell_ms = 0;
	assert_null(rig_look(&r, 61)); /* and will not be looked at */
	r.t->tell_ms = TELL;
	assert_null(rig_look(&r, 500));
	r.t->hdr->clock_ns = T0 + 500 * S;
	told_again(r.t, 0);
	assert_non_null(rig_look(&r, 500));
	table_drop(r.t);
}

/* what stands where the delta is comes along in another place */
static void test_kept(void **state)
{
	struct conn_detail *x;
	const struct event_cell *e;
	struct rig r;

	(void)state;
	rig_open(&r, false, CONN_ACCT);
	x = table_detail(r.t, 0, r.idx);
	x->repairs[0] = 200;
	x->repairs[3] = 100;
	x->dups = 7;
	x->vlan = 12;
	x->retrans[1] = 5;
	e = rig_look(&r, 61);
	assert_int_equal(e->len, 300 | 7 << 16);
	assert_int_equal(e->vlan, 12);
	assert_int_equal(more(e)->detail.retrans[1], 5);
	assert_int_equal(x->dups, 7);
	table_drop(r.t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),   cmocka_unit_test(test_lowered),
		cmocka_unit_test(test_silence), cmocka_unit_test(test_again),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_expire.c - the look at a shard's deadlines, which is many at a time,
 * against one entry by the other: who ends, and when the next look is due.
 */
#include "shm/expire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/clock.h"
#include "shm/proc.h"
#include "shm/tick.h"
#include "tests/lib/keys.h"

#define T0    1700000000000000000ull
#define CONNS 600u
#define SEEDS 300u
#define MAX   200000u

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state = noise(state + 1);
	return (uint32_t)((state >> 32) * n >> 32);
}

/* seldom due, or all about to be */
static uint32_t deadline(uint32_t now, uint32_t how)
{
	switch (below(how)) {
	case 0:
		return now;
	case 1:
		return now + 1;
	case 2:
		return now - below(5000);
	case 3:
		return tick_after_s(now, TIMEOUT_MAX_S);
	default:
		return now + 1 + below(432000000);
	}
}

static void fill(struct table *t, uint32_t now)
{
	uint32_t n = below(CONNS), six = below(4), i, idx;
	uint32_t how = below(2) ? 5 : 2000;

	for (i = 0; i < n; i++) {
		struct conn_lookup k = key_make(t, i, !six, 0);

		idx = conn_put(t, &k);
		assert_true(idx > 0);
		table_conn(t, 0, idx)->deadline = deadline(now, how);
		/* early is allowed, late is not */
		*table_chk(t, 0, idx) = table_conn(t, 0, idx)->deadline -
		                        (below(8) ? 0 : below(100));
		if (below(3))
			continue;
		conn_drop(t, &k);
	}
}

/* What has to come of it, by the book. */
static uint32_t reckon(const struct table *t, uint32_t now, uint32_t *due)
{
	uint32_t idx, n = 0;

	for (idx = 1; idx < t->cap; idx++) {
		const struct conn *c = table_conn(t, 0, idx);
		uint32_t chk = *table_chk(t, 0, idx);

		if (!(c->status & CONN_LIVE))
			continue;
		if (tick_expired(c->deadline, now)) {
			n++;
			continue;
		}
		if (tick_expired(chk, now))
			chk = c->deadline;
		if (tick_left(chk, *due) < 0)
			*due = chk;
	}
	return n;
}

static void test_random(void **st)
{
	uint32_t seed, ended = 0;

	(void)st;
	for (seed = 0; seed < SEEDS; seed++) {
		struct table *t = table_make(MAX, seed & 1, 64);
		uint64_t days, now_ns;
		uint32_t now, want, left, due, soon;

		assert_non_null(t);
		assert_true(t->cap > CONNS);
		state = seed;
		t->hdr->t0_real_ns = T0;
		/* 49.7 days: all 32 bits */
		days = below(60);
		now_ns = T0 + days * 86400 * NS_PER_S + below(1000000000);
		now = table_tick_of(t, now_ns);
		fill(t, now);
		left = t->shard[0].count;
		due = soon = now + TICK_BEHIND;
		want = reckon(t, now, &due);
		assert_int_equal(shard_expire(t, 0, now_ns, UINT32_MAX, MAX,
		                              false, &soon),
		                 want);
		assert_int_equal(soon, due);
		assert_int_equal(t->shard[0].count, left - want);
		/* and nothing is left to do */
		assert_int_equal(shard_expire(t, 0, now_ns, UINT32_MAX, MAX,
		                              false, &soon),
		                 0);
		ended += want;
		table_drop(t);
	}
	assert_true(ended > SEEDS);
}

/* a part at a time, and due again at once */
static void test_most(void **st)
{
	struct table *t = table_make(MAX, true, 64);
	uint32_t i, due = 6000000, now = 5000000;
	uint64_t now_ns = T0 + now * (uint64_t)NS_PER_MS;

	(void)st;
	assert_non_null(t);
	t->hdr->t0_real_ns = T0;
	for (i = 0; i < 500; i++) {
		struct conn_lookup k = key_make(t, i, false, 0);

		assert_true(conn_put(t, &k) > 0);
	}
	assert_int_equal(shard_expire(t, 0, now_ns, 200, MAX, false, &due),
	                 200);
	assert_int_equal(due, now);
	assert_int_equal(shard_expire(t, 0, now_ns, 400, MAX, false, &due),
	                 300);
	assert_int_equal(t->shard[0].count, 0);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_step_told.c - SIGKILL at every instruction of the reaper while it tells
 * of connections that last, and of who takes counters off.
 *
 * As in test_step.c: wherever the shared memory has changed, a kill would
 * leave what is there.  Whoever comes after it finds each packet told of, or
 * yet to be; never both and never neither.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/told.h"
#include "shm/update.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"
#include "tests/lib/traffic.h"

#define NTOLD 4u
#define TELL  60000u

struct telling {
	struct table *t, *c;
	void (*write)(struct table *t);
	char *now;
	uint64_t left; /* to be told, before it */
	uint32_t images;
};

/* what the events say, how many there are, and what is yet to be told */
struct told_sum {
	uint64_t told, left, all;
	uint32_t n;
};

static void told_pass(struct table *t, uint32_t idx, uint32_t packets)
{
	struct conn *c = table_conn(t, 0, idx);

	shard_lock(t, 0);
	op_update_begin(t, 0, idx);
	c->packets[0] += packets;
	c->bytes[0] += 40ull * packets;
	op_update_commit(t, 0, idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(t, 0);
}

static void told_turn(struct table *t, uint32_t s)
{
	uint32_t due = 0;

	shard_expire(t, 0, t->hdr->t0_real_ns + s * NS_PER_S, 100, 100, true,
	             &due);
}

/* told of once, and then more has passed */
static struct table *told_table(void)
{
	struct table *t = table_make(1, true, 64);
	enum op_refusal why;
	struct conn_lookup k;
	struct conn init;
	uint32_t i;

	assert_non_null(t);
	t->hdr->t0_real_ns = 1700000000ull * NS_PER_S;
	t->tell_ms = TELL;
	memset(&init, 0, sizeof(init));
	init.status = CONN_CONFIRMED | CONN_ACCT;
	init.deadline = 3000000;
	init.packets[0] = 1;
	shard_lock(t, 0);
	for (i = 1; i <= NTOLD; i++) {
		k = key_make(t, i, i & 1, 0);
		assert_true(op_insert(t, &k, &init, NULL, NULL, NULL,
		                      (struct op_cursor){0, 0}, &why) > 0);
	}
	shard_unlock(t, 0);
	told_turn(t, 61);
	for (i = 1; i < t->cap; i++)
		if (table_conn(t, 0, i)->status & CONN_LIVE)
			told_pass(t, i, 10 * i);
	return t;
}

static struct told_sum told_sum(const struct table *t)
{
	const struct event_ring *g = &t->ring[0];
	const struct event_more *more;
	struct told_sum s = {0};
	struct conn_delta d;
	uint64_t at;
	uint32_t i;

	for (at = 0; at < g->hdr->tail; at += g->cell[at & g->mask].cells) {
		if (g->cell[at & g->mask].type == EVENT_PAD)
			continue;
		more = (const void *)&g->cell[(at & g->mask) + 1];
		s.told += more->detail.delta.packets[0];
		s.n++;
	}
	for (i = 1; i < t->cap; i++) {
		if (!(table_conn(t, 0, i)->status & CONN_LIVE))
			continue;
		s.all += table_conn(t, 0, i)->packets[0];
		told_delta(t, 0, i, &d);
		s.left += d.packets[0];
	}
	return s;
}

static uint64_t told_counted(const struct table *t)
{
	return t->ring[0].hdr->counter[CTR_EVENT_UPDATE];
}

/* Every packet is told of or yet to be, and every event is counted. */
static void told_killed(struct telling *m)
{
	struct told_sum s;

	image_load(m->c, m->now);
	takeover(m->c, m->images++ & 1);
	s = told_sum(m->c);
	assert_int_equal(shard_faults(m->c, 0), 0);
	assert_int_equal(s.told + s.left, s.all);
	assert_int_equal(told_counted(m->c), s.n);
	/* and the heir tells of the rest, once */
	told_turn(m->c, 122);
	s = told_sum(m->c);
	assert_int_equal(s.left, 0);
	assert_int_equal(s.told, s.all);
	assert_int_equal(s.n, 2 * NTOLD);
	assert_int_equal(told_counted(m->c), 2 * NTOLD);
}

/* Counters are taken off: what is yet to be told stays what it is. */
static void lowered_killed(struct telling *m)
{
	struct told_sum s;

	image_load(m->c, m->now);
	takeover(m->c, m->images++ & 1);
	s = told_sum(m->c);
	assert_int_equal(shard_faults(m->c, 0), 0);
	assert_int_equal(s.left, m->left);
	assert_int_equal(s.n, NTOLD);
}

static void teller(struct table *t)
{
	told_turn(t, 122);
}

static void lowerer(struct table *t)
{
	uint32_t idx;

	for (idx = 1; idx < t->cap; idx++) {
		struct conn *c = table_conn(t, 0, idx);

		if (!(c->status & CONN_LIVE))
			continue;
		shard_lock(t, 0);
		op_update_begin(t, 0, idx);
		c->packets[0] -= 1;
		told_lower(t, 0, idx, 0, 1, 0);
		op_update_commit(t, 0, idx, NULL, (struct op_cursor){0, 0});
		shard_unlock(t, 0);
	}
}

static void telling_body(void *arg)
{
	const struct telling *m = arg;

	m->write(m->t);
}

static void told_step(void (*write)(struct table *t),
                      void (*killed)(struct telling *m))
{
	struct telling m = {
		.t = told_table(), .c = told_table(), .write = write};
	struct stepper st;

	m.now = malloc(image_size(m.t));
	assert_non_null(m.now);
	m.left = told_sum(m.t).left;
	image_save(m.t, m.now);
	assert_int_equal(stepper_start(&st, telling_body, &m), 0);
	while (stepper_next(&st))
		if (image_sync(m.t, m.now))
			killed(&m);
	assert_int_equal(stepper_collect(&st), 0);
	assert_true(m.images > 40);
	free(m.now);
	table_drop(m.t);
	table_drop(m.c);
}

static void test_told_killed(void **state)
{
	(void)state;
	if (!stepper_allowed())
		skip();
	told_step(teller, told_killed);
	told_step(lowerer, lowered_killed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

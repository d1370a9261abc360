/*
 * test_step_rest.c - SIGKILL at every instruction of those who write besides
 * the operations on connections: the policy's blocks, the budget, and the
 * mending of a shard.
 *
 * As in test_step.c a writer is executed instruction by instruction, and
 * wherever the shared memory has changed a kill would leave what is there.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shm/atomic.h"
#include "shm/budget.h"
#include "shm/mend.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"
#include "tests/lib/traffic.h"

/* ---- the policy's blocks ---- */

static void policy_fill(struct policy *p, uint32_t n)
{
	memset(p, 0, sizeof(*p));
	p->max = n;
	p->timeout[15][15] = n;
}

static int policy_put(struct table *t, uint32_t n)
{
	struct policy p;

	policy_fill(&p, n);
	return rcud_publish(t, &p);
}

static struct policy fourth;

/* publications 1 .. 3 are there: the next one's number is its version */
static struct table *policy_table(void)
{
	struct table *t = table_make(100, false, 64);
	uint32_t i;

	assert_non_null(t);
	for (i = 1; i <= 3; i++)
		assert_int_equal(policy_put(t, i), 0);
	policy_fill(&fourth, 4);
	return t;
}

static void policy_writer(void *arg)
{
	if (rcud_publish(arg, &fourth))
		abort();
}

/* a reader: its epoch, and what it found */
struct entered {
	uint64_t qs;
	uint32_t block, version;
};

static bool policy_whole(const struct policy *p, uint32_t n)
{
	return p->max == n && p->timeout[15][15] == n && p->version == n;
}

/* A reader has entered before: its block is nobody's until it leaves, and no
 * block is lost. */
static void policy_killed(struct table *c, const struct policy_segment *left,
                          const struct entered *first)
{
	struct policy_segment *p = c->policy;
	uint32_t i, now;

	*p = *left;
	now = p->block[p->current].version;
	assert_true(now == 3 || now == 4);
	assert_true(policy_whole(&p->block[p->current], now));
	table_proc(c, c->me)->qs = first->qs;
	rcud_recover(c);
	assert_true(p->retired[p->current] == RETIRED_NO);
	for (i = 0; i < 2 * POLICY_BLOCKS; i++)
		policy_put(c, 100 + i);
	assert_true(policy_whole(&p->block[first->block], 3));
	rcud_leave(c);
	assert_int_equal(rcud_reclaim(c), POLICY_BLOCKS - 1);
	for (i = 0; i < 2 * POLICY_BLOCKS; i++)
		assert_int_equal(policy_put(c, 200 + i), 0);
}

/* the words that say which block is whose; of what is copied now and then */
static bool policy_moved(struct policy_segment *was,
                         const struct policy_segment *is, uint64_t step)
{
	size_t n = step % 64 ? offsetof(struct policy_segment, block)
	                     : sizeof(*is);
	bool moved = memcmp(was, is, n) != 0;

	if (moved)
		*was = *is;
	return moved;
}

/* One that entered while the policy was published keeps what it found. */
static void policy_entered(struct table *c, const struct policy_segment *end,
                           const struct entered *e)
{
	uint32_t i, found = e->version;

	*c->policy = *end;
	table_proc(c, c->me)->qs = e->qs;
	for (i = 0; i < 2 * POLICY_BLOCKS; i++)
		policy_put(c, 100 + i);
	assert_true(policy_whole(&c->policy->block[e->block], found));
	rcud_leave(c);
	assert_int_equal(rcud_reclaim(c), POLICY_BLOCKS - 1);
}

static struct entered policy_enter(struct table *t)
{
	const struct policy *p = rcud_enter(t);
	struct entered e = {table_proc(t, t->me)->qs,
	                    (uint32_t)(p - t->policy->block), p->version};

	assert_true(policy_whole(p, e.version));
	return e;
}

static void test_policy(void **state)
{
	struct table *t = policy_table(), *c = policy_table();
	struct policy_segment was = *t->policy;
	static struct entered e[512];
	struct entered first;
	uint32_t n = 0, i;
	struct stepper st;

	(void)state;
	if (!stepper_allowed())
		skip();
	first = policy_enter(t);
	assert_int_equal(stepper_start(&st, policy_writer, t), 0);
	while (stepper_next(&st)) {
		if (!policy_moved(&was, t->policy, st.steps))
			continue;
		policy_killed(c, &was, &first);
		assert_true(n < ARRAY_SIZE(e));
		e[n++] = policy_enter(t);
		table_proc(t, t->me)->qs = first.qs;
	}
	assert_int_equal(stepper_collect(&st), 0);
	assert_true(n > 4);
	for (i = 0; i < n; i++)
		policy_entered(c, t->policy, &e[i]);
	rcud_leave(t);
	table_drop(t);
	table_drop(c);
}

/* ---- the budget ---- */

#define LIMIT 20000u /* portions of four */

struct purse {
	struct table *t;
	bool give;
	volatile uint32_t *at; /* 1: it has begun, 2: it is through */
};

static uint64_t purse_held(const struct table *t)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr)
			n += t->ring[i].hdr->credit;
	return n;
}

static volatile uint32_t *page_shared(void)
{
	static void *page;

	if (!page)
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(page != MAP_FAILED);
	memset(page, 0, PAGE);
	return page;
}

static void taker(void *arg)
{
	const struct purse *p = arg;

	*p->at = 1;
	if (p->give)
		budget_give(p->t, LIMIT);
	else
		budget_take(p->t, LIMIT);
	*p->at = 2;
}

/* A table whose slot 0 has taken and given back. */
static struct table *purse_open(uint32_t taken, uint32_t given)
{
	struct table *t = table_make(LIMIT, false, 64);
	uint32_t i;

	assert_non_null(t);
	for (i = 0; i < taken; i++)
		assert_true(budget_take(t, LIMIT));
	for (i = 0; i < given; i++)
		budget_give(t, LIMIT);
	return t;
}

/* Wherever it dies: what is drawn is not less than what is held and used, and
 * not more than a portion is mislaid. */
static void purse_step(uint32_t taken, uint32_t given, bool give)
{
	uint32_t at = taken - given;
	struct purse p = {purse_open(taken, given), give, NULL};
	uint64_t most = LIMIT / 4096, least = give ? at - 1 : at, word;
	struct stepper st;

	p.at = page_shared();
	assert_int_equal(stepper_start(&st, taker, &p), 0);
	while (*p.at < 2 && stepper_next(&st)) {
		word = shm_load(&p.t->hdr->budget);
		assert_true(word >= purse_held(p.t) + least);
		assert_true(word <= purse_held(p.t) + at + most);
	}
	assert_int_equal(stepper_release(&st), 0);
	assert_int_equal(p.t->hdr->budget,
	                 purse_held(p.t) + (give ? at - 1 : at + 1));
	table_drop(p.t);
}

static void test_budget_killed(void **state)
{
	uint32_t at;

	(void)state;
	if (!stepper_allowed())
		skip();
	for (at = 0; at < 10; at++)
		purse_step(at, 0, false);
	/* a portion goes back once there are two */
	for (at = 0; at < 12; at++)
		purse_step(12, at, true);
}

/* Stopped at each instruction, while another takes all that is left: not one
 * more than the limit, and what was refused leaves nothing behind. */
static bool purse_race(struct table *t, uint64_t steps)
{
	struct purse p = {t, false, page_shared()};
	uint64_t n = 0, begun = 0;
	struct stepper st;

	/* one portion is left */
	t->hdr->budget = LIMIT - LIMIT / 4096;
	t->ring[0].hdr->credit = t->ring[1].hdr->credit = 0;
	assert_int_equal(stepper_start(&st, taker, &p), 0);
	while (*p.at < 2 && begun < steps && stepper_next(&st))
		begun += *p.at == 1;
	t->me = 1;
	while (budget_take(t, LIMIT))
		n++;
	assert_int_equal(stepper_release(&st), 0);
	t->me = 0;
	/* with what the other took or holds it is all there is */
	assert_int_equal(t->hdr->budget, LIMIT);
	assert_in_range(n + t->ring[0].hdr->credit, LIMIT / 4096 - 1,
	                LIMIT / 4096);
	return begun == steps;
}

static void test_budget_race(void **state)
{
	struct table *t = purse_open(0, 0);
	uint64_t steps = 0;

	(void)state;
	if (!stepper_allowed())
		skip();
	while (purse_race(t, steps))
		steps++;
	assert_true(steps > 20);
	table_drop(t);
}

/* ---- mending ---- */

#define NCONN 14u

enum mend { MEND_SALVAGE, MEND_EMPTY, MEND_ISOLATE };

struct mending {
	struct table *t, *c;
	enum mend how;
	char *now;
	uint32_t images;
};

/* odd ports are at home in shard 0 */
static uint8_t home_odd(const struct table *t, const struct conn_key *k,
                        const struct addr6 *a6)
{
	(void)t;
	(void)a6;
	return k->port[0] % 2 ? 0 : 1;
}

static void mend_run(struct table *t, enum mend how)
{
	shard_lock(t, 0);
	if (how == MEND_SALVAGE)
		shard_salvage(t, 0, home_odd);
	else if (how == MEND_EMPTY)
		shard_empty(t, 0);
	else
		shard_isolate(t, 0);
	shard_unlock(t, 0);
}

static void mender(void *arg)
{
	struct mending *m = arg;

	mend_run(m->t, m->how);
}

/* every third is at home elsewhere; some were ended before */
static struct table *mend_table(void)
{
	struct table *t = table_make(1, true, 64);
	struct conn_lookup k;
	uint32_t i;

	assert_non_null(t);
	for (i = 0; i < NCONN + 4; i++) {
		k = key_make(t, i, i & 1, 0);
		k.key.port[0] = i % 3 ? 1001 : 1000;
		k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
		assert_true(conn_put(t, &k) > 0);
		if (i >= NCONN)
			assert_true(conn_drop(t, &k) > 0);
	}
	return t;
}

/* what readers find by key */
static uint32_t mend_found(const struct table *t, bool odd)
{
	struct conn_lookup k;
	struct conn_view v;
	uint32_t i, n = 0;

	for (i = 0; i < NCONN; i++) {
		k = key_make(t, i, i & 1, 0);
		k.key.port[0] = i % 3 ? 1001 : 1000;
		k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
		if ((i % 3 != 0) == odd)
			n += conn_lookup(t, &k, &v) > 0;
	}
	return n;
}

/* The heir finds a shard that is in order; what is to stay is there, and what
 * is to go goes when it mends again. */
static void mend_killed(struct mending *m)
{
	uint32_t stay, go;

	image_load(m->c, m->now);
	takeover(m->c, m->images & 1);
	stay = mend_found(m->c, true);
	go = mend_found(m->c, false);
	m->c->shard[0].isolated = 0;
	if (m->how != MEND_ISOLATE)
		assert_int_equal(shard_faults(m->c, 0), 0);
	if (m->how == MEND_SALVAGE)
		assert_int_equal(stay, NCONN - (NCONN + 2) / 3);
	assert_true(go <= (NCONN + 2) / 3);
	mend_run(m->c, m->how);
	assert_int_equal(mend_found(m->c, false), 0);
	assert_int_equal(mend_found(m->c, true),
	                 m->how == MEND_SALVAGE ? stay : 0);
	assert_int_equal(m->c->shard[0].count,
	                 m->how == MEND_SALVAGE ? stay : 0);
	assert_int_equal(m->c->shard[0].op, OP_IDLE);
	m->images++;
}

static void mend_step(enum mend how)
{
	struct mending m = {.t = mend_table(), .c = mend_table(), .how = how};
	struct stepper st;

	m.now = malloc(image_size(m.t));
	assert_non_null(m.now);
	m.t->shard[0].isolated = how == MEND_EMPTY;
	image_save(m.t, m.now);
	assert_int_equal(stepper_start(&st, mender, &m), 0);
	while (stepper_next(&st))
		if (image_sync(m.t, m.now))
			mend_killed(&m);
	assert_int_equal(stepper_collect(&st), 0);
	assert_int_equal(m.t->shard[0].isolated, how == MEND_ISOLATE);
	assert_true(m.images > 10);
	free(m.now);
	table_drop(m.t);
	table_drop(m.c);
}

static void test_mend_killed(void **state)
{
	(void)state;
	if (!stepper_allowed())
		skip();
	mend_step(MEND_SALVAGE);
	mend_step(MEND_EMPTY);
	mend_step(MEND_ISOLATE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_budget_killed),
		cmocka_unit_test(test_budget_race),
		cmocka_unit_test(test_mend_killed),
	};

	/* found now, not by every child, instruction by instruction */
	raise(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

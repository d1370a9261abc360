/* test_proc.c - slots, locks of the dead, pending counters */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"

/* runs body in a child that ends by SIGKILL */
static void killed(void (*body)(struct table *), struct table *t)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		body(t);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void attach_1(struct table *t)
{
	if (proc_attach(t, 1, 5))
		_exit(1);
}

static void attach_and_lock(struct table *t)
{
	attach_1(t);
	shard_lock(t, 3);
	shard_lock(t, 4);
}

static void attach_and_detach(struct table *t)
{
	attach_1(t);
	table_proc(t, 1)->qs = 4;
	proc_detach(t);
}

static void test_token(void **state)
{
	struct table *t = table_make(100, true, 64), other = *t;
	struct proc_page *p = table_proc(t, 1);

	(void)state;
	assert_false(proc_alive(t, 1));
	assert_false(proc_alive(t, NSLOT));
	assert_true(proc_alive(t, 0));
	assert_int_equal(proc_attach(&other, 0, 0), -EBUSY);
	p->qs = 9;
	p->blocked_lock = 9;
	killed(attach_1, t);
	assert_false(proc_alive(t, 1));
	assert_true(p->token & FUTEX_OWNER_DIED);
	assert_int_equal(p->incarnation, 1);
	assert_int_equal(p->role, 5);
	assert_int_equal(p->state, PROC_STARTING);
	assert_int_equal(p->qs, 0);
	assert_int_equal(p->blocked_lock, 0);
	killed(attach_and_detach, t);
	assert_int_equal(p->token, 0);
	assert_int_equal(p->incarnation, 2);
	assert_int_equal(p->state, PROC_NONE);
	assert_int_equal(p->qs, 0);
	table_drop(t);
}

/* left locks are taken, by anyone, and by the successor in the slot */
static void test_lock_of_dead(void **state)
{
	struct table *t = table_make(100, true, 64), other = *t;
	uint32_t word;

	(void)state;
	killed(attach_and_lock, t);
	word = t->shard[3].lock;
	assert_int_equal(word, 1 << 8 | 2);
	assert_true(proc_word_dead(t, word));
	shard_lock(t, 3);
	assert_int_equal(t->shard[3].lock, t->word);
	shard_unlock(t, 3);
	assert_int_equal(t->shard[3].lock, 0);
	assert_int_equal(proc_attach(&other, 1, 0), 0);
	assert_int_equal(t->shard[4].lock, 0);
	/* the predecessor's word stays dead, the own one lives */
	assert_true(proc_word_dead(t, word));
	assert_false(proc_word_dead(t, other.word));
	/* words that name nobody */
	assert_true(proc_word_dead(t, 0xff));
	assert_true(proc_word_dead(t, 1 << 8));
	proc_detach(&other);
	table_drop(t);
}

/* a holder that stands still is named, until it lets go */
static void test_blocked(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct proc_page *p = table_proc(t, 1);
	int status, i;
	pid_t pid;

	(void)state;
	shard_lock(t, 7);
	pid = fork();
	if (!pid) {
		attach_1(t);
		shard_lock(t, 7);
		shard_unlock(t, 7);
		_exit(t->waited ? 0 : 1);
	}
	for (i = 0; i < 20000 && !*(volatile uint32_t *)&p->blocked_lock; i++)
		usleep(1000);
	assert_int_equal(p->blocked_lock, t->word);
	assert_int_equal(p->blocked_shard, 7);
	shard_unlock(t, 7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(p->blocked_lock, 0);
	assert_int_equal(t->shard[7].lock, 0);
	table_drop(t);
}

/* ---- order, as seen between two instructions ---- */

static void detach_only(void *arg)
{
	struct table *t = arg;

	if (proc_attach(t, 1, 0))
		_exit(1);
	shm_xchg(&table_proc(t, 1)->qs, 9);
	proc_detach(t);
}

/* Once the token is free the page is the successor's. */
static void test_detach_order(void **state)
{
	struct table *t = table_make(100, true, 64);
	volatile struct proc_page *p = table_proc(t, 1);
	unsigned int seen = 0, bad = 0;
	struct stepper s;

	(void)state;
	if (!stepper_allowed()) {
		table_drop(t);
		skip();
	}
	assert_int_equal(stepper_start(&s, detach_only, t), 0);
	while (stepper_next(&s)) {
		seen += p->qs != 0;
		bad += p->incarnation && !p->token && (p->qs || p->state);
	}
	assert_int_equal(stepper_collect(&s), 0);
	assert_true(seen > 0);
	assert_int_equal(bad, 0);
	assert_int_equal(p->token, 0);
	table_drop(t);
}

static void wait_for_7(void *arg)
{
	struct table *t = arg;

	if (proc_attach(t, 1, 0))
		_exit(1);
	shard_lock(t, 7);
	shard_unlock(t, 7);
}

/* Who reads the name of a holder finds the right shard beside it. */
static void test_blocked_order(void **state)
{
	struct table *t = table_make(100, true, 64);
	volatile struct proc_page *p = table_proc(t, 1);
	struct stepper s;
	uint32_t shard;

	(void)state;
	if (!stepper_allowed()) {
		table_drop(t);
		skip();
	}
	shard_lock(t, 7);
	assert_int_equal(stepper_start(&s, wait_for_7, t), 0);
	while (!p->blocked_lock && stepper_next(&s))
		;
	shard = p->blocked_shard;
	shard_unlock(t, 7);
	assert_int_equal(stepper_release(&s), 0);
	assert_int_equal(shard, 7);
	table_drop(t);
}

static void prepare_only(void *arg)
{
	struct table *t = arg;
	struct counters cs = {.n = 0};

	if (proc_attach(t, 1, 0))
		_exit(1);
	counters_add(&cs, CTR_FRAMES, 2);
	counters_add(&cs, CTR_NEW, 1);
	counters_prepare(t, &cs, 77, 4);
}

/* With the cursor all is there that it stands for. */
static void test_prepare_order(void **state)
{
	struct table *t = table_make(100, true, 64);
	volatile struct ring_header *h = t->ring[1].hdr;
	unsigned int seen = 0, bad = 0;
	struct stepper s;

	(void)state;
	if (!stepper_allowed()) {
		table_drop(t);
		skip();
	}
	assert_int_equal(stepper_start(&s, prepare_only, t), 0);
	while (stepper_next(&s)) {
		if (!h->pend_cursor)
			continue;
		seen++;
		bad += h->pend_src != 4 || h->npend != 2 ||
		       h->pend[0].value != 2 || h->pend[1].value != 1 ||
		       h->pend[1].counter != CTR_NEW;
	}
	assert_int_equal(stepper_collect(&s), 0);
	assert_true(seen > 0);
	assert_int_equal(bad, 0);
	table_drop(t);
}

/* ---- counters ---- */

static void count_and_die(struct table *t, bool moved)
{
	struct counters cs = {.n = 0};

	attach_1(t);
	counters_add(&cs, CTR_FRAMES, 2);
	counters_add(&cs, CTR_NEW, 1);
	counters_add(&cs, CTR_FRAMES, 3);
	counters_add(&cs, CTR_DROP, 0);
	counters_prepare(t, &cs, 77, 4);
	if (moved)
		op_cursor_set(t, (struct op_cursor){77, 4});
}

static void count_before(struct table *t)
{
	count_and_die(t, false);
}

static void count_after(struct table *t)
{
	count_and_die(t, true);
}

static void count_all(struct table *t)
{
	count_and_die(t, true);
	counters_commit(t);
}

static void test_counters(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct ring_header *h = t->ring[1].hdr;

	(void)state;
	/* nothing, for the packet will come again */
	killed(count_before, t);
	assert_int_equal(h->pend_cursor, 77);
	killed(attach_1, t);
	assert_int_equal(h->counter[CTR_FRAMES], 0);
	assert_int_equal(h->pend_cursor, 0);
	killed(count_after, t);
	assert_int_equal(h->counter[CTR_FRAMES], 0);
	killed(attach_1, t);
	assert_int_equal(h->counter[CTR_FRAMES], 5);
	assert_int_equal(h->counter[CTR_NEW], 1);
	assert_int_equal(h->pend_cursor, 0);
	killed(count_all, t);
	assert_int_equal(h->counter[CTR_FRAMES], 10);
	killed(attach_1, t);
	assert_int_equal(h->counter[CTR_FRAMES], 10);
	table_drop(t);
}

/* numbers that a peer wrote lead nowhere else */
static void test_counters_damaged(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct ring_header *h = t->ring[1].hdr;
	uint64_t was;

	(void)state;
	killed(count_after, t);
	h->npend = 0xffffffff;
	h->pend[0].counter = 0xfffffff0;
	was = h->received;
	killed(attach_1, t);
	assert_int_equal(h->received, was);
	assert_int_equal(h->counter[CTR_NEW], 1);
	killed(count_after, t);
	h->pend_src = 0xffff;
	killed(attach_1, t);
	assert_int_equal(h->pend_cursor, 0);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_lock_of_dead),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_detach_order),
		cmocka_unit_test(test_blocked_order),
		cmocka_unit_test(test_prepare_order),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_counters_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

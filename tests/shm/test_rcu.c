/* test_rcu.c - policy blocks, with readers and writers that die or stop */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atomic.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "tests/lib/keys.h"

static int publish(struct table *t, uint32_t max)
{
	struct policy p;

	memset(&p, 0, sizeof(p));
	p.max = max;
	p.timeout[15][15] = max;
	return rcud_publish(t, &p);
}

static void test_publish(void **state)
{
	struct table *t = table_make(100, false, 64);
	const struct policy *p;
	uint32_t i;

	(void)state;
	for (i = 1; i < 100; i++) {
		assert_int_equal(publish(t, i), 0);
		p = rcud_enter(t);
		assert_int_equal(p->max, i);
		assert_int_equal(p->version, i);
		rcud_leave(t);
	}
	assert_int_equal(rcud_reclaim(t), POLICY_BLOCKS - 1);
	table_drop(t);
}

/* a reader keeps its block, and the writer is never made to wait */
static void test_reader_holds(void **state)
{
	struct table *t = table_make(100, false, 64);
	const struct policy *p;
	uint32_t i;

	(void)state;
	publish(t, 1000);
	p = rcud_enter(t);
	for (i = 0; i < POLICY_BLOCKS - 1; i++)
		assert_int_equal(publish(t, i), 0);
	assert_int_equal(publish(t, 99), -EAGAIN);
	assert_int_equal(p->max, 1000);
	rcud_leave(t);
	assert_int_equal(publish(t, 99), 0);
	p = rcud_enter(t);
	assert_int_equal(p->max, 99);
	rcud_leave(t);
	table_drop(t);
}

/* a child that enters as slot 1 and stays */
static pid_t reader_start(struct table *t)
{
	volatile uint64_t *qs = &table_proc(t, 1)->qs;
	uint32_t tries = 0;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (proc_attach(t, 1, 0))
			_exit(1);
		rcud_enter(t);
		for (;;)
			pause();
	}
	while (!*qs && tries++ < 100000)
		usleep(100);
	assert_true(*qs != 0);
	return pid;
}

static void test_reader_dies(void **state)
{
	struct table *t = table_make(100, false, 64);
	pid_t pid = reader_start(t);
	uint32_t i;

	(void)state;
	for (i = 0; i < POLICY_BLOCKS - 1; i++)
		assert_int_equal(publish(t, i), 0);
	/* stopped, it still reads */
	kill(pid, SIGSTOP);
	assert_int_equal(publish(t, 99), -EAGAIN);
	assert_int_equal(rcud_reclaim(t), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(table_proc(t, 1)->qs != 0);
	assert_int_equal(rcud_reclaim(t), POLICY_BLOCKS - 1);
	assert_int_equal(publish(t, 99), 0);
	table_drop(t);
}

/* a writer that died at any store: recovery loses no block for good */
static void test_writer_dies(void **state)
{
	struct table *t = table_make(100, false, 64);
	struct policy_segment *p = t->policy;
	uint32_t i, n;

	(void)state;
	for (i = 0; i < 3; i++) {
		uint32_t old = p->current, next = (old + 3) % POLICY_BLOCKS;

		p->retired[next] = RETIRED_NO;
		if (i > 0)
			p->current = next;
		if (i > 1)
			p->epoch++;
		rcud_recover(t);
		assert_int_equal(p->current, i ? next : old);
		assert_int_equal(rcud_reclaim(t), POLICY_BLOCKS - 1);
		for (n = 0; n < 20; n++)
			assert_int_equal(publish(t, n), 0);
	}
	p->current = 77;
	rcud_recover(t);
	assert_int_equal(p->current, 0);
	assert_true(p->retired[0] == RETIRED_NO);
	assert_int_equal(publish(t, 5), 0);
	assert_int_equal(rcud_enter(t)->max, 5);
	table_drop(t);
}

/* reads while the writer publishes as fast as it can and dies at random */
static void test_storm(void **state)
{
	struct table *t = table_make(100, false, 64);
	uint32_t round, i, bad = 0, last = 0;
	pid_t pid;

	(void)state;
	publish(t, 0);
	for (round = 0; round < 40; round++) {
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (proc_attach(t, 2, 0))
				_exit(1);
			rcud_recover(t);
			for (i = 0;; i++)
				publish(t, i);
		}
		for (i = 0; i < 3000 + round * 100; i++) {
			const struct policy *p = rcud_enter(t);
			uint32_t v = (uint32_t)p->version;

			bad += p->max != p->timeout[15][15];
			bad += (int32_t)(v - last) < 0;
			last = v;
			bad += shm_load(&p->version) != v;
			rcud_leave(t);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	assert_int_equal(bad, 0);
	rcud_recover(t);
	assert_int_equal(rcud_reclaim(t), POLICY_BLOCKS - 1);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_reader_holds),
		cmocka_unit_test(test_reader_dies),
		cmocka_unit_test(test_writer_dies),
		cmocka_unit_test(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

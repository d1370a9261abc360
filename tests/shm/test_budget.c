/* test_budget.c - one limit for all processes (F043, F238) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "shm/budget.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "tests/lib/keys.h"

static uint32_t held(const struct table *t)
{
	uint32_t i, n = 0;

	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr)
			n += t->ring[i].hdr->credit;
	return n;
}

static void test_limit(void **state)
{
	struct table *t = table_make(1000, false, 64);
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++)
		assert_true(budget_take(t, 0));
	assert_false(budget_take(t, 0));
	assert_int_equal(t->hdr->budget, 1000);
	/* a lower limit holds at once, a higher one than the table has never */
	budget_give(t, 0);
	assert_true(budget_take(t, 0));
	assert_false(budget_take(t, 500));
	assert_false(budget_take(t, 2000));
	for (i = 0; i < 1000; i++)
		budget_give(t, 0);
	assert_int_equal(t->hdr->budget, held(t));
	for (i = 0; i < 500; i++)
		assert_true(budget_take(t, 500));
	assert_false(budget_take(t, 500));
	table_drop(t);
}

/* portions: what is drawn is given out or held, and comes back */
static void test_portions(void **state)
{
	struct table *t = table_make(1 << 18, false, 64);
	uint32_t i;

	(void)state;
	for (i = 1; i <= 1000; i++) {
		assert_true(budget_take(t, 0));
		assert_int_equal(t->hdr->budget, i + held(t));
		assert_true(held(t) < 64);
	}
	while (i-- > 1) {
		budget_give(t, 0);
		assert_int_equal(t->hdr->budget, i - 1 + held(t));
		assert_true(held(t) < 128);
	}
	table_drop(t);
}

/* three processes and one limit: all of it is given out, no more */
static void test_processes(void **state)
{
	struct table *t = table_make(3000, false, 64);
	int status, got = 0, i;
	pid_t pid[3];

	(void)state;
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			int n = 0;

			if (i && proc_attach(t, (uint32_t)i, 0))
				_exit(255);
			while (n < 100000 && budget_take(t, 150))
				n++;
			/* the exit status has room for 150 */
			_exit(n);
		}
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 255);
		got += WEXITSTATUS(status);
	}
	assert_int_equal(got, 150);
	assert_int_equal(t->hdr->budget, 150);
	table_drop(t);
}

static void test_recount(void **state)
{
	struct table *t = table_make(1 << 18, false, 64);
	struct conn_lookup a = key_make(t, 1, false, 0);
	struct conn_lookup b = key_make(t, 2, false, 9);

	(void)state;
	conn_put(t, &a);
	conn_put(t, &b);
	t->hdr->budget = 12345;
	t->ring[2].hdr->credit = 7;
	budget_recount(t);
	assert_int_equal(t->hdr->budget, 2);
	assert_int_equal(held(t), 0);
	table_drop(t);
}

/* what was drawn by a count that was wrong comes back, and nobody's portion */
static void test_settle(void **state)
{
	struct table *t = table_make(1 << 18, false, 64);
	struct conn_lookup a = key_make(t, 1, false, 0);
	struct conn_lookup b = key_make(t, 2, false, 9);
	uint32_t sh;

	(void)state;
	conn_put(t, &a);
	conn_put(t, &b);
	sh = b.shard;
	t->shard[sh].count += 0x80000000u;
	/* damage in one shard is no more than all of that shard */
	assert_in_range(table_count(t), t->cap, t->cap + 1);
	budget_recount(t);
	assert_in_range(t->hdr->budget, t->cap, t->cap + 1);
	t->shard[sh].count -= 0x80000000u;
	t->ring[2].hdr->credit = 7;
	t->ring[0].hdr->credit = 11;
	budget_settle(t);
	assert_int_equal(t->hdr->budget, 2 + 7 + 11);
	assert_int_equal(held(t), 7 + 11);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_portions),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_recount),
		cmocka_unit_test(test_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

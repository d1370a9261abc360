/* test_restart.c - how long a dead role waits, and when it is the last time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/supervisor/restart.h"

#define S NS_PER_S

static void test_backoff(void **state)
{
	static const int want[] = {0,    100,  200,  400, 800,
	                           1600, 2000, 2000, 2000};
	struct restart r = {.nfaults = 0};
	uint64_t now = 100 * S;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(restart_after(&r, true, S / 10, now += S),
		                 want[i]);
	assert_int_equal(restart_after(&r, true, S / 10, now + S),
	                 RESTART_GIVE_UP);
}

/* One that lived well starts from the beginning. */
static void test_old(void **state)
{
	struct restart r = {.nfaults = 0};

	(void)state;
	assert_int_equal(restart_after(&r, true, S, 100 * S), 0);
	assert_int_equal(restart_after(&r, true, S, 102 * S), 100);
	assert_int_equal(restart_after(&r, true, 3 * S, 110 * S), 0);
	assert_int_equal(restart_after(&r, true, S, 112 * S), 0);
	assert_int_equal(restart_after(&r, true, S, 114 * S), 100);
}

/* Ten deaths count only within one minute. */
static void test_window(void **state)
{
	struct restart r = {.nfaults = 0};
	uint64_t now = 100 * S;
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		assert_int_equal(restart_after(&r, true, 6 * S, now += 7 * S),
		                 0);
	for (i = 0; i < 2; i++)
		restart_after(&r, true, 6 * S, now += S);
	assert_int_equal(restart_after(&r, true, 6 * S, now + S),
	                 RESTART_GIVE_UP);
}

static void test_outside(void **state)
{
	struct restart r = {.nfaults = 0};
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(restart_after(&r, false, S, 100 * S), 0);
	assert_int_equal(restart_after(&r, false, 1, 100 * S), RESTART_KILL_MS);
	assert_int_equal(r.nfaults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_old),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

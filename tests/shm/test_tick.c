/* test_tick.c - deadlines that wrap (F230) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/tick.h"

static void test_left(void **state)
{
	static const uint32_t now[] = {0,          1,          0x7fffffff,
	                               0x80000000, 0xffffffff, 0xc0000000};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(now); i++) {
		uint32_t n = now[i], most = TIMEOUT_MAX_S * TICK_PER_S;

		assert_int_equal(tick_left(n, n), 0);
		assert_int_equal(tick_left(n + 1, n), 1);
		assert_int_equal(tick_left(n - 1, n), -1);
		assert_int_equal(tick_left(n + most, n), most);
		/* twelve days late is late */
		assert_int_equal(tick_left(n - 1036800000u, n), -1036800000);
		assert_true(tick_expired(n, n));
		assert_true(tick_expired(n - 1, n));
		assert_false(tick_expired(n + 1, n));
		assert_false(tick_expired(n + most, n));
	}
}

static void test_after(void **state)
{
	(void)state;
	assert_int_equal(tick_after_s(5, 0), 5);
	assert_int_equal(tick_after_s(5, 30), 30005);
	assert_int_equal(tick_after_s(0xfffffff0u, 1), 984);
	/* longer than can be told apart from the past: 37 days */
	assert_int_equal(tick_after_s(0, 0xffffffffu),
	                 TIMEOUT_MAX_S * TICK_PER_S);
	assert_int_equal(tick_after_s(0, 432000), 432000000);
	assert_false(tick_expired(tick_after_s(77, 0xffffffffu), 77));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_abi.c - the structs of the library's interface, as programs have them.
 *
 * A program that was linked with an older library must fit a newer one: what a
 * caller fills has its size for ever, what a callback is given may grow, but
 * only behind what there was.  The figures are those of 64-bit machines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/ctshard.h"

/* X(struct, size): what a caller fills */
#define FILLED(X)                   \
	X(ctshard_tuple, 104)       \
	X(ctshard_conn, 408)        \
	X(ctshard_net, 18)          \
	X(ctshard_range, 8)         \
	X(ctshard_filter, 304)      \
	X(ctshard_handler, 168)     \
	X(ctshard_list_opts, 56)    \
	X(ctshard_count_opts, 48)   \
	X(ctshard_watch_opts, 88)   \
	X(ctshard_trace_opts, 48)   \
	X(ctshard_history_opts, 64) \
	X(ctshard_update_opts, 88)  \
	X(ctshard_pair, 16)

/* X(struct, member, offset): the last one there has been */
#define GIVEN(X)                             \
	X(ctshard_conn, private_len, 400)    \
	X(ctshard_expect, assign, 392)       \
	X(ctshard_event, expect, 80)         \
	X(ctshard_trace, fragment_to, 396)   \
	X(ctshard_trace_conn, inside, 32)    \
	X(ctshard_trace_rule, gave, 8)       \
	X(ctshard_counter, value, 16)        \
	X(ctshard_count, count, 8)           \
	X(ctshard_table, column, 16)         \
	X(ctshard_row, cell, 16)             \
	X(ctshard_peer, pid, 32)             \
	X(ctshard_filter, expression, 216)   \
	X(ctshard_filter, labels, 224)       \
	X(ctshard_filter, reserved, 240)     \
	X(ctshard_handler, trace, 96)        \
	X(ctshard_handler, reserved, 104)    \
	X(ctshard_watch_opts, positions, 48) \
	X(ctshard_update_opts, status_set, 48)

static void test_filled(void **state)
{
	(void)state;
#define X(name, size) assert_int_equal(sizeof(struct name), size);
	FILLED(X)
#undef X
}

static void test_given(void **state)
{
	(void)state;
#define X(name, member, at) assert_int_equal(offsetof(struct name, member), at);
	GIVEN(X)
#undef X
}

/* numbers that stand in programs */
static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(CTSHARD_EUNSUPPORTED, -15);
	assert_int_equal(CTSHARD_POSITION, 7);
	assert_int_equal(CTSHARD_S_HELPER, 1 << 13);
	assert_true(CTSHARD_FILTER_HAS(EXPRESSION) == 1ull << 29);
	assert_true(CTSHARD_FILTER_HAS(VLAN) == 1ull << 17);
	assert_int_equal(CTSHARD_ADD_MAX, 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_numbers),
	};

	if (sizeof(void *) != 8)
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_value.c - words to values, and words that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/value.h"

static void test_numbers(void **state)
{
	uint64_t v;
	uint32_t w;

	(void)state;
	assert_int_equal(value_u64("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(value_u64("0x10", 16, &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(value_u32("65535", 65535, &w), 0);
	assert_int_equal(value_u32("65536", 65535, &w), -1);
	assert_int_equal(value_u64("18446744073709551616", UINT64_MAX, &v), -1);
	assert_int_equal(value_u64("", 9, &v), -1);
	assert_int_equal(value_u64("-1", UINT64_MAX, &v), -1);
	assert_int_equal(value_u64(" 1", 9, &v), -1);
	assert_int_equal(value_u64("1x", 9, &v), -1);
}

static void test_nets(void **state)
{
	struct ctshard_net n;

	(void)state;
	assert_int_equal(value_net("10.1.2.3", &n), 0);
	assert_int_equal(n.len, 4);
	assert_int_equal(n.prefix, 32);
	assert_int_equal(value_net("fd00::/8", &n), 0);
	assert_int_equal(n.len, 16);
	assert_int_equal(n.prefix, 8);
	assert_int_equal(value_net("0.0.0.0/0", &n), 0);
	assert_int_equal(n.prefix, 0);
	assert_int_equal(value_net("10.0.0.0/33", &n), -1);
	assert_int_equal(value_net("10.0.0.0/", &n), -1);
	assert_int_equal(value_net("10.0.0", &n), -1);
	assert_int_equal(value_net("", &n), -1);
	assert_int_equal(value_net("10.0.0.1", &n), 0);
	assert_int_equal(value_mask("255.255.240.0", &n), 0);
	assert_int_equal(n.prefix, 20);
	assert_int_equal(value_mask("255.0.255.0", &n), -1);
	assert_int_equal(value_mask("ff00::", &n), -1);
}

static void test_ranges_and_marks(void **state)
{
	struct ctshard_range r;
	uint32_t mark, mask;

	(void)state;
	assert_int_equal(value_range("80", 65535, &r), 0);
	assert_int_equal(r.to, 80);
	assert_int_equal(value_range("1000-2000", 65535, &r), 0);
	assert_int_equal(r.from, 1000);
	assert_int_equal(r.to, 2000);
	assert_int_equal(value_range("2:1", 65535, &r), -1);
	assert_int_equal(value_range("1:", 65535, &r), -1);
	assert_int_equal(value_range("1:70000", 65535, &r), -1);
	assert_int_equal(value_mark("0x100/0xf0", &mark, &mask), 0);
	assert_int_equal(mark, 0x100);
	assert_int_equal(mask, 0xf0);
	assert_int_equal(value_mark("7", &mark, &mask), 0);
	assert_true(mask == UINT32_MAX);
	assert_int_equal(value_mark("7/", &mark, &mask), -1);
}

static void test_words(void **state)
{
	uint32_t v, set = 0, clear = 0, types = 0;

	(void)state;
	assert_int_equal(value_proto("TCP", &v), 0);
	assert_int_equal(v, 6);
	assert_int_equal(value_proto("89", &v), 0);
	assert_int_equal(v, 89);
	assert_int_equal(value_proto("256", &v), -1);
	assert_int_equal(value_family("ipv6", &v), 0);
	assert_int_equal(v, 6);
	assert_int_equal(value_family("ipx", &v), -1);
	assert_int_equal(value_status("UNREPLIED,assured", &set, &clear), 0);
	assert_int_equal(set, CTSHARD_S_ASSURED);
	assert_int_equal(clear, CTSHARD_S_SEEN_REPLY);
	assert_int_equal(value_status("ASSURED,", &set, &clear), -1);
	assert_int_equal(value_status("!", &set, &clear), -1);
	assert_int_equal(value_events("updates,Destroy", &types), 0);
	assert_int_equal(types & 0xe, 0xc);
	/* a gap is told whatever was asked for */
	assert_true(types & 1u << CTSHARD_GAP);
	assert_int_equal(value_events("new;destroy", &types), -1);
}

static void test_uuid(void **state)
{
	static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";
	uint8_t uuid[16];
	char back[37];

	(void)state;
	assert_int_equal(value_uuid(text, strlen(text), uuid), 0);
	value_uuid_text(uuid, back);
	assert_string_equal(back, text);
	assert_int_equal(value_uuid(text, strlen(text) - 1, uuid), -1);
	assert_int_equal(value_uuid("g", 1, uuid), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_ranges_and_marks),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

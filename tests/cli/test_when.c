/* test_when.c - times as people say them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cli/when.h"

/* 2026-11-22T15:00:00 UTC */
#define NOW 1795359600

static void test_good(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} t[] = {
		{"now", NOW * 1000000000ull},
		{"-90s", (NOW - 90) * 1000000000ull},
		{"-90", (NOW - 90) * 1000000000ull},
		{"-2h", (NOW - 7200) * 1000000000ull},
		{"-1d", (NOW - 86400) * 1000000000ull},
		{"-100000000d", 0},
		{"1795359600.5", NOW * 1000000000ull + 500000000},
		{"0", 0},
		{"2026-11-22T15:00:00Z", NOW * 1000000000ull},
		{"2026-11-22T15:00Z", NOW * 1000000000ull},
		/* the zone is an hour east */
		{"2026-11-22T16:00", NOW * 1000000000ull},
		{"2026-11-22 16:00:01", (NOW + 1) * 1000000000ull},
		{"16:00", NOW * 1000000000ull},
		{"05:20:30", (NOW - 38370) * 1000000000ull},
		{"2026-11-22", (NOW - 57600) * 1000000000ull},
	};
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ns = 1;
		if (when_parse(t[i].text, NOW, &ns))
			fail_msg("%s is a time", t[i].text);
		if (ns != t[i].ns)
			fail_msg("%s: %llu, not %llu", t[i].text,
			         (unsigned long long)ns,
			         (unsigned long long)t[i].ns);
	}
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"yesterday",
		"-",
		"-2w",
		"-h",
		"--2h",
		"25:00",
		"5:20 pm",
		"1.2.3",
		"-2hh",
		"2026-13-01",
		"99999999999999999999",
		"-99999999999s",
	};
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!when_parse(bad[i], NOW, &ns))
			fail_msg("%s is no time", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	setenv("TZ", "EAST-1", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

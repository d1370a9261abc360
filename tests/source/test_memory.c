/* test_memory.c - the source of benchmarks. */
#include "daemon/source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_all(void **state)
{
	static struct source_frame frames[100];
	struct pkt batch[SOURCE_BATCH];
	struct source_stats st;
	char err[SOURCE_ERR];
	uint8_t byte[100];
	uint32_t k = 30;
	struct source *s;
	int n;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		frames[i] = (struct source_frame){byte + i, i, i + 1, i * 10,
		                                  (uint16_t)(i & 1)};
	s = source_open_memory(frames, 100, err);
	assert_non_null(s);
	assert_string_equal(source_kind_name(s), "memory");
	source_seek(s, 30);
	source_number(s, 9);
	assert_int_equal(source_next(s, batch, 0), SOURCE_NONE);
	while ((n = source_next(s, batch, 1000)) > 0) {
		assert_in_range(n, 1, SOURCE_BATCH);
		for (int i = 0; i < n; i++, k++) {
			assert_ptr_equal(batch[i].data, byte + k);
			assert_int_equal(batch[i].caplen, k);
			assert_int_equal(batch[i].wirelen, k + 1);
			assert_int_equal(batch[i].ts_ns, k * 10);
			assert_int_equal(batch[i].frame, k + 1);
			assert_int_equal(batch[i].linktype, k & 1);
			assert_int_equal(batch[i].source, 9);
			assert_int_equal(batch[i].iface, 0);
		}
	}
	assert_int_equal(n, SOURCE_END);
	assert_int_equal(k, 100);
	source_stats(s, SOURCE_ALL, &st);
	assert_int_equal(st.frames, 100);
	assert_int_equal(st.skipped, 30);
	source_seek(s, 1000);
	assert_int_equal(source_next(s, batch, 64), SOURCE_END);
	source_close(s);
	source_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_labels.c - names of label bits from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/labels.h"

static void test_file(void **state)
{
	char path[] = "/tmp/test_labels.XXXXXX", name[32];
	struct labels l;
	int fd = mkstemp(path);

	(void)state;
	dprintf(fd, "# bits\n0 zero\n 7\tseven  \n128 none\nx y\n9\n"
	            "5 a-name-that-is-far-too-long-for-one-label\n");
	close(fd);
	labels_load(&l, path);
	unlink(path);
	assert_int_equal(labels_find(&l, "zero"), 0);
	assert_int_equal(labels_find(&l, "seven"), 7);
	assert_int_equal(labels_find(&l, "127"), 127);
	assert_int_equal(labels_find(&l, "128"), -1);
	assert_int_equal(labels_find(&l, "none"), -1);
	assert_int_equal(labels_find(&l, ""), -1);
	labels_name(&l, 7, name, sizeof(name));
	assert_string_equal(name, "seven");
	labels_name(&l, 5, name, sizeof(name));
	assert_string_equal(name, "5");
	labels_load(&l, "/nonexistent");
	assert_int_equal(labels_find(&l, "zero"), -1);
}

/* what the daemon tells: its own settings, whatever stands among them */
static void test_setting(void **state)
{
	static const struct {
		const char *key, *value;
	} odd[] = {
		{"label.x.bit", "128"},
		{"label.x.bit", "-1"},
		{"label.x.bit", ""},
		{"label.x.bit", "3x"},
		{"label..bit", "3"},
		{"label.x.order", "3"},
		{"label.x", "3"},
		{"rule.x.bit", "3"},
		{"", "3"},
		{"label.a.b.bit", "3"},
	};
	static struct labels l;
	uint8_t bits[16] = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		labels_setting(&l, odd[i].key, odd[i].value);
	for (i = 0; i < LABELS_BITS; i++)
		assert_string_equal(l.name[i], "");
	labels_setting(&l, "label.one.bit", "1");
	labels_setting(&l, "label.last.bit", "127");
	assert_int_equal(labels_bits(&l, "one,last,9", bits), 0);
	assert_int_equal(bits[0], 2);
	assert_int_equal(bits[1], 2);
	assert_int_equal(bits[15], 0x80);
	assert_int_equal(labels_bits(&l, "one,", bits), -1);
	assert_int_equal(labels_bits(&l, "two", bits), -1);
	assert_int_equal(labels_bits(&l, "", bits), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_file),
	                                   cmocka_unit_test(test_setting)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

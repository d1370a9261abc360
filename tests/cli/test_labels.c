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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_options.c - the command line, and its way to the roles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "daemon/base/options.h"

static struct options o;
static char err[OPTIONS_ERR];

#define PARSE(...) parse((char *[]){(char[]){"ctshardd"}, __VA_ARGS__, NULL})
#define W(word)      \
	(char[])     \
	{            \
		word \
	}

static int parse(char *argv[])
{
	int n = 0;

	while (argv[n])
		n++;
	return options_parse(&o, n, argv, err);
}

static void test_all(void **state)
{
	struct options p;

	(void)state;
	assert_int_equal(PARSE(W("-f"), W("x.conf"), W("-i"), W("a"), W("-ib"),
	                       W("-w"), W("4"), W("-s"), W("workers=2"),
	                       W("-R"), W("run"), W("-F"), W("tcp port 80"),
	                       W("-dtT"), W("--reset-table"), W("--hold"),
	                       W("--private")),
	                 0);
	/* the same again, as a role gets it */
	assert_int_equal(options_read(&p, o.words, o.words_len, err), 0);
	options_free(&o);
	assert_string_equal(p.file, "x.conf");
	assert_true(p.file_given);
	assert_int_equal(p.nifaces, 2);
	assert_string_equal(p.ifaces[0], "a");
	assert_string_equal(p.ifaces[1], "b");
	assert_int_equal(p.nsets, 2);
	assert_string_equal(p.sets[0], "workers=4");
	assert_string_equal(p.sets[1], "workers=2");
	assert_string_equal(p.rundir, "run");
	assert_string_equal(p.filter, "tcp port 80");
	assert_true(p.debug && p.test && p.print && p.reset_table && p.hold &&
	            p.private_instance);
	assert_false(p.version || p.remove_table || p.ncaptures);
	options_free(&p);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(PARSE(W("-r"), W("a"), W("-r"), W("-")), 0);
	assert_string_equal(o.rundir, "/run/ctshardd");
	assert_false(o.file_given);
	assert_int_equal(o.ncaptures, 2);
	assert_string_equal(o.captures[1], "-");
	assert_null(o.filter);
	options_free(&o);
}

static void refuses(int r, const char *says)
{
	assert_int_equal(r, 2);
	if (!strstr(err, says))
		fail_msg("'%s' does not say '%s'", err, says);
}

static void test_faults(void **state)
{
	(void)state;
	refuses(PARSE(W("-z")), "-z: there is no such option");
	refuses(PARSE(W("--foo")), "--foo: there is no such option");
	refuses(PARSE(W("-w")), "-w: a value is needed");
	refuses(PARSE(W("-i"), W("a"), W("b")), "b: unexpected argument");
	refuses(PARSE(W("-i"), W("a"), W("-r"), W("b")), "-r and -i");
	refuses(PARSE(W("--reset-table"), W("--remove-table")), "exclude");
	refuses(PARSE(W("-R"), W("")), "-R: a directory");
	refuses(options_read(&o, "", 0, err), "broken");
	refuses(options_read(&o, "abc", 3, err), "broken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

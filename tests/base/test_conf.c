/* test_conf.c - the table of keys: values, the file, reload, the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/conf.h"

static struct conf *c;
static char err[CONF_ERR];

static int fresh(void **state)
{
	(void)state;
	c = conf_new();
	*err = '\0';
	return c ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	conf_free(c);
	return 0;
}

static void takes(const char *key, const char *value, const char *canonical)
{
	if (conf_set(c, key, value, err))
		fail_msg("%s = %s: %s", key, value, err);
	assert_string_equal(conf_text(c, key), canonical);
}

static void refuses(const char *key, const char *value, const char *why)
{
	char *before = conf_known(c, key) ? strdup(conf_text(c, key)) : NULL;

	assert_int_equal(conf_set(c, key, value, err), -1);
	if (!strstr(err, why))
		fail_msg("%s = %s: '%s' does not say '%s'", key, value, err,
		         why);
	if (before)
		assert_string_equal(conf_text(c, key), before);
	free(before);
}

static void test_types(void **state)
{
	(void)state;
	takes("max", "0", "0");
	takes("max", "17", "17");
	refuses("max", "-1", "a number");
	refuses("max", "1.5", "a number");
	refuses("max", "", "a number");
	refuses("max", "99999999999999999999999", "a number");
	refuses("max", "2147483648", "from 0 to 2147483647");
	takes("acct", "off", "0");
	takes("acct", "YES", "1");
	refuses("acct", "2", "0 1 no yes off or on");
	takes("detail", "0", "off");
	takes("detail", "yes", "on");
	takes("ipfrag_time", "2m", "120");
	takes("ipfrag_time", "3000ms", "3");
	takes("ipfrag_time", "1 h", "3600");
	refuses("ipfrag_time", "1500ms", "whole seconds");
	refuses("ipfrag_time", "1d", "from 1s to 3600s");
	refuses("ipfrag_time", "3 weeks", "seconds, or");
	takes("stall_kill", "3", "3s");
	takes("stall_kill", "250ms", "250ms");
	assert_int_equal(conf_number(c, "stall_kill"), 250);
	takes("event.ring", "1024k", "1M");
	takes("event.ring", "100000", "100000");
	takes("event.ring", "1g", "1G");
	refuses("event.ring", "18446744073709551615k", "a size");
	refuses("event.ring", "1k", "from 65536 bytes");
	takes("ipfrag_high_thresh", "4M", "4194304");
	takes("tcp.mode", "STRICT", "strict");
	assert_int_equal(conf_number(c, "tcp.mode"), TCP_MODE_STRICT);
	refuses("tcp.mode", "on", "one of auto strict mirror");
	takes("checksum", "on", "1");
	takes("checksum", "auto", "auto");
	takes("helper.ftp.ports", "{21, 2121}", "21,2121");
	takes("helper.ftp.ports", "", "");
	refuses("helper.ftp.ports", "0", "a port");
	refuses("helper.ftp.ports", "21,65536", "a port");
	refuses("helper.ftp.ports", "21,ftp", "a port");
	refuses("shm_dir", "", "a text");
	refuses("shm_dir", "a\nb", "control");
	refuses("nosuch", "1", "no such key");
}

static void test_pairs(void **state)
{
	(void)state;
	assert_int_equal(conf_set_pair(c, "acct=0", err), 0);
	assert_int_equal(conf_set_pair(c, "acct = 1", err), 0);
	assert_string_equal(conf_text(c, "acct"), "1");
	assert_int_equal(conf_set_pair(c, "foo=1", err), -1);
	assert_string_equal(err, "-s foo: there is no such key");
	assert_int_equal(conf_set_pair(c, "acct=7", err), -1);
	assert_ptr_equal(strstr(err, "-s acct: "), err);
	assert_int_equal(conf_set_pair(c, "acct", err), -1);
}

static void test_ports(void **state)
{
	uint16_t port[2] = {0, 0};

	(void)state;
	takes("helper.irc.ports", "1,2,3", "1,2,3");
	assert_int_equal(conf_ports(c, "helper.irc.ports", port, 2), 3);
	assert_int_equal(port[0], 1);
	assert_int_equal(port[1], 2);
	takes("helper.irc.ports", "{}", "");
	assert_int_equal(conf_ports(c, "helper.irc.ports", port, 2), 0);
}

/* What -T prints is what roles read. */
static void test_text(void **state)
{
	struct conf *d = conf_new();
	char *text, *again;
	const char *last = "", *value;
	const struct conf_key *k;
	unsigned int i;

	(void)state;
	takes("worker.cpus", "0, 2 = x", "0, 2 = x");
	takes("helper.sip.ports", "", "");
	takes("max", "5000", "5000");
	text = conf_text_of(c);
	assert_non_null(text);
	assert_non_null(strstr(text, "\nmax = 5000\n"));
	assert_int_equal(conf_read_text(d, text, err), 0);
	again = conf_text_of(d);
	assert_string_equal(text, again);
	for (i = 0; (k = conf_at(c, i, &value)); i++) {
		assert_true(strcmp(last, k->name) < 0);
		last = k->name;
	}
	assert_int_equal(conf_read_text(d, "acct = 0\nfoo\n", err), -1);
	assert_int_equal(conf_read_text(d, "acct = 0\n\nfoo\n", err), 0);
	free(text);
	free(again);
	conf_free(d);
}

static int file_try(const char *text)
{
	char path[] = "/tmp/ctshardd-test-conf.XXXXXX";
	int fd = mkstemp(path), r;
	char *at;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = conf_read_file(c, path, err);
	unlink(path);
	/* the name changes, what stands behind it does not */
	at = strstr(err, path);
	if (r && at)
		memmove(err, at + strlen(path), strlen(at + strlen(path)) + 1);
	return r;
}

static void test_file(void **state)
{
	(void)state;
	if (file_try("# a comment with } and \"\n"
	             "acct = no // another\n"
	             "tcp { mode = strict } /* a\n third */\n"
	             "helper ftp { ports = {21, 2121} }\n"
	             "helper \"sip\" { ports = {} }\n"
	             "helper.irc.ports = \"1,2\"\n"
	             "event {\n\tring = 1M\n\tlog = 2M\n}\n"
	             "shm_dir = /dev//shm\n"
	             "max = 1\nmax = 2\n"))
		fail_msg("%s", err);
	assert_false(conf_on(c, "acct"));
	assert_string_equal(conf_text(c, "tcp.mode"), "strict");
	assert_string_equal(conf_text(c, "helper.ftp.ports"), "21,2121");
	assert_string_equal(conf_text(c, "helper.sip.ports"), "");
	assert_string_equal(conf_text(c, "helper.irc.ports"), "1,2");
	assert_string_equal(conf_text(c, "event.log"), "2M");
	assert_string_equal(conf_text(c, "shm_dir"), "/dev//shm");
	assert_int_equal(conf_number(c, "max"), 2);
}

/* each with the line that is wrong */
static void test_file_faults(void **state)
{
	static const struct {
		const char *text, *says;
	} row[] = {
		{"acct = x\n", ":1: acct: "},
		{"# one\n# two\n/* three\n */ acct = x\n", ":4: acct: "},
		{"acct = 1\nfoo = 2\n", ":2: no such option 'foo'"},
		{"acct = 1\n\ntcp {\n mode = loose\n}\n", ":4: tcp.mode: "},
		{"tcp {\n foo = 1\n}\n", ":2: no such option 'foo'"},
		{"\nhelper foo { }\n", ":2: there is no helper 'foo'"},
		{"\nhelper foo { ports = 1 }\n", ":2: "},
		{"helper ftp { ports = {21, x} }\n", ":1: helper.ftp.ports: "},
		{"\ntcp {\n mode = strict\n", ":2: the block has no end"},
		{"tcp }\n", ":1: '}' without '{'"},
		{"\n/* acct = 1\n", ":2: the comment has no end"},
		{"\nshm_dir = \"/x\n", ":2: the quote has no end"},
		{"acct = ", ":1: "},
		{"acct", ":1: "},
		{"acct 1", ":1: "},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		assert_int_equal(file_try(row[i].text), -1);
		if (strncmp(err, row[i].says, strlen(row[i].says)))
			fail_msg("'%s' gives '%s', not '%s'", row[i].text, err,
			         row[i].says);
	}
	assert_int_equal(conf_read_file(c, "/nonexistent/file", err), -1);
	assert_string_equal(err,
	                    "/nonexistent/file: No such file or directory");
	assert_int_equal(conf_read_file(c, "/", err), -1);
	assert_string_equal(err, "/: Is a directory");
}

static void test_tables(void **state)
{
	struct conf_key k = {.name = "x_timeout",
	                     .type = CONF_SECONDS,
	                     .def = "30",
	                     .max = 100,
	                     .flags = CONF_LIVE,
	                     .policy_at =
	                             offsetof(struct policy, timeout[3][2]),
	                     .policy_size = 4};
	struct conf_key off = {.name = "tracker.x",
	                       .type = CONF_ONOFF,
	                       .def = "on",
	                       .flags = CONF_LIVE | CONF_INVERT,
	                       .policy_at =
	                               offsetof(struct policy, tracker_off[3]),
	                       .policy_size = 1};
	struct policy p;

	(void)state;
	assert_int_equal(conf_add_table(c, &k, 1), 0);
	assert_int_equal(conf_add_table(c, &off, 1), 0);
	assert_true(conf_add_table(c, &k, 1) < 0);
	strcpy(k.name, "y_timeout");
	strcpy(k.def, "101");
	assert_true(conf_add_table(c, &k, 1) < 0);
	memset(&p, 0xff, sizeof(p));
	takes("acct", "0", "0");
	takes("max", "70000", "70000");
	conf_to_policy(c, &p);
	assert_int_equal(p.timeout[3][2], 30);
	assert_int_equal(p.timeout[3][3], 0xffffffff);
	assert_int_equal(p.tracker_off[3], 0);
	assert_int_equal(p.acct, 0);
	assert_int_equal(p.events, 1);
	assert_int_equal(p.max, 70000);
	takes("tracker.x", "off", "off");
	assert_int_equal(file_try("tracker { x = off }\nx_timeout = 1m"), 0);
	conf_to_policy(c, &p);
	assert_int_equal(p.tracker_off[3], 1);
	assert_int_equal(p.timeout[3][2], 60);
}

static void refused(void *arg, const char *name, const char *old,
                    const char *value)
{
	assert_string_equal(name, "workers");
	assert_string_equal(old, "1");
	assert_string_equal(value, "4");
	++*(int *)arg;
}

static void test_reload(void **state)
{
	struct conf *want = conf_copy(c);
	int n = 0;

	(void)state;
	assert_int_equal(conf_set(want, "acct", "0", err), 0);
	assert_int_equal(conf_set(want, "workers", "4", err), 0);
	assert_int_equal(conf_reload(c, want, refused, &n), 1);
	assert_int_equal(n, 1);
	assert_false(conf_on(c, "acct"));
	assert_int_equal(conf_number(c, "workers"), 1);
	conf_free(want);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_types),  T(test_pairs),  T(test_ports),
		T(test_text),   T(test_file),   T(test_file_faults),
		T(test_tables), T(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_words.c - the command line against the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/words.h"

static struct cmd cmd;
static char why[256];

/* A line of words, as a shell would split it. */
static int parse(const char *line)
{
	static char copy[512];
	char *argv[64] = {"ctctl"}, *save = NULL, *w;
	int argc = 1;

	memset(&cmd, 0, sizeof(cmd));
	why[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", line);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return word_parse(&cmd, argc, argv, why, sizeof(why));
}

static void test_verbs(void **state)
{
	(void)state;
	assert_int_equal(parse("list"), 0);
	assert_string_equal(cmd.verb->name, "list");
	assert_int_equal(parse("wat"), 0);
	assert_string_equal(cmd.verb->name, "watch");
	assert_int_equal(parse("-L"), 0);
	assert_string_equal(cmd.verb->name, "list");
	assert_int_equal(parse("--event -e NEW,updates"), 0);
	assert_string_equal(cmd.verb->name, "watch");
	assert_int_equal(parse("-p tcp -L"), 0);
	assert_string_equal(cmd.verb->name, "list");
	assert_int_equal(cmd.filter.protonum, 6);
	assert_int_equal(parse("-L conntrack"), 0);
	assert_int_equal(parse("s"), -1);
	assert_string_equal(why, "`s' could be stats or show");
	assert_int_equal(parse("nothing"), -1);
	assert_int_equal(parse(""), -1);
	assert_int_equal(parse("list more"), -1);
}

static void test_rundir(void **state)
{
	(void)state;
	assert_int_equal(parse("-R /run/x list"), 0);
	assert_string_equal(cmd.rundir, "/run/x");
	assert_int_equal(parse("list -R/run/y"), 0);
	assert_string_equal(cmd.rundir, "/run/y");
	assert_int_equal(parse("--rundir=/run/z -S"), 0);
	assert_string_equal(cmd.rundir, "/run/z");
	assert_int_equal(parse("list -R"), -1);
}

static void test_filter(void **state)
{
	(void)state;
	assert_int_equal(
		parse("-L -p tcp --dport 443 --sport 1:2 -s 10.0.0.0/8 "
	              "--state established -u ASSURED,!EXPECTED "
	              "-m 5/0xff -w 3 -o extended,id,wide"),
		0);
	assert_int_equal(cmd.filter.dport.from, 443);
	assert_int_equal(cmd.filter.dport.to, 443);
	assert_int_equal(cmd.filter.sport.to, 2);
	assert_int_equal(cmd.filter.orig_src.prefix, 8);
	assert_int_equal(cmd.filter.l3, 4);
	assert_string_equal(cmd.filter.state, "ESTABLISHED");
	assert_int_equal(cmd.filter.status_set, CTSHARD_S_ASSURED);
	assert_int_equal(cmd.filter.status_clear, CTSHARD_S_EXPECTED);
	assert_int_equal(cmd.filter.mark, 5);
	assert_int_equal(cmd.filter.mark_mask, 0xff);
	assert_int_equal(cmd.filter.zone, 3);
	assert_ptr_equal(cmd.format, &out_extended);
	assert_int_equal(cmd.mods, OUT_ID | OUT_WIDE);
	/* families that contradict each other */
	assert_int_equal(parse("list -s 10.0.0.1 -d fd00::1"), -1);
	assert_int_equal(parse("list -f ipv6 -s 10.0.0.1"), -1);
	assert_int_equal(parse("list --mask-src 255.0.0.0"), -1);
	assert_int_equal(parse("list -s 10.1.2.3 --mask-src 255.0.0.0"), 0);
	assert_int_equal(cmd.filter.orig_src.prefix, 8);
}

static void test_meaning_by_verb(void **state)
{
	(void)state;
	assert_int_equal(parse("update -s 10.0.0.1 -m 1 -t 30 -u ASSURED"), 0);
	assert_true(cmd.update.has_mark);
	assert_int_equal(cmd.update.timeout_s, 30);
	assert_int_equal(cmd.update.status_set, CTSHARD_S_ASSURED);
	assert_false(cmd.filter.has & CTSHARD_FILTER_HAS(MARK));
	assert_int_equal(parse("replay -s max=10 --workers 4 a.pcap -"), 0);
	assert_string_equal(cmd.replay.set[0], "max=10");
	assert_int_equal(cmd.args, 2);
	assert_int_equal(cmd.replay.workers, 4);
	assert_int_equal(parse("list -t 3"), -1);
	assert_int_equal(parse("replay -s max a.pcap"), -1);
	assert_int_equal(parse("list --label-add 3"), -1);
}

static void test_watch(void **state)
{
	(void)state;
	assert_int_equal(parse("watch -e new,DESTROY -n 3 --since start"), 0);
	assert_int_equal(cmd.watch.types & 0xe, 1 << 1 | 1 << 3);
	assert_int_equal(cmd.limit, 3);
	assert_true(cmd.watch.from_start);
	assert_int_equal(
		parse("watch --since "
	              "00112233-4455-6677-8899-aabbccddeeff:99 --snap"),
		0);
	assert_int_equal(cmd.watch.since, 99);
	assert_int_equal(cmd.uuid[15], 0xff);
	assert_true(cmd.watch.snapshot);
	assert_int_equal(parse("watch --since 12"), 0);
	assert_null(cmd.watch.uuid);
	assert_int_equal(parse("watch --since x:12"), -1);
	assert_int_equal(parse("watch -e never"), -1);
	assert_int_equal(parse("watch -n 0"), -1);
	assert_int_equal(parse("watch --s"), -1);
	assert_string_equal(why, "option `--s' is ambiguous");
}

/* Every row can be reached by its names, in every group that it has. */
static void test_rows(void **state)
{
	const struct word_opt *o;
	const struct word_verb *v;

	(void)state;
	for (o = word_opts; o->apply; o++) {
		assert_non_null(o->names);
		assert_non_null(o->what);
		assert_int_not_equal(o->groups, 0);
	}
	for (v = word_verbs; v->name; v++) {
		assert_ptr_equal(word_verb_find(v->name, why, sizeof(why)), v);
		assert_non_null(v->run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_rundir),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_meaning_by_verb),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

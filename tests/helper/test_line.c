/* test_line.c - lines out of segments, for mirror mode */
#include "daemon/helper/line.h"
#include "tests/helper/says.h"

static void line_write(struct help_ctx *h, struct text t)
{
	fake_say(h->arg, "<%.*s>", (int)text_left(&t), (const char *)t.at);
}

static void line_help(struct help_ctx *h)
{
	struct help_line *l = h->priv;

	line_feed(h, &l[h->dir], line_write);
}

static const struct helper lines = {.name = "lines", .help = line_help};

static void open_lines(struct fake *f)
{
	fake_open(f, &lines, IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
}

static void test_whole(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	fake_send(&f, A, "one\r\ntwo\n\r\n\nthree\r\n");
	says(&f, "<one><two><><><three>");
	fake_send(&f, B, "other\n");
	says(&f, "<other>");
	fake_close(&f);
}

static void test_parts(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	fake_send(&f, A, "on");
	fake_send(&f, B, "oth");
	fake_send(&f, A, "e\r");
	fake_send(&f, B, "er\n");
	fake_send(&f, A, "\ntw");
	fake_send(&f, A, "o\n");
	says(&f, "<other><one><two>");
	assert_int_equal(f.count[HELP_PARTIAL], 4);
	assert_int_equal(f.kept[A].len, 0);
	fake_close(&f);
}

static void test_gap(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	fake_send(&f, A, "on");
	f.seq[A]++;
	fake_send(&f, A, "e\ntwo\nth");
	says(&f, "<two>");
	assert_int_equal(f.count[HELP_RESYNC], 1);
	fake_send(&f, A, "ree\n");
	says(&f, "<three>");
	f.seq[A] += 5;
	fake_send(&f, A, "in the middle");
	fake_send(&f, A, " of it\nnext\n");
	says(&f, "<next>");
	fake_close(&f);
}

static void test_seen(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	fake_send(&f, A, "one\ntw");
	fake_again(&f, A, "one\ntw", 6);
	fake_again(&f, A, "w", 1); /* a keepalive */
	fake_again(&f, A, "one\ntwo\n", 6);
	f.seq[A] += 2;
	fake_send(&f, A, "three\n");
	says(&f, "<one><two><three>");
	assert_int_equal(f.count[HELP_RESYNC], 0);
	fake_close(&f);
}

static void test_too_long(void **state)
{
	static char data[HELP_KEEP + 1];
	struct fake f;

	(void)state;
	memset(data, 'x', sizeof(data));
	open_lines(&f);
	fake_bytes(&f, A, data, HELP_KEEP);
	assert_int_equal(f.kept[A].len, HELP_KEEP);
	fake_send(&f, A, "\nafter\n");
	assert_string_equal(f.log + HELP_KEEP + 2, "<after>");
	fake_log(&f);
	/* one byte more than is kept: at once, and bit by bit */
	fake_bytes(&f, A, data, HELP_KEEP + 1);
	fake_send(&f, A, "\nafter\n");
	says(&f, "<after>");
	fake_bytes(&f, A, data, HELP_KEEP);
	fake_send(&f, A, "y");
	fake_send(&f, A, "z\nafter\n");
	says(&f, "<after>");
	fake_bytes(&f, A, data, HELP_KEEP);
	fake_send(&f, A, "y\nafter\n");
	says(&f, "<after>");
	assert_int_equal(f.count[HELP_RESYNC], 3);
	fake_close(&f);
}

/* what was kept may be lost: no room, or a process that died */
static void test_lost(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	f.keep_fails = true;
	fake_send(&f, A, "on");
	f.keep_fails = false;
	fake_send(&f, A, "e\ntwo\nthr");
	says(&f, "<two>");
	f.kept[A].len = 0;
	fake_send(&f, A, "ee\nfour\nfi");
	says(&f, "<four>");
	f.kept[A].next_seq++;
	fake_send(&f, A, "v");
	fake_send(&f, A, "e\nsix\n");
	says(&f, "<six>");
	assert_int_equal(f.count[HELP_RESYNC], 3);
	fake_close(&f);
}

static void test_snaplen(void **state)
{
	struct fake f;

	(void)state;
	open_lines(&f);
	fake_cut(&f, A, "one\ntwo\n", 6, 8, f.seq[A]);
	f.seq[A] += 8;
	says(&f, "<one>");
	fake_send(&f, A, "x\nthree\n"); /* the cut may be inside a line */
	says(&f, "<three>");
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),    cmocka_unit_test(test_parts),
		cmocka_unit_test(test_gap),      cmocka_unit_test(test_seen),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_snaplen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

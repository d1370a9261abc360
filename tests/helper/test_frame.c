/* test_frame.c - messages out of segments (F203) */
#include "tests/helper/says.h"

#include "daemon/helper/frame.h"

/* "<len>...", a letter and two digits, says what it was given */
static uint32_t measure(const uint8_t *head)
{
	if (head[0] != '<' || head[1] < '0' || head[1] > '9')
		return 0;
	return head[1] == '9' ? 5000 : (uint32_t)(head[1] - '0');
}

static const struct frame_rule rule = {2, 2, measure};

static bool given(struct help_ctx *h, const uint8_t *msg, uint32_t len)
{
	fake_say(h->arg, "%.*s|", (int)len, (const char *)msg);
	return false; /* is no reason to stop */
}

static void help(struct help_ctx *h)
{
	frame_feed(h, (struct frame *)h->priv + h->dir, &rule, given);
}

static const struct helper helper_lines = {.help = help};

static void open_(struct fake *f)
{
	fake_open(f, &helper_lines, IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
}

static void test_whole(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	fake_send(&f, A, "<3a<2<5xyz");
	says(&f, "a||xyz|");
	assert_int_equal(f.count[HELP_LINES], 3);
	fake_send(&f, B, "<3b");
	fake_again(&f, A, "<5xyz", 5); /* was seen */
	says(&f, "b|");
	fake_again(&f, A, "<5xyz<3c", 5); /* in part */
	says(&f, "c|");
	fake_close(&f);
}

static void test_cut(void **state)
{
	static const char text[] = "<5abc<4de<8fghijk<2";
	const uint32_t len = sizeof(text) - 1;
	struct fake f;
	uint32_t n, m;

	(void)state;
	for (n = 0; n <= len; n++) {
		for (m = n; m <= len; m++) {
			open_(&f);
			fake_bytes(&f, A, text, n);
			fake_bytes(&f, A, text + n, m - n);
			fake_bytes(&f, A, text + m, len - m);
			says(&f, "abc|de|fghijk||");
			assert_int_equal(f.kept[A].len, 0);
			assert_int_equal(f.count[HELP_RESYNC], 0);
			fake_close(&f);
		}
	}
}

/* Behind missing bytes it goes on where a segment begins with a message. */
static void test_gap(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	fake_send(&f, A, "<5ab");
	f.seq[A] += 7;
	fake_send(&f, A, "lost<3x");
	says(&f, "");
	fake_send(&f, A, "<3y");
	says(&f, "y|");
	assert_int_equal(f.count[HELP_RESYNC], 2);
	fake_send(&f, A, "<4");
	f.kept[A].len = 0; /* whoever kept it has it no more */
	fake_send(&f, A, "cd");
	says(&f, "");
	fake_close(&f);
}

static void test_wrong(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	fake_send(&f, A, "<3a<1zzz");
	says(&f, "a|");
	fake_send(&f, A, "?");
	fake_send(&f, A, "<3b<");
	says(&f, "b|");
	fake_send(&f, A, "x<3c");
	fake_send(&f, A, "<3d");
	says(&f, "d|");
	fake_close(&f);
}

/* Longer than what is kept: stepped over. */
static void test_long(void **state)
{
	static char part[1250];
	struct fake f;
	int at_once;

	(void)state;
	memset(part, '-', sizeof(part));
	for (at_once = 0; at_once < 2; at_once++) {
		open_(&f);
		fake_send(&f, A, at_once ? "<9" : "<");
		if (!at_once)
			fake_send(&f, A, "9");
		fake_bytes(&f, A, part, 1250);
		fake_bytes(&f, A, part, 1250);
		fake_bytes(&f, A, part, 1250);
		fake_bytes(&f, A, part, 1248);
		says(&f, "");
		fake_send(&f, A, "<3a");
		says(&f, "a|");
		fake_close(&f);
	}
}

static void test_refused(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	f.keep_fails = true;
	fake_send(&f, A, "<5a");
	fake_send(&f, A, "bc<3d");
	says(&f, "d|");
	fake_send(&f, A, "<");
	fake_send(&f, A, "3e");
	fake_send(&f, A, "<3f");
	says(&f, "f|");
	fake_close(&f);
}

/* Of which not all was captured. */
static void test_capture(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	fake_cut(&f, A, "<3a<5", 5, 8, f.seq[A]);
	f.seq[A] += 8;
	says(&f, "a|");
	fake_send(&f, A, "<3b");
	says(&f, "b|");
	fake_cut(&f, A, "<3c<", 4, 8, f.seq[A]);
	f.seq[A] += 8;
	fake_send(&f, A, "<3d");
	says(&f, "c|d|");
	fake_cut(&f, A, "", 0, 8, f.seq[A]);
	f.seq[A] += 8;
	fake_send(&f, A, "<3e");
	says(&f, "e|");
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_gap),     cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_long),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

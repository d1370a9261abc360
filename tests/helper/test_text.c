/* test_text.c - steps over bytes, and none behind the end */
#include "daemon/helper/text.h"
#include "tests/helper/says.h"

static struct text text(const char *s)
{
	const uint8_t *b = (const uint8_t *)s;

	return (struct text){b, b + strlen(s)};
}

static void rest(const struct text *t, const char *want)
{
	assert_int_equal(text_left(t), strlen(want));
	assert_memory_equal(t->at, want, strlen(want));
}

static void test_words(void **state)
{
	struct text t = text("PORT rest");

	(void)state;
	assert_false(text_word(&t, "port"));
	assert_false(text_nocase(&t, "part"));
	assert_false(text_nocase(&t, "port rest and more"));
	assert_true(text_begins_nocase(&t, "port"));
	assert_true(text_begins_nocase(&t, "port rest and more"));
	assert_false(text_begins_nocase(&t, "eprt"));
	rest(&t, "PORT rest");
	assert_true(text_nocase(&t, "port"));
	assert_true(text_word(&t, " re"));
	rest(&t, "st");
	assert_true(text_word(&t, ""));
	assert_false(text_word(&t, "st "));
	t = text("@[");
	assert_false(text_nocase(&t, "`{")); /* no letters */
}

static void test_find(void **state)
{
	struct text t = text("a  b b c");

	(void)state;
	assert_false(text_find(&t, "d"));
	assert_true(text_find(&t, "b "));
	rest(&t, "b c");
	assert_true(text_find(&t, "c"));
	rest(&t, "");
	assert_false(text_find(&t, "c"));
	assert_false(text_byte(&t, 0));
	t = text("   x");
	text_skip(&t, ' ');
	rest(&t, "x");
	text_skip(&t, 'x');
	rest(&t, "");
}

static void test_numbers(void **state)
{
	struct text t = text("65535x");
	uint32_t v = 1;

	(void)state;
	assert_false(text_number(&t, 65534, &v));
	rest(&t, "65535x");
	assert_int_equal(v, 1);
	assert_true(text_number(&t, 65535, &v));
	assert_int_equal(v, 65535);
	assert_false(text_number(&t, 65535, &v));
	assert_int_equal(text_wrapped(&t), 0);
	rest(&t, "x");
	t = text("4294967295");
	assert_true(text_number(&t, UINT32_MAX, &v));
	assert_true(v == UINT32_MAX);
	t = text("4294967296");
	assert_false(text_number(&t, UINT32_MAX, &v));
	t = text("4294967297");
	assert_int_equal(text_wrapped(&t), 1);
	t = text("99999999999999999999999999999999999999999999");
	assert_false(text_number(&t, UINT32_MAX, &v));
}

static void test_addr6(void **state)
{
	static const uint8_t want[16] = {0x20, 1, [15] = 9};
	struct text t = text("2001::9|x");
	union pkt_addr a;

	(void)state;
	assert_true(text_addr6(&t, '|', &a));
	assert_memory_equal(a.b, want, 16);
	rest(&t, "|x");
	assert_false(text_addr6(&t, '|', &a));
	t = text("2001::9");
	assert_false(text_addr6(&t, '|', &a));
	t = text("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa|");
	assert_false(text_addr6(&t, '|', &a));
	t = text("10.0.0.1|");
	assert_false(text_addr6(&t, '|', &a));
}

static void take(struct help_ctx *h)
{
	struct text t = text_payload(h, 2);

	fake_say(h->arg, "<%.*s>", (int)text_left(&t), (const char *)t.at);
}

static void test_payload(void **state)
{
	static const struct helper taker = {.help = take};
	struct fake f;

	(void)state;
	fake_open(&f, &taker, IPPROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
	fake_send(&f, A, "abcd");
	says(&f, "<cd>");
	fake_cut(&f, A, "abcd", 3, 4, 0);
	says(&f, "<c>");
	fake_send(&f, A, "ab");
	fake_send(&f, A, "a");
	fake_cut(&f, A, "abcd", 1, 4, 0);
	says(&f, "<><><>");
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),   cmocka_unit_test(test_find),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_addr6),
		cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

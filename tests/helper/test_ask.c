/* test_ask.c - the expectation that most helpers want (F182) */
#include <errno.h>

#include "daemon/helper/ask.h"
#include "tests/helper/says.h"

static int answer;

static void help(struct help_ctx *h)
{
	struct fake *f = h->arg;

	f->expect_rc = answer;
	ask_expect(h, IPPROTO_TCP, NULL, &h->addr[0], 80, 0);
	ask_expect(h, IPPROTO_UDP, &h->addr[1], &h->addr[0], 81, 7);
}

static const struct helper asker = {.help = help};

static void test_family(void **state)
{
	struct fake f;

	(void)state;
	answer = 0;
	fake_open(&f, &asker, IPPROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
	fake_send(&f, A, "x");
	says(&f, "expect tcp *:* -> 10.0.0.1:80\n"
	         "expect udp 10.0.0.2:* -> 10.0.0.1:81 seconds=7\n");
	fake_close(&f);
	fake_open(&f, &asker, IPPROTO_UDP, "2001:db8::1", 1, "2001:db8::2", 2);
	fake_send(&f, A, "x");
	says(&f, "expect tcp *:* -> [2001:db8::1]:80\n"
	         "expect udp [2001:db8::2]:* -> [2001:db8::1]:81 seconds=7\n");
	fake_close(&f);
}

static void test_refused(void **state)
{
	static const int rc[] = {0, -EEXIST, -EBUSY, -ENOSPC};
	struct fake f;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rc); i++) {
		answer = rc[i];
		fake_open(&f, &asker, IPPROTO_UDP, "10.0.0.1", 1, "10.0.0.2",
		          2);
		fake_send(&f, A, "x");
		assert_int_equal(f.count[HELP_LIMIT], rc[i] == -ENOSPC ? 2 : 0);
		fake_close(&f);
	}
}

static void test_same(void **state)
{
	union pkt_addr a = {.w = {1, 2, 3, 4}}, b = a;

	(void)state;
	assert_true(ask_same_addr(&a, &b));
	b.b[15]++;
	assert_false(ask_same_addr(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

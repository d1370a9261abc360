/* test_tftp.c - TFTP: who asks gets an answer from another port (F208) */
#include "tests/helper/says.h"

extern const struct helper helper_tftp;

#define ANSWER  "expect udp 10.0.1.1:* -> 10.0.0.1:4000\n"
#define ANSWER6 "expect udp [2001:db8::2]:* -> [2001:db8::1]:4000\n"

static void tftp(struct fake *f)
{
	fake_open(f, &helper_tftp, IPPROTO_UDP, "10.0.0.1", 4000, "10.0.1.1",
	          69);
}

static void test_opcodes(void **state)
{
	static const uint8_t data[] = "\0\0name\0octet";
	uint8_t b[sizeof(data)];
	struct fake f;
	int op;

	(void)state;
	tftp(&f);
	memcpy(b, data, sizeof(b));
	for (op = 0; op < 256; op++) {
		b[1] = (uint8_t)op;
		fake_bytes(&f, A, b, sizeof(b));
		says(&f, op == 1 || op == 2 ? ANSWER : "");
		fake_bytes(&f, B, b, sizeof(b));
		says(&f, op == 1 || op == 2 ? ANSWER : "");
	}
	b[0] = 1;
	b[1] = 1;
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, "");
	fake_close(&f);
}

static void test_short(void **state)
{
	struct fake f;

	(void)state;
	tftp(&f);
	fake_bytes(&f, A, "\0\1", 2);
	says(&f, ANSWER);
	fake_bytes(&f, A, "\0", 1);
	fake_cut(&f, A, "\0", 1, 2, 0);
	fake_cut(&f, A, "", 0, 2, 0);
	says(&f, "");
	fake_close(&f);
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_tftp, IPPROTO_UDP, "2001:db8::1", 4000,
	          "2001:db8::2", 69);
	fake_bytes(&f, A, "\0\2f\0octet", 9);
	says(&f, ANSWER6);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opcodes),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_sane.c - SANE: the port of a picture (F222) */
#include "tests/helper/says.h"

extern const struct helper helper_sane;

#define START  "\0\0\0\7\0\0\0\0"
#define OTHER  "\0\0\0\3\0\0\0\1"
#define ANSWER "\0\0\0\0\0\0\xab\xcd\0\0\x12\x34"
#define PORT   "expect tcp 10.0.0.1:* -> 10.0.1.1:43981\n"

static void sane(struct fake *f, bool mirror)
{
	fake_open(f, &helper_sane, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          6566);
	f->h.mirror = mirror;
}

static void test_start(void **state)
{
	struct fake f;
	int mirror;

	(void)state;
	for (mirror = 0; mirror < 2; mirror++) {
		sane(&f, mirror);
		fake_bytes(&f, A, START, 8);
		says(&f, "");
		fake_bytes(&f, B, ANSWER, 12);
		says(&f, PORT);
		fake_bytes(&f, B, ANSWER, 12);
		says(&f, "");
		fake_bytes(&f, A, START, 8);
		fake_bytes(&f, B, ANSWER, 8);
		says(&f, PORT);
		fake_bytes(&f, A, OTHER, 8);
		fake_bytes(&f, B, ANSWER, 12);
		says(&f, "");
		fake_close(&f);
	}
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_sane, IPPROTO_TCP, "2001:db8::1", 40001,
	          "2001:db8::2", 6566);
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, B, ANSWER, 12);
	says(&f, "expect tcp [2001:db8::1]:* -> [2001:db8::2]:43981\n");
	fake_close(&f);
}

static void test_refused(void **state)
{
	static const struct {
		const char *answer;
		bool strict;
	} rows[] = {
		{"\0\0\0\4\0\0\xab\xcd", false}, /* no success */
		{"\0\0\0\0\0\1\xab\xcd", false}, /* no port */
		{"\0\0\0\0\0\0\0\0", true},
	};
	struct fake f;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows) * 2; i++) {
		sane(&f, i & 1);
		fake_bytes(&f, A, START, 8);
		fake_bytes(&f, B, rows[i / 2].answer, 8);
		says(&f, rows[i / 2].strict && !(i & 1)
		                 ? "expect tcp 10.0.0.1:* -> 10.0.1.1:0\n"
		                 : "");
		fake_close(&f);
	}
}

/* strict, as tried on the kernel: another length is no request and changes
 * nothing; another word of eight bytes does */
static void test_between(void **state)
{
	struct fake f;

	(void)state;
	sane(&f, false);
	fake_bytes(&f, A, START "\0", 9);
	fake_bytes(&f, B, ANSWER, 8);
	says(&f, "");
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, A, OTHER "\0", 9);
	fake_bytes(&f, B, ANSWER, 8);
	says(&f, PORT);
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, A, OTHER, 8);
	fake_bytes(&f, B, ANSWER, 8);
	says(&f, "");
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, B, ANSWER, 7);
	fake_bytes(&f, B, ANSWER, 8);
	says(&f, "");
	fake_close(&f);
}

/* mirror: both cut at every byte; a longer request is another one */
static void test_parts(void **state)
{
	struct fake f;
	uint32_t i, j;

	(void)state;
	for (i = 0; i <= 8; i++)
		for (j = 0; j <= 12; j++) {
			sane(&f, true);
			fake_bytes(&f, A, START, i);
			fake_bytes(&f, A, &START[i], 8 - i);
			fake_bytes(&f, B, ANSWER, j);
			fake_bytes(&f, B, &ANSWER[j], 12 - j);
			says(&f, PORT);
			fake_close(&f);
		}
	sane(&f, true);
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, A, "\0", 1);
	fake_bytes(&f, B, ANSWER, 12);
	fake_bytes(&f, A, START "\0", 9);
	fake_bytes(&f, B, ANSWER, 12);
	says(&f, "");
	fake_close(&f);
}

static void test_gap(void **state)
{
	struct fake f;

	(void)state;
	sane(&f, true);
	fake_bytes(&f, A, START, 8);
	f.seq[B] += 4;
	fake_bytes(&f, B, ANSWER, 12); /* the first: nothing is missing yet */
	says(&f, PORT);
	fake_bytes(&f, A, START, 4);
	f.seq[A] += 4; /* half of the request */
	fake_bytes(&f, A, START, 8);
	fake_bytes(&f, B, ANSWER, 12);
	says(&f, "");
	fake_bytes(&f, A, START, 8);
	f.seq[B] += 4;
	fake_bytes(&f, B, ANSWER, 12);
	says(&f, "");
	assert_int_equal(f.count[HELP_RESYNC], 2);
	/* a request and an answer that come twice */
	fake_bytes(&f, A, START, 8);
	fake_cut(&f, A, START, 8, 8, f.seq[A] - 8);
	fake_bytes(&f, B, ANSWER, 6);
	fake_cut(&f, B, ANSWER, 8, 8, f.seq[B] - 6);
	f.seq[B] += 2;
	says(&f, PORT);
	fake_cut(&f, B, ANSWER, 8, 8, f.seq[B] - 8);
	says(&f, "");
	fake_close(&f);
}

static void test_snaplen(void **state)
{
	struct fake f;
	uint32_t cap;
	int mirror;

	(void)state;
	for (mirror = 0; mirror < 2; mirror++)
		for (cap = 0; cap < 8; cap++) {
			sane(&f, mirror);
			fake_cut(&f, A, START, cap, 8, f.seq[A]);
			f.seq[A] += 8;
			fake_bytes(&f, B, ANSWER, 12);
			says(&f, "");
			fake_bytes(&f, A, START, 8);
			fake_cut(&f, B, ANSWER, cap, 12, f.seq[B]);
			f.seq[B] += 12;
			says(&f, "");
			fake_bytes(&f, A, START, 8);
			fake_bytes(&f, B, ANSWER, 12);
			says(&f, PORT);
			fake_close(&f);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),   cmocka_unit_test(test_v6),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_between),
		cmocka_unit_test(test_parts),   cmocka_unit_test(test_gap),
		cmocka_unit_test(test_snaplen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_udplite.c - UDP-Lite: coverage, checksum by 136, no 2 s rule
 * (F144-F146) */
#include "tests/tracker/feed.h"

#define PROTO 136
#define LEN   12

static void build(const struct feed *f, uint8_t *l4, uint32_t coverage)
{
	static const uint8_t head[LEN] = {0, 1, 0,   2,   0,   0,
	                                  0, 0, 'd', 'a', 't', 'a'};
	uint32_t cover = coverage >= 8 && coverage <= LEN ? coverage : LEN;

	memcpy(l4, head, LEN);
	put16(l4 + 4, coverage);
	feed_checksum(f, l4, LEN, cover, 6, PROTO);
}

static void test_stream(void **state)
{
	uint8_t l4[LEN];
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	build(&f, l4, 0);
	assert_int_equal(feed(&f, A, l4, LEN), TRK_ACCEPT);
	assert_int_equal(feed(&f, A, l4, LEN), TRK_ACCEPT);
	assert_int_equal(f.timeout, 30);
	assert_int_equal(feed(&f, B, l4, LEN), TRK_ACCEPT);
	assert_int_equal(f.timeout, 30);
	assert_not_assured(&f);
	assert_int_equal(feed(&f, B, l4, LEN), TRK_ACCEPT);
	assert_int_equal(f.timeout, 120);
	assert_int_equal(f.c.events, EVB_ASSURED);
	assert_assured(&f);
}

/* one setting for both: UDP's row of the policy */
static void test_settings(void **state)
{
	const struct tracker *u;
	uint8_t l4[LEN], row;
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	u = tracker_find(&f.pol, 17, &row);
	assert_string_equal(u->timeouts[0].key, "udp_timeout");
	f.pol.timeout[row][u->timeouts[0].slot] = 5;
	build(&f, l4, 0);
	assert_int_equal(feed(&f, A, l4, LEN), TRK_ACCEPT);
	assert_int_equal(f.timeout, 5);
}

static void test_check(void **state)
{
	uint8_t l4[LEN];
	struct feed f;
	uint32_t n;

	(void)state;
	feed_open(&f, 4, PROTO);
	build(&f, l4, 0);
	for (n = 0; n < 8; n++)
		assert_int_equal(feed(&f, A, l4, n), TRK_INVALID);
	for (n = 0; n < 20; n++) {
		bool good = n == 0 || (n >= 8 && n <= LEN);

		build(&f, l4, n);
		assert_int_equal(feed(&f, A, l4, LEN),
		                 good ? TRK_ACCEPT : TRK_INVALID);
		if (!good)
			assert_string_equal(f.c.why,
			                    "invalid checksum coverage");
	}
	build(&f, l4, 8);
	put16(l4 + 6, 0); /* missing, whatever the policy says */
	assert_int_equal(feed(&f, A, l4, LEN), TRK_INVALID);
	assert_string_equal(f.c.why, "checksum missing");
}

static void test_checksum(void **state)
{
	uint8_t l4[LEN];
	struct feed f;
	uint32_t n;

	(void)state;
	feed_open(&f, 6, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	for (n = 8; n <= LEN; n++) {
		build(&f, l4, n);
		assert_int_equal(feed(&f, A, l4, LEN), TRK_ACCEPT);
		l4[LEN - 1] ^= 1; /* covered or not */
		assert_int_equal(feed(&f, A, l4, LEN),
		                 n == LEN ? TRK_INVALID : TRK_ACCEPT);
		l4[6] ^= 1;
		assert_int_equal(feed(&f, A, l4, LEN), TRK_INVALID);
		assert_string_equal(f.c.why, "bad checksum");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_udp.c - UDP: checks, and when a flow is a stream (F140-F143, B2) */
#include "tests/tracker/feed.h"

#define PROTO 17

static enum trk_verdict udp(struct feed *f, uint8_t dir)
{
	static const uint8_t l4[] = {0, 53, 0, 99, 0, 9, 0, 0, 'x'};

	return feed(f, dir, l4, sizeof(l4));
}

static void udp_ok(struct feed *f, uint8_t dir, uint32_t seconds)
{
	assert_int_equal(udp(f, dir), TRK_ACCEPT);
	assert_int_equal(f->timeout, seconds);
}

static void test_unreplied(void **state)
{
	struct feed f;
	int i;

	(void)state;
	feed_open(&f, 4, PROTO);
	for (i = 0; i < 20; i++) {
		udp_ok(&f, A, 30);
		assert_int_equal(f.c.events, 0);
		f.now += 5000;
	}
	assert_not_assured(&f);
	assert_int_equal(f.conn.packets[A], 20);
}

static void test_stream(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	udp_ok(&f, A, 30);
	f.now += 100;
	udp_ok(&f, B, 30);
	assert_int_equal(f.c.events, EVB_REPLY);
	f.now += 100;
	udp_ok(&f, B, 30);
	f.now += 1800; /* exactly 2 s are not more than 2 s */
	udp_ok(&f, A, 30);
	assert_not_assured(&f);
	f.now += 1;
	udp_ok(&f, A, 120);
	assert_assured(&f);
	assert_int_equal(f.c.events, EVB_ASSURED);
	f.now += 1;
	udp_ok(&f, B, 120);
	assert_int_equal(f.c.events, 0);
}

static void test_late_reply(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	udp_ok(&f, A, 30);
	f.now += 2100;
	udp_ok(&f, B, 30); /* F143: judged as unreplied */
	assert_not_assured(&f);
	f.now += 100;
	udp_ok(&f, B, 120);
	assert_assured(&f);
}

/* 24 days of questions: the difference of ticks changes its sign */
static void test_old_flow(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	udp_ok(&f, A, 30);
	f.now += 20000;
	udp_ok(&f, A, 30);
	f.now += 0x80000000u;
	udp_ok(&f, B, 30);
	udp_ok(&f, A, 120);
}

static void test_settings(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	f.pol.timeout[f.id][0] = 7;
	f.pol.timeout[f.id][1] = 8;
	udp_ok(&f, A, 7);
	udp_ok(&f, B, 7);
	f.now += 3000;
	udp_ok(&f, A, 8);
}

static void test_check(void **state)
{
	uint8_t l4[12] = {0, 53, 0, 99, 0, 12};
	struct feed f;
	uint32_t len;

	(void)state;
	feed_open(&f, 4, PROTO);
	for (len = 0; len < 8; len++) {
		assert_int_equal(feed(&f, A, l4, len), TRK_INVALID);
		assert_string_equal(f.c.why, "short packet");
	}
	for (len = 0; len <= 14; len++) {
		put16(l4 + 4, len);
		assert_int_equal(feed(&f, A, l4, 12), len < 8 || len > 12
		                                              ? TRK_INVALID
		                                              : TRK_ACCEPT);
		if (len < 8 || len > 12)
			assert_string_equal(f.c.why,
			                    "truncated/malformed packet");
	}
}

static void test_cut(void **state)
{
	uint8_t l4[64] = {0, 53, 0, 99, 0, 64, 0x12, 0x34};
	struct feed f;
	uint32_t cap;

	(void)state;
	feed_open(&f, 4, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	for (cap = 4; cap < 64; cap++) /* F011: the wire's length counts */
		assert_int_equal(feed_cut(&f, A, l4, cap, 64), TRK_ACCEPT);
	assert_int_equal(feed(&f, A, l4, 64), TRK_INVALID);
}

static void checksum_of(uint8_t l3proto)
{
	uint8_t l4[11] = {0, 53, 0, 99, 0, 11, 0, 0, 1, 2, 3};
	struct feed f;

	feed_open(&f, l3proto, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	feed_checksum(&f, l4, 11, 11, 6, PROTO);
	assert_int_equal(feed(&f, A, l4, 11), TRK_ACCEPT);
	l4[10] ^= 4;
	assert_int_equal(feed(&f, A, l4, 11), TRK_INVALID);
	assert_string_equal(f.c.why, "bad checksum");
	put16(l4 + 6, 0); /* none was sent */
	assert_int_equal(feed(&f, A, l4, 11), TRK_ACCEPT);
	put16(l4 + 6, 1);
	f.pol.checksum = CHECKSUM_OFF;
	assert_int_equal(feed(&f, A, l4, 11), TRK_ACCEPT);
}

static void test_checksum(void **state)
{
	(void)state;
	checksum_of(4);
	checksum_of(6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unreplied),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_old_flow),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

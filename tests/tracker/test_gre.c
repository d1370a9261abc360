/* test_gre.c - GRE: keys by version, timeouts of the entry (F027-F029,
 * F178) */
#include "tests/tracker/feed.h"

#define PROTO 47

static const uint8_t plain[] = {0x20, 0, 8, 0, 0, 0, 0, 77};
static const uint8_t pptp[] = {0x30, 1,    0x88, 0x0b, 0, 4,
                               0x22, 0x11, 0,    0,    0, 1};

static void test_tuple(void **state)
{
	uint8_t other[sizeof(pptp)];
	struct trk_tuple t;
	struct feed f;
	uint32_t len;

	(void)state;
	feed_open(&f, 4, PROTO);
	for (len = 0; len <= sizeof(plain); len++) {
		assert_true(feed_tuple(&f, plain, len, &t));
		assert_int_equal(t.src, 0);
		assert_int_equal(t.dst, 0);
	}
	for (len = 0; len <= sizeof(pptp); len++) {
		assert_true(feed_tuple(&f, pptp, len, &t));
		assert_int_equal(t.src, 0);
		assert_int_equal(t.dst, len < 8 ? 0 : 0x2211);
	}
	memcpy(other, pptp, sizeof(pptp));
	other[2] = 8; /* version 1 carries PPP and nothing else */
	assert_false(feed_tuple(&f, other, sizeof(other), &t));
	assert_true(feed_tuple(&f, other, 7, &t)); /* too short to tell */
	other[1] = 3;                              /* no such version */
	assert_true(feed_tuple(&f, other, sizeof(other), &t));
	other[1] = 2;
	assert_true(feed_tuple(&f, other, sizeof(other), &t));
	assert_int_equal(t.dst, 0);
}

static void test_stream(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	assert_int_equal(feed(&f, A, plain, sizeof(plain)), TRK_ACCEPT);
	assert_int_equal(feed(&f, A, plain, sizeof(plain)), TRK_ACCEPT);
	assert_int_equal(f.timeout, 30);
	assert_int_equal(feed(&f, B, plain, sizeof(plain)), TRK_ACCEPT);
	assert_int_equal(f.timeout, 30);
	assert_not_assured(&f);
	assert_int_equal(feed(&f, A, plain, sizeof(plain)), TRK_ACCEPT);
	assert_int_equal(f.timeout, 180);
	assert_assured(&f);
	assert_int_equal(f.c.events, EVB_ASSURED);
}

static void test_entry_keeps_timeouts(void **state)
{
	char text[64];
	struct feed f;
	int len;

	(void)state;
	feed_open(&f, 4, PROTO);
	f.pol.timeout[f.id][0] = 11;
	f.pol.timeout[f.id][1] = 12;
	feed(&f, A, plain, sizeof(plain));
	f.pol.timeout[f.id][0] = 13;
	f.pol.timeout[f.id][1] = 14;
	feed(&f, B, plain, sizeof(plain));
	assert_int_equal(f.timeout, 11);
	feed(&f, B, plain, sizeof(plain));
	assert_int_equal(f.timeout, 12);
	len = f.t->describe(&f.conn, text, sizeof(text));
	assert_string_equal(text, "timeout=11 stream_timeout=12");
	assert_int_equal(len, strlen(text));
	assert_int_equal(f.t->describe(&f.conn, text, 5), 4);
	assert_string_equal(text, "time");
	memset(f.conn.priv, 0, sizeof(f.conn.priv)); /* made by the API */
	feed(&f, B, plain, sizeof(plain));
	assert_int_equal(f.timeout, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tuple),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_entry_keeps_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

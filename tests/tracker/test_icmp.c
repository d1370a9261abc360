/* test_icmp.c - ICMP: tuples, what may begin, errors (F025, F147, F148,
 * F155) */
#include "tests/tracker/feed.h"

#define PROTO 1

static const uint8_t questions[] = {8, 13, 15, 17};
static const uint8_t answers[] = {0, 14, 16, 18};

static void build(uint8_t *l4, uint8_t type)
{
	static const uint8_t rest[8] = {0, 3, 0, 0, 0x12, 0x34, 0, 1};

	memcpy(l4, rest, sizeof(rest));
	l4[0] = type;
}

/* -1: neither question nor answer */
static int place(uint8_t type, const uint8_t *list)
{
	int i;

	for (i = 0; i < 4; i++)
		if (list[i] == type)
			return i;
	return -1;
}

static bool is_error(unsigned int type)
{
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static void test_tuple(void **state)
{
	struct trk_tuple t;
	uint8_t l4[8];
	struct feed f;
	uint32_t len;

	(void)state;
	feed_open(&f, 4, PROTO);
	build(l4, 8);
	for (len = 0; len < 8; len++)
		assert_false(feed_tuple(&f, l4, len, &t));
	assert_true(feed_tuple(&f, l4, 8, &t));
	assert_int_equal(t.src, 0x1234);
	assert_int_equal(t.dst, 0x0803);
	f.pkt.l3proto = 6;
	assert_false(feed_tuple(&f, l4, 8, &t));
}

static void test_request(void **state)
{
	const struct tracker *t;
	struct feed f;
	unsigned int type;

	(void)state;
	feed_open(&f, 4, PROTO);
	t = f.t;
	for (type = 0; type < 256; type++) {
		struct trk_tuple tp = {77, (uint16_t)(type << 8 | 3)};
		int q = place((uint8_t)type, questions);
		int a = place((uint8_t)type, answers);
		bool by_dst;

		assert_int_equal(t->request(&tp, &by_dst), q >= 0 || a >= 0);
		if (q < 0 && a < 0)
			continue;
		assert_int_equal(by_dst, a >= 0);
		assert_int_equal(tp.dst, questions[q >= 0 ? q : a] << 8 | 3);
		assert_int_equal(tp.src, 77);
	}
}

static void test_first(void **state)
{
	uint8_t l4[8];
	struct feed f;
	unsigned int type;

	(void)state;
	for (type = 0; type < 256; type++) {
		bool good = place((uint8_t)type, questions) >= 0;

		feed_open(&f, 4, PROTO);
		build(l4, (uint8_t)type);
		assert_int_equal(feed(&f, A, l4, 8),
		                 good ? TRK_ACCEPT : TRK_INVALID);
		assert_int_equal(f.live, good);
	}
}

static void test_talk(void **state)
{
	uint8_t l4[8];
	struct feed f;
	int i;

	(void)state;
	feed_open(&f, 4, PROTO);
	for (i = 0; i < 3; i++) {
		build(l4, 13);
		assert_int_equal(feed(&f, A, l4, 8), TRK_ACCEPT);
		assert_int_equal(f.timeout, 30);
		build(l4, 14);
		assert_int_equal(feed(&f, B, l4, 8), TRK_ACCEPT);
		assert_int_equal(f.timeout, 30);
	}
	assert_not_assured(&f);
	assert_int_equal(f.conn.packets[B], 3);
}

static void test_error(void **state)
{
	uint8_t l4[8];
	struct feed f;
	unsigned int type;
	uint32_t len;

	(void)state;
	feed_open(&f, 4, PROTO);
	for (type = 0; type < 256; type++) {
		build(l4, (uint8_t)type);
		feed(&f, A, l4, 8);
		assert_int_equal(f.error, type > 18        ? -1
		                          : is_error(type) ? 8
		                                           : 0);
		if (type > 18)
			assert_string_equal(f.c.why, "invalid icmp type");
	}
	for (len = 0; len < 8; len++) {
		feed(&f, A, l4, len);
		assert_int_equal(f.error, -1);
		assert_string_equal(f.c.why, "short packet");
	}
	f.pkt.l3proto = 6; /* not ICMP at all: invalid, not an error */
	assert_int_equal(feed(&f, A, l4, 8), TRK_INVALID);
	assert_int_equal(f.error, 0);
}

static void test_checksum(void **state)
{
	uint8_t l4[11] = {8, 0, 0, 0, 0, 1, 0, 1, 'a', 'b', 'c'};
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	feed_checksum(&f, l4, 11, 11, 2, 0); /* no pseudo header */
	assert_int_equal(feed(&f, A, l4, 11), TRK_ACCEPT);
	l4[9] ^= 1;
	assert_int_equal(feed(&f, A, l4, 11), TRK_INVALID);
	assert_int_equal(f.error, -1);
	assert_string_equal(f.c.why, "bad hw icmp checksum");
	assert_int_equal(feed_cut(&f, A, l4, 10, 11), TRK_ACCEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tuple), cmocka_unit_test(test_request),
		cmocka_unit_test(test_first), cmocka_unit_test(test_talk),
		cmocka_unit_test(test_error), cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

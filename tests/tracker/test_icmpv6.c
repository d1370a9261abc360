/* test_icmpv6.c - ICMPv6: tuples, untracked types, errors, redirects (F026,
 * F033, F149, F155) */
#include "tests/tracker/feed.h"

#define PROTO    58
#define REDIRECT 137

static void build(uint8_t *l4, uint8_t type)
{
	static const uint8_t rest[8] = {0, 0, 0, 0, 0x12, 0x34, 0, 1};

	memcpy(l4, rest, sizeof(rest));
	l4[0] = type;
}

static bool is_untracked(unsigned int type)
{
	return (type >= 130 && type <= 136) || type == 143;
}

static void test_types(void **state)
{
	uint8_t l4[8];
	struct feed f;
	unsigned int type;

	(void)state;
	for (type = 0; type < 256; type++) {
		enum trk_verdict want = TRK_INVALID;

		if (type == 128 || type == 139)
			want = TRK_ACCEPT;
		else if (is_untracked(type))
			want = TRK_UNTRACKED;
		feed_open(&f, 6, PROTO);
		build(l4, (uint8_t)type);
		assert_int_equal(feed(&f, A, l4, 8), want);
		if (type < 128)
			assert_int_equal(f.error, 8);
		else if (type == REDIRECT)
			assert_int_equal(f.error, -1); /* short */
		else
			assert_int_equal(f.error, 0);
	}
}

static void test_request(void **state)
{
	const struct tracker *t;
	struct feed f;
	unsigned int type;

	(void)state;
	feed_open(&f, 6, PROTO);
	t = f.t;
	for (type = 0; type < 256; type++) {
		struct trk_tuple tp = {9, (uint16_t)(type << 8 | 1)};
		bool answer = type == 129 || type == 140;
		bool query = type == 128 || type == 139;
		bool by_dst;

		assert_int_equal(t->request(&tp, &by_dst), query || answer);
		if (!query && !answer)
			continue;
		assert_int_equal(by_dst, answer);
		assert_int_equal(tp.dst, (type < 130 ? 128 : 139) << 8 | 1);
	}
}

static void test_talk(void **state)
{
	struct trk_tuple t;
	uint8_t l4[8];
	struct feed f;

	(void)state;
	feed_open(&f, 6, PROTO);
	build(l4, 128);
	assert_int_equal(feed(&f, A, l4, 8), TRK_ACCEPT);
	build(l4, 129);
	assert_int_equal(feed(&f, B, l4, 8), TRK_ACCEPT);
	assert_int_equal(f.timeout, 30);
	assert_not_assured(&f);
	assert_true(feed_tuple(&f, l4, 8, &t));
	assert_int_equal(t.src, 0x1234);
	assert_int_equal(t.dst, 129 << 8);
	assert_false(feed_tuple(&f, l4, 7, &t));
	f.pkt.l3proto = 4;
	assert_false(feed_tuple(&f, l4, 8, &t));
	assert_int_equal(feed(&f, A, l4, 8), TRK_INVALID);
	assert_int_equal(f.error, 0);
}

static void test_short(void **state)
{
	uint8_t l4[8];
	struct feed f;
	uint32_t len;

	(void)state;
	feed_open(&f, 6, PROTO);
	build(l4, 135);
	for (len = 0; len < 8; len++) {
		assert_int_equal(feed(&f, A, l4, len), TRK_INVALID);
		assert_int_equal(f.error, -1);
		assert_string_equal(f.c.why, "short packet");
	}
}

static void test_checksum(void **state)
{
	static const uint8_t types[] = {128, 135, 1};
	uint8_t l4[9] = {0};
	struct feed f;
	size_t i;

	(void)state;
	feed_open(&f, 6, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		build(l4, types[i]);
		feed_checksum(&f, l4, 9, 9, 2, PROTO);
		feed(&f, A, l4, 9);
		assert_int_equal(f.error, types[i] == 1 ? 8 : 0);
		l4[8] ^= 1; /* also a neighbour's message is an error then */
		assert_int_equal(feed(&f, A, l4, 9), TRK_INVALID);
		assert_int_equal(f.error, -1);
		assert_string_equal(f.c.why, "ICMPv6 checksum failed");
		l4[8] ^= 1;
	}
}

/* what error() says about a redirect from `first two bytes` of source */
static int redirect(struct feed *f, uint8_t ttl, uint16_t source,
                    const uint8_t *l4, uint32_t len)
{
	int off;

	feed_load(f, A, l4, len, len);
	put16(f->pkt.src.b, source);
	f->pkt.ttl = ttl;
	off = f->t->error(&f->c);
	feed_drop(f);
	return off;
}

static void test_redirect(void **state)
{
	uint8_t l4[56] = {REDIRECT};
	struct feed f;

	(void)state;
	feed_open(&f, 6, PROTO);
	l4[40] = 4; /* redirected header */
	l4[41] = 2;
	assert_int_equal(redirect(&f, 255, 0xfe80, l4, 56), 48);
	assert_int_equal(redirect(&f, 255, 0xfebf, l4, 56), 48);
	assert_int_equal(redirect(&f, 254, 0xfe80, l4, 56), -1);
	assert_int_equal(redirect(&f, 255, 0xfec0, l4, 56), -1);
	assert_string_equal(f.c.why, "invalid saddr or hoplimit for redirect");
	assert_int_equal(redirect(&f, 255, 0xfe80, l4, 39), -1);
	assert_string_equal(f.c.why, "short redirect");
	assert_int_equal(redirect(&f, 255, 0xfe80, l4, 41), -1);
	assert_string_equal(f.c.why, "redirect without options");
	l4[41] = 0;
	assert_int_equal(redirect(&f, 255, 0xfe80, l4, 56), -1);
	l4[41] = 1;
	l4[40] = 2; /* target's link-layer address: nothing is quoted */
	assert_int_equal(redirect(&f, 255, 0xfe80, l4, 56), 0);
	l4[1] = 1;
	assert_int_equal(redirect(&f, 64, 0x2001, l4, 56), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_redirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

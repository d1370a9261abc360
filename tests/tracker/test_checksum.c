/* test_checksum.c - when a checksum is looked at, and when it is wrong (F010,
 * F011) */
#include "tests/tracker/feed.h"
#include "daemon/tracker/common.h"

#define LEN 21 /* odd: the last byte stands alone */

static void build(struct feed *f, uint8_t *l4, uint32_t cover, uint8_t pseudo)
{
	uint32_t i;

	for (i = 0; i < LEN; i++)
		l4[i] = (uint8_t)(i * 37 + 200);
	feed_checksum(f, l4, LEN, cover, 6, pseudo);
}

static bool wrong(struct feed *f, const uint8_t *l4, uint32_t caplen,
                  uint8_t proto, uint32_t cover)
{
	bool answer;

	feed_load(f, A, l4, caplen, LEN);
	answer = checksum_wrong(&f->c, proto, cover);
	feed_drop(f);
	return answer;
}

static void test_every_byte(void **state)
{
	uint8_t l4[LEN], l3;
	struct feed f;
	uint32_t cover, i;

	(void)state;
	for (l3 = 4; l3 <= 6; l3 += 2) {
		feed_open(&f, l3, 17);
		f.pol.checksum = CHECKSUM_ON;
		for (cover = 8; cover <= LEN; cover++) {
			build(&f, l4, cover, 136);
			assert_false(wrong(&f, l4, LEN, 136, cover));
			for (i = 0; i < LEN; i++) {
				l4[i] ^= 0x10;
				assert_int_equal(wrong(&f, l4, LEN, 136, cover),
				                 i < cover);
				l4[i] ^= 0x10;
			}
			/* the pseudo header holds the protocol */
			assert_true(wrong(&f, l4, LEN, 17, cover));
		}
	}
}

static void test_icmp(void **state)
{
	uint8_t l4[LEN];
	struct feed f;

	(void)state;
	feed_open(&f, 4, 1);
	f.pol.checksum = CHECKSUM_ON;
	build(&f, l4, LEN, 0);
	assert_false(wrong(&f, l4, LEN, 1, LEN)); /* no pseudo header */
	build(&f, l4, LEN, 1);
	assert_true(wrong(&f, l4, LEN, 1, LEN));
}

static void test_mode(void **state)
{
	uint8_t l4[LEN];
	struct feed f;

	(void)state;
	feed_open(&f, 4, 17);
	build(&f, l4, LEN, 17);
	l4[20] ^= 1;
	f.pol.checksum = CHECKSUM_OFF;
	assert_false(wrong(&f, l4, LEN, 17, LEN));
	f.pol.checksum = CHECKSUM_ON;
	assert_true(wrong(&f, l4, LEN, 17, LEN));
	f.pol.checksum = CHECKSUM_AUTO;
	assert_true(wrong(&f, l4, LEN, 17, LEN));
}

static void test_cut(void **state)
{
	uint8_t l4[LEN];
	struct feed f;
	uint32_t cap;

	(void)state;
	feed_open(&f, 4, 17);
	f.pol.checksum = CHECKSUM_ON;
	build(&f, l4, 12, 136);
	l4[0] ^= 1;
	for (cap = 0; cap <= LEN; cap++) {
		assert_int_equal(wrong(&f, l4, cap, 136, 12), cap >= 12);
		assert_int_equal(wrong(&f, l4, cap, 136, LEN), cap >= LEN);
	}
}

static void test_crc32c(void **state)
{
	/* a COOKIE ACK: CRC32c of the other 12 bytes and four zeros, computed
	 * bit by bit apart from this code */
	uint8_t l4[16] = {0,    100,  0,    200,  0x11, 0x22, 0x33, 0x44,
	                  0xa0, 0x8f, 0x67, 0x3f, 11,   0,    0,    4};
	struct feed f;
	uint32_t i;

	(void)state;
	feed_open(&f, 4, 132);
	f.pol.checksum = CHECKSUM_ON;
	for (i = 0; i <= 16; i++) {
		if (i < 16)
			l4[i] ^= 0x80;
		feed_load(&f, A, l4, 16, 16);
		assert_int_equal(checksum_crc32c_wrong(&f.c), i < 16);
		feed_drop(&f);
		feed_load(&f, A, l4, 15, 16);
		assert_false(checksum_crc32c_wrong(&f.c)); /* cut short */
		feed_drop(&f);
		if (i < 16)
			l4[i] ^= 0x80;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte), cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_mode),       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_crc32c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_tcp_window.c - reading a segment, and its options.  The windows
 * themselves are in tests/seq/b10-window.seq. */
#include "daemon/tracker/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/packet.h"

static struct packet b;

/* a segment with these option bytes, and what tcp_seg_read() makes of it */
static bool read_with(const void *opts, uint32_t len, struct tcp_seg *s)
{
	uint8_t *h;
	struct pkt p;

	packet_begin(&b);
	packet_eth(&b);
	packet_ip4(&b, "10.0.0.1", "10.0.1.1");
	h = packet_tcp(&b, 1, 2, 1000, 2000, TH_SYN, 512);
	packet_data(&b, opts, len);
	h[12] = (uint8_t)((20 + len) / 4 << 4);
	packet_end(&b);
	packet_pkt(&b, &p);
	assert_int_equal(pkt_parse(&p), PKT_OK);
	return tcp_seg_read(&p, s);
}

static void fields(void **state)
{
	struct tcp_seg s;

	(void)state;
	assert_true(read_with("", 0, &s));
	assert_int_equal(s.seq, 1000);
	assert_int_equal(s.ack, 2000);
	assert_int_equal(s.end, 1001);
	assert_int_equal(s.win, 512);
	assert_int_equal(s.index, SYN);
	assert_int_equal(s.optlen, 0);
}

/* F113, all 64 combinations against the order of the classes */
static void class_of_flags(void **state)
{
	static const uint8_t order[] = {TH_RST, TH_SYN, TH_FIN, TH_ACK};
	static const uint8_t classes[] = {RST, SYN, FIN, ACK, NONE};
	struct tcp_seg s;
	struct pkt p;
	unsigned int f, i;

	(void)state;
	for (f = 0; f < 256; f++) {
		assert_true(read_with("", 0, &s));
		b.buf[packet_at(&b, PACKET_TCP) + 13] = (uint8_t)f;
		packet_pkt(&b, &p);
		assert_int_equal(pkt_parse(&p), PKT_OK);
		assert_true(tcp_seg_read(&p, &s));
		for (i = 0; i < ARRAY_SIZE(order) && !(f & order[i]); i++)
			;
		if (classes[i] == SYN && f & TH_ACK)
			assert_int_equal(s.index, SYNACK);
		else
			assert_int_equal(s.index, classes[i]);
	}
}

/* F115, for each header length and each number of bytes on the wire */
static void header_length(void **state)
{
	uint8_t bytes[80] = {0};
	struct pkt p = {.data = bytes};
	struct tcp_seg s;
	uint32_t words, wire, cap;

	(void)state;
	for (words = 0; words < 16; words++)
		for (wire = 0; wire <= sizeof(bytes); wire++)
			for (cap = 0; cap <= wire; cap++) {
				bytes[12] = (uint8_t)(words << 4);
				p.l4len = wire;
				p.caplen = cap;
				assert_int_equal(tcp_seg_read(&p, &s),
				                 words >= 5 &&
				                         words * 4 <= wire &&
				                         cap >= 20);
				if (words < 5 || words * 4 > wire || cap < 20)
					continue;
				/* length on the wire, options if captured */
				assert_int_equal(s.end, wire - words * 4);
				assert_int_equal(
					s.optlen,
					cap >= words * 4 ? words * 4 - 20 : 0);
			}
}

#define W7 "\3\3\7"

static void offers(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t len, flags, scale;
	} cases[] = {
		{W7 "\1", 4, SIDE_WSCALE, 7},
		{"\3\3\0\1", 4, SIDE_WSCALE, 0},
		{"\3\3\16\1", 4, SIDE_WSCALE, 14},
		{"\3\3\17\1", 4, SIDE_WSCALE, 14},
		{"\3\3\377\1", 4, SIDE_WSCALE, 14},
		{"\4\2\1\1", 4, SIDE_SACK, 0},
		{"\2\4\5\264\4\2" W7 "\0\0\0", 12, SIDE_SACK | SIDE_WSCALE, 7},
		/* the last of two counts */
		{W7 "\3\3\2\1\1", 8, SIDE_WSCALE, 2},
		/* behind the end, behind a length that cannot be */
		{"\0" W7, 4, 0, 0},
		{"\10\1" W7 "\1\1\1", 8, 0, 0},
		{"\10\0" W7 "\1\1\1", 8, 0, 0},
		{"\10\11" W7 "\1\1\1", 8, 0, 0},
		/* a kind without a length, at the very end */
		{"\1\1\1\3", 4, 0, 0},
		{"\1\1\3\3", 4, 0, 0},
		/* right kind, wrong length */
		{"\3\4\7\7", 4, 0, 0},
		{"\4\3\7\1", 4, 0, 0},
		{"\3\2\1\1", 4, 0, 0},
		/* unknown ones are stepped over */
		{"\376\4xx" W7 "\1", 8, SIDE_WSCALE, 7},
	};
	struct tcp_seg s;
	uint32_t scale;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(read_with(cases[i].bytes, cases[i].len, &s));
		if (tcp_seg_offers(&s, &scale) != cases[i].flags ||
		    scale != cases[i].scale)
			fail_msg("case %u: scale %u", i, scale);
	}
}

/* what a SYN does to what is known of its side: liberality alone stays, and
 * all of it when there is no option */
static void offers_replace(void **state)
{
	struct tcp_priv t = {0};
	struct tcp_step st = {.t = &t, .dir = 1};

	(void)state;
	side_set(&t, 0, SIDE_ALL);
	side_set_scale(&t, 0, 5);
	side_set(&t, 1, SIDE_ALL);
	side_set_scale(&t, 1, 9);
	assert_true(read_with("", 0, &st.s));
	tcp_side_offers(&st);
	assert_true(side_has(&t, 1, SIDE_CLOSED));
	assert_int_equal(side_scale(&t, 1), 9);
	assert_true(read_with(W7 "\1", 4, &st.s));
	tcp_side_offers(&st);
	assert_true(side_has(&t, 1, SIDE_LIBERAL));
	assert_true(side_has(&t, 1, SIDE_WSCALE));
	assert_false(side_has(
		&t, 1, SIDE_CLOSED | SIDE_MAXACK | SIDE_SACK | SIDE_UNACKED));
	assert_int_equal(side_scale(&t, 1), 7);
	/* nothing of the other side */
	assert_int_equal(t.flags & SIDE_ALL, SIDE_ALL);
	assert_int_equal(side_scale(&t, 0), 5);
}

/* options of any bytes are read within their bounds; with the sanitizers on
 * this is what finds a step too far, for the options end where the buffer
 * does */
static void any_options(void **state)
{
	uint32_t rnd = 1, len, i, n, scale;
	uint8_t bytes[60];
	struct tcp_seg s;

	(void)state;
	for (n = 0; n < 200000; n++) {
		for (i = 0; i < sizeof(bytes); i++) {
			rnd = rnd * 1664525 + 1013904223;
			/* small numbers are kinds and lengths */
			bytes[i] = (uint8_t)(rnd >> 24) % (n & 1 ? 12 : 255);
		}
		len = 4 * (n % 11);
		bytes[12] = (uint8_t)((20 + len) / 4 << 4);
		struct pkt p = {.data = bytes + 40 - len,
		                .caplen = 20 + len,
		                .l4len = 20 + len};
		bytes[40 - len + 12] = bytes[12];
		assert_true(tcp_seg_read(&p, &s));
		assert_int_equal(s.optlen, len);
		assert_int_equal(tcp_seg_offers(&s, &scale) &
		                         ~(uint32_t)(SIDE_SACK | SIDE_WSCALE),
		                 0);
		assert_true(scale <= 14);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(class_of_flags),
		cmocka_unit_test(header_length),
		cmocka_unit_test(offers),
		cmocka_unit_test(offers_replace),
		cmocka_unit_test(any_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

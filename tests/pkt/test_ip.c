/* test_ip.c - IPv4, IPv6 and its extension headers, quoted packets
 * (F003-F011, F156). */
#include "daemon/pkt/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/packet.h"

enum { RAW = 101 };

static struct packet B, Q;

/* Parses from memory of exactly `cap` bytes, so that the sanitizer sees a read
 * beyond; what p.data points to is gone afterwards but for B's own bytes. */
static struct pkt parse_cut(const struct packet *b, uint32_t cap)
{
	uint8_t *exact = malloc(cap ? cap : 1);
	struct pkt p;

	assert_non_null(exact);
	memcpy(exact, b->buf, cap);
	memset(&p, 0xa5, sizeof(p));
	p.data = exact;
	p.caplen = cap;
	p.wirelen = b->len;
	p.linktype = RAW;
	pkt_parse(&p);
	free(exact);
	p.data = b->buf;
	return p;
}

static struct pkt parse(const struct packet *b)
{
	return parse_cut(b, b->len);
}

static void udp4(struct packet *b, uint32_t data)
{
	packet_begin(b);
	packet_ip4(b, "10.0.0.1", "10.0.1.1");
	packet_udp(b, 1000, 53);
	packet_fill(b, 'x', data);
	packet_end(b);
}

static void test_ip4_fields(void **state)
{
	struct pkt p;

	(void)state;
	udp4(&B, 12);
	B.buf[8] = 63;
	p = parse(&B);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.ttl, 63);
	assert_int_equal(p.l3len, 40);
	assert_int_equal(p.l4len, 20);
	assert_int_equal(p.frag, 0);
	assert_memory_equal(p.src.b, "\x0a\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(p.dst.b, "\x0a\0\1\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_null(pkt_l4(&p, 19, 2));
	assert_null(pkt_l4(&p, 0xffffffff, 2));
	assert_null(pkt_l4(&p, 2, 0xffffffff));
	assert_non_null(pkt_l4(&p, 19, 1));
}

/* F003: padding of the frame is no part of the packet */
static void test_ip4_padding(void **state)
{
	struct pkt p;

	(void)state;
	udp4(&B, 2);
	memset(B.buf + B.len, 0, 16);
	B.len += 16;
	p = parse(&B);
	assert_int_equal(p.l3len, 30);
	assert_int_equal(p.l4len, 10);
	assert_int_equal(pkt_l4cap(&p), 10);
	assert_null(pkt_l4(&p, 10, 1));
}

/* F011: cut by the capture, the length is still the header's */
static void test_ip4_snaplen(void **state)
{
	struct pkt p;

	(void)state;
	udp4(&B, 100);
	p = parse_cut(&B, 24);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.l3len, 128);
	assert_int_equal(p.l4len, 108);
	assert_int_equal(pkt_l4cap(&p), 4);
	assert_non_null(pkt_l4(&p, 0, 4));
	assert_null(pkt_l4(&p, 0, 5));
	p = parse_cut(&B, 20);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(pkt_l4cap(&p), 0);
}

static enum pkt_reason ip4_with(uint32_t at, uint8_t value)
{
	udp4(&B, 100);
	B.buf[at] = value;
	return parse(&B).reason;
}

static void test_ip4_lies(void **state)
{
	(void)state;
	assert_int_equal(ip4_with(0, 0x44), PKT_IP_HLEN);
	assert_int_equal(ip4_with(0, 0x40), PKT_IP_HLEN);
	assert_int_equal(ip4_with(0, 0x35), PKT_IP_VERSION);
	assert_int_equal(ip4_with(0, 0x46), PKT_OK);
	assert_int_equal(ip4_with(3, 19), PKT_IP_LEN);
	assert_int_equal(ip4_with(3, 0), PKT_IP_LEN);
	assert_int_equal(ip4_with(3, 20), PKT_OK);
	assert_int_equal(ip4_with(2, 0xff), PKT_OK);
	/* options that were not captured: F004 */
	udp4(&B, 0);
	B.buf[0] = 0x4f;
	assert_int_equal(parse(&B).reason, PKT_IP_SHORT);
}

/* header lengths from 5 to 15 words, with and without room for them */
static void test_ip4_options(void **state)
{
	(void)state;
	for (uint32_t words = 5; words <= 15; words++) {
		udp4(&B, 200);
		B.buf[0] = (uint8_t)(0x40 | words);
		for (uint32_t cap = 0; cap <= 80; cap++) {
			struct pkt p = parse_cut(&B, cap);

			assert_int_equal(p.reason, cap >= words * 4
			                                   ? PKT_OK
			                                   : PKT_IP_SHORT);
			if (p.reason == PKT_OK)
				assert_int_equal(p.l4, words * 4);
		}
	}
}

static void test_ip4_fragments(void **state)
{
	struct pkt p;

	(void)state;
	udp4(&B, 92);
	put16(B.buf + 4, 0x1234);
	put16(B.buf + 6, 0x2000);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.frag, 1);
	assert_int_equal(p.frag_off, 0);
	assert_int_equal(p.frag_more, 1);
	assert_int_equal(p.frag_id, 0x1234);
	assert_int_equal(p.l4proto, 17);
	assert_int_equal(p.l4len, 100);
	put16(B.buf + 6, 0x1fff);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.frag_off, 0x1fff * 8);
	assert_int_equal(p.frag_more, 0);
	/* "do not fragment" and the reserved bit are no fragments */
	put16(B.buf + 6, 0xc000);
	assert_int_equal(parse(&B).reason, PKT_OK);
}

/* -- IPv6 ------------------------------------------------------------------ */

static void ip6_begin(struct packet *b)
{
	packet_begin(b);
	packet_ip6(b, "2001:db8::1", "2001:db8::2");
}

static void ip6_end(struct packet *b)
{
	packet_udp(b, 1000, 53);
	packet_fill(b, 'x', 8);
	packet_end(b);
}

static const uint8_t zero[64];

static void test_ip6_plain(void **state)
{
	struct pkt p;

	(void)state;
	ip6_begin(&B);
	ip6_end(&B);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.l3len, 56);
	assert_int_equal(p.l4len, 16);
	assert_int_equal(p.l4proto, 17);
	assert_memory_equal(p.src.b, B.buf + 8, 16);
	assert_memory_equal(p.dst.b, B.buf + 24, 16);
	B.buf[7] = 9;
	assert_int_equal(parse(&B).ttl, 9);
}

/* F005: each skippable header alone, then all in a row, cut everywhere */
static void test_ip6_chain(void **state)
{
	static const uint8_t skipped[] = {0, 43, 60};
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
		ip6_begin(&B);
		packet_ext(&B, skipped[i], zero, 14);
		ip6_end(&B);
		p = parse(&B);
		assert_int_equal(p.reason, PKT_OK);
		assert_int_equal(p.l4, 56);
		assert_int_equal(p.l3len, 72);
		assert_int_equal(p.l4len, 16);
	}
	ip6_begin(&B);
	packet_ext(&B, 0, zero, 6);
	packet_ext(&B, 60, zero, 6);
	packet_ext(&B, 43, zero, 22);
	packet_ext(&B, 60, zero, 6);
	ip6_end(&B);
	/* the last header's first two bytes say all that is needed */
	for (uint32_t cap = 0; cap <= B.len; cap++) {
		p = parse_cut(&B, cap);
		assert_int_equal(p.reason, cap < 40   ? PKT_IP_SHORT
		                           : cap < 82 ? PKT_EXT_CHAIN
		                                      : PKT_OK);
		assert_true(p.l4 <= cap);
		if (cap >= 82)
			assert_int_equal(p.l4proto, 17);
	}
	assert_int_equal(p.l4, 88);
}

/* AH counts its length in words of four bytes */
static void test_ip6_auth(void **state)
{
	static const uint8_t body[22] = {0};
	struct pkt p;

	(void)state;
	ip6_begin(&B);
	packet_ext(&B, 51, body, 22);
	ip6_end(&B);
	B.buf[41] = 4; /* (4 + 2) * 4 = 24 */
	p = parse(&B);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.l4, 64);
	assert_int_equal(p.l4proto, 17);
}

/* ESP, mobility, and what nobody knows end the walk */
static void test_ip6_stops(void **state)
{
	static const uint8_t stops[] = {50, 135, 4, 41, 47, 139, 253};
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
		ip6_begin(&B);
		packet_ext(&B, 60, zero, 6);
		packet_other(&B, stops[i], zero, 16);
		packet_end(&B);
		p = parse(&B);
		assert_int_equal(p.reason, PKT_OK);
		assert_int_equal(p.l4proto, stops[i]);
		assert_int_equal(p.l4, 48);
		assert_int_equal(p.l4len, 16);
	}
}

/* F006: no next header, a header beyond the end; but an end is fine */
static void test_ip6_ends(void **state)
{
	(void)state;
	ip6_begin(&B);
	packet_other(&B, 59, zero, 8);
	packet_end(&B);
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);

	ip6_begin(&B);
	packet_ext(&B, 60, zero, 6);
	packet_end(&B);
	B.buf[40] = 17;
	assert_int_equal(parse(&B).reason, PKT_OK);
	assert_int_equal(parse(&B).l4len, 0);
	B.buf[41] = 1; /* says 16 bytes, 8 are there */
	assert_int_equal(parse(&B).reason, PKT_OK);
	assert_int_equal(parse(&B).l4proto, 17);
	assert_int_equal(parse(&B).l4len, 0);
	assert_int_equal(parse(&B).l4, B.len);
	B.buf[40] = 60; /* and then another one, which nobody finds */
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);
	B.buf[40] = 44;
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);

	ip6_begin(&B);
	ip6_end(&B);
	put16(B.buf + 4, 0);
	assert_int_equal(parse(&B).reason, PKT_OK);
	assert_int_equal(parse(&B).l3len, 40);
	B.buf[6] = 60;
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);
}

static void frag6(struct packet *b, uint16_t word, uint32_t id)
{
	uint8_t body[6];

	put16(body, word);
	put32(body + 2, id);
	packet_ext(b, 44, body, 6);
}

/* F008: lengths are counted without the fragment header */
static void test_ip6_fragment(void **state)
{
	struct pkt p;

	(void)state;
	ip6_begin(&B);
	packet_ext(&B, 60, zero, 6);
	frag6(&B, 0x0009, 0xdeadbeef);
	ip6_end(&B);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.frag, 1);
	assert_int_equal(p.frag_off, 8);
	assert_int_equal(p.frag_more, 1);
	assert_int_equal(p.frag_id, 0xdeadbeef);
	assert_int_equal(p.l4proto, 17);
	assert_int_equal(p.l4, 56);
	assert_int_equal(p.l4len, 16);
	assert_int_equal(p.l3len, 40 + 8 + 16);
	/* cut inside the fragment header */
	assert_int_equal(parse_cut(&B, 55).reason, PKT_IP_SHORT);
	assert_int_equal(parse_cut(&B, 56).reason, PKT_FRAGMENT);
	/* without a payload length there are no fragments */
	put16(B.buf + 4, 0);
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);
}

static void test_ip6_atomic(void **state)
{
	struct pkt p;

	(void)state;
	ip6_begin(&B);
	frag6(&B, 0x0006, 1); /* reserved bits mean nothing */
	packet_ext(&B, 60, zero, 6);
	ip6_end(&B);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.frag, 1);
	assert_int_equal(p.frag_off, 0);
	assert_int_equal(p.frag_more, 0);
	assert_int_equal(p.l3len, 40 + 8 + 16);
	assert_int_equal(p.l4proto, 60);
	assert_int_equal(p.l4, 48);
	assert_int_equal(p.l4len, 24);
}

/* RFC 2675 */
static void test_ip6_jumbo(void **state)
{
	uint8_t body[6] = {0xc2, 4};
	struct pkt p;

	(void)state;
	put32(body + 2, 70008);
	ip6_begin(&B);
	packet_ext(&B, 0, body, 6);
	ip6_end(&B);
	put16(B.buf + 4, 0);
	p = parse(&B);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.l3len, 70048);
	assert_int_equal(p.l4len, 70000);
	put32(B.buf + 44, 65535);
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);
	put32(B.buf + 44, 0xffffffff);
	assert_int_equal(parse(&B).reason, PKT_EXT_CHAIN);
}

/* -- quoted packets -------------------------------------------------------- */

/* an ICMP error about Q, with l4len bytes of its layer 4 */
static struct pkt error_about(bool v6, uint32_t l4len)
{
	packet_begin(&B);
	if (v6)
		packet_ip6(&B, "2001:db8::9", "2001:db8::1");
	else
		packet_ip4(&B, "10.9.9.9", "10.0.0.1");
	packet_icmp(&B, v6 ? 1 : 3, 1, 0);
	packet_quote(&B, &Q, l4len);
	packet_end(&B);
	return parse(&B);
}

static void test_inner_ip4(void **state)
{
	struct pkt p, in;

	(void)state;
	udp4(&Q, 100);
	p = error_about(false, 8);
	assert_true(pkt_inner(&p, 8, &in));
	assert_int_equal(in.reason, PKT_OK);
	assert_int_equal(in.l3, 28);
	assert_int_equal(in.l4, 48);
	assert_int_equal(in.l3len, 128);
	assert_int_equal(in.l4len, 108);
	assert_int_equal(in.l4proto, 17);
	assert_memory_equal(in.src.b, "\x0a\0\0\1", 4);
	assert_memory_equal(in.dst.b, "\x0a\0\1\1", 4);
	assert_int_equal(get16(pkt_l4(&in, 0, 2)), 1000);
	assert_null(pkt_l4(&in, 8, 1));
	assert_int_equal(in.src.w[1] | in.src.w[2] | in.src.w[3], 0);
	/* the frame's padding is no quotation */
	memset(B.buf + B.len, 0, 4);
	p.caplen += 4;
	assert_true(pkt_inner(&p, 8, &in));
	assert_null(pkt_l4(&in, 8, 1));
}

/* F156: a wrong length in the quote hides nothing */
static void test_inner_length(void **state)
{
	struct pkt p, in;

	(void)state;
	udp4(&Q, 100);
	put16(Q.buf + 2, 0);
	p = error_about(false, 8);
	assert_true(pkt_inner(&p, 8, &in));
	assert_int_equal(in.l4len, 8);
	assert_non_null(pkt_l4(&in, 0, 4));
	udp4(&Q, 100);
	p = error_about(false, 2);
	assert_true(pkt_inner(&p, 8, &in));
	assert_null(pkt_l4(&in, 0, 4));
	assert_non_null(pkt_l4(&in, 0, 2));
}

static void test_inner_refused(void **state)
{
	struct pkt p, in;

	(void)state;
	udp4(&Q, 100);
	p = error_about(false, 8);
	assert_false(pkt_inner(&p, 1000, &in));
	assert_false(pkt_inner(&p, p.l4len, &in));
	/* F156: neither version nor least header length is looked at */
	B.buf[28] = 0x64;
	assert_true(pkt_inner(&p, 8, &in));
	B.buf[28] = 0x4f;
	assert_false(pkt_inner(&p, 8, &in));
	B.buf[28] = 0x45;
	put16(B.buf + 34, 0x2000); /* a first fragment has its layer 4 */
	assert_true(pkt_inner(&p, 8, &in));
	assert_int_equal(in.frag, 1);
	put16(B.buf + 34, 0x0001); /* a later one has not */
	assert_false(pkt_inner(&p, 8, &in));
	put16(B.buf + 34, 0);
	for (uint32_t cap = 28; cap < 48; cap++) {
		p = parse_cut(&B, cap);
		p.caplen = cap;
		assert_false(pkt_inner(&p, 8, &in));
	}
}

static void test_inner_ip6(void **state)
{
	struct pkt p, in;

	(void)state;
	ip6_begin(&Q);
	packet_ext(&Q, 60, zero, 6);
	ip6_end(&Q);
	p = error_about(true, 24);
	assert_true(pkt_inner(&p, 8, &in));
	assert_int_equal(in.l4proto, 17);
	assert_int_equal(in.l4, 40 + 8 + 48);
	assert_int_equal(get16(pkt_l4(&in, 2, 2)), 53);
	assert_memory_equal(in.src.b, Q.buf + 8, 16);
	/* an offset in the quote's fragment header: no layer 4 */
	ip6_begin(&Q);
	frag6(&Q, 1, 7);
	ip6_end(&Q);
	p = error_about(true, 24);
	assert_true(pkt_inner(&p, 8, &in));
	assert_int_equal(in.frag, 1);
	assert_int_equal(get16(pkt_l4(&in, 2, 2)), 53);
	put16(B.buf + 40 + 8 + 40 + 2, 0x0011);
	assert_false(pkt_inner(&p, 8, &in));
	/* quoted short of its own header */
	p.caplen = 40 + 8 + 39;
	assert_false(pkt_inner(&p, 8, &in));
}

/* Bytes changed at random, memory of the exact size: bounds hold and so do the
 * promises about offsets. */
static void test_noise(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		struct pkt p, in;
		uint32_t cap;

		if (i & 1) {
			udp4(&Q, 24);
			error_about(false, 28);
		} else {
			ip6_begin(&Q);
			frag6(&Q, 0, 1);
			packet_ext(&Q, 43, zero, 6);
			ip6_end(&Q);
			error_about(true, 32);
		}
		for (int k = 0; k < 4; k++) {
			seed = seed * 1664525 + 1013904223;
			B.buf[(seed >> 16) % B.len] = (uint8_t)(seed >> 8);
		}
		cap = (seed >> 4) % (B.len + 1);
		p = parse_cut(&B, cap);
		if (p.reason > PKT_FRAGMENT)
			continue;
		assert_true(p.l4 <= cap);
		assert_true(p.l4len <= p.l3len);
		p.caplen = cap;
		if (pkt_inner(&p, 8, &in)) {
			assert_true(in.caplen <= cap);
			assert_true(in.l4 <= in.caplen);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip4_fields),
		cmocka_unit_test(test_ip4_padding),
		cmocka_unit_test(test_ip4_snaplen),
		cmocka_unit_test(test_ip4_lies),
		cmocka_unit_test(test_ip4_options),
		cmocka_unit_test(test_ip4_fragments),
		cmocka_unit_test(test_ip6_plain),
		cmocka_unit_test(test_ip6_chain),
		cmocka_unit_test(test_ip6_auth),
		cmocka_unit_test(test_ip6_stops),
		cmocka_unit_test(test_ip6_ends),
		cmocka_unit_test(test_ip6_fragment),
		cmocka_unit_test(test_ip6_atomic),
		cmocka_unit_test(test_ip6_jumbo),
		cmocka_unit_test(test_inner_ip4),
		cmocka_unit_test(test_inner_length),
		cmocka_unit_test(test_inner_refused),
		cmocka_unit_test(test_inner_ip6),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

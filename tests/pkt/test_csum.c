/* test_csum.c - checksums of every protocol, length and alignment. */
#include "daemon/pkt/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/packet.h"

static struct packet B;

/* packet_end() computes the sums by a code of its own */
static void build(bool v6, uint8_t proto, uint32_t data)
{
	packet_begin(&B);
	if (v6)
		packet_ip6(&B, "2001:db8::1", "fe80::ffff");
	else
		packet_ip4(&B, "10.255.0.1", "192.168.255.254");
	if (proto == 6)
		packet_tcp(&B, 1000, 80, 0xfffffff0, 5, 0x10, 0xffff);
	else if (proto == 17)
		packet_udp(&B, 1000, 53);
	else
		packet_icmp(&B, 8, 0, 0xffff0001);
	for (uint32_t i = 0; i < data; i++)
		*packet_fill(&B, 0, 1) = (uint8_t)(i * 37 + 0xe0);
	packet_end(&B);
}

static uint16_t sum(uint32_t shift, uint8_t proto, bool *known)
{
	static uint8_t moved[4096];
	struct pkt p = {.data = moved + shift, .linktype = 101};

	memcpy(moved + shift, B.buf, B.len);
	p.caplen = p.wirelen = B.len;
	assert_int_equal(pkt_parse(&p), PKT_OK);
	return pkt_l4_checksum(&p, proto, known);
}

/* right at each length; one changed bit anywhere is seen */
static void test_right_and_wrong(void **state)
{
	static const uint8_t protos[][2] = {{6, 6}, {17, 17}, {1, 58}};
	bool known;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
			for (uint32_t len = 0; len < 140; len++) {
				uint8_t proto = protos[i][v6];
				uint32_t at;

				build(v6, proto, len);
				assert_int_equal(sum(len & 7, proto, &known),
				                 0);
				assert_true(known);
				at = v6 ? 40 : 20;
				at += len * 7 % (B.len - at);
				B.buf[at] ^= (uint8_t)(1u << (len & 7));
				assert_int_not_equal(
					sum(len & 7, proto, &known), 0);
			}
}

/* words that all carry, and many of them */
static void test_long(void **state)
{
	bool known;

	(void)state;
	for (uint32_t len = 1300; len < 1400; len++) {
		build(len & 1, 6, len);
		assert_int_equal(sum(len & 7, 6, &known), 0);
		B.buf[B.len - 1 - len * 13 % 1200] ^= 4;
		assert_int_not_equal(sum(len & 7, 6, &known), 0);
		packet_begin(&B);
		packet_ip4(&B, "255.255.255.255", "255.255.255.255");
		packet_udp(&B, 0xffff, 0xffff);
		packet_fill(&B, 0xff, len);
		packet_end(&B);
		assert_int_equal(sum(len & 7, 17, &known), 0);
		B.buf[B.len - 1 - len * 7 % 1200] ^= 0x80;
		assert_int_not_equal(sum(len & 7, 17, &known), 0);
	}
}

static void test_pseudo_header(void **state)
{
	bool known;

	(void)state;
	build(false, 17, 20);
	B.buf[13] ^= 1;
	assert_int_not_equal(sum(0, 17, &known), 0);
	build(false, 17, 20);
	assert_int_not_equal(sum(0, 6, &known), 0);
	build(false, 1, 20); /* ICMP has none */
	B.buf[13] ^= 1;
	assert_int_equal(sum(0, 1, &known), 0);
	build(true, 58, 20); /* ICMPv6 has */
	B.buf[13] ^= 1;
	assert_int_not_equal(sum(0, 58, &known), 0);
}

/* F010: what was not captured cannot be judged, nor can a fragment */
static void test_unknown(void **state)
{
	struct pkt p = {.data = B.buf, .linktype = 101};
	bool known = true;

	(void)state;
	build(false, 6, 100);
	p.wirelen = B.len;
	p.caplen = B.len - 1;
	assert_int_equal(pkt_parse(&p), PKT_OK);
	(void)pkt_l4_checksum(&p, 6, &known);
	assert_false(known);
	p.caplen = B.len;
	put16(B.buf + 6, 0x2000);
	assert_int_equal(pkt_parse(&p), PKT_FRAGMENT);
	known = true;
	(void)pkt_l4_checksum(&p, 6, &known);
	assert_false(known);
}

/* UDP-Lite: the sum covers a part, the pseudo header tells the whole */
static void test_part(void **state)
{
	struct pkt p = {.data = B.buf, .linktype = 101};
	bool known;

	(void)state;
	packet_begin(&B);
	packet_ip4(&B, "10.0.0.1", "10.0.0.2");
	packet_udplite(&B, 7, 8, 12);
	packet_fill(&B, 'x', 40);
	packet_end(&B);
	p.caplen = p.wirelen = B.len;
	assert_int_equal(pkt_parse(&p), PKT_OK);
	assert_int_equal(pkt_l4_checksum_part(&p, 136, 12, &known), 0);
	assert_true(known);
	B.buf[20 + 12] ^= 1; /* not covered */
	assert_int_equal(pkt_l4_checksum_part(&p, 136, 12, &known), 0);
	B.buf[20 + 11] ^= 1; /* covered */
	assert_int_not_equal(pkt_l4_checksum_part(&p, 136, 12, &known), 0);
	(void)pkt_l4_checksum_part(&p, 136, 49, &known);
	assert_false(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_and_wrong),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_pseudo_header),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_pkt.c - reasons and the names that statistics give them. */
#include "daemon/pkt/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/packet.h"

static struct packet B;

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(pkt_reason_name(PKT_OK), "ok");
	assert_string_equal(pkt_reason_name(PKT_EXT_CHAIN), "ext_chain");
	assert_string_equal(pkt_reason_name(PKT_TUNNEL), "tunnel");
	assert_string_equal(pkt_reason_name(PKT_NREASONS), "unknown");
	assert_string_equal(pkt_reason_name((enum pkt_reason) - 1), "unknown");
	for (int i = 0; i < PKT_NREASONS; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
				pkt_reason_name((enum pkt_reason)i),
				pkt_reason_name((enum pkt_reason)k));
}

/* What the source has set stays, everything else is set anew: a packet parsed
 * in the place of another has nothing of it. */
static void test_second_half(void **state)
{
	struct pkt p, q;

	(void)state;
	packet_begin(&B);
	packet_eth(&B);
	packet_ip6(&B, "2001:db8::1", "2001:db8::2");
	packet_udp(&B, 1, 2);
	packet_end(&B);
	memset(&p, 0xff, sizeof(p));
	packet_pkt(&B, &p);
	p.ts_ns = 7;
	p.frame = 8;
	p.iface = 3;
	p.source = 4;
	assert_int_equal(pkt_parse(&p), PKT_OK);

	packet_begin(&B);
	packet_eth(&B);
	packet_ip4(&B, "10.0.0.1", "10.0.0.2");
	packet_tcp(&B, 1, 2, 3, 4, 2, 5);
	packet_end(&B);
	q = p;
	q.data = B.buf;
	q.caplen = q.wirelen = B.len;
	assert_int_equal(pkt_parse(&q), PKT_OK);
	assert_int_equal(q.ts_ns, 7);
	assert_int_equal(q.frame, 8);
	assert_int_equal(q.iface, 3);
	assert_int_equal(q.source, 4);
	assert_int_equal(q.l3proto, 4);
	assert_int_equal(q.src.d[1] | q.dst.d[1], 0);
	assert_int_equal(q.vlan | q.zone | q.frag | q.frag_more, 0);
	assert_int_equal(q.frag_off | q.frag_id, 0);

	q.caplen = 13;
	assert_int_equal(pkt_parse(&q), PKT_LINK_SHORT);
	assert_int_equal(q.l3proto | q.l4proto | q.l3 | q.l4, 0);
	assert_int_equal(q.src.w[0], 0);
}

/* A plain frame is the same by the short way and by the long one, whatever is
 * changed in its headers and wherever it is cut. */
static void test_plain(void **state)
{
	uint32_t noise = 1, i, len, plain = 0;
	struct pkt p, q;

	(void)state;
	for (i = 0; i < 200000; i++) {
		packet_begin(&B);
		packet_eth(&B);
		if (i & 1)
			packet_ip6(&B, "2001:db8::1", "2001:db8::2");
		else
			packet_ip4(&B, "10.0.0.1", "10.0.0.2");
		if (i & 2)
			packet_udp(&B, 1, 2);
		else
			packet_tcp(&B, 1, 2, 3, 4, 2, 5);
		packet_fill(&B, 'x', i % 5);
		packet_end(&B);
		noise = noise * 1103515245 + 12345;
		len = B.len < 60 ? B.len : 60;
		if (noise >> 28 & 3)
			B.buf[12 + (noise >> 16) % (len - 12)] ^=
				(uint8_t)(1u << (noise >> 8 & 7));
		memset(&p, 0xff, sizeof(p));
		packet_pkt(&B, &p);
		if (!(noise >> 30))
			p.caplen = (noise >> 12) % (B.len + 1);
		p.ts_ns = p.frame = i;
		q = p;
		if (!pkt_plain(&p)) {
			assert_memory_equal(&p, &q, sizeof(p));
			continue;
		}
		plain++;
		assert_int_equal(pkt_parse_any(&q), PKT_OK);
		assert_memory_equal(&p, &q, sizeof(p));
	}
	assert_in_range(plain, 100000, 190000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_second_half),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

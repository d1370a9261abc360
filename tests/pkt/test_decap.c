/*
 * test_decap.c - every tunnel: what is inside is found, cut at every byte, in
 * each other, too deep, and with headers that lie or go round in circles.
 */
#include "daemon/pkt/decap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/pkt/tunnel.h"

/* Parses `len` bytes of B from memory of just that size. */
static struct pkt parse(const struct decap *d, uint32_t len, uint16_t linktype)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum pkt_reason r;
	struct pkt p;

	assert_non_null(exact);
	memcpy(exact, B.buf, len);
	memset(&p, 0xa5, sizeof(p));
	p.data = exact;
	p.caplen = len;
	p.wirelen = B.len;
	p.linktype = linktype;
	(void)pkt_parse(&p);
	r = pkt_decap(&p, d);
	assert_int_equal(r, p.reason);
	assert_true(p.caplen <= len && p.depth <= d->depth);
	if (r == PKT_OK || r == PKT_FRAGMENT) {
		assert_true(p.l3 < p.l4 && p.l4 <= p.caplen);
		assert_true(pkt_l4cap(&p) <= p.l4len && p.l4len <= p.l3len);
	}
	p.data = B.buf + (p.data - exact);
	free(exact);
	return p;
}

/* is `p` the conversation's packet? */
static void check_inner(const struct pkt *p, bool v6, const char *what)
{
	uint32_t at = packet_at(&B, PACKET_UDP);
	const uint8_t *ip = p->data + p->l3;

	if (p->reason != PKT_OK)
		fail_msg("%s: %s", what,
		         pkt_reason_name((enum pkt_reason)p->reason));
	assert_int_equal(p->l3proto, v6 ? 6 : 4);
	assert_int_equal(p->l4proto, 17);
	assert_ptr_equal(p->data + p->l4, B.buf + at);
	assert_ptr_equal(ip, B.buf + at - (v6 ? 40 : 20));
	assert_int_equal(p->l4len, 20);
	assert_int_equal(p->l3len, v6 ? 60 : 40);
	assert_int_equal(p->ttl, 64);
	assert_int_equal(p->frag, 0);
	assert_memory_equal(p->src.b, ip + (v6 ? 8 : 12), v6 ? 16 : 4);
	assert_memory_equal(p->dst.b, ip + (v6 ? 24 : 16), v6 ? 16 : 4);
	if (!v6)
		assert_true(!p->src.w[1] && !p->src.d[1] && !p->dst.w[1] &&
		            !p->dst.d[1]);
}

/* ---- tests ---- */

static void test_each(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(tunnels); i++) {
		const struct tunnel *t = &tunnels[i / 4];
		bool outer6 = i & 1, v6 = inside_v6(t, i & 2);
		struct decap d = decap_of(on_of(t, outer6), 8);
		struct pkt p, q;

		build(t, v6, outer6);
		p = parse(&d, B.len, 1);
		check_inner(&p, v6, t->what);
		/* GRE and MPLS are two */
		assert_int_equal(p.depth, __builtin_popcount(on_of(t, outer6)));
		assert_int_equal(p.vni, t->vni);
		assert_int_equal(p.vlan, t->vlan);
		/* without its bits, with all the others: as pkt_parse() */
		d = decap_of(ALL & ~d.on, 8);
		if (t->port)
			p = parse(&d, B.len, 1);
		else {
			d.on &= ~(ON(GRE) | ON(NVGRE) | ON(ERSPAN));
			p = parse(&d, B.len, 1);
		}
		d.on = 0;
		q = parse(&d, B.len, 1);
		assert_int_equal(p.reason, q.reason);
		assert_int_equal(p.l4, q.l4);
		assert_int_equal(q.depth, 0);
		assert_int_equal(q.reason, t->link ? PKT_NOT_IP : PKT_OK);
	}
}

static bool reason_of_cut(enum pkt_reason r)
{
	return r == PKT_LINK_SHORT || r == PKT_IP_SHORT ||
	       r == PKT_TUNNEL_SHORT;
}

/* A frame that ends early is nobody's, or it is the inner one's. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(tunnels); i++) {
		const struct tunnel *t = &tunnels[i / 4];
		struct decap d = decap_of(ALL, 8);
		bool outer6 = i & 1;
		uint32_t inner, l4;

		build(t, i & 2, outer6);
		l4 = packet_at(&B, PACKET_UDP);
		inner = l4 - (inside_v6(t, i & 2) ? 40 : 20);
		for (uint32_t len = 0; len < B.len; len++) {
			struct pkt p = parse(&d, len, 1);

			if (len >= l4) {
				check_inner(&p, inside_v6(t, i & 2), t->what);
				continue;
			}
			/* UDP without ports may be any */
			if (p.reason == PKT_OK && p.l4proto == 17 &&
			    p.depth == 0 && t->port &&
			    len < 14 + (outer6 ? 40u : 20u) + 4)
				continue;
			/* an MPLS payload may look like something else */
			if (t->on & ON(MPLS) && t->inside == FRAME &&
			    len < inner)
				continue;
			if (!reason_of_cut((enum pkt_reason)p.reason))
				fail_msg("%s cut at %u: %s", t->what, len,
				         pkt_reason_name(
						 (enum pkt_reason)p.reason));
		}
	}
}

/* Any tunnel in any in any, both families, tags between. */
static void test_nested(void **state)
{
	struct decap d = decap_of(ALL, 16);
	unsigned int built = 0;

	(void)state;
	while (built < 20000) {
		bool in_ip = false, v6 = rnd() & 1, forced = false, want6 = 0;
		unsigned int n = 0, i, tunnels_in = 0;
		uint32_t vni = 0;

		begin();
		for (i = 0; i < 12 && n < 3; i++) {
			const struct tunnel *t =
				&tunnels[rnd() % ARRAY_SIZE(tunnels)];
			bool outer6 = forced ? want6 : rnd() & 1;

			if (t->link && (in_ip || forced))
				continue;
			if (!in_ip && !t->link && rnd() % 4 == 0)
				packet_vlan(&B, (uint16_t)(rnd() & 0xfff));
			wrap(t, outer6, in_ip);
			tunnels_in += (unsigned int)__builtin_popcount(t->on);
			vni = t->vni ? t->vni : vni;
			in_ip = t->inside != FRAME;
			forced = t->only;
			want6 = t->inside == IP6;
			n++;
		}
		if (n < 3)
			continue;
		v6 = forced ? want6 : v6;
		conversation(v6);
		end();
		built++;
		struct pkt p = parse(&d, B.len, 1);

		check_inner(&p, v6, "nested");
		assert_int_equal(p.depth, tunnels_in);
		assert_int_equal(p.vni, vni);
		parse(&d, rnd() % B.len, 1);
	}
}

static void test_depth(void **state)
{
	(void)state;
	for (uint8_t depth = 1; depth <= DECAP_DEPTH_MAX; depth++)
		for (unsigned int n = 0; n <= DECAP_DEPTH_MAX + 1; n++) {
			struct decap d = decap_of(ALL, depth);
			struct pkt p;

			packet_begin(&B);
			packet_eth(&B);
			/* fewer layers than PACKET_LAYERS: bytes instead */
			for (unsigned int i = 0; i < n; i++) {
				uint8_t *h = packet_data(
					&B,
					"\x45\0\0\0\0\0\0\0\x40\4\0\0"
					"\xc0\0\2\1\xc0\0\2\2",
					20);

				put16(h + 2, (uint16_t)(20 * (n - i) + 40));
			}
			packet_ip4(&B, "10.0.0.1", "10.0.1.1");
			packet_udp(&B, 1000, 53);
			packet_fill(&B, 'x', 12);
			packet_end(&B);
			p = parse(&d, B.len, 1);
			if (n <= depth)
				check_inner(&p, false, "IP in IP");
			else
				assert_int_equal(p.reason, PKT_TUNNEL_DEEP);
			assert_int_equal(p.depth, n < depth ? n : depth);
		}
}

struct broken {
	const char *what;
	enum pkt_reason reason;
	uint16_t port; /* UDP; 0: GRE; 1: in the frame */
	uint16_t type;
	uint32_t len;
	const char *head;
};

/* 64 bytes of zeros follow each */
static const struct broken broken[] = {
	{"VXLAN without its bit", PKT_TUNNEL, 4789, 0, 8, "\0\0\0\0\0\0\1\0"},
	{"VXLAN-GPE, unknown", PKT_TUNNEL_TYPE, 4789, 0, 8,
         "\x0c\0\0\4\0\0\1\0"},
	{"VXLAN-GPE, 0", PKT_TUNNEL_TYPE, 4789, 0, 8, "\x0c\0\0\0\0\0\1\0"},
	{"VXLAN-GPE, 255", PKT_TUNNEL_TYPE, 4789, 0, 8, "\x0c\0\0\xff\0\0\1\0"},
	{"VXLAN, no IP", PKT_NOT_IP, 4789, 0, 8, "\x08\0\0\0\0\0\1\0"},
	{"GENEVE of version 1", PKT_TUNNEL, 6081, 0, 8, "\x40\0\x65\x58\0\0\0"},
	{"GENEVE, options too long", PKT_TUNNEL_SHORT, 6081, 0, 8,
         "\x3f\0\x65\x58\0\0\0\0"},
	{"GENEVE, type 0", PKT_NOT_IP, 6081, 0, 8, "\0\0\0\0\0\0\0\0"},
	{"TZSP of version 2", PKT_OK, 37008, 0, 5, "\2\0\0\1\1"},
	{"TZSP of an unknown type", PKT_OK, 37008, 0, 5, "\1\6\0\1\1"},
	{"TZSP, keep alive", PKT_TUNNEL_EMPTY, 37008, 0, 5, "\1\4\0\1\1"},
	{"TZSP, 802.11", PKT_TUNNEL_TYPE, 37008, 0, 5, "\1\0\0\x12\1"},
	{"TZSP without an end", PKT_TUNNEL, 37008, 0, 4, "\1\0\0\1"},
	{"TZSP, field too long", PKT_TUNNEL_SHORT, 37008, 0, 6,
         "\1\0\0\1\x0a\xff"},
	{"GTP of version 2", PKT_TUNNEL, 2152, 0, 8, "\x48\1\0\4\0\0\0\0"},
	{"GTP'", PKT_TUNNEL, 2152, 0, 8, "\x2e\1\0\4\0\0\0\0"},
	{"GTP, echo", PKT_TUNNEL_EMPTY, 2152, 0, 8, "\x32\1\0\4\0\0\0\0"},
	{"GTP, end marker", PKT_TUNNEL_EMPTY, 2152, 0, 8, "\x30\xfe\0\0\0\0\0"},
	{"GTP, empty", PKT_TUNNEL_SHORT, 2152, 0, 8, "\x30\xff\0\0\0\0\0\0"},
	{"GTP, no IP", PKT_TUNNEL_TYPE, 2152, 0, 8, "\x30\xff\0\x20\0\0\0\0"},
	{"GTP, shorter than its options", PKT_TUNNEL_SHORT, 2152, 0, 8,
         "\x37\xff\0\3\0\0\0\0"},
	{"GTP, extension of no length", PKT_TUNNEL, 2152, 0, 13,
         "\x34\xff\0\x20\0\0\0\0\0\0\0\x85\0"},
	{"GTP, extension too long", PKT_TUNNEL_SHORT, 2152, 0, 13,
         "\x34\xff\0\x20\0\0\0\0\0\0\0\x85\x40"},
	{"GRE, routes", PKT_TUNNEL, 0, 0x4000, 2, "\x08\0"},
	{"GRE, keep alive", PKT_NOT_IP, 0, 0, 2, "\0\0"},
	{"GRE of version 1", PKT_OK, 0, 0x2001, 2, "\x88\x0b"},
	{"GRE of version 7", PKT_OK, 0, 7, 2, "\x08\0"},
	{"ERSPAN of version 2 in II's type", PKT_TUNNEL, 0, 0x1000, 7,
         "\x88\xbe\0\0\0\0\x20"},
	{"ERSPAN of version 1 in III's type", PKT_TUNNEL, 0, 0x1000, 7,
         "\x22\xeb\0\0\0\0\x10"},
	{"ERSPAN III of an unknown kind", PKT_TUNNEL_TYPE, 0, 0x1000, 18,
         "\x22\xeb\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\x04\0"},
	{"MPLS without a bottom", PKT_TUNNEL, 1, 0x8847, 1, "\1"},
	{"MPLS, channel", PKT_TUNNEL_EMPTY, 1, 0x8847, 5, "\0\1\1\x40\x10"},
	{"PPPoE, version", PKT_TUNNEL, 1, 0x8864, 8, "\x12\0\0\1\0\6\0\x21"},
	{"PPPoE, code", PKT_TUNNEL, 1, 0x8864, 8, "\x11\7\0\1\0\6\0\x21"},
	{"PPPoE, no length", PKT_TUNNEL, 1, 0x8864, 8, "\x11\0\0\1\0\0\0\x21"},
	{"PPPoE, half a type", PKT_TUNNEL_SHORT, 1, 0x8864, 8,
         "\x11\0\0\1\0\1\0\x21"},
	{"PPPoE, IP too short", PKT_IP_SHORT, 1, 0x8864, 9,
         "\x11\0\0\1\0\6\0\x21\x45"},
	{"PPPoE, LCP", PKT_TUNNEL_EMPTY, 1, 0x8864, 8,
         "\x11\0\0\1\0\6\xc0\x21"},
	{"PPPoE, IPX", PKT_TUNNEL_TYPE, 1, 0x8864, 8, "\x11\0\0\1\0\6\0\x2b"},
};

static void test_broken(void **state)
{
	struct decap d = decap_of(ALL, 8);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(broken); i++) {
		const struct broken *t = &broken[i];
		struct pkt p;

		begin();
		if (t->port != 1)
			packet_ip4(&B, "192.0.2.1", "192.0.2.2");
		else
			fix(12, t->type);
		if (t->port > 1)
			packet_udp(&B, 50000, t->port);
		else if (!t->port)
			put16(packet_gre(&B, t->type) + 2, get16(t->head));
		if (t->port)
			packet_data(&B, t->head, t->len);
		else
			packet_data(&B, t->head + 2, t->len - 2);
		packet_fill(&B, 0, 64);
		end();
		p = parse(&d, B.len, 1);
		if (p.reason != t->reason)
			fail_msg("%s: %s", t->what,
			         pkt_reason_name((enum pkt_reason)p.reason));
		if (t->reason == PKT_OK)
			assert_int_equal(p.depth, 0);
		for (uint32_t len = 0; len < B.len; len++)
			parse(&d, len, 1);
	}
}

/* headers that go on for ever */
static void test_circles(void **state)
{
	struct decap d = decap_of(ALL, 8);
	struct pkt p;

	(void)state;
	begin();
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, 1, 2152);
	packet_data(&B, "\x34\xff\xff\xff\0\0\0\1\0\0\0\x85", 12);
	for (unsigned int i = 0; i < 5000; i++)
		packet_data(&B, "\1\0\0\x85", 4);
	end();
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_TUNNEL);
	/* VXLAN in VXLAN */
	begin();
	for (unsigned int i = 0; i < 4; i++) {
		packet_ip4(&B, "192.0.2.1", "192.0.2.2");
		packet_udp(&B, 1, 4789);
		packet_data(&B, "\x08\0\0\0\0\0\1\0", 8);
		packet_eth(&B);
	}
	packet_ip4(&B, "10.0.0.1", "10.0.1.1");
	packet_udp(&B, 1000, 53);
	packet_fill(&B, 'x', 12);
	end();
	p = parse(&d, B.len, 1);
	check_inner(&p, false, "VXLAN in VXLAN");
	d.depth = 3;
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_TUNNEL_DEEP);
	/* tags without end inside a tunnel */
	begin();
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, 1, 4789);
	packet_data(&B, "\x08\0\0\0\0\0\1\0", 8);
	packet_data(&B, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	for (unsigned int i = 0; i < 100; i++)
		packet_data(&B, "\x81\0\0\1", 4);
	end();
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_TUNNEL);
}

/* What stands behind the carrier is not the inner packet's, whatever that
 * says of its length. */
static void test_padding(void **state)
{
	struct decap d = decap_of(ALL, 8);
	uint32_t len;
	struct pkt p;
	bool known;

	(void)state;
	begin();
	wrap(&tunnels[0], false, false);
	conversation(false);
	end();
	put16(B.buf + packet_at(&B, PACKET_IP4) + 2, 200);
	len = B.len;
	packet_fill(&B, 'p', 300);
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.data - B.buf + p.caplen, len);
	assert_int_equal(p.l3len, 200);
	assert_null(pkt_l4(&p, 20, 1));
	assert_int_equal(pkt_l4cap(&p), 20);
	pkt_l4_checksum(&p, 17, &known);
	assert_false(known);
}

/* F007: a fragment inside is one, with its own numbers; one outside is left
 * alone; what was put together begins with IP */
static void test_fragments(void **state)
{
	struct decap d = decap_of(ALL, 8);
	struct pkt p;
	uint8_t *h;

	(void)state;
	begin();
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, 1, 4789);
	packet_data(&B, "\x08\0\0\0\0\0\1\0", 8);
	packet_eth(&B);
	h = packet_ip4(&B, "10.0.0.1", "10.0.1.1");
	packet_other(&B, 17, "12345678", 8);
	end();
	put16(h + 4, 77);
	put16(h + 6, 0x2002);
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.frag_off, 16);
	assert_int_equal(p.frag_id, 77);
	assert_int_equal(p.depth, 1);
	assert_memory_equal(p.src.b, "\x0a\0\0\1", 4);
	put16(h + 6, 0);
	put16(B.buf + 14 + 6, 0x2000);
	p = parse(&d, B.len, 1);
	assert_int_equal(p.reason, PKT_FRAGMENT);
	assert_int_equal(p.depth, 0);
	assert_memory_equal(p.src.b, "\xc0\0\2\1", 4);
	put16(B.buf + 14 + 6, 0);
	memmove(B.buf, B.buf + 14, B.len - 14);
	p = parse(&d, B.len - 14, 101);
	assert_int_equal(p.reason, PKT_OK);
	assert_int_equal(p.depth, 1);
}

static void test_vlans(void **state)
{
	struct decap d = decap_of(ALL, 8);
	struct pkt p;

	(void)state;
	/* of the innermost frame; the carrier's are forgotten */
	begin();
	packet_vlan(&B, 1);
	packet_vlan(&B, 2);
	wrap(&tunnels[12], false, false);
	packet_vlan(&B, 3);
	packet_vlan(&B, 4);
	packet_vlan(&B, 5);
	conversation(false);
	end();
	p = parse(&d, B.len, 1);
	check_inner(&p, false, "tags");
	assert_int_equal(p.qinq, 3);
	assert_int_equal(p.vlan, 5);
	/* IP in IP has no frame of its own */
	begin();
	packet_vlan(&B, 1);
	packet_vlan(&B, 2);
	wrap(&tunnels[0], false, false);
	conversation(false);
	end();
	p = parse(&d, B.len, 1);
	assert_int_equal(p.qinq, 1);
	assert_int_equal(p.vlan, 2);
	/* a tag wins over what the mirror tells */
	begin();
	wrap(&tunnels[8], false, false);
	packet_vlan(&B, 9);
	conversation(false);
	end();
	p = parse(&d, B.len, 1);
	assert_int_equal(p.qinq, 9);
	assert_int_equal(p.vlan, 9);
}

/* bytes turned over anywhere: still within bounds, and soon at an end */
static void test_noise(void **state)
{
	struct decap d = decap_of(ALL, 8);

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		build(&tunnels[rnd() % ARRAY_SIZE(tunnels)], rnd() & 1,
		      rnd() & 1);
		for (unsigned int k = rnd() % 4 + 1; k; k--)
			B.buf[12 + rnd() % (B.len - 12)] = (uint8_t)rnd();
		parse(&d, rnd() % 4 ? B.len : rnd() % B.len, 1);
	}
}

/* The link header is that of the innermost frame, or there is none. */
static void test_link_header(void **state)
{
	struct decap d = decap_of(ALL, 8);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(tunnels); i++) {
		const struct tunnel *t = &tunnels[i];
		struct pkt p;

		build(t, t->inside == IP6, false);
		p = parse(&d, B.len, 1);
		if (t->inside != FRAME && !t->link) {
			assert_int_equal(p.linktype, 101);
			assert_int_equal(p.l3, 0);
			continue;
		}
		assert_int_equal(p.linktype, 1);
		assert_memory_equal(p.data, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
		assert_int_equal(p.l3, t->inside == FRAME ? 14 : 14 + t->len);
		assert_int_equal(p.caplen, B.len - (p.data - B.buf));
		assert_int_equal(p.wirelen, p.caplen);
	}
}

static void test_ports(void **state)
{
	struct decap d = {.on = ON(VXLAN) | ON(GENEVE), .depth = 8};

	(void)state;
	assert_int_equal(decap_port_kind(&d, 4789), DECAP_COUNT);
	for (uint16_t i = 0; i < DECAP_PORTS; i++)
		assert_true(decap_port_add(&d, i ? DECAP_GTPU : DECAP_VXLAN,
		                           (uint16_t)(4789 + i)));
	assert_false(decap_port_add(&d, DECAP_VXLAN, 1));
	assert_int_equal(decap_port_kind(&d, 4789), DECAP_VXLAN);
	assert_int_equal(decap_port_kind(&d, 4790), DECAP_COUNT);
	d.on |= ON(GTPU);
	assert_int_equal(decap_port_kind(&d, 4790), DECAP_GTPU);
	assert_int_equal(decap_port_kind(&d, 1), DECAP_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_link_header),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

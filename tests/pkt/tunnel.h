/*
 * tunnel.h - a packet in each kind of tunnel, for tests; behind cmocka.h.
 *
 * B is built: begin(), any number of wrap(), conversation(), end().
 */
#ifndef TESTS_PKT_TUNNEL_H
#define TESTS_PKT_TUNNEL_H

#include <string.h>

#include "daemon/pkt/decap.h"
#include "tests/lib/packet.h"

#define ALL ((1u << DECAP_COUNT) - 1)

static struct packet B;
static uint32_t seed = 1;

static inline uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static inline struct decap decap_of(uint32_t on, uint8_t depth)
{
	struct decap d = {.on = on, .depth = depth};

	assert_true(decap_port_add(&d, DECAP_VXLAN, 4789));
	assert_true(decap_port_add(&d, DECAP_VXLAN, 8472));
	assert_true(decap_port_add(&d, DECAP_GENEVE, 6081));
	assert_true(decap_port_add(&d, DECAP_TZSP, 37008));
	assert_true(decap_port_add(&d, DECAP_GTPU, 2152));
	return d;
}

/* ---- the tunnels ---- */

/* what of the packet that is built next is inside */
enum inside { FRAME, IP4, IP6 };

struct tunnel {
	const char *what;
	uint32_t on;
	enum inside inside; /* IP4: IP of either family */
	bool only;          /* that family alone */
	bool link;          /* stands in a frame, not in IP */
	uint32_t vni;
	uint16_t vlan;
	uint16_t port; /* UDP; 0: GRE, or IP in IP */
	uint16_t gre;  /* flags */
	uint16_t type; /* GRE's, or the frame's */
	uint32_t len;
	const char *head; /* between UDP, GRE or Ethernet and what is inside */
};

#define ON(name) (1u << DECAP_##name)
#define NOTHING  0, ""

static const struct tunnel tunnels[] = {
	{"IPv4 in IPv4", ON(IPIP), IP4, true, false, 0, 0, 0, 0, 0, NOTHING},
	{"IPv6 in IPv4", ON(6IN4), IP6, true, false, 0, 0, 0, 0, 0, NOTHING},
	{"GRE", ON(GRE), IP4, false, false, 0, 0, 0, 0, 1, NOTHING},
	{"GRE, options", ON(GRE), IP4, false, false, 0, 0, 0, 0xb000, 1, 12,
         "\0\0\0\0\1\2\3\4\0\0\0\5"},
	{"GRE, Ethernet", ON(GRE), FRAME, false, false, 0, 0, 0, 0, 0x6558,
         NOTHING},
	{"GRE, MPLS", ON(GRE) | ON(MPLS), IP4, false, false, 0, 0, 0, 0, 0x8847,
         4, "\0\1\1\x40"},
	{"NVGRE", ON(NVGRE), FRAME, false, false, 0x123456, 0, 0, 0x2000,
         0x6558, 4, "\x12\x34\x56\x09"},
	{"ERSPAN I", ON(ERSPAN), FRAME, false, false, 0, 0, 0, 0, 0x88be,
         NOTHING},
	{"ERSPAN II", ON(ERSPAN), FRAME, false, false, 0, 12, 0, 0x1000, 0x88be,
         12, "\0\0\0\1\x10\x0c\0\5\0\0\0\0"},
	{"ERSPAN III", ON(ERSPAN), FRAME, false, false, 0, 13, 0, 0x1000,
         0x22eb, 16, "\0\0\0\1\x20\x0d\0\5\0\0\0\0\0\0\0\0"},
	{"ERSPAN III, subheader", ON(ERSPAN), FRAME, false, false, 0, 0, 0,
         0x1000, 0x22eb, 24,
         "\0\0\0\1\x20\0\0\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"},
	{"ERSPAN III, IP", ON(ERSPAN), IP4, false, false, 0, 0, 0, 0x1000,
         0x22eb, 16, "\0\0\0\1\x20\0\0\5\0\0\0\0\0\0\x08\0"},
	{"VXLAN", ON(VXLAN), FRAME, false, false, 5000, 0, 4789, 0, 0, 8,
         "\x08\0\0\0\0\x13\x88\0"},
	{"VXLAN of Linux", ON(VXLAN), FRAME, false, false, 1, 0, 8472, 0, 0, 8,
         "\x88\0\0\7\0\0\1\0"},
	{"VXLAN-GPE, IPv4", ON(VXLAN), IP4, true, false, 2, 0, 4789, 0, 0, 8,
         "\x0c\0\0\1\0\0\2\0"},
	{"VXLAN-GPE, IPv6", ON(VXLAN), IP6, true, false, 2, 0, 4789, 0, 0, 8,
         "\x0c\0\0\2\0\0\2\0"},
	{"VXLAN-GPE, frame", ON(VXLAN), FRAME, false, false, 2, 0, 4789, 0, 0,
         8, "\x0c\0\0\3\0\0\2\0"},
	{"GENEVE", ON(GENEVE), FRAME, false, false, 70, 0, 6081, 0, 0, 8,
         "\0\0\x65\x58\0\0\x46\0"},
	{"GENEVE, options", ON(GENEVE), FRAME, false, false, 70, 0, 6081, 0, 0,
         16, "\2\0\x65\x58\0\0\x46\0\1\2\x80\1\0\0\0\7"},
	{"GENEVE, IPv4", ON(GENEVE), IP4, true, false, 70, 0, 6081, 0, 0, 8,
         "\0\0\x08\0\0\0\x46\0"},
	{"TZSP", ON(TZSP), FRAME, false, false, 0, 0, 37008, 0, 0, 5,
         "\1\0\0\1\1"},
	{"TZSP, fields", ON(TZSP), FRAME, false, false, 0, 0, 37008, 0, 0, 11,
         "\1\1\0\1\0\x0a\2\7\7\0\1"},
	{"GTP-U", ON(GTPU), IP4, false, false, 0, 0, 2152, 0, 0, 8,
         "\x30\xff\xff\xff\0\0\0\1"},
	{"GTP-U, number", ON(GTPU), IP4, false, false, 0, 0, 2152, 0, 0, 12,
         "\x32\xff\xff\xff\0\0\0\1\0\1\0\x99"},
	{"GTP-U, extensions", ON(GTPU), IP4, false, false, 0, 0, 2152, 0, 0, 24,
         "\x36\xff\xff\xff\0\0\0\1\0\1\0\x85\1\x10\1\x40\2\0\0\0\0\0\0\0"},
	{"MPLS", ON(MPLS), IP4, false, true, 0, 0, 0, 0, 0x8847, 8,
         "\0\1\0\x40\0\2\1\x40"},
	{"MPLS, multicast", ON(MPLS), IP4, false, true, 0, 0, 0, 0, 0x8848, 4,
         "\0\2\1\x40"},
	{"MPLS, Ethernet", ON(MPLS), FRAME, false, true, 0, 0, 0, 0, 0x8847, 4,
         "\0\2\1\x40"},
	{"MPLS, control word", ON(MPLS), FRAME, false, true, 0, 0, 0, 0, 0x8847,
         8, "\0\2\1\x40\0\0\0\0"},
	{"PPPoE, IPv4", ON(PPPOE), IP4, true, true, 0, 0, 0, 0, 0x8864, 8,
         "\x11\0\0\1\xff\xff\0\x21"},
	{"PPPoE, short type", ON(PPPOE), IP4, true, true, 0, 0, 0, 0, 0x8864, 7,
         "\x11\0\0\1\xff\xff\x21"},
	{"PPPoE, IPv6", ON(PPPOE), IP6, true, true, 0, 0, 0, 0, 0x8864, 8,
         "\x11\0\0\1\xff\xff\0\x57"},
};

/* Ethernet types that packet_end() does not know; set when all is built */
static struct {
	uint32_t at;
	uint16_t type;
} fixes[PACKET_LAYERS];
static unsigned int nfixes;

static inline void begin(void)
{
	packet_begin(&B);
	nfixes = 0;
	packet_eth(&B);
}

static inline void end(void)
{
	for (unsigned int i = 0; i < nfixes; i++)
		put16(B.buf + fixes[i].at, fixes[i].type);
	packet_end(&B);
}

static inline void fix(uint32_t at, uint16_t type)
{
	fixes[nfixes].at = at;
	fixes[nfixes++].type = type;
}

static inline void ip(bool v6, const char *src4, const char *dst4,
                      const char *src6, const char *dst6)
{
	if (v6)
		packet_ip6(&B, src6, dst6);
	else
		packet_ip4(&B, src4, dst4);
}

/* The tunnel's own layers, up to what is inside.  The layer before is a frame,
 * or IP if `in_ip`; the frame of one that stands in Ethernet is made here. */
static inline void wrap(const struct tunnel *t, bool v6, bool in_ip)
{
	if (t->link) {
		if (in_ip)
			return;
		fix(packet_at(&B, PACKET_ETH) + 12, t->type);
		packet_data(&B, t->head, t->len);
	} else {
		ip(v6, "192.0.2.1", "192.0.2.2", "2001:db8::a", "2001:db8::b");
		if (t->port)
			packet_udp(&B, 50000, t->port);
		else if (t->type) {
			packet_gre(&B, t->gre);
			if (t->type > 1)
				fix(packet_at(&B, PACKET_GRE) + 2, t->type);
		}
		packet_data(&B, t->head, t->len);
	}
	if (t->inside == FRAME)
		packet_eth(&B);
}

static inline void conversation(bool v6)
{
	ip(v6, "10.0.0.1", "10.0.1.1", "2001:db8::1", "2001:db8::2");
	packet_udp(&B, 1000, 53);
	packet_fill(&B, 'x', 12);
}

static inline bool inside_v6(const struct tunnel *t, bool v6)
{
	return t->only ? t->inside == IP6 : v6;
}

static inline void build(const struct tunnel *t, bool v6, bool outer6)
{
	begin();
	wrap(t, outer6, false);
	conversation(inside_v6(t, v6));
	end();
}

/* the bits of IP in IP depend on the outer family */
static inline uint32_t on_of(const struct tunnel *t, bool outer6)
{
	if (!outer6)
		return t->on;
	return t->on == ON(IPIP)   ? ON(4IN6)
	       : t->on == ON(6IN4) ? ON(6IN6)
	                           : t->on;
}

#endif

/*
 * decap.h - stepping into tunnels (F002).
 *
 * What pkt_parse() found is the outer packet.  pkt_decap() looks whether it
 * carries another one in an encapsulation that is switched on, and goes on
 * with that, to the innermost one: afterwards the packet's layers are those of
 * the inner packet alone, `vlan` and `qinq` those of the innermost Ethernet
 * header, `vni` the number of the innermost virtual network.
 */
#ifndef PKT_DECAP_H
#define PKT_DECAP_H

#include "daemon/pkt/pkt.h"

/* X(NAME, "word of `decap`", "UDP ports by default", "meaning") */
#define DECAPS(X)                                                       \
	X(MPLS, "mpls", "", "MPLS: in Ethernet, IP or GRE")             \
	X(PPPOE, "pppoe", "", "PPPoE sessions")                         \
	X(IPIP, "ipip", "", "IPv4 in IPv4")                             \
	X(6IN4, "6in4", "", "IPv6 in IPv4")                             \
	X(4IN6, "4in6", "", "IPv4 in IPv6")                             \
	X(6IN6, "6in6", "", "IPv6 in IPv6")                             \
	X(GRE, "gre", "", "GRE of version 0 with IP, Ethernet or MPLS") \
	X(NVGRE, "nvgre", "", "Ethernet in GRE with a key")             \
	X(ERSPAN, "erspan", "", "ERSPAN types I, II and III")           \
	X(VXLAN, "vxlan", "4789,8472", "VXLAN and VXLAN-GPE")           \
	X(GENEVE, "geneve", "6081", "GENEVE")                           \
	X(TZSP, "tzsp", "37008", "TaZmen sniffer protocol")             \
	X(GTPU, "gtpu", "2152", "GTP-U of version 1")

enum decap_kind {
#define X(name, word, ports, meaning) DECAP_##name,
	DECAPS(X)
#undef X
		DECAP_COUNT
};

#define DECAP_DEPTH     8u /* tunnels in each other, by default */
#define DECAP_DEPTH_MAX 16u
#define DECAP_PORTS     32u /* of all kinds */

struct decap {
	uint32_t on; /* bits of enum decap_kind */
	uint8_t depth;
	uint8_t nports;
	uint64_t marks; /* a bit for each port, of its last six */
	struct {
		uint16_t port;
		uint8_t kind;
	} port[DECAP_PORTS];
};

static inline bool decap_on(const struct decap *d, enum decap_kind kind)
{
	return d->on >> kind & 1;
}

/* UDP to `port` is `kind`, while that is on; false: no room */
bool decap_port_add(struct decap *d, enum decap_kind kind, uint16_t port);
/* what is on and comes to this UDP port; DECAP_COUNT: nothing */
enum decap_kind decap_port_kind(const struct decap *d, uint16_t port);

/* Most packets are no tunnel, and one look tells. */
static inline bool decap_none(const struct pkt *p, const struct decap *d)
{
	const void *to;

	if (p->reason != PKT_OK)
		return false;
	if (p->l4proto == 6)
		return true;
	if (p->l4proto != 17)
		return false;
	to = pkt_l4(p, 2, 2);
	return !to || !(d->marks >> get16(to) % 64 & 1);
}

enum pkt_reason decap_steps(struct pkt *p, const struct decap *d);

/* Goes on from a parsed packet; sets p->reason and returns it.  What was inside
 * stands there as if it had been captured alone: `data`, `caplen`, `wirelen`
 * and `linktype` are its own, and what follows the carrier is gone.  A fragment
 * is left as it is: its datagram is to come here. */
static inline enum pkt_reason pkt_decap(struct pkt *p, const struct decap *d)
{
	return decap_none(p, d) ? PKT_OK : decap_steps(p, d);
}

#endif

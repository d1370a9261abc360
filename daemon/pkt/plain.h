/*
 * plain.h - the frame that nearly every frame is, in one go: IPv4 or IPv6 in
 * Ethernet without a tag, options, extension headers or fragments.
 *
 * Inline, for pkt_parse() and for who takes plain frames a way of their own.
 */
#ifndef PKT_PLAIN_H
#define PKT_PLAIN_H

#include <string.h>

#include "daemon/pkt/internal.h"

static inline void pkt_forget(struct pkt *p)
{
	memset((uint8_t *)p + PKT_PARSED, 0, sizeof(*p) - PKT_PARSED);
}

static inline bool pkt_plain4(struct pkt *p)
{
	const uint8_t *ip = p->data + ETHER_LEN;
	uint32_t len;

	if (p->caplen < ETHER_LEN + IP4_LEN || ip[0] != 0x45 ||
	    get16(ip + 6) & (IP4_MORE | IP4_OFFSET))
		return false;
	len = get16(ip + 2);
	if (len < IP4_LEN)
		return false;
	pkt_forget(p);
	p->l3proto = 4;
	p->l4proto = ip[9];
	p->ttl = ip[8];
	p->l3 = ETHER_LEN;
	p->l4 = ETHER_LEN + IP4_LEN;
	p->l3len = len;
	p->l4len = len - IP4_LEN;
	memcpy(&p->src.w[0], ip + 12, 4);
	memcpy(&p->dst.w[0], ip + 16, 4);
	return true;
}

/* TCP and UDP alone: what else may follow is walked */
static inline bool pkt_plain6(struct pkt *p)
{
	const uint8_t *ip = p->data + ETHER_LEN;
	uint32_t len;

	if (p->caplen < ETHER_LEN + IP6_LEN || ip[0] >> 4 != 6 ||
	    (ip[6] != IP_TCP && ip[6] != IP_UDP))
		return false;
	len = get16(ip + 4);
	pkt_forget(p);
	p->l3proto = 6;
	p->l4proto = ip[6];
	p->ttl = ip[7];
	p->l3 = ETHER_LEN;
	p->l4 = ETHER_LEN + IP6_LEN;
	p->l3len = IP6_LEN + len;
	p->l4len = len;
	memcpy(&p->src, ip + 8, 16);
	memcpy(&p->dst, ip + 24, 16);
	return true;
}

/* pkt_parse(), of any frame */
enum pkt_reason pkt_parse_any(struct pkt *p);

/* False: nothing is written. */
static inline bool pkt_plain(struct pkt *p)
{
	uint16_t type;

	if (p->linktype != LINK_ETHERNET || p->caplen < ETHER_LEN)
		return false;
	type = get16(p->data + 12);
	if (likely(type == ETHER_IPV4))
		return pkt_plain4(p);
	return type == ETHER_IPV6 && pkt_plain6(p);
}

#endif

/*
 * internal.h - what the files of this room say to each other.
 */
#ifndef PKT_INTERNAL_H
#define PKT_INTERNAL_H

#include "daemon/pkt/pkt.h"

/* pcap-linktype(7); 12 and 14 are what some systems wrote for LINK_RAW */
enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_12 = 12,
	LINK_RAW_14 = 14,
	LINK_PPP_HDLC = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW = 101,
	LINK_C_HDLC = 104,
	LINK_LOOP = 108,
	LINK_ENC = 109,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239,
	LINK_SLL2 = 276
};

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_LEN = 14,
	PKT_FRAG_LEN = 8, /* IPv6 fragment header */
	IP4_LEN = 20,
	IP_TCP = 6,
	IP_UDP = 17,
	IP4_MORE = 0x2000,
	IP4_OFFSET = 0x1fff,
	IP6_LEN = 40
};

/* everything in struct pkt from `reason` on is the parser's to set */
#define PKT_PARSED offsetof(struct pkt, reason)

/* p->l3 is set, the layers behind it are not: IP header and what follows */
enum pkt_reason pkt_ip4(struct pkt *p);
enum pkt_reason pkt_ip6(struct pkt *p);

/* IPv6 behind reassembly: a fragment header stops nothing */
enum pkt_reason pkt_ip6_track(struct pkt *p);
/* Is this first fragment too short to have all headers (RFC 8200 §4.5)? */
bool pkt_ip6_headless(const struct pkt *p);
/* where the byte stands that announces the fragment header, in the `len` bytes
 * before that header */
uint32_t pkt_ip6_before_frag(const uint8_t *ip, uint32_t len);

/* `type`, an Ethernet type, describes the bytes at `off`, which is no more than
 * caplen: tags, then IP or PKT_NOT_IP */
enum pkt_reason pkt_link_type(struct pkt *p, uint16_t type, uint32_t off);
/* IP at `off`; its version tells which */
enum pkt_reason pkt_link_raw(struct pkt *p, uint32_t off);

/* any link header */
enum pkt_reason pkt_link(struct pkt *p);

#endif

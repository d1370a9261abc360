/*
 * pkt.h - a frame and where its layers begin.
 *
 * Parsing yields offsets, never pointers kept elsewhere, and nothing outside
 * this room turns packet bytes into a struct: pkt_get() is the one door, and
 * it checks the bounds.  Lengths of a packet come from its IP header, never
 * from what was captured (a snaplen may have cut it, Ethernet may have padded
 * it): F003, F011.
 */
#ifndef PKT_PKT_H
#define PKT_PKT_H

#include "shm/base.h"

/* what parsing found; everything but PKT_OK and PKT_FRAGMENT is a skip,
 * counted by this reason: X(NAME, "name in statistics", "meaning") */
#define PKT_REASONS(X)                                                         \
	X(OK, "ok", "an IP packet with its layer 4 found")                     \
	X(FRAGMENT, "fragment", "a fragment, waits for its datagram")          \
	X(NOT_IP, "not_ip", "neither IPv4 nor IPv6 (ARP, STP, ...)")           \
	X(LINK_TYPE, "link_type", "a link type that is not known")             \
	X(LINK_SHORT, "link_short", "frame ends inside its link header")       \
	X(IP_SHORT, "ip_short", "packet ends inside its IP header")            \
	X(IP_VERSION, "ip_version", "version field contradicts the link type") \
	X(IP_HLEN, "ip_hlen", "header length is a lie")                        \
	X(IP_LEN, "ip_len", "total length below the header's")                 \
	X(EXT_CHAIN, "ext_chain", "IPv6 extension headers cannot be walked")   \
	X(TUNNEL, "tunnel", "more tags than sense, or a broken tunnel header") \
	X(TUNNEL_SHORT, "tunnel_short", "packet ends inside a tunnel header")  \
	X(TUNNEL_DEEP, "tunnel_deep", "more tunnels in tunnels than allowed")  \
	X(TUNNEL_TYPE, "tunnel_type", "a tunnel carries neither frame nor IP") \
	X(TUNNEL_EMPTY, "tunnel_empty", "a tunnel's own message, no packet")   \
	X(TUNNEL_FRAGMENT, "tunnel_fragment",                                  \
	  "a fragment inside a datagram that was in fragments itself")

enum pkt_reason {
#define X(name, str, meaning) PKT_##name,
	PKT_REASONS(X)
#undef X
		PKT_NREASONS
};

/* an address as on the wire; IPv4 uses w[0] alone, the rest is zero */
union pkt_addr {
	uint32_t w[4];
	uint64_t d[2];
	uint8_t b[16];
};

struct pkt {
	/* set by the source */
	const uint8_t *data; /* first captured byte */
	uint32_t caplen;     /* bytes at data */
	uint32_t wirelen;    /* bytes on the wire */
	uint64_t ts_ns;      /* since the epoch */
	uint64_t frame;      /* number within the source, from 1 */
	uint16_t linktype;   /* LINKTYPE_ value (pcap-linktype(7)) */
	uint8_t iface;       /* index of the source's interface */
	uint8_t source;      /* index of the source */
	/* set by pkt_parse() */
	uint8_t reason;     /* enum pkt_reason */
	uint8_t l3proto;    /* 4 or 6 */
	uint8_t l4proto;    /* IP protocol number of the first real layer 4 */
	uint8_t frag;       /* is or was a fragment */
	uint16_t vlan;      /* innermost 802.1Q id of the frame, 0 = none */
	uint16_t zone;      /* 0 unless a rule says otherwise */
	uint32_t l3;        /* offset of the IP header in data */
	uint32_t l4;        /* offset of layer 4 in data, may equal caplen */
	uint32_t l3len;     /* IPv4 total length; IPv6 40 + payload length */
	uint32_t l4len;     /* bytes of layer 4 on the wire, by the IP header */
	uint32_t frag_off;  /* PKT_FRAGMENT: bytes before this one */
	uint32_t frag_id;   /* PKT_FRAGMENT */
	uint8_t frag_more;  /* PKT_FRAGMENT: not the last */
	uint8_t ttl;        /* TTL or hop limit */
	uint16_t qinq;      /* outermost 802.1Q id of the same frame */
	union pkt_addr src; /* network order */
	union pkt_addr dst;
	uint32_t vni;       /* innermost virtual network's number, 0 = none */
	uint16_t ethertype; /* PKT_NOT_IP: what stands at l3 */
	uint8_t depth;      /* tunnels that were stepped into (decap.h) */
};

/* Are frames of this link type looked into? */
bool pkt_link_known(uint16_t linktype);

/* `len` bytes of layer 4 at `off`, or NULL when they were not captured or
 * lie behind the end that the IP header gives */
static inline const void *pkt_l4(const struct pkt *p, uint32_t off,
                                 uint32_t len)
{
	if (off > p->l4len || len > p->l4len - off)
		return NULL;
	if (p->l4 > p->caplen || off > p->caplen - p->l4 ||
	    len > p->caplen - p->l4 - off)
		return NULL;
	return p->data + p->l4 + off;
}

/* bytes of layer 4 that were captured (never more than l4len) */
static inline uint32_t pkt_l4cap(const struct pkt *p)
{
	uint32_t cap = p->l4 < p->caplen ? p->caplen - p->l4 : 0;

	return cap < p->l4len ? cap : p->l4len;
}

/* big-endian words at any alignment */
static inline uint16_t get16(const void *at)
{
	const uint8_t *b = at;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t get32(const void *at)
{
	const uint8_t *b = at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/* Walks link, VLAN tags, IP and extension headers; sets p->reason and all of
 * the second half of struct pkt, and returns the reason.  Reads within caplen
 * only.  Keeps no state. */
enum pkt_reason pkt_parse(struct pkt *p);

/* The packet that an ICMP or ICMPv6 error at `off` bytes into layer 4 quotes:
 * fills `inner` like pkt_parse() does (lengths as far as the quote's own
 * header tells them; no length or checksum test, F156).  False: no IP header
 * there.  `inner->data` is the outer frame's. */
bool pkt_inner(const struct pkt *p, uint32_t off, struct pkt *inner);

/* Folded one's complement sum over layer 4 with its pseudo header
 * (`proto` in it), 0 = right.  False in *known when bytes are missing. */
uint16_t pkt_l4_checksum(const struct pkt *p, uint8_t proto, bool *known);
/* The same over the first `cover` bytes alone, the pseudo header's length
 * stays that of all layer 4 (UDP-Lite, DCCP). */
uint16_t pkt_l4_checksum_part(const struct pkt *p, uint8_t proto,
                              uint32_t cover, bool *known);

const char *pkt_reason_name(enum pkt_reason r);

#endif

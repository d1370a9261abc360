/*
 * ip.c - IPv4, IPv6 with its chain of extension headers, and quoted packets.
 *
 * Theory.  `end`, where the packet stops, is counted from the IP header and
 * may lie beyond what was captured.  IPv4 is done in one go.  IPv6 is a walk
 * (`chain_walk`) over hop-by-hop, routing, destination options, fragment and
 * authentication headers to the first thing that is none of these (F005).
 * The mobility header (135) ends the walk: it is a protocol of its own to
 * nf_conntrack, which tracks it as protocol 135.
 *
 * The first fragment header stops the walk with PKT_FRAGMENT, also one that
 * says "whole datagram" (offset 0, none to come): the kernel holds such a
 * packet against what waits under its identification (F008).  What comes out
 * of reassembly is walked again by pkt_ip6_track(), to which a fragment header
 * is an ordinary one at offset 0 and makes the chain unparseable if not
 * (F006).  A packet without a payload length has no fragments either, says
 * the kernel, so jumbograms are walked like that at once.
 *
 * Of a header only its first two bytes must be there.  A chain that ends where
 * the packet ends, or whose last header claims to reach further, is fine: layer
 * 4 is empty (F006).  "No next header" (59) is not: there is nothing to track.
 *
 * Quoted packets (`pkt_inner`) are as short as the sender of the error made
 * them, so nothing is held against their lengths (F156).
 */
#include "daemon/pkt/pkt.h"

#include <string.h>

#include "daemon/pkt/internal.h"

enum {
	IP6_MORE = 0x0001,
	IP6_OFFSET = 0xfff8,
	FRAG_LEN = PKT_FRAG_LEN,
	JUMBO_OPTION = 0xc2 /* RFC 2675 */
};

enum {
	NEXT_HOP = 0,
	NEXT_ROUTING = 43,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_FRAGMENT = 44,
	NEXT_AUTH = 51,
	NEXT_ICMP6 = 58,
	NEXT_NONE = 59,
	NEXT_DEST = 60
};

static inline void ip4_addresses(struct pkt *p, const uint8_t *ip)
{
	p->l3proto = 4;
	p->ttl = ip[8];
	p->l4proto = ip[9];
	memcpy(&p->src.w[0], ip + 12, 4);
	memcpy(&p->dst.w[0], ip + 16, 4);
}

static inline void ip6_addresses(struct pkt *p, const uint8_t *ip)
{
	p->l3proto = 6;
	p->ttl = ip[7];
	memcpy(&p->src, ip + 8, 16);
	memcpy(&p->dst, ip + 24, 16);
}

static enum pkt_reason ip4_fragment(struct pkt *p, const uint8_t *ip)
{
	uint32_t word = get16(ip + 6);

	p->frag = 1;
	p->frag_off = (word & IP4_OFFSET) * 8;
	p->frag_more = (word & IP4_MORE) != 0;
	p->frag_id = get16(ip + 4);
	return PKT_FRAGMENT;
}

enum pkt_reason pkt_ip4(struct pkt *p)
{
	const uint8_t *ip = p->data + p->l3;
	uint32_t have, hlen;

	have = p->caplen - p->l3;
	if (unlikely(p->caplen < p->l3 + IP4_LEN))
		return have && ip[0] >> 4 != 4 ? PKT_IP_VERSION : PKT_IP_SHORT;
	if (unlikely(ip[0] >> 4 != 4))
		return PKT_IP_VERSION;
	hlen = (ip[0] & 15u) * 4;
	if (unlikely(hlen < IP4_LEN))
		return PKT_IP_HLEN;
	if (unlikely(hlen > have))
		return PKT_IP_SHORT;
	p->l3len = get16(ip + 2);
	if (unlikely(p->l3len < hlen))
		return PKT_IP_LEN;
	ip4_addresses(p, ip);
	p->l4 = p->l3 + hlen;
	p->l4len = p->l3len - hlen;
	if (unlikely(get16(ip + 6) & (IP4_MORE | IP4_OFFSET)))
		return ip4_fragment(p, ip);
	return PKT_OK;
}

/* A walk over extension headers. */
struct chain {
	const uint8_t *data;
	uint32_t caplen; /* readable bytes at data */
	uint32_t off;    /* of the header that `next` names */
	uint32_t end;    /* where the packet ends */
	bool past;       /* a fragment header is a header like others */
	uint8_t next;
};

static bool next_is_ext(uint8_t next)
{
	return next == NEXT_HOP || next == NEXT_ROUTING ||
	       next == NEXT_FRAGMENT || next == NEXT_AUTH || next == NEXT_DEST;
}

static uint32_t ext_len(uint8_t next, uint8_t len)
{
	if (next == NEXT_FRAGMENT)
		return FRAG_LEN;
	if (next == NEXT_AUTH)
		return (len + 2u) * 4;
	return (len + 1u) * 8;
}

static bool chain_has(const struct chain *c, uint32_t len)
{
	return c->off + len <= c->caplen && c->off + len <= c->end;
}

/* PKT_FRAGMENT: stopped at a fragment header, `off` is that header's.  One
 * that is cut off is no packet at all: the kernel drops it untracked. */
static enum pkt_reason chain_walk(struct chain *c)
{
	while (next_is_ext(c->next)) {
		const uint8_t *h = c->data + c->off;

		if (c->off > c->end)
			return PKT_EXT_CHAIN;
		if (c->next == NEXT_FRAGMENT && !c->past)
			return chain_has(c, FRAG_LEN) ? PKT_FRAGMENT
			                              : PKT_IP_SHORT;
		if (!chain_has(c, c->next == NEXT_FRAGMENT ? 4 : 2))
			return PKT_EXT_CHAIN;
		if (c->next == NEXT_FRAGMENT && get16(h + 2) & IP6_OFFSET)
			return PKT_EXT_CHAIN;
		c->off += ext_len(c->next, h[1]);
		c->next = h[0];
	}
	return c->next == NEXT_NONE ? PKT_EXT_CHAIN : PKT_OK;
}

static enum pkt_reason ip6_fragment(struct pkt *p, const struct chain *c)
{
	const uint8_t *h = c->data + c->off;
	uint16_t word = get16(h + 2);

	p->frag = 1;
	p->frag_off = word & IP6_OFFSET;
	p->frag_more = word & IP6_MORE;
	p->frag_id = get32(h + 4);
	p->l4proto = h[0];
	p->l4 = c->off + FRAG_LEN;
	p->l4len = c->end - p->l4;
	p->l3len -= FRAG_LEN;
	return PKT_FRAGMENT;
}

/* The length of a jumbogram: payload length 0, and an option in a hop-by-hop
 * header that comes first (RFC 2675 §2).  A kernel that merges segments
 * shows such packets to those who capture on it.  0: there is none. */
static uint32_t jumbo_payload(const uint8_t *h, uint32_t have)
{
	uint32_t at = 2, end;

	if (have < 8)
		return 0;
	end = (h[1] + 1u) * 8;
	if (end > have)
		return 0;
	while (at + 1 < end) {
		if (h[at] == 0) { /* Pad1 has no length */
			at++;
			continue;
		}
		if (h[at] == JUMBO_OPTION && h[at + 1] == 4 && at + 6 <= end)
			return get32(h + at + 2);
		at += 2u + h[at + 1];
	}
	return 0;
}

/* Bytes behind the fixed header.  A jumbo length is taken only when it is one
 * (RFC 2675: above 65535), and bounded so that offsets cannot wrap. */
static uint32_t ip6_payload(const uint8_t *ip, uint32_t have)
{
	uint32_t len = get16(ip + 4), jumbo;

	if (likely(len) || ip[6] != NEXT_HOP)
		return len;
	jumbo = jumbo_payload(ip + IP6_LEN, have - IP6_LEN);
	return jumbo > 0xffff && jumbo < 1u << 30 ? jumbo : len;
}

static enum pkt_reason ip6_walk(struct pkt *p, bool past)
{
	const uint8_t *ip = p->data + p->l3;
	uint32_t have = p->caplen - p->l3;
	enum pkt_reason r;
	struct chain c;

	if (unlikely(p->caplen < p->l3 + IP6_LEN))
		return have && ip[0] >> 4 != 6 ? PKT_IP_VERSION : PKT_IP_SHORT;
	if (unlikely(ip[0] >> 4 != 6))
		return PKT_IP_VERSION;
	p->l3len = IP6_LEN + ip6_payload(ip, have);
	ip6_addresses(p, ip);

	c.data = p->data;
	c.caplen = p->caplen;
	c.off = p->l3 + IP6_LEN;
	c.end = p->l3 + p->l3len;
	c.past = past || !get16(ip + 4);
	c.next = ip[6];
	r = chain_walk(&c);
	if (unlikely(r == PKT_FRAGMENT))
		return ip6_fragment(p, &c);
	p->l4proto = c.next;
	p->l4 = c.off < p->caplen ? c.off : p->caplen;
	p->l4len = c.end > c.off ? c.end - c.off : 0;
	return r;
}

enum pkt_reason pkt_ip6(struct pkt *p)
{
	return ip6_walk(p, false);
}

enum pkt_reason pkt_ip6_track(struct pkt *p)
{
	return ip6_walk(p, true);
}

/* bytes that must be in a first fragment (RFC 8200 §4.5) */
static uint32_t upper_len(uint8_t proto)
{
	switch (proto) {
	case NEXT_TCP:
		return 20;
	case NEXT_UDP:
	case NEXT_ICMP6:
		return 8;
	default:
		return 1;
	}
}

bool pkt_ip6_headless(const struct pkt *p)
{
	uint32_t off = p->l4, end = p->l4 + p->l4len;
	uint8_t next = p->l4proto;

	while (next_is_ext(next)) {
		const uint8_t *h = p->data + off;
		uint32_t need = next == NEXT_FRAGMENT ? 4 : 2;

		/* what cannot be walked is held against nobody */
		if (off + need > p->caplen || off + need > end)
			return false;
		if (next == NEXT_FRAGMENT && get16(h + 2) & IP6_OFFSET)
			return false;
		off += ext_len(next, h[1]);
		next = h[0];
	}
	return next != NEXT_NONE && off + upper_len(next) > end;
}

uint32_t pkt_ip6_before_frag(const uint8_t *ip, uint32_t len)
{
	uint32_t at = 6, off = IP6_LEN;

	while (ip[at] != NEXT_FRAGMENT && off + 2 <= len) {
		uint32_t next = off + ext_len(ip[at], ip[off + 1]);

		at = off;
		off = next;
	}
	return at;
}

/* Where a quoted packet's layer 4 stands.  Its length is what its own header
 * says, but never less than what was quoted, so that a wrong length field
 * hides no ports (F156). */
static void inner_l4(struct pkt *inner, uint32_t hlen, uint32_t quoted)
{
	uint32_t told = inner->l3len > hlen ? inner->l3len - hlen : 0;
	uint32_t there = quoted > hlen ? quoted - hlen : 0;

	inner->l4 = inner->l3 + hlen;
	if (inner->l4 > inner->caplen)
		inner->l4 = inner->caplen;
	inner->l4len = told > there ? told : there;
}

static bool inner_ip4(struct pkt *inner, uint32_t have, uint32_t quoted)
{
	const uint8_t *ip = inner->data + inner->l3;
	uint32_t hlen, word;

	if (have < IP4_LEN)
		return false;
	/* As the kernel: neither version nor least length is looked at. */
	hlen = (ip[0] & 15u) * 4;
	if (hlen > have)
		return false;
	ip4_addresses(inner, ip);
	inner->l3len = get16(ip + 2);
	inner_l4(inner, hlen, quoted);
	word = get16(ip + 6);
	if (word & (IP4_MORE | IP4_OFFSET))
		(void)ip4_fragment(inner, ip);
	return !(word & IP4_OFFSET);
}

static bool inner_ip6(struct pkt *inner, uint32_t have, uint32_t quoted)
{
	const uint8_t *ip = inner->data + inner->l3;
	enum pkt_reason r;
	struct chain c;

	if (have < IP6_LEN)
		return false;
	ip6_addresses(inner, ip);
	inner->l3len = IP6_LEN + get16(ip + 4);
	c.data = inner->data;
	c.caplen = inner->caplen;
	c.off = inner->l3 + IP6_LEN;
	c.end = inner->l3 + quoted;
	c.past = false;
	c.next = ip[6];
	r = chain_walk(&c);
	if (r == PKT_FRAGMENT) {
		(void)ip6_fragment(inner, &c);
		inner->l3len += FRAG_LEN; /* its header is told, not counted */
		if (inner->frag_off)
			return false;
		/* the first of several: its layer 4 is there to be read */
		inner->frag = inner->frag_more;
		c.past = true;
		c.next = c.data[c.off];
		c.off += FRAG_LEN;
		r = chain_walk(&c);
	}
	inner->l4proto = c.next;
	inner_l4(inner, c.off - inner->l3, quoted);
	return r == PKT_OK;
}

bool pkt_inner(const struct pkt *p, uint32_t off, struct pkt *inner)
{
	uint32_t cap = pkt_l4cap(p);
	bool found;

	*inner = *p;
	memset(&inner->src, 0, sizeof(inner->src));
	memset(&inner->dst, 0, sizeof(inner->dst));
	inner->frag = inner->frag_more = 0;
	inner->frag_off = inner->frag_id = 0;
	inner->l4proto = inner->ttl = 0;
	inner->l4 = inner->l4len = inner->l3len = 0;
	inner->reason = PKT_IP_SHORT;
	if (off > cap)
		return false;
	inner->l3 = p->l4 + off;
	/* what follows the outer packet is padding, not quotation */
	inner->caplen = p->l4 + cap;
	if (p->l3proto == 4)
		found = inner_ip4(inner, cap - off, p->l4len - off);
	else
		found = inner_ip6(inner, cap - off, p->l4len - off);
	inner->reason = found ? PKT_OK : PKT_IP_SHORT;
	return found;
}

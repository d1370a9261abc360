/*
 * decap.c - tunnels, one after the other.
 *
 * Theory.  A loop, not a recursion: each turn asks what is found whether it
 * carries something (`step_find`), and if so parses that as if it had come
 * alone (`step_enter`).  Each turn costs one of `depth`, and each takes at
 * least one byte of a header, so the loop ends whatever the bytes say.
 *
 * All reads go through step_take() and step_peek(), which know where the
 * carrier ends: the outer IP packet, or what was captured of it.  What is cut
 * off is PKT_TUNNEL_SHORT, whoever has cut it.
 *
 * What tells a tunnel: an Ethernet type, an IP protocol, GRE's type, or a UDP
 * destination port.  A port is a promise: a packet to it that is no such tunnel
 * is broken and counted, not tracked.  The exception is TZSP, whose port
 * clients are given, too: what does not look like it is an ordinary packet.
 *
 * Not stepped into: GRE of version 1, which PPTP uses and the GRE tracker
 * follows (F027); TZSP and GTP-U that carry something else than Ethernet or IP;
 * GRE with the source routes of RFC 1701.
 */
#include "daemon/pkt/decap.h"

#include <string.h>

#include "daemon/pkt/internal.h"

enum {
	PROTO_IPV4 = 4,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_GRE = 47,
	PROTO_MPLS = 137
};

/* what stands inside: an Ethernet type, a whole frame (the type that GRE has
 * for it), or IP whose version tells */
enum {
	TYPE_IP = 0x10000, /* no type on the wire */
	TYPE_FRAME = 0x6558,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTI = 0x8848,
	TYPE_PPPOE = 0x8864,
	TYPE_ERSPAN = 0x88be,
	TYPE_ERSPAN3 = 0x22eb
};

enum {
	LABELS_MAX = 16, /* of one MPLS stack */
	TAGS_MAX = 64,   /* fields of TZSP, more is a forgery */
	EXTS_MAX = 16    /* extension headers of GTP-U */
};

/* the packet is no tunnel, or none to step into */
#define NO_TUNNEL PKT_NREASONS

/* one turn; at <= end <= caplen */
struct step {
	struct pkt *p;
	const struct decap *d;
	uint32_t at;   /* the next byte to read */
	uint32_t end;  /* of what may be read */
	uint32_t type; /* what stands at `at` in the end */
	uint16_t vlan; /* the mirror's word for a frame without a tag */
	bool carried;  /* by IP: the frame around it is not its own */
	uint32_t vni;
};

static const uint8_t *step_peek(const struct step *s, uint32_t off,
                                uint32_t len)
{
	uint32_t left = s->end - s->at;

	return off <= left && len <= left - off ? s->p->data + s->at + off
	                                        : NULL;
}

static const uint8_t *step_take(struct step *s, uint32_t len)
{
	const uint8_t *h = step_peek(s, 0, len);

	if (h)
		s->at += len;
	return h;
}

/* A length that a header tells may only shorten what there is. */
static void step_limit(struct step *s, uint32_t len)
{
	if (len < s->end - s->at)
		s->end = s->at + len;
}

static enum pkt_reason step_into(struct step *s, uint32_t type)
{
	s->type = type;
	return PKT_OK;
}

/* ---- in Ethernet ---- */

static bool frame_likely(const struct step *s, uint32_t off)
{
	const uint8_t *h = step_peek(s, off, ETHER_LEN);

	if (!h)
		return false;
	switch (get16(h + 12)) {
	case ETHER_IPV4:
	case ETHER_IPV6:
	case 0x0806:
	case 0x8100:
	case 0x88a8:
	case TYPE_MPLS:
	case TYPE_MPLS_MULTI:
	case TYPE_PPPOE:
		return true;
	default:
		return false;
	}
}

/* What follows the stack is known to its ends alone.  4 and 6 begin IP; 0 is a
 * control word (RFC 4385), or a frame without one, whose addresses often
 * begin with 0, too; 1 an associated channel (RFC 5085). */
static enum pkt_reason mpls_payload(struct step *s)
{
	const uint8_t *h = step_peek(s, 0, 1);

	if (!h)
		return PKT_TUNNEL_SHORT;
	switch (h[0] >> 4) {
	case 4:
	case 6:
		return step_into(s, TYPE_IP);
	case 0:
		if (frame_likely(s, 4) || !frame_likely(s, 0))
			if (!step_take(s, 4))
				return PKT_TUNNEL_SHORT;
		return step_into(s, TYPE_FRAME);
	case 1:
		return frame_likely(s, 0) ? step_into(s, TYPE_FRAME)
		                          : PKT_TUNNEL_EMPTY;
	default:
		return step_into(s, TYPE_FRAME);
	}
}

/* RFC 3032 */
static enum pkt_reason step_mpls(struct step *s)
{
	for (unsigned int i = 0; i < LABELS_MAX; i++) {
		const uint8_t *h = step_take(s, 4);

		if (!h)
			return PKT_TUNNEL_SHORT;
		if (h[2] & 1)
			return mpls_payload(s);
	}
	return PKT_TUNNEL;
}

/* RFC 2516; the protocol field may be one byte (RFC 1661 6.5) */
static enum pkt_reason step_pppoe(struct step *s)
{
	const uint8_t *h = step_take(s, 6), *b;
	uint16_t proto;

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (h[0] != 0x11 || h[1] || get16(h + 4) < 1)
		return PKT_TUNNEL;
	step_limit(s, get16(h + 4));
	b = step_take(s, 1);
	if (!b)
		return PKT_TUNNEL_SHORT;
	proto = b[0];
	if (!(proto & 1)) {
		b = step_take(s, 1);
		if (!b)
			return PKT_TUNNEL_SHORT;
		proto = (uint16_t)(proto << 8 | b[0]);
	}
	switch (proto) {
	case 0x0021:
		return step_into(s, ETHER_IPV4);
	case 0x0057:
		return step_into(s, ETHER_IPV6);
	case 0x0281:
	case 0x0283:
		return step_into(s, TYPE_MPLS);
	default: /* LCP, IPCP and so on: RFC 1661 2 */
		return proto & 0x8000 ? PKT_TUNNEL_EMPTY : PKT_TUNNEL_TYPE;
	}
}

/* ---- in GRE ---- */

enum {
	GRE_SUM = 0x8000,
	GRE_ROUTES = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQ = 0x1000,
	GRE_VERSION = 7
};

/* types II (version 1) and III (version 2) */
static enum pkt_reason step_erspan(struct step *s, uint8_t version)
{
	const uint8_t *h = step_take(s, version == 1 ? 8 : 12);
	uint16_t tail;

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (h[0] >> 4 != version)
		return PKT_TUNNEL;
	s->vlan = get16(h) & 0x0fff;
	if (version == 1)
		return step_into(s, TYPE_FRAME);
	tail = get16(h + 10);
	if (tail & 1 && !step_take(s, 8)) /* a platform's subheader */
		return PKT_TUNNEL_SHORT;
	switch (tail >> 10 & 31) { /* frame type */
	case 0:
		return step_into(s, TYPE_FRAME);
	case 2:
		return step_into(s, TYPE_IP);
	default:
		return PKT_TUNNEL_TYPE;
	}
}

/* Is this GRE one to step into? */
static bool gre_wanted(const struct decap *d, uint16_t flags, uint16_t type)
{
	if (flags & GRE_VERSION)
		return false;
	if (type == TYPE_ERSPAN || type == TYPE_ERSPAN3)
		return decap_on(d, DECAP_ERSPAN);
	if (type == TYPE_FRAME && flags & GRE_KEY && decap_on(d, DECAP_NVGRE))
		return true;
	return decap_on(d, DECAP_GRE);
}

/* RFC 2784, 2890, 7637 */
static enum pkt_reason step_gre(struct step *s)
{
	const uint8_t *h = step_take(s, 4), *key;
	uint16_t flags, type;

	if (!h)
		return PKT_TUNNEL_SHORT;
	flags = get16(h);
	type = get16(h + 2);
	if (!gre_wanted(s->d, flags, type))
		return NO_TUNNEL;
	if (flags & GRE_ROUTES)
		return PKT_TUNNEL;
	if (flags & GRE_SUM && !step_take(s, 4))
		return PKT_TUNNEL_SHORT;
	if (flags & GRE_KEY) {
		key = step_take(s, 4);
		if (!key)
			return PKT_TUNNEL_SHORT;
		if (type == TYPE_FRAME && decap_on(s->d, DECAP_NVGRE))
			s->vni = get32(key) >> 8;
	}
	if (flags & GRE_SEQ && !step_take(s, 4))
		return PKT_TUNNEL_SHORT;
	if (type == TYPE_ERSPAN3)
		return step_erspan(s, 2);
	if (type == TYPE_ERSPAN) /* type I has neither number nor header */
		return flags & GRE_SEQ ? step_erspan(s, 1)
		                       : step_into(s, TYPE_FRAME);
	return step_into(s, type);
}

/* ---- in UDP ---- */

/* RFC 7348; with the P bit it tells what it carries (VXLAN-GPE) */
static enum pkt_reason step_vxlan(struct step *s)
{
	static const uint16_t next[] = {0,          ETHER_IPV4, ETHER_IPV6,
	                                TYPE_FRAME, 0,          TYPE_MPLS};
	const uint8_t *h = step_take(s, 8);

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (!(h[0] & 0x08))
		return PKT_TUNNEL;
	s->vni = get32(h + 4) >> 8;
	if (!(h[0] & 0x04))
		return step_into(s, TYPE_FRAME);
	if (h[3] >= ARRAY_SIZE(next) || !next[h[3]])
		return PKT_TUNNEL_TYPE;
	return step_into(s, next[h[3]]);
}

/* RFC 8926 */
static enum pkt_reason step_geneve(struct step *s)
{
	const uint8_t *h = step_take(s, 8);

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (h[0] >> 6)
		return PKT_TUNNEL;
	if (!step_take(s, (h[0] & 63u) * 4))
		return PKT_TUNNEL_SHORT;
	s->vni = get32(h + 4) >> 8;
	return step_into(s, get16(h + 2));
}

static enum pkt_reason step_tzsp(struct step *s)
{
	enum { RECEIVED, TO_SEND, CONFIG = 3, KEEPALIVE, OPENER };
	enum { TAG_PAD, TAG_END };
	const uint8_t *h = step_take(s, 4);

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (h[0] != 1 || h[1] > OPENER)
		return NO_TUNNEL;
	if (h[1] > TO_SEND)
		return PKT_TUNNEL_EMPTY;
	if (get16(h + 2) != 1)
		return PKT_TUNNEL_TYPE;
	for (unsigned int i = 0; i < TAGS_MAX; i++) {
		h = step_take(s, 1);
		if (!h)
			return PKT_TUNNEL_SHORT;
		if (h[0] == TAG_END)
			return step_into(s, TYPE_FRAME);
		if (h[0] == TAG_PAD)
			continue;
		h = step_take(s, 1);
		if (!h || !step_take(s, h[0]))
			return PKT_TUNNEL_SHORT;
	}
	return PKT_TUNNEL;
}

/* a chain of words: length in fours, body, type of the next one */
static enum pkt_reason gtpu_extensions(struct step *s, uint8_t next)
{
	for (unsigned int i = 0; next; i++) {
		const uint8_t *h = step_peek(s, 0, 1);
		uint32_t len;

		if (!h)
			return PKT_TUNNEL_SHORT;
		len = h[0] * 4u;
		if (!len || i == EXTS_MAX)
			return PKT_TUNNEL;
		h = step_take(s, len);
		if (!h)
			return PKT_TUNNEL_SHORT;
		next = h[len - 1];
	}
	return PKT_OK;
}

/* 3GPP TS 29.281 §5 */
static enum pkt_reason step_gtpu(struct step *s)
{
	const uint8_t *h = step_take(s, 8), *more;
	enum pkt_reason r = PKT_OK;

	if (!h)
		return PKT_TUNNEL_SHORT;
	if (h[0] >> 4 != 3) /* version 1, and not GTP' */
		return PKT_TUNNEL;
	if (h[1] != 255)
		return PKT_TUNNEL_EMPTY;
	step_limit(s, get16(h + 2));
	if (h[0] & 7) {
		more = step_take(s, 4);
		if (!more)
			return PKT_TUNNEL_SHORT;
		if (h[0] & 4)
			r = gtpu_extensions(s, more[3]);
		if (r != PKT_OK)
			return r;
	}
	more = step_peek(s, 0, 1);
	if (!more)
		return PKT_TUNNEL_SHORT;
	if (more[0] >> 4 != 4 && more[0] >> 4 != 6)
		return PKT_TUNNEL_TYPE;
	return step_into(s, TYPE_IP);
}

static enum pkt_reason step_udp(struct step *s)
{
	const uint8_t *h = step_peek(s, 0, 4);
	enum decap_kind kind = DECAP_COUNT;

	if (h)
		kind = decap_port_kind(s->d, get16(h + 2));
	if (kind == DECAP_COUNT)
		return NO_TUNNEL;
	if (!step_take(s, 8))
		return PKT_TUNNEL_SHORT;
	switch (kind) {
	case DECAP_VXLAN:
		return step_vxlan(s);
	case DECAP_GENEVE:
		return step_geneve(s);
	case DECAP_TZSP:
		return step_tzsp(s);
	case DECAP_GTPU:
		return step_gtpu(s);
	default:
		return NO_TUNNEL;
	}
}

/* ---- the loop ---- */

static enum pkt_reason step_ip(struct step *s)
{
	const struct decap *d = s->d;
	struct pkt *p = s->p;
	bool v6 = p->l3proto == 6;

	s->carried = true;
	s->at = p->l4;
	s->end = p->l4 + pkt_l4cap(p);
	switch (p->l4proto) {
	case PROTO_UDP:
		return d->nports ? step_udp(s) : NO_TUNNEL;
	case PROTO_IPV4:
		return decap_on(d, v6 ? DECAP_4IN6 : DECAP_IPIP)
		               ? step_into(s, ETHER_IPV4)
		               : NO_TUNNEL;
	case PROTO_IPV6:
		return decap_on(d, v6 ? DECAP_6IN6 : DECAP_6IN4)
		               ? step_into(s, ETHER_IPV6)
		               : NO_TUNNEL;
	case PROTO_GRE:
		return d->on & (1u << DECAP_GRE | 1u << DECAP_NVGRE |
		                1u << DECAP_ERSPAN)
		               ? step_gre(s)
		               : NO_TUNNEL;
	case PROTO_MPLS:
		return decap_on(d, DECAP_MPLS) ? step_mpls(s) : NO_TUNNEL;
	default:
		return NO_TUNNEL;
	}
}

static enum pkt_reason step_link(struct step *s)
{
	struct pkt *p = s->p;

	s->carried = p->linktype == LINK_RAW; /* labels in GRE */
	s->at = p->l3;
	s->end = p->caplen;
	switch (p->ethertype) {
	case TYPE_MPLS:
	case TYPE_MPLS_MULTI:
		return decap_on(s->d, DECAP_MPLS) ? step_mpls(s) : NO_TUNNEL;
	case TYPE_PPPOE:
		return decap_on(s->d, DECAP_PPPOE) ? step_pppoe(s) : NO_TUNNEL;
	default:
		return NO_TUNNEL;
	}
}

/* `r` is what parsing found last */
static enum pkt_reason step_find(struct step *s, enum pkt_reason r)
{
	s->vlan = 0;
	s->vni = s->p->vni;
	if (r == PKT_OK)
		return step_ip(s);
	return r == PKT_NOT_IP ? step_link(s) : NO_TUNNEL;
}

/* The packet now begins at `at`: who looks for its link header must not find
 * the carrier's. */
static void step_cut(struct step *s, uint16_t linktype)
{
	struct pkt *p = s->p;

	p->data += s->at;
	p->caplen = s->end - s->at;
	p->wirelen = p->wirelen > s->at ? p->wirelen - s->at : 0;
	p->linktype = linktype;
	s->end = p->caplen;
	s->at = 0;
}

/* Parses what stands inside; the carrier's own layers are forgotten. */
static enum pkt_reason step_enter(struct step *s)
{
	struct pkt *p = s->p;
	struct pkt kept = *p;
	enum pkt_reason r;

	memset((uint8_t *)p + PKT_PARSED, 0, sizeof(*p) - PKT_PARSED);
	p->depth = (uint8_t)(kept.depth + 1);
	p->vni = s->vni;
	p->caplen = s->end;
	if (s->type == TYPE_FRAME) {
		step_cut(s, LINK_ETHERNET);
		const uint8_t *h = step_take(s, ETHER_LEN);

		if (!h)
			return PKT_LINK_SHORT;
		r = pkt_link_type(p, get16(h + 12), s->at);
		if (!p->vlan)
			p->vlan = p->qinq = s->vlan;
		return r;
	}
	if (s->carried)
		step_cut(s, LINK_RAW);
	p->vlan = kept.vlan;
	p->qinq = kept.qinq;
	if (s->type == TYPE_IP)
		return pkt_link_raw(p, s->at);
	return pkt_link_type(p, (uint16_t)s->type, s->at);
}

enum pkt_reason decap_steps(struct pkt *p, const struct decap *d)
{
	enum pkt_reason r = (enum pkt_reason)p->reason, found;
	struct step s = {.p = p, .d = d};

	for (;;) {
		found = step_find(&s, r);
		if (found == NO_TUNNEL)
			break;
		if (found == PKT_OK && p->depth >= d->depth)
			found = PKT_TUNNEL_DEEP;
		r = found == PKT_OK ? step_enter(&s) : found;
		if (found != PKT_OK)
			break;
	}
	p->reason = (uint8_t)r;
	return r;
}

/* ---- ports ---- */

bool decap_port_add(struct decap *d, enum decap_kind kind, uint16_t port)
{
	if (d->nports == DECAP_PORTS)
		return false;
	d->port[d->nports].port = port;
	d->port[d->nports].kind = (uint8_t)kind;
	d->marks |= 1ull << port % 64;
	d->nports++;
	return true;
}

enum decap_kind decap_port_kind(const struct decap *d, uint16_t port)
{
	for (unsigned int i = 0; i < d->nports && i < DECAP_PORTS; i++) {
		enum decap_kind kind = (enum decap_kind)d->port[i].kind;

		if (d->port[i].port == port && decap_on(d, kind))
			return kind;
	}
	return DECAP_COUNT;
}

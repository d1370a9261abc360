/*
 * link.c - link headers: where IP begins, and in which VLAN.
 *
 * Theory.  Each link type answers two things: the Ethernet type of what it
 * carries (or the IP version itself) and where that starts.  VLAN tags may
 * stand behind Ethernet and behind both of Linux' cooked headers; they are
 * stepped over up to `TAG_MAX` deep; the innermost id is kept, and the first
 * (F002).
 *
 * 802.3 frames with LLC, and SNAP in them, are not IP here: Linux does not
 * hand them to IP either.
 */
#include "daemon/pkt/internal.h"

enum {
	SLL_LEN = 16,
	SLL2_LEN = 20,
	NULL_LEN = 4,
	HDLC_LEN = 4,
	PPPOE_LEN = 6,
	ENC_LEN = 12,
	NFLOG_LEN = 4,
	NFLOG_HEAD = 4,    /* of an attribute */
	NFLOG_PAYLOAD = 9, /* the attribute that holds the packet */
	NFLOG_MAX = 64,    /* attributes; the kernel writes about twenty */
	TAG_LEN = 4,
	TAG_MAX = 8 /* more is a forgery: no switch stacks that many */
};

/* AF_INET is 2 everywhere, AF_INET6 is not (pcap-linktype(7)) */
enum {
	FAMILY_IPV4 = 2,
	FAMILY_IPV6_LINUX = 10,
	FAMILY_IPV6_BSD = 24,
	FAMILY_IPV6_FREEBSD = 28,
	FAMILY_IPV6_DARWIN = 30
};

static bool type_is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100 ||
	       type == 0x9200;
}

enum pkt_reason pkt_link_type(struct pkt *p, uint16_t type, uint32_t off)
{
	for (unsigned int depth = 0; type_is_tag(type); depth++) {
		if (depth == TAG_MAX)
			return PKT_TUNNEL;
		if (p->caplen < off + TAG_LEN)
			return PKT_LINK_SHORT;
		p->vlan = get16(p->data + off) & 0x0fff;
		if (!depth)
			p->qinq = p->vlan;
		type = get16(p->data + off + 2);
		off += TAG_LEN;
	}
	p->l3 = off;
	if (type == ETHER_IPV4)
		return pkt_ip4(p);
	if (type == ETHER_IPV6)
		return pkt_ip6(p);
	p->ethertype = type;
	return PKT_NOT_IP;
}

static enum pkt_reason link_ether(struct pkt *p)
{
	if (p->caplen < ETHER_LEN)
		return PKT_LINK_SHORT;
	return pkt_link_type(p, get16(p->data + 12), ETHER_LEN);
}

static enum pkt_reason link_sll(struct pkt *p)
{
	if (p->caplen < SLL_LEN)
		return PKT_LINK_SHORT;
	return pkt_link_type(p, get16(p->data + 14), SLL_LEN);
}

static enum pkt_reason link_sll2(struct pkt *p)
{
	if (p->caplen < SLL2_LEN)
		return PKT_LINK_SHORT;
	return pkt_link_type(p, get16(p->data), SLL2_LEN);
}

static enum pkt_reason link_af(struct pkt *p, uint32_t family, uint32_t off)
{
	p->l3 = off;
	switch (family) {
	case FAMILY_IPV4:
		return pkt_ip4(p);
	case FAMILY_IPV6_LINUX:
	case FAMILY_IPV6_BSD:
	case FAMILY_IPV6_FREEBSD:
	case FAMILY_IPV6_DARWIN:
		return pkt_ip6(p);
	default:
		return PKT_NOT_IP;
	}
}

/* LINK_NULL is in the byte order of the host that captured, LINK_LOOP should
 * be in network order; a family is a small number, so its order shows.  Behind
 * it LINK_ENC has what IPsec did. */
static enum pkt_reason link_family(struct pkt *p, uint32_t len)
{
	uint32_t family;

	if (p->caplen < len)
		return PKT_LINK_SHORT;
	family = get32(p->data);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	return link_af(p, family, len);
}

/* RFC 1661 6.5, RFC 1662: address and control may be left out, and so may the
 * first byte of the protocol when it is 0. */
static enum pkt_reason link_ppp(struct pkt *p, uint32_t off)
{
	uint16_t proto;

	if (p->caplen > off && p->data[off] == 0xff)
		off += 2;
	if (p->caplen <= off)
		return PKT_LINK_SHORT;
	proto = p->data[off++];
	if (!(proto & 1)) {
		if (p->caplen <= off)
			return PKT_LINK_SHORT;
		proto = (uint16_t)(proto << 8 | p->data[off++]);
	}
	p->l3 = off;
	if (proto == 0x0021)
		return pkt_ip4(p);
	return proto == 0x0057 ? pkt_ip6(p) : PKT_NOT_IP;
}

/* Cisco's framing: an Ethernet type behind address and control */
static enum pkt_reason link_hdlc(struct pkt *p)
{
	if (p->caplen < HDLC_LEN)
		return PKT_LINK_SHORT;
	return pkt_link_type(p, get16(p->data + 2), HDLC_LEN);
}

/* A serial line speaks one or the other; the address tells. */
static enum pkt_reason link_serial(struct pkt *p)
{
	bool cisco = p->caplen && (p->data[0] == 0x0f || p->data[0] == 0x8f);

	return cisco ? link_hdlc(p) : link_ppp(p, 0);
}

/* RFC 2516, without the Ethernet header */
static enum pkt_reason link_pppoe(struct pkt *p)
{
	if (p->caplen < PPPOE_LEN)
		return PKT_LINK_SHORT;
	if (p->data[0] != 0x11 || p->data[1])
		return PKT_NOT_IP;
	return link_ppp(p, PPPOE_LEN);
}

/* Attributes in the byte order of the host that captured; their types are
 * small numbers, so it shows. */
static enum pkt_reason link_nflog(struct pkt *p)
{
	uint32_t off = NFLOG_LEN, n, len, type;
	const uint8_t *a;

	for (n = 0; n < NFLOG_MAX; n++) {
		if (p->caplen < off || p->caplen - off < NFLOG_HEAD)
			return PKT_LINK_SHORT;
		a = p->data + off;
		len = a[3] ? get16(a) : (uint32_t)(a[1] << 8 | a[0]);
		type = a[3] ? get16(a + 2) : a[2];
		if (type == NFLOG_PAYLOAD)
			return link_af(p, p->data[0], off + NFLOG_HEAD);
		if (len < NFLOG_HEAD)
			break;
		off += (len + 3) & ~3u;
	}
	return PKT_NOT_IP;
}

enum pkt_reason pkt_link_raw(struct pkt *p, uint32_t off)
{
	if (p->caplen <= off)
		return PKT_IP_SHORT;
	p->l3 = off;
	switch (p->data[off] >> 4) {
	case 4:
		return pkt_ip4(p);
	case 6:
		return pkt_ip6(p);
	default:
		return PKT_IP_VERSION;
	}
}

enum pkt_reason pkt_link(struct pkt *p)
{
	switch (p->linktype) {
	case LINK_ETHERNET:
		return link_ether(p);
	case LINK_SLL:
		return link_sll(p);
	case LINK_SLL2:
		return link_sll2(p);
	case LINK_NULL:
	case LINK_LOOP:
		return link_family(p, NULL_LEN);
	case LINK_ENC:
		return link_family(p, ENC_LEN);
	case LINK_PPP:
		return link_ppp(p, 0);
	case LINK_PPP_HDLC:
		return link_serial(p);
	case LINK_PPP_ETHER:
		return link_pppoe(p);
	case LINK_C_HDLC:
		return link_hdlc(p);
	case LINK_NFLOG:
		return link_nflog(p);
	case LINK_RAW:
	case LINK_RAW_12:
	case LINK_RAW_14:
		return pkt_link_raw(p, 0);
	case LINK_IPV4:
		return pkt_ip4(p);
	case LINK_IPV6:
		return pkt_ip6(p);
	default:
		return PKT_LINK_TYPE;
	}
}

bool pkt_link_known(uint16_t linktype)
{
	struct pkt p = {.data = (const uint8_t *)"", .linktype = linktype};

	return pkt_link(&p) != PKT_LINK_TYPE;
}

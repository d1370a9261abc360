/*
 * pkt.c - from a frame to its layers, in one pass.
 *
 * Theory.  `pkt_parse` is a straight line for what nearly every frame is,
 * IPv4 in Ethernet without a tag, options or fragments (`parse_plain`).  All
 * else goes through `pkt_link`.  There is no table of functions: the
 * indirect call would cost more than the comparisons.
 *
 * Bounds: every load is preceded by a comparison with `caplen`, the bytes
 * that are really there.  Whether a packet is whole is another question and
 * answered by nobody here: a capture may have been cut (F011), so a total
 * length beyond the frame is believed, and `pkt_l4` says what can be read.
 * A kernel would have dropped such a frame if the wire had cut it; a mirror
 * cannot tell the wire's cut from the capture's, for tools that shorten
 * captures often write the short length into both fields.
 *
 * Not looked into: PPPoE, MPLS and tunnels, which are for decap.c where they
 * are switched on; IPv4 header checksums (a sending host's own capture may show
 * them unset, F010).
 */
#include "daemon/pkt/pkt.h"

#include <string.h>

#include "daemon/pkt/internal.h"

_Static_assert(sizeof(struct pkt) <= 2 * CACHE_LINE, "struct pkt");
_Static_assert(PKT_NREASONS <= UINT8_MAX, "reason is a byte");

static inline void forget(struct pkt *p)
{
	memset((uint8_t *)p + PKT_PARSED, 0, sizeof(*p) - PKT_PARSED);
}

/* Ethernet, IPv4 without options, not a fragment: all fields in one go.  False:
 * nothing is written. */
static inline bool parse_plain(struct pkt *p)
{
	const uint8_t *ip = p->data + ETHER_LEN;
	uint32_t len;

	if (p->linktype != LINK_ETHERNET || p->caplen < ETHER_LEN + IP4_LEN ||
	    get16(p->data + 12) != ETHER_IPV4 || ip[0] != 0x45 ||
	    get16(ip + 6) & (IP4_MORE | IP4_OFFSET))
		return false;
	len = get16(ip + 2);
	if (len < IP4_LEN)
		return false;
	forget(p);
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

enum pkt_reason pkt_parse(struct pkt *p)
{
	enum pkt_reason r;

	if (likely(parse_plain(p)))
		return PKT_OK;
	forget(p);
	r = pkt_link(p);
	p->reason = (uint8_t)r;
	return r;
}

const char *pkt_reason_name(enum pkt_reason r)
{
	static const char *const names[] = {
#define X(name, str, meaning) [PKT_##name] = str,
		PKT_REASONS(X)
#undef X
	};

	return (unsigned int)r < PKT_NREASONS ? names[r] : "unknown";
}

/*
 * pkt.c - from a frame to its layers, in one pass.
 *
 * Theory.  `pkt_parse` is a straight line for what nearly every frame is,
 * IPv4 in Ethernet without a tag: one test of the link type, one of the
 * length, one of the type, then `pkt_ip4`.  All else goes through `pkt_link`,
 * which ends in the same functions.  There is no table of functions: the
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

enum pkt_reason pkt_parse(struct pkt *p)
{
	enum pkt_reason r;

	forget(p);
	if (likely(p->linktype == LINK_ETHERNET &&
	           p->caplen >= ETHER_LEN + IP4_LEN &&
	           get16(p->data + 12) == ETHER_IPV4)) {
		p->l3 = ETHER_LEN;
		r = pkt_ip4(p);
	} else {
		r = pkt_link(p);
	}
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

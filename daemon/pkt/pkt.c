/*
 * pkt.c - from a frame to its layers, in one pass.
 *
 * Theory.  `pkt_parse` is a straight line for what nearly every frame is, IP in
 * Ethernet without a tag, options or fragments (plain.h).  All else goes
 * through `pkt_link`.  There is no table of functions: the
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

#include "daemon/pkt/plain.h"

_Static_assert(sizeof(struct pkt) <= 2 * CACHE_LINE, "struct pkt");
_Static_assert(PKT_NREASONS <= UINT8_MAX, "reason is a byte");

enum pkt_reason pkt_parse_any(struct pkt *p)
{
	enum pkt_reason r;

	pkt_forget(p);
	r = pkt_link(p);
	p->reason = (uint8_t)r;
	return r;
}

enum pkt_reason pkt_parse(struct pkt *p)
{
	return likely(pkt_plain(p)) ? PKT_OK : pkt_parse_any(p);
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

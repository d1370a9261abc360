/*
 * udplite.c - UDP-Lite, RFC 3828 (F144-F146).
 *
 * Like UDP, but where UDP has a length it says how many bytes the checksum
 * covers, the checksum is mandatory, and there is no rule of two seconds: the
 * first packet after an answer makes the flow a stream (F145).
 *
 * Deviation: the kernel sums the pseudo header with UDP's number, so it calls
 * correct packets wrong; we sum with 136 as the RFC says (F146).
 */
#include "daemon/tracker/common.h"
#include "daemon/tracker/udp.h"

#define PROTO_UDPLITE 136u

/* places in the list of trackers; UDP-Lite lives by UDP's timeouts */
enum {
#define TRACKER(name) ROW_##name,
#include "daemon/tracker/trackers.h"
#undef TRACKER
};

static enum trk_verdict udplite_check(struct trk_ctx *c)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, UDP_HEADER);
	uint32_t cover;

	if (p->l4len < UDP_HEADER)
		return trk_invalid(c, "short packet");
	if (h == NULL)
		return TRK_ACCEPT;
	cover = get16(h + 4);
	if (cover == 0)
		cover = p->l4len;
	else if (cover < UDP_HEADER || cover > p->l4len)
		return trk_invalid(c, "invalid checksum coverage");
	if (get16(h + 6) == 0)
		return trk_invalid(c, "checksum missing");
	if (checksum_wrong(c, PROTO_UDPLITE, cover))
		return trk_invalid(c, "bad checksum");
	return TRK_ACCEPT;
}

static enum trk_verdict udplite_packet(struct trk_ctx *c, struct conn *conn)
{
	uint8_t slot = UDP_UNREPLIED;

	if (conn->status & CONN_SEEN_REPLY ||
	    (conn->status & CONN_ONE_WAY && !c->first)) {
		slot = UDP_REPLIED;
		trk_assure(c, conn);
	}
	c->timeout = trk_timeout_of(c, ROW_udp, slot);
	return TRK_ACCEPT;
}

const struct tracker tracker_udplite = {
	.name = "udplite",
	.l4proto = PROTO_UDPLITE,
	.check = udplite_check,
	.packet = udplite_packet,
};

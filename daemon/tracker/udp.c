/*
 * udp.c - UDP (F140-F143).
 *
 * UDP has no states; what a tracker can know is whether somebody answered and
 * whether the talk went on.  A question with its answer is over at once, so
 * replies alone do not earn the long timeout: a flow becomes a stream, and
 * assured, with the first packet in either direction that comes more than two
 * seconds after its first one, when it had been answered before (F142, F143).
 */
#include <stdio.h>

#include "daemon/tracker/common.h"
#include "daemon/tracker/udp.h"

#define PROTO_UDP     17u
#define UDP_STREAM_MS 2000

struct udp_priv {
	uint32_t first;  /* tick of the first packet */
	uint8_t lasting; /* a packet came later than UDP_STREAM_MS */
};
TRACKER_PRIV(struct udp_priv, lasting);

static enum trk_verdict udp_check(struct trk_ctx *c)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, UDP_HEADER);
	uint16_t len;

	if (p->l4len < UDP_HEADER)
		return trk_invalid(c, "short packet");
	if (h == NULL) /* not captured: nothing to hold against it (F011) */
		return TRK_ACCEPT;
	len = get16(h + 4);
	if (len < UDP_HEADER || len > p->l4len)
		return trk_invalid(c, "truncated/malformed packet");
	if (get16(h + 6) != 0 && checksum_wrong(c, PROTO_UDP, p->l4len))
		return trk_invalid(c, "bad checksum");
	return TRK_ACCEPT;
}

static enum trk_verdict udp_packet(struct trk_ctx *c, struct conn *conn)
{
	struct udp_priv *u = (void *)conn->priv;

	if (c->first)
		u->first = c->now;
	else if ((int32_t)(c->now - u->first) > UDP_STREAM_MS)
		u->lasting = 1; /* kept: the difference wraps after 24 days */
	c->timeout = trk_timeout(c, UDP_UNREPLIED);
	/* where answers are not to be seen, a talk that lasts has some (F138)
	 */
	if (conn->status & (CONN_SEEN_REPLY | CONN_ONE_WAY) && u->lasting) {
		c->timeout = trk_timeout(c, UDP_REPLIED);
		trk_assure(c, conn);
	}
	return TRK_ACCEPT;
}

static int udp_header(const struct pkt *p, char *buf, size_t len)
{
	const uint8_t *h = pkt_l4(p, 0, UDP_HEADER);

	if (!h || get16(h + 4) < UDP_HEADER)
		return 0;
	return trk_printed(
		snprintf(buf, len, "len=%u", get16(h + 4) - UDP_HEADER), len);
}

static int udp_inside(const struct conn *conn, char *buf, size_t len)
{
	const struct udp_priv *u = (const void *)conn->priv;

	return trk_printed(
		snprintf(buf, len, "lasting=%s", u->lasting ? "yes" : "no"),
		len);
}

static const struct trk_timeout udp_timeouts[] = {
	{"udp_timeout", UDP_UNREPLIED, 30,
         "no stream (yet): unanswered, or not older than 2 s"},
	{"udp_timeout_stream", UDP_REPLIED, 120,
         "answered, and still talking after 2 s"},
};

const struct tracker tracker_udp = {
	.name = "udp",
	.l4proto = PROTO_UDP,
	.ntimeouts = ARRAY_SIZE(udp_timeouts),
	.timeouts = udp_timeouts,
	.check = udp_check,
	.packet = udp_packet,
	.inside = udp_inside,
	.header = udp_header,
};

/*
 * gre.c - GRE (F027-F029, F178).
 *
 * Plain GRE (version 0, and whatever is too short to tell) has nothing like a
 * port: one connection for a pair of addresses (F028).  The enhanced GRE of
 * PPTP (version 1, RFC 2637) carries the call id that the receiver chose; the
 * sender's own is known only from the control connection, which is what the
 * keymap is for.  Without an entry there the two directions of a call cannot
 * be told to belong together, and each is a connection (F029).
 *
 * Timeouts are those in force when the connection began: the kernel keeps
 * them in the entry and shows them in /proc (behaviour.md 4.1).
 */
#include <stdio.h>

#include "daemon/tracker/common.h"

#define PROTO_GRE         47u
#define GRE_BASE          4u /* flags and protocol */
#define GRE_PPTP          8u /* up to and with the call id */
#define GRE_VERSION       0x0007u
#define GRE_ETHERTYPE_PPP 0x880bu

enum { GRE_UNREPLIED, GRE_REPLIED };

struct gre_priv {
	uint32_t timeout[2]; /* seconds, by the slots above */
};
TRACKER_PRIV(struct gre_priv, timeout);

/*
 * The key that the sender of a PPTP packet is known by.  0 is what the kernel
 * uses when its keymap has no entry; entries are made by the PPTP helper
 * alone, so without one this is the whole answer.
 */
static uint16_t gre_source_key(const struct pkt *p, uint16_t dst_key)
{
	(void)p;
	(void)dst_key;
	return 0;
}

static bool gre_tuple(const struct pkt *p, struct trk_tuple *t)
{
	const uint8_t *base = pkt_l4(p, 0, GRE_BASE);
	const uint8_t *pptp = pkt_l4(p, 0, GRE_PPTP);

	t->src = 0;
	t->dst = 0;
	if (base == NULL || (get16(base) & GRE_VERSION) != 1 || pptp == NULL)
		return true;
	if (get16(base + 2) != GRE_ETHERTYPE_PPP)
		return false;
	t->dst = get16(pptp + 6);
	t->src = gre_source_key(p, t->dst);
	return true;
}

static enum trk_verdict gre_packet(struct trk_ctx *c, struct conn *conn)
{
	struct gre_priv *g = (void *)conn->priv;
	uint32_t slot = GRE_UNREPLIED;

	if (c->first) {
		g->timeout[GRE_UNREPLIED] = trk_timeout(c, GRE_UNREPLIED);
		g->timeout[GRE_REPLIED] = trk_timeout(c, GRE_REPLIED);
	}
	if (conn->status & CONN_SEEN_REPLY) {
		slot = GRE_REPLIED;
		trk_assure(c, conn);
	}
	c->timeout = g->timeout[slot];
	/* an entry that the API made began with no packet */
	if (c->timeout == 0)
		c->timeout = trk_timeout(c, (uint8_t)slot);
	return TRK_ACCEPT;
}

static int gre_describe(const struct conn *conn, char *buf, size_t len)
{
	const struct gre_priv *g = (const void *)conn->priv;

	return trk_printed(snprintf(buf, len, "timeout=%u stream_timeout=%u",
	                            g->timeout[GRE_UNREPLIED],
	                            g->timeout[GRE_REPLIED]),
	                   len);
}

static const struct trk_timeout gre_timeouts[] = {
	{"gre_timeout", GRE_UNREPLIED, 30, "one direction seen"},
	{"gre_timeout_stream", GRE_REPLIED, 180, "both directions seen"},
};

const struct tracker tracker_gre = {
	.name = "gre",
	.l4proto = PROTO_GRE,
	.ntimeouts = ARRAY_SIZE(gre_timeouts),
	.timeouts = gre_timeouts,
	.tuple = gre_tuple,
	.packet = gre_packet,
	.describe = gre_describe,
};

/*
 * generic.c - every IP protocol that has no tracker (F030, F150): one
 * connection for a pair of addresses and a protocol number, kept as long as
 * packets come, never assured.
 */
#include "daemon/tracker/common.h"

#define PROTO_ANY 255u /* the kernel's number for it */

enum { GENERIC_TIMEOUT };

static bool generic_tuple(const struct pkt *p, struct trk_tuple *t)
{
	(void)p;
	t->src = 0;
	t->dst = 0;
	return true;
}

static enum trk_verdict generic_packet(struct trk_ctx *c, struct conn *conn)
{
	(void)conn;
	c->timeout = trk_timeout(c, GENERIC_TIMEOUT);
	return TRK_ACCEPT;
}

static const struct trk_timeout generic_timeouts[] = {
	{"generic_timeout", GENERIC_TIMEOUT, 600, "after each packet"},
};

const struct tracker tracker_generic = {
	.name = "unknown",
	.l4proto = PROTO_ANY,
	.ntimeouts = ARRAY_SIZE(generic_timeouts),
	.timeouts = generic_timeouts,
	.tuple = generic_tuple,
	.packet = generic_packet,
};

/*
 * icmp.c - ICMP for IPv4 (F025, F147, F148, F155).
 *
 * Three kinds of messages.  Questions start a connection and their answers
 * belong to it; the key carries the question's type for both.  Errors belong
 * to the connection that they quote, never to one of their own.  All others
 * have neither an inverse nor a quote and are INVALID.
 *
 * What the kernel finds wrong before it looks for a tuple (short, checksum,
 * type) counts as `error`, not as `invalid` (F148, F159), so `icmp_error()`
 * makes these tests and there is no check(): error() is asked before tuple().
 */
#include "daemon/tracker/common.h"

#define PROTO_ICMP  1u
#define ICMP_HEADER 8u
#define ICMP_TYPES  19u /* 0 to 18 are known */

enum { ICMP_TIMEOUT };

enum icmp_kind { OTHER, QUESTION, ANSWER, ERROR };

static const struct icmp_type {
	uint8_t kind; /* enum icmp_kind */
	uint8_t request;
} icmp_types[ICMP_TYPES] = {
	[0] = {ANSWER, 8},     /* echo */
	[3] = {ERROR, 0},      /* destination unreachable */
	[4] = {ERROR, 0},      /* source quench */
	[5] = {ERROR, 0},      /* redirect */
	[8] = {QUESTION, 8},   /* echo */
	[11] = {ERROR, 0},     /* time exceeded */
	[12] = {ERROR, 0},     /* parameter problem */
	[13] = {QUESTION, 13}, /* timestamp */
	[14] = {ANSWER, 13},   [15] = {QUESTION, 15}, /* information */
	[16] = {ANSWER, 15},   [17] = {QUESTION, 17}, /* address mask */
	[18] = {ANSWER, 17},
};

static enum icmp_kind icmp_kind(uint32_t type)
{
	return type < ICMP_TYPES ? icmp_types[type].kind : OTHER;
}

static bool icmp_tuple(const struct pkt *p, struct trk_tuple *t)
{
	const uint8_t *h = pkt_l4(p, 0, ICMP_HEADER);

	/* protocol 1 within IPv6 is not ICMP, and not anything else either */
	if (h == NULL || p->l3proto != 4)
		return false;
	t->src = get16(h + 4);
	t->dst = get16(h);
	return true;
}

static bool icmp_request(struct trk_tuple *t, bool *requester_is_dst)
{
	uint32_t type = t->dst >> 8;
	enum icmp_kind kind = icmp_kind(type);

	if (kind != QUESTION && kind != ANSWER)
		return false;
	*requester_is_dst = kind == ANSWER;
	t->dst = (uint16_t)(icmp_types[type].request << 8 | (t->dst & 0xff));
	return true;
}

static int icmp_error(struct trk_ctx *c)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, ICMP_HEADER);

	if (p->l3proto != 4)
		return 0;
	if (h == NULL)
		c->why = "short packet";
	else if (checksum_wrong(c, PROTO_ICMP, p->l4len))
		c->why = "bad hw icmp checksum";
	else if (h[0] >= ICMP_TYPES)
		c->why = "invalid icmp type";
	else if (icmp_kind(h[0]) != ERROR)
		return 0;
	else
		return ICMP_HEADER;
	return -1;
}

static enum trk_verdict icmp_packet(struct trk_ctx *c, struct conn *conn)
{
	struct trk_tuple t;
	bool answer;

	(void)conn;
	if (!icmp_tuple(c->pkt, &t) || !icmp_request(&t, &answer))
		return TRK_INVALID;
	if (c->first && answer)
		return TRK_INVALID;
	c->timeout = trk_timeout(c, ICMP_TIMEOUT);
	return TRK_ACCEPT;
}

static const struct trk_timeout icmp_timeouts[] = {
	{"icmp_timeout", ICMP_TIMEOUT, 30, "after each question or answer"},
};

const struct tracker tracker_icmp = {
	.name = "icmp",
	.l4proto = PROTO_ICMP,
	.ntimeouts = ARRAY_SIZE(icmp_timeouts),
	.timeouts = icmp_timeouts,
	.tuple = icmp_tuple,
	.request = icmp_request,
	.error = icmp_error,
	.packet = icmp_packet,
};

/*
 * icmpv6.c - ICMPv6, RFC 4443 (F026, F033, F149, F155).
 *
 * As ICMP: questions, answers, errors.  Types below 128 are errors by their
 * number, known or not.  A redirect (137) quotes as well, but behind options
 * of neighbour discovery, and only a neighbour may send one (RFC 4861 section
 * 8.1: hop limit 255, link-local source).  Messages between neighbours never
 * get a connection: they are UNTRACKED, not INVALID (F033).
 *
 * The order is the kernel's: short and checksum first, and both count as
 * `error`; hence `icmpv6_check()` leaves a packet that fails them to
 * `icmpv6_error()`.
 */
#include "daemon/tracker/common.h"

#define PROTO_ICMPV6    58u
#define ICMPV6_HEADER   8u
#define REDIRECT        137u
#define REDIRECT_HEADER 40u /* with target and destination */
#define OPT_HEADER      8u /* of the redirected header option, RFC 4861 4.6.3 */
#define OPT_REDIRECTED  4u

enum { ICMPV6_TIMEOUT };

struct icmpv6_query {
	uint8_t request, answer;
};

static const struct icmpv6_query icmpv6_queries[] = {
	{128, 129}, /* echo */
	{139, 140}, /* node information, RFC 4620 */
};

/* F033: MLD 130-132, neighbour discovery 133-136, MLDv2 143 */
static bool icmpv6_is_untracked(uint8_t type)
{
	return (type >= 130 && type <= 136) || type == 143;
}

/* NULL = good, else what is wrong with the packet as a whole */
static const char *icmpv6_fault(const struct trk_ctx *c)
{
	if (pkt_l4(c->pkt, 0, ICMPV6_HEADER) == NULL)
		return "short packet";
	if (checksum_wrong(c, PROTO_ICMPV6, c->pkt->l4len))
		return "ICMPv6 checksum failed";
	return NULL;
}

static enum trk_verdict icmpv6_check(struct trk_ctx *c)
{
	const uint8_t *h = pkt_l4(c->pkt, 0, ICMPV6_HEADER);

	if (h == NULL || c->pkt->l3proto != 6 || !icmpv6_is_untracked(h[0]) ||
	    icmpv6_fault(c) != NULL)
		return TRK_ACCEPT;
	return TRK_UNTRACKED;
}

static bool icmpv6_tuple(const struct pkt *p, struct trk_tuple *t)
{
	const uint8_t *h = pkt_l4(p, 0, ICMPV6_HEADER);

	/* protocol 58 within IPv4 is not ICMPv6, and not anything else */
	if (h == NULL || p->l3proto != 6)
		return false;
	t->src = get16(h + 4);
	t->dst = get16(h);
	return true;
}

static bool icmpv6_request(struct trk_tuple *t, bool *requester_is_dst)
{
	uint32_t type = t->dst >> 8;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(icmpv6_queries); i++) {
		const struct icmpv6_query *q = &icmpv6_queries[i];

		if (type != q->request && type != q->answer)
			continue;
		*requester_is_dst = type == q->answer;
		t->dst = (uint16_t)(q->request << 8 | (t->dst & 0xff));
		return true;
	}
	return false;
}

static bool is_link_local(const union pkt_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* 0 = a redirect that quotes nothing; it then has no tuple either */
static int icmpv6_redirect(struct trk_ctx *c)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, REDIRECT_HEADER);
	const uint8_t *opt = pkt_l4(p, REDIRECT_HEADER, 2);

	if (h == NULL) {
		c->why = "short redirect";
		return -1;
	}
	if (h[1] != 0)
		return 0;
	if (p->ttl != 255 || !is_link_local(&p->src)) {
		c->why = "invalid saddr or hoplimit for redirect";
		return -1;
	}
	if (opt == NULL || opt[1] == 0) {
		c->why = "redirect without options";
		return -1;
	}
	if (opt[0] != OPT_REDIRECTED)
		return 0;
	return REDIRECT_HEADER + OPT_HEADER;
}

static int icmpv6_error(struct trk_ctx *c)
{
	const uint8_t *h = pkt_l4(c->pkt, 0, ICMPV6_HEADER);

	if (c->pkt->l3proto != 6)
		return 0;
	c->why = icmpv6_fault(c);
	if (h == NULL || c->why != NULL)
		return -1;
	if (h[0] == REDIRECT)
		return icmpv6_redirect(c);
	if (h[0] >= 128)
		return 0;
	return ICMPV6_HEADER;
}

static enum trk_verdict icmpv6_packet(struct trk_ctx *c, struct conn *conn)
{
	struct trk_tuple t;
	bool answer;

	(void)conn;
	if (!icmpv6_tuple(c->pkt, &t) || !icmpv6_request(&t, &answer))
		return TRK_INVALID;
	if (c->first && answer)
		return TRK_INVALID;
	c->timeout = trk_timeout(c, ICMPV6_TIMEOUT);
	return TRK_ACCEPT;
}

static const struct trk_timeout icmpv6_timeouts[] = {
	{"icmpv6_timeout", ICMPV6_TIMEOUT, 30, "after each question or answer"},
};

const struct tracker tracker_icmpv6 = {
	.name = "icmpv6",
	.l4proto = PROTO_ICMPV6,
	.ntimeouts = ARRAY_SIZE(icmpv6_timeouts),
	.timeouts = icmpv6_timeouts,
	.tuple = icmpv6_tuple,
	.request = icmpv6_request,
	.check = icmpv6_check,
	.error = icmpv6_error,
	.packet = icmpv6_packet,
};

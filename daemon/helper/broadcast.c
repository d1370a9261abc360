/*
 * broadcast.c - a request to all, and an answer from anybody (F223).
 *
 * The answer to a broadcast comes from an address that nobody asked, so it
 * matches no connection.  The kernel helps only the machine that asks: it
 * knows by its own routes that the destination is a broadcast, and by its own
 * interface how large the network is; what it forwards it does not help.  From
 * a capture strict mode therefore expects nothing, as a router would.
 *
 * Mirror mode has no routes, and goes by what the packet shows.  It went to
 * all if one of these is true:
 *
 *	the destination is 255.255.255.255 or a multicast group;
 *	the frame was sent to a group address, or the capture's own header
 *	says so (LINKTYPE_LINUX_SLL);
 *	NAME_prefix is configured, and in a network of that size the
 *	destination's host bits are all ones;
 *	it is not, and the payload says so, and at least two bits at the
 *	destination's end are ones (no network has less).
 *
 * Who may answer: with NAME_prefix, the network of that size.  Without, all
 * bits of ones at the destination's end count as host bits: 192.168.1.255 may
 * be the broadcast address of a /24 or of a /23, and the larger of both is
 * taken.  That is generous, but the answer must also come from the helper's
 * port to the very port that asked, within seconds.  For a destination that
 * names no network anybody may answer.
 *
 * The expectation is permanent: many may answer.  It ends with the connection
 * of the request, whose own timeout becomes the expectation's (F223).
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/broadcast.h"

/* LINKTYPE_ values, and where their headers tell a group address */
enum { LINK_ETHERNET = 1, LINK_SLL = 113, LINK_SLL2 = 276 };

#define ETHERNET_LEN 14u
#define SLL_LEN      16u
#define SLL2_LEN     20u

static bool broadcast_sll(uint8_t type)
{
	return type == 1 || type == 2; /* PACKET_BROADCAST, _MULTICAST */
}

/* A datagram put together from fragments has no frame before it. */
static bool broadcast_frame(const struct pkt *p)
{
	if (p->l3 > p->caplen)
		return false;
	switch (p->linktype) {
	case LINK_ETHERNET:
		return p->l3 >= ETHERNET_LEN && (p->data[0] & 1);
	case LINK_SLL:
		return p->l3 >= SLL_LEN && broadcast_sll(p->data[1]);
	case LINK_SLL2:
		return p->l3 >= SLL2_LEN && broadcast_sll(p->data[10]);
	}
	return false;
}

static uint32_t broadcast_mask(uint32_t prefix)
{
	return prefix ? ~0u << (32 - prefix) : 0;
}

static bool broadcast_names_none(uint32_t dst)
{
	return dst == INADDR_BROADCAST || IN_MULTICAST(dst);
}

/* The network of a destination by the ones at its end; 0 = none. */
static uint32_t broadcast_by_address(uint32_t dst)
{
	uint32_t host = dst & ~(dst + 1);

	return host >= 3 ? ~host : 0;
}

static bool broadcast_is(const struct help_ctx *h, uint32_t dst, bool told)
{
	uint32_t prefix = h->option[BROADCAST_PREFIX];

	if (broadcast_names_none(dst) || broadcast_frame(h->pkt))
		return true;
	if (prefix)
		return !~(dst | broadcast_mask(prefix));
	return told && broadcast_by_address(dst);
}

/* Who may answer; 0 = anybody. */
static uint32_t broadcast_answers(const struct help_ctx *h, uint32_t dst)
{
	uint32_t prefix = h->option[BROADCAST_PREFIX];

	if (broadcast_names_none(dst))
		return 0;
	return prefix ? broadcast_mask(prefix) : broadcast_by_address(dst);
}

void broadcast_request(struct help_ctx *h, bool told)
{
	uint32_t dst = get32(h->addr[1].b), mask;
	struct expect_spec s;

	if (!h->mirror || !h->option[BROADCAST_ON] || h->dir != DIR_ORIGINAL ||
	    !broadcast_is(h, dst, told))
		return;
	mask = broadcast_answers(h, dst);
	memset(&s, 0, sizeof(s));
	s.l4proto = IPPROTO_UDP;
	s.flags = EXPECT_PERMANENT;
	s.any_src = !mask;
	if (mask) {
		s.src = h->addr[1];
		s.src_mask.w[0] = htonl(mask);
	}
	s.sport = h->port[1];
	s.dst = h->addr[0];
	s.dport = h->port[0];
	s.seconds = h->option[BROADCAST_TIMEOUT];
	ask(h, &s);
	h->refresh(h, s.seconds);
}

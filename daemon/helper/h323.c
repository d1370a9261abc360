/*
 * h323.c - addresses, expectations and framing of H.323.
 *
 * Over TCP each message is in a TPKT (RFC 1006): 3, 0, and the length in two
 * bytes, with these four.
 *
 * Strict mode takes what begins at the beginning of a segment and ends within
 * it, up to the first that cannot be read, as the kernel does.  Some terminals
 * send the four bytes alone and the message next; so a segment that begins with
 * none is a message when the one before was such a head.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/h323.h"

#define TPKT_HEAD    4u
#define TPKT_VERSION 3u

/* -- addresses ------------------------------------------------------------- */

bool h323_place(struct h323_place *p, uint8_t emit, uint32_t value,
                const uint8_t *bytes)
{
	switch (emit) {
	case SEE_IP4:
	case SEE_IP6:
		memset(p, 0, sizeof(*p));
		p->l3proto = emit == SEE_IP4 ? 4 : 6;
		memcpy(p->addr.b, bytes, emit == SEE_IP4 ? 4 : 16);
		return false;
	case SEE_PORT:
		p->port = (uint16_t)value;
		return true;
	}
	return false;
}

bool h323_usable(const struct help_ctx *h, const struct h323_place *p)
{
	return p->l3proto == h->l3proto && p->port;
}

bool h323_own(struct help_ctx *h, const struct h323_place *p)
{
	if (!h323_usable(h, p))
		return false;
	if (!memcmp(&p->addr, &h->addr[h->dir], sizeof(p->addr)))
		return true;
	h->count(h, HELP_FOREIGN);
	return false;
}

struct expect_spec h323_spec(const struct help_ctx *h, uint8_t l4proto,
                             const struct h323_place *dst)
{
	struct expect_spec s;

	memset(&s, 0, sizeof(s));
	s.l4proto = l4proto;
	s.any_sport = true;
	s.src = h->addr[!h->dir];
	memset(&s.src_mask, 0xff, h->l3proto == 6 ? 16 : 4);
	s.dst = dst->addr;
	s.dport = dst->port;
	return s;
}

bool h323_ask(struct help_ctx *h, const struct expect_spec *s)
{
	/* the kernel reads on no more, and drops the packet (F203) */
	if (h->drop && !h->mirror)
		return false;
	h->drop |= ask(h, s) != 0;
	return !h->drop;
}

/* -- TPKT ------------------------------------------------------------------ */

static bool tpkt_is(const uint8_t *head)
{
	return head[0] == TPKT_VERSION && head[1] == 0;
}

/* The segment begins with no head; the one before may have been one. */
static void tpkt_body(struct help_ctx *h, uint16_t awaited, frame_fn fn)
{
	const uint8_t *msg;

	if (!awaited || awaited > h->len)
		return;
	msg = help_data(h, 0, awaited);
	h->count(h, HELP_LINES);
	if (msg)
		fn(h, msg, awaited);
	else
		h->count(h, HELP_MALFORMED);
}

static void tpkt_segment(struct help_ctx *h, struct h323_stream *s, frame_fn fn)
{
	uint16_t awaited = s->awaited[h->dir], size;
	const uint8_t *head = help_data(h, 0, TPKT_HEAD), *msg;
	uint32_t at = 0;

	s->awaited[h->dir] = 0;
	if (!head || !tpkt_is(head)) {
		tpkt_body(h, awaited, fn);
		return;
	}
	for (; head && tpkt_is(head); head = help_data(h, at, TPKT_HEAD)) {
		size = get16(head + 2);
		if (size < TPKT_HEAD)
			return;
		if (size > h->len - at) {
			if (h->len - at == TPKT_HEAD && !at)
				s->awaited[h->dir] = size - TPKT_HEAD;
			return;
		}
		msg = help_data(h, at + TPKT_HEAD, size - TPKT_HEAD);
		h->count(h, HELP_LINES);
		if (!msg) {
			h->count(h, HELP_MALFORMED);
			return;
		}
		if (!fn(h, msg, size - TPKT_HEAD))
			return;
		at += size;
	}
}

static uint32_t tpkt_measure(const uint8_t *head)
{
	uint16_t size = get16(head + 2);

	return tpkt_is(head) && size >= TPKT_HEAD ? size : 0;
}

static const struct frame_rule tpkt_rule = {TPKT_HEAD, TPKT_HEAD, tpkt_measure};

void h323_stream(struct help_ctx *h, struct h323_stream *s, frame_fn fn)
{
	if (h->info != CTINFO_ESTABLISHED &&
	    h->info != CTINFO_ESTABLISHED_REPLY)
		return;
	if (h->mirror)
		frame_feed(h, &s->frame[h->dir], &tpkt_rule, fn);
	else
		tpkt_segment(h, s, fn);
}

/*
 * sane.c - SANE, scanners over the network (F222).
 *
 * The client asks with one word of 32 bits and what belongs to it; the server
 * answers before the next request.  NET_START (7) begins a scan: the request
 * is that word and a handle, eight bytes in all, and the answer begins with a
 * status and the port where the server waits for the client to fetch the
 * picture:
 *
 *	client	00 00 00 07  handle
 *	server	00 00 00 00  00 00 port  byte order, name ...
 *
 * Strict mode takes a segment for a request and one for the answer, as the
 * kernel does: a request of another length changes nothing, and an answer cut
 * in two is none.  Mirror mode joins the first eight bytes of either side; a
 * request begins after an answer, and is a NET_START when it ends there.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"

#define SANE_NET_START 7u
#define SANE_HEAD      8u

struct sane_priv {
	uint32_t next[2]; /* mirror: sequence number behind what was seen */
	uint8_t known[2]; /* mirror: `next` means something */
	uint8_t len[2];   /* mirror: bytes of `head`, more than that: 255 */
	uint8_t head[2][SANE_HEAD];
	uint8_t started; /* strict: the last request was a NET_START */
	uint8_t broken;  /* mirror: bytes are missing, wait for a request */
};
HELPER_PRIV(struct sane_priv);

#define SANE_LONG 255u

static bool sane_is_start(const uint8_t *req)
{
	return get32(req) == SANE_NET_START;
}

/* The answer to a NET_START. */
static void sane_answer(struct help_ctx *h, const uint8_t *a)
{
	h->count(h, HELP_LINES);
	if (get32(a) != 0) /* the server refuses */
		return;
	if (get16(a + 4) != 0 || (h->mirror && !get16(a + 6))) {
		h->count(h, HELP_MALFORMED);
		return;
	}
	ask_expect(h, IPPROTO_TCP, &h->addr[0], &h->addr[1], get16(a + 6), 0);
}

/* -- strict -------------------------------------------------------------- */

static void sane_segment(struct help_ctx *h, struct sane_priv *p)
{
	const uint8_t *b = help_data(h, 0, SANE_HEAD);

	if (h->dir == DIR_ORIGINAL) {
		if (h->len == SANE_HEAD && b)
			p->started = sane_is_start(b);
		return;
	}
	if (!p->started)
		return;
	p->started = false;
	if (b)
		sane_answer(h, b);
	else
		h->count(h, HELP_MALFORMED);
}

/* -- mirror -------------------------------------------------------------- */

/* How many bytes were seen before; false: all, or some are missing. */
static bool sane_place(struct help_ctx *h, struct sane_priv *p, uint32_t *seen)
{
	uint8_t d = h->dir;
	uint32_t behind = p->known[d] ? p->next[d] - h->seq : 0;

	*seen = 0;
	if (behind && behind <= h->len)
		*seen = behind;
	else if (behind && (int32_t)behind > 0)
		return false;
	if (behind && !*seen) {
		p->broken = true;
		h->count(h, HELP_RESYNC);
	}
	p->next[d] = h->seq + h->len;
	p->known[d] = true;
	return *seen < h->len;
}

/* The first eight bytes of this side; true when they just came together. */
static bool sane_collect(struct help_ctx *h, struct sane_priv *p, uint32_t off)
{
	uint8_t d = h->dir;
	uint32_t n = h->len - off, had = p->len[d], want = SANE_HEAD - had;
	const uint8_t *b;

	if (had >= SANE_HEAD) {
		p->len[d] = SANE_LONG;
		return false;
	}
	if (want > n)
		want = n;
	b = help_data(h, off, want);
	if (!b) {
		p->len[d] = SANE_LONG;
		p->broken = true;
		h->count(h, HELP_RESYNC);
		return false;
	}
	memcpy(p->head[d] + had, b, want);
	p->len[d] = (uint8_t)(had + want);
	if (p->len[d] < SANE_HEAD)
		h->count(h, HELP_PARTIAL);
	if (d == DIR_ORIGINAL && n > want)
		p->len[d] = SANE_LONG;
	return p->len[d] == SANE_HEAD;
}

static void sane_stream(struct help_ctx *h, struct sane_priv *p)
{
	uint32_t off;

	if (!sane_place(h, p, &off))
		return;
	/* the first bytes after an answer begin a request, whatever was
	 * missing before */
	if (h->dir == DIR_ORIGINAL && p->len[DIR_REPLY]) {
		p->len[DIR_ORIGINAL] = p->len[DIR_REPLY] = 0;
		p->broken = false;
	}
	if (p->broken) {
		if (h->dir == DIR_REPLY)
			p->len[DIR_REPLY] = SANE_LONG;
		return;
	}
	if (sane_collect(h, p, off) && h->dir == DIR_REPLY &&
	    p->len[DIR_ORIGINAL] == SANE_HEAD &&
	    sane_is_start(p->head[DIR_ORIGINAL]))
		sane_answer(h, p->head[DIR_REPLY]);
}

static void sane_help(struct help_ctx *h)
{
	if (h->info != CTINFO_ESTABLISHED &&
	    h->info != CTINFO_ESTABLISHED_REPLY)
		return;
	if (h->mirror)
		sane_stream(h, h->priv);
	else
		sane_segment(h, h->priv);
}

static const struct helper_port sane_ports[] = {
	{.l4proto = IPPROTO_TCP, .port = 6566, .v4 = true, .v6 = true},
};

static const struct helper_class sane_classes[] = {
	{.max = 1, .seconds = 300},
};

const struct helper helper_sane = {
	.name = "sane",
	.key = "sane",
	.nports = ARRAY_SIZE(sane_ports),
	.nclasses = ARRAY_SIZE(sane_classes),
	.ports = sane_ports,
	.classes = sane_classes,
	.help = sane_help,
};

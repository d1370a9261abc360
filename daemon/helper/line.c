/* line.c - lines out of segments. */
#include <string.h>

#include "daemon/helper/line.h"

/* no window is larger (RFC 7323, 2.3): what lies further back is not a
 * repetition */
#define LINE_BEHIND (1u << 30)

static void line_resync(struct help_ctx *h, struct help_line *l)
{
	if (l->open)
		h->keep(h, h->dir, NULL, 0, 0);
	l->open = false;
	l->skip = true;
	h->count(h, HELP_RESYNC);
}

/* How many bytes of the payload were seen before; false: all of them. */
static bool line_place(struct help_ctx *h, struct help_line *l, uint32_t *seen)
{
	uint32_t behind = l->next - h->seq;

	*seen = 0;
	if (!l->known || !behind)
		return true;
	if (behind > LINE_BEHIND) {
		line_resync(h, l);
		return true;
	}
	*seen = behind;
	return behind < h->len;
}

static void line_give(struct help_ctx *h, struct text t, line_fn fn)
{
	if (t.at < t.end && t.end[-1] == '\r')
		t.end--;
	h->count(h, HELP_LINES);
	fn(h, t);
}

/* What is kept with the bytes of `t` behind it, in buf[HELP_KEEP]; 0: it is
 * gone, or too much. */
static uint32_t line_join(struct help_ctx *h, uint32_t seq, struct text t,
                          uint8_t *buf)
{
	uint32_t len = 0, next = 0, add = text_left(&t);
	const uint8_t *old = h->kept(h, h->dir, &len, &next);

	if (!old || next != seq || len > HELP_KEEP || add > HELP_KEEP - len)
		return 0;
	memcpy(buf, old, len);
	memcpy(buf + len, t.at, add);
	return len + add;
}

/* The end of a line of which the beginning is kept. */
static void line_close(struct help_ctx *h, struct help_line *l, uint32_t seq,
                       struct text t, line_fn fn)
{
	uint8_t buf[HELP_KEEP];
	uint32_t len = line_join(h, seq, t, buf);

	h->keep(h, h->dir, NULL, 0, 0);
	l->open = false;
	if (len)
		line_give(h, (struct text){buf, buf + len}, fn);
	else
		h->count(h, HELP_RESYNC);
}

/* A line that does not end in this packet. */
static void line_keep(struct help_ctx *h, struct help_line *l, uint32_t seq,
                      struct text t)
{
	uint8_t buf[HELP_KEEP];
	const uint8_t *from = t.at;
	uint32_t len = text_left(&t);

	if (l->open) {
		len = line_join(h, seq, t, buf);
		from = buf;
	}
	if (!len || len > HELP_KEEP ||
	    !h->keep(h, h->dir, from, len, seq + text_left(&t))) {
		line_resync(h, l);
		return;
	}
	l->open = true;
	h->count(h, HELP_PARTIAL);
}

void line_feed(struct help_ctx *h, struct help_line *l, line_fn fn)
{
	bool whole = help_cap(h) >= h->len;
	const uint8_t *nl;
	struct text t, one;
	uint32_t seen, seq;

	if (!line_place(h, l, &seen))
		return;
	t = text_payload(h, seen);
	seq = h->seq + seen;
	l->next = h->seq + h->len;
	l->known = true;
	while (t.at < t.end && (nl = memchr(t.at, '\n', text_left(&t)))) {
		one = (struct text){t.at, nl};
		t.at = nl + 1;
		if (l->open)
			line_close(h, l, seq, one, fn);
		else if (!l->skip)
			line_give(h, one, fn);
		l->skip = false;
		seq += (uint32_t)(t.at - one.at);
	}
	if (!whole) /* cut by the capture: the rest will never come */
		line_resync(h, l);
	else if (t.at < t.end && !l->skip)
		line_keep(h, l, seq, t);
}

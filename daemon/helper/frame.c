/* frame.c - messages out of segments, when each tells its length. */
#include <string.h>

#include "daemon/helper/frame.h"

/* no window is larger (RFC 7323, 2.3): what lies further back is not a
 * repetition */
#define FRAME_BEHIND (1u << 30)

/* a segment, and how far it is read */
struct frame_seg {
	struct help_ctx *h;
	struct frame *f;
	const struct frame_rule *r;
	frame_fn fn;
	uint32_t at;
};

static void frame_drop(struct frame_seg *s)
{
	if (s->f->open)
		s->h->keep(s->h, s->h->dir, NULL, 0, 0);
	s->f->open = false;
}

/* Where the next message begins is not known any more. */
static void frame_lost(struct frame_seg *s)
{
	frame_drop(s);
	s->f->known = false;
	s->h->count(s->h, HELP_RESYNC);
}

/* Steps over what was seen before; false: all of it was. */
static bool frame_place(struct frame_seg *s)
{
	uint32_t behind = s->f->next - s->h->seq;

	if (!s->f->known || !behind)
		return true;
	if (behind > FRAME_BEHIND) {
		frame_lost(s);
		return true;
	}
	s->at = behind;
	return behind < s->h->len;
}

/* Beginning of a message that ends `more` bytes behind this segment's
 * place; it will not be read. */
static void frame_skip(struct frame_seg *s, uint32_t more)
{
	frame_drop(s);
	s->f->next = s->h->seq + s->at + more;
	s->f->known = true;
	s->h->count(s->h, HELP_MALFORMED);
}

static bool frame_keep(struct frame_seg *s, const uint8_t *data, uint32_t len)
{
	uint32_t next = s->h->seq + s->h->len;

	if (!data || len > HELP_KEEP ||
	    !s->h->keep(s->h, s->h->dir, data, len, next))
		return false;
	s->f->open = true;
	s->f->known = true;
	s->f->next = next;
	s->h->count(s->h, HELP_PARTIAL);
	return true;
}

/* -- a message of which the beginning is kept ------------------------------ */

/* Moves bytes of the segment behind those in `buf` until there are `want`;
 * false: it has less, or not all were captured. */
static bool frame_fill(struct frame_seg *s, uint8_t *buf, uint32_t *len,
                       uint32_t want)
{
	uint32_t left = s->h->len - s->at, add = want - *len;
	const uint8_t *data;

	if (*len >= want)
		return true;
	if (add > left)
		add = left;
	data = help_data(s->h, s->at, add);
	if (!data)
		return false;
	if (add)
		memcpy(buf + *len, data, add);
	*len += add;
	s->at += add;
	return *len >= want;
}

/* What is kept, in buf[HELP_KEEP]; 0: nothing that ends here. */
static uint32_t frame_kept(struct frame_seg *s, uint8_t *buf)
{
	uint32_t len = 0, next = 0;
	const uint8_t *old = s->h->kept(s->h, s->h->dir, &len, &next);

	if (!old || next != s->h->seq + s->at || len >= HELP_KEEP)
		return 0;
	memcpy(buf, old, len);
	return len;
}

/* It does not end in this segment either. */
static void frame_wait(struct frame_seg *s, const uint8_t *buf, uint32_t len)
{
	if (s->at < s->h->len || !frame_keep(s, buf, len))
		frame_lost(s);
}

/* Reads it; false: nothing more to read here. */
static bool frame_join(struct frame_seg *s)
{
	uint8_t buf[HELP_KEEP];
	uint32_t len = frame_kept(s, buf), size, start = s->at;

	if (!len) {
		frame_lost(s);
		return false;
	}
	if (!frame_fill(s, buf, &len, s->r->head)) {
		frame_wait(s, buf, len);
		return false;
	}
	size = s->r->measure(buf);
	if (size < len) { /* was none; but one may begin here */
		frame_lost(s);
		s->at = start;
		return true;
	}
	if (size > HELP_KEEP) {
		frame_skip(s, size - len);
		s->at += size - len;
		return s->at < s->h->len;
	}
	if (!frame_fill(s, buf, &len, size)) {
		frame_wait(s, buf, len);
		return false;
	}
	frame_drop(s);
	s->h->count(s->h, HELP_LINES);
	s->fn(s->h, buf + s->r->skip, len - s->r->skip);
	return true;
}

/* -- messages that begin here ---------------------------------------------- */

/* Reads the next one; false: nothing more to read here. */
static bool frame_next(struct frame_seg *s)
{
	uint32_t left = s->h->len - s->at, size;
	const uint8_t *head, *msg;

	if (left < s->r->head) {
		if (!frame_keep(s, help_data(s->h, s->at, left), left))
			frame_lost(s);
		return false;
	}
	head = help_data(s->h, s->at, s->r->head);
	size = head ? s->r->measure(head) : 0;
	if (size < s->r->head) {
		frame_lost(s);
		return false;
	}
	msg = help_data(s->h, s->at, size < left ? size : left);
	if (size > left && size <= HELP_KEEP && frame_keep(s, msg, left))
		return false;
	if (size > left || !msg) { /* too long, or cut by the capture */
		frame_skip(s, size);
		s->at += size;
		return size < left;
	}
	s->at += size;
	s->h->count(s->h, HELP_LINES);
	s->fn(s->h, msg + s->r->skip, size - s->r->skip);
	return true;
}

void frame_feed(struct help_ctx *h, struct frame *f, const struct frame_rule *r,
                frame_fn fn)
{
	struct frame_seg s = {h, f, r, fn, 0};

	if (!frame_place(&s))
		return;
	if (f->open && !frame_join(&s))
		return;
	while (s.at < h->len)
		if (!frame_next(&s))
			return;
	f->next = h->seq + h->len;
	f->known = true;
}

/*
 * sip_stream.c - messages out of TCP segments (RFC 3261, 7.5, 18.3, F214).
 *
 * In a stream a message ends where its Content-Length says, counted from the
 * empty line behind its headers.
 *
 * Strict mode does what the kernel does: messages that begin and end within
 * one segment are read, the first of them at the segment's beginning, and what
 * follows a message that does not end there is not looked at.  Nor does it
 * step over empty lines between messages.
 *
 * Mirror mode keeps the beginning of a message until the segment comes that
 * ends it, as long as it fits (HELP_KEEP).  One that does not fit is read as
 * far as it goes, line by line, and the stream goes on at its end: the length
 * is known by then.  Bytes that were seen are stepped over; behind bytes that
 * are missing, and behind a message without a length, reading goes on at the
 * next line that begins a message.
 */
#include <string.h>

#include "daemon/helper/sip.h"

/* more than any body: it will not come */
#define SIP_BODY_MAX (1u << 24)
/* what of a segment is joined with what was kept */
#define SIP_JOIN (2 * HELP_KEEP)
/* a first line is no longer than this, its end is looked for no further */
#define SIP_FIRST_MAX 2048u

/* what is left to read: bytes that are here, and those on the wire, which a
 * short capture has not */
struct sip_rest {
	struct text t;
	uint64_t wire;
	uint32_t seq; /* of t.at */
};

static void sip_step(struct sip_rest *r, uint64_t n)
{
	uint32_t here = text_left(&r->t);

	r->t.at += n < here ? n : here;
	r->wire -= n < r->wire ? n : r->wire;
	r->seq += (uint32_t)n;
}

/* The first `n` bytes of the rest, as far as they are here. */
static struct text sip_take(const struct sip_rest *r, uint64_t n)
{
	struct text t = r->t;

	if (n > text_left(&t))
		return sip_whole_lines(t);
	t.end = t.at + n;
	return t;
}

/* -- strict ---------------------------------------------------------------- */

/* Whether a message ends within this segment, and after how many bytes. */
static bool sip_measure_segment(const struct sip_rest *r, uint64_t *len)
{
	struct sip_msg m = {r->t.at, r->t.end, false};
	uint32_t body;
	struct text t;

	if (sip_header(&m, m.at, SIP_LENGTH, 4, &t) != SIP_FOUND ||
	    !sip_digits(&t, &body) || !text_find(&t, "\r\n\r\n"))
		return false;
	*len = (uint64_t)(t.at - r->t.at) + body;
	return *len <= r->wire;
}

void sip_segment(struct help_ctx *h)
{
	struct sip_rest r = {text_payload(h, 0), h->len, h->seq};
	uint64_t len;

	if (h->len < SIP_SHORTEST)
		return;
	while (sip_measure_segment(&r, &len)) {
		h->drop = !sip_message(h, sip_take(&r, len));
		if (h->drop)
			break;
		sip_step(&r, len);
	}
}

/* -- mirror: where a message begins and ends ------------------------------- */

/* Whether a message begins here; true also for a first line that has not its
 * end yet. */
static bool sip_begins(struct text t)
{
	static const char version[] = " SIP/2.0";
	const size_t n = sizeof(version) - 1;
	const uint8_t *eol = t.at;

	if (text_begins_nocase(&t, "SIP/2.0 "))
		return true;
	if (!sip_is_alpha(*t.at))
		return false;
	if (text_left(&t) > SIP_FIRST_MAX)
		t.end = t.at + SIP_FIRST_MAX;
	while (eol < t.end && *eol != '\r' && *eol != '\n')
		eol++;
	if (eol == t.end)
		return text_left(&t) < SIP_FIRST_MAX;
	return (size_t)(eol - t.at) > n && memcmp(eol - n, version, n) == 0;
}

/* Steps to where a message begins; false: none does. */
static bool sip_seek(struct help_ctx *h, struct sip_rest *r)
{
	const uint8_t *line = r->t.at;

	while (line < r->t.end && (*line == '\r' || *line == '\n'))
		line++; /* RFC 3261, 7.5 */
	sip_step(r, (uint64_t)(line - r->t.at));
	if (line == r->t.end)
		return false;
	if (sip_begins(r->t))
		return true;
	h->count(h, HELP_RESYNC);
	while ((line = sip_line(line, r->t.end)))
		if (sip_begins((struct text){line, r->t.end}))
			break;
	if (!line)
		return false;
	sip_step(r, (uint64_t)(line - r->t.at));
	return true;
}

enum sip_size { SIP_SIZE_OPEN, SIP_SIZE_WRONG, SIP_SIZE_KNOWN };

/* The message's length; of one without a right length that of its headers. */
static enum sip_size sip_measure(const struct sip_rest *r, uint64_t *len)
{
	struct sip_msg m = {r->t.at, r->t.end, true};
	struct text t = r->t;
	uint32_t body;

	if (!text_find(&t, "\r\n\r\n"))
		return SIP_SIZE_OPEN;
	m.end = t.at;
	*len = (uint64_t)(t.at - r->t.at);
	if (sip_number(&m, SIP_LENGTH, &body) != SIP_FOUND ||
	    body > SIP_BODY_MAX)
		return SIP_SIZE_WRONG;
	*len += body;
	return SIP_SIZE_KNOWN;
}

/* -- mirror: one message --------------------------------------------------- */

/* The beginning of a message; false: it does not fit, or bytes are missing. */
static bool sip_keep(struct help_ctx *h, const struct sip_rest *r)
{
	uint32_t here = text_left(&r->t);

	if (here < r->wire || here > HELP_KEEP ||
	    !h->keep(h, h->dir, r->t.at, here, r->seq + here))
		return false;
	h->count(h, HELP_PARTIAL);
	return true;
}

/* Reads what is there of a message that ends somewhere behind. */
static void sip_part(struct help_ctx *h, struct sip_stream *s,
                     const struct sip_rest *r, uint64_t len)
{
	sip_message(h, sip_take(r, len));
	s->skip_to = r->seq + (uint32_t)len;
	s->skipping = true;
}

/* Reads one message and steps over it; false: nothing more to read here. */
static bool sip_next(struct help_ctx *h, struct sip_stream *s,
                     struct sip_rest *r)
{
	uint64_t len;

	if (!sip_seek(h, r))
		return false;
	switch (sip_measure(r, &len)) {
	case SIP_SIZE_OPEN:
		if (!sip_keep(h, r))
			h->count(h, HELP_RESYNC);
		return false;
	case SIP_SIZE_WRONG:
		h->count(h, HELP_MALFORMED);
		break;
	case SIP_SIZE_KNOWN:
		if (len > r->wire) {
			if (!sip_keep(h, r))
				sip_part(h, s, r, len);
			return false;
		}
		sip_message(h, sip_take(r, len));
		break;
	}
	sip_step(r, len);
	return r->wire > 0;
}

/* -- mirror: the stream ---------------------------------------------------- */

/* Steps over what belongs to a message that was too long to keep, and over
 * what is kept already; false: this segment has nothing new. */
static bool sip_place(struct help_ctx *h, struct sip_stream *s,
                      struct sip_rest *r, bool *joins)
{
	uint32_t len = 0, next = 0;
	const uint8_t *old = h->kept(h, h->dir, &len, &next);
	int32_t ahead;

	*joins = false;
	if (!old && !s->skipping)
		return true;
	ahead = (int32_t)((old ? next : s->skip_to) - r->seq);
	if (ahead >= 0 && (uint64_t)ahead >= r->wire)
		return false;
	if (ahead >= 0)
		sip_step(r, (uint64_t)ahead);
	else
		h->count(h, HELP_RESYNC);
	*joins = old && ahead >= 0;
	s->skipping = false;
	if (old && ahead < 0)
		h->keep(h, h->dir, NULL, 0, 0);
	return true;
}

/* Reads the message of which the beginning is kept; false as sip_next(). */
static bool sip_joined(struct help_ctx *h, struct sip_stream *s,
                       struct sip_rest *r)
{
	uint8_t buf[SIP_JOIN];
	uint32_t len = 0, next = 0, add = text_left(&r->t);
	const uint8_t *old = h->kept(h, h->dir, &len, &next);
	struct sip_rest all;
	bool more;

	if (!old || len > HELP_KEEP)
		return true;
	if (add > SIP_JOIN - len)
		add = SIP_JOIN - len;
	memcpy(buf, old, len);
	if (add)
		memcpy(buf + len, r->t.at, add);
	h->keep(h, h->dir, NULL, 0, 0);
	all.t = (struct text){buf, buf + len + add};
	all.wire = r->wire + len;
	all.seq = r->seq - len;
	more = sip_next(h, s, &all);
	if (all.wire < r->wire)
		sip_step(r, r->wire - all.wire);
	return more;
}

void sip_stream(struct help_ctx *h, struct sip_stream *s)
{
	struct sip_rest r = {text_payload(h, 0), h->len, h->seq};
	bool joins;

	/* of a segment of which nothing was captured no more is known than of
	 * one that is missing */
	if (!r.t.at || !sip_place(h, s, &r, &joins))
		return;
	if (joins && !sip_joined(h, s, &r))
		return;
	while (r.wire && sip_next(h, s, &r))
		;
}

/* past.c - a record in the history for each connection that ended. */
#include "daemon/recorder/past.h"

#include <string.h>

#include "shm/clock.h"

static struct past *past_of(struct sink *s)
{
	return (struct past *)(void *)s;
}

static int past_flush(struct past *p)
{
	int r = history_write(&p->h, p->behind, p->r, p->n);

	if (r)
		return r;
	p->behind += p->n;
	p->sink.bytes += p->n * sizeof(p->r[0]);
	p->n = 0;
	return 0;
}

static uint64_t start_of(const struct table *t, const struct event_slot *s)
{
	uint64_t end = s->cell.ts_ns;

	if (s->cell.cells == 2 && t->detail && s->more.detail.start_ns)
		return s->more.detail.start_ns;
	return end -
	       (uint64_t)(table_tick_of(t, end) - s->cell.start) * NS_PER_MS;
}

static int past_take(struct sink *s, const struct event_slot *slot)
{
	struct past *p = past_of(s);
	struct history_record *r;

	if (slot->cell.type != EVENT_DESTROY)
		return 0;
	r = &p->r[p->n++];
	memset(r, 0, sizeof(*r));
	r->start_ns = start_of(s->t, slot);
	r->slot = *slot;
	s->rows++;
	return p->n == PAST_BATCH ? past_flush(p) : 0;
}

static int past_gap(struct sink *s, uint64_t seq, uint64_t lost)
{
	(void)s;
	(void)seq;
	(void)lost; /* counted by the caller; a list has no row for it */
	return 0;
}

static int past_commit(struct sink *s, uint64_t gseq, uint64_t pos)
{
	struct past *p = past_of(s);
	int r = past_flush(p);

	if (!r) {
		p->h.mark.gseq = gseq;
		p->h.mark.pos = pos;
		memcpy(p->h.mark.uuid, s->t->hdr->uuid, sizeof(p->h.mark.uuid));
		r = history_commit(&p->h, p->h.mark.at + p->behind);
	}
	if (r) /* what the mark in the file says, again */
		history_refresh(&p->h);
	p->n = 0;
	p->behind = 0;
	return r;
}

static void past_close(struct sink *s)
{
	history_close(&past_of(s)->h);
}

static const struct sink_kind past_kind = {
	.name = "history",
	.take = past_take,
	.gap = past_gap,
	.commit = past_commit,
	.close = past_close,
};

int past_open(struct past *p, struct table *t, const char *path, uint64_t bytes,
              char *err)
{
	memset(p, 0, sizeof(*p));
	p->sink.t = t;
	p->sink.mark = &p->h.mark;
	return history_open(&p->h, path, bytes, err);
}

void past_begin(struct past *p, const struct policy *pol,
                struct record_figures *figures)
{
	p->sink.kind = &past_kind;
	p->sink.pol = pol;
	p->sink.figures = figures;
	sink_begin(&p->sink);
}

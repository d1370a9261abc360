/*
 * update.h - the update of an entry, on the packet path: what ops.h promises,
 * inline.
 *
 * A packet of a connection that is there does this and little else, so it does
 * it with addresses that are computed once (`struct spot`), and its pre-image
 * is no larger than what it may overwrite: the entry behind its key, and of
 * the detail line `last_ns` and `rate` alone unless more is asked for, be it
 * within the window (update_whole()).
 */
#ifndef SHM_UPDATE_H
#define SHM_UPDATE_H

#include <string.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/tick.h"

/* where the deadline stands in a pre-image */
#define UNDO_DEADLINE (offsetof(struct conn, deadline) - CONN_UNDO_FROM)

/* an entry and what belongs to it */
struct spot {
	struct shard *q;
	struct conn *c;
	struct conn_detail *x; /* NULL with detail = off */
	struct ring_header *h; /* of this process */
	struct undo *u;        /* its pre-image */
	uint32_t sh, idx;
};

static inline struct spot spot_of(const struct table *t, uint32_t sh,
                                  uint32_t idx)
{
	struct ring_header *h = t->ring[t->me].hdr;

	return (struct spot){.q = &t->shard[sh],
	                     .c = table_conn(t, sh, idx),
	                     .x = t->detail ? table_detail(t, sh, idx) : NULL,
	                     .h = h,
	                     .u = &h->undo[t->undo],
	                     .sh = sh,
	                     .idx = idx};
}

static inline void window_open(struct conn *c)
{
	shm_wmb();
	shm_store(&c->seq, c->seq + 1);
	shm_wmb();
}

/* op_update_begin(); not `whole`: of the detail line last_ns and rate alone are
 * going to be written. */
static inline void update_open(struct table *t, const struct spot *s,
                               bool whole)
{
	struct undo *u = s->u;
	const struct conn *c = s->c;
	const struct conn_ext *x = table_ext(t, s->sh, shm_load(&c->ext));
	struct shard *q = s->q;

	q->op_idx = s->idx;
	q->op_seq = c->seq;
	q->op_owner = (uint16_t)t->me;
	q->op_tail = 0;
	q->op_ext = 0;
	memcpy(u->entry, (const char *)c + CONN_UNDO_FROM, CONN_UNDO_LEN);
	u->whole = whole ? UNDO_WHOLE : 0;
	if (likely(s->x)) {
		u->last_ns = s->x->last_ns;
		memcpy(u->rate, s->x->rate, sizeof(u->rate));
		if (whole)
			u->detail = *s->x;
	}
	if (unlikely(x))
		u->ext = *x;
	shm_store_release(&q->op, OP_UPDATE);
	window_open(s->c);
}

/*
 * Within the window, nothing of the detail line written yet: all of it is going
 * to be, after all.  Whoever finds `whole` set finds what it stands for, and
 * whoever did not finds the line as it was.
 */
static inline void update_whole(const struct spot *s)
{
	struct undo *u = s->u;

	if (u->whole & UNDO_WHOLE)
		return;
	u->detail = *s->x;
	shm_wmb();
	shm_store(&u->whole, UNDO_WHOLE);
	shm_wmb();
}

/* Within the window: what was told is going to be written, too. */
static inline void update_told(struct table *t, uint32_t sh, uint32_t idx)
{
	struct undo *u = &t->ring[t->me].hdr->undo[t->undo];

	u->told = *table_told(t, sh, idx);
	shm_wmb();
	shm_store(&u->whole, u->whole | UNDO_TOLD);
	shm_wmb();
}

/*
 * Within the window: the reaper must look sooner, if the deadline is sooner;
 * early is harmless, late is not, so this is before the commit.  `chk` is never
 * behind the deadline that was (check.c, I8), so for one that is not before it
 * the line of `chk` is not fetched at all.
 */
static inline void update_chk(struct table *t, const struct spot *s)
{
	uint32_t deadline = s->c->deadline, was, *chk;

	memcpy(&was, &s->u->entry[UNDO_DEADLINE], sizeof(was));
	if (likely(tick_left(deadline, was) >= 0))
		return;
	chk = table_chk(t, s->sh, s->idx);
	if (tick_left(deadline, *chk) < 0)
		shm_store(chk, deadline ? deadline : 1);
}

/* op_update_commit() without an event */
static inline void update_close(struct table *t, const struct spot *s,
                                struct op_cursor cur)
{
	struct shard *q = s->q;

	update_chk(t, s);
	q->op_src = (uint16_t)cur.src;
	shm_store(&q->op_pkt, cur.pkt);
	shm_store_release(&s->c->seq, s->c->seq + 1); /* commit */
	/* what op_finish() does for such a record */
	if (likely(cur.pkt))
		shm_store(&s->h->cursor[cur.src], cur.pkt);
	shm_store_release(&q->op, OP_IDLE);
}

/* The pre-image of what the shard's record is about; NULL: it is damaged. */
static inline const struct undo *undo_of(const struct table *t,
                                         const struct shard *q)
{
	uint32_t owner = shm_load(&q->op_owner);

	if (owner >= NRING || !t->ring[owner].hdr)
		return NULL;
	return &t->ring[owner].hdr->undo[t->undo];
}

/* What the detail line was, in place or as a copy. */
static inline void undo_detail(const struct undo *u, struct conn_detail *line,
                               struct conn_detail *x)
{
	if (x != line && !(shm_load(&u->whole) & UNDO_WHOLE)) {
		*x = *line;
		shm_rmb(); /* update_whole() by a writer that lives */
	}
	if (shm_load(&u->whole) & UNDO_WHOLE) {
		*x = u->detail;
		return;
	}
	x->last_ns = u->last_ns;
	memcpy(x->rate, u->rate, sizeof(x->rate));
}

/* Puts the entry back; its seq is the caller's. */
static inline void undo_entry(struct table *t, uint32_t sh, uint32_t idx,
                              const struct undo *u)
{
	struct conn *c = table_conn(t, sh, idx);
	struct conn_ext *x;

	if (unlikely(!u))
		return;
	memcpy((char *)c + CONN_UNDO_FROM, u->entry, CONN_UNDO_LEN);
	if (t->detail)
		undo_detail(u, table_detail(t, sh, idx),
		            table_detail(t, sh, idx));
	if (u->whole & UNDO_TOLD && t->told)
		*table_told(t, sh, idx) = u->told;
	x = table_ext(t, sh, shm_load(&c->ext));
	if (x)
		*x = u->ext;
}

#endif

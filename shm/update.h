/*
 * update.h - the update of an entry, on the packet path: what ops.h promises,
 * inline.
 *
 * A packet of a connection that is there does this and little else, so it does
 * it with addresses that are computed once (`struct spot`), and its pre-image
 * is no larger than what it may overwrite: the entry behind its key, and of
 * the detail line `last_ns` alone unless more is asked for.
 */
#ifndef SHM_UPDATE_H
#define SHM_UPDATE_H

#include <string.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/tick.h"

/* an entry and what belongs to it */
struct spot {
	struct shard *q;
	struct conn *c;
	struct conn_detail *x; /* NULL with detail = off */
	uint32_t sh, idx;
};

static inline struct spot spot_of(const struct table *t, uint32_t sh,
                                  uint32_t idx)
{
	return (struct spot){.q = &t->shard[sh],
	                     .c = table_conn(t, sh, idx),
	                     .x = t->detail ? table_detail(t, sh, idx) : NULL,
	                     .sh = sh,
	                     .idx = idx};
}

static inline void window_open(struct conn *c)
{
	shm_wmb();
	shm_store(&c->seq, c->seq + 1);
	shm_wmb();
}

/* op_update_begin(); not `whole`: of the detail line last_ns alone is going to
 * be written. */
static inline void update_open(struct table *t, const struct spot *s,
                               bool whole)
{
	struct shard *q = s->q;
	const struct conn *c = s->c;

	q->op_idx = s->idx;
	q->op_seq = c->seq;
	q->op_owner = (uint16_t)t->me;
	q->op_whole = whole;
	q->op_tail = 0;
	q->op_ext = 0;
	memcpy(q->undo, (const char *)c + CONN_UNDO_FROM, CONN_UNDO_LEN);
	if (s->x && whole)
		q->undo_detail = *s->x;
	else if (s->x)
		q->undo_last_ns = s->x->last_ns;
	if (unlikely(table_ext(t, s->sh, c->ext)))
		q->undo_ext = *table_ext(t, s->sh, c->ext);
	shm_store_release(&q->op, OP_UPDATE);
	window_open(s->c);
}

/* op_update_commit() without an event */
static inline void update_close(struct table *t, const struct spot *s,
                                struct op_cursor cur)
{
	uint32_t *chk = table_chk(t, s->sh, s->idx), deadline = s->c->deadline;
	struct shard *q = s->q;

	/* the reaper must look again, if the deadline moved forward in time:
	 * early is harmless, late is not, so this is before the commit */
	if (unlikely(tick_left(deadline, *chk) < 0))
		shm_store(chk, deadline ? deadline : 1);
	q->op_src = (uint16_t)cur.src;
	shm_store(&q->op_pkt, cur.pkt);
	shm_store_release(&s->c->seq, s->c->seq + 1); /* commit */
	/* what op_finish() does for such a record */
	if (likely(cur.pkt))
		shm_store(&t->ring[t->me].hdr->cursor[cur.src], cur.pkt);
	shm_store_release(&q->op, OP_IDLE);
}

/* The pre-image of the detail line of the entry whose window is open. */
static inline void undo_detail(const struct table *t, uint32_t sh, uint32_t idx,
                               struct conn_detail *x)
{
	const struct shard *q = &t->shard[sh];

	if (q->op_whole) {
		*x = q->undo_detail;
		return;
	}
	if (x != table_detail(t, sh, idx))
		*x = *table_detail(t, sh, idx);
	x->last_ns = q->undo_last_ns;
}

#endif

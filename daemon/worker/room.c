/* room.c - see room.h. */
#include "daemon/worker/room.h"

#include "shm/atomic.h"
#include "shm/budget.h"
#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/tick.h"

/* buckets that early drop looks through (F235) */
#define EARLY_DROP_LINES 8u

#define LINE_ALL ((1u << LINE_SLOTS) - 1)

/* The not-ASSURED entry of a line with the nearest deadline, or 0.  Which of
 * them it is nobody can foresee, so nothing branches on it. */
static uint32_t line_victim(const struct table *t, uint32_t sh, uint32_t li,
                            uint32_t now, uint32_t *slot)
{
	const struct line *l = table_line(t, sh, li);
	uint32_t m = ~line_free(l) & LINE_ALL, best = 0, at = 0;
	int64_t least = INT64_MAX;

	for (; m; m &= m - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(m);
		uint32_t idx = shm_load(&l->slot[i]) & SLOT_IDX;
		const struct conn *c = table_conn(t, sh, idx);
		int64_t left;
		bool stays;

		if (unlikely(!idx || idx >= t->cap))
			continue;
		left = tick_left(shm_load(&c->deadline), now);
		stays = (left > 0) & !!(shm_load(&c->status) & CONN_ASSURED);
		left = stays ? INT64_MAX : left;
		best = left < least ? idx : best;
		at = left < least ? i : at;
		least = left < least ? left : least;
	}
	*slot = li << 4 | at;
	return best;
}

static void fetch_candidates(const struct pipeline *p, const struct lane *l)
{
	const struct table *t = p->t;
	uint32_t m = ~line_free(l->line) & LINE_ALL, idx;

	for (; m; m &= m - 1) {
		idx = shm_load(&l->line->slot[__builtin_ctz(m)]) & SLOT_IDX;
		if (likely(idx < t->cap))
			__builtin_prefetch(table_conn(t, l->look.shard, idx),
			                   1);
	}
}

static void fetch_victim(const struct pipeline *p, const struct lane *l)
{
	const struct table *t = p->t;
	uint32_t slot, idx, sh = l->look.shard;

	idx = line_victim(t, sh, hash_bucket(t, l->look.hash),
	                  table_tick_of(t, l->now_ns), &slot);
	if (!idx)
		return;
	__builtin_prefetch((const char *)table_conn(t, sh, idx) + CACHE_LINE,
	                   1);
	if (t->detail)
		__builtin_prefetch(table_detail(t, sh, idx), 1);
	__builtin_prefetch(table_chk(t, sh, idx), 1);
}

/* the next DESTROY and NEW: three cells */
static uint64_t fetch_cells(const struct event_ring *g, uint64_t at)
{
	uint64_t end = at + 3;

	for (; at < end; at++) {
		const char *cell = (const char *)&g->cell[at & g->mask];

		__builtin_prefetch(cell, 1);
		__builtin_prefetch(cell + CACHE_LINE, 1);
	}
	return end;
}

void room_fetch(const struct pipeline *p, uint32_t fresh)
{
	const struct event_ring *g = &p->t->ring[p->t->me];
	uint64_t at = g->hdr->tail;
	uint32_t m;

	_Static_assert(PIPELINE_PART <= 32, "a bit a lane");
	if (likely(!budget_gone(p->t, p->pol->max)))
		return;
	for (m = fresh; m; m &= m - 1)
		fetch_candidates(p, &p->lane[__builtin_ctz(m)]);
	for (m = fresh; m; m &= m - 1) {
		fetch_victim(p, &p->lane[__builtin_ctz(m)]);
		at = fetch_cells(g, at);
	}
}

/* F235, with one victim instead of a bucket (the kernel's hold two): in the
 * first of 8 lines of this shard that has any.  False: all are ASSURED. */
bool room_drop(struct way *w)
{
	struct table *t = w->p->t;
	uint8_t sh = w->l->look.shard;
	uint32_t li = hash_bucket(t, w->l->look.hash), i, idx, slot;

	for (i = 0; i < EARLY_DROP_LINES && i < t->nbucket; i++) {
		const struct conn *c;
		bool gone;

		idx = line_victim(t, sh, (li + i) % t->nbucket, w->now, &slot);
		if (!idx)
			continue;
		c = table_conn(t, sh, idx);
		gone = tick_expired(c->deadline, w->now);
		conn_end(t, sh, idx, slot,
		         gone ? REASON_TIMEOUT : REASON_EARLY_DROP,
		         gone ? expire_ns(t, c->deadline, w->l->now_ns)
		              : w->l->pkt->ts_ns,
		         w->now, w->p->pol->max, w->p->pol->events != 0,
		         gone ? CTR_COUNT : CTR_EARLY_DROP);
		w->p->told = true;
		return true;
	}
	return false;
}

bool room_reserve(struct way *w)
{
	const struct conn_lookup *k = &w->l->look;

	w->full = OP_NO_INDEX;
	if (!room_take(w))
		return false;
	w->full = (uint8_t)op_insert_room(w->p->t, k);
	/* a full shard of a table that is not full */
	if (w->full == OP_NO_INDEX && room_drop(w))
		w->full = (uint8_t)op_insert_room(w->p->t, k);
	w->room = true;
	if (w->full != OP_DONE)
		room_give(w);
	return w->room;
}

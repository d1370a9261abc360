/* room.c - see room.h. */
#include "daemon/worker/room.h"

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"

/* buckets that early drop looks through (F235) */
#define EARLY_DROP_LINES 8u

/* the not-ASSURED entry of one bucket's main line with the nearest deadline */
static uint32_t line_victim(struct table *t, uint32_t sh, uint32_t li,
                            uint32_t now, uint32_t *slot)
{
	const struct line *l = table_line(t, sh, li);
	uint32_t i, best = 0;
	int64_t least = INT64_MAX;

	for (i = 0; i < LINE_SLOTS; i++) {
		uint32_t idx = l->slot[i] & SLOT_IDX;
		const struct conn *c;
		int64_t left;

		if (!idx || idx >= t->cap)
			continue;
		c = table_conn(t, sh, idx);
		left = tick_left(c->deadline, now);
		if (left > 0 && c->status & CONN_ASSURED)
			continue;
		if (left < least) {
			least = left;
			best = idx;
			*slot = li << 4 | i;
		}
	}
	return best;
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

/*
 * room.h - room for the connection that a packet begins.
 *
 * A connection needs its part of the budget (F043), and an index, a slot and
 * what else op_insert() takes.  Where the table is full, one that is not
 * ASSURED goes for it (F234, F235).
 */
#ifndef WORKER_ROOM_H
#define WORKER_ROOM_H

#include "daemon/worker/way.h"
#include "shm/budget.h"

/*
 * While the table is full: fetches, for the lanes that are new (a bit each),
 * what may have to go, and, when that is there, what the end of it will touch.
 * A look at a candidate is a cache line, and a full table is one under attack.
 * Guesses, without the lock.
 */
void room_fetch(const struct pipeline *p, uint32_t fresh);

/* Early drop: ends one connection of the packet's shard; false: all are
 * ASSURED. */
bool room_drop(struct way *w);

/* The connection's part of the budget. */
static inline bool room_take(struct way *w)
{
	uint32_t max = w->p->pol->max;

	return likely(budget_take(w->p->t, max)) ||
	       (room_drop(w) && budget_take(w->p->t, max));
}

/*
 * All that op_insert() needs, before anything is said that a refusal would
 * make untrue; `w->room` then, else `w->full` says what there is none of.  Once
 * for a packet.
 */
bool room_reserve(struct way *w);

/* The packet begins no connection, after all. */
static inline void room_give(struct way *w)
{
	if (likely(!w->room))
		return;
	budget_give(w->p->t, w->p->pol->max);
	w->room = false;
}

#endif

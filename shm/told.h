/*
 * told.h - how long connections stand: told while they last (active_timeout).
 *
 * A connection that lives for days would say nothing of what it counts before
 * it ends.  So the reaper makes an UPDATE of it each `tell_ms`, with what was
 * counted since it was last told of, and notes the sums; the DESTROY, whoever
 * makes it, carries the rest.  Sums over all of them are the connection's.
 *
 * When it is due stands in `chk`, like its deadline, so who is not due costs
 * nothing.  Note and event are one operation: a killed reaper has done both or
 * neither.  Differences are modulo 2^64, so the note may be lowered together
 * with the counters (-z).
 */
#ifndef SHM_TOLD_H
#define SHM_TOLD_H

#include "shm/ops.h"
#include "shm/tick.h"

/* when the reaper is to look again, if it was last told of at `at` */
static inline uint32_t told_chk(const struct table *t, const struct conn *c,
                                uint32_t at)
{
	uint32_t chk = c->deadline;

	if (unlikely(t->tell_ms) && c->status & CONN_ACCT &&
	    tick_left(at + t->tell_ms, chk) < 0)
		chk = at + t->tell_ms;
	return chk ? chk : 1;
}

/* What was counted since; true: there was something. */
bool told_delta(const struct table *t, uint32_t sh, uint32_t idx,
                struct conn_delta *d);

/* as much as there is room for */
void delta_set(struct conn_delta *d, unsigned int dir, uint64_t packets,
               uint64_t bytes);

static inline uint64_t delta_bytes(const struct conn_delta *d, unsigned int dir)
{
	return d->bytes_low[dir] | (uint64_t)d->bytes_high[dir] << 32;
}

/* Tells of an entry that is due and gives the tick at which to look again.
 * Lock held. */
uint32_t told_look(struct table *t, uint32_t sh, uint32_t idx, uint64_t now_ns,
                   bool tell);

/* Within the window: what was counted is lowered, and with it the note. */
void told_lower(struct table *t, uint32_t sh, uint32_t idx, unsigned int dir,
                uint64_t packets, uint64_t bytes);

/* After a change of `tell_ms`: everything is looked at.  Takes the lock. */
void told_again(struct table *t, uint32_t sh);

#endif

/* watch.c - see watch.h. */
#include "daemon/supervisor/watch.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/proc.h"

void watch_reset(struct watch *w, uint32_t slot)
{
	memset(&w->slot[slot], 0, sizeof(w->slot[slot]));
}

/* Does a living waiter name a lock of `holder` that still stands? */
static bool lock_named(const struct table *t, uint32_t holder, uint32_t *word,
                       uint32_t *shard)
{
	const struct proc_page *p;
	const uint32_t *lock;
	uint32_t i;

	for (i = 0; i < NSLOT; i++) {
		p = table_proc(t, i);
		*word = shm_load(&p->blocked_lock);
		if (!*word || (*word & 0xff) != holder + 1 || i == holder ||
		    !proc_alive(t, i))
			continue;
		*shard = shm_load(&p->blocked_shard);
		lock = *shard < t->nshard    ? &t->shard[*shard].lock
		       : *shard == t->nshard ? &t->expect->shard->lock
		                             : NULL;
		if (lock && shm_load(lock) == *word)
			return true;
	}
	return false;
}

static bool holding(struct watch_slot *s, const struct table *t, uint32_t slot,
                    uint32_t beat, uint32_t elapsed_ms)
{
	uint32_t word, shard;

	if (!lock_named(t, slot, &word, &shard)) {
		s->lock = 0;
		return false;
	}
	if (s->lock != word || s->shard != shard || s->lock_beat != beat) {
		s->lock = word;
		s->shard = shard;
		s->lock_beat = beat;
		s->lock_ms = 0;
		return false;
	}
	s->lock_ms += elapsed_ms;
	return s->lock_ms >= WATCH_LOCK_MS;
}

enum watch_verdict watch_turn(struct watch *w, const struct table *t,
                              uint32_t slot, bool ready, uint32_t elapsed_ms,
                              uint32_t stall_ms)
{
	struct watch_slot *s = &w->slot[slot];
	uint32_t beat = shm_load(&table_proc(t, slot)->beat);

	if (elapsed_ms > WATCH_TURN_MAX_MS)
		elapsed_ms = WATCH_TURN_MAX_MS;
	if (holding(s, t, slot, beat, elapsed_ms))
		return WATCH_HOLDING;
	if (beat != s->beat) {
		s->beat = beat;
		s->beat_ms = 0;
		return WATCH_FINE;
	}
	s->beat_ms += elapsed_ms;
	if (s->beat_ms >= (ready ? stall_ms : WATCH_START_MS))
		return WATCH_STALLED;
	return WATCH_FINE;
}

/* watch.c - see watch.h. */
#include "daemon/supervisor/watch.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/atomic.h"
#include "shm/proc.h"

void watch_reset(struct watch *w, uint32_t slot)
{
	memset(&w->slot[slot], 0, offsetof(struct watch_slot, lock_ns));
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
	s->beat_ms = beat == s->beat ? s->beat_ms + elapsed_ms : 0;
	s->starved &= beat == s->beat;
	s->beat = beat;
	if (s->beat_ms >= (ready ? stall_ms : WATCH_START_MS))
		return WATCH_STALLED;
	return holding(s, t, slot, beat, elapsed_ms) ? WATCH_HOLDING
	                                             : WATCH_FINE;
}

bool watch_believe(struct watch *w, uint32_t slot, char state, uint64_t now_ns)
{
	struct watch_slot *s = &w->slot[slot];
	uint64_t *oldest = &s->lock_ns[s->nlock % WATCH_LOCK_MOST];

	/* a wait for another lock is a sleep, too: then that one's holder is
	 * who keeps everybody waiting */
	if (state == 'S' ||
	    (s->nlock >= WATCH_LOCK_MOST && now_ns - *oldest < WATCH_LOCK_NS))
		return false;
	*oldest = now_ns;
	s->nlock++;
	return true;
}

bool watch_starved(struct watch *w, uint32_t slot, struct watch_proc k)
{
	struct watch_slot *s = &w->slot[slot];

	if (k.state != 'R')
		return false;
	if (!s->starved)
		s->cpu_ms = k.cpu_ms;
	s->starved = true;
	return k.cpu_ms - s->cpu_ms < WATCH_STARVED_MS;
}

/* "PID (NAME) STATE ...", and a name may have brackets; processor time are the
 * eleventh and twelfth behind the state */
struct watch_proc watch_proc(int pid)
{
	struct watch_proc k = {0};
	char path[32], text[512], *at;
	unsigned long ticks;
	unsigned int i;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return k;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	if (!at || at[1] != ' ')
		return k;
	k.state = at[2];
	for (i = 0; at && i < 12; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return k;
	ticks = strtoul(at, &at, 10);
	ticks += strtoul(at, NULL, 10);
	k.cpu_ms = ticks * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
	return k;
}

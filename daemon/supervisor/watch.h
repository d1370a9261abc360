/*
 * watch.h - who hangs.
 *
 * Two signs, both read from process pages, both only data: what comes out is a
 * slot of our own children, never a pid that somebody wrote there.
 *
 * Stalled: `beat` has stood for `stall_kill` while the role is ready, or for
 * WATCH_START_MS while it starts (a large table takes its time to heal, but
 * nobody waits for ever).
 *
 * But who is ready to run and is given no processor is not stuck: of a role
 * that has stalled the kernel is asked, and while it runs no more than
 * WATCH_STARVED_MS it is spared (watch_starved()).  On a machine that is that
 * busy its successor would fare no better.
 *
 * Holding: a waiter names a shard and the word in its lock; that word stands
 * there and its holder's beat with it for WATCH_LOCK_MS.
 *
 * That somebody holds a lock is what others have written, and they may lie.  So
 * the supervisor looks itself before it kills for it (watch_believe()): who
 * sleeps, as the kernel says, is not stuck in a lock; and no slot is killed for
 * a lock more than WATCH_LOCK_MOST times in WATCH_LOCK_NS, which is less often
 * than what ends the daemon (restart.h).  Who is really stuck beyond that is
 * stalled, too.
 *
 * Time is counted in turns of the watch, each worth WATCH_TURN_MAX_MS at most:
 * a supervisor that was itself stopped, or a machine that slept, does not find
 * everybody stalled when it wakes.
 */
#ifndef SUPERVISOR_WATCH_H
#define SUPERVISOR_WATCH_H

#include "shm/table.h"

#define WATCH_TURN_MS     25u
#define WATCH_QUIET_MS    50u /* while no packet comes and nobody waits */
#define WATCH_TURN_MAX_MS 100u
#define WATCH_LOCK_MS     90u
#define WATCH_START_MS    60000u
#define WATCH_STARVED_MS  200u
#define WATCH_LOCK_MOST   9u
#define WATCH_LOCK_NS     (60 * NS_PER_S)

struct watch_slot {
	uint32_t beat, beat_ms; /* last seen, and how long it has stood */
	bool starved;           /* and it was spared since, */
	uint64_t cpu_ms;        /* when it had used so much */
	uint32_t lock, shard, lock_beat, lock_ms;
	/* deaths for a lock, a ring: children come and go, this stays */
	uint64_t lock_ns[WATCH_LOCK_MOST];
	uint32_t nlock;
};

struct watch {
	struct watch_slot slot[NSLOT];
};

enum watch_verdict { WATCH_FINE, WATCH_STALLED, WATCH_HOLDING };

/* A child was started in the slot. */
void watch_reset(struct watch *w, uint32_t slot);

/* One turn, for a child that lives in `slot`. */
enum watch_verdict watch_turn(struct watch *w, const struct table *t,
                              uint32_t slot, bool ready, uint32_t elapsed_ms,
                              uint32_t stall_ms);

/* what the kernel says of one of our children (/proc/PID/stat) */
struct watch_proc {
	char state; /* 0: it says nothing */
	uint64_t cpu_ms;
};
struct watch_proc watch_proc(int pid);

/* WATCH_STALLED: is it to be spared, for it gets no processor? */
bool watch_starved(struct watch *w, uint32_t slot, struct watch_proc k);

/* WATCH_HOLDING: is it to be killed for a lock?  Yes is remembered. */
bool watch_believe(struct watch *w, uint32_t slot, char state, uint64_t now_ns);

#endif

/*
 * proc.h - process slots: who is alive, who holds what.
 *
 * A slot's token is a robust futex word: the kernel sets FUTEX_OWNER_DIED in
 * it when the thread that owns it dies, whatever it dies of, and also when it
 * executes another program.  So a liveness check is one load.  The robust list
 * has a single entry in private memory: nothing but a thread id stands in
 * shared memory, no pointer that a peer could forge.
 *
 * An incarnation number goes with the slot: the word of a lock names slot and
 * incarnation, so a restarted process never makes its predecessor's lock look
 * alive.
 */
#ifndef SHM_PROC_H
#define SHM_PROC_H

#include "shm/table.h"

/* Is the holder that a lock word names dead (or never was)? */
bool proc_word_dead(const struct table *t, uint32_t word);
bool proc_alive(const struct table *t, uint32_t slot);

/*
 * Takes slot `slot` for the calling thread: token, incarnation, then every
 * shard that the predecessor left locked or half done is repaired, then its
 * pending counters are settled.  Only after it may the slot's ring and cursor
 * be used.  -EBUSY: somebody lives there.
 */
int proc_attach(struct table *t, uint32_t slot, uint32_t role);

/* Gives the slot up cleanly. */
void proc_detach(struct table *t);

/* Takes a shard's lock; repairs what a dead holder left.  Never fails: a
 * holder that is alive but does not move is named to the supervisor, which
 * kills it. */
void shard_lock(struct table *t, uint32_t sh);
void shard_unlock(struct table *t, uint32_t sh);

/* Counters that belong to the packet `cur` is about: applied with it or not
 * at all.  counters_commit() after the cursor has moved. */
struct counters {
	uint32_t n;
	struct {
		uint32_t counter;
		uint32_t add;
	} item[NPEND];
};
void counters_prepare(struct table *t, const struct counters *cs, uint64_t pkt,
                      uint32_t src);
void counters_commit(struct table *t);

static inline void counters_add(struct counters *cs, uint32_t counter,
                                uint32_t add)
{
	uint32_t i;

	if (!add)
		return;
	for (i = 0; i < cs->n; i++)
		if (cs->item[i].counter == counter) {
			cs->item[i].add += add;
			return;
		}
	if (cs->n < NPEND) {
		cs->item[cs->n].counter = counter;
		cs->item[cs->n++].add = add;
	}
}

#endif

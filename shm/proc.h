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

#include "shm/atomic.h"
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

/* Notes what processor time this process has used, a second apart.  Not for
 * each packet: it is a system call. */
void proc_cpu(struct table *t);
/* Of a slot, lately, in tenths of a percent of one processor. */
uint32_t proc_cpu_use(const struct table *t, uint32_t slot);

/* Gives the slot up cleanly. */
void proc_detach(struct table *t);

/* Takes a shard's lock; repairs what a dead holder left.  Never fails: a
 * holder that is alive but does not move is named to the supervisor, which
 * kills it. */
void shard_lock_slow(struct table *t, uint32_t sh);

static inline void shard_lock(struct table *t, uint32_t sh)
{
	if (unlikely(shm_cas(&t->shard[sh].lock, 0, t->word) != 0))
		shard_lock_slow(t, sh);
}

static inline void shard_unlock(struct table *t, uint32_t sh)
{
	shm_store_release(&t->shard[sh].lock, 0);
}

/*
 * Counters that belong to the packet `cur` is about: applied with it or not at
 * all.
 *
 * Nearly all counts are "one more", so a packet's counts are a word with a bit
 * a counter.  Within a batch, between counters_open() and counters_close(),
 * that word is all that is written: it stands in the ring header before the
 * cursor moves, and the cursor says which of the words count.  They are added
 * up when the batch ends, or by the heir.  What is more than one, or belongs
 * to another source, is prepared as a value and applied after the cursor has
 * moved, by counters_commit().
 */
#define COUNTERS_MORE 12u

struct counters {
	uint32_t ones; /* a bit a counter */
	uint32_t n;
	struct {
		uint32_t counter;
		uint32_t add;
	} item[COUNTERS_MORE];
};

/* Packets of source 0 follow, the first is number `pkt`. */
void counters_open(struct table *t, uint64_t pkt);
/* Adds up what was counted since. */
void counters_close(struct table *t);

void counters_more(struct counters *cs, uint32_t counter, uint32_t add);
void counters_prepare_values(struct table *t, const struct counters *cs,
                             uint64_t pkt, uint32_t src);
void counters_apply(struct table *t);

static inline void counters_init(struct counters *cs)
{
	cs->ones = 0;
	cs->n = 0;
}

/* what happens to a packet but once */
static inline void counters_one(struct counters *cs, enum counter c)
{
	cs->ones |= 1u << c;
}

static inline void counters_add(struct counters *cs, uint32_t counter,
                                uint32_t add)
{
	uint32_t bit = counter < CTR_COUNT ? 1u << counter : 0;

	if (likely(add == 1 && bit & ~cs->ones))
		cs->ones |= bit;
	else if (add)
		counters_more(cs, counter, add);
}

static inline void counters_prepare(struct table *t, const struct counters *cs,
                                    uint64_t pkt, uint32_t src)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint64_t at = h->count_last - pkt;

	if (likely(!src && at < NCOUNT && !cs->n && !h->pend_cursor))
		h->count[at] = cs->ones;
	else
		counters_prepare_values(t, cs, pkt, src);
}

/* after the cursor has moved */
static inline void counters_commit(struct table *t)
{
	shm_barrier();
	if (unlikely(t->ring[t->me].hdr->pend_cursor))
		counters_apply(t);
}

#endif

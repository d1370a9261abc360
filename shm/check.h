/*
 * check.h - every invariant of a shard, one line a fault.
 *
 *	I1 an index word points to a used entry
 *	I2 the entry is live, its seq even, its hash fits bucket, tag and shard
 *	I3 an entry is referred to once
 *	I4 a key stands once
 *	I5 live + free = used, free lists without a circle, tails right
 *	I6 count = live
 *	I7 an overflow line belongs to one chain or to the free list
 *	I8 chk is set and not behind the deadline
 *	I9 no operation under way, lock free (or the caller's)
 * A shard that was isolated (mend.h) is one fault.
 *	I10 an extension record belongs to one entry or to the free list
 */
#ifndef SHM_CHECK_H
#define SHM_CHECK_H

#include "shm/table.h"

/* the shard that a key belongs to; NULL: not checked (tests) */
typedef uint8_t shard_fn(const struct table *t, const struct conn_key *k,
                         const struct addr6 *a6);
typedef void fault_fn(void *arg, const char *text);

/* Returns the number of faults; `fault` may be NULL.  The caller holds the
 * shard's lock, or nobody runs.  -ENOMEM: no room for the marks. */
int shard_check(const struct table *t, uint32_t sh, shard_fn *home,
                fault_fn *fault, void *arg);

/* rings: tail, intent and cell numbers */
int rings_check(const struct table *t, fault_fn *fault, void *arg);

#endif

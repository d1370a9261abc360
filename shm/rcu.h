/*
 * rcu.h - the RCU domain across processes, for what is replaced whole.
 *
 * A reader publishes the epoch that it saw in its own process page before it
 * looks at `current`, and 0 when it is done (quiescent-state based: workers
 * enter once a batch and leave before they sleep).  The one writer, the
 * supervisor, fills a free block, publishes its number, raises the epoch and
 * notes it beside the old block; that block is free when no live reader
 * stands at an older epoch.
 *
 * Nobody ever waits for a grace period: a writer without a free block is told
 * so and tries again.  Dead readers do not count (proc_alive); a stopped one
 * is killed by the watchdog, so a grace period is bounded.
 *
 * The free set is derived: blocks that are neither current nor retired at an
 * epoch that somebody may still see.  A writer killed between publishing and
 * noting leaves one block marked in use; rcud_recover() retires it.
 *
 * The names begin with rcud_, because liburcu's begin with rcu_.
 */
#ifndef SHM_RCU_H
#define SHM_RCU_H

#include "shm/table.h"

/* reader: enter returns the current policy, valid until leave */
const struct policy *rcud_enter(struct table *t);
void rcud_leave(struct table *t);

/* writer (supervisor): copies `p` into a free block and publishes it.
 * -EAGAIN: no block is free yet. */
int rcud_publish(struct table *t, const struct policy *p);
/* frees what no reader can see any more; returns the number of free blocks */
unsigned int rcud_reclaim(struct table *t);
void rcud_recover(struct table *t);

#endif

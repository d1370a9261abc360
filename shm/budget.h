/*
 * budget.h - `max` as one budget for all shards and processes (F043, F238).
 *
 * A process draws from the shared word in portions, so that two workers do not
 * fight for one cache line at every connection, and gives back what it frees.
 * What it holds stands in its ring header, so a successor in the slot goes on
 * with it.  A death between the two stores mislays at most one portion; the
 * reaper sets the word right when a daemon starts.
 */
#ifndef SHM_BUDGET_H
#define SHM_BUDGET_H

#include "shm/table.h"

/* one connection; false: `max` is reached.  max = 0: what there is room for */
bool budget_take(struct table *t, uint32_t max);
/* Would that be false now? */
bool budget_gone(const struct table *t, uint32_t max);
void budget_give(struct table *t, uint32_t max);
/* The word anew from what the shards count and the processes hold, while these
 * run: one that is between a portion and its connection makes it wrong by one.
 */
void budget_settle(struct table *t);
/* The word anew from the shards' counts; no worker runs. */
void budget_recount(struct table *t);

#endif

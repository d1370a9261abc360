/*
 * repair.h - a shard whose lock holder died.
 *
 * The op record tells all: committed operations are finished, others taken
 * back.  A record that no code of ours can have written means that the shard
 * is damaged; then everything but the entries is made anew from the entries.
 * Repair may itself be killed: both paths can start over.
 */
#ifndef SHM_REPAIR_H
#define SHM_REPAIR_H

#include "shm/check.h"
#include "shm/table.h"

/* The caller holds the shard's lock, taken from a dead holder. */
void shard_repair(struct table *t, uint32_t sh);

/* Index, lists and counts anew from the live entries; entries that cannot be
 * valid are dropped.  Returns the number dropped.  Lock held. */
uint32_t shard_rebuild(struct table *t, uint32_t sh);

/* For a shard that the check has found wrong; lock held, each may be killed and
 * run again.  salvage: as above, without entries that are at home elsewhere
 * (`home` may be NULL).  empty: without any.  isolate: without any, and with
 * room for none, until it is emptied. */
void shard_salvage(struct table *t, uint32_t sh, shard_fn *home);
void shard_empty(struct table *t, uint32_t sh);
void shard_isolate(struct table *t, uint32_t sh);

#endif

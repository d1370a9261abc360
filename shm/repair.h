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

#include "shm/table.h"

/* The caller holds the shard's lock, taken from a dead holder. */
void shard_repair(struct table *t, uint32_t sh);

/* Index, lists and counts anew from the live entries; entries that cannot be
 * valid are dropped.  Returns the number dropped.  Lock held. */
uint32_t shard_rebuild(struct table *t, uint32_t sh);

#endif

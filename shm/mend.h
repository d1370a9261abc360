/*
 * mend.h - what becomes of a shard that the check has found wrong.
 *
 * The caller holds its lock.  Each of these may be killed and run again, but
 * for what they end there is no event: it is said how many were lost.
 */
#ifndef SHM_MEND_H
#define SHM_MEND_H

#include "shm/check.h"

/* shard_rebuild() without entries that are at home elsewhere (`home` may be
 * NULL). */
void shard_salvage(struct table *t, uint32_t sh, shard_fn *home);
/* Without any entries, and in use again if it was isolated. */
void shard_empty(struct table *t, uint32_t sh);
/* Without any, and with room for none: its packets find nothing, and are
 * refused as in a full table. */
void shard_isolate(struct table *t, uint32_t sh);

#endif

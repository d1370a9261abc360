/*
 * expire.h - ending connections that no packet ends.
 *
 * An expired connection is never matched nor shown, whether or not somebody
 * has been here (F230, F232); this only tells the world and makes room.  Its
 * DESTROY bears the time at which it expired, so it does not matter who comes
 * by, or when.
 */
#ifndef SHM_EXPIRE_H
#define SHM_EXPIRE_H

#include "shm/ops.h"

/* A delete outside any packet, with its counters and event; `extra` is one
 * more counter to raise, or CTR_COUNT.  Lock held. */
void conn_end(struct table *t, uint32_t sh, uint32_t idx, uint32_t slot,
              enum conn_reason reason, uint64_t ts_ns, uint32_t now,
              uint32_t max, bool tell, unsigned int extra);

/* Before a delete: its id when it may have announced others, else 0; and after
 * it: what it announced goes with it (F192).  Lock held. */
uint64_t conn_ending(struct table *t, uint32_t sh, uint32_t idx, uint64_t ts_ns,
                     uint32_t now, bool tell);
void conn_forget(struct table *t, uint64_t master, uint64_t ts_ns, uint32_t now,
                 bool tell);

/* What conn_end() and others tell about a connection as it stands. */
void conn_event(const struct table *t, uint32_t sh, uint32_t idx,
                struct op_event *ev);

/* Ends what has expired in one shard, at most `most`; returns how many.
 * *due gets the earliest tick at which the shard needs another look (lowered,
 * never raised), or now when `most` was reached.  Takes the lock, for no more
 * than 64 entries at a time. */
uint32_t shard_expire(struct table *t, uint32_t sh, uint64_t now_ns,
                      uint32_t most, uint32_t max, bool tell, uint32_t *due);

/* the time at which an entry with this deadline expires, or did */
uint64_t expire_ns(const struct table *t, uint32_t deadline, uint64_t now_ns);

#endif

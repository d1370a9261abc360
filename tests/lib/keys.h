/* keys.h - small tables, and connection keys by number, for tests */
#ifndef TESTS_LIB_KEYS_H
#define TESTS_LIB_KEYS_H

#include "shm/ops.h"
#include "shm/table.h"

/* A private table whose secrets are constants, so that a test is the same
 * each time.  `cells` of each ring; slot 0 is attached. */
struct table *table_make(uint32_t max, bool detail, uint32_t cells);
void table_drop(struct table *t);

/* key number `n` in shard `sh` */
struct conn_lookup key_make(const struct table *t, uint32_t n, bool v6,
                            uint8_t sh);
/* the same, with a port that brings it into `bucket` */
struct conn_lookup key_in_bucket(const struct table *t, uint32_t n, bool v6,
                                 uint8_t sh, uint32_t bucket);

/* 64 bits of noise from 64 bits */
uint64_t noise(uint64_t x);

/* inserts, updates (packets + 1) and deletes under the shard's lock, without
 * an event; index or 0 */
uint32_t conn_put(struct table *t, const struct conn_lookup *k);
uint32_t conn_bump(struct table *t, const struct conn_lookup *k);
uint32_t conn_drop(struct table *t, const struct conn_lookup *k);

/* faults of shard `sh`, printed; 0 = clean */
int shard_faults(const struct table *t, uint32_t sh);

#endif

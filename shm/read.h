/*
 * read.h - reading the table without a lock and without a store.
 *
 * A reader copies an entry and looks at its `seq` again; an odd one is settled
 * by the shard's op record (ops.h, promise F).  So a look-up and a walk over
 * the slab show the same set at every instant, also while a writer lies dead
 * in the middle of an operation.
 */
#ifndef SHM_READ_H
#define SHM_READ_H

#include "shm/table.h"

/* a connection as read: a private copy */
struct conn_view {
	struct conn conn;
	struct conn_detail detail;
	struct addr6 addr6;
	struct conn_ext ext; /* meant when conn.ext is not 0 */
	uint32_t shard, idx;
};

/* 1 = there, 0 = not there, -1 = could not be read (a writer that never
 * stops; the caller may try again) */
int conn_read(const struct table *t, uint32_t sh, uint32_t idx,
              struct conn_view *v);
int conn_lookup(const struct table *t, const struct conn_lookup *k,
                struct conn_view *v);

/* Walk in index order: every connection that lives through the walk is seen
 * exactly once.  Start with {0, 0}; false = end. */
struct conn_walk {
	uint32_t shard, idx;
};
bool conn_walk(const struct table *t, struct conn_walk *w, struct conn_view *v);

/* sum of the shards' counts */
uint64_t table_count(const struct table *t);

#endif

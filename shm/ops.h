/*
 * ops.h - the three things that may happen to an entry: insert, update,
 * delete, each kill-safe at every instruction.
 *
 * Promises (the letters are cited elsewhere):
 *
 * A. The caller holds the shard's lock.  No process holds two.
 * B. Before its first store an operation writes what it is about to do into
 *    the shard's op record, and the pre-image of what it overwrites into the
 *    undo area; `op` is stored last.  A refusal happens before `op`.
 * C. One store commits: the entry's `seq` turns even.  Everything before it
 *    is taken back by op_undo() and everything behind it is done again by
 *    op_finish(), from the record alone; both may be cut short and run again.
 * D. The event is part of the operation.  Its cells are filled before the
 *    commit, beyond the ring's tail; the tail moves in op_finish().
 * E. The capture cursor moves in op_finish() too, so table, event and
 *    position agree after a kill at any instruction.
 * F. A reader that meets an odd `seq` looks at the record: an insert under
 *    way is absent, an update or delete is still the undo image.  So look-ups
 *    and walks agree with each other, and with what repair will decide.
 * G. A record that op_undo() took back leaves `seq` even and new, so that a
 *    reader which overlapped the torn write fails its check.
 *
 * A packet may be several operations; all but the last pass cursor 0.
 */
#ifndef SHM_OPS_H
#define SHM_OPS_H

#include "shm/table.h"

/* what an operation tells the world; type EVENT_PAD = nothing */
struct op_event {
	uint8_t type; /* enum event_type */
	uint8_t reason;
	uint8_t flags;
	uint16_t bits;
	uint16_t vlan;
	uint8_t iface;
	uint32_t left_ms;
	uint64_t ts_ns;
	struct conn_delta delta; /* with EVENT_F_DELTA */
};

/* position in a capture that the operation completes */
struct op_cursor {
	uint64_t pkt; /* 0 = more operations follow for this packet */
	uint32_t src;
};

/* OP_NO_MEMORY: there is an index, and no memory for what goes with it; ending
 * another connection would not help */
enum op_refusal { OP_DONE, OP_NO_INDEX, OP_CHAIN_FULL, OP_NO_MEMORY };

/* Index of the connection, 0 = not there.  *slot says where its word stands;
 * *searched grows by the entries compared and unequal.  Lock held. */
uint32_t conn_find(struct table *t, const struct conn_lookup *k, uint32_t *slot,
                   uint64_t *searched);

/* Inserts a connection whose key is not there.  `init` gives everything
 * behind the key (CONN_LIVE is added), `x` the detail line (may be NULL),
 * `ext` its extension record (NULL: it has none).  Returns its index, or 0 and
 * why.  Lock held. */
uint32_t op_insert(struct table *t, const struct conn_lookup *k,
                   const struct conn *init, const struct conn_detail *x,
                   const struct conn_ext *ext, const struct op_event *ev,
                   struct op_cursor cur, enum op_refusal *why);

/* Memory for the addresses of `addr6` IPv6 entries and `ext` extension records
 * of a shard; false: there is none. */
bool shard_room(struct table *t, uint32_t sh, uint32_t addr6, uint32_t ext);

/* The id that op_insert() of this key would give now, 0 = no room.  Lock held.
 */
uint64_t op_insert_id(struct table *t, const struct conn_lookup *k);

/* What would refuse op_insert() of this key with an extension record; OP_DONE:
 * nothing.  Lock held. */
enum op_refusal op_insert_room(struct table *t, const struct conn_lookup *k);

/* Opens the window in which the entry may be written behind its key, and its
 * detail line.  Must be followed by one of the two below.  Lock held. */
void op_update_begin(struct table *t, uint32_t sh, uint32_t idx);
/* Within the window: the entry's extension record, made (all zero) if it has
 * none.  NULL: no room. */
struct conn_ext *op_update_ext(struct table *t, uint32_t sh, uint32_t idx);
/* Commits what was written. */
void op_update_commit(struct table *t, uint32_t sh, uint32_t idx,
                      const struct op_event *ev, struct op_cursor cur);
/* Commits what was written together with the end of the connection; `slot` is
 * conn_find()'s. */
void op_delete_commit(struct table *t, uint32_t sh, uint32_t idx, uint32_t slot,
                      const struct op_event *ev, struct op_cursor cur);

/* Moves the cursor for a packet that changed no connection. */
void op_cursor_set(struct table *t, struct op_cursor cur);

/* Both run by repair.c, and op_finish() by every operation. */
void op_finish(struct table *t, uint32_t sh);
void op_undo(struct table *t, uint32_t sh);
/* Is the record one that this code could have written? */
bool op_sane(const struct table *t, uint32_t sh);

#endif

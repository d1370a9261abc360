/*
 * merge.h - the rings of all producers made into one log.
 *
 * The merger is the log's only writer.  All that it must remember stands in
 * the log's segment, so a killed one is replaced by merge_open() alone.
 */
#ifndef API_MERGE_H
#define API_MERGE_H

#include "shm/table.h"

/* slots written between two commits: what recovery has to look at */
#define MERGE_BATCH 256u

struct merge {
	struct table *t;
	uint64_t tail;           /* slots written, committed or not */
	uint64_t gseq;           /* number of the last event in them */
	uint64_t cursor[NRING];  /* cells taken from each ring */
	uint32_t ordinal[NRING]; /* events taken or known lost */
	uint64_t next[NSTREAM];  /* shard_seq wanted */
	uint64_t lost[NRING];
	uint64_t holes_to[NRING]; /* cells before may miss a predecessor */
	bool held; /* a record waited for its predecessor in the last pass */
};

/* Takes up the log where it was left, also by one that was killed. */
void merge_open(struct merge *m, struct table *t);

/* Writes up to `max` slots, none at or behind position `limit`; returns how
 * many. */
unsigned int merge_step(struct merge *m, unsigned int max, uint64_t limit);

/* What a client asked for, behind all that has been merged; text below 120
 * bytes. */
void merge_audit(struct merge *m, uint32_t uid, uint32_t pid, uint64_t ts_ns,
                 const char *text);

/* Published records that have not been taken? */
bool merge_pending(const struct merge *m);

/*
 * To be called when a record has waited for its predecessor for longer than a
 * producer can need between two stores: what is nowhere to be found is given
 * up.  Only a shard that was rebuilt after damage leaves such a hole.
 */
void merge_unstick(struct merge *m);

/* Oldest position that still stands in the log. */
uint64_t merge_oldest(const struct merge *m);
/* First position whose event has a number above `gseq`. */
uint64_t merge_find(const struct merge *m, uint64_t gseq);

static inline const struct event_slot *merge_at(const struct merge *m,
                                                uint64_t pos)
{
	return &m->t->log[pos & m->t->log_mask];
}

#endif

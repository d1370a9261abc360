/*
 * rig.h - the packet path in one process: a table, a worker's pipeline, and
 * what came of the last frame.
 *
 * Nothing is imitated: frames go through pipeline_batch(), what they did is
 * read from the ring of events, the record of a trace that asks for
 * everything, and the counters.  Time is the packets'.  Nobody sweeps unless
 * told to, so what is late stays until a packet or rig_sweep() meets it.
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include "daemon/worker/pipeline.h"
#include "shm/expect.h"
#include "shm/read.h"

#define RIG_EVENTS 16u
#define RIG_T0     1700000000000000000ull

struct rig {
	struct table *t;
	struct pipeline *pipe;
	struct policy pol; /* may be written at any time */
	uint64_t now_ns;
	uint64_t frame;
	/* of the last frame, sweep or command */
	bool told; /* `rec` is of it */
	struct trace_rec rec;
	unsigned int nevents;
	struct event_slot event[RIG_EVENTS]; /* in their order */
	uint64_t before[STATS_SLOTS];        /* the counters before it */
};

/* An empty table, the defaults of all trackers and helpers. */
void rig_open(struct rig *r);
/* Checks the table and frees it; returns the faults found. */
int rig_close(struct rig *r);

/* The frame `p`, as a source would give it. */
void rig_send(struct rig *r, struct pkt *p);
/* Ends what is overdue, as the reaper does. */
void rig_sweep(struct rig *r);
/* What a client asked for; as the reaper does it: 0 or -errno. */
int rig_delete(struct rig *r, uint64_t id);
int rig_mark(struct rig *r, uint64_t id, uint32_t mark);

/* The living connection of a key, as readers see it. */
bool rig_find(const struct rig *r, const struct conn_lookup *k,
              struct conn_view *v);
bool rig_find_id(const struct rig *r, uint64_t id, struct conn_view *v);
uint64_t rig_counter(const struct rig *r, unsigned int c);
/* by how much the last thing raised it */
uint64_t rig_counted(const struct rig *r, unsigned int c);
/* its number by its name in statistics, or STATS_SLOTS */
unsigned int rig_counter_find(const char *name);

#endif

/*
 * traffic.h - packets for a table under test, and a model of it.
 *
 * A packet is one operation or two (reopen and early drop are a delete and an
 * insert; only the last moves the cursor).  What it does follows from its
 * number, the seed and the table alone, so a second run is the first again.
 * Few buckets and few entries make what is rare happen often: overflow lines
 * linked and trimmed, a full shard, indices of the other family, PAD cells.
 *
 * The model is the run without a kill: what table, ring, cursor and counters
 * are after every operation.
 */
#ifndef TESTS_LIB_TRAFFIC_H
#define TESTS_LIB_TRAFFIC_H

#include "shm/ops.h"
#include "shm/table.h"
#include "tests/lib/image.h"

#define TRAFFIC_KEYS 110u

struct traffic {
	struct conn_lookup key[TRAFFIC_KEYS];
	uint64_t seed;
	uint32_t nkey;  /* keys in use */
	bool alternate; /* odd packets shard 1, even shard 0; few deletes */
	bool lasting;   /* few connections, told of again and again */
};

/* the table as readers see it: how many connections, sum of their hashes */
struct view {
	uint64_t sum;
	uint32_t n;
	uint32_t bad; /* could not be read */
};

struct snap {
	uint64_t tail, counters, cursor[2], ev[IMAGE_SHARDS];
	uint32_t ordinal, count[IMAGE_SHARDS];
	struct view view;
};

struct model {
	struct traffic *tr;
	struct table *t;
	struct snap *snap; /* after each step */
	uint64_t *cell;    /* hash of each event cell */
	uint64_t nstep, room;
};

/* two tables of the same traffic have the same secrets, see table_make() */
struct table *traffic_table(bool detail, uint32_t cells);
void traffic_init(struct traffic *tr, const struct table *t, uint64_t seed);

/* `after` is called after each operation that others may see */
void traffic_packet(const struct traffic *tr, struct table *t, uint64_t n,
                    void (*after)(void *), void *arg);
/* number of the last packet that the table says is done */
uint64_t traffic_cursor(const struct table *t);

struct view view_by_key(const struct traffic *tr, const struct table *t,
                        bool ids);
struct view view_by_slab(const struct table *t, bool ids);
bool view_equal(struct view a, struct view b);

/* Runs packets first .. last on t and notes every step. */
int model_make(struct model *m, struct traffic *tr, struct table *t,
               uint64_t first, uint64_t last);
void model_free(struct model *m);

/* What readers see while nobody has repaired anything: NULL, or what is wrong;
 * `k` steps are done.  *seen is the view. */
const char *model_raw(const struct model *m, const struct table *t, uint64_t k,
                      struct view *seen);
/* The same after repair: exactly step k done or not, as readers saw before. */
const char *model_repaired(const struct model *m, const struct table *raw,
                           const struct table *t, uint64_t k, struct view seen);

/* Slot 0 is dead.  Slot `by` takes over what it left, then slot 0 is attached
 * anew. */
void takeover(struct table *t, uint32_t by);

#endif

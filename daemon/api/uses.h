/*
 * uses.h - how many living connections each master has.
 *
 * The table keeps no reference counts: a connection names its master, not the
 * other way round.  So who prints `use=` counts first, by a walk of its own
 * over those with an extension record, in steps like every other walk.  Where
 * no expectation was ever met there is nothing to count, and no walk.
 */
#ifndef API_USES_H
#define API_USES_H

#include "shm/read.h"

struct uses {
	struct conn_walk walk;
	bool done;
	uint32_t room, n; /* slots, a power of 2; masters in them */
	struct uses_slot {
		uint64_t master;
		uint32_t n;
	} * slot;
};

/* Goes on counting, over at most `look` connections; true: done, or given up
 * for want of memory.  `now` is the tick of a connection's end. */
bool uses_step(struct uses *u, const struct table *t, uint32_t look,
               uint32_t now);
/* living connections of this master */
uint32_t uses_of(const struct uses *u, uint64_t master);
void uses_free(struct uses *u);

#endif

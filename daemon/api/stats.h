/* stats.h - all counters by scope, as messages of the API. */
#ifndef API_STATS_H
#define API_STATS_H

#include "daemon/api/cmd.h"

#define STATS_NAMES (STATS_SLOTS + 16u)
#define NAME_LEN    48u

/* one scope: names and values in the order of their adding, which is the same
 * in every scope; names with one prefix stand together */
struct scope {
	Ctshard__Scope msg;
	Ctshard__Counter counter[STATS_NAMES];
	Ctshard__Counter *list[STATS_NAMES];
	char name[STATS_NAMES][NAME_LEN];
};

struct stats {
	struct scope scope[NWORKER_MAX + 2]; /* totals, workers, the reaper */
	Ctshard__Scope *list[NWORKER_MAX + 2];
	size_t n;
};

/* The reaper (worker -1) is left out while it has counted nothing, but for
 * `all`. */
void stats_make(struct stats *st, const struct api *a, bool all);

#endif

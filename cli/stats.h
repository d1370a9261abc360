/* stats.h - counters, kept until all have come, then printed. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/cells.h"

struct stats_counter {
	char *name;
	uint64_t value;
};

struct stats_scope {
	bool total;
	int worker;
	struct stats_counter *counter;
	size_t counters;
	size_t room;
};

struct stats {
	struct stats_scope *scope;
	size_t scopes;
};

/* A ctshard_handler.counter; `arg` is a struct stats. */
int stats_counter(void *arg, const struct ctshard_counter *c);
/* Names with dots become objects: interfaces' "Statistics".  Rows of workers
 * are made to add up to the totals. */
void stats_json(struct stats *s, struct out *o);
/* Lines as `conntrack -S` prints, one a worker, then the totals. */
void stats_text(const struct stats *s, struct out *o);
/* csv and xml: a row for each counter of each scope */
void stats_cells(const struct stats *s, struct cells *c);
/* What has been counted since `before`. */
void stats_less(struct stats *s, const struct stats *before);
void stats_free(struct stats *s);

#endif

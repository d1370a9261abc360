/*
 * cells.h - csv and xml of the verbs whose rows are no connections.
 */
#ifndef CLI_CELLS_H
#define CLI_CELLS_H

#include "cli/out.h"

#define CELLS_MAX 64

struct cells {
	struct out *o; /* NULL: another format is wanted */
	const char *verb;
	const char *column[CELLS_MAX];
	size_t columns;
	bool table; /* one is under way */
};

/* Does the format ask for this?  False: nothing of it may be called. */
bool cells_begin(struct cells *c, struct out *o, const char *verb);
/* Another table; in csv a line without anything stands between two. */
void cells_table(struct cells *c, const char *name, const char *const *column,
                 size_t columns);
/* As many as there are columns; those that are missing are empty. */
void cells_row(struct cells *c, const char *const *cell, size_t n);
void cells_end(struct cells *c);

#endif

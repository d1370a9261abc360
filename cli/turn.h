/* turn.h - a table on its side. */
#ifndef CLI_TURN_H
#define CLI_TURN_H

#include <libsmartcols/libsmartcols.h>

/* A table with this many columns fits into no terminal. */
#define TURN_COLUMNS 17u

/* Its columns as lines, each line as a column that is called as its first cell
 * is.  NULL: no memory. */
struct libscols_table *turn_table(struct libscols_table *t, int headings);

#endif

/* column.h - the columns of table and csv: one list for both. */
#ifndef CLI_COLUMN_H
#define CLI_COLUMN_H

#include "cli/out.h"

/* what the daemon tells by name; X(name, right-aligned, default of `table`),
 * r* of the reply */
#define COLUMNS_NAMED(X)      \
	X(rate, 1, 0)         \
	X(rrate, 1, 0)        \
	X(rtt, 1, 0)          \
	X(rrtt, 1, 0)         \
	X(retrans, 1, 0)      \
	X(rretrans, 1, 0)     \
	X(disorder, 1, 0)     \
	X(rdisorder, 1, 0)    \
	X(zero_window, 1, 0)  \
	X(rzero_window, 1, 0) \
	X(resets, 1, 0)       \
	X(rresets, 1, 0)

/* X(name, right-aligned, default of `table`) */
#define COLUMNS(X)         \
	X(event, 0, 0)     \
	X(seq, 1, 0)       \
	X(time, 0, 0)      \
	X(id, 1, 0)        \
	X(l3, 0, 0)        \
	X(proto, 0, 1)     \
	X(protonum, 1, 0)  \
	X(state, 0, 1)     \
	X(timeout, 1, 1)   \
	X(src, 0, 1)       \
	X(sport, 1, 1)     \
	X(dst, 0, 1)       \
	X(dport, 1, 1)     \
	X(packets, 1, 1)   \
	X(bytes, 1, 1)     \
	X(rsrc, 0, 0)      \
	X(rsport, 1, 0)    \
	X(rdst, 0, 0)      \
	X(rdport, 1, 0)    \
	X(rpackets, 1, 1)  \
	X(rbytes, 1, 1)    \
	X(status, 0, 1)    \
	X(mark, 1, 0)      \
	X(zone, 1, 0)      \
	X(helper, 0, 1)    \
	X(master, 1, 0)    \
	X(labels, 0, 0)    \
	X(start, 1, 0)     \
	X(last, 1, 0)      \
	X(reason, 0, 0)    \
	X(shard, 1, 0)     \
	X(detail, 0, 0)    \
	X(duration, 1, 0)  \
	COLUMNS_NAMED(X)   \
	X(dpackets, 1, 0)  \
	X(dbytes, 1, 0)    \
	X(rdpackets, 1, 0) \
	X(rdbytes, 1, 0)   \
	X(community_id, 0, 0)

enum column_id {
#define X(name, right, table) COLUMN_##name,
	COLUMNS(X)
#undef X
		COLUMN_COUNT
};

_Static_assert(COLUMN_COUNT <= OUT_COLUMNS, "room for all");

#define COLUMN_TEXT 512

const char *column_name(unsigned id);
bool column_right(unsigned id);
bool column_default(unsigned id);
/* "a,b,c" into out's columns: 0, or -1 with the bad word in `why` */
int column_parse(struct out *o, const char *spec, char *why, size_t size);
/* The columns of an expectation into out's, when none were chosen. */
void column_expect_default(struct out *o, bool all);
/* An expectation as cells know it: r* are its master's. */
struct column_expect {
	struct ctshard_conn conn;
	struct ctshard_detail detail[3];
	char class_id[16];
};
void column_expect(const struct ctshard_expect *x, struct column_expect *to);
int column_find(const char *name);
/* The text of one cell; empty when it does not apply. */
void column_text(const struct out *o, unsigned id, const struct ctshard_conn *c,
                 const struct ctshard_event *e, char *to, size_t size);

#endif

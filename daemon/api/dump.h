/*
 * dump.h - the table as a snapshot: what `ctctl dump` writes.
 *
 *	ctshardd snapshot 1\n
 *	4 bytes of length (big-endian) and a message Add, again and again
 *	4 bytes of zero
 *	end CONNECTIONS FNV-1a-64-OF-ALL-ABOVE\n
 *
 * Timeouts in it are those of Add.saved_ns.  A connection comes behind who
 * announced it, however long such a chain is, and expectations come last, in
 * the order in which they were made: each finds its master.
 */
#ifndef API_DUMP_H
#define API_DUMP_H

#include "daemon/api/cmd.h"
#include "daemon/api/expect_row.h"

#define DUMP_HEAD "ctshardd snapshot 1\n"
#define DUMP_ROWS 64u /* connections in one message */

/* a connection with a master, and how many there are above it */
struct dump_child {
	uint64_t id;
	uint32_t depth;
};

struct dump {
	const struct table *t;
	struct pb pb;
	struct conn_walk walk;
	enum {
		DUMP_START,
		DUMP_WALK,
		DUMP_CHILDREN,
		DUMP_EXPECTED,
		DUMP_TRAILER,
		DUMP_OVER
	} stage;
	uint64_t count, sum;
	struct dump_child *child;
	size_t children, child_room, next;
	struct expect *expect;
	size_t expects;
	struct expect_rows *rows;
	size_t parents; /* of the rows of this message */
	Ctshard__Parent parent[DUMP_ROWS], *parent_list[DUMP_ROWS];
	uint8_t *chunk;
	size_t room;
};

/* 0 or -ENOMEM */
int dump_begin(struct dump *d, const struct table *t, const struct policy *pol);
/* The next bytes, valid until the next call; *len 0: there are none, ask again
 * or dump_over().  -errno. */
int dump_next(struct dump *d, const uint8_t **at, size_t *len);
bool dump_over(const struct dump *d);
void dump_end(struct dump *d);

/* All of it to a descriptor: 0 or -errno. */
int dump_write(const struct table *t, const struct policy *pol, int fd);

/*
 * The way back, for a table that nobody serves: each connection and
 * expectation to `add` (0 or -errno; what is there is passed over, and so are
 * expectations that have no room).  The whole file is checked before the
 * first.  0, -EBADMSG: not a whole snapshot, -errno.  *n: made.
 */
int dump_read(struct table *t, const struct policy *pol, int fd,
              int (*add)(struct table *t, const struct policy *pol,
                         const struct command *k, const struct command_conn *c),
              uint64_t *n);

#endif

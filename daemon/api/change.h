/* change.h - requests that the reaper carries out: commands in its ring. */
#ifndef API_CHANGE_H
#define API_CHANGE_H

#include "daemon/api/cmd.h"
#include "daemon/api/uses.h"

/* commands of one request that may be under way: others get their turn */
#define CHANGE_WINDOW (NCOMMAND / 2)

/*
 * Connections on their way to the reaper and back, whose client wants to see
 * them (F305, F307).  Answers come in the order of the commands; a place is
 * the number modulo CHANGE_WINDOW, and taken until its row has been sent.
 */
struct changed {
	uint32_t posted, answered, told;
	bool done[CHANGE_WINDOW];
	struct conn_view v[CHANGE_WINDOW];
	struct uses uses;
};

/* the state of such a request, or the beginning of it */
struct change {
	struct filter *filter;
	struct conn_walk walk;
	struct command command; /* kind and values, without an id */
	bool walked;            /* all commands have been posted */
	bool one;               /* the filter names an id */
	unsigned int under_way;
	uint64_t affected, faults;
	struct changed *rows; /* NULL: only how many is asked */
	int error;            /* the first, but for connections that had gone */
	uint32_t shard;       /* check */
	uint32_t told_shards; /* and how many were said to be done, + 1 */
	const char *what;     /* for the log; NULL: connections */
	/* answers in the order of the commands; NULL: summed up */
	void (*told)(struct request *q, const struct command_answer *ans);
};

/* Is there room for one more command of this request? */
bool change_room(const struct request *q);
/* Posts it; `add` with COMMAND_ADD.  The caller rings the reaper's bell. */
void change_post(struct request *q, const struct command *k,
                 const struct command_conn *add);
/* How many, and the end. */
enum cmd_step change_end(struct request *q);
void change_stop(struct request *q);

#endif

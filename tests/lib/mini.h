/*
 * mini.h - the pipeline's rules in miniature, for one connection.
 *
 * A tracker reports facts; what follows from them is the pipeline's: refresh
 * and accounting together (F072, F073), SEEN_REPLY after the tracker (F066),
 * the class of a packet (F062), and that a first packet which is refused
 * leaves nothing (F067).  Here these rules are written once more, as plainly
 * as can be, so that tests of trackers need no table.
 */
#ifndef TESTS_LIB_MINI_H
#define TESTS_LIB_MINI_H

#include "daemon/tracker/tracker.h"

#define MINI_EVENTS 3u

struct mini {
	struct policy pol;
	struct conn conn;
	bool mirror;
	bool one_way; /* a rule says so */
	bool alive;
	uint8_t owner; /* the side, 0 or 1, that is ORIGINAL */
	uint32_t now;  /* ms */
	/* of the last packet */
	enum trk_verdict verdict;
	enum ctinfo class;
	const char *why;
	uint32_t why_arg[2];
	uint32_t repairs, lost, holes;
	uint32_t nevents;
	uint16_t event[MINI_EVENTS]; /* EVB_NEW, EVB_DESTROY, or other bits */
};

/* An empty table, the defaults of all trackers, time 0. */
void mini_start(struct mini *m);

/* The frame `p`, already parsed, sent by `side`. */
void mini_packet(struct mini *m, const struct pkt *p, uint8_t side);

/* What a look at the table would do: an expired connection dies. */
void mini_expire(struct mini *m);

#endif

/*
 * fragment.h - the fragments of a worker, and the datagrams they make.
 *
 * Live, fragments come to the worker of their addresses, which reassembles
 * them and applies the datagram, whatever its shard.  From a capture every
 * worker reassembles everything, for the shard is known only when the ports
 * are: the datagram is applied by the worker of its shard, and what is counted
 * of a fragment itself by the worker of the fragment's addresses, so that sums
 * do not depend on the number of workers.
 */
#ifndef WORKER_FRAGMENT_H
#define WORKER_FRAGMENT_H

#include "daemon/pkt/frag.h"
#include "daemon/worker/pipeline.h"

struct fragment_limits {
	size_t bytes[2]; /* IPv4, IPv6 */
	uint64_t timeout_ns[2];
};

struct fragments {
	struct fragment_limits limit;
	struct frag *store[2];
	void *block[2];
	bool inherited; /* whoever comes next finds what waits */
	struct pkt pkt; /* the datagram */
	/* while packets are traced: the fragment, and its datagram so far */
	struct frag_answer answer;
	struct frag_seen seen;
	uint8_t bytes[FRAG_WHOLE];
};

/* NULL: no memory.  `numbered`: frames have numbers that rise, and a successor
 * meets them again. */
struct fragments *fragments_new(const struct fragment_limits *limit,
                                uint64_t secret, bool numbered);
/* The same in a file without a name that outlives the process; for frames that
 * are numbered.  -1: in memory of our own. */
struct fragments *fragments_new_at(const struct fragment_limits *limit,
                                   uint64_t secret, bool numbered, int fd);
void fragments_free(struct fragments *fs);

/* Timeouts may change while running (F289); room may not. */
void fragments_policy(struct fragments *fs, const struct policy *pol);

/* Takes the fragment of `l` and adds to `cs` what it counts.  True: *whole is
 * to be applied next, and then fragments_done() called. */
bool fragment_take(struct pipeline *p, const struct lane *l,
                   struct counters *cs, struct lane *whole);
void fragment_done(struct pipeline *p, const struct lane *l);

/* Gives up and counts what is overdue. */
void fragments_expire(struct pipeline *p, uint64_t now_ns);

#endif

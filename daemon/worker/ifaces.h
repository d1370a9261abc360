/*
 * ifaces.h - what a worker knows of each of its interfaces or captures: the
 * source's figures, and how far their clocks can be trusted.
 *
 * A batch costs a look at its first and last packet; the rest is done with the
 * other figures of the source, a few times a second.
 */
#ifndef WORKER_IFACES_H
#define WORKER_IFACES_H

#include "daemon/source/source.h"

/* so far back is a clock that jumped, and not two sources that differ */
#define IFACES_BACK_NS (10 * NS_PER_MS)

struct ifaces {
	uint64_t last_ns[STATS_IFACES];
	int64_t lag_ns[STATS_IFACES]; /* the least since the last figures */
	bool fresh[STATS_IFACES];     /* there is one */
	uint64_t told;                /* times back that were told */
};

/* Those of a predecessor are the base of ours. */
void ifaces_base(struct ring_header *h);

/* Of a packet that comes now, at `wall_ns`; 0: nothing is known of that. */
void ifaces_time(struct ifaces *f, struct ring_header *h, const struct pkt *p,
                 uint64_t wall_ns);

/* The source's figures into the header.  How often clocks went back since that
 * was last asked. */
uint64_t ifaces_figures(struct ifaces *f, struct source *s,
                        struct ring_header *h);

#endif

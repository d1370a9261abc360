/*
 * rate.h - how fast a connection is, from what a packet can afford.
 *
 * `rate` of a direction is a sum of bytes that is halved at each turn of an
 * epoch of 2^30 ns: an exponentially weighted average that costs a packet one
 * test and one addition.  Bytes that come evenly, B an epoch, make it B behind
 * a turn and 2 B before the next; so whoever reads divides by one epoch and the
 * part of the present one, and sees neither step nor saw.
 */
#ifndef SHM_RATE_H
#define SHM_RATE_H

#include "shm/conn.h"

#define RATE_EPOCH 30u /* log2 of nanoseconds */

/* the sum as it is `ns` behind epoch turns that have gone since */
static inline uint32_t rate_halved(uint32_t sum, uint64_t from_ns, uint64_t ns)
{
	uint64_t turns = (ns >> RATE_EPOCH) - (from_ns >> RATE_EPOCH);

	if (ns < from_ns)
		return sum;
	return turns < 32 ? sum >> turns : 0;
}

/* A packet that belongs to the connection: `last_ns` too. */
static inline void rate_add(struct conn_detail *x, uint64_t ns, uint8_t dir,
                            uint32_t bytes)
{
	uint32_t sum;

	if (unlikely((x->last_ns ^ ns) >> RATE_EPOCH)) {
		x->rate[0] = rate_halved(x->rate[0], x->last_ns, ns);
		x->rate[1] = rate_halved(x->rate[1], x->last_ns, ns);
	}
	x->last_ns = ns;
	sum = x->rate[dir] + bytes;
	if (unlikely(sum < bytes))
		sum = UINT32_MAX;
	x->rate[dir] = sum;
}

/* bytes a second, seen from `now_ns` */
static inline uint32_t rate_of(const struct conn_detail *x, uint8_t dir,
                               uint64_t now_ns)
{
	uint64_t now = now_ns > x->last_ns ? now_ns : x->last_ns;
	uint64_t one = 1ull << RATE_EPOCH;

	return (uint32_t)(rate_halved(x->rate[dir], x->last_ns, now) *
	                  1000000000ull / (one + (now & (one - 1))));
}

#endif

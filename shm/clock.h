/*
 * clock.h - what time it is for the table.
 *
 * Live, deadlines run on a clock that nobody steps: CLOCK_MONOTONIC, shifted so
 * that it read the same as the wall clock when the segment was made.  Packet
 * timestamps (wall clock) are mapped to it with the shift of the moment.  From
 * a capture the packets' own timestamps are the clock; it never goes back.
 */
#ifndef SHM_CLOCK_H
#define SHM_CLOCK_H

#include "shm/table.h"
#include "shm/tick.h"

uint64_t clock_real_ns(void);
uint64_t clock_mono_ns(void);

/* table time, ns since the epoch: live from the system, else what the
 * workers have published */
uint64_t table_clock_ns(const struct table *t);

/* a worker of a capture is here; the clock stays if another is further */
void clock_advance(const struct table *t, uint64_t ns);

static inline uint32_t table_tick_of(const struct table *t, uint64_t ns)
{
	return (uint32_t)((int64_t)(ns - t->hdr->t0_real_ns) /
	                  (int64_t)NS_PER_MS);
}

/* the table's time as a tick */
static inline uint32_t table_now(const struct table *t)
{
	return table_tick_of(t, table_clock_ns(t));
}

#endif

/*
 * tick.h - time in the table.
 *
 * Data carries nanoseconds of packet time since the epoch.  Deadlines are 32
 * bit counts of milliseconds since the segment's t0.  Comparisons wrap: a
 * deadline may lie up to 37 days ahead (longer timeouts are clamped) and up to
 * 12 days behind, which is more than any reaper takes and less than a segment
 * is left alone (an older one is swept with its 64 bit clock at attach).
 */
#ifndef SHM_TICK_H
#define SHM_TICK_H

#include "shm/base.h"

#define TICK_PER_S    1000u
#define TICK_BEHIND   (1u << 30)
#define TIMEOUT_MAX_S 3196800u /* 37 days */

/* milliseconds from `now` to `deadline`; negative = passed */
static inline int64_t tick_left(uint32_t deadline, uint32_t now)
{
	return (int64_t)(uint32_t)(deadline - now + TICK_BEHIND) -
	       (int64_t)TICK_BEHIND;
}

/* F230: expired = now >= deadline */
static inline bool tick_expired(uint32_t deadline, uint32_t now)
{
	return tick_left(deadline, now) <= 0;
}

static inline uint32_t tick_after_s(uint32_t now, uint32_t seconds)
{
	if (seconds > TIMEOUT_MAX_S)
		seconds = TIMEOUT_MAX_S;
	return now + seconds * TICK_PER_S;
}

#endif

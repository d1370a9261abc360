/* clock.c - see clock.h. */
#include "shm/clock.h"

#include <time.h>

#include "shm/atomic.h"

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t table_clock_ns(const struct table *t)
{
	if (t->hdr->clock_mode == CLOCK_CAPTURE)
		return shm_load(&t->hdr->clock_ns);
	return t->hdr->t0_real_ns + (clock_mono_ns() - t->hdr->t0_mono_ns);
}

void clock_advance(const struct table *t, uint64_t ns)
{
	uint64_t old = shm_load(&t->hdr->clock_ns), found;

	while (ns > old) {
		found = shm_cas(&t->hdr->clock_ns, old, ns);
		if (found == old)
			break;
		old = found;
	}
}

/* restart.c - see restart.h. */
#include "daemon/supervisor/restart.h"

static int after_kill(uint64_t lived_ns)
{
	return lived_ns < RESTART_KILL_MS * NS_PER_MS ? (int)RESTART_KILL_MS
	                                              : 0;
}

int restart_after(struct restart *r, bool fault, uint64_t lived_ns,
                  uint64_t now_ns)
{
	uint32_t at = r->nfaults % RESTART_FAULTS;
	uint64_t tenth;
	int delay = 0;

	if (!fault)
		return after_kill(lived_ns);
	r->fault_ns[at] = now_ns;
	r->nfaults++;
	/* the ring's next place holds the oldest of the last ten */
	tenth = r->fault_ns[r->nfaults % RESTART_FAULTS];
	if (r->nfaults >= RESTART_FAULTS && now_ns - tenth < RESTART_WINDOW_NS)
		return RESTART_GIVE_UP;
	if (lived_ns >= RESTART_YOUNG_NS) {
		r->delay_ms = 0;
		return 0;
	}
	delay = (int)r->delay_ms;
	if (!r->delay_ms)
		r->delay_ms = RESTART_MIN_MS;
	else if (r->delay_ms < RESTART_MAX_MS / 2)
		r->delay_ms *= 2;
	else
		r->delay_ms = RESTART_MAX_MS;
	return delay;
}

/*
 * watchdog.c - the service manager's watchdog (sd_notify(3), WATCHDOG_USEC).
 *
 * It is fed for the daemon, not for the supervisor: only when the reaper and
 * the api have both gone on since the last time.  While they start, which may
 * take as long as a large table needs to heal, it is fed, for watch.h ends
 * what takes too long there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/supervisor/super.h"
#include "shm/atomic.h"

/* of the time after which the manager loses patience */
#define FEED_PART 4

static uint64_t env_u64(const char *name)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : 0;
}

void watchdog_init(struct super *s)
{
	uint64_t pid = env_u64("WATCHDOG_PID");

	if (!pid || pid == (uint64_t)getpid())
		s->watchdog.every_ns =
			env_u64("WATCHDOG_USEC") * 1000 / FEED_PART;
}

void watchdog_turn(struct super *s)
{
	static const uint32_t slot[2] = {SLOT_REAPER, SLOT_API};
	struct watchdog *w = &s->watchdog;
	uint64_t now = super_now();
	uint32_t beat[2];
	int i;

	if (!w->every_ns || now - w->fed_ns < w->every_ns)
		return;
	for (i = 0; i < 2; i++) {
		beat[i] = shm_load(&table_proc(&s->t, slot[i])->beat);
		if (s->phase == PHASE_READY && beat[i] == w->beat[i])
			return;
	}
	w->beat[0] = beat[0];
	w->beat[1] = beat[1];
	w->fed_ns = now;
	rundir_notify("WATCHDOG=1");
}

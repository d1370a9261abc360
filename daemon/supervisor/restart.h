/*
 * restart.h - when a dead role is started again, and when no more.
 *
 * At once; but a role that dies by its own fault within 2 s of its start waits
 * 100 ms the next time, then twice as long, 2 s at most.  The tenth death by
 * own fault within 60 s ends the daemon.  SIGKILL from outside is nobody's
 * fault here (an operator, the OOM killer) and only waits when it comes faster
 * than a role can start.
 */
#ifndef SUPERVISOR_RESTART_H
#define SUPERVISOR_RESTART_H

#include "shm/base.h"

#define RESTART_FAULTS    10u
#define RESTART_WINDOW_NS (60 * NS_PER_S)
#define RESTART_YOUNG_NS  (2 * NS_PER_S)
#define RESTART_MIN_MS    100u
#define RESTART_MAX_MS    2000u
/* after a SIGKILL from outside within this time: wait as long */
#define RESTART_KILL_MS 20u

struct restart {
	uint64_t fault_ns[RESTART_FAULTS]; /* of the last deaths, a ring */
	uint32_t nfaults;
	uint32_t delay_ms; /* of the next one that dies young */
};

enum { RESTART_GIVE_UP = -1 };

/* Milliseconds to wait, or RESTART_GIVE_UP. */
int restart_after(struct restart *r, bool fault, uint64_t lived_ns,
                  uint64_t now_ns);

#endif

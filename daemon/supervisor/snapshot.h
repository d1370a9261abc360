/* snapshot.h - snapshots while the daemon runs: `snapshot = INTERVAL`. */
#ifndef SUPERVISOR_SNAPSHOT_H
#define SUPERVISOR_SNAPSHOT_H

#include "daemon/supervisor/super.h"

/* Called each turn of the watch: begins one when it is time, and tells how the
 * last one ended. */
void snapshot_turn(struct super *s);
/* Ends the one under way. */
void snapshot_stop(struct super *s);

#endif

/*
 * background.h - the check of all shards after an unclean start.
 *
 * A daemon that was killed may have died of what stands in the table.  So its
 * successor looks at all of it while it already tracks: a shard at a time,
 * under its lock, with a pause behind each.  What is wrong is put in order from
 * the entries; what then is still wrong, begun anew without connections; and
 * what even so is not right, taken out of use until the next start (packets of
 * its connections are counted as drops.table_full).  Reading damaged memory
 * ends nobody: a signal of such a read isolates the shard.
 *
 * The state stands in the table's header, so a reaper's heir goes on with it.
 */
#ifndef REAPER_BACKGROUND_H
#define REAPER_BACKGROUND_H

#include "daemon/base/role.h"

/* At the reaper's start: is a check due?  Isolated shards are used again. */
void background_begin(struct role_env *e);
/* One shard.  False: there is nothing more to do. */
bool background_turn(struct role_env *e);
/* The daemon ends, and nothing is half done: the next start needs no check. */
void background_clean(struct role_env *e);

#endif

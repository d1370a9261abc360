/* add.h - connections and expectations that no packet made. */
#ifndef REAPER_ADD_H
#define REAPER_ADD_H

#include "shm/ops.h"

/* COMMAND_ADD: 0, -EEXIST, -ENOSPC, -EINVAL: `c` is nothing that a packet could
 * have made.  COMMAND_EXPECT: 0, -ENOENT: it has no master, -EINVAL, or what
 * expect_add() says. */
int command_make(struct table *t, const struct policy *pol,
                 const struct command *k, const struct command_conn *c);

#endif

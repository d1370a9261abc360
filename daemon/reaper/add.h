/* add.h - a connection that no packet made. */
#ifndef REAPER_ADD_H
#define REAPER_ADD_H

#include "shm/ops.h"

/* 0, -EEXIST, -ENOSPC, -EINVAL: `c` is nothing that a packet could have made.
 * `bits`: COMMAND_F_* */
int command_add(struct table *t, const struct policy *pol,
                const struct command_conn *c, uint32_t bits);

#endif

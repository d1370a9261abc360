/* command.h - what clients may change, done by the reaper for the api. */
#ifndef REAPER_COMMAND_H
#define REAPER_COMMAND_H

#include "shm/ops.h"

/* Answers commands that stand in the api's ring, at most `most`; returns how
 * many.  `tell`: events are wanted. */
unsigned int commands_run(struct table *t, const struct policy *pol,
                          unsigned int most);

#endif

/*
 * plan.h - how large a table the configuration asks for.
 */
#ifndef SUPERVISOR_PLAN_H
#define SUPERVISOR_PLAN_H

#include <stdio.h>

#include "daemon/base/conf.h"
#include "daemon/base/options.h"
#include "shm/region.h"

#define PLAN_ERR 512u

/* The captures by device, inode and size; 0 live.  0 or -1 and why. */
int plan_source_id(const struct options *o, uint64_t *id, char *err);

/* What the segments are made with; strings point into `c` and `name`.  `max`
 * is worked out where it says 0.  0 or -1 and why. */
int plan_region(const struct options *o, const struct conf *c, const char *name,
                struct region_params *p, char *err);

/* bytes that could be had where the segments go */
uint64_t plan_available(const struct region_params *p);

/* bytes of the kernel's rings for the interfaces */
uint64_t plan_capture(const struct options *o, const struct conf *c);

/* the memory plan: a line a segment, one of the rings */
void plan_print(const struct region_params *p, uint64_t capture, FILE *to);

#endif

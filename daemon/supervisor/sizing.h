/*
 * sizing.h - what fits into how much memory: the end of -T.
 */
#ifndef SUPERVISOR_SIZING_H
#define SUPERVISOR_SIZING_H

#include <stdio.h>

#include "daemon/supervisor/plan.h"

struct sizing {
	uint64_t max, ring, log, buffer; /* the keys; buffer 0: captures */
	uint64_t bytes;                  /* what that takes at most */
};

/* All that the daemon takes with these parameters, and `buffer` as
 * capture.buffer: every connection IPv6, and one in 16 with an extension
 * record. */
uint64_t sizing_bytes(const struct region_params *p, const struct options *o,
                      const struct conf *c, uint64_t buffer);

/* The largest that takes no more than `budget`; false: there is none. */
bool sizing_fit(const struct region_params *p, const struct options *o,
                const struct conf *c, uint64_t budget, struct sizing *s);

/* Is there as much, and what to set where there is less. */
void sizing_print(const struct region_params *p, const struct options *o,
                  const struct conf *c, uint64_t available, FILE *to);

#endif

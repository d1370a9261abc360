/* when.h - a time as people say it. */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stdint.h>
#include <time.h>

/*
 * Nanoseconds since the epoch: 0, or -1 when it is no time.
 *
 *	2026-11-22  2026-11-22T05:20[:30][Z]  05:20[:30]	local, or UTC
 *	-90s  -5m  -2h  -1d				before `now`
 *	now  1795324800[.5]				seconds since the epoch
 */
int when_parse(const char *s, time_t now, uint64_t *ns);

#endif

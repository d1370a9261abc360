/* progress.c - see snapshot.h. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/snapshot.h"

#define PROGRESS_MS 500

void progress_add(struct progress *p, uint64_t n)
{
	struct timespec ts;
	uint64_t ms;

	p->n += n;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	if (!p->next_ms)
		p->next_ms = ms + PROGRESS_MS;
	if (ms < p->next_ms || !isatty(STDERR_FILENO))
		return;
	p->next_ms = ms + PROGRESS_MS;
	p->shown = true;
	fprintf(stderr, "\rctctl: %" PRIu64 " %s", p->n, p->what);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}

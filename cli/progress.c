/* progress.c - see snapshot.h. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/snapshot.h"

bool progress_seen(void)
{
	return isatty(STDERR_FILENO);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool progress_due(struct progress *p)
{
	uint64_t ms = now_ms();

	if (!p->next_ms)
		p->next_ms = ms + PROGRESS_MS;
	return ms >= p->next_ms && progress_seen();
}

void progress_add(struct progress *p, uint64_t n)
{
	p->n += n;
	if (!progress_due(p))
		return;
	p->next_ms = now_ms() + PROGRESS_MS;
	p->shown = true;
	fprintf(stderr, "\rctctl: %" PRIu64 " %s", p->n, p->what);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}

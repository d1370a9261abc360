/* snapshot.h - snapshots on disk, and how far long work is. */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

#include <stdio.h>

#include "cli/cmd.h"

#define SNAPSHOT_HEAD "ctshardd snapshot 1\n"

bool snapshot_is(FILE *f);
int snapshot_load(struct cmd *c, FILE *f, const char *path);

/* "N WHAT" on stderr, twice a second, where that is a terminal */
struct progress {
	const char *what;
	uint64_t n;
	uint64_t next_ms;
	bool shown;
};

#define PROGRESS_MS 500

/* Does anybody look? */
bool progress_seen(void);
/* Is it time to say something? */
bool progress_due(struct progress *p);
void progress_add(struct progress *p, uint64_t n);
/* Takes it off the screen. */
void progress_end(struct progress *p);

#endif

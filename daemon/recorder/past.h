/* past.h - the history as a sink.  See past.c. */
#ifndef RECORDER_PAST_H
#define RECORDER_PAST_H

#include "daemon/base/history.h"
#include "daemon/recorder/sink.h"

#define PAST_BATCH 64u

struct past {
	struct sink sink; /* first: a sink is cast to it */
	struct history h;
	uint64_t behind; /* records written behind the mark */
	size_t n;        /* and gathered */
	struct history_record r[PAST_BATCH];
};

int past_open(struct past *p, struct table *t, const char *path, uint64_t bytes,
              char *err);
void past_begin(struct past *p, const struct policy *pol,
                struct record_figures *figures);

#endif

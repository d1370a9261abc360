/*
 * sink.h - a file that follows the merged log.
 *
 * A sink takes slots in the order of the log, and commits: what it has taken
 * since then is in its file, and its mark says up to which event.  A successor
 * begins at the mark and takes the same slots again; what the predecessor had
 * written behind it does not count (the text is cut, the ring written over).
 * So each event is in the file once, wherever a kill strikes.
 */
#ifndef RECORDER_SINK_H
#define RECORDER_SINK_H

#include "daemon/api/pb.h"
#include "daemon/base/mark.h"
#include "shm/table.h"

struct sink;

struct sink_kind {
	const char *name;
	int (*take)(struct sink *s, const struct event_slot *slot);
	/* `lost` events behind number `seq` were overwritten */
	int (*gap)(struct sink *s, uint64_t seq, uint64_t lost);
	/* 0 or -errno; then nothing since the last one has happened */
	int (*commit)(struct sink *s, uint64_t gseq, uint64_t pos);
	void (*close)(struct sink *s);
};

struct sink {
	const struct sink_kind *kind; /* NULL: not wanted */
	struct table *t;
	struct record_figures *figures;
	const struct policy *pol;
	uint64_t pos, gseq;   /* taken, perhaps not yet committed */
	uint64_t lost;        /* of those */
	uint64_t retry_ns;    /* an error: not before */
	uint64_t rows, bytes; /* taken since the commit */
	const struct mark *mark;
};

/* Begins where the mark says, or, in segments that it does not belong to, with
 * the oldest event there is. */
void sink_begin(struct sink *s);
/* Takes up to `max` slots below `tail` and commits; returns how many. */
unsigned int sink_step(struct sink *s, uint64_t tail, unsigned int max);

#endif

/*
 * mark.h - how far a writer has come, kept so that it outlives the writer.
 *
 * Two copies in a file; the newer valid one counts, the older one is written
 * over.  A copy that a kill or a crash cut short has a wrong sum, and then the
 * other one stands.
 */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#include <sys/types.h>

#include "shm/base.h"

struct mark {
	uint64_t turn;    /* + 1 each time; 0: never written */
	uint8_t uuid[16]; /* of the segments that `gseq` and `pos` count in */
	uint64_t gseq;    /* the last event that is done with */
	uint64_t pos;     /* the log's slot behind it */
	uint64_t at;      /* bytes of a text, records of a history */
	uint64_t dev, ino;
	uint64_t sum;
};

/* room that both copies take in a file */
#define MARK_BYTES 512u

/* False: none is there, and *m is all zero. */
bool mark_read(int fd, off_t off, struct mark *m);
/* 0 or -errno; `turn` goes up. */
int mark_write(int fd, off_t off, struct mark *m);

/* FNV-1a over words of eight bytes */
uint64_t mark_sum(const void *p, size_t len);

#endif

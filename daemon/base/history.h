/*
 * history.h - connections that have ended, in a file of fixed size.
 *
 * A page of header, then `room` records used round and round: number n stands
 * in place n % room.  Each has its number and a sum, so a reader needs no lock:
 * what was overwritten or half written while it looked does not fit.  What the
 * header's mark counts is whole; a writer that was killed behind it writes the
 * same records again, for they come from the event log in the same order.
 */
#ifndef BASE_HISTORY_H
#define BASE_HISTORY_H

#include "daemon/base/mark.h"
#include "shm/event.h"

struct history_record {
	uint64_t number;   /* + 1; 0: never written */
	uint64_t start_ns; /* the slot's tick is of segments that may be gone */
	uint64_t spare;
	struct event_slot slot;
	uint64_t sum;
};
_Static_assert(sizeof(struct history_record) == 288, "history_record");

struct history {
	int fd;
	uint64_t room;    /* records */
	struct mark mark; /* .at: records written in all */
};

#define HISTORY_ERR  512u
#define HISTORY_HEAD 4096u
/* less than this holds nothing worth keeping */
#define HISTORY_MIN (64u << 10)

/* For the writer: makes the file, or makes it another size and keeps the
 * newest; one of another layout is renamed to *.old.  0, or -1 and why. */
int history_open(struct history *h, const char *path, uint64_t bytes,
                 char *err);
/* For a reader. */
int history_look(struct history *h, const char *path, char *err);
void history_close(struct history *h);

/* `n` records behind those of the mark: numbers and sums are set here.  0 or
 * -errno; nothing is seen of them before history_commit(). */
int history_write(struct history *h, uint64_t behind, struct history_record *r,
                  size_t n);
/* All up to number `at` is whole. */
int history_commit(struct history *h, uint64_t at);

/* The mark again, for a reader: 0 or -1. */
int history_refresh(struct history *h);
uint64_t history_oldest(const struct history *h);
/* Up to `n` records from number `from` on, in order; returns how many places
 * were looked at, *got how many of them were good and are in r[]. */
size_t history_read(const struct history *h, uint64_t from,
                    struct history_record *r, size_t n, size_t *got);

#endif

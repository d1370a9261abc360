/*
 * early.h - answers that are faster than what they answer (F138).
 *
 * Where two sources show a direction each, or one mirror joins them, a refusal
 * may be seen before the packet that was refused.  By itself it begins nothing,
 * else every stray reset would be a connection; so it is remembered for a
 * moment, in the worker alone, and the packet that it answers is told of it.
 */
#ifndef WORKER_EARLY_H
#define WORKER_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#define EARLY_SLOTS 64u

struct early {
	struct {
		uint64_t hash;   /* of the connection's key */
		uint64_t ts_ns;  /* packet time */
		uint32_t number; /* that it waits for, to the tracker */
	} slot[EARLY_SLOTS];
	uint64_t last_ns; /* the newest; 0 = there was none */
};

struct way;
struct trk_ctx;
struct conn;

/* The tracker refused the first packet of a connection. */
void early_note(struct way *w);
/* It accepted one; its answer may have been there already. */
void early_answer(struct way *w, struct trk_ctx *ctx, struct conn *c);

#endif

/*
 * compare.h - two tables held against each other.
 *
 * A connection is found by its original tuple; where the kernel translates
 * addresses, by the wire's side of it (the reply, turned round); and at last
 * by its reply, which is a connection whose direction the two see differently.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/ctshard.h"

/* X(NAME, "word") */
#define COMPARE_KINDS(X)      \
	X(MISSING, "missing") \
	X(EXTRA, "extra")     \
	X(STATE, "state")     \
	X(STATUS, "status")   \
	X(TURNED, "turned")

enum compare_kind {
#define X(name, word) COMPARE_##name,
	COMPARE_KINDS(X)
#undef X
};

struct compare_key {
	uint8_t src[16], dst[16];
	uint32_t l3, proto, zone, a, b;
};

struct compare_row {
	struct compare_key key; /* of the original tuple */
	struct ctshard_conn conn;
	char state[24], proto[16];
	bool found;
};

struct compare_set {
	struct compare_row *row;
	size_t n, room;
	bool no_memory;
};

/* a difference; EXTRA has no `kernel`, MISSING no `tracker` */
struct compare_difference {
	enum compare_kind kind;
	const struct compare_row *tracker, *kernel;
};

struct compare_result {
	struct compare_difference *d;
	size_t n, room, equal;
	bool no_memory;
};

/* A copy of what is compared and printed.  0, or -1: no memory. */
int compare_add(struct compare_set *s, const struct ctshard_conn *c);
void compare_free(struct compare_set *s);

/* Of a filter: f, p, s, d, --sport, --dport, --icmp-id, -w. */
bool compare_match(const struct ctshard_filter *f,
                   const struct ctshard_conn *c);

/* Rows are sorted in place, and pointed to by what is found. */
int compare_sets(struct compare_set *tracker, struct compare_set *kernel,
                 struct compare_result *r);
/* Keeps those of `now` that stand in `before`, too. */
void compare_lasting(struct compare_result *now,
                     const struct compare_result *before);

const char *compare_word(enum compare_kind kind);

#endif

/*
 * kind.h - what a kind of source gives to source.c.
 */
#ifndef SOURCE_KIND_H
#define SOURCE_KIND_H

#include "daemon/source/source.h"

/* the first member of every kind's own struct */
struct source {
	const struct source_kind *kind;
	uint64_t frame; /* number of the last frame taken */
	uint64_t seek;  /* frames up to this one are not wanted */
	uint8_t number; /* pkt.source */
	bool failed;
	char err[SOURCE_ERR];
};

struct source_kind {
	const char *name;
	bool live;
	int (*next)(struct source *s, struct pkt *batch, unsigned int max);
	unsigned int (*inputs)(const struct source *s);
	const char *(*input_name)(const struct source *s, unsigned int input);
	void (*stats)(struct source *s, unsigned int input,
	              struct source_stats *out);
	/* percent of the room that waits to be read; NULL: has none */
	unsigned int (*fill)(const struct source *s, unsigned int input);
	/* NULL: frames have plain numbers */
	void (*resume)(struct source *s, const uint64_t *cursor,
	               struct ring_place *place);
	/* NULL: not known */
	unsigned int (*quarters)(const struct source *s);
	/* NULL: never waits */
	int (*fd)(const struct source *s);
	int (*timeout)(const struct source *s);
	void (*close)(struct source *s);
};

#define SOURCE(name) extern const struct source_kind source_##name;
#include "daemon/source/sources.h"
#undef SOURCE

/* "where: text" into err; where may be NULL */
void source_complain(char *err, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* No right to capture: which one it is and how to give it. */
void source_complain_permission(char *err, const char *where);

#endif

/* words.h - the grammar: verbs and options as tables. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "cli/cmd.h"

/* Which options a verb takes. */
enum word_group {
	WORD_FILTER = 1 << 0,
	WORD_OUTPUT = 1 << 1,
	WORD_LIST = 1 << 2,
	WORD_GET = 1 << 3,
	WORD_COUNT = 1 << 4,
	WORD_WATCH = 1 << 5,
	WORD_UPDATE = 1 << 6,
	WORD_FLUSH = 1 << 7,
	WORD_CHECK = 1 << 8,
	WORD_REPLAY = 1 << 9,
	WORD_ANY = 1 << 10, /* every verb */
	WORD_ADD = 1 << 11,
	WORD_ZERO = 1 << 12,
	WORD_STATS = 1 << 13,
	WORD_TOP = 1 << 14,
	WORD_ID = 1 << 15, /* prints connections */
	WORD_EXPECT = 1 << 16,
	WORD_TRACE = 1 << 17,
	WORD_TUPLE = 1 << 18, /* what a trace may ask for */
	WORD_HISTORY = 1 << 24,
	WORD_COMPARE = 1 << 25,
	/* a verb that came late: what others began with still means them */
	WORD_LATE = 1 << 26
};

struct word_verb {
	const char *name;
	char letter;           /* conntrack's, or 0 */
	const char *long_name; /* conntrack's, or NULL */
	unsigned groups;
	const char *args; /* for the usage line; "": takes none */
	const char *what;
	int (*run)(struct cmd *c);
};

struct word_opt {
	char letter;
	const char *names; /* "src|orig-src" */
	const char *value; /* NULL: takes none */
	unsigned groups;
	/* 0, or -1: the value is none */
	int (*apply)(struct cmd *c, const char *value, int arg);
	int arg;
	const char *what;
};

extern const struct word_verb word_verbs[];
extern const struct word_opt word_opts[]; /* ends with a NULL `apply` */

/*
 * A verb by its name or an unambiguous beginning: the verb, or NULL with why.
 */
const struct word_verb *word_verb_find(const char *word, char *why,
                                       size_t size);

/* 0, or -1 with why.  `-h` sets help, `-V` is the caller's. */
int word_parse(struct cmd *c, int argc, char **argv, char *why, size_t size);

#endif

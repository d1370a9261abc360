/*
 * words.c - the command line against the tables.
 *
 * Theory: the verb is found first, because it decides what an option means;
 * it may stand anywhere, as conntrack's letters do, as long as no option
 * before it could take it for its value.  Names may be shortened while that
 * leaves one; an exact name always wins.
 */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
#define X(name, ...) VERB_##name,
	CMD_VERBS(X)
#undef X
		VERB_COUNT
};

#define FILTER  WORD_FILTER
#define OUTPUT  WORD_OUTPUT
#define LIST    WORD_LIST
#define GET     WORD_GET
#define COUNT   WORD_COUNT
#define WATCH   WORD_WATCH
#define UPDATE  WORD_UPDATE
#define FLUSH   WORD_FLUSH
#define CHECK   WORD_CHECK
#define REPLAY  WORD_REPLAY
#define ADD     WORD_ADD
#define ZERO    WORD_ZERO
#define STATS   WORD_STATS
#define TOP     WORD_TOP
#define PRINT   WORD_ID
#define EXPECT  WORD_EXPECT
#define TRACE   WORD_TRACE
#define TUPLE   WORD_TUPLE
#define HISTORY WORD_HISTORY
#define COMPARE WORD_COMPARE
#define LATE    WORD_LATE

const struct word_verb word_verbs[VERB_COUNT + 1] = {
#define X(name, letter, long_name, groups, args, what)                  \
	[VERB_##name] = {#name, letter, long_name, (groups) | WORD_ANY, \
	                 args,  what,   cmd_##name},
	CMD_VERBS(X)
#undef X
};

const struct word_verb *word_verb_find(const char *word, char *why, size_t size)
{
	const struct word_verb *v, *found = NULL;
	size_t n = strlen(word);

	for (v = word_verbs; v->name; v++) {
		if (!strcmp(v->name, word))
			return v;
		if (strncmp(v->name, word, n) ||
		    (found && v->groups & WORD_LATE))
			continue;
		if (found && !(found->groups & WORD_LATE)) {
			snprintf(why, size, "`%.32s' could be %s or %s", word,
			         found->name, v->name);
			return NULL;
		}
		found = v;
	}
	if (!found || !n) {
		snprintf(why, size, "`%.32s' is no verb", word);
		return NULL;
	}
	return found;
}

/* -L or --dump: conntrack's way to name a verb */
static const struct word_verb *word_verb_option(const char *arg)
{
	const struct word_verb *v;

	/* -I fails where there is one already, -A does not */
	if (!strcmp(arg, "-A") || !strcmp(arg, "--add"))
		arg = "-I";
	for (v = word_verbs; v->name; v++) {
		if (v->letter && arg[0] == '-' && arg[1] == v->letter &&
		    !arg[2])
			return v;
		if (v->long_name && !strncmp(arg, "--", 2) &&
		    !strcmp(arg + 2, v->long_name))
			return v;
	}
	return NULL;
}

/*
 * 2: one of the names, 1: a beginning of one, 0: neither.  `word` ends at n.
 */
static int word_opt_match(const struct word_opt *o, const char *word, size_t n)
{
	const char *name = o->names;
	int best = 0;
	size_t len;

	while (*name) {
		len = strcspn(name, "|");
		if (n <= len && !strncmp(name, word, n)) {
			if (n == len)
				return 2;
			best = 1;
		}
		name += len;
		name += *name == '|';
	}
	return best;
}

static const struct word_opt *word_opt_long(unsigned groups, const char *word,
                                            size_t n, char *why, size_t size)
{
	const struct word_opt *o, *found = NULL;
	int m;

	for (o = word_opts; o->apply; o++) {
		m = o->groups & groups ? word_opt_match(o, word, n) : 0;
		if (m == 2)
			return o;
		/* a verb's own meaning of a name stands first in the table */
		if (!m || (found && !strcmp(found->names, o->names)))
			continue;
		if (found) {
			snprintf(why, size, "option `--%.*s' is ambiguous",
			         (int)n, word);
			return NULL;
		}
		found = o;
	}
	if (!found)
		snprintf(why, size, "unknown option `--%.*s'", (int)n, word);
	return found;
}

static const struct word_opt *word_opt_letter(unsigned groups, char letter)
{
	const struct word_opt *o;

	for (o = word_opts; o->apply; o++)
		if (o->groups & groups && o->letter == letter)
			return o;
	return NULL;
}

struct words {
	struct cmd *c;
	int argc;
	char **argv;
	int at;
	int verb_at; /* the argument that named the verb, or -1 */
	char *why;
	size_t size;
};

/* The argument after this one, stepping over the verb's. */
static const char *word_next(struct words *w)
{
	if (++w->at == w->verb_at)
		w->at++;
	return w->at < w->argc ? w->argv[w->at] : NULL;
}

static int word_apply(struct words *w, const struct word_opt *o,
                      const char *given, const char *value)
{
	if (o->value && !value)
		value = word_next(w);
	if (o->value && !value) {
		snprintf(w->why, w->size, "option `%s' needs %s", given,
		         o->value);
		return -1;
	}
	if (o->apply(w->c, value, o->arg)) {
		snprintf(w->why, w->size, "option `%s': bad value `%.64s'",
		         given, value ? value : "");
		return -1;
	}
	return 0;
}

static int word_long(struct words *w, const char *arg)
{
	const char *name = arg + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct word_opt *o =
		word_opt_long(w->c->verb->groups, name, n, w->why, w->size);

	if (!o)
		return -1;
	if (eq && !o->value) {
		snprintf(w->why, w->size, "option `--%.*s' takes no value",
		         (int)n, name);
		return -1;
	}
	return word_apply(w, o, arg, eq ? eq + 1 : NULL);
}

/* -x, -xVALUE, and several that take no value in one word */
static int word_letters(struct words *w, const char *arg)
{
	char given[3] = "-";
	const struct word_opt *o;
	const char *p;

	for (p = arg + 1; *p; p++) {
		given[1] = *p;
		o = word_opt_letter(w->c->verb->groups, *p);
		if (!o) {
			snprintf(w->why, w->size, "unknown option `%s' of %s",
			         given, w->c->verb->name);
			return -1;
		}
		if (o->value)
			return word_apply(w, o, given, p[1] ? p + 1 : NULL);
		if (word_apply(w, o, given, NULL))
			return -1;
	}
	return 0;
}

/* conntrack's second table: `-L expect`, and -E, -C, -F of it */
static bool word_expect(struct cmd *c, const char *arg)
{
	static const unsigned verbs[] = {VERB_list, VERB_watch, VERB_count,
	                                 VERB_flush};
	size_t i;

	if (strcmp(arg, "expect") != 0)
		return false;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (c->verb != &word_verbs[verbs[i]])
			continue;
		c->arg[c->args++] = c->verb->name;
		c->verb = &word_verbs[VERB_expect];
		return true;
	}
	return false;
}

/* Its other two, which are the kernel's own: here nothing is ever in them. */
static bool word_no_table(struct words *w, const char *arg, int *rc)
{
	struct cmd *c = w->c;

	if (*c->verb->args ||
	    (strcmp(arg, "dying") != 0 && strcmp(arg, "unconfirmed") != 0))
		return false;
	c->nothing = true;
	if (c->verb != &word_verbs[VERB_list]) {
		snprintf(w->why, w->size,
		         "Can't do that command with tables "
		         "`dying' and `unconfirmed'");
		*rc = -1;
	}
	return true;
}

static int word_argument(struct words *w, const char *arg)
{
	struct cmd *c = w->c;
	int rc = 0;

	if (word_expect(c, arg))
		return 0;
	if (word_no_table(w, arg, &rc))
		return rc;
	/* conntrack's name of its first table */
	if (!*c->verb->args && !strcmp(arg, "conntrack"))
		return 0;
	if (!*c->verb->args || c->args == CMD_ARGS) {
		snprintf(w->why, w->size, "`%.64s' is one argument too many",
		         arg);
		return -1;
	}
	c->arg[c->args++] = arg;
	return 0;
}

static int word_rest(struct words *w)
{
	const char *arg;
	int rc = 0, plain = 0;

	w->at = 0;
	while (!rc && (arg = word_next(w))) {
		if (plain || arg[0] != '-' || !arg[1])
			rc = word_argument(w, arg);
		else if (!strcmp(arg, "--"))
			plain = 1;
		else if (arg[1] == '-')
			rc = word_long(w, arg);
		else
			rc = word_letters(w, arg);
	}
	return rc;
}

/*
 * Where the verb is: the first argument that is no option, or conntrack's
 * letter anywhere.  Only -R takes a value that could be mistaken for a verb,
 * when the verb is a word.
 */
static const struct word_verb *word_verb_look(struct words *w)
{
	int i;

	for (i = 1; i < w->argc; i++) {
		if (word_verb_option(w->argv[i])) {
			w->verb_at = i;
			return word_verb_option(w->argv[i]);
		}
		if (!strcmp(w->argv[i], "-R") ||
		    !strcmp(w->argv[i], "--rundir")) {
			i++;
		} else if (w->argv[i][0] != '-') {
			w->verb_at = i;
			return word_verb_find(w->argv[i], w->why, w->size);
		}
	}
	if (i > w->argc)
		snprintf(w->why, w->size, "option `-R' needs DIR");
	else
		snprintf(w->why, w->size, "no verb");
	return NULL;
}

/* `conntrack -p tcp -L`: the letter decides, wherever it stands. */
static const struct word_verb *word_verb_letter(struct words *w)
{
	int i;

	for (i = 1; i < w->argc; i++) {
		if (!strcmp(w->argv[i], "-R")) {
			i++;
			continue;
		}
		if (w->argv[i][0] != '-')
			return NULL;
		if (word_verb_option(w->argv[i]))
			break;
		/* its value, when the next word is no option */
		if (w->argv[i][1] != '-' && !w->argv[i][2] && i + 1 < w->argc &&
		    w->argv[i + 1][0] != '-')
			i++;
	}
	if (i >= w->argc)
		return NULL;
	w->verb_at = i;
	return word_verb_option(w->argv[i]);
}

/* `conntrack -R FILE`: with no verb the last -R is one.  0, or -1. */
static int word_load(struct words *w)
{
	int last = w->argc - 2, i;
	struct stat st;

	for (i = 1; i < w->argc; i += 2)
		if (strcmp(w->argv[i], "-R") != 0)
			return -1;
	/* the run directory, and the verb was forgotten */
	if (i != w->argc ||
	    (!stat(w->argv[last + 1], &st) && S_ISDIR(st.st_mode)))
		return -1;
	w->c->verb = word_verb_find("load", w->why, w->size);
	w->verb_at = last;
	return w->c->verb ? 0 : -1;
}

int word_parse(struct cmd *c, int argc, char **argv, char *why, size_t size)
{
	struct words w = {.c = c,
	                  .argc = argc,
	                  .argv = argv,
	                  .verb_at = -1,
	                  .why = why,
	                  .size = size};

	c->verb = word_verb_letter(&w);
	if (!c->verb)
		c->verb = word_verb_look(&w);
	if (!c->verb && argc > 2 && word_load(&w))
		return -1;
	if (c->verb && w.verb_at > 0)
		c->exist_ok = !strcmp(argv[w.verb_at], "-A") ||
		              !strcmp(argv[w.verb_at], "--add");
	return c->verb ? word_rest(&w) : -1;
}

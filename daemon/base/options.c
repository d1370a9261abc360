/* options.c - see options.h. */
#include "daemon/base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/defaults.h"

/* room for more words than any shell passes by mistake */
#define WORDS_MAX 4096

/* Long options only; the order is that of `longs`. */
enum {
	LONG_RESET = 256,
	LONG_REMOVE,
	LONG_PRIVATE,
	LONG_HOLD,
	LONG_CHECK,
	LONG_DEEP,
	LONG_DUMP,
	LONG_LOAD
};

static const struct option longs[] = {
	{"reset-table", no_argument, NULL, LONG_RESET},
	{"remove-table", no_argument, NULL, LONG_REMOVE},
	{"private", no_argument, NULL, LONG_PRIVATE},
	{"hold", no_argument, NULL, LONG_HOLD},
	{"check", no_argument, NULL, LONG_CHECK},
	{"deep", no_argument, NULL, LONG_DEEP},
	{"dump", required_argument, NULL, LONG_DUMP},
	{"load", required_argument, NULL, LONG_LOAD},
	{NULL, 0, NULL, 0},
};

/* -w 4 is short for -s workers=4, in the same order */
static int workers_set(struct options *o, const char *text, char **room)
{
	int n = sprintf(*room, "workers=%s", text);

	o->sets[o->nsets++] = *room;
	*room += n + 1;
	return 0;
}

static int option_take(struct options *o, int c, const char *arg, char **room)
{
	switch (c) {
	case 'f':
		o->file = arg;
		o->file_given = true;
		return 0;
	case 'i':
		o->ifaces[o->nifaces++] = arg;
		return 0;
	case 'r':
		o->captures[o->ncaptures++] = arg;
		return 0;
	case 'w':
		return workers_set(o, arg, room);
	case 'R':
		o->rundir = arg;
		return 0;
	case 's':
		o->sets[o->nsets++] = arg;
		return 0;
	case 'F':
		o->filter = arg;
		return 0;
	case 'd':
		o->debug = true;
		return 0;
	case 't':
		o->test = true;
		return 0;
	case 'T':
		o->print = true;
		return 0;
	case 'V':
		o->version = true;
		return 0;
	case LONG_RESET:
		o->reset_table = true;
		return 0;
	case LONG_REMOVE:
		o->remove_table = true;
		return 0;
	case LONG_PRIVATE:
		o->private_instance = true;
		return 0;
	case LONG_HOLD:
		o->hold = true;
		return 0;
	case LONG_CHECK:
		o->check = true;
		return 0;
	case LONG_DEEP:
		o->deep = true;
		return 0;
	case LONG_DUMP:
		o->dump = arg;
		return 0;
	case LONG_LOAD:
		o->load = arg;
		return 0;
	default:
		return -1;
	}
}

static int options_check(const struct options *o, char *err)
{
	if (o->nifaces && o->ncaptures) {
		snprintf(err, OPTIONS_ERR,
		         "-r and -i exclude each other: packet time is the "
		         "clock of a capture, the system's that of an "
		         "interface");
		return 2;
	}
	if (o->reset_table && o->remove_table) {
		snprintf(err, OPTIONS_ERR,
		         "--reset-table and --remove-table exclude each other");
		return 2;
	}
	if (!*o->rundir) {
		snprintf(err, OPTIONS_ERR, "-R: a directory is needed");
		return 2;
	}
	return 0;
}

/* getopt's complaint, in this program's form */
static int options_bad(char *const argv[], int c, char *err)
{
	const char *word = argv[optind - 1] ? argv[optind - 1] : "";

	if (c == ':' && optopt < 256)
		snprintf(err, OPTIONS_ERR, "-%c: a value is needed", optopt);
	else if (optopt && optopt < 256)
		snprintf(err, OPTIONS_ERR, "-%c: there is no such option",
		         optopt);
	else
		snprintf(err, OPTIONS_ERR, "%.200s: there is no such option",
		         word);
	return 2;
}

/* The pointers of `o` go into argv, which is o's own copy. */
static int options_walk(struct options *o, int argc, char *argv[], char *err)
{
	char *room = o->made + (size_t)argc * 3 * sizeof(char *);
	int c;

	optind = 0; /* glibc: start anew, whatever was parsed before */
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:f:i:r:w:R:s:F:dtTV", longs,
	                        NULL)) != -1)
		if (option_take(o, c, optarg, &room))
			return options_bad(argv, c, err);
	if (optind < argc) {
		snprintf(err, OPTIONS_ERR, "%.200s: unexpected argument",
		         argv[optind]);
		return 2;
	}
	return options_check(o, err);
}

int options_read(struct options *o, const char *words, size_t len, char *err)
{
	char **argv;
	size_t i;
	int argc = 0, n = 0, r;

	memset(o, 0, sizeof(*o));
	*err = '\0';
	o->file = DEFAULT_FILE;
	o->rundir = DEFAULT_RUNDIR;
	for (i = 0; i < len; i++)
		argc += !words[i];
	if (!argc || words[len - 1] || argc > WORDS_MAX) {
		snprintf(err, OPTIONS_ERR, "a broken command line");
		return 2;
	}
	o->words = malloc(len);
	/* three lists, and "workers=" before each word at most */
	o->made = calloc(1, (size_t)argc * (3 * sizeof(char *) + 9) + len);
	argv = calloc((size_t)argc + 1, sizeof(*argv));
	if (!o->words || !o->made || !argv) {
		free(argv);
		options_free(o);
		snprintf(err, OPTIONS_ERR, "out of memory");
		return 2;
	}
	memcpy(o->words, words, len);
	o->words_len = len;
	o->ifaces = (const char **)(void *)o->made;
	o->captures = o->ifaces + argc;
	o->sets = o->captures + argc;
	for (i = 0; i < len; i += strlen(o->words + i) + 1)
		argv[n++] = o->words + i;
	r = options_walk(o, argc, argv, err);
	free(argv);
	if (r)
		options_free(o);
	return r;
}

int options_parse(struct options *o, int argc, char *const argv[], char *err)
{
	size_t len = 0, at = 0;
	char *words;
	int i, r;

	for (i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	words = malloc(len + 1);
	if (!words) {
		snprintf(err, OPTIONS_ERR, "out of memory");
		return 2;
	}
	for (i = 0; i < argc; i++) {
		size_t n = strlen(argv[i]) + 1;

		memcpy(words + at, argv[i], n);
		at += n;
	}
	r = options_read(o, words, len, err);
	free(words);
	return r;
}

void options_free(struct options *o)
{
	free(o->words);
	free(o->made);
	memset(o, 0, sizeof(*o));
}

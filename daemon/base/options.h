/*
 * options.h - the command line of ctshardd.
 *
 * The words travel to every role (see role.h) and are parsed again there, so
 * there is one parser and no second list of what a role may know.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "shm/base.h"

struct options {
	const char *file; /* -f, or the default */
	bool file_given;
	const char *rundir;  /* -R */
	const char *filter;  /* -F, or NULL */
	const char **ifaces; /* -i, in order */
	unsigned int nifaces;
	const char **captures; /* -r, in order: files, or one live source */
	unsigned int ncaptures;
	const char **sets; /* -s and -w, in order: KEY=VALUE */
	unsigned int nsets;
	bool debug;        /* -d */
	bool test;         /* -t */
	bool print;        /* -T */
	bool version;      /* -V */
	bool reset_table;  /* --reset-table */
	bool remove_table; /* --remove-table */
	bool check;        /* --check: the segments, without a daemon */
	bool deep;         /* --deep, with --check */
	const char *dump;  /* --dump: a snapshot of them, without a daemon */
	const char *load;  /* --load: one into them, likewise */
	/* of `ctctl replay` */
	bool private_instance; /* --private: segments without names */
	bool hold;             /* --hold: captures wait for a client's word */
	/* what the pointers above point to, kept for the roles */
	char *words;
	size_t words_len;
	char *made; /* memory of the lists and of -w's text */
};

/* 0, or 2 with a message in err.  argv need not live on. */
#define OPTIONS_ERR 256u
int options_parse(struct options *o, int argc, char *const argv[], char *err);
/* From the words that options_parse() kept. */
int options_read(struct options *o, const char *words, size_t len, char *err);
void options_free(struct options *o);

#endif

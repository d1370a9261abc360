/*
 * conf.h - the configuration: one table of keys, and everything from it.
 *
 * A key is a row of struct conf_key.  The rows of `base` stand in defaults.h;
 * main.c adds those of the trackers, so this room knows no protocol.  The file,
 * -s, -T, run-time settings and the policy block are all made from the rows.
 *
 * A row whose name has a `*` in its middle (rule.*.mark) is a form: it stands
 * for the keys of a block with a title, which come into being when they are
 * set.  Rules of one block keep their order in a key `order` of each.
 *
 * Values are kept as text in canonical form and, where that makes sense, as a
 * number (seconds, milliseconds, bytes, 0/1, place in `words`).
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdio.h>

#include "shm/policy.h"

enum conf_type {
	CONF_NUMBER,
	CONF_FLAG,    /* boolean, printed 0 or 1: conntrack's own */
	CONF_ONOFF,   /* boolean, printed on or off: ours */
	CONF_SECONDS, /* whole seconds, printed without a unit */
	CONF_MS,      /* duration in ms, printed with its unit */
	CONF_BYTES,   /* size, printed in bytes: conntrack's own */
	CONF_SIZE,    /* size, printed with its unit */
	CONF_ENUM,    /* one of `words`; number = its place */
	CONF_PORTS,   /* list of ports */
	CONF_LIST,    /* list of `words` */
	CONF_TEXT,
	CONF_NAMES,  /* list of names that others choose */
	CONF_NAMED,  /* a number, or one of `words`: "tcp=6 udp=17" */
	CONF_RANGES, /* list of ports and ranges of them */
	CONF_NET,    /* an address, or ADDRESS/BITS */
	CONF_LISTEN, /* ADDRESS:PORT, [ADDRESS]:PORT, or empty */
	CONF_MARK,   /* V or V/M; number = V | M << 32 */
	CONF_MAP     /* list of FROM=ZONE and FROM-TO=ZONE */
};

/* places of the words of the key `source` */
enum conf_source { CONF_SOURCE_PACKET, CONF_SOURCE_PCAP };

#define CONF_LIVE   1u /* may change while running */
#define CONF_INVERT 2u /* the policy has the opposite */

#define CONF_NAME 64
#define CONF_DEF  32
#define CONF_ERR  256

struct conf_key {
	char name[CONF_NAME];
	enum conf_type type;
	char def[CONF_DEF];
	uint64_t min, max;
	const char *words; /* CONF_ENUM, CONF_LIST: "auto strict mirror" */
	uint32_t flags;
	uint16_t policy_at;   /* place in struct policy */
	uint16_t policy_size; /* 1, 4; 0: not there */
	const char *doc;      /* one sentence */
};

struct conf;

struct conf *conf_new(void); /* the rows of base; NULL: no memory */
struct conf *conf_copy(const struct conf *c);
void conf_free(struct conf *c);
/* 0, -EEXIST for a name that is taken, -EINVAL for a default that its own row
 * refuses, -ENOMEM */
int conf_add_table(struct conf *c, const struct conf_key *keys, size_t n);

/* All of these: 0 or -1 and a message in err[CONF_ERR], c unchanged (files:
 * changed up to the fault). */
int conf_set(struct conf *c, const char *name, const char *value, char *err);
/* "KEY=VALUE" of the command line; the message begins with "-s KEY: " */
int conf_set_pair(struct conf *c, const char *pair, char *err);
/* libconfuse syntax; the message is "file:line: what" */
int conf_read_file(struct conf *c, const char *path, char *err);
/* lines "KEY = VALUE" up to an empty line or the end, as conf_print() wrote */
int conf_read_text(struct conf *c, const char *text, char *err);
/* the same, and titles that are not in it are forgotten */
int conf_replace_text(struct conf *c, const char *text, char *err);

/* "KEY = VALUE" lines, sorted */
void conf_print(const struct conf *c, FILE *to);
/* the same as text for free(); NULL: no memory */
char *conf_text_of(const struct conf *c);

/* The values.  A name that is in no table is a mistake of the program and
 * ends it. */
uint64_t conf_number(const struct conf *c, const char *name);
const char *conf_text(const struct conf *c, const char *name);
bool conf_on(const struct conf *c, const char *name);
/* ports of a list; their number, at most `max` are written */
unsigned int conf_ports(const struct conf *c, const char *name, uint16_t *port,
                        unsigned int max);
bool conf_known(const struct conf *c, const char *name);
/* Has it a value?  Those of titled blocks have one only once it is given. */
bool conf_is_set(const struct conf *c, const char *name);
/* the row of a key, or the form that it would have; NULL: no such key */
const struct conf_key *conf_key_of(const struct conf *c, const char *name);
/* the forms: NULL behind the end */
const struct conf_key *conf_form_at(const struct conf *c, unsigned int i);

/* The rows with their values, sorted: NULL behind the end. */
const struct conf_key *conf_at(const struct conf *c, unsigned int i,
                               const char **value);

/* All of a policy block that comes from keys; the rest is left alone. */
void conf_to_policy(const struct conf *c, struct policy *p);

/* Values of `want` into `c` where they differ and may change while running.
 * `refused` is called for those that may not; returns how many changed. */
unsigned int conf_reload(struct conf *c, const struct conf *want,
                         void (*refused)(void *arg, const char *name,
                                         const char *old, const char *value),
                         void *arg);

#endif

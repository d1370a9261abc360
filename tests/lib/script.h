/*
 * script.h - lines of tests/seq: their words, and the frames they describe.
 * The notation is in tests/seq/README.md.
 */
#ifndef TESTS_LIB_SCRIPT_H
#define TESTS_LIB_SCRIPT_H

#include <stdio.h>

#include "tests/lib/packet.h"

#define SCRIPT_LINE 4096u
#define SCRIPT_DATA 2048u

/* two hosts, "A:20>B:21/tcp" */
struct script_ends {
	char host[2]; /* source, destination */
	uint16_t port[2];
	uint8_t l4proto;
};

/* a frame before it is one */
struct script_frame {
	struct script_ends ends;
	struct packet whole; /* the datagram */
	struct packet sent;  /* what is sent of it: all, or a fragment */
	bool error;          /* an ICMP error: `quoted` is what it is about */
};

struct script {
	const char *path;
	unsigned int line;
	bool v6;
	uint16_t ip_id; /* of the datagrams that come in fragments */
	/* the line under way */
	char text[SCRIPT_LINE];
	char *words; /* what strtok_r() has left */
	char *opts;  /* what stood between < and >, or NULL */
	uint32_t ndata;
	uint8_t data[SCRIPT_DATA]; /* what stood in quotation marks */
	struct packet quoted;      /* the last datagram that was no error */
	struct script_frame frame;
	/* what is to be said beside a fault */
	void *arg;
	void (*say)(void *arg, FILE *to);
};

void script_bad(struct script *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* The next line of `f` into s->text, without comments and strings; false:
 * there is none. */
bool script_next(struct script *s, FILE *f);
/* The line's first word, and the others; NULL: there is none. */
char *script_first(struct script *s);
char *script_word(struct script *s);
char *script_word_must(struct script *s, const char *after);
uint32_t script_number(struct script *s, const char *text);
/* "2.25" seconds, in milliseconds */
uint64_t script_ms(struct script *s, const char *text);
/* "N/M", or "N" for N/0 */
void script_pair(struct script *s, const char *text, uint32_t v[2]);

/* "A>", "B:20>A:51211/udp"; what is not said is what is usual for the
 * protocol. */
struct script_ends script_ends(struct script *s, const char *text,
                               uint8_t l4proto);
const char *script_host(struct script *s, char host);
/* Makes s->frame of the rest of a line that began with `who`. */
void script_packet(struct script *s, const char *who);

#endif

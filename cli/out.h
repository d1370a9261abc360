/*
 * out.h - what a format is, and the buffer that all formats write to.
 *
 * A format is a struct of functions; a verb hands it rows and does not know
 * which it is.  Formats write through the functions below, never to a FILE:
 * they keep a broken pipe as a state to look at, and clean what came from the
 * socket.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/ctshard.h"
#include "cli/labels.h"

/* X(NAME, "word"): modifiers of -o, conntrack's and ours */
#define OUT_MODS(X)                 \
	X(ID, "id")                 \
	X(TIMESTAMP, "timestamp")   \
	X(KTIMESTAMP, "ktimestamp") \
	X(LABELS, "labels")         \
	X(WIDE, "wide")             \
	X(COMMUNITY, "community-id")

enum out_mod_bit {
#define X(name, word) OUT_BIT_##name,
	OUT_MODS(X)
#undef X
};

enum out_mod {
#define X(name, word) OUT_##name = 1 << OUT_BIT_##name,
	OUT_MODS(X)
#undef X
};

/* X(name) for each out_NAME below, in the order of `help` */
#define OUT_FORMATS(X) \
	X(table)       \
	X(line)        \
	X(extended)    \
	X(proc)        \
	X(json)        \
	X(jsonl)       \
	X(csv)         \
	X(xml)         \
	X(save)

struct out;

struct out_format {
	const char *name;
	bool columns; /* that the user chooses; a detail may be one */
	void (*begin)(struct out *o);
	void (*conn)(struct out *o, const struct ctshard_conn *c);
	void (*event)(struct out *o, const struct ctshard_event *e);
	/* an expectation; of an event, or `e` is NULL */
	void (*expect)(struct out *o, const struct ctshard_expect *x,
	               const struct ctshard_event *e);
	/* a traced packet (or NULL) */
	void (*trace)(struct out *o, const struct ctshard_trace *t);
	/* everything so far shall be seen: a pause in the stream (or NULL) */
	void (*pause)(struct out *o);
	void (*end)(struct out *o);
};

#define X(name) extern const struct out_format out_##name;
OUT_FORMATS(X)
#undef X

#define OUT_COLUMNS 64

struct out {
	const struct out_format *format;
	unsigned mods; /* enum out_mod */
	int fd;
	int stop;  /* what becomes readable when writing is to end, or -1 */
	int error; /* errno of the first failed write; EPIPE is one */
	bool colour;
	bool header; /* table, csv */
	bool begun;
	bool file;   /* a regular one: writing to it never waits */
	bool expect; /* the rows are expectations */
	bool audit;  /* there may be some among the events */
	uint64_t rows;
	const struct labels *labels;
	const char *verb; /* save: what stands before a connection */
	/* gre's two timeouts, which /proc prints in each line (F300) */
	unsigned gre_timeout;
	unsigned gre_stream;
	uint16_t community_seed;
	/* table, csv: which columns, in which order */
	unsigned char column[OUT_COLUMNS];
	unsigned columns;
	void *table;
	size_t len;
	char buf[64 << 10];
};

/*
 * FORMAT[,MOD...] in any order: 0, or -1 with the bad word in `why`.  A NULL
 * format is left as it is.
 */
int out_parse(const char *spec, const struct out_format **format,
              unsigned *mods, char *why, size_t size);

void out_init(struct out *o, const struct out_format *format, unsigned mods,
              int fd, const struct labels *labels);
void out_begin(struct out *o);
void out_conn(struct out *o, const struct ctshard_conn *c);
void out_event(struct out *o, const struct ctshard_event *e);
void out_expect(struct out *o, const struct ctshard_expect *x);
void out_trace(struct out *o, const struct ctshard_trace *t);
void out_pause(struct out *o);
/* Does it print rows without looking at their details? */
bool out_brief(const struct out *o);
int out_end(struct out *o);
int out_flush(struct out *o);

/* what does not fit behind what is buffered */
void out_long(struct out *o, const char *s, size_t n);

static inline void out_mem(struct out *o, const char *s, size_t n)
{
	if (n > sizeof(o->buf) - o->len) {
		out_long(o, s, n);
		return;
	}
	memcpy(o->buf + o->len, s, n);
	o->len += n;
}

static inline void out_char(struct out *o, char ch)
{
	if (o->len == sizeof(o->buf))
		out_flush(o);
	o->buf[o->len++] = ch;
}

/* the length of what is written in the code is known to the compiler */
static inline void out_str(struct out *o, const char *s)
{
	out_mem(o, s, strlen(s));
}

void out_u64(struct out *o, uint64_t v);
/* A word of the daemon's: what is not printable ASCII becomes '?'. */
void out_word(struct out *o, const char *s);
/* The same, and spaces stay. */
void out_text(struct out *o, const char *s);
void out_padded(struct out *o, const char *s, size_t width);
void out_addr(struct out *o, const uint8_t *addr, uint32_t l3);
void out_labels(struct out *o, const uint8_t *labels, const char *sep,
                const char *quote);

/* Names that several formats share. */
/* one value as its format has it */
void out_csv_cell(struct out *o, const char *s);
void out_xml_text(struct out *o, const char *s);
const char *out_event_name(enum ctshard_event_type type);
/* "PERMANENT,INACTIVE", "" */
const char *out_expect_flags(const struct ctshard_expect *x);
const char *out_l3(const struct ctshard_conn *c);
unsigned out_l3num(const struct ctshard_conn *c);
bool out_has_labels(const struct ctshard_conn *c);
/* from the first packet to the last */
bool out_has_duration(const struct ctshard_conn *c);
/* seconds to the deadline, rounded down */
uint64_t out_seconds(const struct ctshard_conn *c);
/* seconds it has lived, as `delta-time` */
uint64_t out_delta(const struct ctshard_conn *c);

/* Parts of out_json.c for verbs whose answer is not a connection. */
void out_json_conn(struct out *o, const struct ctshard_conn *c);
/* -o save has no word for expectations: conntrack prints its line. */
void out_line_expect(struct out *o, const struct ctshard_expect *x,
                     const struct ctshard_event *e);
void out_json_string(struct out *o, const char *s);
void out_json_time(struct out *o, const char *key, const char *key_ns,
                   uint64_t ns);
void out_json_status(struct out *o, uint32_t status);
/* Their list: an array, or one a line. */
bool out_is_json(const struct out *o);
void out_items(struct out *o);
void out_item(struct out *o, uint64_t before);
void out_items_end(struct out *o, uint64_t n);

/* Of out_trace.c: a packet in words, and as an object. */
void out_trace_text(struct out *o, const struct ctshard_trace *t);
void out_trace_json(struct out *o, const struct ctshard_trace *t);

#endif

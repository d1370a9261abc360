/* top.h - what the full-screen view shows: samples of the table. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/cmd.h"
#include "cli/stats.h"
#include "cli/tally.h"

#define TOP_ROWS 512
#define TOP_LINE 512

/* X(name, key, "word"): by what rows are sorted, the greatest first */
#define TOP_SORTS(X)           \
	X(RATE, 'r', "rate")   \
	X(BYTES, 'b', "bytes") \
	X(AGE, 'a', "age")

enum top_sort {
#define X(name, key, word) TOP_##name,
	TOP_SORTS(X)
#undef X
};

struct top_row {
	struct ctshard_conn c;
	char proto[16], state[24];
	char detail[256];
	uint64_t rate; /* bytes a second */
	uint64_t bytes, packets;
	uint64_t age_ns;
};

struct top {
	struct cmd *cmd;
	struct ctshard *ct;
	enum top_sort sort;
	/* the rows that sort highest: a heap while a sample is taken, its least
	 * on top; then the greatest first */
	struct top_row row[TOP_ROWS];
	size_t rows;
	uint64_t matched;
	struct tally before, now; /* bytes by id */
	uint64_t before_ns, now_ns;
	struct stats stats, stats_before;
	char ports[TOP_LINE -
	           8]; /* of the interfaces, and is one of them unwell? */
	bool alarm;
	int error;
	char why[160];
};

/* Takes a sample: 0, or an error of the daemon (top->why). */
int top_sample(struct top *t);
void top_free(struct top *t);

/* One line of text each, no wider than `width`. */
void top_title(const struct top *t, char *to, size_t width);
/* What was lost; true: it grows. */
bool top_health(const struct top *t, char *to, size_t width);
/* What the mirror has lost, doubled or shown one side of. */
void top_mirror(const struct top *t, char *to, size_t width);
/* How each interface is; true: one is not well. */
bool top_ports(const struct top *t, char *to, size_t width);
int top_ports_read(struct top *t);
/* What comes of the socket goes to a terminal. */
void top_clean(char *s, size_t width);
void top_heads(char *to, size_t width);
void top_text(const struct top_row *r, char *to, size_t width);

/* The screen, until a key or signal ends it: an exit code. */
int top_screen(struct top *t);

#endif

/* make.h - connections to be made, many at a time. */
#ifndef CLI_MAKE_H
#define CLI_MAKE_H

#include "cli/cmd.h"

struct make {
	struct ctshard *ct;
	const char *file; /* for messages, or NULL */
	bool restored;
	bool exist_ok;
	struct ctshard_conn conn[CTSHARD_ADD_MAX];
	char state[CTSHARD_ADD_MAX][32];
	bool fine[CTSHARD_ADD_MAX]; /* exist_ok of this one */
	unsigned line[CTSHARD_ADD_MAX];
	size_t n;
	uint64_t made, failed;
	int error; /* of the daemon: nothing more will be made */
};

/* What add's options say: 0, or -1 and why. */
int make_conn(struct ctshard_conn *to, const struct cmd *c, char *why,
              size_t size);
/* Adds it to the batch, `line` is for messages. */
void make_add(struct make *m, const struct ctshard_conn *c, unsigned line,
              bool exist_ok);
/* Sends the batch and waits for the answer. */
void make_flush(struct make *m);

#endif

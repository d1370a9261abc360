/* client.h - the inside of a libctshard handle. */
#ifndef PROTO_CLIENT_H
#define PROTO_CLIENT_H

#include "proto/ctshard.h"
#include "proto/frame.h"
#include "proto/ctshard.pb-c.h"

struct client_request {
	struct client_request *next;
	uint64_t id;
	struct ctshard_handler h;
	int ended;
	int error;
};

struct ctshard {
	int fd;
	int error;   /* of the connection: nothing more can be asked */
	int inside;  /* callbacks may be under way */
	int closing; /* when they are over */
	uint64_t last_id;
	struct client_request *requests;
	struct frame_buf in;
	struct frame_buf out;
	struct frame_arena arena;
	int greeted;
	struct ctshard_peer peer;
	char version[64];
	char text[512];
};

int client_fail(struct ctshard *c, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Queue a request whose body is set; the id is chosen here. */
int client_submit(struct ctshard *c, Ctshard__Request *r,
                  const struct ctshard_handler *h, uint64_t *id);

/*
 * Hand the parts of one answer to the handler: 0, 1 when a callback wants no
 * more, -1 when the answer is malformed (`why` says what).
 */
int decode_response(const Ctshard__Response *r, struct frame_arena *a,
                    const struct ctshard_handler *h, const char **why);

/* The parts of decode.c that decode_trace.c needs. */
int decode_tuple(struct ctshard_tuple *t, const Ctshard__Tuple *p, uint32_t l3);
int decode_details(size_t *n, const struct ctshard_detail **to, size_t n_from,
                   Ctshard__Detail *const *from, struct frame_arena *a);
/* an empty word is none */
const char *decode_word(const char *s);

/* The packets of a trace, likewise. */
int decode_traces(const Ctshard__Response *r, struct frame_arena *a,
                  const struct ctshard_handler *h, const char **why);

/* The kind of a daemon's error code. */
int decode_error(const Ctshard__Error *e);

#endif

/*
 * frame.h - length-prefixed protobuf messages over a byte buffer.
 *
 * A frame is four bytes of length, big endian, and that many bytes of one
 * message.  Nothing here does I/O: a caller reads into `frame_room` and writes
 * from `frame_data`, whatever its loop is made of.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* What one side accepts from the other, without the four bytes of length. */
#define FRAME_REQUEST_MAX (64u << 10)
#define FRAME_ANSWER_MAX  (4u << 20)

#define FRAME_HEAD 4u

/* A queue of bytes: [start, start + len) of data is waiting. */
struct frame_buf {
	uint8_t *data;
	size_t start;
	size_t len;
	size_t cap;
	size_t max; /* longest body that is accepted, or written */
};

void frame_init(struct frame_buf *b, size_t max);
void frame_free(struct frame_buf *b);

/* At least `want` free bytes behind what waits; NULL: no memory. */
uint8_t *frame_room(struct frame_buf *b, size_t want, size_t *got);
void frame_added(struct frame_buf *b, size_t n);

const uint8_t *frame_data(const struct frame_buf *b, size_t *len);
void frame_drop(struct frame_buf *b, size_t n);

/*
 * The next whole frame's body, which stays valid until the next call with
 * this buffer: 1, 0 when more bytes are needed, -EMSGSIZE when the length is
 * over the limit (the stream is then of no more use).
 */
int frame_next(struct frame_buf *b, const uint8_t **body, size_t *len);

/* What stands before a body of this length, FRAME_HEAD bytes. */
void frame_head(uint8_t *p, uint32_t len);

/* Append a message: 0, -EMSGSIZE or -ENOMEM; the buffer is then as before. */
int frame_put(struct frame_buf *b, const ProtobufCMessage *msg);

/*
 * Memory for one unpacked message at a time, used again for the next.  The
 * limit is what makes unpacking bounded: two bytes of an empty submessage
 * become a struct of hundreds, so the size of a frame alone is no bound.
 */
struct frame_block;

struct frame_arena {
	ProtobufCAllocator alloc;
	struct frame_block *first;
	struct frame_block *cur;
	size_t used;  /* bytes handed out since the last reset */
	size_t limit; /* of `used` */
};

void arena_init(struct frame_arena *a, size_t limit);
void arena_reset(struct frame_arena *a);
void arena_free(struct frame_arena *a);
void *arena_get(struct frame_arena *a, size_t n);

/* NULL: malformed or over the arena's limit.  Lives until arena_reset. */
ProtobufCMessage *frame_unpack(struct frame_arena *a,
                               const ProtobufCMessageDescriptor *type,
                               const uint8_t *body, size_t len);

#endif

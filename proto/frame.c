/*
 * frame.c - length-prefixed messages, and memory to unpack them in.
 *
 * Theory: a buffer is a window [start, start + len) in one allocation.  Bytes
 * are taken from its front by moving `start`; the window slides back to the
 * beginning only when room at the end is asked for, so a reader that takes
 * many small frames out of one large read moves nothing.
 *
 * The arena is a list of blocks that are never given back between messages:
 * after the largest message has passed, unpacking allocates nothing.
 */
#include "proto/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10)

struct frame_block {
	struct frame_block *next;
	size_t size;
	size_t used;
	/* malloc's alignment, for any struct that protobuf-c makes */
	_Alignas(16) uint8_t mem[];
};

void frame_init(struct frame_buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void frame_free(struct frame_buf *b)
{
	free(b->data);
	frame_init(b, b->max);
}

static int frame_grow(struct frame_buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : 4096;
	uint8_t *data;

	while (cap - b->len < want) {
		if (cap > SIZE_MAX / 2)
			return -ENOMEM;
		cap *= 2;
	}
	data = realloc(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

uint8_t *frame_room(struct frame_buf *b, size_t want, size_t *got)
{
	if (b->cap - b->start - b->len < want && b->start) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
	}
	if ((!b->data || b->cap - b->start - b->len < want) &&
	    frame_grow(b, want))
		return NULL;
	*got = b->cap - b->start - b->len;
	return b->data + b->start + b->len;
}

void frame_added(struct frame_buf *b, size_t n)
{
	b->len += n;
}

const uint8_t *frame_data(const struct frame_buf *b, size_t *len)
{
	*len = b->len;
	return b->len ? b->data + b->start : NULL;
}

void frame_drop(struct frame_buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	b->start += n;
	b->len -= n;
	if (!b->len)
		b->start = 0;
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

void frame_head(uint8_t *p, uint32_t len)
{
	p[0] = len >> 24;
	p[1] = len >> 16 & 0xff;
	p[2] = len >> 8 & 0xff;
	p[3] = len & 0xff;
}

int frame_next(struct frame_buf *b, const uint8_t **body, size_t *len)
{
	const uint8_t *p;
	size_t n;

	if (b->len < FRAME_HEAD)
		return 0;
	p = b->data + b->start;
	n = load_be32(p);
	if (n > b->max)
		return -EMSGSIZE;
	if (b->len - FRAME_HEAD < n)
		return 0;
	*body = p + FRAME_HEAD;
	*len = n;
	frame_drop(b, FRAME_HEAD + n);
	return 1;
}

int frame_put(struct frame_buf *b, const ProtobufCMessage *msg)
{
	size_t n = protobuf_c_message_get_packed_size(msg), room;
	uint8_t *p;

	if (n > b->max)
		return -EMSGSIZE;
	p = frame_room(b, FRAME_HEAD + n, &room);
	if (!p)
		return -ENOMEM;
	frame_head(p, (uint32_t)n);
	protobuf_c_message_pack(msg, p + FRAME_HEAD);
	frame_added(b, FRAME_HEAD + n);
	return 0;
}

static void *arena_alloc(void *data, size_t n)
{
	return arena_get(data, n);
}

static void arena_no_free(void *data, void *p)
{
	(void)data;
	(void)p;
}

void arena_init(struct frame_arena *a, size_t limit)
{
	memset(a, 0, sizeof(*a));
	a->alloc.alloc = arena_alloc;
	a->alloc.free = arena_no_free;
	a->alloc.allocator_data = a;
	a->limit = limit;
}

void arena_reset(struct frame_arena *a)
{
	struct frame_block *b;

	for (b = a->first; b; b = b->next)
		b->used = 0;
	a->cur = a->first;
	a->used = 0;
}

void arena_free(struct frame_arena *a)
{
	struct frame_block *b = a->first, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(a, a->limit);
}

/* A block with n free bytes behind `cur`, made when no old one will do. */
static struct frame_block *arena_block(struct frame_arena *a, size_t n)
{
	struct frame_block *b = a->cur;
	size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;

	while (b && b->next) {
		b = b->next;
		if (b->size - b->used >= n)
			return b;
	}
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	b->used = 0;
	b->next = NULL;
	if (a->cur) {
		b->next = a->cur->next;
		a->cur->next = b;
	} else {
		a->first = b;
	}
	return b;
}

void *arena_get(struct frame_arena *a, size_t n)
{
	struct frame_block *b = a->cur;
	void *p;

	if (n > a->limit - a->used || n > SIZE_MAX / 2)
		return NULL;
	n = (n + 15) & ~(size_t)15;
	if (!b || b->size - b->used < n) {
		b = arena_block(a, n);
		if (!b)
			return NULL;
		a->cur = b;
	}
	p = b->mem + b->used;
	b->used += n;
	/* the rounding may pass the limit; the next call must not underflow */
	a->used = n > a->limit - a->used ? a->limit : a->used + n;
	return p;
}

ProtobufCMessage *frame_unpack(struct frame_arena *a,
                               const ProtobufCMessageDescriptor *type,
                               const uint8_t *body, size_t len)
{
	return protobuf_c_message_unpack(type, &a->alloc, len, body);
}

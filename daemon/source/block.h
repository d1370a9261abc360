/*
 * block.h - walking the blocks of a packet socket's ring (TPACKET_V3).
 *
 * An interface's frames are counted over all rings and readers.  A place notes,
 * in memory that outlives the reader, which block begins behind which number;
 * so a successor knows the number of whatever lies in the ring.
 */
#ifndef SOURCE_BLOCK_H
#define SOURCE_BLOCK_H

#include "daemon/source/source.h"

/* room before each frame that the kernel is asked for (PACKET_RESERVE): a tag
 * or a cooked header goes there */
#define BLOCK_RESERVE 32u

struct block_shape {
	uint32_t size; /* bytes of a block, a power of two */
	uint32_t n;
};

/* A ring of about `bytes` for frames up to `snaplen`. */
struct block_shape block_shape(size_t bytes, int snaplen);

struct block_frame {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	uint64_t ts_ns;
	uint64_t number;
};

struct blocks {
	uint8_t *base;
	struct block_shape shape;
	uint16_t linktype;
	bool found; /* `head` is known */
	bool open;  /* the block at `head` is ours and under way */
	uint32_t head;
	uint32_t walked;    /* blocks before `head` that are not given back */
	uint64_t block;     /* number of the block at `head` */
	uint64_t committed; /* blocks below it are, whole */
	uint64_t begin;     /* frames before the block at `head` */
	uint64_t count;     /* frames before the one at `at` */
	uint64_t done;      /* frames up to this number are committed */
	uint64_t generation;
	struct ring_place *place;
	uint64_t skipped; /* frames found committed */
	uint64_t broken;  /* blocks that made no sense; the rest is left out */
	/* of the block under way */
	uint32_t left, at;
	bool ready; /* `next` is the frame at `at` */
	struct block_frame next;
};

void blocks_init(struct blocks *b, void *base, struct block_shape shape,
                 uint16_t linktype);

/* Behind frame `cursor`, as far as a ring of this generation was read. */
void blocks_resume(struct blocks *b, uint64_t generation, uint64_t cursor,
                   struct ring_place *place);

/* The next frame that is not committed, NULL: none yet.  The bytes are there
 * until blocks_release(). */
const struct block_frame *blocks_slow_peek(struct blocks *b);
static inline const struct block_frame *blocks_peek(struct blocks *b)
{
	return likely(b->ready) ? &b->next : blocks_slow_peek(b);
}
void blocks_take(struct blocks *b);

/* Blocks that the kernel has filled and we have not given back, in percent. */
unsigned int blocks_fill(const struct blocks *b);
/* About how many quarters of the ring wait to be read, 0 to 3. */
unsigned int blocks_quarters(const struct blocks *b);

/* Gives back to the kernel the blocks whose frames have all been taken. */
void blocks_release(struct blocks *b);

#endif

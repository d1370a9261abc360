/*
 * frag_store.h - how the pieces of datagrams lie in their block.
 *
 * Cells of 128 bytes on one free list; 0 is no cell.  A queue is what has come
 * of one datagram, found by its key; it is a sorted list of runs.  A run has
 * bytes in its own cell and in a chain behind it.  An IPv4 source lives as long
 * as a queue names it.  Queues also hang in one list by age.
 *
 * A run's bytes end at the first one that was not captured; nothing behind a
 * gap can be used.
 */
#ifndef PKT_FRAG_STORE_H
#define PKT_FRAG_STORE_H

#include "daemon/pkt/frag.h"

#define FRAG_CELL 128u

/* what a queue has seen */
enum { FRAG_HAS_FIRST = 1, FRAG_HAS_LAST = 2 };

/* the fragments of one IPv4 source, as long as queues name it */
struct frag_source {
	uint32_t next; /* in its bucket */
	uint32_t addr;
	uint32_t count; /* fragments so far */
	uint32_t refs;
};

struct frag_run {
	uint32_t more; /* cells of bytes behind this one */
	uint32_t next;
	uint32_t off, end;
	uint32_t stored; /* captured without a gap */
	uint32_t tail;   /* the last cell, 0 = this one */
	uint8_t byte[FRAG_CELL - 24];
};

struct frag_bytes {
	uint32_t more;
	uint8_t byte[FRAG_CELL - 4];
};

struct frag_queue {
	uint32_t next; /* in its bucket */
	uint32_t older, newer;
	uint32_t id;
	union pkt_addr src, dst;
	uint64_t since_ns;
	uint16_t zone;
	uint8_t proto; /* of the key; 0 for IPv6 */
	uint8_t seen;
	uint8_t ecn; /* one bit a codepoint */
	uint8_t tag;
	uint16_t nruns;
	uint32_t nfrags;
	uint32_t upper; /* protocol that the first fragment tells */
	uint32_t len;   /* the furthest end that was told */
	uint32_t meat;  /* bytes that came */
	uint32_t run, last;
	uint32_t head; /* what stood before the first fragment's bytes */
	uint32_t head_len;
	uint32_t source;
	uint32_t mark;  /* the source's count at the last fragment */
	uint64_t frame; /* of the first that came */
	/* of the next ones: how far behind it, FRAG_FAR_BEHIND: too far */
	uint16_t behind[FRAG_FRAMES - 1];
};
#define FRAG_FAR_BEHIND 0xffffu

union frag_cell {
	uint32_t next; /* on the free list */
	struct frag_source source;
	struct frag_run run;
	struct frag_bytes bytes;
	struct frag_queue queue;
	uint8_t room[FRAG_CELL];
};
_Static_assert(sizeof(union frag_cell) == FRAG_CELL, "cell");

/* what a discarded datagram was, for who tells of it */
struct frag_gone {
	uint32_t nfrags;
	uint8_t l4proto;
	uint8_t nl4;
	uint8_t l4[10];
};

struct frag {
	uint64_t magic, size, secret;
	uint32_t busy;     /* odd: a change is under way */
	uint32_t nbuckets; /* a power of two */
	uint32_t ncells;   /* cell 0 is none */
	uint32_t fresh;    /* cells from here on were never used */
	uint32_t free, nfree;
	uint32_t oldest, newest;
	uint32_t nqueues, nfrags;
	uint32_t had;    /* fragments that waited before the change */
	uint32_t left;   /* what a predecessor's death cost, not yet told */
	uint32_t done;   /* queue of the last FRAG_DONE */
	uint32_t answer; /* to the frame below */
	uint32_t answer_lost;
	uint32_t answer_why;
	struct frag_gone gone; /* by the frame below */
	uint64_t frame;
	uint32_t bucket[]; /* of queues, then of sources */
};
_Static_assert(sizeof(struct frag) <= FRAG_MIN, "frag");
_Static_assert(sizeof(struct frag) % 8 == 0, "frag");

static inline union frag_cell *frag_cell_at(struct frag *f, uint32_t i)
{
	uint32_t *cells = f->bucket + 2ul * f->nbuckets;

	return (union frag_cell *)(void *)cells + i;
}

static inline struct frag_queue *frag_queue_at(struct frag *f, uint32_t i)
{
	return &frag_cell_at(f, i)->queue;
}

static inline struct frag_run *frag_run_at(struct frag *f, uint32_t i)
{
	return &frag_cell_at(f, i)->run;
}

static inline struct frag_source *frag_source_at(struct frag *f, uint32_t i)
{
	return &frag_cell_at(f, i)->source;
}

/* around whatever changes the block */
void frag_change_begin(struct frag *f);
void frag_change_end(struct frag *f);

/* Are there cells for all that this fragment may need?  Nothing below fails
 * then. */
bool frag_room_for(const struct frag *f, const struct pkt *p);

/* The fragment's queue, or 0. */
uint32_t frag_queue_find(struct frag *f, const struct pkt *p);
/* The fragment's queue, a new one if there is none. */
uint32_t frag_queue_get(struct frag *f, const struct pkt *p, uint64_t now_ns,
                        uint8_t tag);
/* It forgets its fragments and all that they told; returns how many. */
uint32_t frag_queue_empty(struct frag *f, struct frag_queue *q);
/* It begins now. */
void frag_queue_renew(struct frag *f, uint32_t i, uint64_t now_ns);
/* It is no more; returns how many fragments it had. */
uint32_t frag_queue_end(struct frag *f, uint32_t i);

/* A run off..end behind run `before`, 0 = as the first. */
uint32_t frag_run_new(struct frag *f, struct frag_queue *q, uint32_t before,
                      uint32_t off, uint32_t end);
/* `len` bytes behind those that are there already */
void frag_run_store(struct frag *f, struct frag_run *r, const uint8_t *from,
                    uint32_t len);
/* Both return where they stopped to write. */
uint8_t *frag_run_copy(struct frag *f, const struct frag_run *r, uint8_t *to);
uint8_t *frag_head_copy(struct frag *f, const struct frag_queue *q,
                        uint8_t *to);
/* What stands before the first fragment's bytes, without the fragment
 * header. */
void frag_head_store(struct frag *f, struct frag_queue *q, const struct pkt *p);

#endif

/*
 * frag.h - datagrams that come in pieces (F007, F008).
 *
 * A store of waiting fragments of one address family, in a block of memory
 * that the caller gives.  It never grows: what finds no room is refused, as in
 * the kernel, whose `ipfrag_high_thresh` and `frag6_high_thresh` are the sizes
 * of the blocks.  Time is whatever clock the caller has.
 *
 * The block holds no pointers, only places in itself, so it may lie in shared
 * memory and be inherited.  For that the owner (one process at a time) needs
 *
 *	- frag_open() of the same block and size: it keeps what waits if the
 *	  predecessor did not die in the middle of a change, else starts anew,
 *	  and what that costs is told as lost with the next fragment;
 *	- cursors in pkt.frame: frag_add() answers for a frame that the
 *	  predecessor had added what it had answered then, so a capture may be
 *	  taken up at the first packet that is not done.  A datagram stays in
 *the block until frag_release(), to be called when its packet is done.
 */
#ifndef PKT_FRAG_H
#define PKT_FRAG_H

#include "daemon/pkt/pkt.h"

struct frag; /* the block */

#define FRAG_MIN 128u

/* the longest datagram: an IPv6 header and 65535 bytes */
#define FRAG_WHOLE 65575u

enum frag_verdict {
	FRAG_HELD,    /* waits, or is a duplicate */
	FRAG_REFUSED, /* nobody sees it: bad, overlapping, or no room */
	FRAG_PASS,    /* goes on alone, as the kernel lets it (F006) */
	FRAG_DONE     /* the last piece: there is a datagram */
};

/* what is to be said about it: X(NAME, "for people") */
#define FRAG_WHYS(X)                                          \
	X(NONE, "")                                           \
	X(DUPLICATE, "a duplicate")                           \
	X(OVERLAP, "overlaps another")                        \
	X(PIECES, "too many pieces")                          \
	X(LENGTH, "contradicts the datagram's length")        \
	X(EMPTY, "has no bytes")                              \
	X(LONG, "the datagram would be too long")             \
	X(ECN, "the fragments disagree about ECN")            \
	X(ODD, "a middle one of no multiple of 8 bytes")      \
	X(HEADLESS, "the first one without the upper header") \
	X(ROOM, "no room for it")

enum frag_why {
#define X(name, text) FRAG_WHY_##name,
	FRAG_WHYS(X)
#undef X
};

struct frag_answer {
	enum frag_verdict verdict;
	uint32_t lost; /* fragments that will be part of no datagram */
	enum frag_why why;
};

/* Makes a store in `size` bytes at `block` (aligned to 8), or takes up the one
 * that is there; `same` says whether its frames go on to be numbered from
 * where they were (a capture).  `secret` keeps others from aiming at one
 * chain.  NULL: less than FRAG_MIN bytes.  A block that is hardly larger
 * refuses every fragment. */
struct frag *frag_open(void *block, size_t size, uint64_t secret, bool same);

/* Takes the fragment `p` (PKT_FRAGMENT).  FRAG_PASS and FRAG_DONE: *whole is
 * the packet to track, parsed, with the frame and time of `p`; its bytes are
 * p's, or in `buf` (FRAG_WHOLE of them) as far as they were captured without a
 * gap.  What is overdue must be gone first: frag_expire().  `tag` is handed
 * back when the datagram is given up. */
struct frag_answer frag_add(struct frag *f, const struct pkt *p,
                            uint64_t now_ns, uint8_t tag, uint8_t *buf,
                            struct pkt *whole);

/* The datagram of the last FRAG_DONE is not needed any more. */
void frag_release(struct frag *f);

/* Gives up one datagram that began `timeout_ns` ago or earlier; true: there
 * was one, *tag is that of its first fragment, *lost the fragments it had
 * (which may be 0). */
bool frag_expire(struct frag *f, uint64_t now_ns, uint64_t timeout_ns,
                 uint8_t *tag, uint32_t *lost);

/* What has come of a datagram, for who tells of it. */
#define FRAG_FRAMES 9u
#define FRAG_L4     8u
struct frag_seen {
	uint32_t nfrags;             /* 0: nothing */
	uint32_t nframes;            /* of the first ones */
	uint64_t frame[FRAG_FRAMES]; /* their cursors */
	uint8_t l4proto;             /* as its first fragment says ... */
	uint8_t nl4;                 /* 0: that has not come */
	uint8_t l4[FRAG_L4];         /* ... whose layer 4 begins so */
};
/* Of the datagram that the fragment `p` is of, which was added last and may
 * have ended it; NULL: of the last FRAG_DONE. */
void frag_look(struct frag *f, const struct pkt *p, struct frag_seen *seen);

/* Datagrams that wait, and the bytes that they take. */
struct frag_use {
	uint32_t datagrams;
	uint32_t fragments;
	uint64_t bytes;
};
struct frag_use frag_use(const struct frag *f);

#endif

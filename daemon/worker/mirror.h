/*
 * mirror.h - what a mirror port does to packets besides losing them, and the
 * book-keeping of tcp.mode = mirror (F138).
 *
 * A mirror of both sides of a switch, or of two taps on one path, shows each
 * packet twice.  A connection remembers its last few packets by a fingerprint
 * of what does not change on the way: the IPv4 identification and the start of
 * layer 4 with its checksum, but not TTL and VLAN.  A packet that came a short
 * while ago is the same packet; one that TCP sends again has a new
 * identification, or comes later than that.
 */
#ifndef WORKER_MIRROR_H
#define WORKER_MIRROR_H

#include "shm/proc.h"
#include "daemon/tracker/tracker.h"

/* Is the mirror's rule in force for packets of this source? */
static inline bool mirror_mode(const struct policy *pol, bool live)
{
	return pol->tcp_mode == TCP_MODE_MIRROR ||
	       (pol->tcp_mode == TCP_MODE_AUTO && live);
}

/* Where doubles are only counted, a direction that has shown none in so many
 * packets is not looked at any more. */
#define MIRROR_LOOK 16u

/* A first packet: remembers it, and what it took to make its connection. */
void mirror_first(const struct policy *pol, const struct tracker *trk,
                  const struct pkt *p, uint32_t status, struct conn_detail *x);

/* A later one, of which nothing is written yet: is it none of the last, by its
 * fingerprint, which is left in `print`? */
bool mirror_unlike(const struct policy *pol, const struct tracker *trk,
                   const struct pkt *p, const struct conn_detail *x,
                   uint32_t *print);
/* Remembers it. */
void mirror_remember(const struct policy *pol, const struct tracker *trk,
                     const struct pkt *p, uint32_t print,
                     struct conn_detail *x);

/* Both: remembers it, and says whether it is one of the last. */
bool mirror_double(const struct policy *pol, const struct tracker *trk,
                   const struct pkt *p, const struct conn *c, uint8_t dir,
                   struct conn_detail *x);

/* Is a packet of this connection to be compared at all? */
static inline bool mirror_looks(const struct policy *pol, const struct conn *c,
                                uint8_t dir, const struct conn_detail *x)
{
	if (!x || pol->duplicates == DUPLICATES_OFF)
		return false;
	return pol->duplicates != DUPLICATES_COUNT ||
	       c->packets[dir] <= MIRROR_LOOK || c->status & CONN_DOUBLED;
}

struct way;
struct spot;

enum twice { ONCE, TWICE, TWICE_DONE };

/* The packet of an entry whose window is open, if mirror_looks().  TWICE: it
 * was here before; DONE: and that is all about it, the window is closed. */
enum twice mirror_twice(struct way *w, const struct spot *s);
/* It is one: counts it and marks its connection. */
void mirror_doubled(struct counters *cs, const struct pkt *p, struct conn *c,
                    const struct conn_detail *x);

/* The packet as one of the other direction, for who looks at addresses and
 * ports alone. */
struct pkt mirror_turn(const struct pkt *p, uint8_t ports[4]);

/* What the tracker repaired, and which bits of the status are new since
 * `before`, into the counters and, if it is kept, into the detail line. */
void mirror_count(struct way *w, const struct trk_ctx *c, uint32_t before,
                  uint32_t status, struct conn_detail *x);

/* The first answer: an interface for each direction, or one for both? */
void mirror_answered(struct way *w, const struct conn_detail *x);
/* A segment that begins behind others: was it missed before? */
void mirror_late(struct way *w, const struct trk_ctx *c,
                 const struct conn_detail *x);

#endif

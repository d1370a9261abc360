/*
 * packed.h - events as bytes, made once for all subscribers who get the same.
 *
 * What an event looks like depends on its slot, on whether details are wanted,
 * and on the policy; only the head of the answer that it goes out in is the
 * subscriber's.  So the bytes of the newest events are kept, and a subscriber
 * at the same place of the log costs a copy.
 */
#ifndef API_PACKED_H
#define API_PACKED_H

#include "daemon/api/pb.h"

/* of one event: longer ones are not kept */
#define PACKED_BYTES 496u
#define PACKED_ROWS  1024u /* a power of two */

struct packed_row;

struct packed {
	struct packed_row *row[2]; /* with details, brief; made when needed */
	/* the batch under way */
	unsigned int n;
	size_t len;
	uint8_t bytes[PB_ROWS * PACKED_BYTES];
};

void packed_free(struct packed *p);

void packed_begin(struct packed *p);

static inline bool packed_full(const struct packed *p)
{
	return p->n == PB_ROWS;
}

/* Adds the event at position `pos` of the log, which is not a GAP.  `b` has
 * begun, is empty, and stays so.  False: this one has to go the general way. */
bool packed_add(struct packed *p, struct pb *b, uint64_t pos,
                const struct event_slot *s);

#endif

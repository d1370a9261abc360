/*
 * frame.h - messages out of segments, when each tells its length.
 *
 * Mirror mode's way (F203): a message that ends in a later segment is kept
 * and completed, one that does not fit is stepped over.  Behind missing bytes,
 * and behind what is no message, reading goes on at the next segment that
 * begins with one.
 */
#ifndef HELPER_FRAME_H
#define HELPER_FRAME_H

#include "daemon/helper/helper.h"

/* one direction of a stream; lies in the helper's memory */
struct frame {
	uint32_t next; /* sequence number of the byte to read next */
	uint8_t known; /* `next` means something */
	uint8_t open;  /* what comes before it is kept */
};

struct frame_rule {
	uint32_t head; /* bytes that tell the length, few */
	uint32_t skip; /* of these, what is no part of the message */
	/* of the whole message with its head; 0: none begins here */
	uint32_t (*measure)(const uint8_t *head);
};

/* One whole message of at most HELP_KEEP bytes, or longer within a segment.
 * False: it could not be read, which is a reason for the kernel not to look at
 * the rest of the segment; here it is not. */
typedef bool (*frame_fn)(struct help_ctx *h, const uint8_t *msg, uint32_t len);

void frame_feed(struct help_ctx *h, struct frame *f, const struct frame_rule *r,
                frame_fn fn);

#endif

/*
 * line.h - lines out of segments, for mirror mode.
 *
 * The kernel's parsers see one segment at a time, and drop one that ends
 * inside a command so that it comes again (F203).  A tracker on a mirror port
 * cannot, so the beginning of such a line is kept until the rest comes.  Only
 * what arrives in order is joined: bytes that were seen are stepped over, and
 * behind bytes that were not seen everything is ignored up to the next line.
 */
#ifndef HELPER_LINE_H
#define HELPER_LINE_H

#include "daemon/helper/text.h"

/* of one direction; all zero is right for a connection of which nothing was
 * seen: its first segment is taken to begin a line */
struct help_line {
	uint32_t next; /* sequence number behind the last byte seen */
	uint8_t known; /* `next` means something */
	uint8_t open;  /* the last line has no end yet, and is kept */
	uint8_t skip;  /* ignore everything up to the next line */
	uint8_t unused;
};

/* one line, without its end (CR LF, or LF alone) */
typedef void (*line_fn)(struct help_ctx *h, struct text t);

/* Calls `fn` for each line that this packet completes. */
void line_feed(struct help_ctx *h, struct help_line *l, line_fn fn);

#endif

/* broadcast.h - a request to all, and an answer from anybody (F223). */
#ifndef HELPER_BROADCAST_H
#define HELPER_BROADCAST_H

#include "daemon/helper/helper.h"

/* options of every helper of this kind, in this order */
enum { BROADCAST_TIMEOUT, BROADCAST_ON, BROADCAST_PREFIX, BROADCAST_OPTIONS };

#define BROADCAST_ROWS(name, seconds)                                   \
	[BROADCAST_TIMEOUT] = {name "_timeout", seconds, 1, 86400,      \
	                       "seconds that answers are expected"},    \
	[BROADCAST_ON] = {name "_broadcast", 1, 0, 1,                   \
	                  "mirror mode expects answers to broadcasts"}, \
	[BROADCAST_PREFIX] = {name "_prefix", 0, 0, 30,                 \
	                      "prefix length of the networks, 0: by address"}

/* What a request to all makes to be expected.  `told`: the payload says itself
 * that it went to all. */
void broadcast_request(struct help_ctx *h, bool told);

#endif

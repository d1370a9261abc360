/* common.h - small things that several trackers do alike; no other room
 * needs them. */
#ifndef TRACKER_COMMON_H
#define TRACKER_COMMON_H

#include "daemon/tracker/tracker.h"

/* true = the policy wants checksums verified, every covered byte is there,
 * and the sum is wrong.  `cover` is the number of bytes under the checksum
 * from the start of layer 4. */
bool checksum_verify(const struct trk_ctx *c, uint8_t proto, uint32_t cover);

static inline bool checksum_wrong(const struct trk_ctx *c, uint8_t proto,
                                  uint32_t cover)
{
	return c->pol->checksum != CHECKSUM_OFF &&
	       checksum_verify(c, proto, cover);
}

/* The same question for SCTP's CRC32c (F170). */
bool checksum_crc32c_wrong(const struct trk_ctx *c);

static inline enum trk_verdict trk_invalid(struct trk_ctx *c, const char *why)
{
	c->why = why;
	return TRK_INVALID;
}

static inline void trk_assure(struct trk_ctx *c, struct conn *conn)
{
	if (conn->status & CONN_ASSURED)
		return;
	conn->status |= CONN_ASSURED;
	c->events |= EVB_ASSURED;
}

/* what snprintf() really left in the buffer */
static inline int trk_printed(int n, size_t len)
{
	if (n < 0 || len == 0)
		return 0;
	return (size_t)n < len ? n : (int)len - 1;
}

#endif

/* invalid.h - log_invalid: why a packet was refused (F290). */
#ifndef WORKER_INVALID_H
#define WORKER_INVALID_H

#include "daemon/tracker/tracker.h"

/* One line for a packet whose tracker left a reason, in the kernel's words:
 * "nf_ct_proto_6: TEXT SRC=... DST=... LEN=... PROTO=6 SPT=... DPT=...".  Off
 * unless the policy's log_invalid is 255 or the packet's protocol; limited in
 * rate by reason. */
void invalid_log(const struct policy *pol, const struct trk_ctx *c);

static inline void invalid_note(const struct policy *pol,
                                const struct trk_ctx *c)
{
	if (unlikely(c->why && pol->log_invalid))
		invalid_log(pol, c);
}

#endif

/* apply.h - the third stage: one packet against the table. */
#ifndef WORKER_APPLY_H
#define WORKER_APPLY_H

#include "daemon/worker/pipeline.h"

/* Looks up or creates, tracks, accounts, tells; counts the packet; moves the
 * cursor.  Any kind of lane but LANE_SKIP; `now` is its tick. */
void lane_apply(struct pipeline *p, struct lane *l, uint32_t now);

/* Where a packet that is parsed belongs: a datagram made of fragments. */
void lane_datagram(struct pipeline *p, struct lane *l, struct pkt *pkt);

#endif

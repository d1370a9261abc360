/*
 * quality.h - how well a connection fares, from what its tracker noticed
 * (TRK_Q_*) and from times; kept in its detail line.
 *
 * Only packets that tell something come here, so the line is saved for the
 * undo not before (update_whole()).
 */
#ifndef WORKER_QUALITY_H
#define WORKER_QUALITY_H

#include "daemon/tracker/tracker.h"

/* What the tracker noticed; before last_ns is that of this packet. */
void quality_note(const struct trk_ctx *c, struct conn_detail *x);

/* The first packet of the reply. */
void quality_reply(const struct trk_ctx *c, struct conn_detail *x);

#endif

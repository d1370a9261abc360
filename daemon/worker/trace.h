/*
 * trace.h - tells one packet's way, when somebody asks for it (shm/trace.h).
 *
 * Who is not asked for pays a look at the version a batch and a test or two a
 * packet; where anything is traced every packet goes the long way through
 * apply.c.  What a traced packet costs does not matter: the reasons
 * of a packet that never reached a tracker are found by asking once more.
 */
#ifndef WORKER_TRACE_H
#define WORKER_TRACE_H

#include "daemon/worker/pipeline.h"
#include "shm/atomic.h"
#include "shm/read.h"

/* Takes over what is to be traced, once a batch. */
void trace_copy(struct pipeline *p);

static inline void trace_look(struct pipeline *p)
{
	if (unlikely(shm_load(&p->t->mlog->trace.version) != p->trace.version))
		trace_copy(p);
}

/* Begins this packet's record, p->trace.rec; false: no tuple fits it. */
bool trace_open(struct pipeline *p, const struct lane *l);

/* The connection that it belongs to, before the tracker sees it ... */
void trace_before(struct trace_rec *r, const struct conn *c, uint64_t id,
                  uint32_t now);
/* ... and after. */
void trace_after(struct trace_rec *r, const struct conn *c,
                 const struct trk_ctx *ctx, enum trk_verdict v);
/* The connection that it makes; it may yet be refused. */
void trace_new(struct trace_rec *r, const struct conn *c,
               const struct trk_ctx *ctx);
/* It makes none; `ctx` may have the tracker's reason, or be NULL. */
void trace_refused(struct trace_rec *r, enum trace_verdict v,
                   const struct trk_ctx *ctx);
/* An ICMP error about this connection. */
void trace_related(struct trace_rec *r, const struct conn_view *v,
                   uint32_t now);

/* A fragment alone, which was held or refused: begins its record and ends it.
 * False: no tuple fits it, as far as its datagram is known. */
bool trace_fragment(struct pipeline *p, const struct lane *l);

/* The record is done; before the operation that moves the cursor to `pkt`. */
void trace_prepare(struct pipeline *p, struct trace_rec *r, uint8_t info,
                   uint8_t dir, struct op_cursor cur);
/* Must this worker wait for the reader of its records? */
bool trace_ahead(const struct table *t);

#endif

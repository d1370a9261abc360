/* trace.c - see trace.h. */
#include "shm/trace.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/ops.h"

void trace_put(struct table *t, struct trace_rec *rec,
               const struct op_cursor *cur)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint64_t tail = h->trace_tail;

	rec->seq = tail + 1;
	/* a reader that copied what is written over sees this tail */
	shm_wmb();
	memcpy(table_trace(t, t->me, tail), rec, sizeof(*rec));
	shm_store(&h->trace_next, tail + 1);
	shm_store(&h->trace_src, cur->src);
	shm_store(&h->trace_cursor, cur->pkt);
}

void trace_settle(struct ring_header *h)
{
	uint64_t pkt = h->trace_cursor, src = shm_load(&h->trace_src);

	if (!pkt)
		return;
	/* a value and no sum: this may be done twice */
	if (src < NSOURCE && h->cursor[src] == pkt)
		shm_store_release(&h->trace_tail, h->trace_next);
	/* or the next packet of this number would be taken for it */
	shm_store(&h->trace_cursor, 0);
}

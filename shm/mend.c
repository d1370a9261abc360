/* mend.c - see mend.h. */
#include "shm/mend.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/repair.h"

/* Readers that have copied it look at seq again. */
static void entry_end(struct table *t, uint32_t sh, uint32_t idx)
{
	struct conn *c = table_conn(t, sh, idx);

	shm_store(&c->status, 0);
	shm_store_release(&c->seq, (c->seq | 1) + 1);
}

void shard_salvage(struct table *t, uint32_t sh, shard_fn *home)
{
	uint32_t idx;

	/* whoever comes after a kill in here rebuilds it first */
	if (t->shard[sh].op == OP_IDLE)
		shm_store_release(&t->shard[sh].op, OP_REBUILD);
	for (idx = 1; home && idx < t->cap; idx++) {
		const struct conn *c = table_conn(t, sh, idx);

		if (c->status & CONN_LIVE &&
		    home(t, &c->key, table_addr6(t, sh, idx)) != sh)
			entry_end(t, sh, idx);
	}
	shard_rebuild(t, sh);
}

void shard_empty(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx;

	/* half done or not, it is gone */
	shm_store_release(&q->op, OP_REBUILD);
	for (idx = 1; idx < t->cap; idx++)
		if (table_conn(t, sh, idx)->status & CONN_LIVE)
			entry_end(t, sh, idx);
	shard_rebuild(t, sh);
	shm_store(&q->isolated, 0);
}

void shard_isolate(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx;

	shm_store(&q->isolated, 1);
	shm_store_release(&q->op, OP_IDLE);
	/* no index is free, and none will be */
	shm_store(&q->bump[0], t->cap);
	shm_store(&q->bump[1], t->cap - 1);
	shm_store(&q->free_head[0], 0);
	shm_store(&q->free_head[1], 0);
	shm_store(&q->count, 0);
	memset(table_line(t, sh, 0), 0, t->nline * sizeof(struct line));
	for (idx = 1; idx < t->cap; idx++) {
		table_conn(t, sh, idx)->status = 0;
		*table_chk(t, sh, idx) = 0;
	}
}

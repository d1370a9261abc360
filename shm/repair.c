/* repair.c - see repair.h. */
#include "shm/repair.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/hash.h"
#include "shm/ops.h"
#include "shm/update.h"

void shard_repair(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx;

	if (q->op == OP_IDLE)
		return;
	idx = shm_load(&q->op_idx);
	q->repairs++;
	if (!op_sane(t, sh) || idx >= t->cap)
		shard_rebuild(t, sh);
	else if (table_conn(t, sh, idx)->seq == q->op_seq + 2)
		op_finish(t, sh);
	else
		op_undo(t, sh);
}

/* an entry that a rebuild keeps: live, and its key is at home here */
static bool entry_valid(const struct table *t, uint32_t sh, uint32_t idx)
{
	const struct conn *c = table_conn(t, sh, idx);

	return c->status & CONN_LIVE && !(c->seq & 1) &&
	       !(c->key.flags & ~(KEY_V6 | KEY_REQ1 | KEY_ZONE_DIR));
}

/* puts the word of entry `idx` into the index; false: chain full or the key
 * is there already */
static bool rebuild_link(struct table *t, uint32_t sh, uint32_t idx)
{
	struct shard *q = &t->shard[sh];
	struct conn *c = table_conn(t, sh, idx);
	uint64_t h = hash_key(t->key.hash, &c->key, table_addr6(t, sh, idx));
	uint32_t li = hash_bucket(t, h), hop, i, next, other;

	/* whoever damaged it may still do so: no number is trusted twice */
	for (hop = 0; hop < t->nline; hop++) {
		struct line *l = table_line(t, sh, li);

		for (i = 0; i < LINE_SLOTS; i++) {
			uint32_t w = shm_load(&l->slot[i]);

			other = w & SLOT_IDX;
			if (!w) {
				l->slot[i] = hash_tag(h) | idx;
				return true;
			}
			if (other < t->cap && !t->twins &&
			    (w & SLOT_TAG) == hash_tag(h) &&
			    key_equal(&table_conn(t, sh, other)->key,
			              &c->key) &&
			    (!(c->key.flags & KEY_V6) ||
			     !memcmp(table_addr6(t, sh, other),
			             table_addr6(t, sh, idx),
			             sizeof(struct addr6))))
				return false;
		}
		next = shm_load(&l->next);
		if (!next) {
			next = shm_load(&q->ovf_bump);
			shm_store(&q->ovf_bump, next + 1);
			shm_store(&l->next, next);
		}
		if (next < t->nbucket || next >= t->nline) {
			/* no room: or it would be taken for a line */
			shm_store(&l->next, 0);
			shm_store(&q->ovf_bump, t->nline);
			return false;
		}
		li = next;
	}
	return false;
}

static void rebuild_free(struct table *t, uint32_t sh, uint32_t idx)
{
	struct shard *q = &t->shard[sh];
	struct conn *c = table_conn(t, sh, idx);
	unsigned int f = idx > q->bump[1] ? 1 : 0;

	c->status = 0;
	c->seq = (c->seq | 1) + 1;
	*table_chk(t, sh, idx) = 0;
	c->ext = q->free_head[f];
	if (!q->free_head[f])
		q->free_tail[f] = idx;
	q->free_head[f] = idx;
}

#define EXT_NOBODY 0xfffffffeu

/* The bound is gone: then no record that an entry refers to is beyond it. */
static uint32_t ext_bound(const struct table *t, uint32_t sh)
{
	uint32_t i, ext, bound = 1;

	for (i = 1; i < t->cap; i++) {
		const struct conn *c = table_conn(t, sh, i);

		ext = shm_load(&c->ext);
		if (shard_used(t, &t->shard[sh], i) && c->status & CONN_LIVE &&
		    ext >= bound && ext < t->cap)
			bound = ext + 1;
	}
	return bound;
}

/* extension records: those that no live entry refers to are free */
static void rebuild_ext(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t i, bump;

	if (q->ext_ready > t->cap)
		q->ext_ready = 0;
	if (!q->ext_bump || q->ext_bump > t->cap)
		q->ext_bump = q->ext_ready ? q->ext_ready : ext_bound(t, sh);
	bump = shm_load(&q->ext_bump);
	if (bump > t->cap)
		bump = t->cap;
	for (i = 1; i < bump; i++)
		table_ext(t, sh, i)->next = EXT_NOBODY;
	for (i = 1; i < t->cap; i++) {
		struct conn *c = table_conn(t, sh, i);
		struct conn_ext *x;
		uint32_t ext;

		if (!shard_used(t, q, i) || !(c->status & CONN_LIVE))
			continue;
		ext = shm_load(&c->ext);
		x = table_ext(t, sh, ext);
		if (x && ext < bump && x->next == EXT_NOBODY)
			x->next = 0;
		else
			c->ext = 0;
	}
	q->ext_free = 0;
	for (i = 1; i < bump; i++)
		if (table_ext(t, sh, i)->next == EXT_NOBODY) {
			table_ext(t, sh, i)->next = q->ext_free;
			q->ext_free = i;
		}
}

/* An entry that was never used is taken as it is by the insert that comes to
 * it: an odd seq there would make a live entry that nobody can read. */
static void rebuild_unused(struct table *t, uint32_t sh, uint32_t idx)
{
	struct conn *c = table_conn(t, sh, idx);

	if (!(c->seq & 1) && !c->status && !*table_chk(t, sh, idx))
		return;
	c->status = 0;
	c->seq = (c->seq | 1) + 1;
	*table_chk(t, sh, idx) = 0;
}

uint32_t shard_rebuild(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx, dropped = 0, n = 0;
	uint32_t torn = shm_load(&q->op_idx);

	q->damaged++;
	if (q->bump[0] < 1 || q->bump[0] > t->cap || q->bump[1] >= t->cap ||
	    q->bump[0] > q->bump[1] + 1) {
		/* the bounds are gone too: every entry may have been used */
		q->bump[0] = t->cap;
		q->bump[1] = t->cap - 1;
	}
	if (q->addr6_ready > t->cap)
		q->addr6_ready = 0;
	/* a torn update or delete has its pre-image; a torn insert was never
	 * there */
	if ((q->op == OP_UPDATE || q->op == OP_DELETE) && torn &&
	    torn < t->cap && undo_of(t, q) &&
	    table_conn(t, sh, torn)->seq == q->op_seq + 1) {
		undo_entry(t, sh, torn, undo_of(t, q));
		shm_store_release(&table_conn(t, sh, torn)->seq, q->op_seq + 4);
	}
	/* from here on a second repair starts the rebuild over */
	shm_store_release(&q->op, OP_REBUILD);
	memset(table_line(t, sh, 0), 0, t->nline * sizeof(struct line));
	q->ovf_free = 0;
	q->ovf_bump = t->nbucket;
	q->free_head[0] = q->free_head[1] = 0;
	q->free_tail[0] = q->free_tail[1] = 0;
	for (idx = 1; idx < t->cap; idx++) {
		struct conn *c = table_conn(t, sh, idx);

		if (!shard_used(t, q, idx)) {
			rebuild_unused(t, sh, idx);
			continue;
		}
		if (entry_valid(t, sh, idx) && rebuild_link(t, sh, idx)) {
			shm_store(table_chk(t, sh, idx),
			          c->deadline ? c->deadline : 1);
			n++;
			continue;
		}
		dropped += c->status & CONN_LIVE ? 1 : 0;
		rebuild_free(t, sh, idx);
	}
	rebuild_ext(t, sh);
	shm_store(&q->count, n);
	shm_store_release(&q->op, OP_IDLE);
	return dropped;
}

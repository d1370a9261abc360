/* read.c - see read.h. */
#include "shm/read.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/update.h"

#define READ_SPINS 200000u
#define READ_HOPS  64u

/* the entry's seq is odd at `a`: what would a reader have seen before? */
static int read_torn(const struct table *t, uint32_t sh, uint32_t idx,
                     uint32_t a, struct conn_view *v)
{
	const struct shard *q = &t->shard[sh];
	const struct conn *c = table_conn(t, sh, idx);
	uint32_t op = shm_load_acquire(&q->op);
	const struct undo *u = undo_of(t, q);

	if (shm_load(&q->op_idx) != idx || shm_load(&q->op_seq) != a - 1)
		return -1;
	if (op == OP_INSERT) {
		shm_rmb();
		return shm_load(&c->seq) == a ? 0 : -1;
	}
	if ((op != OP_UPDATE && op != OP_DELETE) || !u)
		return -1;
	memcpy(&v->conn, c, CONN_UNDO_FROM);
	memcpy((char *)&v->conn + CONN_UNDO_FROM, u->entry, CONN_UNDO_LEN);
	if (t->detail)
		undo_detail(u, table_detail(t, sh, idx), &v->detail);
	v->conn.seq = a - 1;
	if (v->conn.key.flags & KEY_V6)
		v->addr6 = *table_addr6(t, sh, idx);
	if (v->conn.ext)
		v->ext = u->ext;
	shm_rmb();
	if (shm_load(&c->seq) != a)
		return -1;
	return v->conn.status & CONN_LIVE ? 1 : 0;
}

static void read_ext(const struct table *t, struct conn_view *v)
{
	const struct conn_ext *x = table_ext(t, v->shard, v->conn.ext);

	if (unlikely(x && v->conn.status & CONN_LIVE))
		v->ext = *x;
	else if (v->conn.status & CONN_LIVE)
		v->conn.ext = 0;
}

int conn_read(const struct table *t, uint32_t sh, uint32_t idx,
              struct conn_view *v)
{
	const struct conn *c = table_conn(t, sh, idx);
	uint32_t spins;

	if (unlikely(sh >= t->nshard || !idx || idx >= t->cap))
		return 0;
	v->shard = sh;
	v->idx = idx;
	for (spins = 0; spins < READ_SPINS; spins++) {
		uint32_t a = shm_load_acquire(&c->seq);

		if (a & 1) {
			int r = read_torn(t, sh, idx, a, v);

			if (r >= 0)
				return r;
			shm_relax();
			continue;
		}
		memcpy(&v->conn, c, sizeof(v->conn));
		if (t->detail)
			v->detail = *table_detail(t, sh, idx);
		if (v->conn.key.flags & KEY_V6)
			v->addr6 = *table_addr6(t, sh, idx);
		read_ext(t, v);
		shm_rmb();
		if (shm_load(&c->seq) == a)
			return v->conn.status & CONN_LIVE ? 1 : 0;
	}
	return -1;
}

int conn_lookup(const struct table *t, const struct conn_lookup *k,
                struct conn_view *v)
{
	uint32_t tag = hash_tag(k->hash), li = hash_bucket(t, k->hash), hop;

	for (hop = 0; hop < READ_HOPS; hop++) {
		const struct line *l = table_line(t, k->shard, li);
		uint32_t i;

		for (i = 0; i < LINE_SLOTS; i++) {
			uint32_t w = shm_load_acquire(&l->slot[i]);
			uint32_t idx = w & SLOT_IDX;
			int r;

			if ((w & SLOT_TAG) != tag || !idx || idx >= t->cap)
				continue;
			r = conn_read(t, k->shard, idx, v);
			if (r < 0)
				return -1;
			if (r && key_equal(&v->conn.key, &k->key) &&
			    (!(k->key.flags & KEY_V6) ||
			     !memcmp(&v->addr6, &k->addr6, sizeof(k->addr6))))
				return 1;
		}
		li = shm_load_acquire(&l->next);
		if (!li || li >= t->nline)
			break;
	}
	return 0;
}

bool conn_walk(const struct table *t, struct conn_walk *w, struct conn_view *v)
{
	for (; w->shard < t->nshard; w->shard++, w->idx = 0) {
		const struct shard *q = &t->shard[w->shard];
		uint32_t lo = shm_load_acquire(&q->bump[0]);
		uint32_t hi = shm_load_acquire(&q->bump[1]);

		while (++w->idx < t->cap) {
			if (w->idx >= lo && w->idx <= hi) {
				w->idx = hi < t->cap ? hi : t->cap;
				continue;
			}
			if (conn_read(t, w->shard, w->idx, v) > 0)
				return true;
		}
	}
	return false;
}

uint64_t table_count(const struct table *t)
{
	uint64_t n = 0;
	uint32_t sh, count;

	/* a count that is damaged must not look like a full table */
	for (sh = 0; sh < t->nshard; sh++) {
		count = shm_load(&t->shard[sh].count);
		n += count < t->cap ? count : t->cap;
	}
	return n;
}

/* ops.c - insert, update, delete.  Theory and promises: ops.h. */
#include "shm/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shm/atomic.h"
#include "shm/hash.h"
#include "shm/tick.h"
#include "shm/told.h"
#include "shm/update.h"

/* A bucket is its main line and at most this many overflow lines: 75
 * connections, as the kernel's chain limit of 50 to 80 (F046). */
#define CHAIN_MAX 4u
/* memory of addr6[] and ext[] comes in steps */
#define ADDR6_STEP 2048u
#define EXT_STEP   512u

/*
 * What an operation notes in the record it reads again there, and so does
 * whoever finishes it.  A process that has run wild may have written over it
 * meanwhile; so no number is used as a place without a look at it, and what has
 * no place goes here.  Entry 0 of a shard is nobody's.
 */
static struct line nowhere_line;
static struct conn_ext nowhere_ext;

static inline struct line *line_at(const struct table *t, uint32_t sh,
                                   uint32_t li)
{
	return likely(li < t->nline) ? table_line(t, sh, li) : &nowhere_line;
}

static inline uint32_t *slot_at(const struct table *t, uint32_t sh,
                                uint32_t slot)
{
	uint32_t i = slot & 15;

	return &line_at(t, sh, slot >> 4)->slot[likely(i < LINE_SLOTS) ? i : 0];
}

static inline struct conn_ext *ext_at(const struct table *t, uint32_t sh,
                                      uint32_t ext)
{
	struct conn_ext *x = table_ext(t, sh, ext);

	return likely(x != NULL) ? x : &nowhere_ext;
}

static inline uint32_t index_at(const struct table *t, uint32_t idx)
{
	return likely(idx < t->cap) ? idx : 0;
}

uint32_t conn_find(struct table *t, const struct conn_lookup *k, uint32_t *slot,
                   uint64_t *searched)
{
	uint32_t tag = hash_tag(k->hash), li = hash_bucket(t, k->hash), hop;

	for (hop = 0; hop <= CHAIN_MAX; hop++) {
		const struct line *l = table_line(t, k->shard, li);
		uint32_t m;

		for (m = line_match(l, tag); m; m &= m - 1) {
			uint32_t i = (uint32_t)__builtin_ctz(m);
			uint32_t idx = shm_load(&l->slot[i]) & SLOT_IDX;

			if (!idx || idx >= t->cap)
				continue;
			if (conn_is(t, k, idx)) {
				if (slot)
					*slot = li << 4 | i;
				return idx;
			}
			if (searched)
				++*searched;
		}
		li = shm_load(&l->next);
		if (!li || li >= t->nline)
			break;
	}
	return 0;
}

/* ---- events ---- */

static void cell_fill(struct event_cell *r, struct table *t, uint32_t sh,
                      uint32_t idx, const struct op_event *ev, uint8_t ncell)
{
	const struct conn *c = table_conn(t, sh, idx);
	const struct conn_ext *x = table_ext(t, sh, c->ext);
	const struct shard *q = &t->shard[sh];

	r->id = conn_id(c->gen, sh, idx);
	r->ts_ns = ev->ts_ns;
	r->shard_seq = q->ev_seq + 1;
	r->ver = q->op_seq + 2;
	r->ordinal = t->ring[t->me].hdr->ordinal + 1;
	r->type = ev->type;
	r->cells = ncell;
	r->state = c->state;
	r->reason = ev->reason;
	r->bits = ev->bits;
	r->helper = x ? x->helper : 0;
	r->source = 0;
	r->key = c->key;
	if (c->key.flags & KEY_V6)
		r->addr6 = *table_addr6(t, sh, idx);
	else
		memset(&r->addr6, 0, sizeof(r->addr6));
	r->status = c->status;
	r->left_ms = ev->left_ms;
	r->mark = c->mark;
	r->start = c->start;
	r->len = (uint32_t)c->bytes[0];
	r->vlan = ev->vlan;
	r->iface = ev->iface;
	r->flags = ev->flags;
	r->gseq = 0;
}

static void more_fill(struct event_more *m, struct event_cell *r,
                      struct table *t, uint32_t sh, uint32_t idx,
                      const struct op_event *ev)
{
	const struct conn *c = table_conn(t, sh, idx);
	const struct conn_ext *x = table_ext(t, sh, c->ext);

	if (t->detail)
		m->detail = *table_detail(t, sh, idx);
	else
		memset(&m->detail, 0, sizeof(m->detail));
	memcpy(m->packets, c->packets, sizeof(m->packets));
	memcpy(m->bytes, c->bytes, sizeof(m->bytes));
	m->master = x ? x->master : 0;
	m->labels[0] = x ? x->labels[0] : 0;
	m->labels[1] = x ? x->labels[1] : 0;
	if (unlikely(ev->flags & EVENT_F_DELTA)) {
		const uint8_t *n = m->detail.repairs;

		r->len = (uint32_t)(n[0] + n[1] + n[2] + n[3]) |
		         (uint32_t)m->detail.dups << 16;
		m->detail.delta = ev->delta;
	}
}

/*
 * Fills the cells beyond the tail and notes in the op record where the tail
 * will be (promise D).  Nothing here is seen before the tail moves; consumers
 * that lag a whole ring behind see `intent` first.
 */
static void event_prepare(struct table *t, uint32_t sh, uint32_t idx,
                          const struct op_event *ev)
{
	struct event_ring *g = &t->ring[t->me];
	struct shard *q = &t->shard[sh];
	uint8_t n =
		ev->type != EVENT_NEW || table_conn(t, sh, idx)->ext ? 2 : 1;
	uint64_t tail = g->hdr->tail, at = tail, end, i;
	struct event_cell *r;

	if (n == 2 && (tail & g->mask) == g->mask)
		at++;
	end = at + n;
	shm_store(&g->hdr->intent, end);
	shm_wmb();
	for (i = tail; i < end; i++)
		shm_store(&g->cell[i & g->mask].seq, 0);
	shm_wmb();
	if (at != tail) {
		r = &g->cell[tail & g->mask];
		memset((char *)r + 8, 0, sizeof(*r) - 8);
		r->type = EVENT_PAD;
		r->cells = 1;
		shm_store_release(&r->seq, tail + 1);
	}
	r = &g->cell[at & g->mask];
	cell_fill(r, t, sh, idx, ev, n);
	if (n == 2) {
		struct event_more *m = (struct event_more *)(void *)&g
		                               ->cell[(at + 1) & g->mask];

		more_fill(m, r, t, sh, idx, ev);
		shm_store_release(&m->seq, EVENT_CONT | (at + 2));
	}
	shm_store_release(&r->seq, at + 1);
	q->op_ev = q->ev_seq + 1;
	q->op_ordinal = g->hdr->ordinal + 1;
	shm_store(&q->op_tail, end);
}

/* ---- the op record ---- */

static inline void insert_begin(struct table *t, uint32_t sh, uint32_t idx,
                                uint32_t ext)
{
	struct shard *q = &t->shard[sh];

	q->op_idx = idx;
	q->op_seq = table_conn(t, sh, idx)->seq;
	q->op_owner = (uint16_t)t->me;
	q->op_tail = 0;
	q->op_cnt = q->count;
	q->op_ext = ext;
	q->op_gen = table_conn(t, sh, idx)->gen;
	shm_store_release(&q->op, OP_INSERT);
}

static inline void op_cursor_note(struct shard *q, struct op_cursor cur)
{
	q->op_src = (uint16_t)cur.src;
	shm_store(&q->op_pkt, cur.pkt);
}

/* behind the tail of its family's list (FIFO: an id comes back late) */
static void index_push(struct table *t, uint32_t sh, uint32_t idx)
{
	struct shard *q = &t->shard[sh];
	struct conn *c = table_conn(t, sh, idx);
	unsigned int f = c->key.flags & KEY_V6 ? 1 : 0;
	uint32_t tail = index_at(t, shm_load(&q->free_tail[f]));

	if (!q->free_head[f]) {
		shm_store(&c->ext, 0);
		shm_store(&q->free_tail[f], idx);
		shm_store(&q->free_head[f], idx);
	} else if (tail != idx) {
		shm_store(&c->ext, 0);
		shm_store(&table_conn(t, sh, tail)->ext, idx);
		shm_store(&q->free_tail[f], idx);
	}
}

static void delete_finish(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx = index_at(t, shm_load(&q->op_idx));
	uint32_t ext = shm_load(&q->op_ext);

	shm_store_release(slot_at(t, sh, shm_load(&q->op_slot)), 0);
	if (q->op_line) {
		struct line *l = line_at(t, sh, shm_load(&q->op_line));
		struct line *prev = line_at(t, sh, shm_load(&q->op_prev));

		shm_store_release(&prev->next, 0);
		shm_store_release(&l->next, q->op_lnext);
		shm_store(&q->ovf_free, q->op_line);
	}
	if (ext) {
		shm_store_release(&ext_at(t, sh, ext)->next, q->op_enext);
		shm_store(&q->ext_free, ext);
	}
	shm_store(table_chk(t, sh, idx), 0);
	index_push(t, sh, idx);
	shm_store(&q->count, q->op_cnt - 1);
}

void op_finish(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t owner = shm_load(&q->op_owner), src = shm_load(&q->op_src);
	struct ring_header *h = owner < NRING ? t->ring[owner].hdr : NULL;

	if (q->op_tail && likely(h != NULL)) {
		shm_store_release(&h->tail, q->op_tail);
		shm_store(&h->ordinal, q->op_ordinal);
		shm_store_release(&q->ev_seq, q->op_ev);
	}
	if (q->op == OP_INSERT)
		shm_store(&q->count, q->op_cnt + 1);
	else if (q->op == OP_DELETE)
		delete_finish(t, sh);
	if (q->op_pkt && likely(h && src < NSOURCE))
		shm_store(&h->cursor[src], q->op_pkt);
	shm_store_release(&q->op, OP_IDLE);
}

/* An index that was taken goes back to the head, where it came from; an index
 * from the bump goes to the head of the list too. */
static void insert_undo_index(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx = index_at(t, shm_load(&q->op_idx));
	unsigned int f = q->op_from & 1;
	bool taken;

	if (q->op_from == FROM_BUMP4)
		taken = idx < q->bump[0];
	else if (q->op_from == FROM_BUMP6)
		taken = idx > q->bump[1];
	else
		taken = true;
	if (!taken || q->free_head[f] == idx)
		return;
	shm_store(&table_conn(t, sh, idx)->ext, q->free_head[f]);
	if (!q->free_head[f])
		shm_store(&q->free_tail[f], idx);
	shm_store(&q->free_head[f], idx);
}

/* a record that was taken goes back to where it came from */
static void ext_undo(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];

	if (!q->op_ext)
		return;
	if (q->op_enext == LINE_FROM_BUMP) {
		shm_store(&q->ext_bump, q->op_ext);
		return;
	}
	shm_store(&ext_at(t, sh, shm_load(&q->op_ext))->next, q->op_enext);
	shm_store(&q->ext_free, q->op_ext);
}

static void insert_undo(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx = index_at(t, shm_load(&q->op_idx));
	struct conn *c = table_conn(t, sh, idx);

	shm_store_release(slot_at(t, sh, shm_load(&q->op_slot)), 0);
	if (q->op_line) {
		struct line *l = line_at(t, sh, shm_load(&q->op_line));
		struct line *prev = line_at(t, sh, shm_load(&q->op_prev));

		shm_store_release(&prev->next, 0);
		if (q->op_lnext == LINE_FROM_BUMP) {
			shm_store(&q->ovf_bump, q->op_line);
		} else {
			shm_store(&l->next, q->op_lnext);
			shm_store(&q->ovf_free, q->op_line);
		}
	}
	ext_undo(t, sh);
	shm_store(table_chk(t, sh, idx), 0);
	if (c->seq == q->op_seq + 1) {
		/* the same packet, run again, makes the same id */
		shm_store(&c->gen, q->op_gen);
		shm_store(&c->status, 0);
	}
	insert_undo_index(t, sh);
}

void op_undo(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx = index_at(t, shm_load(&q->op_idx));
	struct conn *c = table_conn(t, sh, idx);

	if (q->op == OP_INSERT) {
		insert_undo(t, sh);
	} else if (c->seq == q->op_seq + 1) {
		if (q->op == OP_UPDATE)
			ext_undo(t, sh);
		undo_entry(t, sh, idx, undo_of(t, q));
	}
	if (c->seq == q->op_seq + 1)
		shm_store_release(&c->seq, q->op_seq + 4);
	shm_store_release(&q->op, OP_IDLE);
}

bool op_sane(const struct table *t, uint32_t sh)
{
	const struct shard *q = &t->shard[sh];
	uint32_t owner = shm_load(&q->op_owner);
	const struct ring_header *h = owner < NRING ? t->ring[owner].hdr : NULL;

	if (q->op > OP_DELETE || !h)
		return false;
	if (!q->op_idx || q->op_idx >= t->cap || q->op_src >= NSOURCE)
		return false;
	if (q->op_tail && (q->op_tail < h->tail || q->op_tail > h->tail + 3))
		return false;
	if (q->op_ext >= t->cap || (q->op_ext && q->op_enext >= t->cap &&
	                            q->op_enext != LINE_FROM_BUMP))
		return false;
	if (q->op == OP_UPDATE)
		return true;
	return q->op_slot >> 4 < t->nline && (q->op_slot & 15) < LINE_SLOTS &&
	       (!q->op_line ||
	        (q->op_line >= t->nbucket && q->op_line < t->nline &&
	         q->op_prev < t->nline &&
	         (q->op_lnext == LINE_FROM_BUMP || q->op_lnext < t->nline))) &&
	       q->free_head[0] < t->cap && q->free_head[1] < t->cap &&
	       q->free_tail[0] < t->cap && q->free_tail[1] < t->cap &&
	       q->op_from <= FROM_BUMP6;
}

/* ---- plans: read only but for the record, which nobody reads while idle ----
 */

/* first free slot of the chain, else a new line behind its end */
static bool slot_plan(struct table *t, uint32_t sh, uint32_t bucket)
{
	struct shard *q = &t->shard[sh];
	uint32_t li = bucket, hop, n, next;

	for (hop = 0;; hop++) {
		const struct line *l = table_line(t, sh, li);
		uint32_t m = line_free(l);

		if (likely(m)) {
			q->op_slot = li << 4 | (uint32_t)__builtin_ctz(m);
			q->op_line = 0;
			return true;
		}
		if (hop == CHAIN_MAX)
			return false;
		next = shm_load(&l->next);
		if (!next || next >= t->nline)
			break;
		li = next;
	}
	n = shm_load(&q->ovf_free);
	if (n >= t->nbucket && n < t->nline) {
		q->op_lnext = table_line(t, sh, n)->next;
	} else {
		n = shm_load(&q->ovf_bump);
		q->op_lnext = LINE_FROM_BUMP;
		if (n < t->nbucket || n >= t->nline)
			return false;
	}
	q->op_line = n;
	q->op_prev = li;
	q->op_slot = n << 4;
	return true;
}

/* the chain's last line is unlinked if this delete leaves it empty */
static void trim_plan(struct table *t, uint32_t sh, uint32_t bucket,
                      uint32_t slot)
{
	struct shard *q = &t->shard[sh];
	uint32_t li = bucket, prev = bucket, hop, i, next;
	const struct line *l = table_line(t, sh, li);

	q->op_line = 0;
	for (hop = 0; hop < CHAIN_MAX; hop++) {
		next = shm_load(&l->next);
		if (!next || next >= t->nline)
			break;
		prev = li;
		li = next;
		l = table_line(t, sh, li);
	}
	if (li == bucket)
		return;
	for (i = 0; i < LINE_SLOTS; i++)
		if (l->slot[i] && (li << 4 | i) != slot)
			return;
	q->op_line = li;
	q->op_prev = prev;
	q->op_lnext = q->ovf_free;
}

/*
 * Memory for the first `want` elements of a shard's part of an array that is
 * filled as it comes; false: there is none to be had.  A tmpfs that is full
 * says so here, not by SIGBUS.
 */
static bool array_room(struct table *t, uint32_t sh, uint64_t off, size_t size,
                       uint32_t want, uint32_t step, uint32_t *ready)
{
	uint32_t have;

	if (likely(want <= *ready))
		return true;
	have = (want + step - 1) / step * step;
	if (have > t->cap || t->sparse)
		have = t->cap;
	if (!t->sparse &&
	    (t->tbl_fd < 0 ||
	     posix_fallocate(t->tbl_fd,
	                     (off_t)(off + (uint64_t)sh * t->cap * size),
	                     (off_t)(have * size))))
		return false;
	shm_store(ready, have);
	return true;
}

static bool addr6_room(struct table *t, uint32_t sh, uint32_t idx)
{
	return array_room(t, sh, t->addr6_off, sizeof(struct addr6),
	                  t->cap - idx, ADDR6_STEP, &t->shard[sh].addr6_ready);
}

bool shard_room(struct table *t, uint32_t sh, uint32_t addr6, uint32_t ext)
{
	struct shard *q = &t->shard[sh];

	return array_room(t, sh, t->addr6_off, sizeof(struct addr6), addr6,
	                  ADDR6_STEP, &q->addr6_ready) &&
	       array_room(t, sh, t->ext_off, sizeof(struct conn_ext), ext,
	                  EXT_STEP, &q->ext_ready);
}

/* notes in the record which extension record is to be taken */
static bool ext_plan(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];
	uint32_t n = shm_load(&q->ext_free);

	if (n && n < t->cap) {
		q->op_enext = table_ext(t, sh, n)->next;
	} else {
		n = shm_load(&q->ext_bump);
		q->op_enext = LINE_FROM_BUMP;
		if (!n || n >= t->cap ||
		    !array_room(t, sh, t->ext_off, sizeof(struct conn_ext),
		                n + 1, EXT_STEP, &q->ext_ready))
			return false;
	}
	shm_store(&q->op_ext, n);
	return true;
}

/* own list, then the bump, then the other family's list; 0 = none left */
static uint32_t index_plan(struct table *t, uint32_t sh, unsigned int f)
{
	struct shard *q = &t->shard[sh];
	uint32_t idx;

	idx = shm_load(&q->free_head[f]);
	if (idx) {
		q->op_from = (uint16_t)(FROM_LIST4 + f);
	} else if (q->bump[0] <= q->bump[1]) {
		idx = shm_load(&q->bump[f]);
		q->op_from = (uint16_t)(FROM_BUMP4 + f);
	} else {
		idx = shm_load(&q->free_head[!f]);
		q->op_from = (uint16_t)(FROM_LIST4 + !f);
	}
	if (!idx || idx >= t->cap)
		return 0;
	if (f && !addr6_room(t, sh, idx))
		return 0;
	return idx;
}

uint64_t op_insert_id(struct table *t, const struct conn_lookup *k)
{
	uint32_t idx = index_plan(t, k->shard, k->key.flags & KEY_V6 ? 1 : 0);

	return idx ? conn_id(table_conn(t, k->shard, idx)->gen + 1, k->shard,
	                     idx)
	           : 0;
}

enum op_refusal op_insert_room(struct table *t, const struct conn_lookup *k)
{
	uint32_t sh = k->shard;

	if (!index_plan(t, sh, k->key.flags & KEY_V6 ? 1 : 0))
		return shard_full(&t->shard[sh]) ? OP_NO_INDEX : OP_NO_MEMORY;
	if (!slot_plan(t, sh, hash_bucket(t, k->hash)))
		return OP_CHAIN_FULL;
	return ext_plan(t, sh) ? OP_DONE : OP_NO_MEMORY;
}

/* ---- operations ---- */

static void index_take(struct table *t, uint32_t sh, uint32_t idx)
{
	struct shard *q = &t->shard[sh];

	switch (q->op_from) {
	case FROM_BUMP4:
		shm_store(&q->bump[0], idx + 1);
		break;
	case FROM_BUMP6:
		shm_store(&q->bump[1], idx - 1);
		break;
	default:
		shm_store(&q->free_head[q->op_from & 1],
		          table_conn(t, sh, idx)->ext);
	}
}

/* the record that ext_plan() noted */
static void ext_take(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];

	if (q->op_enext == LINE_FROM_BUMP)
		shm_store(&q->ext_bump, q->op_ext + 1);
	else
		shm_store(&q->ext_free, q->op_enext);
}

static void line_link(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];

	memset(line_at(t, sh, shm_load(&q->op_line)), 0, sizeof(struct line));
	shm_wmb();
	if (q->op_lnext == LINE_FROM_BUMP)
		shm_store(&q->ovf_bump, q->op_line + 1);
	else
		shm_store(&q->ovf_free, q->op_lnext);
	shm_store_release(&line_at(t, sh, shm_load(&q->op_prev))->next,
	                  q->op_line);
}

uint32_t op_insert(struct table *t, const struct conn_lookup *k,
                   const struct conn *init, const struct conn_detail *x,
                   const struct conn_ext *ext, const struct op_event *ev,
                   struct op_cursor cur, enum op_refusal *why)
{
	uint32_t sh = k->shard, idx, xi = 0;
	struct shard *q = &t->shard[sh];
	struct conn *c;

	idx = index_plan(t, sh, k->key.flags & KEY_V6 ? 1 : 0);
	if (!idx) {
		*why = shard_full(q) ? OP_NO_INDEX : OP_NO_MEMORY;
		return 0;
	}
	if (!slot_plan(t, sh, hash_bucket(t, k->hash))) {
		*why = OP_CHAIN_FULL;
		return 0;
	}
	if (unlikely(ext) && !ext_plan(t, sh)) {
		*why = OP_NO_MEMORY;
		return 0;
	}
	*why = OP_DONE;
	if (unlikely(ext))
		xi = shm_load(&q->op_ext);
	c = table_conn(t, sh, idx);
	insert_begin(t, sh, idx, xi);
	index_take(t, sh, idx);
	window_open(c);
	c->gen++;
	c->key = k->key;
	if (k->key.flags & KEY_V6)
		*table_addr6(t, sh, idx) = k->addr6;
	memcpy((char *)c + CONN_UNDO_FROM, (const char *)init + CONN_UNDO_FROM,
	       CONN_UNDO_LEN);
	c->status |= CONN_LIVE;
	c->ext = xi;
	if (unlikely(ext)) {
		ext_take(t, sh);
		*ext_at(t, sh, xi) = *ext;
	}
	if (t->detail && x)
		*table_detail(t, sh, idx) = *x;
	else if (t->detail)
		memset(table_detail(t, sh, idx), 0, sizeof(*x));
	shm_store(table_chk(t, sh, idx), told_chk(t, c, c->start));
	if (q->op_line)
		line_link(t, sh);
	shm_store_release(slot_at(t, sh, shm_load(&q->op_slot)),
	                  hash_tag(k->hash) | idx);
	if (ev && ev->type)
		event_prepare(t, sh, idx, ev);
	op_cursor_note(q, cur);
	shm_store_release(&c->seq, c->seq + 1); /* commit */
	op_finish(t, sh);
	return idx;
}

void op_update_begin(struct table *t, uint32_t sh, uint32_t idx)
{
	struct spot s = spot_of(t, sh, idx);

	update_open(t, &s, true);
}

struct conn_ext *op_update_ext(struct table *t, uint32_t sh, uint32_t idx)
{
	struct conn *c = table_conn(t, sh, idx);
	struct conn_ext *x = table_ext(t, sh, c->ext);

	if (x)
		return x;
	if (!ext_plan(t, sh))
		return NULL;
	x = ext_at(t, sh, shm_load(&t->shard[sh].op_ext));
	ext_take(t, sh);
	memset(x, 0, sizeof(*x));
	shm_store_release(&c->ext, t->shard[sh].op_ext);
	return x;
}

void op_update_commit(struct table *t, uint32_t sh, uint32_t idx,
                      const struct op_event *ev, struct op_cursor cur)
{
	struct spot s = spot_of(t, sh, idx);

	if (!ev || !ev->type) {
		update_close(t, &s, cur);
		return;
	}
	update_chk(t, &s);
	event_prepare(t, sh, idx, ev);
	op_cursor_note(s.q, cur);
	shm_store_release(&s.c->seq, s.c->seq + 1); /* commit */
	op_finish(t, sh);
}

void op_delete_commit(struct table *t, uint32_t sh, uint32_t idx, uint32_t slot,
                      const struct op_event *ev, struct op_cursor cur)
{
	struct shard *q = &t->shard[sh];
	struct conn *c = table_conn(t, sh, idx);
	uint64_t h = hash_key(t->key.hash, &c->key, table_addr6(t, sh, idx));
	uint32_t ext;

	/* plan, then turn the update under way into a delete: both are taken
	 * back by the same undo image */
	q->op_slot = slot;
	q->op_cnt = q->count;
	trim_plan(t, sh, hash_bucket(t, h), slot);
	if (unlikely(q->op_ext)) {
		/* taken in this very window: give it back while an undo would
		 */
		ext_undo(t, sh);
		shm_store(&c->ext, 0);
		shm_store(&q->op_ext, 0);
	}
	shm_store_release(&q->op, OP_DELETE);
	/* only now: an update that is taken back gives op_ext back too */
	ext = shm_load(&c->ext);
	if (unlikely(table_ext(t, sh, ext))) {
		q->op_enext = q->ext_free;
		shm_store(&q->op_ext, ext);
	}
	if (ev && ev->type)
		event_prepare(t, sh, idx, ev);
	op_cursor_note(q, cur);
	shm_store(&c->status, 0);
	shm_store_release(&c->seq, c->seq + 1); /* commit */
	op_finish(t, sh);
}

void op_cursor_set(struct table *t, struct op_cursor cur)
{
	if (cur.pkt)
		shm_store(&t->ring[t->me].hdr->cursor[cur.src], cur.pkt);
}

/* traffic.c - see traffic.h */
#include "tests/lib/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/budget.h"
#include "shm/check.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/update.h"
#include "tests/lib/keys.h"

/* `max` of the budget: portions of two connections */
#define BUDGET_MAX      8192u
#define TRAFFIC_LASTING 3u

struct table *traffic_table(bool detail, uint32_t cells)
{
	struct table *t = table_make(1, detail, cells);

	if (!t)
		return NULL;
	/* private copies: everybody here keeps to two shards */
	t->nshard = IMAGE_SHARDS;
	t->max = BUDGET_MAX;
	return t;
}

void traffic_init(struct traffic *tr, const struct table *t, uint64_t seed)
{
	uint32_t i;

	memset(tr, 0, sizeof(*tr));
	tr->seed = seed;
	tr->nkey = TRAFFIC_KEYS;
	for (i = 0; i < TRAFFIC_KEYS; i++) {
		bool v6 = i % 5 < 2;
		uint8_t sh = i & 1;

		/* most in one bucket, for overflow lines */
		tr->key[i] = i % 7 < 5 ? key_in_bucket(t, i, v6, sh, sh)
		                       : key_make(t, i, v6, sh);
	}
}

/* ---- packets ---- */

struct packet {
	const struct traffic *tr;
	struct table *t;
	const struct conn_lookup *k;
	uint64_t n, r; /* number, noise */
	struct counters cs;
	void (*after)(void *);
	void *arg;
};

static struct op_cursor packet_cursor(const struct packet *p)
{
	return (struct op_cursor){.pkt = p->n, .src = (uint32_t)(p->n & 1)};
}

static const struct op_cursor more_follows;

static void packet_event(const struct packet *p, uint8_t type,
                         struct op_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->type = type;
	ev->reason = type == EVENT_DESTROY ? REASON_API : REASON_NONE;
	ev->flags = EVENT_F_ACCT;
	ev->bits = (uint16_t)(p->r >> 9);
	ev->vlan = (uint16_t)(p->r >> 21 & 0xfff);
	ev->iface = (uint8_t)(p->r >> 33);
	ev->left_ms = (uint32_t)(p->r >> 11);
	ev->ts_ns = p->n * 1000 + 1;
}

/* what a tracker does: many fields of both lines, in no special order */
static void entry_write(struct conn *c, struct conn_detail *x, uint64_t r,
                        bool first)
{
	unsigned int dir = first ? 0 : r >> 50 & 1, i;

	c->packets[dir]++;
	c->bytes[dir] += 40 + (r & 0x3ff);
	c->deadline = (uint32_t)(1 + (r >> 13 & 0xffff));
	for (i = 0; i < CONN_PRIV; i++)
		c->priv[i] = (uint8_t)(r >> i % 56);
	c->state = (uint8_t)(r >> 17 & 15);
	c->mark ^= (uint32_t)(r >> 20);
	c->status |= 1u << (r >> 41 & 3);
	if (first)
		c->start = c->deadline;
	if (!x)
		return;
	x->last_ns = r;
	x->rtt_us[dir] += (uint32_t)r;
	x->dup[r >> 3 & 3]++;
	x->hole_at[dir] = (uint16_t)(r >> 5);
}

static void ext_write(struct conn_ext *x, uint64_t r)
{
	x->labels[r >> 3 & 1] ^= r * 5;
	x->master = r * 3;
	x->untold = (uint16_t)(r >> 9);
	x->helper = (uint8_t)(r >> 7);
	memset(x->priv, (int)(r >> 11), sizeof(x->priv) / 2);
}

/* an update may give an entry an extension record, or write the one it has */
static void update_ext(struct packet *p, uint32_t sh, uint32_t idx)
{
	struct conn_ext *x;

	if (p->r >> 37 & 3)
		return;
	x = op_update_ext(p->t, sh, idx);
	if (x)
		ext_write(x, p->r);
}

/* opens the window and writes: all, or what a pre-image without the whole
 * detail line is enough for */
static struct spot packet_write(struct packet *p, uint32_t sh, uint32_t idx,
                                uint64_t r)
{
	struct spot s = spot_of(p->t, sh, idx);
	bool whole = p->r >> 47 & 1, late = p->r >> 46 & 1;

	if (whole)
		op_update_begin(p->t, sh, idx);
	else
		update_open(p->t, &s, false);
	if (late && s.x)
		update_whole(&s);
	entry_write(s.c, whole || late ? s.x : NULL, r, false);
	if (p->tr->lasting || !(p->r >> 52 & 3)) { /* told of */
		update_told(p->t, sh, idx);
		table_told(p->t, sh, idx)->bytes[r & 1] = r;
		table_told(p->t, sh, idx)->at = (uint32_t)r;
		s.c->status |= CONN_TOLD;
	}
	if (s.x) {
		s.x->last_ns = r;
		s.x->rate[r & 1] += (uint32_t)r;
	}
	update_ext(p, sh, idx);
	return s;
}

static bool packet_insert(struct packet *p, struct op_cursor cur)
{
	struct conn init;
	struct conn_detail x;
	struct conn_ext ext;
	struct op_event ev;
	enum op_refusal why;

	memset(&init, 0, sizeof(init));
	memset(&x, 0, sizeof(x));
	entry_write(&init, &x, p->r, true);
	x.start_ns = p->n;
	memset(&ext, 0, sizeof(ext));
	ext_write(&ext, p->r);
	packet_event(p, p->r >> 45 & 7 ? EVENT_NEW : EVENT_PAD, &ev);
	if (!op_insert(p->t, p->k, &init, &x, p->r >> 35 & 1 ? &ext : NULL, &ev,
	               cur, &why))
		return false;
	return true;
}

static void packet_delete(struct packet *p, const struct conn_lookup *k,
                          struct op_cursor cur)
{
	uint32_t slot, idx = conn_find(p->t, k, &slot, NULL);
	struct op_event ev;

	packet_event(p, p->r >> 45 & 3 ? EVENT_DESTROY : EVENT_PAD, &ev);
	packet_write(p, k->shard, idx, p->r * 3);
	op_delete_commit(p->t, k->shard, idx, slot, &ev, cur);
	budget_give(p->t, 0);
}

static void packet_update(struct packet *p, uint32_t idx)
{
	struct op_event ev;
	struct spot s;

	packet_event(p, p->r >> 45 & 1 ? EVENT_UPDATE : EVENT_PAD, &ev);
	s = packet_write(p, p->k->shard, idx, p->r);
	if (ev.type)
		op_update_commit(p->t, p->k->shard, idx, &ev, packet_cursor(p));
	else
		update_close(p->t, &s, packet_cursor(p));
}

static void packet_counters(struct packet *p, uint32_t counter)
{
	counters_add(&p->cs, CTR_FRAMES, 1);
	counters_add(&p->cs, counter, (uint32_t)(p->r & 3));
	counters_prepare(p->t, &p->cs, p->n, (uint32_t)(p->n & 1));
}

static void packet_ends(struct packet *p)
{
	counters_commit(p->t);
	p->after(p->arg);
}

/* no room: some other connection of the shard goes first, or nothing does */
static bool packet_victim(struct packet *p)
{
	uint32_t i, n = p->tr->nkey;

	for (i = 0; i < n; i++) {
		const struct conn_lookup *v =
			&p->tr->key[(i + (p->r >> 8) % n) % n];

		if (v->shard == p->k->shard && v != p->k &&
		    conn_find(p->t, v, NULL, NULL)) {
			packet_delete(p, v, more_follows);
			p->after(p->arg);
			return true;
		}
	}
	return false;
}

static void packet_new(struct packet *p)
{
	if (!budget_take(p->t, 0)) {
		packet_counters(p, CTR_DROP);
		op_cursor_set(p->t, packet_cursor(p));
		return;
	}
	packet_counters(p, CTR_INSERT);
	if (packet_insert(p, packet_cursor(p)))
		return;
	if (p->r >> 55 & 1 && packet_victim(p) &&
	    packet_insert(p, packet_cursor(p)))
		return;
	budget_give(p->t, 0);
	op_cursor_set(p->t, packet_cursor(p));
}

/* a reopened connection: two operations, the cursor moves with the second */
static void packet_reopen(struct packet *p)
{
	packet_delete(p, p->k, more_follows);
	p->after(p->arg);
	packet_new(p);
}

/* batches of counters: whole ones, such as end early, such as leave holes */
static void traffic_window(struct table *t, uint64_t n, uint64_t r)
{
	if (n % 16 == 1)
		counters_open(t, n + (r >> 24 & 1) * 6);
	else if (n % 16 == 13)
		counters_close(t);
}

void traffic_packet(const struct traffic *tr, struct table *t, uint64_t n,
                    void (*after)(void *), void *arg)
{
	struct packet p = {
		.tr = tr, .t = t, .n = n, .after = after, .arg = arg};
	uint32_t i, idx, act, many;

	p.r = noise(n + tr->seed * 1000003);
	i = (uint32_t)(noise(p.r) % tr->nkey);
	if (tr->alternate)
		i = (i & ~1u) | (n & 1);
	if (tr->lasting)
		i %= TRAFFIC_LASTING;
	/* the table fills and empties again */
	many = tr->alternate || tr->lasting ? 1 : (n / 64) & 1 ? 11 : 3;
	act = (uint32_t)(p.r >> 58) % 16;
	p.k = &tr->key[i];
	traffic_window(t, n, p.r);
	shard_lock(t, p.k->shard);
	idx = conn_find(t, p.k, NULL, NULL);
	if (!idx) {
		packet_new(&p);
	} else if (act < many - 1) {
		packet_counters(&p, CTR_DELETE);
		packet_delete(&p, p.k, packet_cursor(&p));
	} else if (act < many) {
		packet_reopen(&p);
	} else {
		packet_counters(&p, CTR_FOUND);
		packet_update(&p, idx);
	}
	packet_ends(&p);
	shard_unlock(t, p.k->shard);
}

uint64_t traffic_cursor(const struct table *t)
{
	const uint64_t *c = t->ring[0].hdr->cursor;

	return c[0] > c[1] ? c[0] : c[1];
}

/* ---- views ---- */

static uint64_t bytes_hash(uint64_t h, const void *p, size_t len)
{
	const char *b = p;
	uint64_t w;

	for (; len >= 8; len -= 8, b += 8) {
		memcpy(&w, b, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	w = 0;
	memcpy(&w, b, len);
	return noise(h ^ w);
}

/* what was told of it, as whoever repairs would find it */
static const struct conn_told *told_seen(const struct table *t, uint32_t sh,
                                         uint32_t idx)
{
	const struct shard *q = &t->shard[sh];
	const struct undo *u = undo_of(t, q);

	if (q->op != OP_IDLE && q->op_idx == idx && u &&
	    table_conn(t, sh, idx)->seq == q->op_seq + 1 &&
	    u->whole & UNDO_TOLD)
		return &u->told;
	return table_told(t, sh, idx);
}

static void view_add(struct view *v, const struct table *t,
                     const struct conn_view *c, bool ids)
{
	uint64_t h = bytes_hash(1, &c->conn.key, sizeof(c->conn.key));
	struct conn e = c->conn;
	struct conn_ext x;

	/* what the record says counts, not which one it is */
	if (e.ext) {
		x = c->ext;
		x.next = 1;
		h = bytes_hash(h, &x, sizeof(x));
	}
	e.ext = 0;
	h = bytes_hash(h, (const char *)&e + CONN_UNDO_FROM, CONN_UNDO_LEN);
	if (t->detail)
		h = bytes_hash(h, &c->detail, sizeof(c->detail));
	if (c->conn.key.flags & KEY_V6)
		h = bytes_hash(h, &c->addr6, sizeof(c->addr6));
	if (e.status & CONN_TOLD)
		h = bytes_hash(h, told_seen(t, c->shard, c->idx),
		               sizeof(struct conn_told));
	if (ids)
		h = noise(h ^ conn_id(c->conn.gen, c->shard, c->idx));
	v->sum += h;
	v->n++;
}

struct view view_by_key(const struct traffic *tr, const struct table *t,
                        bool ids)
{
	struct view v = {0};
	struct conn_view c;
	uint32_t i;

	for (i = 0; i < tr->nkey; i++) {
		int r = conn_lookup(t, &tr->key[i], &c);

		if (r > 0)
			view_add(&v, t, &c, ids);
		v.bad += r < 0;
	}
	return v;
}

struct view view_by_slab(const struct table *t, bool ids)
{
	struct view v = {0};
	struct conn_view c;
	struct conn_walk w = {0, 0};

	while (conn_walk(t, &w, &c))
		view_add(&v, t, &c, ids);
	return v;
}

bool view_equal(struct view a, struct view b)
{
	return a.sum == b.sum && a.n == b.n && !a.bad && !b.bad;
}

/* ---- the model ---- */

static uint64_t cell_hash(const struct event_ring *g, uint64_t at)
{
	return bytes_hash(2, &g->cell[at & g->mask], sizeof(*g->cell));
}

/* with what is counted and not yet added up */
static uint64_t counters_hash(const struct ring_header *h)
{
	uint64_t sum[STATS_SLOTS], pkt;
	uint32_t i, c;

	memcpy(sum, h->counter, sizeof(sum));
	for (i = 0; h->count_last && i < NCOUNT; i++) {
		pkt = h->count_last - i;
		for (c = 0; pkt <= h->cursor[0] && c < CTR_COUNT; c++)
			sum[c] += h->count[i] >> c & 1;
	}
	return bytes_hash(3, sum, sizeof(sum));
}

static struct snap snap_take(const struct traffic *tr, const struct table *t)
{
	const struct ring_header *h = t->ring[0].hdr;
	struct snap s;
	uint32_t sh;

	memset(&s, 0, sizeof(s));
	s.tail = h->tail;
	s.ordinal = h->ordinal;
	s.cursor[0] = h->cursor[0];
	s.cursor[1] = h->cursor[1];
	s.counters = counters_hash(h);
	for (sh = 0; sh < IMAGE_SHARDS; sh++) {
		s.ev[sh] = t->shard[sh].ev_seq;
		s.count[sh] = t->shard[sh].count;
	}
	s.view = view_by_key(tr, t, true);
	return s;
}

static bool snap_equal(const struct snap *a, const struct snap *b)
{
	return a->tail == b->tail && a->ordinal == b->ordinal &&
	       a->counters == b->counters &&
	       !memcmp(a->cursor, b->cursor, sizeof(a->cursor)) &&
	       !memcmp(a->ev, b->ev, sizeof(a->ev)) &&
	       !memcmp(a->count, b->count, sizeof(a->count)) &&
	       view_equal(a->view, b->view);
}

static void model_note(void *arg)
{
	struct model *m = arg;
	uint64_t at = m->snap[m->nstep].tail;
	const struct event_ring *g = &m->t->ring[0];

	if (m->nstep + 1 >= m->room)
		abort();
	m->snap[++m->nstep] = snap_take(m->tr, m->t);
	for (; at < g->hdr->tail; at++)
		m->cell[at - m->snap[0].tail] = cell_hash(g, at);
}

int model_make(struct model *m, struct traffic *tr, struct table *t,
               uint64_t first, uint64_t last)
{
	uint64_t n;

	m->tr = tr;
	m->t = t;
	m->nstep = 0;
	m->room = (last - first + 1) * 2 + 2;
	m->snap = calloc(m->room, sizeof(*m->snap));
	m->cell = calloc(m->room * 3, sizeof(*m->cell));
	if (!m->snap || !m->cell)
		return -1;
	m->snap[0] = snap_take(tr, t);
	for (n = first; n <= last; n++)
		traffic_packet(tr, t, n, model_note, m);
	return 0;
}

void model_free(struct model *m)
{
	free(m->snap);
	free(m->cell);
}

/* Published cells are those of the model, and a consumer that lands anywhere
 * can tell first cells from second ones. */
static const char *cells_bad(const struct model *m, const struct table *t)
{
	const struct event_ring *g = &t->ring[0];
	uint64_t at = g->hdr->intent, lo = m->snap[0].tail;
	bool second = false, known = false;

	at = at > g->mask + 1ull ? at - g->mask - 1 : 0;
	for (; at < g->hdr->tail; at++) {
		const struct event_cell *r = &g->cell[at & g->mask];
		bool cont = r->seq & EVENT_CONT;

		if ((r->seq & ~EVENT_CONT) != at + 1)
			return "cell number";
		if (at >= lo && cell_hash(g, at) != m->cell[at - lo])
			return "cell";
		if (known && cont != second)
			return "second cell";
		known = true;
		second = !cont && r->cells == 2;
		if (second && (at & g->mask) == g->mask)
			return "record across the ring's end";
	}
	return second ? "half a record" : NULL;
}

const char *model_raw(const struct model *m, const struct table *t, uint64_t k,
                      struct view *seen)
{
	struct view slab = view_by_slab(t, true);
	uint64_t tail = t->ring[0].hdr->tail;
	const char *bad = cells_bad(m, t);

	*seen = view_by_key(m->tr, t, true);
	if (!view_equal(slab, *seen))
		return "look-ups and walk differ";
	if (bad)
		return bad;
	if (tail != m->snap[k].tail &&
	    !(k < m->nstep && tail == m->snap[k + 1].tail))
		return "tail inside a record";
	if (view_equal(*seen, m->snap[k].view) ||
	    (k < m->nstep && view_equal(*seen, m->snap[k + 1].view)))
		return NULL;
	return "neither before nor after";
}

static const char *snap_differs(const struct snap *a, const struct snap *b)
{
	if (!view_equal(a->view, b->view))
		return "table";
	if (memcmp(a->count, b->count, sizeof(a->count)))
		return "count";
	if (a->tail != b->tail || a->ordinal != b->ordinal ||
	    memcmp(a->ev, b->ev, sizeof(a->ev)))
		return "ring or event number";
	if (memcmp(a->cursor, b->cursor, sizeof(a->cursor)))
		return "cursor";
	return "counters";
}

/* an odd seq must not become a number that a reader has seen before, an even
 * one must stay; and nobody is to look after an entry that is free */
static const char *entries_bad(const struct table *raw, const struct table *t)
{
	uint32_t sh, i;

	for (sh = 0; sh < IMAGE_SHARDS; sh++)
		for (i = 1; i < t->cap; i++) {
			uint32_t a = table_conn(raw, sh, i)->seq;
			const struct conn *c = table_conn(t, sh, i);

			if (a & 1 ? (int32_t)(c->seq - a) <= 0 : a != c->seq)
				return "seq";
			if (!(c->status & CONN_LIVE) && *table_chk(t, sh, i))
				return "chk of a free entry";
		}
	return NULL;
}

/* Drawn from the budget and neither in the table nor in a worker's hand: a
 * death may mislay one portion, never make one. */
static bool budget_bad(const struct table *t)
{
	uint64_t drawn = t->hdr->budget;
	uint64_t held = t->ring[0].hdr->credit + t->ring[1].hdr->credit +
	                table_count(t);

	return drawn < held || drawn > held + 2;
}

const char *model_repaired(const struct model *m, const struct table *raw,
                           const struct table *t, uint64_t k, struct view seen)
{
	struct snap s = snap_take(m->tr, t);
	const char *bad;
	uint32_t sh;

	for (sh = 0; sh < IMAGE_SHARDS; sh++) {
		if (shard_check(t, sh, NULL, NULL, NULL))
			return "shard_check";
		if (t->shard[sh].lock)
			return "lock";
		if (t->shard[sh].damaged)
			return "called damaged";
	}
	if (rings_check(t, NULL, NULL))
		return "rings_check";
	if (!snap_equal(&s, &m->snap[k]) &&
	    (k >= m->nstep || !snap_equal(&s, &m->snap[k + 1])))
		return snap_differs(
			&s,
			&m->snap[view_equal(s.view, m->snap[k].view) ? k
		                                                     : k + 1]);
	if (!view_equal(s.view, seen))
		return "repair changed what readers saw";
	if (!view_equal(s.view, view_by_slab(t, true)))
		return "walk";
	bad = cells_bad(m, t);
	if (bad)
		return bad;
	bad = entries_bad(raw, t);
	if (bad)
		return bad;
	if (budget_bad(t))
		return "budget";
	return t->ring[0].hdr->pend_cursor ? "pend" : NULL;
}

void takeover(struct table *t, uint32_t by)
{
	uint32_t sh;

	image_kill(t, 0);
	if (by) {
		if (table_proc(t, by)->token)
			image_kill(t, by);
		if (proc_attach(t, by, 0))
			abort();
		for (sh = 0; sh < t->nshard; sh++) {
			shard_lock(t, sh);
			shard_unlock(t, sh);
		}
		proc_detach(t);
	}
	if (proc_attach(t, 0, 0))
		abort();
}

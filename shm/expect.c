/* expect.c - see expect.h. */
#include "shm/expect_in.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"

/* actions of one packet that are told apart */
#define ACTIONS 250u

void expect_lock(struct table *t)
{
	if (t->expect_depth++)
		return;
	t->expect->me = t->me;
	t->expect->word = t->word;
	t->expect->key = t->key;
	shard_lock(t->expect, 0);
}

void expect_unlock(struct table *t)
{
	if (!--t->expect_depth)
		shard_unlock(t->expect, 0);
}

/* ---- entries ---- */

void expect_dst_lookup(const struct table *t, bool v6, const uint64_t dst[2],
                       uint16_t dport, uint8_t l4proto, uint16_t zone,
                       struct conn_lookup *k)
{
	memset(k, 0, sizeof(*k));
	k->key.l4proto = l4proto;
	k->key.zone = zone;
	k->key.port[0] = dport;
	if (v6) {
		k->key.flags = KEY_V6;
		memcpy(k->addr6.a[0], dst, sizeof(k->addr6.a[0]));
		k->key.addr[0] = hash_fold(t->key.steer, dst);
	} else {
		memcpy(&k->key.addr[0], dst, sizeof(k->key.addr[0]));
	}
	k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
}

static void expect_of(const struct expect_info *info, const struct conn *c,
                      const struct addr6 *a6, struct expect *e)
{
	e->info = *info;
	e->master = c->packets[0];
	e->v6 = c->key.flags & KEY_V6;
	e->dst[0] = e->dst[1] = 0;
	if (e->v6)
		memcpy(e->dst, a6->a[0], sizeof(e->dst));
	else
		memcpy(e->dst, &c->key.addr[0], sizeof(c->key.addr[0]));
	e->dport = c->key.port[0];
	e->zone = c->key.zone;
	e->l4proto = c->key.l4proto;
	e->deadline = c->deadline;
}

void expect_read_at(const struct table *t, uint32_t idx, struct expect *e)
{
	const struct conn *c = entry_at(t, idx);

	expect_of(info_at(t, idx), c, table_addr6(t->expect, 0, idx), e);
	e->id = conn_id(c->gen, 0, idx);
}

/* ---- walks: chains by destination, hints by master ---- */

struct chain expect_chain_of(const struct table *t, const struct conn_lookup *k)
{
	return (struct chain){.li = hash_bucket(t->expect, k->hash),
	                      .tag = hash_tag(k->hash)};
}

/* next entry with this key, 0 = end; `slot` may be NULL */
uint32_t expect_chain_next(const struct table *t, const struct conn_lookup *k,
                           struct chain *w, uint32_t *slot)
{
	const struct table *x = t->expect;

	for (; w->hop < 64; w->hop++, w->i = 0) {
		const struct line *l = table_line(x, 0, w->li);

		while (w->i < LINE_SLOTS) {
			uint32_t i = w->i++,
				 word = shm_load_acquire(&l->slot[i]);
			uint32_t idx = word & SLOT_IDX;

			if ((word & SLOT_TAG) != w->tag || !idx ||
			    idx >= x->cap ||
			    !key_equal(&entry_at(t, idx)->key, &k->key) ||
			    (k->key.flags & KEY_V6 &&
			     memcmp(table_addr6(x, 0, idx), &k->addr6,
			            sizeof(k->addr6)) != 0))
				continue;
			if (slot)
				*slot = w->li << 4 | i;
			return idx;
		}
		w->li = shm_load_acquire(&l->next);
		if (!w->li || w->li >= x->nline)
			return 0;
	}
	return 0;
}

/* next live entry of a master behind `idx`, 0 = end */
uint32_t expect_master_next(const struct table *t, uint64_t master,
                            uint32_t idx)
{
	const struct shard *q = t->expect->shard;
	uint32_t hint = expect_master_hint(master), gap;

	while (++idx < t->expect->cap) {
		gap = shard_gap(t->expect, q, idx);
		if (gap) {
			idx = gap;
			continue;
		}
		if ((t->expect_tag[idx] & EXPECT_HINT_MASTER) == hint &&
		    entry_live(t, idx) &&
		    entry_at(t, idx)->packets[0] == master)
			return idx;
	}
	return 0;
}

uint32_t expect_master_older(const struct table *t, uint64_t master,
                             struct age *a)
{
	uint32_t idx = 0, best = 0;

	/* numbers that somebody made up may go round in a circle */
	if (++a->turns > t->expect->cap)
		return 0;
	while ((idx = expect_master_next(t, master, idx))) {
		uint32_t serial = info_at(t, idx)->serial;

		if ((!a->begun || (int32_t)(serial - a->serial) < 0) &&
		    (!best || (int32_t)(serial - info_at(t, best)->serial) > 0))
			best = idx;
	}
	a->begun = true;
	if (best)
		a->serial = info_at(t, best)->serial;
	return best;
}

/* ---- operations ---- */

struct op_cursor expect_cursor_step(const struct table *t)
{
	struct op_cursor c = {t->ring[t->me].hdr->cursor[SOURCE_OPS] + 1,
	                      SOURCE_OPS};

	return c;
}

/* a packet, as the cursor of actions has it: numbers are by source */
static uint64_t action_pkt(const struct expect_by *by)
{
	return by->pkt << 4 | (by->src & 0xf);
}

/* the cursor that an action's last operation moves */
static struct op_cursor cursor_action(const struct expect_by *by)
{
	struct op_cursor c = {action_pkt(by) << 8 | by->act, SOURCE_EXPECT};

	return c;
}

/* Has this action of this packet been done, before a kill?  Every one has a
 * number, also if there is nothing to do: next time there may be. */
bool expect_action_done(const struct table *t, struct expect_by *by,
                        uint8_t *was)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint64_t at = h->cursor[SOURCE_EXPECT];

	if (by->act < ACTIONS)
		by->act++;
	if (at >> 8 == action_pkt(by) && (at & 0xff) >= by->act) {
		*was = shm_load(&h->acted[by->act]);
		return true;
	}
	shm_store(&h->acted[by->act], 0);
	return false;
}

/* an action that ends without an operation that could tell */
void expect_action_close(struct table *t, const struct expect_by *by,
                         uint8_t was)
{
	shm_store(&t->ring[t->me].hdr->acted[by->act], was);
	op_cursor_set(t, cursor_action(by));
}

static uint8_t acted(unsigned int n)
{
	return (uint8_t)(n < 255 ? n : 255);
}

void expect_entry_end(struct table *t, uint32_t idx, uint64_t ts_ns,
                      uint32_t now, bool tell, struct op_cursor cur)
{
	struct table *x = t->expect;
	const struct conn *c = entry_at(t, idx);
	int64_t left = tick_left(c->deadline, now);
	struct op_event ev = {.ts_ns = ts_ns,
	                      .left_ms = left > 0 ? (uint32_t)left : 0};
	struct conn_lookup k;
	struct counters cs = {0};
	struct chain w;
	uint32_t slot, at;

	k.key = c->key;
	k.addr6 = *table_addr6(x, 0, idx);
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	w = expect_chain_of(t, &k);
	do
		at = expect_chain_next(t, &k, &w, &slot);
	while (at && at != idx);
	if (!at)
		return;
	if (!(info_at(t, idx)->flags & EXPECT_HIDDEN)) {
		counters_add(&cs, CTR_EXPECT_DELETE, 1);
		if (tell)
			ev.type = EVENT_EXP_DESTROY;
	}
	op_update_begin(x, 0, idx);
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_delete_commit(x, 0, idx, slot, &ev, cur);
	counters_commit(t);
}

#define MAKER_PKT ((1ull << 48) - 1)

static uint64_t maker_of(const struct table *t, const struct expect_by *by)
{
	return (uint64_t)t->me << 56 | (uint64_t)(by->src & 0xf) << 48 |
	       (by->pkt & MAKER_PKT);
}

/* Is the packet done that made it?  One that was cut short runs again, and may
 * be about to make the master, too. */
bool expect_maker_done(const struct table *t, uint64_t maker)
{
	uint32_t slot = (uint32_t)(maker >> 56);
	const struct ring_header *h = slot < NRING ? t->ring[slot].hdr : NULL;

	return !h || (h->cursor[maker >> 48 & 0xf] & MAKER_PKT) >=
	                     (maker & MAKER_PKT);
}

int expect_entry_make(struct table *t, const struct expect *e, uint64_t source,
                      const struct conn_lookup *k, const struct expect_by *by)
{
	struct table *x = t->expect;
	struct op_event ev = {.ts_ns = by->ts_ns};
	struct op_cursor cur = cursor_action(by);
	struct conn_detail detail;
	struct expect_info info = e->info;
	struct counters cs = {0};
	struct conn c = {0};
	enum op_refusal why;
	int64_t left = tick_left(e->deadline, by->now);
	uint64_t id = op_insert_id(x, k);

	if (!id)
		return -ENOSPC;
	/* only order counts: a number that a kill skips is no harm */
	info.serial = x->shard->serial;
	shm_store(&x->shard->serial, info.serial + 1);
	memcpy(&detail, &info, sizeof(detail));
	c.deadline = e->deadline;
	c.packets[0] = e->master;
	c.packets[1] = maker_of(t, by);
	if (info.flags & EXPECT_GONE)
		memcpy(c.priv, &(struct moment){by->ts_ns, by->now, by->tell},
		       sizeof(struct moment));
	if (!(info.flags & EXPECT_KEYMAP)) {
		counters_add(&cs, CTR_EXPECT_CREATE, 1);
		ev.left_ms = left > 0 ? (uint32_t)left : 0;
		if (by->tell)
			ev.type = EVENT_EXP_NEW;
	}
	shm_store(&t->expect_tag[conn_id_idx(id)], expect_hint(t, e, source));
	counters_prepare(t, &cs, cur.pkt, cur.src);
	if (!op_insert(x, k, &c, &detail, NULL, &ev, cur, &why))
		return -ENOSPC;
	counters_commit(t);
	return 0;
}

bool expect_src_fits(const struct expect_info *info, const uint64_t src[2])
{
	const uint8_t *a = (const uint8_t *)info->src,
		      *b = (const uint8_t *)src;
	unsigned int len = info->src_len < 128 ? info->src_len : 128;
	unsigned int n = len / 8, rest = len % 8;

	return !memcmp(a, b, n) &&
	       (!rest || !((a[n] ^ b[n]) & (0xff00 >> rest) & 0xff));
}

/* ---- by a helper ---- */

/* same tuple and mask, and the same master (F189) */
bool expect_same(const struct table *t, uint32_t idx, const struct expect *e)
{
	const struct expect_info *i = info_at(t, idx);

	return entry_at(t, idx)->packets[0] == e->master &&
	       i->src_len == e->info.src_len &&
	       !((i->flags ^ e->info.flags) & EXPECT_SPORT) &&
	       (!(i->flags & EXPECT_SPORT) || i->sport == e->info.sport) &&
	       expect_src_fits(i, e->info.src);
}

/* Is there a packet that both would match?  The destination is the same. */
static bool clash(const struct table *t, uint32_t idx, const struct expect *e)
{
	const struct expect_info *i = info_at(t, idx);

	if (i->flags & e->info.flags & EXPECT_SPORT &&
	    i->sport != e->info.sport)
		return false;
	return i->src_len <= e->info.src_len
	               ? expect_src_fits(i, e->info.src)
	               : expect_src_fits(&e->info, i->src);
}

/* F189, F190: what stands where the new one goes */
static int room_at(struct table *t, const struct expect *e,
                   const struct conn_lookup *k, const struct expect_by *by)
{
	struct chain w = expect_chain_of(t, k);
	uint32_t idx;

	while ((idx = expect_chain_next(t, k, &w, NULL))) {
		if (info_at(t, idx)->flags & EXPECT_KEYMAP)
			continue;
		if (expect_same(t, idx, e)) {
			if (info_at(t, idx)->class != e->info.class &&
			    !(info_at(t, idx)->flags & EXPECT_TOLD))
				return -EALREADY;
			expect_entry_end(t, idx, by->ts_ns, by->now, by->tell,
			                 expect_cursor_step(t));
		} else if (!(info_at(t, idx)->flags & EXPECT_TOLD) &&
		           clash(t, idx, e)) {
			return -EBUSY;
		}
	}
	return 0;
}

/* F187, F188: of one master and class; the oldest goes when there are `max` */
static void room_of_class(struct table *t, const struct expect *e,
                          unsigned int max, const struct expect_by *by)
{
	uint32_t idx = 0, oldest = 0;
	unsigned int n = 0;

	while ((idx = expect_master_next(t, e->master, idx))) {
		const struct expect_info *i = info_at(t, idx);

		if (i->flags & EXPECT_HIDDEN || i->class != e->info.class)
			continue;
		if (tick_expired(entry_at(t, idx)->deadline, by->now)) {
			expect_entry_end(t, idx, by->ts_ns, by->now, by->tell,
			                 expect_cursor_step(t));
			continue;
		}
		n++;
		if (!oldest ||
		    (int32_t)(i->serial - info_at(t, oldest)->serial) < 0)
			oldest = idx;
	}
	if (max && n >= max)
		expect_entry_end(t, oldest, by->ts_ns, by->now, by->tell,
		                 expect_cursor_step(t));
}

int expect_add(struct table *t, const struct expect *e, unsigned int class_max,
               struct expect_by *by)
{
	struct conn_lookup k;
	uint8_t was;
	int r;

	if (expect_action_done(t, by, &was))
		return -was;
	expect_dst_lookup(t, e->v6, e->dst, e->dport, e->l4proto, e->zone, &k);
	expect_lock(t);
	r = room_at(t, e, &k, by);
	if (!r) {
		room_of_class(t, e, class_max, by);
		if (!expect_source_room(t, e, by->source_max))
			r = -EDQUOT;
		else if (t->expect->shard->count >= by->max)
			r = -ENOSPC;
	}
	if (!r)
		r = expect_entry_make(t, e, e->info.master[0][0], &k, by);
	if (r)
		expect_action_close(t, by, (uint8_t)-r);
	expect_unlock(t);
	return r;
}

static bool picked(const struct table *t, uint32_t idx,
                   const struct expect_pick *p)
{
	const struct expect_info *i = info_at(t, idx);
	struct expect e;

	if (i->flags & EXPECT_HIDDEN ||
	    (!p->any_class &&
	     (i->class < p->class ||
	      i->class > (p->class_to ? p->class_to : p->class))) ||
	    (p->keyed && (!(i->flags & EXPECT_SPORT) || i->sport != p->sport)))
		return false;
	expect_read_at(t, idx, &e);
	return (!p->l4proto || e.l4proto == p->l4proto) &&
	       (!p->dst ||
	        (!memcmp(e.dst, p->dst, sizeof(e.dst)) && e.dport == p->dport));
}

unsigned int expect_remove(struct table *t, const struct expect_pick *p,
                           struct expect_by *by)
{
	unsigned int n = 0;
	struct age age = {0};
	uint32_t idx;
	uint8_t was;

	if (expect_action_done(t, by, &was))
		return was;
	if (!expect_some(t))
		return 0;
	expect_lock(t);
	while ((idx = expect_master_older(t, p->master, &age)))
		if (picked(t, idx, p)) {
			expect_entry_end(t, idx, by->ts_ns, by->now, by->tell,
			                 expect_cursor_step(t));
			n++;
		}
	expect_action_close(t, by, acted(n));
	expect_unlock(t);
	return n;
}

unsigned int expect_revise(struct table *t, const struct expect_pick *p,
                           bool activate, bool renew, uint32_t deadline,
                           struct expect_by *by)
{
	unsigned int n = 0;
	uint32_t idx = 0;
	uint8_t was;

	if (expect_action_done(t, by, &was))
		return was;
	if (!expect_some(t))
		return 0;
	expect_lock(t);
	while ((idx = expect_master_next(t, p->master, idx)))
		if (picked(t, idx, p)) {
			op_update_begin(t->expect, 0, idx);
			if (activate)
				info_at(t, idx)->flags &=
					(uint8_t)~EXPECT_INACTIVE;
			if (renew)
				entry_at(t, idx)->deadline = deadline;
			op_update_commit(t->expect, 0, idx, NULL,
			                 (struct op_cursor){0, 0});
			n++;
		}
	expect_action_close(t, by, acted(n));
	expect_unlock(t);
	return n;
}

/* ---- reading ---- */

bool expect_walk_all(const struct table *t, struct conn_walk *w,
                     struct expect *e)
{
	struct expect_info i;
	struct conn_view v;

	while (conn_walk(t->expect, w, &v)) {
		memcpy(&i, &v.detail, sizeof(i));
		if (i.flags & (EXPECT_GONE | EXPECT_TOLD))
			continue;
		expect_of(&i, &v.conn, &v.addr6, e);
		e->id = conn_id(v.conn.gen, 0, v.idx);
		return true;
	}
	return false;
}

bool expect_walk(const struct table *t, struct conn_walk *w, struct expect *e)
{
	while (expect_walk_all(t, w, e))
		if (!(e->info.flags & EXPECT_KEYMAP))
			return true;
	return false;
}

void expect_of_event(const struct event_slot *s, struct expect *e)
{
	struct expect_info i;
	struct conn c = {.key = s->cell.key, .packets = {s->more.packets[0]}};

	memcpy(&i, &s->more.detail, sizeof(i));
	expect_of(&i, &c, &s->cell.addr6, e);
	e->id = s->cell.id;
}

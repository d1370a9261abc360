/* expect_end.c - keys, and how expectations end.  See expect.h. */
#include "shm/expect_in.h"

#include <errno.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"

/* ---- keys ---- */

/* where a key's entry keeps the GRE connection that it belongs to */
static void key_conn(const struct expect_info *i, struct conn_key *gre,
                     uint32_t *sh)
{
	memcpy(gre, i->master[0], sizeof(*gre));
	*sh = i->class;
}

/* Its master's key of the same direction: 0 there is none, 1 the very same, or
 * -EEXIST.  What the other side's is does not matter. */
static int key_stands(const struct table *t, const struct expect *e)
{
	struct expect old;
	uint32_t idx = 0;

	while ((idx = expect_master_next(t, e->master, idx))) {
		const struct expect_info *i = info_at(t, idx);

		if (!(i->flags & EXPECT_KEYMAP) || i->flags & EXPECT_GONE ||
		    !expect_src_fits(i, e->info.src))
			continue;
		expect_read_at(t, idx, &old);
		return old.dport == e->dport ? 1 : -EEXIST;
	}
	return 0;
}

static struct expect key_of(const struct expect *e,
                            const struct conn_lookup *gre, uint8_t flags)
{
	struct expect x = *e;

	x.info.flags = flags;
	x.info.src_len = 32;
	x.info.class = gre->shard;
	memcpy(x.info.master[0], &gre->key, sizeof(gre->key));
	return x;
}

int expect_key_add(struct table *t, const struct expect *e,
                   const struct conn_lookup *gre, struct expect_by *by)
{
	struct expect x = key_of(e, gre, EXPECT_KEYMAP);
	struct conn_lookup k;
	uint8_t was;
	int r;

	if (expect_action_done(t, by, &was))
		return -was;
	expect_dst_lookup(t, x.v6, x.dst, x.dport, x.l4proto, x.zone, &k);
	expect_lock(t);
	r = key_stands(t, &x);
	if (!r && !expect_source_room(t, e, by->source_max))
		r = -EDQUOT;
	if (!r)
		r = expect_entry_make(t, &x, e->info.master[0][0], &k, by);
	if (r)
		expect_action_close(t, by, (uint8_t)(r < 0 ? -r : 0));
	expect_unlock(t);
	return r < 0 ? r : 0;
}

void expect_key_flush(struct table *t, uint64_t master, struct expect_by *by)
{
	uint32_t idx = 0;
	uint8_t was;

	if (expect_action_done(t, by, &was) || !expect_some(t))
		return;
	expect_lock(t);
	while ((idx = expect_master_next(t, master, idx)))
		if ((info_at(t, idx)->flags & (EXPECT_KEYMAP | EXPECT_GONE)) ==
		    EXPECT_KEYMAP)
			expect_entry_end(t, idx, by->ts_ns, by->now, by->tell,
			                 expect_cursor_step(t));
	expect_action_close(t, by, 0);
	expect_unlock(t);
}

int expect_conn_end(struct table *t, const struct expect *e,
                    const struct conn_lookup *conn, struct expect_by *by)
{
	struct expect x = key_of(e, conn, EXPECT_KEYMAP | EXPECT_GONE);
	struct conn_lookup k;
	uint8_t was;
	int r;

	t->keys_gone = true;
	if (expect_action_done(t, by, &was))
		return -was;
	expect_dst_lookup(t, x.v6, x.dst, x.dport, x.l4proto, x.zone, &k);
	expect_lock(t);
	r = expect_entry_make(t, &x, e->info.master[0][0], &k, by);
	if (r)
		expect_action_close(t, by, (uint8_t)-r);
	expect_unlock(t);
	return r;
}

static void key_gone(struct table *t, uint32_t idx, struct moment when)
{
	op_update_begin(t->expect, 0, idx);
	memcpy(entry_at(t, idx)->priv, &when, sizeof(when));
	info_at(t, idx)->flags |= EXPECT_GONE;
	op_update_commit(t->expect, 0, idx, NULL, (struct op_cursor){0, 0});
}

bool expect_key_find(const struct table *t, const struct expect_tuple *tp,
                     uint16_t *key)
{
	uint32_t idx;
	struct conn_lookup k;
	struct conn_view v;
	struct chain w;

	if (!expect_some(t))
		return false;
	expect_dst_lookup(t, tp->v6, tp->dst, tp->dport, tp->l4proto, tp->zone,
	                  &k);
	w = expect_chain_of(t, &k);
	while ((idx = expect_chain_next(t, &k, &w, NULL))) {
		struct expect_info i;

		if (conn_read(t->expect, 0, idx, &v) <= 0)
			continue;
		memcpy(&i, &v.detail, sizeof(i));
		if ((i.flags & (EXPECT_KEYMAP | EXPECT_GONE)) ==
		            EXPECT_KEYMAP &&
		    expect_src_fits(&i, tp->src)) {
			*key = i.sport;
			return true;
		}
	}
	return false;
}

/* ---- ends ---- */

void expect_doom(struct table *t, uint64_t master, uint64_t ts_ns, uint32_t now,
                 bool tell)
{
	struct moment when = {ts_ns, now, tell};
	uint32_t idx = 0;

	if (!expect_some(t))
		return;
	expect_lock(t);
	while ((idx = expect_master_next(t, master, idx))) {
		if (entry_at(t, idx)->bytes[0])
			continue;
		op_update_begin(t->expect, 0, idx);
		memcpy(entry_at(t, idx)->priv, &when, sizeof(when));
		op_update_commit(t->expect, 0, idx, NULL,
		                 (struct op_cursor){0, 0});
	}
	expect_unlock(t);
}

bool expect_flush(struct table *t, uint64_t master, uint64_t ts_ns,
                  uint32_t now, bool tell)
{
	struct age age = {0};
	uint32_t idx;
	bool keys = false;

	if (!expect_some(t))
		return false;
	expect_lock(t);
	while ((idx = expect_master_older(t, master, &age))) {
		if (!(info_at(t, idx)->flags & EXPECT_KEYMAP)) {
			expect_entry_end(t, idx, ts_ns, now, tell,
			                 expect_cursor_step(t));
			continue;
		}
		if (!(info_at(t, idx)->flags & EXPECT_GONE))
			key_gone(t, idx, (struct moment){ts_ns, now, tell});
		keys = true;
	}
	expect_unlock(t);
	return keys;
}

/* What has been told to be gone, or is a key, is not there for a client: the
 * former goes with its packet, the latter with its call. */
int expect_forget(struct table *t, uint64_t id, uint64_t ts_ns, uint32_t now,
                  bool tell)
{
	uint32_t idx = conn_id_idx(id);
	int r = -ENOENT;

	if (conn_id_shard(id) || !expect_some(t))
		return r;
	expect_lock(t);
	if (shard_used(t->expect, t->expect->shard, idx) &&
	    entry_live(t, idx) && entry_at(t, idx)->gen == conn_id_gen(id) &&
	    !(info_at(t, idx)->flags & EXPECT_HIDDEN)) {
		expect_entry_end(t, idx, ts_ns, now, tell,
		                 expect_cursor_step(t));
		r = 0;
	}
	expect_unlock(t);
	return r;
}

/* the GRE connection of a key that is gone (F220) */
static void key_end_conn(struct table *t, const struct expect_info *i,
                         uint64_t ts_ns, uint32_t now, uint32_t max, bool tell)
{
	struct conn_lookup k = {0};
	uint32_t sh, slot, idx;

	key_conn(i, &k.key, &sh);
	if (sh >= t->nshard)
		return;
	k.shard = (uint8_t)sh;
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	shard_lock(t, sh);
	idx = conn_find(t, &k, &slot, NULL);
	if (idx)
		conn_end(t, sh, idx, slot, REASON_MASTER, ts_ns, now, max, tell,
		         CTR_COUNT);
	shard_unlock(t, sh);
}

/* Nothing holds this entry up but its master, which is gone for good: no packet
 * is just making it, for its shard is locked. */
static bool orphan(struct table *t, uint32_t idx, uint64_t master)
{
	uint32_t sh = conn_id_shard(master), i = conn_id_idx(master);
	const struct conn *c;
	bool gone = true;

	if (sh >= t->nshard || !i || i >= t->cap)
		return true;
	shard_lock(t, sh);
	c = table_conn(t, sh, i);
	if (entry_at(t, idx)->packets[0] == master)
		gone = !(c->status & CONN_LIVE) ||
		       c->gen != conn_id_gen(master);
	shard_unlock(t, sh);
	return gone;
}

static void sweep_entry(struct table *t, uint32_t idx, uint64_t now_ns,
                        uint32_t max, bool tell)
{
	uint32_t now = table_tick_of(t, now_ns);
	uint32_t gen = entry_at(t, idx)->gen;
	uint64_t master = entry_at(t, idx)->packets[0], ts = now_ns;
	struct expect_info i = *info_at(t, idx);
	bool key = i.flags & EXPECT_KEYMAP, end;
	struct moment when;

	memcpy(&when, entry_at(t, idx)->priv, sizeof(when));
	end = key ? i.flags & EXPECT_GONE
	          : tick_expired(entry_at(t, idx)->deadline, now);
	if (end && !key)
		ts = expire_ns(t, entry_at(t, idx)->deadline, now_ns);
	if (!end) {
		end = expect_maker_done(t, entry_at(t, idx)->packets[1]) &&
		      orphan(t, idx, master);
	}
	if (!end)
		return;
	if (when.ts_ns && (key || ts == now_ns)) {
		ts = when.ts_ns;
		now = when.now;
	}
	if (key)
		key_end_conn(t, &i, ts, now, max, tell);
	expect_lock(t);
	if (entry_live(t, idx) && entry_at(t, idx)->gen == gen &&
	    !entry_at(t, idx)->bytes[0])
		expect_entry_end(t, idx, ts, now, tell, expect_cursor_step(t));
	expect_unlock(t);
}

void expect_sweep(struct table *t, uint64_t now_ns, uint32_t max, bool tell)
{
	const struct shard *q = t->expect->shard;
	uint32_t idx, gap;

	for (idx = 1; expect_some(t) && idx < t->expect->cap; idx++) {
		gap = shard_gap(t->expect, q, idx);
		if (gap) {
			idx = gap;
			continue;
		}
		if (entry_live(t, idx))
			sweep_entry(t, idx, now_ns, max, tell);
	}
}

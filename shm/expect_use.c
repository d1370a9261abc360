/*
 * expect_use.c - an expectation at the packet that it is about (F183-F185).
 *
 * The kernel takes it away when it finds it, so its DESTROY is told before the
 * NEW of the connection; so it is here.  But a kill may come between the two,
 * and the packet, run again, must be RELATED once more and tell nothing twice.
 * So it ends in two steps.  The claim tells the DESTROY and marks the entry
 * EXPECT_TOLD, in one operation: from then on it is gone for all but packets.
 * Once the packet is done, the entry goes, silently.
 *
 * The claim names its packet.  Whoever settles what a dead process left sees
 * by the cursor whether the packet is done.  If it is, the entry goes.  If not,
 * its claim does, and the next packet that fits uses the entry up: nearly
 * always the same one, run again, else (a source that lost its packets with its
 * process) the next of that peer.  Thus DESTROY is told once, and one packet is
 * RELATED.  What nobody claims any more ends, silently, as it would have.
 *
 * What has been told cannot be taken back: there must be room for the
 * connection before the claim (op_insert_room()).
 */
#include "shm/expect_in.h"

#include <netinet/in.h>
#include <string.h>

#include "shm/proc.h"
#include "shm/tick.h"

/* Is the master there, and not past its time?  No lock of its shard needed. */
static bool master_lives(const struct table *t, uint64_t id, uint32_t now)
{
	uint32_t sh = conn_id_shard(id), idx = conn_id_idx(id);
	struct conn_view v;

	return sh < t->nshard && idx && idx < t->cap &&
	       conn_read(t, sh, idx, &v) > 0 && v.conn.gen == conn_id_gen(id) &&
	       !tick_expired(v.conn.deadline, now);
}

static bool claimed_by_other(const struct table *t, uint32_t idx,
                             const struct expect_by *by)
{
	const struct conn *c = entry_at(t, idx);

	return c->bytes[0] &&
	       (c->bytes[0] != by->pkt || c->bytes[1] >> 16 != t->me ||
	        (c->bytes[1] & 0xff) != by->src);
}

uint32_t expect_find(struct table *t, const struct expect_tuple *tp,
                     const struct expect_by *by, struct expect *e)
{
	uint32_t idx, best = 0;
	struct conn_lookup k;
	struct chain w;

	expect_dst_lookup(t, tp->v6, tp->dst, tp->dport, tp->l4proto, tp->zone,
	                  &k);
	w = expect_chain_of(t, &k);
	while ((idx = expect_chain_next(t, &k, &w, NULL))) {
		const struct expect_info *i = info_at(t, idx);

		if (i->flags & (EXPECT_INACTIVE | EXPECT_KEYMAP) ||
		    !expect_src_fits(i, tp->src) ||
		    (i->flags & EXPECT_SPORT && i->sport != tp->sport) ||
		    tick_expired(entry_at(t, idx)->deadline, by->now) ||
		    claimed_by_other(t, idx, by))
			continue;
		if (!best ||
		    (int32_t)(i->serial - info_at(t, best)->serial) > 0)
			best = idx;
	}
	if (!best || !master_lives(t, entry_at(t, best)->packets[0], by->now))
		return 0;
	expect_read_at(t, best, e);
	return best;
}

/* F219: both directions of a call are expected, and one packet uses up both.
 * The other one, with this claim. */
static uint32_t sibling(const struct table *t, uint32_t idx, uint64_t claim)
{
	uint64_t master = entry_at(t, idx)->packets[0];
	uint32_t other = 0;

	if (likely(entry_at(t, idx)->key.l4proto != IPPROTO_GRE))
		return 0;
	while ((other = expect_master_next(t, master, other)))
		if (other != idx && entry_at(t, other)->bytes[0] == claim &&
		    entry_at(t, other)->key.l4proto == IPPROTO_GRE &&
		    !(info_at(t, other)->flags & EXPECT_KEYMAP))
			break;
	return other;
}

static void claim_write(struct table *t, uint32_t idx, uint64_t who,
                        const struct expect_by *by)
{
	struct expect_info *i = info_at(t, idx);
	struct conn *c = entry_at(t, idx);
	struct op_cursor cur = expect_cursor_step(t);
	struct op_event ev = {.ts_ns = by->ts_ns};
	int64_t left = tick_left(c->deadline, by->now);
	struct counters cs = {0};

	if (!(i->flags & EXPECT_TOLD)) {
		counters_add(&cs, CTR_EXPECT_DELETE, 1);
		ev.left_ms = left > 0 ? (uint32_t)left : 0;
		if (by->tell)
			ev.type = EVENT_EXP_DESTROY;
	}
	op_update_begin(t->expect, 0, idx);
	c->bytes[0] = by->pkt;
	c->bytes[1] = who;
	i->flags |= EXPECT_TOLD;
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_update_commit(t->expect, 0, idx, &ev, cur);
	counters_commit(t);
}

void expect_claim(struct table *t, uint32_t idx, const struct expect_by *by,
                  uint32_t sh)
{
	uint64_t who = (uint64_t)t->me << 16 | sh << 8 | (by->src & 0xff);
	uint32_t other = sibling(t, idx, 0);

	if (info_at(t, idx)->flags & EXPECT_PERMANENT)
		return;
	claim_write(t, idx, who, by);
	if (other)
		claim_write(t, other, who, by);
}

void expect_use(struct table *t, uint32_t idx, const struct expect_by *by)
{
	uint32_t other = sibling(t, idx, entry_at(t, idx)->bytes[0]);

	if (info_at(t, idx)->flags & EXPECT_PERMANENT)
		return;
	expect_entry_end(t, idx, by->ts_ns, by->now, by->tell,
	                 expect_cursor_step(t));
	if (other)
		expect_entry_end(t, other, by->ts_ns, by->now, by->tell,
		                 expect_cursor_step(t));
}

static void claim_drop(struct table *t, uint32_t idx)
{
	struct conn *c = entry_at(t, idx);

	op_update_begin(t->expect, 0, idx);
	c->bytes[0] = 0;
	c->bytes[1] = 0;
	op_update_commit(t->expect, 0, idx, NULL, (struct op_cursor){0, 0});
}

static void settle_entry(struct table *t, uint32_t idx, uint32_t slot)
{
	uint64_t pkt = entry_at(t, idx)->bytes[0],
		 who = entry_at(t, idx)->bytes[1];
	uint32_t src = who & 0xff;
	struct moment when;

	if (!entry_live(t, idx) || !pkt || who >> 16 != slot || src >= NSOURCE)
		return;
	/* of one that was not told; nobody claims such any more */
	memcpy(&when, entry_at(t, idx)->priv, sizeof(when));
	if (t->ring[slot].hdr->cursor[src] >= pkt &&
	    !(info_at(t, idx)->flags & EXPECT_PERMANENT))
		expect_entry_end(t, idx, when.ts_ns, when.now, when.tell,
		                 expect_cursor_step(t));
	else
		claim_drop(t, idx);
}

void expect_settle(struct table *t, uint32_t slot)
{
	const struct shard *q = t->expect->shard;
	uint32_t idx;

	if (!expect_some(t) || slot >= NRING || !t->ring[slot].hdr)
		return;
	for (idx = 1; idx < t->expect->cap; idx++) {
		if (!shard_used(t->expect, q, idx) || !entry_live(t, idx))
			continue;
		/* its connection is still to be ended */
		t->keys_gone |= (info_at(t, idx)->flags & EXPECT_GONE) != 0;
		expect_lock(t);
		settle_entry(t, idx, slot);
		expect_unlock(t);
	}
}

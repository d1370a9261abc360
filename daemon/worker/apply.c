/*
 * apply.c - one packet against the table, as nf_conntrack_in() and
 * nf_confirm() together do (F001, F060).
 *
 *	existing   tracker inside the entry's window; refresh and account (F072,
 *		   F073); SEEN_REPLY after the tracker (F066); one event (F240)
 *	new	   tracker on a private candidate: what it refuses nobody ever
 *		   sees (F067, F068); room, if need be by early drop; insert
 *	related	   an ICMP error: only looked at (F158)
 *
 * Counters of the packet are prepared before the operation that moves the
 * cursor and applied after it (proc.h), so they agree after a kill too.
 */
#include "daemon/worker/apply.h"

#include <netinet/in.h>
#include <string.h>

#include "daemon/worker/fragment.h"
#include "daemon/worker/help.h"
#include "daemon/worker/invalid.h"
#include "daemon/worker/mirror.h"
#include "daemon/worker/quality.h"
#include "daemon/worker/room.h"
#include "daemon/worker/rules.h"
#include "daemon/worker/trace.h"
#include "shm/atomic.h"
#include "shm/budget.h"
#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/rate.h"
#include "shm/read.h"
#include "shm/update.h"

static void count_class(struct way *w)
{
	static const uint8_t counter[] = {
		[CTINFO_ESTABLISHED] = CTR_ESTABLISHED,
		[CTINFO_RELATED] = CTR_RELATED,
		[CTINFO_NEW] = CTR_NEW_PKT,
		[CTINFO_ESTABLISHED_REPLY] = CTR_ESTABLISHED_REPLY,
		[CTINFO_RELATED_REPLY] = CTR_RELATED_REPLY,
		[CTINFO_UNTRACKED] = CTR_UNTRACKED,
		[CTINFO_INVALID] = CTR_INVALID,
	};

	counters_one(&w->cs, counter[w->info]);
}

static struct trace_rec *way_rec(const struct way *w)
{
	return &w->p->trace.rec;
}

/* before the operation that moves the cursor */
static inline void way_prepare(struct way *w)
{
	if (unlikely(w->traced))
		trace_prepare(w->p, way_rec(w), w->info, w->dir, w->cur);
	counters_prepare(w->p->t, &w->cs, w->cur.pkt, w->cur.src);
}

/* the end of a packet that changed no connection */
static void way_close(struct way *w)
{
	way_prepare(w);
	op_cursor_set(w->p->t, w->cur);
	counters_commit(w->p->t);
}

static void way_event(struct way *w, struct op_event *ev, uint8_t type,
                      uint16_t bits, uint32_t idx)
{
	uint8_t sh = w->l->look.shard;
	int64_t left =
		tick_left(table_conn(w->p->t, sh, idx)->deadline, w->now);

	ev->type = type;
	ev->bits = bits;
	ev->ts_ns = w->l->pkt->ts_ns;
	ev->left_ms = left > 0 ? (uint32_t)left : 0;
	conn_event(w->p->t, sh, idx, ev);
	counters_add(&w->cs,
	             type == EVENT_NEW      ? CTR_EVENT_NEW
	             : type == EVENT_UPDATE ? CTR_EVENT_UPDATE
	                                    : CTR_EVENT_DESTROY,
	             1);
	w->p->told = true;
}

/* F062 */
static uint8_t way_info(const struct way *w, uint32_t status)
{
	if (likely(status & CONN_SEEN_REPLY))
		return w->dir == DIR_REPLY ? CTINFO_ESTABLISHED_REPLY
		                           : CTINFO_ESTABLISHED;
	if (w->dir == DIR_REPLY)
		return CTINFO_ESTABLISHED_REPLY;
	return status & CONN_EXPECTED ? CTINFO_RELATED : CTINFO_NEW;
}

static void way_context(const struct way *w, struct trk_ctx *c, bool first)
{
	*c = (struct trk_ctx){.pkt = w->l->pkt,
	                      .pol = w->p->pol,
	                      .id = w->l->trk_id,
	                      .dir = w->dir,
	                      .first = first,
	                      .mirror = w->p->mirror,
	                      .now = w->now};
}

static void conn_account(struct conn *c, const struct way *w)
{
	if (!(c->status & CONN_ACCT))
		return;
	c->packets[w->dir]++;
	c->bytes[w->dir] += w->l->pkt->l3len;
}

static void due_lower(struct pipeline *p, uint32_t deadline)
{
	if (tick_left(deadline, p->due) < 0)
		p->due = deadline;
}

/* the tracker's word, turned into what it means for the entry */
static void conn_refresh(struct way *w, struct conn *c,
                         const struct trk_ctx *ctx, enum trk_verdict v)
{
	uint32_t to = tick_after_s(w->now, ctx->timeout);

	if (v == TRK_INVALID) {
		if (ctx->lower_timeout && tick_left(c->deadline, to) > 0)
			c->deadline = to;
	} else if (v == TRK_ACCEPT) {
		if (!(c->status & CONN_FIXED_TIMEOUT))
			c->deadline = to;
		conn_account(c, w);
	} else if (v == TRK_KILL) {
		conn_account(c, w);
	}
	due_lower(w->p, c->deadline);
}

/* F202 */
static void help_existing(struct way *w, uint32_t idx, enum trk_verdict v)
{
	struct table *t = w->p->t;
	uint8_t sh = w->l->look.shard;
	struct conn *c = table_conn(t, sh, idx);
	struct conn_ext *x = table_ext(t, sh, c->ext);

	if (!x || !x->helper || v == TRK_KILL)
		return;
	help_run(w, c, x, conn_id(c->gen, sh, idx));
	due_lower(w->p, c->deadline);
}

/* The tracker killed the connection (F121). */
static void existing_kill(struct way *w, const struct spot *s, uint32_t slot,
                          uint16_t bits)
{
	struct table *t = w->p->t;
	uint64_t master = conn_ending(t, s->sh, s->idx, w->l->pkt->ts_ns,
	                              w->now, w->p->pol->events != 0);
	struct op_event ev = {.reason = REASON_TCP_RESET};

	counters_one(&w->cs, CTR_DELETE);
	if (w->p->pol->events)
		way_event(w, &ev, EVENT_DESTROY, bits, s->idx);
	counters_prepare(t, &w->cs, w->cur.pkt, w->cur.src);
	op_delete_commit(t, s->sh, s->idx, slot, &ev, w->cur);
	counters_commit(t);
	budget_give(t, w->p->pol->max);
	conn_forget(t, master, w->l->pkt->ts_ns, w->now,
	            w->p->pol->events != 0);
}

/* The connection goes on; `bits` is what there is to tell, or 0. */
static void existing_commit(struct way *w, const struct spot *s, uint16_t bits)
{
	struct table *t = w->p->t;
	struct op_event ev = {0};

	if (likely(!bits || !w->p->pol->events)) {
		counters_prepare(t, &w->cs, w->cur.pkt, w->cur.src);
		update_close(t, s, w->cur);
	} else {
		way_event(w, &ev, EVENT_UPDATE, bits, s->idx);
		counters_prepare(t, &w->cs, w->cur.pkt, w->cur.src);
		op_update_commit(t, s->sh, s->idx, &ev, w->cur);
	}
	counters_commit(t);
}

/* Out of line: what the connection was is its pre-image, what becomes of it is
 * known, and its record too is prepared before the cursor moves. */
static __attribute__((noinline)) void existing_trace(struct way *w,
                                                     uint32_t idx,
                                                     const struct trk_ctx *ctx,
                                                     enum trk_verdict v)
{
	const struct table *t = w->p->t;
	uint8_t sh = w->l->look.shard;
	const struct conn *c = table_conn(t, sh, idx);
	struct conn was = *c;

	memcpy((char *)&was + CONN_UNDO_FROM,
	       t->ring[t->me].hdr->undo[t->undo].entry, CONN_UNDO_LEN);
	trace_before(way_rec(w), &was, conn_id(was.gen, sh, idx), w->now);
	if (v == TRK_REPEAT) {
		way_rec(w)->flags |= TRACE_F_REOPENED;
		return;
	}
	trace_after(way_rec(w), c, ctx, v);
	trace_prepare(w->p, way_rec(w), w->info, w->dir, w->cur);
}

/* The old connection is over, the packet a new one's (F080). */
static void existing_reopen(struct way *w, const struct spot *s, uint32_t slot)
{
	struct table *t = w->p->t;

	op_update_commit(t, s->sh, s->idx, NULL, (struct op_cursor){0, 0});
	conn_end(t, s->sh, s->idx, slot, REASON_REOPEN, w->l->pkt->ts_ns,
	         w->now, w->p->pol->max, w->p->pol->events != 0, CTR_COUNT);
	w->p->told = true;
}

/* The packet belongs to entry `idx`.  False: that was the end of the old
 * connection, the packet is to be tried as the first of a new one (F080). */
static bool apply_existing(struct way *w, uint32_t idx, uint32_t slot)
{
	struct table *t = w->p->t;
	struct spot s = spot_of(t, w->l->look.shard, idx);
	struct conn *c = s.c;
	struct trk_ctx ctx;
	enum trk_verdict v;
	uint32_t status = c->status;
	enum twice twice = ONCE;

	w->dir = w->l->land | (w->l->look.sender != !!(c->status & CONN_ORIG1));
	w->info = way_info(w, c->status);
	way_context(w, &ctx, false);
	if (unlikely(c->ext))
		ctx.timeouts =
			rules_timeouts(w->p->pol, table_ext(t, s.sh, c->ext));
	counters_one(&w->cs, CTR_FOUND);
	update_open(t, &s, ctx.mirror);
	if (unlikely(ctx.mirror) && mirror_looks(w->p->pol, c, w->dir, s.x)) {
		struct spot mine = s; /* that `s` may stay in registers */

		twice = mirror_twice(w, &mine);
		if (twice == TWICE_DONE)
			return true;
	}
	v = w->l->trk->packet(&ctx, c);
	invalid_note(w->p->pol, &ctx);
	if (unlikely(v == TRK_REPEAT)) {
		if (unlikely(w->traced))
			existing_trace(w, idx, &ctx, v);
		existing_reopen(w, &s, slot);
		return false;
	}
	if (unlikely(ctx.mirror) &&
	    (ctx.repairs | ctx.holes | (c->status & CONN_ONE_WAY)))
		mirror_count(w, &ctx, status, c->status, s.x);
	conn_refresh(w, c, &ctx, v);
	if (v == TRK_INVALID) {
		w->info = CTINFO_INVALID;
		ctx.events = 0;
	} else {
		if (unlikely(c->ext))
			help_existing(w, idx, v);
		if (unlikely(ctx.quality) && s.x && twice == ONCE) {
			update_whole(&s);
			if (ctx.mirror)
				mirror_late(w, &ctx, s.x);
			quality_note(&ctx, s.x);
		}
		/* B3: who is killed by its first reply dies unreplied */
		if (unlikely(!(c->status & CONN_SEEN_REPLY)) &&
		    w->dir == DIR_REPLY && v != TRK_KILL) {
			c->status |= CONN_SEEN_REPLY;
			c->status &= ~CONN_ONE_WAY;
			ctx.events |= EVB_REPLY;
			if (s.x) {
				update_whole(&s);
				quality_reply(&ctx, s.x);
				if (w->p->many)
					mirror_answered(w, s.x);
			}
		}
		if (likely(s.x))
			rate_add(s.x, w->l->pkt->ts_ns, w->dir,
			         w->l->pkt->l3len);
	}
	count_class(w);
	if (unlikely(c->ext) && v != TRK_INVALID)
		ctx.events =
			help_untold(w, table_ext(t, s.sh, c->ext), ctx.events);
	if (unlikely(w->traced))
		existing_trace(w, idx, &ctx, v);
	if (unlikely(v == TRK_KILL))
		existing_kill(w, &s, slot, ctx.events);
	else
		existing_commit(w, &s, ctx.events);
	return true;
}

/* ---- room ---- */

/* No room: the kernel drops the packet (F234); we can only say so. */
static void refuse(struct way *w, enum op_refusal why)
{
	if (unlikely(w->traced))
		trace_refused(way_rec(w),
		              why == OP_CHAIN_FULL ? TRACE_CHAIN_FULL
		                                   : TRACE_TABLE_FULL,
		              NULL);
	if (why == OP_CHAIN_FULL) {
		counters_add(&w->cs, CTR_INSERT_FAILED, 1);
	} else {
		counters_add(&w->cs, CTR_DROP, 1);
		counters_add(&w->cs, CTR_TABLE_FULL, 1);
		shm_store(&w->p->t->hdr->pressure, 1);
	}
	way_close(w);
}

/* ---- new ---- */

static void candidate_fill(const struct way *w, struct conn *c)
{
	const struct policy *pol = w->p->pol;

	c->key = w->l->look.key;
	c->status = CONN_CONFIRMED | (w->l->look.sender ? CONN_ORIG1 : 0) |
	            (pol->acct ? CONN_ACCT : 0) |
	            (pol->timestamp ? CONN_TIMESTAMP : 0);
	c->start = w->now;
}

/* F138: whose first packet may be an answer.  Zones of one direction go by who
 * was first, so there nothing is turned. */
static void candidate_origin(struct way *w, struct conn *c)
{
	const struct tracker *trk = w->l->trk;
	bool answer = false;

	if (!trk->origin)
		return;
	c->status |= (uint32_t)trk->origin(w->l->pkt, &answer)
	             << CONN_DIR_SHIFT;
	if (!answer || w->l->land || w->p->pol->zone_dirs)
		return;
	c->status ^= CONN_ORIG1;
	w->dir = DIR_REPLY;
	w->info = CTINFO_ESTABLISHED_REPLY;
}

/* puts the candidate into the table, `ext` may be NULL; false: refused, and why
 */
static bool insert(struct way *w, struct conn *c, const struct conn_ext *ext,
                   uint16_t bits, enum op_refusal *why)
{
	struct table *t = w->p->t;
	const struct pkt *pkt = w->l->pkt;
	struct conn_detail x = {.start_ns = pkt->ts_ns,
	                        .last_ns = pkt->ts_ns,
	                        .vlan = pkt->vlan,
	                        .iface = pkt->iface};
	struct op_event ev = {0};
	/* what was counted before: counters are only added */
	uint32_t ones = w->cs.ones, n = w->cs.n;

	x.rate[w->dir] = pkt->l3len;
	if (unlikely(w->p->mirror)) {
		mirror_first(w->p->pol, w->l->trk, pkt, c->status, &x);
		if (unlikely(w->p->many))
			counters_add(&w->cs, STATS_IFACE(pkt->iface, IFACE_NEW),
			             1);
	}

	count_class(w);
	if (likely(!(c->status & CONN_EXPECTED)))
		counters_add(&w->cs, CTR_NEW, 1);
	counters_add(&w->cs, CTR_INSERT, 1);
	if (w->p->pol->events) {
		ev = (struct op_event){
			.type = EVENT_NEW,
			.bits = bits,
			.ts_ns = pkt->ts_ns,
			.left_ms = (uint32_t)tick_left(c->deadline, w->now),
			.vlan = pkt->vlan,
			.iface = pkt->iface,
			.flags = (c->status & CONN_ACCT ? EVENT_F_ACCT : 0) |
		                 (c->status & CONN_TIMESTAMP ? EVENT_F_TIMESTAMP
		                                             : 0)};
		counters_add(&w->cs, CTR_EVENT_NEW, 1);
		w->p->told = true;
	}
	if (unlikely(w->traced))
		way_rec(w)->id = op_insert_id(t, &w->l->look);
	way_prepare(w);
	if (!op_insert(t, &w->l->look, c, &x, ext, &ev, w->cur, why)) {
		w->cs.ones = ones;
		w->cs.n = n;
		return false;
	}
	counters_commit(t);
	due_lower(w->p, c->deadline);
	return true;
}

/* Another connection has the reply tuple in the reply's zone: the kernel drops
 * such a packet when it confirms, so it was a new one (F048). */
static void refuse_clash(struct way *w)
{
	if (unlikely(w->traced))
		trace_refused(way_rec(w), TRACE_CLASH, NULL);
	count_class(w);
	counters_add(&w->cs, CTR_INSERT_FAILED, 1);
	counters_add(&w->cs, CTR_DROP, 1);
	way_close(w);
}

/* F203: strict mode does as the kernel, where nothing remains of a connection
 * whose first packet a helper drops.  What was announced goes, too. */
static void refuse_helper(struct way *w, uint64_t id)
{
	const struct policy *pol = w->p->pol;

	budget_give(w->p->t, pol->max);
	conn_forget(w->p->t, id, w->l->pkt->ts_ns, w->now, pol->events != 0);
	if (unlikely(w->traced))
		trace_refused(way_rec(w), TRACE_HELPER, NULL);
	count_class(w);
	counters_add(&w->cs, CTR_DROP, 1);
	way_close(w);
}

/* Rules are asked of the original direction. */
static bool given_rules(const struct way *w, struct conn *c, struct conn_ext *x,
                        uint16_t *bits)
{
	struct pkt turned;
	uint8_t ports[4];

	if (likely(w->dir == DIR_ORIGINAL))
		return rules_conn(w->p->pol, w->l->pkt, c, x, bits);
	turned = mirror_turn(w->l->pkt, ports);
	return rules_conn(w->p->pol, &turned, c, x, bits);
}

/*
 * What a new connection has from others (F183, F200): its master, if it was
 * expected, else the helper of its port; and what rules give.  *used is the
 * expectation.  NULL: nothing of the kind.
 */
static struct conn_ext *given(struct way *w, struct conn *c, struct conn_ext *x,
                              uint32_t *used, uint16_t *bits)
{
	struct conn_ext *ext = NULL;
	uint8_t helper = 0;

	if (expect_some(w->p->t))
		*used = help_expected(w, c, x);
	if (*used) {
		ext = x;
		if (w->dir == DIR_ORIGINAL)
			w->info = CTINFO_RELATED;
		*bits = EVB_RELATED;
	} else {
		helper = help_of_port(w);
	}
	if (likely(!*used && !helper && !(w->p->pol->rule_gives & RULE_CONN)))
		return NULL;
	if (!ext)
		memset(x, 0, sizeof(*x));
	if (helper) {
		help_host(w);
		x->helper = helper;
		ext = x;
	}
	if (w->p->pol->rule_gives & RULE_CONN && given_rules(w, c, x, bits))
		ext = x;
	if (ext && ext->helper)
		*bits |= EVB_HELPER;
	return ext;
}

/* A first packet is shown to the helper before its connection is there (F193):
 * with the id that it is going to have. */
static uint64_t help_first(struct way *w, struct conn *c, struct conn_ext *x)
{
	struct table *t = w->p->t;
	uint64_t id = op_insert_id(t, &w->l->look);

	if (!id && shard_full(&t->shard[w->l->look.shard]) && room_drop(w))
		id = op_insert_id(t, &w->l->look);
	if (id)
		help_run(w, c, x, id);
	return id;
}

/* Judges the first packet of a connection and inserts it. */
static void apply_candidate(struct way *w, struct conn *c, struct conn_ext *ext,
                            uint16_t bits)
{
	struct table *t = w->p->t;
	const struct policy *pol = w->p->pol;
	enum op_refusal why = OP_NO_INDEX;
	enum trk_verdict v;
	struct trk_ctx ctx;
	uint64_t id = 0;

	way_context(w, &ctx, true);
	if (unlikely(ext))
		ctx.timeouts = rules_timeouts(pol, ext);
	if (!w->p->mirror)
		c->status &= ~CONN_ONE_WAY;
	v = w->l->trk->packet(&ctx, c);
	invalid_note(w->p->pol, &ctx);
	if (v != TRK_ACCEPT) {
		w->info = CTINFO_INVALID;
		if (unlikely(w->p->mirror))
			early_note(w);
		if (unlikely(w->traced))
			trace_refused(way_rec(w), TRACE_INVALID, &ctx);
		count_class(w);
		way_close(w);
		room_give(w);
		return;
	}
	if (unlikely(w->clash)) {
		refuse_clash(w);
		room_give(w);
		return;
	}
	if (unlikely(w->p->mirror)) {
		early_answer(w, &ctx, c);
		mirror_count(w, &ctx, 0, c->status, NULL);
		if (w->dir == DIR_REPLY) {
			c->status |= CONN_SEEN_REPLY;
			counters_add(&w->cs, CTR_MIRROR_TURNED, 1);
		}
	}
	c->deadline = tick_after_s(w->now, ctx.timeout);
	conn_account(c, w);
	if (unlikely(w->traced))
		trace_new(way_rec(w), c, &ctx);
	if (!w->room && (w->full != OP_DONE || !room_take(w))) {
		refuse(w, w->full ? (enum op_refusal)w->full : OP_NO_INDEX);
		return;
	}
	bits |= ctx.events;
	if (unlikely(ext && ext->helper))
		id = help_first(w, c, ext);
	if (unlikely(w->drop)) {
		refuse_helper(w, id);
		return;
	}
	if (likely(insert(w, c, ext, bits, &why)))
		return;
	/* a full shard of a table that is not full */
	if (why == OP_NO_INDEX && !id && room_drop(w) &&
	    insert(w, c, ext, bits, &why))
		return;
	budget_give(t, pol->max);
	conn_forget(t, id, w->l->pkt->ts_ns, w->now, pol->events != 0);
	refuse(w, why);
}

static void apply_new(struct way *w)
{
	struct conn c = {0};
	struct conn_ext x, *ext;
	uint16_t bits = EVB_NEW;
	uint32_t used = 0;

	w->dir = DIR_ORIGINAL;
	w->info = CTINFO_NEW;
	candidate_fill(w, &c);
	if (unlikely(w->p->mirror))
		candidate_origin(w, &c);
	ext = given(w, &c, &x, &used, &bits);
	apply_candidate(w, &c, ext, bits);
	if (unlikely(used))
		help_used(w, used);
}

/* ---- dispatch ---- */

/* met in its bucket when its time had come: ended on the spot (F061, F232) */
static void way_overdue(struct way *w, uint32_t sh, uint32_t idx, uint32_t slot)
{
	struct table *t = w->p->t;

	conn_end(t, sh, idx, slot, REASON_TIMEOUT,
	         expire_ns(t, table_conn(t, sh, idx)->deadline, w->l->now_ns),
	         w->now, w->p->pol->max, w->p->pol->events != 0, CTR_COUNT);
	w->p->told = true;
}

/* The living entry of a key, or 0. */
static uint32_t way_find(struct way *w, const struct conn_lookup *k,
                         uint32_t *slot)
{
	struct table *t = w->p->t;
	uint64_t searched = 0;
	uint32_t idx = conn_find(t, k, slot, &searched);

	counters_add(&w->cs, CTR_SEARCHED, (uint32_t)searched);
	if (!idx ||
	    !tick_expired(table_conn(t, k->shard, idx)->deadline, w->now))
		return idx;
	way_overdue(w, k->shard, idx, *slot);
	return 0;
}

/* Is `idx` the living entry of the packet's own key? */
static inline bool way_is_own(const struct way *w, uint32_t idx)
{
	const struct table *t = w->p->t;
	const struct conn_lookup *k = &w->l->look;

	return conn_is(t, k, idx) &&
	       !tick_expired(table_conn(t, k->shard, idx)->deadline, w->now);
}

/* The same for the packet's own key, whose entry is nearly always that of the
 * word that was located, if it still stands there, else of the first that fits.
 */
static uint32_t way_find_own(struct way *w, uint32_t *slot)
{
	const struct conn_lookup *k = &w->l->look;
	const struct line *line = w->l->line;
	uint32_t m, i = w->l->at, word = w->l->word, idx = word & SLOT_IDX;

	if (unlikely(!word || line->slot[i] != word || !way_is_own(w, idx))) {
		m = line_match(line, hash_tag(k->hash));
		if (unlikely(!m))
			return line->next ? way_find(w, k, slot) : 0;
		i = (uint32_t)__builtin_ctz(m);
		idx = line->slot[i] & SLOT_IDX;
		if (unlikely(!idx || idx >= w->p->t->cap ||
		             !way_is_own(w, idx)))
			return way_find(w, k, slot);
	}
	*slot = hash_bucket(w->p->t, k->hash) << 4 | i;
	return idx;
}

/* the same tuple in other zones */
static void key_move(const struct table *t, struct conn_lookup *k,
                     struct zones to)
{
	uint8_t flags = (uint8_t)((k->key.flags & ~KEY_ZONE_DIR) | to.dir);

	if (k->key.zone == to.zone && k->key.flags == flags)
		return;
	k->key.zone = to.zone;
	k->key.flags = flags;
	k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
}

/* F048: by the zone of the original direction first, then by that of the
 * reply, wherever a connection with that one may stand. */
static uint32_t way_find_zones(struct way *w, uint32_t *slot)
{
	struct table *t = w->p->t;
	const struct conn_key *key = &w->l->look.key;
	struct conn_lookup k = w->l->look;
	struct zones to[ZONES_MAX];
	unsigned int i, n = rules_zones(w->p->pol, key, to);

	for (i = 0; i < n; i++) {
		const struct conn *c;
		enum zone_fit fit;
		uint32_t idx;

		key_move(t, &k, to[i]);
		idx = way_find(w, &k, slot);
		if (!idx)
			continue;
		c = table_conn(t, k.shard, idx);
		fit = rules_fit(key, &c->key,
		                k.sender == !!(c->status & CONN_ORIG1) &&
		                        !w->l->land);
		if (fit == ZONE_FITS)
			return idx;
		w->clash |= fit == ZONE_CLASH;
	}
	return 0;
}

/* May this packet have to do with expectations?  From a capture only its own
 * worker writes to this shard, so a look without the lock is enough. */
static bool way_ordered(const struct way *w)
{
	const struct table *t = w->p->t;
	struct conn_view v;

	return w->l->look.key.l4proto == IPPROTO_GRE ||
	       conn_lookup(t, &w->l->look, &v) <= 0 || v.conn.ext ||
	       tick_expired(v.conn.deadline, w->now);
}

static void apply_track(struct way *w)
{
	struct table *t = w->p->t;
	const struct conn_lookup *k = &w->l->look;
	uint32_t slot = 0, idx;

	if (unlikely(w->p->shares) && !help_free(w->p, w->l) && way_ordered(w))
		help_order(w->p, w->l->pkt->frame,
		           w->l->hinted ? 0 : w->l->awaits);
	else if (unlikely(help_waits(w->p)))
		help_wait(w);
	if (unlikely(w->p->cut))
		return;
	if (unlikely(k->key.l4proto == IPPROTO_GRE))
		help_gre(w);
	shard_lock(t, k->shard);
	if (unlikely(w->p->pol->zone_dirs))
		idx = way_find_zones(w, &slot);
	else
		idx = way_find_own(w, &slot);
	if (!idx || !apply_existing(w, idx, slot))
		apply_new(w);
	shard_unlock(t, k->shard);
	help_after(w->p, w->l->now_ns);
}

/* The error has the direction of who answers the packet that it quotes, and so
 * do its zones. */
static bool related_find(const struct way *w, struct conn_view *v)
{
	const struct table *t = w->p->t;
	struct conn_lookup k = w->l->look;
	struct zones to[ZONES_MAX];
	unsigned int i, n;

	if (likely(!w->p->pol->zone_dirs))
		return conn_lookup(t, &k, v) > 0 &&
		       !tick_expired(v->conn.deadline, w->now);
	n = rules_zones(w->p->pol, &w->l->look.key, to);
	for (i = 0; i < n; i++) {
		key_move(t, &k, to[i]);
		if (conn_lookup(t, &k, v) > 0 &&
		    !tick_expired(v->conn.deadline, w->now) &&
		    rules_fit(&w->l->look.key, &v->conn.key,
		              k.sender != !!(v->conn.status & CONN_ORIG1)) ==
		            ZONE_FITS)
			return true;
	}
	return false;
}

/* F156-F160: the quoted packet is looked up by the inverse of its tuple, so
 * the error has the direction of whoever answers it */
static void apply_related(struct way *w)
{
	struct conn_view v;
	bool orig1;

	w->info = CTINFO_INVALID;
	if (w->l->outer_ok && related_find(w, &v)) {
		orig1 = v.conn.status & CONN_ORIG1;
		counters_add(&w->cs, CTR_FOUND, 1);
		w->info = w->l->look.sender == orig1 ? CTINFO_RELATED_REPLY
		                                     : CTINFO_RELATED;
		w->dir = w->info == CTINFO_RELATED_REPLY;
		if (unlikely(w->traced))
			trace_related(way_rec(w), &v, w->now);
	} else {
		counters_add(&w->cs, CTR_ERROR, 1);
	}
	count_class(w);
	way_close(w);
}

static void apply_lane(struct way *w);

/* The frame and its fragment are counted by the worker of the addresses, the
 * datagram by that of its shard; who is both does it in one operation. */
static void apply_fragment(struct way *w)
{
	struct pipeline *p = w->p;
	const struct lane *l = w->l;
	bool mine = pipeline_mine(p, l->look.shard);
	struct lane whole;
	bool done = fragment_take(p, l, &w->cs, &whole);

	if (!mine)
		counters_init(&w->cs);
	if (done && whole.kind != LANE_SKIP) {
		struct way datagram = *w;

		datagram.l = &whole;
		apply_lane(&datagram);
	} else if (mine) {
		if (unlikely(p->trace.on) && !done)
			w->traced = trace_fragment(p, l);
		way_close(w);
	}
	if (done)
		fragment_done(p, l);
}

static void lane_dispatch(struct way *w)
{
	switch (w->l->kind) {
	case LANE_TRACK:
		apply_track(w);
		return;
	case LANE_RELATED:
		apply_related(w);
		return;
	case LANE_FRAGMENT:
		apply_fragment(w);
		return;
	case LANE_DECODE:
		counters_add(&w->cs, CTR_COUNT + w->l->pkt->reason, 1);
		break;
	case LANE_UNTRACKED:
		w->info = CTINFO_UNTRACKED;
		count_class(w);
		break;
	case LANE_ERROR:
		counters_add(&w->cs, CTR_ERROR, 1);
		w->info = CTINFO_INVALID;
		count_class(w);
		break;
	default:
		w->info = CTINFO_INVALID;
		count_class(w);
	}
	way_close(w);
}

static void apply_lane(struct way *w)
{
	if (unlikely(w->p->trace.on)) {
		w->dir = DIR_ORIGINAL;
		w->info = CTINFO_INVALID;
		w->traced = trace_open(w->p, w->l);
	}
	lane_dispatch(w);
	if (unlikely(w->traced))
		trace_settle(w->p->t->ring[w->p->t->me].hdr);
}

void lane_apply(struct pipeline *p, struct lane *l, uint32_t now)
{
	struct way w;

	w.p = p;
	w.l = l;
	w.now = now;
	w.cur.pkt = l->pkt->frame;
	w.cur.src = l->pkt->source;
	w.clash = false;
	w.acts = 0;
	w.drop = false;
	w.room = false;
	w.full = OP_DONE;
	w.traced = false;
	counters_init(&w.cs);
	counters_one(&w.cs, CTR_FRAMES);
	p->last_pkt = l->pkt->frame;
	if (likely(l->kind == p->plain))
		apply_track(&w);
	else
		apply_lane(&w);
}

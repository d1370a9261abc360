/*
 * pipeline.c - stages of a batch: parse and locate.  See pipeline.h; the
 * third stage is apply.c.
 */
#include "daemon/worker/apply.h"

#include <string.h>

#include "daemon/pkt/steer.h"
#include "daemon/worker/fragment.h"
#include "daemon/worker/help.h"
#include "daemon/worker/invalid.h"
#include "daemon/worker/plain.h"
#include "daemon/worker/room.h"
#include "daemon/worker/rules.h"
#include "daemon/worker/trace.h"
#include "shm/atomic.h"
#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/hash.h"

/* packets between that whose bytes are fetched and that which is parsed */
#define PARSE_AHEAD 8u

/* virtual time between two sweeps of a capture */
#define SWEEP_NS NS_PER_S

void pipeline_init(struct pipeline *p, struct table *t, uint32_t worker,
                   uint32_t nworker, bool capture)
{
	memset(p, 0, sizeof(*p));
	p->t = t;
	p->worker = worker;
	p->nworker = nworker;
	p->capture = capture;
	p->shares = capture && nworker > 1;
	p->plain = LANE_TRACK;
	p->clock_ns = t->ring[t->me].hdr->clock_ns;
	p->last_pkt = t->ring[t->me].hdr->cursor[0];
	/* what was there before has deadlines of its own */
	p->due = table_tick_of(t, p->clock_ns);
}

/* ---- parse ---- */

/* an error belongs to the connection that it quotes (F155, F156) */
static uint8_t lane_related(struct pipeline *p, struct lane *l, int off)
{
	struct pkt inner;
	uint8_t id;

	if (!pkt_inner(l->pkt, (uint32_t)off, &inner) || inner.frag_off)
		return LANE_ERROR;
	inner.zone = l->pkt->zone;
	l->trk = tracker_find(p->pol, inner.l4proto, &id);
	if (!key_of_packet(p->t, &inner, l->trk, &l->look, &l->land))
		return LANE_ERROR;
	/* F157: it must go to the sender of what it quotes */
	l->outer_ok = !memcmp(&l->pkt->dst, &inner.src, sizeof(inner.src));
	return LANE_RELATED;
}

/* a packet whose layers are known */
static uint8_t lane_classify(struct pipeline *p, struct lane *l)
{
	struct trk_ctx c;
	enum trk_verdict v = TRK_ACCEPT;
	int off;

	/* a frame without a tuple has the shard of its addresses */
	l->look.shard = 0;
	if (l->pkt->reason == PKT_EXT_CHAIN) /* F006 */
		return LANE_INVALID;
	if (l->pkt->reason != PKT_OK)
		return LANE_DECODE;
	if (unlikely(p->pol->rule_gives & RULE_PACKET) &&
	    rules_packet(p->pol, l)) {
		l->look.shard = steer_shard(p->t->key.steer, l->pkt);
		return LANE_UNTRACKED;
	}
	l->trk = tracker_find(p->pol, l->pkt->l4proto, &l->trk_id);
	c = (struct trk_ctx){.pkt = l->pkt,
	                     .pol = p->pol,
	                     .id = l->trk_id,
	                     .mirror = p->mirror};
	if (l->trk->check)
		v = l->trk->check(&c);
	if (likely(v == TRK_ACCEPT) && l->trk->error) {
		off = l->trk->error(&c);
		if (off > 0)
			return lane_related(p, l, off);
		if (off < 0) {
			if (pipeline_mine(p, l->look.shard))
				invalid_note(p->pol, &c);
			return LANE_ERROR;
		}
	}
	if (likely(v == TRK_ACCEPT)) {
		if (likely(key_of_packet(p->t, l->pkt, l->trk, &l->look,
		                         &l->land)))
			return LANE_TRACK;
		l->look.shard = 0;
	}
	if (v != TRK_ACCEPT)
		l->look.shard = steer_shard(p->t->key.steer, l->pkt);
	/* of the workers that all read a capture, one says so */
	if (pipeline_mine(p, l->look.shard))
		invalid_note(p->pol, &c);
	return v == TRK_UNTRACKED ? LANE_UNTRACKED : LANE_INVALID;
}

bool pipeline_mine(const struct pipeline *p, uint8_t shard)
{
	return !p->shares || steer_worker(shard, p->nworker) == p->worker;
}

/* One of several workers that all read a capture: is this one its own? */
static void lane_share(struct pipeline *p, struct lane *l)
{
	bool mine = pipeline_mine(p, l->look.shard);

	if (l->kind == LANE_TRACK)
		help_watch(p, l, mine);
	if (!mine)
		l->kind = LANE_SKIP;
}

/*
 * Most frames of a capture are another worker's.  Those that are plainly TCP
 * or UDP, with ports, are known by their headers alone, before anything is
 * parsed; who has them counts them, whatever else is wrong with them.
 */
static bool lane_foreign(struct pipeline *p, struct lane *l)
{
	struct steer_plain f;
	uint8_t id;

	if (p->decap || !steer_look(l->pkt, &f))
		return false;
	/* a tracker that is off leaves its packets to one without ports */
	if (unlikely(tracker_find(p->pol, f.l4proto, &id)->tuple))
		return false;
	l->look.shard = steer_tuple(p->t->key.steer, f.v6, &f.src, &f.dst,
	                            f.sport, f.dport, f.l4proto);
	if (pipeline_mine(p, l->look.shard))
		return false;
	help_watch_ports(p, l->pkt, f.v6, f.l4proto, f.sport, f.dport);
	l->kind = LANE_SKIP;
	return true;
}

void lane_datagram(struct pipeline *p, struct lane *l, struct pkt *pkt)
{
	l->pkt = pkt;
	l->zone_dir = 0;
	l->kind = lane_classify(p, l);
	if (unlikely(l->zone_dir) && l->kind >= LANE_RELATED) {
		l->look.key.flags |= l->zone_dir;
		l->look.hash =
			hash_key(p->t->key.hash, &l->look.key, &l->look.addr6);
	}
	l->word = 0;
	if (l->kind >= LANE_RELATED)
		l->line = table_line(p->t, l->look.shard,
		                     hash_bucket(p->t, l->look.hash));
	if (unlikely(p->shares))
		lane_share(p, l);
}

/* The store of fragments takes one of a frame: a fragment that such a datagram
 * carries is given up. */
void pipeline_decap(struct pipeline *p, struct pkt *pkt)
{
	if (!p->decap || pkt->reason != PKT_OK)
		return;
	if (pkt_decap(pkt, p->decap) == PKT_FRAGMENT)
		pkt->reason = PKT_TUNNEL_FRAGMENT;
	if (p->pol->zone_from)
		rules_zone_from(p->pol, pkt);
}

/* the same for what was no plain frame; out of line, so that those keep their
 * registers */
static __attribute__((noinline)) bool plain_parse_inner(struct pipeline *p,
                                                        struct lane *l)
{
	return l->pkt->l4proto == PROTO_TCP && plain_parse(p, l);
}

static inline void lane_parse(struct pipeline *p, struct lane *l)
{
	enum pkt_reason r;
	bool plain;

	l->plain = false;
	if (unlikely(p->shares) && lane_foreign(p, l))
		return;
	plain = pkt_plain(l->pkt);
	if (likely(plain)) {
		r = PKT_OK;
		if (likely(plain_parse(p, l)))
			return;
	} else {
		r = pkt_parse_any(l->pkt);
	}
	if (unlikely(p->decap != NULL))
		r = pkt_decap(l->pkt, p->decap);
	if (unlikely(p->pol->zone_from))
		rules_zone_from(p->pol, l->pkt);
	/* in a VLAN, behind options, out of a tunnel */
	if ((!plain || l->pkt->depth) && r == PKT_OK && plain_parse_inner(p, l))
		return;
	if (unlikely(r == PKT_FRAGMENT)) {
		l->look.shard = steer_shard(p->t->key.steer, l->pkt);
		l->kind = LANE_FRAGMENT;
		return;
	}
	lane_datagram(p, l, l->pkt);
	if (l->kind >= LANE_RELATED)
		__builtin_prefetch(l->line);
}

/* ---- locate ---- */

/* the index that an insert into the shard would take: a look without the lock,
 * so a guess */
static uint32_t shard_next(const struct shard *q, unsigned int f)
{
	uint32_t idx = shm_load(&q->free_head[f]);

	return idx ? idx : shm_load(&q->bump[f]);
}

/* True: the index has nothing that fits. */
static inline bool lane_locate(const struct pipeline *p, struct lane *l)
{
	const struct table *t = p->t;
	uint32_t m, idx, word = 0;

	if (l->kind < LANE_RELATED)
		return false;
	__builtin_prefetch(&t->shard[l->look.shard], 1);
	m = line_match(l->line, hash_tag(l->look.hash));
	if (m) {
		l->at = (uint32_t)__builtin_ctz(m);
		word = shm_load(&l->line->slot[l->at]);
		idx = word & SLOT_IDX;
	} else {
		idx = shard_next(&t->shard[l->look.shard],
		                 l->look.key.flags & KEY_V6);
	}
	if (unlikely(idx >= t->cap))
		return !m;
	l->word = word;
	l->conn = table_conn(t, l->look.shard, idx);
	__builtin_prefetch(l->conn, 1);
	__builtin_prefetch((const char *)l->conn + CACHE_LINE, 1);
	l->detail = NULL;
	if (likely(t->detail)) {
		l->detail = table_detail(t, l->look.shard, idx);
		__builtin_prefetch(l->detail, 1);
	}
	if (l->look.key.flags & KEY_V6) {
		l->addr6 = table_addr6(t, l->look.shard, idx);
		__builtin_prefetch(l->addr6);
	}
	/* of one that is there it is hardly ever touched (update_chk()) */
	if (unlikely(!m))
		__builtin_prefetch(table_chk(t, l->look.shard, idx), 1);
	return !m;
}

/* ---- clock ---- */

/*
 * Live: packets are stamped by the wall clock, which may be stepped; deadlines
 * run on the table's.  The shift of the moment maps one to the other, and a
 * stamp that lands in the future or far back is taken as now.
 */
static void batch_times_live(struct pipeline *p, unsigned int n)
{
	uint64_t now = table_clock_ns(p->t);
	uint64_t shift = clock_real_ns() - now;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct lane *l = &p->lane[i];

		l->now_ns = l->pkt->ts_ns - shift;
		if (l->now_ns > now || l->now_ns + 2 * NS_PER_S < now)
			l->now_ns = now;
	}
	p->clock_ns = now;
}

static void batch_times_capture(struct pipeline *p, unsigned int n)
{
	struct ring_header *h = p->t->ring[p->t->me].hdr;
	struct tbl_header *hdr = p->t->hdr;
	unsigned int i;

	/* the first frame is the same for every worker */
	if (unlikely(!hdr->t0_real_ns)) {
		shm_store(&hdr->t0_real_ns, p->lane[0].pkt->ts_ns);
		p->due = TICK_BEHIND;
	}
	shm_store(&h->clock_ns, p->clock_ns);
	for (i = 0; i < n; i++) {
		if (p->lane[i].pkt->ts_ns > p->clock_ns)
			p->clock_ns = p->lane[i].pkt->ts_ns;
		p->lane[i].now_ns = p->clock_ns;
	}
}

void pipeline_sweep(struct pipeline *p, uint64_t now_ns)
{
	struct table *t = p->t;
	uint32_t sh, n, due = table_tick_of(t, now_ns) + TICK_BEHIND;

	for (sh = 0; sh < t->nshard; sh++) {
		if (steer_worker((uint8_t)sh, p->nworker) != p->worker)
			continue;
		n = shard_expire(t, sh, now_ns, UINT32_MAX, p->pol->max,
		                 p->pol->events != 0, &due);
		p->told |= n != 0;
	}
	/* one of them, for all: what has expired is never matched anyway */
	if (expect_some(t) && (p->worker == 0 || t->keys_gone))
		expect_sweep(t, now_ns, p->pol->max, p->pol->events != 0);
	t->keys_gone = false;
	fragments_expire(p, now_ns);
	if (expect_some(t) && p->worker == 0)
		due = table_tick_of(t, now_ns);
	p->due = due;
	p->swept_ns = now_ns;
}

/* virtual seconds pass: whoever expired is told, in the order of time */
static void capture_sweep(struct pipeline *p, const struct lane *l,
                          uint32_t now)
{
	uint64_t now_ns = l->now_ns;

	if (likely(now_ns < p->swept_ns + SWEEP_NS) ||
	    likely(tick_left(p->due, now) > 0 && !expect_some(p->t)))
		return;
	if (p->shares && (p->passed < l->awaits || help_ever(p->t)))
		help_order(p, l->pkt->frame, l->awaits);
	if (likely(!p->cut))
		pipeline_sweep(p, now_ns);
}

static void pipeline_part(struct pipeline *p, struct pkt *pkts, unsigned int n)
{
	uint32_t fresh = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i + PARSE_AHEAD < n)
			__builtin_prefetch(pkts[i + PARSE_AHEAD].data);
		p->lane[i].pkt = &pkts[i];
		p->lane[i].awaits = p->hinted;
		lane_parse(p, &p->lane[i]);
	}
	for (i = 0; i < n; i++)
		fresh |= (uint32_t)lane_locate(p, &p->lane[i]) << i;
	if (p->capture)
		batch_times_capture(p, n);
	else
		batch_times_live(p, n);
	if (fresh)
		room_fetch(p, fresh);
	for (i = 0; i < n; i++) {
		struct lane *l = &p->lane[i];
		uint32_t now = table_tick_of(p->t, l->now_ns);

		if (p->capture)
			capture_sweep(p, l, now);
		if (unlikely(p->cut))
			return;
		if (likely(l->plain) && likely(plain_apply(p, l, now)))
			continue;
		if (l->kind != LANE_SKIP)
			lane_apply(p, l, now);
	}
}

void pipeline_batch(struct pipeline *p, struct pkt *pkts, unsigned int n)
{
	struct ring_header *h = p->t->ring[p->t->me].hdr;
	unsigned int i;

	if (!n)
		return;
	/* what a predecessor was about to end, before anything else */
	help_after(p, p->clock_ns);
	trace_look(p);
	plain_rules(p);
	counters_open(p->t, pkts[0].frame);
	for (i = 0; i < n && !p->cut; i += PIPELINE_PART)
		pipeline_part(p, pkts + i,
		              n - i < PIPELINE_PART ? n - i : PIPELINE_PART);
	/* who sees the frames counted finds the clock where they put it */
	if (p->capture && !p->cut)
		clock_advance(p->t, p->clock_ns);
	counters_close(p->t);
	if (p->capture && !p->cut)
		shm_store_release(&h->done, pkts[n - 1].frame);
}

/*
 * plain.h - the way of a plain segment through all stages, in a straight line.
 *
 * Nearly every packet is a TCP segment that its tracker takes the short way
 * (daemon/tracker/tcp_plain.h), of a connection that is there, has no record
 * beside it, and is found at once.  What the stages do for such a packet is
 * done here with all else left out: one comparison of status bits instead of a
 * test for each case, timeouts that are worked out once a batch, the header
 * read while the frame is looked at.
 *
 * plain_parse() and plain_apply() say no before they have written anything to
 * the table, and the packet then goes the general way; so nothing is decided
 * here that apply.c and tcp.c do not decide alike.  That
 * both end alike is what tests/worker/test_plain.c is for.
 */
#ifndef WORKER_PLAIN_H
#define WORKER_PLAIN_H

#include "daemon/pkt/plain.h"
#include "daemon/tracker/key_ports.h"
#include "daemon/tracker/tcp_plain.h"
#include "daemon/worker/help.h"
#include "daemon/worker/mirror.h"
#include "daemon/worker/rules.h"
#include "shm/rate.h"
#include "shm/update.h"

/* For a batch: is there anything that all packets are to be asked for? */
static inline void plain_rules(struct pipeline *p)
{
	const struct policy *pol = p->pol;
	struct plain_rules *r = &p->rules;
	struct trk_ctx c = {.pol = pol};
	uint32_t to[2];

	r->trk = tracker_find(pol, PROTO_TCP, &r->trk_id);
	c.id = r->trk_id;
	r->on = p->plain == LANE_TRACK && !pol->zone_dirs &&
	        !(pol->rule_gives & RULE_PACKET) &&
	        r->trk->l4proto == PROTO_TCP && plain_timeouts(&c, to);
	if (!r->on)
		return;
	r->timeout[0] = tick_after_s(0, to[0]);
	r->timeout[1] = tick_after_s(0, to[1]);
}

/* F010 */
static inline bool plain_damaged(const struct pkt *k)
{
	bool known;

	return pkt_l4_checksum(k, PROTO_TCP, &known) && known;
}

/* From a capture that several workers share: is this a packet that waits for
 * none of theirs, whose shard is this one's? */
static inline bool plain_mine(const struct pipeline *p, struct lane *l,
                              const struct trk_tuple *tp)
{
	l->hinted = false;
	return pipeline_mine(p, l->look.shard) &&
	       !(p->pol->rule_gives & RULE_HELPER) &&
	       !policy_port_hint(p->pol, tp->src) &&
	       !policy_port_hint(p->pol, tp->dst);
}

/* A parsed packet, out of its tunnels.  True: it is a plain segment, and its
 * lane has all that locating needs. */
static inline bool plain_parse(struct pipeline *p, struct lane *l)
{
	struct pkt *k = l->pkt;
	struct trk_tuple tp;
	const uint8_t *h;

	if (unlikely(!p->rules.on) || k->l4proto != PROTO_TCP ||
	    !plain_read(k, &l->seg))
		return false;
	if (p->pol->checksum != CHECKSUM_OFF && plain_damaged(k))
		return false;
	if (unlikely(p->pol->zone_from))
		rules_zone_from(p->pol, k);
	h = k->data + k->l4;
	tp.src = get16(h);
	tp.dst = get16(h + 2);
	if (likely(k->l3proto == 4))
		key_ports4(p->t, k, &tp, &l->look, &l->land);
	else
		key_ports6(p->t, k, &tp, &l->look, &l->land);
	if (unlikely(p->shares) && !plain_mine(p, l, &tp))
		return false;
	l->trk = p->rules.trk;
	l->trk_id = p->rules.trk_id;
	l->kind = LANE_TRACK;
	l->zone_dir = 0;
	l->plain = true;
	l->word = 0;
	l->line = table_line(p->t, l->look.shard,
	                     hash_bucket(p->t, l->look.hash));
	__builtin_prefetch(l->line);
	return true;
}

/* what a connection must have, and must not */
#define PLAIN_HAS (CONN_SEEN_REPLY | CONN_ASSURED | CONN_ACCT)
#define PLAIN_NOT (CONN_ONE_WAY | CONN_TAIL_MASK | CONN_FIXED_TIMEOUT)

static bool plain_looked(struct pipeline *p, struct lane *l, uint32_t now);

/* Under the shard's lock.  False: nothing is written.  A packet that is to be
 * compared with the last ones is for plain_looked(), `look`, a copy of this
 * beside the straight line: it would cost the others their registers. */
static inline bool plain_locked(struct pipeline *p, struct lane *l,
                                uint32_t now, const bool look)
{
	struct table *t = p->t;
	struct conn *c = l->conn;
	struct conn_detail *x = l->detail;
	struct tcp_priv *priv = tcp_of(c);
	const struct pkt *k = l->pkt;
	uint32_t status = c->status;
	struct ring_header *h = t->ring[t->me].hdr;
	uint64_t at = h->count_last - k->frame;
	uint32_t print = 0; /* if `look` */
	struct spot s;
	uint8_t dir;

	if (unlikely(l->line->slot[l->at] != l->word ||
	             !conn_has(c, l->addr6, &l->look) ||
	             tick_expired(c->deadline, now)))
		return false;
	if (unlikely((status & (PLAIN_HAS | PLAIN_NOT)) != PLAIN_HAS ||
	             c->state != ES || c->ext))
		return false;
	dir = l->land | (l->look.sender != !!(status & CONN_ORIG1));
	if (unlikely(!plain_next(&l->seg, priv, dir)))
		return false;
	if (unlikely(p->mirror) && !look && mirror_looks(p->pol, c, dir, x))
		return plain_looked(p, l, now);
	if (look && (p->shed || !mirror_unlike(p->pol, l->trk, k, x, &print)))
		return false;
	if (unlikely(k->source || at >= NCOUNT || h->pend_cursor))
		return false;

	s = (struct spot){.q = &t->shard[l->look.shard],
	                  .c = c,
	                  .x = x,
	                  .h = h,
	                  .u = &h->undo[t->undo],
	                  .sh = l->look.shard,
	                  .idx = l->word & SLOT_IDX};
	update_open(t, &s, look);
	if (look)
		mirror_remember(p->pol, l->trk, k, print, x);
	c->deadline = now + p->rules.timeout[plain_learn(&l->seg, priv, dir)];
	c->packets[dir]++;
	c->bytes[dir] += k->l3len;
	if (likely(x))
		rate_add(x, k->ts_ns, dir, k->l3len);
	if (p->capture && tick_left(c->deadline, p->due) < 0)
		p->due = c->deadline;
	h->count[at] =
		1u << CTR_FRAMES | 1u << CTR_FOUND |
		(dir ? 1u << CTR_ESTABLISHED_REPLY : 1u << CTR_ESTABLISHED);
	update_close(t, &s,
	             (struct op_cursor){.pkt = k->frame, .src = k->source});
	return true;
}

static __attribute__((noinline)) bool plain_looked(struct pipeline *p,
                                                   struct lane *l, uint32_t now)
{
	return plain_locked(p, l, now, true);
}

/* True: the packet is done. */
static inline bool plain_apply(struct pipeline *p, struct lane *l, uint32_t now)
{
	bool done;

	if (unlikely(!l->word) || unlikely(help_waits(p)) ||
	    (unlikely(p->shares) && !help_free(p, l)))
		return false;
	shard_lock(p->t, l->look.shard);
	done = plain_locked(p, l, now, false);
	shard_unlock(p->t, l->look.shard);
	if (likely(done)) {
		p->last_pkt = l->pkt->frame;
		help_after(p, l->now_ns);
	}
	return done;
}

#endif

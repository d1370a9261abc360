/* trace.c - see trace.h. */
#include "daemon/worker/trace.h"

#include <stdio.h>
#include <string.h>

#include "daemon/worker/fragment.h"
#include "daemon/worker/rules.h"
#include "shm/tick.h"

/* ---- what is to be traced ---- */

void trace_copy(struct pipeline *p)
{
	const struct trace_want *w = &p->t->mlog->trace;
	struct tracing *to = &p->trace;
	uint32_t version = shm_load_acquire(&w->version);

	/* being written: the next batch will see it */
	if (version & 1)
		return;
	to->on = shm_load(&w->on) & ((1u << TRACE_TUPLES) - 1);
	memcpy(to->tuple, w->tuple, sizeof(to->tuple));
	shm_rmb();
	if (shm_load(&w->version) == version)
		to->version = version;
	else
		to->on = 0;
	p->plain = to->on ? LANE_SKIP : LANE_TRACK;
}

/* ---- does a tuple ask for it? ---- */

static bool net_fits(const struct policy_net *n, const uint32_t addr[4])
{
	uint32_t other = 0;
	unsigned int i;

	for (i = 0; i < 4; i++)
		other |= (addr[i] & n->mask[i]) ^ n->addr[i];
	return !other;
}

static bool port_fits(const struct policy_range *r, uint16_t port)
{
	return port >= r->from && port <= r->to;
}

/* `s` is the end that would be the tuple's source */
static bool tuple_fits(const struct trace_tuple *q, const struct trace_flow *f,
                       unsigned int s)
{
	if ((q->asks & TRACE_FAMILY && q->l3proto != f->l3proto) ||
	    (q->asks & TRACE_PROTO && q->l4proto != f->l4proto) ||
	    (q->asks & TRACE_SRC && !net_fits(&q->src, f->addr[s])) ||
	    (q->asks & TRACE_DST && !net_fits(&q->dst, f->addr[!s])))
		return false;
	if (q->asks & (TRACE_SPORT | TRACE_DPORT) && f->kind != TRACE_PORTS)
		return false;
	/* ICMP's id stands where the source's port would, both ways */
	if (q->asks & TRACE_ID &&
	    (f->kind != TRACE_TYPE || q->id != f->port[0]))
		return false;
	return !(q->asks & TRACE_SPORT && !port_fits(&q->sport, f->port[s])) &&
	       !(q->asks & TRACE_DPORT && !port_fits(&q->dport, f->port[!s]));
}

static uint8_t flow_tuples(const struct tracing *tr, const struct trace_flow *f,
                           uint16_t zone)
{
	uint8_t bits = 0;
	unsigned int i;

	if (!f->l3proto)
		return 0;
	for (i = 0; i < TRACE_TUPLES; i++) {
		const struct trace_tuple *q = &tr->tuple[i];

		if (!(tr->on & 1u << i) ||
		    (q->asks & TRACE_ZONE && q->zone != zone))
			continue;
		if (tuple_fits(q, f, 0) || tuple_fits(q, f, 1))
			bits |= (uint8_t)(1u << i);
	}
	return bits;
}

static void flow_fill(struct trace_flow *f, const struct policy *pol,
                      const struct pkt *p)
{
	const struct tracker *trk = tracker_find(pol, p->l4proto, &f->trk);
	const uint8_t *h = pkt_l4(p, 0, 4);
	struct trk_tuple t = {0, 0};

	memcpy(f->addr[0], p->src.w, sizeof(f->addr[0]));
	memcpy(f->addr[1], p->dst.w, sizeof(f->addr[1]));
	f->l3proto = p->l3proto;
	f->l4proto = p->l4proto;
	if (trk->tuple && trk->tuple(p, &t)) {
		f->kind = trk->request ? TRACE_TYPE : TRACE_KEYS;
	} else if (!trk->tuple && h) {
		f->kind = TRACE_PORTS;
		t.src = get16(h);
		t.dst = get16(h + 2);
	}
	f->port[0] = t.src;
	f->port[1] = t.dst;
}

/* What an ICMP error quotes, when there is a header to be seen. */
static void quote_fill(struct trace_flow *f, const struct pipeline *p,
                       const struct lane *l)
{
	struct trk_ctx c = {.pkt = l->pkt, .pol = p->pol, .mirror = p->mirror};
	const struct tracker *trk =
		tracker_find(p->pol, l->pkt->l4proto, &c.id);
	struct pkt inner;
	int off = trk->error ? trk->error(&c) : 0;

	if (off > 0 && pkt_inner(l->pkt, (uint32_t)off, &inner))
		flow_fill(f, p->pol, &inner);
}

/* ---- reasons ---- */

static void why_text(struct trace_rec *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
}

/* the trackers' texts are constants with at most two numbers */
static void why_tracker(struct trace_rec *r, const struct trk_ctx *c)
{
	if (c->why)
		snprintf(r->why, sizeof(r->why), c->why, c->why_arg[0],
		         c->why_arg[1]);
}

/* It was refused before anybody looked at the table: ask why once more. */
static void why_unseen(struct trace_rec *r, const struct pipeline *p,
                       const struct lane *l)
{
	struct trk_ctx c = {.pkt = l->pkt, .pol = p->pol, .mirror = p->mirror};
	const struct tracker *trk;
	enum trk_verdict v = TRK_ACCEPT;

	if (l->pkt->reason == PKT_EXT_CHAIN) {
		why_text(r, "extension headers cannot be walked");
		return;
	}
	trk = tracker_find(p->pol, l->pkt->l4proto, &c.id);
	if (trk->check)
		v = trk->check(&c);
	if (v == TRK_ACCEPT && trk->error)
		trk->error(&c);
	if (c.why)
		why_tracker(r, &c);
	else if (l->kind == LANE_ERROR)
		why_text(r, "quotes no packet that could be looked up");
	else if (l->kind == LANE_INVALID)
		why_text(r, "no tuple");
}

/* ---- the record ---- */

/* A fragment that goes on alone is none. */
static bool reassembled(const struct pipeline *p, const struct pkt *pkt)
{
	const struct fragments *fs = p->frags;

	return fs && pkt == &fs->pkt && fs->answer.verdict == FRAG_DONE;
}

/* what the datagram is made of, this frame apart */
static void rec_fragments(struct trace_rec *r, const struct pipeline *p)
{
	const struct frag_seen *seen = &p->frags->seen;
	uint32_t i;

	r->nfrags = seen->nfrags;
	for (i = 0; i < seen->nframes && r->nframes < TRACE_FRAMES; i++)
		if (seen->frame[i] != r->frame)
			r->frag_frame[r->nframes++] = seen->frame[i];
}

static void rec_packet(struct trace_rec *r, const struct pipeline *p,
                       const struct lane *l)
{
	const struct pkt *pkt = l->pkt;
	uint32_t cap = pkt_l4cap(pkt);
	const void *h;

	r->frame = pkt->frame;
	r->ts_ns = pkt->ts_ns;
	r->version = p->trace.version;
	r->l3len = pkt->l3len;
	r->l4len = pkt->l4len;
	r->zone = pkt->zone;
	r->iface = pkt->iface;
	r->flags = l->zone_dir == KEY_ZONE_ORIG    ? TRACE_F_ZONE_ORIG
	           : l->zone_dir == KEY_ZONE_REPLY ? TRACE_F_ZONE_REPLY
	                                           : 0;
	if (reassembled(p, pkt)) {
		r->flags |= TRACE_F_REASSEMBLED;
		rec_fragments(r, p);
	}
	r->nhead = (uint8_t)(cap < TRACE_HEAD ? cap : TRACE_HEAD);
	h = pkt_l4(pkt, 0, r->nhead);
	if (h)
		memcpy(r->head, h, r->nhead);
	else
		r->nhead = 0;
	rules_trace(p->pol, pkt, RULE_PACKET, r->rule);
}

static void rec_fate(struct trace_rec *r, const struct pipeline *p,
                     const struct lane *l)
{
	switch (l->kind) {
	case LANE_UNTRACKED:
		r->verdict = TRACE_UNTRACKED;
		if (!r->rule[1])
			why_unseen(r, p, l);
		break;
	case LANE_INVALID:
	case LANE_ERROR:
		r->verdict = TRACE_INVALID;
		why_unseen(r, p, l);
		break;
	case LANE_RELATED:
		/* until it is found */
		r->verdict = TRACE_INVALID;
		why_text(r, l->outer_ok
		                    ? "quotes a packet of no connection"
		                    : "does not go to who sent what it quotes");
		break;
	case LANE_TRACK:
		/* what makes a connection asks them again */
		rules_trace(p->pol, l->pkt, RULE_CONN, r->rule);
		break;
	default:
		break;
	}
}

bool trace_open(struct pipeline *p, const struct lane *l)
{
	struct trace_flow flow = {.l3proto = 0}, quoted = {.l3proto = 0};
	struct trace_rec *r = &p->trace.rec;
	uint8_t tuples;

	if (l->kind == LANE_SKIP || l->kind == LANE_DECODE ||
	    l->kind == LANE_FRAGMENT)
		return false;
	flow_fill(&flow, p->pol, l->pkt);
	if (l->kind == LANE_RELATED || l->kind == LANE_ERROR)
		quote_fill(&quoted, p, l);
	tuples = flow_tuples(&p->trace, &flow, l->pkt->zone) |
	         flow_tuples(&p->trace, &quoted, l->pkt->zone);
	if (!tuples)
		return false;
	memset(r, 0, sizeof(*r));
	r->tuples = tuples;
	r->flow = flow;
	r->quoted = quoted;
	rec_packet(r, p, l);
	rec_fate(r, p, l);
	return true;
}

static void side_fill(struct trace_conn *to, const struct conn *c, uint32_t now)
{
	int64_t left = tick_left(c->deadline, now);

	to->status = c->status;
	to->left_ms = left > 0 ? (uint32_t)left : 0;
	to->mark = c->mark;
	to->state = c->state;
	memcpy(to->priv, c->priv, sizeof(to->priv));
}

/* rules of a connection hold for its first packet alone */
static void rules_forget(struct trace_rec *r)
{
	unsigned int i;

	for (i = 0; i < TRACE_RULES; i++)
		if (!(RULE_PACKET & 1u << i))
			r->rule[i] = 0;
}

void trace_before(struct trace_rec *r, const struct conn *c, uint64_t id,
                  uint32_t now)
{
	r->id = id;
	r->flags |= TRACE_F_DIR;
	side_fill(&r->before, c, now);
}

void trace_after(struct trace_rec *r, const struct conn *c,
                 const struct trk_ctx *ctx, enum trk_verdict v)
{
	static const uint8_t verdict[] = {
		[TRK_ACCEPT] = TRACE_ACCEPTED,
		[TRK_IGNORE] = TRACE_IGNORED,
		[TRK_INVALID] = TRACE_INVALID,
		[TRK_KILL] = TRACE_ENDED,
	};

	rules_forget(r);
	r->verdict = verdict[v];
	side_fill(&r->after, c, ctx->now);
	why_tracker(r, ctx);
}

void trace_new(struct trace_rec *r, const struct conn *c,
               const struct trk_ctx *ctx)
{
	r->id = 0;
	r->verdict = TRACE_NEW;
	r->flags |= TRACE_F_DIR;
	side_fill(&r->after, c, ctx->now);
	why_tracker(r, ctx);
}

void trace_refused(struct trace_rec *r, enum trace_verdict v,
                   const struct trk_ctx *ctx)
{
	rules_forget(r);
	memset(&r->after, 0, sizeof(r->after));
	r->id = 0;
	r->flags &= (uint8_t)~TRACE_F_DIR;
	r->verdict = (uint8_t)v;
	if (ctx && ctx->why)
		why_tracker(r, ctx);
	else if (ctx)
		why_text(r, "no packet that begins a connection");
}

void trace_related(struct trace_rec *r, const struct conn_view *v, uint32_t now)
{
	r->id = conn_id(v->conn.gen, v->shard, v->idx);
	r->verdict = TRACE_RELATED;
	r->flags |= TRACE_F_DIR;
	r->why[0] = '\0';
	side_fill(&r->before, &v->conn, now);
	r->after = r->before;
}

/* ---- fragments ---- */

/* Ports stand in the first fragment alone: a later one has those of its
 * datagram, if that is there already. */
static void fragment_flow(struct trace_flow *f, const struct pipeline *p,
                          const struct pkt *frag)
{
	const struct frag_seen *seen = &p->frags->seen;
	struct pkt first = *frag;

	if (frag->frag_off) {
		first.data = seen->l4;
		first.l4 = 0;
		first.caplen = first.l4len = seen->nl4;
		if (seen->nl4)
			first.l4proto = seen->l4proto;
	}
	flow_fill(f, p->pol, &first);
}

static void fragment_why(struct trace_rec *r, const struct frag_answer *a)
{
	static const char *const why[] = {
#define X(name, text) text,
		FRAG_WHYS(X)
#undef X
	};

	if (a->lost > 1)
		snprintf(r->why, sizeof(r->why), "%s; %u fragments are lost",
		         why[a->why], a->lost);
	else
		why_text(r, why[a->why]);
}

bool trace_fragment(struct pipeline *p, const struct lane *l)
{
	struct trace_flow flow = {.l3proto = 0};
	struct trace_rec *r = &p->trace.rec;
	uint8_t tuples;

	if (!p->frags)
		return false;
	fragment_flow(&flow, p, l->pkt);
	tuples = flow_tuples(&p->trace, &flow, l->pkt->zone);
	if (!tuples)
		return false;
	memset(r, 0, sizeof(*r));
	r->tuples = tuples;
	r->flow = flow;
	rec_packet(r, p, l);
	rec_fragments(r, p);
	/* rules and their zones are asked of the datagram */
	r->flags = 0;
	memset(r->rule, 0, sizeof(r->rule));
	if (l->pkt->frag_off)
		r->nhead = 0;
	r->frag_from = l->pkt->frag_off;
	r->frag_to = l->pkt->frag_off + l->pkt->l4len;
	r->verdict = p->frags->answer.verdict == FRAG_HELD ? TRACE_HELD
	                                                   : TRACE_REFUSED;
	fragment_why(r, &p->frags->answer);
	return true;
}

/* ---- the ring ---- */

void trace_prepare(struct pipeline *p, struct trace_rec *r, uint8_t info,
                   uint8_t dir, struct op_cursor cur)
{
	r->info = info;
	r->dir = dir;
	trace_put(p->t, r, &cur);
	p->told = true;
}

bool trace_ahead(const struct table *t)
{
	const struct mlog_header *h = t->mlog;
	uint64_t tail = t->ring[t->me].hdr->trace_tail;

	return unlikely(shm_load(&h->trace.on) && shm_load(&h->trace.waits)) &&
	       tail - shm_load(&h->trace_taken[t->me]) > TRACE_RECORDS / 4 * 3;
}

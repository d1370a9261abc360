/* help.c - see help.h. */
#include "daemon/worker/help.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/tracker/key.h"
#include "daemon/worker/room.h"
#include "shm/clock.h"
#include "shm/hash.h"

/* turns of a busy wait for the other workers before it naps */
#define ORDER_SPINS 1000u

/* what a callback needs; help_ctx.arg */
struct help {
	struct help_ctx h;
	struct way *w;
	struct conn *c;
	struct conn_ext *x;
	uint64_t id;
	uint8_t place;
};

/* The kernel knows no such limit. */
static uint32_t source_max(const struct pipeline *p)
{
	if (p->pol->expect_source_max || !p->mirror)
		return p->pol->expect_source_max;
	return (p->pol->expect_max + 1) / 2;
}

static struct expect_by way_by(const struct way *w)
{
	return (struct expect_by){.pkt = w->cur.pkt,
	                          .src = w->cur.src,
	                          .now = w->now,
	                          .ts_ns = w->l->pkt->ts_ns,
	                          .max = w->p->pol->expect_max,
	                          .source_max = source_max(w->p),
	                          .tell = w->p->pol->events != 0,
	                          .act = w->acts};
}

/* after an action: its number is used up, and somebody may want to hear */
static void way_acted(struct way *w, const struct expect_by *by)
{
	w->acts = by->act;
	w->p->told = true;
}

/* ---- the expected ---- */

static void tuple_of(const struct lane *l, struct expect_tuple *tp)
{
	const struct conn_lookup *k = &l->look;

	memset(tp, 0, sizeof(*tp));
	tp->v6 = k->key.flags & KEY_V6;
	memcpy(tp->src, &l->pkt->src, tp->v6 ? 16 : 4);
	memcpy(tp->dst, &l->pkt->dst, tp->v6 ? 16 : 4);
	tp->sport = k->key.port[k->sender];
	tp->dport = k->key.port[!k->sender];
	tp->zone = k->key.zone;
	tp->l4proto = k->key.l4proto;
}

/* the first packet was an answer */
static void tuple_turn(struct expect_tuple *tp)
{
	struct expect_tuple was = *tp;

	memcpy(tp->src, was.dst, sizeof(tp->src));
	memcpy(tp->dst, was.src, sizeof(tp->dst));
	tp->sport = was.dport;
	tp->dport = was.sport;
}

uint32_t help_expected(struct way *w, struct conn *c, struct conn_ext *x)
{
	struct table *t = w->p->t;
	struct expect_by by = way_by(w);
	struct expect_tuple tp;
	struct conn_view v;
	struct expect e;
	uint32_t idx;

	if (w->l->trk->request)
		return 0;
	tuple_of(w->l, &tp);
	if (unlikely(w->dir == DIR_REPLY))
		tuple_turn(&tp);
	expect_lock(t);
	idx = expect_find(t, &tp, &by, &e);
	/* what went to make room may have been its master */
	if (idx)
		idx = room_reserve(w) ? expect_find(t, &tp, &by, &e) : 0;
	if (!idx) {
		expect_unlock(t);
		return 0;
	}
	expect_claim(t, idx, &by, w->l->look.shard);
	memset(x, 0, sizeof(*x));
	x->master = e.master;
	x->helper = e.info.assign;
	c->status |= CONN_EXPECTED;
	if (conn_read(t, conn_id_shard(e.master), conn_id_idx(e.master), &v) >
	    0)
		c->mark = v.conn.mark;
	counters_add(&w->cs, CTR_EXPECT_NEW, 1);
	return idx;
}

void help_used(struct way *w, uint32_t idx)
{
	struct expect_by by = way_by(w);

	expect_use(w->p->t, idx, &by);
	expect_unlock(w->p->t);
	w->p->told = true;
}

/* ---- bytes kept between segments (mirror mode) ---- */

#define KEPT 64u

struct kept {
	uint64_t id;
	uint64_t used;
	uint32_t len, next_seq;
	uint8_t dir;
	uint8_t data[HELP_KEEP];
};

struct help_store {
	uint64_t clock;
	struct kept kept[KEPT];
};

void help_store_free(struct help_store *s)
{
	free(s);
}

static struct kept *kept_find(struct pipeline *p, uint64_t id, uint8_t dir)
{
	unsigned int i;

	for (i = 0; p->store && i < KEPT; i++)
		if (p->store->kept[i].id == id && p->store->kept[i].dir == dir)
			return &p->store->kept[i];
	return NULL;
}

/* a place for it: its own, a free one, or that of the longest unused */
static struct kept *kept_place(struct pipeline *p, uint64_t id, uint8_t dir)
{
	struct kept *k = kept_find(p, id, dir);
	unsigned int i;

	if (k)
		return k;
	if (!p->store)
		p->store = calloc(1, sizeof(*p->store));
	if (!p->store)
		return NULL;
	k = &p->store->kept[0];
	for (i = 1; i < KEPT; i++)
		if (p->store->kept[i].used < k->used)
			k = &p->store->kept[i];
	return k;
}

static bool cb_keep(struct help_ctx *h, uint8_t dir, const void *data,
                    uint32_t len, uint32_t next_seq)
{
	struct help *q = h->arg;
	struct pipeline *p = q->w->p;
	struct kept *k;

	if (len > HELP_KEEP)
		return false;
	if (!len) {
		k = kept_find(p, q->id, dir);
		if (k)
			memset(k, 0, offsetof(struct kept, data));
		return true;
	}
	k = kept_place(p, q->id, dir);
	if (!k)
		return false;
	k->id = q->id;
	k->dir = dir;
	k->len = len;
	k->next_seq = next_seq;
	k->used = ++p->store->clock;
	/* may be part of what was kept */
	memmove(k->data, data, len);
	return true;
}

static const uint8_t *cb_kept(struct help_ctx *h, uint8_t dir, uint32_t *len,
                              uint32_t *next_seq)
{
	struct help *q = h->arg;
	struct kept *k = kept_find(q->w->p, q->id, dir);

	if (!k)
		return NULL;
	k->used = ++q->w->p->store->clock;
	*len = k->len;
	*next_seq = k->next_seq;
	return k->data;
}

/* ---- what a helper asks for ---- */

static void addr_words(bool v6, const union pkt_addr *a, uint64_t to[2])
{
	to[0] = to[1] = 0;
	memcpy(to, a, v6 ? 16 : 4);
}

/* bits of a mask that is a prefix */
static uint8_t mask_len(bool v6, const union pkt_addr *m)
{
	const uint8_t *b = (const uint8_t *)m;
	unsigned int n = 0, bits = v6 ? 128 : 32;

	while (n < bits && b[n / 8] >> (7 - n % 8) & 1)
		n++;
	return (uint8_t)n;
}

/* what all expectations of this connection have in common */
static void expect_begin(const struct help *q, struct expect *e)
{
	const struct help_ctx *h = &q->h;

	memset(e, 0, sizeof(*e));
	e->v6 = h->l3proto == 6;
	e->master = q->id;
	e->zone = q->c->key.zone;
	addr_words(e->v6, &h->addr[0], e->info.master[0]);
	addr_words(e->v6, &h->addr[1], e->info.master[1]);
	e->info.master_port[0] = h->port[0];
	e->info.master_port[1] = h->port[1];
	e->info.master_proto = q->c->key.l4proto;
	e->info.helper = (uint8_t)(q->place + 1);
}

/* A helper need not know which of the limits it was. */
static int limited(struct help *q, int r)
{
	if (r != -EDQUOT)
		return r;
	counters_add(&q->w->cs, CTR_EXPECT_SOURCE, 1);
	counters_add(&q->w->cs, STATS_HELP(q->place, HELP_SOURCE), 1);
	return -ENOSPC;
}

static int cb_expect(struct help_ctx *h, const struct expect_spec *s)
{
	struct help *q = h->arg;
	const struct helper *hp = helper_at(q->place);
	struct expect_by by = way_by(q->w);
	struct expect e;
	int r;

	if (s->class >= hp->nclasses)
		return -ENOSPC;
	expect_begin(q, &e);
	addr_words(e.v6, &s->dst, e.dst);
	e.dport = s->dport;
	e.l4proto = s->l4proto;
	e.info.class = s->class;
	e.info.flags = s->flags & EXPECT_SHOWN;
	if (!s->any_src) {
		addr_words(e.v6, &s->src, e.info.src);
		e.info.src_len = mask_len(e.v6, &s->src_mask);
	}
	if (!s->any_sport) {
		e.info.sport = s->sport;
		e.info.flags |= EXPECT_SPORT;
	}
	if (s->assign)
		e.info.assign = helper_find(s->assign);
	e.deadline = tick_after_s(q->w->now,
	                          s->seconds ? s->seconds
	                                     : hp->classes[s->class].seconds);
	r = expect_add(q->w->p->t, &e, hp->classes[s->class].max, &by);
	way_acted(q->w, &by);
	return limited(q, r);
}

static void pick_of(const struct help *q, const struct expect_match *m,
                    uint64_t dst[2], struct expect_pick *p)
{
	memset(p, 0, sizeof(*p));
	p->master = q->id;
	p->any_class = m->any_class;
	p->class_to = m->class_to;
	p->class = m->class;
	p->l4proto = m->l4proto;
	if (m->dst) {
		addr_words(q->h.l3proto == 6, m->dst, dst);
		p->dst = dst;
		p->dport = m->dport;
	}
	p->keyed = m->keyed;
	p->sport = m->sport;
}

static unsigned int cb_unexpect(struct help_ctx *h,
                                const struct expect_match *m)
{
	struct help *q = h->arg;
	struct expect_by by = way_by(q->w);
	struct expect_pick p;
	uint64_t dst[2];
	unsigned int n;

	pick_of(q, m, dst, &p);
	n = expect_remove(q->w->p->t, &p, &by);
	way_acted(q->w, &by);
	return n;
}

static unsigned int cb_revise(struct help_ctx *h, const struct expect_match *m,
                              bool activate, uint32_t seconds)
{
	struct help *q = h->arg;
	struct expect_by by = way_by(q->w);
	struct expect_pick p;
	uint64_t dst[2];
	unsigned int n;

	pick_of(q, m, dst, &p);
	n = expect_revise(q->w->p->t, &p, activate, seconds != 0,
	                  tick_after_s(q->w->now, seconds), &by);
	way_acted(q->w, &by);
	return n;
}

static void cb_refresh(struct help_ctx *h, uint32_t seconds)
{
	struct help *q = h->arg;

	if (!(q->c->status & CONN_FIXED_TIMEOUT))
		q->c->deadline = tick_after_s(q->w->now, seconds);
}

static int cb_key_add(struct help_ctx *h, uint8_t dir, uint16_t key,
                      uint16_t peer_key)
{
	struct help *q = h->arg;
	struct table *t = q->w->p->t;
	struct expect_by by = way_by(q->w);
	struct trk_tuple tp = {.src = peer_key, .dst = key};
	struct conn_lookup gre;
	struct expect e;
	int r;

	if (h->l3proto != 4)
		return -EAFNOSUPPORT;
	expect_begin(q, &e);
	addr_words(false, &h->addr[dir], e.info.src);
	addr_words(false, &h->addr[!dir], e.dst);
	e.l4proto = IPPROTO_GRE;
	e.dport = key;
	e.info.sport = peer_key;
	e.deadline = q->w->now;
	key_of_tuple(t, false, &h->addr[dir], &h->addr[!dir], &tp, IPPROTO_GRE,
	             e.zone, &gre);
	r = expect_key_add(t, &e, &gre, &by);
	way_acted(q->w, &by);
	return limited(q, r);
}

static void cb_key_flush(struct help_ctx *h)
{
	struct help *q = h->arg;
	struct expect_by by = way_by(q->w);

	expect_key_flush(q->w->p->t, q->id, &by);
	way_acted(q->w, &by);
}

/* It may be in another shard, so its end is noted here and comes as soon as
 * this packet is done. */
static bool cb_kill(struct help_ctx *h, const struct expect_spec *tuple)
{
	struct help *q = h->arg;
	struct table *t = q->w->p->t;
	struct trk_tuple tp = {.src = tuple->sport, .dst = tuple->dport};
	struct expect_by by = way_by(q->w);
	struct conn_lookup conn;
	struct conn_view v;
	struct expect e;

	key_of_tuple(t, false, &tuple->src, &tuple->dst, &tp, tuple->l4proto,
	             q->c->key.zone, &conn);
	if (conn_lookup(t, &conn, &v) <= 0)
		return false;
	expect_begin(q, &e);
	addr_words(false, &tuple->src, e.info.src);
	addr_words(false, &tuple->dst, e.dst);
	e.l4proto = tuple->l4proto;
	e.dport = tuple->dport;
	e.deadline = q->w->now;
	expect_conn_end(t, &e, &conn, &by);
	way_acted(q->w, &by);
	return true;
}

static void cb_count(struct help_ctx *h, enum help_counter c)
{
	struct help *q = h->arg;

	counters_add(&q->w->cs, STATS_HELP(q->place, c), 1);
}

/* ---- the call ---- */

/* where the payload begins within layer 4; false: there is none to speak of */
static bool payload(const struct pkt *p, struct help_ctx *h)
{
	const uint8_t *b;

	h->data = 8;
	if (p->l4proto == IPPROTO_TCP) {
		b = pkt_l4(p, 0, 20);
		if (!b)
			return false;
		h->data = (uint32_t)(b[12] >> 4) * 4;
		h->seq = get32(b + 4);
	}
	if (h->data > p->l4len)
		return false;
	h->len = p->l4len - h->data;
	return true;
}

static void help_tuple(struct help *q, const struct conn_lookup *k)
{
	const struct conn_key *key = &q->c->key;
	unsigned int o = q->c->status & CONN_ORIG1 ? 1 : 0, d;

	for (d = 0; d < 2; d++) {
		unsigned int e = d ? !o : o;

		if (key->flags & KEY_V6)
			memcpy(&q->h.addr[d], k->addr6.a[e], 16);
		else
			q->h.addr[d].w[0] = key->addr[e];
		q->h.port[d] = key->port[e];
	}
}

void help_run(struct way *w, struct conn *c, struct conn_ext *x, uint64_t id)
{
	const struct helper *hp = helper_at(x->helper - 1u);
	struct help q = {.w = w, .c = c, .x = x, .id = id};

	if (unlikely(w->p->shed)) {
		counters_add(&w->cs, CTR_SHED_HELPERS, 1);
		return;
	}
	help_host(w);
	if (!hp || !payload(w->l->pkt, &q.h) || (!q.h.len && !hp->empty))
		return;
	q.place = (uint8_t)(x->helper - 1);
	q.h.pkt = w->l->pkt;
	q.h.dir = w->dir;
	q.h.info = w->info;
	q.h.l3proto = w->l->pkt->l3proto;
	q.h.mirror = w->p->mirror;
	q.h.expected = c->status & CONN_EXPECTED;
	q.h.now = w->now;
	q.h.priv = x->priv;
	q.h.option = w->p->pol->helper_option[q.place];
	q.h.arg = &q;
	q.h.expect = cb_expect;
	q.h.unexpect = cb_unexpect;
	q.h.revise = cb_revise;
	q.h.refresh = cb_refresh;
	q.h.key_add = cb_key_add;
	q.h.key_flush = cb_key_flush;
	q.h.kill = cb_kill;
	q.h.keep = cb_keep;
	q.h.kept = cb_kept;
	q.h.count = cb_count;
	help_tuple(&q, &w->l->look);
	hp->help(&q.h);
	w->drop = q.h.drop && !w->p->mirror;
}

/* ---- keys of GRE ---- */

void help_gre(struct way *w)
{
	struct conn_lookup *k = &w->l->look;
	struct expect_tuple tp;
	struct trk_tuple key;
	const uint8_t *base = pkt_l4(w->l->pkt, 0, 4);

	/* the others have no key of their own */
	if (!expect_some(w->p->t) || !base || (base[1] & 7) != 1)
		return;
	tuple_of(w->l, &tp);
	if (!expect_key_find(w->p->t, &tp, &key.src))
		return;
	key.dst = tp.dport;
	key_of_tuple(w->p->t, tp.v6, &w->l->pkt->src, &w->l->pkt->dst, &key,
	             IPPROTO_GRE, tp.zone, k);
	w->l->line =
		table_line(w->p->t, k->shard, hash_bucket(w->p->t, k->hash));
}

void help_sweep(struct pipeline *p, uint64_t now_ns)
{
	p->t->keys_gone = false;
	expect_sweep(p->t, now_ns, p->pol->max, p->pol->events != 0);
	p->told = true;
}

/* ---- order between the workers of a capture ---- */

/* Can a packet with these ports run a helper, whoever asked whom? */
static bool ports_hint(const struct policy *pol, bool v6, uint8_t l4proto,
                       uint16_t a, uint16_t b)
{
	if (unlikely(pol->rule_gives & RULE_HELPER))
		return true;
	if (likely(!policy_port_hint(pol, a) && !policy_port_hint(pol, b)))
		return false;
	return helper_of_port(pol, l4proto, v6, a) ||
	       helper_of_port(pol, l4proto, v6, b);
}

void help_watch_ports(struct pipeline *p, const struct pkt *pkt, bool v6,
                      uint8_t l4proto, uint16_t sport, uint16_t dport)
{
	if (unlikely(ports_hint(p->pol, v6, l4proto, sport, dport)))
		p->hinted = pkt->frame;
}

void help_watch(struct pipeline *p, struct lane *l, bool mine)
{
	const struct conn_key *k = &l->look.key;
	uint64_t frame = l->pkt->frame;

	l->hinted = ports_hint(p->pol, k->flags & KEY_V6, k->l4proto,
	                       k->port[0], k->port[1]);
	if (unlikely(l->pkt->frag)) {
		/* a datagram that is complete, when frames behind it have
		 * been parsed already: the last hint may be one of those */
		l->awaits = p->hinted < frame ? p->hinted : frame - 1;
		if (l->hinted && !mine)
			p->hinted_whole = frame;
		return;
	}
	if (unlikely(l->hinted && !mine))
		p->hinted = frame;
}

/* until all others are behind this frame */
static void order_wait(struct pipeline *p, uint64_t frame)
{
	const struct timespec nap = {0, 50000};
	struct table *t = p->t;
	uint32_t i, spins = 0;

	for (i = 0; i < p->nworker; i++) {
		const struct ring_header *h = t->ring[i].hdr;

		while (i != p->worker && h &&
		       shm_load_acquire(&h->done) < frame) {
			/* the other may have ended already, for the same
			 * reason */
			if (p->stop && *p->stop) {
				p->cut = true;
				return;
			}
			shm_store(&table_proc(t, t->me)->beat,
			          table_proc(t, t->me)->beat + 1);
			if (++spins > ORDER_SPINS)
				nanosleep(&nap, NULL);
			else
				sched_yield();
		}
	}
	if (frame > p->passed)
		p->passed = frame;
}

void help_order(struct pipeline *p, uint64_t frame, uint64_t awaits)
{
	struct table *t = p->t;

	if (!p->capture || p->nworker == 1)
		return;
	if (awaits < p->hinted_whole)
		awaits = p->hinted_whole;
	shm_store_release(&t->ring[t->me].hdr->done, frame - 1);
	if (awaits) {
		order_wait(p, awaits);
		if (p->cut || !help_ever(t))
			return;
	}
	order_wait(p, frame - 1);
}

/* ---- order between the workers of an interface ---- */

/* the longest that a packet waits; and how long a host is remembered */
#define WAIT_NS   (60 * NS_PER_MS)
#define HOST_TICK (3600u * TICK_PER_S)

static uint32_t host_place(const struct pkt *p, const union pkt_addr *a)
{
	uint64_t x = p->l3proto == 6 ? a->d[0] ^ a->d[1] : a->w[0];

	return 1 + (uint32_t)((x * 0x9e3779b97f4a7c15ull) >> 32) %
	                   (EXPECT_HOSTS - 1);
}

void help_host(const struct way *w)
{
	const struct pkt *p = w->l->pkt;
	uint32_t *host = w->p->t->expect_host, now = w->now | 1;

	if (!w->p->waits)
		return;
	shm_store(&host[host_place(p, &p->src)], now);
	shm_store(&host[host_place(p, &p->dst)], now);
	shm_store(&host[0], now);
}

static bool host_talks(const struct way *w, const union pkt_addr *a)
{
	uint32_t at = host_place(w->l->pkt, a);
	uint32_t seen = shm_load(&w->p->t->expect_host[at]);

	return seen && tick_left(seen, w->now) > -(int64_t)HOST_TICK;
}

void help_passed(struct table *t, uint64_t ts_ns)
{
	struct ring_header *h = t->ring[t->me].hdr;

	if (ts_ns > h->done)
		shm_store_release(&h->done, ts_ns);
}

/* until worker `i` is past `ts_ns`; false: it is not, for as long as this
 * packet waits */
static bool wait_for(struct pipeline *p, uint32_t i, uint64_t ts_ns,
                     uint64_t until)
{
	const struct timespec nap = {0, 100000};
	const struct ring_header *h = p->t->ring[i].hdr;
	struct proc_page *me = table_proc(p->t, p->t->me);
	uint64_t done = h ? shm_load_acquire(&h->done) : UINT64_MAX;

	while (done < ts_ns && proc_alive(p->t, i)) {
		/* it stands where it stood when we last gave up */
		if (done == p->late[i])
			return true;
		if (clock_mono_ns() > until) {
			p->late[i] = done;
			return false;
		}
		shm_store(&me->beat, me->beat + 1);
		nanosleep(&nap, NULL);
		done = shm_load_acquire(&h->done);
	}
	return true;
}

void help_wait(struct way *w)
{
	struct pipeline *p = w->p;
	uint64_t ts_ns = w->l->pkt->ts_ns, until;
	struct conn_view v;
	uint32_t i;

	if ((!host_talks(w, &w->l->pkt->src) &&
	     !host_talks(w, &w->l->pkt->dst)) ||
	    conn_lookup(p->t, &w->l->look, &v) > 0)
		return;
	/* two that wait for each other: the earlier packet goes on */
	help_passed(p->t, ts_ns - 1);
	until = clock_mono_ns() + WAIT_NS;
	for (i = 0; i < p->nworker; i++)
		if (i != p->worker)
			wait_for(p, i, ts_ns, until);
}

/*
 * life.h - one connection's life, packet after packet, under a tracker.
 *
 * The pipeline's rules are those of tests/lib/mini.h.  A fuzz program of a
 * protocol gives life_run() a function that writes layer 4 from the input;
 * what must hold for every tracker is checked here after each packet.
 */
#ifndef TESTS_FUZZ_LIFE_H
#define TESTS_FUZZ_LIFE_H

#include "shm/tick.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/mini.h"
#include "tests/lib/packet.h"

#define LIFE_L4      512u
#define LIFE_PACKETS 64u

struct life;

struct life_proto {
	uint8_t l4proto;
	uint8_t l3proto;   /* 4 or 6; 0: the input says */
	uint8_t sum_at;    /* offset of the checksum, 0 = none */
	uint8_t priv;      /* bytes of conn.priv that are the tracker's */
	uint8_t clock;     /* whose timeouts are used; 0: its own */
	bool keeps_moving; /* INVALID may have moved the state (SCTP) */
	/* layer 4 of a packet of `side` into l4[LIFE_L4]; its length */
	uint32_t (*build)(struct life *l, struct fuzz_in *in, uint8_t side,
	                  uint8_t *l4);
};

struct life {
	const struct life_proto *proto;
	const struct tracker *trk;
	struct mini m;
	const struct tracker *clock; /* whose timeouts are used */
	uint8_t id, clock_id, l3proto;
	uint64_t nxt[2]; /* the program's: next sequence number of a side */
	uint32_t tag[2]; /* the program's */
};

static inline uint32_t life_step(struct fuzz_in *in, uint8_t choice)
{
	static const uint32_t ms[] = {0, 1, 500, 1000, 2001, 30000, 120000, 0};

	return choice == 7 ? fuzz32(in) : ms[choice & 7];
}

/* text for the log: two numbers at most, nothing else to print */
static inline void life_why(const char *why)
{
	unsigned int n = 0;

	for (; why && (why = strchr(why, '%')); why += 2, n++)
		fuzz_check(why[1] == 'u' || why[1] == 'x', "why: %s", why);
	fuzz_check(n <= 2, "why has %u numbers", n);
}

static inline bool life_known_deadline(const struct life *l)
{
	const struct tracker *trk = l->clock;
	unsigned int i;

	for (i = 0; i < trk->ntimeouts; i++)
		if (tick_after_s(l->m.now,
		                 l->m.pol.timeout[l->clock_id]
		                                 [trk->timeouts[i].slot]) ==
		    l->m.conn.deadline)
			return true;
	return false;
}

static inline void life_fields(const struct life *l, const struct conn *old,
                               bool same)
{
	const struct conn *c = &l->m.conn;
	const uint32_t mirror = CONN_MIRROR | CONN_TAIL_MASK;
	const uint32_t status = CONN_SEEN_REPLY | CONN_ASSURED |
	                        CONN_CONFIRMED | CONN_DYING | CONN_LIVE |
	                        (l->m.mirror ? mirror : 0);
	unsigned int i;

	fuzz_check(!(c->status & ~status), "status %08x", c->status);
	fuzz_check(!(c->seq | c->gen | c->ext | c->mark),
	           "a field not its own");
	fuzz_check(c->state < (l->trk->nstates ? l->trk->nstates : 1),
	           "state %u", c->state);
	for (i = l->proto->priv; i < CONN_PRIV; i++)
		fuzz_check(!c->priv[i], "priv[%u] is not the tracker's", i);
	if (!same)
		return;
	fuzz_check(!((old->status & (CONN_SEEN_REPLY | CONN_ASSURED)) &
	             ~c->status),
	           "status lost bits: %08x, %08x", old->status, c->status);
	fuzz_check(c->start == old->start, "start was changed");
}

static inline void life_verdict(const struct life *l, const struct conn *old,
                                bool same)
{
	const struct mini *m = &l->m;
	const struct conn *c = &m->conn;
	uint64_t n = c->packets[0] + c->packets[1];

	switch (m->verdict) {
	case TRK_ACCEPT:
		fuzz_check(m->alive && life_known_deadline(l),
		           "accepted, deadline %u at %u", c->deadline, m->now);
		fuzz_check(!l->trk->nstates || c->state, "no state");
		break;
	case TRK_IGNORE:
		fuzz_check(!same || (c->deadline == old->deadline &&
		                     n == old->packets[0] + old->packets[1]),
		           "ignored, but refreshed or counted");
		break;
	case TRK_INVALID:
		fuzz_check(!same || l->proto->keeps_moving ||
		                   c->state == old->state,
		           "invalid, but state %u from %u", c->state,
		           old->state);
		fuzz_check(!same || c->deadline == old->deadline ||
		                   life_known_deadline(l),
		           "invalid, deadline %u at %u", c->deadline, m->now);
		fuzz_check(!same || n == old->packets[0] + old->packets[1],
		           "invalid, but counted");
		break;
	case TRK_KILL:
		fuzz_check(!m->alive, "killed and alive");
		break;
	case TRK_UNTRACKED:
		fuzz_check(!same || !memcmp(c, old, sizeof(*c)),
		           "untracked, but changed");
		break;
	default:
		fuzz_check(false, "verdict %u", m->verdict);
	}
}

static inline void life_events(const struct life *l)
{
	const uint16_t known =
		EVB_NEW | EVB_DESTROY | EVB_REPLY | EVB_ASSURED | EVB_PROTOINFO;
	uint32_t i;

	for (i = 0; i < l->m.nevents; i++)
		fuzz_check(l->m.event[i] && !(l->m.event[i] & ~known),
		           "event %04x", l->m.event[i]);
}

static inline void life_words(const struct life *l)
{
	const char *name;
	char text[256];
	int n;

	if (!l->m.alive)
		return;
	name = tracker_state_name(l->proto->l4proto, l->m.conn.state);
	fuzz_check(!l->trk->nstates == !name, "no name of state %u",
	           l->m.conn.state);
	if (l->trk->closing)
		l->trk->closing(&l->m.conn);
	if (!l->trk->describe)
		return;
	n = l->trk->describe(&l->m.conn, text, sizeof(text));
	fuzz_check(n >= 0 && (size_t)n == strlen(text), "described in %d", n);
}

/* What comes before the table: tuple, its inverse, what an error quotes.
 * True: the packet has a connection of its own. */
static inline bool life_before(const struct life *l, const struct pkt *p)
{
	struct trk_ctx c = {
		.pkt = p, .pol = &l->m.pol, .id = l->id, .now = l->m.now};
	struct trk_tuple t = {0, 0}, again;
	struct pkt inner;
	bool answer;
	int off;

	if (l->trk->check && l->trk->check(&c) != TRK_ACCEPT)
		return true;
	off = l->trk->error ? l->trk->error(&c) : 0;
	life_why(c.why);
	if (off > 0 && pkt_inner(p, (uint32_t)off, &inner))
		fuzz_check(inner.data == p->data && inner.l3 >= p->l4 &&
		                   inner.l4 >= inner.l3 &&
		                   inner.l4 <= inner.caplen &&
		                   inner.caplen <= p->caplen,
		           "quote %u %u %u", inner.l3, inner.l4, inner.caplen);
	if (off)
		return false;
	if (l->trk->tuple && !l->trk->tuple(p, &t))
		return false;
	if (!l->trk->request)
		return true;
	if (!l->trk->request(&t, &answer))
		return false;
	again = t;
	fuzz_check(l->trk->request(&again, &answer) && !answer &&
	                   again.dst == t.dst && again.src == t.src,
	           "the request %04x has another", t.dst);
	return true;
}

/* The right checksum, by the product's own sum: what it says is missing makes
 * it zero. */
static inline void life_sum(const struct life *l, struct pkt *p, uint8_t *l4)
{
	uint32_t at = l->proto->sum_at;
	bool known = true;
	uint16_t sum;

	if (!at || p->l4len < at + 2u || p->caplen < p->l4len)
		return;
	put16(l4 + at, 0);
	sum = pkt_l4_checksum(p, l->proto->l4proto, &known);
	put16(l4 + at, sum);
	if (pkt_l4_checksum(p, l->proto->l4proto, &known))
		put16(l4 + at, (uint16_t)(sum << 8 | sum >> 8));
	fuzz_check(!known || !pkt_l4_checksum(p, l->proto->l4proto, &known),
	           "no checksum of its own is right");
}

static inline void life_pkt(const struct life *l, struct pkt *p, uint8_t side,
                            uint32_t len)
{
	bool v6 = l->l3proto == 6;

	memset(p, 0, sizeof(*p));
	p->caplen = p->wirelen = p->l4len = len;
	p->l3len = len + (v6 ? 40 : 20);
	p->reason = PKT_OK;
	p->l3proto = l->l3proto;
	p->l4proto = l->proto->l4proto;
	p->ttl = 64;
	p->src.b[v6 ? 15 : 3] = side + 1;
	p->dst.b[v6 ? 15 : 3] = !side + 1;
	p->src.b[0] = p->dst.b[0] = v6 ? 0x20 : 10;
}

/* ctl: 1 side, 0x0e time, 0x10 cut, 0x20 raw bytes, 0x40 checksum put right */
static inline void life_packet(struct life *l, struct fuzz_in *in)
{
	uint8_t ctl = fuzz8(in), side = ctl & 1, *l4;
	uint8_t buf[LIFE_L4] = {0};
	struct conn old = l->m.conn;
	bool was = l->m.alive;
	struct pkt p;
	size_t len;

	l->m.now += life_step(in, ctl >> 1 & 7);
	if (ctl & 0x20) {
		const uint8_t *raw = fuzz_bytes(in, fuzz8(in), &len);

		memcpy(buf, raw, len);
	} else {
		len = l->proto->build(l, in, side, buf);
	}
	life_pkt(l, &p, side, (uint32_t)len);
	l4 = fuzz_copy(buf, len);
	p.data = l4;
	if (ctl & 0x40)
		life_sum(l, &p, l4);
	if (ctl & 0x10) {
		size_t keep = len ? fuzz8(in) % len : 0;

		p.data = fuzz_copy(l4, keep);
		p.caplen = (uint32_t)keep;
		free(l4);
		l4 = (uint8_t *)(uintptr_t)p.data;
	}
	if (life_before(l, &p)) {
		bool expired;

		mini_expire(&l->m);
		expired = was && !l->m.alive;
		mini_packet(&l->m, &p, side);
		was = was && !expired && l->m.alive &&
		      l->m.conn.packets[0] + l->m.conn.packets[1] >=
		              old.packets[0] + old.packets[1] &&
		      !(l->m.nevents && l->m.event[0] == EVB_DESTROY);
		life_why(l->m.why);
		life_events(l);
		life_verdict(l, &old, was);
		if (l->m.alive)
			life_fields(l, &old, was);
		life_words(l);
	}
	free(l4);
}

/* An input: how the policy differs from the defaults, then packets. */
static inline int life_run(const struct life_proto *proto, const uint8_t *data,
                           size_t size)
{
	struct fuzz_in in = {data, size};
	struct life l = {.proto = proto};
	uint8_t ctl = fuzz8(&in), i;
	const struct trk_option *o;

	mini_start(&l.m);
	l.trk = tracker_find(&l.m.pol, proto->l4proto, &l.id);
	fuzz_check(l.trk->l4proto == proto->l4proto, "another tracker");
	l.clock = tracker_find(&l.m.pol,
	                       proto->clock ? proto->clock : proto->l4proto,
	                       &l.clock_id);
	l.l3proto = proto->l3proto ? proto->l3proto : ctl & 1 ? 6 : 4;
	l.m.pol.checksum = ctl & 2 ? CHECKSUM_ON : CHECKSUM_OFF;
	for (i = 0; ctl & 4 && i < l.trk->noptions; i++) {
		o = &l.trk->options[i];
		l.m.pol.option[l.id][o->slot] =
			o->min + fuzz8(&in) % (o->max - o->min + 1);
	}
	if (ctl & 8) {
		i = fuzz8(&in) % l.clock->ntimeouts;
		l.m.pol.timeout[l.clock_id][l.clock->timeouts[i].slot] =
			fuzz32(&in);
	}
	l.m.mirror = ctl & 64;
	l.m.one_way = (ctl & 192) == 192;
	l.nxt[0] = ctl & 16 ? 0xfffffff0 : 1000;
	l.nxt[1] = ctl & 32 ? 0x7ffffff0 : 5000;
	for (i = 0; in.left && i < LIFE_PACKETS; i++)
		life_packet(&l, &in);
	return 0;
}

#endif

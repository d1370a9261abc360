/* mirror.c - see mirror.h */
#include "daemon/worker/mirror.h"

#include <string.h>

#include "daemon/worker/way.h"
#include "shm/update.h"

/* bytes of layer 4 in a fingerprint: TCP's header without options */
#define PRINT_LEN 20u

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* Of what does not change on the way.  Checksums alone would not do: what is
 * captured on a sender may have none yet. */
static uint32_t fingerprint(const struct pkt *p)
{
	const uint8_t *at = pkt_l4(p, 0, PRINT_LEN);
	uint8_t part[PRINT_LEN] = {0};
	uint64_t a, b, h = p->l3len;
	uint32_t c, n;

	if (unlikely(!p->data))
		return 0;
	if (unlikely(!at)) {
		n = pkt_l4cap(p);
		n = n < PRINT_LEN ? n : PRINT_LEN;
		if (n)
			memcpy(part, p->data + p->l4, n);
		at = part;
	}
	if (p->l3proto == 4)
		h |= (uint64_t)get16(p->data + p->l3 + 4) << 32;
	memcpy(&a, at, sizeof(a));
	memcpy(&b, at + 8, sizeof(b));
	memcpy(&c, at + 16, sizeof(c));
	return (uint32_t)mix(mix(h ^ (uint64_t)c << 24, a), b);
}

/*
 * The ring is one word of 64 bits: four prints of 16 for a protocol that can
 * tell whether a packet brings news (one that does is no double, whatever its
 * print), two of 32 for the others.
 */
static uint64_t ring_of(const struct conn_detail *x)
{
	uint64_t ring;

	memcpy(&ring, x->dup, sizeof(ring));
	return ring;
}

static void ring_put(struct conn_detail *x, uint32_t print, bool wide)
{
	uint64_t ring = wide ? ring_of(x) << 32 | print
	                     : ring_of(x) << 16 | (uint16_t)print;

	memcpy(x->dup, &ring, sizeof(ring));
}

/* Is one of the ring's parts equal to the print: is one of their differences
 * zero?  Wrongly yes is possible behind a true one only. */
static bool ring_has(const struct conn_detail *x, uint32_t print, bool wide)
{
	uint64_t one = wide ? 0x0000000100000001ull : 0x0001000100010001ull;
	uint64_t all = (wide ? (uint64_t)print : (uint16_t)print) * one;
	uint64_t d = ring_of(x) ^ all;

	return (d - one) & ~d & one << (wide ? 31 : 15);
}

void mirror_first(const struct policy *pol, const struct tracker *trk,
                  const struct pkt *p, uint32_t status, struct conn_detail *x)
{
	unsigned int i;

	if (unlikely(status & CONN_FIX_MASK))
		for (i = 0; i < CONN_NFIX; i++)
			x->repairs[i] = status >> (CONN_FIX_SHIFT + i) & 1;
	if (pol->duplicates != DUPLICATES_OFF)
		ring_put(x, fingerprint(p), !trk->news);
}

static bool recent(const struct policy *pol, const struct pkt *p,
                   const struct conn_detail *x)
{
	return p->ts_ns < x->last_ns + pol->duplicates_ms * NS_PER_MS;
}

bool mirror_unlike(const struct policy *pol, const struct tracker *trk,
                   const struct pkt *p, const struct conn_detail *x,
                   uint32_t *print)
{
	*print = fingerprint(p);
	return !recent(pol, p, x) || !ring_has(x, *print, !trk->news);
}

void mirror_remember(const struct policy *pol, const struct tracker *trk,
                     const struct pkt *p, uint32_t print, struct conn_detail *x)
{
	if (unlikely(!recent(pol, p, x)))
		memset(x->dup, 0, sizeof(x->dup));
	ring_put(x, print, !trk->news);
}

bool mirror_double(const struct policy *pol, const struct tracker *trk,
                   const struct pkt *p, const struct conn *c, uint8_t dir,
                   struct conn_detail *x)
{
	uint32_t print;

	if (unlikely(!mirror_unlike(pol, trk, p, x, &print)) &&
	    (!trk->news || !trk->news(p, c, dir))) {
		if (x->dups < UINT8_MAX)
			x->dups++;
		return true;
	}
	mirror_remember(pol, trk, p, print, x);
	return false;
}

/* Connections are counted at the interface where they began, whatever showed
 * the rest of them, so that their shares are shares. */
static unsigned int home(const struct pkt *p, const struct conn_detail *x)
{
	return x ? x->iface : p->iface;
}

void mirror_doubled(struct counters *cs, const struct pkt *p, struct conn *c,
                    const struct conn_detail *x)
{
	counters_add(cs, CTR_DUPLICATES, 1);
	counters_add(cs, STATS_IFACE(p->iface, IFACE_DUPLICATES), 1);
	if (c->status & CONN_DOUBLED)
		return;
	c->status |= CONN_DOUBLED;
	counters_add(cs, CTR_MIRROR_DOUBLED, 1);
	counters_add(cs, STATS_IFACE(home(p, x), IFACE_DOUBLED), 1);
}

enum twice mirror_twice(struct way *w, const struct spot *s)
{
	const struct policy *pol = w->p->pol;
	struct table *t = w->p->t;
	struct conn *c = s->c;

	if (unlikely(w->p->shed >= SHED_DETAILS)) {
		counters_add(&w->cs, CTR_SHED_DETAILS, 1);
		return ONCE;
	}
	if (!mirror_double(pol, w->l->trk, w->l->pkt, c, w->dir, s->x))
		return ONCE;
	mirror_doubled(&w->cs, w->l->pkt, c, s->x);
	if (pol->duplicates == DUPLICATES_COUNT)
		return TWICE;
	counters_prepare(t, &w->cs, w->cur.pkt, w->cur.src);
	update_close(t, s, w->cur);
	counters_commit(t);
	return TWICE_DONE;
}

struct pkt mirror_turn(const struct pkt *p, uint8_t ports[4])
{
	const uint8_t *at = pkt_l4(p, 0, 4);
	struct pkt t = *p;

	t.src = p->dst;
	t.dst = p->src;
	t.data = ports;
	t.l4 = 0;
	t.l4len = t.caplen = at ? 4 : 0;
	if (at) {
		memcpy(ports, at + 2, 2);
		memcpy(ports + 2, at, 2);
	}
	return t;
}

static unsigned int place_of(unsigned int iface)
{
	return iface < STATS_IFACES ? iface : STATS_IFACES - 1;
}

void mirror_answered(struct way *w, const struct conn_detail *x)
{
	unsigned int a = place_of(x->iface), b = place_of(w->l->pkt->iface);

	w->p->answers[a] = (uint8_t)(b + 1);
	w->p->answers[b] = (uint8_t)(a + 1);
}

/* Which interface ought to have shown what this packet acknowledges?  The one
 * where its connection began, if that is another; else where answers to what it
 * shows come from. */
static unsigned int missed_at(const struct way *w, const struct conn_detail *x)
{
	unsigned int mine = w->l->pkt->iface, first = home(w->l->pkt, x);
	uint8_t other = w->p->answers[place_of(mine)];

	if (likely(!w->p->many))
		return mine;
	if (first != mine)
		return first;
	return other ? other - 1u : mine;
}

static void count_lost(struct way *w, const struct trk_ctx *c,
                       const struct conn_detail *x)
{
	unsigned int at = missed_at(w, x);

	if (c->repairs & 1u << CONN_FIX_GAP)
		counters_add(&w->cs, STATS_IFACE(at, IFACE_GAPS), 1);
	counters_add(&w->cs, CTR_MIRROR_LOST, c->lost);
	counters_add(&w->cs, STATS_IFACE(at, IFACE_LOST), c->lost);
	counters_add(&w->cs, CTR_MIRROR_HOLES, c->holes);
	counters_add(&w->cs, STATS_IFACE(c->pkt->iface, IFACE_HOLES), c->holes);
}

void mirror_count(struct way *w, const struct trk_ctx *c, uint32_t before,
                  uint32_t status, struct conn_detail *x)
{
	static const uint8_t counter[CONN_NFIX] = {
#define X(name, word) [CONN_FIX_##name] = CTR_MIRROR_##name,
		CONN_FIXES(X)
#undef X
	};
	unsigned int i, iface = home(c->pkt, x);
	struct counters *cs = &w->cs;

	for (i = 0; i < CONN_NFIX; i++) {
		if (!(c->repairs >> i & 1))
			continue;
		counters_add(cs, counter[i], 1);
		if (x && x->repairs[i] < UINT8_MAX)
			x->repairs[i]++;
	}
	if (status & ~before & CONN_ONE_WAY) {
		counters_add(cs, CTR_MIRROR_ONE_WAY, 1);
		counters_add(cs, STATS_IFACE(iface, IFACE_ONE_WAY), 1);
	}
	if (status & CONN_FIX_MASK && !(before & CONN_FIX_MASK))
		counters_add(cs, STATS_IFACE(iface, IFACE_REPAIRED), 1);
	count_lost(w, c, x);
}

/* Where nothing was missing it was sent again, and we have it. */
void mirror_late(struct way *w, const struct trk_ctx *c,
                 const struct conn_detail *x)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h;
	uint32_t n;

	if (!(c->quality & TRK_Q_BEHIND) || !x->hole_at[c->dir])
		return;
	h = pkt_l4(p, 0, PRINT_LEN);
	if (!h || (h[12] >> 4) * 4u > p->l4len)
		return;
	n = p->l4len - (h[12] >> 4) * 4u;
	counters_add(&w->cs, CTR_MIRROR_LATE, n);
	counters_add(&w->cs, STATS_IFACE(c->pkt->iface, IFACE_LATE), n);
}

/*
 * key.c - the canonical key (F020-F023).
 *
 * The tracker sees packets, it does not rewrite them, so a packet and its
 * answer can share one key: the endpoints are sorted, by address and then by
 * port; IPv6 by its full addresses, of which the key holds folds.  ICMP is
 * sorted by address alone: its two "ports" are the echo id and the request's
 * type and code, and KEY_REQ1 says which endpoint asks.  That keeps opposite
 * pings with one id apart, as the kernel does.
 */
#include "daemon/tracker/key.h"

#include <string.h>

#include "daemon/tracker/key_ports.h"

static int addr_order(const struct pkt *p)
{
	unsigned int i;

	if (p->l3proto == 4)
		return p->src.w[0] < p->dst.w[0]   ? -1
		       : p->src.w[0] > p->dst.w[0] ? 1
		                                   : 0;
	for (i = 0; i < 2; i++)
		if (p->src.d[i] != p->dst.d[i])
			return p->src.d[i] < p->dst.d[i] ? -1 : 1;
	return 0;
}

static void key_addr(const struct table *t, struct conn_lookup *k,
                     unsigned int e, const struct pkt *p,
                     const union pkt_addr *a)
{
	if (p->l3proto == 4) {
		k->key.addr[e] = a->w[0];
		return;
	}
	memcpy(k->addr6.a[e], a->d, sizeof(k->addr6.a[e]));
	k->key.addr[e] = hash_fold(t->key.steer, k->addr6.a[e]);
}

static bool ports_tuple(const struct pkt *p, struct trk_tuple *tp)
{
	const uint8_t *h = pkt_l4(p, 0, 4);

	if (!h)
		return false;
	tp->src = get16(h);
	tp->dst = get16(h + 2);
	return true;
}

bool key_of_any(const struct table *t, const struct pkt *p,
                const struct tracker *trk, const struct trk_tuple *given,
                struct conn_lookup *k, bool *land)
{
	struct trk_tuple tp = *given;
	bool answer = false;
	int order = addr_order(p);
	unsigned int src; /* endpoint of the key that sent */

	k->shard = steer_tuple(t->key.steer, p->l3proto == 6, &p->src, &p->dst,
	                       tp.src, tp.dst, p->l4proto);
	k->key.flags = p->l3proto == 6 ? KEY_V6 : 0;
	k->key.l4proto = p->l4proto;
	k->key.zone = p->zone;
	*land = false;
	if (trk->request) {
		if (!trk->request(&tp, &answer))
			return false;
		src = order ? order > 0 : answer;
		k->key.port[0] = tp.src;
		k->key.port[1] = tp.dst;
		if (src != answer)
			k->key.flags |= KEY_REQ1;
	} else {
		if (!order)
			order = tp.src < tp.dst ? -1 : tp.src > tp.dst;
		src = order > 0;
		*land = !order;
		k->key.port[src] = tp.src;
		k->key.port[!src] = tp.dst;
	}
	key_addr(t, k, src, p, &p->src);
	key_addr(t, k, !src, p, &p->dst);
	k->sender = (uint8_t)src;
	k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
	return true;
}

/* ICMP-like protocols, and those without ports */
static __attribute__((noinline)) bool
key_other(const struct table *t, const struct pkt *p, const struct tracker *trk,
          struct conn_lookup *k, bool *land)
{
	struct trk_tuple tp;

	return (trk->tuple ? trk->tuple(p, &tp) : ports_tuple(p, &tp)) &&
	       key_of_any(t, p, trk, &tp, k, land);
}

bool key_of_packet(const struct table *t, const struct pkt *p,
                   const struct tracker *trk, struct conn_lookup *k, bool *land)
{
	struct trk_tuple tp;

	if (unlikely(trk->tuple || trk->request))
		return key_other(t, p, trk, k, land);
	if (!ports_tuple(p, &tp))
		return false;
	if (likely(p->l3proto == 4))
		key_ports4(t, p, &tp, k, land);
	else
		key_ports6(t, p, &tp, k, land);
	return true;
}

void key_of_tuple(const struct table *t, bool v6, const union pkt_addr *src,
                  const union pkt_addr *dst, const struct trk_tuple *tp,
                  uint8_t l4proto, uint16_t zone, struct conn_lookup *k)
{
	struct pkt p = {.l3proto = v6 ? 6 : 4, .src = *src, .dst = *dst};
	int order = addr_order(&p);
	unsigned int e;

	memset(k, 0, sizeof(*k));
	if (!order)
		order = tp->src < tp->dst ? -1 : tp->src > tp->dst;
	e = order > 0;
	k->shard = steer_tuple(t->key.steer, v6, src, dst, tp->src, tp->dst,
	                       l4proto);
	k->key.flags = v6 ? KEY_V6 : 0;
	k->key.l4proto = l4proto;
	k->key.zone = zone;
	k->key.port[e] = tp->src;
	k->key.port[!e] = tp->dst;
	key_addr(t, k, e, &p, src);
	key_addr(t, k, !e, &p, dst);
	k->sender = (uint8_t)e;
	k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
}

bool key_of_command(const struct table *t, const struct tracker *trk,
                    const struct command_conn *c, struct conn_lookup *k)
{
	struct trk_tuple tp = {c->port[0], c->port[1]};
	struct pkt p;
	bool land;

	memset(&p, 0, sizeof(p));
	memset(k, 0, sizeof(*k));
	p.l3proto = c->l3;
	p.l4proto = c->l4proto;
	memcpy(p.src.b, c->addr[0], c->l3 == 4 ? 4 : 16);
	memcpy(p.dst.b, c->addr[1], c->l3 == 4 ? 4 : 16);
	p.zone = c->zone[0] | c->zone[1];
	if (!key_of_any(t, &p, trk, &tp, k, &land))
		return false;
	if (c->zone[0] != c->zone[1]) {
		if (c->zone[0] && c->zone[1])
			return false;
		k->key.flags |= c->zone[0] ? KEY_ZONE_ORIG : KEY_ZONE_REPLY;
		k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
	}
	return true;
}

uint8_t key_home(const struct table *t, const struct conn_key *k,
                 const struct addr6 *a6)
{
	union pkt_addr a[2] = {{{0}}, {{0}}};
	unsigned int e;

	for (e = 0; e < 2; e++)
		if (k->flags & KEY_V6)
			memcpy(a[e].d, a6->a[e], sizeof(a[e].d));
		else
			a[e].w[0] = k->addr[e];
	return steer_tuple(t->key.steer, k->flags & KEY_V6, &a[0], &a[1],
	                   k->port[0], k->port[1], k->l4proto);
}

/*
 * rules.c - see rules.h.
 *
 * Rules stand in the order in which they are asked; for each thing that a rule
 * may give, the first one that fits and gives it decides.  Zone and notrack
 * are asked for with every packet, as rules before the tracker are; the others
 * with the packet that makes a connection.
 */
#include "daemon/worker/rules.h"

#include <string.h>

/* ---- does it fit? ---- */

static bool net_fits(const struct policy_net *n, const union pkt_addr *a)
{
	uint32_t other = 0;
	unsigned int i;

	for (i = 0; i < 4; i++)
		other |= (a->w[i] & n->mask[i]) ^ n->addr[i];
	return !other;
}

static bool ranges_fit(const struct policy_range *r, unsigned int n,
		       uint16_t port)
{
	unsigned int i;

	for (i = 0; i < n && i < POLICY_RANGES; i++)
		if (port >= r[i].from && port <= r[i].to)
			return true;
	return false;
}

/* Ports are where trackers have no tuple of their own. */
static bool ports_fit(const struct policy *pol, const struct policy_rule *r,
		      const struct pkt *p)
{
	uint8_t id;
	const struct tracker *trk = tracker_find(pol, p->l4proto, &id);
	const uint8_t *h = trk->tuple ? NULL : pkt_l4(p, 0, 4);

	return h &&
	       (!(r->asks & RULE_SPORT) ||
		ranges_fit(r->sport, r->nsport, get16(h))) &&
	       (!(r->asks & RULE_DPORT) ||
		ranges_fit(r->dport, r->ndport, get16(h + 2)));
}

static bool rule_fits(const struct policy *pol, const struct policy_rule *r,
		      const struct pkt *p)
{
	uint16_t asks = r->asks;

	if ((asks & RULE_IFACE && r->iface != p->iface) ||
	    (asks & RULE_VLAN && r->vlan != p->vlan) ||
	    (asks & RULE_FAMILY && r->l3proto != p->l3proto) ||
	    (asks & RULE_PROTO && r->l4proto != p->l4proto) ||
	    (asks & RULE_SRC && !net_fits(&r->src, &p->src)) ||
	    (asks & RULE_DST && !net_fits(&r->dst, &p->dst)))
		return false;
	return !(asks & (RULE_SPORT | RULE_DPORT)) || ports_fit(pol, r, p);
}

/* ---- what it gives ---- */

void rules_zone_from(const struct policy *pol, struct pkt *p)
{
	/* zone 0 is that of packets without a tag; an interface always has a
	 * zone of its own */
	if (pol->zone_from == ZONE_FROM_VLAN)
		p->zone = p->vlan;
	else if (pol->zone_from == ZONE_FROM_IFACE)
		p->zone = (uint16_t)(p->iface + 1);
}

/* Asks the rules that give any of `want`; take() has what each is to be asked
 * for no more. */
static void rules_ask(const struct policy *pol, const struct pkt *p,
		      uint16_t want,
		      void (*take)(void *arg, const struct policy_rule *r,
				   uint16_t what),
		      void *arg)
{
	unsigned int i;

	want &= pol->rule_gives;
	for (i = 0; i < pol->nrule && i < POLICY_RULES && want; i++) {
		const struct policy_rule *r = &pol->rule[i];
		uint16_t what = r->gives & want;

		if (!what || !rule_fits(pol, r, p))
			continue;
		take(arg, r, what);
		want &= (uint16_t)~what;
	}
}

struct packet_asks {
	struct lane *l;
	bool notrack;
};

static void packet_take(void *arg, const struct policy_rule *r, uint16_t what)
{
	struct packet_asks *a = arg;

	if (what & RULE_ZONE) {
		a->l->pkt->zone = r->zone[0];
		a->l->zone2 = r->zone[1];
	}
	if (what & RULE_NOTRACK)
		a->notrack = r->notrack;
}

bool rules_packet(const struct policy *pol, struct lane *l)
{
	struct packet_asks a = {.l = l};

	l->zone2 = l->pkt->zone;
	rules_ask(pol, l->pkt, RULE_PACKET, packet_take, &a);
	return a.notrack;
}

struct conn_asks {
	struct conn *c;
	struct conn_ext *x;
	bool extended;
};

static void conn_take(void *arg, const struct policy_rule *r, uint16_t what)
{
	struct conn_asks *a = arg;

	/* over what a master has handed down (F105) */
	if (what & RULE_MARK)
		a->c->mark = (a->c->mark & ~r->mark_mask) ^ r->mark;
	if (what & RULE_LABELS) {
		a->x->labels[0] |= r->labels[0];
		a->x->labels[1] |= r->labels[1];
		a->extended = true;
	}
	if (what & RULE_TIMEOUT) {
		a->x->policy = r->profile;
		a->extended = true;
	}
}

bool rules_conn(const struct policy *pol, const struct lane *l, struct conn *c,
		struct conn_ext *x, uint16_t *events)
{
	struct conn_asks a = {c, x, false};
	uint32_t mark = c->mark;

	memset(x, 0, sizeof(*x));
	rules_ask(pol, l->pkt, RULE_CONN, conn_take, &a);
	if (l->zone2 != l->look.key.zone) {
		x->zone2 = l->zone2;
		c->status |= CONN_ZONE_DIR;
		a.extended = true;
	}
	/* F246: only what has changed */
	*events |= (c->mark != mark ? EVB_MARK : 0) |
		   (x->labels[0] | x->labels[1] ? EVB_LABEL : 0);
	return a.extended;
}

const uint32_t (*rules_timeouts(const struct policy *pol,
				const struct conn_ext *x))[POLICY_TIMEOUTS]
{
	uint8_t i = x && x->policy ? (uint8_t)(x->policy - 1) : UINT8_MAX;

	/* a policy that was taken away: the sysctls again */
	if (i >= POLICY_PROFILES || !pol->profile_on[i])
		return NULL;
	return pol->profile[i];
}

/* ---- zones of one direction ---- */

static void zone_add(uint16_t *zone, unsigned int *n, uint16_t z)
{
	unsigned int i;

	for (i = 0; i < *n; i++)
		if (zone[i] == z)
			return;
	zone[(*n)++] = z;
}

/*
 * A packet of zones (o, r) is an original packet of a connection (o, any), or
 * the answer to one of (any, r); a key has only the first of the two.  What
 * stands beside r is r itself, or 0; beside 0 also each zone that a rule gives
 * to original directions.
 */
unsigned int rules_zones(const struct policy *pol, const struct lane *l,
			 uint16_t zone[ZONES_MAX])
{
	unsigned int n = 0, i;

	zone_add(zone, &n, l->look.key.zone);
	zone_add(zone, &n, l->zone2);
	zone_add(zone, &n, 0);
	for (i = 0; !l->zone2 && i < pol->nzone_orig && i < POLICY_RULES; i++)
		zone_add(zone, &n, pol->zone_orig[i]);
	return n;
}

enum zone_fit rules_fit(const struct lane *l, uint8_t sender,
			const struct conn *c, const struct conn_ext *x)
{
	uint8_t orig = c->status & CONN_ORIG1 ? 1 : 0;
	uint16_t reply = c->status & CONN_ZONE_DIR && x ? x->zone2
							: c->key.zone;
	bool same = c->key.zone == l->look.key.zone;

	if (sender == orig && !l->land)
		return same		  ? ZONE_FITS
		       : reply == l->zone2 ? ZONE_CLASH
					   : ZONE_OTHER;
	if (reply == l->zone2 || (same && l->land))
		return ZONE_FITS;
	/* a tuple has one connection in each zone of the original direction */
	return same ? ZONE_CLASH : ZONE_OTHER;
}

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

#include "daemon/helper/helper.h"

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

/* Number 0 is that of packets without a tag or tunnel; an interface always has
 * a number of its own. */
static uint32_t zone_number(const struct policy *pol, const struct pkt *p)
{
	switch (pol->zone_from) {
	case ZONE_FROM_VLAN:
		return p->vlan;
	case ZONE_FROM_QINQ:
		return p->qinq;
	case ZONE_FROM_VNI:
		return p->vni;
	case ZONE_FROM_IFACE:
		return p->iface + 1u;
	default:
		return 0;
	}
}

/* A zone has 16 bits, a VNI 24: what does not fit and is in no map is folded,
 * which keeps apart whatever differs in its low bits alone. */
static uint16_t zone_of(const struct policy *pol, uint32_t number)
{
	unsigned int i;

	for (i = 0; i < pol->nzone_map && i < POLICY_ZONES; i++)
		if (number >= pol->zone_map[i].from &&
		    number <= pol->zone_map[i].to)
			return pol->zone_map[i].zone;
	return (uint16_t)(number ^ number >> 16);
}

void rules_zone_mapped(const struct policy *pol, struct pkt *p)
{
	p->zone = zone_of(pol, zone_number(pol, p));
}

/* Asks the rules that give any of `want`; take() has what each is to be asked
 * for no more. */
static void
rules_ask(const struct policy *pol, const struct pkt *p, uint16_t want,
          void (*take)(void *arg, const struct policy_rule *r, uint16_t what),
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
		a->l->pkt->zone = r->zone[0] | r->zone[1];
		a->l->zone_dir = r->zone[0] == r->zone[1] ? 0
		                 : r->zone[0]             ? KEY_ZONE_ORIG
		                                          : KEY_ZONE_REPLY;
	}
	if (what & RULE_NOTRACK)
		a->notrack = r->notrack;
}

bool rules_packet(const struct policy *pol, struct lane *l)
{
	struct packet_asks a = {.l = l};

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
	if (what & RULE_ONE_WAY && r->one_way)
		a->c->status |= CONN_ONE_WAY;
	if (what & RULE_TIMEOUT) {
		a->x->policy = r->profile;
		a->extended = true;
	}
	/* F183: who was expected has the helper that its master gave it */
	if (what & RULE_HELPER && !(a->c->status & CONN_EXPECTED)) {
		a->x->helper = helper_find(r->helper);
		a->c->status |= a->x->helper ? CONN_HELPER : 0;
		a->extended |= a->x->helper != 0;
	}
}

bool rules_conn(const struct policy *pol, const struct pkt *p, struct conn *c,
                struct conn_ext *x, uint16_t *events)
{
	struct conn_asks a = {c, x, false};
	uint32_t mark = c->mark;

	rules_ask(pol, p, RULE_CONN, conn_take, &a);
	/* F246: only what has changed */
	*events |= (c->mark != mark ? EVB_MARK : 0) |
	           (x->labels[0] | x->labels[1] ? EVB_LABEL : 0);
	return a.extended;
}

struct trace_asks {
	const struct policy *pol;
	uint8_t *rule;
};

static void trace_take(void *arg, const struct policy_rule *r, uint16_t what)
{
	const struct trace_asks *a = arg;
	unsigned int i;

	for (i = 0; i < TRACE_RULES; i++)
		if (what & 1u << i)
			a->rule[i] = (uint8_t)(r - a->pol->rule + 1);
}

void rules_trace(const struct policy *pol, const struct pkt *p, uint16_t want,
                 uint8_t rule[TRACE_RULES])
{
	struct trace_asks a = {pol, rule};

	rules_ask(pol, p, want, trace_take, &a);
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

/* a pair of zones as keys have it: one of the two is 0, or both are one */
static void zones_add(struct zones *to, unsigned int *n, uint16_t orig,
                      uint16_t reply)
{
	struct zones z = {.zone = orig | reply};
	unsigned int i;

	if (orig != reply)
		z.dir = orig ? KEY_ZONE_ORIG : KEY_ZONE_REPLY;
	for (i = 0; i < *n; i++)
		if (to[i].zone == z.zone && to[i].dir == z.dir)
			return;
	to[(*n)++] = z;
}

/*
 * A packet of zones (o, r) is an original packet of a connection (o, any), or
 * the answer to one of (any, r).  What may stand beside a zone is the same
 * zone, or 0; and beside 0 each zone that rules give to one direction.
 */
unsigned int rules_zones(const struct policy *pol, const struct conn_key *k,
                         struct zones to[ZONES_MAX])
{
	uint16_t o = key_zone(k, 0), r = key_zone(k, 1);
	unsigned int n = 0, i;

	zones_add(to, &n, o, r);
	zones_add(to, &n, o, o);
	zones_add(to, &n, o, 0);
	zones_add(to, &n, r, r);
	zones_add(to, &n, 0, r);
	for (i = 0; !o && i < pol->nzone[1] && i < POLICY_RULES; i++)
		zones_add(to, &n, 0, pol->zone[1][i]);
	for (i = 0; !r && i < pol->nzone[0] && i < POLICY_RULES; i++)
		zones_add(to, &n, pol->zone[0][i], 0);
	return n;
}

/* Clash: the new connection's reply tuple would be the reply tuple of this one
 * in the same zone, or its original tuple. */
enum zone_fit rules_fit(const struct conn_key *k, const struct conn_key *entry,
                        bool same)
{
	bool orig = key_zone(entry, 0) == key_zone(k, 0);
	bool reply = key_zone(entry, 1) == key_zone(k, 1);

	if (same)
		return orig ? ZONE_FITS : reply ? ZONE_CLASH : ZONE_OTHER;
	if (reply)
		return ZONE_FITS;
	return orig && !(k->flags & KEY_ZONE_DIR) ? ZONE_CLASH : ZONE_OTHER;
}

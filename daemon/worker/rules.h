/*
 * rules.h - what rules make of a packet, and zones (F047 to F049).
 *
 * A packet has two zones, one for a connection that it is an original packet
 * of and one for a connection that it answers; a connection has one for each
 * of its directions.  They differ only where a rule gives a zone to one
 * direction; the other is then 0.  Key and packet say so in the same way: one
 * number, and KEY_ZONE_* for the direction.
 */
#ifndef WORKER_RULES_H
#define WORKER_RULES_H

#include "daemon/worker/pipeline.h"

/* the zones that a key may have */
struct zones {
	uint16_t zone;
	uint8_t dir; /* KEY_ZONE_* */
};

#define ZONES_MAX (2u * POLICY_RULES + 5u)

/* A parsed packet's zone by `zone.from`. */
void rules_zone_mapped(const struct policy *pol, struct pkt *p);
static inline void rules_zone_from(const struct policy *pol, struct pkt *p)
{
	if (pol->zone_from == ZONE_FROM_VLAN && !pol->nzone_map)
		p->zone = p->vlan;
	else
		rules_zone_mapped(pol, p);
}

/* Sets the zones of a packet whose layers are known; true: it is not to be
 * tracked. */
bool rules_packet(const struct policy *pol, struct lane *l);

/* What the first packet of a connection brings to it: the mark in `c`, the
 * rest in `x`, which the caller has cleared.  True: `x` has something in it.
 * *events gets the bits of what was given. */
bool rules_conn(const struct policy *pol, const struct pkt *p, struct conn *c,
                struct conn_ext *x, uint16_t *events);

/* Who gives a packet what, asked once more for a trace: the rule + 1 by the bit
 * of RULE_*, 0 for none. */
void rules_trace(const struct policy *pol, const struct pkt *p, uint16_t want,
                 uint8_t rule[TRACE_RULES]);

/* The timeouts of a connection's own policy, NULL: it has none (F110). */
const uint32_t (*rules_timeouts(const struct policy *pol,
                                const struct conn_ext *x))[POLICY_TIMEOUTS];

/* Of which zones keys may be that a packet of these zones belongs to or must
 * not stand beside, its own first; their number. */
unsigned int rules_zones(const struct policy *pol, const struct conn_key *k,
                         struct zones to[ZONES_MAX]);

enum zone_fit {
	ZONE_OTHER, /* another connection's business */
	ZONE_FITS,
	ZONE_CLASH /* the packet may not make one beside it */
};

/* An entry with the packet's tuple in some zones.  `k` has the packet's zones,
 * `same` says whether the entry's originator sends in the direction in which
 * it is looked for. */
enum zone_fit rules_fit(const struct conn_key *k, const struct conn_key *entry,
                        bool same);

#endif

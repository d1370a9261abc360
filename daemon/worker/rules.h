/*
 * rules.h - what rules make of a packet, and zones (F047 to F049).
 *
 * A packet has two zones, one for a connection that it is an original packet
 * of and one for a connection that it answers.  They differ only where a rule
 * gives a zone to one direction; the other is then 0.  The same holds for a
 * connection: its key has the zone of its original direction, its extension
 * record (CONN_ZONE_DIR) that of its reply.
 */
#ifndef WORKER_RULES_H
#define WORKER_RULES_H

#include "daemon/worker/pipeline.h"
#include "shm/read.h"

/* every zone that a key may have that a packet may be looking for */
#define ZONES_MAX (POLICY_RULES + 3u)

/* A parsed packet's zone by `zone.from`. */
void rules_zone_from(const struct policy *pol, struct pkt *p);

/* Sets both zones of a packet whose layers are known; true: it is not to be
 * tracked. */
bool rules_packet(const struct policy *pol, struct lane *l);

/* What the first packet of a connection brings to it: mark and flags in `c`,
 * the rest in `x`, which is cleared first.  True: `x` has something in it.
 * *events gets the bits of what was given. */
bool rules_conn(const struct policy *pol, const struct lane *l, struct conn *c,
		struct conn_ext *x, uint16_t *events);

/* The timeouts of a connection's own policy, NULL: it has none (F110). */
const uint32_t (*rules_timeouts(const struct policy *pol,
				const struct conn_ext *x))[POLICY_TIMEOUTS];

/* Zones of keys to look for, the packet's own first; their number. */
unsigned int rules_zones(const struct policy *pol, const struct lane *l,
			 uint16_t zone[ZONES_MAX]);

enum zone_fit {
	ZONE_OTHER, /* another connection's business */
	ZONE_FITS,
	ZONE_CLASH /* the packet may not make one beside it */
};

/* An entry with the packet's tuple in some zone; `sender`: the endpoint that
 * sends in the direction in which it is looked for. */
enum zone_fit rules_fit(const struct lane *l, uint8_t sender,
			const struct conn *c, const struct conn_ext *x);

#endif

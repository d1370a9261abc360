/*
 * key.h - from a packet's tuple to the table's key, and to its shard.
 */
#ifndef TRACKER_KEY_H
#define TRACKER_KEY_H

#include "daemon/pkt/pkt.h"
#include "daemon/tracker/tracker.h"
#include "shm/table.h"

/* The canonical key of a parsed packet, its shard and hash, and which endpoint
 * sent it; false: it has no tuple.  *land: both endpoints are the same, so the
 * sender cannot be told (the first packet is original, all others reply). */
bool key_of_packet(const struct table *t, const struct pkt *p,
                   const struct tracker *trk, struct conn_lookup *k,
                   bool *land);

/* The same for a tuple that no packet has: of `p` the addresses, protocols and
 * zone are looked at. */
bool key_of_any(const struct table *t, const struct pkt *p,
                const struct tracker *trk, const struct trk_tuple *given,
                struct conn_lookup *k, bool *land);

/* The same of a tuple of a protocol whose endpoints are sorted with their
 * ports. */
void key_of_tuple(const struct table *t, bool v6, const union pkt_addr *src,
                  const union pkt_addr *dst, const struct trk_tuple *tp,
                  uint8_t l4proto, uint16_t zone, struct conn_lookup *k);

/* Of a connection that no packet made; false: no packet makes it. */
bool key_of_command(const struct table *t, const struct tracker *trk,
                    const struct command_conn *c, struct conn_lookup *k);

/* shard_check()'s question: where does this key belong? */
uint8_t key_home(const struct table *t, const struct conn_key *k,
                 const struct addr6 *a6);

#endif

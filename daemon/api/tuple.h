/*
 * tuple.h - the original and the reply tuple of a connection.
 *
 * The table keeps one canonical key; both tuples follow from it, from who sent
 * first, and from what the protocol's tracker says about its messages.
 */
#ifndef API_TUPLE_H
#define API_TUPLE_H

#include "shm/conn.h"
#include "shm/policy.h"

/* what stands in place of ports */
enum tuple_kind { TUPLE_ADDRESSES, TUPLE_PORTS, TUPLE_TYPE, TUPLE_KEYS };

struct tuple {
	uint8_t addr[2][16]; /* source, destination; IPv4: 4 bytes */
	uint16_t port[2];    /* or GRE keys */
	uint8_t type, code;
	uint16_t id;
};

struct tuples {
	enum tuple_kind kind;
	uint8_t addr_len; /* 4 or 16 */
	struct tuple dir[2];
};

void tuples_of(struct tuples *to, const struct policy *pol,
               const struct conn_key *key, const struct addr6 *a6,
               uint32_t status);

enum tuple_kind tuple_kind(const struct policy *pol, uint8_t l4proto);

#endif

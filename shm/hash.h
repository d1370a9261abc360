/* hash.h - the keyed hash of connection keys. */
#ifndef SHM_HASH_H
#define SHM_HASH_H

#include "shm/conn.h"

enum hash_id { HASH_SIPHASH13 = 1 };

/* SipHash-1-3 over `n` 64 bit words. */
uint64_t hash_words(const uint64_t key[2], const uint64_t *w, unsigned int n);

/* The hash of a connection: of the key alone for IPv4, of the ports, protocol,
 * zone and full addresses for IPv6. */
uint64_t hash_key(const uint64_t key[2], const struct conn_key *k,
                  const struct addr6 *a6);

/* The 32 bit fold of an IPv6 address that stands in conn_key.addr: lets a
 * wrong candidate be refused without touching addr6[]. */
uint32_t hash_fold(const uint32_t fold[4], const uint64_t a[2]);

#endif

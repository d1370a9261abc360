/*
 * hash.h - the keyed hash of connection keys.
 *
 * NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC", 1999) over the words
 * of the key, two at a time, then one more multiplication whose halves are
 * folded:
 *
 *	p = (w0 + k0) * (w1 + k1) + (w2 + k2) * (w3 + k3) + ...  (128 bits)
 *	h = fold((lo(p) ^ k6) * (hi(p) ^ k7))
 *
 * All k are secret and random, made with the segment.  NH is universal: two
 * different keys that were chosen without knowing k have the same p with a
 * probability of 2^-64 at most.  So whoever floods us cannot choose keys that
 * meet in one chain (F040), as long as he learns nothing of h: and nothing
 * that leaves the table depends on it, neither an id nor an order, nor an
 * answer, for we send none.  A hash that must stand against somebody who sees
 * its output would have to be a stronger one (SipHash), at four times the
 * cost.
 *
 * The last multiplication spreads p over the bits that choose the bucket and
 * the tag, so that addresses in a row do not fall in a pattern.
 */
#ifndef SHM_HASH_H
#define SHM_HASH_H

#include <endian.h>
#include <string.h>

#include "shm/conn.h"

enum hash_id { HASH_SIPHASH13 = 1, HASH_NH = 2 };

#define HASH_KEYS 8u

typedef unsigned __int128 hash_wide;

static inline uint64_t hash_end(const uint64_t key[HASH_KEYS], hash_wide p)
{
	p = (hash_wide)((uint64_t)p ^ key[6]) * ((uint64_t)(p >> 64) ^ key[7]);
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline hash_wide hash_pair(const uint64_t *key, uint64_t a, uint64_t b)
{
	return (hash_wide)(a + key[0]) * (b + key[1]);
}

/* of an IPv4 key's two words */
static inline uint64_t hash_words4(const uint64_t key[HASH_KEYS], uint64_t a,
                                   uint64_t b)
{
	return hash_end(key, hash_pair(key, a, b));
}

/* of an IPv6 key's second word and the addresses: `key` has them folded, and
 * the folds follow from the addresses */
static inline uint64_t hash_words6(const uint64_t key[HASH_KEYS], uint64_t b,
                                   const struct addr6 *a6)
{
	return hash_end(key,
	                hash_pair(key, a6->a[0][0], a6->a[0][1]) +
	                        hash_pair(key + 2, a6->a[1][0], a6->a[1][1]) +
	                        hash_pair(key + 4, b, 0));
}

/* The hash of a connection: of the key alone for IPv4, of the ports, protocol,
 * zone and full addresses for IPv6. */
static inline uint64_t hash_key(const uint64_t key[HASH_KEYS],
                                const struct conn_key *k,
                                const struct addr6 *a6)
{
	uint64_t w[2];

	memcpy(w, k, sizeof(w));
	if (likely(!(k->flags & KEY_V6)))
		return hash_words4(key, w[0], w[1]);
	return hash_words6(key, w[1], a6);
}

/* A word of an address on top of what came before it, by the first two of the
 * steering key's words. */
static inline uint32_t hash_round(const uint32_t steer[2], uint32_t acc,
                                  uint32_t word)
{
	acc = ((acc ^ word) + steer[0]) * (steer[1] | 1);
	return acc ^ acc >> 15;
}

/* The 32 bit fold of an IPv6 address that stands in conn_key.addr: lets a
 * wrong candidate be refused without touching addr6[].  The shard follows from
 * the same fold (daemon/pkt/steer.h), so it costs nothing more. */
static inline uint32_t hash_fold(const uint32_t steer[2], const uint64_t a[2])
{
	uint32_t acc = 0, word[4], i;

	memcpy(word, a, sizeof(word));
	for (i = 0; i < 4; i++)
		acc = hash_round(steer, acc, be32toh(word[i]));
	return acc;
}

#endif

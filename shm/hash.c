/*
 * hash.c - SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input
 * PRF", 2012), one compression and three finalisation rounds.  Keyed with 128
 * random bits a segment, so that nobody outside can aim at one chain of the
 * index (F040).
 */
#include "shm/hash.h"

#include <string.h>

static inline uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

#define SIP_ROUND                       \
	do {                            \
		v0 += v1;               \
		v2 += v3;               \
		v1 = rotl(v1, 13) ^ v0; \
		v3 = rotl(v3, 16) ^ v2; \
		v0 = rotl(v0, 32);      \
		v2 += v1;               \
		v0 += v3;               \
		v1 = rotl(v1, 17) ^ v2; \
		v3 = rotl(v3, 21) ^ v0; \
		v2 = rotl(v2, 32);      \
	} while (0)

uint64_t hash_words(const uint64_t key[2], const uint64_t *w, unsigned int n)
{
	uint64_t v0 = key[0] ^ 0x736f6d6570736575ull;
	uint64_t v1 = key[1] ^ 0x646f72616e646f6dull;
	uint64_t v2 = key[0] ^ 0x6c7967656e657261ull;
	uint64_t v3 = key[1] ^ 0x7465646279746573ull;
	uint64_t last = (uint64_t)n << 59;
	unsigned int i;

	for (i = 0; i < n; i++) {
		v3 ^= w[i];
		SIP_ROUND;
		v0 ^= w[i];
	}
	v3 ^= last;
	SIP_ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t hash_key(const uint64_t key[2], const struct conn_key *k,
                  const struct addr6 *a6)
{
	uint64_t w[5];

	memcpy(w, k, sizeof(*k));
	if (likely(!(k->flags & KEY_V6)))
		return hash_words(key, w, 2);
	w[0] = a6->a[0][0];
	w[2] = a6->a[0][1];
	w[3] = a6->a[1][0];
	w[4] = a6->a[1][1];
	return hash_words(key, w, 5);
}

uint32_t hash_fold(const uint32_t fold[4], const uint64_t a[2])
{
	uint64_t x = (a[0] ^ ((uint64_t)fold[0] << 32 | fold[1])) *
	             0x9e3779b97f4a7c15ull;

	x ^= x >> 29;
	x += a[1] ^ ((uint64_t)fold[2] << 32 | fold[3]);
	x *= 0xd6e8feb86659fd93ull;
	return (uint32_t)(x >> 32);
}

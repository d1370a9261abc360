/* test_hash.c - the keyed hash against its definition, and its spread */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/hash.h"
#include "tests/lib/keys.h"

/* What arbitrary-precision integers say (Python: the formula of hash.h). */
static void test_vectors(void **state)
{
	static const struct addr6 a6 = {{{0xb80d0120, 0x0100000000000000ull},
	                                 {0xfe80, 0x7766554433221100ull}}};
	uint64_t key[HASH_KEYS], i;

	(void)state;
	for (i = 0; i < HASH_KEYS; i++)
		key[i] = 0x0706050403020100ull + i * 0x0808080808080808ull;
	assert_true(hash_words4(key, 0x0102030405060708ull,
	                        0x1112131415161718ull) ==
	            0xc696d486a71086d8ull);
	assert_true(hash_words4(key, ~0ull, ~0ull) == 0x3daa64b20f091fd1ull);
	assert_true(hash_words4(key, 0, 0) == 0x3e2c05c9d154fc66ull);
	assert_true(hash_words6(key, 0x1112131415161718ull, &a6) ==
	            0xeb8776fbacdca2f2ull);
}

/* every byte of the key counts, and for IPv6 every byte of the addresses */
static void test_every_bit(void **state)
{
	static const uint64_t key[HASH_KEYS] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct addr6 a6, a;
	struct conn_key k, c;
	unsigned int i, v6;

	(void)state;
	memset(&a6, 7, sizeof(a6));
	for (v6 = 0; v6 < 2; v6++) {
		memset(&k, 9, sizeof(k));
		k.flags = (uint8_t)(v6 ? KEY_V6 : 0);
		for (i = 0; i < sizeof(k) * 8; i++) {
			bool fold = i < 64, flag = i / 8 == 13 && i % 8 == 0;

			c = k;
			((uint8_t *)&c)[i / 8] ^= (uint8_t)(1u << i % 8);
			if (flag)
				continue;
			/* the folds follow from the addresses */
			assert_int_equal(hash_key(key, &c, &a6) !=
			                         hash_key(key, &k, &a6),
			                 !(v6 && fold));
		}
		for (i = 0; i < sizeof(a) * 8; i++) {
			a = a6;
			((uint8_t *)&a)[i / 8] ^= (uint8_t)(1u << i % 8);
			assert_int_equal(hash_key(key, &k, &a) !=
			                         hash_key(key, &k, &a6),
			                 v6);
		}
	}
}

static void test_keyed(void **state)
{
	static const uint64_t k1[HASH_KEYS] = {1, 2}, k2[HASH_KEYS] = {1, 3};
	static const uint32_t f1[2] = {1, 2}, f2[2] = {2, 2};
	const uint64_t a[2] = {5, 6}, b[2] = {6, 5};
	struct conn_key k;

	(void)state;
	memset(&k, 1, sizeof(k));
	k.flags = 0;
	assert_true(hash_key(k1, &k, NULL) != hash_key(k2, &k, NULL));
	assert_int_equal(hash_fold(f1, a), hash_fold(f1, a));
	assert_int_not_equal(hash_fold(f1, a), hash_fold(f2, a));
	assert_int_not_equal(hash_fold(f1, a), hash_fold(f1, b));
}

/* many keys: no bucket and no tag stands out */
static void test_even(void **state)
{
	struct table *t = table_make(100000, false, 64);
	uint32_t *n = calloc(t->nbucket, sizeof(*n)), tag[256] = {0}, i;
	const uint32_t many = 1000 * t->nbucket;

	(void)state;
	for (i = 0; i < many; i++) {
		struct conn_lookup k = key_make(t, i, false, 0);

		n[hash_bucket(t, k.hash)]++;
		tag[hash_tag(k.hash) >> 24]++;
	}
	for (i = 0; i < t->nbucket; i++)
		assert_in_range(n[i], 800, 1200);
	for (i = 0; i < 256; i++)
		assert_in_range(tag[i], many / 256 / 2, many / 256 * 3 / 2);
	free(n);
	table_drop(t);
}

/* keys in rows, as scans and floods come: how pattern `p` makes key `i` */
static void scan_key(struct conn_key *k, struct addr6 *a, unsigned int p,
                     uint32_t i)
{
	memset(k, 0, sizeof(*k));
	memset(a, 0, sizeof(*a));
	k->l4proto = 6;
	k->addr[0] = 0x0100000a;
	k->addr[1] = 0x0200a8c0;
	switch (p) {
	case 0: /* hosts of a network */
		k->addr[1] += __builtin_bswap32(i);
		break;
	case 1: /* ports */
		k->port[0] = (uint16_t)i;
		k->port[1] = (uint16_t)(i >> 16);
		break;
	case 2: /* both at once */
		k->addr[0] += i << 24;
		k->addr[1] ^= i << 16;
		k->port[1] = (uint16_t)(i >> 8);
		break;
	case 3: /* the top bits alone */
		k->addr[1] = i << 17;
		k->zone = (uint16_t)(i & 3) << 14;
		break;
	default: /* IPv6: hosts, networks, or both */
		k->flags = KEY_V6;
		a->a[0][0] = p == 5 ? (uint64_t)i << 40 : 0xb80d0120;
		a->a[1][1] = p == 5 ? 1 : (uint64_t)i << (p == 4 ? 32 : 0);
		a->a[1][0] = p == 6 ? i : 0;
	}
}

static void test_scans(void **state)
{
	enum { BUCKETS = 4096, LOAD = 8, TRIES = 40, PATTERNS = 7 };
	struct table t = {.nbucket = BUCKETS};
	uint64_t seed = 7, key[HASH_KEYS];
	static uint32_t n[BUCKETS];
	unsigned int p, try, i;
	struct conn_key k;
	struct addr6 a;

	(void)state;
	for (try = 0; try < TRIES; try++) {
		for (i = 0; i < HASH_KEYS; i++)
			key[i] = seed = noise(seed);
		for (p = 0; p < PATTERNS; p++) {
			memset(n, 0, sizeof(n));
			for (i = 0; i < BUCKETS * LOAD; i++) {
				scan_key(&k, &a, p, i);
				n[hash_bucket(&t, hash_key(key, &k, &a))]++;
			}
			/* by chance more would be in one run of a thousand */
			for (i = 0; i < BUCKETS; i++)
				assert_in_range(n[i], 0, 30);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_scans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

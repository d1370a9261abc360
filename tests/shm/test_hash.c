/* test_hash.c - SipHash-1-3 against another implementation, key hashing */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/hash.h"
#include "tests/lib/keys.h"

/* Bytes 0, 1, 2, ... under the keys 00..0f and 0; the latter are what CPython
 * 3.11 says with PYTHONHASHSEED=0, hash(bytes(range(n))). */
static void test_vectors(void **state)
{
	static const uint64_t keys[2][2] = {
		{0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull}, {0, 0}};
	static const uint64_t want[2][6] = {
		{0xabac0158050fc4dcull, 0x369095118d299a8eull,
	         0xcc4fdd1a7d908b66ull, 0, 0, 0xc1d2363299e41531ull},
		{0xd1fba762150c532cull, 0xead411e67ebe2eeaull,
	         0x8972188433a5c5b7ull, 0, 0, 0x95bc321ab41d8206ull}};
	static const unsigned int words[] = {0, 1, 2, 5};
	uint64_t w[5];
	uint8_t *b = (uint8_t *)w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(w); i++)
		b[i] = (uint8_t)i;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		assert_true(hash_words(keys[0], w, words[i]) ==
		            want[0][words[i]]);
		assert_true(hash_words(keys[1], w, words[i]) ==
		            want[1][words[i]]);
	}
}

/* every byte of the key counts, and for IPv6 every byte of the addresses */
static void test_every_bit(void **state)
{
	static const uint64_t key[2] = {1, 2};
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
	static const uint64_t k1[2] = {1, 2}, k2[2] = {1, 3};
	static const uint32_t f1[4] = {1, 2, 3, 4}, f2[4] = {1, 2, 3, 5};
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

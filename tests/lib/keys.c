/* keys.c - see keys.h */
#include "tests/lib/keys.h"

#include <stdio.h>
#include <string.h>

#include "shm/check.h"
#include "shm/hash.h"
#include "shm/proc.h"
#include "shm/region.h"

struct table *table_make(uint32_t max, bool detail, uint32_t cells)
{
	struct region_params p = {
		.max = max,
		.nworker = 3,
		.ring_bytes = (uint64_t)cells * sizeof(struct event_cell),
		.log_bytes = 64 * sizeof(struct event_slot),
		.detail = detail,
		.clock_mode = CLOCK_CAPTURE,
	};
	struct table *t = region_memory(&p);
	uint8_t *b;
	size_t i;

	if (!t)
		return NULL;
	b = (uint8_t *)&t->key;
	for (i = 0; i < sizeof(t->key); i++)
		b[i] = (uint8_t)(i * 37 + 11);
	if (proc_attach(t, 0, 0)) {
		region_memory_free(t);
		return NULL;
	}
	return t;
}

void table_drop(struct table *t)
{
	if (t)
		proc_detach(t);
	region_memory_free(t);
}

uint64_t noise(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

struct conn_lookup key_make(const struct table *t, uint32_t n, bool v6,
                            uint8_t sh)
{
	struct conn_lookup k;
	unsigned int i;

	memset(&k, 0, sizeof(k));
	k.key.addr[0] = 0x0a000001;
	k.key.addr[1] = 0x0b000000 + n;
	k.key.port[0] = 1000;
	k.key.port[1] = 80;
	k.key.l4proto = 6;
	k.shard = sh;
	if (v6) {
		k.key.flags = KEY_V6;
		for (i = 0; i < 2; i++) {
			k.addr6.a[i][0] = 0xb80d0120;
			k.addr6.a[i][1] = i ? (uint64_t)n << 32 | 7 : 1;
			k.key.addr[i] = hash_fold(t->key.steer, k.addr6.a[i]);
		}
	}
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	return k;
}

struct conn_lookup key_in_bucket(const struct table *t, uint32_t n, bool v6,
                                 uint8_t sh, uint32_t bucket)
{
	struct conn_lookup k = key_make(t, n, v6, sh);

	while (hash_bucket(t, k.hash) != bucket) {
		k.key.port[0]++;
		k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	}
	return k;
}

static const struct op_cursor no_cursor;

uint32_t conn_put(struct table *t, const struct conn_lookup *k)
{
	struct conn init;
	enum op_refusal why;
	uint32_t idx;

	memset(&init, 0, sizeof(init));
	init.status = CONN_CONFIRMED;
	init.deadline = 1000;
	init.packets[0] = 1;
	shard_lock(t, k->shard);
	idx = op_insert(t, k, &init, NULL, NULL, NULL, no_cursor, &why);
	shard_unlock(t, k->shard);
	return idx;
}

uint32_t conn_bump(struct table *t, const struct conn_lookup *k)
{
	uint32_t idx;

	shard_lock(t, k->shard);
	idx = conn_find(t, k, NULL, NULL);
	if (idx) {
		op_update_begin(t, k->shard, idx);
		table_conn(t, k->shard, idx)->packets[0]++;
		op_update_commit(t, k->shard, idx, NULL, no_cursor);
	}
	shard_unlock(t, k->shard);
	return idx;
}

uint32_t conn_drop(struct table *t, const struct conn_lookup *k)
{
	uint32_t idx, slot;

	shard_lock(t, k->shard);
	idx = conn_find(t, k, &slot, NULL);
	if (idx) {
		op_update_begin(t, k->shard, idx);
		op_delete_commit(t, k->shard, idx, slot, NULL, no_cursor);
	}
	shard_unlock(t, k->shard);
	return idx;
}

static void fault_print(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

int shard_faults(const struct table *t, uint32_t sh)
{
	return shard_check(t, sh, NULL, fault_print, NULL);
}

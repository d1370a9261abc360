/*
 * fuzz_region.c - damage in the memory of a table that lives.
 *
 * The input writes to shards, lines, entries, rings and the merged log's
 * header of a table with connections of both families and long chains.  Then
 * come those who must bear it: readers, check, whoever takes the lock from
 * the dead, rebuild.  None may fault or go on for ever, none may touch a shard
 * that was not damaged, and what was rebuilt must be in order and usable.
 */
#include "shm/atomic.h"
#include "shm/check.h"
#include "shm/ops.h"
#include "shm/read.h"
#include "shm/repair.h"
#include "tests/fuzz/still.h"
#include "tests/lib/keys.h"

#define SHARDS 2u  /* that are damaged */
#define KEYS   30u /* that are there, in each */
#define DEAD   1u  /* slot of whoever held the locks */

static struct still still;

/* one with an extension record, as labels make it */
static uint32_t put_ext(struct table *t, const struct conn_lookup *k)
{
	const struct op_cursor none = {0, 0};
	const struct conn_ext ext = {.labels = {1, 2}, .helper = 1};
	enum op_refusal why;
	struct conn init;
	uint32_t idx;

	memset(&init, 0, sizeof(init));
	init.status = CONN_CONFIRMED;
	init.deadline = 1000;
	shard_lock(t, k->shard);
	idx = op_insert(t, k, &init, NULL, &ext, NULL, none, &why);
	shard_unlock(t, k->shard);
	return idx;
}

static void fill(struct table *t, uint8_t sh)
{
	struct conn_lookup k;
	uint32_t n;

	for (n = 0; n < KEYS; n++) {
		/* most in one bucket: overflow lines */
		k = n % 8 ? key_in_bucket(t, n, n & 1, sh, sh)
		          : key_make(t, n, n & 1, sh);
		fuzz_check(n % 3 ? conn_put(t, &k) : put_ext(t, &k), "key %u",
		           n);
		if (n % 5 == 4)
			conn_drop(t, &k);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table *t;
	uint8_t sh;

	(void)argc;
	(void)argv;
	t = table_make(64, true, 64);
	fuzz_check(t, "no table");
	for (sh = 0; sh < SHARDS; sh++) {
		fill(t, sh);
		fuzz_check(!shard_faults(t, sh), "shard %u", sh);
	}
	still_keep(&still, t);
	return 0;
}

/* ---- damage ---- */

struct target {
	uint8_t *at;
	size_t len;
};

static struct target target_of(struct table *t, uint8_t what)
{
	uint32_t sh = what >> 3 & 1;

	switch (what & 7) {
	case 0:
	case 1:
		return (struct target){(uint8_t *)&t->shard[sh],
		                       sizeof(struct shard)};
	case 2:
		return (struct target){(uint8_t *)table_line(t, sh, 0),
		                       t->nline * sizeof(struct line)};
	case 3:
		return (struct target){(uint8_t *)table_chk(t, sh, 0),
		                       t->cap * sizeof(uint32_t)};
	case 4:
		return (struct target){(uint8_t *)table_conn(t, sh, 0),
		                       t->cap * sizeof(struct conn)};
	case 6:
		return (struct target){(uint8_t *)t->ring[sh].hdr,
		                       sizeof(struct ring_header)};
	case 5:
		return (struct target){(uint8_t *)&t->ext[(size_t)sh * t->cap],
		                       t->cap * sizeof(struct conn_ext)};
	default:
		return (struct target){
			(uint8_t *)table_addr6(t, sh, t->cap - 1),
			t->cap * sizeof(struct addr6)};
	}
}

/* what: 7 area, 8 shard, 0x30 how: set a word, flip a bit, copy a word, small
 * number */
static void damage(struct table *t, struct fuzz_in *in)
{
	uint8_t what = fuzz8(in);
	struct target a = target_of(t, what);
	uint32_t at = fuzz16(in) % (uint32_t)(a.len / 4) * 4, v, from;

	memcpy(&v, a.at + at, 4);
	switch (what >> 4 & 3) {
	case 0:
		v = fuzz32(in);
		break;
	case 1:
		v ^= 1u << (fuzz8(in) & 31);
		break;
	case 2:
		from = fuzz16(in) % (uint32_t)(a.len / 4) * 4;
		memcpy(&v, a.at + from, 4);
		break;
	default:
		v = fuzz8(in);
	}
	memcpy(a.at + at, &v, 4);
}

/* ---- those who must bear it ---- */

static void read_all(const struct table *t)
{
	struct conn_view v;
	struct conn_lookup k;
	uint32_t sh, idx;

	for (sh = 0; sh < SHARDS; sh++) {
		for (idx = 1; idx < t->cap; idx++)
			/* one that is torn is waited for, which takes long */
			if (!(table_conn(t, sh, idx)->seq & 1))
				conn_read(t, sh, idx, &v);
		k = key_make(t, 3, true, (uint8_t)sh);
		if (!(table_conn(t, sh, 1)->seq & 1))
			conn_lookup(t, &k, &v);
	}
}

/* A lock whose holder seems to live is the watchdog's business. */
static void lock_of_dead(struct table *t, uint32_t sh)
{
	struct shard *q = &t->shard[sh];

	if (!q->lock || !proc_word_dead(t, q->lock))
		q->lock = 5u << 8 | (DEAD + 1);
}

static void check_usable(struct table *t, uint8_t sh)
{
	struct conn_lookup k;
	uint32_t n;

	for (n = 100; n < 140; n++) {
		k = key_make(t, n, n & 1, sh);
		if (n % 5 ? conn_put(t, &k) : put_ext(t, &k))
			fuzz_check(conn_bump(t, &k), "key %u is lost", n);
		if (n % 3 == 0)
			conn_drop(t, &k);
	}
	fuzz_check(!shard_faults(t, sh), "shard %u after use", sh);
}

static void check_others(const struct still *s)
{
	uint32_t sh;

	for (sh = SHARDS; sh < s->t->nshard; sh++)
		fuzz_check(!still_touched(s, sh), "shard %u was changed", sh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct table *t = still.t;
	uint32_t n, damaged;
	uint8_t sh;

	for (n = 0; in.left && n < 32; n++)
		damage(t, &in);
	for (sh = 0; sh < SHARDS; sh++)
		shard_check(t, sh, NULL, NULL, NULL);
	rings_check(t, NULL, NULL);
	read_all(t);
	for (sh = 0; sh < SHARDS; sh++) {
		lock_of_dead(t, sh);
		damaged = t->shard[sh].damaged;
		shard_lock(t, sh);
		fuzz_check(t->shard[sh].op == OP_IDLE, "op is under way");
		if (t->shard[sh].damaged == damaged)
			shard_rebuild(t, sh);
		fuzz_check(!t->shard[sh].op, "op after a rebuild");
		/* a mark that damage left: who is out of use stays so */
		shm_store(&t->shard[sh].isolated, 0);
		shard_unlock(t, sh);
		fuzz_check(!shard_faults(t, sh), "shard %u rebuilt", sh);
		check_usable(t, sh);
	}
	check_others(&still);
	/* not every damage shows in the shard's record */
	for (sh = 0; sh < SHARDS; sh++)
		still_shard(&still, sh);
	still_reset(&still);
	return 0;
}

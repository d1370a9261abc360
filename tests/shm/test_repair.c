/* test_repair.c - repair of operations, rebuild of damaged shards */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/check.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/mend.h"
#include "shm/repair.h"
#include "tests/lib/keys.h"

#define NCONN 30u

struct fix {
	struct table *t;
	struct conn_lookup k[NCONN];
	uint32_t idx[NCONN];
};

/* a shard with overflow lines, both families, both free lists */
static int fix_open(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct conn_lookup gone;
	uint32_t i;

	if (!f)
		return -1;
	f->t = table_make(1, true, 64);
	if (!f->t)
		return -1;
	for (i = 0; i < NCONN; i++) {
		f->k[i] = key_in_bucket(f->t, i, i % 3 == 0, 0,
		                        i < 24 ? 0 : i % 4);
		f->idx[i] = conn_put(f->t, &f->k[i]);
		gone = key_make(f->t, 100 + i, i & 1, 0);
		if (!f->idx[i] || (i < 6 && !conn_put(f->t, &gone)))
			return -1;
	}
	for (i = 0; i < 6; i++) {
		gone = key_make(f->t, 100 + i, i & 1, 0);
		if (!conn_drop(f->t, &gone))
			return -1;
	}
	*state = f;
	return 0;
}

static int fix_close(void **state)
{
	struct fix *f = *state;

	table_drop(f->t);
	free(f);
	return 0;
}

static void fix_clean(const struct fix *f, uint32_t n)
{
	assert_int_equal(shard_faults(f->t, 0), 0);
	assert_int_equal(f->t->shard[0].count, n);
	assert_int_equal(f->t->shard[0].op, OP_IDLE);
}

/* all connections but `but` are there, with their ids and contents */
static void fix_all(const struct fix *f, uint32_t but)
{
	struct conn_view v;
	uint32_t i;

	for (i = 0; i < NCONN; i++) {
		assert_int_equal(conn_lookup(f->t, &f->k[i], &v), i != but);
		if (i == but)
			continue;
		assert_int_equal(v.idx, f->idx[i]);
		assert_int_equal(v.conn.packets[0], 1);
		if (f->k[i].key.flags & KEY_V6)
			assert_memory_equal(&v.addr6, &f->k[i].addr6, 32);
	}
}

static void plant_bounds(struct fix *f)
{
	f->t->shard[0].bump[0] = 0;
	f->t->shard[0].bump[1] = 0xffffffff;
}

static void plant_crossed(struct fix *f)
{
	f->t->shard[0].bump[0] = f->t->cap - 2;
	f->t->shard[0].bump[1] = 2;
}

static void plant_line_bound(struct fix *f)
{
	f->t->shard[0].ovf_bump = f->t->nline + 9;
}

static void plant_word(struct fix *f)
{
	table_line(f->t, 0, 0)->slot[3] = 0x12fffff0;
}

static void plant_tag(struct fix *f)
{
	table_line(f->t, 0, 0)->slot[3] ^= 1u << 30;
}

static void plant_bucket(struct fix *f)
{
	struct line *b = table_line(f->t, 0, 1);
	uint32_t i, at, *word;

	for (i = 0; b->slot[i]; i++)
		;
	conn_find(f->t, &f->k[4], &at, NULL);
	word = &table_line(f->t, 0, at >> 4)->slot[at & 15];
	b->slot[i] = *word;
	*word = 0;
}

static void plant_lost_word(struct fix *f)
{
	uint32_t at;

	conn_find(f->t, &f->k[4], &at, NULL);
	table_line(f->t, 0, at >> 4)->slot[at & 15] = 0;
}

static void plant_twice(struct fix *f)
{
	struct line *l = table_line(f->t, 0, table_line(f->t, 0, 0)->next);

	uint32_t at;

	conn_find(f->t, &f->k[4], &at, NULL);
	l->slot[14] = table_line(f->t, 0, at >> 4)->slot[at & 15];
}

static void plant_circle(struct fix *f)
{
	struct line *l = table_line(f->t, 0, 0);

	table_line(f->t, 0, l->next)->next = l->next;
}

static void plant_next(struct fix *f)
{
	table_line(f->t, 0, 1)->next = 1000000;
}

static void plant_free_circle(struct fix *f)
{
	uint32_t i = f->t->shard[0].free_head[0];

	table_conn(f->t, 0, i)->ext = i;
}

static void plant_free_live(struct fix *f)
{
	f->t->shard[0].free_head[1] = f->idx[0];
}

static void plant_free_lost(struct fix *f)
{
	f->t->shard[0].free_head[0] = 0;
}

static void plant_tail(struct fix *f)
{
	f->t->shard[0].free_tail[0] = f->idx[1];
}

static void plant_count(struct fix *f)
{
	f->t->shard[0].count += 5;
}

static void plant_chk(struct fix *f)
{
	*table_chk(f->t, 0, f->idx[4]) = 0;
}

static void plant_late_chk(struct fix *f)
{
	*table_chk(f->t, 0, f->idx[4]) = 5000;
}

static void plant_line_lost(struct fix *f)
{
	f->t->shard[0].ovf_bump++;
}

static void plant_line_free(struct fix *f)
{
	f->t->shard[0].ovf_free = table_line(f->t, 0, 0)->next;
}

static void plant_ext(struct fix *f)
{
	table_conn(f->t, 0, f->idx[2])->ext = 7;
}

static void plant_ext_free(struct fix *f)
{
	f->t->shard[0].ext_free = 1;
}

static void plant_ext_bump(struct fix *f)
{
	f->t->shard[0].ext_bump = f->t->cap + 1;
}

static void plant_op(struct fix *f)
{
	f->t->shard[0].op = 77;
}

static void plant_half_rebuild(struct fix *f)
{
	f->t->shard[0].op = OP_REBUILD;
	memset(table_line(f->t, 0, 0), 0, 3 * sizeof(struct line));
}

struct plant {
	const char *letter; /* what shard_check() must call it */
	void (*plant)(struct fix *f);
};

static const struct plant plants[] = {
	{"I5", plant_bounds},       {"I5", plant_crossed},
	{"I5", plant_line_bound},   {"I1", plant_word},
	{"I2", plant_tag},          {"I2", plant_bucket},
	{"I5", plant_lost_word},    {"I3", plant_twice},
	{"I7", plant_circle},       {"I7", plant_next},
	{"I5", plant_free_circle},  {"I5", plant_free_live},
	{"I5", plant_free_lost},    {"I5", plant_tail},
	{"I6", plant_count},        {"I8", plant_chk},
	{"I8", plant_late_chk},     {"I7", plant_line_lost},
	{"I7", plant_line_free},    {"I9", plant_op},
	{"I9", plant_half_rebuild}, {"I10", plant_ext},
	{"I10", plant_ext_free},    {"I5", plant_ext_bump},
};

static void note_letter(void *arg, const char *text)
{
	const char **want = arg;

	if (*want && strstr(text, *want))
		*want = NULL;
}

/* each fault is found and named, and is gone after a rebuild */
static void test_damage(void **state)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(plants); i++) {
		const char *want = plants[i].letter;
		struct fix *f;

		assert_int_equal(fix_open(state), 0);
		f = *state;
		fix_clean(f, NCONN);
		plants[i].plant(f);
		shard_check(f->t, 0, NULL, note_letter, &want);
		if (want)
			print_error("plant %u is not called %s\n", i, want);
		assert_null(want);
		shard_lock(f->t, 0);
		assert_int_equal(shard_rebuild(f->t, 0), 0);
		shard_unlock(f->t, 0);
		assert_int_equal(f->t->shard[0].damaged, 1);
		fix_clean(f, NCONN);
		fix_all(f, NCONN);
		/* and it works */
		assert_true(conn_drop(f->t, &f->k[2]) > 0);
		f->idx[2] = conn_put(f->t, &f->k[2]);
		assert_true(f->idx[2] > 0);
		fix_clean(f, NCONN);
		fix_close(state);
	}
	*state = NULL;
}

/* repair of a record that nobody wrote: the same, by the lock's way */
static void test_insane(void **state)
{
	struct fix *f;

	assert_int_equal(fix_open(state), 0);
	f = *state;
	f->t->shard[0].op = OP_INSERT;
	f->t->shard[0].op_idx = 0;
	f->t->shard[0].lock = 99 << 8 | 2;
	shard_lock(f->t, 0);
	assert_int_equal(f->t->shard[0].repairs, 1);
	assert_int_equal(f->t->shard[0].damaged, 1);
	shard_unlock(f->t, 0);
	fix_clean(f, NCONN);
	fix_all(f, NCONN);
	/* idle: nothing to do */
	shard_repair(f->t, 0);
	assert_int_equal(f->t->shard[0].repairs, 1);
	fix_close(state);
}

/* what cannot be right is dropped, and all else kept */
static void test_dropped(void **state)
{
	struct fix *f;
	struct conn *c;

	assert_int_equal(fix_open(state), 0);
	f = *state;
	table_conn(f->t, 0, f->idx[3])->key.flags = 0xff;
	assert_int_equal(shard_rebuild(f->t, 0), 1);
	fix_clean(f, NCONN - 1);
	fix_all(f, 3);
	/* two entries of one key */
	c = table_conn(f->t, 0, f->idx[4]);
	c->key = table_conn(f->t, 0, f->idx[5])->key;
	assert_int_equal(shard_rebuild(f->t, 0), 1);
	fix_clean(f, NCONN - 2);
	fix_close(state);
}

/* more keys of one bucket than its lines can ever hold: as many as fit are
 * kept, and the index stays whole */
static void test_crowd(void **state)
{
	struct table *t = table_make(10000, true, 64);
	uint32_t i, idx, fit;

	(void)state;
	assert_non_null(t);
	fit = (t->nline - t->nbucket + 1) * LINE_SLOTS;
	assert_true(fit + 5 < t->cap);
	for (i = 0; i < fit + 5; i++) {
		struct conn_lookup k = key_in_bucket(t, i, false, 0, i % 4);
		struct conn_lookup all =
			key_in_bucket(t, 1000 + i, false, 0, 2);

		idx = conn_put(t, &k);
		assert_true(idx > 0);
		table_conn(t, 0, idx)->key = all.key;
	}
	assert_int_equal(shard_rebuild(t, 0), 5);
	assert_int_equal(shard_faults(t, 0), 0);
	assert_int_equal(t->shard[0].count, fit);
	for (i = 0; i < t->nline; i++)
		assert_true(table_line(t, 0, i)->next < t->nline);
	assert_true(t->shard[0].ovf_bump <= t->nline);
	table_drop(t);
}

/* bounds of the records that are gone: who has one keeps it */
static void test_records(void **state)
{
	uint32_t i, ext;
	struct fix *f;

	assert_int_equal(fix_open(state), 0);
	f = *state;
	for (i = 3; i < 6; i++) {
		op_update_begin(f->t, 0, f->idx[i]);
		op_update_ext(f->t, 0, f->idx[i])->labels[0] = i;
		op_update_commit(f->t, 0, f->idx[i], NULL,
		                 (struct op_cursor){0, 0});
	}
	assert_true(conn_drop(f->t, &f->k[4]) > 0);
	f->t->shard[0].ext_bump = 0xdeadbeef;
	f->t->shard[0].ext_ready = 0xdeadbeef;
	assert_int_equal(shard_rebuild(f->t, 0), 0);
	fix_clean(f, NCONN - 1);
	fix_all(f, 4);
	for (i = 3; i < 6; i += 2) {
		ext = table_conn(f->t, 0, f->idx[i])->ext;
		assert_true(ext != 0);
		assert_int_equal(table_ext(f->t, 0, ext)->labels[0], i);
	}
	assert_int_equal(f->t->shard[0].ext_bump, 4);
	assert_int_equal(f->t->shard[0].ext_free, 2);
	fix_close(state);
}

static uint8_t home_1(const struct table *t, const struct conn_key *k,
                      const struct addr6 *a6)
{
	(void)t;
	(void)a6;
	return k->port[0] % 2 ? 0 : 1;
}

/* what is at home elsewhere goes, then all; and then there is no room */
static void test_isolated(void **state)
{
	enum op_refusal why;
	struct conn init;
	struct fix *f;
	uint32_t n;

	assert_int_equal(fix_open(state), 0);
	f = *state;
	memset(&init, 0, sizeof(init));
	table_conn(f->t, 0, f->idx[3])->key.port[0] = 2;
	shard_salvage(f->t, 0, home_1);
	assert_int_equal(shard_check(f->t, 0, home_1, NULL, NULL), 0);
	n = f->t->shard[0].count;
	assert_true(n < NCONN);
	shard_empty(f->t, 0);
	fix_clean(f, 0);
	f->idx[2] = conn_put(f->t, &f->k[2]);
	assert_true(f->idx[2] > 0);
	/* whatever stands in it */
	f->t->shard[0].bump[1] = 0xffffffff;
	f->t->shard[0].op = OP_REBUILD;
	shard_isolate(f->t, 0);
	/* nor does whoever comes after a kill put it in order */
	f->t->shard[0].lock = 99 << 8 | 2;
	shard_lock(f->t, 0);
	shard_unlock(f->t, 0);
	assert_int_equal(shard_check(f->t, 0, NULL, NULL, NULL), 1);
	assert_int_equal(conn_find(f->t, &f->k[2], NULL, NULL), 0);
	assert_true(shard_full(&f->t->shard[0]));
	assert_int_equal(op_insert(f->t, &f->k[2], &init, NULL, NULL, NULL,
	                           (struct op_cursor){0, 0}, &why),
	                 0);
	assert_int_equal(why, OP_NO_INDEX);
	/* a start makes it anew */
	shard_empty(f->t, 0);
	fix_clean(f, 0);
	assert_true(conn_put(f->t, &f->k[2]) > 0);
	fix_clean(f, 1);
	fix_close(state);
}

/* damage beside an operation under way: its connection is not lost */
static void torn(void **state, bool end)
{
	struct fix *f;
	uint32_t slot, idx;

	assert_int_equal(fix_open(state), 0);
	f = *state;
	idx = conn_find(f->t, &f->k[8], &slot, NULL);
	op_update_begin(f->t, 0, idx);
	op_update_ext(f->t, 0, idx)->labels[0] = 3;
	op_update_commit(f->t, 0, idx, NULL, (struct op_cursor){0, 0});
	op_update_begin(f->t, 0, idx);
	op_update_ext(f->t, 0, idx)->labels[0] = 500;
	table_conn(f->t, 0, idx)->packets[0] = 500;
	table_detail(f->t, 0, idx)->rtt_us[1] = 500;
	if (end) {
		f->t->shard[0].op = OP_DELETE;
		f->t->shard[0].op_slot = slot;
		table_conn(f->t, 0, idx)->status = 0;
	}
	f->t->shard[0].free_head[0] = 0xffffff;
	f->t->shard[0].op_src = 0xffff;
	shard_repair(f->t, 0);
	assert_int_equal(f->t->shard[0].damaged, 1);
	fix_clean(f, NCONN);
	fix_all(f, NCONN);
	assert_int_equal(table_detail(f->t, 0, idx)->rtt_us[1], 0);
	assert_int_equal(table_conn(f->t, 0, idx)->ext, 1);
	assert_int_equal(table_ext(f->t, 0, 1)->labels[0], 3);
	fix_close(state);
}

static void test_torn_update(void **state)
{
	torn(state, false);
}

static void test_torn_delete(void **state)
{
	torn(state, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_insane),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_torn_update),
		cmocka_unit_test(test_torn_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

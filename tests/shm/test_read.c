/* test_read.c - reading without a lock, also beside a dead writer */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/repair.h"
#include "tests/lib/keys.h"

static uint32_t walk_count(const struct table *t)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint32_t n = 0;

	while (conn_walk(t, &w, &v))
		n++;
	return n;
}

/* both families, several shards: each once, in index order */
static void test_walk(void **state)
{
	struct table *t = table_make(1000, true, 64);
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint32_t i, last = 0, n = 0;

	(void)state;
	assert_int_equal(walk_count(t), 0);
	for (i = 0; i < 60; i++) {
		struct conn_lookup k = key_make(t, i, i % 3 == 0, i % 4 * 85);

		assert_true(conn_put(t, &k) > 0);
	}
	while (conn_walk(t, &w, &v)) {
		uint32_t at = v.shard << 24 | v.idx;

		assert_true(at > last);
		last = at;
		n++;
	}
	assert_int_equal(n, 60);
	assert_int_equal(table_count(t), 60);
	table_drop(t);
}

/* every index in use: the bounds of the families touch */
static void test_walk_full(void **state)
{
	struct table *t = table_make(1, true, 64);
	uint32_t i;

	(void)state;
	for (i = 0; i < t->cap - 1; i++) {
		struct conn_lookup k = key_make(t, i, i & 1, 255);

		assert_true(conn_put(t, &k) > 0);
	}
	assert_int_equal(walk_count(t), t->cap - 1);
	table_drop(t);
}

/* a writer lies dead in the window: readers see the state before */
static void test_torn_update(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup k = key_make(t, 1, true, 0);
	uint32_t idx = conn_put(t, &k);
	struct conn *c = table_conn(t, 0, idx);
	struct conn_view v;

	(void)state;
	op_update_begin(t, 0, idx);
	c->packets[0] = 1000;
	c->status = 0;
	table_detail(t, 0, idx)->rtt_us[0] = 7;
	assert_int_equal(conn_lookup(t, &k, &v), 1);
	assert_int_equal(v.conn.packets[0], 1);
	assert_int_equal(v.detail.rtt_us[0], 0);
	assert_int_equal(v.conn.seq, 2);
	assert_memory_equal(&v.addr6, &k.addr6, 32);
	assert_int_equal(walk_count(t), 1);
	op_undo(t, 0);
	assert_int_equal(conn_lookup(t, &k, &v), 1);
	assert_int_equal(v.conn.packets[0], 1);
	/* even and new, for readers that overlapped */
	assert_int_equal(v.conn.seq, 6);
	assert_int_equal(shard_faults(t, 0), 0);
	table_drop(t);
}

static void test_torn_insert(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup k = key_make(t, 1, false, 0);
	uint32_t idx = conn_put(t, &k);
	struct shard *q = &t->shard[0];
	struct conn_view v;

	(void)state;
	/* as if the commit had not happened yet */
	q->op = OP_INSERT;
	q->op_seq = 0;
	table_conn(t, 0, idx)->seq = 1;
	assert_int_equal(conn_lookup(t, &k, &v), 0);
	assert_int_equal(walk_count(t), 0);
	q->count = 0;
	op_undo(t, 0);
	assert_int_equal(conn_lookup(t, &k, &v), 0);
	assert_int_equal(table_conn(t, 0, idx)->seq, 4);
	assert_int_equal(shard_faults(t, 0), 0);
	table_drop(t);
}

/* an odd entry that no record explains: told, not endless */
static void test_unreadable(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup k = key_make(t, 1, false, 0);
	uint32_t idx = conn_put(t, &k);
	struct conn_view v;

	(void)state;
	table_conn(t, 0, idx)->seq |= 1;
	assert_int_equal(conn_read(t, 0, idx, &v), -1);
	assert_int_equal(conn_lookup(t, &k, &v), -1);
	table_drop(t);
}

/* a damaged index leads nobody out of bounds or in circles */
static void test_damaged_index(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup k = key_make(t, 1, false, 0);
	struct conn_view v;
	uint32_t i;

	(void)state;
	for (i = 0; i < t->nline; i++) {
		memset(table_line(t, 0, i), 0xff, sizeof(struct line));
		table_line(t, 0, i)->next = i & 1 ? 0xfffffff0 : i;
	}
	assert_int_equal(conn_lookup(t, &k, &v), 0);
	assert_int_equal(conn_find(t, &k, NULL, NULL), 0);
	t->shard[0].bump[0] = 0xffffffff;
	t->shard[0].bump[1] = 0xffffffff;
	assert_int_equal(walk_count(t), 0);
	t->shard[0].bump[0] = 0;
	assert_int_equal(walk_count(t), 0);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_full),
		cmocka_unit_test(test_torn_update),
		cmocka_unit_test(test_torn_insert),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_damaged_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

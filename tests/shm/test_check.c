/* test_check.c - faults that a rebuild has no part in; see test_repair.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/check.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "tests/lib/keys.h"

static void note(void *arg, const char *text)
{
	snprintf(arg, 200, "%s", text);
}

static uint8_t home_3(const struct table *t, const struct conn_key *k,
                      const struct addr6 *a6)
{
	(void)t;
	(void)k;
	(void)a6;
	return 3;
}

static void test_home(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup a = key_make(t, 1, false, 3);
	struct conn_lookup b = key_make(t, 2, false, 4);
	char text[200] = "";

	(void)state;
	conn_put(t, &a);
	conn_put(t, &b);
	assert_int_equal(shard_check(t, 3, home_3, note, text), 0);
	assert_int_equal(shard_check(t, 4, home_3, note, text), 1);
	assert_string_equal(text, "shard 4: I2 entry 1 belongs to shard 3");
	table_drop(t);
}

static void test_twins(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup a = key_make(t, 1, false, 0);
	struct conn_lookup b =
		key_in_bucket(t, 2, false, 0, hash_bucket(t, a.hash));
	char text[200] = "";
	uint32_t i = conn_put(t, &a), j = conn_put(t, &b), at;

	(void)state;
	conn_find(t, &b, &at, NULL);
	table_conn(t, 0, j)->key = table_conn(t, 0, i)->key;
	table_line(t, 0, at >> 4)->slot[at & 15] = hash_tag(a.hash) | j;
	assert_int_equal(shard_check(t, 0, NULL, note, text), 1);
	assert_non_null(strstr(text, "I4"));
	table_drop(t);
}

static void test_states(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct conn_lookup a = key_make(t, 1, false, 0);
	uint32_t i = conn_put(t, &a);
	char text[200] = "";

	(void)state;
	table_conn(t, 0, i)->seq |= 1;
	assert_int_equal(shard_check(t, 0, NULL, note, text), 1);
	assert_non_null(strstr(text, "I2"));
	table_conn(t, 0, i)->seq++;
	table_conn(t, 0, i)->status &= ~CONN_LIVE;
	assert_int_equal(shard_check(t, 0, NULL, note, text), 1);
	assert_non_null(strstr(text, "I2"));
	table_conn(t, 0, i)->status |= CONN_LIVE;
	conn_drop(t, &a);
	table_conn(t, 0, i)->status |= CONN_LIVE;
	assert_int_equal(shard_check(t, 0, NULL, note, text), 1);
	assert_non_null(strstr(text, "I5 free entry"));
	table_drop(t);
}

static void test_rings(void **state)
{
	struct table *t = table_make(100, true, 64);
	struct ring_header *h = t->ring[0].hdr;
	struct conn_lookup k = key_make(t, 1, false, 0);
	struct op_event ev = {.type = EVENT_NEW};
	struct conn init;
	enum op_refusal why;
	char text[200] = "";

	(void)state;
	memset(&init, 0, sizeof(init));
	assert_true(op_insert(t, &k, &init, NULL, NULL, &ev,
	                      (struct op_cursor){1, 0}, &why) > 0);
	assert_int_equal(rings_check(t, note, text), 0);
	t->ring[0].cell[0].seq = 7;
	assert_int_equal(rings_check(t, note, text), 1);
	assert_non_null(strstr(text, "cell 0"));
	t->ring[0].cell[0].seq = 1;
	h->intent = 0;
	assert_int_equal(rings_check(t, note, text), 1);
	h->intent = 1;
	h->ncells = 32;
	assert_int_equal(rings_check(t, note, text), 1);
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

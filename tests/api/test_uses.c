/* test_uses.c - connections of a master are counted, the living ones. */
#include "daemon/api/uses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "tests/lib/keys.h"

#define NOW 5000u

static void put_child(struct table *t, uint32_t n, uint64_t master,
                      uint32_t deadline)
{
	struct conn_lookup k = key_make(t, n, n % 2, (uint8_t)(n % 100));
	uint32_t idx = conn_put(t, &k);

	shard_lock(t, k.shard);
	op_update_begin(t, k.shard, idx);
	table_conn(t, k.shard, idx)->deadline = deadline;
	if (master)
		op_update_ext(t, k.shard, idx)->master = master;
	op_update_commit(t, k.shard, idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(t, k.shard);
}

static void count(struct uses *u, const struct table *t, uint32_t look)
{
	unsigned int turns = 0;

	memset(u, 0, sizeof(*u));
	while (!uses_step(u, t, look, NOW))
		assert_true(++turns < 10000);
}

static void test_children(void **state)
{
	struct table *t = table_make(2000, true, 4096);
	const uint64_t a = 7, b = 1ull << 40 | 9;
	struct uses u;
	uint32_t n = 0, i, look;

	(void)state;
	assert_non_null(t);
	put_child(t, n++, 0, NOW + 10);
	for (i = 0; i < 3; i++)
		put_child(t, n++, a, NOW + 10);
	put_child(t, n++, a, NOW - 1); /* has run out */
	put_child(t, n++, b, NOW + 10);
	/* no expectation was ever met: nobody looks */
	count(&u, t, 100);
	assert_int_equal(uses_of(&u, a), 0);
	assert_null(u.slot);
	uses_free(&u);
	shm_store(&t->ring[0].hdr->counter[CTR_EXPECT_NEW], 1);
	for (look = 1; look < 10; look += 4) {
		count(&u, t, look);
		assert_int_equal(uses_of(&u, a), 3);
		assert_int_equal(uses_of(&u, b), 1);
		assert_int_equal(uses_of(&u, 8), 0);
		uses_free(&u);
	}
	/* many masters, whose numbers look alike */
	for (i = 0; i < 500; i++)
		put_child(t, n++, (uint64_t)(i + 1) << 32, NOW + 10);
	count(&u, t, 100);
	for (i = 0; i < 500; i++)
		assert_int_equal(uses_of(&u, (uint64_t)(i + 1) << 32), 1);
	assert_int_equal(uses_of(&u, a), 3);
	assert_int_equal(u.n, 502);
	uses_free(&u);
	table_drop(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

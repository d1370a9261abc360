/* test_generic.c - what has no tracker, and what has its tracker switched off
 * (F030, F150) */
#include "tests/tracker/feed.h"

static void test_ospf(void **state)
{
	static const uint8_t l4[] = {2, 1, 0, 44};
	struct trk_tuple t;
	struct feed f;
	int i;

	(void)state;
	feed_open(&f, 4, 89);
	assert_string_equal(f.t->name, "unknown");
	assert_true(feed_tuple(&f, l4, sizeof(l4), &t));
	assert_int_equal(t.src, 0);
	assert_int_equal(t.dst, 0);
	assert_true(feed_tuple(&f, l4, 0, &t));
	for (i = 0; i < 6; i++) {
		assert_int_equal(feed(&f, i & 1 ? B : A, l4, sizeof(l4)),
		                 TRK_ACCEPT);
		assert_int_equal(f.timeout, 600);
	}
	assert_not_assured(&f);
	assert_int_equal(f.conn.packets[B], 3);
	assert_null(tracker_state_name(89, f.conn.state));
}

static void test_settings(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 6, 253);
	f.pol.timeout[f.id][0] = 3;
	assert_int_equal(feed(&f, A, (const uint8_t *)"", 0), TRK_ACCEPT);
	assert_int_equal(f.timeout, 3);
}

/* tracker.dccp = off: as kernels without it (F177) */
static void test_switched_off(void **state)
{
	static const uint8_t l4[4] = {0, 1, 0, 2};
	struct trk_tuple t;
	struct feed f;

	(void)state;
	feed_open(&f, 4, 33);
	assert_string_equal(f.t->name, "dccp");
	f.pol.tracker_off[f.id] = 1;
	f.t = tracker_find(&f.pol, 33, &f.id);
	assert_string_equal(f.t->name, "unknown");
	assert_true(feed_tuple(&f, l4, 4, &t));
	assert_int_equal(t.src, 0);
	assert_int_equal(feed(&f, A, l4, 4), TRK_ACCEPT);
	assert_int_equal(f.timeout, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ospf),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

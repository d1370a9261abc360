/* test_describe.c - requests as lines of a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/api/describe.h"
#include "proto/ctshard.pb-c.h"

static char text[256];

static void test_request(void **state)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Update u = CTSHARD__UPDATE__INIT;
	Ctshard__Filter f = CTSHARD__FILTER__INIT;
	Ctshard__Filter__Net n = CTSHARD__FILTER__NET__INIT;
	uint8_t addr[4] = {10, 1, 2, 3}, labels[16] = {8};
	char words[] = "tcp \"\n\x1b[m";

	(void)state;
	n.has_addr = 1;
	n.addr.data = addr;
	n.addr.len = 4;
	f.orig_src = &n;
	f.expression = words;
	f.has_id = 1;
	f.id = 1ull << 40;
	u.filter = &f;
	u.has_mark = 1;
	u.has_labels_set = 1;
	u.labels_set.data = labels;
	u.labels_set.len = 16;
	r.body_case = CTSHARD__REQUEST__BODY_UPDATE;
	r.update = &u;
	describe(&r.base, text, sizeof(text));
	assert_string_equal(
		text, "update{filter{orig_src{addr=10.1.2.3} id=1099511627776 "
		      "expression=\"tcp ???[m\"} mark=0 "
		      "labels_set=08000000000000000000000000000000}");
	/* whatever the size, it ends */
	describe(&r.base, text, 20);
	assert_string_equal(text, "update{filter{or...");
	describe(&r.base, text, 1);
	assert_string_equal(text, "");
}

static void test_lists(void **state)
{
	Ctshard__Set m = CTSHARD__SET__INIT;
	Ctshard__Set__Item i = CTSHARD__SET__ITEM__INIT, *list[9];
	char key[] = "k";
	size_t n;

	(void)state;
	i.key = key;
	for (n = 0; n < 9; n++)
		list[n] = &i;
	m.item = list;
	m.n_item = 2;
	describe(&m.base, text, sizeof(text));
	assert_string_equal(text, "item{key=\"k\"} item{key=\"k\"}");
	m.n_item = 9;
	describe(&m.base, text, sizeof(text));
	assert_string_equal(text, "item{key=\"k\"} (9 of them)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_ifaces.c - figures and clocks of a worker's interfaces */
#include "daemon/worker/ifaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 (1700000000ull * NS_PER_S)
#define MS NS_PER_MS

static struct ring_header *header(void)
{
	struct ring_header *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

/* Back by more than what sources may differ is counted, and so far. */
static void test_back(void **state)
{
	static const struct {
		uint64_t at;
		uint8_t iface;
		unsigned int back;
	} rows[] = {{5000, 0, 0}, {4995, 0, 0},   {4000, 1, 0},
	            {4980, 0, 1}, {4960, 0, 2},   {3000, 1, 2},
	            {9000, 0, 2}, {9001, 200, 2}, {100, 250, 3}};
	struct ring_header *h = header();
	struct ifaces f = {0};
	unsigned int i, k, back;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pkt p = {.ts_ns = T0 + rows[i].at * MS,
		                .iface = rows[i].iface};

		ifaces_time(&f, h, &p, 0);
		back = 0;
		for (k = 0; k < STATS_IFACES; k++)
			if (k != 1)
				back += (unsigned int)h->iface[k].back;
		assert_int_equal(back, rows[i].back);
	}
	assert_int_equal(h->iface[1].back, 1);
	assert_int_equal(h->iface[1].back_ns, 1000 * MS);
	assert_int_equal(h->iface[0].back_ns, 20 * MS);
	/* those beyond the list share its last place */
	assert_int_equal(h->iface[STATS_IFACES - 1].back, 1);
	free(h);
}

/* The source's figures stand on those of a predecessor; the lag is that of the
 * freshest packet since the last time. */
static void test_figures(void **state)
{
	static const uint8_t bytes[60];
	static const struct source_frame frames[] = {
		{bytes, 60, 60, T0, 1}, {bytes, 60, 1514, T0 + MS, 1}};
	struct ring_header *h = header();
	struct ifaces f = {0};
	struct pkt batch[4];
	char err[SOURCE_ERR];
	struct source *s = source_open_memory(frames, 2, err);

	(void)state;
	assert_non_null(s);
	h->iface[0].received = 7;
	h->iface[0].bytes = 900;
	ifaces_base(h);
	assert_int_equal(source_next(s, batch, 4), 2);
	ifaces_time(&f, h, &batch[0], T0 + 9 * MS);
	ifaces_time(&f, h, &batch[1], T0 + 4 * MS);
	assert_int_equal(ifaces_figures(&f, s, h), 0);
	assert_true(h->iface[0].received >= 7);
	assert_true(h->iface[0].bytes >= 900);
	assert_int_equal(h->iface[0].lag_ns, 3 * MS);
	/* a later one of the next period alone counts */
	ifaces_time(&f, h, &batch[1], T0 + 30 * MS);
	batch[1].ts_ns = T0 - NS_PER_S;
	ifaces_time(&f, h, &batch[1], 0);
	assert_int_equal(ifaces_figures(&f, s, h), 1);
	assert_int_equal(ifaces_figures(&f, s, h), 0);
	assert_int_equal(h->iface[0].lag_ns, 29 * MS);
	source_close(s);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

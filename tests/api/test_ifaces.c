/* test_ifaces.c - what is said of an interface, out of what workers and the
 * supervisor have noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/api/ifaces.h"
#include "shm/clock.h"

#define MS      ((int64_t)NS_PER_MS)
#define WORKERS 2u

static const char *const names[] = {"left", "right", "more"};

struct bed {
	struct table t;
	struct ring_header *ring[WORKERS];
	struct role_env env;
	struct api a;
};

static struct bed *bed_make(unsigned int ifaces)
{
	struct bed *b = calloc(1, sizeof(*b));
	unsigned int w;

	assert_non_null(b);
	b->t.nworker = WORKERS;
	b->t.proc = calloc(NSLOT, PAGE);
	assert_non_null(b->t.proc);
	for (w = 0; w < WORKERS; w++) {
		b->ring[w] = aligned_alloc(64, RING_TRACE);
		assert_non_null(b->ring[w]);
		memset(b->ring[w], 0, RING_TRACE);
		b->t.ring[w].hdr = b->ring[w];
	}
	b->env.live = true;
	b->env.ifaces = names;
	b->env.nifaces = ifaces;
	b->a.t = &b->t;
	b->a.env = &b->env;
	return b;
}

static void bed_free(struct bed *b)
{
	unsigned int w;

	for (w = 0; w < WORKERS; w++)
		free(b->ring[w]);
	free(b->t.proc);
	free(b);
}

static void count(struct bed *b, unsigned int w, unsigned int iface,
                  enum iface_counter what, uint64_t n)
{
	b->ring[w]->counter[STATS_IFACE(iface, what)] = n;
}

/* What is missing of what there should be, of all workers; what came late is
 * not. */
static void test_lost(void **state)
{
	struct bed *b = bed_make(2);
	struct iface_row r;

	(void)state;
	b->ring[0]->iface[1].bytes = 6000;
	b->ring[1]->iface[1].bytes = 3000;
	count(b, 0, 1, IFACE_LOST, 400);
	count(b, 1, 1, IFACE_LOST, 100);
	count(b, 0, 1, IFACE_HOLES, 2000);
	count(b, 1, 1, IFACE_LATE, 1500);
	iface_row(&b->a, 1, &r);
	assert_string_equal(r.name, "right");
	assert_int_equal(r.bytes, 9000);
	assert_int_equal(r.lost_share, 1000);
	assert_int_equal(r.sampled, 0);
	/* more of it than there were holes: what was lost stays */
	count(b, 1, 1, IFACE_LATE, 9999);
	iface_row(&b->a, 1, &r);
	assert_int_equal(r.lost_share, 526);
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.lost_share, 0);
	bed_free(b);
}

static void test_sampled(void **state)
{
	struct bed *b = bed_make(2);
	struct iface_row r;

	(void)state;
	b->ring[0]->iface[0].bytes = 1000;
	count(b, 0, 0, IFACE_HOLES, 9100);
	count(b, 0, 0, IFACE_GAPS, 99);
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.sampled, 0);
	count(b, 1, 0, IFACE_GAPS, 1);
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.sampled, 10);
	/* they came late: nothing is missing */
	count(b, 0, 0, IFACE_LATE, 9000);
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.sampled, 0);
	bed_free(b);
}

/* Behind the foremost, by the freshest packet that any worker has of each. */
static void test_skew(void **state)
{
	struct bed *b = bed_make(3);
	struct iface_row r;

	(void)state;
	b->ring[0]->iface[0].received = b->ring[1]->iface[0].received = 1;
	b->ring[1]->iface[1].received = 1;
	b->ring[0]->iface[0].lag_ns = 9 * MS;
	b->ring[1]->iface[0].lag_ns = 4 * MS;
	b->ring[1]->iface[1].lag_ns = 2504 * MS;
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.skew_seconds, 0);
	iface_row(&b->a, 1, &r);
	assert_int_equal(r.skew_seconds, 2500000);
	/* of one without packets nothing is known */
	iface_row(&b->a, 2, &r);
	assert_int_equal(r.skew_seconds, 0);
	/* a clock that is ahead of ours */
	b->ring[1]->iface[1].lag_ns = -996 * MS;
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.skew_seconds, 1000000);
	iface_row(&b->a, 1, &r);
	assert_int_equal(r.skew_seconds, 0);
	/* captures have no clock of now to compare with */
	b->env.live = false;
	b->env.captures = names;
	b->env.ncaptures = 2;
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.skew_seconds, 0);
	bed_free(b);
}

static void test_state(void **state)
{
	struct bed *b = bed_make(1);
	struct iface_state *p = &table_proc(&b->t, SLOT_SUPER)->iface[0];
	struct iface_row r;

	(void)state;
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.up, 0);
	assert_int_equal(r.quiet_seconds, 0);
	assert_string_equal(r.offload, "");
	p->flags = IFACE_F_THERE | IFACE_F_UP | IFACE_F_GRO | IFACE_F_LRO;
	p->mtu = 9000;
	p->changes = 3;
	p->moved_ns = clock_mono_ns() - 90 * NS_PER_S;
	b->ring[0]->counter[CTR_INSERT] = 40;
	b->ring[1]->counter[CTR_INSERT] = 10;
	count(b, 1, 0, IFACE_ONE_WAY, 5);
	iface_row(&b->a, 0, &r);
	assert_int_equal(r.up, 1);
	assert_int_equal(r.mtu, 9000);
	assert_int_equal(r.changes, 3);
	assert_true(r.quiet_seconds >= 90);
	assert_string_equal(r.offload, "gro+lro");
	/* where there is one alone all connections are its own */
	assert_int_equal(r.connections, 50);
	assert_int_equal(r.one_way_share, 1000);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_sampled),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

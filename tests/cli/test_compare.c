/* test_compare.c - two tables held against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"

static struct ctshard_conn conn(uint32_t proto, const char *state, uint8_t src,
                                uint8_t dst, uint32_t sport, uint32_t dport)
{
	struct ctshard_conn c = {.l3 = 4, .protonum = proto, .state = state};

	c.dir[0].src[3] = c.dir[1].dst[3] = src;
	c.dir[0].dst[3] = c.dir[1].src[3] = dst;
	c.dir[0].has = c.dir[1].has = CTSHARD_TUPLE_PORTS;
	c.dir[0].sport = c.dir[1].dport = sport;
	c.dir[0].dport = c.dir[1].sport = dport;
	return c;
}

static struct ctshard_conn ping(uint8_t src, uint8_t dst, uint32_t type)
{
	struct ctshard_conn c = conn(1, NULL, src, dst, 0, 0);

	c.dir[0].has = c.dir[1].has = CTSHARD_TUPLE_ICMP;
	c.dir[0].icmp_id = c.dir[1].icmp_id = 7;
	c.dir[0].type = type;
	c.dir[1].type = type == 8 ? 0 : 8;
	return c;
}

struct pair {
	struct compare_set t, k;
	struct compare_result r;
};

static void add(struct compare_set *s, struct ctshard_conn c)
{
	assert_int_equal(compare_add(s, &c), 0);
}

static void compare(struct pair *p)
{
	assert_int_equal(compare_sets(&p->t, &p->k, &p->r), 0);
}

static void pair_free(struct pair *p)
{
	compare_free(&p->t);
	compare_free(&p->k);
	free(p->r.d);
}

static size_t kinds(const struct pair *p, enum compare_kind kind)
{
	size_t i, n = 0;

	for (i = 0; i < p->r.n; i++)
		n += p->r.d[i].kind == kind;
	return n;
}

static void test_kinds(void **state)
{
	struct pair p = {0};
	struct ctshard_conn c;
	uint32_t i;

	(void)state;
	/* enough of them that the arrays grow */
	for (i = 0; i < 1000; i++) {
		add(&p.t, conn(6, "ESTABLISHED", 1, 2, i, 80));
		add(&p.k, conn(6, "ESTABLISHED", 1, 2, 999 - i, 80));
	}
	add(&p.t, conn(17, NULL, 1, 2, 5, 5));
	add(&p.k, conn(17, NULL, 1, 2, 6, 6));
	add(&p.t, conn(6, "FIN_WAIT", 1, 3, 1, 80));
	add(&p.k, conn(6, "TIME_WAIT", 1, 3, 1, 80));
	c = conn(17, NULL, 9, 9, 1, 1);
	add(&p.t, c);
	c.status = CTSHARD_S_ASSURED;
	add(&p.k, c);
	add(&p.t, conn(17, NULL, 4, 5, 1, 2));
	add(&p.k, conn(17, NULL, 5, 4, 2, 1));
	/* an echo is one, whoever was seen first */
	add(&p.t, ping(1, 2, 8));
	add(&p.k, ping(1, 2, 8));
	add(&p.t, ping(6, 7, 0));
	add(&p.k, ping(7, 6, 8));
	/* a zone of its own is another connection */
	c = conn(17, NULL, 20, 21, 1, 1);
	add(&p.t, c);
	c.zone = 3;
	add(&p.k, c);
	compare(&p);
	assert_int_equal(p.r.equal, 1001);
	assert_int_equal(kinds(&p, COMPARE_MISSING), 2);
	assert_int_equal(kinds(&p, COMPARE_EXTRA), 2);
	assert_int_equal(kinds(&p, COMPARE_STATE), 1);
	assert_int_equal(kinds(&p, COMPARE_STATUS), 1);
	assert_int_equal(kinds(&p, COMPARE_TURNED), 2);
	assert_int_equal(p.r.n, 8);
	pair_free(&p);
}

/* source translation: the tap sees the other side of it */
static void test_nat(void **state)
{
	struct pair p = {0};
	struct ctshard_conn c = conn(6, "ESTABLISHED", 1, 2, 1000, 80);

	(void)state;
	c.dir[1].dst[3] = 99;
	c.dir[1].dport = 2000;
	add(&p.k, c);
	add(&p.t, conn(6, "ESTABLISHED", 99, 2, 2000, 80));
	compare(&p);
	assert_int_equal(p.r.equal, 1);
	assert_int_equal(p.r.n, 0);
	pair_free(&p);
}

static void test_empty(void **state)
{
	struct pair p = {0};

	(void)state;
	compare(&p);
	assert_int_equal(p.r.n, 0);
	compare_lasting(&p.r, &p.r);
	pair_free(&p);
}

/* what one look alone has found was on its way */
static void test_lasting(void **state)
{
	struct pair a = {0}, b = {0};

	(void)state;
	add(&a.t, conn(6, "SYN_SENT", 1, 2, 1, 1));
	add(&a.k, conn(6, "ESTABLISHED", 1, 2, 1, 1));
	add(&a.k, conn(17, NULL, 3, 3, 3, 3));
	add(&a.k, conn(17, NULL, 4, 4, 4, 4));
	add(&b.t, conn(6, "ESTABLISHED", 1, 2, 1, 1));
	add(&b.k, conn(6, "ESTABLISHED", 1, 2, 1, 1));
	add(&b.k, conn(17, NULL, 3, 3, 3, 3));
	add(&b.t, conn(17, NULL, 4, 4, 4, 4));
	compare(&a);
	compare(&b);
	assert_int_equal(a.r.n, 3);
	assert_int_equal(b.r.n, 2);
	compare_lasting(&b.r, &a.r);
	assert_int_equal(b.r.n, 1);
	assert_int_equal(b.r.d[0].kind, COMPARE_MISSING);
	assert_int_equal(b.r.d[0].kernel->conn.dir[0].sport, 3);
	pair_free(&a);
	pair_free(&b);
}

static void test_filter(void **state)
{
	struct ctshard_conn c = conn(6, "ESTABLISHED", 7, 8, 1000, 80);
	static const struct {
		struct ctshard_filter f;
		bool want;
	} t[] = {
		{{0}, true},
		{{.has = CTSHARD_FILTER_HAS(L3), .l3 = 6}, false},
		{{.has = CTSHARD_FILTER_HAS(PROTONUM), .protonum = 6}, true},
		{{.has = CTSHARD_FILTER_HAS(PROTONUM), .protonum = 17}, false},
		{{.has = CTSHARD_FILTER_HAS(ORIG_SRC),
	          .orig_src = {{0, 0, 0, 7}, 4, 32}},
	         true},
		{{.has = CTSHARD_FILTER_HAS(ORIG_SRC),
	          .orig_src = {{0, 0, 0, 6}, 4, 31}},
	         true},
		{{.has = CTSHARD_FILTER_HAS(ORIG_DST),
	          .orig_dst = {{0, 0, 0, 6}, 4, 31}},
	         false},
		{{.has = CTSHARD_FILTER_HAS(ORIG_DST),
	          .orig_dst = {{0}, 16, 0}},
	         false},
		{{.has = CTSHARD_FILTER_HAS(DPORT), .dport = {70, 90}}, true},
		{{.has = CTSHARD_FILTER_HAS(SPORT), .sport = {70, 90}}, false},
		{{.has = CTSHARD_FILTER_HAS(ICMP_ID), .icmp_id = 0}, false},
		{{.has = CTSHARD_FILTER_HAS(ZONE), .zone = 1}, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (compare_match(&t[i].f, &c) != t[i].want)
			fail_msg("filter %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),  cmocka_unit_test(test_nat),
		cmocka_unit_test(test_empty),  cmocka_unit_test(test_lasting),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_expect.c - expectations: what matches, what makes room, what ends. */
#include "shm/expect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/check.h"
#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/tick.h"
#include "tests/lib/keys.h"

#define NOW 5000u

struct bed {
	struct table *t;
	struct conn_lookup master;
	uint64_t id;
	struct expect_by by;
};

static uint64_t addr(const char *dotted)
{
	uint8_t b[8] = {0};
	unsigned int i, v = 0, n = 0;

	for (i = 0;; i++) {
		if (dotted[i] >= '0' && dotted[i] <= '9') {
			v = v * 10 + (unsigned int)(dotted[i] - '0');
			continue;
		}
		b[n++] = (uint8_t)v;
		v = 0;
		if (!dotted[i])
			break;
	}
	memcpy(&v, b, 4);
	return v;
}

static uint64_t put_master(struct table *t, const struct conn_lookup *k)
{
	uint32_t idx = conn_put(t, k);
	struct conn *c = table_conn(t, k->shard, idx);

	shard_lock(t, k->shard);
	op_update_begin(t, k->shard, idx);
	c->deadline = NOW + 100000;
	op_update_ext(t, k->shard, idx)->helper = 1;
	op_update_commit(t, k->shard, idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(t, k->shard);
	return conn_id(c->gen, k->shard, idx);
}

static void open_bed(struct bed *b)
{
	memset(b, 0, sizeof(*b));
	b->t = table_make(100, true, 256);
	assert_non_null(b->t);
	b->master = key_make(b->t, 1, false, 3);
	b->id = put_master(b->t, &b->master);
	b->by = (struct expect_by){
		.pkt = 1, .now = NOW, .ts_ns = 77, .max = 1000, .tell = true};
}

static void close_bed(struct bed *b)
{
	assert_int_equal(shard_check(b->t->expect, 0, NULL, NULL, NULL), 0);
	assert_int_equal(rings_check(b->t, NULL, NULL), 0);
	assert_int_equal(b->t->expect->shard->lock, 0);
	/* taken as often as given */
	assert_int_equal(b->t->expect_depth, 0);
	table_drop(b->t);
}

static struct expect make(const struct bed *b, const char *src, const char *dst,
                          uint16_t dport)
{
	struct expect e = {.master = b->id,
	                   .dport = dport,
	                   .l4proto = 6,
	                   .deadline = NOW + 30000};

	if (src) {
		e.info.src[0] = addr(src);
		e.info.src_len = 32;
	}
	e.dst[0] = addr(dst);
	return e;
}

static int add(struct bed *b, const struct expect *e, unsigned int max)
{
	return expect_add(b->t, e, max, &b->by);
}

static uint32_t find(struct bed *b, const char *src, const char *dst,
                     uint16_t sport, uint16_t dport, struct expect *e)
{
	struct expect_tuple tp = {.src = {addr(src)},
	                          .dst = {addr(dst)},
	                          .sport = sport,
	                          .dport = dport,
	                          .l4proto = 6};
	uint32_t idx;

	expect_lock(b->t);
	idx = expect_find(b->t, &tp, &b->by, e);
	expect_unlock(b->t);
	return idx;
}

static unsigned int count(struct bed *b)
{
	struct conn_walk w = {0, 0};
	unsigned int n = 0;
	struct expect e;

	while (expect_walk(b->t, &w, &e))
		n++;
	return n;
}

/* those that only a packet may find, too */
static unsigned int entries(const struct bed *b)
{
	return b->t->expect->shard->count;
}

static unsigned int told(struct bed *b, uint8_t type)
{
	const struct event_ring *g = &b->t->ring[0];
	unsigned int n = 0;
	uint64_t at;

	for (at = 0; at < g->hdr->tail; at++)
		n += !(g->cell[at & g->mask].seq & EVENT_CONT) &&
		     g->cell[at & g->mask].type == type;
	return n;
}

/* F182: any source, one source, a network of them, and exact ports */
static void test_matching(void **state)
{
	struct expect e, got;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, "10.0.0.1", "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_equal(find(&b, "10.0.0.2", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.2", 5, 100, &got), 0);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got), 0);
	assert_int_not_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(got.master, b.id);
	assert_int_equal(got.dport, 100);

	e = make(&b, NULL, "10.0.1.1", 200);
	e.info.sport = 7;
	e.info.flags = EXPECT_SPORT;
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_equal(find(&b, "1.2.3.4", "10.0.1.1", 8, 200, &got), 0);
	assert_int_not_equal(find(&b, "1.2.3.4", "10.0.1.1", 7, 200, &got), 0);

	e = make(&b, "192.168.12.0", "10.0.1.1", 300);
	e.info.src_len = 22;
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_not_equal(
		find(&b, "192.168.15.255", "10.0.1.1", 7, 300, &got), 0);
	assert_int_equal(find(&b, "192.168.16.0", "10.0.1.1", 7, 300, &got), 0);
	assert_int_equal(told(&b, EVENT_EXP_NEW), 3);
	close_bed(&b);
}

/* F185, F186, F187: what is there and does not match */
static void test_idle(void **state)
{
	struct expect e, got;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	e.info.flags = EXPECT_INACTIVE;
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(expect_revise(b.t,
	                               &(struct expect_pick){.master = b.id,
	                                                     .any_class = true},
	                               true, true, NOW + 9, &b.by),
	                 1);
	assert_int_not_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	b.by.now = NOW + 9;
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	b.by.now = NOW;
	/* the master is no more */
	conn_drop(b.t, &b.master);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 0);
	close_bed(&b);
}

/* F188: the oldest of the class; F189: the same takes its own place; F190,
 * F191: refused */
static void test_limits(void **state)
{
	struct conn_lookup k2;
	struct expect e, got;
	uint64_t other;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 2), 0);
	assert_int_equal(add(&b, &e, 2), 0);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 2), 0);
	e.dport = 102;
	assert_int_equal(add(&b, &e, 2), 0);
	assert_int_equal(count(&b), 2);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_not_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got), 0);
	/* another class of the same master does not count */
	e.dport = 103;
	e.info.class = 1;
	assert_int_equal(add(&b, &e, 2), 0);
	assert_int_equal(count(&b), 3);
	e.info.class = 2;
	assert_int_equal(add(&b, &e, 2), -EALREADY);
	e = make(&b, "10.0.0.1", "10.0.1.1", 102);
	assert_int_equal(add(&b, &e, 2), -EBUSY);

	k2 = key_make(b.t, 2, false, 9);
	other = put_master(b.t, &k2);
	e = make(&b, NULL, "10.0.1.1", 102);
	e.master = other;
	assert_int_equal(add(&b, &e, 2), -EBUSY);
	e.dport = 400;
	b.by.max = 3;
	assert_int_equal(add(&b, &e, 2), -ENOSPC);
	b.by.max = 4;
	assert_int_equal(add(&b, &e, 2), 0);
	/* F192: each goes with its own master */
	assert_false(expect_flush(b.t, b.id, 1, NOW, true));
	assert_int_equal(count(&b), 1);
	assert_int_equal(b.t->ring[0].hdr->counter[CTR_EXPECT_CREATE] > 0, 1);
	close_bed(&b);
}

/* One host's limit: over all of its masters, and over nobody else's. */
static void test_source(void **state)
{
	struct conn_lookup gre;
	struct expect e, key;
	struct bed b;
	unsigned int i;

	(void)state;
	open_bed(&b);
	b.by.source_max = 3;
	for (i = 0; i < 5; i++) {
		struct conn_lookup k = key_make(b.t, 10 + i, false, 9);

		e = make(&b, NULL, "10.0.1.1", (uint16_t)(100 + i));
		e.master = put_master(b.t, &k);
		e.info.master[0][0] = addr("10.0.0.1");
		assert_int_equal(add(&b, &e, 0), i < 3 ? 0 : -EDQUOT);
	}
	assert_int_equal(count(&b), 3);
	/* the same once more takes its own place */
	e = make(&b, NULL, "10.0.1.1", 100);
	e.info.master[0][0] = addr("10.0.0.1");
	e.master = conn_id(conn_id_gen(b.id), conn_id_shard(b.id), 0);
	assert_int_equal(add(&b, &e, 0), -EBUSY);
	/* another host, another family, another zone */
	e = make(&b, NULL, "10.0.1.1", 200);
	e.info.master[0][0] = addr("10.0.0.2");
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 201;
	e.info.master[0][0] = addr("10.0.0.1");
	e.zone = 7;
	assert_int_equal(add(&b, &e, 0), 0);
	e.zone = 0;
	e.v6 = true;
	assert_int_equal(add(&b, &e, 0), 0);
	e.v6 = false;
	assert_int_equal(add(&b, &e, 0), -EDQUOT);
	/* keys count, whichever of both is their host */
	key = make(&b, "10.0.0.2", "10.0.0.3", 300);
	gre = key_make(b.t, 30, false, 9);
	key.info.master[0][0] = addr("10.0.0.2");
	assert_int_equal(expect_key_add(b.t, &key, &gre, &b.by), 0);
	key = make(&b, "10.0.0.3", "10.0.0.2", 301);
	key.info.master[0][0] = addr("10.0.0.2");
	assert_int_equal(expect_key_add(b.t, &key, &gre, &b.by), 0);
	key.info.src[0] = addr("10.0.0.4");
	assert_int_equal(expect_key_add(b.t, &key, &gre, &b.by), -EDQUOT);
	/* what ends makes room, and no limit is none */
	b.by.pkt = 5;
	b.by.act = 0;
	e.dport = 202;
	assert_int_equal(expect_remove(b.t,
	                               &(struct expect_pick){.master = b.id,
	                                                     .any_class = true},
	                               &b.by),
	                 3);
	e.info.master[0][0] = addr("10.0.0.2");
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 203;
	assert_int_equal(add(&b, &e, 0), -EDQUOT);
	b.by.source_max = 0;
	assert_int_equal(add(&b, &e, 0), 0);
	close_bed(&b);
}

/* F184: once, told when it is found, or for good */
static void test_use(void **state)
{
	struct expect e, got;
	uint32_t idx;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 101;
	e.info.flags = EXPECT_PERMANENT;
	assert_int_equal(add(&b, &e, 0), 0);
	idx = find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got);
	expect_lock(b.t);
	expect_claim(b.t, idx, &b.by, 3);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	assert_int_equal(count(&b), 1);
	assert_int_equal(entries(&b), 2);
	/* the same packet again finds it, no other does, and says nothing */
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), idx);
	expect_claim(b.t, idx, &b.by, 3);
	expect_unlock(b.t);
	b.by.pkt = 2;
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	b.by.pkt = 1;
	b.by.src = 1;
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	b.by.src = 0;
	expect_lock(b.t);
	expect_use(b.t, idx, &b.by);
	expect_unlock(b.t);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	assert_int_equal(b.t->ring[0].hdr->counter[CTR_EXPECT_DELETE], 1);
	/* permanent: nothing of the kind */
	idx = find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got);
	expect_lock(b.t);
	expect_claim(b.t, idx, &b.by, 3);
	expect_use(b.t, idx, &b.by);
	expect_unlock(b.t);
	b.by.pkt = 2;
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got), idx);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	close_bed(&b);
}

/* a claim of a dead packet: it is over when its cursor has moved, else the next
 * packet uses it up; told of once in either case */
static void test_settle(void **state)
{
	struct expect e, got;
	uint32_t idx[2], i;
	struct bed b;

	(void)state;
	open_bed(&b);
	for (i = 0; i < 2; i++) {
		e = make(&b, NULL, "10.0.1.1", (uint16_t)(100 + i));
		assert_int_equal(add(&b, &e, 0), 0);
	}
	for (i = 0; i < 2; i++) {
		b.by.pkt = 10 + i;
		idx[i] = find(&b, "10.0.0.1", "10.0.1.1", 5,
		              (uint16_t)(100 + i), &got);
		assert_int_not_equal(idx[i], 0);
		expect_lock(b.t);
		expect_claim(b.t, idx[i], &b.by, 3);
		expect_unlock(b.t);
	}
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 2);
	b.t->ring[0].hdr->cursor[0] = 10;
	expect_settle(b.t, 1);
	assert_int_equal(entries(&b), 2);
	b.by.pkt = 50;
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got), 0);
	expect_settle(b.t, 0);
	assert_int_equal(entries(&b), 1);
	assert_int_equal(count(&b), 0);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 100, &got), 0);
	assert_int_equal(find(&b, "10.0.0.1", "10.0.1.1", 5, 101, &got),
	                 idx[1]);
	expect_lock(b.t);
	expect_claim(b.t, idx[1], &b.by, 3);
	expect_use(b.t, idx[1], &b.by);
	expect_unlock(b.t);
	assert_int_equal(entries(&b), 0);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 2);
	close_bed(&b);
}

/* expired ones, and those whose master is gone; but not those whose maker's
 * packet is still to be done */
static void test_sweep(void **state)
{
	struct expect e;
	struct bed b;

	(void)state;
	open_bed(&b);
	b.t->hdr->t0_real_ns = 0;
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 0), 0);
	e.deadline = NOW + 1;
	e.dport = 101;
	assert_int_equal(add(&b, &e, 0), 0);
	e = make(&b, NULL, "10.0.1.1", 102);
	e.master = b.id + (1ull << 32);
	assert_int_equal(add(&b, &e, 0), 0);
	expect_sweep(b.t, NOW * NS_PER_MS, 0, true);
	assert_int_equal(count(&b), 3);
	b.t->ring[0].hdr->cursor[0] = b.by.pkt;
	expect_sweep(b.t, NOW * NS_PER_MS, 0, true);
	assert_int_equal(count(&b), 2);
	expect_sweep(b.t, (NOW + 1) * NS_PER_MS, 0, true);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 2);
	close_bed(&b);
}

/* A client may forget what it sees: told once, no key, nothing that a packet
 * has claimed. */
static void test_forget(void **state)
{
	struct conn_walk w = {0, 0};
	struct expect e, got;
	uint64_t id, kept;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(expect_forget(b.t, 1ull << 32 | 1, 7, NOW, true),
	                 -ENOENT);
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 0), 0);
	assert_true(expect_walk(b.t, &w, &got));
	id = got.id;
	assert_true(expect_walk(b.t, &w, &got));
	kept = got.id;
	/* of another shard, generation, place */
	assert_int_equal(expect_forget(b.t, ~0ull, 7, NOW, true), -ENOENT);
	assert_int_equal(expect_forget(b.t, id + (1ull << 32), 7, NOW, true),
	                 -ENOENT);
	assert_int_equal(expect_forget(b.t, id & ~0xffffull, 7, NOW, true),
	                 -ENOENT);
	assert_int_equal(count(&b), 2);
	assert_int_equal(expect_forget(b.t, id, 7, NOW, true), 0);
	assert_int_equal(expect_forget(b.t, id, 7, NOW, true), -ENOENT);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	/* the other one is being used: it goes with its packet */
	b.by.pkt = 2;
	assert_int_not_equal(find(&b, "10.0.0.9", "10.0.1.1", 5,
	                          (uint16_t)(got.dport), &got),
	                     0);
	expect_lock(b.t);
	expect_claim(b.t, conn_id_idx(kept), &b.by, 3);
	expect_unlock(b.t);
	assert_int_equal(expect_forget(b.t, kept, 7, NOW, true), -ENOENT);
	assert_int_equal(entries(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 2);
	close_bed(&b);
}

/* F027, F219, F220: keys are found by GRE packets, and end their connection */
static void test_keys(void **state)
{
	struct expect_tuple tp = {.src = {addr("10.0.0.1")},
	                          .dst = {addr("10.0.1.1")},
	                          .dport = 9,
	                          .l4proto = 47};
	struct conn_lookup gre;
	struct conn_view v;
	struct expect e;
	uint16_t key = 0;
	struct bed b;

	(void)state;
	open_bed(&b);
	gre = key_make(b.t, 5, false, 8);
	assert_int_not_equal(conn_put(b.t, &gre), 0);
	e = make(&b, "10.0.0.1", "10.0.1.1", 9);
	e.l4proto = 47;
	e.info.sport = 4;
	assert_int_equal(expect_key_add(b.t, &e, &gre, &b.by), 0);
	b.by.pkt++;
	assert_int_equal(expect_key_add(b.t, &e, &gre, &b.by), 0);
	b.by.pkt++;
	e.info.sport = 5; /* the other side's may change */
	assert_int_equal(expect_key_add(b.t, &e, &gre, &b.by), 0);
	b.by.pkt++;
	e.dport = 10;
	assert_int_equal(expect_key_add(b.t, &e, &gre, &b.by), -EEXIST);
	assert_int_equal(b.t->expect->shard->count, 1);
	assert_int_equal(count(&b), 0);
	assert_true(expect_key_find(b.t, &tp, &key));
	assert_int_equal(key, 4);
	tp.dport = 10;
	assert_false(expect_key_find(b.t, &tp, &key));
	tp.dport = 9;
	assert_int_equal(conn_lookup(b.t, &gre, &v), 1);
	expect_key_flush(b.t, b.id, &b.by);
	assert_false(expect_key_find(b.t, &tp, &key));
	assert_int_equal(b.t->expect->shard->count, 0);
	assert_int_equal(expect_conn_end(b.t, &e, &gre, &b.by), 0);
	assert_false(expect_key_find(b.t, &tp, &key));
	expect_sweep(b.t, NOW * NS_PER_MS, 0, true);
	assert_int_equal(conn_lookup(b.t, &gre, &v), 0);
	assert_int_equal(b.t->expect->shard->count, 0);
	assert_int_equal(told(&b, EVENT_EXP_NEW), 0);
	close_bed(&b);
}

/* an action that was done before a kill is not done again */
static void test_again(void **state)
{
	struct expect e;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 1), 0);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 1), 0);
	/* the packet runs again from its beginning */
	b.by.act = 0;
	e.dport = 100;
	assert_int_equal(add(&b, &e, 1), 0);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 1), 0);
	assert_int_equal(told(&b, EVENT_EXP_NEW), 2);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	e.dport = 102;
	assert_int_equal(add(&b, &e, 1), 0);
	assert_int_equal(told(&b, EVENT_EXP_NEW), 3);
	close_bed(&b);
}

/* An action that was refused stays so when its packet runs again, whatever has
 * become of the reason; the next packet's action of that number does not. */
static void test_refused_again(void **state)
{
	struct expect e;
	struct bed b;

	(void)state;
	open_bed(&b);
	b.by.max = 1;
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 0), -ENOSPC);
	b.by.max = 10;
	b.by.act = 0;
	e.dport = 100;
	assert_int_equal(add(&b, &e, 0), 0);
	e.dport = 101;
	assert_int_equal(add(&b, &e, 0), -ENOSPC);
	assert_int_equal(count(&b), 1);
	b.by.pkt = 2;
	b.by.act = 1;
	assert_int_equal(add(&b, &e, 0), 0);
	b.by.act = 1;
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_equal(count(&b), 2);
	/* what a removal came to, also when there is nothing left to remove */
	b.by.pkt = 3;
	b.by.act = 0;
	assert_int_equal(expect_remove(b.t,
	                               &(struct expect_pick){.master = b.id,
	                                                     .any_class = true},
	                               &b.by),
	                 2);
	assert_int_equal(add(&b, &e, 0), 0);
	b.by.act = 0;
	assert_int_equal(expect_remove(b.t,
	                               &(struct expect_pick){.master = b.id,
	                                                     .any_class = true},
	                               &b.by),
	                 2);
	assert_int_equal(add(&b, &e, 0), 0);
	assert_int_equal(count(&b), 1);
	assert_int_equal(told(&b, EVENT_EXP_NEW), 3);
	assert_int_equal(b.t->ring[0].hdr->counter[CTR_EXPECT_DELETE], 2);
	assert_int_equal(b.t->ring[0].hdr->counter[CTR_EXPECT_CREATE], 3);
	close_bed(&b);
}

/* The same of what ends with a word of its own, and no operation. */
static void test_closed_again(void **state)
{
	struct conn_lookup gre;
	struct expect e, k;
	struct bed b;
	unsigned int i;

	(void)state;
	open_bed(&b);
	gre = key_make(b.t, 5, false, 8);
	e = make(&b, NULL, "10.0.1.1", 100);
	assert_int_equal(add(&b, &e, 0), 0);
	k = make(&b, "10.0.0.1", "10.0.1.1", 9);
	assert_int_equal(expect_key_add(b.t, &k, &gre, &b.by), 0);
	k.dport = 10;
	for (i = 0; i < 2; i++) {
		const struct expect_pick all = {.master = b.id,
		                                .any_class = true};

		b.by.pkt = 2;
		b.by.act = 0;
		assert_int_equal(expect_revise(b.t, &all, true, true,
		                               NOW + 60000, &b.by),
		                 1);
		/* the second time they would be taken */
		b.by.max = i ? 100 : 1;
		assert_int_equal(expect_key_add(b.t, &k, &gre, &b.by), -EEXIST);
		assert_int_equal(expect_remove(b.t, &all, &b.by), 1);
		expect_key_flush(b.t, b.id, &b.by);
	}
	assert_int_equal(b.t->expect->shard->count, 0);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	close_bed(&b);
}

/* no room to note which connection is to end: so it is when that runs again */
static void test_full_again(void **state)
{
	struct conn_lookup gre;
	struct expect e;
	struct bed b;
	int r = 0;

	(void)state;
	open_bed(&b);
	gre = key_make(b.t, 5, false, 8);
	b.by.max = ~0u;
	e = make(&b, NULL, "10.0.1.1", 0);
	while (e.dport < 65535 && !r) {
		e.dport++;
		b.by.act = 0;
		b.by.pkt++;
		r = add(&b, &e, 0);
	}
	assert_int_equal(r, -ENOSPC);
	b.by.act = 0;
	b.by.pkt++;
	assert_int_equal(expect_conn_end(b.t, &e, &gre, &b.by), -ENOSPC);
	assert_int_equal(expect_remove(b.t,
	                               &(struct expect_pick){.master = b.id,
	                                                     .any_class = true},
	                               &b.by),
	                 e.dport - 1);
	b.by.act = 0;
	assert_int_equal(expect_conn_end(b.t, &e, &gre, &b.by), -ENOSPC);
	assert_int_equal(b.t->expect->shard->count, 0);
	close_bed(&b);
}

/* F187: what is left of a class is counted without what has expired in it */
static void test_expired_of_class(void **state)
{
	struct expect e;
	struct bed b;

	(void)state;
	open_bed(&b);
	e = make(&b, NULL, "10.0.1.1", 100);
	e.deadline = NOW + 10;
	assert_int_equal(add(&b, &e, 2), 0);
	e.dport = 101;
	e.deadline = NOW + 30000;
	assert_int_equal(add(&b, &e, 2), 0);
	b.by.now = NOW + 20;
	e.dport = 102;
	assert_int_equal(add(&b, &e, 2), 0);
	assert_int_equal(b.t->expect->shard->count, 2);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 1);
	close_bed(&b);
}

/* The first action finds nothing, and makes no number of the second its own */
static void test_again_empty(void **state)
{
	struct expect_pick all = {.any_class = true};
	struct expect e;
	struct bed b;
	unsigned int i;

	(void)state;
	open_bed(&b);
	all.master = b.id;
	e = make(&b, NULL, "10.0.1.1", 100);
	for (i = 0; i < 2; i++) {
		b.by.act = 0;
		assert_int_equal(expect_remove(b.t, &all, &b.by), 0);
		assert_int_equal(
			expect_revise(b.t, &all, true, false, 0, &b.by), 0);
		expect_key_flush(b.t, b.id, &b.by);
		assert_int_equal(add(&b, &e, 0), 0);
	}
	assert_int_equal(told(&b, EVENT_EXP_NEW), 1);
	assert_int_equal(told(&b, EVENT_EXP_DESTROY), 0);
	close_bed(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_use),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_refused_again),
		cmocka_unit_test(test_closed_again),
		cmocka_unit_test(test_full_again),
		cmocka_unit_test(test_expired_of_class),
		cmocka_unit_test(test_again_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

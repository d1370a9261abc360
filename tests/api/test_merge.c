/*
 * test_merge.c - one log out of many rings: order, loss, and kills.
 *
 * Producers are slots of one table; what they publish is noise from a number,
 * over few shards, so that a shard's events lie in several rings.  What must
 * hold of a log is always the same and stands in struct reader: numbers of a
 * shard without holes but for what GAPs tell, an ordinal's jump in a ring told
 * exactly, numbers of events dense with the lost ones counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/api/merge.h"
#include "shm/atomic.h"
#include "shm/proc.h"
#include "shm/region.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"

#define RINGS  3u
#define SHARDS 4u
#define KEYS   24u

static struct table *rig_make(uint32_t cells, uint32_t slots)
{
	struct region_params p = {
		.max = 4096,
		.nworker = RINGS,
		.ring_bytes = (uint64_t)cells * sizeof(struct event_cell),
		.log_bytes = (uint64_t)slots * sizeof(struct event_slot),
		.detail = true,
		.clock_mode = CLOCK_CAPTURE,
	};
	struct table *t = region_memory(&p);

	assert_non_null(t);
	return t;
}

/* Event number `n`, by the producer `slot`: a key's life goes on. */
static void produce(struct table *t, uint32_t slot, uint64_t n)
{
	const struct op_cursor none = {0, 0};
	struct op_event ev = {.ts_ns = n};
	uint64_t r = noise(n);
	uint8_t sh = (uint8_t)(r % SHARDS);
	struct conn_lookup k =
		key_make(t, (uint32_t)(r >> 8) % KEYS, r & 64, sh);
	uint32_t me = t->me, idx, at;
	enum op_refusal why;
	static const struct conn_ext ext = {.master = 7};
	struct conn init;

	t->me = slot;
	idx = conn_find(t, &k, &at, NULL);
	if (!idx) {
		memset(&init, 0, sizeof(init));
		init.status = CONN_CONFIRMED;
		ev.type = EVENT_NEW;
		assert_int_not_equal(op_insert(t, &k, &init, NULL,
		                               r & 128 ? &ext : NULL, &ev, none,
		                               &why),
		                     0);
	} else {
		ev.type = r >> 32 & 3 ? EVENT_UPDATE : EVENT_DESTROY;
		op_update_begin(t, sh, idx);
		if (ev.type == EVENT_UPDATE)
			op_update_commit(t, sh, idx, &ev, none);
		else
			op_delete_commit(t, sh, idx, at, &ev, none);
	}
	t->me = me;
}

/* what a log has told so far */
struct reader {
	uint64_t pos, gseq;
	uint64_t events, lost, holes;
	uint64_t next[SHARDS];
	uint32_t ordinal[RINGS];
	uint64_t gap[RINGS];
	bool alive[SHARDS][4096];
	uint64_t updates;
};

static void reader_init(struct reader *r)
{
	uint32_t i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < SHARDS; i++)
		r->next[i] = 1;
}

static void reader_gap(struct reader *r, const struct event_cell *c)
{
	assert_true(c->id > 0);
	assert_int_equal(c->gseq, r->gseq + c->id);
	r->gseq = c->gseq;
	r->lost += c->id;
	r->gap[c->source] += c->id;
	r->ordinal[c->source] += (uint32_t)c->id;
}

static void reader_event(struct reader *r, const struct event_slot *s)
{
	const struct event_cell *c = &s->cell;
	uint32_t sh = conn_id_shard(c->id), idx = conn_id_idx(c->id);

	assert_int_equal(c->gseq, r->gseq + 1);
	r->gseq = c->gseq;
	assert_int_equal(c->ordinal, r->ordinal[c->source] + 1);
	r->ordinal[c->source] = c->ordinal;
	/* never back; forward only over what was lost */
	assert_true(c->shard_seq >= r->next[sh]);
	r->holes += c->shard_seq - r->next[sh];
	r->next[sh] = c->shard_seq + 1;
	assert_true(idx < 4096);
	if (c->type == EVENT_NEW)
		r->alive[sh][idx] = true;
	else if (!r->lost)
		assert_true(r->alive[sh][idx]);
	if (c->type == EVENT_DESTROY)
		r->alive[sh][idx] = false;
	r->events++;
}

static void reader_read(struct reader *r, const struct merge *m)
{
	assert_true(r->pos >= merge_oldest(m));
	for (; r->pos < m->tail; r->pos++) {
		const struct event_slot *s = merge_at(m, r->pos);

		assert_true(s->cell.source < RINGS);
		if (s->cell.type == EVENT_GAP)
			reader_gap(r, &s->cell);
		else
			reader_event(r, s);
	}
}

/* All that was published is told or counted, of each ring and each shard. */
static void reader_complete(const struct reader *r, const struct table *t,
                            const struct merge *m)
{
	uint64_t published = 0, of_shards = 0, holes = r->holes;
	uint32_t i;

	for (i = 0; i < RINGS; i++) {
		published += t->ring[i].hdr->ordinal;
		assert_int_equal(r->ordinal[i], t->ring[i].hdr->ordinal);
		assert_int_equal(r->gap[i], m->lost[i]);
	}
	for (i = 0; i < SHARDS; i++) {
		of_shards += t->shard[i].ev_seq;
		holes += t->shard[i].ev_seq + 1 - r->next[i];
	}
	assert_int_equal(of_shards, published);
	assert_int_equal(r->events + r->lost, published);
	assert_int_equal(holes, r->lost);
	assert_int_equal(r->gseq, published);
	assert_false(merge_pending(m));
}

static void test_order(void **state)
{
	struct table *t = rig_make(512, 4096);
	struct merge m;
	struct reader r;
	uint64_t n;

	(void)state;
	reader_init(&r);
	merge_open(&m, t);
	for (n = 1; n <= 3000; n++) {
		produce(t, (uint32_t)(noise(n * 7) % RINGS), n);
		if (noise(n * 13) % 40)
			continue;
		merge_step(&m, 30 + (unsigned)(noise(n) % 200), UINT64_MAX);
		reader_read(&r, &m);
	}
	merge_step(&m, 100000, UINT64_MAX);
	reader_read(&r, &m);
	reader_complete(&r, t, &m);
	assert_int_equal(r.events, 3000);
	assert_int_equal(r.lost, 0);
	region_memory_free(t);
}

static void test_laps(void **state)
{
	struct table *t = rig_make(64, 1024);
	struct merge m;
	struct reader r;
	uint64_t n, seed;

	(void)state;
	reader_init(&r);
	merge_open(&m, t);
	for (seed = 0, n = 1; n <= 20000; n++) {
		/* now and then one ring gets nearly all */
		uint64_t busy = n / 700 % 4;

		produce(t,
		        (uint32_t)(busy < RINGS && noise(n) % 8
		                           ? busy
		                           : noise(n * 7) % RINGS),
		        n);
		if (noise(++seed) % 120)
			continue;
		merge_step(&m, 1 + (unsigned)(noise(n) % 200), UINT64_MAX);
		reader_read(&r, &m);
	}
	merge_step(&m, 100000, UINT64_MAX);
	reader_read(&r, &m);
	reader_complete(&r, t, &m);
	assert_true(r.lost > 1000);
	assert_true(r.events > 1000);
	region_memory_free(t);
}

/* A new merger goes on where the old one was left, again and again. */
static void test_restart(void **state)
{
	struct table *t = rig_make(128, 256);
	struct merge m;
	struct reader r;
	uint64_t n;

	(void)state;
	reader_init(&r);
	for (n = 1; n <= 4000; n++) {
		produce(t, (uint32_t)(noise(n * 7) % RINGS), n);
		if (noise(n * 13) % 60)
			continue;
		merge_open(&m, t);
		merge_step(&m, 1 + (unsigned)(noise(n) % 30), UINT64_MAX);
		reader_read(&r, &m);
	}
	merge_open(&m, t);
	merge_step(&m, 100000, UINT64_MAX);
	reader_read(&r, &m);
	reader_complete(&r, t, &m);
	region_memory_free(t);
}

static void test_limit_and_find(void **state)
{
	struct table *t = rig_make(512, 64);
	struct merge m;
	uint64_t n, pos;

	(void)state;
	merge_open(&m, t);
	for (n = 1; n <= 100; n++)
		produce(t, 0, n);
	/* no slot at or behind the limit, and nothing is lost by it */
	assert_int_equal(merge_step(&m, 1000, 40), 40);
	assert_int_equal(merge_step(&m, 1000, 40), 0);
	assert_true(merge_pending(&m));
	assert_int_equal(merge_step(&m, 1000, UINT64_MAX), 60);
	assert_int_equal(merge_oldest(&m), 36);
	assert_int_equal(merge_find(&m, 0), 36);
	assert_int_equal(merge_find(&m, 100), 100);
	for (pos = 36; pos < 100; pos++)
		assert_int_equal(
			merge_find(&m, merge_at(&m, pos)->cell.gseq - 1), pos);
	region_memory_free(t);
}

/* A hole that no ring will ever fill: the shard was rebuilt after damage. */
static void test_unstick(void **state)
{
	struct table *t = rig_make(512, 1024);
	struct merge m;
	uint64_t n;

	(void)state;
	merge_open(&m, t);
	for (n = 1; n <= 50; n++)
		produce(t, 0, n);
	merge_step(&m, 1000, UINT64_MAX);
	t->shard[1].ev_seq += 5;
	for (n = 51; n <= 100; n++)
		produce(t, 1, n);
	merge_step(&m, 1000, UINT64_MAX);
	assert_true(m.held);
	assert_true(merge_pending(&m));
	merge_unstick(&m);
	merge_step(&m, 1000, UINT64_MAX);
	assert_false(merge_pending(&m));
	assert_int_equal(m.gseq, 100);
	region_memory_free(t);
}

/* Cells that nobody of ours has written are stepped over, and counted. */
static void test_garbage(void **state)
{
	struct table *t = rig_make(512, 1024);
	struct merge m;
	uint64_t n;
	uint32_t i;

	(void)state;
	merge_open(&m, t);
	for (n = 1; n <= 60; n++)
		produce(t, 0, n);
	for (i = 20; i < 30; i++)
		memset(&t->ring[0].cell[i], 0xa5, sizeof(struct event_cell));
	merge_step(&m, 1000, UINT64_MAX);
	merge_unstick(&m);
	merge_step(&m, 1000, UINT64_MAX);
	assert_false(merge_pending(&m));
	assert_int_equal(m.gseq, 60);
	assert_true(m.lost[0] > 0);
	region_memory_free(t);
}

/* An audit stands where it was asked for, and moves no number on; an heir, also
 * of one that was killed before the commit, goes on behind it. */
static void test_audit(void **state)
{
	struct table *t = rig_make(512, 1024);
	struct event_audit x;
	struct merge m;
	char text[200];
	uint64_t n;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	merge_open(&m, t);
	merge_audit(&m, 1, 2, 3, "first");
	for (n = 1; n <= 5; n++)
		produce(t, 0, n);
	merge_step(&m, 1000, UINT64_MAX);
	merge_audit(&m, 0x80000007u, 71, 99, text);
	assert_int_equal(m.gseq, 5);
	assert_int_equal(m.tail, 7);
	/* as if it had died between tail and at_tail */
	t->mlog->at_tail = 0;
	merge_open(&m, t);
	for (n = 6; n <= 9; n++)
		produce(t, 0, n);
	merge_step(&m, 1000, UINT64_MAX);
	assert_int_equal(m.gseq, 9);
	assert_int_equal(m.tail, 11);
	assert_int_equal(merge_find(&m, 5), 7);
	assert_int_equal(merge_at(&m, 6)->cell.type, EVENT_AUDIT);
	assert_int_equal(merge_at(&m, 6)->cell.gseq, 5);
	assert_int_equal(merge_at(&m, 6)->cell.id, 0x80000007ull << 32 | 71);
	memcpy(&x, &merge_at(&m, 6)->more, sizeof(x));
	assert_int_equal(strlen(x.text), sizeof(x.text) - 1);
	assert_false(event_numbered(EVENT_AUDIT));
	region_memory_free(t);
}

/* ---- kills ---- */

struct kill_run {
	struct table *t;
	struct reader *seen; /* by the heir */
	char *now;           /* header and slots, as the merger left them */
	size_t len;
	uint64_t images;
};

static void merger(void *arg)
{
	struct kill_run *k = arg;
	struct merge m;

	merge_open(&m, k->t);
	while (merge_step(&m, 40, UINT64_MAX))
		;
}

/* The heir of this image ends with a log in which nothing is missing. */
static void heir(struct kill_run *k)
{
	char *copy = malloc(k->len);
	struct table t = *k->t;
	struct merge m;

	assert_non_null(copy);
	memcpy(copy, k->now, k->len);
	t.mlog = (struct mlog_header *)(void *)copy;
	t.log = (struct event_slot *)(void *)(copy + MLOG_HEADER);
	merge_open(&m, &t);
	merge_step(&m, 100000, UINT64_MAX);
	reader_init(k->seen);
	reader_read(k->seen, &m);
	reader_complete(k->seen, &t, &m);
	free(copy);
	k->images++;
}

static void kill_everywhere(struct kill_run *k)
{
	struct stepper s;

	k->len = MLOG_HEADER +
	         ((size_t)k->t->log_mask + 1) * sizeof(struct event_slot);
	k->now = malloc(k->len);
	k->seen = malloc(sizeof(*k->seen));
	assert_non_null(k->now);
	assert_non_null(k->seen);
	memcpy(k->now, k->t->mlog, k->len);
	assert_int_equal(stepper_start(&s, merger, k), 0);
	while (stepper_next(&s)) {
		if (!memcmp(k->now, k->t->mlog, k->len))
			continue;
		memcpy(k->now, k->t->mlog, k->len);
		heir(k);
	}
	assert_int_equal(stepper_collect(&s), 0);
	print_message("%llu images\n", (unsigned long long)k->images);
	free(k->seen);
	free(k->now);
}

static void test_kill(void **state)
{
	struct kill_run k = {0};
	uint64_t n;

	(void)state;
	if (!stepper_allowed())
		skip();
	k.t = rig_make(512, 256);
	for (n = 1; n <= 90; n++)
		produce(k.t, (uint32_t)(noise(n * 7) % RINGS), n);
	kill_everywhere(&k);
	/* how many stores a copy is made of is the compiler's business */
	assert_true(k.images > 90 * 3);
	region_memory_free(k.t);
}

/* The same with rings that were lapped before the merger came. */
static void test_kill_lapped(void **state)
{
	struct kill_run k = {0};
	uint64_t n;

	(void)state;
	if (!stepper_allowed())
		skip();
	k.t = rig_make(64, 256);
	for (n = 1; n <= 260; n++)
		produce(k.t, (uint32_t)(noise(n * 7) % (n < 60 ? 3 : 2)), n);
	kill_everywhere(&k);
	assert_true(k.images > 64 * 2);
	region_memory_free(k.t);
}

/* ---- producers at full speed ---- */

#define SOAK_EVENTS 60000u

static void soak_producer(struct table *t, uint32_t slot)
{
	uint64_t n;

	if (proc_attach(t, slot, 0))
		_exit(1);
	for (n = 1; n <= SOAK_EVENTS; n++) {
		/* locked by what produce() will choose */
		uint64_t at = n * RINGS + slot;
		uint32_t sh = (uint32_t)(noise(at) % SHARDS);

		shard_lock(t, sh);
		produce(t, slot, at);
		shard_unlock(t, sh);
	}
	proc_detach(t);
	_exit(0);
}

static void test_soak(void **state)
{
	struct table *t = rig_make(512, 4096);
	pid_t pid[RINGS];
	uint32_t running = RINGS, i;
	struct reader r;
	struct merge m;
	int status;

	(void)state;
	reader_init(&r);
	for (i = 0; i < RINGS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (!pid[i])
			soak_producer(t, i);
	}
	merge_open(&m, t);
	while (running) {
		merge_step(&m, 1000, UINT64_MAX);
		reader_read(&r, &m);
		for (i = 0; i < RINGS; i++)
			if (pid[i] && waitpid(pid[i], &status, WNOHANG) > 0) {
				assert_true(WIFEXITED(status));
				assert_int_equal(WEXITSTATUS(status), 0);
				pid[i] = 0;
				running--;
			}
	}
	while (merge_step(&m, 1000, UINT64_MAX))
		reader_read(&r, &m);
	reader_read(&r, &m);
	reader_complete(&r, t, &m);
	assert_int_equal(r.events + r.lost, RINGS * SOAK_EVENTS);
	region_memory_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_laps),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_limit_and_find),
		cmocka_unit_test(test_unstick),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_kill_lapped),
		cmocka_unit_test(test_soak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_nested.c - kills inside the repair, and a successor beside a repairer
 * that stands still.
 *
 * killed: a writer dies, its repairer dies at any instruction, and (sampled)
 * the repairer's repairer too.  Readers see the same table throughout, and the
 * last repair ends exactly where one without deaths would have.
 *
 * attach: worker 0 dies, worker 1 takes over one of its shards and is stopped
 * at any instruction.  The successor of worker 0 attaches, works in the other
 * shard and then goes on from the cursor.  The repairer wakes up or is killed.
 * No event may be lost, doubled or out of order, for the successor fills the
 * same ring that the repairer is about to publish.
 *
 *	test_nested              the tests
 *	test_nested SEED PACKETS EVERY STRIDE
 *		both; each EVERYth image of the writer, and a stop every STRIDE
 *		instructions
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/atomic.h"
#include "shm/check.h"
#include "shm/proc.h"
#include "shm/repair.h"
#include "tests/lib/keys.h"
#include "tests/lib/traffic.h"

#define DEPTH 3u
/* nothing wrong, and not much proved */
#define NOT_ENOUGH 3

struct run {
	struct traffic tr;
	struct model m;
	struct table *s;        /* the writer's */
	struct table *t[DEPTH]; /* first repair, second, third */
	char *start, *now, *img[DEPTH], *at[DEPTH];
	size_t len;
	uint64_t first, last;
	volatile uint64_t *done;
	uint64_t crashes, steps, images, deep, bad;
	uint32_t turn;
};

static void nothing(void *arg)
{
	(void)arg;
}

static void step_done(void *arg)
{
	struct run *r = arg;

	++*r->done;
}

static void writer(void *arg)
{
	struct run *r = arg;
	uint64_t n;

	for (n = r->first; n <= r->last; n++)
		traffic_packet(&r->tr, r->s, n, step_done, r);
}

static bool run_open(struct run *r, uint64_t seed, uint64_t packets,
                     uint64_t warm, uint32_t cells)
{
	unsigned int i;
	uint64_t n;

	memset(r, 0, sizeof(*r));
	r->s = traffic_table(true, cells);
	r->done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!r->s || r->done == MAP_FAILED)
		return false;
	r->len = image_size(r->s);
	for (i = 0; i < DEPTH; i++) {
		r->t[i] = traffic_table(true, cells);
		r->img[i] = malloc(r->len);
		r->at[i] = malloc(r->len);
		if (!r->t[i] || !r->img[i] || !r->at[i])
			return false;
	}
	r->start = malloc(r->len);
	r->now = malloc(r->len);
	if (!r->start || !r->now)
		return false;
	traffic_init(&r->tr, r->s, seed);
	for (n = 1; n <= warm; n++)
		traffic_packet(&r->tr, r->s, n, nothing, NULL);
	r->first = warm + 1;
	r->last = warm + packets;
	return true;
}

/* the model, and back to the start */
static bool run_model(struct run *r)
{
	image_save(r->s, r->start);
	if (model_make(&r->m, &r->tr, r->s, r->first, r->last))
		return false;
	image_load(r->s, r->start);
	image_save(r->s, r->now);
	return true;
}

static void run_close(struct run *r)
{
	unsigned int i;

	if (r->m.snap)
		model_free(&r->m);
	munmap((void *)(uintptr_t)r->done, PAGE);
	free(r->start);
	free(r->now);
	for (i = 0; i < DEPTH; i++) {
		table_drop(r->t[i]);
		free(r->img[i]);
		free(r->at[i]);
	}
	table_drop(r->s);
}

static void run_bad(struct run *r, const char *what, uint32_t depth)
{
	if (r->bad++ < 5)
		fprintf(stderr, "op %u %u, depth %u, step %llu: %s\n",
		        r->s->shard[0].op, r->s->shard[1].op, depth,
		        (unsigned long long)*r->done, what);
}

/* ---- killed ---- */

struct repairer {
	struct table *t;
	uint32_t by;
};

static void repairer(void *arg)
{
	struct repairer *p = arg;

	takeover(p->t, p->by);
}

/* A repair of image `from`, killed at each instruction. */
static void repair_killed(struct run *r, const char *from, struct view was,
                          uint32_t depth)
{
	struct repairer p = {r->t[depth], ++r->turn & 1};
	struct table *next = r->t[depth + 1];
	struct stepper st;
	struct view seen;
	uint32_t sh, nth = 0;

	image_load(p.t, from);
	image_kill(p.t, 0);
	if (table_proc(p.t, 1)->token)
		image_kill(p.t, 1);
	image_save(p.t, r->img[depth]);
	if (stepper_start(&st, repairer, &p)) {
		run_bad(r, "no process", depth);
		return;
	}
	while (stepper_next(&st)) {
		const char *bad;

		if (!image_sync(p.t, r->img[depth]))
			continue;
		r->images++;
		r->deep += depth > 0;
		bad = model_raw(&r->m, p.t, *r->done, &seen);
		if (!bad && !view_equal(seen, was))
			bad = "readers saw a change";
		if (bad)
			run_bad(r, bad, depth);
		image_load(next, r->img[depth]);
		image_kill(next, 0);
		if (table_proc(next, 1)->token)
			image_kill(next, 1);
		takeover(next, ++r->turn >> 1 & 1);
		for (sh = 0; sh < IMAGE_SHARDS; sh++) {
			shard_lock(next, sh);
			shard_unlock(next, sh);
		}
		bad = model_repaired(&r->m, r->s, next, *r->done, was);
		if (bad)
			run_bad(r, bad, depth);
		if (depth + 2 < DEPTH && ++nth % 9 == 4) {
			memcpy(r->at[depth], r->img[depth], r->len);
			repair_killed(r, r->at[depth], was, depth + 1);
		}
	}
	r->steps += st.steps;
	if (stepper_collect(&st))
		run_bad(r, "repairer died", depth);
}

static bool image_wanted(const struct run *r, uint64_t n, uint64_t every)
{
	uint32_t sh;

	for (sh = 0; sh < IMAGE_SHARDS; sh++) {
		const struct shard *q = &r->s->shard[sh];
		uint32_t seq;

		if (q->op == OP_IDLE || q->op > OP_DELETE)
			continue;
		seq = table_conn(r->s, sh, q->op_idx)->seq;
		/* what is rare: committed and unfinished, lines, lists */
		if (seq == q->op_seq + 2 || (q->op != OP_UPDATE && q->op_line))
			return n % (every / 4 + 1) == 0;
		return n % every == 0;
	}
	return n % (every * 4) == 0;
}

static int run_killed(uint64_t seed, uint64_t packets, uint64_t every)
{
	struct stepper st;
	struct run r;
	uint64_t n = 0;

	if (!run_open(&r, seed, packets, 40, 64) || !run_model(&r) ||
	    stepper_start(&st, writer, &r))
		return -1;
	while (stepper_next(&st)) {
		struct view was;

		if (!image_sync(r.s, r.now) || !image_wanted(&r, ++n, every))
			continue;
		r.crashes++;
		if (model_raw(&r.m, r.s, *r.done, &was))
			run_bad(&r, "raw image", 0);
		else
			repair_killed(&r, r.now, was, 0);
	}
	if (stepper_collect(&st))
		run_bad(&r, "writer died", 0);
	printf("killed: %llu crash images, %llu instructions of repairs, %llu "
	       "images (%llu in second repairs), %llu bad\n",
	       (unsigned long long)r.crashes, (unsigned long long)r.steps,
	       (unsigned long long)r.images, (unsigned long long)r.deep,
	       (unsigned long long)r.bad);
	run_close(&r);
	return r.bad ? 1 : r.images < 500 || !r.deep ? NOT_ENOUGH : 0;
}

/* ---- rebuild ---- */

static void rebuilder(void *arg)
{
	struct table *t = arg;

	shard_lock(t, 0);
	shard_unlock(t, 0);
}

/* an update under way, in place of the last record */
static void rebuild_torn(struct run *r)
{
	uint32_t idx = 1;

	while (!(table_conn(r->s, 0, idx)->status & CONN_LIVE))
		idx++;
	op_update_begin(r->s, 0, idx);
	table_conn(r->s, 0, idx)->packets[0] += 1000;
	r->s->shard[0].op_src = 0xffff;
}

/* Shard 0 is damaged, and its rebuild is killed at each instruction: the last
 * one still has all connections. */
static int run_rebuild(uint64_t seed, bool torn)
{
	struct view want, got;
	struct stepper st;
	struct shard *q;
	struct run r;

	if (!run_open(&r, seed, 1, 200, 64))
		return -1;
	want = view_by_key(&r.tr, r.s, true);
	q = &r.s->shard[0];
	/* the last record, which would pass but for the list's head: only
	 * OP_REBUILD keeps a second repair from believing it */
	q->op = OP_DELETE;
	q->op_tail = 0;
	q->op_ext = 0;
	if (torn)
		rebuild_torn(&r);
	q->free_head[0] = 0xffffff;
	q->count += 3;
	table_line(r.s, 0, 0)->slot[2] = 0;
	table_line(r.s, 0, 1)->next = 3;
	q->lock = 99u << 8 | 2;
	image_save(r.s, r.now);
	if (stepper_start(&st, rebuilder, r.s))
		return -1;
	while (stepper_next(&st)) {
		if (!image_sync(r.s, r.now))
			continue;
		r.images++;
		image_load(r.t[0], r.now);
		/* once more from the dead */
		if (r.t[0]->shard[0].lock)
			r.t[0]->shard[0].lock = 99u << 8 | 2;
		shard_lock(r.t[0], 0);
		shard_unlock(r.t[0], 0);
		got = view_by_slab(r.t[0], true);
		if (shard_check(r.t[0], 0, NULL, NULL, NULL))
			run_bad(&r, "shard_check after rebuild", 0);
		else if (!view_equal(want, got) ||
		         !view_equal(want, view_by_key(&r.tr, r.t[0], true)))
			run_bad(&r, "a connection was lost", 0);
	}
	if (stepper_collect(&st))
		run_bad(&r, "rebuilder died", 0);
	printf("rebuild: %llu instructions, %llu images, %llu bad\n",
	       (unsigned long long)st.steps, (unsigned long long)r.images,
	       (unsigned long long)r.bad);
	run_close(&r);
	return r.bad ? 1 : r.images < 100 ? NOT_ENOUGH : 0;
}

static void test_rebuild(void **state)
{
	(void)state;
	if (!stepper_allowed())
		skip();
	assert_int_equal(run_rebuild(7, false), 0);
	assert_int_equal(run_rebuild(7, true), 0);
}

/* ---- attach ---- */

/* what a run without deaths says, without what a death may change (ids) */
struct ending {
	uint64_t cursor, events[IMAGE_SHARDS], sum[IMAGE_SHARDS];
	struct view view;
	uint32_t own; /* events of the successor's own key */
	uint32_t bad;
};

static uint64_t event_sum(uint64_t h, const struct event_cell *e,
                          const struct event_more *m)
{
	h = noise(h ^ e->type ^ (uint64_t)e->bits << 8 ^ e->ts_ns << 24);
	h = noise(h ^ e->key.addr[1] ^ (uint64_t)e->status << 32);
	if (e->cells == 2)
		h = noise(h ^ m->packets[0] ^ m->bytes[1] << 20 ^ m->master);
	return h;
}

static void ending_events(const struct table *t, const struct conn_key *own,
                          struct ending *e)
{
	const struct event_ring *g = &t->ring[0];
	uint64_t at, next[IMAGE_SHARDS] = {1, 1};
	uint32_t ordinal = 0, sh;

	for (at = 0; at < g->hdr->tail;) {
		const struct event_cell *r = &g->cell[at & g->mask];
		const void *m = &g->cell[(at + 1) & g->mask];

		sh = conn_id_shard(r->id);
		if (r->seq != at + 1 || sh >= IMAGE_SHARDS) {
			e->bad++;
			return;
		}
		at += r->cells;
		if (r->type == EVENT_PAD)
			continue;
		e->bad += r->shard_seq != next[sh]++;
		e->bad += r->ordinal != ++ordinal;
		if (key_equal(&r->key, own)) {
			e->own++;
			continue;
		}
		e->events[sh]++;
		e->sum[sh] = event_sum(e->sum[sh], r, m);
	}
	for (sh = 0; sh < IMAGE_SHARDS; sh++)
		e->bad += t->shard[sh].ev_seq != next[sh] - 1;
	e->bad += g->hdr->ordinal != ordinal;
}

static struct ending ending(const struct run *r, const struct table *t,
                            const struct conn_key *own)
{
	struct ending e;
	uint32_t sh;

	memset(&e, 0, sizeof(e));
	e.cursor = traffic_cursor(t);
	e.view = view_by_key(&r->tr, t, false);
	ending_events(t, own, &e);
	for (sh = 0; sh < IMAGE_SHARDS; sh++)
		e.bad += shard_check(t, sh, NULL, NULL, NULL) != 0;
	return e;
}

static bool ending_equal(const struct ending *a, const struct ending *b)
{
	return a->cursor == b->cursor && !a->bad && !b->bad &&
	       !memcmp(a->events, b->events, sizeof(a->events)) &&
	       !memcmp(a->sum, b->sum, sizeof(a->sum)) &&
	       view_equal(a->view, b->view);
}

/* in the child: worker 0 anew */
static void heir(struct run *r, struct table *t, const struct conn_lookup *own)
{
	struct op_cursor none = {0, 0};
	struct op_event ev;
	struct conn init;
	enum op_refusal why;
	uint64_t n;

	if (proc_attach(t, 0, 0))
		_exit(9);
	memset(&init, 0, sizeof(init));
	memset(&ev, 0, sizeof(ev));
	ev.type = EVENT_NEW;
	shard_lock(t, own->shard);
	if (!op_insert(t, own, &init, NULL, NULL, &ev, none, &why))
		_exit(8);
	shard_unlock(t, own->shard);
	for (n = traffic_cursor(t) + 1; n <= r->last; n++)
		traffic_packet(&r->tr, t, n, nothing, NULL);
	_exit(0);
}

static pid_t heir_start(struct run *r, struct table *t,
                        const struct conn_lookup *own)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heir(r, t, own);
	}
	return pid;
}

/* false: not within `turns` of 0.1 ms */
static bool heir_wait(pid_t pid, int *status, unsigned int turns)
{
	unsigned int i;

	for (i = 0; i < turns; i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		usleep(100);
	}
	return false;
}

struct attach {
	struct table *t;
	uint32_t sh;
};

/* what shard_lock() does once it has waited, without the wait: that would be
 * most of the instructions */
static void second(void *arg)
{
	struct attach *a = arg;
	uint32_t *lock = &a->t->shard[a->sh].lock, word = shm_load(lock);

	if (proc_word_dead(a->t, word) &&
	    shm_cas(lock, word, a->t->word) == word)
		shard_repair(a->t, a->sh);
	shard_unlock(a->t, a->sh);
}

struct stops {
	uint64_t points, waited;
};

/* Stops the repairer after `at` instructions; 1 = was inside, 0 = not yet or
 * no more, -1 = it had ended before. */
static int attach_at(struct run *r, const char *img, uint32_t sh, uint32_t at,
                     bool kill_it, const struct ending *want, struct stops *n)
{
	struct attach a = {r->t[0], sh};
	struct conn_lookup own = key_make(a.t, 900, false, !sh);
	struct ending got;
	struct stepper st;
	uint32_t i;
	int status = 0;
	bool done;
	pid_t pid;

	image_load(a.t, img);
	image_kill(a.t, 0);
	if (proc_attach(a.t, 1, 0))
		return -1;
	if (stepper_start(&st, second, &a))
		return -1;
	for (i = 0; i < at && stepper_next(&st); i++)
		;
	if (st.over)
		return -1;
	if ((a.t->shard[sh].lock & 0xff) != 2) {
		stepper_kill(&st);
		return 0;
	}
	n->points++;
	pid = heir_start(r, a.t, &own);
	done = heir_wait(pid, &status, 10);
	n->waited += !done;
	if (kill_it) {
		stepper_kill(&st);
		image_kill(a.t, 1);
	} else {
		stepper_release(&st);
	}
	if (!done && !heir_wait(pid, &status, 50000)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		run_bad(r, "successor hangs", 0);
		return 1;
	}
	got = ending(r, a.t, &own.key);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		run_bad(r, "successor failed", at);
	else if (got.own != 1 || !ending_equal(&got, want))
		run_bad(r,
		        got.bad ? "events or table broken"
		                : "another end than without deaths",
		        at);
	return 1;
}

static void attach_image(struct run *r, const char *img, uint32_t sh,
                         const struct ending *want, uint32_t stride,
                         struct stops *n)
{
	uint32_t at;
	unsigned int kill_it;

	for (kill_it = 0; kill_it < 2; kill_it++)
		for (at = 1 + r->turn++ % stride; at < 100000; at += stride)
			if (attach_at(r, img, sh, at, kill_it, want, n) < 0)
				break;
}

/* one image of each kind: operation x (bare, prepared, committed, published) */
static bool attach_wanted(const struct run *r, uint32_t *sh,
                          uint32_t have[OP_REBUILD][4], uint32_t each)
{
	for (*sh = 0; *sh < IMAGE_SHARDS; ++*sh) {
		const struct shard *q = &r->s->shard[*sh];
		unsigned int phase;

		if (q->op == OP_IDLE || q->op >= OP_REBUILD)
			continue;
		if (table_conn(r->s, *sh, q->op_idx)->seq != q->op_seq + 2)
			phase = q->op_tail ? 1 : 0;
		else
			phase = q->op_tail && r->s->ring[0].hdr->tail !=
			                                q->op_tail
			                ? 2
			                : 3;
		return have[q->op][phase]++ < each;
	}
	return false;
}

static int run_attach(uint64_t seed, uint32_t each, uint32_t stride)
{
	uint32_t have[OP_REBUILD][4] = {{0}}, sh, kinds = 0, i, j;
	struct conn_lookup own;
	struct stops n = {0, 0};
	struct ending want;
	struct stepper st;
	struct run r;

	if (!run_open(&r, seed, 60, 0, 512))
		return -1;
	r.tr.alternate = true;
	r.tr.nkey = 24;
	own = key_make(r.s, 900, false, 0);
	if (!run_model(&r))
		return -1;
	/* run_model() went back to the start: once more for the end */
	for (i = 1; i <= r.last; i++)
		traffic_packet(&r.tr, r.s, i, nothing, NULL);
	want = ending(&r, r.s, &own.key);
	image_load(r.s, r.start);
	if (stepper_start(&st, writer, &r))
		return -1;
	while (stepper_next(&st)) {
		if (!image_sync(r.s, r.now) || *r.done < 12)
			continue;
		if (!attach_wanted(&r, &sh, have, each))
			continue;
		r.crashes++;
		memcpy(r.at[0], r.now, r.len);
		attach_image(&r, r.at[0], sh, &want, stride, &n);
	}
	if (stepper_collect(&st))
		run_bad(&r, "writer died", 0);
	for (i = OP_UPDATE; i < OP_REBUILD; i++)
		for (j = 0; j < 4; j++)
			kinds += have[i][j] > 0;
	printf("attach: %llu crash images of %u kinds, %llu stops of the "
	       "repairer, the successor waited at %llu, %llu bad\n",
	       (unsigned long long)r.crashes, kinds,
	       (unsigned long long)n.points, (unsigned long long)n.waited,
	       (unsigned long long)r.bad);
	run_close(&r);
	return r.bad                                      ? 1
	       : kinds < 12 || n.points < 50 || !n.waited ? NOT_ENOUGH
	                                                  : 0;
}

static void test_killed(void **state)
{
	(void)state;
	if (!stepper_allowed())
		skip();
	assert_int_equal(run_killed(7, 60, STEPPER_SLOW ? 300 : 120), 0);
}

static void test_attach(void **state)
{
	(void)state;
	if (!stepper_allowed() || STEPPER_SLOW)
		skip();
	assert_int_equal(run_attach(7, 1, 41), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_attach),
	};
	uint64_t seed, packets, every, stride;
	int a, b, c;

	if (argc < 5)
		return cmocka_run_group_tests(tests, NULL, NULL);
	seed = strtoull(argv[1], NULL, 10);
	packets = strtoull(argv[2], NULL, 10);
	every = strtoull(argv[3], NULL, 10);
	stride = strtoull(argv[4], NULL, 10);
	if (!every || !stride)
		return 2;
	a = run_killed(seed, packets, every);
	c = run_rebuild(seed, false) || run_rebuild(seed, true);
	b = run_attach(seed, 1, (uint32_t)stride);
	/* how much it proves is the caller's choice */
	return (a && a != NOT_ENOUGH) || (b && b != NOT_ENOUGH) || c;
}

/*
 * test_step.c - SIGKILL at every instruction of a writer.
 *
 * A writer works off packets and is executed instruction by instruction.
 * Wherever an instruction has changed the shared memory, a kill behind it
 * would leave this state.  In it, untouched, look-ups and a walk must show the
 * same table, the one before or the one after the operation; and after a
 * takeover (by the successor in the slot, or by another process first) table,
 * events, cursor and counters must be exactly those of "done" or "not done",
 * the same that readers saw.
 *
 *	test_step                        the tests
 *	test_step SEED PACKETS WARM [HOW]  one run; HOW = 0: without detail
 *	                                 lines, told: few connections that
 *	                                 last and are told of
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shm/region.h"
#include "tests/lib/keys.h"
#include "tests/lib/traffic.h"

struct run {
	struct traffic tr;
	struct table *s, *c; /* stepped; copy that is repaired */
	struct model m;
	char *start, *now;
	uint64_t first, last;
	volatile uint64_t *done; /* steps, told by the child */
	uint64_t images, bad, heirs;
	uint64_t seen[OP_REBUILD], lines, pads, foreign, exts;
};

enum how { HOW_ALL, HOW_NO_DETAIL, HOW_TOLD };

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

/* An insert that is taken back gives its number back, too: the same packet, run
 * again, makes the same id. */
static const char *gen_back(const struct run *r)
{
	uint32_t sh;

	for (sh = 0; sh < IMAGE_SHARDS; sh++) {
		const struct shard *q = &r->s->shard[sh];

		if (q->op == OP_INSERT &&
		    table_conn(r->s, sh, q->op_idx)->seq == q->op_seq + 1 &&
		    table_conn(r->c, sh, q->op_idx)->gen != q->op_gen)
			return "an id is skipped";
	}
	return NULL;
}

/* what kinds of images there were: a run that misses one proves less */
static void run_count(struct run *r)
{
	uint32_t sh;

	for (sh = 0; sh < IMAGE_SHARDS; sh++) {
		const struct shard *q = &r->s->shard[sh];

		if (q->op >= OP_REBUILD)
			continue;
		r->seen[q->op]++;
		r->exts += q->op != OP_IDLE && q->op_ext;
		r->foreign += q->op == OP_INSERT && q->op_from < FROM_BUMP4 &&
		              (q->op_idx > q->bump[1]) != (q->op_from & 1);
		if (q->op == OP_INSERT || q->op == OP_DELETE) {
			r->lines += q->op_line != 0;
			r->pads += q->op_tail > r->s->ring[0].hdr->tail + 2;
		}
	}
}

/* The heir goes on and ends where the writer would have ended. */
static const char *run_heir(struct run *r)
{
	uint64_t n, end = traffic_cursor(r->c) + 12;
	struct view want, got;
	static char *keep;

	if (!keep)
		keep = malloc(image_size(r->s));
	image_save(r->c, keep);
	for (n = traffic_cursor(r->c) + 1; n <= end; n++)
		traffic_packet(&r->tr, r->c, n, nothing, NULL);
	got = view_by_slab(r->c, false);
	if (shard_faults(r->c, 0) || shard_faults(r->c, 1))
		return "heir's table";
	/* the same packets behind what repair left, in a run from the start */
	image_load(r->c, r->start);
	for (n = r->first; n <= end; n++)
		traffic_packet(&r->tr, r->c, n, nothing, NULL);
	want = view_by_slab(r->c, false);
	r->heirs++;
	image_load(r->c, keep);
	return view_equal(want, got) ? NULL : "heir's end";
}

static void run_image(struct run *r, uint64_t step)
{
	uint64_t k = *r->done;
	struct view seen;
	const char *bad, *raw = model_raw(&r->m, r->s, k, &seen);

	r->images++;
	run_count(r);
	image_load(r->c, r->now);
	takeover(r->c, r->images & 1);
	bad = model_repaired(&r->m, r->s, r->c, k, seen);
	if (!bad)
		bad = gen_back(r);
	if (!raw && !bad && r->images % 257 == 0)
		bad = run_heir(r);
	if ((raw || bad) && r->bad++ < 5)
		fprintf(stderr,
		        "instruction %llu, step %llu, op %u %u: %s%s%s\n",
		        (unsigned long long)step, (unsigned long long)k,
		        r->s->shard[0].op, r->s->shard[1].op, raw ? raw : "",
		        raw && bad ? "; after repair: " : "", bad ? bad : "");
}

static bool run_open(struct run *r, uint64_t seed, uint64_t packets,
                     uint64_t warm, enum how how)
{
	uint64_t n;

	memset(r, 0, sizeof(*r));
	r->s = traffic_table(how != HOW_NO_DETAIL, 64);
	r->c = traffic_table(how != HOW_NO_DETAIL, 64);
	r->done = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!r->s || !r->c || r->done == MAP_FAILED)
		return false;
	traffic_init(&r->tr, r->s, seed);
	r->tr.lasting = how == HOW_TOLD;
	for (n = 1; n <= warm; n++)
		traffic_packet(&r->tr, r->s, n, nothing, NULL);
	r->first = warm + 1;
	r->last = warm + packets;
	r->start = malloc(image_size(r->s));
	r->now = malloc(image_size(r->s));
	if (!r->start || !r->now)
		return false;
	image_save(r->s, r->start);
	if (model_make(&r->m, &r->tr, r->s, r->first, r->last))
		return false;
	image_load(r->s, r->start);
	image_save(r->s, r->now);
	return true;
}

static void run_close(struct run *r)
{
	model_free(&r->m);
	free(r->start);
	free(r->now);
	munmap((void *)(uintptr_t)r->done, PAGE);
	table_drop(r->c);
	table_drop(r->s);
}

/* 0 = nothing was wrong, -1 = could not run */
static int run(uint64_t seed, uint64_t packets, uint64_t warm, enum how how,
               struct run *r)
{
	struct stepper st;
	int code;

	if (!run_open(r, seed, packets, warm, how) ||
	    stepper_start(&st, writer, r))
		return -1;
	while (stepper_next(&st))
		if (image_sync(r->s, r->now))
			run_image(r, st.steps);
	code = stepper_collect(&st);
	if (code || *r->done != r->m.nstep) {
		fprintf(stderr, "writer ended with %d after %llu of %llu\n",
		        code, (unsigned long long)*r->done,
		        (unsigned long long)r->m.nstep);
		r->bad++;
	}
	printf("step: seed %llu: %llu operations, %llu instructions, %llu "
	       "images (update %llu, insert %llu, delete %llu, line %llu, "
	       "pad %llu, other family %llu, extension %llu, heirs %llu), "
	       "%llu bad\n",
	       (unsigned long long)seed, (unsigned long long)r->m.nstep,
	       (unsigned long long)st.steps, (unsigned long long)r->images,
	       (unsigned long long)r->seen[OP_UPDATE],
	       (unsigned long long)r->seen[OP_INSERT],
	       (unsigned long long)r->seen[OP_DELETE],
	       (unsigned long long)r->lines, (unsigned long long)r->pads,
	       (unsigned long long)r->foreign, (unsigned long long)r->exts,
	       (unsigned long long)r->heirs, (unsigned long long)r->bad);
	run_close(r);
	return r->bad ? 1 : 0;
}

/* what all runs together have seen */
static struct run total;

static void run_assert(uint64_t seed, uint64_t packets, uint64_t warm,
                       enum how how)
{
	struct run r;

	if (!stepper_allowed())
		skip();
	if (STEPPER_SLOW)
		packets /= 3;
	assert_int_equal(run(seed, packets, warm, how, &r), 0);
	assert_true(r.images > packets * 20);
	assert_true(r.heirs > 0);
	total.seen[OP_UPDATE] += r.seen[OP_UPDATE];
	total.seen[OP_INSERT] += r.seen[OP_INSERT];
	total.seen[OP_DELETE] += r.seen[OP_DELETE];
	total.lines += r.lines;
	total.pads += r.pads;
	total.foreign += r.foreign;
	total.exts += r.exts;
}

static void test_filling(void **state)
{
	(void)state;
	run_assert(7, 110, 20, HOW_ALL);
}

/* a full table that empties: indices of the other family, victims */
static void test_full(void **state)
{
	(void)state;
	run_assert(13, 110, 260, HOW_ALL);
}

static void test_no_detail(void **state)
{
	(void)state;
	run_assert(5, 110, 100, HOW_NO_DETAIL);
}

/* what was told of a connection before is taken back with the rest */
static void test_told(void **state)
{
	(void)state;
	run_assert(3, 30, 12, HOW_TOLD);
}

/* proof that the runs saw what they are for */
static void test_seen(void **state)
{
	(void)state;
	if (!stepper_allowed() || STEPPER_SLOW)
		skip();
	assert_true(total.seen[OP_UPDATE] > 1000);
	assert_true(total.seen[OP_INSERT] > 1000);
	assert_true(total.seen[OP_DELETE] > 1000);
	assert_true(total.lines > 0);
	assert_true(total.pads > 0);
	assert_true(total.foreign > 0);
	assert_true(total.exts > 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filling),   cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_detail), cmocka_unit_test(test_told),
		cmocka_unit_test(test_seen),
	};
	enum how how = HOW_ALL;
	struct run r;
	int code;

	if (argc < 4)
		return cmocka_run_group_tests(tests, NULL, NULL);
	if (argc > 4)
		how = argv[4][0] == '0'          ? HOW_NO_DETAIL
		      : !strcmp(argv[4], "told") ? HOW_TOLD
		                                 : HOW_ALL;
	code = run(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10),
	           strtoull(argv[3], NULL, 10), how, &r);
	return code < 0 ? 2 : code;
}

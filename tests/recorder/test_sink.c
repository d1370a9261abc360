/*
 * test_sink.c - a sink that follows a log which is written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/recorder/sink.h"
#include "shm/region.h"

#define LOG_BYTES (1u << 20)

static struct table *t;
static struct record_figures figures;
static struct mark mark;
static struct sink s;
/* what was taken and committed, and what since */
static uint64_t last, rows, lost, kept_rows, kept_lost;
static int fail_take, fail_commit;

static int take(struct sink *k, const struct event_slot *slot)
{
	if (slot->cell.type == EVENT_GAP) {
		assert_int_equal(slot->cell.gseq, last + slot->cell.id);
		last = slot->cell.gseq;
		lost += slot->cell.id;
		return 0;
	}
	assert_int_equal(slot->cell.gseq, last + 1);
	last++;
	rows++;
	k->rows++;
	return fail_take && !--fail_take ? -EIO : 0;
}

static int gap(struct sink *k, uint64_t seq, uint64_t n)
{
	(void)k;
	assert_int_equal(seq, last);
	last += n;
	lost += n;
	return 0;
}

static int commit(struct sink *k, uint64_t gseq, uint64_t pos)
{
	assert_int_equal(gseq, last);
	if (fail_commit && !--fail_commit)
		return -ENOSPC;
	mark.turn++;
	mark.gseq = gseq;
	mark.pos = pos;
	memcpy(mark.uuid, k->t->hdr->uuid, sizeof(mark.uuid));
	kept_rows = rows;
	kept_lost = lost;
	return 0;
}

static void closed(struct sink *k)
{
	(void)k;
}

static const struct sink_kind kind = {.name = "test",
                                      .take = take,
                                      .gap = gap,
                                      .commit = commit,
                                      .close = closed};

static int setup(void **state)
{
	const struct region_params p = {.max = 1024,
	                                .nworker = 1,
	                                .ring_bytes = 64 << 10,
	                                .log_bytes = LOG_BYTES,
	                                .detail = true,
	                                .clock_mode = CLOCK_LIVE};

	(void)state;
	t = region_memory(&p);
	memset(&s, 0, sizeof(s));
	memset(&mark, 0, sizeof(mark));
	memset(&figures, 0, sizeof(figures));
	s.kind = &kind;
	s.t = t;
	s.figures = &figures;
	s.mark = &mark;
	last = rows = lost = kept_rows = kept_lost = 0;
	fail_take = fail_commit = 0;
	return t ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	region_memory_free(t);
	return 0;
}

static void tell(uint8_t type, uint64_t n)
{
	struct mlog_header *h = t->mlog;
	struct event_slot *slot = &t->log[h->tail & t->log_mask];

	h->intent = h->tail + 1;
	memset(slot, 0, sizeof(*slot));
	slot->cell.type = type;
	h->gseq += type == EVENT_GAP ? n : 1;
	slot->cell.id = type == EVENT_GAP ? n : h->gseq;
	slot->cell.gseq = h->gseq;
	h->tail++;
}

static void tell_many(uint64_t n)
{
	while (n--)
		tell(EVENT_DESTROY, 0);
}

/* until it is at the end; the number of steps that did something */
static unsigned int follow(void)
{
	unsigned int n = 0;

	while (sink_step(&s, t->mlog->tail, 100))
		n++;
	return n;
}

/* a new life of the process */
static void again(void)
{
	last = mark.gseq;
	rows = kept_rows;
	lost = kept_lost;
	sink_begin(&s);
}

static void test_follow(void **state)
{
	(void)state;
	tell_many(250);
	sink_begin(&s);
	assert_int_equal(follow(), 3);
	assert_int_equal(rows, 250);
	assert_int_equal(follow(), 0);
	tell(EVENT_GAP, 17);
	tell_many(3);
	follow();
	assert_int_equal(rows, 253);
	assert_int_equal(lost, 17);
	assert_int_equal(figures.written, 253);
	assert_int_equal(figures.gseq, 270);
	/* what the merger has lost is told by it, and counted there */
	assert_int_equal(figures.lost, 0);
}

static void test_killed(void **state)
{
	(void)state;
	tell_many(150);
	sink_begin(&s);
	assert_int_equal(sink_step(&s, t->mlog->tail, 100), 100);
	/* taken, not committed */
	assert_int_equal(rows, 100);
	again();
	follow();
	assert_int_equal(rows, 150);
	/* other segments: from their beginning */
	t->hdr->uuid[3] ^= 1;
	last = 0;
	sink_begin(&s);
	assert_int_equal(s.pos, 0);
	follow();
	assert_int_equal(rows, 300);
	/* a mark ahead of the log is none */
	mark.pos = 1000;
	sink_begin(&s);
	assert_int_equal(s.pos, 0);
}

static void test_errors(void **state)
{
	static int *const what[] = {&fail_take, &fail_commit};
	unsigned int i;

	(void)state;
	log_to(-1);
	tell_many(120);
	sink_begin(&s);
	for (i = 0; i < 2; i++) {
		*what[i] = i ? 2 : 50;
		while (!figures.errors || figures.errors == i)
			if (!sink_step(&s, t->mlog->tail, 40))
				assert_true(figures.errors > i);
		assert_int_equal(figures.errors, i + 1);
		/* not at once */
		assert_int_equal(sink_step(&s, t->mlog->tail, 40), 0);
		s.retry_ns = 0;
		last = mark.gseq;
		rows = kept_rows;
		assert_int_equal(s.gseq, mark.gseq);
		tell_many(40);
	}
	follow();
	assert_int_equal(rows, 200);
	assert_int_equal(figures.written, 200);
	log_to(2);
}

static void test_lapped(void **state)
{
	uint64_t size = (uint64_t)t->log_mask + 1;

	(void)state;
	tell_many(10);
	sink_begin(&s);
	follow();
	tell_many(3 * size);
	follow();
	assert_int_equal(rows + lost, 10 + 3 * size);
	assert_true(lost >= 2 * size);
	assert_int_equal(figures.lost, lost);
	assert_int_equal(figures.gseq, 10 + 3 * size);
	/* and one that comes late for the first time has lost nothing */
	memset(&mark, 0, sizeof(mark));
	memset(&figures, 0, sizeof(figures));
	rows = lost = 0;
	sink_begin(&s);
	last = 10 + 3 * size - size / 2;
	follow();
	assert_int_equal(rows, size / 2);
	assert_int_equal(figures.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lapped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_client_threads.c - handles in threads of their own are independent, as
 * ctshard.h has it: built to be run with ThreadSanitizer, too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ctshard.h"
#include "tests/lib/fake.h"

#define THREADS 8u
#define TURNS   40u
#define AGAIN   8u /* turns of a handle */

static struct fake fake;

/* as many rows as were asked for; of a count its mark, as an error */
static void answer(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	struct fake_conn row[64];
	Ctshard__Conn *p[64];
	char text[32];
	unsigned i;

	if (r->body_case == CTSHARD__REQUEST__BODY_COUNT) {
		snprintf(text, sizeof(text), "mark %u", r->count->filter->mark);
		fake_error(c, r, CTSHARD__ERROR_CODE__BAD_REQUEST, text);
		return;
	}
	for (i = 0; i < r->list->limit; i++) {
		fake_conn(&row[i], i);
		p[i] = &row[i].c;
	}
	a.has_id = a.has_now_ns = 1;
	a.id = r->id;
	a.now_ns = 77;
	a.n_conn = i;
	a.conn = p;
	fake_send(c, &a);
	fake_end(c, r);
}

static int setup(void **state)
{
	(void)state;
	return fake_open(&fake, answer);
}

static int teardown(void **state)
{
	(void)state;
	return fake_close(&fake);
}

struct work {
	pthread_t thread;
	struct ctshard *c;
	uint32_t me, turn;
	unsigned rows, right, wrong;
};

static int on_conn(void *arg, const struct ctshard_conn *c)
{
	struct work *w = arg;

	if (c->id != w->rows || c->dir[0].sport != 1000 + w->rows)
		w->wrong++;
	w->rows++;
	return 0;
}

static void look(struct work *w, bool right)
{
	if (right)
		w->right++;
	else
		w->wrong++;
}

static void ask(struct work *w)
{
	struct ctshard_list_opts list = {.limit = 5 + w->me};
	struct ctshard_filter f = {.has = CTSHARD_FILTER_HAS(MARK),
	                           .mark = w->me * 1000 + w->turn};
	struct ctshard_count_opts count = {.filter = &f};
	struct ctshard_handler h = {.arg = w, .conn = on_conn};
	char want[32];
	uint64_t id;

	w->rows = 0;
	look(w, !ctshard_list(w->c, &list, &h, &id) &&
	                !ctshard_wait(w->c, id) && w->rows == list.limit);
	look(w, !ctshard_count(w->c, &count, &h, &id) &&
	                ctshard_wait(w->c, id) == CTSHARD_EREQUEST);
	snprintf(want, sizeof(want), "mark %u", f.mark);
	look(w, strstr(ctshard_errmsg(w->c), want) != NULL);
}

static void *work_alone(void *arg)
{
	struct work *w = arg;

	for (w->turn = 0; w->turn < TURNS; w->turn++) {
		if (!(w->turn % AGAIN))
			look(w, !ctshard_open(fake.dir, 0, &w->c));
		ask(w);
		if (w->turn % AGAIN == AGAIN - 1)
			ctshard_close(w->c);
	}
	return NULL;
}

static void test_independent(void **state)
{
	struct work w[THREADS];
	unsigned i;

	(void)state;
	memset(w, 0, sizeof(w));
	for (i = 0; i < THREADS; i++) {
		w[i].me = i;
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, work_alone, &w[i]),
			0);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(w[i].thread, NULL), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(w[i].wrong, 0);
		assert_int_equal(w[i].right, TURNS * 3 + TURNS / AGAIN);
	}
}

static void *work_once(void *arg)
{
	ask(arg);
	return NULL;
}

/* one thread at a time: it may be another one each time */
static void test_handed_over(void **state)
{
	struct work w;

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(ctshard_open(fake.dir, 0, &w.c), 0);
	for (w.turn = 0; w.turn < 5; w.turn++) {
		assert_int_equal(pthread_create(&w.thread, NULL, work_once, &w),
		                 0);
		assert_int_equal(pthread_join(w.thread, NULL), 0);
		ask(&w);
	}
	assert_int_equal(w.wrong, 0);
	assert_int_equal(w.right, 30);
	ctshard_close(w.c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_independent),
		cmocka_unit_test(test_handed_over),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

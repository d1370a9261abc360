/* test_watch.c - whom the watch takes for hanging; time is what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/supervisor/watch.h"
#include "shm/region.h"

#define STALL 500u
#define TURN  50u

static struct table *t;
static struct watch w;

static int fresh(void **state)
{
	const struct region_params p = {.max = 1024,
	                                .nworker = 2,
	                                .ring_bytes = 64 << 10,
	                                .log_bytes = 1 << 20};

	(void)state;
	memset(&w, 0, sizeof(w));
	t = region_memory(&p);
	return t ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	region_memory_free(t);
	return 0;
}

static enum watch_verdict look(uint32_t slot, bool ready)
{
	return watch_turn(&w, t, slot, ready, TURN, STALL);
}

/* turns until it is judged; 0: not within `most` */
static unsigned int turns(uint32_t slot, bool ready, unsigned int most)
{
	unsigned int i;

	for (i = 1; i <= most; i++)
		if (look(slot, ready) != WATCH_FINE)
			return i;
	return 0;
}

static void test_beat(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		table_proc(t, 1)->beat++;
		assert_int_equal(look(1, true), WATCH_FINE);
	}
	assert_int_equal(turns(1, true, 100), STALL / TURN);
	assert_int_equal(look(1, true), WATCH_STALLED);
	table_proc(t, 1)->beat++;
	assert_int_equal(look(1, true), WATCH_FINE);
}

static void test_starting(void **state)
{
	(void)state;
	assert_int_equal(turns(1, false, 10000), WATCH_START_MS / TURN);
	watch_reset(&w, 1);
	assert_int_equal(look(1, false), WATCH_FINE);
}

/* The supervisor itself was stopped for an hour: nobody else was. */
static void test_slept(void **state)
{
	(void)state;
	assert_int_equal(watch_turn(&w, t, 1, true, 3600000, STALL),
	                 WATCH_FINE);
	assert_int_equal(look(1, true), WATCH_FINE);
}

static void test_lock(void **state)
{
	const uint32_t word = 7u << 8 | (1 + 1);

	(void)state;
	t->shard[9].lock = word;
	table_proc(t, SLOT_REAPER)->token = 4242;
	table_proc(t, SLOT_REAPER)->blocked_shard = 9;
	table_proc(t, SLOT_REAPER)->blocked_lock = word;
	assert_int_equal(turns(1, true, 10),
	                 (WATCH_LOCK_MS + TURN - 1) / TURN + 1);
	assert_int_equal(look(1, true), WATCH_HOLDING);
	/* not the waiter, nor a bystander */
	assert_int_equal(look(SLOT_REAPER, true), WATCH_FINE);
	assert_int_equal(look(0, true), WATCH_FINE);
}

static void test_lock_moves(void **state)
{
	const uint32_t word = 7u << 8 | (1 + 1);
	unsigned int i;

	(void)state;
	table_proc(t, 0)->token = 4242;
	table_proc(t, 0)->blocked_shard = 9;
	table_proc(t, 0)->blocked_lock = word;
	t->shard[9].lock = word;
	/* it works on: another turn of its loop */
	for (i = 0; i < 20; i++) {
		table_proc(t, 1)->beat++;
		assert_int_equal(look(1, true), WATCH_FINE);
	}
	/* free at times */
	for (i = 0; i < 8; i++) {
		t->shard[9].lock = i & 1 ? word : 0;
		assert_int_equal(look(1, true), WATCH_FINE);
	}
}

/* What stands in a page is data: it names no shard that there is not, and a
 * dead waiter has nothing to say. */
static void test_lies(void **state)
{
	const uint32_t word = 7u << 8 | (1 + 1);

	(void)state;
	t->shard[9].lock = word;
	table_proc(t, 0)->token = 4242;
	table_proc(t, 0)->blocked_lock = word;
	table_proc(t, 0)->blocked_shard = 0xffffffff;
	assert_int_equal(turns(1, true, 5), 0);
	table_proc(t, 0)->blocked_shard = 9;
	table_proc(t, 0)->token = 0;
	assert_int_equal(turns(1, true, 4), 0);
	table_proc(t, 0)->token = 4242;
	t->shard[9].lock = 8u << 8 | (1 + 1);
	table_proc(t, 1)->beat++;
	assert_int_equal(turns(1, true, 5), 0);
}

/* A liar costs nobody who sleeps anything, and others only now and then. */
static void test_believed(void **state)
{
	uint64_t now = 5 * WATCH_LOCK_NS;
	unsigned int i, n = 0;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_false(watch_believe(&w, 1, 'S', now));
	/* ten a second for three minutes; a new child changes nothing */
	for (i = 0; i < 1800; i++) {
		n += watch_believe(&w, 1, i & 1 ? 'T' : 'R', now);
		watch_reset(&w, 1);
		now += NS_PER_S / 10;
	}
	assert_int_equal(n, 3 * WATCH_LOCK_MOST);
	assert_true(watch_believe(&w, 2, 0, now));
}

static void wait_state(pid_t pid, char want)
{
	const struct timespec nap = {0, 1000000};
	int i;

	for (i = 0; i < 10000 && watch_proc(pid).state != want; i++)
		nanosleep(&nap, NULL);
	assert_int_equal(watch_proc(pid).state, want);
}

static void test_state(void **state)
{
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		for (;;)
			pause();
	wait_state(pid, 'S');
	kill(pid, SIGSTOP);
	wait_state(pid, 'T');
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(watch_proc(pid).state, 0);
}

/* What it used of a processor is ours to see: we did the same. */
static void test_cpu(void **state)
{
	uint64_t before = watch_proc(getpid()).cpu_ms, i;

	(void)state;
	assert_int_equal(watch_proc(getpid()).state, 'R');
	for (i = 0; i < 20000 && watch_proc(getpid()).cpu_ms < before + 50; i++)
		for (volatile unsigned int k = 0; k < 100000; k++)
			;
	assert_true(watch_proc(getpid()).cpu_ms >= before + 50);
}

/* Ready to run and not run: spared for as long as that is so, and no longer
 * when it runs and still shows nothing. */
static void test_starved(void **state)
{
	const struct watch_proc ran = {'R', 7000 + WATCH_STARVED_MS};
	unsigned int i;

	(void)state;
	assert_int_equal(turns(1, true, 100), STALL / TURN);
	for (i = 0; i < 100; i++) {
		assert_int_equal(look(1, true), WATCH_STALLED);
		assert_true(watch_starved(&w, 1,
		                          (struct watch_proc){'R', 7000 + i}));
	}
	assert_false(watch_starved(&w, 1, ran));
	/* it comes to, and stalls anew: counted from there */
	table_proc(t, 1)->beat++;
	assert_int_equal(look(1, true), WATCH_FINE);
	assert_int_equal(turns(1, true, 100), STALL / TURN);
	assert_true(watch_starved(&w, 1, ran));
	/* asleep, stopped, gone: that is no hunger */
	for (i = 0; i < 4; i++)
		assert_false(watch_starved(
			&w, 1, (struct watch_proc){"SDT"[i], 7000}));
}

/* Who is stuck is found by its beat, whether the lock is believed or not. */
static void test_stuck(void **state)
{
	const uint32_t word = 7u << 8 | (1 + 1);
	unsigned int i;

	(void)state;
	t->shard[9].lock = word;
	table_proc(t, 0)->token = 4242;
	table_proc(t, 0)->blocked_shard = 9;
	table_proc(t, 0)->blocked_lock = word;
	for (i = 1; i < 100 && look(1, true) != WATCH_STALLED; i++)
		;
	assert_int_equal(i, STALL / TURN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_beat),     T(test_starting),   T(test_slept),
		T(test_lock),     T(test_lock_moves), T(test_lies),
		T(test_believed), T(test_state),      T(test_stuck),
		T(test_cpu),      T(test_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_history.c - the ring of closed connections, and marks.
 *
 * What a kill or a crash may leave is made by hand: half a mark, half a
 * record, records behind the mark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/history.h"

#define ROOM 213u /* records in HISTORY_MIN bytes */

static char dir[64], path[96], err[HISTORY_ERR];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_history.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/history", dir);
	return 0;
}

static int teardown(void **state)
{
	char old[128];

	(void)state;
	snprintf(old, sizeof(old), "%s.old", path);
	unlink(old);
	unlink(path);
	return rmdir(dir);
}

/* records from..to-1 of the log, whose ids are their numbers */
static void add(struct history *h, uint64_t from, uint64_t to, bool commit)
{
	uint64_t behind = from - h->mark.at, n;
	struct history_record r[64];
	size_t i;

	for (; from < to; from += n, behind += n) {
		n = to - from < 64 ? to - from : 64;
		memset(r, 0, sizeof(r));
		for (i = 0; i < n; i++)
			r[i].slot.cell.id = from + i;
		assert_int_equal(history_write(h, behind, r, n), 0);
	}
	if (commit)
		assert_int_equal(history_commit(h, to), 0);
}

/* what a reader finds: all of from..to-1 and nothing else */
static void expect(uint64_t from, uint64_t to)
{
	struct history_record r[50];
	struct history h;
	uint64_t at, want = from;
	size_t i, got;

	assert_int_equal(history_look(&h, path, err), 0);
	assert_int_equal(h.mark.at, to);
	for (at = history_oldest(&h); at < to;) {
		size_t n = to - at < 50 ? to - at : 50;

		at += history_read(&h, at, r, n, &got);
		for (i = 0; i < got; i++)
			assert_int_equal(r[i].slot.cell.id, want++);
	}
	assert_int_equal(want, to);
	history_close(&h);
}

static void test_ring(void **state)
{
	struct history h;
	uint64_t n;

	(void)state;
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	assert_int_equal(h.room, ROOM);
	expect(0, 0);
	for (n = 0; n < 5 * ROOM; n += 97) {
		add(&h, n, n + 97, true);
		expect(n + 97 > ROOM ? n + 97 - ROOM : 0, n + 97);
	}
	/* one writer at a time */
	{
		struct history other;

		assert_int_equal(history_open(&other, path, HISTORY_MIN, err),
		                 -1);
		assert_non_null(strstr(err, "another daemon"));
		history_close(&other);
	}
	history_close(&h);
	/* it is found again */
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	expect(n - ROOM, n);
	history_close(&h);
}

static void test_killed(void **state)
{
	struct history h;

	(void)state;
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	add(&h, 0, 100, true);
	/* killed before the commit: nothing of it is seen, and the same
	 * records are written again */
	add(&h, 100, 150, false);
	expect(0, 100);
	history_close(&h);
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	assert_int_equal(h.mark.at, 100);
	add(&h, 100, 170, true);
	expect(0, 170);
	history_close(&h);
}

static void test_damage(void **state)
{
	struct history h;
	struct history_record r[ROOM];
	uint64_t junk = 1;
	size_t got;

	(void)state;
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	add(&h, 0, 10, true);
	/* one record half written: the others stand */
	assert_int_equal(
		pwrite(h.fd, &junk, sizeof(junk), HISTORY_HEAD + 288 * 4 + 100),
		sizeof(junk));
	assert_int_equal(history_read(&h, 0, r, 10, &got), 10);
	assert_int_equal(got, 9);
	history_close(&h);
	/* the file cut short: no crash, nothing read */
	assert_int_equal(history_look(&h, path, err), 0);
	assert_int_equal(truncate(path, HISTORY_HEAD + 288 * 2), 0);
	history_read(&h, 0, r, 10, &got);
	assert_int_equal(got, 2);
	history_close(&h);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(history_look(&h, path, err), -1);
	/* a writer puts it aside */
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	expect(0, 0);
	history_close(&h);
}

static void test_size(void **state)
{
	struct history h;

	(void)state;
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	add(&h, 0, 1000, true);
	history_close(&h);
	assert_int_equal(history_open(&h, path, 4 * HISTORY_MIN, err), 0);
	expect(1000 - ROOM, 1000);
	add(&h, 1000, 1300, true);
	expect(1000 - ROOM, 1300);
	history_close(&h);
	assert_int_equal(history_open(&h, path, HISTORY_MIN, err), 0);
	expect(1300 - ROOM, 1300);
	history_close(&h);
}

static void test_mark(void **state)
{
	struct mark m = {.gseq = 7}, got;
	FILE *f = tmpfile();
	uint64_t junk = ~0ull;
	int fd = fileno(f), i;

	(void)state;
	assert_false(mark_read(fd, 64, &got));
	assert_int_equal(got.turn, 0);
	for (i = 1; i < 6; i++) {
		m.gseq = (uint64_t)i;
		assert_int_equal(mark_write(fd, 64, &m), 0);
		assert_true(mark_read(fd, 64, &got));
		assert_int_equal(got.gseq, i);
		assert_int_equal(got.turn, i);
	}
	/* the newer copy torn: the one before counts */
	assert_int_equal(
		pwrite(fd, &junk, sizeof(junk), 64 + MARK_BYTES / 2 + 16),
		sizeof(junk));
	assert_true(mark_read(fd, 64, &got));
	assert_int_equal(got.gseq, 4);
	assert_int_equal(pwrite(fd, &junk, sizeof(junk), 64 + 16),
	                 sizeof(junk));
	assert_false(mark_read(fd, 64, &got));
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size, setup, teardown),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

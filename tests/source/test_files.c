/* test_files.c - captures of every kind, whole, cut, lying and several. */
#include "daemon/source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/capture.h"

static struct capture C[3];
static char err[SOURCE_ERR];
static struct pkt batch[SOURCE_BATCH];

/* frame `i` has i % 50 + 1 bytes, all `i`, and its time */
static uint64_t time_of(uint32_t i)
{
	return 1700000000 * NS_PER_S + i * 1000037000ull;
}

static void add(struct capture *c, uint32_t i)
{
	uint8_t data[64];

	memset(data, (int)i, sizeof(data));
	capture_frame(c, time_of(i), data, i % 50 + 1, 60);
}

static void check(const struct pkt *p, uint32_t i)
{
	assert_int_equal(p->caplen, i % 50 + 1);
	assert_int_equal(p->wirelen, 60);
	assert_true(p->ts_ns == time_of(i));
	for (uint32_t k = 0; k < p->caplen; k++)
		assert_int_equal(p->data[k], (uint8_t)i);
}

static struct source *open_one(const char *path, const char *filter)
{
	const char *const paths[] = {path};

	err[0] = 0;
	return source_open_files(paths, 1, filter, err);
}

static struct source *must_open(const char *path, const char *filter)
{
	struct source *s = open_one(path, filter);

	if (!s)
		fail_msg("%s", err);
	return s;
}

/* Reads to the end, checks each frame; the last code. */
static int drain(struct source *s, uint32_t *count)
{
	int n;

	*count = 0;
	while ((n = source_next(s, batch, SOURCE_BATCH)) >= 0)
		for (int i = 0; i < n; i++) {
			assert_int_equal(batch[i].frame, *count + 1);
			check(&batch[i], (*count)++);
		}
	assert_int_equal(source_next(s, batch, SOURCE_BATCH), n);
	return n;
}

/* -- formats --------------------------------------------------------------- */

static void test_formats(void **state)
{
	static const uint16_t types[] = {0, 1, 101, 108, 113, 228, 229, 276};

	(void)state;
	for (unsigned int flags = 0; flags < 8; flags++)
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			struct source *s;
			uint32_t count;

			capture_begin(&C[0], flags, types[i]);
			for (uint32_t k = 0; k < 200; k++)
				add(&C[0], k);
			s = must_open(capture_path(&C[0], C[0].len), NULL);
			assert_int_equal(drain(s, &count), SOURCE_END);
			assert_int_equal(count, 200);
			assert_int_equal(batch[0].linktype, types[i]);
			source_close(s);
			capture_done(&C[0]);
		}
}

/* nanoseconds are kept, microseconds are not made more precise */
static void test_precision(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 8; flags++) {
		uint64_t ts = 1700000000123456789, want = ts;
		struct source *s;

		capture_begin(&C[0], flags, 1);
		capture_frame(&C[0], ts, "x", 1, 1);
		s = must_open(capture_path(&C[0], C[0].len), NULL);
		if (!(flags & CAPTURE_NANO))
			want = 1700000000123456000;
		assert_int_equal(source_next(s, batch, 64), 1);
		assert_true(batch[0].ts_ns == want);
		source_close(s);
		capture_done(&C[0]);
	}
}

/* -- faults ---------------------------------------------------------------- */

/* How many whole frames `len` bytes hold, and whether they end there. */
static uint32_t whole(const struct capture *c, size_t len, bool *ends)
{
	uint32_t n = 0;

	while (n < c->nframes && c->end[n] <= len)
		n++;
	*ends = len == (n ? c->end[n - 1] : c->head);
	return n;
}

static void check_cut(const struct capture *c, struct source *s, size_t len)
{
	uint32_t want, count;
	char text[32];
	bool ends;
	int code;

	want = whole(c, len, &ends);
	code = drain(s, &count);
	assert_int_equal(count, want);
	assert_int_equal(code, ends ? SOURCE_END : SOURCE_ERROR);
	if (ends)
		return;
	snprintf(text, sizeof(text), ": packet %u: ", want + 1);
	assert_non_null(strstr(source_error(s), text));
	assert_ptr_equal(strstr(source_error(s), c->path), source_error(s));
}

/* Cut at every byte: what is whole is delivered, then the message with file
 * and packet number; a cut between two packets is a shorter capture. */
static void test_cut(void **state)
{
	(void)state;
	for (unsigned int flags = 0; flags < 8; flags++) {
		capture_begin(&C[0], flags, 1);
		for (uint32_t k = 0; k < 6; k++)
			add(&C[0], k);
		for (size_t len = 0; len <= C[0].len; len++) {
			struct source *s =
				open_one(capture_path(&C[0], len), NULL);

			if (len < C[0].head) {
				assert_null(s);
				assert_non_null(strstr(err, ": packet 0: "));
				continue;
			}
			assert_non_null(s);
			check_cut(&C[0], s, len);
			source_close(s);
		}
		capture_done(&C[0]);
	}
}

/* the fault may lie in any batch */
static void test_cut_late(void **state)
{
	(void)state;
	for (uint32_t n = 60; n < 70; n++) {
		struct source *s;

		capture_begin(&C[0], 0, 1);
		for (uint32_t k = 0; k < n; k++)
			add(&C[0], k);
		s = must_open(capture_path(&C[0], C[0].len - 1), NULL);
		check_cut(&C[0], s, C[0].len - 1);
		source_close(s);
		capture_done(&C[0]);
	}
}

static void test_lies(void **state)
{
	static uint8_t data[70000];
	struct source *s;

	(void)state;
	/* more captured than there was; a fraction of two seconds */
	capture_begin(&C[0], 0, 1);
	capture_lie(&C[0], 5, 2000000, 40, 10, data, 40);
	capture_lie(&C[0], 0xffffffff, 999999, 0, 0, data, 0);
	capture_lie(&C[0], 0, 0, 1, 0xffffffff, data, 1);
	s = must_open(capture_path(&C[0], C[0].len), NULL);
	assert_int_equal(source_next(s, batch, 64), 3);
	assert_int_equal(batch[0].caplen, 40);
	assert_int_equal(batch[0].wirelen, 40);
	assert_true(batch[0].ts_ns < 6 * NS_PER_S);
	assert_int_equal(batch[1].caplen, 0);
	assert_true(batch[1].ts_ns >= 0xffffffff * NS_PER_S);
	assert_int_equal(batch[2].wirelen, 0xffffffff);
	assert_int_equal(source_next(s, batch, 64), SOURCE_END);
	source_close(s);
	capture_done(&C[0]);

	/* a length that no packet can have */
	capture_begin(&C[0], 0, 1);
	add(&C[0], 0);
	capture_lie(&C[0], 5, 0, 0x7fffffff, 0x7fffffff, data, 70000);
	s = must_open(capture_path(&C[0], C[0].len), NULL);
	assert_int_equal(source_next(s, batch, 64), 1);
	assert_int_equal(source_next(s, batch, 64), SOURCE_ERROR);
	assert_non_null(strstr(source_error(s), ": packet 2: "));
	source_close(s);
	capture_done(&C[0]);
}

static void test_not_captures(void **state)
{
	(void)state;
	assert_null(open_one("/nonexistent/file", NULL));
	assert_string_equal(err,
	                    "/nonexistent/file: No such file or directory");
	assert_null(open_one("/", NULL));
	assert_string_equal(err, "/: Is a directory");
	assert_null(source_open_files(NULL, 0, NULL, err));
	capture_begin(&C[0], 0, 1);
	assert_null(open_one(
		capture_bytes(&C[0], "not a capture at all....", 24), NULL));
	assert_non_null(strstr(err, ": packet 0: "));
	capture_done(&C[0]);
}

/* -- several --------------------------------------------------------------- */

struct seen {
	uint64_t ts;
	uint32_t input;
	uint32_t i;
};

static int seen_cmp(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->ts != y->ts)
		return x->ts < y->ts ? -1 : 1;
	if (x->input != y->input)
		return x->input < y->input ? -1 : 1;
	return x->i < y->i ? -1 : 1;
}

/* Three captures with times that coincide often; sorted by hand, and by the
 * source with batches of any size. */
static void merge_build(struct seen *want, uint32_t n)
{
	uint32_t seed = 99, k = 0;

	for (uint32_t c = 0; c < 3; c++) {
		uint64_t ts = 1000;

		capture_begin(&C[c],
		              c == 1 ? CAPTURE_NG | CAPTURE_NANO
		                     : CAPTURE_NANO | c / 2,
		              c == 2 ? 101 : 1);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t mark = c << 16 | i;

			seed = seed * 1664525 + 1013904223;
			ts += seed >> 30;
			capture_frame(&C[c], ts, &mark, 4, 4 + c);
			want[k++] = (struct seen){ts, c, i};
		}
		capture_path(&C[c], C[c].len);
	}
	qsort(want, k, sizeof(*want), seen_cmp);
}

static struct source *merge_open(const char *filter)
{
	const char *const paths[] = {C[0].path, C[1].path, C[2].path};
	struct source *s = source_open_files(paths, 3, filter, err);

	if (!s)
		fail_msg("%s", err);
	return s;
}

static void merge_check(const struct pkt *p, const struct seen *want)
{
	uint32_t mark;

	memcpy(&mark, p->data, 4);
	assert_true(p->ts_ns == want->ts);
	assert_int_equal(p->iface, want->input);
	assert_int_equal(mark, want->input << 16 | want->i);
	assert_int_equal(p->linktype, want->input == 2 ? 101 : 1);
}

static void test_merge(void **state)
{
	static struct seen want[1500];

	(void)state;
	merge_build(want, 500);
	for (unsigned int max = 1; max <= 70; max += 23) {
		struct source *s = merge_open(NULL);
		uint32_t k = 0;
		int n;

		source_number(s, 7);
		while ((n = source_next(s, batch, max)) >= 0) {
			assert_in_range(n, 0, max < 64 ? max : 64);
			for (int i = 0; i < n; i++) {
				assert_int_equal(batch[i].frame, k + 1);
				assert_int_equal(batch[i].source, 7);
				merge_check(&batch[i], &want[k++]);
			}
		}
		assert_int_equal(n, SOURCE_END);
		assert_int_equal(k, 1500);
		source_close(s);
	}
	for (int c = 0; c < 3; c++)
		capture_done(&C[c]);
}

/* One of several is broken: all that comes before the fault, nothing after. */
static void test_merge_broken(void **state)
{
	static struct seen want[600];
	uint32_t k = 0, last = 0;
	struct source *s;
	int n;

	(void)state;
	merge_build(want, 200);
	capture_path(&C[1], C[1].end[150] - 3);
	s = merge_open(NULL);
	while ((n = source_next(s, batch, 64)) >= 0)
		for (int i = 0; i < n; i++)
			merge_check(&batch[i], &want[k++]);
	assert_int_equal(n, SOURCE_ERROR);
	for (uint32_t i = 0; i < 600; i++)
		if (want[i].input == 1 && want[i].i == 149)
			last = i;
	assert_int_equal(k, last + 1);
	assert_non_null(strstr(source_error(s), ": packet 151: "));
	source_close(s);
	for (int c = 0; c < 3; c++)
		capture_done(&C[c]);
}

/* -- filter, seek, counters ------------------------------------------------ */

static void test_seek(void **state)
{
	static struct seen want[600];
	static const uint64_t to[] = {0, 1, 63, 64, 65, 300, 599, 600, 9999};

	(void)state;
	merge_build(want, 200);
	for (size_t t = 0; t < ARRAY_SIZE(to); t++) {
		struct source *s = merge_open(NULL);
		struct source_stats st;
		uint64_t k = to[t] < 600 ? to[t] : 600;
		int n;

		source_seek(s, to[t]);
		while ((n = source_next(s, batch, 64)) >= 0)
			for (int i = 0; i < n; i++) {
				assert_int_equal(batch[i].frame, k + 1);
				merge_check(&batch[i], &want[k++]);
			}
		assert_int_equal(k, 600);
		source_stats(s, SOURCE_ALL, &st);
		assert_int_equal(st.frames, 600);
		assert_int_equal(st.skipped, to[t] < 600 ? to[t] : 600);
		source_close(s);
	}
	for (int c = 0; c < 3; c++)
		capture_done(&C[c]);
}

/* one capture: its skipped frames are not even copied */
static void test_seek_one(void **state)
{
	(void)state;
	capture_begin(&C[0], 0, 1);
	for (uint32_t k = 0; k < 200; k++)
		add(&C[0], k);
	capture_path(&C[0], C[0].len);
	for (uint32_t to = 0; to <= 200; to += 25) {
		struct source *s = must_open(C[0].path, NULL);
		uint32_t k = to;
		int n;

		source_seek(s, to);
		while ((n = source_next(s, batch, 64)) >= 0)
			for (int i = 0; i < n; i++) {
				assert_int_equal(batch[i].frame, k + 1);
				check(&batch[i], k++);
			}
		assert_int_equal(k, 200);
		source_close(s);
	}
	capture_done(&C[0]);
}

/* The filter is compiled for each capture's link type, and changes no frame's
 * number. */
static void test_filter(void **state)
{
	static const uint8_t ip[20] = {0x45, 0, 0,  20, 0, 0, 0,  0, 64, 17,
	                               0,    0, 10, 0,  0, 1, 10, 0, 0,  2};
	uint8_t ether[34] = {[12] = 8};
	struct source_stats st;
	struct source *s;

	(void)state;
	memcpy(ether + 14, ip, 20);
	capture_begin(&C[0], CAPTURE_NANO, 1);
	capture_begin(&C[1], CAPTURE_NANO, 101);
	capture_begin(&C[2], CAPTURE_NANO, 1);
	for (uint32_t i = 0; i < 100; i++) {
		ether[23] = i & 1 ? 17 : 6;
		capture_frame(&C[0], i, ether, 34, 34);
		capture_frame(&C[1], i, ip, 20, 20);
		capture_frame(&C[2], i, "short", 5, 5);
	}
	for (int c = 0; c < 3; c++)
		capture_path(&C[c], C[c].len);
	s = merge_open("udp");
	for (uint32_t k = 0, n = 0; k < 150; k += n) {
		n = (uint32_t)source_next(s, batch, 64);
		assert_in_range(n, 1, 64);
		for (uint32_t i = 0; i < n; i++) {
			assert_in_range(batch[i].iface, 0, 1);
			assert_int_equal(batch[i].frame,
			                 batch[i].ts_ns * 3 + 1 +
			                         batch[i].iface);
		}
	}
	assert_int_equal(source_next(s, batch, 64), SOURCE_END);
	source_stats(s, 0, &st);
	assert_int_equal(st.filtered, 50);
	source_stats(s, SOURCE_ALL, &st);
	assert_int_equal(st.frames, 300);
	assert_int_equal(st.filtered, 150);
	source_close(s);
	for (int c = 0; c < 3; c++)
		capture_done(&C[c]);
}

/* Few frames pass: a batch is gathered over many readings, and all its bytes
 * are still there when it is handed out. */
static void test_filter_sparse(void **state)
{
	uint8_t ip[20] = {0x45, 0, 0, 20, [8] = 64, [12] = 10};
	uint32_t k = 0;
	struct source *s;
	int n;

	(void)state;
	capture_begin(&C[0], CAPTURE_NANO, 101);
	for (uint32_t i = 0; i < 500; i++) {
		ip[9] = i % 40 ? 6 : 17;
		ip[4] = (uint8_t)(i >> 8);
		ip[5] = (uint8_t)i;
		capture_frame(&C[0], i, ip, 20, 20);
	}
	s = must_open(capture_path(&C[0], C[0].len), "udp");
	while ((n = source_next(s, batch, 64)) >= 0)
		for (int i = 0; i < n; i++, k += 40) {
			assert_int_equal(batch[i].frame, k + 1);
			assert_int_equal(get16(batch[i].data + 4), k);
		}
	assert_int_equal(n, SOURCE_END);
	assert_int_equal(k, 520);
	source_close(s);
	capture_done(&C[0]);
}

static void test_filter_bad(void **state)
{
	(void)state;
	capture_begin(&C[0], 0, 1);
	add(&C[0], 0);
	assert_null(open_one(capture_path(&C[0], C[0].len), "udp port ("));
	assert_non_null(strstr(err, ": filter: "));
	capture_done(&C[0]);
}

/* A filter that refuses all lets the caller do other things in between. */
static void test_filter_none(void **state)
{
	unsigned int nones = 0;
	struct source *s;
	uint8_t *big;
	size_t frame;
	int n;

	(void)state;
	capture_begin(&C[0], 0, 1);
	add(&C[0], 40);
	frame = C[0].len - C[0].head;
	big = malloc(C[0].head + 20000 * frame);
	assert_non_null(big);
	memcpy(big, C[0].buf, C[0].head);
	for (size_t i = 0; i < 20000; i++)
		memcpy(big + C[0].head + i * frame, C[0].buf + C[0].head,
		       frame);
	capture_bytes(&C[0], big, C[0].head + 20000 * frame);
	free(big);
	s = must_open(C[0].path, "tcp port 80");
	while ((n = source_next(s, batch, 64)) == SOURCE_NONE)
		nones++;
	assert_int_equal(n, SOURCE_END);
	assert_in_range(nones, 2, 100);
	source_close(s);
	capture_done(&C[0]);
}

static void test_counters(void **state)
{
	struct source_stats st;
	struct source *s;
	uint32_t count;

	(void)state;
	capture_begin(&C[0], 0, 1);
	for (uint32_t k = 0; k < 10; k++)
		add(&C[0], k);
	s = must_open(capture_path(&C[0], C[0].len), NULL);
	assert_int_equal(drain(s, &count), SOURCE_END);
	source_stats(s, 0, &st);
	assert_int_equal(st.frames, 10);
	assert_int_equal(st.cut, 10);
	source_stats(s, 1, &st);
	assert_int_equal(st.frames, 0);
	assert_string_equal(source_kind_name(s), "files");
	assert_false(source_is_live(s));
	assert_int_equal(source_inputs(s), 1);
	assert_string_equal(source_input_name(s, 0), C[0].path);
	assert_string_equal(source_input_name(s, 1), "");
	assert_int_equal(source_fd(s), -1);
	assert_int_equal(source_timeout(s), 0);
	source_close(s);
	capture_done(&C[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_late),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_not_captures),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_broken),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_seek_one),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_sparse),
		cmocka_unit_test(test_filter_bad),
		cmocka_unit_test(test_filter_none),
		cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

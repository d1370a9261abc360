/* test_stream.c - packed captures, pipes, and what is spooled. */
#include "daemon/source/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/lib/capture.h"

enum { PLAIN_LEN = 300000, PACKED_MAX = 1000000 };

static char err[SOURCE_ERR];
static uint8_t plain[PLAIN_LEN], packed[PACKED_MAX];
static struct capture file = {.fd = -1};

/* bytes that pack a little but not to nothing */
static void make_plain(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN_LEN; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = (uint8_t)(x >> 30 ? 'a' + (x >> 28) : x >> 20);
	}
}

static size_t gzip(uint8_t *out, const uint8_t *in, size_t len)
{
	z_stream z = {0};
	size_t n;

	assert_int_equal(
		deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	z.next_in = (Bytef *)(uintptr_t)in;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = PACKED_MAX / 2;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	return n;
}

static size_t zstd(uint8_t *out, const uint8_t *in, size_t len)
{
	size_t n = ZSTD_compress(out, PACKED_MAX / 2, in, len, 3);

	assert_false(ZSTD_isError(n));
	return n;
}

typedef size_t (*packer)(uint8_t *, const uint8_t *, size_t);
static const packer packers[] = {gzip, zstd};

/* Reads all there is; what is wrong, NULL = nothing. */
static const char *slurp(const char *path, uint8_t *out, size_t *len)
{
	struct stream *s;
	FILE *f = stream_open(path, &s, err);
	const char *why = NULL;
	size_t n;

	if (!f)
		fail_msg("%s", err);
	*len = 0;
	while ((n = fread(out + *len, 1, 4099, f)) > 0)
		*len += n;
	if (ferror(f))
		why = stream_why(s) ? stream_why(s) : "error";
	else
		assert_null(stream_why(s));
	fclose(f);
	return why;
}

static void same(const char *path, size_t want)
{
	static uint8_t got[PLAIN_LEN + 8192];
	size_t len;

	assert_null(slurp(path, got, &len));
	assert_int_equal(len, want);
	assert_memory_equal(got, plain, want);
}

static void test_plain(void **state)
{
	(void)state;
	same(capture_bytes(&file, plain, PLAIN_LEN), PLAIN_LEN);
	for (size_t len = 0; len < 6; len++)
		same(capture_bytes(&file, plain, len), len);
}

static void test_packed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		size_t n = packers[i](packed, plain, PLAIN_LEN);

		same(capture_bytes(&file, packed, n), PLAIN_LEN);
		n = packers[i](packed, plain, 0);
		same(capture_bytes(&file, packed, n), 0);
	}
}

/* several members are one stream; zeros behind them are nothing */
static void test_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		size_t n = packers[i](packed, plain, 1000);

		n += packers[i](packed + n, plain + 1000, 0);
		n += packers[i](packed + n, plain + 1000, 99000);
		same(capture_bytes(&file, packed, n), 100000);
	}
	memset(packed, 0, PACKED_MAX);
	same(capture_bytes(&file, packed, gzip(packed, plain, 5000) + 700),
	     5000);
}

/* Cut anywhere: an error, and what comes before it is right. */
static void test_cut(void **state)
{
	static uint8_t got[PLAIN_LEN + 8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		size_t n = packers[i](packed, plain, 3000), len;

		for (size_t cut = 4; cut < n; cut++) {
			const char *why = slurp(
				capture_bytes(&file, packed, cut), got, &len);

			assert_string_equal(why,
			                    "compressed data end too early");
			assert_in_range(len, 0, 3000);
			assert_memory_equal(got, plain, len);
		}
	}
}

/* A changed byte ends in an error, or in a field that says nothing about the
 * data; it never ends the process. */
static void test_damaged(void **state)
{
	static uint8_t got[PLAIN_LEN * 4];
	unsigned int errors = 0;
	size_t n, len;

	(void)state;
	n = gzip(packed, plain, 3000);
	for (size_t at = 10; at < n; at++) {
		packed[at] ^= 0x55;
		errors += slurp(capture_bytes(&file, packed, n), got, &len) !=
		          NULL;
		packed[at] ^= 0x55;
	}
	assert_in_range(errors, n - 10 - 8, n - 10);
	n = zstd(packed, plain, 3000);
	packed[4] ^= 0x08; /* reserved, must be zero */
	assert_string_equal(slurp(capture_bytes(&file, packed, n), got, &len),
	                    "Zstandard data are damaged");
}

/* Writes to a pipe from a child, in pieces of `step`. */
static pid_t feed(int fd, const uint8_t *bytes, size_t len, size_t step)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;

		if (write(fd, bytes + at, n) != (ssize_t)n)
			_exit(1);
	}
	_exit(0);
}

static void pipe_case(const uint8_t *bytes, size_t len, size_t step,
                      size_t want, bool from_stdin)
{
	int ends[2], keep, status;
	char path[32];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = feed(ends[1], bytes, len, step);
	close(ends[1]);
	if (from_stdin) {
		keep = dup(STDIN_FILENO);
		dup2(ends[0], STDIN_FILENO);
		same("-", want);
		dup2(keep, STDIN_FILENO);
		close(keep);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
		same(path, want);
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_pipes(void **state)
{
	(void)state;
	for (int from_stdin = 0; from_stdin < 2; from_stdin++) {
		size_t n = gzip(packed, plain, 60000);

		pipe_case(packed, n, 4096, 60000, from_stdin);
		pipe_case(packed, n > 300 ? n : 0, 1, 60000, from_stdin);
		pipe_case(plain, 100000, 3000, 100000, from_stdin);
		pipe_case(plain, 3, 1, 3, from_stdin);
		n = zstd(packed, plain, 60000);
		pipe_case(packed, n, 1, 60000, from_stdin);
	}
}

/* The file has no name, and can be read by its descriptor again and again. */
static void test_spool(void **state)
{
	char path[32];
	struct stat st;
	int fd, in;

	(void)state;
	capture_bytes(&file, plain, 70000);
	in = open(file.path, O_RDONLY);
	assert_true(in >= 0);
	fd = source_spool(in, err);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_size, 70000);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	same(path, 70000);
	same(path, 70000);
	close(fd);
	close(in);
	assert_int_equal(source_spool(-1, err), -1);
	assert_non_null(strstr(err, "cannot be spooled"));
	assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
	assert_int_equal(source_spool(STDIN_FILENO, err), -1);
	unsetenv("TMPDIR");
}

/* Reads to the end or the fault, checks each frame. */
static int drain(struct source *s, uint32_t *count)
{
	struct pkt batch[SOURCE_BATCH];
	int n;

	*count = 0;
	while ((n = source_next(s, batch, SOURCE_BATCH)) >= 0)
		for (int i = 0; i < n; i++)
			assert_memory_equal(batch[i].data,
			                    plain + (*count)++ * 1000, 900);
	return n;
}

/* A packed capture through the whole source: the message has the packet's
 * number and says what is wrong with the packing. */
static void test_capture(void **state)
{
	char text[64];
	struct capture c;
	struct source *s;
	const char *path;
	uint32_t count;
	size_t n;

	(void)state;
	capture_begin(&c, 0, 1);
	for (uint32_t i = 0; i < 280; i++)
		capture_frame(&c, i * NS_PER_MS, plain + i * 1000, 900, 900);
	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		n = packers[i](packed, c.buf, c.len);
		path = capture_bytes(&file, packed, n);
		s = source_open_files(&path, 1, NULL, err);
		assert_non_null(s);
		assert_int_equal(drain(s, &count), SOURCE_END);
		assert_int_equal(count, 280);
		source_close(s);

		path = capture_bytes(&file, packed, n - 5);
		s = source_open_files(&path, 1, NULL, err);
		assert_non_null(s);
		assert_int_equal(drain(s, &count), SOURCE_ERROR);
		assert_in_range(count, 100, 280);
		snprintf(text, sizeof(text),
		         ": packet %u: compressed data end too early",
		         count + 1);
		assert_non_null(strstr(source_error(s), text));
		source_close(s);

		path = capture_bytes(&file, packed, 12);
		assert_null(source_open_files(&path, 1, NULL, err));
		assert_non_null(strstr(err, "packet 0: compressed data end"));
	}
	capture_done(&c);
}

static int setup(void **state)
{
	(void)state;
	make_plain();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	capture_done(&file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_packed),
		cmocka_unit_test(test_members), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_spool),   cmocka_unit_test(test_capture),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

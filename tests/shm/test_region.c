/* test_region.c - segments: made, adopted, refused, handed over, full */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/region.h"
#include "tests/lib/keys.h"

#define NAME "ctshardd.0123abcd"

struct fix {
	char dir[128];
	struct region_params p;
	struct region r;
	struct region_error err;
};

static int fix_open(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	if (!f)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "%s/ctshardd-region.XXXXXX",
	         tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	f->p = (struct region_params){
		.dir = f->dir,
		.name = NAME,
		.max = 1000,
		.nworker = 2,
		.ring_bytes = 64 * sizeof(struct event_cell),
		.log_bytes = 64 * sizeof(struct event_slot),
		.detail = true,
	};
	*state = f;
	return 0;
}

static int fix_close(void **state)
{
	struct fix *f = *state;

	region_remove(f->dir, NAME);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void fix_create(struct fix *f)
{
	int r = region_create(&f->r, &f->p, &f->err);

	if (r)
		print_error("%s\n", f->err.text);
	assert_int_equal(r, 0);
}

static char *path_of(const struct fix *f, const char *seg)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s.%s", f->dir, NAME, seg);
	return path;
}

/* a table of these segments lives through its processes */
static void test_adopt(void **state)
{
	struct fix *f = *state;
	struct conn_lookup k4, k6;
	struct conn_view v;
	struct table t;

	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), -ENOENT);
	fix_create(f);
	assert_int_equal(region_map(&f->r, &t, REGION_ALL, 0, &f->err), 0);
	assert_int_equal(proc_attach(&t, 0, 0), 0);
	k4 = key_make(&t, 1, false, 7);
	k6 = key_make(&t, 2, true, 9);
	assert_int_equal(conn_put(&t, &k4), 1);
	assert_int_equal(conn_put(&t, &k6), t.cap - 1);
	proc_detach(&t);
	region_unmap(&t);
	region_close(&f->r);

	/* other sizes are asked for: what stands there wins */
	f->p.max = 50000;
	f->p.ring_bytes *= 4;
	f->p.detail = false;
	f->p.nworker = 3; /* one more ring */
	assert_int_equal(access(path_of(f, "ev.2"), F_OK), -1);
	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), 0);
	assert_int_equal(access(path_of(f, "ev.2"), F_OK), 0);
	assert_int_equal(region_map(&f->r, &t, REGION_WORKER, 2, &f->err), 0);
	assert_int_equal(t.max, 1000);
	assert_int_equal(t.nworker, 3);
	assert_int_equal(t.hdr->generation, 2);
	assert_non_null(t.detail);
	assert_int_equal(t.ring[2].mask, 63);
	assert_int_equal(conn_lookup(&t, &k4, &v), 1);
	assert_int_equal(conn_lookup(&t, &k6, &v), 1);
	assert_int_equal(shard_faults(&t, 7), 0);
	assert_int_equal(proc_attach(&t, 2, 0), 0);
	assert_true(conn_drop(&t, &k6) > 0);
	region_unmap(&t);
	region_close(&f->r);
	/* and once more, the header is whole */
	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), 0);
	region_close(&f->r);
	assert_int_equal(region_remove(f->dir, NAME), 9);
}

/* what was half made by a dead starter is not seen, and does not disturb */
static void test_half_made(void **state)
{
	struct fix *f = *state;
	int fd = open(path_of(f, "tbl.new"), O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), -ENOENT);
	fix_create(f);
	assert_int_equal(access(path_of(f, "tbl.new"), F_OK), -1);
	region_close(&f->r);
}

static void test_modes(void **state)
{
	struct fix *f = *state;
	struct stat st;

	fix_create(f);
	assert_int_equal(stat(path_of(f, "key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_of(f, "proc"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_of(f, "tbl"), &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
	region_close(&f->r);
}

/* ---- refused ---- */

static void header_edit(const struct fix *f, size_t at, uint8_t bits, bool seal)
{
	struct tbl_header h;
	const uint8_t *b = (const uint8_t *)&h;
	uint64_t s = 0xcbf29ce484222325ull;
	size_t i;
	int fd = open(path_of(f, "tbl"), O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	((uint8_t *)&h)[at] ^= bits;
	for (i = 0; i < offsetof(struct tbl_header, sum); i++)
		s = (s ^ b[i]) * 0x100000001b3ull;
	if (seal)
		h.sum = s;
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	close(fd);
}

static void refused(struct fix *f, const char *word)
{
	f->err.exit_code = 0;
	f->err.text[0] = 0;
	assert_true(region_adopt(&f->r, &f->p, &f->err) < 0);
	assert_int_equal(f->err.exit_code, 4);
	if (!strstr(f->err.text, word))
		print_error("'%s' without '%s'\n", f->err.text, word);
	assert_non_null(strstr(f->err.text, word));
	assert_non_null(strstr(f->err.text, "--reset-table"));
	/* nothing is held */
	assert_int_equal(f->r.fd[SEG_TBL], -1);
	assert_int_equal(f->r.fd[SEG_RING0], -1);
}

static void adopted(struct fix *f)
{
	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), 0);
	region_close(&f->r);
}

static void test_header_damage(void **state)
{
	static const struct {
		size_t at;
		bool seal;
		const char *word;
	} d[] = {
		{offsetof(struct tbl_header, magic), true, "magic"},
		{offsetof(struct tbl_header, endian), true, "byte order"},
		{offsetof(struct tbl_header, page), true, "page"},
		{offsetof(struct tbl_header, major), true, "layout"},
		{offsetof(struct tbl_header, layout) + 5, true, "layout"},
		{offsetof(struct tbl_header, boot_id) + 15, true, "boot"},
		{offsetof(struct tbl_header, sum), false, "sum"},
		{offsetof(struct tbl_header, cap), false, "sum"},
		{offsetof(struct tbl_header, off) + 9, false, "sum"},
		{offsetof(struct tbl_header, boot_id), false, "sum"},
		{offsetof(struct tbl_header, state), false, "damaged"},
		{offsetof(struct tbl_header, clock_mode), true, "captures"},
	};
	struct fix *f = *state;
	size_t i;

	fix_create(f);
	region_close(&f->r);
	for (i = 0; i < ARRAY_SIZE(d); i++) {
		header_edit(f, d[i].at, 1, d[i].seal);
		refused(f, d[i].word);
		header_edit(f, d[i].at, 1, d[i].seal);
		adopted(f);
	}
}

static void cut(struct fix *f, const char *seg, off_t len)
{
	struct stat st;

	assert_int_equal(stat(path_of(f, seg), &st), 0);
	assert_int_equal(truncate(path_of(f, seg), len), 0);
	refused(f, "cut short");
	assert_non_null(strstr(f->err.text, seg));
	assert_int_equal(truncate(path_of(f, seg), st.st_size), 0);
}

static void test_cut(void **state)
{
	struct fix *f = *state;
	struct stat st;

	fix_create(f);
	region_close(&f->r);
	assert_int_equal(stat(path_of(f, "tbl"), &st), 0);
	cut(f, "tbl", st.st_size - 1);
	adopted(f);
	cut(f, "ev.1", RING_HEADER);
	cut(f, "proc", PAGE);
	cut(f, "mlog", 0);
	cut(f, "pol", 8);
	cut(f, "key", 8);
	fix_close(state);
	fix_open(state);
	f = *state;
	fix_create(f);
	region_close(&f->r);
	cut(f, "tbl", 100);
	cut(f, "tbl", 0);
}

static void test_lost_segment(void **state)
{
	struct fix *f = *state;

	fix_create(f);
	region_close(&f->r);
	assert_int_equal(unlink(path_of(f, "key")), 0);
	refused(f, "key");
}

/* a link or a folder of that name is not followed */
static void test_not_a_file(void **state)
{
	struct fix *f = *state;
	char to[256];

	fix_create(f);
	region_close(&f->r);
	snprintf(to, sizeof(to), "%s", path_of(f, "tbl.bad"));
	assert_int_equal(rename(path_of(f, "tbl"), to), 0);
	assert_int_equal(symlink(to, path_of(f, "tbl")), 0);
	refused(f, "tbl");
}

static void test_other_capture(void **state)
{
	struct fix *f = *state;

	f->p.clock_mode = CLOCK_CAPTURE;
	f->p.source_id = 77;
	fix_create(f);
	region_close(&f->r);
	adopted(f);
	f->p.source_id = 78;
	refused(f, "captures");
	f->p.source_id = 77;
	f->p.nworker = 3;
	refused(f, "workers");
	f->p.nworker = 2;
	f->p.clock_mode = CLOCK_LIVE;
	refused(f, "captures");
}

static void test_set_aside(void **state)
{
	struct fix *f = *state;

	fix_create(f);
	region_close(&f->r);
	assert_int_equal(region_set_aside(&f->p, &f->err), 0);
	assert_int_equal(region_adopt(&f->r, &f->p, &f->err), -ENOENT);
	assert_int_equal(access(path_of(f, "tbl.bad"), F_OK), 0);
	fix_create(f);
	region_close(&f->r);
	assert_int_equal(region_remove(f->dir, NAME), 16);
}

static void test_no_folder(void **state)
{
	struct fix *f = *state;

	f->p.dir = "/nonexistent/ctshardd";
	assert_int_equal(region_create(&f->r, &f->p, &f->err), -ENOENT);
	assert_int_equal(f->err.exit_code, 1);
	f->p.dir = f->dir;
}

/* ---- handed over ---- */

static int fd_of(const char *text, const char *seg)
{
	const char *at = strstr(text, seg);

	assert_non_null(at);
	return atoi(at + strlen(seg));
}

static void test_export(void **state)
{
	struct fix *f = *state;
	char text[REGION_TEXT], again[REGION_TEXT], *head;
	struct region r;
	struct table t;
	int fd;

	fix_create(f);
	assert_int_equal(region_export(&f->r, REGION_API, text, sizeof(text)),
	                 0);
	fd = fd_of(text, "tbl=");
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	assert_int_equal(fcntl(fd_of(text, "mlog="), F_GETFL) & O_ACCMODE,
	                 O_RDWR);
	/* the twin that was not handed over stays closed over exec */
	assert_int_equal(fcntl(f->r.fd[SEG_TBL], F_GETFD) & FD_CLOEXEC,
	                 FD_CLOEXEC);
	assert_int_equal(region_import(&r, text), 0);
	assert_int_equal(r.fd[SEG_TBL], fd);
	assert_true(r.size[SEG_TBL] == f->r.size[SEG_TBL]);
	assert_int_equal(r.fd[SEG_RING0 + 5], -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	/* what somebody wrote over the header since is nobody's geometry */
	assert_int_equal(region_map(&f->r, &t, REGION_ALL, 0, &f->err), 0);
	memset(t.hdr, 0xff, sizeof(*t.hdr));
	region_unmap(&t);
	assert_int_equal(region_map(&r, &t, REGION_API, SLOT_API, &f->err), 0);
	assert_int_equal(t.nshard, NSHARD);
	assert_int_equal(t.cap, f->r.head.cap);
	assert_true(t.size == f->r.size[SEG_TBL]);
	region_unmap(&t);
	head = strstr(text, "head=");
	assert_non_null(head);
	head[5] = 'x';
	assert_true(region_import(&r, text) < 0);
	head[-1] = 0;
	assert_int_equal(region_import(&r, text), 0);
	assert_true(region_map(&r, &t, REGION_API, SLOT_API, &f->err) < 0);
	assert_int_equal(
		region_export(&f->r, REGION_WORKER, again, sizeof(again)), 0);
	assert_int_equal(fcntl(fd_of(again, "tbl="), F_GETFL) & O_ACCMODE,
	                 O_RDWR);
	assert_int_equal(fcntl(fd_of(again, "mlog="), F_GETFL) & O_ACCMODE,
	                 O_RDONLY);
	assert_int_equal(region_export(&f->r, REGION_WORKER, again, 20),
	                 -ENOSPC);
	assert_true(region_import(&r, "tbl") < 0);
	assert_true(region_import(&r, "nonsense=3") < 0);
	assert_true(region_import(&r, "tbl=12345") < 0);
	assert_true(region_import(&r, "=,") < 0);
	region_close(&f->r);
}

/* writes one byte as `access` would; true: it was not allowed */
static bool write_refused(struct fix *f, enum region_access access,
                          uint32_t slot, int what)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct table t;

		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		if (region_map(&f->r, &t, access, slot, &f->err))
			_exit(9);
		switch (what) {
		case 0:
			t.shard[0].count = 0;
			break;
		case 1:
			table_proc(&t, slot)->beat = 1;
			break;
		case 2:
			table_proc(&t, 0)->beat = 1;
			break;
		case 3:
			t.mlog->started = 1;
			break;
		case 4:
			t.policy->version = 0;
			break;
		case 5:
			t.ring[0].hdr->spare = 1;
			break;
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	/* a sanitizer turns the signal into an exit */
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 9);
	return status != 0;
}

static void test_access(void **state)
{
	static const struct {
		enum region_access access;
		uint32_t slot;
		const char *refused; /* by case of write_refused() */
	} a[] = {
		{REGION_WORKER, 1, "001110"},
		{REGION_REAPER, SLOT_REAPER, "001110"},
		{REGION_API, SLOT_API, "101011"},
		{REGION_RECORDER, SLOT_RECORDER, "101111"},
		{REGION_SUPERVISOR, SLOT_SUPER, "100101"},
	};
	struct fix *f = *state;
	unsigned int i;
	int what;

	fix_create(f);
	for (i = 0; i < ARRAY_SIZE(a); i++)
		for (what = 0; what < 6; what++) {
			bool want = a[i].refused[what] == '1';
			bool got =
				write_refused(f, a[i].access, a[i].slot, what);

			if (want != got)
				print_error("access %d, write %d\n",
				            a[i].access, what);
			assert_int_equal(got, want);
		}
	region_close(&f->r);
}

/* ---- sizes ---- */

static void test_plan(void **state)
{
	struct fix *f = *state;
	uint64_t size[SEG_COUNT], small[SEG_COUNT], v4, v6;
	unsigned int s;

	f->p.max = 1000000;
	region_plan(&f->p, size);
	v4 = region_bytes_per_conn(&f->p, false);
	v6 = region_bytes_per_conn(&f->p, true);
	/* 128 + 64 + 4 and the index, and room for uneven shards */
	assert_in_range(v4, 205, 250);
	assert_in_range(v6 - v4, 32, 40);
	f->p.detail = false;
	region_plan(&f->p, small);
	assert_in_range(v4 - region_bytes_per_conn(&f->p, false), 64, 75);
	assert_true(small[SEG_TBL] < size[SEG_TBL]);
	f->p.max = 1000;
	fix_create(f);
	region_plan(&f->p, size);
	for (s = 0; s < SEG_COUNT; s++) {
		assert_int_equal(f->r.fd[s] >= 0, size[s] > 0);
		assert_true(f->r.size[s] == size[s]);
	}
	region_close(&f->r);
}

static void test_collapse(void **state)
{
	struct table *t = table_make(100000, true, 64);
	struct conn_lookup k = key_make(t, 1, false, 0);
	struct conn_view v;
	uint64_t at = 0, got = 0;
	int turns = 0;

	(void)state;
	conn_put(t, &k);
	/* whether the kernel gives any is its affair; nothing is lost */
	while (region_collapse(t, 2, &at, &got))
		assert_true(++turns < 1000);
	assert_true(got <= t->hdr->size);
	assert_int_equal(conn_lookup(t, &k, &v), 1);
	table_drop(t);
}

/* ---- a full tmpfs ---- */

/* In a child with a mount of its own: 0 well, 77 cannot be had here. */
static int full_tmpfs(struct fix *f)
{
	uint64_t size[SEG_COUNT], sum = 0;
	struct conn_lookup k;
	char opt[64];
	struct statvfs vfs;
	struct table t;
	unsigned int s;
	uint32_t i, n = 0;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", f->dir, "tmpfs", 0, "size=256k"))
		return 77;
	if (region_create(&f->r, &f->p, &f->err) != -ENOSPC)
		return 1;
	if (f->err.exit_code != 1 || !strstr(f->err.text, "no room"))
		return 2;
	/* nothing is left of the attempt */
	if (statvfs(f->dir, &vfs) || vfs.f_bfree != vfs.f_blocks)
		return 3;
	/* room for all but the addresses of IPv6 connections */
	f->p.max = 100000;
	region_plan(&f->p, size);
	size[SEG_TBL] = region_bytes_per_conn(&f->p, false) * f->p.max;
	for (s = 0; s < SEG_COUNT; s++)
		sum += (size[s] + PAGE - 1) / PAGE * PAGE;
	snprintf(opt, sizeof(opt), "remount,size=%llu",
	         (unsigned long long)(sum + 16 * PAGE));
	if (mount("tmpfs", f->dir, "tmpfs", MS_REMOUNT, strchr(opt, ',') + 1))
		return 77;
	if (region_create(&f->r, &f->p, &f->err))
		return 4;
	if (region_map(&f->r, &t, REGION_ALL, 0, &f->err) ||
	    proc_attach(&t, 0, 0))
		return 5;
	/* some find room, then they are refused, and nobody dies of it */
	for (i = 0; i < 256; i++) {
		k = key_make(&t, i, true, (uint8_t)i);
		n += conn_put(&t, &k) > 0;
	}
	if (n == 0 || n == 256)
		return 6;
	for (i = 0; i < 256; i++) {
		k = key_make(&t, 1000 + i, false, (uint8_t)i);
		if (!conn_put(&t, &k) || shard_faults(&t, i))
			return 7;
	}
	return 0;
}

static void test_full(void **state)
{
	struct fix *f = *state;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(full_tmpfs(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fix_open, fix_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_adopt),      TEST(test_half_made),
		TEST(test_modes),      TEST(test_header_damage),
		TEST(test_cut),        TEST(test_lost_segment),
		TEST(test_not_a_file), TEST(test_other_capture),
		TEST(test_set_aside),  TEST(test_no_folder),
		TEST(test_export),     TEST(test_access),
		TEST(test_plan),       cmocka_unit_test(test_collapse),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_migrate.c - a table that version 1 has left.
 *
 * The segments in tests/e2e/layout1.tar.gz were written by a daemon of that
 * version, over the demonstration capture, and left by kill -9.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/check.h"
#include "shm/layout1.h"
#include "shm/migrate.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/segment.h"
#include "tests/lib/keys.h"

#define NAME    "ctshardd.0123abcd"
#define FIXTURE "tests/e2e/layout1.tar.gz"
#define CONNS   17

struct fix {
	char dir[128];
	struct region_params p;
	struct region_error err;
};

static void must(const char *command)
{
	assert_int_equal(system(command), 0);
}

/* the old segments under the name that a run directory would give them */
static void fixture(const struct fix *f)
{
	char command[512];

	region_remove(f->dir, NAME);
	snprintf(command, sizeof(command),
	         "tar -xzf " FIXTURE " -C %s && cd %s && "
	         "for s in tbl proc mlog pol key ev.0 ev.1 ev.64; do "
	         "mv $s " NAME ".$s || exit; done",
	         f->dir, f->dir);
	must(command);
}

static int fix_open(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	if (!f)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "%s/ctshardd-migrate.XXXXXX",
	         tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	f->p = (struct region_params){.dir = f->dir, .name = NAME};
	*state = f;
	fixture(f);
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

static char *path_of(const struct fix *f, const char *seg)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/" NAME ".%s", f->dir, seg);
	return path;
}

static int migrate(struct fix *f)
{
	struct migration m;
	int r = migrate_open(&m, &f->p, &f->err);

	if (r == 1)
		r = migrate_convert(&m, &f->err);
	if (!r && m.step)
		r = migrate_commit(&m, &f->err);
	migrate_close(&m);
	return r;
}

static void *slurp(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *m;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	m = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(m != MAP_FAILED);
	close(fd);
	return m;
}

static void note(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

/* the key is the same, but for folds of IPv6 addresses; and it is found */
static void key_same(const struct table *t, const struct conn_view *v,
                     const struct key1 *old)
{
	struct conn_lookup k = {.key = v->conn.key,
	                        .addr6 = v->addr6,
	                        .shard = (uint8_t)v->shard};
	struct conn_key key = v->conn.key;
	struct conn_view found;
	unsigned int i;

	if (key.flags & KEY_V6)
		for (i = 0; i < 2; i++) {
			assert_int_equal(key.addr[i], hash_fold(t->key.steer,
			                                        v->addr6.a[i]));
			key.addr[i] = old->addr[i];
		}
	assert_memory_equal(&key, old, sizeof(*old));
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	assert_int_equal(conn_lookup(t, &k, &found), 1);
	assert_int_equal(found.idx, v->idx);
}

/* what stands there is today's, whole, and has all connections */
static void table_whole(struct fix *f, const struct header1 *old)
{
	struct conn_walk w = {0};
	struct region_error err;
	struct conn_view v;
	struct region r;
	struct table t;
	uint32_t sh, n = 0, i;

	if (region_inspect(&r, &f->p, &err))
		fail_msg("%s", err.text);
	assert_int_equal(region_map(&r, &t, REGION_COPY, 0, &err), 0);
	assert_int_equal(t.hdr->major, LAYOUT_MAJOR);
	assert_memory_equal(t.hdr->uuid, old->uuid, sizeof(old->uuid));
	for (i = 0; i < NSLOT; i++)
		assert_false(proc_alive(&t, i));
	assert_int_equal(proc_attach(&t, SLOT_REAPER, 0), 0);
	for (sh = 0; sh < t.nshard; sh++) {
		shard_lock(&t, sh);
		shard_unlock(&t, sh);
		assert_int_equal(shard_check(&t, sh, NULL, note, NULL), 0);
	}
	assert_int_equal(rings_check(&t, note, NULL), 0);
	while (conn_walk(&t, &w, &v)) {
		const struct conn1 *c =
			(const struct conn1 *)(const void
		                                       *)((const char *)old +
		                                          old->off[L1_CONN]) +
			(size_t)v.shard * old->cap + v.idx;

		assert_int_equal(v.conn.gen, c->gen);
		assert_int_equal(v.conn.status, c->status);
		assert_int_equal(v.conn.packets[0], c->packets[0]);
		assert_int_equal(v.conn.bytes[1], c->bytes[1]);
		key_same(&t, &v, &c->key);
		assert_memory_equal(v.conn.priv, c->priv, sizeof(c->priv));
		n++;
	}
	assert_int_equal(n, CONNS);
	/* 125 frames, each by one of the two workers */
	assert_int_equal(t.ring[0].hdr->counter[CTR_FRAMES] +
	                         t.ring[1].hdr->counter[CTR_FRAMES],
	                 125);
	/* 67 events of connections and 3 + 2 of expectations */
	assert_true(t.mlog->gseq >= 67);
	for (i = 1; i < t.mlog->tail; i++)
		assert_true(t.log[i].cell.gseq > t.log[i - 1].cell.gseq ||
		            event_of_expect(t.log[i].cell.type) ||
		            event_of_expect(t.log[i - 1].cell.type));
	region_unmap(&t);
	region_close(&r);
}

static void test_whole(void **state)
{
	struct fix *f = *state;
	size_t size;
	struct header1 *old = slurp(path_of(f, "tbl"), &size);

	assert_true(migrate_known(&f->p));
	assert_int_equal(migrate(f), 0);
	assert_false(migrate_known(&f->p));
	table_whole(f, old);
	/* nothing is left over, and nothing more to do */
	assert_int_equal(access(path_of(f, "mig.tbl"), F_OK), -1);
	assert_int_equal(migrate(f), 0);
	table_whole(f, old);
	munmap(old, size);
}

/* another version: both are named */
static void test_refused(void **state)
{
	struct fix *f = *state;
	struct tbl_header *h;
	struct region r;
	int fd;

	assert_int_equal(migrate(f), 0);
	fd = open(path_of(f, "tbl"), O_RDWR);
	h = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	h->major = LAYOUT_MAJOR + 1;
	h->layout ^= 1;
	region_seal(h);
	assert_false(migrate_known(&f->p));
	assert_int_equal(migrate(f), 0);
	assert_int_equal(region_adopt(&r, &f->p, &f->err), -EINVAL);
	assert_int_equal(f->err.exit_code, 4);
	assert_non_null(strstr(f->err.text, "layout 3."));
	assert_non_null(strstr(f->err.text, "this program has 2."));
	munmap(h, PAGE);
	close(fd);
}

/* A table that cannot be is refused, and stays. */
static void test_damaged(void **state)
{
	static const struct {
		const char *seg;
		off_t len;
	} cut[] = {{"ev.0", 100000},
	           {"mlog", 4096},
	           {"key", 8},
	           {"proc", 4096},
	           {"tbl", 3000000}};
	struct fix *f = *state;
	size_t i, size, left;
	char *before, *after;

	before = slurp(path_of(f, "tbl"), &size);
	for (i = 0; i < ARRAY_SIZE(cut); i++) {
		assert_int_equal(truncate(path_of(f, cut[i].seg), cut[i].len),
		                 0);
		assert_true(migrate(f) < 0);
		assert_int_equal(f->err.exit_code, 4);
		after = slurp(path_of(f, "tbl"), &left);
		assert_memory_equal(before, after, left);
		munmap(after, left);
		fixture(f);
		munmap(before, size);
		before = slurp(path_of(f, "tbl"), &size);
	}
	munmap(before, size);
}

/* Whatever stands in the old segments: an end, and no way out of bounds. */
static void test_noise(void **state)
{
	struct fix *f = *state;
	size_t size;
	char *m;
	int fd = open(path_of(f, "tbl"), O_RDWR), i, k;
	uint64_t r = 88172645463325252ull;
	struct migration g;

	m = slurp(path_of(f, "tbl"), &size);
	munmap(m, size);
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(m != MAP_FAILED);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < 20000; k++) {
			r ^= r << 13;
			r ^= r >> 7;
			r ^= r << 17;
			m[PAGE + r % (size - PAGE)] = (char)(r >> 56);
		}
		if (migrate_open(&g, &f->p, &f->err) == 1)
			migrate_convert(&g, &f->err);
		migrate_close(&g);
	}
	munmap(m, size);
	close(fd);
}

/* ---- killed at every system call ---- */

static pid_t traced(struct fix *f)
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(migrate(f) ? 1 : 0);
	}
	return pid;
}

/* Lets a migration go on for `calls` system calls and kills it; false: it was
 * over before. */
static bool killed_after(struct fix *f, unsigned int calls)
{
	unsigned int i;
	int status = 0;
	pid_t pid = traced(f);

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (i = 0; i < calls && WIFSTOPPED(status); i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	if (!WIFSTOPPED(status)) {
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
		return false;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

static void test_killed(void **state)
{
	struct fix *f = *state;
	unsigned int calls, kills = 0, switched = 0;
	size_t size;
	struct header1 *old = slurp(path_of(f, "tbl"), &size);
	uint32_t *now;
	size_t n;

	for (calls = 1;; calls += switched ? 5 : 29) {
		if (!killed_after(f, calls))
			break;
		kills++;
		now = slurp(path_of(f, "tbl"), &n);
		if (((struct header1 *)(void *)now)->major == 1) {
			/* the old one is whole */
			assert_int_equal(n, size);
			assert_memory_equal(now, old, size);
			munmap(now, n);
			continue;
		}
		munmap(now, n);
		switched++;
		/* the next start ends what was begun */
		assert_int_equal(migrate(f), 0);
		table_whole(f, old);
		munmap(old, size);
		fixture(f);
		old = slurp(path_of(f, "tbl"), &size);
	}
	table_whole(f, old);
	munmap(old, size);
	assert_true(kills > 40 && switched > 5);
}

/* nobody may write to what is being read */
static void test_alive(void **state)
{
	struct fix *f = *state;
	uint32_t token = (uint32_t)getpid();
	int fd = open(path_of(f, "proc"), O_RDWR);

	assert_int_equal(pwrite(fd, &token, sizeof(token), 5 * PAGE),
	                 sizeof(token));
	assert_int_equal(migrate(f), -EBUSY);
	token |= 0x40000000; /* its owner died */
	assert_int_equal(pwrite(fd, &token, sizeof(token), 5 * PAGE),
	                 sizeof(token));
	close(fd);
	assert_int_equal(migrate(f), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fix_open, fix_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(test_whole), T(test_refused), T(test_damaged),
		T(test_noise), T(test_killed),  T(test_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

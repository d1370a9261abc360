/*
 * fuzz_adopt.c - segment files that somebody else has written to.
 *
 * Files of a small table are damaged or cut, in their headers above all, then
 * adopted as a daemon does at its start: refused with a reason, or mapped and
 * sound enough to be read, checked, merged, and worked on.  A damaged header
 * may have a right sum: then it was no accident, but is refused all the same.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/api/merge.h"
#include "shm/check.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "shm/region.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/keys.h"

#define NFILES 7u
#define NAME   "ctshardd.00000000"

static char dir[256];
static struct file {
	const char *suffix;
	char path[300];
	uint8_t *map, *image;
	size_t len, cut;
	int fd;
} file[NFILES] = {{.suffix = "tbl"},  {.suffix = "proc"}, {.suffix = "mlog"},
                  {.suffix = "pol"},  {.suffix = "key"},  {.suffix = "ev.0"},
                  {.suffix = "ev.64"}};

static struct region_params params = {.dir = dir,
                                      .name = NAME,
                                      .max = 1,
                                      .nworker = 1,
                                      .ring_bytes = 1 << 13,
                                      .log_bytes = 1 << 14,
                                      .detail = true,
                                      .clock_mode = CLOCK_CAPTURE};

static void clean_up(void)
{
	region_remove(dir, NAME);
	rmdir(dir);
}

static void populate(void)
{
	struct region_error err = {0, ""};
	struct conn_lookup k;
	struct table t;
	struct region r;
	uint32_t n;

	fuzz_check(!region_create(&r, &params, &err), "%s", err.text);
	fuzz_check(!region_map(&r, &t, REGION_ALL, 0, &err), "%s", err.text);
	fuzz_check(!proc_attach(&t, 0, 0), "slot");
	for (n = 0; n < 20; n++) {
		k = key_make(&t, n, n & 1, (uint8_t)(n & 3));
		fuzz_check(conn_put(&t, &k), "key %u", n);
	}
	proc_detach(&t);
	region_unmap(&t);
	region_close(&r);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp = getenv("TMPDIR");
	struct file *f;
	struct stat st;

	(void)argc;
	(void)argv;
	snprintf(dir, sizeof(dir), "%s/ctshardd-adopt.XXXXXX",
	         tmp && *tmp ? tmp : "/tmp");
	fuzz_check(mkdtemp(dir), "%s", dir);
	atexit(clean_up);
	populate();
	for (f = file; f < file + NFILES; f++) {
		snprintf(f->path, sizeof(f->path), "%s/%s.%s", dir, NAME,
		         f->suffix);
		f->fd = open(f->path, O_RDWR | O_CLOEXEC);
		fuzz_check(f->fd >= 0 && !fstat(f->fd, &st), "%s", f->path);
		f->len = (size_t)st.st_size;
		f->map = mmap(NULL, f->len, PROT_READ | PROT_WRITE, MAP_SHARED,
		              f->fd, 0);
		fuzz_check(f->map != MAP_FAILED, "mmap");
		f->image = fuzz_copy(f->map, f->len);
	}
	return 0;
}

static uint64_t sum_of(const uint8_t *b, size_t len)
{
	uint64_t s = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < len; i++)
		s = (s ^ b[i]) * 0x100000001b3ull;
	return s;
}

/* what: 7 file, 8 beyond the first page, 0x30 how, 0x40 cut, 0x80 right sum */
static void damage(struct fuzz_in *in)
{
	uint8_t what = fuzz8(in);
	struct file *f = &file[what % 8 < NFILES ? what % 8 : 0];
	size_t room = what & 8 ? f->len : sizeof(struct tbl_header);
	size_t at = fuzz16(in) % (room < f->len ? room : f->len) & ~3ul;
	struct tbl_header *h = (struct tbl_header *)(void *)file[0].map;
	uint32_t v;

	memcpy(&v, f->map + at, 4);
	switch (what >> 4 & 3) {
	case 0:
		v = fuzz32(in);
		break;
	case 1:
		v ^= 1u << (fuzz8(in) & 31);
		break;
	case 2:
		v += (uint32_t)(int8_t)fuzz8(in);
		break;
	default:
		v = fuzz8(in);
	}
	memcpy(f->map + at, &v, 4);
	if (what & 0x80)
		h->sum = sum_of(file[0].map, offsetof(struct tbl_header, sum));
	if (what & 0x40)
		f->cut = fuzz16(in) % (f->len + 1);
}

static void cut(void)
{
	struct file *f;

	for (f = file; f < file + NFILES; f++) {
		if (f->cut)
			fuzz_check(!ftruncate(f->fd, (off_t)f->cut),
			           "ftruncate");
		f->cut = 0;
	}
}

static void use(struct table *t)
{
	static struct merge m;
	struct conn_walk w = {0, 0};
	struct conn_lookup k;
	struct conn_view v;
	uint32_t sh, n;

	for (sh = 0; sh < 4; sh++) {
		shard_check(t, sh, NULL, NULL, NULL);
		for (n = 1; n < t->cap; n++)
			/* a reader waits for what is torn */
			if (table_conn(t, sh, n)->seq & 1)
				return;
	}
	rings_check(t, NULL, NULL);
	for (n = 0; n < 100 && conn_walk(t, &w, &v); n++)
		;
	table_count(t);
	if (proc_attach(t, 0, 0))
		return;
	rcud_enter(t);
	rcud_leave(t);
	for (n = 0; n < 8; n++) {
		k = key_make(t, n, n & 1, (uint8_t)(4 + n % 4));
		conn_put(t, &k);
		conn_bump(t, &k);
	}
	proc_detach(t);
	merge_open(&m, t);
	merge_step(&m, 64, UINT64_MAX);
}

static void restore(void)
{
	struct file *f;
	size_t at;

	for (f = file; f < file + NFILES; f++) {
		fuzz_check(!ftruncate(f->fd, (off_t)f->len), "ftruncate");
		for (at = 0; at < f->len; at += PAGE)
			if (memcmp(f->map + at, f->image + at, PAGE))
				memcpy(f->map + at, f->image + at, PAGE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct region_error err = {0, ""};
	struct fuzz_in in = {data, size};
	struct table t;
	struct region r;
	uint32_t n;
	int e;

	for (n = 0; in.left && n < 8; n++)
		damage(&in);
	cut();
	e = region_adopt(&r, &params, &err);
	if (e) {
		fuzz_check(e < 0 && err.exit_code && *err.text,
		           "refused without a reason");
	} else {
		memset(&t, 0, sizeof(t));
		if (!region_map(&r, &t, REGION_ALL, 0, &err))
			use(&t);
		else
			fuzz_check(*err.text, "not mapped without a reason");
		region_unmap(&t);
		region_close(&r);
	}
	restore();
	return 0;
}

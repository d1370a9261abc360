/* region.c - see region.h. */
#include "shm/region.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shm/clock.h"
#include "shm/hash.h"
#include "shm/segment.h"

#define PATH_LEN 512

int region_refuse(struct region_error *err, int r, int exit_code,
                  const char *fmt, ...)
{
	va_list ap;

	err->exit_code = exit_code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return r;
}

void region_seg_name(enum segment s, char *buf, size_t len)
{
	static const char *const names[] = {[SEG_TBL] = "tbl",
	                                    [SEG_PROC] = "proc",
	                                    [SEG_MLOG] = "mlog",
	                                    [SEG_POL] = "pol",
	                                    [SEG_KEY] = "key"};

	if (s < SEG_RING0)
		snprintf(buf, len, "%s", names[s]);
	else
		snprintf(buf, len, "ev.%u", (unsigned int)(s - SEG_RING0));
}

static void seg_path(const struct region_params *p, enum segment s,
                     const char *suffix, char *buf, size_t len)
{
	char name[16];

	region_seg_name(s, name, sizeof(name));
	snprintf(buf, len, "%s/%s.%s%s", p->dir, p->name, name, suffix);
}

static bool seg_wanted(const struct region_params *p, unsigned int s)
{
	if (s < SEG_RING0)
		return true;
	return s - SEG_RING0 < p->nworker || s - SEG_RING0 == SLOT_REAPER;
}

/* ---- geometry ---- */

struct geometry {
	uint32_t cap, nbucket, nline, ring_cells, log_slots;
	uint64_t off[AREA_COUNT], size;
};

static uint32_t root(uint64_t x)
{
	uint32_t r = 0;

	while ((uint64_t)(r + 1) * (r + 1) <= x)
		r++;
	return r;
}

static uint32_t power_below(uint64_t x)
{
	uint32_t p = 64;

	while ((uint64_t)p * 2 <= x && p < 1u << 30)
		p *= 2;
	return p;
}

/*
 * A shard's share of `max` is binomial: five standard deviations of room, or a
 * shard would refuse a connection while the table has room.  Lines hold 15
 * words and are meant to hold 8.
 */
static void geometry_of(const struct region_params *p, struct geometry *g)
{
	uint64_t m = ((uint64_t)p->max + NSHARD - 1) / NSHARD, cap, at = PAGE;
	unsigned int a;
	uint64_t len[AREA_COUNT];

	cap = m + 5 * root(m) + 32;
	if (cap > SLOT_IDX)
		cap = SLOT_IDX;
	g->cap = (uint32_t)cap;
	g->nbucket = g->cap / 8 < 4 ? 4 : g->cap / 8;
	g->nline = g->nbucket + g->nbucket / 32 + 4;
	g->ring_cells = power_below(p->ring_bytes / sizeof(struct event_cell));
	g->log_slots = power_below(p->log_bytes / sizeof(struct event_slot));
	len[AREA_SHARD] = NSHARD * sizeof(struct shard);
	len[AREA_LINE] = (uint64_t)NSHARD * g->nline * sizeof(struct line);
	len[AREA_CHK] = (uint64_t)NSHARD * g->cap * sizeof(uint32_t);
	len[AREA_CONN] = (uint64_t)NSHARD * g->cap * table_stride(p->detail);
	len[AREA_EXPECT] = sizeof(struct expect_area);
	len[AREA_ADDR6] = (uint64_t)NSHARD * g->cap * sizeof(struct addr6);
	len[AREA_EXT] = (uint64_t)NSHARD * g->cap * sizeof(struct conn_ext);
	len[AREA_TOLD] = (uint64_t)NSHARD * g->cap * sizeof(struct conn_told);
	for (a = 0; a < AREA_COUNT; a++) {
		g->off[a] = at;
		at = (at + len[a] + PAGE - 1) / PAGE * PAGE;
	}
	g->size = at;
}

void region_plan(const struct region_params *p, uint64_t size[SEG_COUNT])
{
	struct geometry g;
	unsigned int s;

	geometry_of(p, &g);
	memset(size, 0, SEG_COUNT * sizeof(size[0]));
	size[SEG_TBL] = g.size;
	size[SEG_PROC] = (uint64_t)NSLOT * PAGE;
	size[SEG_MLOG] =
		MLOG_HEADER + (uint64_t)g.log_slots * sizeof(struct event_slot);
	size[SEG_POL] =
		(sizeof(struct policy_segment) + PAGE - 1) / PAGE * PAGE;
	size[SEG_KEY] = PAGE;
	for (s = SEG_RING0; s < SEG_COUNT; s++)
		if (seg_wanted(p, s))
			size[s] =
				RING_HEADER + (uint64_t)g.ring_cells *
						      sizeof(struct event_cell);
}

uint64_t region_at_once(const struct region_params *p)
{
	struct geometry g;

	geometry_of(p, &g);
	return g.off[AREA_ADDR6];
}

uint64_t region_bytes_per_conn(const struct region_params *p, bool v6)
{
	struct geometry g;
	uint64_t n;

	geometry_of(p, &g);
	n = g.off[AREA_ADDR6];
	if (v6)
		n = g.off[AREA_EXT];
	return (n + p->max - 1) / p->max;
}

/* ---- header ---- */

static unsigned int hex_digit(char c)
{
	return c <= '9' ? (unsigned int)(c - '0')
	                : (unsigned int)(c | 0x20) - 'a' + 10;
}

static void boot_id(uint8_t id[16])
{
	char text[64] = "";
	const char *c = text;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	unsigned int n = 0;

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	for (; *c && n < 16; c++) {
		if (*c == '-')
			continue;
		if (!isxdigit((unsigned char)c[0]) ||
		    !isxdigit((unsigned char)c[1]))
			return;
		id[n++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
		c++;
	}
}

static uint64_t header_sum(const struct tbl_header *h)
{
	const uint8_t *b = (const uint8_t *)h;
	uint64_t s = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < offsetof(struct tbl_header, sum); i++)
		s = (s ^ b[i]) * 0x100000001b3ull;
	return s;
}

void region_seal(struct tbl_header *h)
{
	h->sum = header_sum(h);
}

int region_write_keys(const struct region *r, const void *keys, size_t len,
                      struct region_error *err)
{
	if (pwrite(r->fd[SEG_KEY], keys, len, 0) == (ssize_t)len)
		return 0;
	return region_refuse(err, -EIO, 1, "segment key: %s", strerror(errno));
}

static int header_fill(struct tbl_header *h, const struct region_params *p)
{
	struct geometry g;

	geometry_of(p, &g);
	memset(h, 0, sizeof(*h));
	h->magic = TBL_MAGIC;
	h->major = LAYOUT_MAJOR;
	h->minor = LAYOUT_MINOR;
	h->layout = layout_hash();
	h->endian = 0x01020304;
	h->page = PAGE;
	boot_id(h->boot_id);
	if (getrandom(h->uuid, sizeof(h->uuid), 0) != sizeof(h->uuid))
		return -EIO;
	h->size = g.size;
	h->nshard = NSHARD;
	h->cap = g.cap;
	h->nbucket = g.nbucket;
	h->nline = g.nline;
	h->max = p->max;
	h->detail = p->detail;
	h->hash_id = HASH_NH;
	h->sparse = !p->dir;
	h->nworker = p->nworker;
	h->ring_cells = g.ring_cells;
	h->log_slots = g.log_slots;
	h->clock_mode = p->clock_mode;
	memcpy(h->off, g.off, sizeof(h->off));
	h->t0_real_ns = p->clock_mode == CLOCK_LIVE ? clock_real_ns() : 0;
	h->t0_mono_ns = clock_mono_ns();
	h->source_id = p->source_id;
	h->generation = 1;
	h->sum = header_sum(h);
	return 0;
}

static void shards_fill(char *tbl, const struct tbl_header *h)
{
	struct shard *q = (struct shard *)(void *)(tbl + h->off[AREA_SHARD]);
	struct expect_area *x =
		(struct expect_area *)(void *)(tbl + h->off[AREA_EXPECT]);
	uint32_t i;

	x->shard.bump[0] = 1;
	x->shard.bump[1] = EXPECT_ROOM - 1;
	x->shard.ovf_bump = EXPECT_BUCKET;
	x->shard.addr6_ready = EXPECT_ROOM;
	x->shard.ext_bump = 1;

	for (i = 0; i < h->nshard; i++) {
		q[i].bump[0] = 1;
		q[i].bump[1] = h->cap - 1;
		q[i].ovf_bump = h->nbucket;
		q[i].addr6_ready = h->sparse ? h->cap : 0;
		q[i].ext_bump = 1;
		q[i].ext_ready = h->sparse ? h->cap : 0;
	}
}

/* ---- creation ---- */

static int seg_allocate(int fd, const struct region_params *p, unsigned int s,
                        uint64_t size, struct region_error *err)
{
	struct geometry g;
	struct statvfs vfs;
	char name[16];
	int r;

	geometry_of(p, &g);
	region_seg_name(s, name, sizeof(name));
	if (ftruncate(fd, (off_t)size))
		return region_refuse(err, -errno, 1,
		                     "segment %s of %llu bytes: %s", name,
		                     (unsigned long long)size, strerror(errno));
	if (!p->dir)
		return 0;
	/* what is touched must exist: a full tmpfs is told here, not as a
	 * SIGBUS in the packet path.  IPv6 addresses and extension records get
	 * memory as they come */
	r = posix_fallocate(fd, 0,
	                    (off_t)(s == SEG_TBL ? g.off[AREA_ADDR6] : size));
	if (!r)
		return 0;
	memset(&vfs, 0, sizeof(vfs));
	fstatvfs(fd, &vfs);
	return region_refuse(err, -r, 1,
	                     "%s: no room for segment %s of %llu MiB (%llu MiB "
	                     "free): %s; make it larger or set a smaller max, "
	                     "event.ring, event.log",
	                     p->dir, name, (unsigned long long)(size >> 20),
	                     (unsigned long long)vfs.f_bavail * vfs.f_frsize >>
	                             20,
	                     strerror(r));
}

static int seg_open_new(const struct region_params *p, unsigned int s,
                        struct region_error *err)
{
	char path[PATH_LEN], name[16];
	int fd;

	if (!p->dir) {
		region_seg_name(s, name, sizeof(name));
		fd = memfd_create(name, MFD_CLOEXEC);
		snprintf(path, sizeof(path), "memfd %s", name);
	} else {
		seg_path(p, s, ".new", path, sizeof(path));
		unlink(path);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		          s == SEG_KEY || s == SEG_PROC || s == SEG_POL ? 0600
		                                                        : 0640);
	}
	if (fd < 0)
		return region_refuse(err, -errno, 1, "%s: %s", path,
		                     strerror(errno));
	return fd;
}

static int seg_reopen_ro(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int seg_fill(int fd, const struct region_params *p, unsigned int s,
                    uint64_t size, struct tbl_header *head,
                    struct region_error *err)
{
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct geometry g;
	int r = 0;

	if (m == MAP_FAILED)
		return region_refuse(err, -errno, 1, "mmap: %s",
		                     strerror(errno));
	geometry_of(p, &g);
	if (s == SEG_TBL) {
		struct tbl_header *h = (struct tbl_header *)(void *)m;

		r = header_fill(h, p);
		shards_fill(m, h);
		h->state = SEG_READY;
		*head = *h;
	} else if (s == SEG_KEY) {
		r = getrandom(m, sizeof(struct key_segment), 0) ==
		                    sizeof(struct key_segment)
		            ? 0
		            : -EIO;
	} else if (s == SEG_POL) {
		struct policy_segment *pol = (struct policy_segment *)(void *)m;

		pol->epoch = 1;
		pol->retired[0] = RETIRED_NO;
	} else if (s == SEG_MLOG) {
		struct mlog_header *h = (struct mlog_header *)(void *)m;
		unsigned int i;

		for (i = 0; i < NSTREAM; i++)
			h->next[i] = 1;
		/* from a capture no line is lost, from the first on */
		h->lossless = p->clock_mode == CLOCK_CAPTURE;
	} else if (s >= SEG_RING0) {
		((struct ring_header *)(void *)m)->ncells = g.ring_cells;
	}
	munmap(m, size);
	if (r)
		return region_refuse(err, r, 1, "no random numbers: %s",
		                     strerror(-r));
	return 0;
}

static int seg_create(struct region *r, const struct region_params *p,
                      unsigned int s, uint64_t size, struct region_error *err)
{
	int e, fd = seg_open_new(p, s, err);

	if (fd < 0)
		return fd;
	r->fd[s] = fd;
	r->size[s] = size;
	e = seg_allocate(fd, p, s, size, err);
	if (!e)
		e = seg_fill(fd, p, s, size, &r->head, err);
	if (e)
		return e;
	r->fd_ro[s] = seg_reopen_ro(fd);
	if (r->fd_ro[s] < 0)
		return region_refuse(err, -errno, 1, "segment: %s",
		                     strerror(errno));
	return 0;
}

static int seg_publish(const struct region_params *p, unsigned int s,
                       struct region_error *err)
{
	char from[PATH_LEN], to[PATH_LEN];

	seg_path(p, s, ".new", from, sizeof(from));
	seg_path(p, s, "", to, sizeof(to));
	if (rename(from, to))
		return region_refuse(err, -errno, 1, "%s: %s", to,
		                     strerror(errno));
	return 0;
}

void region_init(struct region *r)
{
	unsigned int s;

	for (s = 0; s < SEG_COUNT; s++) {
		r->fd[s] = r->fd_ro[s] = -1;
		r->size[s] = 0;
	}
	memset(&r->head, 0, sizeof(r->head));
}

static int segments_remove(const char *dir, const char *name)
{
	struct region_params p = {.dir = dir, .name = name};
	static const char *const suffix[] = {"", ".new", ".bad"};
	char path[PATH_LEN];
	unsigned int s, i;
	int n = 0;

	for (s = 0; s < SEG_COUNT; s++)
		for (i = 0; i < ARRAY_SIZE(suffix); i++) {
			seg_path(&p, s, suffix[i], path, sizeof(path));
			n += unlink(path) == 0;
		}
	return n;
}

/* What a migration has left beside segments that are going to be others. */
static void aside_remove(const struct region_params *p)
{
	char name[64];

	snprintf(name, sizeof(name), "%s" REGION_SWITCH, p->name);
	segments_remove(p->dir, name);
	snprintf(name, sizeof(name), "%s" REGION_ASIDE, p->name);
	segments_remove(p->dir, name);
}

int region_create(struct region *r, const struct region_params *p,
                  struct region_error *err)
{
	uint64_t size[SEG_COUNT];
	char path[PATH_LEN];
	unsigned int s;
	int e = 0;

	region_init(r);
	if (p->dir)
		aside_remove(p);
	region_plan(p, size);
	for (s = 0; s < SEG_COUNT && !e; s++)
		if (seg_wanted(p, s))
			e = seg_create(r, p, s, size[s], err);
	/* the table last: where it is, all are */
	for (s = SEG_COUNT; s-- > 0 && !e && p->dir;)
		if (seg_wanted(p, s))
			e = seg_publish(p, s, err);
	if (!e)
		return 0;
	region_close(r);
	for (s = 0; s < SEG_COUNT && p->dir; s++) {
		seg_path(p, s, ".new", path, sizeof(path));
		unlink(path);
	}
	return e;
}

/* ---- adoption ---- */

static void hex16(const uint8_t b[16], char out[33])
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
}

#define RESET_HINT "; --reset-table sets it aside and starts afresh"

static int header_check(const struct tbl_header *h, uint64_t size,
                        const char *path, struct region_error *err)
{
	uint8_t boot[16];
	char a[33], b[33];

	if (size < sizeof(*h) || h->magic != TBL_MAGIC)
		return region_refuse(
			err, -EINVAL, 4,
			"%s: magic %016llx, not %016llx" RESET_HINT, path,
			size < 8 ? 0ull : (unsigned long long)h->magic,
			(unsigned long long)TBL_MAGIC);
	if (h->endian != 0x01020304 || h->page != PAGE)
		return region_refuse(err, -EINVAL, 4,
		                     "%s: byte order %08x, page %u, not %08x, "
		                     "%u" RESET_HINT,
		                     path, h->endian, h->page, 0x01020304,
		                     PAGE);
	if (h->major != LAYOUT_MAJOR || h->layout != layout_hash())
		return region_refuse(
			err, -EINVAL, 4,
			"%s: layout %u.%016llx, this program has "
			"%u.%016llx" RESET_HINT,
			path, h->major, (unsigned long long)h->layout,
			LAYOUT_MAJOR, (unsigned long long)layout_hash());
	if (h->sum != header_sum(h) || h->state != SEG_READY)
		return region_refuse(err, -EINVAL, 4,
		                     "%s: header damaged, sum %016llx, not "
		                     "%016llx" RESET_HINT,
		                     path, (unsigned long long)h->sum,
		                     (unsigned long long)header_sum(h));
	if (size < h->size)
		return region_refuse(
			err, -EINVAL, 4,
			"%s: cut short, %llu bytes of %llu" RESET_HINT, path,
			(unsigned long long)size, (unsigned long long)h->size);
	boot_id(boot);
	hex16(h->boot_id, a);
	hex16(boot, b);
	if (memcmp(h->boot_id, boot, sizeof(boot)))
		return region_refuse(
			err, -ESTALE, 4,
			"%s: made in boot %s, this is boot %s" RESET_HINT, path,
			a, b);
	return 0;
}

static int capture_check(const struct tbl_header *h,
                         const struct region_params *p, const char *path,
                         struct region_error *err)
{
	if (h->clock_mode != (uint32_t)p->clock_mode)
		return region_refuse(
			err, -EINVAL, 4,
			"%s: made from %s, asked for %s" RESET_HINT, path,
			h->clock_mode ? "captures" : "live interfaces",
			p->clock_mode ? "captures" : "live interfaces");
	if (p->clock_mode != CLOCK_CAPTURE)
		return 0;
	if (h->source_id != p->source_id)
		return region_refuse(
			err, -EINVAL, 4,
			"%s: made from captures %016llx, asked for "
			"%016llx" RESET_HINT,
			path, (unsigned long long)h->source_id,
			(unsigned long long)p->source_id);
	if (h->nworker != p->nworker)
		return region_refuse(
			err, -EINVAL, 4,
			"%s: made by %u workers, asked for %u; their "
			"positions in the captures do not fit" RESET_HINT,
			path, h->nworker, p->nworker);
	return 0;
}

static int seg_open_old(struct region *r, const struct region_params *p,
                        unsigned int s, int how, struct region_error *err)
{
	char path[PATH_LEN];
	struct stat st;

	seg_path(p, s, "", path, sizeof(path));
	r->fd[s] = open(path, how | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd[s] < 0)
		return region_refuse(err, -errno, errno == EACCES ? 1 : 4,
		                     "%s: %s%s", path, strerror(errno),
		                     RESET_HINT);
	if (fstat(r->fd[s], &st) || !S_ISREG(st.st_mode))
		return region_refuse(err, -EINVAL, 4,
		                     "%s: not a file" RESET_HINT, path);
	r->size[s] = (uint64_t)st.st_size;
	r->fd_ro[s] = seg_reopen_ro(r->fd[s]);
	return r->fd_ro[s] < 0 ? region_refuse(err, -errno, 1, "%s: %s", path,
	                                       strerror(errno))
	                       : 0;
}

/* The sum finds accidents.  But no process walks by a geometry that this
 * program would not have made of the same parameters. */
static int geometry_check(const struct tbl_header *h,
                          const struct region_params *made, const char *path,
                          struct region_error *err)
{
	struct geometry g;

	if (h->max)
		geometry_of(made, &g);
	if (h->max && h->nshard == NSHARD && h->hash_id == HASH_NH &&
	    !h->sparse && h->cap == g.cap && h->nbucket == g.nbucket &&
	    h->nline == g.nline && h->ring_cells == g.ring_cells &&
	    h->log_slots == g.log_slots && h->size == g.size &&
	    !memcmp(h->off, g.off, sizeof(g.off)))
		return 0;
	return region_refuse(
		err, -EINVAL, 4,
		"%s: %u entries a shard in %llu bytes is not what a "
		"max of %u makes" RESET_HINT,
		path, h->cap, (unsigned long long)h->size, h->max);
}

static int adopt_header(struct region *r, const struct region_params *p,
                        struct region_params *old, struct region_error *err)
{
	struct tbl_header *h;
	char path[PATH_LEN];
	int e;

	seg_path(p, SEG_TBL, "", path, sizeof(path));
	if (r->size[SEG_TBL] < PAGE)
		return region_refuse(err, -EINVAL, 4,
		                     "%s: cut short, %llu bytes of at least "
		                     "%u" RESET_HINT,
		                     path, (unsigned long long)r->size[SEG_TBL],
		                     PAGE);
	h = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd[SEG_TBL],
	         0);
	if (h == MAP_FAILED)
		return region_refuse(err, -errno, 1, "%s: %s", path,
		                     strerror(errno));
	e = header_check(h, r->size[SEG_TBL], path, err);
	if (!e)
		e = capture_check(h, p, path, err);
	if (!e) {
		*old = *p;
		old->max = h->max;
		old->detail = h->detail;
		old->ring_bytes =
			(uint64_t)h->ring_cells * sizeof(struct event_cell);
		old->log_bytes =
			(uint64_t)h->log_slots * sizeof(struct event_slot);
		e = geometry_check(h, old, path, err);
	}
	if (!e) {
		h->nworker = p->nworker;
		h->generation++;
		r->head = *h;
	}
	munmap(h, PAGE);
	return e;
}

int region_adopt(struct region *r, const struct region_params *p,
                 struct region_error *err)
{
	struct region_params old = *p;
	uint64_t size[SEG_COUNT];
	char path[PATH_LEN], name[16];
	unsigned int s;
	int e;

	region_init(r);
	seg_path(p, SEG_TBL, "", path, sizeof(path));
	if (access(path, F_OK))
		return -ENOENT;
	e = seg_open_old(r, p, SEG_TBL, O_RDWR, err);
	if (!e)
		e = adopt_header(r, p, &old, err);
	if (e)
		goto bad;
	region_plan(&old, size);
	for (s = SEG_TBL + 1; s < SEG_COUNT; s++) {
		seg_path(p, s, "", path, sizeof(path));
		if (s >= SEG_RING0 && access(path, F_OK)) {
			/* more workers than before */
			if (!seg_wanted(p, s))
				continue;
			e = seg_create(r, &old, s, size[s], err);
			if (!e)
				e = seg_publish(p, s, err);
		} else {
			e = seg_open_old(r, p, s, O_RDWR, err);
			region_seg_name(s, name, sizeof(name));
			if (!e && r->size[s] < size[s])
				e = region_refuse(
					err, -EINVAL, 4,
					"%s: cut short, %llu bytes of "
					"%llu" RESET_HINT,
					path, (unsigned long long)r->size[s],
					(unsigned long long)size[s]);
		}
		if (e)
			goto bad;
	}
	return 0;
bad:
	region_close(r);
	return e;
}

/* the header as it stands, into *h */
static int inspect_header(struct region *r, const struct region_params *p,
                          struct tbl_header *h, struct region_error *err)
{
	char path[PATH_LEN];
	int e;

	seg_path(p, SEG_TBL, "", path, sizeof(path));
	if (r->size[SEG_TBL] < PAGE ||
	    pread(r->fd[SEG_TBL], h, sizeof(*h), 0) != sizeof(*h))
		return region_refuse(err, -EINVAL, 4,
		                     "%s: cut short, %llu bytes of at least %u",
		                     path, (unsigned long long)r->size[SEG_TBL],
		                     PAGE);
	e = header_check(h, r->size[SEG_TBL], path, err);
	return e == -ESTALE ? 0 : e;
}

int region_inspect(struct region *r, const struct region_params *p,
                   struct region_error *err)
{
	struct region_params old = *p;
	uint64_t size[SEG_COUNT];
	struct tbl_header h = {0};
	char path[PATH_LEN];
	unsigned int s;
	int e;

	region_init(r);
	seg_path(p, SEG_TBL, "", path, sizeof(path));
	if (access(path, F_OK))
		return -ENOENT;
	e = seg_open_old(r, p, SEG_TBL, O_RDONLY, err);
	if (!e)
		e = inspect_header(r, p, &h, err);
	if (e)
		goto bad;
	old.max = h.max;
	old.detail = h.detail;
	old.nworker = h.nworker;
	old.ring_bytes = (uint64_t)h.ring_cells * sizeof(struct event_cell);
	old.log_bytes = (uint64_t)h.log_slots * sizeof(struct event_slot);
	r->head = h;
	region_plan(&old, size);
	for (s = SEG_TBL + 1; s < SEG_COUNT; s++) {
		seg_path(p, s, "", path, sizeof(path));
		if (s >= SEG_RING0 && !seg_wanted(&old, s) &&
		    access(path, F_OK))
			continue;
		e = seg_open_old(r, p, s, O_RDONLY, err);
		if (!e && r->size[s] < size[s])
			e = region_refuse(err, -EINVAL, 4,
			                  "%s: cut short, %llu bytes of %llu",
			                  path, (unsigned long long)r->size[s],
			                  (unsigned long long)size[s]);
		if (e)
			goto bad;
	}
	return 0;
bad:
	region_close(r);
	return e;
}

int region_set_aside(const struct region_params *p, struct region_error *err)
{
	char from[PATH_LEN], to[PATH_LEN];
	unsigned int s;

	aside_remove(p);
	for (s = 0; s < SEG_COUNT; s++) {
		seg_path(p, s, "", from, sizeof(from));
		seg_path(p, s, ".bad", to, sizeof(to));
		if (rename(from, to) && errno != ENOENT)
			return region_refuse(err, -errno, 1, "%s: %s", to,
			                     strerror(errno));
	}
	return 0;
}

int region_remove(const char *dir, const char *name)
{
	struct region_params p = {.dir = dir, .name = name};
	int n = segments_remove(dir, name);

	aside_remove(&p);
	return n;
}

void region_close(struct region *r)
{
	unsigned int s;

	for (s = 0; s < SEG_COUNT; s++) {
		if (r->fd[s] >= 0)
			close(r->fd[s]);
		if (r->fd_ro[s] >= 0)
			close(r->fd_ro[s]);
		r->fd[s] = r->fd_ro[s] = -1;
	}
}

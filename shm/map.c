/* map.c - segments handed over exec, and mapped by a role.  See region.h. */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- over exec ---- */

#define HEAD_TEXT (sizeof(",head=") + 2 * sizeof(struct tbl_header))

static bool seg_writable(enum region_access access, unsigned int s)
{
	switch (access) {
	case REGION_WORKER:
	case REGION_REAPER:
		return s == SEG_TBL || s == SEG_PROC || s >= SEG_RING0;
	case REGION_API:
		return s == SEG_PROC || s == SEG_MLOG;
	case REGION_RECORDER:
		return s == SEG_PROC;
	case REGION_SUPERVISOR:
		return s == SEG_PROC || s == SEG_POL;
	default:
		return true;
	}
}

static int head_export(const struct tbl_header *head, char *buf, size_t len)
{
	const uint8_t *b = (const uint8_t *)head;
	size_t i;

	if (len < HEAD_TEXT)
		return -ENOSPC;
	buf += snprintf(buf, len, ",head=");
	for (i = 0; i < sizeof(*head); i++)
		buf += snprintf(buf, 3, "%02x", b[i]);
	return 0;
}

static int head_import(struct tbl_header *head, const char *text)
{
	uint8_t *b = (uint8_t *)head;
	char two[3] = "";
	size_t i;

	if (strspn(text, "0123456789abcdef") != 2 * sizeof(*head) ||
	    text[2 * sizeof(*head)])
		return -EINVAL;
	for (i = 0; i < sizeof(*head); i++) {
		memcpy(two, text + 2 * i, 2);
		b[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return 0;
}

int region_export(const struct region *r, enum region_access access, char *buf,
                  size_t len)
{
	unsigned int s;
	size_t n = 0;

	buf[0] = 0;
	for (s = 0; s < SEG_COUNT; s++) {
		int fd = seg_writable(access, s) ? r->fd[s] : r->fd_ro[s];
		char name[16];
		int k;

		if (fd < 0)
			continue;
		if (fcntl(fd, F_SETFD, 0))
			return -errno;
		region_seg_name(s, name, sizeof(name));
		k = snprintf(buf + n, len - n, "%s%s=%d", n ? "," : "", name,
		             fd);
		if (k < 0 || (size_t)k >= len - n)
			return -ENOSPC;
		n += (size_t)k;
	}
	return head_export(&r->head, buf + n, len - n);
}

/* "NAME=" at *text: which segment, SEG_COUNT if none; *text goes behind it */
static unsigned int seg_of_name(const char **text)
{
	char name[16];
	unsigned int s;
	size_t n;

	for (s = 0; s < SEG_COUNT; s++) {
		region_seg_name(s, name, sizeof(name));
		n = strlen(name);
		if (!strncmp(*text, name, n) && (*text)[n] == '=') {
			*text += n + 1;
			break;
		}
	}
	return s;
}

int region_import(struct region *r, const char *text)
{
	region_init(r);
	while (*text) {
		unsigned int s;
		struct stat st;
		char *end;
		long fd;

		if (!strncmp(text, "head=", 5))
			return head_import(&r->head, text + 5);
		s = seg_of_name(&text);

		if (s == SEG_COUNT)
			return -EINVAL;
		fd = strtol(text, &end, 10);
		if (end == text || (*end && *end != ','))
			return -EINVAL;
		if (fd < 0 || fd > INT_MAX || fstat((int)fd, &st))
			return -EBADF;
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		r->fd[s] = (int)fd;
		r->size[s] = (uint64_t)st.st_size;
		text = *end ? end + 1 : end;
	}
	return 0;
}

/* ---- mapping ---- */

/* how a segment is mapped */
enum seg_mode { SEG_RO, SEG_RW, SEG_COPY };

static int mode_prot(enum seg_mode mode)
{
	return mode == SEG_RO ? PROT_READ : PROT_READ | PROT_WRITE;
}

static int mode_flags(enum seg_mode mode)
{
	return MAP_NORESERVE | (mode == SEG_COPY ? MAP_PRIVATE : MAP_SHARED);
}

static enum seg_mode seg_mode(enum region_access access, unsigned int s)
{
	if (access == REGION_COPY)
		return SEG_COPY;
	return seg_writable(access, s) ? SEG_RW : SEG_RO;
}

static void *seg_map(const struct region *r, unsigned int s, enum seg_mode mode,
                     struct region_error *err)
{
	void *m;
	char name[16];

	m = mmap(NULL, r->size[s], mode_prot(mode), mode_flags(mode), r->fd[s],
	         0);
	if (m != MAP_FAILED)
		return m;
	region_seg_name(s, name, sizeof(name));
	region_refuse(err, -errno, 1, "mapping segment %s: %s", name,
	              strerror(errno));
	return NULL;
}

#define HUGE_PAGE (2ul << 20)

/* the table at an address where huge pages can begin */
static char *seg_map_aligned(const struct region *r, unsigned int s,
                             enum seg_mode mode, struct region_error *err)
{
	uint64_t len = r->size[s];
	char *room, *m, *at;

	room = mmap(NULL, len + HUGE_PAGE, PROT_NONE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return seg_map(r, s, mode, err);
	at = room + (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
	m = mmap(at, len, mode_prot(mode), mode_flags(mode) | MAP_FIXED,
	         r->fd[s], 0);
	if (m == MAP_FAILED) {
		munmap(room, len + HUGE_PAGE);
		return seg_map(r, s, mode, err);
	}
	if (at > room)
		munmap(room, (size_t)(at - room));
	len = (len + PAGE - 1) / PAGE * PAGE;
	munmap(at + len, (size_t)(room + r->size[s] + HUGE_PAGE - (at + len)));
	return m;
}

static int map_table(const struct region *r, struct table *t,
                     enum seg_mode mode, struct region_error *err)
{
	const struct tbl_header *h = &r->head;
	char *m;

	if (h->magic != TBL_MAGIC || h->size > r->size[SEG_TBL])
		return region_refuse(err, -EINVAL, 4,
		                     "segment tbl: no header, or cut short");
	m = seg_map_aligned(r, SEG_TBL, mode, err);
	if (!m)
		return -ENOMEM;
	t->hdr = (struct tbl_header *)(void *)m;
	t->size = r->size[SEG_TBL];
	t->nshard = h->nshard;
	t->cap = h->cap;
	t->nbucket = h->nbucket;
	t->nline = h->nline;
	t->max = h->max;
	t->nworker = h->nworker;
	t->log_mask = h->log_slots - 1;
	t->sparse = h->sparse;
	t->addr6_off = h->off[AREA_ADDR6];
	t->ext_off = h->off[AREA_EXT];
	t->told_off = h->off[AREA_TOLD];
	t->tbl_fd = r->fd[SEG_TBL];
	t->shard = (struct shard *)(void *)(m + h->off[AREA_SHARD]);
	t->line = (struct line *)(void *)(m + h->off[AREA_LINE]);
	t->chk = (uint32_t *)(void *)(m + h->off[AREA_CHK]);
	t->entry = m + h->off[AREA_CONN];
	t->detail = h->detail;
	t->stride = table_stride(h->detail);
	t->addr6 = (struct addr6 *)(void *)(m + h->off[AREA_ADDR6]);
	t->ext = (struct conn_ext *)(void *)(m + h->off[AREA_EXT]);
	t->told = (struct conn_told *)(void *)(m + h->off[AREA_TOLD]);
	return 0;
}

/* the handle on the expectations; what this process is goes there with each
 * lock (expect.c) */
static int map_expect(struct table *t, uint64_t off, struct region_error *err)
{
	struct expect_area *x =
		(struct expect_area *)(void *)((char *)t->hdr + off);
	struct table *e = malloc(sizeof(*e));

	if (!e)
		return region_refuse(err, -ENOMEM, 1, "no memory");
	*e = *t;
	e->shard = &x->shard;
	e->line = x->line;
	e->chk = x->chk;
	e->entry = (char *)x->entry;
	e->detail = true;
	e->stride = table_stride(true);
	e->addr6 = x->addr6;
	e->nshard = 1;
	e->shard0 = t->nshard;
	e->undo = UNDO_EXPECT;
	e->cap = EXPECT_ROOM;
	e->nbucket = EXPECT_BUCKET;
	e->nline = EXPECT_LINE;
	e->twins = true;
	e->sparse = true; /* nothing comes as it is needed */
	e->tbl_fd = -1;
	t->expect = e;
	t->expect_tag = x->tag;
	t->expect_host = x->host;
	return 0;
}

static int map_proc(const struct region *r, struct table *t,
                    enum region_access access, uint32_t slot,
                    struct region_error *err)
{
	bool all = access == REGION_SUPERVISOR || access == REGION_ALL ||
	           access == REGION_COPY;
	char *m = seg_map(r, SEG_PROC,
	                  all ? seg_mode(access, SEG_PROC) : SEG_RO, err);

	if (!m)
		return -ENOMEM;
	t->proc = (struct proc_page *)(void *)m;
	t->me = slot;
	if (all)
		return 0;
	if (mmap(m + (size_t)slot * PAGE, PAGE, PROT_READ | PROT_WRITE,
	         MAP_SHARED | MAP_FIXED, r->fd[SEG_PROC],
	         (off_t)slot * PAGE) == MAP_FAILED)
		return region_refuse(err, -errno, 1, "mapping segment proc: %s",
		                     strerror(errno));
	return 0;
}

static int map_rings(const struct region *r, struct table *t,
                     enum seg_mode mode, struct region_error *err)
{
	unsigned int i;

	for (i = 0; i < NRING; i++) {
		char *m;

		if (r->fd[SEG_RING0 + i] < 0)
			continue;
		m = seg_map(r, SEG_RING0 + i, mode, err);
		if (!m)
			return -ENOMEM;
		t->ring[i].hdr = (struct ring_header *)(void *)m;
		t->ring[i].cell =
			(struct event_cell *)(void *)(m + RING_HEADER);
		t->ring[i].mask = r->head.ring_cells - 1;
		if (r->size[SEG_RING0 + i] <
		    RING_HEADER + (uint64_t)r->head.ring_cells *
		                          sizeof(struct event_cell))
			return region_refuse(err, -EINVAL, 4,
			                     "ring %u is cut short", i);
	}
	return 0;
}

int region_map(const struct region *r, struct table *t,
               enum region_access access, uint32_t slot,
               struct region_error *err)
{
	void *m;
	int e;

	memset(t, 0, sizeof(*t));
	e = map_table(r, t, seg_mode(access, SEG_TBL), err);
	if (!e)
		e = map_proc(r, t, access, slot, err);
	if (!e)
		e = map_rings(r, t, seg_mode(access, SEG_RING0), err);
	if (e)
		return e;
	m = seg_map(r, SEG_MLOG, seg_mode(access, SEG_MLOG), err);
	if (!m)
		return -ENOMEM;
	t->mlog = m;
	t->log = (struct event_slot *)(void *)((char *)m + MLOG_HEADER);
	m = seg_map(r, SEG_POL, seg_mode(access, SEG_POL), err);
	if (!m)
		return -ENOMEM;
	t->policy = m;
	if (r->fd[SEG_KEY] < 0)
		return map_expect(t, r->head.off[AREA_EXPECT], err);
	m = seg_map(r, SEG_KEY, SEG_RO, err);
	if (!m)
		return -ENOMEM;
	memcpy(&t->key, m, sizeof(t->key));
	munmap(m, r->size[SEG_KEY]);
	return map_expect(t, r->head.off[AREA_EXPECT], err);
}

void region_unmap(struct table *t)
{
	uint64_t ring, log = MLOG_HEADER;
	unsigned int i;

	if (!t->hdr)
		return;
	log += (t->log_mask + 1ull) * sizeof(struct event_slot);
	for (i = 0; i < NRING; i++) {
		ring = RING_HEADER +
		       (t->ring[i].mask + 1ull) * sizeof(struct event_cell);
		if (t->ring[i].hdr)
			munmap(t->ring[i].hdr, ring);
	}
	if (t->mlog)
		munmap(t->mlog, log);
	if (t->policy)
		munmap(t->policy, (sizeof(struct policy_segment) + PAGE - 1) /
		                          PAGE * PAGE);
	if (t->proc)
		munmap(t->proc, (size_t)NSLOT * PAGE);
	munmap(t->hdr, t->size);
	free(t->expect);
	memset(t, 0, sizeof(*t));
}

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

bool region_collapse(struct table *t, unsigned int steps, uint64_t *at,
                     uint64_t *got)
{
	char *m = (char *)t->hdr;

	for (; steps; steps--, *at += HUGE_PAGE) {
		if (*at + HUGE_PAGE > t->addr6_off)
			return false;
		if (!madvise(m + *at, HUGE_PAGE, MADV_COLLAPSE))
			*got += HUGE_PAGE;
	}
	return true;
}

struct table *region_memory(const struct region_params *p)
{
	struct region_params q = *p;
	struct region_error err;
	struct table *t = calloc(1, sizeof(*t));
	struct region r;

	q.dir = NULL;
	if (!t)
		return NULL;
	if (region_create(&r, &q, &err)) {
		free(t);
		return NULL;
	}
	if (region_map(&r, t, REGION_ALL, 0, &err)) {
		free(t);
		t = NULL;
	} else {
		t->tbl_fd = -1;
	}
	region_close(&r);
	return t;
}

void region_memory_free(struct table *t)
{
	if (!t)
		return;
	region_unmap(t);
	free(t);
}

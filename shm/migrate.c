/* migrate.c - see migrate.h. */
#include "shm/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment.h"

#define PATH_LEN 512

static const struct migrate_step *const steps[] = {&migrate_step1};

static void seg_path(const struct region_params *p, const char *name,
                     unsigned int s, char *buf, size_t len)
{
	char seg[16];

	region_seg_name((enum segment)s, seg, sizeof(seg));
	snprintf(buf, len, "%s/%s.%s", p->dir, name, seg);
}

/* the first page of the table; false: there is none */
static bool header_read(const struct region_params *p, void *page,
                        uint64_t *size)
{
	char path[PATH_LEN];
	struct stat st;
	bool got;
	int fd;

	seg_path(p, p->name, SEG_TBL, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	got = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	      pread(fd, page, PAGE, 0) == PAGE;
	*size = got ? (uint64_t)st.st_size : 0;
	close(fd);
	return got;
}

/* magic, version and hash have stood in their places since version 1 */
static const struct migrate_step *step_of(const struct tbl_header *h)
{
	size_t i;

	for (i = 0; h->magic == TBL_MAGIC && i < ARRAY_SIZE(steps); i++)
		if (h->major == steps[i]->major &&
		    h->layout == steps[i]->layout)
			return steps[i];
	return NULL;
}

bool migrate_known(const struct region_params *p)
{
	union {
		struct tbl_header h;
		char page[PAGE];
	} u;
	uint64_t size;

	return p->dir && header_read(p, u.page, &size) && step_of(&u.h);
}

/* ---- the switch ---- */

/* All segments but the table; 0 or -errno. */
static int others_rename(const struct region_params *p, const char *from,
                         const char *to, struct region_error *err)
{
	char a[PATH_LEN], b[PATH_LEN];
	unsigned int s;

	for (s = SEG_TBL + 1; s < SEG_COUNT; s++) {
		seg_path(p, from, s, a, sizeof(a));
		seg_path(p, to, s, b, sizeof(b));
		if (rename(a, b) && errno != ENOENT)
			return region_refuse(err, -errno, 1, "%s: %s", b,
			                     strerror(errno));
	}
	return 0;
}

/* Segments that wait for the switch while no new table does: it has been. */
static int switch_end(const struct migration *m, struct region_error *err)
{
	char path[PATH_LEN];

	seg_path(&m->p, m->aside, SEG_TBL, path, sizeof(path));
	if (access(path, F_OK))
		return others_rename(&m->p, m->ready, m->p.name, err);
	region_remove(m->p.dir, m->ready);
	region_remove(m->p.dir, m->aside);
	return 0;
}

int migrate_commit(struct migration *m, struct region_error *err)
{
	char from[PATH_LEN], to[PATH_LEN];
	int e = others_rename(&m->p, m->aside, m->ready, err);

	seg_path(&m->p, m->aside, SEG_TBL, from, sizeof(from));
	seg_path(&m->p, m->p.name, SEG_TBL, to, sizeof(to));
	if (!e && rename(from, to))
		e = region_refuse(err, -errno, 1, "%s: %s", to,
		                  strerror(errno));
	if (e)
		return e;
	/* from here on what waits is the table's */
	m->step = NULL;
	return switch_end(m, err);
}

/* ---- old segments ---- */

static int old_open(struct migration *m, const void *header, unsigned int s,
                    struct region_error *err)
{
	uint64_t want = m->step->size(header, (enum segment)s);
	char path[PATH_LEN];
	struct stat st;

	seg_path(&m->p, m->p.name, s, path, sizeof(path));
	m->from.fd[s] = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (m->from.fd[s] < 0 && s >= SEG_RING0 && errno == ENOENT)
		return 0;
	if (m->from.fd[s] < 0 || fstat(m->from.fd[s], &st))
		return region_refuse(err, -errno, 4, "%s: %s", path,
		                     strerror(errno));
	m->from.size[s] = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || m->from.size[s] < want)
		return region_refuse(err, -EINVAL, 4,
		                     "%s: cut short, %llu bytes of %llu", path,
		                     (unsigned long long)st.st_size,
		                     (unsigned long long)want);
	m->old[s] = mmap(NULL, m->from.size[s], PROT_READ, MAP_SHARED,
	                 m->from.fd[s], 0);
	if (m->old[s] != MAP_FAILED)
		return 0;
	m->old[s] = NULL;
	return region_refuse(err, -errno, 1, "mapping %s: %s", path,
	                     strerror(errno));
}

/* rings of all workers there ever were */
static uint32_t rings_there(const struct migration *m)
{
	uint32_t i, n = 0;

	for (i = 0; i < NWORKER_MAX; i++)
		if (m->old[SEG_RING0 + i])
			n = i + 1;
	return n;
}

static int both_open(struct migration *m, const void *header, uint64_t size,
                     struct region_error *err)
{
	struct region_params q = m->p;
	unsigned int s;
	int e = m->step->params(header, size, &q, &m->generation, err);

	for (s = 0; s < SEG_COUNT && !e; s++)
		e = old_open(m, header, s, err);
	if (e)
		return e;
	if (m->step->alive(m->old[SEG_PROC]))
		return -EBUSY;
	q.name = m->aside;
	if (q.nworker < rings_there(m))
		q.nworker = rings_there(m);
	e = region_create(&m->to, &q, err);
	return e ? e : region_map(&m->to, &m->t, REGION_ALL, SLOT_REAPER, err);
}

int migrate_open(struct migration *m, const struct region_params *p,
                 struct region_error *err)
{
	union {
		struct tbl_header h;
		char page[PAGE];
	} u;
	uint64_t size;
	int e;

	memset(m, 0, sizeof(*m));
	region_init(&m->from);
	region_init(&m->to);
	if (!p->dir)
		return 0;
	m->p = *p;
	snprintf(m->aside, sizeof(m->aside), "%s" REGION_ASIDE, p->name);
	snprintf(m->ready, sizeof(m->ready), "%s" REGION_SWITCH, p->name);
	if (!header_read(p, u.page, &size))
		return 0;
	e = switch_end(m, err);
	if (e)
		return e;
	m->step = step_of(&u.h);
	if (!m->step)
		return 0;
	m->major = u.h.major;
	e = both_open(m, u.page, size, err);
	return e ? e : 1;
}

int migrate_convert(struct migration *m, struct region_error *err)
{
	return m->step->convert(m, err);
}

void migrate_close(struct migration *m)
{
	unsigned int s;

	for (s = 0; s < SEG_COUNT; s++)
		if (m->old[s])
			munmap(m->old[s], m->from.size[s]);
	if (m->t.hdr)
		region_unmap(&m->t);
	region_close(&m->from);
	region_close(&m->to);
	/* after the switch nothing is there any more */
	if (m->step) {
		region_remove(m->p.dir, m->ready);
		region_remove(m->p.dir, m->aside);
	}
	memset(m, 0, sizeof(*m));
}

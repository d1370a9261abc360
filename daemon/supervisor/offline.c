/* offline.c - see offline.h. */
#include "daemon/supervisor/offline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/role.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/rundir.h"
#include "shm/budget.h"
#include "shm/check.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/segment.h"

static void print_fault(void *arg, const char *text)
{
	(void)arg;
	puts(text);
}

/* every holder is dead: nobody runs */
static unsigned int repair_all(struct table *t)
{
	unsigned int n = 0;
	uint32_t sh;

	for (sh = 0; sh < t->nshard; sh++) {
		n += t->shard[sh].lock || t->shard[sh].op != OP_IDLE;
		shard_lock(t, sh);
		shard_unlock(t, sh);
	}
	return n;
}

static int table_check(struct table *t, bool deep)
{
	const struct role_table *rt = role_table_get();
	uint64_t count = table_count(t);
	unsigned int half;
	int faults = 0;
	uint32_t sh, i;

	for (i = 0; i < NSLOT; i++)
		table_proc(t, i)->token = 0;
	if (proc_attach(t, SLOT_REAPER, 0))
		return -1;
	half = repair_all(t);
	for (sh = 0; deep && sh < t->nshard; sh++)
		faults += shard_check(t, sh, rt ? rt->home : NULL, print_fault,
		                      NULL);
	if (deep)
		faults += shard_check(t->expect, 0, NULL, print_fault, NULL);
	faults += rings_check(t, print_fault, NULL);
	log_info(NULL,
	         "%llu connections, %u shards half done (repaired at the next "
	         "start), %d faults",
	         (unsigned long long)count, half, faults);
	return faults;
}

static int region_check(const struct region_params *p, bool deep)
{
	struct region_error err = {0};
	struct region r;
	struct table t;
	int e, faults;

	e = region_inspect(&r, p, &err);
	if (e == -ENOENT) {
		log_warnx(NULL, "%s: there is no table %s", p->dir, p->name);
		return 3;
	}
	if (!e)
		e = region_map(&r, &t, REGION_COPY, 0, &err);
	/* what is damaged or foreign is what a check is to find */
	if (e) {
		if (err.exit_code == 4)
			puts(err.text);
		else
			log_warnx(NULL, "%s", err.text);
		return 1;
	}
	faults = table_check(&t, deep);
	region_unmap(&t);
	region_close(&r);
	return faults ? 1 : 0;
}

/* The run directory, locked, and what its segments are: 0 or an exit code. */
static int offline_open(const struct options *o, const struct conf *c,
                        struct rundir *run, struct region_params *p)
{
	char err[PLAN_ERR], why[RUNDIR_ERR];
	int r = rundir_open(run, o->rundir, why);

	if (r) {
		log_warnx(NULL, "%s", why);
		return 1;
	}
	if (!plan_region(o, c, run->segments, p, err))
		return 0;
	log_warnx(NULL, "%s", err);
	run->unshared = run->made;
	rundir_close(run);
	return 1;
}

static int offline_close(struct rundir *run, int code)
{
	run->unshared = run->made;
	rundir_close(run);
	return code;
}

int offline_check(const struct options *o, const struct conf *c)
{
	struct region_params p;
	struct rundir run;
	int r = offline_open(o, c, &run, &p);

	return r ? r : offline_close(&run, region_check(&p, o->deep));
}

/* ---- snapshots ---- */

int snapshot_write(const struct table *t, const struct policy *pol,
                   const char *path, dump_fn *dump)
{
	char temp[PATH_MAX];
	struct stat st;
	int fd, r;

	/* a pipe or a device is written to: it must not be replaced */
	if (!strcmp(path, "-"))
		return dump(t, pol, STDOUT_FILENO);
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		r = fd < 0 ? -errno : dump(t, pol, fd);
		if (fd >= 0)
			close(fd);
		return r;
	}
	snprintf(temp, sizeof(temp), "%.*s.new", PATH_MAX - 16, path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	          0600);
	if (fd < 0)
		return -errno;
	r = dump(t, pol, fd);
	if (!r && (fsync(fd) || rename(temp, path)))
		r = -errno;
	close(fd);
	if (r)
		unlink(temp);
	return r;
}

/* Looked at in private pages: what was half done is repaired there alone. */
static int region_dump(const struct region_params *p, const struct policy *pol,
                       const char *path)
{
	struct region_error err = {0};
	struct region r;
	struct table t;
	uint32_t i;
	int e = region_inspect(&r, p, &err);

	if (e == -ENOENT) {
		log_warnx(NULL, "%s: there is no table %s", p->dir, p->name);
		return 3;
	}
	if (!e)
		e = region_map(&r, &t, REGION_COPY, 0, &err);
	if (e) {
		log_warnx(NULL, "%s", err.text);
		return 1;
	}
	for (i = 0; i < NSLOT; i++)
		table_proc(&t, i)->token = 0;
	e = proc_attach(&t, SLOT_REAPER, 0);
	if (!e) {
		repair_all(&t);
		e = snapshot_write(&t, pol, path, role_table_get()->dump);
	}
	if (e)
		log_warnx(NULL, "%s: %s", path, strerror(-e));
	region_unmap(&t);
	region_close(&r);
	return e ? 1 : 0;
}

int offline_dump(const struct options *o, const struct conf *c)
{
	static struct policy pol;
	struct region_params p;
	struct rundir run;
	int r = offline_open(o, c, &run, &p);

	if (r)
		return r;
	role_policy(c, &pol);
	return offline_close(&run, region_dump(&p, &pol, o->dump));
}

static int table_load(struct table *t, struct policy *pol, const char *path)
{
	uint64_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;

	if (!r)
		r = proc_attach(t, SLOT_REAPER, 0);
	if (!r) {
		repair_all(t);
		budget_recount(t);
		/* nobody listens; who asks later sees the table */
		pol->events = 0;
		r = role_table_get()->load(t, pol, fd, &n);
		proc_detach(t);
	}
	if (fd >= 0)
		close(fd);
	if (r == -EBADMSG)
		log_warnx(NULL, "%s: this snapshot is damaged or cut short",
		          path);
	else if (r)
		log_warnx(NULL, "%s: %s", path, strerror(-r));
	else
		log_info(NULL, "%llu connections restored",
		         (unsigned long long)n);
	return r ? 1 : 0;
}

/* Into the table that stands there, or a new one. */
static int region_load(const struct region_params *p, struct policy *pol,
                       const char *path)
{
	struct region_error err = {.exit_code = 1, .text = "out of memory"};
	struct region r;
	struct table t;
	int e, code;

	region_init(&r);
	e = region_adopt(&r, p, &err);
	if (e == -ENOENT)
		e = region_create(&r, p, &err);
	if (!e)
		e = region_map(&r, &t, REGION_ALL, SLOT_REAPER, &err);
	/* ctctl's codes: 4 would mean that something was not found */
	if (e) {
		log_warnx(NULL, "%s", err.text);
		return 1;
	}
	code = table_load(&t, pol, path);
	region_unmap(&t);
	region_close(&r);
	return code;
}

int offline_load(const struct options *o, const struct conf *c)
{
	static struct policy pol;
	struct region_params p;
	struct rundir run;
	int r = offline_open(o, c, &run, &p);

	if (r)
		return r;
	role_policy(c, &pol);
	r = region_load(&p, &pol, o->load);
	/* the next start finds them by the directory */
	run.unshared = run.made && r;
	rundir_close(&run);
	return r;
}

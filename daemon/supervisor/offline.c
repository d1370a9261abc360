/* offline.c - see offline.h. */
#include "daemon/supervisor/offline.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/base/role.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/rundir.h"
#include "shm/check.h"
#include "shm/proc.h"
#include "shm/read.h"

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
	if (e) {
		log_warnx(NULL, "%s", err.text);
		return err.exit_code ? err.exit_code : 1;
	}
	faults = table_check(&t, deep);
	region_unmap(&t);
	region_close(&r);
	return faults ? 1 : 0;
}

int offline_check(const struct options *o, const struct conf *c)
{
	char err[PLAN_ERR], why[RUNDIR_ERR];
	struct region_params p;
	struct rundir run;
	int r;

	r = rundir_open(&run, o->rundir, why);
	if (r) {
		log_warnx(NULL, "%s", why);
		return 1;
	}
	if (plan_region(o, c, run.segments, &p, err)) {
		log_warnx(NULL, "%s", err);
		r = 1;
	} else {
		r = region_check(&p, o->deep);
	}
	run.unshared = run.made;
	rundir_close(&run);
	return r;
}

/*
 * older.c - a table of an earlier layout is found at the start.
 *
 * shm/migrate.h makes one of today's out of it.  Its bytes could have been
 * written by a worker, so they are read by a child that has given up all
 * privileges: what they do to it, the supervisor learns as an exit code.
 */
#include "daemon/supervisor/super.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/sandbox.h"
#include "shm/migrate.h"
#include "shm/segment.h"

#define OLDER_UID  65534u
#define OLDER_STEP 5 /* ms between two looks at who still lives */

static _Noreturn void convert(struct migration *m)
{
	struct region_error err = {.exit_code = 1};
	const char *step = "";

	if (sandbox_drop("ctshard", OLDER_UID, &step)) {
		log_warnx("supervisor", "migration: %s", step);
		_exit(1);
	}
	if (migrate_convert(m, &err)) {
		log_warnx("supervisor", "%s", err.text);
		_exit(err.exit_code ? err.exit_code : 1);
	}
	_exit(0);
}

/* 0 or an exit code */
static int convert_wait(struct migration *m)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		convert(m);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

/* roles of a daemon that was killed die with it, a moment later */
static int open_wait(struct migration *m, const struct region_params *p,
                     struct region_error *err)
{
	const struct timespec nap = {0, OLDER_STEP * (long)NS_PER_MS};
	int r = -EBUSY, i;

	for (i = 0; i < ORPHANS_MS / OLDER_STEP; i++) {
		r = migrate_open(m, p, err);
		if (r != -EBUSY)
			return r;
		migrate_close(m);
		nanosleep(&nap, NULL);
	}
	return region_refuse(err, r, 1,
	                     "a process of the last daemon is still alive");
}

int older_migrate(const struct region_params *p, struct region_error *err)
{
	struct migration m;
	uint32_t major;
	int r, code;

	r = open_wait(&m, p, err);
	if (r > 0) {
		major = m.major;
		code = convert_wait(&m);
		if (code)
			r = region_refuse(
				err, -EIO, code,
				"%s/%s: the table of layout %u could "
				"not be migrated to layout %u, and is "
				"left as it was",
				p->dir, p->name, major, LAYOUT_MAJOR);
		else
			r = migrate_commit(&m, err);
		if (!r)
			log_info("supervisor",
			         "the table of layout %u was migrated to "
			         "layout %u",
			         major, LAYOUT_MAJOR);
	}
	migrate_close(&m);
	return r;
}

/*
 * snapshot.c - see snapshot.h.
 *
 * A child of its own walks the table, as a reader does: without a lock, so no
 * packet waits for the disk, and what goes wrong there touches nobody.  What
 * stands in the table is others' work: so the child opens and renames the file,
 * and one of its own, with the rights of the api, reads and writes.
 */
#include "daemon/supervisor/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/sandbox.h"
#include "daemon/supervisor/offline.h"

#define SNAPSHOT_NICE 10

static void snapshot_path(const struct super *s, char *to, size_t size)
{
	const char *file = conf_text(s->env->conf, "snapshot_file");

	if (*file)
		snprintf(to, size, "%s", file);
	else
		snprintf(to, size, "%s/snapshot", s->run.path);
}

static bool snapshot_limits; /* seccomp = on */

/* in the process that reads */
static void dump_confine(pid_t parent, int fd)
{
	const struct role *api = role_find("api");
	const int out[] = {STDERR_FILENO, fd};
	const char *step = "";
	int r;

	r = api ? sandbox_drop(api->user, api->uid, &step) : -ENOENT;
	if (r) {
		errno = -r;
		log_warn("snapshot", "privileges cannot be dropped (%s)", step);
		_exit(EIO);
	}
	if (sandbox_bind(parent))
		_exit(EIO);
	if (snapshot_limits)
		sandbox_calls(NULL, NULL, out, ARRAY_SIZE(out));
}

static int dump_confined(const struct table *t, const struct policy *pol,
                         int fd)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		dump_confine(parent, fd);
		_exit(-role_table_get()->dump(t, pol, fd));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status)) {
		log_warnx("snapshot", "whoever wrote it died of signal %d",
		          WTERMSIG(status));
		return -EIO;
	}
	return -WEXITSTATUS(status);
}

static void snapshot_child(const struct super *s, pid_t parent)
{
	static struct policy pol;
	char path[PATH_MAX + 16];
	sigset_t none;
	int r;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "ctshardd: snap");
	if (sandbox_bind(parent))
		_exit(1);
	/* the disk may be slow, and packets are not to notice */
	if (setpriority(PRIO_PROCESS, 0, SNAPSHOT_NICE))
		log_debug("snapshot", "no lower priority");
	snapshot_path(s, path, sizeof(path));
	role_policy(s->env->conf, &pol);
	snapshot_limits = conf_on(s->env->conf, "seccomp");
	r = snapshot_write(&s->t, &pol, path, dump_confined);
	if (r)
		log_warnx("snapshot", "%s: %s", path, strerror(-r));
	_exit(r ? 1 : 0);
}

static bool snapshot_under_way(struct super *s)
{
	int status;

	if (!s->snapshot_pid)
		return false;
	if (!waitpid(s->snapshot_pid, &status, WNOHANG))
		return true;
	s->snapshot_pid = 0;
	return false;
}

void snapshot_turn(struct super *s)
{
	uint64_t now = super_now();
	uint64_t seconds = conf_number(s->env->conf, "snapshot");
	pid_t pid, parent = getpid();

	if (snapshot_under_way(s) || !seconds || s->phase != PHASE_READY)
		return;
	if (!s->snapshot_ns)
		s->snapshot_ns = now;
	if (now - s->snapshot_ns < seconds * NS_PER_S)
		return;
	s->snapshot_ns = now;
	pid = fork();
	if (!pid)
		snapshot_child(s, parent);
	if (pid < 0)
		log_warn("snapshot", "no process");
	else
		s->snapshot_pid = pid;
}

void snapshot_stop(struct super *s)
{
	if (!snapshot_under_way(s))
		return;
	kill(s->snapshot_pid, SIGKILL);
	while (waitpid(s->snapshot_pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->snapshot_pid = 0;
}

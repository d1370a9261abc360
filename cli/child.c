/*
 * child.c - ctshardd as a child of ctctl.
 *
 * The child has a process group of its own, so that an interrupt at the
 * terminal reaches ctctl alone, which then ends it in order; and it is told to
 * die with ctctl, whatever ctctl dies of.
 */
#include "cli/child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_STEP_MS 10
#define STOP_STEPS   1500 /* 15 s, then it is killed */

void child_exec(const char *const *argv)
{
	char path[PATH_MAX];
	char *const *args;
	static const char name[] = "ctshardd", sbin[] = "../sbin/ctshardd";
	ssize_t n =
		readlink("/proc/self/exe", path, sizeof(path) - sizeof(sbin));
	char *slash = NULL;

	memcpy(&args, &argv, sizeof(args)); /* exec's prototype lacks a const */
	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			memcpy(slash + 1, name, sizeof(name));
			execv(path, args);
		}
	}
	execvp(name, args);
	/* installed, and the user's PATH has no sbin */
	if (slash) {
		memcpy(slash + 1, sbin, sizeof(sbin));
		execv(path, args);
	}
}

static void child_become(const struct child *c, const char *const *argv,
                         pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) /* it died before the line above */
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(c->log, STDERR_FILENO) < 0)
		_exit(1);
	child_exec(argv);
	dprintf(STDERR_FILENO, "ctshardd: %s\n", strerror(errno));
	_exit(127);
}

int child_start(struct child *c, const char *const *argv)
{
	pid_t parent = getpid();

	memset(c, 0, sizeof(*c));
	c->log = memfd_create("ctshardd stderr", MFD_CLOEXEC);
	if (c->log < 0)
		return -1;
	c->pid = fork();
	if (!c->pid)
		child_become(c, argv, parent);
	if (c->pid > 0)
		return 0;
	close(c->log);
	return -1;
}

bool child_ended(struct child *c)
{
	if (!c->gone && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->gone = true;
	return c->gone;
}

void child_stop(struct child *c)
{
	struct timespec step = {.tv_nsec = STOP_STEP_MS * 1000000l};
	int i;

	if (child_ended(c))
		return;
	kill(c->pid, SIGTERM);
	for (i = 0; i < STOP_STEPS && !child_ended(c); i++)
		nanosleep(&step, NULL);
	if (c->gone)
		return;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
		;
	c->gone = true;
}

void child_tell(struct child *c)
{
	char text[4096];
	ssize_t n, i;

	while ((n = pread(c->log, text, sizeof(text), c->told)) > 0) {
		for (i = 0; i < n; i++)
			if ((unsigned char)text[i] < ' ' && text[i] != '\n')
				text[i] = '?';
		fwrite(text, 1, (size_t)n, stderr);
		c->told += n;
	}
}

void child_close(struct child *c)
{
	close(c->log);
}

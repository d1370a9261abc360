/*
 * replay.c - a private daemon in a directory of its own.
 *
 * Whatever happens between `replay_open` and `replay_close`, signals included,
 * only raises flags that the loop looks at: there is one way out, and it ends
 * the daemon, waits for it, and removes the directory.
 */
#include "cli/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 5 /* between two looks whether the daemon accepts */

static int replay_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int replay_dir(struct replay *r)
{
	const char *tmp = getenv("TMPDIR");
	int n;

	if (!tmp || !*tmp)
		tmp = "/tmp";
	n = snprintf(r->dir, sizeof(r->dir), "%s/ctctl.XXXXXX", tmp);
	if (n < 0 || (size_t)n >= sizeof(r->dir) - 16 || !mkdtemp(r->dir)) {
		cmd_warn("%s: %s", r->dir, strerror(errno));
		r->dir[0] = '\0';
		return CMD_FAILED;
	}
	return CMD_OK;
}

static void replay_look(struct replay *r, int ms)
{
	struct pollfd p = {.fd = r->signals, .events = POLLIN};
	struct signalfd_siginfo si;

	poll(&p, 1, ms);
	while (read(r->signals, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo != SIGCHLD)
			r->caught = (int)si.ssi_signo;
	if (r->running && child_ended(&r->child))
		r->died = true;
}

/* All of stdin to one descriptor, until a signal: it may never end. */
static int spool_copy(struct replay *r, int to)
{
	static char buf[64 << 10];
	struct pollfd p[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = r->signals, .events = POLLIN},
	};
	ssize_t n, w, done;

	for (;;) {
		if (poll(p, 2, -1) > 0 && p[1].revents)
			replay_look(r, 0);
		if (r->caught) {
			errno = EINTR;
			return -1;
		}
		if (!p[0].revents)
			continue;
		n = read(STDIN_FILENO, buf, sizeof(buf));
		if (!n)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		for (done = 0; done < n; done += w) {
			w = write(to, buf + done, (size_t)(n - done));
			if (w < 0)
				return -1;
		}
	}
}

static int replay_spool(struct replay *r)
{
	int fd, rc;

	snprintf(r->spool, sizeof(r->spool), "%.4000s/stdin", r->dir);
	fd = open(r->spool, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	rc = fd < 0 ? -1 : spool_copy(r, fd);
	if (fd >= 0 && close(fd))
		rc = -1;
	if (!rc)
		return CMD_OK;
	cmd_warn("stdin: %s", strerror(errno));
	return CMD_FAILED;
}

static int replay_start(struct replay *r)
{
	const struct cmd *c = r->c;
	const char *argv[16 + 4 * CMD_ARGS];
	char workers[16];
	size_t n = 0, i;

	snprintf(workers, sizeof(workers), "%u",
	         c->replay.workers ? c->replay.workers : 1);
	argv[n++] = "ctshardd";
	argv[n++] = "-R";
	argv[n++] = r->dir;
	argv[n++] = "--private";
	argv[n++] = "--hold";
	argv[n++] = "-w";
	argv[n++] = workers;
	for (i = 0; i < c->replay.n_set; i++) {
		argv[n++] = "-s";
		argv[n++] = c->replay.set[i];
	}
	for (i = 0; i < c->args; i++) {
		argv[n++] = "-r";
		argv[n++] = strcmp(c->arg[i], "-") ? c->arg[i] : r->spool;
	}
	argv[n] = NULL;
	if (child_start(&r->child, argv)) {
		cmd_warn("ctshardd: %s", strerror(errno));
		return CMD_FAILED;
	}
	r->running = true;
	return CMD_OK;
}

/* The daemon's own code when it says why it does not start (1, 2). */
static int replay_refused(struct replay *r)
{
	int status = r->child.status;

	child_tell(&r->child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CMD_USAGE)
		return CMD_USAGE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		cmd_warn("ctshardd is neither beside ctctl nor in PATH");
	else if (WIFSIGNALED(status))
		cmd_warn("ctshardd was killed by signal %d", WTERMSIG(status));
	return CMD_FAILED;
}

static int replay_connect(struct replay *r)
{
	int rc;

	for (;;) {
		rc = ctshard_open(r->dir, 0, &r->ct);
		if (!rc)
			return CMD_OK;
		if (rc != CTSHARD_ENODAEMON)
			return cmd_error(r->ct, rc);
		ctshard_close(r->ct);
		r->ct = NULL;
		replay_look(r, READY_MS);
		if (r->caught)
			return CMD_FAILED;
		if (r->died)
			return replay_refused(r);
	}
}

int replay_open(struct replay *r)
{
	size_t i;
	int code;

	r->signals = replay_signals();
	if (r->signals < 0) {
		cmd_warn("signalfd: %s", strerror(errno));
		return CMD_FAILED;
	}
	code = replay_dir(r);
	for (i = 0; i < r->c->args && code == CMD_OK; i++)
		if (!strcmp(r->c->arg[i], "-"))
			code = replay_spool(r);
	if (code == CMD_OK)
		code = replay_start(r);
	return code == CMD_OK ? replay_connect(r) : code;
}

bool replay_turn(struct replay *r)
{
	struct pollfd p[2] = {
		{.fd = ctshard_fd(r->ct), .events = ctshard_events(r->ct)},
		{.fd = r->signals, .events = POLLIN},
	};

	if (poll(p, 2, r->turn_ms ? r->turn_ms : -1) < 0)
		return errno == EINTR;
	if (p[1].revents)
		replay_look(r, 0);
	/* the word to stop is read: who writes now would not hear it again */
	if (r->caught)
		return false;
	/* what a dying daemon said last is still in the socket */
	if (p[0].revents && ctshard_dispatch(r->ct))
		return false;
	return !r->died;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	remove(path);
	return 0;
}

void replay_close(struct replay *r)
{
	ctshard_close(r->ct);
	if (r->running) {
		child_stop(&r->child);
		child_tell(&r->child);
		child_close(&r->child);
	}
	if (r->dir[0])
		nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (r->signals >= 0)
		close(r->signals);
}

/*
 * upgrade.c - another program in the same process.
 *
 * The program that is now on disk is asked first, in a process of its own, with
 * the command line, configuration and segments that it will get: whether it
 * understands them all.  Only then workers, reaper and api are stopped as at
 * the end, and the supervisor executes it.  The process stays and with it the
 * pid; what goes over exec are the run directory's lock, the listening sockets
 * (clients wait in their queues meanwhile) and the capture sockets (packets
 * wait in their rings).  The new program starts as after any end: it adopts
 * the segments, heals, and goes on.
 *
 * Should it not start after all, the old one is still there as /proc/self/exe.
 */
#include "daemon/supervisor/super.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/supervisor.h"
#include "shm/migrate.h"
#include "shm/proc.h"

#define PROBE_MS   5000
#define PROBE_STEP 5 /* ms between two looks at it */

static const char deleted[] = " (deleted)";

/* The path of the program as it was started: the file may be another by now,
 * and /proc says so behind its name. */
void upgrade_init(struct super *s)
{
	ssize_t n =
		readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);
	size_t len = strlen(deleted);

	s->program[n > 0 ? n : 0] = '\0';
	if (n > (ssize_t)len && !strcmp(s->program + (size_t)n - len, deleted))
		s->program[(size_t)n - len] = '\0';
}

/* -- over exec ------------------------------------------------------------- */

struct words {
	char text[256];
	size_t len;
};

static void give(struct words *w, const char *name, int fd)
{
	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, 0);
	w->len += (size_t)snprintf(w->text + w->len, sizeof(w->text) - w->len,
	                           "%s%s=%d", w->len ? "," : "", name, fd);
}

static void environment(const struct super *s, const char *role, bool all)
{
	struct words w = {.len = 0};
	char slot[16];

	give(&w, "conf", s->fd[ROLE_FD_conf]);
	give(&w, "options", s->fd[ROLE_FD_options]);
	if (all) {
		give(&w, "listen", s->fd[ROLE_FD_listen]);
		give(&w, "control", s->fd[ROLE_FD_control]);
		give(&w, "lock", s->run.lock);
	}
	snprintf(slot, sizeof(slot), "%u", SLOT_SUPER);
	if (setenv("CTSHARDD_ROLE", role, 1) ||
	    setenv("CTSHARDD_SLOT", slot, 1) ||
	    setenv("CTSHARDD_FDS", w.text, 1))
		fatal("supervisor", "environment");
}

void upgrade_exec(struct super *s)
{
	char title[] = "ctshardd: supervisor";
	char *argv[] = {title, NULL};
	sigset_t none;

	if (s->t.proc && s->t.me == SLOT_SUPER && s->t.word)
		proc_detach(&s->t);
	environment(s, role_supervisor.name, true);
	taps_keep(s);
	/* until the new program listens to them */
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(s->program, argv);
	log_warn("supervisor", "%s: the old program goes on", s->program);
	execv("/proc/self/exe", argv);
	fatal("supervisor", "/proc/self/exe");
}

/* -- the question ---------------------------------------------------------- */

static int probe_loop(struct role_env *e)
{
	const char *name = getenv("CTSHARDD_SEGMENTS");
	struct region_error err = {.exit_code = 1, .text = "no segments"};
	struct region_params p;
	char why[PLAN_ERR];
	struct region r;
	int bad;

	if (!name || plan_region(e->opt, e->conf, name, &p, why))
		return 1;
	if (migrate_known(&p))
		return 0;
	bad = region_inspect(&r, &p, &err);
	if (!bad)
		region_close(&r);
	else
		log_warnx("supervisor", "%s", err.text);
	return bad ? 4 : 0;
}

const struct role role_probe = {
	.name = "probe",
	.access = REGION_SUPERVISOR,
	.keeps = true,
	.loop = probe_loop,
};

static _Noreturn void probe_exec(const struct super *s)
{
	char title[] = "ctshardd: probe";
	char *argv[] = {title, NULL};
	sigset_t none;

	unsetenv("NOTIFY_SOCKET");
	setenv("CTSHARDD_SEGMENTS", s->run.segments, 1);
	environment(s, role_probe.name, false);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(s->program, argv);
	log_warn("supervisor", "%s", s->program);
	_exit(127);
}

/* Its exit status; -1: it hangs, or could not be started. */
static int probe_wait(pid_t pid)
{
	const struct timespec nap = {0, PROBE_STEP * (long)NS_PER_MS};
	int i, status = -1;

	for (i = 0; i < PROBE_MS / PROBE_STEP; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nanosleep(&nap, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static bool probe(const struct super *s)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		probe_exec(s);
	status = pid < 0 ? -1 : probe_wait(pid);
	if (status != -1 && WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	log_warnx("supervisor",
	          "%s cannot go on with this table and configuration: no "
	          "upgrade",
	          s->program);
	return false;
}

void upgrade_ask(struct super *s)
{
	if (s->phase != PHASE_READY || s->env->private_instance) {
		log_warnx("supervisor", "no upgrade while starting or ending");
		return;
	}
	if (!probe(s))
		return;
	log_info("supervisor", "going on as %s", s->program);
	super_stop(s, 0);
	s->upgrading = true;
}

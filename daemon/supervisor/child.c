/*
 * child.c - one process of ours.
 *
 * The supervisor is the parent of all roles, and a pid that was not waited for
 * belongs to nobody else: kill() by our own table cannot hit a stranger.
 */
#include "daemon/supervisor/super.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/supervisor/cpus.h"
#include "shm/atomic.h"

static const char *child_title(const struct child *c, char *buf, size_t len)
{
	if (c->role->many)
		snprintf(buf, len, "ctshardd: %s %u", c->role->name, c->slot);
	else
		snprintf(buf, len, "ctshardd: %s", c->role->name);
	return buf;
}

/* its name in the log, without the program's */
static const char *child_name(const struct child *c)
{
	static char title[64];

	return child_title(c, title, sizeof(title)) + strlen("ctshardd: ");
}

static void ctl_heard(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	message_heard(arg);
}

static void wait_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	child_start(arg);
}

void child_init(struct super *s, uint32_t slot, const struct role *role)
{
	struct child *c = &s->child[slot];

	c->s = s;
	c->slot = slot;
	c->role = role;
	c->ctl = c->frags = -1;
	if (role->access == REGION_WORKER)
		c->frags = memfd_create("fragments", MFD_CLOEXEC);
	c->again = evtimer_new(s->base, wait_over, c);
	if (!c->again)
		fatalx("supervisor", "out of memory");
}

static void ctl_close(struct child *c)
{
	if (c->heard)
		event_free(c->heard);
	c->heard = NULL;
	if (c->ctl >= 0)
		close(c->ctl);
	c->ctl = -1;
}

void child_free(struct child *c)
{
	ctl_close(c);
	if (c->frags > 0)
		close(c->frags);
	if (c->again)
		event_free(c->again);
	c->again = NULL;
}

/* -- in the child, between fork and exec ----------------------------------- */
static void env_number(const char *name, long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", v);
	if (setenv(name, text, 1))
		fatalx("start", "out of memory");
}

static bool fd_wanted(const struct child *c, enum role_fd f)
{
	bool api = c->role->access == REGION_API;

	return f == ROLE_FD_listen || f == ROLE_FD_control ? api : true;
}

static void env_fds(const struct child *c, int ctl)
{
	static const char *const names[] = {
#define FD(name, doc) #name,
		ROLE_FDS(FD)
#undef FD
	};
	char text[ROLE_FD_COUNT * 32];
	size_t n = 0;
	int f, fd;

	for (f = 0; f < ROLE_FD_COUNT; f++) {
		fd = f == ROLE_FD_ctl     ? ctl
		     : f == ROLE_FD_frags ? c->frags
		                          : c->s->fd[f];
		if (fd < 0 || !fd_wanted(c, (enum role_fd)f))
			continue;
		fcntl(fd, F_SETFD, 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%d",
		                      n ? "," : "", names[f], fd);
	}
	setenv("CTSHARDD_FDS", text, 1);
}

/* A processor that is not there is no reason to capture nothing. */
static void child_pin(const struct child *c)
{
	char why[CONF_ERR];
	int cpu = cpus_of(conf_text(c->s->env->conf, "worker.cpus"), c->slot,
	                  why, sizeof(why)),
	    r;

	if (cpu < 0)
		return;
	r = cpus_pin(cpu);
	if (r)
		log_warnx("start", "worker %u: processor %d: %s", c->slot, cpu,
		          strerror(r));
}

static _Noreturn void child_exec(const struct child *c, int ctl, pid_t parent)
{
	char title[64], segments[REGION_TEXT];
	char *argv[] = {title, NULL};
	sigset_t none;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	child_title(c, title, sizeof(title));
	r = region_export(&c->s->region, c->role->access, segments,
	                  sizeof(segments));
	if (r) {
		errno = -r;
		fatal("start", "segments");
	}
	setenv("CTSHARDD_ROLE", c->role->name, 1);
	setenv("CTSHARDD_SEGMENTS", segments, 1);
	unsetenv("NOTIFY_SOCKET");
	if (c->s->phase < PHASE_READY)
		setenv("CTSHARDD_STARTING", "1", 1);
	else
		unsetenv("CTSHARDD_STARTING");
	env_number("CTSHARDD_SLOT", c->slot);
	env_number("CTSHARDD_PARENT", parent);
	env_fds(c, ctl);
	if (c->role->access == REGION_WORKER) {
		taps_env(c->s, c->slot);
		child_pin(c);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", argv);
	fatal("start", "/proc/self/exe");
}

/* -- in the supervisor -------------------------------------------------------
 */
static void start_failed(struct child *c, const char *what)
{
	const struct timeval later = {1, 0};

	log_warn("supervisor", "%s: %s", child_name(c), what);
	evtimer_add(c->again, &later);
}

void child_start(struct child *c)
{
	pid_t parent = getpid();
	int pair[2];

	if (c->pid || c->s->phase > PHASE_READY)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	               0, pair)) {
		start_failed(c, "socketpair");
		return;
	}
	c->ready = c->killed = c->replaced = false;
	c->started_ns = super_now();
	watch_reset(&c->s->watch, c->slot);
	c->pid = fork();
	if (!c->pid)
		child_exec(c, pair[1], parent);
	close(pair[1]);
	c->ctl = pair[0];
	if (c->pid < 0) {
		c->pid = 0;
		ctl_close(c);
		start_failed(c, "fork");
		return;
	}
	log_debug("supervisor", "%s: pid %ld", child_name(c), (long)c->pid);
	c->heard = event_new(c->s->base, c->ctl, EV_READ | EV_PERSIST,
	                     ctl_heard, c);
	if (!c->heard || event_add(c->heard, NULL))
		fatalx("supervisor", "out of memory");
}

void child_signal(struct child *c, int sig)
{
	if (c->pid)
		kill(c->pid, sig);
}

void child_replace(struct child *c)
{
	if (!c->pid)
		return;
	c->replaced = true;
	child_signal(c, SIGTERM);
}

static void child_died(struct child *c, int status)
{
	struct proc_page *p = table_proc(&c->s->t, c->slot);

	/* what it had still to say comes first */
	if (c->heard)
		message_heard(c);
	ctl_close(c);
	c->pid = 0;
	/* or the next one would be taken for ready before it has a slot */
	shm_store(&p->state, PROC_NONE);
	super_child_died(c, status);
}

void child_reap(struct super *s)
{
	struct child *c;
	uint32_t i;
	int status;

	for (i = 0; i < NSLOT; i++) {
		c = &s->child[i];
		if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid)
			child_died(c, status);
	}
}

static const char *const verdicts[] = {
	[WATCH_FINE] = "fine",
	[WATCH_STALLED] = "it shows no sign of life",
	[WATCH_HOLDING] = "it keeps a shard locked that others wait for",
};

/* Does the kernel confirm what the watch has seen in shared memory? */
static bool child_confirm(struct child *c, enum watch_verdict v, uint64_t now)
{
	struct super *s = c->s;
	struct watch_proc k = watch_proc(c->pid);
	bool told = s->watch.slot[c->slot].starved;

	if (v == WATCH_HOLDING)
		return watch_believe(&s->watch, c->slot, k.state, now);
	if (!watch_starved(&s->watch, c->slot, k))
		return true;
	if (!told)
		log_warnx("supervisor",
		          "%s (pid %ld): it shows no sign of life, but it is "
		          "ready to run and gets no processor; spared",
		          child_name(c), (long)c->pid);
	return false;
}

void child_watch(struct super *s)
{
	uint64_t now = super_now();
	uint32_t elapsed = (uint32_t)((now - s->turn_ns) / NS_PER_MS), i;
	uint32_t stall = (uint32_t)conf_number(s->env->conf, "stall_kill");
	enum watch_verdict v;
	struct child *c;

	s->turn_ns = now;
	for (i = 0; i < NSLOT; i++) {
		c = &s->child[i];
		if (!c->pid || c->killed)
			continue;
		v = watch_turn(&s->watch, &s->t, i, c->ready, elapsed, stall);
		if (v == WATCH_FINE || !child_confirm(c, v, now))
			continue;
		log_warnx("supervisor", "%s (pid %ld): %s; killed",
		          child_name(c), (long)c->pid, verdicts[v]);
		c->killed = true;
		child_signal(c, SIGKILL);
	}
}

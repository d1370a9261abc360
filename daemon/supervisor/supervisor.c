/*
 * supervisor.c - the order of things.
 *
 * Starting: the run directory is locked; the segments are adopted, or made;
 * whoever wrote to them before is waited for; the policy is published; then
 * the reaper heals what was left, workers begin, the api opens, and only then
 * do the sockets get their names.  So whoever can connect meets a daemon that
 * tracks.
 *
 * Running: children die and come again (restart.h); those that hang are helped
 * to die (watch.h).  The table is data of others here: mapped read-only, and
 * looked at for lock words only.
 *
 * Stopping: workers, reaper, api, one after the other, so that what the last
 * packets did reaches the log and the subscribers; SIGKILL for what takes
 * longer than STOP_NS in all.  The segments stay.
 */
#include "daemon/supervisor/supervisor.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/sandbox.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/snapshot.h"
#include "daemon/supervisor/super.h"
#include "shm/atomic.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/segment.h"

#define STOP_NS (2 * NS_PER_S)

/* -- phases ------------------------------------------------------------------
 */
static bool all_ready(const struct super *s)
{
	uint32_t i;

	for (i = 0; i < NSLOT; i++)
		if (s->child[i].pid && !s->child[i].ready)
			return false;
	/* those that wait for their restart */
	for (i = 0; i < NSLOT; i++)
		if (s->child[i].role && !s->child[i].pid &&
		    evtimer_pending(s->child[i].again, NULL))
			return false;
	return true;
}

static void workers_start(struct super *s)
{
	uint32_t i;

	for (i = 0; i < s->params.nworker; i++)
		child_start(&s->child[i]);
}

static void ready_say(struct super *s)
{
	static const char line[] = "ready\n";
	char err[RUNDIR_ERR];

	if (!s->open && (rundir_publish(&s->run, "control.sock", err) ||
	                 rundir_publish(&s->run, "api.sock", err))) {
		log_warnx("supervisor", "%s", err);
		super_stop(s, 1);
		return;
	}
	if (!s->env->private_instance &&
	    write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		log_debug("supervisor", "nobody reads stderr");
	rundir_notify("READY=1");
	s->created = false;
}

static void phase_signal(struct super *s, int sig)
{
	uint32_t i;

	if (s->phase == PHASE_STOP_WORKERS)
		for (i = 0; i < NWORKER_MAX; i++)
			child_signal(&s->child[i], sig);
	else if (s->phase == PHASE_STOP_REAPER)
		child_signal(&s->child[SLOT_REAPER], sig);
	else if (s->phase == PHASE_STOP_API)
		child_signal(&s->child[SLOT_API], sig);
	else if (s->phase == PHASE_STOP_RECORDER)
		child_signal(&s->child[SLOT_RECORDER], sig);
}

static bool phase_empty(const struct super *s)
{
	uint32_t i;

	if (s->phase == PHASE_STOP_REAPER)
		return !s->child[SLOT_REAPER].pid;
	if (s->phase == PHASE_STOP_API)
		return !s->child[SLOT_API].pid;
	if (s->phase == PHASE_STOP_RECORDER)
		return !s->child[SLOT_RECORDER].pid;
	for (i = 0; i < NWORKER_MAX; i++)
		if (s->child[i].pid)
			return false;
	return true;
}

static void phase_go(struct super *s, enum phase phase)
{
	log_debug("supervisor", "phase %d", (int)phase);
	s->phase = phase;
	switch (phase) {
	case PHASE_REAPER:
		child_start(&s->child[SLOT_REAPER]);
		break;
	case PHASE_WORKERS:
		recording_start(s);
		workers_start(s);
		break;
	case PHASE_API:
		child_start(&s->child[SLOT_API]);
		break;
	case PHASE_READY:
		ready_say(s);
		break;
	case PHASE_STOP_WORKERS:
	case PHASE_STOP_REAPER:
	case PHASE_STOP_API:
	case PHASE_STOP_RECORDER:
		phase_signal(s, SIGTERM);
		if (phase_empty(s))
			phase_go(s, phase + 1);
		break;
	case PHASE_OVER:
		event_base_loopbreak(s->base);
		break;
	}
}

void super_child_ready(struct child *c)
{
	struct super *s = c->s;

	log_debug("supervisor", "%s %u is ready", c->role->name, c->slot);
	if (s->phase < PHASE_READY && all_ready(s))
		phase_go(s, s->phase + 1);
}

void super_stop(struct super *s, int exit_code)
{
	uint32_t i;

	if (s->phase > PHASE_READY) {
		s->upgrading = false;
		if (!s->exit_code)
			s->exit_code = exit_code;
		return;
	}
	s->exit_code = exit_code;
	s->deadline_ns = super_now() + STOP_NS;
	rundir_notify("STOPPING=1");
	for (i = 0; i < NSLOT; i++)
		if (s->child[i].again)
			evtimer_del(s->child[i].again);
	phase_go(s, PHASE_STOP_WORKERS);
}

/* -- death of a child
 * ---------------------------------------------------------- */
static void death_log(const struct child *c, int status, bool fault)
{
	const char *name = c->role->name;

	if (WIFSIGNALED(status))
		log_warnx("supervisor", "%s %u died of signal %d%s", name,
		          c->slot, WTERMSIG(status),
		          WTERMSIG(status) == SIGSYS
		                  ? ": it made a system call that is not in "
		                    "its list (the kernel's log has the "
		                    "number; seccomp = off lets it)"
		          : fault ? ""
		                  : " from outside");
	else
		log_warnx("supervisor", "%s %u ended with exit code %d", name,
		          c->slot, WEXITSTATUS(status));
}

/* A role that says at the start that it cannot, has said why: no second try.
 */
static bool start_refused(const struct super *s, int status)
{
	return s->phase < PHASE_READY && WIFEXITED(status) &&
	       WEXITSTATUS(status);
}

static void child_again(struct child *c, bool fault)
{
	uint64_t now = super_now();
	int ms = restart_after(&c->history, fault, now - c->started_ns, now);
	struct timeval wait;

	if (ms == RESTART_GIVE_UP) {
		log_warnx("supervisor",
		          "%s %u died %u times within 60 s: "
		          "giving up",
		          c->role->name, c->slot, RESTART_FAULTS);
		super_stop(c->s, 1);
		return;
	}
	if (!ms) {
		child_start(c);
		return;
	}
	wait.tv_sec = ms / 1000;
	wait.tv_usec = ms % 1000 * 1000;
	evtimer_add(c->again, &wait);
}

void super_child_died(struct child *c, int status)
{
	struct super *s = c->s;
	bool fault = c->killed || !WIFSIGNALED(status) ||
	             WTERMSIG(status) != SIGKILL;
	int code;

	if (s->phase > PHASE_READY) {
		if (phase_empty(s) && s->phase < PHASE_OVER)
			phase_go(s, s->phase + 1);
		return;
	}
	if (c->slot == SLOT_RECORDER && !recording_wanted(s))
		return;
	if (c->replaced) {
		child_start(c);
		return;
	}
	if (start_refused(s, status)) {
		code = WEXITSTATUS(status);
		log_debug("supervisor", "%s %u refused to start (%d)",
		          c->role->name, c->slot, code);
		super_stop(s, code == 2 || code == 4 ? code : 1);
		return;
	}
	death_log(c, status, fault);
	child_again(c, fault);
}

/* -- events
 * ---------------------------------------------------------------------- */
static void stop_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	super_stop(arg, 0);
}

static void reload_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	message_reload(arg);
}

static void upgrade_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	upgrade_ask(arg);
}

static void child_signalled(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	child_reap(arg);
}

static bool anything_moves(struct super *s)
{
	uint64_t frames = 0;
	bool waits = false;
	uint32_t i;

	for (i = 0; i < s->t.nworker; i++)
		frames += shm_load(&s->t.ring[i].hdr->counter[CTR_FRAMES]);
	for (i = 0; i < NSLOT; i++)
		waits |= s->watch.slot[i].lock != 0;
	waits |= frames != s->frames;
	s->frames = frames;
	return waits || s->phase != PHASE_READY;
}

/* Waking up is all that an idle supervisor costs: then it does so half as
 * often. */
static void turn_pace(struct super *s)
{
	bool quiet = !anything_moves(s);
	const struct timeval tv = {0, (quiet ? WATCH_QUIET_MS : WATCH_TURN_MS) *
	                                      1000};

	if (quiet == s->quiet)
		return;
	s->quiet = quiet;
	event_add(s->turn, &tv);
}

static void turn(evutil_socket_t fd, short what, void *arg)
{
	struct super *s = arg;
	uint32_t i;

	(void)fd;
	(void)what;
	child_reap(s);
	snapshot_turn(s);
	watchdog_turn(s);
	if (s->phase == PHASE_READY) {
		taps_watch(s);
		ifaces_watch(s);
	}
	if (s->phase <= PHASE_READY)
		child_watch(s);
	else if (super_now() > s->deadline_ns)
		for (i = 0; i < NSLOT; i++)
			child_signal(&s->child[i], SIGKILL);
	turn_pace(s);
}

static void event_must(struct super *s, evutil_socket_t fd, short what,
                       event_callback_fn fn, const struct timeval *tv,
                       struct event **kept)
{
	*kept = event_new(s->base, fd, what | EV_PERSIST, fn, s);
	if (!*kept || event_add(*kept, tv))
		fatalx("supervisor", "out of memory");
}

enum { NEVENTS = 6 };

static void events_run(struct super *s)
{
	const struct timeval tv = {0, WATCH_TURN_MS * 1000};
	struct event *ev[NEVENTS];
	int i;

	event_must(s, SIGTERM, EV_SIGNAL, stop_signal, NULL, &ev[0]);
	event_must(s, SIGINT, EV_SIGNAL, stop_signal, NULL, &ev[1]);
	event_must(s, SIGHUP, EV_SIGNAL, reload_signal, NULL, &ev[2]);
	event_must(s, SIGCHLD, EV_SIGNAL, child_signalled, NULL, &ev[3]);
	event_must(s, -1, 0, turn, &tv, &ev[4]);
	s->turn = ev[4];
	event_must(s, SIGUSR2, EV_SIGNAL, upgrade_signal, NULL, &ev[5]);
	s->turn_ns = super_now();
	phase_go(s, PHASE_REAPER);
	event_base_dispatch(s->base);
	snapshot_stop(s);
	for (i = 0; i < NEVENTS; i++)
		event_free(ev[i]);
}

/* -- set-up: each step says why it failed, and returns an exit code
 * ------------- */
static int segments_open(struct super *s)
{
	const struct options *o = s->env->opt;
	struct region_error err = {.exit_code = 1, .text = "out of memory"};
	char why[PLAN_ERR];
	int r = -ENOENT;

	if (plan_region(o, s->env->conf, s->run.segments, &s->params, why)) {
		log_warnx("supervisor", "%s", why);
		return 1;
	}
	if (o->reset_table && s->params.dir &&
	    region_set_aside(&s->params, &err))
		goto refused;
	if (s->params.dir && !o->reset_table) {
		if (older_migrate(&s->params, &err))
			goto refused;
		r = region_adopt(&s->region, &s->params, &err);
	}
	if (r == -ENOENT && !s->region.size[SEG_TBL]) {
		r = region_create(&s->region, &s->params, &err);
		s->created = !r && s->params.dir;
	}
	if (r)
		goto refused;
	if (!region_map(&s->region, &s->t, REGION_SUPERVISOR, SLOT_SUPER, &err))
		return 0;
refused:
	log_warnx("supervisor", "%s", err.text);
	return err.exit_code;
}

static bool orphan_find(const struct table *t, uint32_t *slot)
{
	for (*slot = 0; *slot < NSLOT; ++*slot)
		if (proc_alive(t, *slot))
			return true;
	return false;
}

/* Roles of a daemon that was killed die with it, a moment later. */
static int orphans_wait(struct super *s)
{
	const struct timespec nap = {0, 5 * (long)NS_PER_MS};
	uint32_t slot;
	int i;

	for (i = 0; orphan_find(&s->t, &slot); i++) {
		if (i == ORPHANS_MS / 5) {
			log_warnx("supervisor",
			          "process slot %u of the last "
			          "daemon is still alive (pid %u)",
			          slot, table_proc(&s->t, slot)->pid);
			return 1;
		}
		nanosleep(&nap, NULL);
	}
	for (slot = 0; slot < NSLOT; slot++)
		shm_store(&table_proc(&s->t, slot)->state, PROC_NONE);
	return 0;
}

static int segments_take(struct super *s)
{
	char err[CONF_ERR];
	int r = orphans_wait(s);

	if (r)
		return r;
	r = proc_attach(&s->t, SLOT_SUPER, REGION_SUPERVISOR);
	if (r) {
		errno = -r;
		log_warn("supervisor", "process slot %u", SLOT_SUPER);
		return 1;
	}
	rcud_recover(&s->t);
	if (message_publish(s, err)) {
		log_warnx("supervisor", "%s", err);
		return 1;
	}
	return 0;
}

static gid_t socket_group(void)
{
	const struct group *gr = getgrnam("ctshard");

	/* others than root may not give a file away to just any group */
	return gr && !geteuid() ? gr->gr_gid : (gid_t)-1;
}

static bool sockets_listen(struct super *s, char *err)
{
	rundir_clean(&s->run);
	s->fd[ROLE_FD_listen] =
		rundir_listen(&s->run, "api.sock", 0660, socket_group(), err);
	if (s->fd[ROLE_FD_listen] >= 0)
		s->fd[ROLE_FD_control] = rundir_listen(&s->run, "control.sock",
		                                       0600, (gid_t)-1, err);
	return s->fd[ROLE_FD_control] >= 0;
}

static int sockets_open(struct super *s)
{
	char err[RUNDIR_ERR];

	if (!s->open && !sockets_listen(s, err)) {
		log_warnx("supervisor", "%s", err);
		return 1;
	}
	if (rundir_write_pid(&s->run, err)) {
		log_warnx("supervisor", "%s", err);
		return 1;
	}
	s->fd[ROLE_FD_bell_api] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->fd[ROLE_FD_bell_reaper] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd[ROLE_FD_bell_reaper] >= 0 && s->fd[ROLE_FD_bell_api] >= 0)
		return 0;
	log_warn("supervisor", "eventfd");
	return 1;
}

static const struct role *role_must(const char *name)
{
	const struct role *r = role_find(name);

	if (!r)
		fatalx("supervisor", "there is no role %s", name);
	return r;
}

/* By exact timers: with those of a millisecond a turn is waited for in several
 * naps, and waking up is most of what an idle supervisor costs. */
static struct event_base *base_new(void)
{
	struct event_config *c = event_config_new();
	struct event_base *base;

	if (!c)
		return NULL;
	event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(c);
	event_config_free(c);
	return base;
}

static int children_init(struct super *s)
{
	const struct role *worker = role_must("worker");
	uint32_t i;

	s->base = base_new();
	if (!s->base) {
		log_warnx("supervisor", "out of memory");
		return 1;
	}
	for (i = 0; i < s->params.nworker; i++)
		child_init(s, i, worker);
	child_init(s, SLOT_REAPER, role_must("reaper"));
	child_init(s, SLOT_API, role_must("api"));
	if (role_find("recorder"))
		child_init(s, SLOT_RECORDER, role_must("recorder"));
	return 0;
}

static void users_warn(const struct super *s)
{
	const struct role *r = role_must("worker");
	uid_t uid;
	gid_t gid;

	if (!geteuid() && !s->env->private_instance &&
	    !sandbox_user(r->user, r->uid, &uid, &gid))
		log_warnx("supervisor",
		          "there is no user %s: workers and "
		          "reaper run as uid %u, the api as %u",
		          r->user ? r->user : "ctshard", r->uid,
		          role_must("api")->uid);
}

static void limits_warn(const struct super *s)
{
	if (conf_on(s->env->conf, "seccomp") && !sandbox_can_limit() &&
	    !s->env->private_instance)
		log_warnx("supervisor", "system calls are not limited: this "
		                        "kernel, its keeper or this program's "
		                        "build does not let them be");
}

static int super_setup(struct super *s)
{
	static int (*const steps[])(struct super *) = {
		segments_open, segments_take, children_init, taps_open,
		sockets_open};
	char err[RUNDIR_ERR];
	size_t i;
	int r;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN); /* means nothing: no reason to die */
	signal(SIGUSR2, SIG_IGN);
	upgrade_init(s);
	watchdog_init(s);
	r = rundir_reopen(&s->run, s->env->opt->rundir,
	                  s->env->fd[ROLE_FD_lock], err);
	if (r) {
		log_warnx("supervisor", "%s", err);
		return r;
	}
	s->run.made = false; /* it stays */
	s->run.unshared = s->env->private_instance;
	users_warn(s);
	limits_warn(s);
	for (i = 0; i < ARRAY_SIZE(steps) && !r; i++)
		r = steps[i](s);
	return r;
}

static void super_free(struct super *s)
{
	uint32_t i;

	for (i = 0; i < NSLOT; i++)
		child_free(&s->child[i]);
	taps_close(s);
	if (s->base)
		event_base_free(s->base);
	for (i = 0; i < ROLE_FD_COUNT; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	if (s->t.proc && s->t.me == SLOT_SUPER && s->t.word)
		proc_detach(&s->t);
	region_unmap(&s->t);
	region_close(&s->region);
	/* a start that failed leaves no empty table in the next one's way */
	if (s->created && s->exit_code)
		region_remove(s->params.dir, s->run.segments);
	if (s->run.lock >= 0)
		rundir_clean(&s->run);
	rundir_close(&s->run);
}

/* too large for a stack, and there is one */
static struct super the_super;

static int supervisor_loop(struct role_env *e)
{
	struct super *s = &the_super;
	uint32_t i;

	s->env = e;
	s->run.lock = -1;
	region_init(&s->region);
	for (i = 0; i < ROLE_FD_COUNT; i++)
		s->fd[i] = -1;
	/* the roles get the same two */
	s->fd[ROLE_FD_conf] = e->fd[ROLE_FD_conf];
	s->fd[ROLE_FD_options] = e->fd[ROLE_FD_options];
	/* and those of a program before this one go on */
	s->fd[ROLE_FD_listen] = e->fd[ROLE_FD_listen];
	s->fd[ROLE_FD_control] = e->fd[ROLE_FD_control];
	s->open = s->fd[ROLE_FD_listen] >= 0 && s->fd[ROLE_FD_control] >= 0;
	s->exit_code = super_setup(s);
	if (!s->exit_code)
		events_run(s);
	if (s->upgrading)
		upgrade_exec(s);
	super_free(s);
	return s->exit_code;
}

const struct role role_supervisor = {
	.name = "supervisor",
	.access = REGION_SUPERVISOR,
	.keeps = true,
	.loop = supervisor_loop,
};

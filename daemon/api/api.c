/*
 * api.c - the role that answers clients: one loop on libevent.
 *
 * It maps the table read-only and writes the merged log alone.  A turn of the
 * loop: merge what the producers have said, let every client make a step, then
 * wait, but only if neither has more to do.  Producers ring a bell if the api
 * sleeps: `sleeping` is set, the rings are looked at once more, then it waits,
 * for TURN_MS at most, because a producer may be killed before it rings.
 */
#include "daemon/api/api.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/audit.h"
#include "daemon/api/client.h"
#include "daemon/api/cmd_history.h"
#include "daemon/api/http.h"
#include "daemon/base/log.h"
#include "shm/clock.h"
#include "shm/rcu.h"

#define TURN_MS 100
/* slots merged before clients get their turn */
#define MERGE_TURN 8192u
/* a record that waits longer for its predecessor waits in vain */
#define HELD_NS NS_PER_S
/* clients accepted in one turn */
#define ACCEPT_TURN 16u
/* without descriptors accepting would be tried in vain at full speed */
#define ACCEPT_PAUSE_MS 100

struct door {
	struct api_role *r;
	struct event *ev, *again;
	bool control;
};

struct api_role {
	struct api api;
	struct door door[2];
	struct event *bell, *ctl, *stop, *tick;
	uint64_t held_ns; /* since when a record waits */
	int http_fd;
	struct http *http; /* NULL: nobody asked for it */
};

static int api_setup(struct role_env *e)
{
	struct api_role *r = calloc(1, sizeof(*r));

	if (!r) {
		log_warnx("api", "out of memory");
		return 1;
	}
	e->priv = r;
	r->api.env = e;
	r->api.t = e->t;
	r->api.uid = geteuid(); /* the daemon's: privileges are dropped later */
	/* while a port below 1024 may still be had */
	history_setup(&r->api, e);
	r->http_fd = http_listen(conf_text(e->conf, "metrics"));
	/* from a capture no event may be lost */
	shm_store_release(&e->t->mlog->lossless, e->live ? 0 : 1);
	return 0;
}

static void policy_refresh(struct api *a)
{
	const struct policy *p = rcud_enter(a->t);

	if (p->version != a->policy.version || !a->pb.now_ns)
		a->policy = *p;
	rcud_leave(a->t);
}

/* ---- events ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	role_bell_clear(fd);
}

static void on_ctl(evutil_socket_t fd, short what, void *arg)
{
	struct api_role *r = arg;

	(void)fd;
	(void)what;
	sets_collect(&r->api);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
	struct door *d = arg;
	unsigned int n;

	(void)what;
	for (n = 0; n < ACCEPT_TURN; n++) {
		int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (s >= 0) {
			client_new(&d->r->api, s, d->control);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			event_del(d->ev);
			event_add(d->again, &pause);
		}
		return;
	}
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;

	(void)fd;
	(void)what;
	event_add(d->ev, NULL);
}

static struct event *watch_fd(struct api_role *r, int fd, event_callback_fn fn)
{
	struct event *ev;

	if (fd < 0)
		return NULL;
	ev = event_new(r->api.base, fd, EV_READ | EV_PERSIST, fn, r);
	if (!ev || event_add(ev, NULL))
		fatalx("api", "events: no memory");
	return ev;
}

static void door_open(struct api_role *r, struct door *d, int fd, bool control)
{
	d->r = r;
	d->control = control;
	if (fd < 0)
		return;
	/* the listening socket is shared with the supervisor, which must not
	 * find it blocking or not by accident: accept4 is told per call */
	evutil_make_socket_nonblocking(fd);
	d->ev = event_new(r->api.base, fd, EV_READ | EV_PERSIST, on_accept, d);
	d->again = evtimer_new(r->api.base, on_accept_again, d);
	if (!d->ev || !d->again || event_add(d->ev, NULL))
		fatalx("api", "events: no memory");
}

static int api_begin(struct role_env *e)
{
	const struct timeval turn = {0, TURN_MS * 1000};
	struct api_role *r = e->priv;
	struct api *a = &r->api;

	a->t = e->t;
	a->base = event_base_new();
	if (!a->base || pb_init(&a->pb, a->t, &a->policy)) {
		log_warnx("api", "out of memory");
		return 1;
	}
	policy_refresh(a);
	a->began_ns = clock_mono_ns();
	merge_open(&a->merge, a->t);
	commands_open(a);
	traces_open(a);
	r->bell = watch_fd(r, e->fd[ROLE_FD_bell_api], on_bell);
	r->ctl = watch_fd(r, e->fd[ROLE_FD_ctl], on_ctl);
	r->stop = watch_fd(r, role_stop_fd(), on_tick);
	r->tick = event_new(a->base, -1, EV_PERSIST, on_tick, NULL);
	if (!r->tick || event_add(r->tick, &turn))
		fatalx("api", "events: no memory");
	door_open(r, &r->door[0], e->fd[ROLE_FD_listen], false);
	door_open(r, &r->door[1], e->fd[ROLE_FD_control], true);
	if (r->http_fd >= 0)
		r->http = http_new(a, r->http_fd);
	return 0;
}

/* ---- the loop ---- */

/* How many events were merged. */
static unsigned int api_merge(struct api_role *r)
{
	struct api *a = &r->api;
	uint64_t limit = api_log_limit(a), now;
	unsigned int n;

	audits_write(a, limit);
	n = merge_step(&a->merge, MERGE_TURN, limit);
	if (n || !a->merge.held) {
		r->held_ns = 0;
		return n;
	}
	now = clock_mono_ns();
	if (!r->held_ns) {
		r->held_ns = now;
	} else if (now - r->held_ns > HELD_NS) {
		merge_unstick(&a->merge);
		r->held_ns = now;
		log_warnx("api", "an event's predecessor is missing: its shard "
		                 "was damaged and repaired");
	}
	return 0;
}

static void api_ended(struct api *a)
{
	const struct ring_header *broken;

	if (!a->env->live && !a->ended_ns && capture_ended(a->t, &broken))
		a->ended_ns = clock_mono_ns();
}

static void api_wait(struct api_role *r)
{
	struct api *a = &r->api;
	struct proc_page *p = table_proc(a->t, a->env->slot);

	shm_store(&p->sleeping, 1);
	shm_mb();
	event_base_loop(a->base, api_merge(r) ? EVLOOP_ONCE | EVLOOP_NONBLOCK
	                                      : EVLOOP_ONCE);
	shm_store(&p->sleeping, 0);
}

static int api_loop(struct role_env *e)
{
	struct api_role *r = e->priv;
	struct api *a = &r->api;

	while (!role_stopping()) {
		bool more;

		role_beat(e);
		policy_refresh(a);
		more = api_merge(r) == MERGE_TURN;
		commands_collect(a);
		api_ended(a);
		more |= clients_turn(a);
		if (more)
			event_base_loop(a->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		else
			api_wait(r);
	}
	clients_free(a);
	http_free(r->http);
	packed_free(&a->packed);
	return 0;
}

const struct role role_api = {
	.name = "api",
	.access = REGION_API,
	.user = "ctshard-api",
	.uid = 65533,
	/* clients come and go, and are answered */
	.calls = "write writev sendto sendmsg accept4 epoll_create1 epoll_ctl "
		 "epoll_wait epoll_pwait epoll_pwait2 getsockopt setsockopt "
		 "getsockname getpeername shutdown fcntl ioctl eventfd2 pipe2 "
		 "timerfd_create timerfd_settime",
	.setup = api_setup,
	.begin = api_begin,
	.loop = api_loop,
};

/*
 * client.c - libctshard: one connection to one daemon.
 *
 * Theory: requests stand in a list until the last part of their answer has
 * come.  One without a `done` callback stays after its end, for the
 * `ctshard_wait` that will ask how it ended; one with it is forgotten at its
 * end.  Whatever breaks the connection ends all requests with that error, so
 * that a caller has one way to learn of it.  A callback may add requests (they
 * go to the head of the list) but the list is only swept outside callbacks.
 *
 * A callback may do anything but wait: a handle that it closes is freed when
 * the function that called it is done with it, and a request that it ends has
 * no callbacks any more, in the middle of an answer.
 *
 * An answer is unpacked into an arena that the next answer uses again: rows
 * cost no allocation, and are gone when their callback returns.
 */
#include "proto/client.h"

#include "proto/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA_VERSION 1u

/* an answer of FRAME_ANSWER_MAX in structs; see struct frame_arena */
#define ARENA_LIMIT ((size_t)256 << 20)

/* bytes read before a dispatch returns to its caller's loop */
#define READ_CHUNK ((size_t)64 << 10)
#define READ_TURN  (8 * READ_CHUNK)

/* a daemon that accepts but is silent for so long is none */
#define HELLO_MS 10000

const char *ctshard_strerror(int error)
{
	switch (error) {
	case 0:
		return "success";
#define X(name, number, words) \
	case CTSHARD_##name:   \
		return words;
		CTSHARD_ERRORS(X)
#undef X
	default:
		return "unknown error";
	}
}

int client_fail(struct ctshard *c, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
	return error;
}

/* Rows that have come with this one are told to nobody; `done` and `arg` stay.
 */
static void request_mute(struct client_request *q)
{
	const struct ctshard_handler h = {.arg = q->h.arg, .done = q->h.done};

	q->h = h;
}

static void request_end(struct client_request *q, int error, const char *text)
{
	if (q->ended)
		return;
	q->ended = 1;
	q->error = error;
	request_mute(q);
	if (q->h.done)
		q->h.done(q->h.arg, error, text);
}

/* Forget requests that have ended and that nobody will wait for. */
static void requests_sweep(struct ctshard *c)
{
	struct client_request **p = &c->requests, *q;

	while ((q = *p)) {
		if (q->ended && q->h.done) {
			*p = q->next;
			free(q);
		} else {
			p = &q->next;
		}
	}
}

static struct client_request *request_find(struct ctshard *c, uint64_t id)
{
	struct client_request *q = c->requests;

	while (q && q->id != id)
		q = q->next;
	return q;
}

/* The connection is of no more use: everything under way ends here. */
static int client_broken(struct ctshard *c, int error)
{
	struct client_request *q;

	if (!c->error) {
		c->error = error;
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		for (q = c->requests; q; q = q->next)
			request_end(q, error, c->text);
	}
	return c->error;
}

static int client_flush(struct ctshard *c)
{
	const uint8_t *p;
	size_t len;
	ssize_t n;

	while ((p = frame_data(&c->out, &len))) {
		n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return client_fail(c, CTSHARD_ELOST, "%s: %s",
			                   ctshard_strerror(CTSHARD_ELOST),
			                   strerror(errno));
		frame_drop(&c->out, (size_t)n);
	}
	return 0;
}

int client_submit(struct ctshard *c, Ctshard__Request *r,
                  const struct ctshard_handler *h, uint64_t *id)
{
	struct client_request *q;
	int rc;

	if (c->error)
		return c->error;
	q = calloc(1, sizeof(*q));
	if (!q)
		return client_fail(c, CTSHARD_ENOMEM, "out of memory");
	r->has_id = 1;
	r->id = q->id = ++c->last_id;
	rc = frame_put(&c->out, &r->base);
	if (rc) {
		free(q);
		rc = rc == -EMSGSIZE ? CTSHARD_ETOOBIG : CTSHARD_ENOMEM;
		return client_fail(c, rc, "%s", ctshard_strerror(rc));
	}
	if (h)
		q->h = *h;
	q->next = c->requests;
	c->requests = q;
	if (id)
		*id = q->id;
	/* a failure to send is told by the next dispatch, with what the
	 * daemon may have said before it closed */
	client_flush(c);
	return 0;
}

static void client_greet(struct ctshard *c, const Ctshard__HelloAnswer *a)
{
	snprintf(c->version, sizeof(c->version), "%s",
	         a->daemon ? a->daemon : "");
	if (a->uuid.len == sizeof(c->peer.uuid))
		memcpy(c->peer.uuid, a->uuid.data, sizeof(c->peer.uuid));
	c->peer.seq = a->seq;
	c->peer.pid = a->pid;
	c->greeted = 1;
}

static int client_send_cancel(struct ctshard *c, uint64_t id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Cancel m = CTSHARD__CANCEL__INIT;

	m.has_request = 1;
	m.request = id;
	r.has_id = 1;
	r.id = ++c->last_id;
	r.body_case = CTSHARD__REQUEST__BODY_CANCEL;
	r.cancel = &m;
	if (frame_put(&c->out, &r.base))
		return CTSHARD_ENOMEM;
	return client_flush(c);
}

static void client_free(struct ctshard *c)
{
	struct client_request *q, *next;

	if (c->fd >= 0)
		close(c->fd);
	for (q = c->requests; q; q = next) {
		next = q->next;
		free(q);
	}
	frame_free(&c->in);
	frame_free(&c->out);
	arena_free(&c->arena);
	free(c);
}

/* Behind what may have called callbacks: `rc`, unless one closed the handle. */
static int client_leave(struct ctshard *c, int rc)
{
	if (--c->inside || !c->closing)
		return rc;
	client_free(c);
	return CTSHARD_ECANCELLED;
}

void ctshard_close(struct ctshard *c)
{
	struct client_request *q;

	if (!c)
		return;
	if (!c->inside) {
		client_free(c);
		return;
	}
	/* in silence: what a callback's `arg` meant may be gone already */
	c->closing = 1;
	c->error = CTSHARD_ECANCELLED;
	for (q = c->requests; q; q = q->next) {
		q->ended = 1;
		request_mute(q);
	}
}

int ctshard_cancel(struct ctshard *c, uint64_t id)
{
	struct client_request *q = request_find(c, id);
	int rc;

	if (!q || q->ended)
		return CTSHARD_EINVAL;
	c->inside++;
	request_end(q, CTSHARD_ECANCELLED, NULL);
	rc = c->error ? c->error : client_send_cancel(c, id);
	return client_leave(c, rc);
}

/* One answer: 0, or what broke the connection. */
static int client_answer(struct ctshard *c, const Ctshard__Response *r)
{
	struct client_request *q = request_find(c, r->id);
	const char *why = NULL;
	int rc, error;

	if (!q || q->ended) /* what was on its way when it was cancelled */
		return 0;
	if (r->hello && r->id == 1)
		client_greet(c, r->hello);
	rc = decode_response(r, &c->arena, &q->h, &why);
	if (rc < 0)
		return client_fail(c, CTSHARD_EPROTO, "%s: %s",
		                   ctshard_strerror(CTSHARD_EPROTO), why);
	if (rc > 0 && !q->ended) {
		request_end(q, CTSHARD_ECANCELLED, NULL);
		return r->end ? 0 : client_send_cancel(c, q->id);
	}
	error = r->error ? decode_error(r->error) : 0;
	if (error) {
		client_fail(c, error, "%s",
		            r->error->message ? r->error->message
		                              : ctshard_strerror(error));
		request_end(q, error, c->text);
	} else if (r->end) {
		request_end(q, 0, NULL);
	}
	return 0;
}

static Ctshard__Response *client_unpack(struct ctshard *c, const uint8_t *body,
                                        size_t len)
{
	Ctshard__Response *r;

	arena_reset(&c->arena);
	r = rows_unpack(&c->arena, body, len);
	if (r)
		return r;
	arena_reset(&c->arena);
	return (Ctshard__Response *)(void *)frame_unpack(
		&c->arena, &ctshard__response__descriptor, body, len);
}

static int client_frames(struct ctshard *c)
{
	Ctshard__Response *r;
	const uint8_t *body;
	size_t len;
	int rc;

	while ((rc = frame_next(&c->in, &body, &len)) > 0) {
		r = client_unpack(c, body, len);
		if (!r)
			return client_fail(c, CTSHARD_EPROTO, "%s",
			                   ctshard_strerror(CTSHARD_EPROTO));
		rc = client_answer(c, r);
		if (rc)
			return rc;
	}
	if (rc < 0)
		return client_fail(c, CTSHARD_EPROTO,
		                   "the daemon's answer is over %u bytes",
		                   FRAME_ANSWER_MAX);
	return 0;
}

/* Read what is there: > 0 bytes, 0 nothing now, or an error. */
static int client_read(struct ctshard *c)
{
	size_t room;
	uint8_t *p = frame_room(&c->in, READ_CHUNK, &room);
	ssize_t n;

	if (!p)
		return client_fail(c, CTSHARD_ENOMEM, "out of memory");
	do {
		n = recv(c->fd, p, room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return client_fail(c, CTSHARD_ELOST, "%s: %s",
		                   ctshard_strerror(CTSHARD_ELOST),
		                   strerror(errno));
	if (!n)
		return client_fail(c, CTSHARD_ELOST, "%s",
		                   ctshard_strerror(CTSHARD_ELOST));
	frame_added(&c->in, (size_t)n);
	return n > INT32_MAX ? INT32_MAX : (int)n;
}

static int client_turn(struct ctshard *c)
{
	size_t turn = 0;
	int rc, sent;

	if (c->error)
		return c->error;
	/* what was said before the other side closed comes first */
	sent = client_flush(c);
	do {
		rc = client_read(c);
		if (rc > 0) {
			turn += (size_t)rc;
			rc = client_frames(c);
			rc = rc ? rc : 1;
		}
	} while (rc > 0 && turn < READ_TURN);
	if (rc >= 0)
		rc = sent;
	if (rc < 0)
		rc = client_broken(c, rc);
	requests_sweep(c);
	return rc;
}

int ctshard_dispatch(struct ctshard *c)
{
	if (c->inside)
		return CTSHARD_EINVAL;
	c->inside++;
	return client_leave(c, client_turn(c));
}

int ctshard_fd(const struct ctshard *c)
{
	return c->fd;
}

short ctshard_events(const struct ctshard *c)
{
	return (short)(POLLIN | (c->out.len ? POLLOUT : 0));
}

static int client_poll(struct ctshard *c, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = ctshard_events(c)};
	int n = poll(&p, 1, ms);

	if (n < 0)
		return errno == EINTR ? CTSHARD_EINTR : CTSHARD_ELOST;
	return n ? 0 : CTSHARD_ENODAEMON;
}

static int request_take(struct ctshard *c, uint64_t id)
{
	struct client_request **p = &c->requests, *q;
	int error;

	while (*p && (*p)->id != id)
		p = &(*p)->next;
	q = *p;
	if (!q)
		return CTSHARD_EINVAL;
	error = q->error;
	*p = q->next;
	free(q);
	return error;
}

int ctshard_wait(struct ctshard *c, uint64_t id)
{
	struct client_request *q = request_find(c, id);
	int rc;

	if (!q || q->h.done || c->inside)
		return CTSHARD_EINVAL;
	while (!q->ended) {
		rc = client_poll(c, -1);
		if (rc == CTSHARD_EINTR)
			return rc;
		c->inside++;
		client_turn(c);
		if (client_leave(c, 0))
			return CTSHARD_ECANCELLED;
	}
	return request_take(c, id);
}

const char *ctshard_errmsg(const struct ctshard *c)
{
	return c ? c->text : ctshard_strerror(CTSHARD_ENOMEM);
}

const struct ctshard_peer *ctshard_peer(const struct ctshard *c)
{
	return &c->peer;
}

/* A run directory may be longer than sun_path: go through its descriptor. */
static int client_address(struct sockaddr_un *sa, const char *rundir,
                          const char *name, int *dir)
{
	int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s", rundir,
	                 name);

	sa->sun_family = AF_UNIX;
	*dir = -1;
	if (n >= 0 && (size_t)n < sizeof(sa->sun_path))
		return 0;
	*dir = open(rundir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return -1;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s",
	         *dir, name);
	return 0;
}

static int client_connect(struct ctshard *c, const char *rundir, bool control)
{
	const struct timeval most = {.tv_sec = HELLO_MS / 1000};
	const char *name = control ? "control.sock" : "api.sock";
	struct sockaddr_un sa;
	int dir = -1, rc, err;

	memset(&sa, 0, sizeof(sa));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return client_fail(c, CTSHARD_ENOMEM, "socket: %s",
		                   strerror(errno));
	/* a daemon that stands still accepts nobody, and the queue is full */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	rc = client_address(&sa, rundir, name, &dir);
	while (!rc && connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)))
		rc = errno == EINTR ? 0 : -1;
	err = errno;
	if (dir >= 0)
		close(dir);
	if (!rc)
		return 0;
	if (err == EACCES || err == EPERM)
		return client_fail(c, CTSHARD_EACCESS,
		                   control ? "%s/%s: permission denied (only "
		                             "root may change something; group "
		                             "`%s' may read)"
		                           : "%s/%s: permission denied (be in "
		                             "group `%s', or root)",
		                   rundir, name, CTSHARD_GROUP);
	return client_fail(c, CTSHARD_ENODAEMON, "no daemon at %s: %s", rundir,
	                   err == EAGAIN ? "it does not answer"
	                                 : strerror(err));
}

static int64_t client_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int client_hello(struct ctshard *c)
{
	static const struct ctshard_handler none;
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Hello m = CTSHARD__HELLO__INIT;
	char name[] = "libctshard " VERSION;
	int64_t end = client_ms() + HELLO_MS, left;
	struct client_request *q;
	uint64_t id = 0;
	int rc;

	m.has_version = 1;
	m.version = SCHEMA_VERSION;
	m.client = name;
	r.body_case = CTSHARD__REQUEST__BODY_HELLO;
	r.hello = &m;
	rc = client_submit(c, &r, &none, &id);
	if (rc)
		return rc;
	q = request_find(c, id);
	while (!q->ended) {
		left = end - client_ms();
		rc = client_poll(c, left > 0 ? (int)left : 0);
		if (rc == CTSHARD_EINTR)
			continue;
		if (rc)
			return client_fail(c, rc, "the daemon does not answer");
		client_turn(c); /* there are no callbacks yet */
	}
	rc = request_take(c, id);
	/* one that goes away before its hello was not there */
	if (rc == CTSHARD_ELOST)
		return client_fail(c, CTSHARD_ENODAEMON, "no daemon: %s",
		                   ctshard_strerror(rc));
	if (!rc && !c->greeted)
		return client_fail(c, CTSHARD_EPROTO, "%s: no hello",
		                   ctshard_strerror(CTSHARD_EPROTO));
	return rc;
}

int ctshard_open(const char *rundir, unsigned flags, struct ctshard **out)
{
	struct ctshard *c = calloc(1, sizeof(*c));
	int rc;

	*out = c;
	if (!c)
		return CTSHARD_ENOMEM;
	c->fd = -1;
	c->peer.version = c->version;
	frame_init(&c->in, FRAME_ANSWER_MAX);
	frame_init(&c->out, FRAME_REQUEST_MAX);
	arena_init(&c->arena, ARENA_LIMIT);
	rc = client_connect(c, rundir ? rundir : CTSHARD_RUNDIR,
	                    flags & CTSHARD_CONTROL);
	if (!rc)
		rc = client_hello(c);
	if (rc && !c->error)
		client_broken(c, rc);
	return rc;
}

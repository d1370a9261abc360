/*
 * client.c - see client.h.
 *
 * Theory: a client is a socket, two buffers and a list of requests.  Reading
 * and writing only move bytes; everything else is done by clients_turn(), so
 * that each client gets its turn and none is served from inside another.
 * What a client can make this process keep is bounded: input by one frame,
 * output by OUT_PAUSE and the answer of one step, requests by number, for a
 * client and for a user.  A client that does not read stops being worked for,
 * and being read from.  One that says nothing, or stops within a frame, keeps
 * its place for FRAME_NS.
 *
 * A client that breaks the protocol is told why, once, and closed.
 */
#include "daemon/api/client.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "shm/clock.h"

/* pending output above which nothing more is made or read */
#define OUT_PAUSE (256u << 10)
/* a subscriber that took nothing for so long does not read */
#define MOVES_NS (200 * NS_PER_MS)
/* a buffer that has grown beyond is given back once empty */
#define KEEP   (64u << 10)
#define IN_MAX (FRAME_REQUEST_MAX + FRAME_HEAD)
/* frames of one client that are looked at in one turn */
#define FRAMES_TURN 16u
/* structs that a request of FRAME_REQUEST_MAX may become */
#define UNPACK_MAX ((size_t)1 << 20)

/* ---- bytes ---- */

static void client_broken(struct client *c, const char *why)
{
	client_refuse(c, 0, CTSHARD__ERROR_CODE__BAD_REQUEST, why);
	c->closing = true;
}

/* There is no whole frame: is one overdue? */
static void client_late(struct client *c)
{
	uint64_t now;

	if (c->greeted && !c->in.len) {
		c->half_ns = 0;
		return;
	}
	now = clock_mono_ns();
	if (!c->half_ns)
		c->half_ns = now;
	else if (now - c->half_ns > FRAME_NS)
		client_broken(c, c->greeted ? "the request does not end"
		                            : "there was no Hello");
}

/* True: there is another frame, for the next turn. */
static bool client_frames(struct client *c, struct frame_arena *arena)
{
	unsigned int n;

	for (n = 0; n < FRAMES_TURN; n++) {
		Ctshard__Request *r;
		const uint8_t *body;
		size_t len;
		int got;

		if (c->closing || c->dead || c->out.len > OUT_PAUSE)
			return false;
		got = frame_next(&c->in, &body, &len);
		if (!got) {
			client_late(c);
			return false;
		}
		c->half_ns = 0;
		if (got < 0) {
			client_broken(c, "the request is too long");
			return false;
		}
		arena_reset(arena);
		r = (Ctshard__Request *)(void *)frame_unpack(
			arena, &ctshard__request__descriptor, body, len);
		if (!r) {
			client_broken(c, "the request is malformed");
			return false;
		}
		client_request(c, r);
	}
	return true;
}

/* Once a turn: what stays readable must not keep the loop in here. */
static void client_read(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	size_t room, want;
	uint8_t *to;
	ssize_t n;

	(void)what;
	event_del(c->rd);
	c->reading = false;
	if (c->dead || c->in.len >= IN_MAX)
		return;
	want = IN_MAX - c->in.len;
	to = frame_room(&c->in, want, &room);
	if (!to) {
		c->dead = true;
		return;
	}
	n = recv(fd, to, want, MSG_DONTWAIT);
	if (n > 0)
		frame_added(&c->in, (size_t)n);
	else if (!n ||
	         (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		c->dead = true;
}

static void client_write(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	const uint8_t *p;
	size_t len;
	ssize_t n;

	(void)what;
	while (!c->dead && (p = frame_data(&c->out, &len))) {
		n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(c->wr, NULL);
			return;
		}
		if (n < 0)
			c->dead = true;
		else
			frame_drop(&c->out, (size_t)n);
	}
	if (c->out.cap > KEEP && !c->out.len)
		frame_free(&c->out);
	if (c->in.cap > KEEP && !c->in.len)
		frame_free(&c->in);
	if (c->closing)
		c->dead = true;
}

/* Reads only from clients that there is room for. */
static void client_want(struct client *c)
{
	bool want = !c->dead && !c->closing && c->in.len < IN_MAX &&
	            c->out.len <= OUT_PAUSE;

	if (want && !c->reading)
		event_add(c->rd, NULL);
	else if (!want && c->reading)
		event_del(c->rd);
	c->reading = want;
}

/* ---- coming and going ---- */

static void client_free(struct client *c)
{
	requests_sweep(c, true);
	if (c->rd)
		event_free(c->rd);
	if (c->wr)
		event_free(c->wr);
	close(c->fd);
	frame_free(&c->in);
	frame_free(&c->out);
	free(c);
}

static void clients_sweep(struct api *a, bool all)
{
	struct client **p = &a->clients, *c;

	while ((c = *p)) {
		if (!c->dead && !all) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		a->nclients--;
		client_free(c);
	}
}

void clients_free(struct api *a)
{
	clients_sweep(a, true);
}

static bool client_peer(const struct api *a, int fd, bool control,
                        struct peer *p)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len))
		return false;
	p->uid = u.uid;
	p->gid = u.gid;
	p->pid = (uint32_t)u.pid;
	p->control = control && (!u.uid || u.uid == a->uid);
	return true;
}

static bool client_quota(const struct api *a, const struct peer *p)
{
	const struct client *c;
	unsigned int same = 0;

	for (c = a->clients; c; c = c->next)
		same += c->peer.uid == p->uid;
	if (p->uid && same >= CLIENTS_UID)
		return false;
	return a->nclients <
	       (p->control ? CLIENTS_MAX : CLIENTS_MAX - CLIENTS_CONTROL);
}

/* One frame, if the socket takes it at once, says why. */
static void client_busy(int fd)
{
	static struct log_limit limit;
	char text[] = "too many clients";
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Error e = CTSHARD__ERROR__INIT;
	struct frame_buf out;
	const uint8_t *p;
	size_t len;

	e.has_code = 1;
	e.code = CTSHARD__ERROR_CODE__BUSY;
	e.message = text;
	r.has_id = r.has_end = 1;
	r.id = 1;
	r.end = 1;
	r.error = &e;
	frame_init(&out, FRAME_ANSWER_MAX);
	if (!frame_put(&out, &r.base) && (p = frame_data(&out, &len)) &&
	    send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("api", "refused client is gone already");
	frame_free(&out);
	close(fd);
	if (log_allow(&limit, "api", "clients"))
		log_warnx("api", "a client was refused: too many");
}

bool client_new(struct api *a, int fd, bool control)
{
	struct peer peer;
	struct client *c;

	if (!client_peer(a, fd, control, &peer)) {
		close(fd);
		return false;
	}
	if (!client_quota(a, &peer)) {
		client_busy(fd);
		return false;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return false;
	}
	c->api = a;
	c->fd = fd;
	c->peer = peer;
	frame_init(&c->in, FRAME_REQUEST_MAX);
	frame_init(&c->out, FRAME_ANSWER_MAX);
	c->rd = event_new(a->base, fd, EV_READ | EV_PERSIST, client_read, c);
	c->wr = event_new(a->base, fd, EV_WRITE, client_write, c);
	if (!c->rd || !c->wr) {
		client_free(c);
		return false;
	}
	c->next = a->clients;
	a->clients = c;
	a->nclients++;
	client_want(c);
	return true;
}

/* ---- all of them ---- */

void requests_each(struct api *a,
                   bool (*fn)(void *arg, const struct request *q), void *arg)
{
	const struct client *c;
	const struct request *q;

	for (c = a->clients; c; c = c->next)
		for (q = c->requests; q; q = q->next)
			if (!fn(arg, q))
				return;
}

unsigned int clients_requests(const struct api *a, uint32_t uid)
{
	const struct client *c;
	unsigned int n = 0;

	for (c = a->clients; c; c = c->next)
		if (c->peer.uid == uid)
			n += c->nrequests;
	return n;
}

/* From a capture nothing may be overwritten that is still to be recorded. */
static uint64_t recorder_limit(const struct api *a)
{
	uint64_t holds;

	if (a->env->live)
		return UINT64_MAX;
	holds = shm_load_acquire(&table_proc(a->t, SLOT_RECORDER)->holds);
	return holds ? holds - 1 + a->t->log_mask + 1 : UINT64_MAX;
}

static uint64_t clients_limit(const struct api *a)
{
	uint64_t limit = UINT64_MAX;
	const struct client *c;
	const struct request *q;

	for (c = a->clients; c; c = c->next)
		for (q = c->requests; q; q = q->next)
			if (q->pins && q->pos < limit)
				limit = q->pos;
	return limit == UINT64_MAX ? limit : limit + a->t->log_mask + 1;
}

/* Those who were promised to see every event hold the log back, in a private
 * instance: nobody else is served there. */
uint64_t api_log_limit(const struct api *a)
{
	uint64_t held = recorder_limit(a), limit;

	limit = a->env->private_instance ? clients_limit(a) : UINT64_MAX;
	return held < limit ? held : limit;
}

/* Does it read, lately?  Who does not is waited for by nobody. */
static bool request_moves(struct request *q, uint64_t now)
{
	if (q->moved != q->pos + q->sent) {
		q->moved = q->pos + q->sent;
		q->moved_ns = now;
	}
	return now - q->moved_ns < MOVES_NS;
}

/* For the reaper: what can wait is not told faster than it is read. */
static void followers_note(struct api *a)
{
	uint64_t now = clock_mono_ns(), least = a->merge.tail;
	struct request *q;
	struct client *c;

	for (c = a->clients; c; c = c->next)
		for (q = c->requests; q; q = q->next)
			if (q->watching && !q->tracing && !q->ended &&
			    q->pos < least && request_moves(q, now))
				least = q->pos;
	shm_store(&a->t->mlog->followed, least < a->merge.tail ? least + 1 : 0);
}

/* ---- the turn ---- */

static bool client_steps(struct client *c)
{
	struct request *q;
	bool more = false;

	for (q = c->requests; q; q = q->next) {
		if (q->ended || !q->cmd->step)
			continue;
		if (c->dead || c->out.len > OUT_PAUSE)
			return false;
		if (q->cmd->step(q) == CMD_MORE)
			more = true;
	}
	return more;
}

bool clients_turn(struct api *a)
{
	static struct frame_arena arena;
	struct client *c;
	bool more = false;

	if (!arena.limit)
		arena_init(&arena, UNPACK_MAX);
	for (c = a->clients; c; c = c->next) {
		bool frames = client_frames(c, &arena);
		bool steps = client_steps(c);

		requests_sweep(c, false);
		client_write(c->fd, 0, c);
		client_want(c);
		if (!c->dead && c->out.len <= OUT_PAUSE)
			more |= frames || steps;
	}
	clients_sweep(a, false);
	followers_note(a);
	return more;
}

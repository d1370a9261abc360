/*
 * test_client.c - clients that behave, and those that do not.
 *
 * The api without its role: a table in memory, clients at the other ends of
 * socket pairs, and turns made by hand.  After every test there must be as
 * many open descriptors as before it.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "daemon/api/client.h"
#include "daemon/base/log.h"
#include "shm/proc.h"
#include "tests/api/rig.h"
#include "tests/lib/keys.h"

struct rig {
	struct api api;
	struct role_env env;
	int fds; /* open before */
};

static int fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct api *a;
	int i;

	if (!r)
		return -1;
	r->fds = fds_open();
	a = &r->api;
	a->env = &r->env;
	for (i = 0; i < ROLE_FD_COUNT; i++)
		r->env.fd[i] = -1;
	a->t = table_make(4096, true, 1024);
	r->env.t = a->t;
	a->uid = getuid();
	a->policy = rig_policy();
	a->base = event_base_new();
	if (!a->t || !a->base || pb_init(&a->pb, a->t, &a->policy))
		return -1;
	a->t->hdr->t0_real_ns = NS_PER_S;
	a->t->hdr->clock_ns = NS_PER_S;
	merge_open(&a->merge, a->t);
	commands_open(a);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;
	int bad;

	clients_free(&r->api);
	event_base_free(r->api.base);
	pb_free(&r->api.pb);
	packed_free(&r->api.packed);
	table_drop(r->api.t);
	bad = fds_open() != r->fds;
	free(r);
	return bad;
}

/* ---- the other end ---- */

struct peer_end {
	int fd;
	struct frame_buf in;
};

static struct peer_end peer_new(struct rig *r, bool control)
{
	struct peer_end p;
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	client_new(&r->api, sv[0], control);
	p.fd = sv[1];
	frame_init(&p.in, FRAME_ANSWER_MAX);
	return p;
}

static void peer_free(struct peer_end *p)
{
	close(p->fd);
	frame_free(&p->in);
}

/* Turns until nothing moves any more, at most `most`. */
static void turns(struct rig *r, int most)
{
	int i;

	for (i = 0; i < most; i++) {
		event_base_loop(r->api.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		merge_step(&r->api.merge, 10000, UINT64_MAX);
		commands_collect(&r->api);
		clients_turn(&r->api);
	}
}

static void say(struct peer_end *p, Ctshard__Request *m, uint64_t id)
{
	struct frame_buf out;
	const uint8_t *b;
	size_t n;

	m->has_id = 1;
	m->id = id;
	frame_init(&out, FRAME_REQUEST_MAX);
	assert_int_equal(frame_put(&out, &m->base), 0);
	b = frame_data(&out, &n);
	assert_int_equal(send(p->fd, b, n, MSG_NOSIGNAL), n);
	frame_free(&out);
}

/* The next answer, or NULL: none has come (*over: nor will). */
static Ctshard__Response *hear(struct peer_end *p, bool *over)
{
	Ctshard__Response *m;
	const uint8_t *body;
	size_t room, len;
	ssize_t n;

	*over = false;
	while (!frame_next(&p->in, &body, &len)) {
		uint8_t *to = frame_room(&p->in, 65536, &room);

		assert_non_null(to);
		n = recv(p->fd, to, room, MSG_DONTWAIT);
		if (n <= 0) {
			*over = !n || errno != EAGAIN;
			return NULL;
		}
		frame_added(&p->in, (size_t)n);
	}
	m = ctshard__response__unpack(NULL, len, body);
	assert_non_null(m);
	return m;
}

/* All answers to `id` up to its end: rows, and the error's code. */
struct heard {
	uint64_t conns, events, gaps, lost;
	int code;
	bool end, over;
	uint64_t count, affected, last_seq;
};

static void hear_one(struct heard *h, const Ctshard__Response *m)
{
	size_t i;

	h->conns += m->n_conn;
	h->events += m->n_event;
	for (i = 0; i < m->n_event; i++) {
		if (m->event[i]->type == CTSHARD__EVENT_TYPE__GAP) {
			h->gaps++;
			h->lost += m->event[i]->lost;
			h->last_seq = m->event[i]->to - 1;
		} else if (m->event[i]->type <= CTSHARD__EVENT_TYPE__DESTROY) {
			assert_int_equal(m->event[i]->seq, h->last_seq + 1);
			h->last_seq = m->event[i]->seq;
		}
	}
	if (m->n_count)
		h->count = m->count[0]->count;
	if (m->has_affected)
		h->affected = m->affected;
	if (m->error)
		h->code = m->error->code;
	h->end |= m->end;
}

static struct heard listen_to(struct rig *r, struct peer_end *p, uint64_t id)
{
	struct heard h = {0};
	int quiet = 0;

	while (!h.end && !h.over && quiet < 100) {
		Ctshard__Response *m = hear(p, &h.over);

		if (!m) {
			turns(r, 1);
			quiet++;
			continue;
		}
		quiet = 0;
		if (m->id == id)
			hear_one(&h, m);
		ctshard__response__free_unpacked(m, NULL);
	}
	return h;
}

static void hello(struct rig *r, struct peer_end *p)
{
	Ctshard__Request m = CTSHARD__REQUEST__INIT;
	Ctshard__Hello b = CTSHARD__HELLO__INIT;

	b.has_version = 1;
	b.version = 1;
	m.body_case = CTSHARD__REQUEST__BODY_HELLO;
	m.hello = &b;
	say(p, &m, 1);
	assert_true(listen_to(r, p, 1).end);
}

#define REQUEST(BODY, member, Type, TYPE)            \
	Ctshard__Request m = CTSHARD__REQUEST__INIT; \
	Ctshard__##Type b = CTSHARD__##TYPE##__INIT; \
	m.body_case = CTSHARD__REQUEST__BODY_##BODY; \
	m.member = &b

static void say_list(struct peer_end *p, uint64_t id)
{
	REQUEST(LIST, list, List, LIST);
	say(p, &m, id);
}

static void say_watch(struct peer_end *p, uint64_t id, bool from_start)
{
	REQUEST(WATCH, watch, Watch, WATCH);
	b.has_from_start = b.from_start = from_start;
	say(p, &m, id);
}

static void say_cancel(struct peer_end *p, uint64_t id, uint64_t which)
{
	REQUEST(CANCEL, cancel, Cancel, CANCEL);
	b.has_request = 1;
	b.request = which;
	say(p, &m, id);
}

static void fill(struct rig *r, uint32_t n)
{
	const struct op_cursor none = {0, 0};
	const struct op_event ev = {.type = EVENT_NEW};
	enum op_refusal why;
	struct conn init;
	uint32_t i;

	memset(&init, 0, sizeof(init));
	init.status = CONN_CONFIRMED;
	init.deadline = 1000000;
	for (i = 0; i < n; i++) {
		struct conn_lookup k = key_make(r->api.t, noise(i) & 0xffffff,
		                                i & 1, (uint8_t)i);

		op_insert(r->api.t, &k, &init, NULL, NULL, &ev, none, &why);
		merge_step(&r->api.merge, 1000, UINT64_MAX);
	}
}

/* ---- those that behave ---- */

static void test_list_and_count(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	REQUEST(COUNT, count, Count, COUNT);
	struct heard h;

	fill(r, 1000);
	hello(r, &p);
	say_list(&p, 2);
	h = listen_to(r, &p, 2);
	assert_true(h.end);
	assert_int_equal(h.conns, 1000);
	say(&p, &m, 3);
	h = listen_to(r, &p, 3);
	assert_int_equal(h.count, 1000);
	/* expired ones are not shown, but are there until the reaper comes */
	r->api.t->hdr->clock_ns += 2000 * NS_PER_S;
	say_list(&p, 4);
	h = listen_to(r, &p, 4);
	assert_int_equal(h.conns, 0);
	assert_int_equal(h.code, 0);
	peer_free(&p);
}

static void test_watch(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	struct heard h = {0};
	Ctshard__Response *m;
	bool over;

	hello(r, &p);
	fill(r, 30);
	say_watch(&p, 2, true);
	say_watch(&p, 3, false);
	turns(r, 5);
	fill(r, 40); /* ten that are new */
	turns(r, 5);
	say_cancel(&p, 4, 2);
	turns(r, 5);
	while ((m = hear(&p, &over))) {
		if (m->id == 2)
			hear_one(&h, m);
		ctshard__response__free_unpacked(m, NULL);
	}
	assert_int_equal(h.events, h.last_seq);
	assert_true(h.events >= 40);
	assert_true(h.end);
	assert_int_equal(h.gaps, 0);
	peer_free(&p);
	turns(r, 2);
	assert_int_equal(r->api.nclients, 0);
}

/* Events that a filter hides all: the number to come back with goes on. */
static void test_positions(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	REQUEST(WATCH, watch, Watch, WATCH);
	Ctshard__Filter f = CTSHARD__FILTER__INIT;
	uint64_t seq = 0, last;
	Ctshard__Response *a;
	bool over;

	hello(r, &p);
	f.has_zone = 1;
	f.zone = 77;
	b.filter = &f;
	b.has_positions = b.positions = 1;
	say(&p, &m, 2);
	turns(r, 5);
	assert_null(hear(&p, &over));
	/* more than an eighth of the log, so at once */
	fill(r, r->api.t->log_mask / 2);
	last = r->api.merge.gseq;
	assert_true(last > r->api.t->log_mask / 8);
	turns(r, 5);
	while ((a = hear(&p, &over))) {
		assert_int_equal(a->n_event, 1);
		assert_int_equal(a->event[0]->type,
		                 CTSHARD__EVENT_TYPE__POSITION);
		assert_true(a->event[0]->seq > seq);
		seq = a->event[0]->seq;
		ctshard__response__free_unpacked(a, NULL);
	}
	assert_int_equal(seq, last);
	/* who does not ask for them is not told */
	b.has_positions = 0;
	b.has_since = 1;
	say(&p, &m, 3);
	turns(r, 5);
	assert_null(hear(&p, &over));
	peer_free(&p);
}

static void test_unknown(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	Ctshard__Request none = CTSHARD__REQUEST__INIT;
	struct heard h;
	REQUEST(GET, get, Get, GET);
	Ctshard__Filter f = CTSHARD__FILTER__INIT;

	hello(r, &p);
	say(&p, &none, 2);
	h = listen_to(r, &p, 2);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__UNSUPPORTED);
	f.has_id = 1;
	f.id = ~0ull;
	b.filter = &f;
	say(&p, &m, 3);
	h = listen_to(r, &p, 3);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__NOT_FOUND);
	b.filter = NULL;
	say(&p, &m, 4);
	h = listen_to(r, &p, 4);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__BAD_REQUEST);
	peer_free(&p);
}

static void test_denied(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false), q = peer_new(r, true);
	REQUEST(FLUSH, flush, Flush, FLUSH);
	struct heard h;

	hello(r, &p);
	hello(r, &q);
	say(&p, &m, 2);
	h = listen_to(r, &p, 2);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__DENIED);
	/* an empty table: done without the reaper */
	say(&q, &m, 2);
	h = listen_to(r, &q, 2);
	assert_true(h.end);
	assert_int_equal(h.code, 0);
	peer_free(&p);
	peer_free(&q);
}

/* Commands go to the reaper in order, each place is used again only when its
 * answer was taken, and a client that goes does not disturb the others. */
static void test_flush(void **state)
{
	struct rig *r = *state;
	struct ring_header *reaper = r->api.t->ring[SLOT_REAPER].hdr;
	struct mlog_header *log = r->api.t->mlog;
	struct peer_end p = peer_new(r, true), gone = peer_new(r, true);
	REQUEST(FLUSH, flush, Flush, FLUSH);
	uint64_t n = 0, turn;
	struct heard h = {0};
	Ctshard__Response *a;

	assert_non_null(reaper);
	fill(r, 300);
	hello(r, &p);
	hello(r, &gone);
	say(&gone, &m, 2);
	turns(r, 3);
	say(&p, &m, 2);
	for (turn = 0; turn < 2000 && !h.end; turn++) {
		turns(r, 1);
		assert_true(log->ncommand - n <= NCOMMAND);
		for (; n < log->ncommand; n++) {
			const struct command *c = &log->command[n % NCOMMAND];
			struct command_answer *ans =
				&reaper->answer[n % NCOMMAND];

			assert_int_equal(c->number, n + 1);
			assert_int_equal(c->kind, COMMAND_DELETE);
			assert_int_equal(c->value, REASON_FLUSH);
			memset(ans, 0, sizeof(*ans));
			ans->affected = 1;
			ans->number = n + 1;
		}
		if (turn == 2)
			peer_free(&gone);
		while ((a = hear(&p, &h.over))) {
			hear_one(&h, a);
			ctshard__response__free_unpacked(a, NULL);
		}
	}
	assert_true(h.end);
	assert_int_equal(h.code, 0);
	assert_true(h.affected >= 300);
	peer_free(&p);
}

/* ---- and those that do not ---- */

static void test_no_hello(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	struct heard h;

	say_list(&p, 2);
	h = listen_to(r, &p, 2);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__BAD_REQUEST);
	assert_true(listen_to(r, &p, 3).over);
	turns(r, 2);
	assert_int_equal(r->api.nclients, 0);
	peer_free(&p);
}

static void raw(struct rig *r, const void *bytes, size_t n, int code)
{
	struct peer_end p = peer_new(r, false);
	struct heard h;

	assert_int_equal(send(p.fd, bytes, n, MSG_NOSIGNAL), n);
	h = listen_to(r, &p, 0);
	assert_int_equal(h.code, code);
	assert_true(h.over || listen_to(r, &p, 1).over);
	peer_free(&p);
	turns(r, 2);
}

static void test_lies(void **state)
{
	struct rig *r = *state;

	/* a length over the limit; bytes that are no message */
	raw(r, "\xff\xff\xff\xff", 4, CTSHARD__ERROR_CODE__BAD_REQUEST);
	raw(r, "\x00\x01\x00\x01xxxx", 8, CTSHARD__ERROR_CODE__BAD_REQUEST);
	raw(r, "\x00\x00\x00\x04\xff\xff\xff\xff", 8,
	    CTSHARD__ERROR_CODE__BAD_REQUEST);
	assert_int_equal(r->api.nclients, 0);
}

static void test_half_a_frame(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	Ctshard__Request m = CTSHARD__REQUEST__INIT;
	Ctshard__Hello b = CTSHARD__HELLO__INIT;
	struct frame_buf out;
	const uint8_t *bytes;
	size_t n, i;

	m.has_id = 1;
	m.id = 1;
	m.body_case = CTSHARD__REQUEST__BODY_HELLO;
	m.hello = &b;
	frame_init(&out, FRAME_REQUEST_MAX);
	assert_int_equal(frame_put(&out, &m.base), 0);
	bytes = frame_data(&out, &n);
	for (i = 0; i < n; i++) {
		assert_int_equal(r->api.nclients, 1);
		assert_int_equal(send(p.fd, bytes + i, 1, MSG_NOSIGNAL), 1);
		turns(r, 2);
	}
	assert_true(listen_to(r, &p, 1).end);
	/* and one that stays half */
	assert_int_equal(send(p.fd, bytes, n - 1, MSG_NOSIGNAL), n - 1);
	turns(r, 3);
	peer_free(&p);
	turns(r, 3);
	assert_int_equal(r->api.nclients, 0);
	frame_free(&out);
}

/* Who says nothing, or not all of it, loses the place; who reads and writes
 * whole frames, however late, keeps it. */
static void test_overdue(void **state)
{
	struct rig *r = *state;
	struct peer_end mute = peer_new(r, false), half = peer_new(r, false),
			calm = peer_new(r, false);
	struct client *c;
	struct heard h;

	hello(r, &calm);
	hello(r, &half);
	assert_int_equal(send(half.fd, "\0\0\0", 3, MSG_NOSIGNAL), 3);
	turns(r, 5);
	assert_int_equal(r->api.nclients, 3);
	for (c = r->api.clients; c; c = c->next)
		if (c->half_ns)
			c->half_ns -= FRAME_NS + NS_PER_S;
	h = listen_to(r, &mute, 0);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__BAD_REQUEST);
	h = listen_to(r, &half, 0);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__BAD_REQUEST);
	turns(r, 3);
	assert_int_equal(r->api.nclients, 1);
	say_list(&calm, 2);
	assert_true(listen_to(r, &calm, 2).end);
	peer_free(&mute);
	peer_free(&half);
	peer_free(&calm);
}

/* Many connections do not make many requests. */
static void test_user(void **state)
{
	struct rig *r = *state;
	struct peer_end p[2 * REQUESTS_UID / REQUESTS_MAX];
	unsigned int i, j, busy = 0;
	struct client *c;
	Ctshard__Response *m;
	bool over;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = peer_new(r, false);
		hello(r, &p[i]);
	}
	for (c = r->api.clients; c; c = c->next)
		c->peer.uid = 77;
	for (i = 0; i < ARRAY_SIZE(p); i++)
		for (j = 0; j < REQUESTS_MAX; j++)
			say_watch(&p[i], 10 + j, false);
	turns(r, 50);
	assert_int_equal(clients_requests(&r->api, 77), REQUESTS_UID);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		while ((m = hear(&p[i], &over))) {
			busy += m->error &&
			        m->error->code == CTSHARD__ERROR_CODE__BUSY;
			ctshard__response__free_unpacked(m, NULL);
		}
	assert_int_equal(busy, ARRAY_SIZE(p) * REQUESTS_MAX - REQUESTS_UID);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		peer_free(&p[i]);
	turns(r, 5);
	assert_int_equal(clients_requests(&r->api, 77), 0);
}

static void test_flood(void **state)
{
	struct rig *r = *state;
	struct peer_end p = peer_new(r, false);
	unsigned int i, busy = 0;
	Ctshard__Response *m;
	bool over;

	hello(r, &p);
	for (i = 0; i < 3 * REQUESTS_MAX; i++)
		say_watch(&p, 10 + i, false);
	turns(r, 50);
	while ((m = hear(&p, &over))) {
		busy += m->error && m->error->code == CTSHARD__ERROR_CODE__BUSY;
		ctshard__response__free_unpacked(m, NULL);
	}
	assert_int_equal(busy, 2 * REQUESTS_MAX);
	peer_free(&p);
}

/* A client that asks and never reads: no more is kept than one step's answer
 * over the limit, others are served, and its events become one GAP. */
static void test_slow(void **state)
{
	struct rig *r = *state;
	struct peer_end slow = peer_new(r, false), p = peer_new(r, false);
	struct heard h;
	unsigned int i;

	fill(r, 2000);
	hello(r, &slow);
	hello(r, &p);
	say_watch(&slow, 7, true);
	for (i = 0; i < REQUESTS_MAX - 1; i++)
		say_list(&slow, 10 + i);
	turns(r, 200);
	assert_true(r->api.clients->next->out.len < 1u << 20);
	fill(r, 3000);
	say_list(&p, 2);
	h = listen_to(r, &p, 2);
	assert_true(h.end);
	assert_true(h.conns >= 2000);
	/* the slow one reads at last: seen and lost are all there ever was */
	for (i = 0; i < 2000; i++) {
		Ctshard__Response *m = hear(&slow, &h.over);

		if (!m)
			turns(r, 1);
		else if (m->id == 7)
			hear_one(&h, m);
		if (m)
			ctshard__response__free_unpacked(m, NULL);
	}
	assert_int_equal(h.last_seq, r->api.merge.gseq);
	assert_true(h.gaps > 0 && h.lost > 0);
	assert_int_equal(h.events - h.gaps + h.lost, r->api.merge.gseq);
	assert_int_equal(r->api.subscriber_lost, h.lost);
	peer_free(&slow);
	peer_free(&p);
}

static void test_too_many(void **state)
{
	struct rig *r = *state;
	struct peer_end p[CLIENTS_MAX + 4];
	unsigned int i,
		most = getuid() ? CLIENTS_UID : CLIENTS_MAX - CLIENTS_CONTROL;
	struct heard h;

	for (i = 0; i < most; i++)
		p[i] = peer_new(r, false);
	assert_int_equal(r->api.nclients, most);
	p[most] = peer_new(r, false);
	assert_int_equal(r->api.nclients, most);
	h = listen_to(r, &p[most], 1);
	assert_int_equal(h.code, CTSHARD__ERROR_CODE__BUSY);
	for (i = 0; i <= most; i++)
		peer_free(&p[i]);
	turns(r, 50);
	assert_int_equal(r->api.nclients, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_list_and_count), T(test_watch),    T(test_unknown),
		T(test_positions),      T(test_denied),   T(test_flush),
		T(test_no_hello),       T(test_lies),     T(test_half_a_frame),
		T(test_flood),          T(test_overdue),  T(test_user),
		T(test_slow),           T(test_too_many),
	};

	log_init("", LOG_LEVEL_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_vanish.c - a daemon that vanishes in the middle of anything.
 *
 * The daemon is a child that says the first N bytes of a conversation and is
 * gone: after every byte of a greeting, a list, and a stream of events, by
 * closing, by closing with unread requests, or with its last bytes damaged; or
 * it reads nothing until more is queued than a socket takes.  The library tells
 * an error, once, for each request, and never ends, blocks or kills its caller;
 * also when the caller closes its handle as soon as it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/ctshard.h"
#include "proto/frame.h"
#include "tests/lib/fake.h"

enum how { CLOSES, RESETS, LIES, SLEEPS };

static struct frame_buf said; /* hello, list, events: the ids of a client */
static size_t greeting;       /* bytes of it that are the greeting */
static char dir[64];

static void put(Ctshard__Response *r, uint64_t id, bool end)
{
	r->has_id = 1;
	r->id = id;
	r->has_end = r->end = end;
	assert_int_equal(frame_put(&said, &r->base), 0);
}

static void put_hello(void)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__HelloAnswer h = CTSHARD__HELLO_ANSWER__INIT;
	uint8_t uuid[16] = {1};
	char name[] = "vanishing";

	h.has_version = h.has_uuid = h.has_seq = h.has_pid = 1;
	h.version = 1;
	h.daemon = name;
	h.uuid.data = uuid;
	h.uuid.len = sizeof(uuid);
	r.hello = &h;
	put(&r, 1, true);
}

static void put_rest(void)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Event e = CTSHARD__EVENT__INIT, *events[1] = {&e};
	struct fake_conn row;
	Ctshard__Conn *rows[1] = {&row.c};

	fake_conn(&row, 1);
	r.has_now_ns = 1;
	r.n_conn = 1;
	r.conn = rows;
	put(&r, 2, false);
	ctshard__response__init(&r);
	e.has_type = e.has_seq = 1;
	e.type = CTSHARD__EVENT_TYPE__NEW;
	e.seq = 7;
	e.conn = &row.c;
	r.n_event = 1;
	r.event = events;
	put(&r, 3, false);
	ctshard__response__init(&r);
	put(&r, 2, true);
}

static int setup(void **state)
{
	size_t len;

	(void)state;
	frame_init(&said, FRAME_ANSWER_MAX);
	put_hello();
	frame_data(&said, &greeting);
	put_rest();
	frame_data(&said, &len);
	strcpy(dir, "/tmp/test_vanish.XXXXXX");
	return mkdtemp(dir) && len > greeting ? 0 : -1;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	frame_free(&said);
	snprintf(path, sizeof(path), "%s/api.sock", dir);
	unlink(path);
	return rmdir(dir);
}

/* the daemon: `n` bytes for one client, whatever it asks, and the end */
static void vanish(int listener, size_t n, enum how how)
{
	uint8_t bytes[4096];
	size_t len;
	const uint8_t *p = frame_data(&said, &len);
	int fd = accept(listener, NULL, NULL);

	assert_true(n <= len && n <= sizeof(bytes));
	memcpy(bytes, p, n);
	if (how == LIES && n)
		bytes[n - 1] ^= 0xff;
	if (send(fd, bytes, n, MSG_NOSIGNAL) < 0)
		_exit(1);
	while (how == SLEEPS)
		pause(); /* until it is killed */
	/* what came is not read: the kernel tells the other end */
	if (how != RESETS)
		(void)!recv(fd, bytes, sizeof(bytes), 0);
	_exit(0);
}

static pid_t daemon_new(size_t n, enum how how)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/api.sock", dir);
	unlink(sa.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (!pid)
		vanish(fd, n, how);
	close(fd);
	return pid;
}

struct heard {
	unsigned int rows, done;
	int error;
	struct ctshard *close; /* when told of the end */
};

static int on_conn(void *arg, const struct ctshard_conn *c)
{
	(void)c;
	((struct heard *)arg)->rows++;
	return 0;
}

static int on_event(void *arg, const struct ctshard_event *e)
{
	(void)e;
	((struct heard *)arg)->rows++;
	return 0;
}

static void on_done(void *arg, int error, const char *text)
{
	struct heard *h = arg;

	(void)text;
	h->done++;
	h->error = error;
	ctshard_close(h->close);
}

/* A list that is waited for and events in the caller's loop, until the end. */
static void talk(struct ctshard *c)
{
	struct heard list = {0}, events = {0};
	struct ctshard_watch_opts watch = {0};
	struct ctshard_handler hl = {.arg = &list, .conn = on_conn};
	struct ctshard_handler he = {
		.arg = &events, .event = on_event, .done = on_done};
	struct pollfd p;
	uint64_t id;
	int r, rl, turns;

	rl = ctshard_list(c, NULL, &hl, &id);
	r = ctshard_watch(c, &watch, &he, NULL);
	if (!rl)
		rl = ctshard_wait(c, id);
	assert_true(rl <= 0);
	for (turns = 0; !r && !events.done && turns < 100; turns++) {
		p.fd = ctshard_fd(c);
		p.events = ctshard_events(c);
		assert_true(p.fd < 0 || poll(&p, 1, 60000) > 0);
		ctshard_dispatch(c);
	}
	assert_true(r || events.done == 1);
	assert_true(r || events.error);
	assert_true(ctshard_dispatch(c) < 0);
	assert_true(ctshard_list(c, NULL, &hl, &id) < 0);
	assert_int_equal(ctshard_fd(c), -1);
}

/* Events alone, by one who closes as soon as they have ended. */
static void talk_close(struct ctshard *c)
{
	struct heard events = {.close = c};
	struct ctshard_handler h = {
		.arg = &events, .event = on_event, .done = on_done};
	struct pollfd p;
	int r, turns;

	ctshard_list(c, NULL, NULL, NULL);
	r = ctshard_watch(c, NULL, &h, NULL);
	if (r) { /* what was told with the greeting */
		assert_int_equal(r, CTSHARD_ELOST);
		ctshard_close(c);
		return;
	}
	for (turns = 0; !r && turns < 100; turns++) {
		p.fd = ctshard_fd(c);
		p.events = ctshard_events(c);
		assert_true(poll(&p, 1, 60000) > 0);
		r = ctshard_dispatch(c);
	}
	assert_int_equal(r, CTSHARD_ECANCELLED);
	assert_int_equal(events.done, 1);
	assert_true(events.error);
}

static void one_close(size_t n, enum how how)
{
	pid_t pid = daemon_new(n, how);
	struct ctshard *c = NULL;
	int status;

	assert_int_equal(ctshard_open(dir, 0, &c), 0);
	talk_close(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void one(size_t n, enum how how)
{
	pid_t pid = daemon_new(n, how);
	struct ctshard *c = NULL;
	int r = ctshard_open(dir, 0, &c), status;

	if (n < greeting)
		assert_true(r < 0);
	if (!r)
		talk(c);
	assert_true(r == 0 || *ctshard_errmsg(c));
	ctshard_close(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void every_byte(enum how how)
{
	size_t len, n;

	frame_data(&said, &len);
	for (n = 0; n <= len; n++)
		one(n, how);
}

static void test_closes(void **state)
{
	(void)state;
	every_byte(CLOSES);
}

static void test_resets(void **state)
{
	(void)state;
	every_byte(RESETS);
}

static void test_lies(void **state)
{
	(void)state;
	every_byte(LIES);
}

static void test_closed_at_once(void **state)
{
	size_t len, n;

	(void)state;
	frame_data(&said, &len);
	for (n = greeting; n <= len; n++) {
		one_close(n, CLOSES);
		one_close(n, RESETS);
	}
}

/* Requests that nobody reads, until no more go, and then there is nobody. */
static void test_unread(void **state)
{
	pid_t pid = daemon_new(greeting, SLEEPS);
	char text[30000];
	struct ctshard_filter f = {.has = CTSHARD_FILTER_HAS(EXPRESSION),
	                           .expression = text};
	struct ctshard_count_opts o = {.filter = &f};
	struct heard heard = {0};
	struct ctshard_handler h = {.arg = &heard, .done = on_done};
	struct ctshard *c;
	unsigned int asked = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(ctshard_open(dir, 0, &c), 0);
	while (!(ctshard_events(c) & POLLOUT)) {
		assert_int_equal(ctshard_count(c, &o, &h, NULL), 0);
		asked++;
	}
	assert_int_equal(ctshard_dispatch(c), 0);
	assert_int_equal(heard.done, 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ctshard_dispatch(c), CTSHARD_ELOST);
	assert_int_equal(heard.done, asked);
	assert_int_equal(heard.error, CTSHARD_ELOST);
	ctshard_close(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_closes), T(test_resets),
	                                   T(test_lies), T(test_unread),
	                                   T(test_closed_at_once)};

	/* whatever the caller's signals are: none may come */
	signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_client.c - libctshard against a daemon of the test's own. */
#include <setjmp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/ctshard.h"
#include "tests/lib/fake.h"

static struct fake fake;

static void send_conns(struct fake_client *c, const Ctshard__Request *r,
                       unsigned n)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	struct fake_conn row[64];
	Ctshard__Conn *p[64];
	unsigned i;

	for (i = 0; i < n; i++) {
		fake_conn(&row[i], i);
		p[i] = &row[i].c;
	}
	a.has_id = a.has_now_ns = 1;
	a.id = r->id;
	a.now_ns = 77;
	a.n_conn = n;
	a.conn = p;
	fake_send(c, &a);
}

static void send_bad(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	struct fake_conn row;
	Ctshard__Conn *p = &row.c;

	fake_conn(&row, 1);
	row.t[1].dst.len = 3;
	a.has_id = 1;
	a.id = r->id;
	a.n_conn = 1;
	a.conn = &p;
	fake_send(c, &a);
}

static void send_events(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__Event e[2] = {CTSHARD__EVENT__INIT, CTSHARD__EVENT__INIT};
	Ctshard__Event *p[2] = {&e[0], &e[1]};
	struct fake_conn row;

	fake_conn(&row, 1);
	e[0].has_type = e[0].has_seq = e[0].has_bits = 1;
	e[0].type = CTSHARD__EVENT_TYPE__NEW;
	e[0].seq = r->watch->since + 1;
	e[0].bits = 33;
	e[0].conn = &row.c;
	e[1].has_type = e[1].has_lost = 1;
	e[1].type = CTSHARD__EVENT_TYPE__GAP;
	e[1].lost = 5;
	a.has_id = 1;
	a.id = r->id;
	a.n_event = 2;
	a.event = p;
	fake_send(c, &a);
}

/* The filter that came, back as the daemon's words for an error. */
static void echo_filter(struct fake_client *c, const Ctshard__Request *r)
{
	const Ctshard__Filter *f = r->count->filter;
	char text[256];

	snprintf(text, sizeof(text), "%u %u.%u/%u %u-%u %s %d %d", f->protonum,
	         f->orig_src->addr.data[0], f->orig_src->addr.data[3],
	         f->orig_src->prefix, f->dport->from, f->dport->to, f->state,
	         f->has_mark, f->labels.data[15]);
	fake_error(c, r, CTSHARD__ERROR_CODE__BAD_REQUEST, text);
}

static void answer(struct fake_client *c, const Ctshard__Request *r)
{
	switch (r->body_case) {
	case CTSHARD__REQUEST__BODY_LIST:
		if (r->list->limit == 13)
			_exit(0); /* dies in the middle */
		if (r->list->limit == 14) {
			send_bad(c, r);
			return;
		}
		send_conns(c, r, 64);
		send_conns(c, r, 36);
		fake_end(c, r);
		return;
	case CTSHARD__REQUEST__BODY_GET:
		fake_error(c, r, CTSHARD__ERROR_CODE__NOT_FOUND, NULL);
		return;
	case CTSHARD__REQUEST__BODY_COUNT:
		echo_filter(c, r);
		return;
	case CTSHARD__REQUEST__BODY_WATCH:
		send_events(c, r);
		return;
	default:
		fake_end(c, r);
	}
}

static int setup(void **state)
{
	(void)state;
	return fake_open(&fake, answer);
}

static int teardown(void **state)
{
	(void)state;
	return fake_close(&fake);
}

struct seen {
	unsigned rows, done, stop_at;
	int error;
	struct ctshard_event event[2];
	unsigned events;
};

static int on_conn(void *arg, const struct ctshard_conn *c)
{
	struct seen *s = arg;

	assert_int_equal(c->l3, 4);
	assert_int_equal(c->dir[0].sport, 1000 + c->id);
	assert_int_equal(c->dir[1].dport, 1000 + c->id);
	assert_int_equal(c->dir[0].src[3], 1);
	assert_string_equal(c->state, "ESTABLISHED");
	assert_int_equal(c->timeout_ms, 300500);
	assert_int_equal(c->now_ns, 77);
	assert_false(c->has & CTSHARD_CONN_ZONE);
	return ++s->rows == s->stop_at;
}

static int on_event(void *arg, const struct ctshard_event *e)
{
	struct seen *s = arg;

	if (s->events < 2)
		s->event[s->events] = *e;
	s->events++;
	return 0;
}

static void on_done(void *arg, int error, const char *text)
{
	struct seen *s = arg;

	(void)text;
	s->done++;
	s->error = error;
}

static struct ctshard *open_client(unsigned flags)
{
	struct ctshard *c;

	assert_int_equal(ctshard_open(fake.dir, flags, &c), 0);
	return c;
}

static void test_hello(void **state)
{
	struct ctshard *c = open_client(CTSHARD_CONTROL);

	(void)state;
	assert_string_equal(ctshard_peer(c)->version, "fake");
	assert_int_equal(ctshard_peer(c)->uuid[0], 0xab);
	assert_int_equal(ctshard_peer(c)->seq, 100);
	ctshard_close(c);
}

static void test_no_daemon(void **state)
{
	struct ctshard *c;

	(void)state;
	assert_int_equal(ctshard_open("/nonexistent", 0, &c),
	                 CTSHARD_ENODAEMON);
	assert_non_null(strstr(ctshard_errmsg(c), "/nonexistent"));
	assert_true(ctshard_list(c, NULL, &(struct ctshard_handler){0}, NULL) <
	            0);
	ctshard_close(c);
}

static void test_list(void **state)
{
	struct ctshard *c = open_client(0);
	struct seen s = {0};
	struct ctshard_handler h = {.arg = &s, .conn = on_conn};
	uint64_t id;

	(void)state;
	assert_int_equal(ctshard_list(c, NULL, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), 0);
	assert_int_equal(s.rows, 100);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_EINVAL);
	ctshard_close(c);
}

/* two at once, each answer to its own; one of them stopped by its callback */
static void test_several(void **state)
{
	struct ctshard *c = open_client(0);
	struct seen s = {0}, t = {.stop_at = 10};
	struct ctshard_handler h = {
		.arg = &s, .conn = on_conn, .done = on_done};
	uint64_t id;

	(void)state;
	assert_int_equal(ctshard_list(c, NULL, &h, NULL), 0);
	h.arg = &t;
	h.done = NULL;
	assert_int_equal(ctshard_list(c, NULL, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_ECANCELLED);
	assert_int_equal(s.rows, 100);
	assert_int_equal(s.done, 1);
	assert_int_equal(t.rows, 10);
	/* and the connection is as good as before */
	t.rows = 0;
	t.stop_at = 0;
	assert_int_equal(ctshard_list(c, NULL, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), 0);
	assert_int_equal(t.rows, 100);
	ctshard_close(c);
}

static void test_errors(void **state)
{
	struct ctshard_list_opts dies = {.limit = 13}, bad = {.limit = 14};
	struct ctshard *c = open_client(0);
	struct ctshard_handler h = {.conn = on_conn};
	struct ctshard_filter f = {0};
	struct seen s = {0};
	uint64_t id, lost;

	(void)state;
	h.arg = &s;
	assert_int_equal(ctshard_get(c, &f, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_ENOTFOUND);
	assert_string_equal(ctshard_errmsg(c), "not found");
	assert_int_equal(ctshard_list(c, &bad, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_EPROTO);
	assert_int_equal(s.rows, 0);
	ctshard_close(c);
	c = open_client(0);
	h.done = on_done;
	assert_int_equal(ctshard_list(c, &dies, &h, NULL), 0);
	h.done = NULL;
	assert_int_equal(ctshard_list(c, &dies, &h, &lost), 0);
	assert_int_equal(ctshard_wait(c, lost), CTSHARD_ELOST);
	assert_int_equal(s.error, CTSHARD_ELOST);
	assert_int_equal(ctshard_list(c, &dies, &h, &id), CTSHARD_ELOST);
	assert_int_equal(ctshard_fd(c), -1);
	ctshard_close(c);
}

static void test_filter(void **state)
{
	struct ctshard *c = open_client(0);
	struct ctshard_filter f = {
		.has = CTSHARD_FILTER_HAS(PROTONUM) |
	               CTSHARD_FILTER_HAS(ORIG_SRC) |
	               CTSHARD_FILTER_HAS(DPORT) | CTSHARD_FILTER_HAS(STATE) |
	               CTSHARD_FILTER_HAS(LABELS),
		.protonum = 6,
		.orig_src = {{10, 0, 0, 7}, 4, 24},
		.dport = {80, 443},
		.state = "CLOSE",
		.labels = {[15] = 128},
	};
	struct ctshard_count_opts o = {.filter = &f};
	struct ctshard_handler h = {0};
	uint64_t id;

	(void)state;
	assert_int_equal(ctshard_count(c, &o, &h, &id), 0);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_EREQUEST);
	assert_string_equal(ctshard_errmsg(c), "6 10.7/24 80-443 CLOSE 0 128");
	ctshard_close(c);
}

/* the caller's loop: a stream without an end, cancelled */
static void test_loop(void **state)
{
	struct ctshard *c = open_client(0);
	struct ctshard_watch_opts o = {.has_since = 1, .since = 41};
	struct seen s = {0};
	struct ctshard_handler h = {
		.arg = &s, .event = on_event, .done = on_done};
	struct pollfd p;
	uint64_t id;

	(void)state;
	assert_int_equal(ctshard_watch(c, &o, &h, &id), 0);
	while (s.events < 2) {
		p.fd = ctshard_fd(c);
		p.events = ctshard_events(c);
		assert_true(poll(&p, 1, -1) > 0);
		assert_int_equal(ctshard_dispatch(c), 0);
	}
	assert_int_equal(s.event[0].type, CTSHARD_NEW);
	assert_int_equal(s.event[0].seq, 42);
	assert_int_equal(s.event[0].bits, 33);
	assert_non_null(s.event[0].conn);
	assert_int_equal(s.event[1].type, CTSHARD_GAP);
	assert_int_equal(s.event[1].lost, 5);
	assert_null(s.event[1].conn);
	assert_int_equal(ctshard_cancel(c, id), 0);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.error, CTSHARD_ECANCELLED);
	ctshard_close(c);
	assert_int_equal(s.done, 1);
}

/* what a callback may do to its own handle, at its fifth row */
struct within {
	struct ctshard *c;
	uint64_t id;
	unsigned rows, done;
	int error;
	enum { CLOSES, CANCELS, WAITS } how;
};

static int within_conn(void *arg, const struct ctshard_conn *conn)
{
	struct within *w = arg;

	(void)conn;
	if (++w->rows != 5)
		return 0;
	if (w->how == CLOSES) {
		ctshard_close(w->c);
	} else if (w->how == CANCELS) {
		assert_int_equal(ctshard_cancel(w->c, w->id), 0);
	} else {
		assert_int_equal(ctshard_dispatch(w->c), CTSHARD_EINVAL);
		assert_int_equal(ctshard_wait(w->c, w->id), CTSHARD_EINVAL);
	}
	return 0;
}

static void within_done(void *arg, int error, const char *text)
{
	struct within *w = arg;

	(void)text;
	w->done++;
	w->error = error;
	if (w->how == CLOSES)
		ctshard_close(w->c);
}

static int within_loop(struct within *w)
{
	struct pollfd p;
	int r = 0;

	while (!r && !w->done) {
		p.fd = ctshard_fd(w->c);
		p.events = ctshard_events(w->c);
		assert_true(poll(&p, 1, -1) > 0);
		r = ctshard_dispatch(w->c);
	}
	return r;
}

/* closed by a callback: no other is called, and the handle is gone */
static void test_close_inside(void **state)
{
	struct within w = {.how = CLOSES};
	struct ctshard_handler h = {
		.arg = &w, .conn = within_conn, .done = within_done};

	(void)state;
	w.c = open_client(0);
	assert_int_equal(ctshard_list(w.c, NULL, &h, NULL), 0);
	assert_int_equal(within_loop(&w), CTSHARD_ECANCELLED);
	assert_int_equal(w.rows, 5);
	assert_int_equal(w.done, 0);
	/* likewise out of a wait, and by the word that all has ended */
	w.rows = 0;
	w.c = open_client(0);
	h.done = NULL;
	assert_int_equal(ctshard_list(w.c, NULL, &h, &w.id), 0);
	assert_int_equal(ctshard_wait(w.c, w.id), CTSHARD_ECANCELLED);
	assert_int_equal(w.rows, 5);
	h.conn = NULL;
	h.done = within_done;
	w.c = open_client(0);
	assert_int_equal(ctshard_list(w.c, NULL, &h, NULL), 0);
	assert_int_equal(within_loop(&w), CTSHARD_ECANCELLED);
	assert_int_equal(w.done, 1);
	w.c = open_client(0);
	assert_int_equal(ctshard_watch(w.c, NULL, &h, &w.id), 0);
	assert_int_equal(ctshard_cancel(w.c, w.id), CTSHARD_ECANCELLED);
	assert_int_equal(w.done, 2);
}

/* cancelled by its own callback: the rows beside it are told to nobody */
static void test_cancel_inside(void **state)
{
	struct within w = {.how = CANCELS};
	struct ctshard_handler h = {
		.arg = &w, .conn = within_conn, .done = within_done};

	(void)state;
	w.c = open_client(0);
	assert_int_equal(ctshard_list(w.c, NULL, &h, &w.id), 0);
	assert_int_equal(within_loop(&w), 0);
	assert_int_equal(w.rows, 5);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.error, CTSHARD_ECANCELLED);
	ctshard_close(w.c);
}

static void test_wait_inside(void **state)
{
	struct within w = {.how = WAITS};
	struct ctshard_handler h = {.arg = &w, .conn = within_conn};

	(void)state;
	w.c = open_client(0);
	assert_int_equal(ctshard_list(w.c, NULL, &h, &w.id), 0);
	assert_int_equal(ctshard_wait(w.c, w.id), 0);
	assert_int_equal(w.rows, 100);
	ctshard_close(w.c);
}

/* nothing to say is said by NULL */
static void test_null(void **state)
{
	struct ctshard *c = open_client(CTSHARD_CONTROL);
	uint64_t id;

	(void)state;
	assert_int_equal(ctshard_list(c, NULL, NULL, &id), 0);
	assert_int_equal(ctshard_wait(c, id), 0);
	assert_int_equal(ctshard_history(c, NULL, NULL, &id), 0);
	assert_int_equal(ctshard_wait(c, id), 0);
	assert_int_equal(ctshard_trace(c, NULL, NULL, &id), 0);
	assert_int_equal(ctshard_wait(c, id), 0);
	assert_int_equal(ctshard_watch(c, NULL, NULL, &id), 0);
	assert_int_equal(ctshard_cancel(c, id), 0);
	assert_int_equal(ctshard_wait(c, id), CTSHARD_ECANCELLED);
	ctshard_close(c);
	assert_string_equal(ctshard_errmsg(NULL), "out of memory");
	ctshard_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_close_inside),
		cmocka_unit_test(test_cancel_inside),
		cmocka_unit_test(test_wait_inside),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

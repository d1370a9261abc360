/*
 * fuzz_answer.c - libctshard and a daemon that says anything.
 *
 * A handle at one end of a socket pair asks for all kinds of things, the input
 * is what comes back: whole frames with an id put right, or raw bytes, in
 * pieces.  Every request ends exactly once, whatever came, and what callbacks
 * see is within bounds.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "proto/client.h"
#include "tests/fuzz/fuzz.h"

#define REQUESTS 12u

struct asked {
	uint64_t id;
	unsigned int done, rows;
	bool stops; /* wants no more after the first row */
};

static struct asked asked[REQUESTS];

static int seen(struct asked *q)
{
	fuzz_check(!q->done, "a row behind the end");
	q->rows++;
	return q->stops;
}

static size_t touch(const char *s)
{
	return s ? strlen(s) : 0;
}

static void see_conn(const struct ctshard_conn *c)
{
	size_t i, n = touch(c->proto) + touch(c->state) + touch(c->helper) +
	              touch(c->reason);

	fuzz_check(c->l3 == 4 || c->l3 == 6, "l3 %u", c->l3);
	for (i = 0; i < c->n_detail; i++)
		n += touch(c->detail[i].key) + touch(c->detail[i].value);
	fuzz_check(n < 4u << 20, "longer than the frame");
}

static int on_conn(void *arg, const struct ctshard_conn *c)
{
	see_conn(c);
	return seen(arg);
}

static void see_expect(const struct ctshard_expect *x)
{
	fuzz_check(x->l3 == 4 || x->l3 == 6, "l3 %u", x->l3);
	touch(x->proto);
	touch(x->class_name);
	touch(x->helper);
	touch(x->assign);
}

static int on_expect(void *arg, const struct ctshard_expect *x)
{
	see_expect(x);
	return seen(arg);
}

static int on_event(void *arg, const struct ctshard_event *e)
{
	if (e->conn)
		see_conn(e->conn);
	if (e->expect)
		see_expect(e->expect);
	touch(e->source);
	return seen(arg);
}

static int on_count(void *arg, const struct ctshard_count *c)
{
	touch(c->key);
	return seen(arg);
}

static int on_counter(void *arg, const struct ctshard_counter *c)
{
	fuzz_check(c->name, "a counter without a name");
	touch(c->name);
	return seen(arg);
}

static int on_table(void *arg, const struct ctshard_table *t)
{
	size_t i;

	for (i = 0; i < t->columns; i++)
		touch(t->column[i]);
	return seen(arg);
}

static int on_row(void *arg, const struct ctshard_row *r)
{
	size_t i;

	fuzz_check(r->table, "a row of no table");
	for (i = 0; i < r->cells; i++)
		touch(r->cell[i]);
	return seen(arg);
}

static int on_fault(void *arg, const char *text)
{
	fuzz_check(text, "no text");
	touch(text);
	return seen(arg);
}

static int on_affected(void *arg, uint64_t n)
{
	(void)n;
	return seen(arg);
}

static void on_done(void *arg, int error, const char *text)
{
	struct asked *q = arg;

	fuzz_check(!q->done && error <= 0, "ended twice, %d", error);
	touch(text);
	q->done = 1;
}

static struct ctshard *handle(int fd)
{
	struct ctshard *c = calloc(1, sizeof(*c));

	fuzz_check(c, "out of memory");
	c->fd = fd;
	c->peer.version = c->version;
	frame_init(&c->in, FRAME_ANSWER_MAX);
	frame_init(&c->out, FRAME_REQUEST_MAX);
	arena_init(&c->arena, (size_t)16 << 20);
	return c;
}

static void ask(struct ctshard *c, uint32_t i)
{
	static const char *const what[] = {"version"};
	const struct ctshard_pair pair = {"udp_timeout", "30"};
	struct ctshard_filter f = {.has = CTSHARD_FILTER_HAS(L3), .l3 = 4};
	struct ctshard_handler h = {.arg = &asked[i],
	                            .conn = on_conn,
	                            .event = on_event,
	                            .expect = on_expect,
	                            .count = on_count,
	                            .counter = on_counter,
	                            .table = on_table,
	                            .row = on_row,
	                            .fault = on_fault,
	                            .affected = on_affected,
	                            .done = on_done};
	struct ctshard_list_opts list = {.filter = &f};
	struct ctshard_count_opts count = {.by = "proto"};
	struct ctshard_watch_opts watch = {.snapshot = 1};
	struct ctshard_watch_opts follow = {.from_start = 1};
	int rc;

	switch (i % 10) {
	case 0:
		rc = ctshard_list(c, &list, &h, &asked[i].id);
		break;
	case 1:
		rc = ctshard_watch(c, &watch, &h, &asked[i].id);
		break;
	case 2:
		rc = ctshard_count(c, &count, &h, &asked[i].id);
		break;
	case 3:
		rc = ctshard_stats(c, &h, &asked[i].id);
		break;
	case 4:
		rc = ctshard_show(c, what, 1, &h, &asked[i].id);
		break;
	case 5:
		rc = ctshard_set(c, &pair, 1, &h, &asked[i].id);
		break;
	case 6:
		rc = ctshard_check(c, 1, &h, &asked[i].id);
		break;
	case 7:
		rc = ctshard_expect_list(c, &list, &h, &asked[i].id);
		break;
	case 8:
		rc = ctshard_expect_watch(c, &follow, &h, &asked[i].id);
		break;
	default:
		rc = ctshard_delete(c, &f, &h, &asked[i].id);
	}
	fuzz_check(!rc, "not asked: %d", rc);
}

/* A piece of what the daemon says: a frame of the bytes that follow, with an
 * `id` put before them (a later one wins), or the bytes as they stand. */
static void say(int fd, struct fuzz_in *in)
{
	uint8_t buf[4 + 2 + 256], how = fuzz8(in);
	const uint8_t *at;
	size_t len, n = 0;

	at = fuzz_bytes(in, fuzz8(in), &len);
	if (!(how & 0x80)) {
		buf[0] = buf[1] = 0;
		buf[2] = (uint8_t)((len + 2) >> 8);
		buf[3] = (uint8_t)(len + 2);
		buf[4] = 1 << 3; /* id, a varint */
		buf[5] = how & 15;
		n = 6;
	}
	memcpy(buf + n, at, len);
	if (send(fd, buf, n + len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* byte 0: who wants no more after one row; byte 1: what is cancelled */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint8_t stops = fuzz8(&in), cancel = fuzz8(&in);
	struct ctshard *c;
	uint32_t i;
	int sv[2];

	if (size > 8192)
		return 0;
	fuzz_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv),
	           "no socket");
	c = handle(sv[0]);
	memset(asked, 0, sizeof(asked));
	for (i = 0; i < REQUESTS; i++) {
		asked[i].stops = stops >> (i & 7) & 1;
		ask(c, i);
	}
	for (i = 0; in.left && i < 100; i++) {
		say(sv[1], &in);
		if (i == (cancel & 7) && cancel & 8)
			ctshard_cancel(c, asked[cancel >> 4 & 7].id);
		if (ctshard_dispatch(c))
			break;
	}
	close(sv[1]);
	while (!c->error)
		ctshard_dispatch(c);
	fuzz_check(*ctshard_errmsg(c), "broken without a reason");
	for (i = 0; i < REQUESTS; i++)
		fuzz_check(asked[i].done, "request %u has no end", i);
	ctshard_close(c);
	return 0;
}

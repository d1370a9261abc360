/*
 * fuzz_request.c - clients of the api that send anything.
 *
 * The api without its process: a table with connections, a log with events,
 * two clients at the ends of socket pairs, one of which may change things.
 * The input is what they send, as whole frames or raw.  Each turn ends, what
 * is answered is well formed, and nobody is served for ever.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/api/client.h"
#include "daemon/base/log.h"
#include "daemon/tracker/tracker.h"
#include "shm/ops.h"
#include "tests/fuzz/still.h"
#include "tests/lib/keys.h"

#define TURNS 64u

static struct still still;
static struct api api;
static struct role_env env;
static struct frame_arena answers;

static void populate(struct table *t)
{
	const struct op_cursor none = {0, 0};
	struct op_event ev = {.type = EVENT_NEW, .ts_ns = 2 * NS_PER_S};
	enum op_refusal why;
	struct conn_lookup k;
	struct conn init;
	uint32_t n;

	for (n = 0; n < 40; n++) {
		k = key_make(t, n, n & 1, (uint8_t)(n % 3));
		memset(&init, 0, sizeof(init));
		init.status = CONN_CONFIRMED | (n & 2 ? CONN_ASSURED : 0);
		init.deadline = 100000;
		init.state = n % 5;
		fuzz_check(op_insert(t, &k, &init, NULL, NULL, &ev, none, &why),
		           "key %u", n);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table *t = table_make(64, true, 64);
	int i;

	(void)argc;
	(void)argv;
	fuzz_check(t, "no table");
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	t->hdr->t0_real_ns = NS_PER_S;
	t->hdr->clock_ns = 2 * NS_PER_S;
	populate(t);
	for (i = 0; i < ROLE_FD_COUNT; i++)
		env.fd[i] = -1;
	env.t = t;
	env.conf = role_conf_new();
	api.env = &env;
	api.t = t;
	api.uid = geteuid();
	tracker_defaults(&api.policy);
	api.base = event_base_new();
	fuzz_check(env.conf && api.base && !pb_init(&api.pb, t, &api.policy),
	           "out of memory");
	arena_init(&answers, (size_t)64 << 20);
	merge_open(&api.merge, t);
	merge_step(&api.merge, 1000, UINT64_MAX);
	still_keep(&still, t);
	return 0;
}

struct end {
	int fd;
	struct frame_buf in;
};

static struct end end_new(bool control)
{
	struct end e = {.fd = -1};
	int sv[2];

	fuzz_check(!socketpair(AF_UNIX,
	                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	                       sv),
	           "no socket");
	e.fd = sv[1];
	frame_init(&e.in, FRAME_ANSWER_MAX);
	fuzz_check(client_new(&api, sv[0], control), "refused");
	return e;
}

/* All that has come, unpacked. */
static void end_read(struct end *e)
{
	const uint8_t *body;
	size_t room, len;
	uint8_t *to;
	ssize_t n;
	int rc;

	do {
		to = frame_room(&e->in, 8192, &room);
		fuzz_check(to, "out of memory");
		n = recv(e->fd, to, room, MSG_DONTWAIT);
		if (n > 0)
			frame_added(&e->in, (size_t)n);
	} while (n > 0);
	while ((rc = frame_next(&e->in, &body, &len)) > 0) {
		arena_reset(&answers);
		fuzz_check(frame_unpack(&answers,
		                        &ctshard__response__descriptor, body,
		                        len),
		           "an answer that cannot be unpacked");
	}
	fuzz_check(!rc, "an answer that is too long");
}

static void end_send(struct end *e, const void *p, size_t n)
{
	if (send(e->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void end_hello(struct end *e)
{
	/* a frame of 4 bytes: id 1; hello {} */
	static const uint8_t hello[] = {0, 0, 0, 4, 0x08, 1, 0x12, 0};

	end_send(e, hello, sizeof(hello));
}

static void turn(struct end *e)
{
	event_base_loop(api.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	commands_collect(&api);
	clients_turn(&api);
	event_base_loop(api.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	end_read(&e[0]);
	end_read(&e[1]);
}

/* how: 1 which client, 0x80 raw, 0x06
 * turns */
static void step(struct end *e, struct fuzz_in *in)
{
	uint8_t how = fuzz8(in), head[4] = {0, 0, 0, 0};
	const uint8_t *at;
	size_t len;
	uint8_t i;

	at = fuzz_bytes(in, fuzz8(in), &len);
	head[3] = (uint8_t)len;
	if (!(how & 0x80))
		end_send(&e[how & 1], head, sizeof(head));
	end_send(&e[how & 1], at, len);
	for (i = 0; i < (how >> 1 & 3); i++)
		turn(e);
}

static void tables_same(void)
{
	uint32_t sh;

	for (sh = 0; sh < api.t->nshard; sh++)
		fuzz_check(!still_touched(&still, sh),
		           "the api wrote to shard %u", sh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct end e[2];
	unsigned int i;

	if (size > 8192)
		return 0;
	commands_open(&api);
	e[0] = end_new(false);
	e[1] = end_new(true);
	if (fuzz8(&in) & 1) {
		end_hello(&e[0]);
		end_hello(&e[1]);
	}
	for (i = 0; in.left && i < TURNS; i++)
		step(e, &in);
	for (i = 0; i < 3; i++)
		turn(e);
	clients_free(&api);
	for (i = 0; i < 2; i++) {
		close(e[i].fd);
		frame_free(&e[i].in);
	}
	tables_same();
	memset(&api.commands, 0, sizeof(api.commands));
	memset(&api.sets, 0, sizeof(api.sets));
	still_reset(&still);
	return 0;
}

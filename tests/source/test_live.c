/* test_live.c - interfaces through libpcap. */
#include "tests/source/net.h"

#include <signal.h>

#include "daemon/pkt/steer.h"

static struct source *open_live(const char *a, const char *b,
                                const char *filter)
{
	const char *const ifaces[] = {a, b};
	struct source_live opt = {.ifaces = ifaces,
	                          .nifaces = b ? 2 : 1,
	                          .filter = filter,
	                          .ring = 2 << 20};
	struct source *s = source_open_live(&opt, err);

	if (!s)
		fail_msg("%s", err);
	return s;
}

/* -- errors ---------------------------------------------------------------- */

static void test_refused(void **state)
{
	const char *ifaces[] = {"nosuch0", "nosuch0"};
	struct source_live opt = {.ifaces = ifaces, .nifaces = 0};

	(void)state;
	assert_null(source_open_live(&opt, err));
	opt.nifaces = 2;
	assert_null(source_open_live(&opt, err));
	assert_string_equal(err, "nosuch0: interface given twice");
	need_net();
	opt.nifaces = 1;
	assert_null(source_open_live(&opt, err));
	assert_string_equal(err, "nosuch0: no such interface");
	assert_true(run("ip link add down0 type veth peer name down1"));
	ifaces[0] = "down0";
	assert_null(source_open_live(&opt, err));
	assert_string_equal(err,
	                    "down0: interface is down: ip link set down0 up");
	ifaces[0] = "lo";
	opt.filter = "tcp port (";
	assert_null(source_open_live(&opt, err));
	assert_non_null(strstr(err, "lo: filter: "));
}

/* without the right: the message says which one and how to give it */
static void test_permission(void **state)
{
	const char *const ifaces[] = {"lo"};
	struct source_live opt = {.ifaces = ifaces, .nifaces = 1};
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || !have_net)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (setuid(65534) != 0)
			_exit(2);
		if (source_open_live(&opt, err))
			_exit(3);
		_exit(strstr(err, "setcap cap_net_raw+ep") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip(); /* a namespace with one user */
	assert_int_equal(status, 0);
}

/* -- frames ---------------------------------------------------------------- */

static void test_frames(void **state)
{
	enum { N = 3000 };
	static uint8_t hits[N];
	struct source_stats st;
	struct source *s;
	int fd;

	(void)state;
	need_net();
	s = open_live("a0", NULL, NULL);
	fd = wire("a1");
	for (uint32_t i = 0; i < N; i++)
		send_mark(fd, i);
	assert_int_equal(collect(s, hits, N), N);
	all_once(hits, N);
	assert_int_equal(batch[0].linktype, 1);
	assert_int_equal(batch[0].iface, 0);
	source_stats(s, SOURCE_ALL, &st);
	assert_true(st.frames >= N && st.received >= N);
	assert_int_equal(st.ring, 0);
	assert_int_equal(st.cut, 0);
	assert_string_equal(source_kind_name(s), "live");
	assert_true(source_is_live(s));
	close(fd);
	source_close(s);
}

/* what this host sends is seen, unless it is not wanted */
static void test_direction(void **state)
{
	enum { N = 50 };
	const char *const ifaces[] = {"a0"};
	struct source_live opt = {.ifaces = ifaces, .nifaces = 1};
	int out, in;

	(void)state;
	need_net();
	out = wire("a0");
	in = wire("a1");
	for (int only = 0; only < 2; only++) {
		uint8_t hits[N] = {0};
		struct source *s;

		opt.inbound_only = only;
		s = source_open_live(&opt, err);
		assert_non_null(s);
		for (uint32_t i = 0; i < N; i++)
			send_mark(i & 1 ? out : in, i);
		/* the last one arrives: all others came before it */
		send_mark(in, 0);
		assert_int_equal(collect(s, hits, only ? N / 2 + 1 : N + 1),
		                 only ? N / 2 + 1 : N + 1);
		assert_int_equal(hits[1], only ? 0 : 1);
		assert_int_equal(hits[2], 1);
		source_close(s);
	}
	close(out);
	close(in);
}

/* The loopback interface shows what is sent and what is received: once. */
static void test_loopback(void **state)
{
	enum { N = 200 };
	static uint8_t hits[N];
	struct source *s;
	int fd;

	(void)state;
	need_net();
	s = open_live("lo", NULL, NULL);
	fd = wire("lo");
	for (uint32_t i = 0; i < N; i++)
		send_mark(fd, i);
	/* second copies would come before this one */
	send_mark(fd, 0);
	assert_int_equal(collect(s, hits, N + 1), N + 1);
	assert_int_equal(hits[0]--, 2);
	all_once(hits, N);
	close(fd);
	source_close(s);
}

static void test_filter(void **state)
{
	static uint8_t hits[20];
	struct source *s;
	int fd;

	(void)state;
	need_net();
	s = open_live("a0", NULL, "udp dst port 7");
	fd = wire("a1");
	for (uint32_t i = 0; i < 20; i++)
		send_mark(fd, i);
	send_mark(fd, 7);
	assert_int_equal(collect(s, hits, 2), 2);
	assert_int_equal(hits[7], 2);
	close(fd);
	source_close(s);
}

/* Two interfaces, packets on both in turn: in the order of their times, with
 * the interface's number, and from a silent one nothing is waited for. */
static void test_two(void **state)
{
	enum { N = 400 };
	uint64_t last = 0;
	uint32_t got = 0;
	struct source *s;
	int fd[2];

	(void)state;
	need_net();
	s = open_live("a0", "b0", "udp");
	fd[0] = wire("a1");
	fd[1] = wire("b1");
	for (uint32_t i = 0; i < N; i++)
		send_mark(fd[i / 7 & 1], i);
	for (int round = 0; round < ROUNDS && got < N;) {
		int n = source_next(s, batch, SOURCE_BATCH);

		for (int i = 0; i < n; i++) {
			assert_true(batch[i].ts_ns >= last);
			last = batch[i].ts_ns;
			assert_int_equal(mark_of(&batch[i]), got);
			assert_int_equal(batch[i].iface, got / 7 & 1);
			assert_int_equal(batch[i].frame, got + 1);
			got++;
		}
		if (n)
			continue;
		round++;
		wait_for(s);
	}
	assert_int_equal(got, N);
	close(fd[0]);
	close(fd[1]);
	source_close(s);
}

/* -- fanout ---------------------------------------------------------------- */

static struct source *open_fan(const uint32_t *key, unsigned int n)
{
	const char *const ifaces[] = {"a0"};
	struct source_live opt = {
		.ifaces = ifaces,
		.nifaces = 1,
		.filter = "udp",
		.ring = 4 << 20,
		.fanout = {.key = key, .nworkers = n, .group = 4711}};
	struct source *s = source_open_live(&opt, err);

	if (!s)
		fail_msg("%s", err);
	return s;
}

/* Each packet comes to one worker, and to the one of its shard. */
static void test_fanout(void **state)
{
	enum { N = 2000, WORKERS = 3 };
	static const uint32_t key[STEER_KEYS] = {0x7f4a7c15, 0x9e3779b1,
	                                         0x85ebca77, 0xc2b2ae3d,
	                                         0x27d4eb2f, 0x165667b1};
	static uint8_t hits[N], want[WORKERS][N];
	struct source *s[WORKERS];
	uint32_t expect[WORKERS] = {0};
	int fd;

	(void)state;
	need_net();
	for (unsigned int w = 0; w < WORKERS; w++)
		s[w] = open_fan(key, WORKERS);
	fd = wire("a1");
	for (uint32_t i = 0; i < N; i++) {
		struct pkt p;
		unsigned int w;

		send_mark(fd, i);
		packet_pkt(&B, &p);
		pkt_parse(&p);
		w = steer_worker(steer_shard(key, &p), WORKERS);
		want[w][i] = 1;
		expect[w]++;
	}
	for (unsigned int w = 0; w < WORKERS; w++) {
		memset(hits, 0, sizeof(hits));
		assert_true(expect[w] > N / WORKERS / 2);
		assert_int_equal(collect(s[w], hits, expect[w]), expect[w]);
		assert_memory_equal(hits, want[w], N);
	}
	close(fd);
	for (unsigned int w = 0; w < WORKERS; w++) {
		assert_int_equal(source_next(s[w], batch, 64), 0);
		source_close(s[w]);
	}
}

/* Workers open while packets come: nobody's early ones are another's too. */
static void test_fanout_opening(void **state)
{
	enum { N = 1 << 20, WORKERS = 3 };
	static const uint32_t key[STEER_KEYS] = {1, 2, 3, 4, 5, 6};
	static uint8_t hits[N];
	struct source *s[WORKERS];
	int status;
	pid_t pid;

	(void)state;
	need_net();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = wire("a1");

		for (uint32_t i = 0; i < N; i++)
			send_mark(fd, i);
		_exit(0);
	}
	for (unsigned int w = 0; w < WORKERS; w++)
		s[w] = open_fan(key, WORKERS);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (unsigned int w = 0; w < WORKERS; w++) {
		empty_out(s[w], hits);
		source_close(s[w]);
	}
	for (uint32_t i = 0; i < N; i++)
		assert_in_range(hits[i], 0, 1);
}

/* -- an interface that comes and goes ---------------------------------------
 */

static void test_vanish(void **state)
{
	static uint8_t hits[8];
	struct source_stats st = {0};
	struct source *s;
	int fd;

	(void)state;
	need_net();
	assert_true(veth("c0", "c1"));
	s = open_live("a0", "c0", "udp");
	assert_true(run("ip link del c0"));
	for (int round = 0; round < ROUNDS && !st.vanished; round++) {
		assert_int_equal(source_next(s, batch, 64), 0);
		wait_for(s);
		source_stats(s, 1, &st);
	}
	assert_int_equal(st.vanished, 1);
	/* the other one goes on */
	fd = wire("a1");
	send_mark(fd, 3);
	assert_int_equal(collect(s, hits, 1), 1);
	close(fd);
	/* and so does this one, once it is back */
	assert_true(veth("c0", "c1"));
	for (int round = 0; round < ROUNDS && !st.reopened; round++) {
		assert_true(source_next(s, batch, 64) >= 0);
		wait_for(s);
		source_stats(s, 1, &st);
	}
	assert_int_equal(st.reopened, 1);
	fd = wire("c1");
	send_mark(fd, 5);
	assert_int_equal(collect(s, hits, 1), 1);
	assert_int_equal(hits[5], 1);
	close(fd);
	source_close(s);
}

static int setup(void **state)
{
	(void)state;
	have_net = enter_namespace() && run("ip link set lo up 2>/dev/null") &&
	           veth("a0", "a1") && veth("b0", "b1");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_fanout),
		cmocka_unit_test(test_fanout_opening),
		cmocka_unit_test(test_vanish),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

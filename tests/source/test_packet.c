/* test_packet.c - packet sockets that outlive who reads them. */
#include "tests/source/net.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "daemon/pkt/steer.h"
#include "daemon/source/tap.h"

enum { WORKERS = 3, RING = 2 << 20, WARM = 200 };

static const uint32_t key[STEER_KEYS] = {0x7f4a7c15, 0x9e3779b1, 0x85ebca77,
                                         0xc2b2ae3d, 0x27d4eb2f, 0x165667b1};
static struct source_tap tap[2][WORKERS];
static struct ring_place place[WORKERS][SOURCE_TAPS];

static struct tap_group group_of(unsigned int i, const char *iface,
                                 unsigned int n)
{
	return (struct tap_group){.iface = iface,
	                          .n = n,
	                          .key = key,
	                          .ring = RING,
	                          .tap = tap[i]};
}

static void must_open(struct tap_group *g)
{
	if (!tap_open(g, err))
		fail_msg("%s", err);
}

/* what a worker is started with */
static struct source *reader(const char *a, const char *b, unsigned int worker,
                             const char *filter, const uint64_t *cursor)
{
	const char *const ifaces[] = {a, b};
	const struct source_tap taps[] = {tap[0][worker], tap[1][worker]};
	static const uint64_t none[SOURCE_TAPS];
	struct source_packet opt = {.ifaces = ifaces,
	                            .taps = taps,
	                            .nifaces = b ? 2 : 1,
	                            .filter = filter,
	                            .ring = RING};
	struct source *s = source_open_packet(&opt, err);

	if (!s)
		fail_msg("%s", err);
	if (!cursor)
		memset(place[worker], 0, sizeof(place[worker]));
	assert_true(source_resume(s, cursor ? cursor : none, place[worker]));
	return s;
}

static void test_refused(void **state)
{
	struct tap_group g = group_of(0, "nosuch0", 1);

	(void)state;
	need_net();
	assert_false(tap_open(&g, err));
	assert_string_equal(err, "nosuch0: no such interface");
	assert_int_equal(tap[0][0].fd, -1);
	assert_true(run("ip link add down0 type veth peer name down1"));
	g.iface = "down0";
	assert_false(tap_open(&g, err));
	assert_string_equal(err,
	                    "down0: interface is down: ip link set down0 up");
	g.iface = "lo";
	g.filter = "tcp port (";
	assert_false(tap_open(&g, err));
	assert_non_null(strstr(err, "lo: filter: "));
	g.iface = "a-name-that-is-too-long";
	assert_false(tap_open(&g, err));
	assert_non_null(strstr(err, "no such interface"));
}

static void test_permission(void **state)
{
	struct tap_group g = group_of(0, "a0", 1);
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
		if (tap_open(&g, err))
			_exit(3);
		_exit(strstr(err, "setcap cap_net_raw+ep") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip(); /* a namespace with one user */
	assert_int_equal(status, 0);
}

static void test_text(void **state)
{
	struct source_tap in[2] = {{0, 1, 7}, {1, 113, ~0ull}}, out[3];
	char text[2 * TAP_TEXT];
	size_t n;

	(void)state;
	tap_write(&in[0], text);
	n = strlen(text);
	tap_write(&in[1], text + n);
	assert_string_equal(text, "0:1:7,1:113:18446744073709551615,");
	assert_int_equal(tap_read(text, out, 3), 2);
	assert_int_equal(out[1].fd, 1);
	assert_int_equal(out[1].linktype, 113);
	assert_true(out[1].generation == ~0ull);
	assert_int_equal(tap_read(text, out, 1), 1);
	assert_int_equal(tap_read("9999999:1:1,", out, 3), 0);
	assert_int_equal(tap_read("0:65536:1,", out, 3), 0);
	assert_int_equal(tap_read("0:1", out, 3), 0);
	assert_int_equal(tap_read("", out, 3), 0);
	/* or the tests that follow have no output */
	assert_int_equal(fcntl(0, F_SETFD, 0) | fcntl(1, F_SETFD, 0), 0);
}

static void test_frames(void **state)
{
	enum { N_FRAMES = 3000 };
	static uint8_t hits[N_FRAMES];
	struct tap_group g = group_of(0, "a0", 1);
	struct source_stats st;
	struct source *s;
	int fd;

	(void)state;
	need_net();
	must_open(&g);
	s = reader("a0", NULL, 0, NULL, NULL);
	fd = wire("a1");
	for (uint32_t i = 0; i < N_FRAMES; i++)
		send_mark(fd, i);
	assert_int_equal(collect(s, hits, N_FRAMES), N_FRAMES);
	all_once(hits, N_FRAMES);
	assert_int_equal(batch[0].linktype, 1);
	source_stats(s, SOURCE_ALL, &st);
	assert_true(st.frames >= N_FRAMES && st.received >= N_FRAMES);
	assert_int_equal(st.ring, 0);
	assert_int_equal(st.broken, 0);
	assert_string_equal(source_kind_name(s), "packet");
	assert_true(source_is_live(s));
	close(fd);
	source_close(s);
	tap_close(&g);
}

/* A reader that ends anywhere, also in a batch: the next one begins behind the
 * last frame that was committed.  The kernel fills meanwhile. */
static void test_heirs(void **state)
{
	enum { N_FRAMES = 20000 };
	static uint8_t hits[N_FRAMES];
	struct tap_group g = group_of(0, "a0", 1);
	uint64_t cursor[SOURCE_TAPS] = {0};
	uint32_t got = 0, sent = 0, lives = 0;
	int fd;

	(void)state;
	need_net();
	must_open(&g);
	fd = wire("a1");
	memset(place, 0, sizeof(place));
	srand(7);
	for (int idle = 0; got < N_FRAMES && idle < ROUNDS; lives++) {
		struct source *s = reader("a0", NULL, 0, NULL, cursor);
		int stay = rand() % 40;

		for (int i = rand() % 600; i && sent < N_FRAMES; i--)
			send_mark(fd, sent++);
		do {
			int n = source_next(s, batch, SOURCE_BATCH);
			/* of the last batch only a part is committed */
			int done = !stay && n ? rand() % n : n;

			idle = n ? 0 : idle + 1;
			for (int i = 0; i < done; i++) {
				int64_t mark = mark_of(&batch[i]);

				assert_true(batch[i].frame == ++cursor[0]);
				if (mark < 0)
					continue;
				hits[mark]++;
				got++;
			}
			if (!n)
				poll(&(struct pollfd){source_fd(s), POLLIN, 0},
				     1, 2 * SOURCE_TIMEOUT);
		} while (stay-- && idle < 2);
		source_close(s);
	}
	assert_int_equal(got, N_FRAMES);
	all_once(hits, N_FRAMES);
	assert_true(lives > 10);
	close(fd);
	tap_close(&g);
}

/* What the kernel drops is counted, by whoever reads, once. */
static void test_drops(void **state)
{
	enum { N_FRAMES = 30000 };
	static uint8_t hits[N_FRAMES];
	struct tap_group g = group_of(0, "a0", 1);
	struct source_stats st[2];
	uint32_t got;
	int fd;

	(void)state;
	need_net();
	g.filter = "udp";
	g.snaplen = 100;
	must_open(&g);
	fd = wire("a1");
	for (unsigned int i = 0; i < 2; i++) {
		struct source *s = reader("a0", NULL, 0, NULL, NULL);

		for (uint32_t k = 0; k < N_FRAMES / 2; k++)
			send_mark(fd, k);
		if (i) {
			got = empty_out(s, hits);
			assert_in_range(got, 1, N_FRAMES - 1);
		}
		source_stats(s, SOURCE_ALL, &st[i]);
		source_close(s);
	}
	assert_int_equal(st[0].received, N_FRAMES / 2);
	assert_int_equal(st[1].received, N_FRAMES / 2);
	assert_int_equal(st[0].ring + st[1].ring + got, N_FRAMES);
	close(fd);
	tap_close(&g);
}

static void test_direction(void **state)
{
	enum { N_FRAMES = 50 };
	int out, in;

	(void)state;
	need_net();
	out = wire("a0");
	in = wire("a1");
	for (int only = 0; only < 2; only++) {
		struct tap_group g = group_of(0, "a0", 1);
		uint8_t hits[N_FRAMES] = {0};
		uint32_t want = only ? N_FRAMES / 2 + 1 : N_FRAMES + 1;
		struct source *s;

		g.inbound_only = only;
		must_open(&g);
		s = reader("a0", NULL, 0, NULL, NULL);
		for (uint32_t i = 0; i < N_FRAMES; i++)
			send_mark(i & 1 ? out : in, i);
		/* the last one arrives: all others came before it */
		send_mark(in, 0);
		assert_int_equal(collect(s, hits, want), want);
		assert_int_equal(hits[1], only ? 0 : 1);
		assert_int_equal(hits[2], 1);
		source_close(s);
		tap_close(&g);
	}
	close(out);
	close(in);
}

/* The loopback interface shows each frame twice: once here, also in a group. */
static void test_loopback(void **state)
{
	enum { N_FRAMES = 200 };
	int fd;

	(void)state;
	need_net();
	fd = wire("lo");
	for (unsigned int n = 1; n <= 2; n++) {
		static uint8_t hits[N_FRAMES];
		struct tap_group g = group_of(0, "lo", n);
		uint32_t got = 0;

		memset(hits, 0, sizeof(hits));
		must_open(&g);
		for (uint32_t i = 0; i < N_FRAMES; i++)
			send_mark(fd, i);
		for (unsigned int w = 0; w < n; w++) {
			struct source *s = reader("lo", NULL, w, NULL, NULL);

			got += empty_out(s, hits);
			source_close(s);
		}
		assert_int_equal(got, N_FRAMES);
		all_once(hits, N_FRAMES);
		tap_close(&g);
	}
	close(fd);
}

static void send_tagged(int fd, uint32_t mark, uint16_t id)
{
	packet_begin(&B);
	packet_eth(&B);
	packet_vlan(&B, id);
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, (uint16_t)(mark >> 16), (uint16_t)mark);
	packet_fill(&B, 'x', 22);
	packet_end(&B);
	assert_int_equal(send(fd, B.buf, B.len, 0), B.len);
}

/* The kernel takes tags out of frames: here they are again, for parsing and
 * for the filter, and for a successor that gets the same frame. */
static void test_tags(void **state)
{
	enum { N_FRAMES = 20 };
	static const char all[] = "1/42 3/42 5/42 7/42 9/42 11/42 13/42 15/42 "
				  "17/42 19/42 3/0 ";
	struct tap_group g = group_of(0, "a0", 1);
	struct source *s;
	int fd;

	(void)state;
	need_net();
	g.filter = "udp dst port 3 or vlan 42";
	must_open(&g);
	fd = wire("a1");
	for (uint32_t i = 0; i < N_FRAMES; i++)
		send_tagged(fd, i, i & 1 ? 42 : 7);
	send_mark(fd, 3);
	send_mark(fd, 4);
	for (unsigned int life = 0; life < 3; life++) {
		char seen[2 * sizeof(all)] = "";
		size_t len = 0;

		s = reader("a0", NULL, 0, NULL, NULL);
		for (int round = 0; round < ROUNDS && !strstr(seen, "/0");) {
			int n = source_next(s, batch, SOURCE_BATCH);

			for (int i = 0; i < n && len < sizeof(all); i++) {
				int64_t mark = mark_of(&batch[i]);

				len += (size_t)snprintf(
					seen + len, sizeof(seen) - len,
					"%d/%u ", (int)mark, batch[i].vlan);
			}
			if (n)
				continue;
			round++;
			wait_for(s);
		}
		/* A block that was read to its end is given back when the next
		 * one begins, and a slow machine made two of it. */
		assert_in_range(len, life ? 1 : sizeof(all) - 1,
		                sizeof(all) - 1);
		assert_string_equal(seen, all + sizeof(all) - 1 - len);
		/* the last one was not: it waits for who comes next */
		source_close(s);
	}
	close(fd);
	tap_close(&g);
}

/* Two interfaces in the order of time, each with a cursor of its own. */
static void test_two(void **state)
{
	enum { N_FRAMES = 400, HALF = 137 };
	struct tap_group g[2] = {group_of(0, "a0", 1), group_of(1, "b0", 1)};
	uint64_t last = 0, cursor[SOURCE_TAPS] = {0};
	uint32_t got = 0;
	int fd[2];

	(void)state;
	need_net();
	for (unsigned int i = 0; i < 2; i++) {
		g[i].filter = "udp";
		must_open(&g[i]);
	}
	fd[0] = wire("a1");
	fd[1] = wire("b1");
	for (uint32_t i = 0; i < N_FRAMES; i++)
		send_mark(fd[i / 7 & 1], i);
	memset(place, 0, sizeof(place));
	for (uint32_t end = HALF; end <= N_FRAMES; end += N_FRAMES - HALF) {
		struct source *s = reader("a0", "b0", 0, NULL, cursor);

		for (int round = 0; round < ROUNDS && got < end;) {
			int n = source_next(s, batch, 10);

			for (int i = 0; i < n && got < end; i++) {
				const struct pkt *p = &batch[i];

				assert_true(p->ts_ns >= last);
				last = p->ts_ns;
				assert_int_equal(mark_of(&batch[i]), got);
				assert_int_equal(p->iface, got / 7 & 1);
				assert_int_equal(p->source, p->iface);
				assert_true(p->frame > cursor[p->source]);
				cursor[p->source] = p->frame;
				got++;
			}
			if (n)
				continue;
			round++;
			wait_for(s);
		}
		assert_int_equal(got, end);
		source_close(s);
	}
	for (unsigned int i = 0; i < 2; i++) {
		close(fd[i]);
		tap_close(&g[i]);
	}
}

/* the worker that is to get it */
static unsigned int send_steered(int fd, uint32_t mark)
{
	struct pkt p;

	send_mark(fd, mark);
	packet_pkt(&B, &p);
	pkt_parse(&p);
	return steer_worker(steer_shard(key, &p), WORKERS);
}

/* Each packet comes to the worker of its shard, whoever comes and goes. */
static void test_fanout(void **state)
{
	enum { N_FRAMES = 2000 };
	static uint8_t hits[N_FRAMES], want[WORKERS][N_FRAMES];
	struct tap_group g = group_of(0, "a0", WORKERS);
	uint32_t expect[WORKERS] = {0};
	int fd;

	(void)state;
	need_net();
	g.filter = "udp";
	must_open(&g);
	fd = wire("a1");
	for (uint32_t i = 0; i < N_FRAMES; i++) {
		unsigned int w;

		if (i == N_FRAMES / 2)
			source_close(reader("a0", NULL, 1, NULL, NULL));
		w = send_steered(fd, i);
		want[w][i] = 1;
		expect[w]++;
	}
	for (unsigned int w = 0; w < WORKERS; w++) {
		struct source *s = reader("a0", NULL, w, NULL, NULL);

		memset(hits, 0, sizeof(hits));
		assert_true(expect[w] > N_FRAMES / WORKERS / 2);
		assert_int_equal(collect(s, hits, expect[w]), expect[w]);
		assert_memory_equal(hits, want[w], N_FRAMES);
		assert_int_equal(source_next(s, batch, 64), 0);
		source_close(s);
	}
	close(fd);
	tap_close(&g);
}

/* Words of a socket's filter; 0: it has none. */
static int filter_words(int fd)
{
	struct sock_filter code[64];
	socklen_t n = ARRAY_SIZE(code);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &n),
	                 0);
	return (int)n;
}

/* One that would let everything through whole is none: not one word is run for
 * a frame.  What leaves out or cuts has its words. */
static void test_no_filter(void **state)
{
	static const struct {
		const char *filter;
		int snaplen;
		bool inbound, some;
	} t[] = {{NULL, 0, false, false},     {"", 0, false, false},
	         {NULL, 65535, false, false}, {NULL, 100, false, true},
	         {NULL, 0, true, true},       {"udp", 0, false, true}};

	(void)state;
	need_net();
	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		struct tap_group g = group_of(0, "a0", WORKERS);

		g.filter = t[i].filter;
		g.snaplen = t[i].snaplen;
		g.inbound_only = t[i].inbound;
		must_open(&g);
		for (unsigned int w = 0; w < WORKERS; w++)
			assert_int_equal(filter_words(g.tap[w].fd) > 0,
			                 t[i].some);
		tap_close(&g);
	}
}

/* Without a filter each frame has one worker as well, the right one. */
static void test_no_filter_steers(void **state)
{
	enum { N_FRAMES = 900 };
	static uint8_t hits[N_FRAMES], want[WORKERS][N_FRAMES];
	struct tap_group g = group_of(0, "a0", WORKERS);
	uint32_t expect[WORKERS] = {0};
	int fd;

	(void)state;
	need_net();
	memset(want, 0, sizeof(want));
	must_open(&g);
	fd = wire("a1");
	for (uint32_t i = 0; i < N_FRAMES; i++) {
		unsigned int w = send_steered(fd, i);

		want[w][i] = 1;
		expect[w]++;
	}
	for (unsigned int w = 0; w < WORKERS; w++) {
		struct source *s = reader("a0", NULL, w, NULL, NULL);

		memset(hits, 0, sizeof(hits));
		assert_int_equal(collect(s, hits, expect[w]), expect[w]);
		assert_memory_equal(hits, want[w], N_FRAMES);
		source_close(s);
	}
	close(fd);
	tap_close(&g);
}

/* -- link types ------------------------------------------------------------ */

static int tun(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	memcpy(r.ifr_name, name, strlen(name));
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* bare IP, and the same cooked when the interface says it is of another kind */
static void test_link_types(void **state)
{
	static const struct {
		int hardware;
		uint16_t link;
	} kinds[] = {{0xfffe, 101}, {512, 113}};

	(void)state;
	need_net();
	for (unsigned int i = 0; i < 2; i++) {
		struct tap_group g = group_of(0, "t0", 1);
		uint8_t hits[8] = {0};
		struct source *s;
		int fd = tun("t0");

		if (fd < 0)
			skip();
		assert_int_equal(ioctl(fd, TUNSETLINK, (long)kinds[i].hardware),
		                 0);
		assert_true(run("ip link set t0 up"));
		g.filter = "udp dst port 5 or udp dst port 6";
		must_open(&g);
		s = reader("t0", NULL, 0, g.filter, NULL);
		for (uint32_t k = 0; k < 8; k++) {
			packet_begin(&B);
			packet_ip4(&B, "192.0.2.1", "192.0.2.2");
			packet_udp(&B, 0, (uint16_t)k);
			packet_fill(&B, 'x', 22);
			packet_end(&B);
			assert_int_equal(write(fd, B.buf, B.len), B.len);
		}
		assert_int_equal(collect(s, hits, 2), 2);
		assert_int_equal(hits[5] + hits[6], 2);
		assert_int_equal(batch[0].linktype, kinds[i].link);
		source_close(s);
		tap_close(&g);
		close(fd);
	}
}

/* -- interfaces that come and go ------------------------------------------- */

/* The other end of the wire is ready a while after its link is. */
static void warm_up(int fd, struct source **s, unsigned int n)
{
	uint8_t hits[WARM + 1] = {0};

	for (int round = 0; round < ROUNDS && !hits[WARM]; round++) {
		send_mark(fd, WARM);
		for (unsigned int w = 0; w < n; w++)
			empty_out(s[w], hits);
	}
	assert_true(hits[WARM] > 0);
}

static void test_down(void **state)
{
	struct tap_group g = group_of(0, "c0", 2);
	struct source_stats st = {0};
	uint8_t hits[64] = {0};
	struct source *s[2];
	uint32_t got = 0;
	int fd;

	(void)state;
	need_net();
	assert_true(veth("c0", "c1"));
	g.filter = "udp";
	must_open(&g);
	for (unsigned int w = 0; w < 2; w++)
		s[w] = reader("c0", NULL, w, NULL, NULL);
	assert_true(run("ip link set c0 down"));
	for (int round = 0; round < ROUNDS && !st.vanished; round++) {
		assert_int_equal(source_next(s[0], batch, 64), 0);
		wait_for(s[0]);
		source_stats(s[0], 0, &st);
	}
	assert_int_equal(st.vanished, 1);
	/* told once: a wait is a wait again */
	source_next(s[0], batch, 64);
	assert_int_equal(
		poll(&(struct pollfd){.fd = source_fd(s[0]), .events = POLLIN},
	             1, 0),
		0);
	assert_int_equal(tap_look(&g), TAP_SAME);
	/* up again the kernel goes on, in the same order of workers */
	assert_true(run("ip link set c0 up"));
	fd = wire("c1");
	warm_up(fd, s, 2);
	for (uint32_t i = 0; i < 64; i++) {
		struct pkt p;
		unsigned int w;

		send_mark(fd, i);
		packet_pkt(&B, &p);
		pkt_parse(&p);
		w = steer_worker(steer_shard(key, &p), 2);
		assert_int_equal(collect(s[w], hits, 1), 1);
		got++;
	}
	all_once(hits, 64);
	assert_int_equal(got, 64);
	for (unsigned int w = 0; w < 2; w++) {
		source_stats(s[w], 0, &st);
		assert_int_equal(st.vanished, 1);
		assert_int_equal(st.reopened, 1);
	}
	close(fd);
	for (unsigned int w = 0; w < 2; w++)
		source_close(s[w]);
	tap_close(&g);
	assert_true(run("ip link del c0"));
}

static void test_look(void **state)
{
	struct tap_group g = group_of(0, "d0", 2), same;

	(void)state;
	need_net();
	assert_true(veth("d0", "d1"));
	must_open(&g);
	same = g;
	assert_true(tap_adopt(&same));
	assert_int_equal(same.ifindex, g.ifindex);
	assert_true(run("ip link set d0 mtu 1200"));
	assert_int_equal(tap_look(&g), TAP_SAME);
	assert_true(run("ip link del d0"));
	assert_int_equal(tap_look(&g), TAP_GONE);
	assert_false(tap_adopt(&same));
	assert_true(veth("d0", "d1"));
	assert_int_equal(tap_look(&g), TAP_OTHER);
	same = g;
	assert_false(tap_adopt(&same));
	tap_close(&g);
	assert_int_equal(tap_look(&g), TAP_OTHER);
	assert_int_equal(g.tap[0].fd, -1);
	assert_true(run("ip link del d0"));
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
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_heirs),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_fanout),
		cmocka_unit_test(test_no_filter),
		cmocka_unit_test(test_no_filter_steers),
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

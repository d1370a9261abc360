/*
 * live.c - the daemon on a veth pair, in a network namespace of its own.
 *
 *	live	what one processor takes off an interface: the daemon, and a
 *		libpcap reader that does nothing, with the sender on the other,
 *		in turn
 *	latency	from a packet's time to its event in a subscriber's hands
 *	idle	what all roles take when nothing comes
 *
 * Wants root; who is not is told so, and nothing fails.
 */
#include "tests/bench/bench.h"

#include <net/if.h>
#include <pcap/pcap.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "proto/ctshard.h"

#define SENDER_CPU   0
#define DAEMON_CPU   1
#define SECONDS      4u
#define LIVE_NS      (2 * NS_PER_S)
#define BURST        32u
#define LATENCY_MAX  (1u << 20)
#define FRAMES_READY (1u << 20)

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* with one processor all share it */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static bool lan_open(void)
{
	if (geteuid() || unshare(CLONE_NEWNET)) {
		printf("{\"bench\":\"live\",\"skipped\":\"wants root\"}\n");
		return false;
	}
	return !system("ip link add va type veth peer name vb && "
	               "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
	               "ip link set lo up && "
	               "ip link set va up && ip link set vb up");
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ---- sender ---- */

/* Frames of `fr` in turn, `pps` a second (0: as many as go); how many went. */
static uint64_t send_frames(const struct frames *fr, uint64_t pps,
                            uint64_t total_ns)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_IP),
	                         .sll_ifindex = (int)if_nametoindex("va")};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	uint64_t t0 = wall_ns(), sent = 0, now;
	struct mmsghdr m[BURST];
	struct iovec v[BURST];
	unsigned int i, n;

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return 0;
	while ((now = wall_ns()) - t0 < total_ns) {
		n = BURST;
		if (pps) {
			uint64_t due = (now - t0) * pps / NS_PER_S;

			n = due - sent < BURST ? (unsigned int)(due - sent)
			                       : BURST;
			if (!n) {
				usleep(50);
				continue;
			}
		}
		for (i = 0; i < n; i++) {
			const struct source_frame *f =
				&fr->f[(sent + i) % fr->n];

			v[i].iov_base =
				fr->bytes + (size_t)(f->data - fr->bytes);
			v[i].iov_len = f->caplen;
			m[i] = (struct mmsghdr){
				.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
		}
		if (sendmmsg(fd, m, n, 0) != (int)n)
			break;
		sent += n;
	}
	close(fd);
	return sent;
}

/* ---- readers ---- */

struct taken {
	uint64_t packets, dropped;
};

static void count_one(u_char *user, const struct pcap_pkthdr *h,
                      const u_char *bytes)
{
	(void)h;
	(void)bytes;
	++*(uint64_t *)(void *)user;
}

/* reads until nothing came for a while, tells through the pipe */
static void pcap_reader(int ready, int result)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create("vb", err);
	struct taken t = {0, 0};
	struct pcap_stat st = {0};
	unsigned int quiet = 0;

	pin(DAEMON_CPU);
	if (!p || pcap_set_snaplen(p, 262144) || pcap_set_timeout(p, 10) ||
	    pcap_set_buffer_size(p, SOURCE_RING) || pcap_activate(p))
		_exit(1);
	pcap_setnonblock(p, 1, err);
	if (write(ready, "x", 1) != 1)
		_exit(1);
	while (quiet < 1000) {
		uint64_t before = t.packets;

		pcap_dispatch(p, -1, count_one, (u_char *)(void *)&t.packets);
		quiet = t.packets == before && t.packets ? quiet + 1 : 0;
		if (t.packets == before)
			usleep(1000);
	}
	pcap_stats(p, &st);
	t.dropped = st.ps_drop;
	_exit(write(result, &t, sizeof(t)) != sizeof(t));
}

/* ---- the daemon, on processor 1, with all its roles ---- */

static pid_t daemon_start(struct yard *y, const struct bench_opt *o)
{
	char most[32];
	const char *const argv[] = {"ctshardd", "-R", y->run, "-i", "vb",
	                            "-w",       "1",  "-s",   most, NULL};
	const char *const count[] = {"ctctl", "-R", y->run, "count", NULL};
	unsigned int i;
	ssize_t n;

	memset(y, 0, sizeof(*y));
	snprintf(most, sizeof(most), "max=%llu",
	         (unsigned long long)o->connections * 2);
	snprintf(y->dir, sizeof(y->dir), "/tmp/ctbench.XXXXXX");
	n = readlink("/proc/self/exe", y->bin, sizeof(y->bin) - 1);
	if (n < 0 || !mkdtemp(y->dir))
		return -1;
	*strrchr(y->bin, '/') = '\0';
	snprintf(y->run, sizeof(y->run), "%s/run", y->dir);
	pin(DAEMON_CPU);
	y->daemon = spawn(y, argv);
	pin(SENDER_CPU);
	for (i = 0; i < 500; i++) {
		if (finish(spawn(y, count)) == 0)
			return y->daemon;
		usleep(20000);
	}
	return -1;
}

static int stat_one(void *arg, const struct ctshard_counter *c)
{
	struct taken *t = arg;

	if (c->total && !strcmp(c->name, "frames"))
		t->packets = c->value;
	if (c->total && !strcmp(c->name, "drops.kernel_ring"))
		t->dropped = c->value;
	return 0;
}

static bool daemon_stats(const struct yard *y, struct taken *t)
{
	const struct ctshard_handler h = {.arg = t, .counter = stat_one};
	struct ctshard *ct;
	uint64_t id;
	int rc = ctshard_open(y->run, 0, &ct);

	if (!rc)
		rc = ctshard_stats(ct, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	ctshard_close(ct);
	return !rc;
}

/* ---- live ---- */

static void frames_talk(struct frames *fr, const struct bench_opt *o,
                        uint64_t n)
{
	struct flow *fl = calloc(o->connections, sizeof(*fl));
	uint64_t seed = o->seed + 1, i;

	if (!fl)
		exit(1);
	frames_init(fr, n, o->v6);
	for (i = 0; i < n; i++) {
		uint64_t x = bench_random(&seed);
		uint64_t id = (x >> 32) * o->connections >> 32;

		fl[id].udp = 1;
		frames_add(fr, id, &fl[id], (int)(x & 1), FRAME_DATA);
	}
	free(fl);
}

struct live {
	struct sample taken, sent; /* a second */
	struct sample ns;          /* of the sender's processor, a packet */
	uint64_t dropped;
};

/* what was sent, by both clocks */
struct sent {
	uint64_t n, wall, cpu;
};

static struct sent live_send(const struct frames *fr)
{
	struct sent s = {.wall = wall_ns(), .cpu = bench_cpu_ns()};

	s.n = send_frames(fr, 0, LIVE_NS);
	s.wall = wall_ns() - s.wall;
	s.cpu = bench_cpu_ns() - s.cpu;
	return s;
}

static void live_add(struct live *l, const struct sent *s,
                     const struct taken *t)
{
	sample_add(&l->sent, (double)s->n * 1e9 / (double)s->wall);
	sample_add(&l->taken, (double)t->packets * 1e9 / (double)s->wall);
	sample_add(&l->ns, (double)s->cpu / (double)s->n);
	l->dropped += t->dropped;
}

static bool live_pcap(const struct frames *fr, struct live *l)
{
	struct taken t = {0, 0};
	int ready[2], result[2];
	struct sent s = {0, 0, 0};
	bool ok;
	pid_t pid;
	char c;

	if (pipe(ready) || pipe(result))
		return false;
	pid = fork();
	if (!pid)
		pcap_reader(ready[1], result[1]);
	close(ready[1]);
	close(result[1]);
	ok = read(ready[0], &c, 1) == 1;
	pin(SENDER_CPU);
	if (ok)
		s = live_send(fr);
	ok = ok && s.n && read(result[0], &t, sizeof(t)) == sizeof(t);
	finish(pid);
	close(ready[0]);
	close(result[0]);
	if (ok)
		live_add(l, &s, &t);
	return ok;
}

/* Until all that came has been worked off: the counter stands still. */
static bool daemon_done(const struct yard *y, uint64_t sent, struct taken *t)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (!daemon_stats(y, t))
			return false;
		if (t->packets + t->dropped >= sent)
			break;
		usleep(50000);
	}
	return true;
}

static bool live_daemon(const struct frames *fr, const struct bench_opt *o,
                        struct live *l)
{
	struct taken t = {0, 0};
	struct sent s = {0, 0, 0};
	struct yard y;
	bool ok = daemon_start(&y, o) > 0;

	if (ok)
		s = live_send(fr);
	ok = ok && s.n && daemon_done(&y, s.n, &t);
	yard_close(&y);
	if (ok)
		live_add(l, &s, &t);
	return ok;
}

static void live_print(const char *who, struct live *l)
{
	printf("{\"bench\":\"live\",\"reader\":\"%s\",\"rounds\":%u,"
	       "\"dropped\":%llu,\"sent_per_second\":%.0f,"
	       "\"taken_per_second\":%.0f,\"sender_ns\":%.0f}\n",
	       who, l->taken.n, (unsigned long long)l->dropped,
	       sample_median(&l->sent), sample_median(&l->taken),
	       sample_median(&l->ns));
}

/* Both in turn, each first in half of the rounds: one round differs from the
 * next by more than they do from each other. */
int bench_live(const struct bench_opt *o)
{
	unsigned int rounds = o->repeat < 8 ? 8 : o->repeat, i, k;
	struct live l[2] = {{.dropped = 0}, {.dropped = 0}};
	struct sample ratio = {.n = 0}, cost = {.n = 0};
	struct frames fr;
	double med, low, high;
	bool ok = true;

	if (!lan_open())
		return 0;
	frames_talk(&fr, o, FRAMES_READY);
	for (i = 0; ok && i < rounds; i++) {
		for (k = 0; ok && k < 2; k++)
			ok = (i + k) & 1 ? live_daemon(&fr, o, &l[1])
			                 : live_pcap(&fr, &l[0]);
		if (!ok)
			break;
		sample_add(&ratio, l[1].taken.v[i] / l[0].taken.v[i]);
		sample_add(&cost, l[1].ns.v[i] / l[0].ns.v[i]);
	}
	frames_free(&fr);
	if (!ok) {
		fprintf(stderr, "ctbench: live: a reader failed\n");
		return 1;
	}
	live_print("libpcap, empty", &l[0]);
	live_print("ctshardd", &l[1]);
	med = sample_median(&ratio);
	sample_interval(&ratio, &low, &high);
	printf("{\"bench\":\"live\",\"reader\":\"ratio\",\"rounds\":%u,"
	       "\"ratio\":%.3f,\"low\":%.3f,\"high\":%.3f,"
	       "\"sender_ratio\":%.3f}\n",
	       ratio.n, med, low, high, sample_median(&cost));
	return 0;
}

/* ---- latency ---- */

struct late {
	double us[LATENCY_MAX];
	unsigned int n;
	bool lost;
};

static int late_event(void *arg, const struct ctshard_event *e)
{
	struct late *l = arg;

	l->lost |= e->type == CTSHARD_GAP;
	if (e->type == CTSHARD_NEW && l->n < LATENCY_MAX)
		l->us[l->n++] = (double)(int64_t)(real_ns() - e->time_ns) / 1e3;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool latency_at(const struct yard *y, const struct frames *fr,
                       uint64_t pps)
{
	static struct late l;
	const struct ctshard_handler h = {.arg = &l, .event = late_event};
	const struct ctshard_watch_opts opts = {.brief = 1};
	struct ctshard *ct;
	uint64_t end;
	pid_t pid;

	l.n = 0;
	l.lost = false;
	if (ctshard_open(y->run, 0, &ct) || ctshard_watch(ct, &opts, &h, NULL))
		return false;
	pid = fork();
	if (!pid) {
		pin(SENDER_CPU);
		_exit(!send_frames(fr, pps, SECONDS * NS_PER_S));
	}
	end = wall_ns() + (SECONDS + 1) * NS_PER_S;
	/* without a wait of its own for each: as a program that is busy */
	while (wall_ns() < end && ctshard_dispatch(ct) >= 0)
		usleep(100);
	finish(pid);
	ctshard_close(ct);
	if (!l.n)
		return false;
	qsort(l.us, l.n, sizeof(l.us[0]), by_value);
	printf("{\"bench\":\"latency\",\"asked_per_second\":%llu,"
	       "\"events\":%u,\"lost\":%s,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
	       (unsigned long long)pps, l.n, l.lost ? "true" : "false",
	       l.us[l.n / 2], l.us[(size_t)l.n * 99 / 100]);
	fflush(stdout);
	return true;
}

int bench_latency(const struct bench_opt *o)
{
	struct frames fr;
	struct yard y;
	uint64_t i;
	bool ok;

	if (!lan_open())
		return 0;
	frames_init(&fr, FRAMES_READY, o->v6);
	for (i = 0; i < FRAMES_READY; i++) {
		struct flow one = {.udp = false};

		frames_add(&fr, i, &one, 0, FRAME_SYN);
	}
	ok = daemon_start(&y, o) > 0 && latency_at(&y, &fr, 100);
	yard_close(&y);
	/* a new table, or the same frames would be no new connections */
	ok = ok && daemon_start(&y, o) > 0 && latency_at(&y, &fr, 200000);
	yard_close(&y);
	frames_free(&fr);
	return !ok;
}

/* ---- idle ---- */

/* ticks of CPU time that this process and all below it have taken */
static uint64_t tree_ticks(pid_t pid)
{
	char cmd[256], line[64];
	uint64_t n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd),
	         "cat /proc/%d/stat $(for c in $(pgrep -P %d); do "
	         "echo /proc/$c/stat; done) 2>/dev/null | "
	         "awk '{n += $14 + $15} END {print n + 0}'",
	         pid, pid);
	f = popen(cmd, "r");
	if (f && fgets(line, sizeof(line), f))
		n = strtoull(line, NULL, 10);
	if (f)
		pclose(f);
	return n;
}

int bench_idle(const struct bench_opt *o)
{
	const unsigned int seconds = 10;
	struct yard y;
	uint64_t from, to;
	bool ok;

	if (!lan_open())
		return 0;
	ok = daemon_start(&y, o) > 0;
	sleep(2); /* what belongs to the start is over */
	from = tree_ticks(y.daemon);
	sleep(seconds);
	to = tree_ticks(y.daemon);
	yard_close(&y);
	if (ok)
		printf("{\"bench\":\"idle\",\"seconds\":%u,"
		       "\"percent_of_core\":%.2f}\n",
		       seconds,
		       (double)(to - from) * 100.0 /
		               ((double)sysconf(_SC_CLK_TCK) * seconds));
	return !ok;
}

/*
 * mkstream.c - send connections into an interface at a rate, until SIGTERM.
 *
 *	mkstream IFACE EVENTS KEEP [FLOWS | -]
 *
 * Each connection is three events for a tracker: a datagram, its answer and an
 * end that comes by itself; one of KEEP is a handshake of TCP instead (begun,
 * answered, assured), which stays.  EVENTS a second are meant, so a third of
 * it are connections.  No two have the same tuple before 4 G of them; their
 * destination ports are 1000 to 1099 in turn.  FLOWS: end after so many.
 * Prints how many connections and packets it has sent.
 *
 * Who was kept waiting catches up, at no more than five quarters of the rate.
 * With `-' each line on stdin is how many connections beyond the rate are due
 * by now (those that nobody saw, say); the answer is how many have been sent.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define BURST   32u
#define FRAME   60u
#define PACKETS 3u
#define PORTS   100u
#define NS      1000000000ull

#define SYN 0x02
#define ACK 0x10

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static void put(uint8_t *to, uint32_t v, int n)
{
	while (n--)
		*to++ = (uint8_t)(v >> 8 * n);
}

static void put_ip(uint8_t *b, uint64_t n, int side, unsigned int proto)
{
	uint32_t client = 0x0a000000u + (uint32_t)(n & 0xffffff);
	uint32_t server = 0x0b000000u + (uint32_t)(n % 251);
	uint32_t sport = 2000u + (uint32_t)(n >> 24) % 60000u;
	uint32_t dport = 1000u + (uint32_t)(n % PORTS);

	memset(b, 0, FRAME);
	put(b + 12, 0x0800, 2);
	b[14] = 0x45;
	put(b + 16, 46, 2);
	put(b + 20, 0x4000, 2);
	b[22] = 64;
	b[23] = (uint8_t)proto;
	put(b + 26, side ? server : client, 4);
	put(b + 30, side ? client : server, 4);
	put(b + 34, side ? dport : sport, 2);
	put(b + 36, side ? sport : dport, 2);
}

static void put_udp(uint8_t *b, uint64_t n, unsigned int i)
{
	put_ip(b, n, i & 1, 17);
	put(b + 38, 26, 2);
}

/* SYN, SYN ACK, ACK, and nothing more */
static void put_tcp(uint8_t *b, uint64_t n, unsigned int i)
{
	put_ip(b, n, i == 1, 6);
	put(b + 38, i == 1 ? 5000 : i ? 1001 : 1000, 4);
	put(b + 42, i == 1 ? 1001 : i ? 5001 : 0, 4);
	b[46] = 0x50;
	b[47] = i == 1 ? SYN | ACK : i ? ACK : SYN;
	put(b + 48, 0xffff, 2);
}

struct stream {
	int fd;
	bool asked;     /* on stdin */
	uint64_t extra; /* connections beyond the rate */
	uint64_t keep, flows, packets;
	uint8_t frame[BURST * PACKETS][FRAME];
};

/* `n` connections; an answer goes when all first packets have gone. */
static int burst(struct stream *s, unsigned int n)
{
	struct mmsghdr m[BURST * PACKETS];
	struct iovec v[BURST * PACKETS];
	unsigned int turn, i, k = 0, done = 0;

	for (turn = 0; turn < PACKETS; turn++)
		for (i = 0; i < n; i++) {
			uint64_t flow = s->flows + i;

			if (flow % s->keep == 0)
				put_tcp(s->frame[k], flow, turn);
			else if (turn < 2)
				put_udp(s->frame[k], flow, turn);
			else
				continue;
			v[k] = (struct iovec){s->frame[k], FRAME};
			m[k] = (struct mmsghdr){
				.msg_hdr = {.msg_iov = &v[k], .msg_iovlen = 1}};
			k++;
		}
	while (done < k) {
		int sent = sendmmsg(s->fd, m + done, k - done, 0);

		if (sent <= 0)
			return -1;
		done += (unsigned int)sent;
	}
	s->flows += n;
	s->packets += k;
	return 0;
}

/* The newest of what stands on stdin; one answer for all. */
static void asked(struct stream *s)
{
	char line[256], *last;
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0 || line[n - 1] != '\n')
		return;
	line[n - 1] = '\0';
	last = strrchr(line, '\n');
	s->extra = strtoull(last ? last + 1 : line, NULL, 10);
	printf("%llu\n", (unsigned long long)s->flows);
	fflush(stdout);
}

/* Those that may go now: due, and not faster than five quarters of the rate,
 * nor more at once than a tenth of a second's. */
static uint64_t may_go(const struct stream *s, uint64_t t0, uint64_t *slow,
                       uint64_t rate)
{
	uint64_t now = now_ns(), fast = rate + rate / 4, n;
	uint64_t due = (now - t0) * rate / NS + s->extra;

	if (now - *slow > NS / 10)
		*slow = now - NS / 10;
	n = (now - *slow) * fast / NS;
	if (due <= s->flows)
		return 0;
	n = n < due - s->flows ? n : due - s->flows;
	n = n < BURST ? n : BURST;
	*slow += n * NS / fast;
	return n;
}

static int stream(struct stream *s, uint64_t rate, uint64_t total)
{
	uint64_t t0 = now_ns(), slow = t0, n;

	while (!stop && s->flows < total) {
		if (s->asked)
			asked(s);
		n = may_go(s, t0, &slow, rate);
		if (!n) {
			usleep(500);
			continue;
		}
		if (n > total - s->flows)
			n = total - s->flows;
		if (burst(s, (unsigned int)n))
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_IP)};
	struct sigaction sa = {.sa_handler = on_signal};
	static struct stream s;
	uint64_t rate, total;

	if (argc < 4) {
		fprintf(stderr,
		        "usage: mkstream IFACE EVENTS KEEP [FLOWS | -]\n");
		return 2;
	}
	rate = strtoull(argv[2], NULL, 10) / 3;
	s.keep = strtoull(argv[3], NULL, 10);
	s.asked = argc > 4 && !strcmp(argv[4], "-");
	total = argc > 4 && !s.asked ? strtoull(argv[4], NULL, 10) : UINT64_MAX;
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	s.fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (!rate || !s.keep || s.fd < 0 ||
	    bind(s.fd, (struct sockaddr *)&to, sizeof(to))) {
		perror(argv[1]);
		return 1;
	}
	if (s.asked)
		fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (stream(&s, rate, total)) {
		perror("send");
		return 1;
	}
	printf("%llu %llu\n", (unsigned long long)s.flows,
	       (unsigned long long)s.packets);
	return 0;
}

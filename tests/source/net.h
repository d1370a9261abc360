/*
 * net.h - a network namespace of the test's own, frames that can be told apart,
 * and what comes out of a source.  Where no namespace can be made, or there is
 * no ip(8), the tests that need one are skipped.
 *
 * Waits are bounded by a number of rounds, each at most 100 ms of silence;
 * nothing is measured in time.
 */
#ifndef TESTS_SOURCE_NET_H
#define TESTS_SOURCE_NET_H

#include "daemon/source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/packet.h"

enum { ROUNDS = 100 };

static char err[SOURCE_ERR];
static struct pkt batch[SOURCE_BATCH];
static struct packet B;
static bool have_net;

/* -- the namespace --------------------------------------------------------- */

/*
 * A frame sent into a veth waits in a queue of the processor that sent it: who
 * is moved while he sends has his frames arrive in another order.
 */
static inline void stay_on_one_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		break;
	}
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static inline bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static inline bool enter_namespace(void)
{
	char map[64];
	uid_t uid = geteuid();

	stay_on_one_cpu();
	if (uid == 0)
		return unshare(CLONE_NEWNET) == 0;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       put_file("/proc/self/setgroups", "deny") &&
	       put_file("/proc/self/uid_map", map);
}

static inline bool run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline bool veth(const char *a, const char *b)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "ip link add %s type veth peer name %s 2>/dev/null && "
	         "ip link set %s up && ip link set %s up",
	         a, b, a, b);
	return run(text);
}

static inline void need_net(void)
{
	if (!have_net)
		skip();
}

/* -- sending and receiving ------------------------------------------------- */

static inline int wire(const char *iface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_ifindex = (int)if_nametoindex(iface)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* a UDP packet whose ports are the two halves of `mark` */
static inline void send_mark(int fd, uint32_t mark)
{
	packet_begin(&B);
	packet_eth(&B);
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, (uint16_t)(mark >> 16), (uint16_t)mark);
	packet_fill(&B, 'x', 22);
	packet_end(&B);
	while (send(fd, B.buf, B.len, 0) < 0)
		assert_int_equal(errno, ENOBUFS);
}

/* the mark, or -1 for what the system itself sends on new interfaces */
static inline int64_t mark_of(struct pkt *p)
{
	static const uint8_t ours[] = {192, 0, 2, 1};

	if (pkt_parse(p) != PKT_OK || memcmp(p->src.b, ours, 4) != 0)
		return -1;
	return get32(pkt_l4(p, 0, 4));
}

static inline void wait_for(struct source *s)
{
	struct pollfd p = {.fd = source_fd(s), .events = POLLIN};
	int timeout = source_timeout(s);

	poll(&p, 1, timeout < 0 || timeout > 100 ? 100 : timeout);
}

/* Counts marks in hits[] until `want` were seen or nothing comes any more. */
static inline uint32_t collect(struct source *s, uint8_t *hits, uint32_t want)
{
	uint32_t got = 0;

	for (int round = 0; round < ROUNDS && got < want;) {
		int n = source_next(s, batch, SOURCE_BATCH);

		assert_true(n >= 0);
		for (int i = 0; i < n; i++) {
			int64_t mark = mark_of(&batch[i]);

			if (mark < 0)
				continue;
			assert_in_range(hits[mark]++, 0, 255);
			got++;
		}
		if (n)
			continue;
		round++;
		wait_for(s);
	}
	return got;
}

static inline void all_once(const uint8_t *hits, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (hits[i] != 1)
			fail_msg("mark %u was seen %u times", i, hits[i]);
}

/* all that is in the ring: until it is silent three times in a row */
static inline uint32_t empty_out(struct source *s, uint8_t *hits)
{
	uint32_t got = 0;

	for (int quiet = 0; quiet < 3;) {
		int n = source_next(s, batch, SOURCE_BATCH);

		for (int i = 0; i < n; i++) {
			int64_t mark = mark_of(&batch[i]);

			if (mark < 0)
				continue;
			hits[mark]++;
			got++;
		}
		quiet = n ? 0 : quiet + 1;
		if (!n)
			wait_for(s);
	}
	return got;
}

#endif

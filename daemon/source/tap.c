/*
 * tap.c - see tap.h.
 *
 * Order.  A socket that is bound and not yet a member sees all packets, and one
 * whose filter is not yet there sees all, too.  So each first gets a filter
 * that lets nothing through, then its ring, interface and place in the group;
 * when the group is whole and has its program, the filters are changed: nobody
 * ever sees a packet that is another's.  Where all is wanted whole, the filter
 * is taken away instead: one of a single word costs who sends 40 ns a
 * packet, 2.5 % of what a veth takes.
 *
 * The group's number is the kernel's choice, so instances on one interface do
 * not meet.  PACKET_IGNORE_OUTGOING has no effect in a group; what the loopback
 * interface shows twice is left out by the socket's filter, before it takes
 * room in the ring.
 *
 * Link types are libpcap's choice: Ethernet and loopback as they are, bare IP
 * as it is, all others cooked (LINKTYPE_LINUX_SLL), the header from the frame's
 * address (block.c).
 */
#include "daemon/source/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "daemon/source/block.h"
#include "daemon/source/fanout.h"
#include "daemon/source/kind.h"
#include "daemon/source/sieve.h"
#include "daemon/source/stamps.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif

enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_SLL = 113 };

static uint16_t link_of(int hardware)
{
	switch (hardware) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINK_ETHERNET;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
		return LINK_RAW;
	default:
		return LINK_SLL;
	}
}

static int snaplen_of(int snaplen)
{
	return snaplen > 0 ? snaplen : SOURCE_SNAPLEN;
}

static struct block_shape shape_of(int ring, int snaplen)
{
	return block_shape(ring > 0 ? (size_t)ring : SOURCE_RING,
	                   snaplen_of(snaplen));
}

size_t tap_bytes(int ring, int snaplen)
{
	struct block_shape s = shape_of(ring, snaplen);

	return (size_t)s.size * s.n;
}

/* -- over exec ------------------------------------------------------------- */

void tap_write(const struct source_tap *tap, char text[TAP_TEXT])
{
	snprintf(text, TAP_TEXT, "%d:%u:%" PRIu64 ",", tap->fd, tap->linktype,
	         tap->generation);
}

static bool number_read(const char **text, char end, uint64_t max, uint64_t *to)
{
	char *at;

	*to = strtoull(*text, &at, 10);
	if (at == *text || *at != end || *to > max)
		return false;
	*text = at + 1;
	return true;
}

unsigned int tap_read(const char *text, struct source_tap *tap,
                      unsigned int max)
{
	uint64_t fd, link, generation;
	unsigned int n = 0;

	while (n < max && number_read(&text, ':', INT_MAX, &fd) &&
	       number_read(&text, ':', UINT16_MAX, &link) &&
	       number_read(&text, ',', UINT64_MAX, &generation)) {
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC))
			break;
		tap[n++] = (struct source_tap){(int)fd, (uint16_t)link,
		                               generation};
	}
	return n;
}

/* -- the interface --------------------------------------------------------- */

static bool iface_ask(int fd, unsigned long what, const char *name,
                      struct ifreq *r)
{
	memset(r, 0, sizeof(*r));
	if (strlen(name) >= sizeof(r->ifr_name)) {
		errno = ENODEV;
		return false;
	}
	memcpy(r->ifr_name, name, strlen(name));
	return !ioctl(fd, what, r);
}

/* Index and type of the interface of the name; -1: there is none. */
static int iface_find(const char *name, int *hardware)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), index = -1;
	struct ifreq r;

	if (fd < 0)
		return -1;
	if (iface_ask(fd, SIOCGIFHWADDR, name, &r)) {
		*hardware = r.ifr_hwaddr.sa_family;
		if (iface_ask(fd, SIOCGIFINDEX, name, &r))
			index = r.ifr_ifindex;
	}
	close(fd);
	return index;
}

static bool iface_up(int fd, const char *name)
{
	struct ifreq r;

	return iface_ask(fd, SIOCGIFFLAGS, name, &r) && r.ifr_flags & IFF_UP;
}

/* -- one socket ------------------------------------------------------------ */

static bool set_filter(int fd, struct sock_filter *code, int n)
{
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	return !setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
	                   sizeof(prog));
}

/* Says the program anything but: all, and all of it?  Above SOURCE_SNAPLEN the
 * block ends a frame. */
static bool filter_idle(const struct sock_filter *code, int n)
{
	return n == 1 && code->code == (BPF_RET | BPF_K) &&
	       code->k >= SOURCE_SNAPLEN;
}

static bool set_words(int fd, struct sock_filter *code, int n)
{
	int none = 0;

	if (!filter_idle(code, n))
		return set_filter(fd, code, n);
	return !setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none,
	                   sizeof(none));
}

static bool shut(int fd)
{
	struct sock_filter nothing = {.code = BPF_RET | BPF_K};

	return set_filter(fd, &nothing, 1);
}

static bool set_ring(int fd, const struct tap_group *g, char *err)
{
	struct block_shape s = shape_of(g->ring, g->snaplen);
	unsigned int frame = 2048;
	struct tpacket_req3 req = {.tp_block_size = s.size,
	                           .tp_block_nr = s.n,
	                           .tp_frame_size = frame,
	                           .tp_frame_nr = s.size / frame * s.n,
	                           .tp_retire_blk_tov = SOURCE_TIMEOUT};
	int version = TPACKET_V3;
	unsigned int reserve = BLOCK_RESERVE;

	if (!setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
	                sizeof(version)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_RESERVE, &reserve,
	                sizeof(reserve)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return true;
	source_complain(err, g->iface, "ring of %zu bytes: %s",
	                (size_t)s.size * s.n, strerror(errno));
	return false;
}

static bool set_place(int fd, const struct tap_group *g, char *err)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_ALL),
	                         .sll_ifindex = g->ifindex};

	if (!bind(fd, (const struct sockaddr *)&to, sizeof(to)))
		return true;
	source_complain(err, g->iface, "%s", strerror(errno));
	return false;
}

/* Kept for as long as the socket is open. */
static void set_promiscuous(int fd, const struct tap_group *g)
{
	struct packet_mreq r = {.mr_ifindex = g->ifindex,
	                        .mr_type = PACKET_MR_PROMISC};

	/* some kinds of interfaces cannot, and see everything anyway */
	(void)setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r));
}

/* A socket that sees nothing yet. */
static bool tap_make(struct tap_group *g, unsigned int i, char *err)
{
	uint16_t link = link_of(g->hardware);
	int type = link == LINK_SLL ? SOCK_DGRAM : SOCK_RAW;
	int fd = socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		if (errno == EPERM)
			source_complain_permission(err, g->iface);
		else
			source_complain(err, g->iface, "%s", strerror(errno));
		return false;
	}
	g->tap[i] = (struct source_tap){fd, link, g->generation};
	if (!iface_up(fd, g->iface)) {
		source_complain(err, g->iface,
		                "interface is down: ip link set %s up",
		                g->iface);
		return false;
	}
	if (!shut(fd)) {
		source_complain(err, g->iface, "filter: %s", strerror(errno));
		return false;
	}
	if (!set_ring(fd, g, err) || !set_place(fd, g, err))
		return false;
	if (!i)
		set_promiscuous(fd, g);
	if (g->hardware_stamps)
		g->stamps_error = stamps_hardware(fd, g->iface);
	return true;
}

/* -- the group ------------------------------------------------------------- */

static bool group_join(const struct tap_group *g, unsigned int i,
                       uint32_t *number, char *err)
{
	uint32_t how = PACKET_FANOUT_CBPF, arg;
	int fd = g->tap[i].fd;
	socklen_t len = sizeof(arg);

	if (!i)
		how |= PACKET_FANOUT_FLAG_UNIQUEID;
	arg = (i ? *number : 0) | how << 16;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg)) ||
	    getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, &len)) {
		source_complain(err, g->iface, "fanout group: %s",
		                strerror(errno));
		return false;
	}
	*number = arg & 0xffff;
	return true;
}

static bool group_make(const struct tap_group *g, char *err)
{
	uint32_t number = 0;

	if (g->n == 1)
		return true;
	for (unsigned int i = 0; i < g->n; i++)
		if (!group_join(g, i, &number, err))
			return false;
	return fanout_program(g->tap[0].fd, g->key, g->n, g->decap, g->iface,
	                      err);
}

static bool group_begin(const struct tap_group *g, char *err)
{
	bool thin = g->inbound_only || g->hardware == ARPHRD_LOOPBACK;
	struct sock_filter code[SIEVE_MAX];
	int n = sieve_program(g->iface, g->tap[0].linktype, g->filter,
	                      snaplen_of(g->snaplen), thin, code, err);

	if (n < 0)
		return false;
	for (unsigned int i = 0; i < g->n; i++)
		if (!set_words(g->tap[i].fd, code, n)) {
			source_complain(err, g->iface, "filter: %s",
			                strerror(errno));
			return false;
		}
	return true;
}

/* Segments are of one boot, and so is this clock. */
static uint64_t generation_new(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

bool tap_open(struct tap_group *g, char *err)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < g->n; i++)
		g->tap[i].fd = -1;
	g->generation = generation_new();
	g->ifindex = iface_find(g->iface, &g->hardware);
	if (g->ifindex < 0) {
		source_complain(err, g->iface, "no such interface");
		return false;
	}
	for (i = 0; ok && i < g->n; i++)
		ok = tap_make(g, i, err);
	if (ok && group_make(g, err) && group_begin(g, err))
		return true;
	tap_close(g);
	return false;
}

bool tap_adopt(struct tap_group *g)
{
	g->ifindex = iface_find(g->iface, &g->hardware);
	for (unsigned int i = 0; i < g->n; i++) {
		struct sockaddr_ll at = {0};
		socklen_t len = sizeof(at);

		if (getsockname(g->tap[i].fd, (struct sockaddr *)&at, &len) ||
		    at.sll_family != AF_PACKET || at.sll_ifindex <= 0 ||
		    at.sll_ifindex != g->ifindex ||
		    g->tap[i].linktype != link_of(g->hardware))
			return false;
	}
	return true;
}

void tap_close(struct tap_group *g)
{
	for (unsigned int i = 0; i < g->n; i++) {
		if (g->tap[i].fd >= 0)
			close(g->tap[i].fd);
		g->tap[i].fd = -1;
	}
	g->ifindex = -1;
}

enum tap_news tap_look(const struct tap_group *g)
{
	int hardware, index = iface_find(g->iface, &hardware);

	if (index < 0)
		return TAP_GONE;
	if (index == g->ifindex && hardware == g->hardware)
		return TAP_SAME;
	return TAP_OTHER;
}

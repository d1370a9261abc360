/*
 * packet.c - rings of packet sockets that outlive their reader.
 *
 * Theory.  The socket is the supervisor's; this maps its ring.  Frames are
 * handed out where the kernel put them and not copied: their blocks are given
 * back by the next call, when the caller has worked them off and the cursor
 * stands behind them.  A successor maps the same ring and begins at the first
 * frame behind the cursor (block.h), while the kernel has gone on filling.
 *
 * Waiting, order of several interfaces and direction are those of live.c: an
 * epoll that is told of new blocks only, frames held for two block timeouts
 * while another interface is silent.  What the loopback interface shows twice
 * the socket's filter has thinned.
 *
 * PACKET_STATISTICS starts from zero each time it is read, so whoever reads it
 * must add it up: this does, on every source_stats(), into figures that the
 * worker stores in shared memory right after.  A worker that is killed has not
 * taken anything out of the kernel unless it is between these two; its
 * successor reads what has gathered since.
 *
 * An interface that goes away makes an error on its socket, which is counted
 * and cleared.  The ring stays: one that was only taken down fills again when
 * it is up, by the kernel's own doing.  A new one of the same name is for the
 * supervisor to see, which makes a new ring and starts a new worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include "daemon/source/block.h"
#include "daemon/source/sieve.h"
#include "daemon/source/kind.h"

#define HOLD_NS (2 * SOURCE_TIMEOUT * NS_PER_MS)

/* what a card drops before the kernel sees it */
static const char *const drop_files[] = {"rx_missed_errors", "rx_fifo_errors"};
#define NDROPS ARRAY_SIZE(drop_files)

struct port {
	char *name;
	int fd; /* the tap's, not ours */
	uint64_t generation;
	struct blocks blocks;
	struct sieve sieve; /* in user space */
	bool away;
	int drops[NDROPS];     /* -1: not counted */
	uint64_t last[NDROPS]; /* as of the latest count */
	struct source_stats stats;
};

struct packet {
	struct source base;
	unsigned int n;
	int epoll;
	bool idle; /* the last call had no frames */
	int wait;  /* ms until the next one may have some, -1: any time */
	struct port *port;
};

static struct packet *packet_of(struct source *s)
{
	return (struct packet *)s;
}

static const struct packet *packet_const(const struct source *s)
{
	return (const struct packet *)s;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* -- counting -------------------------------------------------------------- */

static uint64_t drops_read(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10);
}

/* Of the interface of this name now, which may be another than it was. */
static void drops_count(struct port *p)
{
	for (size_t i = 0; i < NDROPS; i++) {
		uint64_t now;

		if (p->drops[i] < 0)
			continue;
		now = drops_read(p->drops[i]);
		if (now > p->last[i])
			p->stats.interface += now - p->last[i];
		p->last[i] = now;
	}
}

static void packet_stats(struct source *s, unsigned int input,
                         struct source_stats *out)
{
	struct port *p = &packet_of(s)->port[input];
	struct tpacket_stats_v3 st = {0};
	socklen_t len = sizeof(st);

	if (!getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len)) {
		p->stats.received += st.tp_packets;
		p->stats.ring += st.tp_drops;
	}
	drops_count(p);
	p->stats.skipped = p->blocks.skipped;
	p->stats.broken = p->blocks.broken;
	*out = p->stats;
}

static unsigned int packet_fill(const struct source *s, unsigned int input)
{
	const struct packet *p = (const void *)s;

	return p->port[input].blocks.base ? blocks_fill(&p->port[input].blocks)
	                                  : 0;
}

/* -- frames ---------------------------------------------------------------- */

/* The error must be taken from the socket, or it makes every wait short. */
static void port_error(struct port *p)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) || !error)
		return;
	p->away = true;
	p->stats.vanished++;
}

/* Takes note of news before the rings are looked into. */
static void packet_note(struct packet *k)
{
	struct epoll_event ev[SOURCE_TAPS];
	int n = epoll_wait(k->epoll, ev, SOURCE_TAPS, 0);

	for (int i = 0; i < n; i++)
		if (ev[i].events & EPOLLERR)
			port_error(&k->port[ev[i].data.u32]);
}

/* The port of the earliest frame; *silent: one has none. */
static struct port *packet_earliest(struct packet *k, bool *silent)
{
	struct port *best = NULL;
	uint64_t best_ns = 0;

	*silent = false;
	for (unsigned int i = 0; i < k->n; i++) {
		struct port *p = &k->port[i];
		const struct block_frame *f = blocks_peek(&p->blocks);

		if (!f) {
			*silent |= !p->away;
		} else if (!best || f->ts_ns < best_ns) {
			best = p;
			best_ns = f->ts_ns;
		}
	}
	return best;
}

/* How long a frame has yet to wait, see live.c */
static uint64_t hold_ns(uint64_t ts, uint64_t now, bool silent)
{
	if (!silent || ts > now || now - ts >= HOLD_NS)
		return 0;
	return HOLD_NS - (now - ts);
}

static bool port_take(struct port *p, const struct packet *k, struct pkt *out)
{
	const struct block_frame *f = &p->blocks.next;
	unsigned int place = (unsigned int)(p - k->port);

	p->stats.frames++;
	p->stats.bytes += f->wirelen;
	if (unlikely(p->away)) {
		p->away = false;
		p->stats.reopened++;
	}
	out->data = f->data;
	out->caplen = f->caplen;
	out->wirelen = f->wirelen;
	out->ts_ns = f->ts_ns;
	out->frame = f->number;
	out->linktype = p->blocks.linktype;
	out->iface = (uint8_t)place;
	out->source = (uint8_t)place;
	p->stats.cut += f->wirelen > f->caplen;
	blocks_take(&p->blocks);
	if (likely(sieve_passes(&p->sieve, out->data, out->caplen,
	                        out->wirelen)))
		return true;
	p->stats.filtered++;
	return false;
}

static unsigned int next_of_one(struct packet *k, struct pkt *batch,
                                unsigned int max)
{
	struct port *p = k->port;
	unsigned int got = 0;

	while (got < max && blocks_peek(&p->blocks))
		got += port_take(p, k, &batch[got]);
	return got;
}

static unsigned int next_of_many(struct packet *k, struct pkt *batch,
                                 unsigned int max)
{
	uint64_t now = wall_ns(), hold;
	unsigned int got = 0;
	bool silent;

	while (got < max) {
		struct port *p = packet_earliest(k, &silent);

		if (!p)
			break;
		hold = hold_ns(p->blocks.next.ts_ns, now, silent);
		if (hold) {
			k->wait = (int)((hold + NS_PER_MS - 1) / NS_PER_MS);
			break;
		}
		got += port_take(p, k, &batch[got]);
	}
	return got;
}

static int packet_next(struct source *s, struct pkt *batch, unsigned int max)
{
	struct packet *k = packet_of(s);
	unsigned int got;

	for (unsigned int i = 0; i < k->n; i++)
		blocks_release(&k->port[i].blocks);
	if (k->idle)
		packet_note(k);
	k->wait = -1;
	got = k->n == 1 ? next_of_one(k, batch, max)
	                : next_of_many(k, batch, max);
	k->idle = !got;
	/* the filter may have left nothing of all blocks that are ours */
	for (unsigned int i = 0; i < k->n; i++)
		if (k->port[i].blocks.walked)
			k->wait = 0;
	s->frame += got;
	return (int)got;
}

static int packet_fd(const struct source *s)
{
	return packet_const(s)->epoll;
}

static int packet_timeout(const struct source *s)
{
	return packet_const(s)->wait;
}

static unsigned int packet_quarters(const struct source *s)
{
	const struct packet *k = packet_const(s);
	unsigned int fill = 0;

	for (unsigned int i = 0; i < k->n; i++) {
		unsigned int of = blocks_quarters(&k->port[i].blocks);

		fill = of > fill ? of : fill;
	}
	return fill;
}

static unsigned int packet_inputs(const struct source *s)
{
	return packet_const(s)->n;
}

static const char *packet_input_name(const struct source *s, unsigned int input)
{
	return packet_const(s)->port[input].name;
}

static void packet_resume(struct source *s, const uint64_t *cursor,
                          struct ring_place *place)
{
	struct packet *k = packet_of(s);

	for (unsigned int i = 0; i < k->n; i++)
		blocks_resume(&k->port[i].blocks, k->port[i].generation,
		              cursor[i], &place[i]);
}

/* -- making one ------------------------------------------------------------ */

static void port_close(struct port *p)
{
	size_t len = (size_t)p->blocks.shape.size * p->blocks.shape.n;

	if (p->blocks.base)
		munmap(p->blocks.base, len);
	for (size_t i = 0; i < NDROPS; i++)
		if (p->drops[i] >= 0)
			close(p->drops[i]);
	sieve_free(&p->sieve);
	free(p->name);
}

static void packet_close(struct source *s)
{
	struct packet *k = packet_of(s);

	for (unsigned int i = 0; k->port && i < k->n; i++)
		port_close(&k->port[i]);
	if (k->epoll >= 0)
		close(k->epoll);
	free(k->port);
	free(k);
}

static void drops_open(struct port *p)
{
	char path[128];

	for (size_t i = 0; i < NDROPS; i++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s",
		         p->name, drop_files[i]);
		p->drops[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (p->drops[i] >= 0)
			p->last[i] = drops_read(p->drops[i]);
	}
}

static bool port_map(struct port *p, const struct source_tap *tap,
                     struct block_shape shape, char *err)
{
	size_t len = (size_t)shape.size * shape.n;
	void *m =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);

	if (m == MAP_FAILED) {
		source_complain(err, p->name, "ring of %zu bytes: %s", len,
		                strerror(errno));
		return false;
	}
	blocks_init(&p->blocks, m, shape, tap->linktype);
	p->generation = tap->generation;
	return true;
}

static bool port_watch(const struct packet *k, struct port *p, char *err)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	ev.data.u32 = (uint32_t)(p - k->port);
	if (!epoll_ctl(k->epoll, EPOLL_CTL_ADD, p->fd, &ev))
		return true;
	source_complain(err, p->name, "cannot be waited for: %s",
	                strerror(errno));
	return false;
}

static bool port_open(struct packet *k, unsigned int i,
                      const struct source_packet *opt, char *err)
{
	const struct source_tap *tap = &opt->taps[i];
	int snaplen = opt->snaplen > 0 ? opt->snaplen : SOURCE_SNAPLEN;
	size_t ring = opt->ring > 0 ? (size_t)opt->ring : SOURCE_RING;
	struct port *p = &k->port[i];

	p->fd = tap->fd;
	if (opt->counts)
		drops_open(p);
	if (!port_map(p, tap, block_shape(ring, snaplen), err) ||
	    !port_watch(k, p, err))
		return false;
	return sieve_in_kernel(tap->linktype) ||
	       sieve_compile(&p->sieve, p->name, tap->linktype, opt->filter,
	                     err);
}

static bool packet_allocate(struct packet *k, const struct source_packet *opt)
{
	k->port = calloc(opt->nifaces, sizeof(*k->port));
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!k->port || k->epoll < 0)
		return false;
	k->n = opt->nifaces;
	for (unsigned int i = 0; i < k->n; i++)
		memset(k->port[i].drops, 0xff, sizeof(k->port[i].drops));
	for (unsigned int i = 0; i < k->n; i++) {
		k->port[i].name = strdup(opt->ifaces[i]);
		if (!k->port[i].name)
			return false;
	}
	return true;
}

struct source *source_open_packet(const struct source_packet *opt, char *err)
{
	struct packet *k;
	bool ok;

	if (opt->nifaces < 1 || opt->nifaces > SOURCE_TAPS) {
		source_complain(err, NULL, "1 to %u interfaces, not %u",
		                SOURCE_TAPS, opt->nifaces);
		return NULL;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		source_complain(err, NULL, "out of memory");
		return NULL;
	}
	k->base.kind = &source_packet;
	k->epoll = -1;
	ok = packet_allocate(k, opt);
	if (!ok)
		source_complain(err, NULL, "out of memory or descriptors");
	for (unsigned int i = 0; ok && i < k->n; i++)
		ok = port_open(k, i, opt, err);
	if (ok)
		return &k->base;
	packet_close(&k->base);
	return NULL;
}

const struct source_kind source_packet = {
	.name = "packet",
	.live = true,
	.next = packet_next,
	.inputs = packet_inputs,
	.input_name = packet_input_name,
	.stats = packet_stats,
	.resume = packet_resume,
	.fill = packet_fill,
	.quarters = packet_quarters,
	.fd = packet_fd,
	.timeout = packet_timeout,
	.close = packet_close,
};

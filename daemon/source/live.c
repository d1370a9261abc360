/*
 * live.c - interfaces, captured through libpcap.
 *
 * Theory
 *
 * Blocks.  libpcap's ring on Linux is TPACKET_V3: the kernel hands over a
 * block when it is full or SOURCE_TIMEOUT old.  Immediate mode would turn
 * that off, and cost a wake-up a packet.  Handles do not block: the caller
 * sleeps on `source_fd`, an epoll of all of them, for a read without traffic
 * would sleep as long as there is none, whatever the timeout.
 *
 * Edges.  A ring that is not empty stays readable, also while its frames are
 * held (below); a caller would spin.  So the epoll is told of new blocks only,
 * and `live_next` takes note of them before it looks into the rings: a block
 * that comes later is news again.  That something is left without news, in a
 * queue or behind a full batch, is for `live_timeout` to say.
 *
 * Order.  With several interfaces the earliest frame goes first.  One that
 * shows nothing may be about to show something earlier: its block is at most
 * two timeouts old.  So while an interface is silent, a frame is held until
 * its own time is HOLD_NS past; one with a time in the future is not held,
 * the clock has been set.
 *
 * Direction.  Both, unless the caller says `inbound_only`.  On a mirror port
 * this host sends next to nothing; on an interface where it does talk, half a
 * conversation would be worse than none.  The loopback interface shows each
 * packet twice, as sent and as received; libpcap leaves out the sent one.
 * That holds in a fanout group too, where PACKET_IGNORE_OUTGOING has no
 * effect, for libpcap decides in user space.
 *
 * Fanout.  The sockets of several workers form a group for each interface,
 * see fanout.h.  A socket sees all packets between its opening and its
 * joining, and these were for those who had joined before: whatever was
 * stamped before the joining returned is dropped (`input.after`, counted as
 * `early`).
 *
 * An interface that goes away costs its ring and nothing else: it is counted,
 * and opened again when it is back, looked for once a second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "daemon/source/fanout.h"
#include "daemon/source/input.h"

#define HOLD_NS   (2 * SOURCE_TIMEOUT * NS_PER_MS)
#define REOPEN_NS NS_PER_S

/* what an interface has beside its input */
struct port {
	struct pcap_stat last; /* as of the latest count */
	uint64_t due;          /* closed: when to try again, monotonic ns */
};

struct live {
	struct source base;
	struct source_live opt; /* its pointers are copies of our own */
	uint32_t key[STEER_KEYS];
	struct decap decap;
	char *filter;
	unsigned int n;
	uint64_t round;
	int epoll;
	bool idle; /* the last call had no frames */
	struct input *in;
	struct port *port;
};

static struct live *live_of(struct source *s)
{
	return (struct live *)s;
}

static const struct live *live_const(const struct source *s)
{
	return (const struct live *)s;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* -- opening --------------------------------------------------------------- */

static void complain_activate(const struct input *in, int code, char *err)
{
	const char *more = pcap_geterr(in->pcap);

	switch (code) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		source_complain(err, in->name, "no such interface");
		break;
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		source_complain_permission(err, in->name);
		break;
	case PCAP_ERROR_IFACE_NOT_UP:
		source_complain(err, in->name,
		                "interface is down: ip link set %s up",
		                in->name);
		break;
	default:
		source_complain(err, in->name, "%s",
		                *more ? more : pcap_statustostr(code));
	}
}

static bool port_activate(const struct live *l, struct input *in, char *err)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int code;

	in->pcap = pcap_create(in->name, text);
	if (!in->pcap) {
		source_complain(err, in->name, "%s", text);
		return false;
	}
	(void)pcap_set_snaplen(in->pcap, l->opt.snaplen);
	(void)pcap_set_promisc(in->pcap, 1);
	(void)pcap_set_timeout(in->pcap, SOURCE_TIMEOUT);
	(void)pcap_set_buffer_size(in->pcap, l->opt.ring);
	(void)pcap_set_tstamp_precision(in->pcap, PCAP_TSTAMP_PRECISION_NANO);
	if (l->opt.hardware_stamps)
		(void)pcap_set_tstamp_type(in->pcap, PCAP_TSTAMP_ADAPTER);
	code = pcap_activate(in->pcap);
	if (code < 0) {
		complain_activate(in, code, err);
		return false;
	}
	in->micro = pcap_get_tstamp_precision(in->pcap) !=
	            PCAP_TSTAMP_PRECISION_NANO;
	if (pcap_setnonblock(in->pcap, 1, text) < 0) {
		source_complain(err, in->name, "%s", text);
		return false;
	}
	return true;
}

static bool port_direction(const struct live *l, struct input *in, char *err)
{
	if (!l->opt.inbound_only || pcap_setdirection(in->pcap, PCAP_D_IN) == 0)
		return true;
	source_complain(err, in->name, "%s", pcap_geterr(in->pcap));
	return false;
}

/* The kernel filters; what it refuses does not come into the ring. */
static bool port_filter(const struct live *l, struct input *in, char *err)
{
	bool ok;

	if (!input_filter(in, l->filter, err))
		return false;
	if (!in->filtering)
		return true;
	ok = pcap_setfilter(in->pcap, &in->filter) == 0;
	if (!ok)
		source_complain(err, in->name, "filter: %s",
		                pcap_geterr(in->pcap));
	pcap_freecode(&in->filter);
	in->filtering = false;
	return ok;
}

static bool port_join(const struct live *l, struct input *in, char *err)
{
	in->after = 0;
	if (l->opt.fanout.nworkers < 2)
		return true;
	if (!fanout_join(pcap_get_selectable_fd(in->pcap), &l->opt.fanout,
	                 in->name, err))
		return false;
	in->after = clock_ns(CLOCK_REALTIME);
	return true;
}

static bool port_watch(const struct live *l, struct input *in, char *err)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int fd = pcap_get_selectable_fd(in->pcap);

	if (fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return true;
	source_complain(err, in->name, "cannot be waited for: %s",
	                fd < 0 ? "no descriptor" : strerror(errno));
	return false;
}

static bool port_open(const struct live *l, unsigned int i, char *err)
{
	struct input *in = &l->in[i];

	if (port_activate(l, in, err) && port_direction(l, in, err) &&
	    port_filter(l, in, err) && port_join(l, in, err) &&
	    port_watch(l, in, err)) {
		in->linktype = input_linktype(in);
		in->state = INPUT_OPEN;
		l->port[i].last = (struct pcap_stat){0};
		return true;
	}
	input_detach(in);
	return false;
}

/* -- counting -------------------------------------------------------------- */

/* libpcap's counters are 32 bits wide and run since the handle was opened */
static void port_count(const struct live *l, unsigned int i)
{
	struct input *in = &l->in[i];
	struct port *port = &l->port[i];
	struct pcap_stat now;

	if (!in->pcap || pcap_stats(in->pcap, &now) < 0)
		return;
	in->stats.received += (uint32_t)(now.ps_recv - port->last.ps_recv);
	in->stats.ring += (uint32_t)(now.ps_drop - port->last.ps_drop);
	in->stats.interface += (uint32_t)(now.ps_ifdrop - port->last.ps_ifdrop);
	port->last = now;
}

static void live_stats(struct source *s, unsigned int input,
                       struct source_stats *out)
{
	port_count(live_of(s), input);
	*out = live_of(s)->in[input].stats;
}

/* -- frames ---------------------------------------------------------------- */

static void port_lose(struct live *l, unsigned int i)
{
	struct input *in = &l->in[i];

	port_count(l, i);
	in->stats.vanished++;
	in->nofit = in->more = false;
	input_detach(in);
	l->port[i].due = clock_ns(CLOCK_MONOTONIC) + REOPEN_NS;
}

static void port_reopen(struct live *l, unsigned int i)
{
	char err[SOURCE_ERR]; /* it is away: that has been counted */
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now < l->port[i].due)
		return;
	if (port_open(l, i, err))
		l->in[i].stats.reopened++;
	else
		l->port[i].due = now + REOPEN_NS;
}

static void live_refill(struct live *l)
{
	for (unsigned int i = 0; i < l->n; i++) {
		struct input *in = &l->in[i];

		/* its news may have been noted and are not looked into */
		in->more = in->more || !input_empty(in);
		if (!input_empty(in))
			continue;
		if (in->state == INPUT_CLOSED)
			port_reopen(l, i);
		if (in->state == INPUT_CLOSED)
			continue;
		input_refill(in, l->round);
		if (in->state == INPUT_BROKEN)
			port_lose(l, i);
		else
			in->state = INPUT_OPEN; /* "end" is "nothing now" */
	}
}

/* An interface is silent and might yet show something earlier. */
static bool live_silent(const struct live *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (l->in[i].state == INPUT_OPEN && input_empty(&l->in[i]))
			return true;
	return false;
}

/* Nanoseconds that the earliest frame has yet to wait, 0 = it may go. */
static uint64_t live_hold(const struct live *l, const struct input *in,
                          uint64_t now)
{
	uint64_t ts = in->queue[in->head].ts_ns;

	if (l->n == 1 || ts > now || now - ts >= HOLD_NS || !live_silent(l))
		return 0;
	return HOLD_NS - (now - ts);
}

/* Only when the last call found nothing: a caller that has frames comes again
 * anyway, and news not noted cost it one more call. */
static void live_note(struct live *l)
{
	struct epoll_event ev[SOURCE_INPUTS];

	(void)epoll_wait(l->epoll, ev, SOURCE_INPUTS, 0);
}

static int live_next(struct source *s, struct pkt *batch, unsigned int max)
{
	struct live *l = live_of(s);
	unsigned int got = 0;
	struct input *in;
	uint64_t now;

	l->round++;
	if (l->idle)
		live_note(l);
	live_refill(l);
	now = l->n > 1 ? clock_ns(CLOCK_REALTIME) : 0;
	while (got < max && (in = input_earliest(l->in, l->n)) != NULL) {
		if (live_hold(l, in, now))
			break;
		batch[got].iface = (uint8_t)(in - l->in);
		if (input_take(in, s, &batch[got]))
			got++;
		if (input_empty(in))
			break; /* its ring may hold what comes next */
	}
	l->idle = !got;
	return (int)got;
}

static int live_fd(const struct source *s)
{
	return live_const(s)->epoll;
}

static int live_timeout(const struct source *s)
{
	const struct live *l = live_const(s);
	struct input *in = input_earliest(l->in, l->n);
	int wait = -1;
	uint64_t ns;

	if (in) {
		ns = live_hold(l, in, clock_ns(CLOCK_REALTIME));
		return (int)((ns + NS_PER_MS - 1) / NS_PER_MS);
	}
	for (unsigned int i = 0; i < l->n; i++) {
		if (l->in[i].more)
			return 0;
		if (l->in[i].state == INPUT_CLOSED)
			wait = (int)(REOPEN_NS / NS_PER_MS);
	}
	return wait;
}

static unsigned int live_inputs(const struct source *s)
{
	return live_const(s)->n;
}

static const char *live_input_name(const struct source *s, unsigned int input)
{
	return live_const(s)->in[input].name;
}

static void live_close(struct source *s)
{
	struct live *l = live_of(s);

	for (unsigned int i = 0; l->in && i < l->n; i++)
		input_close(&l->in[i]);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->in);
	free(l->port);
	free(l->filter);
	free(l);
}

/* -- making one ------------------------------------------------------------ */

static bool live_copy_options(struct live *l, const struct source_live *opt)
{
	l->opt = *opt;
	l->opt.ifaces = NULL;
	l->opt.filter = NULL;
	if (opt->snaplen <= 0)
		l->opt.snaplen = SOURCE_SNAPLEN;
	if (opt->ring <= 0)
		l->opt.ring = SOURCE_RING;
	if (opt->fanout.nworkers > 1) {
		memcpy(l->key, opt->fanout.key, sizeof(l->key));
		l->opt.fanout.key = l->key;
	}
	if (opt->fanout.decap) {
		l->decap = *opt->fanout.decap;
		l->opt.fanout.decap = &l->decap;
	}
	if (opt->filter && *opt->filter) {
		l->filter = strdup(opt->filter);
		return l->filter != NULL;
	}
	return true;
}

static bool live_allocate(struct live *l, const struct source_live *opt)
{
	l->in = calloc(opt->nifaces, sizeof(*l->in));
	l->port = calloc(opt->nifaces, sizeof(*l->port));
	if (!l->in || !l->port || !live_copy_options(l, opt))
		return false;
	l->n = opt->nifaces;
	for (unsigned int i = 0; i < l->n; i++) {
		l->in[i].state = INPUT_CLOSED;
		l->in[i].name = strdup(opt->ifaces[i]);
		if (!l->in[i].name)
			return false;
	}
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll >= 0;
}

/* An interface named twice would show every packet twice. */
static bool live_check(const struct source_live *opt, char *err)
{
	if (opt->nifaces < 1 || opt->nifaces > SOURCE_INPUTS) {
		source_complain(err, NULL, "1 to %u interfaces, not %u",
		                SOURCE_INPUTS, opt->nifaces);
		return false;
	}
	for (unsigned int i = 1; i < opt->nifaces; i++)
		for (unsigned int k = 0; k < i; k++)
			if (!strcmp(opt->ifaces[i], opt->ifaces[k])) {
				source_complain(err, opt->ifaces[i],
				                "interface given twice");
				return false;
			}
	return true;
}

struct source *source_open_live(const struct source_live *opt, char *err)
{
	struct live *l;
	bool ok;

	if (!live_check(opt, err))
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l) {
		source_complain(err, NULL, "out of memory");
		return NULL;
	}
	l->base.kind = &source_live;
	l->epoll = -1;
	ok = live_allocate(l, opt);
	if (!ok)
		source_complain(err, NULL, "out of memory or descriptors");
	for (unsigned int i = 0; ok && i < l->n; i++)
		ok = port_open(l, i, err);
	if (ok)
		return &l->base;
	live_close(&l->base);
	return NULL;
}

const struct source_kind source_live = {
	.name = "live",
	.live = true,
	.next = live_next,
	.inputs = live_inputs,
	.input_name = live_input_name,
	.stats = live_stats,
	.fd = live_fd,
	.timeout = live_timeout,
	.close = live_close,
};

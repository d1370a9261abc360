/*
 * worker.c - the role: a source, and the loop that feeds the pipeline.
 *
 * Live, the worker never waits for anybody: what it cannot take stays in the
 * kernel's ring, and what that loses is counted there.  From a capture it
 * waits for the reader of its events when no line may be lost, and for the
 * word to begin when the daemon was started with --hold.
 */
#include "daemon/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/log.h"
#include "daemon/source/tap.h"
#include "daemon/source/tunnels.h"
#include "daemon/worker/fragment.h"
#include "daemon/worker/help.h"
#include "daemon/worker/ifaces.h"
#include "daemon/worker/trace.h"
#include "daemon/worker/mirror.h"
#include "shm/clock.h"
#include "shm/rcu.h"

/* the longest sleep: the watchdog wants a beat twice a second */
#define WORKER_NAP_MS 200

struct worker {
	struct pipeline pipe;
	struct source *source;
	struct fragments *frags;
	struct decap decap;
	struct pkt batch[PIPELINE_BATCH];
	uint64_t next_stats_ns;
	struct ifaces ifaces;
	uint64_t vanished, broken; /* of the source, as they were told */
	bool places; /* frames have numbers that a successor finds again */
};

static uint32_t worker_group(const struct role_env *e)
{
	uint64_t id;

	memcpy(&id, e->t->hdr->uuid, sizeof(id));
	return (uint32_t)(id ^ id >> 32);
}

/* The supervisor's sockets: they live on when this process dies. */
static struct source *worker_open_taps(const struct role_env *e, char *err)
{
	const char *text = getenv("CTSHARDD_TAPS");
	struct source_tap tap[SOURCE_TAPS];
	struct source_packet opt = {
		.ifaces = e->ifaces,
		.taps = tap,
		.nifaces = e->nifaces,
		.filter = e->filter,
		.snaplen = (int)conf_number(e->conf, "snaplen"),
		.ring = (int)conf_number(e->conf, "capture.buffer"),
		.counts = e->slot == 0};

	if (text && tap_read(text, tap, SOURCE_TAPS) == e->nifaces)
		return source_open_packet(&opt, err);
	snprintf(err, SOURCE_ERR, "sockets were not handed over");
	return NULL;
}

static struct source *worker_open(struct role_env *e, const struct decap *decap,
                                  char *err)
{
	struct source_live live = {
		.ifaces = e->ifaces,
		.nifaces = e->nifaces,
		.filter = e->filter,
		.fanout = {.key = e->t->key.steer,
	                   .nworkers = e->t->nworker,
	                   .group = worker_group(e),
	                   .decap = decap},
		.snaplen = (int)conf_number(e->conf, "snaplen"),
		.ring = (int)conf_number(e->conf, "capture.buffer"),
		.hardware_stamps =
			conf_number(e->conf, "capture.timestamps") != 0};

	if (e->live && conf_number(e->conf, "source") == CONF_SOURCE_PACKET)
		return worker_open_taps(e, err);
	if (e->live) {
		/* libpcap opens files to count drops, and it opens an
		 * interface again that has come back */
		e->calls = "openat newfstatat ioctl setsockopt socket bind "
			   "fcntl epoll_ctl dup readlink getsockname eventfd2 "
			   "sendto write getdents64 sendmsg";
		return source_open_live(&live, err);
	}
	return source_open_files(e->captures, e->ncaptures, e->filter, err);
}

static struct fragments *worker_fragments(const struct role_env *e)
{
	struct fragment_limits limit = {
		.bytes = {conf_number(e->conf, "ipfrag_high_thresh"),
	                  conf_number(e->conf, "frag6_high_thresh")},
		.timeout_ns = {conf_number(e->conf, "ipfrag_time") * NS_PER_S,
	                       conf_number(e->conf, "frag6_timeout") *
	                               NS_PER_S}};
	uint64_t secret;

	bool numbered = !e->live ||
	                conf_number(e->conf, "source") == CONF_SOURCE_PACKET;

	memcpy(&secret, &e->t->key.hash, sizeof(secret));
	return fragments_new_at(&limit, secret, numbered,
	                        numbered ? e->fd[ROLE_FD_frags] : -1);
}

static int worker_setup(struct role_env *e)
{
	struct worker *w = calloc(1, sizeof(*w));
	char err[SOURCE_ERR];

	if (!w)
		return 1;
	e->priv = w;
	if (!tunnels_read(e->conf, &w->decap, err)) {
		log_warnx("worker", "%s", err);
		return 1;
	}
	w->frags = worker_fragments(e);
	if (!w->frags) {
		log_warnx("worker", "no memory for fragments");
		return 1;
	}
	w->source = worker_open(e, &w->decap, err);
	if (w->source)
		return 0;
	log_warnx("source", "%s", err);
	return 1;
}

/* figures of the source are absolute; those of a predecessor are the base */
static void worker_stats_base(struct ring_header *h)
{
	h->base_kernel = h->drop_kernel;
	h->base_interface = h->drop_interface;
	h->base_received = h->received;
	ifaces_base(h);
}

/* what an operator wants to know of, and no counter shows */
static void worker_news(struct worker *w, const struct source_stats *st)
{
	if (st->vanished > w->vanished)
		log_warnx("source", "an interface went down or away");
	if (st->broken > w->broken)
		log_warnx("source",
		          "%llu blocks of a ring made no sense, the rest of "
		          "them is lost",
		          (unsigned long long)(st->broken - w->broken));
	w->vanished = st->vanished;
	w->broken = st->broken;
}

static void worker_stats(struct worker *w, struct ring_header *h)
{
	struct source_stats st;

	if (ifaces_figures(&w->ifaces, w->source, h))
		log_warnx("source", "time stamps went back; what follows "
		                    "goes by the daemon's clock");
	source_stats(w->source, SOURCE_ALL, &st);
	h->drop_kernel = h->base_kernel + st.ring;
	h->drop_interface = h->base_interface + st.interface;
	h->received = h->base_received + st.received;
	worker_news(w, &st);
}

/* how busy it is, and how far behind */
static void worker_load(struct role_env *e, struct worker *w)
{
	proc_cpu(e->t);
	shm_store(&table_proc(e->t, e->slot)->fill, source_fill(w->source));
}

static int worker_begin(struct role_env *e)
{
	struct worker *w = e->priv;
	struct ring_header *h = e->t->ring[e->slot].hdr;

	pipeline_init(&w->pipe, e->t, e->slot, e->t->nworker, !e->live);
	w->pipe.frags = w->frags;
	w->pipe.decap = w->decap.on ? &w->decap : NULL;
	w->pipe.many = source_inputs(w->source) > 1;
	worker_stats_base(h);
	w->places = source_resume(w->source, h->cursor, h->place);
	/* a packet that has a number runs again; else it is gone with who had
	 * it, and its number comes back */
	if (e->live && !w->places)
		shm_store(&h->cursor[SOURCE_EXPECT], 0);
	expect_settle(e->t, e->slot);
	w->pipe.stop = &role_stop;
	w->pipe.waits = e->live && e->t->nworker > 1;
	if (!e->live) {
		source_seek(w->source, h->cursor[0]);
		h->ended = 0;
	}
	return 0;
}

/* how many cells the api is behind */
static uint64_t worker_lag(const struct role_env *e)
{
	return e->t->ring[e->slot].hdr->tail -
	       shm_load(&e->t->mlog->cursor[e->slot]);
}

static void worker_tell(struct role_env *e, struct worker *w)
{
	/* from a capture nobody waits for the latest: fewer, longer turns */
	if (!w->pipe.told ||
	    (!e->live && worker_lag(e) < (e->t->ring[e->slot].mask + 1ull) / 8))
		return;
	w->pipe.told = false;
	if (shm_load(&table_proc(e->t, SLOT_API)->sleeping))
		role_ring(e->fd[ROLE_FD_bell_api]);
}

static void worker_nap(struct role_env *e, int fd, int ms)
{
	struct pollfd p[2] = {{.fd = role_stop_fd(), .events = POLLIN},
	                      {.fd = fd, .events = POLLIN}};

	if (ms < 0 || ms > WORKER_NAP_MS)
		ms = WORKER_NAP_MS;
	poll(p, 2, ms);
	role_beat(e);
}

/* From a capture nothing is lost: the readers of events and of traces must
 * keep up. */
static bool worker_ahead(const struct role_env *e)
{
	uint64_t ncells = e->t->ring[e->slot].mask + 1ull;

	return (shm_load(&e->t->mlog->lossless) &&
	        worker_lag(e) > ncells / 4 * 3) ||
	       trace_ahead(e->t);
}

static void worker_wait_reader(struct role_env *e)
{
	while (worker_ahead(e) && !role_stopping()) {
		role_ring(e->fd[ROLE_FD_bell_api]);
		worker_nap(e, -1, 1);
	}
}

/* From half of the ring on helpers are given up, from three quarters on
 * comparisons with earlier packets; what is lost then is the kernel's count. */
static uint8_t shed_of(unsigned int quarters)
{
	return quarters >= 3   ? SHED_DETAILS
	       : quarters == 2 ? SHED_HELPERS
	                       : SHED_NOTHING;
}

static void worker_batch(struct role_env *e, struct worker *w, unsigned int n)
{
	struct ring_header *h = e->t->ring[e->slot].hdr;
	unsigned int i;

	if (e->live && !w->places)
		for (i = 0; i < n; i++)
			w->batch[i].frame = w->pipe.last_pkt + 1 + i;
	w->pipe.pol = rcud_enter(e->t);
	fragments_policy(w->frags, w->pipe.pol);
	w->pipe.mirror = mirror_mode(w->pipe.pol, e->live);
	e->t->tell_ms = e->live ? w->pipe.pol->active_timeout * TICK_PER_S : 0;
	if (e->live)
		w->pipe.shed = shed_of(source_quarters(w->source));
	ifaces_time(&w->ifaces, h, &w->batch[0], 0);
	ifaces_time(&w->ifaces, h, &w->batch[n - 1],
	            e->live ? clock_real_ns() : 0);
	pipeline_batch(&w->pipe, w->batch, n);
	rcud_leave(e->t);
	if (w->pipe.waits)
		help_passed(e->t, w->batch[n - 1].ts_ns);
	worker_tell(e, w);
}

/* every frame has been worked off, or the capture is broken */
static void worker_end(struct role_env *e, struct worker *w, int why)
{
	struct ring_header *h = e->t->ring[e->slot].hdr;

	w->pipe.pol = rcud_enter(e->t);
	if (e->t->hdr->t0_real_ns)
		pipeline_sweep(&w->pipe, w->pipe.clock_ns);
	rcud_leave(e->t);
	worker_stats(w, h);
	if (why == SOURCE_ERROR)
		snprintf(h->error, sizeof(h->error), "%s",
		         source_error(w->source));
	shm_store_release(&h->ended, why == SOURCE_ERROR ? 2 : 1);
	role_ring(e->fd[ROLE_FD_bell_api]);
	while (!role_stopping()) {
		worker_load(e, w);
		worker_nap(e, -1, WORKER_NAP_MS);
	}
}

/* A block that is not full yet may hold what came since. */
#define BLOCK_HOLD_NS (2 * SOURCE_TIMEOUT * NS_PER_MS)
/* so often a worker without packets tells that it has none */
#define PASSED_MS 4

static void worker_idle(struct role_env *e, struct worker *w)
{
	int ms;

	if (!source_is_live(w->source))
		return;
	ms = source_timeout(w->source);
	if (help_waits(&w->pipe)) {
		help_passed(e->t, clock_real_ns() - BLOCK_HOLD_NS);
		if (ms < 0 || ms > PASSED_MS)
			ms = PASSED_MS;
	}
	worker_nap(e, source_fd(w->source), ms);
}

/* five times a second */
static void worker_turn(struct role_env *e, struct worker *w)
{
	worker_load(e, w);
	if (e->live) {
		worker_stats(w, e->t->ring[e->slot].hdr);
		fragments_expire(&w->pipe, table_clock_ns(e->t));
	}
	w->next_stats_ns = clock_mono_ns() + NS_PER_S / 5;
}

static int worker_loop(struct role_env *e)
{
	struct worker *w = e->priv;
	struct ring_header *h = e->t->ring[e->slot].hdr;

	while (e->hold && !role_stopping() && !shm_load(&e->t->mlog->started))
		worker_nap(e, -1, 2);
	while (!role_stopping()) {
		int n = source_next(w->source, w->batch, PIPELINE_BATCH);

		role_beat(e);
		if (n > 0)
			worker_batch(e, w, (unsigned int)n);
		else if (n == SOURCE_NONE)
			worker_idle(e, w);
		else
			worker_end(e, w, n);
		if (!e->live)
			worker_wait_reader(e);
		if (clock_mono_ns() > w->next_stats_ns)
			worker_turn(e, w);
	}
	worker_stats(w, h);
	help_store_free(w->pipe.store);
	source_close(w->source);
	return 0;
}

const struct role role_worker = {
	.name = "worker",
	.access = REGION_WORKER,
	.many = true,
	.user = "ctshard",
	.uid = 65534,
	/* live sockets are asked for what they dropped */
	.calls = "getsockopt epoll_wait epoll_ctl",
	.setup = worker_setup,
	.begin = worker_begin,
	.loop = worker_loop,
};

/*
 * cmd_watch.c - events as they happen.
 *
 * Theory: the number of the last event that went to stdout is all that is
 * needed to go on, here after the daemon was away, or in a later ctctl with
 * --since.  It is moved only after the event was handed to the format, so what
 * is resumed may repeat but never miss an event; what was lost is said by the
 * daemon as a GAP, whose end becomes the number to go on from.  A daemon that
 * came back with another table says that as a gap too: it compares the
 * segment's name that goes with the number.
 *
 * Expectations are watched in the same way; their numbers are their own, and
 * the daemon says first where it begins.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/value.h"

#define RETRY_MS 200

struct watch {
	const struct cmd *c;
	struct out *o;
	struct ctshard *ct;
	struct ctshard_watch_opts opts; /* to go on with */
	uint8_t uuid[16];
	int signals;
	uint64_t shown;
	/* the last number, and how many, that are known to be written */
	uint64_t safe, safe_shown;
	bool stop;
	bool gap;
	bool ended; /* the request under way */
	int error;
};

/* A number means something with the segment's name only. */
static void watch_went_on(struct watch *w, uint64_t seq)
{
	memcpy(w->uuid, ctshard_peer(w->ct)->uuid, sizeof(w->uuid));
	w->opts.uuid = w->uuid;
	w->opts.has_since = 1;
	w->opts.since = seq;
	w->opts.from_start = 0;
}

/* Where expectations begin, and where we stand, are nothing to show. */
static bool watch_shows(const struct watch *w, const struct ctshard_event *e)
{
	return e->type != CTSHARD_POSITION &&
	       (!w->o->expect || e->type != CTSHARD_LIST_END);
}

static int watch_event(void *arg, const struct ctshard_event *e)
{
	struct watch *w = arg;

	if (watch_shows(w, e))
		out_event(w->o, e);
	switch (e->type) {
	case CTSHARD_LIST:
		w->shown++;
		break;
	case CTSHARD_POSITION:
		watch_went_on(w, e->seq);
		break;
	case CTSHARD_LIST_END:
		w->opts.snapshot = 0;
		watch_went_on(w, e->seq);
		break;
	case CTSHARD_GAP:
		w->gap = true;
		if (e->to)
			watch_went_on(w, e->to - 1);
		w->stop = w->stop || w->c->strict;
		break;
	default:
		watch_went_on(w, e->seq);
		w->shown++;
		break;
	}
	if (w->c->limit && w->shown >= w->c->limit)
		w->stop = true;
	return w->stop || w->o->error;
}

static void watch_done(void *arg, int error, const char *text)
{
	struct watch *w = arg;

	(void)text;
	w->ended = true;
	w->error = error;
}

/* The request for what comes after the last event that was seen. */
static int watch_ask(struct watch *w)
{
	struct ctshard_handler h = {
		.arg = w, .event = watch_event, .done = watch_done};

	w->ended = false;
	w->opts.brief = out_brief(w->o);
	w->opts.positions = 1;
	return w->o->expect ? ctshard_expect_watch(w->ct, &w->opts, &h, NULL)
	                    : ctshard_watch(w->ct, &w->opts, &h, NULL);
}

/* The signal that came, or 0. */
static int watch_signal(struct watch *w)
{
	struct signalfd_siginfo si;

	return read(w->signals, &si, sizeof(si)) == sizeof(si)
	               ? (int)si.ssi_signo
	               : 0;
}

/* What was handed to the format has been written, if nothing went wrong. */
static void watch_written(struct watch *w)
{
	if (w->o->error)
		return;
	w->safe = w->opts.since;
	w->safe_shown = w->shown;
}

/* One turn: the daemon, a signal, or a reader that went away. */
static void watch_turn(struct watch *w)
{
	struct pollfd p[3] = {
		{.fd = w->signals, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* an error: nobody reads */
		{.fd = ctshard_fd(w->ct), .events = ctshard_events(w->ct)},
	};

	if (poll(p, 3, -1) < 0)
		return;
	if (p[0].revents && watch_signal(w))
		w->stop = true;
	if (p[1].revents)
		w->o->error = EPIPE;
	if (p[2].revents && !w->stop && !w->o->error) {
		ctshard_dispatch(w->ct);
		out_pause(w->o);
		watch_written(w);
	}
}

/* The daemon is away: until it is back (0), or a signal says stop. */
static int watch_reconnect(struct watch *w)
{
	struct pollfd p[2] = {{.fd = w->signals, .events = POLLIN},
	                      {.fd = STDOUT_FILENO}};

	/* joined where it was, and no event since */
	if (!w->opts.has_since && !w->opts.from_start && !w->o->expect)
		watch_went_on(w, w->opts.since);
	ctshard_close(w->ct);
	w->ct = NULL;
	for (;;) {
		if (poll(p, 2, RETRY_MS) > 0) {
			w->stop = p[0].revents && watch_signal(w);
			if (p[1].revents)
				w->o->error = EPIPE;
			if (w->stop || w->o->error)
				return -1;
		}
		if (!ctshard_open(w->c->rundir, 0, &w->ct))
			break;
		ctshard_close(w->ct);
		w->ct = NULL;
	}
	return 0;
}

static bool watch_lost(int error)
{
	return error == CTSHARD_ELOST || error == CTSHARD_ENODAEMON;
}

/* Until it shall stop: the exit code. */
static int watch_run(struct watch *w)
{
	int rc = watch_ask(w);

	for (;;) {
		while (!rc && !w->ended && !w->stop && !w->o->error)
			watch_turn(w);
		rc = rc ? rc : w->error;
		if (w->stop || w->o->error || (w->ended && !rc))
			return CMD_OK;
		if (!watch_lost(rc))
			return cmd_error(w->ct, rc);
		if (w->c->no_reconnect) {
			cmd_warn("%s", ctshard_errmsg(w->ct));
			return CMD_NO_DAEMON;
		}
		if (watch_reconnect(w))
			return CMD_OK;
		rc = watch_ask(w);
	}
}

static void watch_resume(struct watch *w)
{
	char text[37];

	cmd_warn("%" PRIu64 " %s events have been shown.", w->shown,
	         w->o->expect ? "expectation" : "flow");
	value_uuid_text(w->uuid, text);
	cmd_warn("resume with --since %s:%" PRIu64, text, w->opts.since);
}

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Before the first event, the number to resume from is where we joined. */
static void watch_joined(struct watch *w)
{
	const struct ctshard_peer *peer = ctshard_peer(w->ct);

	memcpy(w->uuid, w->opts.uuid ? w->opts.uuid : peer->uuid,
	       sizeof(w->uuid));
	if (w->opts.uuid)
		w->opts.uuid = w->uuid;
	if (!w->opts.has_since && !w->opts.from_start && !w->o->expect)
		w->opts.since = peer->seq;
	w->safe = w->opts.since;
}

/* A signal while the reader slept: what it did not take has not been shown. */
static void watch_stalled(struct watch *w)
{
	if (w->o->error != EINTR)
		return;
	w->o->error = 0;
	w->o->len = 0;
	w->o->begun = false;
	w->opts.since = w->safe;
	w->shown = w->safe_shown;
}

static int watch_verb(struct cmd *c, bool expect)
{
	struct watch w = {.c = c, .opts = c->watch, .signals = -1};
	int code;

	w.opts.filter = &c->filter;
	w.o = cmd_out(c, &out_line, &out_line, &code);
	if (!w.o)
		return code;
	w.o->expect = expect;
	w.o->audit = c->watch.types & 1u << CTSHARD_AUDIT;
	w.ct = cmd_open(c, 0, &code);
	if (!w.ct) {
		free(w.o);
		return code;
	}
	w.signals = watch_signals();
	watch_joined(&w);
	cmd_proc(w.ct, w.o);
	w.o->stop = w.signals;
	out_begin(w.o);
	out_flush(w.o);
	code = watch_run(&w);
	watch_stalled(&w);
	ctshard_close(w.ct);
	/* the reader went away: nobody wants to know where to resume */
	if (w.o->error == EPIPE || (out_end(w.o) == EPIPE)) {
		free(w.o);
		return CMD_OK;
	}
	watch_stalled(&w);
	/* what could not be written has not been shown either */
	if (w.o->error) {
		w.opts.since = w.safe;
		w.shown = w.safe_shown;
	}
	w.o->stop = -1;
	close(w.signals);
	if (code == CMD_OK || code == CMD_NO_DAEMON)
		watch_resume(&w);
	code = cmd_finish(w.o, code);
	return code == CMD_OK && w.gap && c->strict ? CMD_INCOMPLETE : code;
}

int cmd_watch(struct cmd *c)
{
	return watch_verb(c, false);
}

int cmd_expect_watch(struct cmd *c)
{
	if (c->watch.types & 1u << CTSHARD_AUDIT) {
		cmd_warn("audits are told by watch");
		return CMD_USAGE;
	}
	return watch_verb(c, true);
}

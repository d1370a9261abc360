/*
 * cmd_trace.c - packets of one connection as they come, and what becomes of
 * each; until a signal, so many packets, or the end of the captures.
 *
 * A trace is not resumed: a daemon that comes back traces nothing, and what
 * passed meanwhile nobody has kept.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct trace {
	const struct cmd *c;
	struct out *o;
	struct ctshard *ct;
	int signals;
	uint64_t lost;
	bool stop;
	bool ended;
	int error;
};

static int trace_packet(void *arg, const struct ctshard_trace *t)
{
	struct trace *w = arg;

	out_trace(w->o, t);
	w->lost += t->lost;
	if (w->c->limit && w->o->rows >= w->c->limit)
		w->stop = true;
	return w->stop || w->o->error;
}

static void trace_done(void *arg, int error, const char *text)
{
	struct trace *w = arg;

	(void)text;
	w->ended = true;
	w->error = error;
}

static void trace_turn(struct trace *w)
{
	struct pollfd p[3] = {
		{.fd = w->signals, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* an error: nobody reads */
		{.fd = ctshard_fd(w->ct), .events = ctshard_events(w->ct)},
	};

	if (poll(p, 3, -1) < 0)
		return;
	if (p[0].revents)
		w->stop = true;
	if (p[1].revents)
		w->o->error = EPIPE;
	if (p[2].revents && !w->stop && !w->o->error) {
		ctshard_dispatch(w->ct);
		out_pause(w->o);
	}
}

static int trace_run(struct trace *w)
{
	struct ctshard_trace_opts opts = {.filter = &w->c->filter};
	struct ctshard_handler h = {
		.arg = w, .trace = trace_packet, .done = trace_done};
	int rc = ctshard_trace(w->ct, &opts, &h, NULL);

	while (!rc && !w->ended && !w->stop && !w->o->error)
		trace_turn(w);
	rc = rc ? rc : w->error;
	if (w->stop || w->o->error || !rc)
		return CMD_OK;
	return cmd_error(w->ct, rc == CTSHARD_ELOST ? CTSHARD_ENODAEMON : rc);
}

static int trace_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cmd_trace(struct cmd *c)
{
	struct trace w = {.c = c, .signals = -1};
	int code;

	if (c->format && !c->format->trace) {
		cmd_warn("trace: -o line, json or jsonl");
		return CMD_USAGE;
	}
	w.o = cmd_out(c, &out_line, &out_line, &code);
	if (!w.o)
		return code;
	w.ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!w.ct) {
		free(w.o);
		return code;
	}
	w.signals = trace_signals();
	out_begin(w.o);
	code = trace_run(&w);
	ctshard_close(w.ct);
	close(w.signals);
	if (w.lost)
		cmd_warn("%" PRIu64 " packets of traces were not told", w.lost);
	return cmd_finish(w.o, code);
}

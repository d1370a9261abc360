/*
 * cmd_replay.c - captures through a private daemon, to files or stdout.
 *
 * Theory: events are asked for before the workers may start, so none is
 * missed; they are written as they come.  What is asked of the end (table,
 * stats) waits for WaitEnd, which is also answered when a capture breaks off:
 * what came before the break is true, and is written, and the exit code says
 * that it is not all.
 */
#include "cli/column.h"
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/replay.h"
#include "cli/snapshot.h"
#include "cli/stats.h"

/* One output: a file, stdout, or nothing. */
struct sink {
	const char *path;
	int fd;
	struct out *o;
};

enum {
	SINK_EXPLAIN,
	SINK_EVENTS,
	SINK_EXPECT_EVENTS,
	SINK_TABLE,
	SINK_EXPECT,
	SINK_STATS,
	SINK_COUNT
};

/* One request of ours: how it ended. */
struct ask {
	bool ended;
	int error;
	char text[512];
	struct out *o;
	struct stats stats;
};

static void ask_done(void *arg, int error, const char *text)
{
	struct ask *a = arg;

	a->ended = true;
	a->error = error;
	snprintf(a->text, sizeof(a->text), "%s", text ? text : "");
}

static int ask_event(void *arg, const struct ctshard_event *e)
{
	struct ask *a = arg;

	out_event(a->o, e);
	return a->o->error;
}

static int ask_conn(void *arg, const struct ctshard_conn *c)
{
	struct ask *a = arg;

	out_conn(a->o, c);
	return a->o->error;
}

static int ask_expect(void *arg, const struct ctshard_expect *x)
{
	struct ask *a = arg;

	out_expect(a->o, x);
	return a->o->error;
}

static int ask_trace(void *arg, const struct ctshard_trace *t)
{
	struct ask *a = arg;

	out_trace(a->o, t);
	return a->o->error;
}

static int ask_counter(void *arg, const struct ctshard_counter *c)
{
	struct ask *a = arg;

	return stats_counter(&a->stats, c);
}

static struct ctshard_handler ask_handler(struct ask *a)
{
	struct ctshard_handler h = {
		.arg = a,
		.event = a->o ? ask_event : NULL,
		.conn = a->o ? ask_conn : NULL,
		.expect = a->o ? ask_expect : NULL,
		.counter = ask_counter,
		.trace = a->o ? ask_trace : NULL,
		.done = ask_done,
	};

	return h;
}

static int sink_open(struct sink *s, const struct replay *r, const char *path)
{
	const struct cmd *c = r->c;
	/* whoever chooses columns wants to see them */
	const struct out_format *f = c->format    ? c->format
	                             : c->columns ? &out_table
	                                          : &out_line;
	char why[64];

	s->path = path;
	s->fd = -1;
	if (!path)
		return 0;
	s->fd = strcmp(path, "-")
	                ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	                       0666)
	                : dup(STDOUT_FILENO);
	s->o = s->fd < 0 ? NULL : malloc(sizeof(*s->o));
	if (!s->o) {
		cmd_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	out_init(s->o, f, c->mods, s->fd, &c->labels);
	s->o->stop = r->signals;
	s->o->header = !c->no_header;
	s->o->community_seed = c->community_seed;
	if (c->columns) /* columns_known() */
		column_parse(s->o, c->columns, why, sizeof(why));
	return 0;
}

/* 0, or the errno of what could not be written; a reader that has seen enough
 * is no failure. */
static int sink_close(const struct replay *r, struct sink *s)
{
	int error = 0;

	if (s->o) {
		/* the word to stop has been read, so waiting for a reader
		 * would not end */
		if (r->caught)
			s->o->error = EINTR;
		error = out_end(s->o);
		if (error == EPIPE)
			error = 0;
		if (error && !r->caught)
			cmd_warn("%s: %s", s->path, strerror(error));
		free(s->o);
		s->o = NULL;
	}
	if (s->fd >= 0 && close(s->fd) && !error) {
		error = errno;
		cmd_warn("%s: %s", s->path, strerror(error));
	}
	s->fd = -1;
	return error;
}

/* Turn the loop until all of these have ended: false when it broke. */
static bool ask_wait(struct replay *r, struct ask *const *list, int n)
{
	int i = 0;
	bool going = true;

	while (i < n) {
		if (list[i]->ended)
			i++;
		else if (!going)
			return false;
		else
			going = replay_turn(r);
	}
	return true;
}

static bool ask_wait_one(struct replay *r, struct ask *a)
{
	return ask_wait(r, &a, 1);
}

/* Why the loop broke, said; the code for it. */
static int replay_broke(struct replay *r)
{
	if (r->caught) {
		cmd_warn("interrupted");
		return CMD_FAILED;
	}
	if (child_ended(&r->child)) {
		child_tell(&r->child);
		cmd_warn("ctshardd ended before the captures did");
		return CMD_FAILED;
	}
	child_tell(&r->child);
	return cmd_error(r->ct, CTSHARD_EFAILED);
}

/*
 * A capture that breaks off: the message names the file as it was given,
 * which is not what the daemon read when it came through stdin.
 */
static void replay_broken(const struct replay *r, const char *text)
{
	size_t n = strlen(r->spool);

	if (n && !strncmp(text, r->spool, n))
		cmd_warn("-%s", text + n);
	else
		cmd_warn("%s", text);
}

static int ask_failed(const struct ask *a)
{
	cmd_warn("%s", a->text[0] ? a->text : ctshard_strerror(a->error));
	return CMD_FAILED;
}

/* Let the workers begin: over the socket for changes, if need be. */
static int replay_begin(struct replay *r)
{
	static const struct ctshard_handler none;
	struct ask start = {0};
	struct ctshard_handler h = ask_handler(&start);
	struct ctshard *control;
	uint64_t id;
	int rc = ctshard_start(r->ct, &h, NULL), code = CMD_OK;

	if (rc)
		return cmd_error(r->ct, rc);
	if (!ask_wait_one(r, &start))
		return replay_broke(r);
	if (start.error != CTSHARD_EDENIED)
		return start.error ? ask_failed(&start) : CMD_OK;
	rc = ctshard_open(r->dir, CTSHARD_CONTROL, &control);
	if (!rc)
		rc = ctshard_start(control, &none, &id);
	if (!rc)
		rc = ctshard_wait(control, id);
	if (rc)
		code = cmd_error(control, rc);
	ctshard_close(control);
	return code;
}

/* ---- how far it is ---- */

/* The packets that have been tracked, asked for twice a second, where somebody
 * looks and no line of ours is in the way. */
struct gauge {
	struct progress progress;
	bool wanted, under_way;
};

static int gauge_counter(void *arg, const struct ctshard_counter *c)
{
	struct gauge *g = arg;

	if (c->total && !strcmp(c->name, "frames"))
		progress_add(&g->progress, c->value - g->progress.n);
	return 0;
}

static void gauge_done(void *arg, int error, const char *text)
{
	struct gauge *g = arg;

	(void)text;
	g->under_way = false;
	g->wanted = g->wanted && !error;
}

static bool gauge_wanted(const struct sink *s)
{
	int i;

	for (i = 0; i < SINK_TABLE; i++)
		if (s[i].o && isatty(s[i].fd))
			return false;
	return progress_seen();
}

static void gauge_ask(struct gauge *g, struct ctshard *ct)
{
	struct ctshard_handler h = {
		.arg = g, .counter = gauge_counter, .done = gauge_done};

	if (!g->wanted || g->under_way || !progress_due(&g->progress))
		return;
	g->under_way = !ctshard_stats(ct, &h, NULL);
	g->wanted = g->under_way;
}

/* As ask_wait() for the first, and tells meanwhile how far it is. */
static bool gauge_wait(struct replay *r, struct ask *a, const struct sink *s)
{
	struct gauge g = {.progress = {.what = "packets"},
	                  .wanted = gauge_wanted(s)};
	bool going = true;

	r->turn_ms = g.wanted ? PROGRESS_MS : 0;
	while (going && (!a->ended || g.under_way)) {
		if (!a->ended)
			gauge_ask(&g, r->ct);
		going = replay_turn(r);
	}
	r->turn_ms = 0;
	progress_end(&g.progress);
	return going;
}

/* What is told while the captures run; an `ask` without a sink has ended. */
static bool replay_ask(struct ask *a, const struct sink *s)
{
	a->o = s->o;
	a->ended = !s->o;
	if (!s->o)
		return false;
	out_begin(s->o);
	return true;
}

static int replay_watch(struct replay *r, struct sink *s, struct ask *a)
{
	struct ctshard_watch_opts opts = {.from_start = 1, .until_end = 1};
	struct ctshard_handler h;
	int rc;

	if (!replay_ask(a, s))
		return CMD_OK;
	h = ask_handler(a);
	opts.brief = out_brief(s->o);
	rc = s->o->expect ? ctshard_expect_watch(r->ct, &opts, &h, NULL)
	                  : ctshard_watch(r->ct, &opts, &h, NULL);
	return rc ? cmd_error(r->ct, rc) : CMD_OK;
}

static int replay_explain(struct replay *r, struct sink *s, struct ask *a)
{
	struct ctshard_trace_opts opts = {.filter = &r->c->filter,
	                                  .until_end = 1};
	struct ctshard_handler h;
	int rc;

	if (!replay_ask(a, s))
		return CMD_OK;
	h = ask_handler(a);
	rc = ctshard_trace(r->ct, &opts, &h, NULL);
	return rc ? cmd_error(r->ct, rc) : CMD_OK;
}

/* Through the captures: packets and events are out then.  *broken: one broke
 * off. */
static int replay_run(struct replay *r, struct sink *s, bool *broken)
{
	struct ask watch = {0}, announced = {0}, trace = {0}, end = {0};
	struct ask *all[] = {&end, &watch, &announced, &trace};
	struct ctshard_handler h;
	int rc, i, code = replay_watch(r, &s[SINK_EVENTS], &watch);

	if (code == CMD_OK)
		code = replay_watch(r, &s[SINK_EXPECT_EVENTS], &announced);
	if (code == CMD_OK)
		code = replay_explain(r, &s[SINK_EXPLAIN], &trace);
	if (code == CMD_OK)
		code = replay_begin(r);
	if (code != CMD_OK)
		return code;
	h = ask_handler(&end);
	rc = ctshard_wait_end(r->ct, &h, NULL);
	if (rc)
		return cmd_error(r->ct, rc);
	if (!gauge_wait(r, &end, s) || !ask_wait(r, all, 4))
		return replay_broke(r);
	for (i = 1; i < 4; i++)
		if (all[i]->error && all[i]->o && !all[i]->o->error)
			return ask_failed(all[i]);
	if (end.error && end.error != CTSHARD_EFAILED)
		return ask_failed(&end);
	*broken = end.error != 0;
	if (*broken)
		replay_broken(r, end.text);
	return CMD_OK;
}

static int replay_table(struct replay *r, struct sink *s)
{
	struct ctshard_list_opts opts = {0};
	struct ask a = {.o = s->o};
	struct ctshard_handler h = ask_handler(&a);
	int rc;

	if (!s->o)
		return CMD_OK;
	out_begin(s->o);
	opts.brief = out_brief(s->o);
	rc = s->o->expect ? ctshard_expect_list(r->ct, &opts, &h, NULL)
	                  : ctshard_list(r->ct, &opts, &h, NULL);
	if (rc)
		return cmd_error(r->ct, rc);
	if (!ask_wait_one(r, &a))
		return replay_broke(r);
	return a.error && !s->o->error ? ask_failed(&a) : CMD_OK;
}

static int replay_stats(struct replay *r, struct sink *s)
{
	struct ask a = {0};
	struct ctshard_handler h = ask_handler(&a);
	int rc, code = CMD_OK;

	if (!s->o)
		return CMD_OK;
	rc = ctshard_stats(r->ct, &h, NULL);
	if (rc)
		code = cmd_error(r->ct, rc);
	else if (!ask_wait_one(r, &a))
		code = replay_broke(r);
	else if (a.error)
		code = ask_failed(&a);
	else
		stats_json(&a.stats, s->o);
	stats_free(&a.stats);
	return code;
}

/* In the order in which they are written when several are stdout. */
static int replay_sinks(const struct replay *r, struct sink *s)
{
	const struct cmd_replay *p = &r->c->replay;
	const char *path[SINK_COUNT] = {
		[SINK_EXPLAIN] = p->explain ? "-" : NULL,
		[SINK_EVENTS] = p->events,
		[SINK_EXPECT_EVENTS] = p->expect_events,
		[SINK_TABLE] = p->table || p->explain ? p->table : "-",
		[SINK_EXPECT] = p->expect,
		[SINK_STATS] = p->stats,
	};
	int i;

	for (i = 0; i < SINK_COUNT; i++)
		if (sink_open(&s[i], r, path[i]))
			return CMD_FAILED;
	if (s[SINK_EXPECT_EVENTS].o)
		s[SINK_EXPECT_EVENTS].o->expect = true;
	if (s[SINK_EXPECT].o)
		s[SINK_EXPECT].o->expect = true;
	return CMD_OK;
}

/* An output is closed before the next one of the same stdout begins. */
static int replay_outputs(struct replay *r, struct sink *s)
{
	bool broken = false;
	int code = replay_run(r, s, &broken), failed = 0;

	failed |= sink_close(r, &s[SINK_EXPLAIN]);
	failed |= sink_close(r, &s[SINK_EVENTS]);
	failed |= sink_close(r, &s[SINK_EXPECT_EVENTS]);
	if (s[SINK_TABLE].o)
		cmd_proc(r->ct, s[SINK_TABLE].o);
	if (code == CMD_OK)
		code = replay_table(r, &s[SINK_TABLE]);
	failed |= sink_close(r, &s[SINK_TABLE]);
	if (code == CMD_OK)
		code = replay_table(r, &s[SINK_EXPECT]);
	failed |= sink_close(r, &s[SINK_EXPECT]);
	if (code == CMD_OK)
		code = replay_stats(r, &s[SINK_STATS]);
	failed |= sink_close(r, &s[SINK_STATS]);
	return code == CMD_OK && (broken || failed) ? CMD_FAILED : code;
}

/* What is said of --explain makes sense. */
static bool explain_fits(const struct cmd *c)
{
	const char *events = c->replay.events;

	if (!c->replay.explain && c->filter.has) {
		cmd_warn("replay: which packets? Only --explain takes a tuple");
		return false;
	}
	if (!c->replay.explain)
		return true;
	if (c->format && !c->format->trace)
		cmd_warn("replay: --explain needs -o line, json or jsonl");
	else if (events && !strcmp(events, "-"))
		cmd_warn("replay: --explain and --events write at the same "
		         "time: to different files");
	else
		return true;
	return false;
}

/* Two that began the same file anew would write over each other. */
static bool files_differ(const struct cmd *c)
{
	const struct cmd_replay *p = &c->replay;
	const char *path[] = {p->events, p->expect_events, p->table, p->expect,
	                      p->stats};
	const size_t n = sizeof(path) / sizeof(path[0]);
	struct stat st;
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; path[i] && j < i; j++) {
			if (!path[j] || strcmp(path[i], path[j]) ||
			    !strcmp(path[i], "-") ||
			    (!stat(path[i], &st) && !S_ISREG(st.st_mode)))
				continue;
			cmd_warn("replay: %.128s: one file cannot hold two "
			         "outputs",
			         path[i]);
			return false;
		}
	return true;
}

static bool columns_known(const struct cmd *c)
{
	struct out *o = c->columns ? malloc(sizeof(*o)) : NULL;
	char why[64];
	bool bad = o && column_parse(o, c->columns, why, sizeof(why));

	if (bad)
		cmd_warn("`%s' is no column", why);
	free(o);
	return !bad;
}

int cmd_replay(struct cmd *c)
{
	struct replay r = {.c = c, .signals = -1};
	struct sink s[SINK_COUNT] = {0};
	int code, i, spooled = 0;

	for (i = 0; i < (int)c->args; i++)
		spooled += !strcmp(c->arg[i], "-");
	if (!c->args || spooled > 1) {
		cmd_warn(spooled ? "replay: stdin can be one capture only"
		                 : "replay: CAPTURE is missing");
		return CMD_USAGE;
	}
	if (!explain_fits(c) || !columns_known(c) || !files_differ(c))
		return CMD_USAGE;
	for (i = 0; i < SINK_COUNT; i++)
		s[i].fd = -1;
	code = replay_open(&r);
	if (code == CMD_OK)
		code = cmd_labels(c, r.ct);
	if (code == CMD_OK)
		code = replay_sinks(&r, s);
	if (code == CMD_OK)
		code = replay_outputs(&r, s);
	for (i = 0; i < SINK_COUNT; i++)
		sink_close(&r, &s[i]);
	replay_close(&r);
	return code;
}

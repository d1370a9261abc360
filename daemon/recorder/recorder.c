/*
 * recorder.c - what ended, written to files: the flow log and the history.
 *
 * It is a reader of the merged log as any subscriber, but for two things: it
 * needs no socket, and from a capture the log waits for it.  It writes nothing
 * that is shared but its own process page.  Files are opened while there are
 * privileges; so to open one again (a log that was rotated) the role ends and
 * the supervisor starts the next, which goes on at the mark.
 */
#include "daemon/recorder/recorder.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/recorder/flowlog.h"
#include "daemon/recorder/past.h"
#include "shm/clock.h"
#include "shm/rcu.h"

#define NAP_MS     20
#define BATCH      1024u
#define STOP_NS    NS_PER_S
#define OPEN_AGAIN (10 * NS_PER_S)

struct recorder {
	struct flowlog log;
	struct past past;
	struct sink *sink[2];
	unsigned int n;
	bool failed; /* a file could not be opened */
	uint64_t began_ns;
	struct policy policy;
};

/* At the start a file that cannot be written is a fault of the configuration;
 * later it must not end the daemon. */
static int open_failed(struct recorder *r, const char *err)
{
	static struct log_limit limit;

	if (log_allow(&limit, "record", "open"))
		log_warnx("record", "%s", err);
	r->failed = true;
	return getenv("CTSHARDD_STARTING") ? 1 : 0;
}

static int recorder_setup(struct role_env *e)
{
	struct recorder *r = calloc(1, sizeof(*r));
	const char *log = conf_text(e->conf, "flow_log");
	uint64_t bytes = conf_number(e->conf, "history");
	char err[HISTORY_ERR], path[PATH_MAX + 16];
	int code = 0;

	e->priv = r;
	if (!r) {
		log_warnx("record", "out of memory");
		return 1;
	}
	if (*log && flowlog_open(&r->log, e->t, e->conf, log, err))
		code = open_failed(r, err);
	else if (*log)
		r->sink[r->n++] = &r->log.sink;
	role_file(e, "history_file", "history", path, sizeof(path));
	if (!code && bytes && past_open(&r->past, e->t, path, bytes, err))
		code = open_failed(r, err);
	else if (!code && bytes)
		r->sink[r->n++] = &r->past.sink;
	return code;
}

static void policy_refresh(struct recorder *r, struct table *t)
{
	const struct policy *p = rcud_enter(t);

	if (p->version != r->policy.version || !r->began_ns)
		r->policy = *p;
	rcud_leave(t);
}

/* What may be overwritten; 0 is nobody's. */
static void position_tell(const struct recorder *r, struct proc_page *p)
{
	uint64_t least = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < r->n; i++)
		if (r->sink[i]->pos < least)
			least = r->sink[i]->pos;
	shm_store_release(&p->holds, r->n ? least + 1 : 0);
}

static int recorder_begin(struct role_env *e)
{
	struct proc_page *p = table_proc(e->t, e->slot);
	struct recorder *r = e->priv;
	unsigned int i;

	policy_refresh(r, e->t);
	r->began_ns = clock_mono_ns();
	for (i = 0; i < r->n; i++)
		if (r->sink[i] == &r->log.sink)
			flowlog_begin(&r->log, &r->policy,
			              &p->record[RECORD_FLOW_LOG]);
		else
			past_begin(&r->past, &r->policy,
			           &p->record[RECORD_HISTORY]);
	position_tell(r, p);
	return 0;
}

static unsigned int sinks_step(struct role_env *e, uint64_t tail)
{
	struct recorder *r = e->priv;
	unsigned int i, n = 0;

	role_beat(e);
	for (i = 0; i < r->n; i++)
		n += sink_step(r->sink[i], tail, BATCH);
	position_tell(r, table_proc(e->t, e->slot));
	return n;
}

static void recorder_nap(const struct recorder *r, struct role_env *e)
{
	struct pollfd p = {.fd = role_stop_fd(), .events = POLLIN};

	poll(&p, 1, NAP_MS);
	/* another try at the files, with privileges */
	if (r->failed && clock_mono_ns() - r->began_ns > OPEN_AGAIN &&
	    !role_send(e->fd[ROLE_FD_ctl], "reopen"))
		poll(&p, 1, (int)(OPEN_AGAIN / NS_PER_MS / 100));
}

static int recorder_loop(struct role_env *e)
{
	struct recorder *r = e->priv;
	const uint64_t *log = &e->t->mlog->tail;
	uint64_t tail, until;
	unsigned int i;

	while (!role_stopping()) {
		policy_refresh(r, e->t);
		if (!sinks_step(e, shm_load_acquire(log)))
			recorder_nap(r, e);
	}
	/* what has been told until now; the rest is for the next one */
	tail = shm_load_acquire(log);
	until = clock_mono_ns() + STOP_NS;
	while (sinks_step(e, tail) && clock_mono_ns() < until)
		;
	for (i = 0; i < r->n; i++)
		r->sink[i]->kind->close(r->sink[i]);
	return 0;
}

const struct role role_recorder = {
	.name = "recorder",
	.access = REGION_RECORDER,
	.user = "ctshard-api",
	.uid = 65533,
	/* its files were opened by setup() */
	.calls = "write writev pwrite64 ftruncate",
	.setup = recorder_setup,
	.begin = recorder_begin,
	.loop = recorder_loop,
};

/*
 * follow.c - subscribers that count what they are told, through libctshard.
 *
 * What a program pays that works on events instead of printing them.  Each is a
 * process of its own; one that misses an event fails.
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/ctshard.h"

#define FOLLOWERS 128u
/* of what is told, a subscriber's filter lets one in so many through */
#define SHARE 100u

struct follow {
	uint64_t want, got;
	bool lost;
};

static int follow_event(void *arg, const struct ctshard_event *e)
{
	struct follow *f = arg;

	f->lost |= e->type == CTSHARD_GAP;
	f->got += e->type == CTSHARD_NEW;
	return f->lost || f->got >= f->want;
}

/* Events from the first on; exit code 0: all came. */
static int follow(const char *run, uint64_t want,
                  const struct ctshard_filter *filter)
{
	struct follow f = {.want = want};
	const struct ctshard_handler h = {.arg = &f, .event = follow_event};
	const struct ctshard_watch_opts opts = {
		.filter = filter, .from_start = 1, .brief = 1};
	struct ctshard *ct;
	uint64_t id;
	int rc = ctshard_open(run, 0, &ct);

	if (rc || ctshard_watch(ct, &opts, &h, &id))
		return 1;
	do
		rc = ctshard_wait(ct, id);
	while (rc == CTSHARD_EINTR);
	ctshard_close(ct);
	return f.lost || f.got < want ? 2 : 0;
}

static int finish_all(const pid_t *pid, unsigned int k)
{
	int bad = 0;
	unsigned int i;

	for (i = 0; i < k; i++)
		bad |= finish(pid[i]);
	return bad;
}

double followers_run(const struct yard *y, uint64_t n, unsigned int k)
{
	pid_t pid[FOLLOWERS];
	uint64_t t0 = wall_ns();
	unsigned int i;

	for (i = 0; i < k; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(follow(y->run, n, NULL));
	}
	return finish_all(pid, k) ? -1 : (double)(wall_ns() - t0) / 1e9;
}

/* Addresses of clients count up from 10.0.0.0 (frames.c): a prefix that holds
 * about a hundredth of them, each subscriber another. */
static uint64_t share_of(const struct bench_opt *o, unsigned int i,
                         struct ctshard_filter *f)
{
	uint64_t part = 1, first;
	unsigned int bits = 0;

	while (part * 2 * SHARE <= o->connections) {
		part *= 2;
		bits++;
	}
	first = part * (i % (o->connections / part));
	memset(f, 0, sizeof(*f));
	f->has = CTSHARD_FILTER_HAS(ORIG_SRC);
	f->orig_src.len = 4;
	f->orig_src.prefix = (uint8_t)(32 - bits);
	f->orig_src.addr[0] = 10;
	f->orig_src.addr[1] = (uint8_t)(first >> 16);
	f->orig_src.addr[2] = (uint8_t)(first >> 8);
	f->orig_src.addr[3] = (uint8_t)first;
	return part;
}

/* the word that a daemon started with --hold waits for */
static int captures_begin(const struct yard *y)
{
	static const struct ctshard_handler none;
	struct ctshard *ct;
	uint64_t id;
	int rc = ctshard_open(y->run, CTSHARD_CONTROL, &ct);

	if (!rc)
		rc = ctshard_start(ct, &none, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	ctshard_close(ct);
	return rc;
}

static double subscribers_run(const struct yard *y, const struct bench_opt *o,
                              unsigned int k)
{
	pid_t pid[FOLLOWERS];
	unsigned int i;
	uint64_t t0;

	for (i = 0; i < k; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			struct ctshard_filter f;
			uint64_t n = share_of(o, i, &f);

			_exit(follow(y->run, n, &f));
		}
	}
	/* a subscriber that comes late begins at the first event too */
	t0 = wall_ns();
	if (captures_begin(y))
		return -1;
	return finish_all(pid, k) ? -1 : (double)(wall_ns() - t0) / 1e9;
}

int bench_subscribers(const struct bench_opt *o)
{
	unsigned int k = o->subscribers > 1 ? o->subscribers : 100, i;
	struct sample s = {0};
	bool ok = k <= FOLLOWERS;

	for (i = 0; ok && i < o->repeat; i++) {
		struct yard y = {.daemon = -1};
		double t;

		ok = yard_open(&y, o, 0, true);
		t = ok ? subscribers_run(&y, o, k) : -1;
		yard_close(&y);
		ok = t > 0;
		if (ok)
			sample_add(&s, (double)o->connections / t);
	}
	if (!ok) {
		fprintf(stderr, "ctbench: subscribers: one missed an event\n");
		return 1;
	}
	printf("{\"bench\":\"subscribers\",\"subscribers\":%u,"
	       "\"connections\":%llu,\"lost\":0,\"events_per_second\":%.0f}\n",
	       k, (unsigned long long)o->connections, sample_median(&s));
	return 0;
}

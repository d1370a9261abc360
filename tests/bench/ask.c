/*
 * ask.c - questions whose answers are short: few of many, and how many.
 *
 *	find	ctctl list with a filter that ten connections match, from the
 *		start of the program to its end, as who types it waits
 *	count	all connections, of a daemon with a thousand and of one with N,
 *		in turn, through libctshard: a program's start would hide it
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/ctshard.h"

#define FOUND       10u
#define FEW         1000u
#define COUNT_TURNS 64u
#define COUNT_EACH  16u

static unsigned int lines_of(int fd)
{
	unsigned int n = 0;
	char b[4096];
	ssize_t len;
	off_t at = 0;

	while ((len = pread(fd, b, sizeof(b), at)) > 0) {
		for (ssize_t i = 0; i < len; i++)
			n += b[i] == '\n';
		at += len;
	}
	return n;
}

/* ms of one command, or -1 when not all were found */
static double find_once(const struct yard *y, int out, unsigned int want)
{
	const char *const list[] = {
		"ctctl",      "-R",      y->run, "list", "-p",    "udp", "-s",
		"10.0.0.0/8", "--dport", "443",  "-o",   "jsonl", NULL};
	uint64_t t0;

	if (ftruncate(out, 0) || lseek(out, 0, SEEK_SET))
		return -1;
	t0 = wall_ns();
	if (finish(spawn_to(y, list, out)))
		return -1;
	t0 = wall_ns() - t0;
	return lines_of(out) == want ? (double)t0 / 1e6 : -1;
}

/* Waits (bounded) until the daemon's table has all of the capture. */
static bool yard_full(const struct yard *y, uint64_t n);

int bench_find(const struct bench_opt *o)
{
	struct yard y = {.daemon = -1};
	struct bench_opt v4 = *o;
	struct sample s = {0};
	unsigned int i, n = o->repeat < 15 ? 15 : o->repeat;
	int out = scratch_open();
	double ms, med;
	bool ok;

	v4.v6 = false; /* the filter has a prefix of 10.0.0.0 */
	ok = out >= 0 && o->connections >= FOUND &&
	     yard_open(&y, &v4, FOUND, false) && yard_full(&y, o->connections);
	for (i = 0; ok && i < n; i++) {
		ms = find_once(&y, out, FOUND);
		ok = ms > 0;
		if (ok)
			sample_add(&s, ms);
	}
	yard_close(&y);
	if (out >= 0)
		close(out);
	if (!ok) {
		fprintf(stderr, "ctbench: find: not %u lines\n", FOUND);
		return 1;
	}
	med = sample_median(&s);
	printf("{\"bench\":\"find\",\"connections\":%llu,\"found\":%u,"
	       "\"ms\":%.2f,\"min\":%.2f,\"max\":%.2f}\n",
	       (unsigned long long)o->connections, FOUND, med, s.v[0],
	       s.v[s.n - 1]);
	return 0;
}

/* ---- count ---- */

static int count_got(void *arg, const struct ctshard_count *c)
{
	*(uint64_t *)arg = c->count;
	return 0;
}

static bool count_once(struct ctshard *ct, uint64_t *n)
{
	const struct ctshard_handler h = {.arg = n, .count = count_got};
	const struct ctshard_count_opts all = {.filter = NULL};
	uint64_t id;
	int rc = ctshard_count(ct, &all, &h, &id);

	while (!rc && (rc = ctshard_wait(ct, id)) == CTSHARD_EINTR)
		rc = 0;
	return !rc;
}

static bool yard_full(const struct yard *y, uint64_t n)
{
	struct ctshard *ct;
	uint64_t got = 0;
	unsigned int i;

	if (ctshard_open(y->run, 0, &ct))
		return false;
	for (i = 0; i < 1000 && count_once(ct, &got) && got < n; i++)
		usleep(20000);
	ctshard_close(ct);
	return got == n;
}

/* us an answer */
static double count_round(struct ctshard *ct, uint64_t want)
{
	uint64_t t0 = wall_ns(), n = 0;
	unsigned int i;

	for (i = 0; i < COUNT_EACH; i++)
		if (!count_once(ct, &n) || n != want)
			return -1;
	return (double)(wall_ns() - t0) / 1e3 / COUNT_EACH;
}

static bool count_turns(struct ctshard *few, struct ctshard *many, uint64_t n,
                        struct sample *us, struct sample *ratio)
{
	unsigned int i;

	for (i = 0; i < COUNT_TURNS; i++) {
		double a = count_round(i & 1 ? many : few, i & 1 ? n : FEW);
		double b = count_round(i & 1 ? few : many, i & 1 ? FEW : n);

		if (a < 0 || b < 0)
			return false;
		sample_add(&us[0], i & 1 ? b : a);
		sample_add(&us[1], i & 1 ? a : b);
		sample_add(ratio, i & 1 ? a / b : b / a);
	}
	return true;
}

int bench_count(const struct bench_opt *o)
{
	struct yard y[2] = {{.daemon = -1}, {.daemon = -1}};
	struct ctshard *ct[2] = {NULL, NULL};
	struct sample us[2] = {{.n = 0}, {.n = 0}}, ratio = {.n = 0};
	struct bench_opt opt[2] = {*o, *o};
	double med, low, high;
	bool ok = true;
	unsigned int i;

	opt[0].connections = FEW;
	for (i = 0; ok && i < 2; i++)
		ok = yard_open(&y[i], &opt[i], 0, false) &&
		     yard_full(&y[i], opt[i].connections) &&
		     !ctshard_open(y[i].run, 0, &ct[i]);
	ok = ok && count_turns(ct[0], ct[1], o->connections, us, &ratio);
	for (i = 0; i < 2; i++) {
		ctshard_close(ct[i]);
		yard_close(&y[i]);
	}
	if (!ok) {
		fprintf(stderr, "ctbench: count: no answer, or a wrong one\n");
		return 1;
	}
	med = sample_median(&ratio);
	sample_interval(&ratio, &low, &high);
	printf("{\"bench\":\"count\",\"connections\":%llu,\"few\":%u,"
	       "\"us\":%.1f,\"us_few\":%.1f,\"ratio\":%.3f,\"low\":%.3f,"
	       "\"high\":%.3f}\n",
	       (unsigned long long)o->connections, FEW, sample_median(&us[1]),
	       sample_median(&us[0]), med, low, high);
	return 0;
}

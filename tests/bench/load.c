/*
 * load.c - a table that others fill or read while packets come.
 *
 *	flood	first packets of connections that nobody answers, into a table
 *		that is full; established ones go on among them
 *	readers	CPU time of a packet with and without somebody who lists,
 *		expires or follows events: pairs in turn, so that what else the
 *		machine does meets both
 *	reaper	what a look at all deadlines costs when none has come
 */
#include "tests/bench/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/merge.h"
#include "shm/atomic.h"
#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/read.h"

/* one packet in so many is an established connection's */
#define FLOOD_MIX 16u

static uint64_t assured(const struct rig *r)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint64_t n = 0;

	while (conn_walk(r->t, &w, &v))
		n += (v.conn.status & CONN_ASSURED) != 0;
	return n;
}

/* `n` first packets of connections from `id` on, established ones among them */
static void frames_flood(struct frames *fr, uint64_t id, uint64_t n,
                         struct flow *fl, uint64_t established, uint64_t *seed)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		struct flow one = {.udp = false};
		uint64_t x = bench_random(seed);

		if (established && i % FLOOD_MIX == 0) {
			x = (x >> 32) * established >> 32;
			frames_add(fr, x, &fl[x], 0, FRAME_DATA);
		} else {
			frames_add(fr, id++, &one, 0, FRAME_SYN);
		}
	}
}

int bench_flood(const struct bench_opt *o)
{
	struct sample s = {0};
	uint64_t seed = o->seed * 2654435761u + 1, half = o->connections / 2;
	uint64_t id = o->connections, lost = 0, kept, drops;
	struct bench_opt est = *o;
	struct frames fr;
	struct flow *fl;
	struct rig r;
	double med;
	unsigned int i;

	rig_open(&r, o->connections, o->detail);
	r.pol.max = (uint32_t)o->connections;
	rcud_publish(r.t, &r.pol);
	est.connections = half;
	fl = rig_fill(&r, &est);
	/* the first round fills the table */
	for (i = 0; i <= o->repeat; i++) {
		frames_init(&fr, o->connections, o->v6);
		fr.ts_ns = r.pipe->clock_ns;
		frames_flood(&fr, id, o->connections, fl, i ? half : 0, &seed);
		id += o->connections;
		drops = r.t->ring[0].hdr->counter[CTR_DROP];
		seed += i;
		if (i)
			sample_add(&s, (double)o->connections * 1e9 /
			                       (double)rig_run(&r, &fr));
		else
			rig_run(&r, &fr);
		if (i)
			lost += r.t->ring[0].hdr->counter[CTR_DROP] - drops;
		frames_free(&fr);
	}
	kept = assured(&r);
	med = sample_median(&s);
	printf("{\"bench\":\"flood\",\"connections\":%llu,\"established\":%llu,"
	       "\"kept\":%llu,\"early_drops\":%llu,\"refused\":%llu,"
	       "\"per_second\":%.0f,\"min\":%.0f,\"max\":%.0f}\n",
	       (unsigned long long)o->connections, (unsigned long long)half,
	       (unsigned long long)kept,
	       (unsigned long long)r.t->ring[0].hdr->counter[CTR_EARLY_DROP],
	       (unsigned long long)lost, med, s.v[0], s.v[s.n - 1]);
	free(fl);
	rig_close(&r);
	return kept == half ? 0 : 1;
}

/* ---- readers ---- */

enum reader_kind { READER_LIST, READER_EXPIRE, READER_EVENTS, READER_COUNT };

struct reader {
	enum reader_kind kind;
	struct table t; /* a handle of its own */
	const struct policy *pol;
	uint64_t turns;
	int stop;
	pthread_t thread;
};

static uint64_t reader_list(struct reader *rd)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint64_t n = 0;

	while (!__atomic_load_n(&rd->stop, __ATOMIC_RELAXED) &&
	       conn_walk(&rd->t, &w, &v))
		n += v.conn.packets[0] != 0;
	return n != 0;
}

static uint64_t reader_expire(struct reader *rd)
{
	uint32_t sh, due = 0;
	const struct timespec nap = {0, 62500000};

	/* as the reaper: all shards once a second, in parts */
	for (sh = 0; sh < rd->t.nshard; sh++) {
		shard_expire(&rd->t, sh, table_clock_ns(&rd->t), UINT32_MAX,
		             rd->pol->max, true, &due);
		if (sh % 16 == 15)
			nanosleep(&nap, NULL);
		if (__atomic_load_n(&rd->stop, __ATOMIC_RELAXED))
			break;
	}
	return 1;
}

static uint64_t reader_events(struct merge *m)
{
	const struct timespec nap = {0, 1000000};
	uint64_t from = m->tail, i, sum = 0;

	merge_step(m, 4096, UINT64_MAX);
	for (i = from; i < m->tail; i++)
		sum += merge_at(m, i)->cell.gseq;
	if (m->tail == from)
		nanosleep(&nap, NULL);
	return sum != 0;
}

static void *reader_thread(void *arg)
{
	struct reader *rd = arg;
	static struct merge m;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (rd->kind == READER_EVENTS)
		merge_open(&m, &rd->t);
	while (!__atomic_load_n(&rd->stop, __ATOMIC_RELAXED))
		rd->turns += rd->kind == READER_LIST     ? reader_list(rd)
		             : rd->kind == READER_EXPIRE ? reader_expire(rd)
		                                         : reader_events(&m);
	return NULL;
}

static void reader_start(struct reader *rd, const struct rig *r,
                         enum reader_kind kind)
{
	memset(rd, 0, sizeof(*rd));
	rd->kind = kind;
	rd->t = *r->t;
	rd->pol = &r->pol;
	/* an owner of locks of its own */
	rd->t.me = SLOT_REAPER;
	rd->t.word = 1u << 8 | (SLOT_REAPER + 1);
	if (pthread_create(&rd->thread, NULL, reader_thread, rd))
		exit(1);
}

static void reader_stop(struct reader *rd)
{
	__atomic_store_n(&rd->stop, 1, __ATOMIC_RELAXED);
	pthread_join(rd->thread, NULL);
}

/* packets of established connections, and one new one in ten */
static double reader_round(struct rig *r, const struct bench_opt *o,
                           struct flow *fl, uint64_t *seed, uint64_t *id)
{
	struct frames fr;
	uint64_t i;
	double ns;

	frames_init(&fr, o->packets, o->v6);
	fr.ts_ns = r->pipe->clock_ns;
	for (i = 0; i < o->packets; i++) {
		uint64_t x = bench_random(seed);
		struct flow one = {.udp = false};
		uint64_t at = (x >> 32) * o->connections >> 32;

		if (i % 16)
			frames_add(&fr, at, &fl[at], (int)(x & 1), FRAME_DATA);
		else
			frames_add(&fr, (*id)++, &one, 0, FRAME_SYN);
	}
	ns = (double)rig_run(r, &fr) / (double)o->packets;
	frames_free(&fr);
	return ns;
}

static int readers_one(const struct bench_opt *o, enum reader_kind kind,
                       unsigned int pairs)
{
	static const char *const names[] = {"list", "expire", "subscriber"};
	/* the table has room for what is new */
	uint64_t seed = o->seed + kind, id = o->connections,
		 room = o->connections + 2 * pairs * (o->packets / 16 + 1);
	struct sample ratio = {0}, with = {0}, without = {0};
	double low, high;
	struct reader rd;
	struct flow *fl;
	struct rig r;
	unsigned int i, k;

	rig_open(&r, room, o->detail);
	fl = rig_fill(&r, o);
	reader_round(&r, o, fl, &seed, &id);
	for (i = 0; i < pairs; i++) {
		double ns[2];

		for (k = 0; k < 2; k++) {
			bool reads = k ^ (i & 1);

			if (reads)
				reader_start(&rd, &r, kind);
			ns[reads] = reader_round(&r, o, fl, &seed, &id);
			if (reads)
				reader_stop(&rd);
		}
		sample_add(&ratio, ns[1] / ns[0]);
		sample_add(&without, ns[0]);
		sample_add(&with, ns[1]);
	}
	sample_interval(&ratio, &low, &high);
	printf("{\"bench\":\"readers\",\"reader\":\"%s\",\"pairs\":%u,"
	       "\"connections\":%llu,\"ns_without\":%.1f,\"ns_with\":%.1f,"
	       "\"ratio\":%.3f,\"low\":%.3f,\"high\":%.3f}\n",
	       names[kind], pairs, (unsigned long long)o->connections,
	       sample_median(&without), sample_median(&with),
	       sample_median(&ratio), low, high);
	fflush(stdout);
	free(fl);
	rig_close(&r);
	return 0;
}

int bench_readers(const struct bench_opt *o)
{
	unsigned int pairs = o->repeat < 31 ? 31 : o->repeat;
	unsigned int k;

	for (k = 0; k < READER_COUNT; k++)
		readers_one(o, (enum reader_kind)k, pairs);
	return 0;
}

/* ---- reaper ---- */

int bench_reaper(const struct bench_opt *o)
{
	struct sample s = {0};
	struct rig r;
	unsigned int i;

	rig_open(&r, o->connections, o->detail);
	free(rig_fill(&r, o));
	for (i = 0; i < o->repeat; i++) {
		uint64_t t0 = bench_cpu_ns();
		uint32_t sh, due = 0;

		for (sh = 0; sh < r.t->nshard; sh++)
			shard_expire(r.t, sh, r.pipe->clock_ns, UINT32_MAX, 0,
			             true, &due);
		sample_add(&s, (double)(bench_cpu_ns() - t0) / 1e6);
	}
	/* all shards are looked at once a second */
	printf("{\"bench\":\"reaper\",\"connections\":%llu,\"ms\":%.2f,"
	       "\"percent_of_core\":%.3f}\n",
	       (unsigned long long)o->connections, sample_median(&s),
	       sample_median(&s) / 10);
	rig_close(&r);
	return 0;
}

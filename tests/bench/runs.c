/* runs.c - the benchmarks; each prints one JSON object a line. */
#include "tests/bench/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/read.h"
#include "shm/repair.h"

/* bytes that the table really takes for what it holds */
static double bytes_per_connection(const struct rig *r, uint64_t n, bool v6)
{
	uint64_t bytes = r->t->addr6_off;

	if (v6)
		bytes += n * sizeof(struct addr6);
	return (double)bytes / (double)n;
}

static bool is_huge(const struct rig *r)
{
	return r->huge > r->t->addr6_off / 2;
}

int bench_floor(const struct bench_opt *o)
{
	struct sample s = {0};
	struct rig r;
	unsigned int i;
	double med;

	rig_open(&r, o->connections, o->detail);
	rig_mirror(&r, o->mirror);
	for (i = 0; i < o->repeat; i++)
		sample_add(&s, rig_floor(&r));
	med = sample_median(&s);
	printf("{\"bench\":\"floor\",\"bytes\":%llu,\"ns_per_line\":%.2f,"
	       "\"min\":%.2f,\"max\":%.2f,\"huge\":%s}\n",
	       (unsigned long long)r.t->addr6_off, med, s.v[0], s.v[s.n - 1],
	       is_huge(&r) ? "true" : "false");
	rig_close(&r);
	return 0;
}

/* M frames to random connections in random direction */
static void frames_random(struct frames *fr, const struct bench_opt *o,
                          struct flow *fl, uint64_t *seed)
{
	uint64_t i;

	for (i = 0; i < o->packets; i++) {
		uint64_t x = bench_random(seed);
		uint64_t id = (x >> 32) * o->connections >> 32;

		frames_add(fr, id, &fl[id], (int)(x & 1), FRAME_DATA);
	}
}

int bench_pipeline(const struct bench_opt *o)
{
	struct sample s = {0}, f = {0};
	uint64_t before, after, seed = o->seed * 2654435761u + 1;
	struct frames fr;
	struct flow *fl;
	struct rig r;
	double accepted = 1, med, flo;
	unsigned int i;

	rig_open(&r, o->connections, o->detail);
	rig_mirror(&r, o->mirror);
	fl = rig_fill(&r, o);
	for (i = 0; i < o->repeat; i++) {
		frames_init(&fr, o->packets, o->v6);
		fr.ts_ns = r.pipe->clock_ns;
		frames_random(&fr, o, fl, &seed);
		before = rig_packets(&r);
		sample_add(&s, (double)rig_run(&r, &fr) / (double)o->packets);
		after = rig_packets(&r);
		if ((double)(after - before) / (double)o->packets < accepted)
			accepted =
				(double)(after - before) / (double)o->packets;
		frames_free(&fr);
		sample_add(&f, rig_floor(&r));
	}
	med = sample_median(&s);
	flo = sample_median(&f);
	printf("{\"bench\":\"pipeline\",\"connections\":%llu,\"packets\":%llu,"
	       "\"ns_per_packet\":%.1f,\"min\":%.1f,\"max\":%.1f,"
	       "\"floor_ns\":%.2f,\"ratio\":%.2f,\"bytes_per_connection\":%.1f,"
	       "\"rings_bytes\":%llu,\"log_bytes\":%llu,"
	       "\"huge\":%s,\"accepted\":%.4f,\"v6\":%s,\"proto\":\"%s\","
	       "\"detail\":%s,\"repeat\":%u}\n",
	       (unsigned long long)o->connections,
	       (unsigned long long)o->packets, med, s.v[0], s.v[s.n - 1], flo,
	       med / flo, bytes_per_connection(&r, o->connections, o->v6),
	       (unsigned long long)r.rings, (unsigned long long)r.log,
	       is_huge(&r) ? "true" : "false", accepted,
	       o->v6 ? "true" : "false", o->proto, o->detail ? "true" : "false",
	       o->repeat);
	free(fl);
	rig_close(&r);
	return accepted >= 0.99 ? 0 : 1;
}

int bench_create(const struct bench_opt *o)
{
	struct sample s = {0};
	uint64_t made = 0;
	unsigned int i;
	double med;

	for (i = 0; i < o->repeat; i++) {
		struct frames fr;
		struct rig r;
		uint64_t id;

		rig_open(&r, o->connections, o->detail);
		rig_mirror(&r, o->mirror);
		frames_init(&fr, o->connections, o->v6);
		fr.ts_ns = r.t->hdr->clock_ns;
		for (id = 0; id < o->connections; id++) {
			struct flow fl = {.udp = !strcmp(o->proto, "udp")};

			frames_add(&fr, id, &fl, 0, FRAME_SYN);
		}
		sample_add(&s, (double)o->connections * 1e9 /
		                       (double)rig_run(&r, &fr));
		made = table_count(r.t);
		frames_free(&fr);
		rig_close(&r);
	}
	med = sample_median(&s);
	printf("{\"bench\":\"create\",\"connections\":%llu,\"made\":%llu,"
	       "\"per_second\":%.0f,\"min\":%.0f,\"max\":%.0f}\n",
	       (unsigned long long)o->connections, (unsigned long long)made,
	       med, s.v[0], s.v[s.n - 1]);
	return made == o->connections ? 0 : 1;
}

int bench_expire(const struct bench_opt *o)
{
	struct sample s = {0};
	uint64_t ended = 0;
	unsigned int i;
	double med;

	for (i = 0; i < o->repeat; i++) {
		struct rig r;
		uint64_t t0, now;
		uint32_t sh, due = 0;

		rig_open(&r, o->connections, o->detail);
		rig_mirror(&r, o->mirror);
		free(rig_fill(&r, o));
		now = r.pipe->clock_ns + 500000 * NS_PER_S;
		ended = 0;
		t0 = bench_cpu_ns();
		for (sh = 0; sh < r.t->nshard; sh++)
			ended += shard_expire(r.t, sh, now, UINT32_MAX, 0, true,
			                      &due);
		sample_add(&s,
		           (double)ended * 1e9 / (double)(bench_cpu_ns() - t0));
		rig_close(&r);
	}
	med = sample_median(&s);
	printf("{\"bench\":\"expire\",\"connections\":%llu,\"ended\":%llu,"
	       "\"per_second\":%.0f,\"min\":%.0f,\"max\":%.0f}\n",
	       (unsigned long long)o->connections, (unsigned long long)ended,
	       med, s.v[0], s.v[s.n - 1]);
	return ended == o->connections ? 0 : 1;
}

/* one shard made anew from its entries, the slowest repair there is */
int bench_recover(const struct bench_opt *o)
{
	struct sample s = {0};
	struct rig r;
	unsigned int i, sh;
	double med;

	rig_open(&r, o->connections, o->detail);
	rig_mirror(&r, o->mirror);
	free(rig_fill(&r, o));
	for (i = 0; i < o->repeat; i++) {
		uint64_t t0 = bench_cpu_ns();

		for (sh = 0; sh < 16; sh++) {
			shard_lock(r.t, sh);
			shard_rebuild(r.t, sh);
			shard_unlock(r.t, sh);
		}
		sample_add(&s, (double)(bench_cpu_ns() - t0) / 16e6);
	}
	med = sample_median(&s);
	printf("{\"bench\":\"recover\",\"connections\":%llu,"
	       "\"ms_per_shard\":%.3f,\"min\":%.3f,\"max\":%.3f,"
	       "\"count\":%llu}\n",
	       (unsigned long long)o->connections, med, s.v[0], s.v[s.n - 1],
	       (unsigned long long)table_count(r.t));
	rig_close(&r);
	return 0;
}

/* ---- scale: one thread a worker, own table and frames, pinned ---- */

struct scale_job {
	const struct bench_opt *o;
	pthread_barrier_t *go;
	unsigned int cpu;
	double rate;
};

static void *scale_thread(void *arg)
{
	struct scale_job *j = arg;
	struct bench_opt o = *j->o;
	uint64_t seed = o.seed + j->cpu * 7919 + 1;
	struct frames fr;
	struct flow *fl;
	struct rig r;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(j->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	rig_open(&r, o.connections, o.detail);
	fl = rig_fill(&r, &o);
	frames_init(&fr, o.packets, o.v6);
	fr.ts_ns = r.pipe->clock_ns;
	frames_random(&fr, &o, fl, &seed);
	pthread_barrier_wait(j->go);
	j->rate = (double)o.packets * 1e9 / (double)rig_run(&r, &fr);
	frames_free(&fr);
	free(fl);
	rig_close(&r);
	return NULL;
}

static double scale_run(const struct bench_opt *o, unsigned int n)
{
	struct scale_job job[64];
	pthread_t th[64];
	pthread_barrier_t go;
	double sum = 0;
	unsigned int i;

	pthread_barrier_init(&go, NULL, n);
	for (i = 0; i < n; i++) {
		job[i] = (struct scale_job){o, &go, i, 0};
		if (pthread_create(&th[i], NULL, scale_thread, &job[i]))
			exit(1);
	}
	for (i = 0; i < n; i++) {
		pthread_join(th[i], NULL);
		sum += job[i].rate;
	}
	pthread_barrier_destroy(&go);
	return sum;
}

int bench_scale(const struct bench_opt *o)
{
	char list[64], *save, *w;
	double first = 0;

	snprintf(list, sizeof(list), "%s", o->workers);
	for (w = strtok_r(list, ",", &save); w;
	     w = strtok_r(NULL, ",", &save)) {
		unsigned int n = (unsigned int)strtoul(w, NULL, 10), i;
		struct sample s = {0};

		if (!n || n > 64)
			return 2;
		for (i = 0; i < o->repeat; i++)
			sample_add(&s, scale_run(o, n));
		if (first == 0)
			first = sample_median(&s);
		printf("{\"bench\":\"scale\",\"workers\":%u,"
		       "\"connections\":%llu,\"packets_per_second\":%.0f,"
		       "\"ratio\":%.3f}\n",
		       n, (unsigned long long)o->connections, sample_median(&s),
		       sample_median(&s) / first);
	}
	return 0;
}

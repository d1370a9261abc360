/* rig.c - a table, a pipeline and connections to measure with. */
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "shm/tick.h"

#define T0 1700000000000000000ull

void sample_add(struct sample *s, double v)
{
	if (s->n < ARRAY_SIZE(s->v))
		s->v[s->n++] = v;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double sample_median(struct sample *s)
{
	qsort(s->v, s->n, sizeof(s->v[0]), by_value);
	return s->n ? s->v[s->n / 2] : 0;
}

/* of order statistics: whatever the distribution is */
void sample_interval(struct sample *s, double *low, double *high)
{
	double below, ways = 1;
	unsigned int k = 0;

	sample_median(s);
	below = pow(0.5, s->n);
	while (k + 1 < s->n / 2) {
		ways = ways * (s->n - k) / (k + 1);
		if (below + ways * pow(0.5, s->n) > 0.025)
			break;
		below += ways * pow(0.5, s->n);
		k++;
	}
	*low = s->n ? s->v[k] : 0;
	*high = s->n ? s->v[s->n - 1 - k] : 0;
}

uint64_t bench_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static void pages_touch(void *area, uint64_t len)
{
	volatile char *b = area;
	uint64_t at;

	for (at = 0; at < len; at += PAGE)
		b[at] = b[at];
}

void rig_open(struct rig *r, uint64_t max, bool detail)
{
	struct region_params p = {.max = (uint32_t)max,
	                          .nworker = 1,
	                          .ring_bytes = 16 << 20,
	                          .log_bytes = 32 << 20,
	                          .detail = detail,
	                          .clock_mode = CLOCK_CAPTURE};
	uint64_t at = 0, size[SEG_COUNT];
	unsigned int i;

	memset(r, 0, sizeof(*r));
	region_plan(&p, size);
	r->log = size[SEG_MLOG];
	for (i = SEG_RING0; i < SEG_COUNT; i++)
		r->rings += size[i];
	r->t = region_memory(&p);
	r->pipe = calloc(1, sizeof(*r->pipe));
	if (!r->t || !r->pipe || proc_attach(r->t, 0, 0)) {
		fprintf(stderr, "ctbench: no memory for a table\n");
		exit(1);
	}
	/* pages exist before the clock runs, as the daemon allocates them: an
	 * area that has none yet would never come into huge ones either */
	pages_touch(r->t->hdr, r->t->addr6_off);
	pages_touch(r->t->ring[0].cell,
	            (r->t->ring[0].mask + 1ull) * sizeof(struct event_cell));
	region_collapse(r->t, UINT32_MAX, &at, &r->huge);
	tracker_defaults(&r->pol);
	r->pol.acct = 1;
	r->pol.events = 1;
	r->t->hdr->clock_ns = T0;
	rcud_publish(r->t, &r->pol);
	pipeline_init(r->pipe, r->t, 0, 1, true);
	r->pipe->due = TICK_BEHIND;
}

/* every tunnel, at its usual ports */
static void decap_all(struct decap *d)
{
	static const char *const ports[] = {
#define X(name, word, ports, meaning) ports,
		DECAPS(X)
#undef X
	};

	d->depth = DECAP_DEPTH;
	for (unsigned int i = 0; i < DECAP_COUNT; i++) {
		const char *at = ports[i];
		char *end;

		d->on |= 1u << i;
		while (*at) {
			decap_port_add(d, (enum decap_kind)i,
			               (uint16_t)strtoul(at, &end, 10));
			at = *end ? end + 1 : end;
		}
	}
}

void rig_mirror(struct rig *r, const char *how)
{
	bool all = how && !strcmp(how, "all");

	if (!how)
		return;
	r->pol.duplicates = !strcmp(how, "drop")           ? DUPLICATES_DROP
	                    : all || !strcmp(how, "count") ? DUPLICATES_COUNT
	                                                   : DUPLICATES_OFF;
	r->pol.duplicates_ms = 50;
	if (all) {
		r->pol.zone_from = ZONE_FROM_VLAN;
		decap_all(&r->decap);
		r->pipe->decap = &r->decap;
		r->pipe->many = true;
	}
	rcud_publish(r->t, &r->pol);
	r->pipe->mirror = true;
}

void rig_close(struct rig *r)
{
	region_memory_free(r->t);
	free(r->pipe);
}

uint64_t rig_run(struct rig *r, const struct frames *fr)
{
	struct pkt batch[PIPELINE_BATCH];
	uint64_t base = r->pipe->last_pkt, t0;
	char err[SOURCE_ERR];
	struct source *s = source_open_memory(fr->f, fr->n, err);
	int n, i;

	if (!s) {
		fprintf(stderr, "ctbench: %s\n", err);
		exit(1);
	}
	t0 = bench_cpu_ns();
	while ((n = source_next(s, batch, PIPELINE_BATCH)) >= 0) {
		for (i = 0; i < n; i++)
			batch[i].frame += base;
		r->pipe->pol = rcud_enter(r->t);
		pipeline_batch(r->pipe, batch, (unsigned int)n);
		rcud_leave(r->t);
	}
	t0 = bench_cpu_ns() - t0;
	source_close(s);
	return t0;
}

static bool flow_is_udp(const struct bench_opt *o, uint64_t id)
{
	return !strcmp(o->proto, "udp") ||
	       (!strcmp(o->proto, "mix") && id % 8 == 0);
}

struct flow *rig_fill(struct rig *r, const struct bench_opt *o)
{
	struct flow *fl = calloc(o->connections, sizeof(*fl));
	uint64_t step = 1000000, id, end;
	struct frames fr;
	static const enum frame_kind kinds[] = {FRAME_SYN, FRAME_SYNACK,
	                                        FRAME_ACK};
	unsigned int k;

	if (!fl)
		exit(1);
	for (id = 0; id < o->connections; id = end) {
		end = id + step < o->connections ? id + step : o->connections;
		frames_init(&fr, (end - id) * 3, o->v6);
		fr.ts_ns = r->pipe->clock_ns ? r->pipe->clock_ns : T0;
		for (k = 0; k < 3; k++) {
			uint64_t c;

			for (c = id; c < end; c++) {
				fl[c].udp = flow_is_udp(o, c);
				frames_add(&fr, c, &fl[c], k == 1, kinds[k]);
			}
		}
		rig_run(r, &fr);
		frames_free(&fr);
	}
	return fl;
}

uint64_t rig_packets(const struct rig *r)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint64_t n = 0;

	while (conn_walk(r->t, &w, &v))
		n += v.conn.packets[0] + v.conn.packets[1];
	return n;
}

static struct conn *floor_at(const struct rig *r, uint64_t k)
{
	return table_conn(r->t, 0, (uint32_t)k);
}

/* The floor: one random entry of 128 bytes read and written, fetched ahead in
 * batches of 32, in this very table (its packet counters, put back). */
double rig_floor(struct rig *r)
{
	const uint64_t n = 4000000;
	uint64_t span = (uint64_t)r->t->nshard * r->t->cap,
		 x = 88172645463325252;
	uint64_t at[32], i, j, t0;

	t0 = bench_cpu_ns();
	for (i = 0; i < n; i += 32) {
		for (j = 0; j < 32; j++) {
			at[j] = (bench_random(&x) >> 32) * span >> 32;
			__builtin_prefetch(floor_at(r, at[j]), 1);
		}
		for (j = 0; j < 32; j++)
			*(volatile uint64_t *)&floor_at(r, at[j])->packets[0] +=
				1;
	}
	t0 = bench_cpu_ns() - t0;
	x = 88172645463325252;
	for (i = 0; i < n; i++) {
		uint64_t k = (bench_random(&x) >> 32) * span >> 32;

		floor_at(r, k)->packets[0] -= 1;
	}
	return (double)t0 / (double)n;
}

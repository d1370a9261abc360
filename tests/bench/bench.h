/*
 * bench.h - parts of ctbench.
 *
 * Every benchmark runs the daemon's own object files on a table in private
 * memory, with packets that come out of source_next() of an in-memory source.
 * Frames are built before the clock runs, and their numbers advance so that
 * the trackers accept them; what was accepted is counted and printed.  Times
 * are CPU time of the thread.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <limits.h>
#include <sys/types.h>

#include "daemon/source/source.h"
#include "daemon/worker/pipeline.h"
#include "shm/region.h"

struct bench_opt {
	uint64_t connections, packets;
	unsigned int repeat;
	uint64_t seed;
	bool v6, detail;
	const char *proto; /* tcp, udp, mix */
	const char *workers;
	const char *mirror; /* NULL: strict; else off, count, drop, and
	                     * all: count, tunnels, zones, interfaces */
	unsigned int clients, subscribers;
	const char *format;
};

struct sample {
	double v[64];
	unsigned int n;
};
void sample_add(struct sample *s, double v);
double sample_median(struct sample *s); /* sorts */
/* ranks between which the median lies with at least 95 %; sorts */
void sample_interval(struct sample *s, double *low, double *high);
/* an empty file without a name, gone with the descriptor; -1 */
int scratch_open(void);

uint64_t bench_cpu_ns(void);
uint64_t bench_random(uint64_t *state);

/* one side's view of a connection, to build the next frame from */
struct flow {
	uint32_t seq[2];
	uint8_t udp;
};

struct frames {
	struct source_frame *f;
	uint8_t *bytes;
	size_t n, cap, stride;
	uint64_t ts_ns;
	bool v6;
};
void frames_init(struct frames *fr, size_t cap, bool v6);
void frames_free(struct frames *fr);
/* kinds of frames of connection `id` */
enum frame_kind { FRAME_SYN, FRAME_SYNACK, FRAME_ACK, FRAME_DATA };
void frames_add(struct frames *fr, uint64_t id, struct flow *fl, int dir,
                enum frame_kind kind);

/* a table with a policy of defaults for one worker, and its pipeline */
struct rig {
	struct table *t;
	struct pipeline *pipe;
	struct policy pol;
	struct decap decap;  /* with all of a mirror's settings */
	uint64_t huge;       /* bytes in huge pages */
	uint64_t rings, log; /* bytes of the event rings, of the merged log */
};
void rig_open(struct rig *r, uint64_t max, bool detail);
void rig_mirror(struct rig *r, const char *how);
void rig_close(struct rig *r);
/* all frames through the pipeline; CPU ns taken */
uint64_t rig_run(struct rig *r, const struct frames *fr);
/* N connections with their handshakes done */
struct flow *rig_fill(struct rig *r, const struct bench_opt *o);
uint64_t rig_packets(const struct rig *r); /* sum of all packet counters */
double rig_floor(struct rig *r);           /* ns a line, see bench_floor.c */

/* the daemon beside ctbench, on a capture of made-up connections; `udp` of
 * them, evenly spread, are of another protocol than the rest (clients.c) */
struct yard {
	char dir[64], capture[128], run[128];
	char bin[PATH_MAX];
	pid_t daemon;
};
bool yard_open(struct yard *y, const struct bench_opt *o, uint64_t udp,
               bool hold);
void yard_close(struct yard *y);
uint64_t wall_ns(void);
/* a program beside ctbench, its output into `out` or thrown away (-1); its exit
 * code, or -1 */
pid_t spawn_to(const struct yard *y, const char *const *argv, int out);
pid_t spawn(const struct yard *y, const char *const *argv);
int finish(pid_t pid);
/* K subscribers that only count, each until it has `n` events (follow.c);
 * seconds, or -1 */
double followers_run(const struct yard *y, uint64_t n, unsigned int k);

int bench_subscribers(const struct bench_opt *o);
int bench_floor(const struct bench_opt *o);
int bench_pipeline(const struct bench_opt *o);
int bench_create(const struct bench_opt *o);
int bench_expire(const struct bench_opt *o);
int bench_recover(const struct bench_opt *o);
int bench_scale(const struct bench_opt *o);
int bench_live(const struct bench_opt *o);
int bench_latency(const struct bench_opt *o);
int bench_idle(const struct bench_opt *o);
int bench_flood(const struct bench_opt *o);
int bench_readers(const struct bench_opt *o);
int bench_reaper(const struct bench_opt *o);
int bench_list(const struct bench_opt *o);
int bench_events(const struct bench_opt *o);
int bench_find(const struct bench_opt *o);
int bench_count(const struct bench_opt *o);

#endif

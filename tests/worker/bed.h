/*
 * bed.h - a table in private memory, one worker's pipeline over it, and frames
 * that are given to it one by one.
 */
#ifndef TESTS_WORKER_BED_H
#define TESTS_WORKER_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/worker/mirror.h"
#include "daemon/worker/pipeline.h"
#include "shm/check.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "shm/region.h"
#include "tests/lib/packet.h"

#define T0 1700000000000000000ull
#define US 1000ull
#define MS 1000000ull

struct bed {
	struct table *t;
	struct pipeline *pipe;
	struct policy pol;
	uint64_t frame, now;
	uint16_t ident; /* of the next IPv4 packet */
	uint8_t ttl;
	bool v6, tag;
	struct packet b;
};

/* A table of @max connections; bed->pol is the default policy, to be changed
 * before bed_start(). */
static inline void bed_table(struct bed *bed, uint32_t max)
{
	struct region_params p = {.max = max,
	                          .nworker = 2,
	                          .ring_bytes = 1 << 20,
	                          .log_bytes = 1 << 16,
	                          .detail = true,
	                          .clock_mode = CLOCK_CAPTURE};

	memset(bed, 0, sizeof(*bed));
	bed->t = region_memory(&p);
	assert_non_null(bed->t);
	assert_int_equal(proc_attach(bed->t, 0, 0), 0);
	tracker_defaults(&bed->pol);
	bed->pol.acct = 1;
	bed->pol.events = 1;
	bed->now = T0;
	bed->ttl = 64;
}

static inline void bed_policy(struct bed *bed)
{
	assert_int_equal(rcud_publish(bed->t, &bed->pol), 0);
}

static inline void bed_start(struct bed *bed, uint32_t worker, uint32_t nworker)
{
	bed_policy(bed);
	bed->pipe = calloc(1, sizeof(*bed->pipe));
	assert_non_null(bed->pipe);
	pipeline_init(bed->pipe, bed->t, worker, nworker, true);
	bed->pipe->mirror = mirror_mode(&bed->pol, false);
}

static inline void bed_fault(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

/* What is there must be sound. */
static inline void bed_close(struct bed *bed)
{
	uint32_t sh;
	int n = 0;

	for (sh = 0; sh < bed->t->nshard; sh++)
		n += shard_check(bed->t, sh, key_home, bed_fault, NULL);
	n += rings_check(bed->t, bed_fault, NULL);
	assert_int_equal(n, 0);
	region_memory_free(bed->t);
	free(bed->pipe);
}

static inline void bed_give(struct bed *bed, struct pkt *p)
{
	bed->pipe->pol = rcud_enter(bed->t);
	pipeline_batch(bed->pipe, p, 1);
	rcud_leave(bed->t);
}

/* The frame in bed->b, @ns after the one before. */
static inline void bed_send(struct bed *bed, uint64_t ns)
{
	struct pkt p;

	packet_end(&bed->b);
	packet_pkt(&bed->b, &p);
	bed->now += ns;
	p.ts_ns = bed->now;
	p.frame = ++bed->frame;
	bed_give(bed, &p);
}

/* A frame between the two endpoints, up to the header of the network. */
static inline void bed_begin(struct bed *bed, bool reply)
{
	static const char *const v4[2] = {"10.0.0.1", "10.0.1.1"};
	static const char *const v6[2] = {"fd00::1", "fd01::1"};
	uint8_t *ip;

	packet_begin(&bed->b);
	packet_eth(&bed->b);
	if (bed->tag)
		packet_vlan(&bed->b, 12);
	if (bed->v6) {
		ip = packet_ip6(&bed->b, v6[reply], v6[!reply]);
		ip[7] = bed->ttl;
	} else {
		ip = packet_ip4(&bed->b, v4[reply], v4[!reply]);
		put16(ip + 4, bed->ident);
		ip[8] = bed->ttl;
	}
}

static inline uint64_t counter(const struct bed *bed, unsigned int c)
{
	return bed->t->ring[0].hdr->counter[c];
}

/* the connection, if it is the only one */
static inline bool bed_only(const struct bed *bed, struct conn_view *v)
{
	struct conn_walk w = {0, 0};
	struct conn_view more;

	return conn_walk(bed->t, &w, v) && !conn_walk(bed->t, &w, &more);
}

static inline struct conn_view only(const struct bed *bed)
{
	struct conn_view v;

	assert_true(bed_only(bed, &v));
	return v;
}

#endif

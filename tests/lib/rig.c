/* rig.c - see rig.h */
#include "tests/lib/rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/helper/helper.h"
#include "daemon/reaper/command.h"
#include "daemon/worker/fragment.h"
#include "daemon/worker/help.h"
#include "daemon/worker/mirror.h"
#include "shm/check.h"
#include "shm/clock.h"
#include "shm/rcu.h"
#include "shm/region.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void rig_policy(struct rig *r)
{
	must(rcud_publish(r->t, &r->pol) == 0);
	r->pipe->mirror = mirror_mode(&r->pol, false);
	r->pipe->pol = rcud_enter(r->t);
}

static void rig_trace_all(struct rig *r)
{
	struct trace_want *w = &r->t->mlog->trace;

	memset(&w->tuple[0], 0, sizeof(w->tuple[0]));
	w->on = 1;
	w->version += 2;
}

void rig_open(struct rig *r)
{
	static const struct fragment_limits limits = {
		.bytes = {1 << 20, 1 << 20},
		.timeout_ns = {30 * NS_PER_S, 60 * NS_PER_S}};
	struct region_params p = {.max = 1000,
	                          .nworker = 1,
	                          .ring_bytes = 1 << 20,
	                          .log_bytes = 1 << 16,
	                          .detail = true,
	                          .clock_mode = CLOCK_CAPTURE};

	memset(r, 0, sizeof(*r));
	r->t = region_memory(&p);
	must(r->t && proc_attach(r->t, 0, 0) == 0);
	tracker_defaults(&r->pol);
	helper_defaults(&r->pol);
	r->pol.acct = r->pol.events = 1;
	r->pol.expect_max = 1000;
	r->pipe = calloc(1, sizeof(*r->pipe));
	must(r->pipe);
	pipeline_init(r->pipe, r->t, 0, 1, true);
	r->pipe->swept_ns = UINT64_MAX / 2; /* not by itself */
	r->pipe->frags = fragments_new(&limits, 42, true);
	must(r->pipe->frags);
	rig_trace_all(r);
	r->now_ns = RIG_T0;
	r->t->hdr->t0_real_ns = RIG_T0;
}

static void fault(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

int rig_close(struct rig *r)
{
	uint32_t sh;
	int n = 0;

	for (sh = 0; sh < r->t->nshard; sh++)
		n += shard_check(r->t, sh, key_home, fault, NULL);
	n += rings_check(r->t, fault, NULL);
	fragments_free(r->pipe->frags);
	help_store_free(r->pipe->store);
	region_memory_free(r->t);
	free(r->pipe);
	r->t = NULL;
	return n;
}

/* ---- what came of it ---- */

static void rig_begin(struct rig *r)
{
	const struct ring_header *h = r->t->ring[0].hdr;

	r->nevents = 0;
	r->told = false;
	memcpy(r->before, h->counter, sizeof(r->before));
	rig_policy(r);
}

static void rig_events(struct rig *r, uint64_t at)
{
	const struct event_ring *g = &r->t->ring[0];

	while (at < g->hdr->tail) {
		const struct event_cell *c = &g->cell[at & g->mask];
		struct event_slot *to = &r->event[r->nevents];

		at += c->cells;
		if (c->type == EVENT_PAD)
			continue;
		must(r->nevents < RIG_EVENTS);
		memset(to, 0, sizeof(*to));
		memcpy(to, c, c->cells * sizeof(*c));
		r->nevents++;
	}
}

void rig_send(struct rig *r, struct pkt *p)
{
	struct ring_header *h = r->t->ring[0].hdr;
	uint64_t tail = h->tail, told = h->trace_tail;

	p->ts_ns = r->now_ns;
	p->frame = ++r->frame;
	rig_begin(r);
	pipeline_batch(r->pipe, p, 1);
	rcud_leave(r->t);
	rig_events(r, tail);
	r->told = h->trace_tail != told;
	if (r->told)
		r->rec = *table_trace(r->t, 0, h->trace_tail - 1);
}

static void rig_clock(struct rig *r)
{
	r->pipe->clock_ns = r->now_ns;
	shm_store(&r->t->hdr->clock_ns, r->now_ns);
}

void rig_sweep(struct rig *r)
{
	uint64_t tail = r->t->ring[0].hdr->tail, swept = r->pipe->swept_ns;

	rig_begin(r);
	rig_clock(r);
	pipeline_sweep(r->pipe, r->now_ns);
	r->pipe->swept_ns = swept;
	rcud_leave(r->t);
	rig_events(r, tail);
}

static int rig_command(struct rig *r, const struct command *c)
{
	struct ring_header *h = r->t->ring[0].hdr;
	uint32_t number = h->commands_done;
	struct command *slot = &r->t->mlog->command[number % NCOMMAND];
	uint64_t tail = h->tail;

	rig_begin(r);
	rig_clock(r);
	*slot = *c;
	slot->number = (uint64_t)number + 1;
	must(commands_run(r->t, r->pipe->pol, 1) == 1);
	rcud_leave(r->t);
	rig_events(r, tail);
	return h->answer[number % NCOMMAND].error;
}

int rig_delete(struct rig *r, uint64_t id)
{
	return rig_command(r, &(struct command){.kind = COMMAND_DELETE,
	                                        .id = id,
	                                        .value = REASON_API});
}

int rig_mark(struct rig *r, uint64_t id, uint32_t mark)
{
	return rig_command(r, &(struct command){.kind = COMMAND_UPDATE,
	                                        .id = id,
	                                        .bits = COMMAND_F_MARK,
	                                        .value = mark,
	                                        .mask = UINT32_MAX});
}

/* ---- reading ---- */

static bool rig_alive(const struct rig *r, const struct conn_view *v)
{
	return !tick_expired(v->conn.deadline, table_tick_of(r->t, r->now_ns));
}

bool rig_find(const struct rig *r, const struct conn_lookup *k,
              struct conn_view *v)
{
	return conn_lookup(r->t, k, v) > 0 && rig_alive(r, v);
}

bool rig_find_id(const struct rig *r, uint64_t id, struct conn_view *v)
{
	return conn_read(r->t, conn_id_shard(id), conn_id_idx(id), v) > 0 &&
	       v->conn.gen == conn_id_gen(id) && rig_alive(r, v);
}

uint64_t rig_counter(const struct rig *r, unsigned int c)
{
	return r->t->ring[0].hdr->counter[c];
}

uint64_t rig_counted(const struct rig *r, unsigned int c)
{
	return rig_counter(r, c) - r->before[c];
}

unsigned int rig_counter_find(const char *name)
{
	unsigned int c;

	for (c = 0; c < CTR_COUNT; c++)
		if (!strcmp(counter_name((enum counter)c), name))
			return c;
	for (c = STATS_MIRROR; c < STATS_NAMED; c++)
		if (!strcmp(mirror_counter_name(c), name))
			return c;
	return STATS_SLOTS;
}

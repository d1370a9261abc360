/*
 * cmd_stats.c - counters, for all and by producer.
 *
 * Each producer counts for itself; totals are sums made here, so rows and
 * totals agree by construction.  What is no producer's counter (how many
 * connections there are, what was dropped before or behind the pipeline) is
 * added under the names of the same scheme.  Names with one prefix stand
 * together, so that a printer may nest them in one pass.
 */
#include "daemon/api/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/pkt/pkt.h"
#include "shm/atomic.h"
#include "shm/clock.h"

/* what one producer, or all of them, have counted */
struct sums {
	uint64_t counter[STATS_SLOTS];
	uint64_t interface, kernel, event_ring, subscriber;
	uint64_t traced;
	uint64_t count;
};

static void scope_add(struct scope *s, const char *name, uint64_t value)
{
	size_t n = s->msg.n_counter;

	if (n == STATS_NAMES)
		return;
	snprintf(s->name[n], NAME_LEN, "%s", name);
	ctshard__counter__init(&s->counter[n]);
	s->counter[n].name = s->name[n];
	s->counter[n].has_value = 1;
	s->counter[n].value = value;
	s->list[n] = &s->counter[n];
	s->msg.n_counter++;
}

static void scope_decode(struct scope *s, const struct sums *u)
{
	char name[NAME_LEN];
	unsigned int i;

	for (i = 0; i < PKT_NREASONS && i < STATS_DECODE; i++) {
		uint64_t n = u->counter[CTR_COUNT + i];

		if (i == PKT_OK || i == PKT_FRAGMENT)
			continue;
		snprintf(name, sizeof(name), "drops.decode.%s",
		         pkt_reason_name((enum pkt_reason)i));
		scope_add(s, name, n);
	}
}

static uint64_t elapsed_ns(const struct api *a)
{
	uint64_t end = a->ended_ns ? a->ended_ns : clock_mono_ns();

	return end > a->began_ns ? end - a->began_ns : 0;
}

static void scope_fill(struct scope *s, const struct api *a,
                       const struct sums *u)
{
	unsigned int i;

	ctshard__scope__init(&s->msg);
	s->msg.counter = s->list;
	scope_add(s, "elapsed_ns", elapsed_ns(a));
	for (i = 0; i < CTR_COUNT; i++) {
		if (i == CTR_TABLE_FULL) {
			scope_add(s, "trace.packets", u->traced);
			scope_add(s, "drops.interface", u->interface);
			scope_add(s, "drops.kernel_ring", u->kernel);
		}
		scope_add(s, counter_name((enum counter)i), u->counter[i]);
		if (i == CTR_FRAMES) {
			scope_add(s, "count", u->count);
			scope_add(s, "max",
			          a->policy.max ? a->policy.max : a->t->max);
		} else if (i == CTR_EVENT_DESTROY) {
			scope_add(s, "events.lost", u->event_ring);
		} else if (i == CTR_TABLE_FULL) {
			scope_add(s, "drops.event_ring", u->event_ring);
			scope_add(s, "drops.subscriber", u->subscriber);
			scope_decode(s, u);
		}
	}
	for (i = STATS_MIRROR; i < STATS_NAMED; i++)
		scope_add(s, mirror_counter_name(i), u->counter[i]);
}

static void sums_read(const struct api *a, uint32_t slot, struct sums *u)
{
	const struct ring_header *h = a->t->ring[slot].hdr;
	unsigned int i;

	memset(u, 0, sizeof(*u));
	if (!h)
		return;
	for (i = 0; i < STATS_SLOTS; i++)
		u->counter[i] = shm_load(&h->counter[i]);
	u->interface = shm_load(&h->drop_interface);
	u->kernel = shm_load(&h->drop_kernel);
	u->traced = shm_load(&h->trace_tail);
	u->event_ring = a->merge.lost[slot];
	if (slot >= a->t->nworker)
		return;
	/* the worker that a shard's packets are steered to */
	for (i = 0; i < a->t->nshard; i++)
		if (i * a->t->nworker / a->t->nshard == slot)
			u->count += shm_load(&a->t->shard[i].count);
}

static void sums_add(struct sums *to, const struct sums *u)
{
	unsigned int i;

	for (i = 0; i < STATS_SLOTS; i++)
		to->counter[i] += u->counter[i];
	to->interface += u->interface;
	to->kernel += u->kernel;
	to->traced += u->traced;
	to->event_ring += u->event_ring;
	to->count += u->count;
}

static bool sums_any(const struct sums *u)
{
	unsigned int i;

	for (i = 0; i < STATS_SLOTS; i++)
		if (u->counter[i])
			return true;
	return u->event_ring != 0;
}

static void stats_scope(struct stats *st, const struct api *a,
                        const struct sums *u, int worker)
{
	struct scope *s = &st->scope[st->n];

	scope_fill(s, a, u);
	s->msg.has_worker = 1;
	s->msg.worker = worker;
	st->list[st->n++] = &s->msg;
}

void stats_make(struct stats *st, const struct api *a, bool all)
{
	struct sums total, u;
	uint32_t i;

	memset(&total, 0, sizeof(total));
	total.subscriber = a->subscriber_lost;
	st->n = 1;
	for (i = 0; i < a->t->nworker; i++) {
		sums_read(a, i, &u);
		sums_add(&total, &u);
		stats_scope(st, a, &u, (int)i);
	}
	sums_read(a, SLOT_REAPER, &u);
	sums_add(&total, &u);
	if (all || sums_any(&u))
		stats_scope(st, a, &u, -1);
	scope_fill(&st->scope[0], a, &total);
	st->list[0] = &st->scope[0].msg;
}

static enum cmd_step stats_start(struct request *q, const Ctshard__Request *r)
{
	struct stats *st = calloc(1, sizeof(*st));
	Ctshard__Response m = CTSHARD__RESPONSE__INIT;

	(void)r;
	if (!st)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");
	stats_make(st, q->api, false);
	m.n_scope = st->n;
	m.scope = st->list;
	request_send(q, &m);
	free(st);
	return request_end(q);
}

const struct cmd cmd_stats = {
	.name = "stats",
	.body = CTSHARD__REQUEST__BODY_STATS,
	.start = stats_start,
};

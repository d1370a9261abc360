/*
 * sizing.c - see sizing.h.
 *
 * Rings and the log get what their defaults are of the whole, but no less than
 * a storm of a few ten thousand events needs; connections get the rest.
 */
#include "daemon/supervisor/sizing.h"

#include <inttypes.h>

#include "daemon/source/tap.h"
#include "shm/segment.h"

#define MIB         ((uint64_t)1 << 20)
#define RING_LEAST  (256ull << 10)
#define LOG_LEAST   MIB
#define TAP_LEAST   MIB
#define TABLE_LEAST 1024u
#define EXT_SHARE   16u

static uint64_t taps(const struct options *o, const struct conf *c,
                     uint64_t buffer)
{
	return (uint64_t)tap_bytes((int)buffer,
	                           (int)conf_number(c, "snaplen")) *
	       conf_number(c, "workers") * o->nifaces;
}

uint64_t sizing_bytes(const struct region_params *p, const struct options *o,
                      const struct conf *c, uint64_t buffer)
{
	uint64_t size[SEG_COUNT], sum = 0;
	unsigned int s;

	region_plan(p, size);
	for (s = 0; s < SEG_COUNT; s++)
		sum += s == SEG_TBL ? 0 : size[s];
	sum += region_bytes_per_conn(p, true) * p->max;
	sum += p->max / EXT_SHARE * sizeof(struct conn_ext);
	/* what waits for the rest of its datagram */
	sum += conf_number(c, "workers") *
	       (conf_number(c, "ipfrag_high_thresh") +
	        conf_number(c, "frag6_high_thresh"));
	return sum + (o->nifaces ? taps(o, c, buffer) : 0);
}

static uint64_t at_most(uint64_t want, uint64_t budget, uint64_t least)
{
	uint64_t v = least;

	while (v * 2 <= budget && v * 2 <= want)
		v *= 2;
	return v < want ? v : want;
}

bool sizing_fit(const struct region_params *p, const struct options *o,
                const struct conf *c, uint64_t budget, struct sizing *s)
{
	uint64_t workers = conf_number(c, "workers");
	uint64_t lo = TABLE_LEAST, hi = p->max, mid;
	struct region_params q = *p;

	if (hi < lo)
		hi = lo;
	q.ring_bytes = s->ring =
		at_most(p->ring_bytes, budget / 16 / (workers + 1), RING_LEAST);
	q.log_bytes = s->log = at_most(p->log_bytes, budget / 8, LOG_LEAST);
	s->buffer = 0;
	if (o->nifaces)
		s->buffer =
			at_most(conf_number(c, "capture.buffer"),
		                budget / 4 / workers / o->nifaces, TAP_LEAST);
	q.max = (uint32_t)lo;
	if (sizing_bytes(&q, o, c, s->buffer) > budget)
		return false;
	while (lo < hi) {
		mid = lo + (hi - lo + 1) / 2;
		q.max = (uint32_t)mid;
		if (sizing_bytes(&q, o, c, s->buffer) <= budget)
			lo = mid;
		else
			hi = mid - 1;
	}
	q.max = (uint32_t)lo;
	s->max = lo;
	s->bytes = sizing_bytes(&q, o, c, s->buffer);
	return true;
}

static void line(const struct sizing *s, FILE *to)
{
	fprintf(to,
	        " max=%" PRIu64 " event.ring=%" PRIu64 " event.log=%" PRIu64,
	        s->max, s->ring, s->log);
	if (s->buffer)
		fprintf(to, " capture.buffer=%" PRIu64, s->buffer);
	fprintf(to, "\n");
}

void sizing_print(const struct region_params *p, const struct options *o,
                  const struct conf *c, uint64_t available, FILE *to)
{
	static const uint64_t machines[] = {1024 * MIB, 256 * MIB, 64 * MIB,
	                                    16 * MIB};
	uint64_t need = sizing_bytes(
		p, o, c, o->nifaces ? conf_number(c, "capture.buffer") : 0);
	struct sizing s;
	size_t i;

	fprintf(to,
	        "needs %" PRIu64 ", if all connections are IPv6 and the room "
	        "for fragments is full; available %" PRIu64 "\n",
	        need, available);
	if (need > available) {
		fprintf(to, "does not fit");
		if (sizing_fit(p, o, c, available / 2, &s)) {
			fprintf(to, "; half of it holds");
			line(&s, to);
		} else {
			fprintf(to, "\n");
		}
	}
	for (i = 0; i < ARRAY_SIZE(machines); i++) {
		if (machines[i] >= need)
			continue;
		fprintf(to, "in %" PRIu64 " MiB", machines[i] / MIB);
		if (sizing_fit(p, o, c, machines[i], &s))
			line(&s, to);
		else
			fprintf(to, " nothing\n");
	}
}

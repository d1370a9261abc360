/*
 * cmd_trace.c - trace: packets of one connection, one by one (shm/trace.h).
 *
 * A request takes one of the tuples that workers compare with, and follows all
 * their rings.  From a capture its packets are told by their frames' numbers,
 * whatever worker had them: one is told when no other worker can still have an
 * earlier one, which `done` of its ring says.  In a private instance workers
 * wait for the reader; elsewhere what was overwritten is counted and told.
 *
 * A ring's record is good if the tail, read behind the copy, has not come
 * round to it.
 */
#include "daemon/api/cmd.h"

#include <string.h>

#include "daemon/api/pb_trace.h"
#include "daemon/tracker/tracker.h"
#include "shm/atomic.h"

const struct cmd cmd_trace;

struct tracing {
	struct pb_trace rows;
	uint32_t place; /* of the tuple + 1, 0: none yet */
	uint32_t version;
	bool until_end;
	uint64_t lost; /* and not yet told */
	uint64_t cursor[NWORKER_MAX];
};

/* ---- what workers are asked for ---- */

/* Workers copy what stands between two equal and even versions. */
static uint32_t want_write(struct api *a, uint32_t on,
                           const struct trace_tuple *tuple, uint32_t place)
{
	struct trace_want *w = &a->t->mlog->trace;
	uint32_t version = (w->version + 1) | 1;

	shm_store(&w->version, version);
	shm_wmb();
	if (tuple)
		w->tuple[place] = *tuple;
	shm_store(&w->waits, a->env->private_instance);
	shm_store(&w->on, on);
	shm_store_release(&w->version, version + 1);
	return version + 1;
}

void traces_open(struct api *a)
{
	want_write(a, 0, NULL, 0);
}

static int net_take(struct trace_tuple *to, const Ctshard__Filter__Net *m,
                    struct policy_net *n, uint16_t ask)
{
	uint32_t bits, i;
	uint8_t addr[16] = {0}, mask[16] = {0};

	if (!m)
		return 0;
	if (!m->has_addr || (m->addr.len != 4 && m->addr.len != 16))
		return -1;
	bits = m->has_prefix ? m->prefix : (uint32_t)m->addr.len * 8;
	if (bits > m->addr.len * 8 ||
	    (to->asks & TRACE_FAMILY &&
	     (to->l3proto == 4) != (m->addr.len == 4)))
		return -1;
	for (i = 0; i < m->addr.len; i++) {
		uint32_t left = bits > i * 8 ? bits - i * 8 : 0;

		mask[i] = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
		addr[i] = m->addr.data[i] & mask[i];
	}
	memcpy(n->addr, addr, sizeof(n->addr));
	memcpy(n->mask, mask, sizeof(n->mask));
	to->asks |= ask | TRACE_FAMILY;
	to->l3proto = m->addr.len == 4 ? 4 : 6;
	return 0;
}

static int range_take(struct trace_tuple *to, const Ctshard__Filter__Range *m,
                      struct policy_range *r, uint16_t ask)
{
	uint32_t end;

	if (!m)
		return 0;
	end = m->has_to ? m->to : m->from;
	if (!m->has_from || end > UINT16_MAX || m->from > end)
		return -1;
	r->from = (uint16_t)m->from;
	r->to = (uint16_t)end;
	to->asks |= ask;
	return 0;
}

/* Does it ask for what a packet alone cannot tell? */
static bool filter_more(const Ctshard__Filter *m)
{
	Ctshard__Filter rest = *m;

	rest.has_l3 = rest.has_protonum = rest.has_icmp_id = rest.has_zone = 0;
	rest.orig_src = rest.orig_dst = NULL;
	rest.sport = rest.dport = NULL;
	return ctshard__filter__get_packed_size(&rest) != 0;
}

static const char *tuple_take(struct trace_tuple *to, const Ctshard__Filter *m)
{
	memset(to, 0, sizeof(*to));
	if (!m)
		return NULL;
	if (filter_more(m))
		return "only family, protocol, source, destination, ports, "
		       "icmp id and zone";
	if (m->has_l3) {
		if (m->l3 != 4 && m->l3 != 6)
			return "no such family";
		to->asks |= TRACE_FAMILY;
		to->l3proto = (uint8_t)m->l3;
	}
	if ((m->has_protonum && m->protonum > UINT8_MAX) ||
	    (m->has_icmp_id && m->icmp_id > UINT16_MAX) ||
	    (m->has_zone && m->zone > UINT16_MAX))
		return "a number is too large";
	to->asks |= (m->has_protonum ? TRACE_PROTO : 0) |
	            (m->has_icmp_id ? TRACE_ID : 0) |
	            (m->has_zone ? TRACE_ZONE : 0);
	to->l4proto = (uint8_t)m->protonum;
	to->id = (uint16_t)m->icmp_id;
	to->zone = (uint16_t)m->zone;
	if (net_take(to, m->orig_src, &to->src, TRACE_SRC) ||
	    net_take(to, m->orig_dst, &to->dst, TRACE_DST))
		return "bad address";
	if (range_take(to, m->sport, &to->sport, TRACE_SPORT) ||
	    range_take(to, m->dport, &to->dport, TRACE_DPORT))
		return "bad port";
	return NULL;
}

/* ---- rings ---- */

static uint64_t ring_tail(const struct table *t, uint32_t slot)
{
	return t->ring[slot].hdr
	               ? shm_load_acquire(&t->ring[slot].hdr->trace_tail)
	               : 0;
}

/* One untorn copy; false: it was written over. */
static bool rec_copy(const struct table *t, uint32_t slot, uint64_t pos,
                     struct trace_rec *rec)
{
	*rec = *table_trace(t, slot, pos);
	shm_rmb();
	return pos + TRACE_RECORDS > ring_tail(t, slot);
}

/* The ring's first record for this request, at its cursor then. */
static bool ring_head(struct tracing *s, const struct table *t, uint32_t slot,
                      struct trace_rec *rec)
{
	uint64_t tail = ring_tail(t, slot), *c = &s->cursor[slot];
	uint32_t bit = 1u << (s->place - 1);

	while (*c < tail) {
		if (!rec_copy(t, slot, *c, rec)) {
			/* well ahead: its edge would be gone at once */
			uint64_t to = ring_tail(t, slot) - TRACE_RECORDS / 2;

			s->lost += to - *c;
			*c = to;
			tail = ring_tail(t, slot);
			continue;
		}
		if (rec->seq == *c + 1 && rec->tuples & bit &&
		    (int32_t)(rec->version - s->version) >= 0)
			return true;
		++*c;
	}
	return false;
}

/* Up to which frame a worker has told all that it has to tell. */
static uint64_t ring_done(const struct table *t, uint32_t slot)
{
	const struct ring_header *h = t->ring[slot].hdr;

	if (!h)
		return UINT64_MAX;
	return shm_load_acquire(&h->ended) ? UINT64_MAX
	                                   : shm_load_acquire(&h->done);
}

/* The next packet in order; false: there is none, or it is not yet known. */
static bool trace_next(const struct request *q, struct tracing *s,
                       struct trace_rec *next)
{
	const struct table *t = q->api->t;
	bool live = q->api->env->live;
	uint64_t least = UINT64_MAX, done = UINT64_MAX;
	uint32_t i, from = 0;

	for (i = 0; i < t->nworker; i++) {
		/* before the tail: what it covers is then seen */
		uint64_t d = live ? UINT64_MAX : ring_done(t, i);
		struct trace_rec rec;
		uint64_t at;

		if (!t->ring[i].hdr)
			continue;
		if (!ring_head(s, t, i, &rec)) {
			done = d < done ? d : done;
			continue;
		}
		at = live ? rec.ts_ns : rec.frame;
		if (at >= least)
			continue;
		least = at;
		from = i;
		*next = rec;
	}
	if (least == UINT64_MAX || least > done)
		return false;
	s->cursor[from]++;
	return true;
}

struct least {
	uint32_t slot;
	uint64_t cursor;
};

static bool least_taken(void *arg, const struct request *q)
{
	const struct tracing *s = q->state;
	struct least *l = arg;

	if (q->cmd == &cmd_trace && !q->ended && s->place &&
	    s->cursor[l->slot] < l->cursor)
		l->cursor = s->cursor[l->slot];
	return true;
}

/* workers of a capture wait by these */
static void taken_tell(struct api *a)
{
	uint32_t i;

	for (i = 0; i < a->t->nworker && i < NWORKER_MAX; i++) {
		struct least l = {i, ring_tail(a->t, i)};

		requests_each(a, least_taken, &l);
		shm_store(&a->t->mlog->trace_taken[i], l.cursor);
	}
}

/* ---- the command ---- */

static void trace_send(struct request *q, struct tracing *s)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;

	if (!s->rows.n)
		return;
	r.n_trace = s->rows.n;
	r.trace = s->rows.line;
	q->sent += s->rows.n;
	request_send(q, &r);
}

static enum cmd_step trace_step(struct request *q)
{
	struct tracing *s = q->state;
	const struct ring_header *broken;
	/* the flags first: what they cover is then seen */
	bool ended = s->until_end && capture_ended(q->api->t, &broken);
	struct trace_rec rec;
	bool more = true;

	s->rows.n = 0;
	while (s->rows.n < PB_TRACES - 1) {
		more = trace_next(q, s, &rec);
		if (s->lost) {
			pb_trace_lost(&s->rows, s->lost);
			q->lost += s->lost;
			s->lost = 0;
		}
		if (!more)
			break;
		pb_trace_add(&s->rows, &rec);
		more = true;
	}
	trace_send(q, s);
	taken_tell(q->api);
	if (more)
		return CMD_MORE;
	return ended ? request_end(q) : CMD_WAIT;
}

static enum cmd_step trace_start(struct request *q, const Ctshard__Request *r)
{
	struct tracing *s = q->state;
	struct api *a = q->api;
	uint32_t on = a->t->mlog->trace.on, place = 0, i;
	struct trace_tuple tuple;
	const char *bad = tuple_take(&tuple, r->trace->filter);

	if (bad)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "trace: %s", bad);
	if (a->env->live && !request_peer(q)->control)
		return request_fail(q, CTSHARD__ERROR_CODE__DENIED,
		                    "trace: permission denied: it slows down "
		                    "workers, so it goes over control.sock");
	if (a->env->live && !tuple.asks)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "trace: which packets? All of an "
		                    "interface are too many");
	s->until_end = r->trace->has_until_end && r->trace->until_end;
	if (s->until_end && a->env->live)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "trace: interfaces have no end");
	while (place < TRACE_TUPLES && on & 1u << place)
		place++;
	if (place == TRACE_TUPLES)
		return request_fail(q, CTSHARD__ERROR_CODE__BUSY,
		                    "trace: %u are under way already",
		                    TRACE_TUPLES);
	if (pb_trace_init(&s->rows, a->t, &a->policy, a->env->live))
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "trace: out of memory");
	for (i = 0; i < a->t->nworker && i < NWORKER_MAX; i++)
		s->cursor[i] = ring_tail(a->t, i);
	s->place = place + 1;
	q->tracing = true;
	taken_tell(a);
	s->version = want_write(a, on | 1u << place, &tuple, place);
	return trace_step(q);
}

static void trace_stop(struct request *q)
{
	struct tracing *s = q->state;
	struct api *a = q->api;

	if (!s->place)
		return;
	want_write(a, a->t->mlog->trace.on & ~(1u << (s->place - 1)), NULL, 0);
	s->place = 0;
	taken_tell(a);
	pb_trace_free(&s->rows);
}

const struct cmd cmd_trace = {
	.name = "trace",
	.body = CTSHARD__REQUEST__BODY_TRACE,
	.state = sizeof(struct tracing),
	.start = trace_start,
	.step = trace_step,
	.stop = trace_stop,
};

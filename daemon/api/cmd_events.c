/*
 * cmd_events.c - watch: a subscriber is a position in the log and a filter.
 *
 * Nothing is kept for a subscriber: one that is slow finds its place
 * overwritten and is told so by one GAP with exact numbers.  A filter never
 * hides a GAP.  Numbers of events only grow along the log, so a number to
 * resume from is found by bisection.
 *
 * A snapshot: the number G of the newest event is taken first, then the table
 * is walked, then events after G follow.  A row may already contain events
 * after G: it carries the number of its shard's newest event, read before the
 * row was copied, and its version, so a follower drops what it has.
 *
 * Audits have no number of their own.  Who wants them and comes back may be
 * told of those around its number again, and misses none.
 */
#include "daemon/api/cmd.h"

#include <string.h>

#include "shm/atomic.h"
#include "shm/clock.h"

#define TYPES_ALL (~0u)

/* A subscriber that is told of little must not come back with a number that is
 * long gone: it is told where it stands so often, and before an eighth of the
 * log has passed. */
#define POSITION_NS NS_PER_S

struct watching {
	struct filter *filter;
	uint32_t types;
	uint64_t seq;  /* number of the last event that was passed */
	bool snapshot; /* rows are still to be told */
	bool until_end;
	bool brief;   /* without details */
	bool foreign; /* resumes from a number of another segment */
	bool positions;
	bool audits;
	uint64_t told; /* the last number that went out */
	uint64_t told_ns;
	uint64_t snapshot_seq;
	struct conn_walk walk;
	struct uses uses;
};

static bool type_wanted(const struct watching *w, uint8_t type)
{
	static const uint8_t message[] = {
		[EVENT_NEW] = CTSHARD__EVENT_TYPE__NEW,
		[EVENT_UPDATE] = CTSHARD__EVENT_TYPE__UPDATE,
		[EVENT_DESTROY] = CTSHARD__EVENT_TYPE__DESTROY,
	};

	return type < ARRAY_SIZE(message) && message[type] &&
	       (w->types & 1u << message[type]);
}

static uint64_t slot_before(const struct event_slot *s)
{
	if (s->cell.type == EVENT_GAP)
		return s->cell.gseq - s->cell.id;
	return s->cell.gseq - event_numbered(s->cell.type);
}

/* Skips what is no longer there: events w->seq + 1 up to the one before the
 * oldest slot were overwritten, or never stood in this log. */
static void watch_catch_up(struct request *q, struct watching *w)
{
	const struct merge *m = &q->api->merge;
	uint64_t oldest = merge_oldest(m), before;

	if (q->pos < oldest)
		q->pos = oldest;
	before = q->pos < m->tail ? slot_before(merge_at(m, q->pos)) : m->gseq;
	if (w->foreign) {
		/* what the other one told after `since` nobody knows */
		pb_gap(&q->api->pb, w->seq, before + 1, "log");
		w->foreign = false;
		w->seq = w->told = before;
		return;
	}
	if (before <= w->seq)
		return;
	pb_gap(&q->api->pb, w->seq, before + 1, "log");
	q->lost += before - w->seq;
	q->api->subscriber_lost += before - w->seq;
	w->seq = w->told = before;
}

/* Where it stands, if that has not been told for long. */
static void watch_position(struct request *q, struct watching *w)
{
	struct pb *b = &q->api->pb;
	uint64_t now;

	if (!w->positions || w->seq == w->told || pb_full(b) ||
	    q->api->packed.n)
		return;
	now = clock_mono_ns();
	if (now - w->told_ns < POSITION_NS &&
	    w->seq - w->told <= q->api->t->log_mask / 8)
		return;
	pb_position(b, w->seq);
	w->told = w->seq;
	w->told_ns = now;
}

static bool watch_over(const struct request *q, const struct watching *w)
{
	const struct ring_header *broken;

	/* the flags first: events that they cover are then seen as pending */
	return w->until_end && capture_ended(q->api->t, &broken) &&
	       !merge_pending(&q->api->merge) && q->pos == q->api->merge.tail;
}

/* One slot into one of the two batches.  False: it must wait for the next step,
 * since the other batch, which stands before it, has begun. */
static bool watch_slot(struct request *q, struct watching *w,
                       const struct event_slot *s)
{
	struct api *a = q->api;
	bool always = s->cell.type == EVENT_GAP ||
	              (s->cell.type == EVENT_AUDIT && w->audits);

	/* before the place that it came back to, and known */
	if (event_numbered(s->cell.type) && s->cell.gseq <= w->seq) {
		q->pos++;
		return true;
	}
	if (always || (type_wanted(w, s->cell.type) &&
	               filter_event(w->filter, &a->policy, s))) {
		if (always || a->pb.n ||
		    !packed_add(&a->packed, &a->pb, q->pos, s)) {
			if (a->packed.n)
				return false;
			pb_event(&a->pb, s);
		}
		w->told = s->cell.gseq;
	}
	if (s->cell.gseq > w->seq)
		w->seq = s->cell.gseq;
	q->pos++;
	return true;
}

static enum cmd_step watch_follow(struct request *q)
{
	struct watching *w = q->state;
	struct api *a = q->api;
	uint32_t look;

	pb_begin(&a->pb);
	a->pb.brief = w->brief;
	packed_begin(&a->packed);
	watch_catch_up(q, w);
	for (look = 0; look < CMD_LOOK && q->pos != a->merge.tail; look++)
		if (pb_full(&a->pb) || packed_full(&a->packed) ||
		    !watch_slot(q, w, merge_at(&a->merge, q->pos)))
			break;
	watch_position(q, w);
	request_send_packed(q);
	request_send_rows(q);
	if (q->pos < a->merge.tail)
		return CMD_MORE;
	return watch_over(q, w) ? request_end(q) : CMD_WAIT;
}

static enum cmd_step watch_snapshot(struct request *q)
{
	struct watching *w = q->state;
	struct api *a = q->api;
	uint64_t shard_seq[NSHARD];
	struct conn_view v;
	uint32_t look, i;

	pb_begin(&a->pb);
	if (!uses_step(&w->uses, a->t, CMD_LOOK, a->pb.now))
		return CMD_MORE;
	a->pb.uses = &w->uses;
	a->pb.brief = w->brief;
	/* read before any row of this step is copied; too low does no harm */
	for (i = 0; i < a->t->nshard; i++)
		shard_seq[i] = shm_load_acquire(&a->t->shard[i].ev_seq);
	for (look = 0; look < CMD_LOOK && !pb_full(&a->pb); look++) {
		if (!conn_walk(a->t, &w->walk, &v)) {
			pb_list_end(&a->pb, w->snapshot_seq);
			w->snapshot = false;
			break;
		}
		if (!pb_expired(&a->pb, &v) &&
		    filter_view(w->filter, &a->policy, &v, a->t->detail))
			pb_list(&a->pb, &v, shard_seq[v.shard]);
	}
	request_send_rows(q);
	return CMD_MORE;
}

static enum cmd_step watch_step(struct request *q)
{
	const struct watching *w = q->state;

	return w->snapshot ? watch_snapshot(q) : watch_follow(q);
}

static bool same_segment(const struct request *q, const Ctshard__Watch *m)
{
	return !m->has_uuid ||
	       (m->uuid.len == sizeof(q->api->t->hdr->uuid) &&
	        !memcmp(m->uuid.data, q->api->t->hdr->uuid, m->uuid.len));
}

/* Where to begin, and after which number. */
static void watch_place(struct request *q, struct watching *w,
                        const Ctshard__Watch *m)
{
	const struct merge *g = &q->api->merge;

	q->pos = g->tail;
	w->seq = g->gseq;
	if (w->snapshot)
		return;
	if (m->has_since && same_segment(q, m)) {
		w->seq = m->since;
		q->pos = merge_find(g, w->audits && m->since ? m->since - 1
		                                             : m->since);
	} else if (m->has_since) {
		/* all that this segment has told is news to it */
		w->foreign = true;
		w->seq = m->since;
		q->pos = merge_oldest(g);
	} else if (m->has_from_start && m->from_start) {
		w->seq = 0;
		q->pos = merge_oldest(g);
	}
}

static enum cmd_step watch_start(struct request *q, const Ctshard__Request *r)
{
	const Ctshard__Watch *m = r->watch;
	struct watching *w = q->state;

	if (!request_filter(q, &w->filter, m->filter))
		return CMD_DONE;
	if (m->has_since && same_segment(q, m) && m->since > q->api->merge.gseq)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "watch: event %llu is still to come, the "
		                    "newest is %llu",
		                    (unsigned long long)m->since,
		                    (unsigned long long)q->api->merge.gseq);
	if (m->has_until_end && m->until_end && q->api->env->live)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "watch: interfaces have no end");
	w->types = m->has_types && m->types ? m->types : TYPES_ALL;
	w->audits = m->has_types && m->types & 1u << CTSHARD__EVENT_TYPE__AUDIT;
	w->until_end = m->has_until_end && m->until_end;
	w->brief = m->has_brief && m->brief;
	w->positions = m->has_positions && m->positions;
	w->snapshot = m->has_snapshot && m->snapshot;
	watch_place(q, w, m);
	w->snapshot_seq = q->api->merge.gseq;
	w->told = w->seq;
	w->told_ns = clock_mono_ns();
	q->watching = true;
	q->pins = w->until_end;
	return watch_step(q);
}

static void watch_stop(struct request *q)
{
	struct watching *w = q->state;

	uses_free(&w->uses);
	filter_free(w->filter);
}

const struct cmd cmd_watch = {
	.name = "watch",
	.body = CTSHARD__REQUEST__BODY_WATCH,
	.state = sizeof(struct watching),
	.start = watch_start,
	.step = watch_step,
	.stop = watch_stop,
};

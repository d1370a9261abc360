/*
 * cmd_expect.c - expectations: the table as it is, and events.
 *
 * Their records stand in the same log as those of connections, but have
 * numbers of their own, without holes.  So a number to go on from needs no
 * look-up: the log is gone through from its oldest slot, what has a number up
 * to it is passed over, and a number that is more than one ahead is a GAP.
 *
 * They are forgotten as connections are: one by one, by the reaper.
 */
#include "daemon/api/change.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/expect_row.h"
#include "shm/clock.h"

/* what of a filter means something here; 0 = any */
struct expect_filter {
	uint32_t l3, protonum;
};

static bool filter_take(struct request *q, struct expect_filter *f,
                        const Ctshard__Filter *m)
{
	Ctshard__Filter rest;

	if (!m)
		return true;
	f->l3 = m->has_l3 ? m->l3 : 0;
	f->protonum = m->has_protonum ? m->protonum : 0;
	rest = *m;
	rest.has_l3 = rest.has_protonum = 0;
	if (!protobuf_c_message_get_packed_size(&rest.base))
		return true;
	request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
	             "%s: expectations are chosen by family and protocol alone",
	             q->cmd->name);
	return false;
}

static bool filter_fits(const struct expect_filter *f, const struct expect *e)
{
	return (!f->l3 || f->l3 == (e->v6 ? 6u : 4u)) &&
	       (!f->protonum || f->protonum == e->l4proto);
}

static struct expect_rows *rows_new(struct request *q)
{
	struct expect_rows *b = malloc(sizeof(*b));

	if (b)
		expect_rows_begin(b);
	else
		request_fail(q, CTSHARD__ERROR_CODE__FAILED, "out of memory");
	return b;
}

static void rows_send(struct request *q, struct expect_rows *b)
{
	if (!b->n)
		return;
	q->sent += b->n;
	request_send(q, expect_rows_response(b));
	expect_rows_begin(b);
}

/* ---- list ---- */

struct listing {
	struct conn_walk walk;
	struct expect_filter filter;
	struct expect_rows *rows;
	uint64_t limit;
};

/* Expired ones are gone, whether the reaper has come by or not. */
static enum cmd_step expect_list_step(struct request *q)
{
	struct listing *l = q->state;
	const struct table *t = q->api->t;
	struct expect_rows *b = l->rows;
	uint32_t now = table_now(t);
	struct expect e;
	int64_t left;

	while (!expect_rows_full(b)) {
		if ((l->limit && q->sent + b->n >= l->limit) ||
		    !expect_walk(t, &l->walk, &e)) {
			rows_send(q, b);
			return request_end(q);
		}
		left = tick_left(e.deadline, now);
		if (left > 0 && filter_fits(&l->filter, &e))
			expect_rows_list(b, &q->api->policy, &e,
			                 (uint64_t)left);
	}
	rows_send(q, b);
	return CMD_MORE;
}

static enum cmd_step expect_list_start(struct request *q,
                                       const Ctshard__Request *r)
{
	const Ctshard__List *m = r->expect_list->list;
	struct listing *l = q->state;

	if (m && !filter_take(q, &l->filter, m->filter))
		return CMD_DONE;
	l->limit = m && m->has_limit ? m->limit : 0;
	l->rows = rows_new(q);
	return l->rows ? expect_list_step(q) : CMD_DONE;
}

static void expect_list_stop(struct request *q)
{
	struct listing *l = q->state;

	free(l->rows);
}

const struct cmd cmd_expect_list = {
	.name = "expect list",
	.body = CTSHARD__REQUEST__BODY_EXPECT_LIST,
	.state = sizeof(struct listing),
	.start = expect_list_start,
	.step = expect_list_step,
	.stop = expect_list_stop,
};

/* ---- count ---- */

struct counting {
	struct conn_walk walk;
	struct expect_filter filter;
	uint64_t n;
};

/* Is it one that a list would have? */
static bool expect_wanted(const struct request *q,
                          const struct expect_filter *f, const struct expect *e)
{
	return tick_left(e->deadline, table_now(q->api->t)) > 0 &&
	       filter_fits(f, e);
}

static enum cmd_step expect_count_step(struct request *q)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__CountRow row = CTSHARD__COUNT_ROW__INIT, *p = &row;
	struct counting *c = q->state;
	struct expect e;
	uint32_t look;

	for (look = 0; look < CMD_LOOK; look++) {
		if (!expect_walk(q->api->t, &c->walk, &e)) {
			row.has_count = 1;
			row.count = c->n;
			r.n_count = 1;
			r.count = &p;
			request_send(q, &r);
			return request_end(q);
		}
		c->n += expect_wanted(q, &c->filter, &e);
	}
	return CMD_MORE;
}

static enum cmd_step expect_count_start(struct request *q,
                                        const Ctshard__Request *r)
{
	const Ctshard__Count *m = r->expect_count->count;
	struct counting *c = q->state;

	if (m && m->by && *m->by)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "expect count: it is one number");
	if (m && !filter_take(q, &c->filter, m->filter))
		return CMD_DONE;
	return expect_count_step(q);
}

const struct cmd cmd_expect_count = {
	.name = "expect count",
	.body = CTSHARD__REQUEST__BODY_EXPECT_COUNT,
	.state = sizeof(struct counting),
	.start = expect_count_start,
	.step = expect_count_step,
};

/* ---- flush ---- */

struct flushing {
	struct change change; /* first: what answers look at */
	struct expect_filter filter;
};

static enum cmd_step expect_flush_step(struct request *q)
{
	struct flushing *f = q->state;
	struct change *c = &f->change;
	bool rang = false;
	struct expect e;
	uint32_t look;

	for (look = 0; !c->walked && look < CMD_LOOK && change_room(q);
	     look++) {
		if (!expect_walk(q->api->t, &c->walk, &e)) {
			c->walked = true;
		} else if (expect_wanted(q, &f->filter, &e)) {
			c->command.id = e.id;
			change_post(q, &c->command, NULL);
			rang = true;
		}
	}
	if (rang)
		role_ring(q->api->env->fd[ROLE_FD_bell_reaper]);
	if (c->walked && !c->under_way)
		return change_end(q);
	return !c->walked && change_room(q) ? CMD_MORE : CMD_WAIT;
}

static enum cmd_step expect_flush_start(struct request *q,
                                        const Ctshard__Request *r)
{
	struct flushing *f = q->state;

	f->filter.l3 = r->expect_flush->has_l3 ? r->expect_flush->l3 : 0;
	f->change.command.kind = COMMAND_EXPECT_DELETE;
	f->change.what = "expectations";
	return expect_flush_step(q);
}

const struct cmd cmd_expect_flush = {
	.name = "expect flush",
	.body = CTSHARD__REQUEST__BODY_EXPECT_FLUSH,
	.control = true,
	.state = sizeof(struct flushing),
	.start = expect_flush_start,
	.step = expect_flush_step,
	.stop = change_stop,
};

/* ---- watch ---- */

struct watching {
	struct expect_filter filter;
	struct expect_rows *rows;
	uint32_t types;
	uint64_t seq; /* number of the last event that was passed */
	bool foreign; /* it is a number of another segment */
	bool until_end;
};

static bool type_wanted(const struct watching *w, uint8_t type)
{
	return w->types &
	       1u << (type == EVENT_EXP_NEW ? CTSHARD__EVENT_TYPE__NEW
	                                    : CTSHARD__EVENT_TYPE__DESTROY);
}

/* The next that is seen has the number `next`: says what is missing. */
static void watch_reach(struct request *q, struct watching *w, uint64_t next)
{
	if (!w->foreign && next <= w->seq + 1)
		return;
	expect_rows_gap(w->rows, w->seq, next);
	if (!w->foreign) {
		q->lost += next - w->seq - 1;
		q->api->subscriber_lost += next - w->seq - 1;
	}
	w->foreign = false;
	w->seq = next - 1;
}

static void watch_slot(struct request *q, struct watching *w,
                       const struct event_slot *s)
{
	struct expect e;

	if (!event_of_expect(s->cell.type) ||
	    (s->cell.shard_seq <= w->seq && !w->foreign))
		return;
	watch_reach(q, w, s->cell.shard_seq);
	w->seq = s->cell.shard_seq;
	expect_of_event(s, &e);
	if (type_wanted(w, s->cell.type) && filter_fits(&w->filter, &e))
		expect_rows_event(w->rows, &q->api->policy, s);
}

static bool watch_over(const struct request *q, const struct watching *w)
{
	const struct ring_header *broken;

	/* the flags first: events that they cover are then seen as pending */
	return w->until_end && capture_ended(q->api->t, &broken) &&
	       !merge_pending(&q->api->merge) && q->pos == q->api->merge.tail;
}

static enum cmd_step expect_watch_step(struct request *q)
{
	struct watching *w = q->state;
	const struct merge *m = &q->api->merge;
	uint32_t look;

	if (q->pos < merge_oldest(m))
		q->pos = merge_oldest(m);
	/* a slot may give two rows: a GAP and itself */
	for (look = 0; look < CMD_LOOK && w->rows->n + 2 <= EXPECT_ROWS &&
	               q->pos < m->tail;
	     look++)
		watch_slot(q, w, merge_at(m, q->pos++));
	if (q->pos == m->tail && !expect_rows_full(w->rows))
		watch_reach(q, w, m->next[STREAM_EXPECT]);
	rows_send(q, w->rows);
	if (q->pos < m->tail)
		return CMD_MORE;
	return watch_over(q, w) ? request_end(q) : CMD_WAIT;
}

/* Where to begin, and after which number. */
static void watch_place(struct request *q, struct watching *w,
                        const Ctshard__Watch *m)
{
	const struct merge *g = &q->api->merge;
	const struct tbl_header *h = q->api->t->hdr;
	bool since = m->has_since, start = m->has_from_start && m->from_start;

	w->foreign = since && m->has_uuid &&
	             (m->uuid.len != sizeof(h->uuid) ||
	              memcmp(m->uuid.data, h->uuid, sizeof(h->uuid)) != 0);
	w->seq = since ? m->since : start ? 0 : g->next[STREAM_EXPECT] - 1;
	q->pos = since || start ? merge_oldest(g) : g->tail;
}

static const char *watch_refused(const struct request *q,
                                 const struct watching *w,
                                 const Ctshard__Watch *m)
{
	if (m->has_snapshot && m->snapshot)
		return "there is no snapshot of expectations";
	if (w->until_end && q->api->env->live)
		return "interfaces have no end";
	if (!w->foreign && w->seq >= q->api->merge.next[STREAM_EXPECT])
		return "this event is still to come";
	return NULL;
}

static enum cmd_step expect_watch_start(struct request *q,
                                        const Ctshard__Request *r)
{
	static const Ctshard__Watch none = CTSHARD__WATCH__INIT;
	const Ctshard__Watch *m =
		r->expect_watch->watch ? r->expect_watch->watch : &none;
	struct watching *w = q->state;
	const char *why;

	if (!filter_take(q, &w->filter, m->filter))
		return CMD_DONE;
	w->types = m->has_types && m->types ? m->types : ~0u;
	w->until_end = m->has_until_end && m->until_end;
	watch_place(q, w, m);
	why = watch_refused(q, w, m);
	if (why)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "expect watch: %s", why);
	w->rows = rows_new(q);
	if (!w->rows)
		return CMD_DONE;
	if (!m->has_since && !(m->has_from_start && m->from_start))
		expect_rows_begun(w->rows, w->seq);
	q->watching = true;
	q->pins = w->until_end;
	return expect_watch_step(q);
}

static void expect_watch_stop(struct request *q)
{
	struct watching *w = q->state;

	free(w->rows);
}

const struct cmd cmd_expect_watch = {
	.name = "expect watch",
	.body = CTSHARD__REQUEST__BODY_EXPECT_WATCH,
	.state = sizeof(struct watching),
	.start = expect_watch_start,
	.step = expect_watch_step,
	.stop = expect_watch_stop,
};

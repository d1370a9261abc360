/*
 * cmd_history.c - history: connections that have ended, from disk.
 *
 * The recorder writes the file; here it is read by place, without a lock, and
 * what does not fit its number and sum is stepped over (history.h).  The
 * places are walked in the order in which connections ended.
 */
#include "daemon/api/cmd_history.h"

#include <limits.h>
#include <stdlib.h>

#include "daemon/base/history.h"
#include "daemon/base/log.h"

#define PAST_RECORDS 64u
_Static_assert(PAST_RECORDS <= PB_ROWS, "what was read has room");

struct past {
	struct filter *filter;
	uint64_t since_ns, until_ns;
	uint64_t limit;
	uint64_t at, end;
};

void history_setup(struct api *a, const struct role_env *e)
{
	char path[PATH_MAX + 16], err[HISTORY_ERR];
	struct history *h;

	if (!conf_number(e->conf, "history") || e->private_instance)
		return;
	role_file(e, "history_file", "history", path, sizeof(path));
	h = calloc(1, sizeof(*h));
	if (h && !history_look(h, path, err)) {
		a->history = h;
		return;
	}
	log_warnx("api", "%s", h ? err : "out of memory");
	free(h);
}

static bool past_match(const struct request *q, const struct history_record *r)
{
	const struct past *p = q->state;

	return r->slot.cell.ts_ns >= p->since_ns &&
	       r->start_ns <= p->until_ns &&
	       filter_event(p->filter, &q->api->policy, &r->slot);
}

static enum cmd_step past_end(struct request *q)
{
	request_send_rows(q);
	return request_end(q);
}

static enum cmd_step past_step(struct request *q)
{
	struct history_record r[PAST_RECORDS];
	struct past *p = q->state;
	struct api *a = q->api;
	uint32_t look;
	size_t i, n, got;

	pb_begin(&a->pb);
	for (look = 0; look < CMD_LOOK && a->pb.n + PAST_RECORDS <= PB_ROWS;
	     look += (uint32_t)n) {
		if (p->at >= p->end)
			return past_end(q);
		n = PAST_RECORDS;
		if (n > p->end - p->at)
			n = (size_t)(p->end - p->at);
		n = history_read(a->history, p->at, r, n, &got);
		p->at += n;
		for (i = 0; i < got; i++) {
			if (!past_match(q, &r[i]))
				continue;
			pb_ended(&a->pb, &r[i].slot, r[i].start_ns);
			if (p->limit && q->sent + a->pb.n >= p->limit)
				return past_end(q);
		}
	}
	request_send_rows(q);
	return CMD_MORE;
}

static enum cmd_step past_start(struct request *q, const Ctshard__Request *r)
{
	const Ctshard__History *m = r->history;
	struct past *p = q->state;
	struct history *h = q->api->history;

	if (!h)
		return request_fail(q, CTSHARD__ERROR_CODE__UNSUPPORTED,
		                    "no history is kept: set history = SIZE");
	if (history_refresh(h))
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "the history's header is damaged");
	if (!request_filter(q, &p->filter, m->filter))
		return CMD_DONE;
	p->since_ns = m->has_since_ns ? m->since_ns : 0;
	p->until_ns = m->has_until_ns ? m->until_ns : UINT64_MAX;
	p->limit = m->has_limit ? m->limit : 0;
	p->at = history_oldest(h);
	p->end = h->mark.at;
	return past_step(q);
}

static void past_stop(struct request *q)
{
	struct past *p = q->state;

	filter_free(p->filter);
}

const struct cmd cmd_history = {
	.name = "history",
	.body = CTSHARD__REQUEST__BODY_HISTORY,
	.state = sizeof(struct past),
	.start = past_start,
	.step = past_step,
	.stop = past_stop,
};

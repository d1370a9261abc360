/*
 * cmd_admin.c - delete, flush, update, check: what the reaper does for clients.
 *
 * This process maps the table read-only.  Changes to connections are commands
 * to the reaper, in a ring of NCOMMAND places in the log's segment; answers
 * come back in the reaper's own ring header.  Command n stands in place
 * n % NCOMMAND and carries n + 1, and so does its answer.  A place is written
 * again only when its answer has been taken.  Commands that a predecessor of
 * this process has left are answered to nobody.
 *
 * Answers stand where workers may write too.  One that is not there when a
 * later one is, or for ANSWER_NS, will not come: whoever asked is told so.
 */
#include "daemon/api/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/tracker/tracker.h"
#include "shm/atomic.h"
#include "shm/clock.h"

#define ANSWER_NS (10 * NS_PER_S)

/* ---- the ring of commands ---- */

static bool answered(const struct api *a, uint64_t number)
{
	const struct ring_header *h = a->t->ring[SLOT_REAPER].hdr;

	return h && shm_load_acquire(&h->answer[number % NCOMMAND].number) ==
	                    number + 1;
}

void commands_open(struct api *a)
{
	uint64_t n = a->t->mlog->ncommand;

	/* killed between the command and its count: it was written whole */
	if (shm_load(&a->t->mlog->command[n % NCOMMAND].number) == n + 1)
		shm_store_release(&a->t->mlog->ncommand, ++n);
	memset(&a->commands, 0, sizeof(a->commands));
	a->commands.posted = n;
	a->commands.collected = n > NCOMMAND ? n - NCOMMAND : 0;
}

/* False: all places are taken. */
static bool command_post(struct request *q, const struct command *c,
                         const struct command_conn *add)
{
	struct api *a = q->api;
	struct mlog_header *h = a->t->mlog;
	uint64_t n = a->commands.posted;
	struct command *to = &h->command[n % NCOMMAND];

	if (n - a->commands.collected >= NCOMMAND)
		return false;
	if (n == a->commands.collected)
		a->commands.since_ns = clock_mono_ns();
	shm_store(&to->number, 0);
	shm_wmb();
	memcpy((char *)to + sizeof(to->number),
	       (const char *)c + sizeof(c->number),
	       sizeof(*c) - sizeof(c->number));
	to->uid = request_peer(q)->uid;
	to->pid = request_peer(q)->pid;
	if (add)
		h->add[n % NCOMMAND] = *add;
	a->commands.owner[n % NCOMMAND] = q;
	shm_store_release(&to->number, n + 1);
	shm_store_release(&h->ncommand, n + 1);
	a->commands.posted = n + 1;
	return true;
}

/* ---- changes ---- */

static void change_answer(struct request *q, const struct command_answer *ans)
{
	struct change *c = q->state;

	c->under_way--;
	c->affected += ans->affected;
	if (c->rows)
		c->rows->done[c->rows->answered++ % CHANGE_WINDOW] =
			ans->affected != 0;
	if (c->told) {
		c->told(q, ans);
		return;
	}
	if (ans->error && ans->error != -ENOENT && !c->error)
		c->error = ans->error;
	if (!ans->faults)
		return;
	c->faults += ans->faults;
	if (ans->text[0]) {
		Ctshard__Response r = CTSHARD__RESPONSE__INIT;
		Ctshard__Fault f = CTSHARD__FAULT__INIT, *list[1] = {&f};
		char text[sizeof(ans->text) + 40];

		if (ans->faults > 1)
			snprintf(text, sizeof(text),
			         "%.*s (and %u more in this shard)",
			         (int)sizeof(ans->text), ans->text,
			         ans->faults - 1);
		else
			snprintf(text, sizeof(text), "%.*s",
			         (int)sizeof(ans->text), ans->text);
		f.text = text;
		r.n_fault = 1;
		r.fault = list;
		request_send(q, &r);
	}
}

static void command_take(struct api *a, bool there)
{
	struct command_queue *cq = &a->commands;
	uint32_t place = cq->collected % NCOMMAND;
	struct command_answer ans = {.error = -ETIMEDOUT};
	struct request *q = cq->owner[place];

	if (there)
		ans = a->t->ring[SLOT_REAPER].hdr->answer[place];
	ans.text[sizeof(ans.text) - 1] = '\0';
	cq->owner[place] = NULL;
	cq->collected++;
	cq->since_ns = clock_mono_ns();
	if (q)
		change_answer(q, &ans);
}

/* The oldest one's answer will not come.  The reaper answers in order. */
static bool answer_lost(const struct api *a)
{
	const struct command_queue *cq = &a->commands;
	uint64_t n;

	for (n = cq->collected + 1; n < cq->posted; n++)
		if (answered(a, n))
			return !answered(a, cq->collected);
	return clock_mono_ns() - cq->since_ns > ANSWER_NS;
}

void commands_collect(struct api *a)
{
	const struct command_queue *cq = &a->commands;
	bool there;

	while (cq->collected < cq->posted) {
		there = answered(a, cq->collected);
		if (!there && !answer_lost(a))
			return;
		command_take(a, there);
	}
}

void commands_forget(struct api *a, const struct request *q)
{
	uint32_t i;

	for (i = 0; i < NCOMMAND; i++)
		if (a->commands.owner[i] == q)
			a->commands.owner[i] = NULL;
}

enum cmd_step change_end(struct request *q)
{
	const struct change *c = q->state;
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;

	log_info("audit", "uid %u pid %u: %s: %llu %s", request_peer(q)->uid,
	         request_peer(q)->pid, q->cmd->name,
	         (unsigned long long)c->affected,
	         c->what ? c->what : "connections");
	r.has_affected = 1;
	r.affected = c->affected;
	request_send(q, &r);
	if (c->error == -EPERM)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "%s: the timeout of a connection is fixed",
		                    q->cmd->name);
	if (c->error)
		return request_fail(q,
		                    c->error == -EOPNOTSUPP
		                            ? CTSHARD__ERROR_CODE__UNSUPPORTED
		                            : CTSHARD__ERROR_CODE__FAILED,
		                    "%s: %s", q->cmd->name,
		                    strerror(-c->error));
	return request_end(q);
}

bool change_room(const struct request *q)
{
	const struct change *c = q->state;
	uint32_t told = c->rows ? c->rows->answered - c->rows->told : 0;

	return c->under_way + told < CHANGE_WINDOW &&
	       q->api->commands.posted - q->api->commands.collected < NCOMMAND;
}

void change_post(struct request *q, const struct command *k,
                 const struct command_conn *add)
{
	struct change *c = q->state;

	if (command_post(q, k, add))
		c->under_way++;
}

static void change_post_id(struct request *q, uint64_t id)
{
	struct change *c = q->state;

	c->command.id = id;
	change_post(q, &c->command, NULL);
}

static void change_post_view(struct request *q, const struct conn_view *v)
{
	struct change *c = q->state;
	unsigned int before = c->under_way;

	change_post_id(q, conn_id(v->conn.gen, v->shard, v->idx));
	if (c->rows && c->under_way > before)
		c->rows->v[c->rows->posted++ % CHANGE_WINDOW] = *v;
}

/* What was updated is told as it is now, what was deleted as it was. */
static void change_row(struct request *q, const struct conn_view *was)
{
	const struct change *c = q->state;
	struct api *a = q->api;
	struct conn_view now;

	if (c->command.kind == COMMAND_UPDATE &&
	    conn_read(a->t, was->shard, was->idx, &now) > 0 &&
	    now.conn.gen == was->conn.gen)
		was = &now;
	pb_conn(&a->pb, was);
}

/* False: who lives of whose children is still being counted. */
static bool change_tell(struct request *q)
{
	struct change *c = q->state;
	struct changed *r = c->rows;
	struct pb *b = &q->api->pb;
	uint32_t at;

	if (!r)
		return true;
	if (!uses_step(&r->uses, q->api->t, CMD_LOOK, b->now))
		return false;
	b->uses = &r->uses;
	while (r->told != r->answered) {
		at = r->told++ % CHANGE_WINDOW;
		if (r->done[at])
			change_row(q, &r->v[at]);
	}
	request_send_rows(q);
	return true;
}

/* There is one with this id, and the rest of the filter holds. */
static void change_one(struct request *q, struct change *c)
{
	const struct table *t = q->api->t;
	struct conn_view v;
	uint64_t id = 0;

	filter_id(c->filter, &id);
	if (conn_id_shard(id) < t->nshard && conn_id_idx(id) &&
	    conn_id_idx(id) < t->cap &&
	    conn_read(t, conn_id_shard(id), conn_id_idx(id), &v) > 0 &&
	    !pb_expired(&q->api->pb, &v) &&
	    filter_view(c->filter, &q->api->policy, &v, t->detail))
		change_post_view(q, &v);
	c->walked = true;
}

static enum cmd_step change_step(struct request *q)
{
	struct change *c = q->state;
	struct api *a = q->api;
	struct conn_view v;
	uint32_t look;
	bool rang = false;

	pb_begin(&a->pb);
	if (!change_tell(q))
		return CMD_MORE;
	for (look = 0; !c->walked && look < CMD_LOOK && change_room(q);
	     look++) {
		if (c->one) {
			change_one(q, c);
		} else if (!conn_walk(a->t, &c->walk, &v)) {
			c->walked = true;
		} else if (!pb_expired(&a->pb, &v) &&
		           filter_view(c->filter, &a->policy, &v,
		                       a->t->detail)) {
			change_post_view(q, &v);
			rang = true;
		}
	}
	if (rang || c->one)
		role_ring(a->env->fd[ROLE_FD_bell_reaper]);
	if (c->walked && !c->under_way)
		return change_end(q);
	return !c->walked && change_room(q) ? CMD_MORE : CMD_WAIT;
}

static enum cmd_step change_begin(struct request *q, const Ctshard__Filter *m,
                                  bool rows)
{
	struct change *c = q->state;
	uint64_t id;

	c->rows = rows ? calloc(1, sizeof(*c->rows)) : NULL;
	if (rows && !c->rows)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");

	if (!request_filter(q, &c->filter, m))
		return CMD_DONE;
	c->one = filter_id(c->filter, &id);
	return change_step(q);
}

static enum cmd_step delete_start(struct request *q, const Ctshard__Request *r)
{
	struct change *c = q->state;

	c->command.kind = COMMAND_DELETE;
	c->command.value = REASON_API;
	return change_begin(q, r->delete_->filter,
	                    r->delete_->has_rows && r->delete_->rows);
}

static enum cmd_step flush_start(struct request *q, const Ctshard__Request *r)
{
	struct change *c = q->state;
	Ctshard__Filter m = CTSHARD__FILTER__INIT;

	c->command.kind = COMMAND_DELETE;
	c->command.value = REASON_FLUSH;
	m.has_l3 = r->flush->has_l3;
	m.l3 = r->flush->l3;
	return change_begin(q, &m, false);
}

static bool labels_read(uint64_t to[2], protobuf_c_boolean has,
                        const ProtobufCBinaryData *b)
{
	if (!has)
		return true;
	if (b->len != 16)
		return false;
	memcpy(to, b->data, 16);
	return true;
}

/* The state of this name, of the protocol that the filter names.  False: it was
 * told why not. */
static bool update_state(struct request *q, const Ctshard__Update *m,
                         struct command *k)
{
	uint32_t proto = m->filter && m->filter->has_protonum
	                         ? m->filter->protonum
	                         : UINT32_MAX;
	const char *name;
	uint32_t i;

	for (i = 0; proto <= UINT8_MAX && i <= UINT8_MAX; i++) {
		name = tracker_state_name((uint8_t)proto, (uint8_t)i);
		if (name && !strcmp(name, m->state)) {
			k->bits |= COMMAND_F_STATE | i << COMMAND_STATE;
			return true;
		}
	}
	request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
	             proto == UINT32_MAX
	                     ? "update: the state of which protocol?"
	                     : "update: the protocol has no state `%.32s'",
	             m->state);
	return false;
}

static enum cmd_step update_start(struct request *q, const Ctshard__Request *r)
{
	const Ctshard__Update *m = r->update;
	struct change *c = q->state;
	struct command *k = &c->command;

	k->kind = COMMAND_UPDATE;
	k->bits = (m->has_mark ? COMMAND_F_MARK : 0) |
	          (m->has_timeout_s ? COMMAND_F_TIMEOUT : 0) |
	          (m->has_status_set ? COMMAND_F_STATUS : 0) |
	          (m->has_labels_set || m->has_labels_clear ? COMMAND_F_LABELS
	                                                    : 0);
	if (m->state && !update_state(q, m, k))
		return CMD_DONE;
	if (!k->bits)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "update: nothing to change");
	k->value = m->mark;
	k->mask = m->has_mark_mask ? m->mark_mask : ~0u;
	k->seconds = m->timeout_s;
	if (k->bits & COMMAND_F_STATUS)
		k->labels[0] = m->status_set;
	else if (!labels_read(k->labels, m->has_labels_set, &m->labels_set) ||
	         !labels_read(k->labels + 2, m->has_labels_clear,
	                      &m->labels_clear))
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "update: labels are not 16 bytes");
	if ((k->bits & COMMAND_F_STATUS) && (k->bits & COMMAND_F_LABELS))
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "update: status or labels, not both");
	return change_begin(q, m->filter, m->has_rows && m->rows);
}

void change_stop(struct request *q)
{
	struct change *c = q->state;

	if (c->rows)
		uses_free(&c->rows->uses);
	free(c->rows);
	filter_free(c->filter);
}

#define CHANGE(verb, BODY)                             \
	const struct cmd cmd_##verb = {                \
		.name = #verb,                         \
		.body = CTSHARD__REQUEST__BODY_##BODY, \
		.control = true,                       \
		.state = sizeof(struct change),        \
		.start = verb##_start,                 \
		.step = change_step,                   \
		.stop = change_stop,                   \
	}
CHANGE(delete, DELETE);
CHANGE(flush, FLUSH);
CHANGE(update, UPDATE);

/* ---- check ---- */

/* Now and then, to those who asked for it. */
static void check_tell(struct request *q)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__CountRow row = CTSHARD__COUNT_ROW__INIT, *p = &row;
	struct change *c = q->state;
	uint32_t done = c->shard - c->under_way;

	if (!c->told_shards || done - (c->told_shards - 1) < CHANGE_WINDOW / 4)
		return;
	c->told_shards = done + 1;
	row.has_count = 1;
	row.count = done;
	r.n_count = 1;
	r.count = &p;
	request_send(q, &r);
}

/* Shard after shard, each by the reaper under its lock: the answer tells the
 * first fault of a shard in words, the others as a number. */
static enum cmd_step check_step(struct request *q)
{
	struct change *c = q->state;
	const struct table *t = q->api->t;
	bool rang = false;

	/* the last is that of the expectations */
	while (c->shard <= t->nshard && change_room(q)) {
		c->command.value = c->shard++;
		change_post_id(q, 0);
		rang = true;
	}
	if (rang)
		role_ring(q->api->env->fd[ROLE_FD_bell_reaper]);
	check_tell(q);
	if (c->shard <= t->nshard || c->under_way)
		return CMD_WAIT;
	if (c->error)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED, "check: %s",
		                    strerror(-c->error));
	return request_end(q);
}

static enum cmd_step check_start(struct request *q, const Ctshard__Request *r)
{
	struct change *c = q->state;

	c->command.kind = COMMAND_CHECK;
	c->command.mask = r->check->has_deep && r->check->deep;
	c->told_shards = r->check->has_progress && r->check->progress;
	return check_step(q);
}

const struct cmd cmd_check = {
	.name = "check",
	.body = CTSHARD__REQUEST__BODY_CHECK,
	.control = true,
	.looks = true,
	.state = sizeof(struct change),
	.start = check_start,
	.step = check_step,
};

/*
 * cmd_zero.c - zero: read counters and begin anew.
 *
 * A row is told, then the reaper takes off what the row said.  Packets that
 * come between stay counted, so sums over readings are exact.
 */
#include "daemon/api/change.h"

static void zero_row(struct request *q, const struct conn_view *v)
{
	struct command k = {.kind = COMMAND_ZERO};

	pb_conn(&q->api->pb, v);
	k.id = conn_id(v->conn.gen, v->shard, v->idx);
	k.labels[0] = v->conn.packets[0];
	k.labels[1] = v->conn.packets[1];
	k.labels[2] = v->conn.bytes[0];
	k.labels[3] = v->conn.bytes[1];
	change_post(q, &k, NULL);
}

static enum cmd_step zero_step(struct request *q)
{
	struct change *c = q->state;
	struct api *a = q->api;
	struct conn_view v;
	uint32_t look;

	pb_begin(&a->pb);
	for (look = 0; !c->walked && look < CMD_LOOK && !pb_full(&a->pb) &&
	               change_room(q);
	     look++)
		if (!conn_walk(a->t, &c->walk, &v))
			c->walked = true;
		else if (!pb_expired(&a->pb, &v) &&
		         filter_view(c->filter, &a->policy, &v, a->t->detail))
			zero_row(q, &v);
	if (a->pb.n)
		role_ring(a->env->fd[ROLE_FD_bell_reaper]);
	request_send_rows(q);
	if (c->walked && !c->under_way)
		return change_end(q);
	return !c->walked && change_room(q) ? CMD_MORE : CMD_WAIT;
}

static enum cmd_step zero_start(struct request *q, const Ctshard__Request *r)
{
	struct change *c = q->state;

	if (!request_filter(q, &c->filter, r->zero->filter))
		return CMD_DONE;
	return zero_step(q);
}

const struct cmd cmd_zero = {
	.name = "zero",
	.body = CTSHARD__REQUEST__BODY_ZERO,
	.control = true,
	.state = sizeof(struct change),
	.start = zero_start,
	.step = zero_step,
	.stop = change_stop,
};

/*
 * cmd_add.c - add: connections that a client knows of.
 *
 * Whether a packet could have made such a connection is judged where it is
 * made, by the reaper.
 */
#include "daemon/api/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/made.h"

#define ADD_MAX 128u

struct add {
	struct change change; /* first: what answers look at */
	uint32_t n, posted, answered;
	uint32_t bits;
	uint32_t place[ADD_MAX]; /* in the request */
	uint32_t flags[ADD_MAX]; /* COMMAND_F_* of each */
	struct command_conn conn[ADD_MAX];
};

static void add_fault(struct request *q, uint32_t place, const char *why)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Fault f = CTSHARD__FAULT__INIT, *list[1] = {&f};
	char text[96];

	snprintf(text, sizeof(text), "%u: %s", place, why);
	f.text = text;
	r.n_fault = 1;
	r.fault = list;
	request_send(q, &r);
}

static void add_told(struct request *q, const struct command_answer *ans)
{
	struct add *a = q->state;
	uint32_t place = a->place[a->answered++];

	if (ans->error)
		add_fault(q, place,
		          ans->error == -EINVAL
		                  ? "no packet makes such a connection"
		                  : strerror(-ans->error));
}

/* ---- the request ---- */

static enum cmd_step add_step(struct request *q)
{
	struct add *a = q->state;
	struct command k = {.kind = COMMAND_ADD};
	bool rang = false;

	while (a->posted < a->n && change_room(q)) {
		k.bits = a->bits | a->flags[a->posted];
		change_post(q, &k, &a->conn[a->posted]);
		a->posted++;
		rang = true;
	}
	if (rang)
		role_ring(q->api->env->fd[ROLE_FD_bell_reaper]);
	if (a->posted == a->n && !a->change.under_way)
		return change_end(q);
	return CMD_WAIT;
}

static enum cmd_step add_start(struct request *q, const Ctshard__Request *r)
{
	const Ctshard__Add *m = r->add;
	struct add *a = q->state;
	const char *why;
	uint32_t i;

	if (!m->n_conn || m->n_conn > ADD_MAX)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "add: 1 to %u connections", ADD_MAX);
	a->change.told = add_told;
	a->bits = m->has_restored && m->restored ? COMMAND_F_RESTORED : 0;
	for (i = 0; i < m->n_conn; i++) {
		a->flags[a->n] = 0;
		why = made_read(q->api->t, &q->api->policy, &a->conn[a->n], m,
		                i, &a->flags[a->n]);
		if (why && *why)
			add_fault(q, i, why);
		else if (!why)
			a->place[a->n++] = i;
	}
	return add_step(q);
}

const struct cmd cmd_add = {
	.name = "add",
	.body = CTSHARD__REQUEST__BODY_ADD,
	.control = true,
	.state = sizeof(struct add),
	.start = add_start,
	.step = add_step,
	.stop = change_stop,
};

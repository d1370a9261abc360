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
	uint32_t place[ADD_MAX]; /* in the request */
	struct command command[ADD_MAX];
	struct command_conn conn[ADD_MAX];
};

static void add_fault(struct request *q, bool expect, uint32_t place,
                      const char *why)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Fault f = CTSHARD__FAULT__INIT, *list[1] = {&f};
	char text[96];

	snprintf(text, sizeof(text), "%s%u: %s", expect ? "expectation " : "",
	         place, why);
	f.text = text;
	r.n_fault = 1;
	r.fault = list;
	request_send(q, &r);
}

static void add_told(struct request *q, const struct command_answer *ans)
{
	struct add *a = q->state;
	uint32_t i = a->answered++;
	bool expect = a->command[i].kind == COMMAND_EXPECT;

	if (ans->error)
		add_fault(q, expect, a->place[i],
		          ans->error == -EINVAL
		                  ? "no packet makes such a connection"
		                  : strerror(-ans->error));
}

/* ---- the request ---- */

static enum cmd_step add_step(struct request *q)
{
	struct add *a = q->state;
	bool rang = false;

	while (a->posted < a->n && change_room(q)) {
		change_post(q, &a->command[a->posted], &a->conn[a->posted]);
		a->posted++;
		rang = true;
	}
	if (rang)
		role_ring(q->api->env->fd[ROLE_FD_bell_reaper]);
	if (a->posted == a->n && !a->change.under_way)
		return change_end(q);
	return CMD_WAIT;
}

/* One that can be made is the next command. */
static void add_take(struct request *q, const char *why, bool expect,
                     uint32_t place)
{
	struct add *a = q->state;

	if (why && *why)
		add_fault(q, expect, place, why);
	else if (!why)
		a->place[a->n++] = place;
}

static enum cmd_step add_start(struct request *q, const Ctshard__Request *r)
{
	const struct table *t = q->api->t;
	const struct policy *pol = &q->api->policy;
	const Ctshard__Add *m = r->add;
	struct add *a = q->state;
	uint32_t i;

	if (!(m->n_conn + m->n_expect) || m->n_conn > ADD_MAX ||
	    m->n_expect > ADD_MAX - m->n_conn)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "add: 1 to %u connections", ADD_MAX);
	if (m->n_expect && !(m->has_restored && m->restored))
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "add: expectations are restored, not made");
	a->change.told = add_told;
	for (i = 0; i < m->n_conn; i++)
		add_take(q,
		         made_read(t, pol, &a->command[a->n], &a->conn[a->n], m,
		                   i),
		         false, i);
	for (i = 0; i < m->n_expect; i++)
		add_take(q,
		         made_expect(t, pol, &a->command[a->n], &a->conn[a->n],
		                     m, i),
		         true, i);
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

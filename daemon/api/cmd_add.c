/*
 * cmd_add.c - add: connections that a client knows of.
 *
 * Here words become numbers, with the trackers' help; whether a packet could
 * have made such a connection is judged where it is made, by the reaper.
 */
#include "daemon/api/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/api/tuple.h"
#include "daemon/tracker/tracker.h"

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

/* ---- words to numbers: NULL, or why not ---- */

static const char *add_addr(struct command_conn *c, const Ctshard__Tuple *t)
{
	size_t len = c->l3 == 4 ? 4 : 16;

	if (!t || t->src.len != len || t->dst.len != len)
		return "two addresses of its family are needed";
	memcpy(c->addr[0], t->src.data, len);
	memcpy(c->addr[1], t->dst.data, len);
	return NULL;
}

static const char *add_ports(const struct policy *pol, struct command_conn *c,
                             const Ctshard__Tuple *t)
{
	switch (tuple_kind(pol, c->l4proto)) {
	case TUPLE_PORTS:
		if (!t->has_sport || !t->has_dport ||
		    (t->sport | t->dport) > UINT16_MAX)
			return "two ports are needed";
		c->port[0] = (uint16_t)t->sport;
		c->port[1] = (uint16_t)t->dport;
		break;
	case TUPLE_TYPE:
		if (!t->has_type || t->type > 255 || t->code > 255 ||
		    t->icmp_id > UINT16_MAX)
			return "type, code and id are needed";
		c->port[0] = (uint16_t)t->icmp_id;
		c->port[1] = (uint16_t)(t->type << 8 | t->code);
		break;
	case TUPLE_KEYS:
		if ((t->srckey | t->dstkey) > UINT16_MAX)
			return "keys have 16 bits";
		c->port[0] = (uint16_t)t->srckey;
		c->port[1] = (uint16_t)t->dstkey;
		break;
	case TUPLE_ADDRESSES:
		break;
	}
	return NULL;
}

/* What a tap sees is what was sent: nobody translates between two packets of
 * a connection. */
static const char *add_reply(const struct command_conn *c,
                             const Ctshard__Tuple *a, const Ctshard__Tuple *b)
{
	size_t len = c->l3 == 4 ? 4 : 16;

	if (!b)
		return NULL;
	if (b->src.len != len || b->dst.len != len ||
	    memcmp(b->src.data, a->dst.data, len) != 0 ||
	    memcmp(b->dst.data, a->src.data, len) != 0 ||
	    (b->has_sport && b->sport != a->dport) ||
	    (b->has_dport && b->dport != a->sport))
		return "the reply does not mirror the original";
	return NULL;
}

static const char *add_state(const struct policy *pol, struct command_conn *c,
                             const char *state)
{
	uint8_t id;
	const struct tracker *trk = tracker_find(pol, c->l4proto, &id);
	const char *name;
	uint8_t i;

	if (!trk->nstates)
		return state && *state ? "the protocol has no states" : NULL;
	for (i = 0; i < trk->nstates; i++) {
		name = tracker_state_name(c->l4proto, i);
		if (!name || !state || strcmp(name, state) != 0)
			continue;
		c->state = i;
		return NULL;
	}
	return state && *state ? "there is no such state"
	                       : "the state is needed";
}

static const char *add_zones(struct command_conn *c, const Ctshard__Conn *m)
{
	uint32_t zone = m->has_zone ? m->zone : 0, orig = zone, reply = zone;

	if (m->original->has_zone)
		orig = m->original->zone;
	if (m->reply && m->reply->has_zone)
		reply = m->reply->zone;
	if ((orig | reply) > UINT16_MAX)
		return "zones have 16 bits";
	c->zone[0] = (uint16_t)orig;
	c->zone[1] = (uint16_t)reply;
	return NULL;
}

static void add_values(struct command_conn *c, const Ctshard__Conn *m)
{
	const Ctshard__Tuple *dir[2] = {m->original, m->reply};
	unsigned int d;

	c->status = m->status;
	c->mark = m->mark;
	c->timeout_ms = m->timeout_ms;
	c->start_ns = m->has_start_ns ? m->start_ns : 0;
	for (d = 0; d < 2 && dir[d]; d++) {
		c->packets[d] = dir[d]->has_packets ? dir[d]->packets : 0;
		c->bytes[d] = dir[d]->has_bytes ? dir[d]->bytes : 0;
	}
	if (m->has_labels && m->labels.len == sizeof(c->labels))
		memcpy(c->labels, m->labels.data, sizeof(c->labels));
}

static const char *add_read(const struct policy *pol, struct command_conn *c,
                            const Ctshard__Conn *m, uint32_t *flags)
{
	const char *why;
	uint8_t id;

	memset(c, 0, sizeof(*c));
	if ((m->l3 != 4 && m->l3 != 6) || !m->has_protonum || m->protonum > 255)
		return "family and protocol are needed";
	if (!m->timeout_ms)
		return "a timeout is needed";
	c->l3 = (uint8_t)m->l3;
	c->l4proto = (uint8_t)m->protonum;
	why = add_addr(c, m->original);
	if (!why)
		why = add_ports(pol, c, m->original);
	if (!why)
		why = add_reply(c, m->original, m->reply);
	if (!why)
		why = add_state(pol, c, m->state);
	if (!why)
		why = add_zones(c, m);
	if (why)
		return why;
	add_values(c, m);
	/* data of trackers without states holds times of another table */
	if (m->has_private_ &&
	    pb_private_read(&m->private_, c->priv, &c->detail)) {
		*flags |= COMMAND_F_PRIVATE;
		if (!tracker_find(pol, c->l4proto, &id)->nstates)
			memset(c->priv, 0, sizeof(c->priv));
	}
	return NULL;
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
		why = add_read(&q->api->policy, &a->conn[a->n], m->conn[i],
		               &a->flags[a->n]);
		if (why)
			add_fault(q, i, why);
		else
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

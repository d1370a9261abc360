/*
 * made.c - see made.h.
 *
 * Words become numbers, with the trackers' help.
 */
#include "daemon/api/made.h"

#include <string.h>

#include "daemon/api/tuple.h"
#include "daemon/helper/helper.h"
#include "daemon/tracker/key.h"
#include "daemon/tracker/tracker.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/proc.h"

static const char *made_addr(struct command_conn *c, const Ctshard__Tuple *t)
{
	size_t len = c->l3 == 4 ? 4 : 16;

	if (!t || t->src.len != len || t->dst.len != len)
		return "two addresses of its family are needed";
	memcpy(c->addr[0], t->src.data, len);
	memcpy(c->addr[1], t->dst.data, len);
	return NULL;
}

static const char *made_ports(const struct policy *pol, struct command_conn *c,
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
static const char *made_reply(const struct command_conn *c,
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

static const char *made_state(const struct policy *pol, struct command_conn *c,
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

static const char *made_zones(struct command_conn *c, const Ctshard__Conn *m)
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

static void made_values(struct command_conn *c, const Ctshard__Conn *m)
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
	/* one that this daemon has not is one that it does not use */
	if (m->helper)
		c->helper = helper_find(m->helper);
	if (m->has_labels && m->labels.len == sizeof(c->labels))
		memcpy(c->labels, m->labels.data, sizeof(c->labels));
}

/* What is left of its timeout; false: nothing. */
static bool made_left(const struct table *t, const Ctshard__Add *m,
                      struct command_conn *c)
{
	uint64_t now = table_clock_ns(t), gone;

	if (!m->has_saved_ns || now <= m->saved_ns)
		return true;
	gone = (now - m->saved_ns) / NS_PER_MS;
	if (gone >= c->timeout_ms)
		return false;
	c->timeout_ms -= gone;
	return true;
}

static const char *made_tuple(const struct policy *pol, struct command_conn *c,
                              const Ctshard__Conn *m)
{
	const char *why = made_addr(c, m->original);

	if (!why)
		why = made_ports(pol, c, m->original);
	if (!why)
		why = made_reply(c, m->original, m->reply);
	if (!why)
		why = made_state(pol, c, m->state);
	return why ? why : made_zones(c, m);
}

/* Who announced it, if that is in this table: its id, or 0. */
static uint64_t made_parent(const struct table *t, const struct policy *pol,
                            const Ctshard__Parent *m)
{
	struct command_conn c = {0};
	struct conn_lookup k;
	struct conn_view v;
	uint8_t id;

	if (!m || (m->l3 != 4 && m->l3 != 6) || m->protonum > 255 ||
	    (m->zone | m->reply_zone) > UINT16_MAX)
		return 0;
	c.l3 = (uint8_t)m->l3;
	c.l4proto = (uint8_t)m->protonum;
	c.zone[0] = (uint16_t)m->zone;
	c.zone[1] = (uint16_t)m->reply_zone;
	if (made_addr(&c, m->original) || made_ports(pol, &c, m->original) ||
	    !key_of_command(t, tracker_find(pol, c.l4proto, &id), &c, &k) ||
	    conn_lookup(t, &k, &v) <= 0 ||
	    tick_expired(v.conn.deadline, table_now(t)))
		return 0;
	return conn_id(v.conn.gen, v.shard, v.idx);
}

static const Ctshard__Parent *parent_of(const Ctshard__Add *add, size_t i)
{
	size_t n;

	for (n = 0; n < add->n_parent; n++)
		if (add->parent[n]->has_child && add->parent[n]->child == i)
			return add->parent[n];
	return NULL;
}

const char *made_read(const struct table *t, const struct policy *pol,
                      struct command *k, struct command_conn *c,
                      const Ctshard__Add *add, size_t i)
{
	const Ctshard__Conn *m = add->conn[i];
	const char *why;
	uint8_t id;

	memset(c, 0, sizeof(*c));
	memset(k, 0, sizeof(*k));
	k->kind = COMMAND_ADD;
	k->bits = add->has_restored && add->restored ? COMMAND_F_RESTORED : 0;
	if ((m->l3 != 4 && m->l3 != 6) || !m->has_protonum || m->protonum > 255)
		return "family and protocol are needed";
	if (!m->timeout_ms)
		return "a timeout is needed";
	c->l3 = (uint8_t)m->l3;
	c->l4proto = (uint8_t)m->protonum;
	why = made_tuple(pol, c, m);
	if (why)
		return why;
	made_values(c, m);
	if (!made_left(t, add, c))
		return "";
	if (k->bits)
		k->id = made_parent(t, pol, parent_of(add, i));
	/* data of trackers without states holds times of another table */
	if (m->has_private_ &&
	    pb_private_read(&m->private_, c->priv, &c->detail)) {
		k->bits |= COMMAND_F_PRIVATE;
		if (!tracker_find(pol, c->l4proto, &id)->nstates)
			memset(c->priv, 0, sizeof(c->priv));
	}
	return NULL;
}

/* ---- expectations ---- */

/* ones from the left */
static uint8_t mask_bits(const ProtobufCBinaryData *b, size_t len)
{
	unsigned int n = 0;

	while (b->len == len && n < 8 * len &&
	       b->data[n / 8] >> (7 - n % 8) & 1)
		n++;
	return (uint8_t)n;
}

/* The source is compared as far as the mask has ones, the destination is
 * whole, and where ports are keys one is found by its own. */
static const char *made_expected(const struct policy *pol,
                                 struct command_conn *c,
                                 struct command_expect *x,
                                 const Ctshard__Expect *m)
{
	const Ctshard__Tuple *t = m->tuple, *mask = m->mask;
	bool keys = tuple_kind(pol, c->l4proto) == TUPLE_KEYS;
	const char *why = made_addr(c, t);

	if (why || !mask)
		return why ? why : "a mask is needed";
	if ((t->sport | t->dport | t->srckey | t->dstkey) > UINT16_MAX)
		return "ports have 16 bits";
	c->port[0] = (uint16_t)(keys ? t->srckey : t->sport);
	c->port[1] = (uint16_t)(keys ? t->dstkey : t->dport);
	x->src_len = mask_bits(&mask->src, c->l3 == 4 ? 4 : 16);
	x->flags = m->flags & (EXPECT_SHOWN | EXPECT_KEYMAP);
	if (keys ? mask->srckey : mask->sport)
		x->flags |= EXPECT_SPORT;
	return NULL;
}

const char *made_expect(const struct table *t, const struct policy *pol,
                        struct command *k, struct command_conn *c,
                        const Ctshard__Add *add, size_t i)
{
	const Ctshard__Expect *m = add->expect[i];
	struct command_expect x = {0};
	const struct helper *h;
	const char *why;

	memset(c, 0, sizeof(*c));
	memset(k, 0, sizeof(*k));
	k->kind = COMMAND_EXPECT;
	if ((m->l3 != 4 && m->l3 != 6) || !m->has_protonum ||
	    m->protonum > 255 || m->zone > UINT16_MAX)
		return "family, protocol and zone are needed";
	c->l3 = (uint8_t)m->l3;
	c->l4proto = (uint8_t)m->protonum;
	c->zone[0] = (uint16_t)m->zone;
	c->timeout_ms = m->timeout_ms;
	why = made_expected(pol, c, &x, m);
	if (why)
		return why;
	/* one that this daemon has not expects nothing */
	c->helper = m->helper ? helper_find(m->helper) : 0;
	h = c->helper ? helper_at(c->helper - 1u) : NULL;
	if (!h || m->class_ >= h->nclasses)
		return "there is no such helper";
	x.class = (uint8_t)m->class_;
	x.assign = m->assign ? helper_find(m->assign) : 0;
	memcpy(c->priv, &x, sizeof(x));
	k->value = h->classes[x.class].max;
	k->id = made_parent(t, pol, m->parent);
	if (!k->id || (!(x.flags & EXPECT_KEYMAP) &&
	               (!c->timeout_ms || !made_left(t, add, c))))
		return "";
	return NULL;
}

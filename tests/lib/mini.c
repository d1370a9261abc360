/* mini.c - see mini.h */
#include "tests/lib/mini.h"

#include <string.h>

#include "shm/tick.h"

void mini_start(struct mini *m)
{
	memset(m, 0, sizeof(*m));
	tracker_defaults(&m->pol);
	m->class = CTINFO_INVALID;
}

static void mini_event(struct mini *m, uint16_t bits)
{
	if (bits && m->nevents < MINI_EVENTS)
		m->event[m->nevents++] = bits;
}

static void mini_destroy(struct mini *m)
{
	m->alive = false;
	m->conn.status |= CONN_DYING;
	mini_event(m, EVB_DESTROY);
}

void mini_expire(struct mini *m)
{
	if (m->alive && tick_expired(m->conn.deadline, m->now))
		mini_destroy(m);
}

static enum ctinfo mini_class(const struct conn *conn, uint8_t dir)
{
	if (dir == DIR_REPLY)
		return CTINFO_ESTABLISHED_REPLY;
	if (conn->status & CONN_SEEN_REPLY)
		return CTINFO_ESTABLISHED;
	return conn->status & CONN_EXPECTED ? CTINFO_RELATED : CTINFO_NEW;
}

static void mini_count(struct mini *m, const struct pkt *p, uint8_t dir)
{
	m->conn.packets[dir]++;
	m->conn.bytes[dir] += p->l3len;
}

static void mini_candidate(struct mini *m, const struct tracker *t,
                           const struct pkt *p, uint8_t side)
{
	bool answer = false;

	memset(&m->conn, 0, sizeof(m->conn));
	m->conn.key.l4proto = p->l4proto;
	m->conn.start = m->now;
	if (m->mirror && t->origin)
		m->conn.status |= (uint32_t)t->origin(p, &answer)
		                  << CONN_DIR_SHIFT;
	if (m->one_way)
		m->conn.status |= CONN_ONE_WAY;
	m->owner = side ^ answer;
}

/* the tracker has seen it: draw the conclusions */
static void mini_conclude(struct mini *m, const struct pkt *p,
                          const struct trk_ctx *c)
{
	struct conn *conn = &m->conn;
	uint16_t events = c->events;

	if (m->verdict == TRK_INVALID) {
		m->class = CTINFO_INVALID;
		if (!c->first && c->lower_timeout)
			conn->deadline = tick_after_s(m->now, c->timeout);
		return;
	}
	if (m->verdict != TRK_IGNORE)
		mini_count(m, p, c->dir);
	if (m->verdict == TRK_KILL) {
		mini_destroy(m);
		return;
	}
	if (m->verdict == TRK_ACCEPT && !(conn->status & CONN_FIXED_TIMEOUT))
		conn->deadline = tick_after_s(m->now, c->timeout);
	if (c->dir == DIR_REPLY && !(conn->status & CONN_SEEN_REPLY)) {
		conn->status |= CONN_SEEN_REPLY;
		events |= EVB_REPLY;
	}
	if (c->first) {
		m->alive = true;
		conn->status |= CONN_CONFIRMED | CONN_LIVE;
		events = EVB_NEW;
	}
	mini_event(m, events);
}

void mini_packet(struct mini *m, const struct pkt *p, uint8_t side)
{
	struct trk_ctx c = {
		.pkt = p, .pol = &m->pol, .now = m->now, .mirror = m->mirror};
	const struct tracker *t = tracker_find(&m->pol, p->l4proto, &c.id);
	int again;

	m->nevents = 0;
	m->why = NULL;
	m->class = CTINFO_INVALID;
	mini_expire(m);
	m->verdict = t->check ? t->check(&c) : TRK_ACCEPT;
	/* a connection that was closed and is opened again: once (F080) */
	for (again = 0; m->verdict == TRK_ACCEPT && again < 2; again++) {
		c.first = !m->alive;
		if (c.first)
			mini_candidate(m, t, p, side);
		c.dir = side == m->owner ? DIR_ORIGINAL : DIR_REPLY;
		m->class = mini_class(&m->conn, c.dir);
		m->verdict = t->packet(&c, &m->conn);
		if (m->verdict != TRK_REPEAT) {
			mini_conclude(m, p, &c);
			break;
		}
		mini_destroy(m);
		m->verdict = TRK_ACCEPT;
	}
	m->repairs = c.repairs;
	m->lost = c.lost;
	m->holes = c.holes;
	m->why = c.why;
	m->why_arg[0] = c.why_arg[0];
	m->why_arg[1] = c.why_arg[1];
}

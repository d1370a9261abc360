/*
 * add.c - see add.h.
 *
 * The key is made from the original tuple, here, by the same function as a
 * packet's: whatever the api says, an entry stands where packets will look for
 * it.  Without the tracker's own data a connection is taken up as the tracker
 * takes up one whose beginning it missed.  Data from a snapshot may hold any
 * bytes, which is why trackers index nothing with theirs.
 */
#include "daemon/reaper/add.h"

#include <errno.h>
#include <string.h>

#include "daemon/tracker/key.h"
#include "shm/budget.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"

/* F101 and, for one that lived before, what only packets give */
#define STATUS_GIVEN (CONN_SEEN_REPLY | CONN_ASSURED | CONN_FIXED_TIMEOUT)

static void add_fill(const struct table *t, const struct policy *pol,
                     const struct command_conn *c, uint32_t bits,
                     const struct conn_lookup *k, uint32_t now, struct conn *to)
{
	uint64_t most = (uint64_t)TIMEOUT_MAX_S * TICK_PER_S;
	unsigned int d;

	memset(to, 0, sizeof(*to));
	to->key = k->key;
	to->status = (c->status & STATUS_GIVEN) | CONN_CONFIRMED |
	             (k->sender ? CONN_ORIG1 : 0) |
	             (pol->acct ? CONN_ACCT : 0) |
	             (pol->timestamp ? CONN_TIMESTAMP : 0);
	if (bits & COMMAND_F_RESTORED)
		to->status |= c->status & (CONN_EXPECTED | CONN_HELPER);
	to->state = c->state;
	to->mark = c->mark;
	to->deadline =
		now + (uint32_t)(c->timeout_ms < most ? c->timeout_ms : most);
	to->start = c->start_ns ? table_tick_of(t, c->start_ns) : now;
	for (d = 0; d < 2 && pol->acct; d++) {
		to->packets[d] = c->packets[d];
		to->bytes[d] = c->bytes[d];
	}
	if (bits & COMMAND_F_PRIVATE)
		memcpy(to->priv, c->priv, sizeof(to->priv));
}

static void add_detail(const struct table *t, const struct command_conn *c,
                       uint32_t bits, struct conn_detail *x)
{
	if (bits & COMMAND_F_PRIVATE)
		*x = c->detail;
	else
		memset(x, 0, sizeof(*x));
	if (!x->start_ns)
		x->start_ns = c->start_ns ? c->start_ns : table_clock_ns(t);
	if (!x->last_ns)
		x->last_ns = x->start_ns;
}

/* counters are not told: a NEW that has them speaks of its first packet */
static void add_event(const struct conn *c, const struct conn_detail *x,
                      uint32_t bits, uint64_t clock_ns, uint32_t now,
                      struct op_event *ev)
{
	ev->type = EVENT_NEW;
	ev->bits = EVB_NEW;
	ev->ts_ns = clock_ns;
	ev->left_ms = c->deadline - now;
	ev->vlan = x->vlan;
	ev->iface = x->iface;
	ev->flags = (c->status & CONN_TIMESTAMP ? EVENT_F_TIMESTAMP : 0) |
	            (bits & COMMAND_F_RESTORED ? EVENT_F_RESTORED : 0);
}

/* lock held; nobody else has the key */
static int add_insert(struct table *t, const struct policy *pol,
                      const struct command_conn *c, uint32_t bits,
                      uint64_t master, const struct conn_lookup *k)
{
	struct ring_header *h = t->ring[t->me].hdr;
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	struct conn_ext ext = {.labels = {c->labels[0], c->labels[1]},
	                       .master = master,
	                       .helper = c->helper};
	bool more = c->labels[0] | c->labels[1] | c->helper | master;
	uint64_t clock_ns = table_clock_ns(t);
	uint32_t now = table_tick_of(t, clock_ns);
	enum op_refusal why;
	struct op_event ev = {0};
	struct counters cs = {0};
	struct conn_detail x;
	struct conn entry;

	if (!budget_take(t, pol->max))
		return -ENOSPC;
	add_fill(t, pol, c, bits, k, now, &entry);
	add_detail(t, c, bits, &x);
	counters_add(&cs, master ? CTR_EXPECT_NEW : CTR_NEW, 1);
	counters_add(&cs, CTR_INSERT, 1);
	if (pol->events) {
		add_event(&entry, &x, bits, clock_ns, now, &ev);
		counters_add(&cs, CTR_EVENT_NEW, 1);
	}
	counters_prepare(t, &cs, cur.pkt, cur.src);
	if (!op_insert(t, k, &entry, &x, more ? &ext : NULL, &ev, cur, &why)) {
		budget_give(t, pol->max);
		return -ENOSPC;
	}
	counters_commit(t);
	return 0;
}

/* The connection with this id, if it is there and not past its time. */
static bool add_master(const struct table *t, uint64_t id, struct conn_view *v)
{
	uint32_t sh = conn_id_shard(id), idx = conn_id_idx(id);

	return id && sh < t->nshard && idx && idx < t->cap &&
	       conn_read(t, sh, idx, v) > 0 && v->conn.gen == conn_id_gen(id) &&
	       !tick_expired(v->conn.deadline, table_now(t));
}

static int command_add(struct table *t, const struct policy *pol,
                       const struct command_conn *c, uint32_t bits,
                       uint64_t master)
{
	struct conn_view v;
	uint8_t id;
	const struct tracker *trk = tracker_find(pol, c->l4proto, &id);
	struct conn_lookup k;
	uint32_t idx, slot;
	int r;

	if ((c->l3 != 4 && c->l3 != 6) || !c->timeout_ms ||
	    (trk->nstates ? c->state >= trk->nstates : c->state) ||
	    !key_of_command(t, trk, c, &k))
		return -EINVAL;
	shard_lock(t, k.shard);
	idx = conn_find(t, &k, &slot, NULL);
	if (idx &&
	    tick_expired(table_conn(t, k.shard, idx)->deadline, table_now(t))) {
		conn_end(t, k.shard, idx, slot, REASON_TIMEOUT,
		         expire_ns(t, table_conn(t, k.shard, idx)->deadline,
		                   table_clock_ns(t)),
		         table_now(t), pol->max, pol->events != 0, CTR_COUNT);
		idx = 0;
	}
	if (!add_master(t, master, &v))
		master = 0;
	r = idx ? -EEXIST : add_insert(t, pol, c, bits, master, &k);
	shard_unlock(t, k.shard);
	return r;
}

/* ---- expectations ---- */

/* What all of this master have in common. */
static void expect_of_master(const struct conn_view *v, uint64_t id,
                             struct expect *e)
{
	const struct conn_key *k = &v->conn.key;
	unsigned int d, from = v->conn.status & CONN_ORIG1 ? 1 : 0;

	e->master = id;
	for (d = 0; d < 2; d++) {
		unsigned int end = from ^ d;

		if (k->flags & KEY_V6)
			memcpy(e->info.master[d], v->addr6.a[end], 16);
		else
			memcpy(e->info.master[d], &k->addr[end], 4);
		e->info.master_port[d] = k->port[end];
	}
	e->info.master_proto = k->l4proto;
}

/*
 * Actions are numbered within a packet (expect.h), and this has none: a step of
 * its own stands for it.  So a command that runs again, after a kill, finds the
 * very same expectation and takes its place.
 */
static struct expect_by expect_step_by(struct table *t,
                                       const struct policy *pol)
{
	struct op_cursor cur = {t->ring[t->me].hdr->cursor[SOURCE_OPS] + 1,
	                        SOURCE_OPS};
	uint64_t clock_ns = table_clock_ns(t);

	op_cursor_set(t, cur);
	return (struct expect_by){.pkt = cur.pkt,
	                          .src = cur.src,
	                          .now = table_tick_of(t, clock_ns),
	                          .ts_ns = clock_ns,
	                          .max = pol->expect_max,
	                          .source_max = pol->expect_source_max,
	                          .tell = pol->events != 0};
}

/* A key of PPTP's, and the connection that it is for. */
static int expect_key(struct table *t, const struct policy *pol,
                      const struct command_conn *c, const struct expect *e,
                      struct expect_by *by)
{
	uint8_t id;
	struct conn_lookup gre;

	if (c->l3 != 4 ||
	    !key_of_command(t, tracker_find(pol, c->l4proto, &id), c, &gre))
		return -EINVAL;
	return expect_key_add(t, e, &gre, by);
}

static int command_expect(struct table *t, const struct policy *pol,
                          const struct command *k, const struct command_conn *c)
{
	uint64_t most = (uint64_t)TIMEOUT_MAX_S * TICK_PER_S;
	struct command_expect x;
	struct expect e = {0};
	struct expect_by by;
	struct conn_view v;

	memcpy(&x, c->priv, sizeof(x));
	if ((c->l3 != 4 && c->l3 != 6) || x.src_len > (c->l3 == 4 ? 32 : 128) ||
	    x.flags & ~(EXPECT_SHOWN | EXPECT_SPORT | EXPECT_KEYMAP))
		return -EINVAL;
	if (!add_master(t, k->id, &v))
		return -ENOENT;
	expect_of_master(&v, k->id, &e);
	e.v6 = c->l3 == 6;
	memcpy(e.info.src, c->addr[0], e.v6 ? 16 : 4);
	memcpy(e.dst, c->addr[1], e.v6 ? 16 : 4);
	e.info.sport = c->port[0];
	e.dport = c->port[1];
	e.l4proto = c->l4proto;
	e.zone = c->zone[0];
	e.info.src_len = x.src_len;
	e.info.class = x.class;
	e.info.flags = x.flags;
	e.info.assign = x.assign;
	e.info.helper = c->helper;
	by = expect_step_by(t, pol);
	e.deadline = by.now +
	             (uint32_t)(c->timeout_ms < most ? c->timeout_ms : most);
	return x.flags & EXPECT_KEYMAP ? expect_key(t, pol, c, &e, &by)
	                               : expect_add(t, &e, k->value, &by);
}

int command_make(struct table *t, const struct policy *pol,
                 const struct command *k, const struct command_conn *c)
{
	return k->kind == COMMAND_EXPECT
	               ? command_expect(t, pol, k, c)
	               : command_add(t, pol, c, k->bits, k->id);
}

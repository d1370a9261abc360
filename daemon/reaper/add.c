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
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"

/* F101 and, for one that lived before, what only packets give */
#define STATUS_GIVEN (CONN_SEEN_REPLY | CONN_ASSURED | CONN_FIXED_TIMEOUT)

static bool add_key(const struct table *t, const struct tracker *trk,
                    const struct command_conn *c, struct conn_lookup *k)
{
	struct trk_tuple tp = {c->port[0], c->port[1]};
	struct pkt p;
	bool land;

	memset(&p, 0, sizeof(p));
	memset(k, 0, sizeof(*k));
	p.l3proto = c->l3;
	p.l4proto = c->l4proto;
	memcpy(p.src.b, c->addr[0], c->l3 == 4 ? 4 : 16);
	memcpy(p.dst.b, c->addr[1], c->l3 == 4 ? 4 : 16);
	p.zone = c->zone[0] | c->zone[1];
	if (!key_of_any(t, &p, trk, &tp, k, &land))
		return false;
	if (c->zone[0] != c->zone[1]) {
		if (c->zone[0] && c->zone[1])
			return false;
		k->key.flags |= c->zone[0] ? KEY_ZONE_ORIG : KEY_ZONE_REPLY;
		k->hash = hash_key(t->key.hash, &k->key, &k->addr6);
	}
	return true;
}

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
                      const struct conn_lookup *k)
{
	struct ring_header *h = t->ring[t->me].hdr;
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	struct conn_ext ext = {.labels = {c->labels[0], c->labels[1]},
	                       .helper = c->helper};
	bool more = c->labels[0] | c->labels[1] | c->helper;
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
	counters_add(&cs, CTR_NEW, 1);
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

int command_add(struct table *t, const struct policy *pol,
                const struct command_conn *c, uint32_t bits)
{
	uint8_t id;
	const struct tracker *trk = tracker_find(pol, c->l4proto, &id);
	struct conn_lookup k;
	uint32_t idx, slot;
	int r;

	if ((c->l3 != 4 && c->l3 != 6) || !c->timeout_ms ||
	    (trk->nstates ? c->state >= trk->nstates : c->state) ||
	    !add_key(t, trk, c, &k))
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
	r = idx ? -EEXIST : add_insert(t, pol, c, bits, &k);
	shard_unlock(t, k.shard);
	return r;
}

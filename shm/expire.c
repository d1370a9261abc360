/* expire.c - see expire.h. */
#include "shm/expire.h"

#include <string.h>

#include "shm/budget.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/hash.h"
#include "shm/proc.h"
#include "shm/told.h"

#define EXPIRE_HOLD 64u

void conn_event(const struct table *t, uint32_t sh, uint32_t idx,
                struct op_event *ev)
{
	const struct conn *c = table_conn(t, sh, idx);

	if (t->detail) {
		ev->vlan = table_detail(t, sh, idx)->vlan;
		ev->iface = table_detail(t, sh, idx)->iface;
	}
	ev->flags = (c->status & CONN_ACCT ? EVENT_F_ACCT : 0) |
	            (c->status & CONN_TIMESTAMP ? EVENT_F_TIMESTAMP : 0);
	if (unlikely(c->status & CONN_TOLD) && ev->type == EVENT_DESTROY) {
		told_delta(t, sh, idx, &ev->delta);
		ev->flags |= EVENT_F_DELTA;
	}
}

uint64_t conn_ending(struct table *t, uint32_t sh, uint32_t idx, uint64_t ts_ns,
                     uint32_t now, bool tell)
{
	const struct conn *c = table_conn(t, sh, idx);
	const struct conn_ext *x = table_ext(t, sh, c->ext);
	uint64_t id;

	if (likely(!x) || !x->helper)
		return 0;
	id = conn_id(c->gen, sh, idx);
	expect_doom(t, id, ts_ns, now, tell);
	return id;
}

void conn_forget(struct table *t, uint64_t master, uint64_t ts_ns, uint32_t now,
                 bool tell)
{
	if (unlikely(master) && expect_flush(t, master, ts_ns, now, tell))
		t->keys_gone = true;
}

void conn_end(struct table *t, uint32_t sh, uint32_t idx, uint32_t slot,
              enum conn_reason reason, uint64_t ts_ns, uint32_t now,
              uint32_t max, bool tell, unsigned int extra)
{
	struct ring_header *h = t->ring[t->me].hdr;
	const struct conn *c = table_conn(t, sh, idx);
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	struct op_event ev = {.reason = reason, .ts_ns = ts_ns};
	int64_t left = tick_left(c->deadline, now);
	uint64_t master = conn_ending(t, sh, idx, ts_ns, now, tell);
	struct counters cs = {0};

	counters_add(&cs, CTR_DELETE, 1);
	if (extra < CTR_COUNT)
		counters_add(&cs, extra, 1);
	if (tell) {
		ev.type = EVENT_DESTROY;
		ev.left_ms = left > 0 ? (uint32_t)left : 0;
		conn_event(t, sh, idx, &ev);
		counters_add(&cs, CTR_EVENT_DESTROY, 1);
	}
	op_update_begin(t, sh, idx);
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_delete_commit(t, sh, idx, slot, &ev, cur);
	counters_commit(t);
	budget_give(t, max);
	conn_forget(t, master, ts_ns, now, tell);
}

uint64_t expire_ns(const struct table *t, uint32_t deadline, uint64_t now_ns)
{
	uint64_t t0 = t->hdr->t0_real_ns;
	int64_t ms = (int64_t)(now_ns - t0) / (int64_t)NS_PER_MS;

	return t0 +
	       (uint64_t)(ms + tick_left(deadline, (uint32_t)ms)) * NS_PER_MS;
}

/* one entry whose chk has come; lock held; true: it was ended */
static bool entry_look(struct table *t, uint32_t sh, uint32_t idx,
                       uint64_t now_ns, uint32_t max, bool tell)
{
	uint32_t now = table_tick_of(t, now_ns);
	const struct conn *c = table_conn(t, sh, idx);
	uint32_t *chk = table_chk(t, sh, idx), slot;
	struct conn_lookup k;

	if (!(c->status & CONN_LIVE)) {
		*chk = 0;
		return false;
	}
	if (!tick_expired(c->deadline, now)) {
		*chk = told_look(t, sh, idx, now_ns, tell);
		return false;
	}
	k.key = c->key;
	if (c->key.flags & KEY_V6)
		k.addr6 = *table_addr6(t, sh, idx);
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	k.shard = (uint8_t)sh;
	if (conn_find(t, &k, &slot, NULL) != idx)
		return false;
	conn_end(t, sh, idx, slot, REASON_TIMEOUT,
	         expire_ns(t, c->deadline, now_ns), now, max, tell, CTR_COUNT);
	return true;
}

#define EXPIRE_LOOK 64u /* entries looked at together */

typedef uint32_t lanes __attribute__((vector_size(16)));
typedef int32_t signed_lanes __attribute__((vector_size(16)));

/* Of EXPIRE_LOOK entries from idx on: is none due?  Then the soonest of them is
 * noted.  Nearly all are looked at in vain, so four at a time: what is free is
 * as far away as can be. */
static bool none_due(const struct table *t, uint32_t sh, uint32_t idx,
                     uint32_t now, uint32_t *due)
{
	const lanes sign = {1u << 31, 1u << 31, 1u << 31, 1u << 31};
	const uint32_t *chk = table_chk(t, sh, idx);
	signed_lanes least = ~(signed_lanes)sign, left, sooner;
	uint32_t i, soonest = UINT32_MAX;
	lanes v;

	for (i = 0; i < EXPIRE_LOOK; i += 4) {
		memcpy(&v, chk + i, sizeof(v));
		left = (signed_lanes)(((v - now + TICK_BEHIND) |
		                       (lanes)(v == 0)) ^
		                      sign);
		sooner = left < least;
		least = (left & sooner) | (least & ~sooner);
	}
	v = (lanes)least ^ sign;
	for (i = 0; i < 4; i++)
		soonest = v[i] < soonest ? v[i] : soonest;
	if (soonest <= TICK_BEHIND)
		return false;
	if (soonest == UINT32_MAX)
		return true;
	soonest += now - TICK_BEHIND;
	if (tick_left(soonest, *due) < 0)
		*due = soonest;
	return true;
}

uint32_t shard_expire(struct table *t, uint32_t sh, uint64_t now_ns,
                      uint32_t most, uint32_t max, bool tell, uint32_t *due)
{
	uint32_t now = table_tick_of(t, now_ns);
	const struct shard *q = &t->shard[sh];
	uint32_t idx, gap, look = 0, held = 0, n = 0, chk;
	bool locked = false;

	for (idx = 1; idx < t->cap; idx++) {
		gap = shard_gap(t, q, idx);
		if (gap) {
			idx = gap;
			continue;
		}
		if (idx >= look && shard_run(t, q, idx) >= EXPIRE_LOOK) {
			if (none_due(t, sh, idx, now, due)) {
				idx += EXPIRE_LOOK - 1;
				continue;
			}
			look = idx + EXPIRE_LOOK;
		}
		chk = *table_chk(t, sh, idx);
		if (likely(!chk))
			continue;
		if (!tick_expired(chk, now)) {
			if (tick_left(chk, *due) < 0)
				*due = chk;
			continue;
		}
		if (!locked) {
			shard_lock(t, sh);
			locked = true;
			held = 0;
		}
		n += entry_look(t, sh, idx, now_ns, max, tell);
		chk = *table_chk(t, sh, idx);
		if (chk && tick_left(chk, *due) < 0)
			*due = chk;
		if (++held == EXPIRE_HOLD) {
			shard_unlock(t, sh);
			locked = false;
		}
		if (n >= most) {
			*due = now;
			break;
		}
	}
	if (locked)
		shard_unlock(t, sh);
	return n;
}

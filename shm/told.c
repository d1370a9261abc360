/* told.c - see told.h. */
#include "shm/told.h"

#include <fcntl.h>

#include "shm/clock.h"
#include "shm/expire.h"
#include "shm/proc.h"
#include "shm/update.h"

#define BYTES_MAX ((1ull << 48) - 1)

void delta_set(struct conn_delta *d, unsigned int dir, uint64_t packets,
               uint64_t bytes)
{
	if (bytes > BYTES_MAX)
		bytes = BYTES_MAX;
	d->packets[dir] = packets > UINT32_MAX ? UINT32_MAX : (uint32_t)packets;
	d->bytes_low[dir] = (uint32_t)bytes;
	d->bytes_high[dir] = (uint16_t)(bytes >> 32);
}

bool told_delta(const struct table *t, uint32_t sh, uint32_t idx,
                struct conn_delta *d)
{
	const struct conn *c = table_conn(t, sh, idx);
	const struct conn_told *told =
		c->status & CONN_TOLD ? table_told(t, sh, idx) : NULL;
	uint64_t packets, any = 0;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		packets = c->packets[i] - (told ? told->packets[i] : 0);
		any |= packets;
		delta_set(d, i, packets,
		          c->bytes[i] - (told ? told->bytes[i] : 0));
	}
	return any;
}

/* memory for the note: a full tmpfs says so here, not by SIGBUS */
static bool told_room(const struct table *t, uint32_t sh, uint32_t idx)
{
	uint64_t at = ((uint64_t)sh * t->cap + idx) * sizeof(struct conn_told);

	return t->sparse ||
	       (t->tbl_fd >= 0 &&
	        !posix_fallocate(t->tbl_fd, (off_t)(t->told_off + at),
	                         sizeof(struct conn_told)));
}

static void told_note(struct table *t, uint32_t sh, uint32_t idx, uint32_t now)
{
	struct conn *c = table_conn(t, sh, idx);
	struct conn_told *told = table_told(t, sh, idx);
	unsigned int i;

	update_told(t, sh, idx);
	for (i = 0; i < 2; i++) {
		told->packets[i] = c->packets[i];
		told->bytes[i] = c->bytes[i];
	}
	told->at = now;
	c->status |= CONN_TOLD;
}

static void told_update(struct table *t, uint32_t sh, uint32_t idx,
                        uint64_t now_ns, const struct conn_delta *d)
{
	struct ring_header *h = t->ring[t->me].hdr;
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	uint32_t now = table_tick_of(t, now_ns);
	int64_t left = tick_left(table_conn(t, sh, idx)->deadline, now);
	struct op_event ev = {.type = EVENT_UPDATE, .ts_ns = now_ns};
	struct counters cs = {0};

	ev.left_ms = left > 0 ? (uint32_t)left : 0;
	conn_event(t, sh, idx, &ev);
	ev.flags |= EVENT_F_DELTA;
	ev.delta = *d;
	counters_add(&cs, CTR_EVENT_UPDATE, 1);
	op_update_begin(t, sh, idx);
	told_note(t, sh, idx, now);
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_update_commit(t, sh, idx, &ev, cur);
	counters_commit(t);
}

uint32_t told_look(struct table *t, uint32_t sh, uint32_t idx, uint64_t now_ns,
                   bool tell)
{
	const struct conn *c = table_conn(t, sh, idx);
	uint32_t now = table_tick_of(t, now_ns), at = c->start;
	struct conn_delta d;

	if (likely(!t->tell_ms) || !(c->status & CONN_ACCT))
		return told_chk(t, c, at);
	if (c->status & CONN_TOLD)
		at = table_told(t, sh, idx)->at;
	/* an age, for it may be more than a tick can lie behind */
	if (now - at < t->tell_ms)
		return told_chk(t, c, at);
	/* nothing passed: then there is nothing to tell, now */
	if (tell && told_delta(t, sh, idx, &d) && told_room(t, sh, idx))
		told_update(t, sh, idx, now_ns, &d);
	return told_chk(t, c, now);
}

void told_lower(struct table *t, uint32_t sh, uint32_t idx, unsigned int dir,
                uint64_t packets, uint64_t bytes)
{
	struct conn_told *told = table_told(t, sh, idx);

	if (!(table_conn(t, sh, idx)->status & CONN_TOLD))
		return;
	update_told(t, sh, idx);
	told->packets[dir] -= packets;
	told->bytes[dir] -= bytes;
}

void told_again(struct table *t, uint32_t sh)
{
	uint32_t idx, now = table_now(t);

	shard_lock(t, sh);
	for (idx = 1; idx < t->cap; idx++)
		if (shard_used(t, &t->shard[sh], idx) &&
		    table_conn(t, sh, idx)->status & CONN_LIVE &&
		    tick_left(*table_chk(t, sh, idx), now) > 0)
			shm_store(table_chk(t, sh, idx), now ? now : 1);
	shard_unlock(t, sh);
}

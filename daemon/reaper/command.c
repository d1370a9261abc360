/*
 * command.c - deletes, updates and checks that came over the API.
 *
 * The api may not write the table.  It puts a command into a ring in its own
 * segment; here each is checked again (the api may be compromised), done under
 * the shard's lock, and answered in the reaper's ring header.  Commands are
 * numbered; a reaper that dies with one half done leaves it done or not done,
 * and its successor begins with the first that has no answer: a second delete
 * of the same id finds nothing, a second update changes nothing.
 */
#include "daemon/reaper/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/reaper/add.h"
#include "daemon/tracker/key.h"
#include "daemon/tracker/tracker.h"
#include "shm/atomic.h"
#include "shm/check.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"
#include "shm/told.h"

/* F101: bits that a client may set (ASSURED, SEEN_REPLY, FIXED_TIMEOUT) */
#define STATUS_SETTABLE (CONN_SEEN_REPLY | CONN_ASSURED | CONN_FIXED_TIMEOUT)

/* the live entry that an id names, and its slot; shard locked by the caller */
static uint32_t id_find(struct table *t, uint64_t id, uint32_t *slot)
{
	uint32_t sh = conn_id_shard(id), idx = conn_id_idx(id);
	const struct conn *c;
	struct conn_lookup k;

	if (!shard_used(t, &t->shard[sh], idx))
		return 0;
	c = table_conn(t, sh, idx);
	if (!(c->status & CONN_LIVE) || c->gen != conn_id_gen(id))
		return 0;
	k.key = c->key;
	if (c->key.flags & KEY_V6)
		k.addr6 = *table_addr6(t, sh, idx);
	k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
	k.shard = (uint8_t)sh;
	return conn_find(t, &k, slot, NULL) == idx ? idx : 0;
}

static int command_delete(struct table *t, const struct policy *pol,
                          const struct command *c)
{
	uint32_t sh = conn_id_shard(c->id), slot, idx, now = table_now(t);
	uint32_t reason = c->value == REASON_FLUSH ? REASON_FLUSH : REASON_API;

	shard_lock(t, sh);
	idx = id_find(t, c->id, &slot);
	if (idx)
		conn_end(t, sh, idx, slot, reason, table_clock_ns(t), now,
		         pol->max, pol->events != 0, CTR_COUNT);
	shard_unlock(t, sh);
	return idx ? 0 : -ENOENT;
}

static int command_expect_delete(struct table *t, const struct policy *pol,
                                 const struct command *c)
{
	uint64_t now_ns = table_clock_ns(t);

	return expect_forget(t, c->id, now_ns, table_tick_of(t, now_ns),
	                     pol->events != 0);
}

/* F248: an update tells all that it may have touched */
static void update_event(const struct table *t, uint32_t sh, uint32_t idx,
                         uint32_t now, struct op_event *ev)
{
	int64_t left = tick_left(table_conn(t, sh, idx)->deadline, now);

	ev->type = EVENT_UPDATE;
	ev->ts_ns = table_clock_ns(t);
	ev->left_ms = left > 0 ? (uint32_t)left : 0;
	ev->bits =
		EVB_REPLY | EVB_ASSURED | EVB_PROTOINFO | EVB_HELPER | EVB_MARK;
	conn_event(t, sh, idx, ev);
}

/* Within the window.  False: there is no room for them. */
static bool update_labels(struct table *t, uint32_t sh, uint32_t idx,
                          const struct command *cmd)
{
	bool set = cmd->labels[0] | cmd->labels[1];
	struct conn_ext *x = table_ext(t, sh, table_conn(t, sh, idx)->ext);
	unsigned int i;

	if (!x && set)
		x = op_update_ext(t, sh, idx);
	for (i = 0; x && i < 2; i++)
		x->labels[i] =
			(x->labels[i] & ~cmd->labels[2 + i]) | cmd->labels[i];
	return x || !set;
}

/* 0, or why this connection cannot be changed so. */
static int update_refused(const struct policy *pol, const struct conn *c,
                          const struct command *cmd)
{
	uint8_t id;

	if (cmd->bits & COMMAND_F_TIMEOUT && c->status & CONN_FIXED_TIMEOUT)
		return -EPERM; /* F097 */
	if (cmd->bits & COMMAND_F_STATE &&
	    cmd->bits >> COMMAND_STATE >=
	            tracker_find(pol, c->key.l4proto, &id)->nstates)
		return -EINVAL;
	return 0;
}

static int command_update(struct table *t, const struct policy *pol,
                          const struct command *cmd)
{
	uint32_t sh = conn_id_shard(cmd->id), slot, idx, now = table_now(t);
	struct ring_header *h = t->ring[t->me].hdr;
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	struct op_event ev = {0};
	struct counters cs = {0};
	struct conn *c;
	int r = -ENOENT;

	shard_lock(t, sh);
	idx = id_find(t, cmd->id, &slot);
	if (!idx)
		goto out;
	c = table_conn(t, sh, idx);
	r = update_refused(pol, c, cmd);
	if (r)
		goto out;
	op_update_begin(t, sh, idx);
	if (cmd->bits & COMMAND_F_LABELS && !update_labels(t, sh, idx, cmd)) {
		op_update_commit(t, sh, idx, NULL, (struct op_cursor){0, 0});
		r = -ENOSPC;
		goto out;
	}
	if (cmd->bits & COMMAND_F_MARK) /* F308 */
		c->mark = (c->mark & ~cmd->mask) ^ cmd->value;
	if (cmd->bits & COMMAND_F_TIMEOUT)
		c->deadline =
			tick_after_s(now, cmd->seconds > TIMEOUT_MAX_S
		                                  ? TIMEOUT_MAX_S
		                                  : (uint32_t)cmd->seconds);
	if (cmd->bits & COMMAND_F_STATUS)
		c->status |= (uint32_t)cmd->labels[0] & STATUS_SETTABLE;
	if (cmd->bits & COMMAND_F_STATE)
		c->state = (uint8_t)(cmd->bits >> COMMAND_STATE);
	if (pol->events) {
		update_event(t, sh, idx, now, &ev);
		if (cmd->bits & COMMAND_F_LABELS)
			ev.bits |= EVB_LABEL;
		counters_add(&cs, CTR_EVENT_UPDATE, 1);
	}
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_update_commit(t, sh, idx, &ev, cur);
	counters_commit(t);
out:
	shard_unlock(t, sh);
	return r;
}

static void first_fault(void *arg, const char *text)
{
	struct command_answer *a = arg;

	if (!a->text[0])
		snprintf(a->text, sizeof(a->text), "%s", text);
}

static int command_check(struct table *t, const struct command *c,
                         struct command_answer *a)
{
	int n;

	if (c->value > t->nshard)
		return -EINVAL;
	if (c->value == t->nshard) {
		expect_lock(t);
		n = shard_check(t->expect, 0, NULL, first_fault, a);
		expect_unlock(t);
	} else {
		shard_lock(t, c->value);
		n = shard_check(t, c->value, key_home, first_fault, a);
		shard_unlock(t, c->value);
	}
	if (n < 0)
		return n;
	a->faults = (uint32_t)n;
	return 0;
}

/* What was read is taken off, so what came since is counted once, too. */
static int command_zero(struct table *t, const struct command *cmd)
{
	uint32_t sh = conn_id_shard(cmd->id), slot, idx;
	struct conn *c;
	unsigned int d;

	shard_lock(t, sh);
	idx = id_find(t, cmd->id, &slot);
	if (idx) {
		op_update_begin(t, sh, idx);
		c = table_conn(t, sh, idx);
		for (d = 0; d < 2; d++) {
			if (cmd->labels[d] > c->packets[d] ||
			    cmd->labels[2 + d] > c->bytes[d])
				continue;
			c->packets[d] -= cmd->labels[d];
			c->bytes[d] -= cmd->labels[2 + d];
			told_lower(t, sh, idx, d, cmd->labels[d],
			           cmd->labels[2 + d]);
		}
		op_update_commit(t, sh, idx, NULL, (struct op_cursor){0, 0});
	}
	shard_unlock(t, sh);
	return idx ? 0 : -ENOENT;
}

static void command_run(struct table *t, const struct policy *pol,
                        const struct command *c, const struct command_conn *add,
                        struct command_answer *a)
{
	a->affected = 0;
	a->faults = 0;
	memset(a->text, 0, sizeof(a->text));
	switch (c->kind) {
	case COMMAND_DELETE:
		a->error = command_delete(t, pol, c);
		break;
	case COMMAND_UPDATE:
		a->error = command_update(t, pol, c);
		break;
	case COMMAND_CHECK:
		a->error = command_check(t, c, a);
		break;
	case COMMAND_ADD:
	case COMMAND_EXPECT:
		a->error = command_make(t, pol, c, add);
		break;
	case COMMAND_EXPECT_DELETE:
		a->error = command_expect_delete(t, pol, c);
		break;
	case COMMAND_ZERO:
		a->error = command_zero(t, c);
		break;
	default:
		a->error = -EOPNOTSUPP;
	}
	a->affected = a->error || c->kind == COMMAND_EXPECT ? 0 : 1;
}

/*
 * The command that comes next.  Both numbers stand where others may write, so
 * a place that does not hold what it must is passed over: the api tells its
 * client that there was no answer.
 */
static const struct command *command_next(struct table *t, uint32_t *number)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint32_t posted = (uint32_t)shm_load_acquire(&t->mlog->ncommand);
	const struct command *c;

	*number = h->commands_done;
	/* it may be written before it is counted */
	c = &t->mlog->command[*number % NCOMMAND];
	if ((uint32_t)shm_load_acquire(&c->number) == *number + 1)
		return c;
	if (posted - *number > NCOMMAND)
		*number = posted - NCOMMAND;
	for (; *number != posted; ++*number) {
		c = &t->mlog->command[*number % NCOMMAND];
		if ((uint32_t)shm_load_acquire(&c->number) == *number + 1 &&
		    (uint32_t)h->answer[*number % NCOMMAND].number !=
		            *number + 1)
			return c;
	}
	shm_store(&h->commands_done, *number);
	return NULL;
}

unsigned int commands_run(struct table *t, const struct policy *pol,
                          unsigned int most)
{
	struct ring_header *h = t->ring[t->me].hdr;
	unsigned int n;

	for (n = 0; n < most; n++) {
		uint32_t number;
		const struct command *slot = command_next(t, &number);
		struct command_answer *a = &h->answer[number % NCOMMAND];
		struct command_conn add;
		struct command c;

		if (!slot)
			break;
		c = *slot;
		if (c.kind == COMMAND_ADD || c.kind == COMMAND_EXPECT)
			add = t->mlog->add[number % NCOMMAND];
		command_run(t, pol, &c, &add, a);
		shm_store_release(&a->number, c.number);
		shm_store_release(&h->commands_done, number + 1);
	}
	return n;
}

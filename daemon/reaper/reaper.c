/*
 * reaper.c - the role: expiry, pressure, healing, clients' changes.
 *
 * Four turns a second, each over a quarter of the shards, so that an expired
 * connection is told of within a second (F231) and the scan of an idle table
 * of ten million costs less than a hundredth of a processor.  Work is bounded
 * a turn; what is left is done in the next, at once.
 *
 * From a capture the workers themselves end what expires, by packet time; the
 * reaper then only serves commands.
 */
#include "daemon/reaper/reaper.h"

#include <poll.h>

#include "daemon/base/log.h"
#include "daemon/reaper/background.h"
#include "daemon/reaper/command.h"
#include "daemon/tracker/tracker.h"
#include "shm/budget.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/expire.h"
#include "shm/hash.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "shm/told.h"

#define TURN_MS       250u
#define TURN_SHARDS   (NSHARD / 4)
#define COMMAND_TURNS 64u
/* of its time, at most, one part in so many is for the check in the background
 */
#define CHECK_SHARE  5u
#define EXPIRE_SHARD 20000u /* ended in one shard before the others come */

/* huge pages are asked for in the background, so many bytes a turn */
#define COLLAPSE_STEPS 16u

/* Expiry looks again so soon when somebody is behind, and a round over all
 * shards waits no longer for those who read. */
#define PACE_NS  (2 * NS_PER_MS)
#define ROUND_NS (10 * NS_PER_S)

struct turn {
	uint32_t shard; /* next */
	uint64_t next_ns;
	uint64_t round_ns; /* it came to shard 0 again */
	uint64_t collapse_at, huge;
	bool collapsed;
	bool checking;
	int pause; /* ms behind a shard that was checked */
};

/* ---- healing ---- */

/* What dead processes left in shards that nobody has touched since: all
 * holders are dead or wait for us, for no worker runs yet. */
static unsigned int heal_shards(struct table *t)
{
	uint32_t sh, word = shm_load(&t->expect->shard->lock);
	unsigned int n = 0;

	if ((word && proc_word_dead(t, word)) ||
	    (!word && shm_load(&t->expect->shard->op) != OP_IDLE)) {
		expect_lock(t);
		expect_unlock(t);
		n++;
	}
	for (sh = 0; sh < t->nshard; sh++) {
		const struct shard *q = &t->shard[sh];

		word = shm_load(&q->lock);
		if (!word && shm_load(&q->op) == OP_IDLE)
			continue;
		if (!word || proc_word_dead(t, word)) {
			shard_lock(t, sh);
			shard_unlock(t, sh);
			n++;
		}
	}
	return n;
}

static int reaper_begin(struct role_env *e)
{
	unsigned int n = heal_shards(e->t), i;
	bool worker = false;

	for (i = 0; i < NWORKER_MAX; i++) {
		worker |= proc_alive(e->t, i);
		if (!proc_alive(e->t, i))
			expect_settle(e->t, i);
	}
	background_begin(e);
	/* a worker that runs holds a part of the budget */
	if (!worker)
		budget_recount(e->t);
	if (n)
		log_info("reaper",
		         "repaired %u shards that a dead process had "
		         "left half done",
		         n);
	return 0;
}

/* ---- expiry ---- */

/*
 * Deadlines are soft, so while there is room expiry can wait for those who are
 * told: a storm of DESTROY alone must not cost a subscriber an event.
 */
enum expiry { EXPIRY_DONE, EXPIRY_MORE, EXPIRY_HELD };

static bool room_left(const struct role_env *e, const struct policy *pol)
{
	const struct table *t = e->t;
	uint32_t max = pol->max && pol->max < t->max ? pol->max : t->max;

	return proc_alive(t, SLOT_API) && table_count(t) < max / 10ull * 9;
}

/* cells that the api has not taken */
static uint64_t ring_lag(const struct role_env *e)
{
	const struct table *t = e->t;

	return t->ring[e->slot].hdr->tail - shm_load(&t->mlog->cursor[e->slot]);
}

static bool ring_behind(const struct role_env *e)
{
	return ring_lag(e) > e->t->ring[e->slot].mask / 2;
}

/* Somebody who reads is about to be lapped.  What the api says of him need not
 * be true: it is believed for a round. */
static bool follower_behind(const struct role_env *e, const struct turn *turn)
{
	const struct table *t = e->t;
	uint64_t tail = shm_load(&t->mlog->tail);
	uint64_t at = shm_load(&t->mlog->followed);
	uint64_t kept = shm_load(&table_proc(t, SLOT_RECORDER)->holds);

	if (!at || (kept && kept < at))
		at = kept;
	if (!at || clock_mono_ns() - turn->round_ns > ROUND_NS)
		return false;
	return tail + ring_lag(e) - (at - 1) > t->log_mask / 2;
}

static enum expiry reaper_expire(struct role_env *e, const struct policy *pol,
                                 struct turn *turn)
{
	uint64_t now = table_clock_ns(e->t);
	enum expiry last = EXPIRY_DONE;
	uint32_t i, due = 0; /* not needed: every shard is looked at */

	for (i = 0; i < TURN_SHARDS; i++) {
		uint32_t n, sh = turn->shard;

		if ((ring_behind(e) || follower_behind(e, turn)) &&
		    room_left(e, pol))
			return EXPIRY_HELD;
		n = shard_expire(e->t, sh, now, EXPIRE_SHARD, pol->max,
		                 pol->events != 0, &due);
		turn->shard = (turn->shard + 1) % e->t->nshard;
		if (!turn->shard)
			turn->round_ns = clock_mono_ns();
		if (n >= EXPIRE_SHARD)
			last = EXPIRY_MORE;
		if (n)
			role_beat(e);
	}
	return last;
}

/* active_timeout; what was there before it was set is looked at, too */
static void reaper_tell(struct role_env *e, const struct policy *pol)
{
	uint32_t ms = e->live ? pol->active_timeout * TICK_PER_S : 0, sh;

	if (likely(ms == e->t->tell_ms))
		return;
	e->t->tell_ms = ms;
	for (sh = 0; ms && sh < e->t->nshard; sh++)
		told_again(e->t, sh);
}

/* ---- pressure (F236) ---- */

static bool pressure_victim(const struct conn *c, const struct policy *pol)
{
	const struct tracker *trk;
	uint8_t id;

	if (!(c->status & CONN_LIVE))
		return false;
	if (!(c->status & CONN_ASSURED))
		return true;
	trk = tracker_find(pol, c->key.l4proto, &id);
	return trk->closing && trk->closing(c);
}

static void pressure_shard(struct role_env *e, const struct policy *pol,
                           uint32_t sh, uint32_t limit)
{
	struct table *t = e->t;
	uint32_t idx, slot, now = table_now(t);
	struct conn_lookup k;

	shard_lock(t, sh);
	for (idx = 1; idx < t->cap; idx++) {
		const struct conn *c = table_conn(t, sh, idx);

		if (!shard_used(t, &t->shard[sh], idx) ||
		    !pressure_victim(c, pol))
			continue;
		if (!(idx % 64) && table_count(t) < limit)
			break;
		k.key = c->key;
		if (c->key.flags & KEY_V6)
			k.addr6 = *table_addr6(t, sh, idx);
		k.hash = hash_key(t->key.hash, &k.key, &k.addr6);
		k.shard = (uint8_t)sh;
		if (conn_find(t, &k, &slot, NULL) == idx)
			conn_end(t, sh, idx, slot, REASON_GC_PRESSURE,
			         table_clock_ns(t), now, pol->max,
			         pol->events != 0, CTR_COUNT);
	}
	shard_unlock(t, sh);
}

static void reaper_pressure(struct role_env *e, const struct policy *pol)
{
	struct table *t = e->t;
	uint32_t max = pol->max && pol->max < t->max ? pol->max : t->max;
	uint32_t limit = max / 100 * 95, sh;

	if (likely(!shm_load(&t->hdr->pressure)))
		return;
	for (sh = 0; sh < t->nshard && table_count(t) >= limit; sh++) {
		pressure_shard(e, pol, sh, limit);
		role_beat(e);
	}
	shm_store(&t->hdr->pressure, 0);
}

/* ---- loop ---- */

/* 2 MiB pages for the table: a third of the time of a random look-up.  Not for
 * a private instance, which is gone before it would pay. */
static void reaper_collapse(struct role_env *e, struct turn *turn)
{
	if (turn->collapsed || e->private_instance)
		return;
	turn->collapsed = !region_collapse(e->t, COLLAPSE_STEPS,
	                                   &turn->collapse_at, &turn->huge);
	shm_store(&e->t->hdr->huge_bytes, turn->huge);
	if (turn->collapsed)
		log_debug("reaper", "%llu MiB of the table in huge pages",
		          (unsigned long long)turn->huge >> 20);
}

static void reaper_sleep(struct role_env *e, const struct turn *turn)
{
	struct pollfd p[2] = {
		{.fd = role_stop_fd(), .events = POLLIN},
		{.fd = e->fd[ROLE_FD_bell_reaper], .events = POLLIN}};
	uint64_t now = clock_mono_ns();
	int ms = now >= turn->next_ns
	                 ? 0
	                 : (int)((turn->next_ns - now) / NS_PER_MS) + 1;

	if (turn->checking && ms > turn->pause)
		ms = turn->pause;
	poll(p, 2, ms > (int)TURN_MS ? (int)TURN_MS : ms);
	if (p[1].revents)
		role_bell_clear(e->fd[ROLE_FD_bell_reaper]);
}

static void reaper_turn(struct role_env *e, const struct policy *pol,
                        struct turn *turn)
{
	uint64_t now = clock_mono_ns();
	uint64_t tail = e->t->ring[e->slot].hdr->tail;
	bool ran = false;
	unsigned int n;

	proc_cpu(e->t);
	reaper_tell(e, pol);
	/* expiry has its turn, however many commands there are */
	for (n = 0; n < COMMAND_TURNS && commands_run(e->t, pol, NCOMMAND);
	     n++) {
		ran = true;
		role_beat(e);
	}
	if (e->live && now >= turn->next_ns) {
		static const uint64_t pause[] = {[EXPIRY_DONE] =
		                                         TURN_MS * NS_PER_MS,
		                                 [EXPIRY_MORE] = 0,
		                                 [EXPIRY_HELD] = PACE_NS};
		enum expiry last = reaper_expire(e, pol, turn);

		expect_sweep(e->t, table_clock_ns(e->t), pol->max,
		             pol->events != 0);
		e->t->keys_gone = false;
		reaper_pressure(e, pol);
		turn->next_ns = now + pause[last];
	} else if (!e->live) {
		turn->next_ns = now + TURN_MS * NS_PER_MS;
	}
	if (ran || e->t->ring[e->slot].hdr->tail != tail)
		role_ring(e->fd[ROLE_FD_bell_api]);
}

static void reaper_check(struct role_env *e, struct turn *turn)
{
	uint64_t begin = clock_mono_ns(), took;

	turn->checking = background_turn(e);
	took = (clock_mono_ns() - begin) / NS_PER_MS * (CHECK_SHARE - 1);
	turn->pause = took < TURN_MS ? (int)took + 1 : (int)TURN_MS;
}

static int reaper_loop(struct role_env *e)
{
	struct turn turn = {.checking = true, .round_ns = clock_mono_ns()};
	const struct policy *pol;

	while (!role_stopping()) {
		role_beat(e);
		pol = rcud_enter(e->t);
		reaper_turn(e, pol, &turn);
		if (turn.checking)
			reaper_check(e, &turn);
		rcud_leave(e->t);
		reaper_collapse(e, &turn);
		reaper_sleep(e, &turn);
	}
	heal_shards(e->t);
	background_clean(e);
	return 0;
}

const struct role role_reaper = {
	.name = "reaper",
	.access = REGION_REAPER,
	.user = "ctshard",
	.uid = 65534,
	.begin = reaper_begin,
	.loop = reaper_loop,
};

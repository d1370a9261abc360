/* background.c - see background.h. */
#include "daemon/reaper/background.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/tracker/key.h"
#include "shm/budget.h"
#include "shm/check.h"
#include "shm/clock.h"
#include "shm/expect.h"
#include "shm/mend.h"
#include "shm/proc.h"

static struct check_state *state_of(const struct role_env *e)
{
	return &e->t->hdr->check;
}

/* ---- what a shard is locked by, and called ---- */

/* the expectations come last */
static struct table *table_of(struct table *t, uint32_t sh)
{
	return sh < t->nshard ? t : t->expect;
}

static void lock_of(struct table *t, uint32_t sh)
{
	if (sh < t->nshard)
		shard_lock(t, sh);
	else
		expect_lock(t);
}

static void unlock_of(struct table *t, uint32_t sh)
{
	if (sh < t->nshard)
		shard_unlock(t, sh);
	else
		expect_unlock(t);
}

static void note(void *arg, const char *text)
{
	char *first = arg;

	if (!*first)
		snprintf(first, 160, "%s", text);
}

/* ---- a read that the kernel refuses ---- */

static sigjmp_buf way_out;

static void refused(int sig)
{
	siglongjmp(way_out, sig);
}

static void signals_take(struct sigaction old[2])
{
	struct sigaction sa = {.sa_handler = refused};

	sigaction(SIGSEGV, &sa, &old[0]);
	sigaction(SIGBUS, &sa, &old[1]);
}

static void signals_give(const struct sigaction old[2])
{
	sigaction(SIGSEGV, &old[0], NULL);
	sigaction(SIGBUS, &old[1], NULL);
}

/* ---- one shard ---- */

enum outcome { SHARD_CLEAN, SHARD_REBUILT, SHARD_EMPTIED, SHARD_ISOLATED };

static const char *const outcomes[] = {
	[SHARD_CLEAN] = "clean",
	[SHARD_REBUILT] = "put in order",
	[SHARD_EMPTIED] = "begun anew",
	[SHARD_ISOLATED] = "taken out of use",
};

/* Connections that the shard has or had: the count may be what is wrong. */
static uint32_t shard_entries(const struct table *t, uint32_t sh)
{
	uint32_t idx, n = 0;

	for (idx = 1; idx < t->cap; idx++)
		n += table_conn(t, sh, idx)->status & CONN_LIVE ||
		     *table_chk(t, sh, idx);
	return n;
}

static enum outcome shard_mend(struct table *t, uint32_t sh, char *fault,
                               volatile uint32_t *had)
{
	shard_fn *home = t->twins ? NULL : key_home;

	/* no memory for the marks: nothing is known to be wrong */
	if (shard_check(t, sh, home, note, fault) <= 0)
		return SHARD_CLEAN;
	*had = shard_entries(t, sh);
	shard_salvage(t, sh, home);
	if (shard_check(t, sh, home, NULL, NULL) <= 0)
		return SHARD_REBUILT;
	shard_empty(t, sh);
	return shard_check(t, sh, home, NULL, NULL) <= 0 ? SHARD_EMPTIED
	                                                 : SHARD_ISOLATED;
}

/* Lock held.  `had` are the connections that it had, if anything is wrong. */
static enum outcome shard_look(struct table *t, uint32_t sh, char *fault,
                               volatile uint32_t *had)
{
	struct sigaction old[2];
	volatile enum outcome was = SHARD_ISOLATED;
	int sig;

	signals_take(old);
	sig = sigsetjmp(way_out, 1);
	if (!sig)
		was = shard_mend(t, sh, fault, had);
	else
		snprintf(fault, 160, "signal %d while it was read", sig);
	if (was == SHARD_ISOLATED && !sigsetjmp(way_out, 1))
		shard_isolate(t, sh);
	signals_give(old);
	return was;
}

static void outcome_tell(struct check_state *c, enum outcome was, uint32_t lost,
                         const char *fault)
{
	if (was == SHARD_CLEAN)
		return;
	shm_store(&c->faulty, c->faulty + 1);
	if (was == SHARD_REBUILT)
		shm_store(&c->rebuilt, c->rebuilt + 1);
	else if (was == SHARD_EMPTIED)
		shm_store(&c->emptied, c->emptied + 1);
	else
		shm_store(&c->isolated, c->isolated + 1);
	shm_store(&c->lost, c->lost + lost);
	log_warnx("reaper", "check: %s: %s, %u connections lost", fault,
	          outcomes[was], lost);
}

static void over_tell(const struct role_env *e, struct check_state *c)
{
	/* drawn by what was counted when the daemon started */
	budget_settle(e->t);
	shm_store(&c->end_ns, clock_mono_ns());
	shm_store(&c->over, 1);
	log_info("reaper",
	         "check: all shards seen in %llu ms: %u faulty (%u put in "
	         "order, %u begun anew, %u taken out of use), %llu "
	         "connections lost",
	         (unsigned long long)((c->end_ns - c->begin_ns) / NS_PER_MS),
	         c->faulty, c->rebuilt, c->emptied, c->isolated,
	         (unsigned long long)c->lost);
}

bool background_turn(struct role_env *e)
{
	struct check_state *c = state_of(e);
	uint32_t n = c->next, sh, after;
	volatile uint32_t had = 0;
	char fault[160] = "";
	struct table *t;
	enum outcome was;

	if (c->generation != e->t->hdr->generation || c->over ||
	    e->private_instance)
		return false;
	if (n > e->t->nshard) {
		over_tell(e, c);
		return false;
	}
	t = table_of(e->t, n);
	sh = n < e->t->nshard ? n : 0;
	lock_of(e->t, n);
	was = shard_look(t, sh, fault, &had);
	after = shm_load(&t->shard[sh].count);
	unlock_of(e->t, n);
	outcome_tell(c, was, had > after ? had - after : 0, fault);
	shm_store_release(&c->next, n + 1);
	return true;
}

/* ---- is there anything to do? ---- */

/* What was isolated is begun anew, and looked at with all others. */
static uint32_t isolated_free(struct table *t)
{
	uint32_t n, sh, freed = 0;

	for (n = 0; n <= t->nshard; n++) {
		struct table *of = table_of(t, n);

		sh = n < t->nshard ? n : 0;
		if (!shm_load(&of->shard[sh].isolated))
			continue;
		lock_of(t, n);
		shard_empty(of, sh);
		unlock_of(t, n);
		freed++;
	}
	return freed;
}

void background_begin(struct role_env *e)
{
	struct check_state *c = state_of(e), begin = {0};
	struct tbl_header *h = e->t->hdr;
	bool due;

	due = shm_load(&h->generation_clean) + 1 != h->generation;
	if (c->generation == h->generation) {
		shm_store(&h->generation_clean, 0);
		return;
	}
	due |= isolated_free(e->t) > 0;
	begin.over = !due;
	begin.begin_ns = clock_mono_ns();
	*c = begin;
	/* a kill before this line, and it is all asked again */
	shm_store_release(&c->generation, h->generation);
	shm_store(&h->generation_clean, 0);
	if (due && !e->private_instance)
		log_info("reaper", "the last end was not a clean one: all "
		                   "shards are checked in the background");
}

void background_clean(struct role_env *e)
{
	struct tbl_header *h = e->t->hdr;

	if (state_of(e)->over)
		shm_store(&h->generation_clean, h->generation);
}

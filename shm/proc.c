/* proc.c - see proc.h. */
#include "shm/proc.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/repair.h"

/* turns of a busy wait before the holder is looked at */
#define LOCK_SPINS 200u
/* a waiter names a holder that has not moved for so long */
#define LOCK_NAME_NS (20 * NS_PER_MS)

bool proc_alive(const struct table *t, uint32_t slot)
{
	uint32_t v;

	if (slot >= NSLOT)
		return false;
	v = shm_load_acquire(&table_proc(t, slot)->token);
	return v && !(v & FUTEX_OWNER_DIED);
}

bool proc_word_dead(const struct table *t, uint32_t word)
{
	uint32_t slot = (word & 0xff) - 1;

	if (!proc_alive(t, slot))
		return true;
	return (shm_load(&table_proc(t, slot)->incarnation) & 0xffffff) !=
	       word >> 8;
}

/* The one entry of this thread's robust list.  glibc's own list, which it
 * registers at thread start, is replaced: nobody here uses robust mutexes. */
static __thread struct robust_list_head robust;
static __thread struct robust_list robust_node;

static int token_take(uint32_t *token)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid);
	uint32_t v = shm_load_acquire(token);

	if (v && !(v & FUTEX_OWNER_DIED))
		return -EBUSY;
	robust_node.next = &robust.list;
	robust.list.next = &robust_node;
	robust.futex_offset = (char *)token - (char *)&robust_node;
	robust.list_op_pending = NULL;
	if (syscall(SYS_set_robust_list, &robust, sizeof(robust)))
		return -errno;
	if (shm_cas(token, v, tid) != v)
		return -EBUSY;
	return 0;
}

static uint32_t pend_number(const struct ring_header *h)
{
	uint32_t n = shm_load(&h->npend);

	return n < NPEND ? n : NPEND;
}

static void pend_apply(struct ring_header *h)
{
	uint32_t i, c, n = pend_number(h);

	for (i = 0; i < n; i++) {
		c = shm_load(&h->pend[i].counter);
		if (c < STATS_SLOTS)
			shm_store(&h->counter[c], h->pend[i].value);
	}
	/* before anything new is prepared: or it would be taken for this */
	if (h->pend_cursor == PEND_FOLD)
		shm_store(&h->count_last, 0);
	shm_store(&h->pend_cursor, 0);
}

/* Words are added up in planes, a bit of the sum each: four words at a time,
 * and a lane has 16 of them. */
#define FOLD_PLANES 5u
typedef uint32_t fold_lanes __attribute__((vector_size(16)));
_Static_assert(NCOUNT / 4 < 1u << FOLD_PLANES, "sums fit in their planes");

static void fold_planes(const uint32_t word[NCOUNT],
                        fold_lanes plane[FOLD_PLANES])
{
	fold_lanes carry, both;
	uint32_t i, b;

	for (i = 0; i < NCOUNT; i += 4) {
		memcpy(&carry, &word[i], sizeof(carry));
		for (b = 0; b < FOLD_PLANES; b++) {
			both = plane[b] & carry;
			plane[b] ^= carry;
			carry = both;
		}
	}
}

static uint32_t fold_sum(const fold_lanes plane[FOLD_PLANES], uint32_t bit)
{
	uint32_t b, lane, sum = 0;

	for (b = 0; b < FOLD_PLANES; b++)
		for (lane = 0; lane < 4; lane++)
			sum += (plane[b][lane] >> bit & 1) << b;
	return sum;
}

/* Words of packets up to the cursor become values, and these are applied. */
static void count_fold(struct ring_header *h)
{
	uint64_t last = h->count_last, done = h->cursor[0], from;
	fold_lanes plane[FOLD_PLANES] = {0}, any;
	uint32_t word[NCOUNT] = {0}, all, c, n = 0;

	from = last > done ? last - done : 0;
	if (from < NCOUNT)
		memcpy(&word[from], &h->count[from],
		       (NCOUNT - from) * sizeof(word[0]));
	fold_planes(word, plane);
	any = plane[0] | plane[1] | plane[2] | plane[3] | plane[4];
	all = any[0] | any[1] | any[2] | any[3];
	for (; all; all &= all - 1) {
		c = (uint32_t)__builtin_ctz(all);
		if (c >= CTR_COUNT)
			break;
		h->pend[n].counter = c;
		h->pend[n++].value = h->counter[c] + fold_sum(plane, c);
	}
	h->npend = n;
	shm_store(&h->pend_cursor, PEND_FOLD);
	pend_apply(h);
}

/* what a predecessor counted but did not apply counts iff its cursor moved */
static void pend_settle(struct ring_header *h)
{
	uint64_t pkt = h->pend_cursor;
	uint32_t src = shm_load(&h->pend_src);

	if (pkt == PEND_FOLD || (pkt && src < NSOURCE && h->cursor[src] == pkt))
		pend_apply(h);
	else
		shm_store(&h->pend_cursor, 0);
	if (h->count_last)
		count_fold(h);
	trace_settle(h);
}

static bool shard_left(const struct table *t, uint32_t sh)
{
	const struct shard *q = &t->shard[sh];
	uint32_t word = shm_load_acquire(&q->lock);

	if ((word & 0xff) == t->me + 1 && word != t->word)
		return true;
	/* somebody repairs what the predecessor left: wait for the end, or an
	 * event would be prepared in a ring that repair is about to publish */
	return shm_load_acquire(&q->op) != OP_IDLE &&
	       shm_load(&q->op_owner) == t->me;
}

int proc_attach(struct table *t, uint32_t slot, uint32_t role)
{
	struct proc_page *p = table_proc(t, slot);
	uint32_t sh;
	int r;

	r = token_take(&p->token);
	if (r)
		return r;
	shm_store_release(&p->incarnation, p->incarnation + 1);
	shm_store(&p->state, PROC_STARTING);
	p->role = role;
	p->pid = (uint32_t)getpid();
	p->blocked_lock = 0;
	p->sleeping = 0;
	shm_store(&p->qs, 0);
	t->me = slot;
	t->word = p->incarnation << 8 | (slot + 1);
	if (slot >= NRING || !t->ring[slot].hdr)
		return 0;
	t->expect->me = t->me;
	t->expect->word = t->word;
	if (shard_left(t->expect, 0)) {
		shard_lock(t->expect, 0);
		shard_unlock(t->expect, 0);
	}
	for (sh = 0; sh < t->nshard; sh++)
		if (shard_left(t, sh)) {
			shard_lock(t, sh);
			shard_unlock(t, sh);
		}
	pend_settle(t->ring[slot].hdr);
	return 0;
}

void proc_detach(struct table *t)
{
	struct proc_page *p = table_proc(t, t->me);

	shm_store(&p->state, PROC_NONE);
	shm_store(&p->qs, 0);
	shm_store_release(&p->token, 0);
}

static uint64_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* one bounded wait; the holder `word` is named once it has stood for long */
static void lock_wait(struct table *t, uint32_t sh, uint32_t word,
                      uint64_t *since)
{
	const struct timespec nap = {0, 50000};
	uint64_t now = mono_now();
	struct proc_page *p = table_proc(t, t->me);

	if (!*since)
		*since = now;
	if (now - *since > LOCK_NAME_NS) {
		p->blocked_shard = t->shard0 + sh;
		shm_store(&p->blocked_lock, word);
		nanosleep(&nap, NULL);
	} else {
		sched_yield();
	}
}

void shard_lock_slow(struct table *t, uint32_t sh)
{
	uint32_t *lock = &t->shard[sh].lock, word, seen = 0, spins;
	uint64_t since = 0;

	for (;;) {
		for (spins = 0; spins < LOCK_SPINS; spins++) {
			word = shm_load(lock);
			if (!word && shm_cas(lock, 0, t->word) == 0)
				goto taken;
			shm_relax();
		}
		if (word && proc_word_dead(t, word) &&
		    shm_cas(lock, word, t->word) == word) {
			shard_repair(t, sh);
			goto taken;
		}
		if (word != seen)
			since = 0;
		seen = word;
		lock_wait(t, sh, word, &since);
		t->waited++;
	}
taken:
	if (since)
		shm_store(&table_proc(t, t->me)->blocked_lock, 0);
}

void counters_more(struct counters *cs, uint32_t counter, uint32_t add)
{
	uint32_t i;

	for (i = 0; i < cs->n; i++)
		if (cs->item[i].counter == counter) {
			cs->item[i].add += add;
			return;
		}
	if (cs->n < COUNTERS_MORE) {
		cs->item[cs->n].counter = counter;
		cs->item[cs->n++].add = add;
	}
}

static void pend_add(struct ring_header *h, uint32_t counter, uint32_t add)
{
	uint32_t i, n = pend_number(h);

	for (i = 0; i < n; i++)
		if (h->pend[i].counter == counter) {
			h->pend[i].value += add;
			return;
		}
	if (n == NPEND)
		return;
	h->pend[n].counter = counter;
	h->pend[n].value = h->counter[counter] + add;
	h->npend = n + 1;
}

void counters_prepare_values(struct table *t, const struct counters *cs,
                             uint64_t pkt, uint32_t src)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint64_t at = h->count_last - pkt;
	uint32_t i, ones = cs->ones;

	if (!src && h->count_last && pkt > h->count_last) {
		/* the batch has a hole in its numbers */
		counters_open(t, pkt);
		at = h->count_last - pkt;
	}
	if (!src && at < NCOUNT) {
		h->count[at] = ones;
		ones = 0;
	}
	h->npend = 0;
	for (i = 0; i < cs->n; i++)
		pend_add(h, cs->item[i].counter, cs->item[i].add);
	for (; ones; ones &= ones - 1)
		pend_add(h, (uint32_t)__builtin_ctz(ones), 1);
	h->pend_src = src;
	shm_store(&h->pend_cursor, h->npend ? pkt : 0);
}

void counters_apply(struct table *t)
{
	pend_apply(t->ring[t->me].hdr);
}

void counters_open(struct table *t, uint64_t pkt)
{
	struct ring_header *h = t->ring[t->me].hdr;

	counters_close(t);
	memset(h->count, 0, sizeof(h->count));
	shm_store(&h->count_last, pkt + NCOUNT - 1);
}

void counters_close(struct table *t)
{
	struct ring_header *h = t->ring[t->me].hdr;

	if (h->count_last)
		count_fold(h);
}

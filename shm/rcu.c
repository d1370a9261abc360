/* rcu.c - see rcu.h. */
#include "shm/rcu.h"

#include <errno.h>
#include <string.h>

#include "shm/atomic.h"
#include "shm/proc.h"

const struct policy *rcud_enter(struct table *t)
{
	struct policy_segment *p = t->policy;
	uint32_t current;

	/* full fence: the epoch is published before `current` is read, so the
	 * writer either sees this reader or has published before it looked */
	shm_xchg(&table_proc(t, t->me)->qs, shm_load(&p->epoch));
	current = shm_load_acquire(&p->current);
	return &p->block[current % POLICY_BLOCKS];
}

void rcud_leave(struct table *t)
{
	shm_store_release(&table_proc(t, t->me)->qs, 0);
}

/* the oldest epoch that a live reader may still be in */
static uint64_t oldest_reader(const struct table *t)
{
	uint64_t oldest = shm_load(&t->policy->epoch), qs;
	uint32_t slot;

	shm_mb();
	for (slot = 0; slot < NSLOT; slot++) {
		qs = shm_load_acquire(&table_proc(t, slot)->qs);
		if (qs && qs < oldest && proc_alive(t, slot))
			oldest = qs;
	}
	return oldest;
}

unsigned int rcud_reclaim(struct table *t)
{
	struct policy_segment *p = t->policy;
	uint64_t oldest = oldest_reader(t);
	unsigned int i, n = 0;

	for (i = 0; i < POLICY_BLOCKS; i++) {
		if (i != p->current && p->retired[i] != RETIRED_NO &&
		    p->retired[i] <= oldest)
			shm_store(&p->retired[i], 0);
		n += p->retired[i] == 0;
	}
	return n;
}

int rcud_publish(struct table *t, const struct policy *pol)
{
	struct policy_segment *p = t->policy;
	uint32_t i, old = p->current;

	rcud_reclaim(t);
	for (i = 0; i < POLICY_BLOCKS; i++)
		if (i != old && p->retired[i] == 0)
			break;
	if (i == POLICY_BLOCKS)
		return -EAGAIN;
	shm_store(&p->retired[i], RETIRED_NO);
	memcpy(&p->block[i], pol, sizeof(*pol));
	p->block[i].version = ++p->version;
	shm_store_release(&p->current, i);
	shm_add(&p->epoch, 1);
	shm_store(&p->retired[old], p->epoch);
	return 0;
}

void rcud_recover(struct table *t)
{
	struct policy_segment *p = t->policy;
	uint32_t i;

	if (p->current >= POLICY_BLOCKS)
		p->current = 0;
	shm_store(&p->retired[p->current], RETIRED_NO);
	for (i = 0; i < POLICY_BLOCKS; i++)
		if (i != p->current && p->retired[i] == RETIRED_NO)
			shm_store(&p->retired[i], shm_add(&p->epoch, 1));
}

/* budget.c - see budget.h. */
#include "shm/budget.h"

#include "shm/atomic.h"
#include "shm/read.h"

static uint32_t portion(const struct table *t, uint32_t *max)
{
	uint32_t n;

	if (!*max || *max > t->max)
		*max = t->max;
	n = *max / 4096;
	return n < 1 ? 1 : n > 64 ? 64 : n;
}

bool budget_take(struct table *t, uint32_t max)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint32_t n;

	if (likely(h->credit > 0)) {
		shm_store(&h->credit, h->credit - 1);
		return true;
	}
	n = portion(t, &max);
	/* a look first: in a table that is full this is for every newcomer */
	if (shm_load(&t->hdr->budget) + n > max)
		return false;
	if (shm_add(&t->hdr->budget, n) > max) {
		shm_add(&t->hdr->budget, -(uint64_t)n);
		return false;
	}
	shm_store(&h->credit, n - 1);
	return true;
}

bool budget_gone(const struct table *t, uint32_t max)
{
	uint32_t n = portion(t, &max);

	return !t->ring[t->me].hdr->credit &&
	       shm_load(&t->hdr->budget) + n > max;
}

void budget_give(struct table *t, uint32_t max)
{
	struct ring_header *h = t->ring[t->me].hdr;
	uint32_t n = portion(t, &max);

	if (h->credit + 1 < 2 * n) {
		shm_store(&h->credit, h->credit + 1);
		return;
	}
	shm_store(&h->credit, h->credit + 1 - n);
	shm_add(&t->hdr->budget, -(uint64_t)n);
}

void budget_settle(struct table *t)
{
	unsigned int tries, i;
	uint64_t was, is;

	/* who draws or gives back a portion meanwhile changes the word */
	for (tries = 0; tries < 100; tries++) {
		was = shm_load(&t->hdr->budget);
		is = table_count(t);
		for (i = 0; i < NRING; i++)
			if (t->ring[i].hdr)
				is += shm_load(&t->ring[i].hdr->credit);
		if (shm_cas(&t->hdr->budget, was, is) == was)
			return;
	}
}

void budget_recount(struct table *t)
{
	uint32_t i;

	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr)
			shm_store(&t->ring[i].hdr->credit, 0);
	shm_store(&t->hdr->budget, table_count(t));
}

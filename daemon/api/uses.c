/* uses.c - see uses.h. */
#include "daemon/api/uses.h"

#include <stdlib.h>

#include "shm/atomic.h"
#include "shm/tick.h"

#define USES_ROOM 64u

static struct uses_slot *slot_of(struct uses_slot *slot, uint32_t room,
                                 uint64_t master)
{
	uint32_t i = (uint32_t)((master * 0x9e3779b97f4a7c15ull) >> 32);

	for (i &= room - 1; slot[i].n && slot[i].master != master;)
		i = (i + 1) & (room - 1);
	return &slot[i];
}

static bool uses_grow(struct uses *u)
{
	uint32_t room = u->room ? u->room * 2 : USES_ROOM, i;
	struct uses_slot *slot = calloc(room, sizeof(*slot));

	if (!slot)
		return false;
	for (i = 0; i < u->room; i++)
		if (u->slot[i].n)
			*slot_of(slot, room, u->slot[i].master) = u->slot[i];
	free(u->slot);
	u->slot = slot;
	u->room = room;
	return true;
}

static bool uses_add(struct uses *u, uint64_t master)
{
	struct uses_slot *s;

	if (u->n >= u->room / 2 && !uses_grow(u))
		return false;
	s = slot_of(u->slot, u->room, master);
	u->n += !s->n++;
	s->master = master;
	return true;
}

/* Was an expectation ever met?  Only then can a connection have a master. */
static bool masters_at_all(const struct table *t)
{
	uint32_t i;

	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr &&
		    shm_load(&t->ring[i].hdr->counter[CTR_EXPECT_NEW]))
			return true;
	return false;
}

bool uses_step(struct uses *u, const struct table *t, uint32_t look,
               uint32_t now)
{
	struct conn_view v;

	if (u->done)
		return true;
	if (!u->walk.shard && !u->walk.idx && !masters_at_all(t))
		u->done = true;
	while (!u->done && look--) {
		if (!conn_walk(t, &u->walk, &v))
			u->done = true;
		else if (v.conn.ext && v.ext.master &&
		         !tick_expired(v.conn.deadline, now))
			u->done = !uses_add(u, v.ext.master);
	}
	return u->done;
}

uint32_t uses_of(const struct uses *u, uint64_t master)
{
	return u->room ? slot_of(u->slot, u->room, master)->n : 0;
}

void uses_free(struct uses *u)
{
	free(u->slot);
	u->slot = NULL;
}

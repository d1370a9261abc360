/*
 * tracker.c - the list of protocols, and who serves which packet.
 *
 * A tracker is known by its place in trackers.h: that place is its row in the
 * policy block, and the number in the 256 places of `by_proto`.  The last of
 * the list serves every protocol that has no tracker of its own (F032).
 */
#include "daemon/tracker/tracker.h"

#define TRACKER(name) extern const struct tracker tracker_##name;
#include "daemon/tracker/trackers.h"
#undef TRACKER

static const struct tracker *const trackers[] = {
#define TRACKER(name) &tracker_##name,
#include "daemon/tracker/trackers.h"
#undef TRACKER
};

#define NTRACKERS ARRAY_SIZE(trackers)
#define LAST      (NTRACKERS - 1)
_Static_assert(NTRACKERS <= POLICY_TRACKERS, "the policy has a row for each");

/*
 * Protocol number to place.  The numbers live in the descriptors, which no
 * constant expression can read, so the first caller fills it.  Two threads
 * that are first together write the same bytes; whoever sees `by_proto_ready`
 * sees them all.
 */
static uint8_t by_proto[256];
static bool by_proto_ready;

static void by_proto_fill(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(by_proto); i++)
		__atomic_store_n(&by_proto[i], LAST, __ATOMIC_RELAXED);
	for (i = 0; i < LAST; i++)
		__atomic_store_n(&by_proto[trackers[i]->l4proto], i,
		                 __ATOMIC_RELAXED);
	__atomic_store_n(&by_proto_ready, true, __ATOMIC_RELEASE);
}

static uint8_t proto_row(uint8_t l4proto)
{
	if (unlikely(!__atomic_load_n(&by_proto_ready, __ATOMIC_ACQUIRE)))
		by_proto_fill();
	return __atomic_load_n(&by_proto[l4proto], __ATOMIC_RELAXED);
}

const struct tracker *tracker_find(const struct policy *pol, uint8_t l4proto,
                                   uint8_t *id)
{
	uint8_t row = proto_row(l4proto);

	if (unlikely(pol->tracker_off[row]))
		row = LAST;
	*id = row;
	return trackers[row];
}

const struct tracker *tracker_at(unsigned int id)
{
	return id < NTRACKERS ? trackers[id] : NULL;
}

/* Only the rows of trackers are written: the rest of the block belongs to
 * whoever makes it. */
void tracker_defaults(struct policy *pol)
{
	const struct tracker *t;
	unsigned int id, i;

	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->ntimeouts; i++)
			pol->timeout[id][t->timeouts[i].slot] =
				t->timeouts[i].seconds;
		for (i = 0; i < t->noptions; i++)
			pol->option[id][t->options[i].slot] =
				t->options[i].value;
		pol->tracker_off[id] = 0;
	}
}

/* State 0 has no name to show: it is what an entry of a protocol that was
 * switched off carries (the generic tracker knows no states). */
const char *tracker_state_name(uint8_t l4proto, uint8_t state)
{
	const struct tracker *t = trackers[proto_row(l4proto)];

	return state && state < t->nstates ? t->states[state] : NULL;
}

const char *tracker_proto_name(uint8_t l4proto)
{
	uint8_t row = proto_row(l4proto);

	return row == LAST ? "unknown" : trackers[row]->name;
}

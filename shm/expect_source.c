/*
 * expect_source.c - how many expectations one host has brought about.
 *
 * Its source is who began the master connection: who makes many connections,
 * each within its own limit (F188), must not use up the room of all.  Of IPv6
 * the network of 64 bits counts as one host, for that is what one gets.
 *
 * Nothing is counted that could be wrong after a kill: the hints of all
 * entries (32 KiB) are walked when one is added, and only when there are so
 * many in all that this source could be the reason.  A hint has the low half of
 * a hash of the source, so that few details of others are looked at.
 */
#include "shm/expect_in.h"

#include "shm/hash.h"

/* as the first eight bytes of the address have it */
static uint32_t source_hint(const struct table *t, uint64_t src)
{
	return (uint32_t)hash_words4(t->key.hash, src, 0) << 16;
}

uint32_t expect_hint(const struct table *t, const struct expect *e,
                     uint64_t source)
{
	return expect_master_hint(e->master) | source_hint(t, source);
}

/* A key keeps its connection's key where others have the master's tuple, but
 * one of its own two addresses is the master's source. */
static bool of_source(const struct table *t, uint32_t idx,
                      const struct expect *e, uint64_t src)
{
	const struct expect_info *i = info_at(t, idx);
	const struct conn_key *k = &entry_at(t, idx)->key;

	if (k->zone != e->zone || !(k->flags & KEY_V6) != !e->v6)
		return false;
	if (i->flags & EXPECT_KEYMAP)
		return i->src[0] == src || k->addr[0] == src;
	return i->master[0][0] == src;
}

bool expect_source_room(const struct table *t, const struct expect *e,
                        unsigned int max)
{
	const struct shard *q = t->expect->shard;
	uint64_t src = e->info.master[0][0];
	uint32_t hint = source_hint(t, src), idx;
	unsigned int n = 0;

	if (!max || q->count < max)
		return true;
	for (idx = 1; idx < t->expect->cap; idx++) {
		if (idx >= q->bump[0] && idx <= q->bump[1]) {
			idx = q->bump[1];
			continue;
		}
		if ((t->expect_tag[idx] & ~EXPECT_HINT_MASTER) == hint &&
		    entry_live(t, idx) && of_source(t, idx, e, src) &&
		    ++n == max)
			return false;
	}
	return true;
}

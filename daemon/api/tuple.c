/*
 * tuple.c - see tuple.h.
 *
 * No protocol is named here.  What a tracker's descriptor has tells what its
 * tuples look like: no `tuple` of its own means ports; `request` means types
 * that come in pairs; otherwise its tuple is a pair of keys, but for the
 * tracker that serves all other protocols, which has addresses alone.
 */
#include "daemon/api/tuple.h"

#include <string.h>

#include "daemon/tracker/tracker.h"

static const struct tracker *tuple_tracker(const struct policy *pol,
                                           uint8_t l4proto, bool *last)
{
	uint8_t id;
	const struct tracker *trk = tracker_find(pol, l4proto, &id);

	*last = tracker_at(id + 1u) == NULL;
	return trk;
}

enum tuple_kind tuple_kind(const struct policy *pol, uint8_t l4proto)
{
	bool last;
	const struct tracker *trk = tuple_tracker(pol, l4proto, &last);

	if (last)
		return TUPLE_ADDRESSES;
	if (trk->request)
		return TUPLE_TYPE;
	return trk->tuple ? TUPLE_KEYS : TUPLE_PORTS;
}

/*
 * The type that answers `type`: trackers map an answer to its question, so
 * every type is asked once.  Kept, because rows ask again and again.
 */
static uint8_t type_answer(const struct tracker *trk, uint8_t type)
{
	static struct {
		const struct tracker *trk;
		bool known[256];
		uint8_t answer[256];
	} kept[2];
	unsigned int i, k = 0;

	while (k < ARRAY_SIZE(kept) && kept[k].trk && kept[k].trk != trk)
		k++;
	if (k < ARRAY_SIZE(kept) && kept[k].known[type])
		return kept[k].answer[type];
	for (i = 0; i < 256; i++) {
		struct trk_tuple t = {0, (uint16_t)(i << 8)};
		bool answer = false;

		if (trk->request(&t, &answer) && answer && t.dst >> 8 == type)
			break;
	}
	if (k < ARRAY_SIZE(kept)) {
		kept[k].trk = trk;
		kept[k].known[type] = true;
		kept[k].answer[type] = i < 256 ? (uint8_t)i : type;
	}
	return i < 256 ? (uint8_t)i : type;
}

static void tuple_addr(struct tuple *d, unsigned int side,
                       const struct conn_key *key, const struct addr6 *a6,
                       unsigned int end)
{
	if (key->flags & KEY_V6)
		memcpy(d->addr[side], a6->a[end], 16);
	else
		memcpy(d->addr[side], &key->addr[end], 4);
}

static void tuples_type(struct tuples *to, const struct policy *pol,
                        const struct conn_key *key, unsigned int first)
{
	bool last;
	const struct tracker *trk = tuple_tracker(pol, key->l4proto, &last);
	uint8_t type = (uint8_t)(key->port[1] >> 8);
	unsigned int asks = key->flags & KEY_REQ1 ? 1 : 0, d;

	for (d = 0; d < 2; d++) {
		bool question = (d == 0) == (asks == first);

		to->dir[d].type = question ? type : type_answer(trk, type);
		to->dir[d].code = (uint8_t)key->port[1];
		to->dir[d].id = key->port[0];
	}
}

void tuples_of(struct tuples *to, const struct policy *pol,
               const struct conn_key *key, const struct addr6 *a6,
               uint32_t status)
{
	unsigned int first = status & CONN_ORIG1 ? 1 : 0, d;

	to->kind = tuple_kind(pol, key->l4proto);
	to->addr_len = key->flags & KEY_V6 ? 16 : 4;
	for (d = 0; d < 2; d++) {
		unsigned int src = first ^ d;

		tuple_addr(&to->dir[d], 0, key, a6, src);
		tuple_addr(&to->dir[d], 1, key, a6, !src);
		to->dir[d].port[0] = key->port[src];
		to->dir[d].port[1] = key->port[!src];
	}
	if (to->kind == TUPLE_TYPE)
		tuples_type(to, pol, key, first);
}

/* tally.c - see tally.h: open addressing, doubled when it is half full. */
#include "cli/tally.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TALLY_FIRST 1024u

static size_t tally_hash(const uint8_t *key)
{
	uint64_t h = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < sizeof(((struct tally_row *)0)->key); i++)
		h = (h ^ key[i]) * 0x100000001b3ull;
	return (size_t)(h ^ h >> 32);
}

static struct tally_row *tally_slot(const struct tally *t, const uint8_t *key)
{
	size_t i = tally_hash(key);
	struct tally_row *r;

	for (;; i++) {
		r = &t->row[i & (t->room - 1)];
		if (!r->used || !memcmp(r->key, key, sizeof(r->key)))
			return r;
	}
}

static bool tally_grow(struct tally *t)
{
	struct tally more = {.room = t->room ? t->room * 2 : TALLY_FIRST,
	                     .rows = t->rows};
	size_t i;

	more.row = calloc(more.room, sizeof(*more.row));
	if (!more.row)
		return false;
	for (i = 0; i < t->room; i++)
		if (t->row[i].used)
			*tally_slot(&more, t->row[i].key) = t->row[i];
	free(t->row);
	*t = more;
	return true;
}

struct tally_row *tally_at(struct tally *t, const uint8_t key[20])
{
	struct tally_row *r;

	if (t->rows * 2 >= t->room && !tally_grow(t))
		return NULL;
	r = tally_slot(t, key);
	if (!r->used) {
		memcpy(r->key, key, sizeof(r->key));
		r->used = 1;
		t->rows++;
	}
	return r;
}

const struct tally_row *tally_find(const struct tally *t, const uint8_t key[20])
{
	const struct tally_row *r = t->room ? tally_slot(t, key) : NULL;

	return r && r->used ? r : NULL;
}

/* Equal ones by key: the same table prints the same lines. */
static int tally_compare(const void *pa, const void *pb)
{
	const struct tally_row *a = pa, *b = pb;

	if (a->used != b->used)
		return b->used - a->used;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	return memcmp(a->key, b->key, sizeof(a->key));
}

void tally_sort(struct tally *t)
{
	if (t->room)
		qsort(t->row, t->room, sizeof(*t->row), tally_compare);
}

void tally_free(struct tally *t)
{
	free(t->row);
	memset(t, 0, sizeof(*t));
}

/*
 * cmd_conns.c - list, get, count: the table as it is.
 *
 * A walk goes through the slab in index order, without a lock: a connection
 * that lives through the walk is told exactly once.  One that has expired is
 * not told, whether the reaper has come by or not.  What `use=` needs of the
 * others is counted first (uses.h).
 */
#include "daemon/api/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tracker/tracker.h"

struct listing {
	struct uses uses;
	struct conn_walk walk;
	struct filter *filter;
	uint64_t limit;
	bool one;   /* get */
	bool whole; /* with what trackers keep */
	bool brief; /* without details */
	bool by_id;
	uint64_t id;
};

static bool listing_match(const struct request *q, const struct filter *f,
                          const struct conn_view *v)
{
	struct api *a = q->api;

	return !pb_expired(&a->pb, v) &&
	       filter_view(f, &a->policy, v, a->t->detail);
}

static enum cmd_step listing_end(struct request *q)
{
	const struct listing *l = q->state;

	request_send_rows(q);
	if (l->one && !q->sent)
		return request_fail(q, CTSHARD__ERROR_CODE__NOT_FOUND,
		                    "no such connection");
	return request_end(q);
}

/* An id names shard and index, so no walk is needed. */
static enum cmd_step listing_by_id(struct request *q)
{
	struct listing *l = q->state;
	const struct table *t = q->api->t;
	uint32_t sh = conn_id_shard(l->id), idx = conn_id_idx(l->id);
	struct conn_view v;

	if (sh < t->nshard && idx && idx < t->cap &&
	    conn_read(t, sh, idx, &v) > 0 && listing_match(q, l->filter, &v))
		pb_conn(&q->api->pb, &v);
	return listing_end(q);
}

static enum cmd_step listing_step(struct request *q)
{
	struct listing *l = q->state;
	struct pb *b = &q->api->pb;
	struct conn_view v;
	uint32_t look;

	pb_begin(b);
	if (!uses_step(&l->uses, q->api->t, CMD_LOOK, b->now))
		return CMD_MORE;
	b->uses = &l->uses;
	b->brief = l->brief;
	if (l->by_id)
		return listing_by_id(q);
	for (look = 0; look < CMD_LOOK && !pb_full(b); look++) {
		if (l->limit && q->sent + b->n >= l->limit)
			return listing_end(q);
		if (!conn_walk(q->api->t, &l->walk, &v))
			return listing_end(q);
		if (!listing_match(q, l->filter, &v))
			continue;
		if (l->whole)
			pb_whole(b, &v);
		else
			pb_conn(b, &v);
	}
	request_send_rows(q);
	return CMD_MORE;
}

static enum cmd_step listing_begin(struct request *q, const Ctshard__Filter *m)
{
	struct listing *l = q->state;

	if (!request_filter(q, &l->filter, m))
		return CMD_DONE;
	l->by_id = filter_id(l->filter, &l->id);
	return listing_step(q);
}

static enum cmd_step list_start(struct request *q, const Ctshard__Request *r)
{
	struct listing *l = q->state;

	l->limit = r->list->has_limit ? r->list->limit : 0;
	l->whole = r->list->has_whole && r->list->whole;
	l->brief = r->list->has_brief && r->list->brief;
	return listing_begin(q, r->list->filter);
}

static enum cmd_step get_start(struct request *q, const Ctshard__Request *r)
{
	struct listing *l = q->state;

	if (!r->get->filter)
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "get: which connection?");
	l->one = true;
	l->limit = 1;
	return listing_begin(q, r->get->filter);
}

static void listing_stop(struct request *q)
{
	struct listing *l = q->state;

	uses_free(&l->uses);
	filter_free(l->filter);
}

const struct cmd cmd_list = {
	.name = "list",
	.body = CTSHARD__REQUEST__BODY_LIST,
	.state = sizeof(struct listing),
	.start = list_start,
	.step = listing_step,
	.stop = listing_stop,
};

const struct cmd cmd_get = {
	.name = "get",
	.body = CTSHARD__REQUEST__BODY_GET,
	.state = sizeof(struct listing),
	.start = get_start,
	.step = listing_step,
	.stop = listing_stop,
};

/* ---- count ---- */

/* what connections may be counted by, and how one of them is called */
#define COUNT_KEYS(X) \
	X(proto)      \
	X(state)      \
	X(zone)       \
	X(shard)

enum count_key {
#define X(name) BY_##name,
	COUNT_KEYS(X)
#undef X
		BY_COUNT
};

static const char *const count_keys[] = {
#define X(name) #name,
	COUNT_KEYS(X)
#undef X
};

#define COUNT_KEY_LEN 64u
#define COUNT_SLOTS   8192u
/* rows are sent by this many */
#define COUNT_ROWS 256u

struct tally {
	char key[COUNT_KEY_LEN];
	uint64_t n;
};

struct counting {
	struct conn_walk walk;
	struct filter *filter;
	enum count_key by[BY_COUNT];
	unsigned int nby;
	uint64_t total;
	struct tally *tally; /* COUNT_SLOTS, open addressing */
	unsigned int ntally;
	unsigned int told; /* of the sorted rows */
	bool walked;
};

static bool by_parse(struct counting *c, const char *by)
{
	while (*by) {
		size_t n = strcspn(by, ",");
		unsigned int i;

		for (i = 0; i < BY_COUNT; i++)
			if (strlen(count_keys[i]) == n &&
			    !strncmp(count_keys[i], by, n))
				break;
		if (i == BY_COUNT || c->nby == BY_COUNT)
			return false;
		c->by[c->nby++] = (enum count_key)i;
		by += n;
		if (*by == ',' && !*++by)
			return false;
	}
	return c->nby > 0;
}

/* A state's name alone says nothing of its protocol; those without states are
 * counted under "none". */
static int key_part(char *to, size_t len, enum count_key by,
                    const struct conn_view *v)
{
	const struct conn_key *k = &v->conn.key;
	const char *name;

	switch (by) {
	case BY_proto:
		name = tracker_proto_name(k->l4proto);
		if (!strcmp(name, "unknown"))
			return snprintf(to, len, "%u", k->l4proto);
		return snprintf(to, len, "%s", name);
	case BY_state:
		name = tracker_state_name(k->l4proto, v->conn.state);
		return snprintf(to, len, "%s", name ? name : "none");
	case BY_zone:
		if (k->flags & KEY_ZONE_DIR)
			return snprintf(to, len, "%u/%u", key_zone(k, 0),
			                key_zone(k, 1));
		return snprintf(to, len, "%u", k->zone);
	default:
		return snprintf(to, len, "%u", v->shard);
	}
}

static void key_make(char to[COUNT_KEY_LEN], const struct counting *c,
                     const struct conn_view *v)
{
	size_t at = 0;
	unsigned int i;

	memset(to, 0, COUNT_KEY_LEN);
	for (i = 0; i < c->nby && at < COUNT_KEY_LEN - 1; i++) {
		int n;

		if (i)
			to[at++] = ' ';
		n = key_part(to + at, COUNT_KEY_LEN - at, c->by[i], v);
		at += n > 0 ? (size_t)n : 0;
	}
	to[COUNT_KEY_LEN - 1] = '\0';
}

static bool tally_add(struct counting *c, const char *key)
{
	uint32_t h = 2166136261u, i;
	const char *s;

	for (s = key; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	for (i = h % COUNT_SLOTS; c->tally[i].n; i = (i + 1) % COUNT_SLOTS)
		if (!strcmp(c->tally[i].key, key)) {
			c->tally[i].n++;
			return true;
		}
	if (c->ntally == COUNT_SLOTS / 2)
		return false;
	c->ntally++;
	memcpy(c->tally[i].key, key, COUNT_KEY_LEN);
	c->tally[i].n = 1;
	return true;
}

/* most first; equal ones by name */
static int tally_order(const void *x, const void *y)
{
	const struct tally *a = x, *b = y;

	if (a->n != b->n)
		return a->n < b->n ? 1 : -1;
	return strcmp(a->key, b->key);
}

static void count_send(struct request *q, char *const *key, const uint64_t *n,
                       unsigned int rows)
{
	Ctshard__CountRow row[COUNT_ROWS], *list[COUNT_ROWS];
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	unsigned int i;

	for (i = 0; i < rows && i < COUNT_ROWS; i++) {
		ctshard__count_row__init(&row[i]);
		row[i].key = key ? key[i] : NULL;
		row[i].has_count = 1;
		row[i].count = n[i];
		list[i] = &row[i];
	}
	r.n_count = i;
	r.count = list;
	request_send(q, &r);
}

static enum cmd_step count_tell(struct request *q)
{
	struct counting *c = q->state;
	char *key[COUNT_ROWS];
	uint64_t n[COUNT_ROWS];
	unsigned int i;

	if (!c->nby) {
		count_send(q, NULL, &c->total, 1);
		return request_end(q);
	}
	if (!c->walked)
		qsort(c->tally, COUNT_SLOTS, sizeof(*c->tally), tally_order);
	c->walked = true;
	for (i = 0; i < COUNT_ROWS && c->told < c->ntally; i++, c->told++) {
		key[i] = c->tally[c->told].key;
		n[i] = c->tally[c->told].n;
	}
	if (i)
		count_send(q, key, n, i);
	return c->told < c->ntally ? CMD_MORE : request_end(q);
}

static enum cmd_step count_step(struct request *q)
{
	struct counting *c = q->state;
	char key[COUNT_KEY_LEN];
	struct conn_view v;
	uint32_t look;

	if (c->walked)
		return count_tell(q);
	pb_begin(&q->api->pb);
	for (look = 0; look < CMD_LOOK; look++) {
		if (!conn_walk(q->api->t, &c->walk, &v))
			return count_tell(q);
		if (!listing_match(q, c->filter, &v))
			continue;
		c->total++;
		if (!c->nby)
			continue;
		key_make(key, c, &v);
		if (!tally_add(c, key))
			return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
			                    "count: over %u different keys",
			                    COUNT_SLOTS / 2);
	}
	return CMD_MORE;
}

static enum cmd_step count_start(struct request *q, const Ctshard__Request *r)
{
	struct counting *c = q->state;

	if (!request_filter(q, &c->filter, r->count->filter))
		return CMD_DONE;
	if (r->count->by && !by_parse(c, r->count->by))
		return request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST,
		                    "count: by proto, state, zone or shard");
	if (!c->filter && !c->nby) {
		c->total = table_count(q->api->t);
		return count_tell(q);
	}
	if (c->nby) {
		c->tally = calloc(COUNT_SLOTS, sizeof(*c->tally));
		if (!c->tally)
			return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
			                    "out of memory");
	}
	return count_step(q);
}

static void count_stop(struct request *q)
{
	struct counting *c = q->state;

	filter_free(c->filter);
	free(c->tally);
}

const struct cmd cmd_count = {
	.name = "count",
	.body = CTSHARD__REQUEST__BODY_COUNT,
	.state = sizeof(struct counting),
	.start = count_start,
	.step = count_step,
	.stop = count_stop,
};

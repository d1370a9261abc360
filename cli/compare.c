/* compare.c - see compare.h. */
#include "cli/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_BITS (CTSHARD_S_SEEN_REPLY | CTSHARD_S_ASSURED)

const char *compare_word(enum compare_kind kind)
{
	static const char *const words[] = {
#define X(name, word) word,
		COMPARE_KINDS(X)
#undef X
	};

	return words[kind];
}

/* An answer's type as the question's, so that both directions have one key. */
static uint32_t icmp_question(uint32_t type, uint32_t l3)
{
	if (l3 == 4)
		return type == 0    ? 8
		       : type == 14 ? 13
		       : type == 16 ? 15
		       : type == 18 ? 17
		                    : type;
	return type == 129 ? 128 : type == 140 ? 139 : type;
}

/* The key of one direction; `turned`: as the other side would write it. */
static struct compare_key key_of(const struct ctshard_conn *c, int dir,
                                 bool turned)
{
	const struct ctshard_tuple *t = &c->dir[dir];
	size_t len = c->l3 == 4 ? 4 : 16;
	struct compare_key k;

	memset(&k, 0, sizeof(k));
	k.l3 = c->l3;
	k.proto = c->protonum;
	k.zone = c->zone;
	memcpy(k.src, turned ? t->dst : t->src, len);
	memcpy(k.dst, turned ? t->src : t->dst, len);
	if (t->has & CTSHARD_TUPLE_PORTS) {
		k.a = turned ? t->dport : t->sport;
		k.b = turned ? t->sport : t->dport;
	} else if (t->has & CTSHARD_TUPLE_GRE) {
		k.a = turned ? t->dstkey : t->srckey;
		k.b = turned ? t->srckey : t->dstkey;
	} else if (t->has & CTSHARD_TUPLE_ICMP) {
		k.a = t->icmp_id;
		k.b = icmp_question(t->type, c->l3);
	}
	return k;
}

/* ---- sets ---- */

static void *room_for_one(void *at, size_t n, size_t *room, size_t size)
{
	void *more;

	if (n < *room)
		return at;
	more = realloc(at, (*room ? *room * 2 : 256) * size);
	if (more)
		*room = *room ? *room * 2 : 256;
	return more;
}

int compare_add(struct compare_set *s, const struct ctshard_conn *c)
{
	struct compare_row *r =
		room_for_one(s->row, s->n, &s->room, sizeof(*s->row));

	if (!r) {
		s->no_memory = true;
		return -1;
	}
	s->row = r;
	r += s->n++;
	memset(r, 0, sizeof(*r));
	r->key = key_of(c, 0, false);
	r->conn = *c;
	snprintf(r->state, sizeof(r->state), "%s", c->state ? c->state : "");
	snprintf(r->proto, sizeof(r->proto), "%s", c->proto ? c->proto : "");
	/* of the answer, which goes */
	r->conn.helper = r->conn.reason = NULL;
	r->conn.detail = NULL;
	r->conn.n_detail = 0;
	r->conn.private_data = NULL;
	return 0;
}

void compare_free(struct compare_set *s)
{
	free(s->row);
	memset(s, 0, sizeof(*s));
}

static int row_order(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Words live in the row, which no longer moves. */
static void set_sort(struct compare_set *s)
{
	struct compare_row *r;
	size_t i;

	if (s->n)
		qsort(s->row, s->n, sizeof(*s->row), row_order);
	for (i = 0; i < s->n; i++) {
		r = &s->row[i];
		r->found = false;
		r->conn.state = *r->state ? r->state : NULL;
		r->conn.proto = *r->proto ? r->proto : NULL;
	}
}

static struct compare_row *set_find(const struct compare_set *s,
                                    struct compare_key key)
{
	struct compare_row want = {.key = key}, *r;

	if (!s->n)
		return NULL;
	r = bsearch(&want, s->row, s->n, sizeof(*s->row), row_order);
	return r && !r->found ? r : NULL;
}

/* ---- filters ---- */

static bool net_has(const struct ctshard_net *n, const uint8_t *addr,
                    uint32_t l3)
{
	unsigned bits = n->prefix, i;

	if (n->len != (l3 == 4 ? 4 : 16))
		return false;
	for (i = 0; bits >= 8; bits -= 8, i++)
		if (n->addr[i] != addr[i])
			return false;
	return !bits || !((n->addr[i] ^ addr[i]) >> (8 - bits));
}

static bool range_has(const struct ctshard_range *r, uint32_t v)
{
	return v >= r->from && v <= r->to;
}

bool compare_match(const struct ctshard_filter *f, const struct ctshard_conn *c)
{
	const struct ctshard_tuple *t = &c->dir[0];
	bool ports = t->has & CTSHARD_TUPLE_PORTS;

#define HAS(name) (f->has & CTSHARD_FILTER_HAS(name))
	return (!HAS(L3) || f->l3 == c->l3) &&
	       (!HAS(PROTONUM) || f->protonum == c->protonum) &&
	       (!HAS(ORIG_SRC) || net_has(&f->orig_src, t->src, c->l3)) &&
	       (!HAS(ORIG_DST) || net_has(&f->orig_dst, t->dst, c->l3)) &&
	       (!HAS(SPORT) || (ports && range_has(&f->sport, t->sport))) &&
	       (!HAS(DPORT) || (ports && range_has(&f->dport, t->dport))) &&
	       (!HAS(ICMP_ID) ||
	        (t->has & CTSHARD_TUPLE_ICMP && f->icmp_id == t->icmp_id)) &&
	       (!HAS(ZONE) || f->zone == c->zone);
#undef HAS
}

/* ---- comparing ---- */

static void result_add(struct compare_result *r, enum compare_kind kind,
                       const struct compare_row *tracker,
                       const struct compare_row *kernel)
{
	struct compare_difference *d =
		room_for_one(r->d, r->n, &r->room, sizeof(*r->d));

	if (!d) {
		r->no_memory = true;
		return;
	}
	r->d = d;
	d[r->n].kind = kind;
	d[r->n].tracker = tracker;
	d[r->n++].kernel = kernel;
}

static void row_compare(struct compare_result *r, struct compare_row *t,
                        struct compare_row *k)
{
	if (strcmp(t->state, k->state) != 0)
		result_add(r, COMPARE_STATE, t, k);
	else if ((t->conn.status ^ k->conn.status) & STATUS_BITS)
		result_add(r, COMPARE_STATUS, t, k);
	else
		r->equal++;
}

int compare_sets(struct compare_set *tracker, struct compare_set *kernel,
                 struct compare_result *r)
{
	struct compare_row *t, *k;
	size_t i;
	int turned;

	set_sort(tracker);
	set_sort(kernel);
	for (turned = 0; turned < 2; turned++)
		for (i = 0; i < kernel->n; i++) {
			k = &kernel->row[i];
			if (k->found)
				continue;
			t = set_find(tracker, turned ? key_of(&k->conn, 0, true)
			                             : k->key);
			if (!t)
				t = set_find(tracker,
				             key_of(&k->conn, 1, !turned));
			if (!t)
				continue;
			t->found = k->found = true;
			if (turned)
				result_add(r, COMPARE_TURNED, t, k);
			else
				row_compare(r, t, k);
		}
	for (i = 0; i < kernel->n; i++)
		if (!kernel->row[i].found)
			result_add(r, COMPARE_MISSING, NULL, &kernel->row[i]);
	for (i = 0; i < tracker->n; i++)
		if (!tracker->row[i].found)
			result_add(r, COMPARE_EXTRA, &tracker->row[i], NULL);
	return r->no_memory || tracker->no_memory || kernel->no_memory ? -1 : 0;
}

static const struct compare_key *
difference_key(const struct compare_difference *d)
{
	return d->kernel ? &d->kernel->key : &d->tracker->key;
}

static int difference_order(const void *a, const void *b)
{
	const struct compare_difference *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return memcmp(difference_key(x), difference_key(y),
	              sizeof(struct compare_key));
}

void compare_lasting(struct compare_result *now,
                     const struct compare_result *before)
{
	size_t i, n = 0;

	if (before->n)
		qsort(before->d, before->n, sizeof(*before->d),
		      difference_order);
	for (i = 0; i < now->n; i++)
		if (before->n && bsearch(&now->d[i], before->d, before->n,
		                         sizeof(*before->d), difference_order))
			now->d[n++] = now->d[i];
	now->n = n;
}

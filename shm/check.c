/* check.c - see check.h. */
#include "shm/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/hash.h"
#include "shm/tick.h"

enum { MARK_LIVE = 1, MARK_FREE = 2 };

struct check {
	const struct table *t;
	const struct shard *q;
	uint32_t sh;
	shard_fn *home;
	fault_fn *fault;
	void *arg;
	uint8_t *entry; /* marks by index */
	uint8_t *line;  /* marks by line */
	uint8_t *ext;   /* marks by extension record */
	uint32_t live;
	int faults;
};

static void __attribute__((format(printf, 2, 3)))
check_fault(struct check *c, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int n;

	c->faults++;
	if (!c->fault || c->faults > 100)
		return;
	if (c->t->twins)
		n = snprintf(text, sizeof(text), "expectations: ");
	else
		n = snprintf(text, sizeof(text), "shard %u: ", c->sh);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	c->fault(c->arg, text);
}

/* I1 to I4, I8 of one index word */
static void check_word(struct check *c, uint32_t bucket, uint32_t word)
{
	const struct table *t = c->t;
	uint32_t idx = word & SLOT_IDX, chk, ext;
	const struct conn *e;
	const struct addr6 *a6;
	uint64_t h;

	if (!shard_used(t, c->q, idx)) {
		check_fault(c, "I1 word %08x: no such entry", word);
		return;
	}
	e = table_conn(t, c->sh, idx);
	a6 = table_addr6(t, c->sh, idx);
	h = hash_key(t->key.hash, &e->key, a6);
	if (c->entry[idx] & MARK_LIVE)
		check_fault(c, "I3 entry %u is referred to twice", idx);
	c->entry[idx] |= MARK_LIVE;
	c->live++;
	if (!(e->status & CONN_LIVE) || e->seq & 1)
		check_fault(c, "I2 entry %u: status %08x, seq %u", idx,
		            e->status, e->seq);
	if (hash_bucket(t, h) != bucket || hash_tag(h) != (word & SLOT_TAG))
		check_fault(c, "I2 entry %u stands in bucket %u, not %u", idx,
		            bucket, hash_bucket(t, h));
	if (c->home && c->home(t, &e->key, a6) != c->sh)
		check_fault(c, "I2 entry %u belongs to shard %u", idx,
		            c->home(t, &e->key, a6));
	ext = shm_load(&e->ext);
	if (ext && (ext >= c->q->ext_bump || ext >= t->cap || c->ext[ext]++))
		check_fault(c, "I10 entry %u: extension %u", idx, ext);
	chk = *table_chk(t, c->sh, idx);
	if (!chk || tick_left(e->deadline ? e->deadline : 1, chk) < 0)
		check_fault(c, "I8 entry %u: chk %u behind deadline %u", idx,
		            chk, e->deadline);
}

static void check_twins(struct check *c, uint32_t a, uint32_t b)
{
	const struct conn *x = table_conn(c->t, c->sh, a & SLOT_IDX);
	const struct conn *y = table_conn(c->t, c->sh, b & SLOT_IDX);

	if (c->t->twins || !shard_used(c->t, c->q, a & SLOT_IDX) ||
	    !shard_used(c->t, c->q, b & SLOT_IDX) ||
	    !key_equal(&x->key, &y->key))
		return;
	if (x->key.flags & KEY_V6 &&
	    memcmp(table_addr6(c->t, c->sh, a & SLOT_IDX),
	           table_addr6(c->t, c->sh, b & SLOT_IDX),
	           sizeof(struct addr6)))
		return;
	check_fault(c, "I4 entries %u and %u have the same key", a & SLOT_IDX,
	            b & SLOT_IDX);
}

static void check_chain(struct check *c, uint32_t bucket)
{
	uint32_t words[256], n = 0, li = bucket, i, j, next;

	for (;;) {
		const struct line *l = table_line(c->t, c->sh, li);

		for (i = 0; i < LINE_SLOTS; i++) {
			if (!l->slot[i])
				continue;
			check_word(c, bucket, l->slot[i]);
			for (j = 0; j < n; j++)
				if ((words[j] & SLOT_TAG) ==
				    (l->slot[i] & SLOT_TAG))
					check_twins(c, words[j], l->slot[i]);
			if (n < ARRAY_SIZE(words))
				words[n++] = l->slot[i];
		}
		next = shm_load(&l->next);
		if (!next)
			return;
		if (next < c->t->nbucket || next >= c->q->ovf_bump ||
		    next >= c->t->nline || c->line[next]) {
			check_fault(c, "I7 bucket %u: line %u follows %u",
			            bucket, next, li);
			return;
		}
		li = next;
		c->line[li] = 1;
	}
}

static uint32_t check_free_list(struct check *c, unsigned int f)
{
	const struct shard *q = c->q;
	uint32_t idx = shm_load(&q->free_head[f]), n = 0, last = 0;

	while (idx) {
		const struct conn *e;

		if (!shard_used(c->t, q, idx) || c->entry[idx] ||
		    n > c->t->cap) {
			check_fault(c, "I5 free list %u: entry %u", f, idx);
			return n;
		}
		e = table_conn(c->t, c->sh, idx);
		if (e->status & CONN_LIVE || e->seq & 1)
			check_fault(c, "I5 free entry %u: status %08x", idx,
			            e->status);
		c->entry[idx] |= MARK_FREE;
		last = idx;
		n++;
		idx = shm_load(&e->ext);
	}
	if (q->free_head[f] && last != q->free_tail[f])
		check_fault(c, "I5 free list %u ends in %u, tail says %u", f,
		            last, q->free_tail[f]);
	return n;
}

static void check_lines(struct check *c)
{
	uint32_t bump = shm_load(&c->q->ovf_bump), n = 0;
	uint32_t li = shm_load(&c->q->ovf_free);

	if (bump > c->t->nline)
		bump = c->t->nline;

	while (li) {
		if (li < c->t->nbucket || li >= bump || c->line[li]) {
			check_fault(c, "I7 free line %u", li);
			return;
		}
		c->line[li] = 1;
		li = shm_load(&table_line(c->t, c->sh, li)->next);
	}
	for (li = c->t->nbucket; li < bump; li++)
		n += !c->line[li];
	if (n)
		check_fault(c, "I7 %u lines belong to nobody", n);
}

static void check_ext(struct check *c)
{
	uint32_t bump = shm_load(&c->q->ext_bump), n = 0;
	uint32_t i = shm_load(&c->q->ext_free);

	if (bump > c->t->cap)
		bump = c->t->cap;

	while (i) {
		if (i >= bump || c->ext[i]++) {
			check_fault(c, "I10 free extension %u", i);
			return;
		}
		i = shm_load(&table_ext(c->t, c->sh, i)->next);
	}
	for (i = 1; i < bump; i++)
		n += !c->ext[i];
	if (n)
		check_fault(c, "I10 %u extensions belong to nobody", n);
}

static void check_run(struct check *c)
{
	const struct shard *q = c->q;
	uint32_t b, nfree, used;

	if (q->isolated) {
		check_fault(c, "isolated, its connections are not tracked");
		return;
	}
	if (q->op != OP_IDLE)
		check_fault(c, "I9 operation %u under way", q->op);
	if (q->bump[0] < 1 || q->bump[0] > c->t->cap ||
	    q->bump[1] >= c->t->cap || q->bump[0] > q->bump[1] + 1 ||
	    q->ovf_bump < c->t->nbucket || q->ovf_bump > c->t->nline ||
	    q->ext_bump < 1 || q->ext_bump > c->t->cap) {
		check_fault(c, "I5 bounds %u %u %u", q->bump[0], q->bump[1],
		            q->ovf_bump);
		return;
	}
	for (b = 0; b < c->t->nbucket; b++)
		check_chain(c, b);
	nfree = check_free_list(c, 0) + check_free_list(c, 1);
	used = q->bump[0] - 1 + (c->t->cap - 1 - q->bump[1]);
	if (c->live + nfree != used)
		check_fault(c, "I5 %u live and %u free of %u", c->live, nfree,
		            used);
	if (c->live != q->count)
		check_fault(c, "I6 %u live, count says %u", c->live, q->count);
	check_lines(c);
	check_ext(c);
}

int shard_check(const struct table *t, uint32_t sh, shard_fn *home,
                fault_fn *fault, void *arg)
{
	struct check c = {.t = t,
	                  .q = &t->shard[sh],
	                  .sh = sh,
	                  .home = home,
	                  .fault = fault,
	                  .arg = arg};

	c.entry = calloc(t->cap, 1);
	c.line = calloc(t->nline, 1);
	c.ext = calloc(t->cap, 1);
	if (c.entry && c.line && c.ext)
		check_run(&c);
	else
		c.faults = -ENOMEM;
	free(c.entry);
	free(c.line);
	free(c.ext);
	return c.faults;
}

int rings_check(const struct table *t, fault_fn *fault, void *arg)
{
	struct check c = {.t = t, .fault = fault, .arg = arg};
	uint32_t i;

	for (i = 0; i < NRING; i++) {
		const struct event_ring *g = &t->ring[i];
		uint64_t lo, at;

		if (!g->hdr)
			continue;
		c.sh = i;
		if (g->hdr->intent < g->hdr->tail ||
		    g->hdr->ncells != g->mask + 1) {
			check_fault(&c, "I9 ring: tail %llu, intent %llu",
			            (unsigned long long)g->hdr->tail,
			            (unsigned long long)g->hdr->intent);
			continue;
		}
		lo = g->hdr->intent > g->mask ? g->hdr->intent - g->mask - 1
		                              : 0;
		for (at = lo; at < g->hdr->tail; at++)
			if ((g->cell[at & g->mask].seq & ~EVENT_CONT) !=
			    at + 1) {
				check_fault(&c, "I9 ring: cell %llu",
				            (unsigned long long)at);
				break;
			}
	}
	return c.faults;
}

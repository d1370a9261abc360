/* frag_store.c - see frag_store.h. */
#include "daemon/pkt/frag_store.h"

#include <string.h>

#include "daemon/pkt/internal.h"

#define FRAG_MAGIC       0x33474152465443ull /* "CTFRAG3" */
#define CELLS_PER_BUCKET 8u
#define RUN_BYTES        (uint32_t)sizeof(((struct frag_run *)NULL)->byte)
#define CELL_BYTES       (uint32_t)sizeof(((struct frag_bytes *)NULL)->byte)

/* ---- memory ---- */

/* Dead from here on to the end, all that waits is given up: so many. */
void frag_change_begin(struct frag *f)
{
	uint32_t out = f->done ? frag_queue_at(f, f->done)->nfrags : 0;

	__atomic_store_n(&f->had, f->nfrags - out + f->left, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&f->busy, f->busy | 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void frag_change_end(struct frag *f)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&f->busy, 0, __ATOMIC_RELAXED);
}

/* Never called without room: see frag_room_for(). */
static uint32_t cell_take(struct frag *f)
{
	uint32_t i = f->free;

	f->nfree--;
	if (i)
		f->free = frag_cell_at(f, i)->next;
	else
		i = f->fresh++;
	memset(frag_cell_at(f, i), 0, FRAG_CELL);
	return i;
}

static void cell_give(struct frag *f, uint32_t i)
{
	frag_cell_at(f, i)->next = f->free;
	f->free = i;
	f->nfree++;
}

static void chain_give(struct frag *f, uint32_t i)
{
	while (i) {
		uint32_t more = frag_cell_at(f, i)->bytes.more;

		cell_give(f, i);
		i = more;
	}
}

static uint32_t cells_for(uint32_t bytes)
{
	return bytes / CELL_BYTES + 1;
}

/* a queue, a source, a run with its bytes, and what stands before them */
bool frag_room_for(const struct frag *f, const struct pkt *p)
{
	uint32_t need = 3 + cells_for(pkt_l4cap(p));

	if (!p->frag_off)
		need += cells_for(p->l4 - p->l3);
	return f->nfree >= need;
}

static void frag_make(struct frag *f, size_t size, uint64_t secret)
{
	size_t cells = size / FRAG_CELL, n = 1;

	memset(f, 0, sizeof(*f));
	f->magic = FRAG_MAGIC;
	f->size = size;
	f->secret = secret;
	while (n * CELLS_PER_BUCKET < cells)
		n *= 2;
	if (sizeof(*f) + 8 * n + 2 * FRAG_CELL > size)
		return;
	f->nbuckets = (uint32_t)n;
	memset(f->bucket, 0, 8 * n);
	cells = (size - sizeof(*f) - 8 * n) / FRAG_CELL;
	f->ncells = cells < UINT32_MAX ? (uint32_t)cells : UINT32_MAX;
	f->nfree = f->ncells - 1;
	f->fresh = 1;
}

struct frag *frag_open(void *block, size_t size, uint64_t secret, bool same)
{
	struct frag *f = block;
	uint32_t left;
	bool known;

	if (size < FRAG_MIN)
		return NULL;
	known = f->magic == FRAG_MAGIC && f->size == size;
	if (!known || f->busy) {
		left = known ? f->had : 0;
		frag_make(f, size, secret);
		f->left = left;
	}
	if (!same) {
		frag_release(f);
		f->frame = 0;
	}
	return f;
}

/* ---- bytes ---- */

void frag_run_store(struct frag *f, struct frag_run *r, const uint8_t *from,
                    uint32_t len)
{
	uint32_t n;

	if (r->stored < RUN_BYTES) {
		n = RUN_BYTES - r->stored < len ? RUN_BYTES - r->stored : len;
		memcpy(r->byte + r->stored, from, n);
		r->stored += n;
		from += n;
		len -= n;
	}
	while (len) {
		uint32_t at = (r->stored - RUN_BYTES) % CELL_BYTES;

		if (!at) {
			uint32_t i = cell_take(f);

			*(r->tail ? &frag_cell_at(f, r->tail)->bytes.more
			          : &r->more) = i;
			r->tail = i;
		}
		n = CELL_BYTES - at < len ? CELL_BYTES - at : len;
		memcpy(frag_cell_at(f, r->tail)->bytes.byte + at, from, n);
		r->stored += n;
		from += n;
		len -= n;
	}
}

static uint8_t *chain_copy(struct frag *f, uint32_t i, uint32_t len,
                           uint8_t *to)
{
	while (len) {
		const struct frag_bytes *c = &frag_cell_at(f, i)->bytes;
		uint32_t n = len < CELL_BYTES ? len : CELL_BYTES;

		memcpy(to, c->byte, n);
		to += n;
		len -= n;
		i = c->more;
	}
	return to;
}

uint8_t *frag_run_copy(struct frag *f, const struct frag_run *r, uint8_t *to)
{
	uint32_t n = r->stored;

	if (n > RUN_BYTES)
		n = RUN_BYTES;
	memcpy(to, r->byte, n);
	return chain_copy(f, r->more, r->stored - n, to + n);
}

void frag_head_store(struct frag *f, struct frag_queue *q, const struct pkt *p)
{
	uint32_t len = p->l4 - p->l3, n, last = 0;
	const uint8_t *from = p->data + p->l3;

	if (p->l3proto == 6)
		len -= PKT_FRAG_LEN;
	q->head_len = len;
	while (len) {
		uint32_t i = cell_take(f);

		*(last ? &frag_cell_at(f, last)->bytes.more : &q->head) = i;
		last = i;
		n = len < CELL_BYTES ? len : CELL_BYTES;
		memcpy(frag_cell_at(f, i)->bytes.byte, from, n);
		from += n;
		len -= n;
	}
}

uint8_t *frag_head_copy(struct frag *f, const struct frag_queue *q, uint8_t *to)
{
	return chain_copy(f, q->head, q->head_len, to);
}

uint32_t frag_run_new(struct frag *f, struct frag_queue *q, uint32_t before,
                      uint32_t off, uint32_t end)
{
	uint32_t i = cell_take(f);
	uint32_t *at = before ? &frag_run_at(f, before)->next : &q->run;

	frag_run_at(f, i)->off = off;
	frag_run_at(f, i)->end = end;
	frag_run_at(f, i)->next = *at;
	*at = i;
	q->nruns++;
	return i;
}

/* ---- sources ---- */

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static uint32_t *source_bucket(struct frag *f, uint32_t addr)
{
	uint64_t h = mix(mix(f->secret, addr), f->secret);

	return &f->bucket[f->nbuckets + (h >> 32 & (f->nbuckets - 1))];
}

static uint32_t source_get(struct frag *f, uint32_t addr)
{
	uint32_t *b = source_bucket(f, addr), i;

	for (i = *b; i && frag_source_at(f, i)->addr != addr;)
		i = frag_source_at(f, i)->next;
	if (!i) {
		i = cell_take(f);
		frag_source_at(f, i)->addr = addr;
		frag_source_at(f, i)->next = *b;
		*b = i;
	}
	frag_source_at(f, i)->refs++;
	return i;
}

static void source_put(struct frag *f, uint32_t i)
{
	struct frag_source *s = frag_source_at(f, i);
	uint32_t *at = source_bucket(f, s->addr);

	if (--s->refs)
		return;
	while (*at != i)
		at = &frag_source_at(f, *at)->next;
	*at = s->next;
	cell_give(f, i);
}

/* ---- queues ---- */

static uint32_t *queue_bucket(struct frag *f, const union pkt_addr *src,
                              const union pkt_addr *dst, uint32_t id,
                              uint32_t rest)
{
	uint64_t h = mix(f->secret, src->d[0]);

	h = mix(mix(h, src->d[1]), dst->d[0]);
	h = mix(mix(h, dst->d[1]), (uint64_t)rest << 32 | id);
	h = mix(h, f->secret);
	return &f->bucket[h >> 32 & (f->nbuckets - 1)];
}

static uint32_t key_rest(uint16_t zone, uint8_t proto)
{
	return (uint32_t)zone << 8 | proto;
}

static uint8_t key_proto(const struct pkt *p)
{
	return p->l3proto == 4 ? p->l4proto : 0;
}

static uint32_t *packet_bucket(struct frag *f, const struct pkt *p)
{
	return queue_bucket(f, &p->src, &p->dst, p->frag_id,
	                    key_rest(p->zone, key_proto(p)));
}

static bool queue_is(const struct frag_queue *q, const struct pkt *p)
{
	return q->id == p->frag_id && q->zone == p->zone &&
	       q->proto == key_proto(p) &&
	       !memcmp(&q->src, &p->src, sizeof(q->src)) &&
	       !memcmp(&q->dst, &p->dst, sizeof(q->dst));
}

static void age_link(struct frag *f, uint32_t i)
{
	frag_queue_at(f, i)->older = f->newest;
	frag_queue_at(f, i)->newer = 0;
	*(f->newest ? &frag_queue_at(f, f->newest)->newer : &f->oldest) = i;
	f->newest = i;
}

static void age_unlink(struct frag *f, uint32_t i)
{
	const struct frag_queue *q = frag_queue_at(f, i);

	*(q->older ? &frag_queue_at(f, q->older)->newer : &f->oldest) =
		q->newer;
	*(q->newer ? &frag_queue_at(f, q->newer)->older : &f->newest) =
		q->older;
}

static uint32_t queue_new(struct frag *f, const struct pkt *p, uint64_t now_ns,
                          uint8_t tag)
{
	uint32_t i = cell_take(f), *b = packet_bucket(f, p);
	struct frag_queue *q = frag_queue_at(f, i);

	q->src = p->src;
	q->dst = p->dst;
	q->id = p->frag_id;
	q->zone = p->zone;
	q->proto = key_proto(p);
	q->since_ns = now_ns;
	q->tag = tag;
	if (p->l3proto == 4)
		q->source = source_get(f, p->src.w[0]);
	q->next = *b;
	*b = i;
	age_link(f, i);
	f->nqueues++;
	return i;
}

uint32_t frag_queue_find(struct frag *f, const struct pkt *p)
{
	uint32_t i = *packet_bucket(f, p);

	while (i && !queue_is(frag_queue_at(f, i), p))
		i = frag_queue_at(f, i)->next;
	return i;
}

uint32_t frag_queue_get(struct frag *f, const struct pkt *p, uint64_t now_ns,
                        uint8_t tag)
{
	uint32_t i = frag_queue_find(f, p);

	return i ? i : queue_new(f, p, now_ns, tag);
}

uint32_t frag_queue_empty(struct frag *f, struct frag_queue *q)
{
	uint32_t i = q->run, next, n = q->nfrags;

	for (; i; i = next) {
		next = frag_run_at(f, i)->next;
		chain_give(f, i);
	}
	chain_give(f, q->head);
	f->nfrags -= n;
	q->run = q->last = q->head = q->head_len = 0;
	q->nfrags = q->len = q->meat = q->nruns = 0;
	q->seen = q->ecn = 0;
	return n;
}

uint32_t frag_queue_end(struct frag *f, uint32_t i)
{
	struct frag_queue *q = frag_queue_at(f, i);
	uint32_t n = frag_queue_empty(f, q);
	uint32_t *at = queue_bucket(f, &q->src, &q->dst, q->id,
	                            key_rest(q->zone, q->proto));

	while (*at != i)
		at = &frag_queue_at(f, *at)->next;
	*at = q->next;
	age_unlink(f, i);
	if (q->source)
		source_put(f, q->source);
	cell_give(f, i);
	f->nqueues--;
	return n;
}

void frag_queue_renew(struct frag *f, uint32_t i, uint64_t now_ns)
{
	frag_queue_at(f, i)->since_ns = now_ns;
	age_unlink(f, i);
	age_link(f, i);
}

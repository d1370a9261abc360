/*
 * frag.c - reassembly, with the kernel's judgement of what is wrong.
 *
 * Theory.  A queue holds what has come of one datagram.  Its key is source,
 * destination, identification and zone, for IPv4 also the protocol; a VLAN is
 * no part of it, since the kernel's key knows none.
 *
 * What has come is a list of runs, sorted.  A run grows only by a fragment
 * that continues the run which reaches furthest; every other fragment is a run
 * of its own, even when it touches its neighbours.  That is not a detail: a
 * fragment that lies wholly inside one run is a duplicate and ignored, one
 * that touches what is there in any other way is an overlap and the end of the
 * queue (RFC 5722), and the kernel decides it by its runs.
 *
 * The two families differ in what they do about a bad fragment.  IPv4 discards
 * the queue whatever is wrong.  IPv6 discards it for an overlap or a middle
 * fragment that is not a multiple of 8 bytes long, and otherwise forgets the
 * fragment alone, keeping what it had noted about the length.  Two kinds of
 * IPv6 fragment go on to be tracked as they are: the middle fragment just
 * named, and a first one whose upper header is cut off (RFC 8200 §4.5).
 *
 * A datagram whose fragments disagree about ECN, some capable and some not, is
 * discarded when complete (RFC 3168 §5.3).  IPv4 also starts a queue anew when
 * more than FRAG_FAR fragments of the same source came since its last one:
 * identifications wrap, and two datagrams must not be mixed.
 *
 * Memory is cells of 128 bytes on one free list.  A queue, a source, a run and
 * what a run has of bytes beyond its own cell are each cells.  A run's bytes
 * end at the first one that was not captured; nothing behind a gap can be used.
 * Before anything changes it is certain that the cells suffice.
 *
 * Ours alone: a datagram in more than FRAG_RUNS separate runs is discarded, so
 * that nobody makes us walk long lists.
 */
#include "daemon/pkt/frag.h"

#include <string.h>

#include "daemon/pkt/internal.h"

#define FRAG_MAGIC 0x31474152465443ull /* "CTFRAG1" */
#define FRAG_CELL  128u
#define FRAG_FAR   64u	/* ipfrag_max_dist */
#define FRAG_RUNS  256u
#define CELLS_PER_BUCKET 8u
#define MAX_PAYLOAD	 65535u
#define MAX_IP4		 65535u

/* what a queue has seen */
enum { HAS_FIRST = 1, HAS_LAST = 2 };

/* the fragments of one IPv4 source, as long as queues name it */
struct source {
	uint32_t next; /* in its bucket */
	uint32_t addr;
	uint32_t count; /* fragments so far */
	uint32_t refs;
};

struct run {
	uint32_t more; /* cells of bytes behind this one */
	uint32_t next;
	uint32_t off, end;
	uint32_t stored; /* captured without a gap */
	uint32_t tail;	 /* the last cell, 0 = this one */
	uint8_t byte[FRAG_CELL - 24];
};

struct bytes {
	uint32_t more;
	uint8_t byte[FRAG_CELL - 4];
};

struct queue {
	uint32_t next; /* in its bucket */
	uint32_t older, newer;
	uint32_t id;
	union pkt_addr src, dst;
	uint64_t since_ns;
	uint16_t zone;
	uint8_t proto; /* of the key; 0 for IPv6 */
	uint8_t seen;
	uint8_t ecn; /* one bit a codepoint */
	uint8_t tag;
	uint16_t nruns;
	uint32_t nfrags;
	uint32_t upper; /* protocol that the first fragment tells */
	uint32_t len;  /* the furthest end that was told */
	uint32_t meat; /* bytes that came */
	uint32_t run, last;
	uint32_t head; /* what stood before the first fragment's bytes */
	uint32_t head_len;
	uint32_t source;
	uint32_t mark; /* the source's count at the last fragment */
};

union cell {
	uint32_t next; /* on the free list */
	struct source source;
	struct run run;
	struct bytes bytes;
	struct queue queue;
	uint8_t room[FRAG_CELL];
};
_Static_assert(sizeof(union cell) == FRAG_CELL, "cell");

struct frag {
	uint64_t magic, size, secret;
	uint32_t busy; /* odd: a change is under way */
	uint32_t nbuckets; /* a power of two */
	uint32_t ncells;   /* cell 0 is none */
	uint32_t fresh;    /* cells from here on were never used */
	uint32_t free, nfree;
	uint32_t oldest, newest;
	uint32_t nqueues, nfrags;
	uint32_t done;	 /* queue of the last FRAG_DONE */
	uint32_t answer; /* to the frame below */
	uint32_t answer_lost;
	uint32_t pad;
	uint64_t frame;
	uint32_t bucket[]; /* of queues, then of sources */
};
_Static_assert(sizeof(struct frag) <= FRAG_MIN, "frag");
_Static_assert(sizeof(struct frag) % 8 == 0, "frag");

static union cell *cell_at(const struct frag *f, uint32_t i)
{
	uintptr_t base = (uintptr_t)f->bucket + 8ul * f->nbuckets;

	return (union cell *)base + i;
}

static struct queue *queue_at(const struct frag *f, uint32_t i)
{
	return &cell_at(f, i)->queue;
}

static struct run *run_at(const struct frag *f, uint32_t i)
{
	return &cell_at(f, i)->run;
}

static struct source *source_at(const struct frag *f, uint32_t i)
{
	return &cell_at(f, i)->source;
}

/* ---- memory ---- */

static void change_begin(struct frag *f)
{
	__atomic_store_n(&f->busy, f->busy | 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void change_end(struct frag *f)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&f->busy, 0, __ATOMIC_RELAXED);
}

/* Never called without room: see room_for(). */
static uint32_t cell_take(struct frag *f)
{
	uint32_t i = f->free;

	f->nfree--;
	if (i)
		f->free = cell_at(f, i)->next;
	else
		i = f->fresh++;
	memset(cell_at(f, i), 0, FRAG_CELL);
	return i;
}

static void cell_give(struct frag *f, uint32_t i)
{
	cell_at(f, i)->next = f->free;
	f->free = i;
	f->nfree++;
}

static void chain_give(struct frag *f, uint32_t i)
{
	while (i) {
		uint32_t more = cell_at(f, i)->bytes.more;

		cell_give(f, i);
		i = more;
	}
}

static uint32_t cells_for(uint32_t bytes)
{
	return bytes / sizeof(((struct bytes *)NULL)->byte) + 1;
}

/* a queue, a source, a run with its bytes, and what stands before them */
static bool room_for(const struct frag *f, const struct pkt *p)
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

	if (size < FRAG_MIN)
		return NULL;
	if (f->magic != FRAG_MAGIC || f->size != size || f->busy)
		frag_make(f, size, secret);
	if (!same) {
		frag_release(f);
		f->frame = 0;
	}
	return f;
}

/* ---- bytes ---- */

/* `len` bytes behind those that are there already */
static void run_store(struct frag *f, struct run *r, const uint8_t *from,
		      uint32_t len)
{
	uint32_t first = sizeof(r->byte), n;
	uint32_t each = sizeof(((struct bytes *)NULL)->byte);

	if (r->stored < first) {
		n = first - r->stored < len ? first - r->stored : len;
		memcpy(r->byte + r->stored, from, n);
		r->stored += n;
		from += n;
		len -= n;
	}
	while (len) {
		uint32_t at = (r->stored - first) % each;

		if (!at) {
			uint32_t i = cell_take(f);

			*(r->tail ? &cell_at(f, r->tail)->bytes.more
				  : &r->more) = i;
			r->tail = i;
		}
		n = each - at < len ? each - at : len;
		memcpy(cell_at(f, r->tail)->bytes.byte + at, from, n);
		r->stored += n;
		from += n;
		len -= n;
	}
}

static uint8_t *chain_copy(const struct frag *f, uint32_t i, uint32_t len,
			   uint8_t *to)
{
	uint32_t each = sizeof(((struct bytes *)NULL)->byte);

	while (len) {
		const struct bytes *c = &cell_at(f, i)->bytes;
		uint32_t n = len < each ? len : each;

		memcpy(to, c->byte, n);
		to += n;
		len -= n;
		i = c->more;
	}
	return to;
}

static uint8_t *run_copy(const struct frag *f, const struct run *r,
			 uint8_t *to)
{
	uint32_t n = r->stored;

	if (n > sizeof(r->byte))
		n = sizeof(r->byte);
	memcpy(to, r->byte, n);
	return chain_copy(f, r->more, r->stored - n, to + n);
}

/* the first fragment's headers, without the fragment header */
static void head_store(struct frag *f, struct queue *q, const struct pkt *p)
{
	uint32_t len = p->l4 - p->l3, n, last = 0;
	uint32_t each = sizeof(((struct bytes *)NULL)->byte);
	const uint8_t *from = p->data + p->l3;

	if (p->l3proto == 6)
		len -= PKT_FRAG_LEN;
	q->head_len = len;
	while (len) {
		uint32_t i = cell_take(f);

		*(last ? &cell_at(f, last)->bytes.more : &q->head) = i;
		last = i;
		n = len < each ? len : each;
		memcpy(cell_at(f, i)->bytes.byte, from, n);
		from += n;
		len -= n;
	}
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

	for (i = *b; i && source_at(f, i)->addr != addr;)
		i = source_at(f, i)->next;
	if (!i) {
		i = cell_take(f);
		source_at(f, i)->addr = addr;
		source_at(f, i)->next = *b;
		*b = i;
	}
	source_at(f, i)->refs++;
	return i;
}

static void source_put(struct frag *f, uint32_t i)
{
	struct source *s = source_at(f, i);
	uint32_t *at = source_bucket(f, s->addr);

	if (--s->refs)
		return;
	while (*at != i)
		at = &source_at(f, *at)->next;
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

static bool queue_is(const struct queue *q, const struct pkt *p)
{
	return q->id == p->frag_id && q->zone == p->zone &&
	       q->proto == key_proto(p) &&
	       !memcmp(&q->src, &p->src, sizeof(q->src)) &&
	       !memcmp(&q->dst, &p->dst, sizeof(q->dst));
}

static void age_link(struct frag *f, uint32_t i)
{
	queue_at(f, i)->older = f->newest;
	queue_at(f, i)->newer = 0;
	*(f->newest ? &queue_at(f, f->newest)->newer : &f->oldest) = i;
	f->newest = i;
}

static void age_unlink(struct frag *f, uint32_t i)
{
	const struct queue *q = queue_at(f, i);

	*(q->older ? &queue_at(f, q->older)->newer : &f->oldest) = q->newer;
	*(q->newer ? &queue_at(f, q->newer)->older : &f->newest) = q->older;
}

static uint32_t queue_new(struct frag *f, const struct pkt *p, uint64_t now_ns,
			  uint8_t tag)
{
	uint32_t i = cell_take(f), *b = packet_bucket(f, p);
	struct queue *q = queue_at(f, i);

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

static uint32_t queue_get(struct frag *f, const struct pkt *p, uint64_t now_ns,
			  uint8_t tag)
{
	uint32_t i = *packet_bucket(f, p);

	while (i && !queue_is(queue_at(f, i), p))
		i = queue_at(f, i)->next;
	return i ? i : queue_new(f, p, now_ns, tag);
}

/* forgets the fragments and all that they told; returns how many */
static uint32_t queue_empty(struct frag *f, struct queue *q)
{
	uint32_t i = q->run, next, n = q->nfrags;

	for (; i; i = next) {
		next = run_at(f, i)->next;
		chain_give(f, i);
	}
	chain_give(f, q->head);
	f->nfrags -= n;
	q->run = q->last = q->head = q->head_len = 0;
	q->nfrags = q->len = q->meat = q->nruns = 0;
	q->seen = q->ecn = 0;
	return n;
}

static uint32_t queue_end(struct frag *f, uint32_t i)
{
	struct queue *q = queue_at(f, i);
	uint32_t n = queue_empty(f, q);
	uint32_t *at = queue_bucket(f, &q->src, &q->dst, q->id,
				    key_rest(q->zone, q->proto));

	while (*at != i)
		at = &queue_at(f, *at)->next;
	*at = q->next;
	age_unlink(f, i);
	if (q->source)
		source_put(f, q->source);
	cell_give(f, i);
	f->nqueues--;
	return n;
}

/* ---- runs ---- */

enum place { PLACE_NEW, PLACE_DUPLICATE, PLACE_OVERLAP };

/* a run of its own behind run `before`, 0 = as the first */
static uint32_t run_new(struct frag *f, struct queue *q, uint32_t before,
			uint32_t off, uint32_t end)
{
	uint32_t i = cell_take(f);
	uint32_t *at = before ? &run_at(f, before)->next : &q->run;

	run_at(f, i)->off = off;
	run_at(f, i)->end = end;
	run_at(f, i)->next = *at;
	*at = i;
	q->nruns++;
	return i;
}

/* Finds where off..end belongs: *before is the run that begins at or before
 * `off`.  The run that reaches furthest is looked at first; most datagrams
 * have no other. */
static enum place run_find(const struct frag *f, const struct queue *q,
			   uint32_t off, uint32_t end, uint32_t *before)
{
	const struct run *r;
	uint32_t i = q->run;

	*before = 0;
	if (q->last && run_at(f, q->last)->off <= off)
		i = q->last;
	for (; i && run_at(f, i)->off <= off; i = run_at(f, i)->next)
		*before = i;
	if (i && run_at(f, i)->off < end)
		return PLACE_OVERLAP;
	if (!*before)
		return PLACE_NEW;
	r = run_at(f, *before);
	if (r->end <= off)
		return PLACE_NEW;
	return end <= r->end ? PLACE_DUPLICATE : PLACE_OVERLAP;
}

static enum place queue_insert(struct frag *f, struct queue *q,
			       const struct pkt *p, uint32_t end)
{
	uint32_t off = p->frag_off, before, i, cap = pkt_l4cap(p);
	enum place place = run_find(f, q, off, end, &before);
	struct run *r;

	if (place != PLACE_NEW)
		return place;
	i = before;
	if (before && before == q->last && run_at(f, i)->end == off) {
		run_at(f, i)->end = end;
	} else {
		if (q->nruns == FRAG_RUNS)
			return PLACE_OVERLAP;
		i = run_new(f, q, before, off, end);
		if (before == q->last)
			q->last = i;
	}
	r = run_at(f, i);
	if (cap > end - off)
		cap = end - off;
	if (r->stored == off - r->off) /* no gap before */
		run_store(f, r, p->data + p->l4, cap);
	return PLACE_NEW;
}

static uint8_t ecn_bit(const struct pkt *p)
{
	const uint8_t *ip = p->data + p->l3;

	return (uint8_t)(1u << (p->l3proto == 4 ? ip[1] & 3 : ip[1] >> 4 & 3));
}

static void queue_note(struct frag *f, struct queue *q, const struct pkt *p,
		       uint32_t len)
{
	q->meat += len;
	q->ecn |= ecn_bit(p);
	q->nfrags++;
	f->nfrags++;
	if (!p->frag_off) {
		q->seen |= HAS_FIRST;
		q->upper = p->l4proto;
		head_store(f, q, p);
	}
}

static bool queue_complete(const struct queue *q)
{
	return q->seen == (HAS_FIRST | HAS_LAST) && q->meat == q->len;
}

/* a complete datagram that may be delivered */
static bool queue_good(const struct queue *q, bool v6)
{
	if (q->ecn & 1 && q->ecn & ~1u)
		return false;
	if (v6)
		return q->head_len - IP6_LEN + q->len <= MAX_PAYLOAD;
	return q->head_len + q->len <= MAX_IP4;
}

/* ---- a fragment ---- */

static struct frag_answer say(enum frag_verdict v, uint32_t lost)
{
	return (struct frag_answer){v, lost};
}

static struct frag_answer discard(struct frag *f, uint32_t i)
{
	return say(FRAG_REFUSED, queue_end(f, i) + 1);
}

/* the fragment is in its queue: is that all? */
static struct frag_answer settle(struct frag *f, uint32_t i, bool v6)
{
	const struct queue *q = queue_at(f, i);

	if (!queue_complete(q))
		return say(FRAG_HELD, 0);
	if (!queue_good(q, v6))
		return say(FRAG_REFUSED, queue_end(f, i));
	f->done = i;
	return say(FRAG_DONE, 0);
}

/* too many others of this source since the last one of this queue */
static bool source_far(struct frag *f, struct queue *q)
{
	uint32_t count = ++source_at(f, q->source)->count;
	bool far = q->nfrags && count - q->mark > FRAG_FAR;

	q->mark = count;
	return far;
}

static struct frag_answer add4(struct frag *f, uint32_t i, const struct pkt *p,
			       uint64_t now_ns)
{
	struct queue *q = queue_at(f, i);
	uint32_t end = p->frag_off + p->l4len, lost = 0;
	struct frag_answer a;

	if (source_far(f, q)) {
		lost = queue_empty(f, q);
		q->since_ns = now_ns;
		age_unlink(f, i);
		age_link(f, i);
	}
	if (!p->frag_more) {
		if (end < q->len || (q->seen & HAS_LAST && end != q->len))
			return discard(f, i);
		q->seen |= HAS_LAST;
		q->len = end;
	} else {
		end &= ~7u;
		if (end > q->len && q->seen & HAS_LAST)
			return discard(f, i);
		if (end > q->len)
			q->len = end;
	}
	if (end <= p->frag_off)
		a = discard(f, i);
	else
		switch (queue_insert(f, q, p, end)) {
		case PLACE_NEW:
			queue_note(f, q, p, end - p->frag_off);
			a = settle(f, i, false);
			break;
		case PLACE_DUPLICATE:
			a = say(FRAG_HELD, 0);
			break;
		default:
			a = discard(f, i);
		}
	a.lost += lost;
	return a;
}

static struct frag_answer add6(struct frag *f, uint32_t i, const struct pkt *p)
{
	struct queue *q = queue_at(f, i);
	uint32_t end = p->frag_off + p->l4len;

	if (end > MAX_PAYLOAD)
		return say(FRAG_REFUSED, 1);
	if (!p->frag_more) {
		if (end < q->len || (q->seen & HAS_LAST && end != q->len))
			return say(FRAG_REFUSED, 1);
		q->seen |= HAS_LAST;
		q->len = end;
	} else {
		if (end & 7)
			return say(FRAG_PASS, queue_end(f, i));
		if (end > q->len && q->seen & HAS_LAST)
			return say(FRAG_REFUSED, 1);
		if (end > q->len)
			q->len = end;
	}
	if (end == p->frag_off)
		return say(FRAG_REFUSED, 1);
	switch (queue_insert(f, q, p, end)) {
	case PLACE_NEW:
		queue_note(f, q, p, end - p->frag_off);
		return settle(f, i, true);
	case PLACE_DUPLICATE:
		return say(FRAG_HELD, 0);
	default:
		return discard(f, i);
	}
}

static struct frag_answer judge(struct frag *f, const struct pkt *p,
				uint64_t now_ns, uint8_t tag)
{
	uint32_t i;

	if (p->l3proto == 6 && !p->frag_off && pkt_ip6_headless(p))
		return say(FRAG_PASS, 0);
	if (!room_for(f, p))
		return say(FRAG_REFUSED, 1);
	i = queue_get(f, p, now_ns, tag);
	return p->l3proto == 4 ? add4(f, i, p, now_ns) : add6(f, i, p);
}

/* ---- the datagram ---- */

static void whole_ip4(uint8_t *ip, uint32_t len)
{
	ip[2] = (uint8_t)(len >> 8);
	ip[3] = (uint8_t)len;
	ip[6] &= 0x40; /* "do not fragment" stays */
	ip[7] = 0;
}

/* `proto` stood in the first fragment's fragment header; it takes the place of
 * the 44 that led there */
static void whole_ip6(uint8_t *ip, uint32_t head_len, uint32_t len,
		      uint8_t proto)
{
	uint32_t at = pkt_ip6_before_frag(ip, head_len);

	len -= IP6_LEN;
	ip[4] = (uint8_t)(len >> 8);
	ip[5] = (uint8_t)len;
	ip[at] = proto;
}

static void whole_make(const struct frag *f, const struct pkt *p, uint8_t *buf,
		       struct pkt *whole)
{
	const struct queue *q = queue_at(f, f->done);
	uint8_t *to = chain_copy(f, q->head, q->head_len, buf);
	uint32_t len = q->head_len + q->len, i;

	for (i = q->run; i; i = run_at(f, i)->next) {
		const struct run *r = run_at(f, i);

		to = run_copy(f, r, to);
		if (r->stored != r->end - r->off)
			break;
	}
	whole->data = buf;
	whole->caplen = (uint32_t)(to - buf);
	whole->wirelen = len;
	whole->linktype = LINK_RAW;
	whole->l3 = 0;
	if (p->l3proto == 4)
		whole_ip4(buf, len);
	else
		whole_ip6(buf, q->head_len, len, (uint8_t)q->upper);
}

static void whole_fill(const struct frag *f, const struct pkt *p,
		       enum frag_verdict v, uint8_t *buf, struct pkt *whole)
{
	*whole = *p;
	whole->frag_off = whole->frag_id = 0;
	whole->frag_more = 0;
	if (v == FRAG_DONE)
		whole_make(f, p, buf, whole);
	whole->reason = (uint8_t)(p->l3proto == 4 ? pkt_ip4(whole)
						  : pkt_ip6_track(whole));
	whole->frag = 1;
}

struct frag_answer frag_add(struct frag *f, const struct pkt *p,
			    uint64_t now_ns, uint8_t tag, uint8_t *buf,
			    struct pkt *whole)
{
	struct frag_answer a;

	if (p->frame && p->frame < f->frame)
		return say(FRAG_HELD, 0);
	if (p->frame && p->frame == f->frame) {
		a = say((enum frag_verdict)f->answer, f->answer_lost);
	} else {
		change_begin(f);
		if (f->done)
			queue_end(f, f->done);
		f->done = 0;
		a = judge(f, p, now_ns, tag);
		f->frame = p->frame;
		f->answer = a.verdict;
		f->answer_lost = a.lost;
		change_end(f);
	}
	if (a.verdict == FRAG_PASS || a.verdict == FRAG_DONE)
		whole_fill(f, p, a.verdict, buf, whole);
	return a;
}

void frag_release(struct frag *f)
{
	if (!f->done)
		return;
	change_begin(f);
	queue_end(f, f->done);
	f->done = 0;
	change_end(f);
}

bool frag_expire(struct frag *f, uint64_t now_ns, uint64_t timeout_ns,
		 uint8_t *tag, uint32_t *lost)
{
	const struct queue *q = queue_at(f, f->oldest);

	if (!f->oldest || f->oldest == f->done || now_ns < q->since_ns ||
	    now_ns - q->since_ns < timeout_ns)
		return false;
	*tag = q->tag;
	change_begin(f);
	*lost = queue_end(f, f->oldest);
	change_end(f);
	return true;
}

struct frag_use frag_use(const struct frag *f)
{
	uint32_t used = f->ncells ? f->ncells - 1 - f->nfree : 0;

	return (struct frag_use){f->nqueues, f->nfrags,
				 (uint64_t)used * FRAG_CELL};
}

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
 * Before anything changes it is certain that the memory suffices
 * (frag_store.h).
 *
 * Ours alone: a datagram in more than FRAG_RUNS separate runs is discarded, so
 * that nobody makes us walk long lists.
 */
#include "daemon/pkt/frag.h"

#include <string.h>

#include "daemon/pkt/frag_store.h"
#include "daemon/pkt/internal.h"

#define FRAG_FAR    64u /* ipfrag_max_dist */
#define FRAG_RUNS   256u
#define MAX_PAYLOAD 65535u
#define MAX_IP4     65535u

/* ---- runs ---- */

enum place { PLACE_NEW, PLACE_DUPLICATE, PLACE_OVERLAP, PLACE_NONE };

/* Finds where off..end belongs: *before is the run that begins at or before
 * `off`.  The run that reaches furthest is looked at first; most datagrams
 * have no other. */
static enum place run_find(struct frag *f, const struct frag_queue *q,
                           uint32_t off, uint32_t end, uint32_t *before)
{
	const struct frag_run *r;
	uint32_t i = q->run;

	*before = 0;
	if (q->last && frag_run_at(f, q->last)->off <= off)
		i = q->last;
	for (; i && frag_run_at(f, i)->off <= off; i = frag_run_at(f, i)->next)
		*before = i;
	if (i && frag_run_at(f, i)->off < end)
		return PLACE_OVERLAP;
	if (!*before)
		return PLACE_NEW;
	r = frag_run_at(f, *before);
	if (r->end <= off)
		return PLACE_NEW;
	return end <= r->end ? PLACE_DUPLICATE : PLACE_OVERLAP;
}

static enum place queue_insert(struct frag *f, struct frag_queue *q,
                               const struct pkt *p, uint32_t end)
{
	uint32_t off = p->frag_off, before, i, cap = pkt_l4cap(p);
	enum place place = run_find(f, q, off, end, &before);
	struct frag_run *r;

	if (place != PLACE_NEW)
		return place;
	i = before;
	if (before && before == q->last && frag_run_at(f, i)->end == off) {
		frag_run_at(f, i)->end = end;
	} else {
		if (q->nruns == FRAG_RUNS)
			return PLACE_NONE;
		i = frag_run_new(f, q, before, off, end);
		if (before == q->last)
			q->last = i;
	}
	r = frag_run_at(f, i);
	if (cap > end - off)
		cap = end - off;
	if (r->stored == off - r->off) /* no gap before */
		frag_run_store(f, r, p->data + p->l4, cap);
	return PLACE_NEW;
}

static uint8_t ecn_bit(const struct pkt *p)
{
	const uint8_t *ip = p->data + p->l3;

	return (uint8_t)(1u << (p->l3proto == 4 ? ip[1] & 3 : ip[1] >> 4 & 3));
}

static void queue_frame(struct frag_queue *q, uint64_t frame)
{
	uint64_t behind = frame - q->frame;

	if (!q->nfrags)
		q->frame = frame;
	else if (q->nfrags < FRAG_FRAMES)
		q->behind[q->nfrags - 1] = behind < FRAG_FAR_BEHIND
		                                   ? (uint16_t)behind
		                                   : FRAG_FAR_BEHIND;
}

static void queue_note(struct frag *f, struct frag_queue *q,
                       const struct pkt *p, uint32_t len)
{
	queue_frame(q, p->frame);
	q->meat += len;
	q->ecn |= ecn_bit(p);
	q->nfrags++;
	f->nfrags++;
	if (!p->frag_off) {
		q->seen |= FRAG_HAS_FIRST;
		q->upper = p->l4proto;
		frag_head_store(f, q, p);
	}
}

static bool queue_complete(const struct frag_queue *q)
{
	return q->seen == (FRAG_HAS_FIRST | FRAG_HAS_LAST) && q->meat == q->len;
}

/* why a complete datagram may not be delivered */
static enum frag_why queue_wrong(const struct frag_queue *q, bool v6)
{
	uint32_t len = q->head_len + q->len;

	if (q->ecn & 1 && q->ecn & ~1u)
		return FRAG_WHY_ECN;
	if (v6)
		return len - IP6_LEN > MAX_PAYLOAD ? FRAG_WHY_LONG
		                                   : FRAG_WHY_NONE;
	return len > MAX_IP4 ? FRAG_WHY_LONG : FRAG_WHY_NONE;
}

/* ---- a fragment ---- */

static struct frag_answer say(enum frag_verdict v, uint32_t lost,
                              enum frag_why why)
{
	return (struct frag_answer){v, lost, why};
}

/* what the first fragment has told, if it was there */
static uint8_t queue_l4(struct frag *f, const struct frag_queue *q, uint8_t *to)
{
	const struct frag_run *r;
	uint32_t n;

	if (!(q->seen & FRAG_HAS_FIRST))
		return 0;
	r = frag_run_at(f, q->run);
	n = r->stored < FRAG_L4 ? r->stored : FRAG_L4;
	memcpy(to, r->byte, n);
	return (uint8_t)n;
}

/* The queue ends; returns how many fragments it had. */
static uint32_t queue_gone(struct frag *f, uint32_t i)
{
	const struct frag_queue *q = frag_queue_at(f, i);

	f->gone.nfrags = q->nfrags;
	f->gone.l4proto = (uint8_t)q->upper;
	f->gone.nl4 = queue_l4(f, q, f->gone.l4);
	return frag_queue_end(f, i);
}

static struct frag_answer refuse(enum frag_why why)
{
	return say(FRAG_REFUSED, 1, why);
}

static struct frag_answer discard(struct frag *f, uint32_t i, enum frag_why why)
{
	return say(FRAG_REFUSED, queue_gone(f, i) + 1, why);
}

/* the fragment is in its queue: is that all? */
static struct frag_answer settle(struct frag *f, uint32_t i, bool v6)
{
	const struct frag_queue *q = frag_queue_at(f, i);

	enum frag_why why;

	if (!queue_complete(q))
		return say(FRAG_HELD, 0, FRAG_WHY_NONE);
	why = queue_wrong(q, v6);
	if (why)
		return say(FRAG_REFUSED, queue_gone(f, i), why);
	f->done = i;
	return say(FRAG_DONE, 0, FRAG_WHY_NONE);
}

/* it contradicts nothing: does it fit? */
static struct frag_answer place(struct frag *f, uint32_t i, const struct pkt *p,
                                uint32_t end)
{
	struct frag_queue *q = frag_queue_at(f, i);

	switch (queue_insert(f, q, p, end)) {
	case PLACE_NEW:
		queue_note(f, q, p, end - p->frag_off);
		return settle(f, i, p->l3proto == 6);
	case PLACE_DUPLICATE:
		return say(FRAG_HELD, 0, FRAG_WHY_DUPLICATE);
	case PLACE_OVERLAP:
		return discard(f, i, FRAG_WHY_OVERLAP);
	default:
		return discard(f, i, FRAG_WHY_PIECES);
	}
}

/* too many others of this source since the last one of this queue */
static bool source_far(struct frag *f, struct frag_queue *q)
{
	uint32_t count = ++frag_source_at(f, q->source)->count;
	bool far = q->nfrags && count - q->mark > FRAG_FAR;

	q->mark = count;
	return far;
}

static struct frag_answer add4(struct frag *f, uint32_t i, const struct pkt *p,
                               uint64_t now_ns)
{
	struct frag_queue *q = frag_queue_at(f, i);
	uint32_t end = p->frag_off + p->l4len, lost = 0;
	struct frag_answer a;

	if (source_far(f, q)) {
		lost = frag_queue_empty(f, q);
		frag_queue_renew(f, i, now_ns);
	}
	if (!p->frag_more) {
		if (end < q->len || (q->seen & FRAG_HAS_LAST && end != q->len))
			return discard(f, i, FRAG_WHY_LENGTH);
		q->seen |= FRAG_HAS_LAST;
		q->len = end;
	} else {
		end &= ~7u;
		if (end > q->len && q->seen & FRAG_HAS_LAST)
			return discard(f, i, FRAG_WHY_LENGTH);
		if (end > q->len)
			q->len = end;
	}
	if (end <= p->frag_off)
		a = discard(f, i, FRAG_WHY_EMPTY);
	else
		a = place(f, i, p, end);
	a.lost += lost;
	return a;
}

static struct frag_answer add6(struct frag *f, uint32_t i, const struct pkt *p)
{
	struct frag_queue *q = frag_queue_at(f, i);
	uint32_t end = p->frag_off + p->l4len;

	if (end > MAX_PAYLOAD)
		return refuse(FRAG_WHY_LONG);
	if (!p->frag_more) {
		if (end < q->len || (q->seen & FRAG_HAS_LAST && end != q->len))
			return refuse(FRAG_WHY_LENGTH);
		q->seen |= FRAG_HAS_LAST;
		q->len = end;
	} else {
		if (end & 7)
			return say(FRAG_PASS, frag_queue_end(f, i),
			           FRAG_WHY_ODD);
		if (end > q->len && q->seen & FRAG_HAS_LAST)
			return refuse(FRAG_WHY_LENGTH);
		if (end > q->len)
			q->len = end;
	}
	if (end == p->frag_off)
		return refuse(FRAG_WHY_EMPTY);
	return place(f, i, p, end);
}

static struct frag_answer judge(struct frag *f, const struct pkt *p,
                                uint64_t now_ns, uint8_t tag)
{
	uint32_t i;

	if (p->l3proto == 6 && !p->frag_off && pkt_ip6_headless(p))
		return say(FRAG_PASS, 0, FRAG_WHY_HEADLESS);
	if (!frag_room_for(f, p))
		return refuse(FRAG_WHY_ROOM);
	i = frag_queue_get(f, p, now_ns, tag);
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

static void whole_make(struct frag *f, const struct pkt *p, uint8_t *buf,
                       struct pkt *whole)
{
	const struct frag_queue *q = frag_queue_at(f, f->done);
	uint8_t *to = frag_head_copy(f, q, buf);
	uint32_t len = q->head_len + q->len, i;

	for (i = q->run; i; i = frag_run_at(f, i)->next) {
		const struct frag_run *r = frag_run_at(f, i);

		to = frag_run_copy(f, r, to);
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

static void whole_fill(struct frag *f, const struct pkt *p, enum frag_verdict v,
                       uint8_t *buf, struct pkt *whole)
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
		return say(FRAG_HELD, 0, FRAG_WHY_NONE);
	if (p->frame && p->frame == f->frame) {
		a = say((enum frag_verdict)f->answer, f->answer_lost,
		        (enum frag_why)f->answer_why);
	} else {
		frag_change_begin(f);
		if (f->done)
			frag_queue_end(f, f->done);
		f->done = 0;
		memset(&f->gone, 0, sizeof(f->gone));
		a = judge(f, p, now_ns, tag);
		a.lost += f->left;
		f->left = 0;
		f->frame = p->frame;
		f->answer = a.verdict;
		f->answer_lost = a.lost;
		f->answer_why = a.why;
		frag_change_end(f);
	}
	if (a.verdict == FRAG_PASS || a.verdict == FRAG_DONE)
		whole_fill(f, p, a.verdict, buf, whole);
	return a;
}

void frag_release(struct frag *f)
{
	if (!f->done)
		return;
	frag_change_begin(f);
	frag_queue_end(f, f->done);
	f->done = 0;
	frag_change_end(f);
}

bool frag_expire(struct frag *f, uint64_t now_ns, uint64_t timeout_ns,
                 uint8_t *tag, uint32_t *lost)
{
	const struct frag_queue *q = frag_queue_at(f, f->oldest);

	if (!f->oldest || f->oldest == f->done || now_ns < q->since_ns ||
	    now_ns - q->since_ns < timeout_ns)
		return false;
	*tag = q->tag;
	frag_change_begin(f);
	*lost = frag_queue_end(f, f->oldest);
	frag_change_end(f);
	return true;
}

static void look_frames(const struct frag_queue *q, struct frag_seen *seen)
{
	uint32_t i, n = q->nfrags < FRAG_FRAMES ? q->nfrags : FRAG_FRAMES;

	seen->frame[0] = q->frame;
	seen->nframes = n != 0;
	for (i = 1; i < n && q->behind[i - 1] != FRAG_FAR_BEHIND; i++)
		seen->frame[seen->nframes++] = q->frame + q->behind[i - 1];
}

static void look_gone(const struct frag_gone *gone, struct frag_seen *seen)
{
	seen->nfrags = gone->nfrags;
	seen->l4proto = gone->l4proto;
	seen->nl4 = gone->nl4;
	memcpy(seen->l4, gone->l4, gone->nl4);
}

void frag_look(struct frag *f, const struct pkt *p, struct frag_seen *seen)
{
	uint32_t i = p ? frag_queue_find(f, p) : f->done;
	const struct frag_queue *q;

	memset(seen, 0, sizeof(*seen));
	if (!i && f->answer == FRAG_REFUSED && p && p->frame == f->frame)
		look_gone(&f->gone, seen);
	if (!i)
		return;
	q = frag_queue_at(f, i);
	seen->nfrags = q->nfrags;
	seen->l4proto = (uint8_t)q->upper;
	seen->nl4 = queue_l4(f, q, seen->l4);
	look_frames(q, seen);
}

struct frag_use frag_use(const struct frag *f)
{
	uint32_t used = f->ncells ? f->ncells - 1 - f->nfree : 0;

	return (struct frag_use){f->nqueues, f->nfrags,
	                         (uint64_t)used * FRAG_CELL};
}

/*
 * merge.c - many rings, one log.
 *
 * Theory
 *
 * Order.  Events of one shard are numbered without holes over all producers,
 * under the shard's lock.  So the merger needs no clock: it looks at the head
 * of every ring and takes those whose number is the next one of their shard.
 * The predecessor of a head that does not fit was published earlier, in
 * another ring, hence the next look at that ring finds it.  Events of one
 * connection stand in order in the log; NEW never follows DESTROY.
 *
 * Loss.  A producer never waits (but for captures), so a ring may be lapped.
 * `intent` of its header is raised before cells are written again: a copy is
 * good if afterwards `intent` is at most one ring ahead of the copied cell.
 * Every event has an ordinal within its ring: how many were lost is a
 * difference, never a guess.  After a lap the cursor jumps half a ring ahead
 * (an edge would be lapped again at once).
 *
 * What was lost leaves holes in the numbers of shards, and not only at their
 * front: the event before a hole may be unread in another ring.  So a hole is
 * found when it is reached: when no head fits, the earliest unread event of
 * all (which is a head, and whose shard has nothing unread before it) waits for
 * one that is lost.  Then the next number of each shard is looked up in what
 * is unread: see resync().  Until then the log waits for nobody but the
 * producers' next store.
 *
 * Commit.  Slots are filled behind `tail`, then tail moves, then the cursors
 * follow, and `at_tail` last.  A slot tells ring, cell, ordinal, shard and
 * number of its event, so after a kill the cursors are those of the header,
 * raised by what the slots between `at_tail` and `tail` tell.  All values only
 * grow, so a header of which half was stored does no harm: nothing is lost,
 * nothing doubled.  Where the holes are is not kept: an heir takes all that is
 * unread for suspect.
 *
 * GAP slots: cell.seq - 1 is the cursor behind the jump (cells = 0), ordinal
 * the last one lost, id how many, more.master the ring's losses in all.
 */
#include "daemon/api/merge.h"

#include <string.h>

#include "shm/atomic.h"

/* looks for holes in vain, before clients get their turn */
#define RESYNC_TRIES 8u

struct record {
	struct event_cell cell;
	struct event_more more;
};

enum peek { PEEK_NONE, PEEK_RECORD, PEEK_LAPPED };

uint64_t merge_oldest(const struct merge *m)
{
	uint64_t n = (uint64_t)m->t->log_mask + 1;

	return m->tail > n ? m->tail - n : 0;
}

uint64_t merge_find(const struct merge *m, uint64_t gseq)
{
	uint64_t lo = merge_oldest(m), hi = m->tail;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (merge_at(m, mid)->cell.gseq > gseq)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* ---- rings ---- */

static inline uint64_t ring_cells(const struct event_ring *g)
{
	return (uint64_t)g->mask + 1;
}

/* `tail` never runs ahead of `intent`; but where it was written over, a walk
 * to it must not take for ever. */
static inline bool ring_lapped(const struct event_ring *g, uint64_t c,
                               uint64_t tail)
{
	return shm_load(&g->hdr->intent) > c + ring_cells(g) ||
	       tail - c > ring_cells(g);
}

/* A record that no producer of ours writes is stepped over; its ordinal will
 * be missed and counted. */
static bool record_sane(const struct record *r, uint64_t c, uint64_t tail)
{
	const struct event_cell *e = &r->cell;

	return e->seq == c + 1 &&
	       ((e->type >= EVENT_NEW && e->type <= EVENT_DESTROY) ||
	        event_of_expect(e->type)) &&
	       (e->cells == 1 || e->cells == 2) && c + e->cells <= tail;
}

/* by what its events are numbered */
static uint32_t stream_of(const struct event_cell *e)
{
	return event_of_expect(e->type) ? STREAM_EXPECT
	                                : conn_id_shard(e->id) % NSHARD;
}

/* One untorn copy of the record at `c`, which lies below `tail`. */
static enum peek ring_copy(const struct event_ring *g, uint64_t c,
                           uint64_t tail, struct record *r)
{
	uint64_t seq = shm_load_acquire(&g->cell[c & g->mask].seq);

	memcpy(&r->cell, &g->cell[c & g->mask], sizeof(r->cell));
	if (r->cell.cells == 2 && c + 1 < tail)
		memcpy(&r->more, &g->cell[(c + 1) & g->mask], sizeof(r->more));
	else
		memset(&r->more, 0, sizeof(r->more));
	r->cell.seq = seq;
	shm_rmb();
	return ring_lapped(g, c, tail) ? PEEK_LAPPED : PEEK_RECORD;
}

/* The first record at or behind *c: moves *c over padding, over the second
 * half of a record, and over what makes no sense. */
static enum peek ring_peek(const struct event_ring *g, uint64_t *c,
                           uint64_t tail, struct record *r)
{
	while (*c < tail) {
		enum peek p = ring_copy(g, *c, tail, r);

		if (p == PEEK_LAPPED || record_sane(r, *c, tail))
			return p;
		++*c;
	}
	return PEEK_NONE;
}

/* ---- slots ---- */

static void slot_write(struct merge *m, uint32_t slot, const struct record *r,
                       uint64_t gseq)
{
	struct event_slot *s = &m->t->log[m->tail & m->t->log_mask];

	shm_store(&m->t->mlog->intent, m->tail + 1);
	shm_wmb();
	shm_store(&s->cell.gseq, 0);
	shm_wmb();
	memcpy(&s->cell, &r->cell, offsetof(struct event_cell, gseq));
	s->more = r->more;
	s->cell.source = (uint8_t)slot;
	shm_store_release(&s->cell.gseq, gseq);
	m->tail++;
	m->gseq = gseq;
}

static void merge_commit(struct merge *m)
{
	struct mlog_header *h = m->t->mlog;
	uint32_t i;

	shm_store_release(&h->tail, m->tail);
	shm_store(&h->gseq, m->gseq);
	for (i = 0; i < NRING; i++) {
		shm_store(&h->ordinal[i], m->ordinal[i]);
		shm_store(&h->lost[i], m->lost[i]);
	}
	for (i = 0; i < NSTREAM; i++)
		shm_store(&h->next[i], m->next[i]);
	/* producers of a capture wait by these */
	for (i = 0; i < NRING; i++)
		shm_store_release(&h->cursor[i], m->cursor[i]);
	shm_store_release(&h->at_tail, m->tail);
}

static void gap_write(struct merge *m, uint32_t slot, uint32_t lost,
                      uint64_t ts_ns)
{
	struct record r;

	memset(&r, 0, sizeof(r));
	m->ordinal[slot] += lost;
	m->lost[slot] += lost;
	r.cell.type = EVENT_GAP;
	r.cell.seq = m->cursor[slot] + 1;
	r.cell.ordinal = m->ordinal[slot];
	r.cell.id = lost;
	r.cell.ts_ns = ts_ns;
	r.more.master = m->lost[slot];
	slot_write(m, slot, &r, m->gseq + lost);
}

/* of no ring: recovery learns nothing from it */
#define SOURCE_API 0xffu
_Static_assert(NRING <= SOURCE_API, "no ring is the api");

void merge_audit(struct merge *m, uint32_t uid, uint32_t pid, uint64_t ts_ns,
                 const char *text)
{
	struct event_audit x = {0};
	struct record r;

	memset(&r, 0, sizeof(r));
	r.cell.type = EVENT_AUDIT;
	r.cell.id = (uint64_t)uid << 32 | pid;
	r.cell.ts_ns = ts_ns;
	strncpy(x.text, text, sizeof(x.text) - 1);
	memcpy(&r.more, &x, sizeof(x));
	slot_write(m, SOURCE_API, &r, m->gseq);
	merge_commit(m);
}

/* ---- loss ---- */

/* Something was lost: holes may lie up to what has been published now. */
static void holes_note(struct merge *m)
{
	uint32_t i;

	for (i = 0; i < NRING; i++)
		if (m->t->ring[i].hdr)
			m->holes_to[i] =
				shm_load_acquire(&m->t->ring[i].hdr->tail);
}

/*
 * The cursor of a lapped ring goes half a ring back from the tail, to the
 * first whole record there; what lies before is lost, and told.  False: lapped
 * again meanwhile.
 */
static bool ring_jump(struct merge *m, uint32_t slot)
{
	const struct event_ring *g = &m->t->ring[slot];
	uint64_t tail = shm_load_acquire(&g->hdr->tail), c;
	uint64_t half = ring_cells(g) / 2;
	struct record r;
	enum peek p;
	uint32_t lost;

	c = tail > half ? tail - half : 0;
	if (c < m->cursor[slot])
		c = m->cursor[slot];
	p = ring_peek(g, &c, tail, &r);
	if (p == PEEK_LAPPED)
		return false;
	m->cursor[slot] = c;
	holes_note(m);
	/* nothing but garbage: the next record will tell what was lost */
	if (p == PEEK_NONE)
		return false;
	lost = r.cell.ordinal - 1 - m->ordinal[slot];
	if (lost)
		gap_write(m, slot, lost, r.cell.ts_ns);
	return true;
}

/* For each shard the smallest number in the unread part of a ring; false: the
 * ring was lapped while it was looked at. */
static bool ring_smallest(const struct merge *m, uint32_t slot,
                          uint64_t smallest[NSTREAM])
{
	const struct event_ring *g = &m->t->ring[slot];
	uint64_t tail = shm_load_acquire(&g->hdr->tail);
	uint64_t c = m->cursor[slot];
	struct record r;

	for (;;) {
		enum peek p = ring_peek(g, &c, tail, &r);
		uint32_t sh;

		if (p != PEEK_RECORD)
			return p == PEEK_NONE;
		sh = stream_of(&r.cell);
		if (r.cell.shard_seq < smallest[sh])
			smallest[sh] = r.cell.shard_seq;
		c += r.cell.cells;
	}
}

/* the number of a stream's newest event */
static uint64_t stream_ev_seq(const struct table *t, uint32_t stream)
{
	const struct shard *q = NULL;

	if (stream < t->nshard)
		q = &t->shard[stream];
	else if (stream == STREAM_EXPECT)
		q = t->expect->shard;
	return q ? shm_load_acquire(&q->ev_seq) : 0;
}

/*
 * The next number of each shard is the smallest that is still unread.  Events
 * up to the shard's `ev_seq` were published before it was read, so they are
 * seen in the rings unless they were taken or lost; later ones may be seen
 * without their predecessor, which is still to come, so they never move `next`
 * beyond ev_seq + 1.  Nothing goes back: what is unread is newer than what was
 * taken.  True: something has changed, it is worth looking again.
 */
static bool resync(struct merge *m)
{
	uint64_t smallest[NSTREAM];
	const struct table *t = m->t;
	bool changed = false;
	uint32_t i;

	for (i = 0; i < NSTREAM; i++)
		smallest[i] = stream_ev_seq(t, i) + 1;
	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr && !ring_smallest(m, i, smallest))
			return ring_jump(m, i);
	for (i = 0; i < NSTREAM; i++)
		if (smallest[i] > m->next[i]) {
			m->next[i] = smallest[i];
			changed = true;
		}
	return changed;
}

static bool holes_ahead(const struct merge *m)
{
	uint32_t i;

	for (i = 0; i < NRING; i++)
		if (m->cursor[i] < m->holes_to[i])
			return true;
	return false;
}

void merge_unstick(struct merge *m)
{
	holes_note(m);
}

/* ---- recovery ---- */

/* Raises the state by what one slot tells. */
static void slot_replay(struct merge *m, const struct event_cell *e,
                        uint64_t lost)
{
	uint32_t slot = e->source, sh = stream_of(e);
	uint64_t cursor = e->seq - 1 + e->cells;

	if (slot >= NRING)
		return;
	if (cursor > m->cursor[slot])
		m->cursor[slot] = cursor;
	if ((int32_t)(e->ordinal - m->ordinal[slot]) > 0)
		m->ordinal[slot] = e->ordinal;
	if (e->type == EVENT_GAP) {
		if (lost > m->lost[slot])
			m->lost[slot] = lost;
	} else if (e->shard_seq >= m->next[sh]) {
		m->next[sh] = e->shard_seq + 1;
	}
}

void merge_open(struct merge *m, struct table *t)
{
	const struct mlog_header *h = t->mlog;
	uint64_t pos;
	uint32_t i;

	memset(m, 0, sizeof(*m));
	m->t = t;
	m->tail = shm_load_acquire(&h->tail);
	memcpy(m->cursor, h->cursor, sizeof(m->cursor));
	memcpy(m->ordinal, h->ordinal, sizeof(m->ordinal));
	memcpy(m->lost, h->lost, sizeof(m->lost));
	for (i = 0; i < NSTREAM; i++)
		m->next[i] = h->next[i] ? h->next[i] : 1;
	if (m->tail)
		m->gseq = merge_at(m, m->tail - 1)->cell.gseq;
	pos = h->at_tail < m->tail ? h->at_tail : m->tail;
	if (pos < merge_oldest(m))
		pos = merge_oldest(m);
	for (; pos < m->tail; pos++) {
		const struct event_slot *s = merge_at(m, pos);

		slot_replay(m, &s->cell, s->more.master);
	}
	holes_note(m);
	merge_commit(m);
}

/* ---- merging ---- */

/* Takes what fits from one ring; returns the slots written. */
static unsigned int ring_take(struct merge *m, uint32_t slot, unsigned int max)
{
	const struct event_ring *g = &m->t->ring[slot];
	uint64_t tail = shm_load_acquire(&g->hdr->tail);
	unsigned int n = 0;
	struct record r;

	while (n < max) {
		enum peek p = ring_peek(g, &m->cursor[slot], tail, &r);
		uint32_t sh, missed;

		if (p == PEEK_LAPPED)
			return n + ring_jump(m, slot);
		if (p == PEEK_NONE)
			return n;
		sh = stream_of(&r.cell);
		if (r.cell.shard_seq > m->next[sh]) {
			m->held = true;
			return n;
		}
		missed = r.cell.ordinal - 1 - m->ordinal[slot];
		if (missed) {
			holes_note(m);
			gap_write(m, slot, missed, r.cell.ts_ns);
			n++;
			continue;
		}
		/* those of expectations have numbers of their own: their
		 * stream's */
		slot_write(m, slot, &r,
		           m->gseq + !event_of_expect(r.cell.type));
		m->cursor[slot] += r.cell.cells;
		m->ordinal[slot] = r.cell.ordinal;
		if (r.cell.shard_seq == m->next[sh])
			m->next[sh]++;
		n++;
	}
	return n;
}

static void merge_pass(struct merge *m, unsigned int max)
{
	unsigned int n = 0;
	uint32_t i;

	m->held = false;
	for (i = 0; i < NRING && n < max; i++)
		if (m->t->ring[i].hdr)
			n += ring_take(m, i, max - n);
}

static unsigned int merge_room(const struct merge *m, unsigned int max,
                               uint64_t limit)
{
	/* recovery must find all that was written since the last commit */
	unsigned int quarter = m->t->log_mask / 4 + 1;

	if (max > MERGE_BATCH)
		max = MERGE_BATCH;
	if (max > quarter)
		max = quarter;
	if (limit <= m->tail)
		return 0;
	return limit - m->tail < max ? (unsigned int)(limit - m->tail) : max;
}

unsigned int merge_step(struct merge *m, unsigned int max, uint64_t limit)
{
	unsigned int done = 0, room, tries = 0;
	uint64_t from = m->tail, before;

	while (done < max) {
		before = m->tail;
		room = merge_room(m, max - done, limit);
		if (!room)
			break;
		merge_pass(m, room);
		if (m->tail != before)
			tries = 0;
		else if (!m->held || !holes_ahead(m) ||
		         tries++ == RESYNC_TRIES || !resync(m))
			break;
		merge_commit(m);
		done = (unsigned int)(m->tail - from);
	}
	return done;
}

bool merge_pending(const struct merge *m)
{
	uint32_t i;

	for (i = 0; i < NRING; i++) {
		const struct event_ring *g = &m->t->ring[i];

		if (g->hdr && shm_load_acquire(&g->hdr->tail) > m->cursor[i])
			return true;
	}
	return false;
}

/* sink.c - see sink.h. */
#include "daemon/recorder/sink.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/log.h"
#include "shm/atomic.h"
#include "shm/clock.h"

#define RETRY_NS NS_PER_S

static uint64_t slots(const struct table *t)
{
	return (uint64_t)t->log_mask + 1;
}

static uint64_t slot_before(const struct event_slot *s)
{
	if (s->cell.type == EVENT_GAP)
		return s->cell.gseq - s->cell.id;
	return s->cell.gseq - event_numbered(s->cell.type);
}

/* One untorn copy; false: it has been overwritten. */
static bool slot_copy(const struct table *t, uint64_t pos, struct event_slot *s)
{
	memcpy(s, &t->log[pos & t->log_mask], sizeof(*s));
	shm_rmb();
	return shm_load(&t->mlog->intent) <= pos + slots(t);
}

void sink_begin(struct sink *s)
{
	const struct mark *m = s->mark;

	s->pos = s->gseq = s->rows = s->bytes = s->lost = 0;
	if (m->turn && !memcmp(m->uuid, s->t->hdr->uuid, sizeof(m->uuid)) &&
	    m->pos <= shm_load_acquire(&s->t->mlog->tail)) {
		s->pos = m->pos;
		s->gseq = m->gseq;
	}
}

/* The log went on without us: half a log ahead, or the edge would be lapped
 * again at once. */
static int sink_jump(struct sink *s, uint64_t tail)
{
	uint64_t n = slots(s->t), before;
	struct event_slot slot;
	bool fresh = !s->gseq && !s->pos;

	s->pos = tail > n / 2 ? tail - n / 2 : 0;
	if (s->pos == tail || !slot_copy(s->t, s->pos, &slot))
		return 0;
	before = slot_before(&slot);
	if (fresh || before <= s->gseq) {
		s->gseq = before > s->gseq ? before : s->gseq;
		return 0;
	}
	s->lost += before - s->gseq;
	n = s->gseq;
	s->gseq = before;
	return s->kind->gap(s, n, before - n);
}

static unsigned int sink_take(struct sink *s, uint64_t tail, unsigned int max,
                              int *error)
{
	struct event_slot slot;
	unsigned int n;

	for (n = 0; n < max && s->pos < tail && !*error; n++) {
		if (!slot_copy(s->t, s->pos, &slot)) {
			*error = sink_jump(s, tail);
			continue;
		}
		s->pos++;
		s->gseq = slot.cell.gseq;
		*error = s->kind->take(s, &slot);
	}
	return n;
}

static void sink_failed(struct sink *s, int error)
{
	static struct log_limit limit;

	s->figures->errors++;
	s->retry_ns = clock_mono_ns() + RETRY_NS;
	sink_begin(s);
	if (log_allow(&limit, "record", s->kind->name))
		log_warnx("record",
		          "%s: %s; tried again, the event log waits "
		          "as long as it can",
		          s->kind->name, strerror(-error));
}

unsigned int sink_step(struct sink *s, uint64_t tail, unsigned int max)
{
	unsigned int n;
	int error = 0;

	if (s->pos == tail || (s->retry_ns && clock_mono_ns() < s->retry_ns))
		return 0;
	s->retry_ns = 0;
	n = sink_take(s, tail, max, &error);
	if (!error)
		error = s->kind->commit(s, s->gseq, s->pos);
	if (error) {
		sink_failed(s, error);
		return 0;
	}
	s->figures->written += s->rows;
	s->figures->bytes += s->bytes;
	s->figures->lost += s->lost;
	shm_store_release(&s->figures->gseq, s->gseq);
	s->rows = s->bytes = s->lost = 0;
	return n;
}

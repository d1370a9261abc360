/*
 * fuzz_events.c - the merged log over rings with anything in them.
 *
 * Producers publish events, then cells, headers and the log's own records are
 * written over by the input, in the middle of merging.  The merger must come
 * to an end, the numbers of the log only grow, a heir goes on where the log
 * stands, and every slot can be told to a client.
 */
#include "daemon/api/merge.h"
#include "daemon/api/filter.h"
#include "daemon/api/pb.h"
#include "daemon/tracker/tracker.h"
#include "shm/ops.h"
#include "tests/fuzz/still.h"
#include "tests/lib/keys.h"

#define RINGS  3u
#define SHARDS 4u
#define CELLS  64u

static struct still still;
static struct policy pol;
static struct pb pb;
static struct event_cell *cells[RINGS]; /* as they were */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table *t = table_make(64, true, CELLS);
	uint32_t i;

	(void)argc;
	(void)argv;
	fuzz_check(t, "no table");
	tracker_defaults(&pol);
	t->hdr->t0_real_ns = NS_PER_S;
	t->hdr->clock_ns = 2 * NS_PER_S;
	fuzz_check(!pb_init(&pb, t, &pol), "out of memory");
	still_keep(&still, t);
	for (i = 0; i < RINGS; i++)
		cells[i] = (struct event_cell *)(void *)fuzz_copy(
			t->ring[i].cell, CELLS * sizeof(struct event_cell));
	return 0;
}

static void produce(struct table *t, uint32_t slot, uint8_t key, uint8_t how)
{
	const struct op_cursor none = {0, 0};
	struct op_event ev = {.ts_ns = 2 * NS_PER_S};
	uint8_t sh = key % SHARDS;
	struct conn_lookup k = key_make(t, key, key & 0x40, sh);
	enum op_refusal why;
	struct conn init;
	uint32_t idx, at;

	t->me = slot;
	idx = conn_find(t, &k, &at, NULL);
	if (!idx) {
		memset(&init, 0, sizeof(init));
		init.status = CONN_CONFIRMED;
		ev.type = EVENT_NEW;
		op_insert(t, &k, &init, NULL, NULL, &ev, none, &why);
	} else {
		ev.type = how & 2 ? EVENT_DESTROY : EVENT_UPDATE;
		op_update_begin(t, sh, idx);
		if (ev.type == EVENT_UPDATE)
			op_update_commit(t, sh, idx, &ev, none);
		else
			op_delete_commit(t, sh, idx, at, &ev, none);
	}
	t->me = 0;
}

/* what: 3 ring, 4 cells or header, 8 the log, 0x30 how */
static void damage(struct table *t, struct fuzz_in *in, uint8_t what)
{
	uint8_t *at = (uint8_t *)t->ring[what % RINGS].cell;
	size_t len = CELLS * sizeof(struct event_cell);
	uint32_t off = fuzz16(in), v;

	if (what & 8) {
		at = (uint8_t *)(what & 4 ? (void *)t->mlog : (void *)t->log);
		len = what & 4 ? offsetof(struct mlog_header, started)
		               : ((size_t)t->log_mask + 1) *
		                         sizeof(struct event_slot);
	} else if (what & 4) {
		at = (uint8_t *)t->ring[what % RINGS].hdr;
		len = offsetof(struct ring_header, ncells);
	}
	off = off % (uint32_t)(len / 4) * 4;
	memcpy(&v, at + off, 4);
	if ((what >> 4 & 3) == 0)
		v = fuzz32(in);
	else if ((what >> 4 & 3) == 1)
		v ^= 1u << (fuzz8(in) & 31);
	else
		v += (uint32_t)(int8_t)fuzz8(in);
	memcpy(at + off, &v, 4);
}

/* every slot, as subscribers read them */
static void tell(const struct merge *m)
{
	uint64_t pos;

	pb_begin(&pb);
	for (pos = merge_oldest(m); pos < m->tail && !pb_full(&pb); pos++) {
		struct event_slot s = *merge_at(m, pos);

		filter_event(NULL, &pol, &s);
		if (s.cell.type >= EVENT_NEW && s.cell.type <= EVENT_GAP)
			pb_event(&pb, &s);
	}
	if (pb.n)
		protobuf_c_message_get_packed_size(&pb_response(&pb)->base);
	fuzz_check(merge_find(m, UINT64_MAX) <= m->tail, "find");
	merge_find(m, 0);
}

static void merge_all(struct merge *m, bool sound)
{
	uint64_t tail = m->tail, gseq = m->gseq;
	unsigned int i;

	for (i = 0; i < 64 && merge_step(m, 50, UINT64_MAX); i++)
		;
	if (merge_pending(m)) {
		merge_unstick(m);
		for (i = 0; i < 64 && merge_step(m, 50, UINT64_MAX); i++)
			;
	}
	fuzz_check(m->tail >= tail && m->gseq >= gseq, "the log went back");
	fuzz_check(!sound || !merge_pending(m), "not all was merged");
	tell(m);
}

static void rings_reset(struct table *t)
{
	uint32_t i;

	for (i = 0; i < RINGS; i++)
		memcpy(t->ring[i].cell, cells[i],
		       CELLS * sizeof(struct event_cell));
	memset(t->log, 0,
	       ((size_t)t->log_mask + 1) * sizeof(struct event_slot));
}

/* a step: 0x80 damage, 0x40 merging or an heir, else an event */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct table *t = still.t;
	static struct merge m;
	bool sound = true;
	uint32_t n, i;

	merge_open(&m, t);
	for (n = 0; in.left && n < 300; n++) {
		uint8_t what = fuzz8(&in);

		if (what & 0x80) {
			sound = false;
			damage(t, &in, what);
		} else if (what & 0x40) {
			if (what & 1)
				merge_open(&m, t);
			merge_step(&m, what & 0x3f, UINT64_MAX);
		} else {
			for (i = 0; i <= (what >> 4 & 3); i++)
				produce(t, what % RINGS,
				        (uint8_t)(what * 5 + i), what >> 2);
		}
	}
	merge_all(&m, sound);
	merge_open(&m, t);
	merge_all(&m, sound);
	rings_reset(t);
	still_reset(&still);
	return 0;
}

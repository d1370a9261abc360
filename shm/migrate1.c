/*
 * migrate1.c - layout version 1 to today's.
 *
 * A list for each structure names what both have; a field that has changed its
 * size or vanished since does not compile here, and then wants a conversion.
 * Indices, chains and records of operations under way are taken as they are:
 * the same `max` makes the same geometry, which is made sure of.
 */
#include "shm/migrate.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>

#include "shm/expect.h"
#include "shm/layout1.h"
#include "shm/segment.h"

#define TAKE(f)                                                  \
	do {                                                     \
		_Static_assert(sizeof(to->f) == sizeof(from->f), \
		               #f " is another");                \
		memcpy(&to->f, &from->f, sizeof(from->f));       \
	} while (0);

/* clang-format off */
#define CONN(F) \
	F(seq) F(gen) F(key) F(status) F(deadline) F(packets) F(bytes) \
	F(priv) F(state) F(start) F(ext) F(mark)
#define DETAIL(F) \
	F(start_ns) F(last_ns) F(rtt_us) F(rate) F(retrans) F(disorder) \
	F(zero_window) F(resets) F(repairs) F(dup) F(vlan) F(iface) F(dups)
#define INFO(F) \
	F(src) F(master) F(master_port) F(sport) F(src_len) F(class) \
	F(flags) F(helper) F(assign) F(master_proto) F(serial)
#define EXTENSION(F) \
	F(labels) F(master) F(next) F(helper) F(policy) F(priv)
#define SHARD(F) \
	F(lock) F(op) F(op_idx) F(op_seq) F(op_pkt) F(op_owner) F(op_src) \
	F(op_ordinal) F(op_slot) F(op_line) F(op_prev) F(op_lnext) \
	F(op_cnt) F(op_ext) F(op_tail) F(free_head) F(free_tail) F(bump) \
	F(count) F(ovf_free) F(ovf_bump) F(ev_seq) F(op_ev) F(op_from) \
	F(ext_free) F(ext_bump) F(op_enext) F(op_gen) F(repairs) F(damaged) \
	F(serial)
#define RING(F) \
	F(intent) F(tail) F(ordinal) F(credit) F(cursor) F(pend_cursor) \
	F(count_last) F(count) F(pend_src) F(npend) F(drop_kernel) \
	F(drop_interface) F(received) F(base_kernel) F(base_interface) \
	F(base_received) F(ended) F(done) F(clock_ns) F(error) F(place)
#define CELL(F) \
	F(seq) F(id) F(ts_ns) F(shard_seq) F(ver) F(ordinal) F(type) \
	F(cells) F(state) F(reason) F(bits) F(helper) F(source) F(key) \
	F(addr6) F(status) F(left_ms) F(mark) F(start) F(len) F(vlan) \
	F(iface) F(flags) F(gseq)
#define MORE(F) \
	F(seq) F(packets) F(bytes) F(master) F(labels)
#define MLOG(F) \
	F(tail) F(gseq) F(intent) F(at_tail) F(cursor) F(ordinal) F(next) \
	F(lost) F(started) F(lossless)
#define HEADER(F) \
	F(uuid) F(clock_mode) F(t0_mono_ns) F(source_id) F(generation) \
	F(nworker) F(clock_ns) F(budget) F(t0_real_ns)
/* clang-format on */

/* ---- the header ---- */

static uint64_t sum1(const struct header1 *h)
{
	const uint8_t *b = (const uint8_t *)h;
	uint64_t s = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < offsetof(struct header1, sum); i++)
		s = (s ^ b[i]) * 0x100000001b3ull;
	return s;
}

static uint64_t area1(const struct header1 *h, unsigned int a)
{
	uint64_t n = (uint64_t)L1_NSHARD * h->cap;

	switch (a) {
	case L1_SHARD:
		return L1_NSHARD * sizeof(struct shard1);
	case L1_LINE:
		return (uint64_t)L1_NSHARD * h->nline * sizeof(struct line1);
	case L1_CHK:
		return n * sizeof(uint32_t);
	case L1_CONN:
		return n * sizeof(struct conn1);
	case L1_DETAIL:
		return h->detail ? n * sizeof(struct detail1) : 0;
	case L1_EXPECT:
		return sizeof(struct expect_area1);
	case L1_ADDR6:
		return n * sizeof(struct addr61);
	default:
		return n * sizeof(struct ext1);
	}
}

/* every area lies within the file, behind the header and page by page */
static bool sane1(const struct header1 *h, uint64_t size)
{
	uint64_t at = L1_PAGE, len;
	unsigned int a;

	if (h->cap < 2 || h->cap > SLOT_IDX || h->nline > h->cap + 64 ||
	    !h->max || h->ring_cells < 64 || h->log_slots < 64 ||
	    h->ring_cells & (h->ring_cells - 1) ||
	    h->log_slots & (h->log_slots - 1) || h->ring_cells > 1u << 30 ||
	    h->log_slots > 1u << 30)
		return false;
	for (a = 0; a < L1_AREAS; a++) {
		len = area1(h, a);
		if (h->off[a] != at || h->off[a] > size ||
		    len > size - h->off[a])
			return false;
		at = (at + len + L1_PAGE - 1) / L1_PAGE * L1_PAGE;
	}
	return h->size == at && size >= at;
}

static int params1(const void *header, uint64_t size, struct region_params *p,
                   uint32_t *generation, struct region_error *err)
{
	const struct header1 *h = header;

	if (h->sum != sum1(h) || h->state != SEG_READY ||
	    h->nshard != L1_NSHARD || h->endian != 0x01020304 ||
	    h->page != L1_PAGE || !sane1(h, size))
		return region_refuse(err, -EINVAL, 4,
		                     "%s: header of layout 1 damaged, sum "
		                     "%016llx, not %016llx; --reset-table "
		                     "sets it aside and starts afresh",
		                     p->name, (unsigned long long)h->sum,
		                     (unsigned long long)sum1(h));
	p->max = h->max;
	p->detail = h->detail;
	p->clock_mode = h->clock_mode ? CLOCK_CAPTURE : CLOCK_LIVE;
	p->source_id = h->source_id;
	p->ring_bytes = (uint64_t)h->ring_cells * sizeof(struct event_cell);
	p->log_bytes = (uint64_t)h->log_slots * sizeof(struct event_slot);
	p->nworker = h->nworker <= NWORKER_MAX ? h->nworker : NWORKER_MAX;
	*generation = h->generation;
	return 0;
}

static uint64_t size1(const void *header, enum segment s)
{
	const struct header1 *h = header;

	switch (s) {
	case SEG_TBL:
		return h->size;
	case SEG_PROC:
		return (uint64_t)NSLOT * L1_PAGE;
	case SEG_MLOG:
		return L1_MLOG + (uint64_t)h->log_slots * sizeof(struct slot1);
	case SEG_POL:
		return 0;
	case SEG_KEY:
		return sizeof(struct keys1);
	default:
		return L1_RING + (uint64_t)h->ring_cells * sizeof(struct cell1);
	}
}

/* a token stands first in each page */
static bool alive1(const void *proc)
{
	uint32_t i, v;

	for (i = 0; i < NSLOT; i++) {
		v = shm_load_acquire((const uint32_t *)proc +
		                     i * (L1_PAGE / sizeof(v)));
		if (v && !(v & FUTEX_OWNER_DIED))
			return true;
	}
	return false;
}

/* ---- entries ---- */

static void conn_take(struct conn *to, const struct conn1 *from)
{
	CONN(TAKE)
}

static void detail_take(struct conn_detail *to, const struct detail1 *from)
{
	DETAIL(TAKE)
}

static void info_take(struct expect_info *to, const struct info1 *from)
{
	INFO(TAKE)
}

static void ext_take(struct conn_ext *to, const struct ext1 *from)
{
	EXTENSION(TAKE)
}

static void shard_take(struct shard *to, const struct shard1 *from)
{
	SHARD(TAKE)
}

static void lines_take(struct line *to, const struct line1 *of, uint32_t n)
{
	const struct line1 *from;

	for (from = of; from < of + n; from++, to++) {
		TAKE(slot)
		TAKE(next)
	}
}

/* The detail line of an expectation has another meaning. */
static void line_take(struct conn_detail *to, const struct detail1 *from,
                      bool expect)
{
	struct expect_info info = {0};
	struct info1 info1;

	if (!expect) {
		detail_take(to, from);
		return;
	}
	memcpy(&info1, from, sizeof(info1));
	info_take(&info, &info1);
	memcpy(to, &info, sizeof(info));
}

/* the image of an entry behind its key, by way of a whole one */
static void undo_take(struct undo *to, const struct undo1 *from, bool expect)
{
	struct conn1 c1 = {0};
	struct conn c = {0};

	memcpy((char *)&c1 + L1_UNDO_FROM, from->entry, sizeof(from->entry));
	conn_take(&c, &c1);
	memcpy(to->entry, (const char *)&c + CONN_UNDO_FROM, CONN_UNDO_LEN);
	TAKE(last_ns)
	TAKE(whole)
	line_take(&to->detail, &from->detail, expect);
	ext_take(&to->ext, &from->ext);
}

/* ---- areas ---- */

static const void *old_area(const struct migration *m, unsigned int a)
{
	const struct header1 *h = m->old[SEG_TBL];

	return (const char *)h + h->off[a];
}

/* Version 1 folded IPv6 addresses by words of their own.  Of a key's addresses
 * the first `n`. */
static void fold_anew(const struct migration *m, struct conn_key *k,
                      const struct addr6 *a, unsigned int n)
{
	const struct keys1 *keys = m->old[SEG_KEY];
	unsigned int i;

	if (k->flags & KEY_V6)
		for (i = 0; i < n; i++)
			k->addr[i] = hash_fold(keys->steer, a->a[i]);
}

/* The arrays that are filled as they come get memory as far as the old ones
 * have some; a file has holes there, which read as nothing. */
static int sparse_room(struct table *t, uint32_t sh, const struct shard1 *q,
                       struct region_error *err)
{
	struct shard *to = &t->shard[sh];

	if (q->addr6_ready > t->cap || q->ext_ready > t->cap)
		return region_refuse(err, -EINVAL, 4,
		                     "shard %u of layout 1 is damaged", sh);
	if (shard_room(t, sh, q->addr6_ready, q->ext_ready))
		return 0;
	return region_refuse(err, -ENOSPC, 1,
	                     "no room for a second table beside the old one "
	                     "(shard %u of %u, %u)",
	                     sh, to->addr6_ready, to->ext_ready);
}

static int shard_convert(struct migration *m, uint32_t sh,
                         struct region_error *err)
{
	struct table *t = &m->t;
	const struct shard1 *q =
		(const struct shard1 *)old_area(m, L1_SHARD) + sh;
	size_t at = (size_t)sh * t->cap;
	const struct conn1 *c = (const struct conn1 *)old_area(m, L1_CONN) + at;
	const struct detail1 *x =
		(const struct detail1 *)old_area(m, L1_DETAIL) + at;
	const struct addr61 *a =
		(const struct addr61 *)old_area(m, L1_ADDR6) + at;
	const struct ext1 *e = (const struct ext1 *)old_area(m, L1_EXT) + at;
	uint32_t i;
	int r = sparse_room(t, sh, q, err);

	if (r)
		return r;
	shard_take(&t->shard[sh], q);
	lines_take(table_line(t, sh, 0),
	           (const struct line1 *)old_area(m, L1_LINE) +
	                   (size_t)sh * t->nline,
	           t->nline);
	memcpy(table_chk(t, sh, 0), (const uint32_t *)old_area(m, L1_CHK) + at,
	       t->cap * sizeof(uint32_t));
	for (i = 0; i < t->cap; i++) {
		conn_take(table_conn(t, sh, i), &c[i]);
		if (t->detail)
			detail_take(table_detail(t, sh, i), &x[i]);
	}
	for (i = 0; i < q->addr6_ready; i++) {
		memcpy(&t->addr6[at + i], &a[i], sizeof(a[i]));
		fold_anew(m, &table_conn(t, sh, t->cap - 1 - i)->key,
		          &t->addr6[at + i], 2);
	}
	for (i = 0; i < q->ext_ready; i++)
		ext_take(&t->ext[at + i], &e[i]);
	return 0;
}

static void expect_convert(struct migration *m)
{
	const struct expect_area1 *x = old_area(m, L1_EXPECT);
	struct table *t = m->t.expect;
	uint32_t i;

	shard_take(t->shard, &x->shard);
	lines_take(t->line, x->line, L1_EXPECT_LINE);
	memcpy(t->chk, x->chk, sizeof(x->chk));
	memcpy(m->t.expect_tag, x->tag, sizeof(x->tag));
	memcpy(m->t.expect_host, x->host, sizeof(x->host));
	for (i = 0; i < L1_EXPECT_ROOM; i++) {
		conn_take(table_conn(t, 0, i), &x->conn[i]);
		line_take(table_detail(t, 0, i), &x->detail[i], true);
		memcpy(&t->addr6[i], &x->addr6[i], sizeof(x->addr6[i]));
	}
	for (i = 0; i < L1_EXPECT_ROOM; i++)
		fold_anew(m, &table_conn(t, 0, i)->key, table_addr6(t, 0, i),
		          1);
}
_Static_assert(EXPECT_ROOM == L1_EXPECT_ROOM && EXPECT_LINE == L1_EXPECT_LINE,
               "expectations have another room");

/* ---- rings and log ---- */

/* Places of the statistics: counters were added at the end of each list.
 * STATS_SLOTS: of a helper that there never was. */
static uint32_t place_of(uint32_t old)
{
	if (old < L1_COUNTERS)
		return old;
	old -= L1_COUNTERS;
	if (old < L1_DECODE)
		return CTR_COUNT + old;
	old -= L1_DECODE;
	if (old < L1_HELPERS)
		return old / L1_HELPS < STATS_HELPERS
		               ? STATS_HELP(old / L1_HELPS, old % L1_HELPS)
		               : STATS_SLOTS;
	return STATS_MIRROR + old - L1_HELPERS;
}
_Static_assert(CTR_COUNT >= L1_COUNTERS && STATS_DECODE >= L1_DECODE &&
                       STATS_HELPS >= L1_HELPS &&
                       STATS_SLOTS - STATS_MIRROR >= L1_MIRROR,
               "statistics of version 1 have a place");

static void cell_take(const struct migration *m, struct event_cell *to,
                      const struct cell1 *from)
{
	CELL(TAKE)
	fold_anew(m, &to->key, &to->addr6, event_of_expect(to->type) ? 1 : 2);
}

static void more_take(struct event_more *to, const struct more1 *from,
                      bool expect)
{
	MORE(TAKE)
	line_take(&to->detail, &from->detail, expect);
}

static void cells_convert(const struct migration *m, struct event_cell *to,
                          const struct cell1 *from, uint32_t n)
{
	bool expect = false;
	struct more1 more1;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (from[i].seq & EVENT_CONT) {
			memcpy(&more1, &from[i], sizeof(more1));
			more_take((struct event_more *)(void *)&to[i], &more1,
			          expect);
		} else {
			cell_take(m, &to[i], &from[i]);
			expect = event_of_expect(from[i].type);
		}
	}
}

static void pend_convert(struct ring_header *to, const struct ring1 *from)
{
	uint32_t i;

	for (i = 0; i < L1_NPEND; i++) {
		to->pend[i].value = from->pend[i].value;
		to->pend[i].counter = from->pend[i].counter < L1_SLOTS
		                              ? place_of(from->pend[i].counter)
		                              : STATS_SLOTS;
	}
	for (i = 0; i < L1_SLOTS; i++)
		if (place_of(i) < STATS_SLOTS)
			to->counter[place_of(i)] = from->counter[i];
}

static void ring_convert(struct migration *m, uint32_t i)
{
	const struct ring1 *from = m->old[SEG_RING0 + i];
	struct ring_header *to = m->t.ring[i].hdr;
	uint32_t u;

	if (!from || !to)
		return;
	RING(TAKE)
	for (u = 0; u < NUNDO; u++)
		undo_take(&to->undo[u], &from->undo[u], u == UNDO_EXPECT);
	pend_convert(to, from);
	cells_convert(m, m->t.ring[i].cell,
	              (const struct cell1 *)(const void *)((const char *)from +
	                                                   L1_RING),
	              m->t.ring[i].mask + 1);
}
_Static_assert(NUNDO == 2, "undo images");

static void mlog_convert(struct migration *m)
{
	const struct mlog1 *from = m->old[SEG_MLOG];
	const struct slot1 *s =
		(const struct slot1 *)(const void *)((const char *)from +
	                                             L1_MLOG);
	struct mlog_header *to = m->t.mlog;
	uint32_t i;

	MLOG(TAKE)
	for (i = 0; i <= m->t.log_mask; i++) {
		cell_take(m, &m->t.log[i].cell, &s[i].cell);
		more_take(&m->t.log[i].more, &s[i].more,
		          event_of_expect(s[i].cell.type));
	}
}

static int keys_convert(struct migration *m, struct region_error *err)
{
	const struct keys1 *from = m->old[SEG_KEY];
	struct key_segment to;

	_Static_assert(sizeof(from->hash) == sizeof(to.hash) &&
	                       sizeof(from->steer) == sizeof(to.steer),
	               "keys");
	memcpy(to.hash, from->hash, sizeof(to.hash));
	memcpy(to.steer, from->steer, sizeof(to.steer));
	return region_write_keys(&m->to, &to, sizeof(to), err);
}

/* ---- all ---- */

static bool geometry_same(const struct migration *m)
{
	const struct header1 *h = m->old[SEG_TBL];
	const struct table *t = &m->t;

	return sane1(h, m->from.size[SEG_TBL]) && h->cap == t->cap &&
	       h->nbucket == t->nbucket && h->nline == t->nline &&
	       h->detail == t->hdr->detail &&
	       h->ring_cells == t->hdr->ring_cells &&
	       h->log_slots == t->hdr->log_slots && t->nshard == L1_NSHARD;
}

static int convert1(struct migration *m, struct region_error *err)
{
	const struct header1 *from = m->old[SEG_TBL];
	struct tbl_header *to = m->t.hdr;
	uint32_t i;
	int e = 0;

	if (!geometry_same(m))
		return region_refuse(err, -EINVAL, 4,
		                     "layout 1 with %u entries a shard cannot "
		                     "be migrated: a max of %u makes %u now",
		                     from->cap, from->max, m->t.cap);
	for (i = 0; i < L1_NSHARD && !e; i++)
		e = shard_convert(m, i, err);
	if (e)
		return e;
	expect_convert(m);
	for (i = 0; i < L1_NRING; i++)
		ring_convert(m, i);
	mlog_convert(m);
	e = keys_convert(m, err);
	HEADER(TAKE)
	/* of this boot or of another: region_adopt() judges */
	memcpy(to->boot_id, from->boot_id, sizeof(to->boot_id));
	region_seal(to);
	return e;
}

const struct migrate_step migrate_step1 = {
	.major = 1,
	.layout = L1_HASH,
	.params = params1,
	.size = size1,
	.alive = alive1,
	.convert = convert1,
};

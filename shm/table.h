/*
 * table.h - a process's handle on the segments.
 *
 * Geometry is copied here at attach and never read from shared memory again:
 * whoever else may write there cannot make this process walk out of bounds.
 */
#ifndef SHM_TABLE_H
#define SHM_TABLE_H

#include "shm/atomic.h"
#include "shm/layout.h"

#if defined(__SSE2__) && !defined(SHM_TSAN)
#include <emmintrin.h>
#define TABLE_SSE2 1
#endif

struct event_ring {
	struct ring_header *hdr;
	struct event_cell *cell;
	uint32_t mask; /* cells - 1 */
};

struct table {
	struct tbl_header *hdr;
	struct shard *shard;
	struct line *line;
	uint32_t *chk;
	char *entry;     /* `stride` bytes apart */
	uint32_t stride; /* of struct conn_entry, or of its struct conn */
	bool detail;     /* detail = on */
	struct addr6 *addr6;
	struct conn_ext *ext;
	struct conn_told *told;        /* NULL: expectations */
	struct proc_page *proc;        /* NSLOT pages, PAGE bytes apart */
	struct event_ring ring[NRING]; /* hdr NULL: not mapped */
	struct mlog_header *mlog;
	struct event_slot *log;
	struct policy_segment *policy;
	struct key_segment key;
	/* the table of expectations, and hints by master; in its own handle
	 * NULL.  How often this process has its lock. */
	struct table *expect;
	uint32_t *expect_tag, *expect_host;
	uint32_t expect_depth;
	bool keys_gone; /* expect_sweep() has connections to end (F220) */
	/* private copies */
	uint32_t nshard, cap, nbucket, nline, max, nworker, log_mask;
	uint32_t undo;   /* UNDO_*: which pre-images are this table's */
	uint32_t shard0; /* number of shard 0, for who waits for a lock */
	bool sparse;
	bool twins; /* keys may stand there more than once */
	int tbl_fd; /* for posix_fallocate, or -1 */
	uint64_t addr6_off, ext_off, told_off;
	/* a connection says how it stands so often (active_timeout), 0 never */
	uint32_t tell_ms;
	uint64_t size; /* of the segment */
	/* this process */
	uint32_t me;   /* slot */
	uint32_t word; /* of a lock that it holds: incarnation << 8 | me + 1 */
	/* what the caller has spun for (statistics) */
	uint64_t waited;
};

/* the canonical key of a packet or a query, and all that follows from it */
struct conn_lookup {
	struct conn_key key;
	struct addr6 addr6;
	uint64_t hash;
	uint8_t shard;
	uint8_t sender; /* endpoint of the key that sent, or would be src */
};

static inline uint32_t table_stride(bool detail)
{
	return detail ? sizeof(struct conn_entry) : sizeof(struct conn);
}

static inline struct line *table_line(const struct table *t, uint32_t sh,
                                      uint32_t li)
{
	return &t->line[(size_t)sh * t->nline + li];
}

static inline struct conn *table_conn(const struct table *t, uint32_t sh,
                                      uint32_t idx)
{
	char *at = t->entry + ((size_t)sh * t->cap + idx) * t->stride;

	return (struct conn *)(void *)at;
}

/* With detail = on. */
static inline struct conn_detail *table_detail(const struct table *t,
                                               uint32_t sh, uint32_t idx)
{
	return (struct conn_detail *)(void *)(table_conn(t, sh, idx) + 1);
}

/* IPv6 entries come from the top of a shard, so their addresses are dense */
static inline struct addr6 *table_addr6(const struct table *t, uint32_t sh,
                                        uint32_t idx)
{
	return &t->addr6[(size_t)sh * t->cap + (t->cap - 1 - idx)];
}

/* NULL: no such record (`ext` may be anything that stands in an entry) */
static inline struct conn_ext *table_ext(const struct table *t, uint32_t sh,
                                         uint32_t ext)
{
	if (likely(!ext) || ext >= t->cap)
		return NULL;
	return &t->ext[(size_t)sh * t->cap + ext];
}

static inline struct conn_told *table_told(const struct table *t, uint32_t sh,
                                           uint32_t idx)
{
	return &t->told[(size_t)sh * t->cap + idx];
}

static inline uint32_t *table_chk(const struct table *t, uint32_t sh,
                                  uint32_t idx)
{
	return &t->chk[(size_t)sh * t->cap + idx];
}

static inline struct proc_page *table_proc(const struct table *t, uint32_t slot)
{
	return (struct proc_page *)(void *)((char *)t->proc + slot * PAGE);
}

static inline uint32_t hash_bucket(const struct table *t, uint64_t h)
{
	return (uint32_t)(((h & 0xffffffffu) * t->nbucket) >> 32);
}

static inline uint32_t hash_tag(uint64_t h)
{
	return (uint32_t)(h >> 56) << 24;
}

/* a ring's record of a traced packet */
static inline struct trace_rec *table_trace(const struct table *t,
                                            uint32_t slot, uint64_t pos)
{
	char *at = (char *)t->ring[slot].hdr + RING_TRACE;

	return (struct trace_rec *)(void *)at + (pos & (TRACE_RECORDS - 1));
}

/* indices in [1, bump[0]) and (bump[1], cap) have been used */
static inline bool shard_used(const struct table *t, const struct shard *q,
                              uint32_t idx)
{
	return idx && idx < t->cap && (idx < q->bump[0] || idx > q->bump[1]);
}

/* no index is left for anybody */
static inline bool shard_full(const struct shard *q)
{
	return q->bump[0] > q->bump[1] && !q->free_head[0] && !q->free_head[1];
}

/* Is idx one of those between, that nobody has used?  Then the last of them (or
 * what is behind all), so that a walk goes on there; else 0. */
static inline uint32_t shard_gap(const struct table *t, const struct shard *q,
                                 uint32_t idx)
{
	uint32_t lo = shm_load(&q->bump[0]), hi = shm_load(&q->bump[1]);

	if (idx < lo || idx > hi)
		return 0;
	return hi < t->cap ? hi : t->cap;
}

/* How many have been used from idx on, itself one of them? */
static inline uint32_t shard_run(const struct table *t, const struct shard *q,
                                 uint32_t idx)
{
	uint32_t lo = shm_load(&q->bump[0]);

	return (idx < lo && lo <= t->cap ? lo : t->cap) - idx;
}

/*
 * The slots of a line whose tag is `tag`, a bit each; that of a free slot is 0
 * and may be among them.  Also used where others may write the line: a word is
 * never torn, and whoever holds no lock looks at what he finds again.
 */
static inline uint32_t line_match(const struct line *l, uint32_t tag)
{
	uint32_t m = 0;
#ifdef TABLE_SSE2
	const __m128i *at = (const __m128i *)(const void *)l->slot;
	const __m128i t = _mm_set1_epi32((int)(tag >> 24));
	__m128i a, b;

	a = _mm_packs_epi32(
		_mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(at), 24), t),
		_mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(at + 1), 24), t));
	b = _mm_packs_epi32(
		_mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(at + 2), 24), t),
		_mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(at + 3), 24), t));
	m = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(a, b));
	m &= (1u << LINE_SLOTS) - 1;
#else
	uint32_t i;

	for (i = 0; i < LINE_SLOTS; i++)
		m |= (uint32_t)((shm_load(&l->slot[i]) & SLOT_TAG) == tag) << i;
#endif
	return m;
}

/* The slots of a line that hold nothing, a bit each. */
static inline uint32_t line_free(const struct line *l)
{
	uint32_t m = 0;
#ifdef TABLE_SSE2
	const __m128i *at = (const __m128i *)(const void *)l->slot;
	const __m128i none = _mm_setzero_si128();
	__m128i a, b;

	a = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(at), none),
	                    _mm_cmpeq_epi32(_mm_load_si128(at + 1), none));
	b = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_load_si128(at + 2), none),
	                    _mm_cmpeq_epi32(_mm_load_si128(at + 3), none));
	m = (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(a, b));
	m &= (1u << LINE_SLOTS) - 1;
#else
	uint32_t i;

	for (i = 0; i < LINE_SLOTS; i++)
		m |= (uint32_t)!shm_load(&l->slot[i]) << i;
#endif
	return m;
}

static inline bool key_equal(const struct conn_key *a, const struct conn_key *b)
{
	uint64_t x[2], y[2];

	__builtin_memcpy(x, a, 16);
	__builtin_memcpy(y, b, 16);
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]));
}

/* Is the entry `c` the one that is looked for?  `a6`: its place in addr6[], for
 * a key of IPv6. */
static inline bool conn_has(const struct conn *c, const struct addr6 *a6,
                            const struct conn_lookup *k)
{
	const uint64_t *a, *b;

	if (!key_equal(&c->key, &k->key))
		return false;
	if (!(k->key.flags & KEY_V6))
		return true;
	a = &a6->a[0][0];
	b = &k->addr6.a[0][0];
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

static inline bool conn_is(const struct table *t, const struct conn_lookup *k,
                           uint32_t idx)
{
	return conn_has(table_conn(t, k->shard, idx),
	                table_addr6(t, k->shard, idx), k);
}

#endif

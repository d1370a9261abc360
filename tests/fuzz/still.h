/*
 * still.h - a table that is as new before each input.
 *
 * Making a table costs milliseconds, an input should cost some ten
 * microseconds.  So the table is made once, an image is kept of its small
 * parts, and of the large ones (lines, entries) only those of shards whose
 * record differs from the image are put back: nothing happens to an entry
 * without its shard's record telling.
 */
#ifndef TESTS_FUZZ_STILL_H
#define TESTS_FUZZ_STILL_H

#include "shm/proc.h"
#include "shm/region.h"
#include "tests/fuzz/fuzz.h"

#define STILL_RINGS 4u

struct still {
	struct table *t;
	struct tbl_header hdr;
	struct shard *shard;                     /* nshard of them */
	char *lines, *conns, *addr6, *ext, *chk; /* of all shards */
	struct ring_header ring[STILL_RINGS];
	uint32_t slot[STILL_RINGS]; /* which rings these are */
	uint32_t nring;
	struct mlog_header *mlog;
	struct proc_page page;
};

static inline char *still_save(const void *from, size_t len)
{
	return (char *)fuzz_copy(from, len);
}

static inline size_t still_size(const struct table *t, size_t of_entry)
{
	return (size_t)t->cap * of_entry;
}

/* The table as it stands now is what still_reset() goes back to. */
static inline void still_keep(struct still *s, struct table *t)
{
	size_t n = t->nshard;
	uint32_t i;

	memset(s, 0, sizeof(*s));
	s->t = t;
	s->hdr = *t->hdr;
	s->shard = (struct shard *)(void *)still_save(t->shard,
	                                              n * sizeof(*t->shard));
	s->lines = still_save(t->line, n * t->nline * sizeof(struct line));
	s->conns = still_save(t->entry, n * still_size(t, t->stride));
	s->addr6 = still_save(t->addr6, n * still_size(t, sizeof(*t->addr6)));
	s->ext = still_save(t->ext, n * still_size(t, sizeof(*t->ext)));
	s->chk = still_save(t->chk, n * still_size(t, sizeof(*t->chk)));
	for (i = 0; i < NRING; i++)
		if (t->ring[i].hdr) {
			fuzz_check(s->nring < STILL_RINGS, "too many rings");
			s->slot[s->nring] = i;
			s->ring[s->nring++] = *t->ring[i].hdr;
		}
	s->mlog = (struct mlog_header *)(void *)still_save(t->mlog,
	                                                   sizeof(*t->mlog));
	s->page = *table_proc(t, t->me);
}

static inline void still_part(void *to, const char *from, uint32_t sh,
                              size_t len)
{
	memcpy((char *)to + sh * len, from + sh * len, len);
}

static inline void still_shard(const struct still *s, uint32_t sh)
{
	struct table *t = s->t;

	t->shard[sh] = s->shard[sh];
	still_part(t->line, s->lines, sh, t->nline * sizeof(struct line));
	still_part(t->entry, s->conns, sh, still_size(t, t->stride));
	still_part(t->addr6, s->addr6, sh, still_size(t, sizeof(*t->addr6)));
	still_part(t->ext, s->ext, sh, still_size(t, sizeof(*t->ext)));
	still_part(t->chk, s->chk, sh, still_size(t, sizeof(*t->chk)));
}

static inline bool still_touched(const struct still *s, uint32_t sh)
{
	return memcmp(&s->t->shard[sh], &s->shard[sh], sizeof(struct shard)) !=
	       0;
}

static inline void still_reset(const struct still *s)
{
	struct table *t = s->t;
	uint32_t i;

	for (i = 0; i < t->nshard; i++)
		if (still_touched(s, i))
			still_shard(s, i);
	*t->hdr = s->hdr;
	for (i = 0; i < s->nring; i++)
		*t->ring[s->slot[i]].hdr = s->ring[i];
	*t->mlog = *s->mlog;
	*table_proc(t, t->me) = s->page;
}

#endif

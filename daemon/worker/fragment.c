/* fragment.c - see fragment.h; what a fragment means is decided in frag.c. */
#include "daemon/worker/fragment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/worker/apply.h"

#define PAGES(bytes) (((bytes) + PAGE - 1) / PAGE * PAGE)

/* Never shorter: what a predecessor left is in it. */
static bool file_grow(int fd, off_t size)
{
	struct stat st;

	return !fstat(fd, &st) && (st.st_size >= size || !ftruncate(fd, size));
}

/* Not malloc: untouched pages of the block cost nothing. */
static bool store_open(struct fragments *fs, unsigned int i, uint64_t secret,
                       bool numbered, int fd)
{
	int flags = MAP_NORESERVE |
	            (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	off_t at = i ? (off_t)PAGES(fs->limit.bytes[0]) : 0;
	size_t size = fs->limit.bytes[i];
	void *m;

	if (size < FRAG_MIN)
		size = FRAG_MIN;
	fs->limit.bytes[i] = size;
	if (fd >= 0 && !file_grow(fd, at + (off_t)PAGES(size)))
		return false;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd,
	         fd < 0 ? 0 : at);
	if (m == MAP_FAILED)
		return false;
	fs->block[i] = m;
	fs->store[i] = frag_open(m, size, secret, numbered);
	return true;
}

struct fragments *fragments_new_at(const struct fragment_limits *limit,
                                   uint64_t secret, bool numbered, int fd)
{
	struct fragments *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->limit = *limit;
	fs->inherited = fd >= 0;
	if (store_open(fs, 0, secret, numbered, fd) &&
	    store_open(fs, 1, secret, numbered, fd))
		return fs;
	fragments_free(fs);
	return NULL;
}

struct fragments *fragments_new(const struct fragment_limits *limit,
                                uint64_t secret, bool numbered)
{
	return fragments_new_at(limit, secret, numbered, -1);
}

void fragments_free(struct fragments *fs)
{
	unsigned int i;

	if (!fs)
		return;
	for (i = 0; i < 2; i++)
		if (fs->block[i])
			munmap(fs->block[i], fs->limit.bytes[i]);
	free(fs);
}

void fragments_policy(struct fragments *fs, const struct policy *pol)
{
	fs->limit.timeout_ns[0] = pol->ipfrag_time * NS_PER_S;
	fs->limit.timeout_ns[1] = pol->frag6_timeout * NS_PER_S;
}

/* belongs to no packet, so it moves the cursor of such operations */
static void count_timeouts(struct table *t, uint32_t n)
{
	const struct ring_header *h = t->ring[t->me].hdr;
	struct op_cursor cur = {h->cursor[SOURCE_OPS] + 1, SOURCE_OPS};
	struct counters cs = {0};

	if (!n)
		return;
	counters_add(&cs, CTR_FRAG_TIMEOUT, n);
	counters_prepare(t, &cs, cur.pkt, cur.src);
	op_cursor_set(t, cur);
	counters_commit(t);
}

static void store_expire(struct pipeline *p, unsigned int i, uint64_t now_ns)
{
	const struct fragments *fs = p->frags;
	uint32_t lost, n = 0;
	uint8_t shard;

	while (frag_expire(fs->store[i], now_ns, fs->limit.timeout_ns[i],
	                   &shard, &lost))
		n += lost && pipeline_mine(p, shard);
	count_timeouts(p->t, n);
}

void fragments_expire(struct pipeline *p, uint64_t now_ns)
{
	if (!p->frags)
		return;
	store_expire(p, 0, now_ns);
	store_expire(p, 1, now_ns);
}

/* Numbers of several interfaces have no order, but each frame that is done has
 * moved one cursor by one: so this one is the next of their sum. */
static uint64_t live_order(const struct pipeline *p, const struct lane *l)
{
	const struct ring_header *h = p->t->ring[p->t->me].hdr;
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < SOURCE_EXPECT; i++)
		sum += h->cursor[i];
	return (sum + 1) << 4 | l->pkt->source;
}

static void fragment_look(struct pipeline *p, const struct lane *l,
                          const struct frag_answer *a)
{
	struct fragments *fs = p->frags;
	struct frag *f = fs->store[l->pkt->l3proto == 6];

	fs->answer = *a;
	frag_look(f, a->verdict == FRAG_DONE ? NULL : l->pkt, &fs->seen);
	/* live, cursors say nothing to anybody */
	if (!p->capture)
		fs->seen.nframes = 0;
}

bool fragment_take(struct pipeline *p, const struct lane *l,
                   struct counters *cs, struct lane *whole)
{
	struct fragments *fs = p->frags;
	unsigned int i = l->pkt->l3proto == 6;
	struct frag_answer a = {FRAG_REFUSED, 1, FRAG_WHY_ROOM};
	uint64_t frame = l->pkt->frame;

	counters_add(cs, CTR_FRAG_RECEIVED, 1);
	if (fs) {
		store_expire(p, i, l->now_ns);
		if (!p->capture)
			l->pkt->frame = fs->inherited ? live_order(p, l) : 0;
		a = frag_add(fs->store[i], l->pkt, l->now_ns, l->look.shard,
		             fs->bytes, &fs->pkt);
		if (unlikely(p->trace.on))
			fragment_look(p, l, &a);
		l->pkt->frame = fs->pkt.frame = frame;
	}
	counters_add(cs, CTR_FRAG_DROPPED, a.lost);
	if (a.verdict == FRAG_DONE)
		counters_add(cs, CTR_FRAG_REASSEMBLED, 1);
	else if (a.verdict != FRAG_PASS)
		return false;
	whole->now_ns = l->now_ns;
	pipeline_decap(p, &fs->pkt);
	lane_datagram(p, whole, &fs->pkt);
	return true;
}

void fragment_done(struct pipeline *p, const struct lane *l)
{
	frag_release(p->frags->store[l->pkt->l3proto == 6]);
}

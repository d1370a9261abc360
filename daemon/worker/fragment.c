/* fragment.c - see fragment.h; what a fragment means is decided in frag.c. */
#include "daemon/worker/fragment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/worker/apply.h"

/* Not malloc: untouched pages of the block cost nothing. */
static bool store_open(struct fragments *fs, unsigned int i, uint64_t secret,
                       bool capture)
{
	size_t size = fs->limit.bytes[i];
	void *at;

	if (size < FRAG_MIN)
		size = FRAG_MIN;
	fs->limit.bytes[i] = size;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return false;
	fs->block[i] = at;
	fs->store[i] = frag_open(at, size, secret, capture);
	return true;
}

struct fragments *fragments_new(const struct fragment_limits *limit,
                                uint64_t secret, bool capture)
{
	struct fragments *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->limit = *limit;
	if (store_open(fs, 0, secret, capture) &&
	    store_open(fs, 1, secret, capture))
		return fs;
	fragments_free(fs);
	return NULL;
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

bool fragment_take(struct pipeline *p, const struct lane *l,
                   struct counters *cs, struct lane *whole)
{
	struct fragments *fs = p->frags;
	unsigned int i = l->pkt->l3proto == 6;
	struct frag_answer a = {FRAG_REFUSED, 1};

	counters_add(cs, CTR_FRAG_RECEIVED, 1);
	if (fs) {
		store_expire(p, i, l->now_ns);
		a = frag_add(fs->store[i], l->pkt, l->now_ns, l->look.shard,
		             fs->bytes, &fs->pkt);
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

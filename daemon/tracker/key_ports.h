/*
 * key_ports.h - the canonical key of a packet whose endpoints are sorted with
 * their ports, which is nearly every packet; inline, see key.h.
 */
#ifndef TRACKER_KEY_PORTS_H
#define TRACKER_KEY_PORTS_H

#include "daemon/pkt/steer.h"
#include "daemon/tracker/key.h"
#include "shm/hash.h"

/*
 * Endpoints that are sorted with their ports.  Which of the two sends is as
 * good as random, so nothing here branches on it: both are swapped, or not, by
 * a mask.
 */
static inline void key_ports4(const struct table *t, const struct pkt *p,
                              const struct trk_tuple *tp, struct conn_lookup *k,
                              bool *land)
{
	uint64_t s = (uint64_t)p->src.w[0] << 16 | tp->src, w[2];
	uint64_t d = (uint64_t)p->dst.w[0] << 16 | tp->dst;
	uint64_t swap = (s ^ d) & -(uint64_t)(s > d);
	uint64_t lo = s ^ swap, hi = d ^ swap;

	key_join(&k->key, w,
	         &(struct conn_key){
			 .addr = {(uint32_t)(lo >> 16), (uint32_t)(hi >> 16)},
			 .port = {(uint16_t)lo, (uint16_t)hi},
			 .l4proto = p->l4proto,
			 .zone = p->zone});
	k->shard = steer_tuple(t->key.steer, false, &p->src, &p->dst, tp->src,
	                       tp->dst, p->l4proto);
	k->sender = s > d;
	*land = s == d;
	k->hash = hash_words4(t->key.hash, w[0], w[1]);
}

static inline void key_ports6(const struct table *t, const struct pkt *p,
                              const struct trk_tuple *tp, struct conn_lookup *k,
                              bool *land)
{
	hash_wide s = (hash_wide)p->src.d[0] << 64 | p->src.d[1];
	hash_wide d = (hash_wide)p->dst.d[0] << 64 | p->dst.d[1];
	bool src = (s > d) | ((s == d) & (tp->src > tp->dst));
	uint64_t all = -(uint64_t)src, w[2], swap;
	uint32_t ports = (uint32_t)(tp->src ^ tp->dst) & (uint32_t)all;
	uint32_t fs = hash_fold(t->key.steer, p->src.d);
	uint32_t fd = hash_fold(t->key.steer, p->dst.d);
	uint32_t folds = (fs ^ fd) & (uint32_t)all;

	swap = (p->src.d[0] ^ p->dst.d[0]) & all;
	k->addr6.a[0][0] = p->src.d[0] ^ swap;
	k->addr6.a[1][0] = p->dst.d[0] ^ swap;
	swap = (p->src.d[1] ^ p->dst.d[1]) & all;
	k->addr6.a[0][1] = p->src.d[1] ^ swap;
	k->addr6.a[1][1] = p->dst.d[1] ^ swap;
	key_join(&k->key, w,
	         &(struct conn_key){.addr = {fs ^ folds, fd ^ folds},
	                            .port = {(uint16_t)(tp->src ^ ports),
	                                     (uint16_t)(tp->dst ^ ports)},
	                            .l4proto = p->l4proto,
	                            .flags = KEY_V6,
	                            .zone = p->zone});
	k->shard = steer_folded(t->key.steer, fs, fd, tp->src, tp->dst,
	                        p->l4proto);
	k->sender = src;
	*land = (s == d) & (tp->src == tp->dst);
	k->hash = hash_words6(t->key.hash, w[1], &k->addr6);
}

#endif

/*
 * steer.h - which shard a packet belongs to.
 *
 * One function in two forms: in C for the table and for replay, and as a
 * classic BPF program that the kernel runs for PACKET_FANOUT_CBPF, so that a
 * worker is given the packets of its own shards.  Correctness never depends
 * on the kernel's form: a packet that comes to another worker is a stray,
 * which costs cache misses.
 */
#ifndef PKT_STEER_H
#define PKT_STEER_H

#include <linux/filter.h>
#include <string.h>

#include "daemon/pkt/decap.h"
#include "shm/hash.h"

#define STEER_KEYS 6u   /* secret words, chosen at random for each table */
#define STEER_MAX  256u /* instructions of a program, at most */

/* X(IP protocol number): the first four bytes are ports */
#define STEER_PORTS(X) X(6) X(17) X(33) X(132) X(136)

static inline bool steer_has_ports(uint8_t l4proto)
{
#define X(number) || l4proto == number
	return false STEER_PORTS(X);
#undef X
}

static inline uint32_t steer_fold(const uint32_t *k, bool v6,
                                  const union pkt_addr *addr)
{
	return v6 ? hash_fold(k, addr->d) : hash_round(k, 0, get32(addr->b));
}

static inline uint32_t steer_endpoint(const uint32_t *k, uint32_t folded,
                                      uint32_t port)
{
	uint32_t y = (folded + port * (k[3] | 1)) * (k[2] | 1);

	return y ^ y >> 13;
}

/* The shard of a tuple, of whose addresses steer_fold() was made. */
static inline __attribute__((always_inline)) uint8_t
steer_folded(const uint32_t key[STEER_KEYS], uint32_t src, uint32_t dst,
             uint16_t sport, uint16_t dport, uint8_t l4proto)
{
	uint32_t h;

	if (unlikely(!steer_has_ports(l4proto)))
		sport = dport = 0;
	h = steer_endpoint(key, src, sport) + steer_endpoint(key, dst, dport);
	h = (h + l4proto * (key[4] | 1)) * (key[5] | 1);
	return (uint8_t)(h >> 24);
}

/* The shard of a tuple in either direction.  Addresses in network order,
 * ports in host order; ports count only for protocols that have them. */
static inline __attribute__((always_inline)) uint8_t
steer_tuple(const uint32_t key[STEER_KEYS], bool v6, const union pkt_addr *src,
            const union pkt_addr *dst, uint16_t sport, uint16_t dport,
            uint8_t l4proto)
{
	return steer_folded(key, steer_fold(key, v6, src),
	                    steer_fold(key, v6, dst), sport, dport, l4proto);
}

/* What of a frame decides its shard, without parsing all of it. */
struct steer_plain {
	union pkt_addr src, dst;
	uint16_t sport, dport;
	uint8_t l4proto;
	bool v6;
};

/* TCP or UDP in IP in Ethernet, without tags, options, extension headers or
 * fragments, its ports captured: nearly every frame.  Others: false. */
static inline bool steer_look(const struct pkt *p, struct steer_plain *f)
{
	const uint8_t *ip = p->data + 14;
	uint32_t type, l4;

	if (p->linktype != 1 || p->caplen < 14 + 20 + 4)
		return false;
	type = get16(ip - 2);
	if (likely(type == 0x0800)) {
		/* version and length; more fragments, or not the first */
		if (ip[0] != 0x45 || get16(ip + 6) & 0x3fff ||
		    get16(ip + 2) < 20 + 4)
			return false;
		f->l4proto = ip[9];
		memcpy(&f->src.w[0], ip + 12, 4);
		memcpy(&f->dst.w[0], ip + 16, 4);
		l4 = 20;
	} else if (type == 0x86dd) {
		if (p->caplen < 14 + 40 + 4 || ip[0] >> 4 != 6 ||
		    get16(ip + 4) < 4)
			return false;
		f->l4proto = ip[6];
		memcpy(&f->src, ip + 8, 16);
		memcpy(&f->dst, ip + 24, 16);
		l4 = 40;
	} else {
		return false;
	}
	f->v6 = l4 == 40;
	f->sport = get16(ip + l4);
	f->dport = get16(ip + l4 + 2);
	return f->l4proto == 6 || f->l4proto == 17;
}

/* The shard of a parsed packet; of a fragment by its addresses.  A packet
 * without IP has shard 0. */
uint8_t steer_shard(const uint32_t key[STEER_KEYS], const struct pkt *p);

static inline unsigned int steer_worker(uint8_t shard, unsigned int nworkers)
{
	return (shard * nworkers) >> 8;
}

/* Writes the program that returns the worker's number; returns its length, or
 * -1 when `max` is too small or nworkers not within 1..256. */
int steer_program(const uint32_t key[STEER_KEYS], unsigned int nworkers,
                  struct sock_filter *out, unsigned int max);

/* The same that also steps into the tunnels of `d`, as far as it reaches. */
#define STEER_TUNNELS_MAX 2048u /* instructions, at most */
int steer_program_decap(const uint32_t key[STEER_KEYS], unsigned int nworkers,
                        const struct decap *d, struct sock_filter *out,
                        unsigned int max);

#endif

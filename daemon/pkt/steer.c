/*
 * steer.c - the shard function, and its twin for the kernel.
 *
 * Theory.  For one end of a connection
 *
 *	round(a, w) = x ^ x >> 15	where x = ((a ^ w) + k0) * k1
 *	e(addr, port) = y ^ y >> 13	where y = (r + port * k3) * k2
 *
 * and r is round() over the address's words, one for IPv4, four for IPv6: each
 * word passes through the secret key, so that nobody who may choose addresses
 * can choose the shard.  Then
 *
 *	h = (e(src) + e(dst) + proto * k4) * k5
 *	shard = h >> 24
 *
 * The sum makes both directions equal without sorting, which BPF could do
 * only with jumps.  It is a mixer and not a hash one would trust: the bucket
 * inside a shard comes from a keyed hash, and who floods one shard evicts only
 * what lives there.  Multipliers are made odd, or a bit of the input would be
 * lost.
 *
 * The program differs from `steer_shard` in three things, all of them strays
 * and none harmful.  It does not walk IPv6 extension headers: such packets
 * steer by addresses.  It steps over two VLAN tags that the kernel left in the
 * packet, not over more.  A packet cut short of its ports ends the program
 * with 0, as every load out of bounds does.
 *
 * With tunnels a step goes before all that, see steer_tunnel.c.
 *
 * Loads go by SKF_NET_OFF, for a packet socket's data begins at the link
 * header for outgoing packets and at IP for incoming ones.
 */
#include "daemon/pkt/steer_asm.h"

uint8_t steer_shard(const uint32_t key[STEER_KEYS], const struct pkt *p)
{
	const uint8_t *ports = NULL;

	if (!p->l3proto)
		return 0;
	if (p->reason == PKT_OK && steer_has_ports(p->l4proto))
		ports = pkt_l4(p, 0, 4);
	return steer_tuple(key, p->l3proto == 6, &p->src, &p->dst,
	                   ports ? get16(ports) : 0,
	                   ports ? get16(ports + 2) : 0, p->l4proto);
}

/* -- the program ----------------------------------------------------------- */

static void xor_shift(struct asmbl *a, uint32_t bits)
{
	put(a, BPF_MISC | BPF_TAX, 0);
	alu(a, BPF_RSH, bits);
	put(a, BPF_ALU | BPF_XOR | BPF_X, 0);
}

/* twin of steer_fold(): the address at `off`, result in `cell` */
static void put_fold(struct asmbl *a, const uint32_t *k, unsigned int words,
                     uint32_t off, uint32_t cell)
{
	for (unsigned int i = 0; i < words; i++) {
		fetch_x(a, M_BASE);
		load(a, BPF_W, off + 4 * i);
		if (i) {
			fetch_x(a, cell);
			put(a, BPF_ALU | BPF_XOR | BPF_X, 0);
		}
		alu(a, BPF_ADD, k[0]);
		alu(a, BPF_MUL, k[1] | 1);
		xor_shift(a, 15);
		store(a, cell);
	}
}

/* twin of steer_endpoint(): result in `folded` */
static void put_endpoint(struct asmbl *a, const uint32_t *k, uint32_t folded,
                         uint32_t port)
{
	fetch(a, port);
	alu(a, BPF_MUL, k[3] | 1);
	fetch_x(a, folded);
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	alu(a, BPF_MUL, k[2] | 1);
	xor_shift(a, 13);
	store(a, folded);
}

/* A = protocol: falls through when it has ports, else jumps to `without` */
static void put_has_ports(struct asmbl *a, struct jumps *without)
{
	struct jumps with = {.n = 0};

#define X(number) jump(a, &with, BPF_JEQ | BPF_K, number);
	STEER_PORTS(X)
#undef X
	jump(a, without, BPF_JA, 0);
	land(a, &with);
}

/* X = where layer 4 begins */
static void put_ports(struct asmbl *a)
{
	load(a, BPF_H, 0);
	store(a, M_SPORT);
	load(a, BPF_H, 2);
	store(a, M_DPORT);
}

/* A = Ethernet type of what is at M_BASE: on to the right branch, stepping
 * over tags; falls through for all that is not IP */
static void put_types(struct asmbl *a, struct jumps *v4, struct jumps *v6)
{
	for (unsigned int i = 0;; i++) {
		struct jumps tag = {.n = 0};

		jump(a, v4, BPF_JEQ | BPF_K, TYPE_IPV4);
		jump(a, v6, BPF_JEQ | BPF_K, TYPE_IPV6);
		if (i == TAGS)
			return;
		jump(a, &tag, BPF_JEQ | BPF_K, 0x8100);
		jump(a, &tag, BPF_JEQ | BPF_K, 0x88a8);
		jump(a, &tag, BPF_JEQ | BPF_K, 0x9100);
		put(a, BPF_RET | BPF_K, 0);
		land(a, &tag);
		fetch(a, M_BASE);
		put(a, BPF_MISC | BPF_TAX, 0);
		alu(a, BPF_ADD, 4);
		store(a, M_BASE);
		load(a, BPF_H, 2);
	}
}

static void put_ipv4(struct asmbl *a, const uint32_t *k, struct jumps *done,
                     bool tunnels)
{
	struct jumps frag = {.n = 0};

	put_fold(a, k, 1, 12, M_SRC);
	put_fold(a, k, 1, 16, M_DST);
	fetch_x(a, M_BASE);
	load(a, BPF_B, 9);
	store(a, M_PROTO);
	load(a, BPF_H, 6);
	jump(a, &frag, BPF_JSET | BPF_K, 0x3fff);
	if (tunnels) {
		fetch(a, M_PLAIN);
		jump(a, &frag, BPF_JEQ | BPF_K, 1);
	}
	fetch(a, M_PROTO);
	put_has_ports(a, done);
	load(a, BPF_B, 0);
	alu(a, BPF_AND, 15);
	alu(a, BPF_LSH, 2);
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(a, BPF_MISC | BPF_TAX, 0);
	put_ports(a);
	land(a, &frag);
	jump(a, done, BPF_JA, 0);
}

static void put_ipv6(struct asmbl *a, const uint32_t *k, struct jumps *done,
                     bool tunnels)
{
	put_fold(a, k, 4, 8, M_SRC);
	put_fold(a, k, 4, 24, M_DST);
	fetch_x(a, M_BASE);
	load(a, BPF_B, 6);
	store(a, M_PROTO);
	if (tunnels) {
		fetch(a, M_PLAIN);
		jump(a, done, BPF_JEQ | BPF_K, 1);
		fetch(a, M_PROTO);
	}
	put_has_ports(a, done);
	fetch(a, M_BASE);
	alu(a, BPF_ADD, 40);
	put(a, BPF_MISC | BPF_TAX, 0);
	put_ports(a);
}

static void put_result(struct asmbl *a, const uint32_t *k,
                       unsigned int nworkers)
{
	put_endpoint(a, k, M_SRC, M_SPORT);
	put_endpoint(a, k, M_DST, M_DPORT);
	fetch_x(a, M_SRC);
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	store(a, M_TMP);
	fetch(a, M_PROTO);
	alu(a, BPF_MUL, k[4] | 1);
	fetch_x(a, M_TMP);
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	alu(a, BPF_MUL, k[5] | 1);
	alu(a, BPF_RSH, 24);
	alu(a, BPF_MUL, nworkers);
	alu(a, BPF_RSH, 8);
	put(a, BPF_RET | BPF_A, 0);
}

int steer_program(const uint32_t key[STEER_KEYS], unsigned int nworkers,
                  struct sock_filter *out, unsigned int max)
{
	return steer_program_decap(key, nworkers, NULL, out, max);
}

int steer_program_decap(const uint32_t key[STEER_KEYS], unsigned int nworkers,
                        const struct decap *d, struct sock_filter *out,
                        unsigned int max)
{
	struct jumps v4 = {.n = 0}, v6 = {.n = 0}, done = {.n = 0};
	struct asmbl a = {.out = out, .max = max};

	if (nworkers < 1 || nworkers > 256)
		return -1;
	put(&a, BPF_LD | BPF_IMM, 0);
	store(&a, M_SPORT);
	store(&a, M_DPORT);
	store(&a, M_BASE);
	put(&a, BPF_LD | BPF_H | BPF_ABS,
	    (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
	if (d && d->on)
		steer_tunnels(&a, d, &v4, &v6);
	else
		put_types(&a, &v4, &v6);
	put(&a, BPF_RET | BPF_K, 0);
	land(&a, &v4);
	put_ipv4(&a, key, &done, d && d->on);
	land(&a, &v6);
	put_ipv6(&a, key, &done, d && d->on);
	land(&a, &done);
	put_result(&a, key, nworkers);
	return a.bad ? -1 : (int)a.n;
}

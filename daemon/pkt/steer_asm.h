/*
 * steer_asm.h - writing a program of classic BPF, for steer.c and
 * steer_tunnel.c.
 *
 * Jumps go forward only.  A conditional one reaches 255 instructions;
 * jump_far() reaches any, at the price of one more.
 */
#ifndef PKT_STEER_ASM_H
#define PKT_STEER_ASM_H

#include "daemon/pkt/steer.h"

/* cells of BPF's scratch memory */
enum {
	M_SRC,
	M_DST,
	M_SPORT,
	M_DPORT,
	M_PROTO,
	M_TMP,
	M_BASE,
	/* of tunnels alone */
	M_TYPE,
	M_L4,     /* where the layer behind IP begins */
	M_IP,     /* the innermost IP header so far ... */
	M_FAMILY, /* ... 4 or 6, 0: none yet */
	M_PLAIN   /* 1: by its addresses, whatever it carries */
};

enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TAGS = 2 /* stepped over */ };

struct asmbl {
	struct sock_filter *out;
	unsigned int n, max;
	bool bad; /* no room, or a jump too far */
};

/* jumps of one kind that wait for their target */
struct jumps {
	uint16_t at[256];
	unsigned int n;
};

static inline void put(struct asmbl *a, unsigned int code, uint32_t k)
{
	if (a->n >= a->max) {
		a->bad = true;
		return;
	}
	a->out[a->n++] = (struct sock_filter){.code = (uint16_t)code, .k = k};
}

static inline void jump(struct asmbl *a, struct jumps *to, unsigned int code,
                        uint32_t k)
{
	if (to->n == ARRAY_SIZE(to->at)) {
		a->bad = true;
		return;
	}
	to->at[to->n++] = (uint16_t)a->n;
	put(a, BPF_JMP | code, k);
}

/* to where a conditional jump might not reach */
static inline void jump_far(struct asmbl *a, struct jumps *to,
                            unsigned int code, uint32_t k)
{
	put(a, BPF_JMP | code, k);
	if (!a->bad)
		a->out[a->n - 1].jf = 1;
	jump(a, to, BPF_JA, 0);
}

static inline void land(struct asmbl *a, const struct jumps *from)
{
	for (unsigned int i = 0; i < from->n && !a->bad; i++) {
		struct sock_filter *f = &a->out[from->at[i]];
		unsigned int dist = a->n - from->at[i] - 1;

		if (f->code == (BPF_JMP | BPF_JA))
			f->k = dist;
		else if (dist <= UINT8_MAX)
			f->jt = (uint8_t)dist;
		else
			a->bad = true;
	}
}

/* loads relative to X, where the IP header begins */
static inline void load(struct asmbl *a, unsigned int size, uint32_t off)
{
	put(a, BPF_LD | size | BPF_IND, (uint32_t)SKF_NET_OFF + off);
}

static inline void alu(struct asmbl *a, unsigned int op, uint32_t k)
{
	put(a, BPF_ALU | op | BPF_K, k);
}

static inline void store(struct asmbl *a, uint32_t cell)
{
	put(a, BPF_ST, cell);
}

static inline void fetch(struct asmbl *a, uint32_t cell)
{
	put(a, BPF_LD | BPF_MEM, cell);
}

static inline void fetch_x(struct asmbl *a, uint32_t cell)
{
	put(a, BPF_LDX | BPF_MEM, cell);
}

/* steer_tunnel.c: A is the Ethernet type of what is at M_BASE.  Steps into what
 * it finds and jumps to `v4` or `v6` with the innermost IP header at M_BASE;
 * falls through for all that is not IP. */
void steer_tunnels(struct asmbl *a, const struct decap *d, struct jumps *v4,
                   struct jumps *v6);

#endif

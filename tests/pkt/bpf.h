/*
 * bpf.h - classic BPF as packet sockets have it, for programs that steer.
 * Behind cmocka.h.
 */
#ifndef TESTS_PKT_BPF_H
#define TESTS_PKT_BPF_H

#include <linux/filter.h>

#include "shm/base.h"

struct vm {
	const uint8_t *net; /* what SKF_NET_OFF means */
	uint32_t len;
	uint16_t protocol;
	uint32_t a, x, m[16];
};

/* a load; false ends the program with 0, as in the kernel */
static inline bool vm_load(struct vm *v, uint32_t at, uint32_t size)
{
	uint32_t off = at - (uint32_t)SKF_NET_OFF;

	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
		v->a = v->protocol;
		return true;
	}
	if (off > v->len || size > v->len - off)
		return false;
	v->a = 0;
	for (uint32_t i = 0; i < size; i++)
		v->a = v->a << 8 | v->net[off + i];
	return true;
}

static inline uint32_t vm_alu(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_MUL:
		return a * b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << b;
	case BPF_RSH:
		return a >> b;
	default:
		fail_msg("operation %#x", op);
		return 0;
	}
}

static inline uint32_t vm_size(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* the distance to jump */
static inline uint32_t vm_jump(const struct vm *v, const struct sock_filter *f)
{
	switch (BPF_OP(f->code)) {
	case BPF_JA:
		return f->k;
	case BPF_JEQ:
		return v->a == f->k ? f->jt : f->jf;
	case BPF_JSET:
		return v->a & f->k ? f->jt : f->jf;
	default:
		fail_msg("jump %#x", f->code);
		return 0;
	}
}

static inline uint32_t vm_run(struct vm *v, const struct sock_filter *f,
                              uint32_t n)
{
	for (uint32_t pc = 0; pc < n; pc++) {
		uint32_t k = f[pc].k;

		switch (BPF_CLASS(f[pc].code)) {
		case BPF_LD:
			if (BPF_MODE(f[pc].code) == BPF_IMM)
				v->a = k;
			else if (BPF_MODE(f[pc].code) == BPF_MEM)
				v->a = v->m[k];
			else if (!vm_load(v,
			                  k + (BPF_MODE(f[pc].code) == BPF_IND
			                               ? v->x
			                               : 0),
			                  vm_size(f[pc].code)))
				return 0;
			break;
		case BPF_LDX:
			v->x = v->m[k];
			break;
		case BPF_ST:
			v->m[k] = v->a;
			break;
		case BPF_ALU:
			v->a = vm_alu(BPF_OP(f[pc].code), v->a,
			              BPF_SRC(f[pc].code) == BPF_X ? v->x : k);
			break;
		case BPF_JMP:
			pc += vm_jump(v, &f[pc]);
			break;
		case BPF_MISC:
			v->x = v->a;
			break;
		default:
			return BPF_RVAL(f[pc].code) == BPF_A ? v->a : k;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

#endif

/* fuzz_tcp.c - segments near what both sides would send, and raw ones. */
#include "tests/fuzz/life.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

static uint32_t put_options(struct fuzz_in *in, struct life *l, uint8_t side,
                            uint8_t *o)
{
	uint8_t what = fuzz8(in), *at = o;
	uint32_t base = (uint32_t)l->nxt[!side];

	if (what & 1) {
		*at++ = 3;
		*at++ = 3;
		*at++ = what >> 4;
	}
	if (what & 2) {
		*at++ = 4;
		*at++ = 2;
	}
	if (what & 4) {
		*at++ = 5;
		*at++ = 10;
		put32(at, base + (uint32_t)(int8_t)fuzz8(in));
		put32(at + 4, base + fuzz8(in));
		at += 8;
	}
	if (what & 8) {
		size_t n;
		const uint8_t *raw = fuzz_bytes(in, what >> 4, &n);

		memcpy(at, raw, n);
		at += n;
	}
	while ((at - o) % 4)
		*at++ = 1;
	return (uint32_t)(at - o);
}

/* where a number stands beside the expected one */
static uint32_t number(struct fuzz_in *in, uint32_t expected, uint8_t how)
{
	switch (how & 3) {
	case 0:
		return expected;
	case 1:
		return expected + (uint32_t)(int8_t)fuzz8(in);
	case 2:
		return expected + (uint32_t)((int8_t)fuzz8(in) * 1024);
	default:
		return fuzz32(in);
	}
}

static uint32_t tcp_build(struct life *l, struct fuzz_in *in, uint8_t side,
                          uint8_t *h)
{
	static const uint8_t flags[] = {SYN, SYN | ACK, ACK,       FIN | ACK,
	                                RST, RST | ACK, PSH | ACK, ACK | URG};
	uint8_t kind = fuzz8(in), how = fuzz8(in), f = flags[kind & 7];
	uint32_t seq = number(in, (uint32_t)l->nxt[side], how), data, opt = 0;

	if (kind & 8)
		f = fuzz8(in);
	put16(h, side ? 80 : 4000);
	put16(h + 2, side ? 4000 : 80);
	put32(h + 4, seq);
	put32(h + 8, number(in, (uint32_t)l->nxt[!side], how >> 2));
	h[13] = f;
	put16(h + 14, how & 0x10 ? fuzz16(in) : 0xffff);
	if (kind & 0x10)
		opt = put_options(in, l, side, h + 20);
	data = kind & 0x20 ? fuzz8(in) : 0;
	h[12] = (uint8_t)((20 + opt) / 4 << 4);
	if (kind & 0x40)
		h[12] = fuzz8(in);
	if (!(how & 0x20))
		l->nxt[side] = seq + data + !!(f & SYN) + !!(f & FIN);
	return 20 + opt + data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto tcp = {
		.l4proto = 6, .sum_at = 16, .priv = 51, .build = tcp_build};

	return life_run(&tcp, data, size);
}

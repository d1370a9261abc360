/* fuzz_dccp.c - DCCP types, short and long numbers, acknowledgements. */
#include "tests/fuzz/life.h"

static void put48(uint8_t *at, uint64_t v)
{
	put16(at, (uint16_t)(v >> 32));
	put32(at + 2, (uint32_t)v);
}

static uint32_t dccp_build(struct life *l, struct fuzz_in *in, uint8_t side,
                           uint8_t *h)
{
	uint8_t kind = fuzz8(in), how = fuzz8(in);
	uint64_t seq = l->nxt[side], ack = l->nxt[!side] - 1;
	uint32_t len = 28;

	if (how & 1)
		seq = fuzz64(in);
	if (how & 2)
		ack = fuzz64(in);
	if (how & 4)
		len = 12 + (fuzz8(in) & 31);
	put16(h, side ? 80 : 4000);
	put16(h + 2, side ? 4000 : 80);
	h[4] = (uint8_t)(how & 8 ? fuzz8(in) : len / 4);
	h[5] = how & 0x10 ? fuzz8(in) : 0;
	h[8] = (uint8_t)((kind & 15) << 1 | !(kind & 0x10));
	put48(h + 10, seq);
	put48(h + 18, ack);
	l->nxt[side] = seq + 1;
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto dccp = {
		.l4proto = 33, .sum_at = 6, .priv = 9, .build = dccp_build};

	return life_run(&dccp, data, size);
}

/* fuzz_icmp.c - ICMP and ICMPv6: questions, answers, and what errors quote. */
#include "tests/fuzz/life.h"

static uint32_t icmp_build(struct life *l, struct fuzz_in *in, uint8_t side,
                           uint8_t *h)
{
	static const uint8_t type[2][8] = {{8, 0, 3, 11, 13, 14, 12, 5},
	                                   {128, 129, 1, 2, 3, 4, 135, 130}};
	uint8_t kind = fuzz8(in);
	bool v6 = l->proto->l4proto == 58;
	const uint8_t *raw;
	size_t n;

	(void)side;
	h[0] = kind & 8 ? fuzz8(in) : type[v6][kind & 7];
	h[1] = kind & 0x10 ? fuzz8(in) : 0;
	put16(h + 4, kind & 0x20 ? fuzz16(in) : 77);
	raw = fuzz_bytes(in, fuzz8(in), &n);
	memcpy(h + 8, raw, n);
	return 8 + (uint32_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto proto[] = {
		{.l4proto = 1, .sum_at = 2, .build = icmp_build},
		{.l4proto = 58, .sum_at = 2, .build = icmp_build},
	};
	static struct life_proto p;

	if (!size)
		return 0;
	p = proto[data[0] & 1];
	/* also in the wrong family of addresses */
	p.l3proto = !(data[0] & 2) == !(data[0] & 1) ? 4 : 6;
	return life_run(&p, data + 1, size - 1);
}

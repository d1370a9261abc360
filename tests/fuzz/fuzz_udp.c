/* fuzz_udp.c - UDP and UDP-Lite: lengths, coverage, and time. */
#include "tests/fuzz/life.h"

static uint32_t udp_build(struct life *l, struct fuzz_in *in, uint8_t side,
                          uint8_t *h)
{
	uint8_t kind = fuzz8(in), len = fuzz8(in);

	(void)l;
	put16(h, side ? 53 : 4000);
	put16(h + 2, side ? 4000 : 53);
	put16(h + 4, kind & 1 ? fuzz16(in) : 8u + len);
	put16(h + 6, kind & 2 ? fuzz16(in) : 0);
	return kind & 4 ? len % 9 : 8u + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto proto[] = {
		{.l4proto = 17, .sum_at = 6, .priv = 5, .build = udp_build},
		{.l4proto = 136, .clock = 17, .build = udp_build},
	};

	if (!size)
		return 0;
	return life_run(&proto[data[0] & 1], data + 1, size - 1);
}

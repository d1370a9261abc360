/* fuzz_gre.c - GRE of both versions, with and without keys. */
#include "tests/fuzz/life.h"

static uint32_t gre_build(struct life *l, struct fuzz_in *in, uint8_t side,
                          uint8_t *h)
{
	uint8_t kind = fuzz8(in);

	(void)l;
	(void)side;
	put16(h, kind & 1 ? fuzz16(in) : kind & 2 ? 0x3001 : 0);
	put16(h + 2, kind & 4 ? fuzz16(in) : kind & 2 ? 0x880b : 0x0800);
	put16(h + 4, fuzz8(in));
	put16(h + 6, kind & 8 ? fuzz16(in) : 7);
	return kind & 0x10 ? fuzz8(in) % 12u : 12;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto gre = {
		.l4proto = 47, .priv = 8, .build = gre_build};

	return life_run(&gre, data, size);
}

/* fuzz_sctp.c - chunks with tags that are right, reflected or wrong. */
#include "tests/fuzz/life.h"

static uint32_t tag_of(struct life *l, struct fuzz_in *in, uint8_t side,
                       uint8_t how)
{
	switch (how & 3) {
	case 0:
		return l->tag[side];
	case 1:
		return l->tag[!side];
	case 2:
		return 0;
	default:
		return fuzz32(in);
	}
}

/* one chunk at `h`; bytes written */
static uint32_t put_chunk(struct life *l, struct fuzz_in *in, uint8_t side,
                          uint8_t *h)
{
	static const uint8_t type[] = {1, 2, 10, 11, 0,  3,   4,  5,
	                               6, 7, 8,  9,  14, 192, 15, 255};
	uint8_t kind = fuzz8(in);
	uint32_t len = 4;

	h[0] = type[kind & 15];
	h[1] = kind & 0x10 ? fuzz8(in) : 0;
	if (h[0] == 1 || h[0] == 2) {
		len = 20;
		l->tag[!side] = kind & 0x20 ? fuzz32(in) : 0x1000u + side;
		put32(h + 4, l->tag[!side]);
	} else if (kind & 0x20) {
		len += fuzz8(in) & 31;
	}
	put16(h + 2, kind & 0x40 ? fuzz16(in) : len);
	return (len + 3) & ~3u;
}

static uint32_t sctp_build(struct life *l, struct fuzz_in *in, uint8_t side,
                           uint8_t *h)
{
	uint8_t how = fuzz8(in), n = how >> 2 & 3, i;
	uint32_t len = 12;

	put16(h, side ? 80 : 4000);
	put16(h + 2, side ? 4000 : 80);
	put32(h + 4, tag_of(l, in, side, how));
	put32(h + 8, how & 0x10 ? fuzz32(in) : 0);
	for (i = 0; i <= n; i++)
		len += put_chunk(l, in, side, h + len);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct life_proto sctp = {.l4proto = 132,
	                                       .priv = 11,
	                                       .keeps_moving = true,
	                                       .build = sctp_build};

	return life_run(&sctp, data, size);
}

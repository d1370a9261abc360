/*
 * fuzz_frag.c - fragments of both families into two small stores.
 *
 * Byte n of each payload is a function of n, so whatever comes out whole can
 * be checked, in whatever order and overlap it went in.  Counted against what
 * the answers say, no fragment disappears; when all has expired, no cell is
 * missing.
 */
#include "daemon/pkt/frag.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/packet.h"

#define BLOCK (48u << 10)
#define STEPS 400u

struct side {
	void *block;
	struct frag *f;
};

static uint8_t bytes[FRAG_WHOLE], raw[4096];

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) + 1);
}

static uint32_t build4(struct fuzz_in *in, uint32_t off, uint32_t len,
                       bool more)
{
	uint32_t hlen = fuzz8(in) & 7 ? 20 : 32;

	memset(raw, 0, hlen);
	raw[0] = (uint8_t)(0x40 | hlen / 4);
	raw[1] = fuzz8(in) & 31 ? 0 : fuzz8(in) & 3;
	put16(raw + 2, (uint16_t)(hlen + len));
	put16(raw + 4, fuzz8(in) & 3);
	put16(raw + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
	raw[9] = 253;
	raw[12] = raw[16] = 10;
	raw[15] = fuzz8(in) & 1;
	return hlen;
}

static uint32_t build6(struct fuzz_in *in, uint32_t off, uint32_t len,
                       bool more)
{
	uint32_t pre = fuzz8(in) & 7 ? 0 : 16;

	memset(raw, 0, 48 + pre);
	put32(raw, 0x60000000u | (fuzz8(in) & 31 ? 0 : fuzz8(in) & 3u) << 20);
	put16(raw + 4, (uint16_t)(pre + 8 + len));
	raw[6] = pre ? 60 : 44;
	raw[8] = raw[24] = 0x20;
	if (pre) {
		raw[40] = 44;
		raw[41] = 1;
	}
	raw[40 + pre] = fuzz8(in) & 15 ? 253 : fuzz8(in);
	put16(raw + 42 + pre, (uint16_t)(off | more));
	put32(raw + 44 + pre, fuzz8(in) & 3);
	return 48 + pre;
}

static void check_whole(const struct pkt *w)
{
	uint32_t i, cap = pkt_l4cap(w);
	const uint8_t *at = pkt_l4(w, 0, cap);

	fuzz_check(w->reason != PKT_FRAGMENT, "whole, and still a fragment");
	fuzz_check(w->caplen <= FRAG_WHOLE, "%u bytes", w->caplen);
	if (w->reason != PKT_OK || w->l4proto != 253)
		return;
	for (i = 0; i < cap; i++)
		fuzz_check(at[i] == pattern(i), "byte %u of %u", i, cap);
}

static void side_add(struct side *s, struct fuzz_in *in, bool v6, uint64_t now)
{
	uint32_t off = fuzz8(in) % 40u * 8, len, at, i, cut;
	struct pkt p = {.linktype = v6 ? 229 : 228}, w;
	struct frag_answer a;
	uint8_t how = fuzz8(in);
	uint32_t before = frag_use(s->f).fragments;

	len = fuzz8(in) % 20u * (how & 1 ? 8u : 5u);
	if (!(how & 0xf0))
		off = 0xfff8 - off;
	if (how & 2)
		len *= 16;
	at = v6 ? build6(in, off, len, how & 4) : build4(in, off, len, how & 4);
	for (i = 0; i < len; i++)
		raw[at + i] = pattern(off + i);
	cut = fuzz8(in);
	p.wirelen = p.caplen = at + len;
	if (cut < 16 && cut < len)
		p.caplen -= cut;
	p.data = fuzz_copy(raw, p.caplen);
	if (pkt_parse(&p) == PKT_FRAGMENT) {
		a = frag_add(s->f, &p, now, 3, bytes, &w);
		if (a.verdict == FRAG_DONE || a.verdict == FRAG_PASS)
			check_whole(&w);
		if (a.verdict == FRAG_DONE)
			frag_release(s->f);
		i = frag_use(s->f).fragments;
		if (a.verdict == FRAG_REFUSED)
			fuzz_check(before + 1 - a.lost == i, "%u %u %u", before,
			           a.lost, i);
		else if (a.verdict != FRAG_DONE)
			fuzz_check(i + a.lost == before ||
			                   i + a.lost == before + 1,
			           "%u %u %u", before, a.lost, i);
	}
	free((void *)(uintptr_t)p.data);
}

static void side_expire(struct side *s, uint64_t now, uint64_t timeout)
{
	uint32_t lost, before = frag_use(s->f).fragments;
	uint8_t tag;

	while (frag_expire(s->f, now, timeout, &tag, &lost)) {
		fuzz_check(tag == 3, "tag %u", tag);
		before -= lost;
	}
	fuzz_check(before == frag_use(s->f).fragments, "%u", before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct side side[2] = {{0}};
	uint64_t now = NS_PER_S;
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		side[i].block = calloc(1, BLOCK);
		fuzz_check(side[i].block, "out of memory");
		side[i].f = frag_open(side[i].block, BLOCK, 7, false);
	}
	for (n = 0; n < STEPS && in.left; n++) {
		uint8_t what = fuzz8(&in);
		struct side *s = &side[what & 1];

		now += what & 0x10 ? NS_PER_S : 1;
		if (what == 0xff)
			s->f = frag_open(s->block, BLOCK, 7, false);
		side_expire(s, now, 30 * NS_PER_S);
		side_add(s, &in, what & 1, now);
		fuzz_check(frag_use(s->f).bytes <= BLOCK, "beyond the block");
	}
	for (i = 0; i < 2; i++) {
		side_expire(&side[i], UINT64_MAX, 1);
		fuzz_check(!frag_use(side[i].f).bytes, "%lu bytes are lost",
		           (unsigned long)frag_use(side[i].f).bytes);
		free(side[i].block);
	}
	return 0;
}

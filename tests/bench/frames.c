/* frames.c - Ethernet frames of made-up connections. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAYLOAD 100u

void frames_init(struct frames *fr, size_t cap, bool v6)
{
	memset(fr, 0, sizeof(*fr));
	fr->v6 = v6;
	fr->stride = v6 ? 80 : 64;
	fr->cap = cap;
	fr->f = calloc(cap, sizeof(*fr->f));
	fr->bytes = mmap(NULL, cap * fr->stride, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!fr->f || fr->bytes == MAP_FAILED) {
		fprintf(stderr, "ctbench: no memory for %zu frames\n", cap);
		exit(1);
	}
	madvise(fr->bytes, cap * fr->stride, MADV_HUGEPAGE);
}

void frames_free(struct frames *fr)
{
	free(fr->f);
	munmap(fr->bytes, fr->cap * fr->stride);
}

static void put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put32(uint8_t *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b + 2, v);
}

static uint32_t put_ip4(uint8_t *b, uint64_t id, int dir, uint8_t proto,
                        uint32_t l4len)
{
	uint32_t a = 0x0a000000u + (uint32_t)(id & 0xffffff);
	uint32_t s = 0xac100000u + (uint32_t)(id * 2654435761u >> 12);

	b[0] = 0x45;
	put16(b + 2, 20 + l4len);
	b[8] = 64;
	b[9] = proto;
	put32(b + 12, dir ? s : a);
	put32(b + 16, dir ? a : s);
	return 20;
}

static uint32_t put_ip6(uint8_t *b, uint64_t id, int dir, uint8_t proto,
                        uint32_t l4len)
{
	b[0] = 0x60;
	put16(b + 4, l4len);
	b[6] = proto;
	b[7] = 64;
	put32(b + 8, 0x20010db8u);
	put32(b + 24, 0x20010db8u);
	b[dir ? 28 : 12] = 1;
	put32(b + (dir ? 36 : 20), (uint32_t)id);
	put32(b + (dir ? 20 : 36), (uint32_t)(id * 2654435761u));
	return 40;
}

static uint32_t put_tcp(uint8_t *b, struct flow *fl, int dir,
                        enum frame_kind kind)
{
	static const uint8_t flags[] = {[FRAME_SYN] = 0x02,
	                                [FRAME_SYNACK] = 0x12,
	                                [FRAME_ACK] = 0x10,
	                                [FRAME_DATA] = 0x18};

	put32(b + 4, fl->seq[dir]);
	if (kind != FRAME_SYN)
		put32(b + 8, fl->seq[!dir]);
	b[12] = 0x50;
	b[13] = flags[kind];
	put16(b + 14, 65535);
	if (kind == FRAME_DATA)
		fl->seq[dir] += PAYLOAD;
	else if (kind != FRAME_ACK)
		fl->seq[dir]++;
	return 20 + (kind == FRAME_DATA ? PAYLOAD : 0);
}

void frames_add(struct frames *fr, uint64_t id, struct flow *fl, int dir,
                enum frame_kind kind)
{
	uint8_t *b = fr->bytes + fr->n * fr->stride, *ip = b + 14, *l4;
	struct source_frame *f = &fr->f[fr->n++];
	uint32_t ipl = fr->v6 ? 40 : 20, l4len;
	uint16_t port = (uint16_t)(1024 + (id >> 24));

	memset(b, 0, fr->stride);
	put16(b + 12, fr->v6 ? 0x86dd : 0x0800);
	l4 = ip + ipl;
	put16(l4, dir ? 443 : port);
	put16(l4 + 2, dir ? port : 443);
	if (fl->udp) {
		l4len = 8 + PAYLOAD;
		put16(l4 + 4, l4len);
	} else {
		l4len = put_tcp(l4, fl, dir, kind);
	}
	if (fr->v6)
		put_ip6(ip, id, dir, fl->udp ? 17 : 6, l4len);
	else
		put_ip4(ip, id, dir, fl->udp ? 17 : 6, l4len);
	f->data = b;
	f->caplen = 14 + ipl + (fl->udp ? 8 : 20);
	f->wirelen = 14 + ipl + l4len;
	f->linktype = 1;
	fr->ts_ns += 1000;
	f->ts_ns = fr->ts_ns;
}

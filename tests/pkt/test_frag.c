/*
 * test_frag.c - datagrams in pieces: what comes together, what is refused, and
 * that no cell of the block is ever lost.
 *
 * Byte n of every datagram's payload is a function of n, so what comes out can
 * be checked whatever way it went in.
 */
#include "daemon/pkt/frag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/pkt/frag_store.h"
#include "tests/lib/packet.h"

#define SEC   NS_PER_S
#define BLOCK (1u << 20)
#define SMALL 4096u

static struct frag *f;
static void *block;
static uint8_t whole_buf[FRAG_WHOLE], raw[70000];
static struct pkt whole;
static struct frag_answer got;
static uint64_t now;
/* of the next fragments */
static struct {
	uint32_t id;
	uint8_t proto, tos, src, pre, cut;
	uint16_t zone, vlan;
	uint64_t frame;
} next;

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) + 1);
}

static int bed_open_size(void **state, size_t size)
{
	(void)state;
	block = calloc(1, size);
	assert_non_null(block);
	f = frag_open(block, size, 0x1234567890abcdefull, true);
	assert_non_null(f);
	now = 100 * SEC;
	memset(&next, 0, sizeof(next));
	next.id = 77;
	next.proto = 17;
	next.src = 1;
	return 0;
}

static int bed_open(void **state)
{
	return bed_open_size(state, BLOCK);
}

static int bed_open_small(void **state)
{
	return bed_open_size(state, SMALL);
}

/* whatever a test did: when all has expired, all memory is there again */
static int bed_close(void **state)
{
	uint32_t lost;
	uint8_t tag;

	(void)state;
	frag_release(f);
	while (frag_expire(f, UINT64_MAX, 1, &tag, &lost))
		;
	assert_int_equal(frag_use(f).datagrams, 0);
	assert_int_equal(frag_use(f).fragments, 0);
	assert_int_equal(frag_use(f).bytes, 0);
	free(block);
	return 0;
}

static void add_raw(uint32_t len, uint16_t linktype)
{
	struct pkt p = {.linktype = linktype,
	                .caplen = len - next.cut,
	                .wirelen = len,
	                .frame = next.frame};

	/* memory of the exact size, so that a sanitizer sees every byte */
	p.data = malloc(p.caplen);
	assert_non_null(p.data);
	memcpy((void *)(uintptr_t)p.data, raw, p.caplen);
	assert_int_equal(pkt_parse(&p), PKT_FRAGMENT);
	p.zone = next.zone;
	p.vlan = next.vlan;
	got = frag_add(f, &p, now, 5, whole_buf, &whole);
	free((void *)(uintptr_t)p.data);
}

static enum frag_verdict add4(uint32_t off, uint32_t end, bool more)
{
	uint32_t i;

	memset(raw, 0, 20);
	raw[0] = 0x45;
	raw[1] = next.tos;
	put16(raw + 2, (uint16_t)(20 + end - off));
	put16(raw + 4, (uint16_t)next.id);
	put16(raw + 6, (uint16_t)((more ? 0x2000 : 0) | off / 8));
	raw[8] = 64;
	raw[9] = next.proto;
	put32(raw + 12, 0x0a000000u + next.src);
	put32(raw + 16, 0x0a000100u);
	for (i = off; i < end; i++)
		raw[20 + i - off] = pattern(i);
	add_raw(20 + end - off, 228);
	return got.verdict;
}

/* with next.pre bytes of destination options before the fragment header; the
 * payload begins with `head` if off is 0 */
static enum frag_verdict add6_head(uint32_t off, uint32_t end, bool more,
                                   const uint8_t *head, uint32_t head_len)
{
	uint32_t i, at = 40;

	memset(raw, 0, 48);
	put32(raw, 0x60000000u | (uint32_t)next.tos << 20);
	put16(raw + 4, (uint16_t)(next.pre + 8 + end - off));
	raw[6] = next.pre ? 60 : 44;
	raw[7] = 64;
	raw[8] = raw[24] = 0x20;
	raw[23] = next.src;
	if (next.pre) {
		memset(raw + at, 0, next.pre);
		raw[at] = 44;
		raw[at + 1] = (uint8_t)(next.pre / 8 - 1);
		at += next.pre;
	}
	raw[at] = next.proto;
	raw[at + 1] = 0;
	put16(raw + at + 2, (uint16_t)(off | more));
	put32(raw + at + 4, next.id);
	for (i = off; i < end; i++)
		raw[at + 8 + i - off] = i < head_len ? head[i] : pattern(i);
	add_raw(at + 8 + end - off, 229);
	return got.verdict;
}

static enum frag_verdict add6(uint32_t off, uint32_t end, bool more)
{
	return add6_head(off, end, more, NULL, 0);
}

static void check_whole(uint32_t len)
{
	uint32_t i;

	assert_int_equal(whole.reason, PKT_OK);
	assert_int_equal(whole.l4len, len);
	assert_int_equal(pkt_l4cap(&whole), len);
	assert_int_equal(whole.frag, 1);
	assert_int_equal(whole.frag_off | whole.frag_more, 0);
	for (i = 0; i < len; i++)
		if (*(const uint8_t *)pkt_l4(&whole, i, 1) != pattern(i))
			fail_msg("byte %u is wrong", i);
	frag_release(f);
}

/* F007: one packet with the bytes of the whole datagram */
static void test_order4(void **state)
{
	static const uint8_t orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};
	unsigned int i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		for (k = 0; k < 4; k++) {
			uint32_t at = orders[i][k];

			next.frame++;
			assert_int_equal(add4(at * 480,
			                      at < 3 ? at * 480 + 480 : 1503,
			                      at < 3),
			                 k < 3 ? FRAG_HELD : FRAG_DONE);
			assert_int_equal(got.lost, 0);
		}
		assert_int_equal(whole.l3len, 1523);
		assert_int_equal(whole.l4proto, 17);
		assert_int_equal(whole.frame, next.frame);
		check_whole(1503);
		assert_int_equal(frag_use(f).datagrams, 0);
	}
}

/* F008: the fragment header does not count; other headers do */
static void test_order6(void **state)
{
	(void)state;
	for (next.pre = 0; next.pre <= 16; next.pre += 8) {
		assert_int_equal(add6(1200, 2000, false), FRAG_HELD);
		assert_int_equal(add6(0, 1200, true), FRAG_DONE);
		assert_int_equal(whole.l3len, 40 + next.pre + 2000);
		assert_int_equal(whole.l4proto, 17);
		check_whole(2000);
	}
}

/* the first fragment says which protocol, whatever the others claim */
static void test_proto6(void **state)
{
	(void)state;
	next.proto = 6;
	assert_int_equal(add6(64, 128, false), FRAG_HELD);
	next.proto = 17;
	assert_int_equal(add6(0, 64, true), FRAG_DONE);
	assert_int_equal(whole.l4proto, 17);
	check_whole(128);
}

/* what differs in any part of the key is another datagram */
static void test_key(void **state)
{
	(void)state;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	next.id++;
	assert_int_equal(add4(64, 128, false), FRAG_HELD);
	next.id--;
	next.proto = 6;
	assert_int_equal(add4(64, 128, false), FRAG_HELD);
	next.proto = 17;
	next.zone = 3;
	assert_int_equal(add4(64, 128, false), FRAG_HELD);
	next.zone = 0;
	next.src = 2;
	assert_int_equal(add4(64, 128, false), FRAG_HELD);
	next.src = 1;
	assert_int_equal(frag_use(f).datagrams, 5);
	next.vlan = 12; /* the kernel knows no VLANs here */
	assert_int_equal(add4(64, 128, false), FRAG_DONE);
	check_whole(128);
}

/* A duplicate lies inside one run.  A run grows only at the far end. */
static void test_duplicate(void **state)
{
	(void)state;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	assert_int_equal(add4(32, 96, true), FRAG_HELD);
	assert_int_equal(add4(0, 128, true), FRAG_HELD);
	assert_int_equal(frag_use(f).fragments, 2);
	assert_int_equal(add4(128, 130, false), FRAG_DONE);
	check_whole(130);
	/* a run that is not the furthest does not grow */
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(add4(128, 192, true), FRAG_HELD);
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	assert_int_equal(add4(32, 96, true), FRAG_REFUSED);
	assert_int_equal(got.lost, 4);
	/* the same bytes in two runs are none */
	assert_int_equal(add6(64, 128, true), FRAG_HELD);
	assert_int_equal(add6(0, 64, true), FRAG_HELD);
	assert_int_equal(add6(64, 128, true), FRAG_HELD);
	assert_int_equal(add6(32, 96, true), FRAG_REFUSED);
	assert_int_equal(got.lost, 3);
	assert_int_equal(frag_use(f).datagrams, 0);
}

/* the same with hardly any buckets: it is the key that tells, not its hash */
static void test_key_chain(void **state)
{
	uint32_t i, lost;
	uint8_t tag;

	(void)state;
	for (i = 1; i < 200; i++) {
		next.zone = 0;
		next.proto = 17;
		assert_int_equal(add4(0, 64, true), FRAG_HELD);
		if (i & 1)
			next.zone = (uint16_t)i;
		else
			next.proto = (uint8_t)(17 + i);
		assert_int_equal(add4(64, 128, false), FRAG_HELD);
		while (frag_expire(f, now + SEC, SEC, &tag, &lost))
			;
	}
}

/* RFC 5722: an overlap is the end of all that came */
static void test_overlap(void **state)
{
	static const uint32_t bad[][2] = {{56, 128},  {200, 264}, {0, 72},
	                                  {120, 208}, {192, 320}, {0, 400}};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(add4(0, 64, true), FRAG_HELD);
		assert_int_equal(add4(128, 192, true), FRAG_HELD);
		assert_int_equal(add4(256, 320, true), FRAG_HELD);
		assert_int_equal(add4(bad[i][0], bad[i][1], true),
		                 FRAG_REFUSED);
		assert_int_equal(got.lost, 4);
		assert_int_equal(frag_use(f).bytes, 0);
	}
	/* what comes later begins anew */
	assert_int_equal(add4(320, 330, false), FRAG_HELD);
	assert_int_equal(frag_use(f).datagrams, 1);
}

/* ends that contradict each other: IPv4 discards, IPv6 forgets the fragment */
static void test_ends(void **state)
{
	static const uint32_t bad[][3] = {
		{64, 100, 0}, {128, 160, 0}, {128, 192, 1}, {64, 64, 0}};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(add4(0, 64, true), FRAG_HELD);
		assert_int_equal(add4(96, 120, false), FRAG_HELD);
		assert_int_equal(add4(bad[i][0], bad[i][1], bad[i][2]),
		                 FRAG_REFUSED);
		assert_int_equal(got.lost, 3);
		assert_int_equal(frag_use(f).datagrams, 0);

		assert_int_equal(add6(0, 64, true), FRAG_HELD);
		assert_int_equal(add6(96, 120, false), FRAG_HELD);
		assert_int_equal(add6(bad[i][0], bad[i][1], bad[i][2]),
		                 FRAG_REFUSED);
		assert_int_equal(got.lost, 1);
		assert_int_equal(frag_use(f).fragments, 2);
		assert_int_equal(add6(64, 96, true), FRAG_DONE);
		check_whole(120);
	}
}

/* what an empty last fragment of IPv6 told stays told */
static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(add6(128, 128, false), FRAG_REFUSED);
	assert_int_equal(frag_use(f).datagrams, 1);
	assert_int_equal(add6(0, 64, true), FRAG_HELD);
	assert_int_equal(add6(64, 128, true), FRAG_DONE);
	check_whole(128);
	assert_int_equal(add4(128, 128, false), FRAG_REFUSED);
	assert_int_equal(add4(128, 128, true), FRAG_REFUSED);
	assert_int_equal(frag_use(f).datagrams, 0);
}

/* a middle fragment of odd length: IPv4 cuts it, IPv6 lets it pass alone */
static void test_odd(void **state)
{
	(void)state;
	assert_int_equal(add4(0, 71, true), FRAG_HELD);
	assert_int_equal(add4(64, 90, false), FRAG_DONE);
	check_whole(90);
	assert_int_equal(add4(0, 7, true), FRAG_REFUSED);

	assert_int_equal(add6(64, 128, true), FRAG_HELD);
	assert_int_equal(add6(0, 63, true), FRAG_PASS);
	assert_int_equal(got.lost, 1);
	assert_int_equal(frag_use(f).datagrams, 0);
	assert_int_equal(whole.reason, PKT_OK);
	assert_int_equal(whole.l3len, 40 + 8 + 63); /* as it came */
	assert_int_equal(whole.l4len, 63);
	assert_int_equal(add6(0, 60, true), FRAG_PASS);
	assert_int_equal(add6(64, 127, true), FRAG_PASS);
	assert_int_equal(whole.reason, PKT_EXT_CHAIN);
}

/* RFC 8200 4.5: without its upper header a first fragment goes on alone */
static void test_headless(void **state)
{
	static const uint8_t dest[8] = {17, 0};
	static const struct {
		uint8_t proto, len;
	} least[] = {{6, 20}, {17, 8}, {58, 8}, {132, 1}, {253, 1}};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(least); i++) {
		next.proto = least[i].proto;
		next.id++;
		assert_int_equal(add6(0, least[i].len - 1u, false), FRAG_PASS);
		assert_int_equal(whole.l3len, 48 + least[i].len - 1u);
		assert_int_equal(add6(0, least[i].len, false), FRAG_DONE);
		check_whole(least[i].len);
	}
	next.proto = 60;
	assert_int_equal(add6_head(0, 8, true, dest, 8), FRAG_PASS);
	assert_int_equal(add6_head(0, 16, true, dest, 8), FRAG_HELD);
	assert_int_equal(add6(16, 20, false), FRAG_DONE);
	assert_int_equal(whole.reason, PKT_OK);
	assert_int_equal(whole.l4proto, 17);
	assert_int_equal(whole.l3len, 60);
	assert_int_equal(whole.l4len, 12);
	/* a second fragment header, with an offset: nobody finds layer 4 */
	next.proto = 44;
	assert_int_equal(add6_head(0, 16, true,
	                           (const uint8_t[]){17, 0, 0, 8, 0, 0, 0, 1},
	                           8),
	                 FRAG_HELD);
	assert_int_equal(add6(16, 20, false), FRAG_DONE);
	assert_int_equal(whole.reason, PKT_EXT_CHAIN);
	/* and without */
	assert_int_equal(add6_head(0, 16, true,
	                           (const uint8_t[]){17, 0, 0, 1, 0, 0, 0, 1},
	                           8),
	                 FRAG_HELD);
	assert_int_equal(add6(16, 20, false), FRAG_DONE);
	assert_int_equal(whole.reason, PKT_OK);
	assert_int_equal(whole.l4proto, 17);
	frag_release(f);
}

/* an atomic fragment is held against what waits under its identification */
static void test_atomic(void **state)
{
	(void)state;
	assert_int_equal(add6(0, 50, false), FRAG_DONE);
	assert_int_equal(whole.l3len, 90);
	check_whole(50);
	assert_int_equal(add6(0, 64, true), FRAG_HELD);
	assert_int_equal(add6(0, 50, false), FRAG_REFUSED);
	assert_int_equal(got.lost, 1);
	assert_int_equal(add6(0, 100, false), FRAG_REFUSED);
	assert_int_equal(got.lost, 2);
}

static void test_oversize(void **state)
{
	(void)state;
	assert_int_equal(add4(0, 60000, true), FRAG_HELD);
	assert_int_equal(add4(60000, 65515, false), FRAG_DONE);
	assert_int_equal(whole.l3len, 65535);
	check_whole(65515);
	assert_int_equal(add4(0, 60000, true), FRAG_HELD);
	assert_int_equal(add4(60000, 65516, false), FRAG_REFUSED);
	assert_int_equal(got.lost, 2);
	assert_int_equal(add4(65528, 65600, false), FRAG_HELD);

	assert_int_equal(add6(0, 60000, true), FRAG_HELD);
	assert_int_equal(add6(60000, 65536, false), FRAG_REFUSED);
	assert_int_equal(got.lost, 1);
	assert_int_equal(add6(60000, 65535, false), FRAG_DONE);
	assert_int_equal(whole.l3len, 65575);
	check_whole(65535);
	next.pre = 8; /* these count too */
	assert_int_equal(add6(0, 60000, true), FRAG_HELD);
	assert_int_equal(add6(60000, 65535, false), FRAG_REFUSED);
	assert_int_equal(got.lost, 2);
	assert_int_equal(add6(65528, 65544, true), FRAG_REFUSED);
}

/* RFC 3168 5.3 */
static void test_ecn(void **state)
{
	unsigned int a, b;

	(void)state;
	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++) {
			enum frag_verdict want =
				!a == !b ? FRAG_DONE : FRAG_REFUSED;

			next.tos = (uint8_t)a;
			add4(0, 64, true);
			next.tos = (uint8_t)b;
			assert_int_equal(add4(64, 70, false), want);
			frag_release(f);
			next.tos = (uint8_t)a;
			add6(0, 64, true);
			next.tos = (uint8_t)b;
			assert_int_equal(add6(64, 70, false), want);
			frag_release(f);
		}
}

/* IPv4: 64 fragments of others between two of ours, and ours is stale */
static void test_far(void **state)
{
	unsigned int others, i;
	uint32_t lost;
	uint8_t tag;

	(void)state;
	for (others = 63; others <= 64; others++) {
		next.id = 1;
		assert_int_equal(add4(0, 64, true), FRAG_HELD);
		for (i = 0; i < others; i++) {
			next.id = 1000 + i;
			assert_int_equal(add4(0, 64, true), FRAG_HELD);
		}
		next.id = 1;
		assert_int_equal(add4(64, 70, false),
		                 others == 63 ? FRAG_DONE : FRAG_HELD);
		assert_int_equal(got.lost, others - 63);
		frag_release(f);
	}
	/* and its time begins anew */
	next.id = 3;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	now += 20 * SEC;
	for (i = 0; i < 64; i++) {
		next.id = 3000 + i;
		assert_int_equal(add4(0, 64, true), FRAG_HELD);
	}
	next.id = 3;
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	assert_int_equal(got.lost, 1);
	now += 10 * SEC;
	while (frag_expire(f, now, 30 * SEC, &tag, &lost))
		;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(add4(128, 130, false), FRAG_DONE);
	check_whole(130);
	/* another source's do not count, nor do those of IPv6 */
	next.id = 2;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	next.src = 9;
	for (i = 0; i < 100; i++) {
		next.id = i;
		add4(0, 64, true);
	}
	next.src = 1;
	next.id = 2;
	assert_int_equal(add4(64, 70, false), FRAG_DONE);
	check_whole(70);
}

/* F009, F287: time runs from the first fragment */
static void test_expire(void **state)
{
	uint32_t lost;
	uint8_t tag = 0;

	(void)state;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	now += 20 * SEC;
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	next.id++;
	assert_int_equal(add4(64, 128, true), FRAG_HELD);
	now += 10 * SEC - 1;
	assert_false(frag_expire(f, now, 30 * SEC, &tag, &lost));
	now++;
	assert_true(frag_expire(f, now, 30 * SEC, &tag, &lost));
	assert_int_equal(tag, 5);
	assert_int_equal(lost, 2);
	assert_false(frag_expire(f, now, 30 * SEC, &tag, &lost));
	assert_int_equal(frag_use(f).datagrams, 1);
	/* a clock that goes back ends nothing */
	assert_false(frag_expire(f, now - 25 * SEC, 30 * SEC, &tag, &lost));
	/* a datagram that is being used does not expire */
	next.id++;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(add4(64, 70, false), FRAG_DONE);
	assert_true(frag_expire(f, now + 60 * SEC, 30 * SEC, &tag, &lost));
	assert_false(frag_expire(f, now + 60 * SEC, 30 * SEC, &tag, &lost));
	check_whole(70);
}

/* The block is all there is: nothing goes in beyond it, what waits stays and
 * can be completed as soon as there is room again. */
static void test_full(void **state)
{
	uint32_t n = 0, waiting, lost;
	uint8_t tag;

	(void)state;
	while (add4(0, 1480, true) == FRAG_HELD && n < 100000) {
		next.id++;
		n++;
		if (n == 1)
			now += SEC;
	}
	assert_in_range(n, 500, 800);
	assert_int_equal(got.verdict, FRAG_REFUSED);
	assert_int_equal(got.lost, 1);
	assert_true(frag_use(f).bytes <= BLOCK);
	waiting = frag_use(f).datagrams;
	assert_int_equal(waiting, n);
	next.id = 80;
	assert_int_equal(add4(1480, 2960, false), FRAG_REFUSED);
	assert_int_equal(frag_use(f).datagrams, waiting);
	assert_true(frag_expire(f, now, SEC, &tag, &lost));
	assert_false(frag_expire(f, now, SEC, &tag, &lost));
	/* hundreds of others of this source have come since: it begins anew */
	assert_int_equal(add4(1480, 1500, false), FRAG_HELD);
	assert_int_equal(got.lost, 1);
	assert_int_equal(add4(0, 1480, true), FRAG_DONE);
	check_whole(1500);
}

/* to the last cell, whatever the sizes are */
static void test_brim(void **state)
{
	uint32_t i, len, refused = 0, lost;
	uint8_t tag;

	(void)state;
	for (i = 0; i < 20000; i++) {
		len = 8 + i * 8 % 1000;
		next.id = i;
		next.pre = i % 3 ? 0 : 96;
		refused += (i & 1 ? add6(0, len, true) : add4(0, len, true)) ==
		           FRAG_REFUSED;
		assert_true(frag_use(f).bytes < SMALL);
		if (i % 128 == 127)
			while (frag_expire(f, now + SEC, SEC, &tag, &lost))
				;
	}
	assert_true(refused > 1000);
}

/* more runs than anybody needs are an attack */
static void test_runs(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 256; i++)
		assert_int_equal(add4(8 + i * 16, 16 + i * 16, true),
		                 FRAG_HELD);
	assert_int_equal(add4(8 + i * 16, 16 + i * 16, true), FRAG_REFUSED);
	assert_int_equal(got.lost, 257);
	/* in one run there may be as many as fit */
	for (i = 0; i < 8000; i++)
		assert_int_equal(add6(8 + i * 8, 16 + i * 8, true), FRAG_HELD);
	assert_int_equal(add6(0, 8, true), FRAG_HELD);
	assert_int_equal(add6(64008, 64009, false), FRAG_DONE);
	check_whole(64009);
}

/* F011: a capture that was cut has the datagram up to the first gap */
static void test_cut(void **state)
{
	uint32_t i;

	(void)state;
	next.cut = 30;
	assert_int_equal(add4(480, 960, true), FRAG_HELD);
	next.cut = 0;
	assert_int_equal(add4(960, 1000, false), FRAG_HELD);
	assert_int_equal(add4(0, 480, true), FRAG_DONE);
	assert_int_equal(whole.l4len, 1000);
	assert_int_equal(whole.l3len, 1020);
	assert_int_equal(pkt_l4cap(&whole), 930);
	for (i = 0; i < 930; i++)
		assert_int_equal(*(const uint8_t *)pkt_l4(&whole, i, 1),
		                 pattern(i));
	assert_null(pkt_l4(&whole, 930, 1));
	frag_release(f);
}

static void test_small_block(void **state)
{
	uint64_t tiny[FRAG_MIN / 8] = {0};
	struct frag *small;
	struct pkt p = {0}, w;
	uint32_t lost;
	uint8_t tag;

	(void)state;
	assert_null(frag_open(tiny, FRAG_MIN - 1, 1, true));
	small = frag_open(tiny, sizeof(tiny), 1, true);
	assert_non_null(small);
	p.l3proto = 4;
	assert_int_equal(frag_add(small, &p, 0, 0, whole_buf, &w).verdict,
	                 FRAG_REFUSED);
	assert_int_equal(frag_use(small).bytes, 0);
	assert_false(frag_expire(small, UINT64_MAX, 0, &tag, &lost));
}

/* an heir of the block goes on where the predecessor died */
static void test_heir(void **state)
{
	struct frag_use before;

	(void)state;
	next.frame = 10;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	next.frame = 11;
	assert_int_equal(add4(32, 96, true), FRAG_REFUSED);
	assert_int_equal(got.lost, 2);
	next.frame = 12;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	next.frame = 13;
	assert_int_equal(add4(64, 70, false), FRAG_DONE);
	before = frag_use(f);
	/* dead before the datagram's packet was done */
	f = frag_open(block, BLOCK, 1, true);
	assert_int_equal(frag_use(f).bytes, before.bytes);
	next.frame = 11; /* not the fragment that it was: it is not looked at */
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(got.lost, 0);
	next.frame = 13;
	assert_int_equal(add4(64, 70, false), FRAG_DONE);
	check_whole(70);
	assert_int_equal(frag_use(f).bytes, 0);
	/* live, frames are numbered anew */
	next.frame = 14;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	next.frame = 15;
	assert_int_equal(add4(64, 70, false), FRAG_DONE);
	f = frag_open(block, BLOCK, 1, false);
	assert_int_equal(frag_use(f).bytes, 0);
	next.frame = 3;
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	assert_int_equal(frag_use(f).fragments, 1);
	/* what was left in the middle of a change is not believed */
	f->busy = 1;
	f = frag_open(block, BLOCK, 1, true);
	assert_int_equal(frag_use(f).fragments, 0);
	assert_int_equal(frag_use(f).bytes, 0);
	assert_int_equal(add4(0, 64, true), FRAG_HELD);
	/* a block of another size is another block */
	f = frag_open(block, BLOCK - 8, 1, true);
	assert_int_equal(frag_use(f).fragments, 0);
}

static uint32_t rnd(void)
{
	static uint32_t seed = 99;

	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* Anything at all: whatever comes out whole is right, and the memory adds up
 * (bed_close). */
static void test_noise(void **state)
{
	uint32_t i, done = 0, lost;
	uint8_t tag;
	enum frag_verdict v;

	(void)state;
	for (i = 0; i < 60000; i++) {
		uint32_t off = rnd() % 5 * 16, len = 16;
		bool more = off < 64;

		/* mostly a piece of 80 bytes, else anything */
		if (rnd() % 32 == 0) {
			off = rnd() % 12 * 8;
			len = rnd() % 48;
			more = rnd() & 1;
		}
		next.id = rnd() % 8;
		next.src = (uint8_t)(rnd() % 3);
		next.proto = 253;
		next.cut = 0;
		now += rnd() % (SEC / 4);
		v = rnd() & 1 ? add4(off, off + len, more || !off)
		              : add6(off, off + len, more);
		if (v == FRAG_DONE) {
			check_whole(whole.l4len);
			done++;
		}
		while (frag_expire(f, now, 30 * SEC, &tag, &lost))
			;
		assert_true(frag_use(f).datagrams <= 48);
	}
	assert_true(done > 1000);
}

int main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(test_##name, bed_open, bed_close)
#define S(name) \
	cmocka_unit_test_setup_teardown(test_##name, bed_open_small, bed_close)
	const struct CMUnitTest tests[] = {
		T(order4),      T(order6),  T(proto6),   T(key),   S(key_chain),
		T(duplicate),   T(overlap), T(ends),     T(empty), T(odd),
		T(headless),    T(atomic),  T(oversize), T(ecn),   T(far),
		T(expire),      T(full),    S(brim),     T(runs),  T(cut),
		T(small_block), T(heir),    T(noise),
	};
#undef S
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}

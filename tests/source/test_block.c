/* test_block.c - walking a ring in memory that looks like the kernel's. */
#include "daemon/source/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>

enum { SIZE = 1 << 13, N = 4, MAC = 114, NET = 128, SNAP = 60 };
enum { ETHERNET = 1, SLL = 113 };

static uint8_t *ring;
static struct blocks B;
static struct ring_place place;
static const struct block_shape shape = {SIZE, N};

static struct tpacket_block_desc *desc(unsigned int i)
{
	return (void *)(ring + (size_t)i * SIZE);
}

static struct tpacket3_hdr *frame(unsigned int i, unsigned int k)
{
	uint8_t *at = (uint8_t *)desc(i) + desc(i)->hdr.bh1.offset_to_first_pkt;

	while (k--)
		at += ((struct tpacket3_hdr *)(void *)at)->tp_next_offset;
	return (void *)at;
}

/* as the kernel fills one; byte 0 of a frame is its number in the block, byte
 * 1 the block's; between frames as little room as it leaves */
static void fill(unsigned int i, uint64_t seq, unsigned int frames)
{
	struct tpacket_hdr_v1 *h = &desc(i)->hdr.bh1;
	uint32_t step = (MAC + SNAP + 7) / 8 * 8;

	memset(desc(i), 0, SIZE);
	h->seq_num = seq;
	h->num_pkts = frames;
	h->offset_to_first_pkt = 48;
	for (unsigned int k = 0; k < frames; k++) {
		uint8_t *at = (uint8_t *)desc(i) + 48 + k * step;
		struct tpacket3_hdr *f = (void *)at;

		f->tp_next_offset = k + 1 < frames ? step : 0;
		f->tp_sec = (uint32_t)(1000 + seq);
		f->tp_nsec = 7 * k;
		f->tp_snaplen = SNAP;
		f->tp_len = SNAP + 40;
		f->tp_mac = MAC;
		f->tp_net = NET;
		for (unsigned int b = 0; b < SNAP; b++)
			at[MAC + b] = (uint8_t)(b + 100);
		at[MAC] = (uint8_t)k;
		at[MAC + 1] = (uint8_t)seq;
	}
	h->block_status = TP_STATUS_USER;
}

/* a reader of a ring that nobody has read */
static void begin(uint16_t linktype)
{
	memset(&place, 0, sizeof(place));
	blocks_init(&B, ring, shape, linktype);
	blocks_resume(&B, 3, 0, &place);
}

/* and one after another */
static void heir(uint64_t cursor)
{
	blocks_init(&B, ring, shape, ETHERNET);
	blocks_resume(&B, 3, cursor, &place);
}

static uint64_t taken;

static void expect(unsigned int seq, unsigned int k)
{
	const struct block_frame *f = blocks_peek(&B);

	assert_non_null(f);
	assert_int_equal(f->data[0], k);
	assert_int_equal(f->data[1], seq);
	taken = f->number;
	blocks_take(&B);
}

static int fresh(void **state)
{
	(void)state;
	ring = calloc(N, SIZE);
	return !ring;
}

static int done(void **state)
{
	(void)state;
	free(ring);
	return 0;
}

static void test_walk(void **state)
{
	const struct block_frame *f;

	(void)state;
	begin(ETHERNET);
	assert_null(blocks_peek(&B));
	fill(0, 1, 3);
	f = blocks_peek(&B);
	assert_ptr_equal(f, blocks_peek(&B));
	assert_int_equal(f->caplen, SNAP);
	assert_int_equal(f->wirelen, SNAP + 40);
	assert_true(f->ts_ns == 1001 * NS_PER_S);
	expect(1, 0);
	assert_true(blocks_peek(&B)->ts_ns == 1001 * NS_PER_S + 7);
	expect(1, 1);
	expect(1, 2);
	assert_null(blocks_peek(&B));
	/* a block without frames comes and goes */
	fill(1, 2, 0);
	fill(2, 3, 1);
	expect(3, 0);
	assert_null(blocks_peek(&B));
	assert_int_equal(B.broken, 0);
}

/* What has been handed out stays ours until it is given back. */
static void test_release(void **state)
{
	(void)state;
	begin(ETHERNET);
	fill(0, 1, 1);
	fill(1, 2, 2);
	expect(1, 0);
	expect(2, 0);
	assert_int_equal(desc(0)->hdr.bh1.block_status, TP_STATUS_USER);
	blocks_release(&B);
	assert_int_equal(desc(0)->hdr.bh1.block_status, TP_STATUS_KERNEL);
	assert_int_equal(desc(1)->hdr.bh1.block_status, TP_STATUS_USER);
	expect(2, 1);
	fill(2, 3, 1);
	fill(3, 4, 1);
	fill(0, 5, 1);
	expect(3, 0);
	expect(4, 0);
	expect(5, 0);
	/* all are ours: none is looked at twice */
	assert_null(blocks_peek(&B));
	assert_int_equal(B.walked, N);
	blocks_release(&B);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(desc(i)->hdr.bh1.block_status,
		                 TP_STATUS_KERNEL);
	fill(1, 6, 1);
	expect(6, 0);
}

/* A successor begins behind the cursor, wherever the turn is, whatever its
 * predecessor took without committing it. */
static void test_adopt(void **state)
{
	(void)state;
	for (unsigned int turn = 0; turn < N; turn++)
		for (unsigned int at = 0; at < 9; at++)
			for (unsigned int more = 0; at + more < 9; more++) {
				uint64_t cursor = 0;

				memset(ring, 0, (size_t)N * SIZE);
				for (unsigned int i = 0; i < 3; i++)
					fill((turn + i) % N, 40 + i, 3);
				begin(ETHERNET);
				for (unsigned int k = 0; k < at; k++) {
					expect(40 + k / 3, k % 3);
					cursor = taken;
				}
				blocks_release(&B);
				for (unsigned int k = at; k < at + more; k++)
					expect(40 + k / 3, k % 3);
				heir(cursor);
				for (unsigned int k = at; k < 9; k++) {
					expect(40 + k / 3, k % 3);
					assert_true(taken == k + 1);
				}
				assert_null(blocks_peek(&B));
				blocks_release(&B);
				for (unsigned int i = 0; i < 3; i++)
					assert_int_equal(
						desc((turn + i) % N)
							->hdr.bh1.block_status,
						TP_STATUS_KERNEL);
			}
}

/* Death anywhere while blocks are given back: the place was moved, or half of
 * it, or some blocks are the kernel's already. */
static void test_adopt_torn(void **state)
{
	(void)state;
	for (unsigned int what = 0; what < 5; what++) {
		struct ring_place old;

		memset(ring, 0, (size_t)N * SIZE);
		fill(0, 40, 2);
		fill(1, 41, 2);
		fill(2, 42, 2);
		begin(ETHERNET);
		for (unsigned int k = 0; k < 5; k++)
			expect(40 + k / 2, k % 2);
		old = place;
		blocks_release(&B);
		if (what < 4)
			desc(1)->hdr.bh1.block_status = TP_STATUS_USER;
		if (what < 3)
			desc(0)->hdr.bh1.block_status = TP_STATUS_USER;
		if (what == 0)
			place = old;
		if (what == 1)
			place.which = old.which;
		heir(5);
		expect(42, 1);
		assert_int_equal(taken, 6);
		assert_null(blocks_peek(&B));
		/* the next block is behind it */
		blocks_release(&B);
		fill(3, 43, 1);
		expect(43, 0);
		assert_int_equal(taken, 7);
	}
}

/* A ring made anew: its frames are counted on, none is taken for an old one,
 * also when a reader dies in its first block. */
static void test_generation(void **state)
{
	(void)state;
	fill(0, 40, 2);
	fill(1, 41, 3);
	begin(ETHERNET);
	for (unsigned int k = 0; k < 4; k++)
		expect(40 + k / 2, k % 2);
	blocks_release(&B);
	memset(ring, 0, (size_t)N * SIZE);
	for (unsigned int life = 0; life < 2; life++) {
		fill(0, 41, 3);
		blocks_init(&B, ring, shape, ETHERNET);
		blocks_resume(&B, 4, 4 + life, &place);
		for (unsigned int k = life; k < 3; k++) {
			expect(41, k);
			assert_int_equal(taken, 5 + k);
		}
	}
	/* somebody else has given back what the place speaks of */
	fill(0, 77, 1);
	blocks_init(&B, ring, shape, ETHERNET);
	blocks_resume(&B, 4, 6, &place);
	expect(77, 0);
	assert_int_equal(taken, 7);
}

/* -- headers that the kernel took away ------------------------------------- */

static void tag(unsigned int i, uint16_t tpid)
{
	struct tpacket3_hdr *f = frame(i, 0);

	f->tp_status =
		TP_STATUS_VLAN_VALID | (tpid ? TP_STATUS_VLAN_TPID_VALID : 0);
	f->hv1.tp_vlan_tci = 0x2007;
	f->hv1.tp_vlan_tpid = tpid;
}

static void expect_tagged(uint16_t tpid)
{
	const struct block_frame *f = blocks_peek(&B);

	assert_non_null(f);
	assert_int_equal(f->caplen, SNAP + 4);
	assert_int_equal(f->wirelen, SNAP + 44);
	assert_int_equal(f->data[0], 0);
	for (unsigned int b = 2; b < 12; b++)
		assert_int_equal(f->data[b], b + 100);
	assert_int_equal(f->data[12] << 8 | f->data[13], tpid);
	assert_int_equal(f->data[14] << 8 | f->data[15], 0x2007);
	for (unsigned int b = 12; b < SNAP; b++)
		assert_int_equal(f->data[b + 4], b + 100);
}

static void test_tag(void **state)
{
	(void)state;
	fill(0, 1, 1);
	tag(0, 0x88a8);
	begin(ETHERNET);
	expect_tagged(0x88a8);
	/* a successor finds it done, and another after that */
	begin(ETHERNET);
	expect_tagged(0x88a8);
	begin(ETHERNET);
	expect_tagged(0x88a8);
	fill(0, 1, 1);
	tag(0, 0);
	begin(ETHERNET);
	expect_tagged(0x8100);
}

/* Death between any two bytes of the move: the addresses are there. */
static void test_tag_torn(void **state)
{
	(void)state;
	for (unsigned int bytes = 0; bytes <= 16; bytes++) {
		uint8_t whole[SNAP + 4], *mac;
		const struct block_frame *f;

		fill(0, 1, 1);
		tag(0, 0);
		mac = (uint8_t *)frame(0, 0) + MAC;
		begin(ETHERNET);
		f = blocks_peek(&B);
		memcpy(whole, f->data, sizeof(whole));
		/* marked, and the first bytes moved */
		for (unsigned int b = 0; b < 12; b++)
			mac[b] = (uint8_t)(b + 100);
		mac[0] = 0;
		mac[1] = 1;
		memset(mac - 4, 0xee, 4);
		memcpy(mac - 4, whole, bytes);
		begin(ETHERNET);
		expect_tagged(0x8100);
	}
	/* saved in part and not marked */
	fill(0, 1, 1);
	tag(0, 0);
	memset((uint8_t *)frame(0, 0) + MAC - 16, 0xee, 7);
	begin(ETHERNET);
	expect_tagged(0x8100);
}

static void test_cooked(void **state)
{
	static const uint8_t want[] = {0, 4, 2, 0, 0, 6, 1, 2,
	                               3, 4, 5, 6, 0, 0, 8, 0};
	struct sockaddr_ll *from;
	const struct block_frame *f;

	(void)state;
	fill(0, 1, 1);
	from = (void *)((uint8_t *)frame(0, 0) +
	                TPACKET_ALIGN(sizeof(struct tpacket3_hdr)));
	from->sll_protocol = htons(0x0800);
	from->sll_pkttype = PACKET_OUTGOING;
	from->sll_hatype = 512;
	from->sll_halen = 6;
	memcpy(from->sll_addr, "\1\2\3\4\5\6", 6);
	begin(SLL);
	f = blocks_peek(&B);
	assert_int_equal(f->caplen, SNAP + 16);
	assert_memory_equal(f->data, want, 16);
	assert_int_equal(f->data[18], 102);
	tag(0, 0);
	begin(SLL);
	f = blocks_peek(&B);
	assert_int_equal(f->caplen, SNAP + 20);
	assert_memory_equal(f->data, want, 14);
	assert_memory_equal(f->data + 14, "\x81\0\x20\7\x08\0", 6);
	assert_int_equal(f->data[22], 102);
}

/* -- memory that somebody has written to ----------------------------------- */

static void test_broken(void **state)
{
	(void)state;
	for (unsigned int what = 0; what < 9; what++) {
		struct tpacket_hdr_v1 *h = &desc(0)->hdr.bh1;
		struct tpacket3_hdr *f;
		unsigned int good = 1;

		fill(0, 1, 3);
		fill(1, 2, 1);
		f = frame(0, 1);
		switch (what) {
		case 0:
			f->tp_mac = 20;
			break;
		case 1:
			f->tp_snaplen = SIZE;
			break;
		case 2:
			f->tp_mac = UINT16_MAX;
			break;
		case 3:
			f->tp_snaplen = UINT32_MAX - 8;
			break;
		case 4:
			f->tp_next_offset = SIZE;
			good = 2;
			break;
		case 5:
			f->tp_next_offset = 0;
			good = 2;
			break;
		case 6:
			f->tp_next_offset += 3;
			good = 2;
			break;
		case 7:
			h->num_pkts = UINT32_MAX;
			good = 3;
			break;
		default:
			h->offset_to_first_pkt = UINT32_MAX - 7;
			good = 0;
		}
		begin(ETHERNET);
		for (unsigned int k = 0; k < good; k++)
			expect(1, k);
		expect(2, 0);
		assert_int_equal(B.broken, 1);
	}
}

/* Bytes at random: no access outside of the ring (for the sanitizers), and an
 * end. */
static void test_noise(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int sum = 0, frames = 0;

		for (unsigned int i = 0; i < N; i++)
			fill(i, 10 + i, 1 + (unsigned int)rand() % 20);
		for (unsigned int k = (unsigned int)rand() % 40; k; k--) {
			size_t at = (size_t)rand() % ((size_t)N * SIZE);

			ring[at] = (uint8_t)rand();
			/* headers more often than the rest */
			ring[at % 64 + at / SIZE * SIZE] = (uint8_t)rand();
		}
		begin(round & 1 ? ETHERNET : SLL);
		if (round & 2) {
			place.at[0] = (struct ring_anchor){3, 11, 20};
			blocks_resume(&B, 3, 22, &place);
		}
		for (const struct block_frame *f; (f = blocks_peek(&B));) {
			for (uint32_t b = 0; b < f->caplen; b++)
				sum += f->data[b];
			blocks_take(&B);
			assert_true(++frames < N * SIZE / 8);
		}
		assert_in_range(sum, 0, UINT32_MAX);
		blocks_release(&B);
	}
}

static void test_shape(void **state)
{
	struct block_shape s = block_shape(64 << 20, 65535);

	(void)state;
	assert_int_equal(s.size, 128 << 10);
	assert_int_equal(s.n, 512);
	s = block_shape(1 << 20, 262144);
	assert_int_equal(s.size, 512 << 10);
	assert_int_equal(s.n, 4);
	s = block_shape((size_t)2047 << 20, 96);
	assert_int_equal(s.size, 128 << 10);
	assert_int_equal(s.n, 2047 * 8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)

/* Quarters of the ring that wait, wherever the reader stands. */
static void test_quarters(void **state)
{
	unsigned int i, at;

	(void)state;
	memset(ring, 0, (size_t)N * SIZE);
	begin(ETHERNET);
	assert_int_equal(blocks_quarters(&B), 0);
	for (i = 0; i < 40; i++) {
		fill(i % N, i + 1, 1);
		expect(i + 1, 0);
		assert_null(blocks_peek(&B));
		blocks_release(&B);
		if (i % 3)
			continue;
		for (at = 1; at <= N; at++) {
			fill((i + at) % N, i + at + 1, 1);
			assert_non_null(blocks_peek(&B));
			assert_int_equal(blocks_quarters(&B), at - 1);
		}
		for (at = 1; at <= N; at++)
			expect(i + at + 1, 0);
		assert_null(blocks_peek(&B));
		blocks_release(&B);
		assert_int_equal(blocks_quarters(&B), 0);
		i += N;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_adopt_torn), T(test_walk),     T(test_quarters),
		T(test_release),    T(test_adopt),    T(test_generation),
		T(test_tag),        T(test_tag_torn), T(test_cooked),
		T(test_broken),     T(test_noise),    T(test_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_fragment.c - fragments through the pipeline: a datagram is one packet,
 * and what is counted does not depend on the number of workers.
 */
#include "daemon/worker/fragment.h"

#include "tests/worker/bed.h"

static const struct fragment_limits limits = {
	.bytes = {1 << 20, 1 << 20},
	.timeout_ns = {30 * NS_PER_S, 60 * NS_PER_S}};

static struct packet B;

static void bed_open(struct bed *bed, uint32_t worker, uint32_t nworker)
{
	bed_table(bed, 10000);
	bed_start(bed, worker, nworker);
	bed->pipe->frags = fragments_new(&limits, 42, true);
	assert_non_null(bed->pipe->frags);
}

static void bed_end(struct bed *bed)
{
	fragments_free(bed->pipe->frags);
	bed_close(bed);
}

static void bed_frame(struct bed *bed, uint64_t frame, uint64_t ms)
{
	struct pkt p;

	packet_pkt(&B, &p);
	p.frame = frame;
	p.ts_ns = T0 + ms * MS;
	bed_give(bed, &p);
}

static void bed_sweep(struct bed *bed)
{
	bed->pipe->pol = rcud_enter(bed->t);
	pipeline_sweep(bed->pipe, bed->pipe->clock_ns);
	rcud_leave(bed->t);
}

/* bytes off..end of a UDP datagram of `len` */
static void fragment(bool v6, uint32_t id, uint16_t port, uint32_t off,
                     uint32_t end, uint32_t len)
{
	uint8_t udp[2048] = {0}, head[6] = {0};
	uint8_t *ip;

	put16(udp, port);
	put16(udp + 2, 53);
	put16(udp + 4, (uint16_t)len);
	packet_begin(&B);
	packet_eth(&B);
	if (v6) {
		packet_ip6(&B, "2001:db8::1", "2001:db8::2");
		put16(head, (uint16_t)(off | (end < len)));
		put32(head + 2, id);
		packet_ext(&B, 44, head, 6);
		packet_other(&B, 17, udp + off, end - off);
		packet_end(&B);
		return;
	}
	ip = packet_ip4(&B, "10.0.0.1", "10.0.1.1");
	packet_other(&B, 17, udp + off, end - off);
	packet_end(&B);
	put16(ip + 4, (uint16_t)id);
	put16(ip + 6, (uint16_t)((end < len ? 0x2000 : 0) | off / 8));
}

/* F007, F008 */
static void test_datagram(void **state)
{
	struct conn_walk walk = {0, 0};
	struct conn_view v;
	struct bed bed;
	bool v6;

	(void)state;
	for (v6 = false;; v6 = true) {
		bed_open(&bed, 0, 1);
		fragment(v6, 1, 4000, 1000, 1800, 1800);
		bed_frame(&bed, 1, 0);
		assert_int_equal(counter(&bed, CTR_NEW), 0);
		fragment(v6, 1, 4000, 0, 1000, 1800);
		bed_frame(&bed, 2, 5);
		assert_int_equal(counter(&bed, CTR_FRAMES), 2);
		assert_int_equal(counter(&bed, CTR_FRAG_RECEIVED), 2);
		assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 1);
		assert_int_equal(counter(&bed, CTR_NEW_PKT), 1);
		assert_int_equal(counter(&bed, CTR_NEW), 1);
		walk = (struct conn_walk){0, 0};
		assert_true(conn_walk(bed.t, &walk, &v));
		assert_int_equal(v.conn.packets[0], 1);
		assert_int_equal(v.conn.bytes[0], v6 ? 1840 : 1820);
		assert_int_equal(v.detail.start_ns, T0 + 5 * MS);
		assert_int_equal(bed.t->ring[0].hdr->cursor[0], 2);
		bed_end(&bed);
		if (v6)
			return;
	}
}

/* F009: given up when their time has come, be it at the end of a capture */
static void test_timeout(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0, 1);
	fragment(false, 1, 4000, 0, 1000, 1800);
	bed_frame(&bed, 1, 0);
	fragment(true, 1, 4000, 0, 1000, 1800);
	bed_frame(&bed, 2, 0);
	fragment(false, 2, 4000, 0, 1000, 1800);
	bed_frame(&bed, 3, 30000);
	assert_int_equal(counter(&bed, CTR_FRAG_TIMEOUT), 1);
	fragment(false, 1, 4000, 1000, 1800, 1800);
	bed_frame(&bed, 4, 30001);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 0);
	bed_sweep(&bed);
	assert_int_equal(counter(&bed, CTR_FRAG_TIMEOUT), 1);
	bed.pipe->clock_ns = T0 + 60000 * MS;
	bed_sweep(&bed);
	assert_int_equal(counter(&bed, CTR_FRAG_TIMEOUT), 3);
	bed_end(&bed);
}

/* without a store all are refused, and counted so */
static void test_no_store(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0, 1);
	fragments_free(bed.pipe->frags);
	bed.pipe->frags = NULL;
	fragment(false, 1, 4000, 0, 1000, 1800);
	bed_frame(&bed, 1, 0);
	bed_sweep(&bed);
	assert_int_equal(counter(&bed, CTR_FRAG_RECEIVED), 1);
	assert_int_equal(counter(&bed, CTR_FRAG_DROPPED), 1);
	assert_int_equal(counter(&bed, CTR_FRAMES), 1);
	bed_end(&bed);
}

/* F006: what the kernel lets pass alone is a packet, not a datagram */
static void test_pass(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0, 1);
	fragment(true, 1, 4000, 1000, 1801, 1900); /* odd, and not the last */
	bed_frame(&bed, 1, 0);
	assert_int_equal(counter(&bed, CTR_FRAG_RECEIVED), 1);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 0);
	assert_int_equal(counter(&bed, CTR_FRAG_DROPPED), 0);
	assert_int_equal(counter(&bed, CTR_INVALID), 1);
	bed_end(&bed);
}

static const struct decap vxlan = {.on = 1u << DECAP_VXLAN,
                                   .depth = 4,
                                   .nports = 1,
                                   .marks = UINT64_MAX,
                                   .port = {{4789, DECAP_VXLAN}}};

/* Bytes off..end of an IPv4 packet with VXLAN, in which an IPv4 packet with
 * 1000 bytes of payload is, or a fragment of one. */
static void carrier_fragment(uint32_t id, uint32_t off, uint32_t end,
                             uint16_t inner_frag)
{
	static uint8_t whole[2048];
	uint32_t len;
	uint8_t *ip;

	packet_begin(&B);
	packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_udp(&B, 50000, 4789);
	packet_data(&B, "\x08\0\0\0\0\0\x09\0", 8);
	packet_eth(&B);
	ip = packet_ip4(&B, "10.0.0.1", "10.0.1.1");
	packet_udp(&B, 4000, 53);
	packet_fill(&B, 'x', 1000);
	packet_end(&B);
	put16(ip + 6, inner_frag);
	len = B.len - 20;
	memcpy(whole, B.buf + 20, len);
	if (end > len)
		end = len;
	packet_begin(&B);
	packet_eth(&B);
	ip = packet_ip4(&B, "192.0.2.1", "192.0.2.2");
	packet_other(&B, 17, whole + off, end - off);
	packet_end(&B);
	put16(ip + 4, (uint16_t)id);
	put16(ip + 6, (uint16_t)((end < len ? 0x2000 : 0) | off / 8));
}

/* A tunnel's packet that came in pieces is stepped into, and has the zone of
 * what is inside; fragments inside meet each other; a fragment inside a
 * datagram that was in fragments is counted. */
static void test_tunnel(void **state)
{
	struct conn_walk walk = {0, 0};
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, 0, 1);
	bed.pipe->decap = &vxlan;
	bed.pol.zone_from = ZONE_FROM_VNI;
	assert_int_equal(rcud_publish(bed.t, &bed.pol), 0);
	carrier_fragment(1, 0, 600, 0);
	bed_frame(&bed, 1, 0);
	assert_int_equal(counter(&bed, CTR_NEW), 0);
	carrier_fragment(1, 600, UINT32_MAX, 0);
	bed_frame(&bed, 2, 0);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 1);
	assert_int_equal(counter(&bed, CTR_NEW), 1);
	assert_true(conn_walk(bed.t, &walk, &v));
	assert_int_equal(v.conn.bytes[0], 1028);
	assert_int_equal(v.conn.key.zone, 9);
	/* in one piece outside, two inside: only the first has the ports */
	carrier_fragment(2, 0, UINT32_MAX, 0x2000);
	bed_frame(&bed, 3, 0);
	assert_int_equal(counter(&bed, CTR_FRAG_RECEIVED), 3);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 1);
	carrier_fragment(3, 0, UINT32_MAX, 1008 / 8);
	bed_frame(&bed, 4, 0);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 2);
	assert_int_equal(counter(&bed, CTR_NEW), 1);
	walk = (struct conn_walk){0, 0};
	assert_true(conn_walk(bed.t, &walk, &v));
	assert_int_equal(v.conn.bytes[0], 1028 + 2036);
	/* in pieces both */
	carrier_fragment(4, 0, 600, 0x2000);
	bed_frame(&bed, 5, 0);
	carrier_fragment(4, 600, UINT32_MAX, 0x2000);
	bed_frame(&bed, 6, 0);
	assert_int_equal(counter(&bed, CTR_FRAG_REASSEMBLED), 3);
	assert_int_equal(counter(&bed, CTR_COUNT + PKT_TUNNEL_FRAGMENT), 1);
	assert_int_equal(counter(&bed, CTR_FRAMES), 6);
	bed_end(&bed);
}

static uint32_t rnd(void)
{
	static uint32_t seed = 5;

	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

static void random_frame(void)
{
	uint32_t id = rnd() % 4, off = rnd() % 3 * 600, end = off + 600;
	uint16_t port = (uint16_t)(4000 + rnd() % 64);

	if (rnd() % 10 == 0)
		end -= 40;
	fragment(rnd() & 1, id, port, off, end, 1800);
}

/* two workers that see all, each with its own half of the shards, do together
 * what one does */
static void test_workers(void **state)
{
	struct bed one, half[2];
	uint64_t ms = 0;
	uint32_t i, c;

	(void)state;
	bed_open(&one, 0, 1);
	for (i = 0; i < 2; i++) {
		bed_open(&half[i], i, 2);
		half[i].t->key = one.t->key;
	}
	for (i = 1; i < 6000; i++) {
		random_frame();
		ms += rnd() % 2000;
		bed_frame(&one, i, ms);
		bed_frame(&half[0], i, ms);
		bed_frame(&half[1], i, ms);
	}
	bed_sweep(&one);
	bed_sweep(&half[0]);
	bed_sweep(&half[1]);
	for (c = 0; c < STATS_SLOTS; c++)
		if (c != CTR_SEARCHED)
			assert_int_equal(counter(&one, c),
			                 counter(&half[0], c) +
			                         counter(&half[1], c));
	assert_int_equal(counter(&one, CTR_FRAMES), 5999);
	assert_true(counter(&one, CTR_FRAG_TIMEOUT) > 0);
	assert_true(counter(&one, CTR_FRAG_DROPPED) > 0);
	assert_true(counter(&half[0], CTR_NEW) > 0);
	assert_true(counter(&half[1], CTR_NEW) > 0);
	bed_end(&one);
	bed_end(&half[0]);
	bed_end(&half[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagram), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_no_store), cmocka_unit_test(test_pass),
		cmocka_unit_test(test_tunnel),   cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

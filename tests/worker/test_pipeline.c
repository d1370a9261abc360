/*
 * test_pipeline.c - a packet's way, without processes: frames in, and what
 * stands in table, ring and counters after it.
 */
#include "daemon/worker/pipeline.h"

#include <netinet/in.h>

#include "shm/expire.h"
#include "shm/tick.h"
#include "tests/worker/bed.h"

static void bed_open(struct bed *bed, uint32_t max)
{
	bed_table(bed, max ? max : 10000);
	bed->pol.max = max;
	bed_start(bed, 0, 1);
}

static void bed_tcp(struct bed *bed, uint16_t port, bool reply, uint32_t seq,
                    uint32_t ack, uint8_t flags)
{
	bed_begin(bed, reply);
	packet_tcp(&bed->b, reply ? 80 : port, reply ? port : 80, seq, ack,
	           flags, 65535);
	bed_send(bed, 1 * MS);
}

static void bed_udp(struct bed *bed, uint16_t port, bool reply, uint32_t ms)
{
	bed_begin(bed, reply);
	packet_udp(&bed->b, reply ? 53 : port, reply ? port : 53);
	packet_fill(&bed->b, 'x', 10);
	bed_send(bed, ms * MS);
}

/* record number n of the ring, PAD cells not counted */
static const struct event_cell *event(const struct bed *bed, uint64_t n)
{
	const struct event_ring *g = &bed->t->ring[0];
	uint64_t at = 0;

	while (at < g->hdr->tail) {
		const struct event_cell *c = &g->cell[at & g->mask];

		at += c->cells;
		if (c->type != EVENT_PAD && !n--)
			return c;
	}
	return NULL;
}

static void handshake(struct bed *bed, uint16_t port)
{
	bed_tcp(bed, port, false, 1000, 0, 0x02);
	bed_tcp(bed, port, true, 5000, 1001, 0x12);
	bed_tcp(bed, port, false, 1001, 5001, 0x10);
}

/* F250: NEW, UPDATE SYN_RECV, UPDATE ESTABLISHED [ASSURED] */
static void test_handshake(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	handshake(&bed, 4000);
	assert_true(bed_only(&bed, &v));
	assert_int_equal(v.conn.packets[0], 2);
	assert_int_equal(v.conn.packets[1], 1);
	assert_int_equal(v.conn.bytes[0], 80);
	assert_int_equal(v.conn.status & CONN_CTA_MASK,
	                 CONN_SEEN_REPLY | CONN_ASSURED | CONN_CONFIRMED);
	assert_int_equal(tick_left(v.conn.deadline, 0) / 1000, 432000);
	assert_int_equal(v.detail.start_ns, T0 + MS);
	assert_int_equal(v.detail.last_ns, T0 + 3 * MS);
	assert_int_equal(event(&bed, 0)->type, EVENT_NEW);
	assert_int_equal(event(&bed, 1)->bits, EVB_REPLY | EVB_PROTOINFO);
	assert_int_equal(event(&bed, 2)->bits, EVB_ASSURED | EVB_PROTOINFO);
	assert_null(event(&bed, 3));
	assert_int_equal(counter(&bed, CTR_NEW_PKT), 1);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED_REPLY), 1);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED), 1);
	assert_int_equal(counter(&bed, CTR_FRAMES), 3);
	assert_int_equal(bed.t->ring[0].hdr->cursor[0], 3);
	bed_close(&bed);
}

/* B3: an RST as the only answer ends the connection, counted */
static void test_kill(void **state)
{
	const struct event_more *m;
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	bed_tcp(&bed, 4000, false, 1000, 0, 0x02);
	bed_tcp(&bed, 4000, true, 0, 1001, 0x14);
	assert_false(bed_only(&bed, &v));
	assert_int_equal(event(&bed, 1)->type, EVENT_DESTROY);
	assert_int_equal(event(&bed, 1)->reason, REASON_TCP_RESET);
	m = (const struct event_more *)(const void *)(event(&bed, 1) + 1);
	assert_int_equal(m->packets[0], 1);
	assert_int_equal(m->packets[1], 1);
	assert_int_equal(counter(&bed, CTR_DELETE), 1);
	assert_int_equal(table_count(bed.t), 0);
	bed_close(&bed);
}

/* an expired connection is met: DESTROY with the time of its end, then NEW */
static void test_expired(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	bed_udp(&bed, 5000, false, 0);
	bed_udp(&bed, 5000, false, 30000);
	assert_int_equal(event(&bed, 0)->type, EVENT_NEW);
	assert_int_equal(event(&bed, 1)->type, EVENT_DESTROY);
	assert_int_equal(event(&bed, 1)->reason, REASON_TIMEOUT);
	assert_int_equal(event(&bed, 1)->ts_ns, T0 + 30000 * MS);
	assert_int_equal(event(&bed, 2)->type, EVENT_NEW);
	assert_int_equal(table_count(bed.t), 1);
	bed_close(&bed);
}

/* a sweep by packet time ends what no packet meets */
static void test_sweep(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	bed_udp(&bed, 5000, false, 0);
	bed_udp(&bed, 5001, false, 10);
	bed_udp(&bed, 5002, false, 31000);
	assert_int_equal(table_count(bed.t), 1);
	assert_int_equal(event(&bed, 2)->type, EVENT_DESTROY);
	assert_int_equal(counter(&bed, CTR_DELETE), 2);
	assert_int_equal(bed.t->hdr->budget - bed.t->ring[0].hdr->credit, 1);
	bed_close(&bed);
}

/* F156, F157: RELATED by the quoted packet, to its sender alone */
static void test_related(void **state)
{
	struct packet q;
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	bed_udp(&bed, 5000, false, 0);
	q = bed.b;
	packet_begin(&bed.b);
	packet_eth(&bed.b);
	packet_ip4(&bed.b, "10.9.9.9", "10.0.0.1");
	packet_icmp(&bed.b, 3, 3, 0);
	packet_quote(&bed.b, &q, 8);
	bed_send(&bed, 1 * MS);
	assert_int_equal(counter(&bed, CTR_RELATED_REPLY), 1);
	packet_begin(&bed.b);
	packet_eth(&bed.b);
	packet_ip4(&bed.b, "10.9.9.9", "10.0.0.2");
	packet_icmp(&bed.b, 3, 3, 0);
	packet_quote(&bed.b, &q, 8);
	bed_send(&bed, 1 * MS);
	assert_int_equal(counter(&bed, CTR_ERROR), 1);
	assert_int_equal(counter(&bed, CTR_INVALID), 1);
	assert_int_equal(table_count(bed.t), 1);
	bed_close(&bed);
}

/* a full table: the not-ASSURED give way, the ASSURED never do (F235) */
static void test_early_drop(void **state)
{
	struct conn_walk w = {0, 0};
	unsigned int assured = 0;
	struct conn_view v;
	struct bed bed;
	uint16_t i;

	(void)state;
	bed_open(&bed, 8);
	for (i = 0; i < 4; i++)
		handshake(&bed, (uint16_t)(4000 + i));
	for (i = 0; i < 2000; i++)
		bed_udp(&bed, (uint16_t)(10000 + i), false, 1);
	while (conn_walk(bed.t, &w, &v))
		assured += v.conn.status & CONN_ASSURED ? 1 : 0;
	assert_int_equal(assured, 4);
	assert_true(table_count(bed.t) <= 8);
	assert_int_equal(counter(&bed, CTR_INSERT) - counter(&bed, CTR_DELETE),
	                 table_count(bed.t));
	assert_true(counter(&bed, CTR_EARLY_DROP) > 0);
	assert_int_equal(counter(&bed, CTR_DROP),
	                 counter(&bed, CTR_TABLE_FULL));
	assert_int_equal(counter(&bed, CTR_INSERT) + counter(&bed, CTR_DROP),
	                 4 + 2000);
	bed_close(&bed);
}

/* frames that are no packets are counted by reason */
static void test_decode(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	packet_begin(&bed.b);
	packet_eth(&bed.b);
	packet_data(&bed.b, "arp", 3);
	bed.b.buf[12] = 0x08;
	bed.b.buf[13] = 0x06;
	bed_send(&bed, 0);
	assert_int_equal(counter(&bed, CTR_COUNT + PKT_NOT_IP), 1);
	assert_int_equal(counter(&bed, CTR_FRAMES), 1);
	bed_close(&bed);
}

/* Of two workers that share a capture one has a frame, whatever may be wrong
 * with it (sum, length, offset of the data), and whatever tracks it. */
static void shared(bool tcp_off)
{
	static const uint32_t at[] = {14 + 10, 14 + 2, 34 + 12, 34 + 16};
	struct bed bed[2];
	uint64_t sum, seen[2] = {0, 0};
	struct pkt p;
	uint32_t w, n;
	uint8_t id;

	for (w = 0; w < 2; w++) {
		bed_table(&bed[w], 1000);
		bed[w].pol.checksum = CHECKSUM_ON;
		tracker_find(&bed[w].pol, IPPROTO_TCP, &id);
		bed[w].pol.tracker_off[id] = tcp_off;
		bed[w].t->key = bed[0].t->key;
		bed_start(&bed[w], w, 2);
	}
	for (n = 0; n < 256; n++) {
		for (w = sum = 0; w < 2; w++) {
			bed_begin(&bed[w], false);
			packet_tcp(&bed[w].b, (uint16_t)(4000 + n), 80, 1, 0,
			           0x02, 65535);
			packet_end(&bed[w].b);
			bed[w].b.buf[at[n % ARRAY_SIZE(at)]] ^=
				n & 4 ? 0x10 : 0;
			packet_pkt(&bed[w].b, &p);
			p.ts_ns = T0 + MS;
			p.frame = n + 1;
			bed_give(&bed[w], &p);
			seen[w] = counter(&bed[w], CTR_FRAMES);
			sum += seen[w];
		}
		assert_int_equal(sum, n + 1);
	}
	/* without ports all of them have one shard */
	assert_true(tcp_off ? !seen[0] != !seen[1] : seen[0] && seen[1]);
	for (w = 0; w < 2; w++)
		bed_close(&bed[w]);
}

static void test_shared(void **state)
{
	(void)state;
	shared(false);
	shared(true);
}

/* IPv6 and opposite pings with one id stay apart */
static void test_ping(void **state)
{
	struct bed bed;
	int i;

	(void)state;
	bed_open(&bed, 0);
	for (i = 0; i < 2; i++) {
		bed_begin(&bed, i);
		packet_icmp(&bed.b, 8, 0, 77u << 16);
		bed_send(&bed, 1 * MS);
	}
	assert_int_equal(table_count(bed.t), 2);
	bed_begin(&bed, true);
	packet_icmp(&bed.b, 0, 0, 77u << 16);
	bed_send(&bed, 1 * MS);
	assert_int_equal(table_count(bed.t), 2);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED_REPLY), 1);
	for (i = 0; i < 2; i++) {
		packet_begin(&bed.b);
		packet_eth(&bed.b);
		packet_ip6(&bed.b, i ? "fd01::1" : "fd00::1",
		           i ? "fd00::1" : "fd01::1");
		packet_tcp(&bed.b, i ? 80 : 4000, i ? 4000 : 80,
		           i ? 5000 : 1000, i ? 1001 : 0, i ? 0x12 : 0x02,
		           65535);
		bed_send(&bed, 1 * MS);
	}
	assert_int_equal(table_count(bed.t), 3);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED_REPLY), 2);
	bed_close(&bed);
}

/* both endpoints the same: the first packet is original, all others reply */
static void test_land(void **state)
{
	struct bed bed;
	int i;

	(void)state;
	bed_open(&bed, 0);
	for (i = 0; i < 2; i++) {
		packet_begin(&bed.b);
		packet_eth(&bed.b);
		packet_ip4(&bed.b, "10.0.0.1", "10.0.0.1");
		packet_udp(&bed.b, 7, 7);
		bed_send(&bed, 1 * MS);
	}
	assert_int_equal(table_count(bed.t), 1);
	assert_int_equal(counter(&bed, CTR_NEW_PKT), 1);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED_REPLY), 1);
	bed_close(&bed);
}

/* F289: a changed timeout applies from the next refresh */
static void test_policy(void **state)
{
	struct conn_view v;
	struct bed bed;
	uint8_t id;

	(void)state;
	bed_open(&bed, 0);
	bed_udp(&bed, 5000, false, 0);
	tracker_find(&bed.pol, 17, &id);
	bed.pol.timeout[id][0] = 77;
	bed_policy(&bed);
	assert_true(bed_only(&bed, &v));
	assert_int_equal(v.conn.deadline, 30000);
	bed_udp(&bed, 5000, false, 1000);
	assert_true(bed_only(&bed, &v));
	assert_int_equal(v.conn.deadline, 78000);
	bed_close(&bed);
}

/* acct=0: nothing is counted, and the connection says so for life (F109) */
static void test_no_acct(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, 0);
	bed.pol.acct = 0;
	bed_policy(&bed);
	bed_udp(&bed, 5000, false, 0);
	bed.pol.acct = 1;
	bed_policy(&bed);
	bed_udp(&bed, 5000, true, 1);
	assert_true(bed_only(&bed, &v));
	assert_int_equal(v.conn.packets[0] + v.conn.packets[1], 0);
	assert_false(v.conn.status & CONN_ACCT);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_related),
		cmocka_unit_test(test_early_drop),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_land),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_no_acct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

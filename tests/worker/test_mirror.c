/*
 * test_mirror.c - the mirror's part of a packet's way: doubles, connections
 * that are turned, what is counted.
 */
#include "daemon/worker/mirror.h"

#include "shm/tick.h"
#include "tests/worker/bed.h"

static void bed_open(struct bed *bed, enum duplicates d)
{
	bed_table(bed, 1000);
	bed->pol.tcp_mode = TCP_MODE_MIRROR;
	bed->pol.duplicates = (uint8_t)d;
	bed->pol.duplicates_ms = 50;
	bed_start(bed, 0, 1);
}

struct seg {
	bool reply;
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t len;
};

static void bed_seg(struct bed *bed, const struct seg *s, uint64_t us)
{
	bed_begin(bed, s->reply);
	packet_tcp(&bed->b, s->reply ? 80 : 4000, s->reply ? 4000 : 80, s->seq,
	           s->ack, s->flags, 65535);
	packet_fill(&bed->b, 'd', s->len);
	bed_send(bed, us * US);
}

static void bed_udp(struct bed *bed, bool reply, uint8_t fill, uint64_t us)
{
	bed_begin(bed, reply);
	packet_udp(&bed->b, reply ? 53 : 4000, reply ? 4000 : 53);
	packet_fill(&bed->b, fill, 10);
	bed_send(bed, us * US);
}

#define SYN_ 0x02
#define ACK_ 0x10
#define FIN_ 0x11

static const struct seg talk[] = {
	{false, 1000, 0, SYN_, 0},      {true, 5000, 1001, SYN_ | ACK_, 0},
	{false, 1001, 5001, ACK_, 0},   {false, 1001, 5001, ACK_, 700},
	{true, 5001, 1701, ACK_, 0},    {true, 5001, 1701, ACK_, 1400},
	{true, 6401, 1701, ACK_, 1400}, {true, 7801, 1701, ACK_, 300},
	{false, 1701, 7801, ACK_, 0},   {false, 1701, 8101, ACK_, 0},
	{false, 1701, 8101, FIN_, 0},   {true, 8101, 1702, ACK_, 0},
	{true, 8101, 1702, FIN_, 0},    {false, 1702, 8102, ACK_, 0},
};

/* How many times the talk, and what then stands in the table.  `late`: the
 * double comes behind this many others. */
static struct conn_view run_talk(struct bed *bed, bool doubled, size_t late)
{
	size_t i, n = ARRAY_SIZE(talk);

	for (i = 0; i < n + late; i++) {
		if (i < n) {
			bed->ident = (uint16_t)(700 + i);
			bed->ttl = 64;
			bed->tag = false;
			bed_seg(bed, &talk[i], 300);
		}
		if (!doubled || i < late)
			continue;
		/* a hop further, and on another VLAN */
		bed->ident = (uint16_t)(700 + i - late);
		bed->ttl = 63;
		bed->tag = true;
		bed_seg(bed, &talk[i - late], 10);
	}
	return only(bed);
}

static void test_doubles(void **state)
{
	struct conn_view once, twice;
	struct bed bed;
	size_t late;
	int v6;

	(void)state;
	for (v6 = 0; v6 < 2; v6++) {
		bed_open(&bed, DUPLICATES_DROP);
		bed.v6 = v6;
		once = run_talk(&bed, false, 0);
		assert_int_equal(counter(&bed, CTR_DUPLICATES), 0);
		assert_int_equal(once.conn.status & CONN_DOUBLED, 0);
		bed_close(&bed);
		for (late = 0; late < 3; late++) {
			bed_open(&bed, DUPLICATES_DROP);
			bed.v6 = v6;
			twice = run_talk(&bed, true, late);
			assert_int_equal(counter(&bed, CTR_DUPLICATES), 14);
			assert_int_equal(counter(&bed, CTR_FRAMES), 28);
			assert_int_equal(counter(&bed, CTR_MIRROR_DOUBLED), 1);
			assert_int_equal(
				counter(&bed, CTR_ESTABLISHED) +
					counter(&bed, CTR_NEW_PKT) +
					counter(&bed, CTR_ESTABLISHED_REPLY),
				14);
			assert_int_equal(counter(&bed, CTR_INVALID), 0);
			assert_int_equal(twice.conn.status,
			                 once.conn.status | CONN_DOUBLED);
			assert_int_equal(twice.conn.state, once.conn.state);
			assert_memory_equal(twice.conn.packets,
			                    once.conn.packets,
			                    sizeof(once.conn.packets));
			assert_memory_equal(twice.conn.bytes, once.conn.bytes,
			                    sizeof(once.conn.bytes));
			assert_memory_equal(twice.conn.priv, once.conn.priv,
			                    CONN_PRIV);
			assert_int_equal(twice.detail.dups, 14);
			bed_close(&bed);
		}
	}
}

/* count: both are tracked, and told; off: nothing of it */
static void test_modes(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, DUPLICATES_COUNT);
	v = run_talk(&bed, true, 0);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 14);
	assert_true(v.conn.status & CONN_DOUBLED);
	/* the first SYN's double is ignored (F122), and so is the SYN/ACK's */
	assert_int_equal(v.conn.packets[0] + v.conn.packets[1], 26);
	/* and the doubled FINs did not lead astray */
	assert_string_equal(tracker_state_name(6, v.conn.state), "TIME_WAIT");
	bed_close(&bed);

	bed_open(&bed, DUPLICATES_OFF);
	v = run_talk(&bed, true, 0);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 0);
	assert_false(v.conn.status & CONN_DOUBLED);
	bed_close(&bed);
}

/* What TCP sends again is no double: another identification, or later. */
static void test_retransmission(void **state)
{
	struct conn_view v;
	struct bed bed;
	size_t i;

	(void)state;
	bed_open(&bed, DUPLICATES_DROP);
	for (i = 0; i < 4; i++) {
		bed.ident = (uint16_t)(700 + i);
		bed_seg(&bed, &talk[i], 300);
	}
	bed.ident = 704;
	bed_seg(&bed, &talk[3], 300);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 0);
	v = only(&bed);
	assert_int_equal(v.conn.packets[0], 4);
	/* the retransmission, twice */
	bed_seg(&bed, &talk[3], 20);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 1);
	/* the same identification, but 60 ms later */
	bed_seg(&bed, &talk[3], 60000);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 1);
	v = only(&bed);
	assert_int_equal(v.conn.packets[0], 5);
	/* new data under an old identification is no double either */
	bed_seg(&bed, &(struct seg){false, 1701, 5001, ACK_, 700}, 10);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 1);
	bed_close(&bed);
}

static void test_udp(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, DUPLICATES_DROP);
	bed.ident = 1;
	bed_udp(&bed, false, 'a', 10);
	bed_udp(&bed, false, 'a', 10); /* a double */
	bed.ident = 2;
	bed_udp(&bed, false, 'a', 10); /* said twice */
	bed.ident = 3;
	bed_udp(&bed, true, 'b', 10);
	bed.ident = 2;
	bed_udp(&bed, false, 'a', 10); /* a double, one behind */
	bed.ident = 3;
	bed_udp(&bed, true, 'b', 10); /* a double */
	bed_udp(&bed, true, 'c', 10); /* other data */
	v = only(&bed);
	assert_int_equal(v.conn.packets[0], 2);
	assert_int_equal(v.conn.packets[1], 2);
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 3);
	bed_close(&bed);
}

/* A SYN/ACK first: the connection is its receiver's. */
static void test_turned(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, DUPLICATES_COUNT);
	bed_seg(&bed, &talk[1], 1);
	v = only(&bed);
	/* endpoint 0 of the key is 10.0.0.1, the client */
	assert_false(v.conn.status & CONN_ORIG1);
	assert_true(v.conn.status & CONN_SEEN_REPLY);
	assert_int_equal(v.conn.packets[0], 0);
	assert_int_equal(v.conn.packets[1], 1);
	assert_int_equal((v.conn.status & CONN_DIR_MASK) >> CONN_DIR_SHIFT,
	                 CONN_DIR_SYNACK);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED_REPLY), 1);
	assert_int_equal(counter(&bed, CTR_NEW_PKT), 0);
	assert_int_equal(counter(&bed, CTR_MIRROR_TURNED), 1);
	assert_int_equal(counter(&bed, CTR_MIRROR_PICKUP), 1);
	bed.ident++;
	bed_seg(&bed, &talk[2], 300);
	v = only(&bed);
	assert_true(v.conn.status & CONN_ASSURED);
	assert_int_equal(counter(&bed, CTR_ESTABLISHED), 1);
	bed_close(&bed);
}

/* Repairs, bytes and one-way connections are counted once each. */
static void test_counted(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, DUPLICATES_COUNT);
	bed_seg(&bed, &talk[0], 1);
	bed_seg(&bed, &talk[2], 300);
	bed_seg(&bed, &talk[8], 300);
	bed_seg(&bed, &talk[9], 300);
	v = only(&bed);
	assert_true(v.conn.status & CONN_ONE_WAY);
	assert_true(v.conn.status & CONN_ASSURED);
	assert_int_equal(counter(&bed, CTR_MIRROR_ONE_WAY), 1);
	assert_int_equal(counter(&bed, CTR_MIRROR_PICKUP), 1);
	assert_int_equal(counter(&bed, CTR_MIRROR_GAP), 0);
	assert_int_equal(counter(&bed, CTR_MIRROR_HOLES), 700);
	assert_int_equal(v.detail.repairs[CONN_FIX_PICKUP], 1);
	/* the other side comes, and acknowledges what was never seen */
	bed_seg(&bed, &(struct seg){true, 8101, 2001, ACK_, 10}, 300);
	v = only(&bed);
	assert_false(v.conn.status & CONN_ONE_WAY);
	assert_int_equal(counter(&bed, CTR_MIRROR_GAP), 1);
	assert_int_equal(counter(&bed, CTR_MIRROR_LOST), 300);
	/* the same by interface; a connection is repaired once */
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_ONE_WAY)), 1);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_REPAIRED)), 1);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_GAPS)), 1);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_LOST)), 300);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_HOLES)), 700);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_NEW)), 0);
	assert_int_equal(v.detail.repairs[CONN_FIX_GAP], 1);
	bed_close(&bed);
}

/* When the ring runs full doubles are tracked, and that is counted. */
static void test_shed(void **state)
{
	struct bed bed;
	unsigned int i;

	(void)state;
	bed_open(&bed, DUPLICATES_DROP);
	bed.pipe->many = true;
	bed_seg(&bed, &talk[0], 1);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_NEW)), 1);
	for (i = SHED_NOTHING; i <= SHED_DETAILS; i++) {
		bed.pipe->shed = (uint8_t)i;
		bed_seg(&bed, &talk[0], 1);
	}
	assert_int_equal(counter(&bed, CTR_DUPLICATES), 2);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_DUPLICATES)), 2);
	assert_int_equal(counter(&bed, STATS_IFACE(0, IFACE_DOUBLED)), 1);
	assert_int_equal(counter(&bed, CTR_SHED_DETAILS), 1);
	bed_close(&bed);
}

/* auto is the mirror's for live sources alone */
static void test_mode(void **state)
{
	struct policy pol = {.tcp_mode = TCP_MODE_AUTO};

	(void)state;
	assert_true(mirror_mode(&pol, true));
	assert_false(mirror_mode(&pol, false));
	pol.tcp_mode = TCP_MODE_STRICT;
	assert_false(mirror_mode(&pol, true));
	pol.tcp_mode = TCP_MODE_MIRROR;
	assert_true(mirror_mode(&pol, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_turned),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_shed),
		cmocka_unit_test(test_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_trace.c - which packets are told, and what stands in their records.
 * What a kill does to them is in tests/crash.
 */
#include "daemon/worker/trace.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/rcu.h"
#include "shm/region.h"
#include "tests/lib/packet.h"

#define T0 1700000000000000000ull

struct bed {
	struct table *t;
	struct pipeline *pipe;
	struct policy pol;
	uint64_t frame;
	struct packet b;
};

static int bed_open(void **state)
{
	struct region_params p = {.max = 1000,
	                          .nworker = 1,
	                          .ring_bytes = 1 << 18,
	                          .log_bytes = 1 << 16,
	                          .clock_mode = CLOCK_CAPTURE};
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	bed->t = region_memory(&p);
	assert_non_null(bed->t);
	assert_int_equal(proc_attach(bed->t, 0, 0), 0);
	tracker_defaults(&bed->pol);
	bed->pol.acct = bed->pol.events = 1;
	assert_int_equal(rcud_publish(bed->t, &bed->pol), 0);
	bed->pipe = calloc(1, sizeof(*bed->pipe));
	assert_non_null(bed->pipe);
	pipeline_init(bed->pipe, bed->t, 0, 1, true);
	*state = bed;
	return 0;
}

static int bed_close(void **state)
{
	struct bed *bed = *state;

	region_memory_free(bed->t);
	free(bed->pipe);
	free(bed);
	return 0;
}

/* asks for `q` alone */
static void ask(struct bed *bed, const struct trace_tuple *q)
{
	struct trace_want *w = &bed->t->mlog->trace;

	w->tuple[2] = *q;
	w->on = q ? 1u << 2 : 0;
	w->version += 2;
}

static struct policy_net net(const char *addr, unsigned int bits)
{
	struct policy_net n;
	unsigned int i;

	memset(&n, 0, sizeof(n));
	assert_int_equal(
		inet_pton(strchr(addr, ':') ? AF_INET6 : AF_INET, addr, n.addr),
		1);
	for (i = 0; i < bits; i++)
		((uint8_t *)n.mask)[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return n;
}

static uint64_t told(const struct bed *bed)
{
	return bed->t->ring[0].hdr->trace_tail;
}

/* the record of the packet that was told last */
static const struct trace_rec *last(const struct bed *bed)
{
	return table_trace(bed->t, 0, told(bed) - 1);
}

/* the frame in bed->b; was it told? */
static bool bed_send(struct bed *bed)
{
	uint64_t before = told(bed);
	struct pkt p;

	packet_end(&bed->b);
	packet_pkt(&bed->b, &p);
	p.frame = ++bed->frame;
	p.ts_ns = T0 + bed->frame * NS_PER_MS;
	bed->pipe->pol = rcud_enter(bed->t);
	pipeline_batch(bed->pipe, &p, 1);
	rcud_leave(bed->t);
	if (told(bed) == before)
		return false;
	assert_int_equal(told(bed), before + 1);
	assert_int_equal(last(bed)->frame, bed->frame);
	assert_int_equal(last(bed)->tuples, 1u << 2);
	return true;
}

static void begin(struct bed *bed, const char *src, const char *dst)
{
	packet_begin(&bed->b);
	packet_eth(&bed->b);
	if (strchr(src, ':'))
		packet_ip6(&bed->b, src, dst);
	else
		packet_ip4(&bed->b, src, dst);
}

static bool udp(struct bed *bed, const char *src, const char *dst,
                uint16_t sport, uint16_t dport)
{
	begin(bed, src, dst);
	packet_udp(&bed->b, sport, dport);
	return bed_send(bed);
}

static bool echo(struct bed *bed, uint8_t type, uint16_t id)
{
	begin(bed, "10.0.0.1", "10.0.1.1");
	packet_icmp(&bed->b, type, 0, (uint32_t)id << 16 | 1);
	return bed_send(bed);
}

static void test_nobody_asks(void **state)
{
	struct bed *bed = *state;

	assert_false(udp(bed, "10.0.0.1", "10.0.1.1", 1000, 53));
	assert_int_equal(bed->pipe->trace.on, 0);
}

static void test_directions(void **state)
{
	struct bed *bed = *state;
	struct trace_tuple q = {.asks = TRACE_FAMILY | TRACE_PROTO | TRACE_SRC |
	                                TRACE_DST | TRACE_SPORT | TRACE_DPORT,
	                        .l3proto = 4,
	                        .l4proto = 17,
	                        .src = net("10.0.0.1", 32),
	                        .dst = net("10.0.1.0", 24),
	                        .sport = {1000, 1009},
	                        .dport = {53, 53}};

	ask(bed, &q);
	assert_true(udp(bed, "10.0.0.1", "10.0.1.7", 1009, 53));
	assert_int_equal(last(bed)->verdict, TRACE_NEW);
	assert_int_equal(last(bed)->before.status, 0);
	assert_true(udp(bed, "10.0.1.7", "10.0.0.1", 53, 1009));
	assert_int_equal(last(bed)->info, CTINFO_ESTABLISHED_REPLY);
	assert_int_equal(last(bed)->dir, DIR_REPLY);
	assert_int_not_equal(last(bed)->id, 0);
	assert_false(udp(bed, "10.0.0.1", "10.0.2.7", 1009, 53));
	assert_false(udp(bed, "10.0.0.2", "10.0.1.7", 1009, 53));
	assert_false(udp(bed, "10.0.0.1", "10.0.1.7", 1010, 53));
	assert_false(udp(bed, "10.0.0.1", "10.0.1.7", 53, 1009));
	assert_false(udp(bed, "fd00::1", "fd00::2", 1009, 53));
	q.asks &= (uint16_t)~TRACE_PROTO;
	ask(bed, &q);
	/* ICMP has no ports, whatever stands in their place */
	assert_false(echo(bed, 8, 1000));
}

static void test_v6(void **state)
{
	struct bed *bed = *state;
	struct trace_tuple q = {.asks = TRACE_FAMILY | TRACE_SRC,
	                        .l3proto = 6,
	                        .src = net("fd00:1::", 32)};

	ask(bed, &q);
	assert_true(udp(bed, "fd00:1::5", "fd00::2", 1, 2));
	assert_true(udp(bed, "fd00::2", "fd00:1::5", 2, 1));
	assert_false(udp(bed, "fd00:2::5", "fd00::2", 1, 2));
	assert_int_equal(table_trace(bed->t, 0, 0)->flow.l3proto, 6);
}

static void test_id_and_zone(void **state)
{
	struct bed *bed = *state;
	struct trace_tuple q = {.asks = TRACE_ID, .id = 77};

	ask(bed, &q);
	assert_true(echo(bed, 8, 77));
	assert_false(echo(bed, 8, 78));
	assert_false(udp(bed, "10.0.0.1", "10.0.1.1", 77, 77));
	q = (struct trace_tuple){.asks = TRACE_ZONE, .zone = 3};
	ask(bed, &q);
	assert_false(echo(bed, 8, 77));
	bed->pol.zone_from = ZONE_FROM_VLAN;
	assert_int_equal(rcud_publish(bed->t, &bed->pol), 0);
	packet_begin(&bed->b);
	packet_eth(&bed->b);
	packet_vlan(&bed->b, 3);
	packet_ip4(&bed->b, "10.0.0.1", "10.0.1.1");
	packet_udp(&bed->b, 1, 2);
	assert_true(bed_send(bed));
	assert_int_equal(last(bed)->zone, 3);
}

static void test_reasons(void **state)
{
	struct bed *bed = *state;
	struct trace_tuple q = {.asks = 0};
	struct packet quoted;

	ask(bed, &q);
	assert_true(echo(bed, 0, 1));
	assert_int_equal(last(bed)->verdict, TRACE_INVALID);
	assert_string_equal(last(bed)->why,
	                    "no packet that begins a connection");
	assert_true(echo(bed, 42, 1));
	assert_string_equal(last(bed)->why, "invalid icmp type");
	assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 5, 6));
	quoted = bed->b;
	begin(bed, "10.0.1.1", "10.0.9.9");
	packet_icmp(&bed->b, 3, 3, 0);
	packet_quote(&bed->b, &quoted, 8);
	assert_true(bed_send(bed));
	assert_string_equal(last(bed)->why,
	                    "does not go to who sent what it quotes");
	begin(bed, "10.0.2.2", "10.0.0.1");
	packet_icmp(&bed->b, 3, 3, 0);
	packet_quote(&bed->b, &quoted, 8);
	assert_true(bed_send(bed));
	assert_int_equal(last(bed)->verdict, TRACE_RELATED);
	assert_string_equal(last(bed)->why, "");
	assert_int_equal(last(bed)->quoted.port[1], 6);
	assert_int_equal(last(bed)->dir, DIR_REPLY);
}

/* no room: it is told that a packet made no connection, and why */
static void test_full(void **state)
{
	struct bed *bed = *state;
	struct trace_tuple q = {.asks = TRACE_DPORT, .dport = {2, 2}};
	unsigned int i;

	ask(bed, &q);
	bed->pol.max = 1;
	assert_int_equal(rcud_publish(bed->t, &bed->pol), 0);
	for (i = 0; i < 200; i++) {
		assert_true(udp(bed, "10.0.0.1", "10.0.1.1",
		                (uint16_t)(1000 + i), 2));
		if (last(bed)->verdict != TRACE_NEW)
			break;
	}
	assert_int_equal(last(bed)->verdict, TRACE_TABLE_FULL);
	assert_int_equal(last(bed)->after.status, 0);
	assert_int_equal(last(bed)->flags & TRACE_F_DIR, 0);
}

/* While a writer is at it nothing changes; behind it all is new. */
static void test_torn(void **state)
{
	struct bed *bed = *state;
	struct trace_want *w = &bed->t->mlog->trace;
	struct trace_tuple q = {.asks = TRACE_DPORT, .dport = {2, 2}};

	ask(bed, &q);
	assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	w->version++;
	w->tuple[2].dport = (struct policy_range){3, 3};
	assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	w->version++;
	assert_false(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 3));
	assert_int_equal(last(bed)->version, w->version);
}

static void test_ring(void **state)
{
	struct bed *bed = *state;
	struct mlog_header *h = bed->t->mlog;
	struct trace_tuple q = {.asks = 0};
	uint64_t i;

	ask(bed, &q);
	for (i = 0; i < TRACE_RECORDS / 4 * 3; i++)
		assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	h->trace.waits = 1;
	assert_false(trace_ahead(bed->t));
	assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	assert_true(trace_ahead(bed->t));
	h->trace_taken[0] = 1;
	assert_false(trace_ahead(bed->t));
	h->trace_taken[0] = 0;
	h->trace.waits = 0;
	assert_false(trace_ahead(bed->t));
	for (i = told(bed); i < TRACE_RECORDS + 5; i++)
		assert_true(udp(bed, "10.0.0.1", "10.0.1.1", 1, 2));
	assert_int_equal(table_trace(bed->t, 0, 0)->seq, TRACE_RECORDS + 1);
	assert_int_equal(table_trace(bed->t, 0, 5)->seq, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_open, bed_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_nobody_asks), TEST(test_directions), TEST(test_v6),
		TEST(test_id_and_zone), TEST(test_reasons),    TEST(test_full),
		TEST(test_torn),        TEST(test_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

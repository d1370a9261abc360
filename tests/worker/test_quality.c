/*
 * test_quality.c - what packets tell of how well a connection fares: round
 * trips, what came late or again, closed windows, resets, rates.
 */
#include "daemon/worker/quality.h"

#include "shm/rate.h"
#include "tests/worker/bed.h"

static void bed_open(struct bed *bed, enum tcp_mode mode)
{
	bed_table(bed, 1000);
	bed->pol.tcp_mode = (uint8_t)mode;
	bed->pol.duplicates = DUPLICATES_COUNT;
	bed->pol.duplicates_ms = 50;
	bed_start(bed, 0, 1);
}

struct seg {
	bool reply;
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t len;
	uint16_t win;
};

static void bed_seg(struct bed *bed, const struct seg *s, uint64_t us)
{
	bed_begin(bed, s->reply);
	packet_tcp(&bed->b, s->reply ? 80 : 4000, s->reply ? 4000 : 80, s->seq,
	           s->ack, s->flags, s->win);
	bed->ident++;
	packet_fill(&bed->b, 'd', s->len);
	bed_send(bed, us * US);
}

static void bed_udp(struct bed *bed, bool reply, uint32_t len, uint64_t us)
{
	bed_begin(bed, reply);
	packet_udp(&bed->b, reply ? 53 : 4000, reply ? 4000 : 53);
	packet_fill(&bed->b, 'd', len);
	bed->ident++;
	bed_send(bed, us * US);
}

#define SYN_ 0x02
#define RST_ 0x04
#define ACK_ 0x10
#define FIN_ 0x11
#define WIN  65535

/* A handshake with halves of 20 ms, to the server, and 3 ms. */
static void bed_hello(struct bed *bed)
{
	bed_seg(bed, &(struct seg){false, 1000, 0, SYN_, 0, WIN}, 1);
	bed_seg(bed, &(struct seg){true, 5000, 1001, SYN_ | ACK_, 0, WIN},
	        20000);
	bed_seg(bed, &(struct seg){false, 1001, 5001, ACK_, 0, WIN}, 3000);
}

/* the client sends bytes from..to of its stream */
static void bed_data(struct bed *bed, uint32_t from, uint32_t to, uint64_t us)
{
	bed_seg(bed,
	        &(struct seg){false, 1001 + from, 5001, ACK_, to - from, WIN},
	        us);
}

static const enum tcp_mode modes[] = {TCP_MODE_STRICT, TCP_MODE_MIRROR};

static void test_round_trip(void **state)
{
	struct conn_view v;
	struct bed bed;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		bed_open(&bed, modes[i]);
		bed_hello(&bed);
		v = only(&bed);
		assert_int_equal(v.detail.rtt_us[1], 20000);
		assert_int_equal(v.detail.rtt_us[0], 3000);
		/* what comes later is no handshake */
		bed_data(&bed, 0, 100, 7000);
		v = only(&bed);
		assert_int_equal(v.detail.rtt_us[1], 20000);
		assert_int_equal(v.detail.rtt_us[0], 3000);
		bed_close(&bed);
	}
}

/* A SYN that was sent twice: nobody knows which was answered. */
static void test_round_trip_again(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, TCP_MODE_STRICT);
	bed_seg(&bed, &(struct seg){false, 1000, 0, SYN_, 0, WIN}, 1);
	bed_seg(&bed, &(struct seg){false, 1000, 0, SYN_, 0, WIN}, 1000000);
	bed_seg(&bed, &(struct seg){true, 5000, 1001, SYN_ | ACK_, 0, WIN},
	        20000);
	bed_seg(&bed, &(struct seg){false, 1001, 5001, ACK_, 0, WIN}, 3000);
	v = only(&bed);
	assert_int_equal(v.detail.retrans[0], 1);
	assert_int_equal(v.detail.rtt_us[0], 0);
	assert_int_equal(v.detail.rtt_us[1], 0);
	bed_close(&bed);
}

static void test_answer_time(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, TCP_MODE_STRICT);
	bed_udp(&bed, false, 10, 1);
	bed_udp(&bed, true, 10, 4000);
	bed_udp(&bed, true, 10, 4000);
	assert_int_equal(only(&bed).detail.rtt_us[1], 4000);
	assert_int_equal(only(&bed).detail.rtt_us[0], 0);
	bed_close(&bed);
	/* two questions */
	bed_open(&bed, TCP_MODE_STRICT);
	bed_udp(&bed, false, 10, 1);
	bed_udp(&bed, false, 10, 100);
	bed_udp(&bed, true, 10, 4000);
	assert_int_equal(only(&bed).detail.rtt_us[1], 0);
	bed_close(&bed);
}

static void test_order(void **state)
{
	struct conn_view v;
	struct bed bed;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		bed_open(&bed, modes[i]);
		bed_hello(&bed);
		bed_data(&bed, 0, 1000, 10);
		/* late by 5 ms: sooner than a round trip of 23 */
		bed_data(&bed, 2000, 3000, 10);
		bed_data(&bed, 1000, 2000, 5000);
		v = only(&bed);
		assert_int_equal(v.detail.disorder[0], 1);
		assert_int_equal(v.detail.retrans[0], 0);
		/* a hole that is filled behind one was asked for */
		bed_data(&bed, 4000, 5000, 10);
		bed_data(&bed, 3000, 4000, 30000);
		v = only(&bed);
		assert_int_equal(v.detail.disorder[0], 1);
		assert_int_equal(v.detail.retrans[0], 1);
		/* no hole: again */
		bed_data(&bed, 4000, 5000, 60000);
		assert_int_equal(only(&bed).detail.retrans[0], 2);
		/* nothing of it is the other side's */
		v = only(&bed);
		assert_int_equal(v.detail.disorder[1] | v.detail.retrans[1], 0);
		/* bare acknowledgements and keepalives are no data */
		bed_data(&bed, 3000, 3000, 60000);
		bed_data(&bed, 4999, 4999, 60000);
		bed_data(&bed, 4999, 5000, 60000);
		assert_int_equal(only(&bed).detail.retrans[0], 2);
		bed_close(&bed);
	}
}

static void test_ends(void **state)
{
	struct conn_view v;
	struct bed bed;

	(void)state;
	bed_open(&bed, TCP_MODE_STRICT);
	bed_hello(&bed);
	bed_data(&bed, 0, 1000, 10);
	bed_seg(&bed, &(struct seg){true, 5001, 2001, ACK_, 0, 0}, 10);
	bed_seg(&bed, &(struct seg){true, 5001, 2001, ACK_, 0, 0}, 10);
	bed_seg(&bed, &(struct seg){true, 5001, 2001, ACK_, 0, WIN}, 10);
	bed_seg(&bed, &(struct seg){false, 2001, 5001, FIN_, 0, WIN}, 10);
	bed_seg(&bed, &(struct seg){false, 2001, 5001, FIN_, 0, WIN}, 300000);
	bed_seg(&bed, &(struct seg){true, 5001, 2002, RST_ | ACK_, 0, 0}, 10);
	v = only(&bed);
	assert_int_equal(v.detail.zero_window[1], 2);
	assert_int_equal(v.detail.zero_window[0], 0);
	assert_int_equal(v.detail.resets[1], 1);
	assert_int_equal(v.detail.resets[0], 0);
	assert_int_equal(v.detail.retrans[0], 1);
	bed_close(&bed);
}

/* What the mirror shows twice was not sent twice. */
static void test_double(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, TCP_MODE_MIRROR);
	bed_hello(&bed);
	bed_data(&bed, 0, 1000, 10);
	bed.ident--;
	bed_data(&bed, 0, 1000, 10);
	assert_true(only(&bed).conn.status & CONN_DOUBLED);
	assert_int_equal(only(&bed).detail.retrans[0], 0);
	/* a new identification is a new packet, but there is no news: whoever
	 * sends again takes longer than that */
	bed_data(&bed, 0, 1000, 200000);
	assert_int_equal(only(&bed).detail.retrans[0], 1);
	bed_close(&bed);
}

static uint32_t rate_seen(const struct bed *bed, uint8_t dir, uint64_t at)
{
	struct conn_view v = only(bed);

	return rate_of(&v.detail, dir, at);
}

/* 100 ms apart, `len` bytes of IP */
static void test_rate(void **state)
{
	struct bed bed;
	uint32_t i, rate;

	(void)state;
	bed_open(&bed, TCP_MODE_STRICT);
	for (i = 0; i < 400; i++) {
		bed_udp(&bed, false, 1000 - 28, 50000);
		bed_udp(&bed, true, 100 - 28, 50000);
		if (i < 100)
			continue;
		rate = rate_seen(&bed, 0, bed.now);
		assert_in_range(rate, 9300, 10700);
		rate = rate_seen(&bed, 1, bed.now);
		assert_in_range(rate, 930, 1070);
	}
	/* and when nothing comes any more */
	rate = rate_seen(&bed, 0, bed.now);
	assert_in_range(rate_seen(&bed, 0, bed.now + (4ull << RATE_EPOCH)),
	                rate / 17, rate / 15);
	assert_int_equal(rate_seen(&bed, 0, bed.now + (40ull << RATE_EPOCH)),
	                 0);
	/* a packet behind a long silence */
	bed_udp(&bed, false, 1000 - 28, 60000000);
	assert_in_range(rate_seen(&bed, 0, bed.now), 400, 1000);
	bed_close(&bed);
}

static void test_rate_bounds(void **state)
{
	struct conn_detail x = {.last_ns = T0, .rate = {UINT32_MAX - 5, 7}};

	(void)state;
	rate_add(&x, T0, 0, 100);
	assert_int_equal(x.rate[0], UINT32_MAX);
	/* a clock that goes back halves nothing */
	rate_add(&x, T0 - (9ull << RATE_EPOCH), 1, 1);
	assert_int_equal(x.rate[0], UINT32_MAX);
	assert_int_equal(x.rate[1], 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_again),
		cmocka_unit_test(test_answer_time),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

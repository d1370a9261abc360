/*
 * test_tcp_plain.c - the short way of a plain segment ends where the long one
 * does: random segments on random connections, by both.
 */
#include "tests/tracker/feed.h"

#include "daemon/tracker/tcp_plain.h"
#include "tests/lib/keys.h"

#define TRIES 400000u

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
	state = noise(state);
	return (uint32_t)(state >> 32) % n;
}

/* a number near `at`, in either direction, often exactly there */
static uint32_t near(uint32_t at)
{
	static const uint32_t reach[] = {1, 3, 2000, 70000, 1u << 20};
	uint32_t r = reach[below(ARRAY_SIZE(reach))];

	return at + below(2 * r) - r;
}

static void conn_random(struct conn *conn)
{
	struct tcp_priv *t = tcp_of(conn);
	uint32_t base = (uint32_t)noise(below(8)), i;

	memset(conn, 0, sizeof(*conn));
	conn->state = below(16) ? ES : (uint8_t)below(TCP_NSTATES);
	conn->status = CONN_CONFIRMED | (below(16) ? CONN_SEEN_REPLY : 0) |
	               (below(2) ? CONN_ASSURED : 0) |
	               (below(16) ? 0 : CONN_ONE_WAY) |
	               (below(16) ? 0 : CONN_TAIL_MASK);
	for (i = 0; i < 2; i++) {
		t->side[i].end = near(base);
		t->side[i].maxend = near(t->side[i].end + 30000);
		t->side[i].maxwin = below(8) ? below(1u << below(24)) : 0;
		t->side[i].maxack = near(base);
	}
	t->flags = below(1u << 2 * SIDE_BITS);
	t->scale = below(256);
	t->last_index = below(TCP_NCLASSES) & 7;
	t->last_dir = below(2) & 1;
	t->last_seq = near(base);
	t->last_ack = near(base);
	t->last_end = near(base);
	t->last_win = (uint16_t)below(3);
	t->retrans = (uint8_t)below(5);
	t->simultaneous = below(2) & 1;
	t->challenge = below(2) & 1;
}

/* as old as may be, and its neighbours */
static uint32_t ack_edge(const struct tcp_priv *t, uint8_t dir)
{
	uint32_t lag = t->side[dir].maxwin;

	return t->side[!dir].end - (lag > 66000 ? lag : 66000) + 1 - below(3);
}

/* returns its length */
static uint32_t segment_random(uint8_t *b, const struct conn *conn, uint8_t dir)
{
	static const uint8_t timestamps[] = {1, 1, 8, 10};
	const struct tcp_priv *t = (const void *)conn->priv;
	uint32_t hlen = below(3) ? 20 : 20 + 4 * below(6), i;
	bool again = !below(6);

	for (i = 0; i < 44; i++)
		b[i] = (uint8_t)below(256);
	put32(b + 4, again      ? t->last_seq
	             : below(2) ? t->side[dir].end
	                        : near(t->side[dir].end));
	put32(b + 8, again      ? t->last_ack
	             : below(4) ? near(t->side[!dir].end)
	                        : ack_edge(t, dir));
	b[12] = (uint8_t)(hlen << 2);
	b[13] = below(8) ? TH_ACK : TH_ACK | 1u << below(6);
	put16(b + 14, again ? t->last_win : below(3) ? below(65536) : 0);
	if (below(2))
		memcpy(b + 20, timestamps, sizeof(timestamps));
	else if (below(2)) /* a SACK block */
		memcpy(b + 20, (uint8_t[]){1, 1, 5, 10}, 4);
	return hlen;
}

static void test_both_ways(void **unused)
{
	uint32_t i, plain = 0, timeouts[8] = {0};
	uint8_t b[64], dir;
	struct feed f;

	(void)unused;
	feed_open(&f, 4, 6);
	f.live = true;
	for (i = 0; i < TRIES; i++) {
		struct conn was, a, g;
		struct trk_ctx ca, cg;
		uint32_t hlen, cut, len = below(2) ? below(1500) : 0;

		conn_random(&was);
		dir = below(2) & 1;
		hlen = segment_random(b, &was, dir);
		cut = below(20) ? hlen : below(hlen + 1);
		f.pol.option[f.id][OPT_LIBERAL] = !below(4);
		f.pol.option[f.id][OPT_RETRANS] = below(8) ? 3 : 0;
		f.pol.timeout[f.id][ES] = below(4) ? 432000 : below(400);
		feed_load(&f, dir, b, cut, hlen + len);
		f.c.dir = dir;
		f.c.mirror = !below(40);
		a = g = was;
		ca = cg = f.c;
		if (tcp_plain(&ca, &a)) {
			plain++;
			assert_int_equal(tcp_judge(&cg, &g), TRK_ACCEPT);
			assert_memory_equal(&a, &g, sizeof(a));
			assert_int_equal(ca.timeout, cg.timeout);
			assert_int_equal(ca.events, cg.events);
			assert_int_equal(ca.quality, cg.quality);
			assert_null(cg.why);
			assert_false(cg.lower_timeout);
			timeouts[ca.timeout == 432000 ? 0
			         : ca.timeout == 300  ? 1
			                              : 2]++;
		} else {
			assert_memory_equal(&a, &was, sizeof(a));
			assert_memory_equal(&ca, &f.c, sizeof(ca));
		}
		feed_drop(&f);
	}
	/* what was random was not all the same */
	assert_in_range(plain, TRIES / 50, TRIES / 2);
	assert_true(timeouts[0] > 100 && timeouts[1] > 100);
	assert_true(timeouts[2] > 100);
}

/* first segments, most of them SYNs with options, whole or not */
static uint32_t first_random(uint8_t *b)
{
	static const uint8_t offers[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
	                                 0, 1, 0, 0,   0, 0, 1, 3,  3, 0};
	uint32_t hlen = below(3) ? 40 : 20 + 4 * below(6), i;

	for (i = 0; i < 44; i++)
		b[i] = (uint8_t)below(256);
	b[12] = (uint8_t)(hlen << 2);
	b[13] = below(8) ? TH_SYN : (uint8_t)below(64);
	if (!below(8))
		put16(b + 14, 0);
	if (below(4)) {
		memcpy(b + 20, offers, sizeof(offers));
		b[39] = (uint8_t)below(20);
		if (below(2)) /* one of them is missing or broken */
			b[20 + below(20)] = (uint8_t)below(6);
	}
	return hlen;
}

static void test_first(void **unused)
{
	uint32_t i, plain = 0, scaled = 0, sacked = 0, shortened = 0;
	uint8_t b[64];
	struct feed f;

	(void)unused;
	feed_open(&f, 4, 6);
	f.live = true;
	for (i = 0; i < TRIES; i++) {
		struct conn was = {.status = CONN_CONFIRMED}, a, g;
		struct trk_ctx ca, cg;
		uint32_t hlen = first_random(b), cut, len;

		len = below(2) ? below(1500) : 0;
		cut = below(20) ? hlen : below(hlen + 1);
		if (!below(20))
			was.status |= below(2) ? CONN_ONE_WAY : CONN_SEEN_REPLY;
		f.pol.option[f.id][OPT_LIBERAL] = !below(4);
		f.pol.option[f.id][OPT_RETRANS] = below(3);
		f.pol.timeout[f.id][SS] = below(4) ? 120 : below(700);
		feed_load(&f, DIR_ORIGINAL, b, cut, hlen + len);
		f.c.first = true;
		f.c.dir = !below(20);
		f.c.mirror = !below(4);
		a = g = was;
		ca = cg = f.c;
		if (tcp_plain_syn(&ca, &a)) {
			const struct tcp_priv *t = (const void *)a.priv;

			plain++;
			assert_int_equal(tcp_judge(&cg, &g), TRK_ACCEPT);
			assert_memory_equal(&a, &g, sizeof(a));
			assert_int_equal(ca.timeout, cg.timeout);
			assert_int_equal(ca.events, cg.events);
			assert_int_equal(ca.quality, cg.quality);
			assert_null(cg.why);
			scaled += side_scale(t, DIR_ORIGINAL) != 0;
			sacked += side_has(t, DIR_ORIGINAL, SIDE_SACK);
			shortened += ca.timeout == 300;
		} else {
			assert_memory_equal(&a, &was, sizeof(a));
			assert_memory_equal(&ca, &f.c, sizeof(ca));
		}
		feed_drop(&f);
	}
	assert_in_range(plain, TRIES / 2, TRIES - TRIES / 20);
	assert_true(scaled > 1000 && sacked > 1000 && shortened > 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_batch.c - packets that go through the stages together come to the same
 * as packets that go one by one: what was located for one of them may be gone,
 * and another's, when its turn comes.
 */
#include "tests/worker/bed.h"

#define FRAMES 24u

struct story {
	struct packet b[FRAMES];
	uint64_t ts_ns[FRAMES];
	unsigned int n;
	struct bed scratch;
};

static void story_end(struct story *s, uint32_t ms)
{
	uint64_t before = s->n ? s->ts_ns[s->n - 1] : T0;

	assert_true(s->n < FRAMES);
	packet_end(&s->scratch.b);
	s->b[s->n] = s->scratch.b;
	s->ts_ns[s->n++] = before + ms * MS;
}

static void story_tcp(struct story *s, uint16_t port, bool reply, uint32_t seq,
                      uint32_t ack, uint8_t flags)
{
	bed_begin(&s->scratch, reply);
	packet_tcp(&s->scratch.b, reply ? 80 : port, reply ? port : 80, seq,
	           ack, flags, 65535);
	story_end(s, 1);
}

static void story_udp(struct story *s, uint16_t port, bool reply, uint32_t ms)
{
	bed_begin(&s->scratch, reply);
	packet_udp(&s->scratch.b, reply ? 53 : port, reply ? port : 53);
	packet_fill(&s->scratch.b, 'x', 10);
	story_end(s, ms);
}

/* what stands there when all the others are located */
#define STORY_FIRST 3u

static void story_tell(struct story *s, bool v6)
{
	memset(s, 0, sizeof(*s));
	s->scratch.ttl = 64;
	s->scratch.v6 = v6;
	story_tcp(s, 4000, false, 1000, 0, 0x02);
	story_tcp(s, 4001, false, 1000, 0, 0x02);
	story_udp(s, 5000, false, 0);
	/* killed by its first reply (B3), and another of the same tuple */
	story_tcp(s, 4000, true, 0, 1001, 0x14);
	story_tcp(s, 4000, false, 7000, 0, 0x02);
	story_tcp(s, 4000, true, 5000, 7001, 0x12);
	story_tcp(s, 4000, false, 7001, 5001, 0x10);
	story_tcp(s, 4000, false, 7001, 5001, 0x18);
	/* killed, and nothing comes but what belongs to nobody */
	story_tcp(s, 4001, true, 0, 1001, 0x14);
	story_tcp(s, 4001, true, 5000, 1001, 0x12);
	/* one that is over when it comes again (F061) */
	story_udp(s, 5000, false, 31000);
	story_udp(s, 5000, true, 1);
	/* a new one, met again before anybody could locate it */
	story_udp(s, 5001, false, 1);
	story_udp(s, 5001, true, 1);
	/* reopened (F080): closed by RST, and a SYN with a higher number */
	story_tcp(s, 4000, false, 7001, 5001, 0x14);
	story_tcp(s, 4000, false, 90000, 0, 0x02);
	story_tcp(s, 4000, true, 60000, 90001, 0x12);
}

static void story_play(struct story *s, struct bed *bed, unsigned int at_once)
{
	struct pkt p[FRAMES];
	unsigned int i, n;

	bed_table(bed, 10000);
	bed_start(bed, 0, 1);
	for (i = 0; i < s->n; i++) {
		packet_pkt(&s->b[i], &p[i]);
		p[i].ts_ns = s->ts_ns[i];
		p[i].frame = i + 1;
	}
	for (i = 0; i < s->n; i += n) {
		n = i < STORY_FIRST ? STORY_FIRST : at_once;
		n = s->n - i < n ? s->n - i : n;
		bed->pipe->pol = rcud_enter(bed->t);
		pipeline_batch(bed->pipe, p + i, n);
		rcud_leave(bed->t);
	}
}

static void events_same(const struct bed *a, const struct bed *b)
{
	const struct event_ring *g = &a->t->ring[0], *h = &b->t->ring[0];
	uint64_t at;

	assert_true(g->hdr->tail > 16);
	assert_int_equal(g->hdr->tail, h->hdr->tail);
	for (at = 0; at < g->hdr->tail; at += g->cell[at].cells) {
		const struct event_cell *c = &g->cell[at], *d = &h->cell[at];

		assert_int_equal(c->type, d->type);
		assert_int_equal(c->cells, d->cells);
		assert_int_equal(c->reason, d->reason);
		assert_int_equal(c->bits, d->bits);
		assert_int_equal(c->status, d->status);
		assert_int_equal(c->ts_ns, d->ts_ns);
	}
}

static void compare(bool v6)
{
	struct story *s = calloc(1, sizeof(*s));
	struct bed one, all;
	unsigned int c;

	assert_non_null(s);
	story_tell(s, v6);
	story_play(s, &one, 1);
	story_play(s, &all, FRAMES);
	assert_int_equal(table_count(one.t), 3);
	assert_int_equal(table_count(all.t), 3);
	assert_int_equal(counter(&one, CTR_DELETE), 4);
	events_same(&one, &all);
	for (c = 0; c < CTR_COUNT; c++)
		if (c != CTR_SEARCHED)
			assert_int_equal(counter(&one, c), counter(&all, c));
	bed_close(&one);
	bed_close(&all);
	free(s);
}

static void test_v4(void **state)
{
	(void)state;
	compare(false);
}

static void test_v6(void **state)
{
	(void)state;
	compare(true);
}

#define MANY 3000u

/* Some of so many have the tag of another in the same line: the word that fits
 * first is not theirs. */
static void test_tags(void **state)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	struct bed bed;
	uint32_t i, n = 0;

	(void)state;
	bed_table(&bed, 10000);
	bed_start(&bed, 0, 1);
	for (i = 0; i < 2 * MANY; i++) {
		bool reply = i >= MANY;
		uint16_t port = (uint16_t)(1024 + i % MANY);

		bed_begin(&bed, reply);
		packet_udp(&bed.b, reply ? 53 : port, reply ? port : 53);
		bed_send(&bed, 1);
	}
	for (; conn_walk(bed.t, &w, &v); n++) {
		assert_int_equal(v.conn.packets[0], 1);
		assert_int_equal(v.conn.packets[1], 1);
	}
	assert_int_equal(n, MANY);
	bed_close(&bed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

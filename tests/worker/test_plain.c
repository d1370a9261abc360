/*
 * test_plain.c - the short way of a plain segment through the stages ends where
 * the general way does: the same random packets by both, and then both tables
 * have the same bytes, counters and events.
 */
#include "tests/worker/bed.h"

#include "daemon/tracker/tcp.h"
#include "shm/tick.h"
#include "tests/lib/keys.h"

#define CONNS   12u
#define SEEDS   80u
#define BATCHES 50u

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state = noise(state + 1);
	return (uint32_t)(state >> 32) % n;
}

/* what an end of a connection would send next */
struct talk {
	uint32_t seq[2], ack[2];
	uint16_t port;
	bool open;
};

struct both {
	struct bed plain, general;
	struct talk talk[CONNS];
	struct packet b[PIPELINE_BATCH];
	uint64_t ts_ns[PIPELINE_BATCH];
	uint32_t cut[PIPELINE_BATCH]; /* bytes that the capture has not */
	uint64_t now, frame;
	uint32_t conns;
	bool v6, tag;
};

static struct policy_rule *rule_of_port(struct policy *pol, uint16_t port,
                                        uint16_t gives)
{
	struct policy_rule *r = &pol->rule[pol->nrule++];

	r->asks = RULE_SPORT;
	r->nsport = 1;
	r->sport[0] = (struct policy_range){port, port};
	r->gives = gives;
	pol->rule_gives |= (uint8_t)gives;
	return r;
}

/* A connection with timeouts of its own, one that is seen from one side, and
 * timeouts so short that they pass between two packets. */
static void policy_random(struct policy *pol)
{
	struct policy_rule *r;

	pol->tcp_mode = below(2) ? TCP_MODE_MIRROR : TCP_MODE_STRICT;
	pol->duplicates = (uint8_t)below(3);
	pol->duplicates_ms = 50;
	pol->acct = below(8) != 0;
	pol->zone_from = below(4) ? 0 : ZONE_FROM_VLAN;
	if (below(2)) {
		pol->timeout[0][ES] = 3;
		pol->timeout[0][TMO_UNACK] = 1;
	}
	if (!below(4))
		pol->checksum = CHECKSUM_ON;
	if (!below(4)) {
		r = rule_of_port(pol, 2001, RULE_NOTRACK);
		r->notrack = 1;
		r = rule_of_port(pol, 2002, RULE_ZONE);
		r->zone[0] = r->zone[1] = 7;
	}
	if (below(2)) {
		r = rule_of_port(pol, 2003, RULE_TIMEOUT);
		r->profile = 1;
		pol->profile_on[0] = 1;
		memcpy(pol->profile[0], pol->timeout, sizeof(pol->timeout));
		pol->profile[0][0][ES] = 7;
		r = rule_of_port(pol, 2004, RULE_ONE_WAY);
		r->one_way = 1;
	}
}

/* as a command might; the same one in both */
static void both_fix(struct both *o)
{
	uint32_t sh = below(o->plain.t->nshard);
	struct conn *c = table_conn(o->plain.t, sh, 1);

	if (!(c->seq & 1) && c->status & CONN_ASSURED) {
		c->status |= CONN_FIXED_TIMEOUT;
		table_conn(o->general.t, sh, 1)->status |= CONN_FIXED_TIMEOUT;
	}
}

/* the second bed has the first's secrets, so that all falls in the same places
 */
static void both_open(struct both *o, bool shares)
{
	struct bed *bed[2] = {&o->plain, &o->general};
	struct policy *pol = &o->plain.pol;
	unsigned int i;

	for (i = 0; i < 2; i++)
		bed_table(bed[i], 4000);
	o->general.t->key = o->plain.t->key;
	policy_random(pol);
	o->general.pol = *pol;
	for (i = 0; i < 2; i++)
		bed_start(bed[i], 0, shares ? 2 : 1);
	/* as if somebody traced: nothing takes a short way */
	o->general.pipe->plain = LANE_SKIP;
}

static void packet_talk(struct both *o, unsigned int n)
{
	struct talk *k = &o->talk[below(o->conns)];
	struct bed *s = &o->plain;
	struct packet *b = &o->b[n];
	uint32_t what = below(40), len = below(3) ? below(1400) : 0;
	bool reply = below(2);
	uint8_t flags = 0x10, *h;

	s->v6 = o->v6;
	s->tag = o->tag && !below(4);
	s->ident = (uint16_t)below(3);
	bed_begin(s, reply);
	if (!k->open || (what == 0 && !below(3))) {
		flags = (uint8_t)(k->open ? below(64) : reply ? 0x12 : 0x02);
		k->open |= reply;
		k->seq[reply] += below(2) * below(100000);
		len = 0;
	}
	if (what == 1) /* a hole, or something old */
		k->seq[reply] += below(4000) - 2000;
	packet_tcp(&s->b, reply ? 80 : k->port, reply ? k->port : 80,
	           k->seq[reply], what == 2 ? below(1u << 31) : k->seq[!reply],
	           flags, what == 3 ? 0 : (uint16_t)(20000 + below(40000)));
	h = s->b.buf + packet_at(&s->b, PACKET_TCP);
	if (what == 4)
		h[13] = (uint8_t)(below(2) ? 0x11 : below(256));
	if (flags == 0x10 && what > 20)
		packet_tcp_option(&s->b, 8, "12345678", 8);
	packet_tcp_pad(&s->b);
	packet_fill(&s->b, 'x', len);
	packet_end(&s->b);
	if (what == 6)
		h[17] ^= 1; /* its checksum */
	if (what == 5 && n) /* the one before once more */
		s->b = o->b[n - 1];
	*b = s->b;
	if (what != 4 && what != 1 && what != 2)
		k->seq[reply] += len + (flags >> 1 & 1);
	o->now += below(20) ? below(2000000) : below(20) * 170 * NS_PER_MS;
	o->ts_ns[n] = o->now;
	o->cut[n] = below(10) ? 0 : below(60);
}

static void both_batch(struct both *o, unsigned int n)
{
	struct bed *bed[2] = {&o->plain, &o->general};
	struct pkt p[PIPELINE_BATCH];
	unsigned int i, j;

	for (j = 0; j < 2; j++) {
		for (i = 0; i < n; i++) {
			packet_pkt(&o->b[i], &p[i]);
			p[i].ts_ns = o->ts_ns[i];
			p[i].frame = o->frame + i + 1;
			p[i].caplen -= o->cut[i];
		}
		bed[j]->pipe->pol = rcud_enter(bed[j]->t);
		pipeline_batch(bed[j]->pipe, p, n);
		rcud_leave(bed[j]->t);
	}
	o->frame += n;
}

static void same(const void *a, const void *b, size_t len, const char *what)
{
	if (memcmp(a, b, len))
		fail_msg("%s differs", what);
}

static void both_same(const struct both *o)
{
	const struct table *a = o->plain.t, *b = o->general.t;
	const struct ring_header *g = a->ring[0].hdr, *h = b->ring[0].hdr;
	size_t n = (size_t)a->nshard * a->cap;

	same(a->shard, b->shard, a->nshard * sizeof(*a->shard), "a shard");
	same(a->line, b->line, (size_t)a->nshard * a->nline * sizeof(*a->line),
	     "the index");
	same(a->chk, b->chk, n * sizeof(*a->chk), "chk");
	same(a->entry, b->entry, n * a->stride, "an entry");
	same(a->addr6, b->addr6, n * sizeof(*a->addr6), "addresses");
	same(g->counter, h->counter, sizeof(g->counter), "a counter");
	assert_int_equal(g->cursor[0], h->cursor[0]);
	assert_int_equal(g->tail, h->tail);
	assert_int_equal(o->plain.pipe->due, o->general.pipe->due);
	same(a->ring[0].cell, b->ring[0].cell,
	     (size_t)g->tail * sizeof(struct event_cell), "an event");
}

static void run(bool v6, bool shares)
{
	struct both *o = calloc(1, sizeof(*o));
	unsigned int seed, i, n;
	uint64_t plain = 0;

	assert_non_null(o);
	for (seed = 0; seed < SEEDS; seed++) {
		memset(o, 0, sizeof(*o));
		state = seed;
		o->v6 = v6;
		o->tag = seed & 1;
		o->conns = seed % 4 ? CONNS : 1;
		o->now = T0;
		for (i = 0; i < CONNS; i++)
			o->talk[i].port = (uint16_t)(2000 + i);
		both_open(o, shares);
		for (i = 0; i < BATCHES; i++) {
			for (n = 0; n < PIPELINE_BATCH && below(50); n++)
				packet_talk(o, n);
			both_batch(o, n);
			both_fix(o);
		}
		both_same(o);
		plain += counter(&o->plain, CTR_ESTABLISHED);
		bed_close(&o->plain);
		bed_close(&o->general);
	}
	/* or nothing of it was tried */
	assert_true(plain > 1000);
	free(o);
}

static void test_v4(void **st)
{
	(void)st;
	run(false, false);
}

static void test_v6(void **st)
{
	(void)st;
	run(true, false);
}

/* which workers share a capture changes nothing for a worker's own packets */
static void test_shares(void **st)
{
	(void)st;
	run(false, true);
}

static void packet_by_hand(struct both *o, bool reply, uint8_t flags,
                           uint32_t seq, uint32_t ack, uint32_t len,
                           uint32_t seconds)
{
	struct bed *s = &o->plain;

	bed_begin(s, reply);
	packet_tcp(&s->b, reply ? 80 : 2000, reply ? 2000 : 80, seq, ack, flags,
	           60000);
	packet_fill(&s->b, 'x', len);
	packet_end(&s->b);
	o->b[0] = s->b;
	o->now += seconds * NS_PER_S;
	o->ts_ns[0] = o->now;
	both_batch(o, 1);
	both_same(o);
}

/* Of a capture: who must be looked at sooner because of a plain segment, is. */
static void test_due(void **st)
{
	struct both *o = calloc(1, sizeof(*o));
	struct bed *bed[2];
	unsigned int i;

	(void)st;
	assert_non_null(o);
	o->now = T0;
	bed[0] = &o->plain;
	bed[1] = &o->general;
	for (i = 0; i < 2; i++)
		bed_table(bed[i], 4000);
	o->general.t->key = o->plain.t->key;
	for (i = 0; i < 2; i++)
		bed_start(bed[i], 0, 1);
	o->general.pipe->plain = LANE_SKIP;
	packet_by_hand(o, false, 0x02, 100, 0, 0, 0);
	packet_by_hand(o, true, 0x12, 500, 101, 0, 0);
	packet_by_hand(o, false, 0x10, 101, 501, 0, 0);
	/* the deadlines of the handshake have passed */
	packet_by_hand(o, false, 0x10, 101, 501, 0, 200);
	packet_by_hand(o, true, 0x10, 501, 101, 0, 1);
	assert_true(tick_left(o->plain.pipe->due, 202000) > 1000000);
	packet_by_hand(o, true, 0x18, 501, 101, 10, 1);
	assert_int_equal(o->plain.pipe->due, 202000 + 300000);
	bed_close(&o->plain);
	bed_close(&o->general);
	free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

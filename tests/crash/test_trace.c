/*
 * test_trace.c - a traced worker is killed at every instruction.
 *
 * A worker takes a dozen frames of every fate and is single-stepped; wherever
 * an instruction has changed the shared memory, a kill behind it would leave
 * this state.  A successor takes over and works off the rest.  In the end each
 * frame must have been told exactly once, in order, in the same words as in a
 * run that nobody disturbed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/worker/pipeline.h"
#include "shm/atomic.h"
#include "shm/rcu.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"
#include "tests/lib/packet.h"
#include "tests/lib/traffic.h"

#define T0     1700000000000000000ull
#define FRAMES 13u

static struct packet frame[FRAMES];
static struct table *stepped, *copy;
static struct trace_rec want[FRAMES];
static uint16_t port[2]; /* of TCP, of UDP */

static void begin(unsigned int n, bool reply)
{
	packet_begin(&frame[n]);
	packet_eth(&frame[n]);
	packet_ip4(&frame[n], reply ? "10.0.1.1" : "10.0.0.1",
	           reply ? "10.0.0.1" : "10.0.1.1");
}

static void tcp(unsigned int n, bool reply, uint32_t seq, uint32_t ack,
                uint8_t flags)
{
	begin(n, reply);
	packet_tcp(&frame[n], reply ? 80 : port[0], reply ? port[0] : 80, seq,
	           ack, flags, 1000);
	packet_end(&frame[n]);
}

static void udp(unsigned int n, bool reply, uint16_t dport)
{
	begin(n, reply);
	packet_udp(&frame[n], reply ? dport : port[1], reply ? port[1] : dport);
	packet_end(&frame[n]);
}

/* A port whose connection lives in the shards that images have. */
static uint16_t port_find(const struct table *t, uint8_t l4proto,
                          const struct packet *b, uint16_t at)
{
	struct policy pol = {.version = 1};
	struct conn_lookup k;
	struct pkt p;
	uint8_t id;
	bool land;

	tracker_defaults(&pol);
	packet_pkt(b, &p);
	pkt_parse(&p);
	key_of_packet(t, &p, tracker_find(&pol, l4proto, &id), &k, &land);
	return k.shard < IMAGE_SHARDS ? at : 0;
}

static void frames_make(const struct table *t)
{
	uint16_t found;

	for (port[0] = 1024, found = 0; !found && port[0]; port[0]++) {
		tcp(0, false, 1000, 0, 0x02);
		found = port_find(t, 6, &frame[0], port[0]);
	}
	port[0] = found;
	for (port[1] = 1024, found = 0; !found && port[1]; port[1]++) {
		udp(1, false, 53);
		found = port_find(t, 17, &frame[1], port[1]);
	}
	port[1] = found;
	assert_true(port[0] && port[1]);
	tcp(1, true, 5000, 1001, 0x12);
	tcp(2, false, 1001, 5001, 0x10);
	tcp(3, false, 900000, 5001, 0x10); /* beyond the window */
	tcp(4, false, 1001, 5001, 0x04);   /* RST */
	tcp(5, false, 7000, 0, 0x02);      /* the connection is reopened */
	tcp(6, true, 0, 7001, 0x14);       /* and ended by its first answer */
	udp(7, false, 53);
	udp(8, true, 53);
	begin(9, true); /* about the datagram */
	packet_icmp(&frame[9], 3, 3, 0);
	packet_quote(&frame[9], &frame[7], 8);
	packet_end(&frame[9]);
	tcp(10, false, 1, 0, 0x03); /* SYN and FIN */
	udp(11, false, 9);          /* a rule says notrack */
	tcp(12, true, 1, 1, 0x12);  /* an answer to nothing */
}

static void policy_make(struct table *t)
{
	static struct policy pol;
	struct policy_rule *r = &pol.rule[0];

	tracker_defaults(&pol);
	pol.acct = pol.events = 1;
	pol.nrule = 1;
	pol.rule_gives = RULE_NOTRACK;
	r->asks = RULE_DPORT;
	r->gives = RULE_NOTRACK;
	r->notrack = 1;
	r->ndport = 1;
	r->dport[0] = (struct policy_range){9, 9};
	assert_int_equal(rcud_publish(t, &pol), 0);
}

static struct table *table_open(void)
{
	struct table *t = table_make(64, true, 64);

	assert_non_null(t);
	t->nshard = IMAGE_SHARDS;
	policy_make(t);
	t->mlog->trace.on = 1; /* a tuple that asks for nothing fits all */
	t->mlog->trace.version = 2;
	return t;
}

/* What a worker does from its cursor on. */
static void worker(void *arg)
{
	static struct pipeline pipe;
	struct table *t = arg;
	unsigned int n;

	pipeline_init(&pipe, t, 0, 1, true);
	for (n = (unsigned int)traffic_cursor(t); n < FRAMES; n++) {
		struct pkt p;

		packet_pkt(&frame[n], &p);
		p.ts_ns = T0 + n * NS_PER_MS;
		p.frame = n + 1;
		pipe.pol = rcud_enter(t);
		pipeline_batch(&pipe, &p, 1);
		rcud_leave(t);
	}
}

static uint64_t told(const struct table *t)
{
	return t->ring[0].hdr->trace_tail;
}

/* What follows from the packet alone, and what was made of it.  An heir of one
 * that had ended the old connection finds a new one in its place. */
static bool same(const struct trace_rec *a, const struct trace_rec *b)
{
	return a->seq == b->seq && a->frame == b->frame && a->id == b->id &&
	       a->tuples == b->tuples && a->verdict == b->verdict &&
	       a->info == b->info && !strcmp(a->why, b->why) &&
	       a->after.state == b->after.state &&
	       !memcmp(a->after.priv, b->after.priv, CONN_PRIV) &&
	       !memcmp(a->head, b->head, TRACE_HEAD);
}

static const char *heir(void)
{
	unsigned int i;

	/* what was published before stays as it is */
	if (told(copy) != traffic_cursor(copy))
		return "told and done are not the same";
	worker(copy);
	if (told(copy) != FRAMES)
		return "not every frame was told once";
	for (i = 0; i < FRAMES; i++)
		if (!same(table_trace(copy, 0, i), &want[i]))
			return "another record";
	return NULL;
}

static void test_kill(void **state)
{
	uint64_t images = 0, bad = 0;
	struct stepper st;
	char *start, *now;
	unsigned int i;

	(void)state;
	if (!stepper_allowed())
		skip();
	stepped = table_open();
	copy = table_open();
	frames_make(stepped);
	start = malloc(image_size(stepped));
	now = malloc(image_size(stepped));
	assert_non_null(start);
	assert_non_null(now);
	image_save(stepped, start);
	worker(stepped);
	assert_int_equal(told(stepped), FRAMES);
	for (i = 0; i < FRAMES; i++)
		want[i] = *table_trace(stepped, 0, i);
	image_load(stepped, start);
	stepped->ring[0].hdr->clock_ns = 0; /* not part of images */
	image_save(stepped, now);
	assert_int_equal(stepper_start(&st, worker, stepped), 0);
	while (stepper_next(&st)) {
		const char *why;

		if (!image_sync(stepped, now) || (STEPPER_SLOW && images++ % 7))
			continue;
		images++;
		image_load(copy, now);
		copy->ring[0].hdr->clock_ns = stepped->ring[0].hdr->clock_ns;
		takeover(copy, images & 1);
		why = heir();
		if (why && bad++ < 5)
			print_error("instruction %llu: %s\n",
			            (unsigned long long)st.steps, why);
	}
	assert_int_equal(stepper_collect(&st), 0);
	print_message("trace: %llu instructions, %llu images\n",
	              (unsigned long long)st.steps, (unsigned long long)images);
	assert_int_equal(bad, 0);
	assert_true(images > 500);
	free(start);
	free(now);
	table_drop(copy);
	table_drop(stepped);
}

/* Two sources number alike: whoever is killed while a record is noted has not
 * noted that of the other's packet, which is done. */
static void put_second(void *arg)
{
	static struct trace_rec rec;
	static const struct op_cursor second = {5, 1};

	trace_put(arg, &rec, &second);
}

static void test_kill_put(void **state)
{
	struct table *t;
	struct ring_header *h, *left;
	struct stepper st;
	unsigned int steps = 0;

	(void)state;
	if (!stepper_allowed())
		skip();
	t = table_open();
	h = t->ring[0].hdr;
	left = malloc(sizeof(*left));
	assert_non_null(left);
	h->trace_src = 0;
	h->cursor[0] = 5;
	h->cursor[1] = 4;
	assert_int_equal(h->trace_tail, 0);
	assert_int_equal(stepper_start(&st, put_second, t), 0);
	while (stepper_next(&st)) {
		memcpy(left, h, sizeof(*left));
		trace_settle(left);
		assert_int_equal(left->trace_tail, 0);
		steps++;
	}
	assert_int_equal(stepper_collect(&st), 0);
	assert_true(steps > 10);
	/* and done it is told of */
	h->cursor[1] = 5;
	trace_settle(h);
	assert_int_equal(h->trace_tail, 1);
	free(left);
	table_drop(t);
}

/* each of the frames has the fate that the test is for */
static void test_fates(void **state)
{
	static const uint8_t fate[FRAMES] = {
		TRACE_NEW,      TRACE_ACCEPTED, TRACE_ACCEPTED, TRACE_INVALID,
		TRACE_ACCEPTED, TRACE_NEW,      TRACE_ENDED,    TRACE_NEW,
		TRACE_ACCEPTED, TRACE_RELATED,  TRACE_INVALID,  TRACE_UNTRACKED,
		TRACE_INVALID,
	};
	struct table *t = table_open();
	unsigned int i;

	(void)state;
	frames_make(t);
	worker(t);
	assert_int_equal(told(t), FRAMES);
	for (i = 0; i < FRAMES; i++)
		if (table_trace(t, 0, i)->verdict != fate[i])
			fail_msg("frame %u: %u (%s)", i + 1,
			         table_trace(t, 0, i)->verdict,
			         table_trace(t, 0, i)->why);
	assert_true(table_trace(t, 0, 5)->flags & TRACE_F_REOPENED);
	assert_int_equal(table_trace(t, 0, 11)->rule[1], 1);
	table_drop(t);
}

/* The tail moves with the cursor of the packet's own source, no other. */
static void test_sources(void **state)
{
	struct table *t = table_open();
	struct ring_header *h = t->ring[0].hdr;
	struct trace_rec rec = {0};
	uint32_t src;

	(void)state;
	for (src = 0; src < 3; src++) {
		struct op_cursor cur = {5, src};

		trace_put(t, &rec, &cur);
		trace_settle(h);
		assert_int_equal(h->trace_tail, src);
		trace_put(t, &rec, &cur);
		h->cursor[src] = 5;
		trace_settle(h);
		assert_int_equal(h->trace_tail, src + 1);
	}
	table_drop(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fates),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_kill_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

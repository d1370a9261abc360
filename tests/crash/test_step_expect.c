/*
 * test_step_expect.c - SIGKILL at every instruction of a packet's way, where
 * helpers announce connections and packets use what was announced.
 *
 * A worker on a capture is executed instruction by instruction.  Wherever it
 * has changed shared memory, it is killed: an heir takes its slot and works
 * off the rest of the capture.  What then stands in the table, among the
 * expectations, in the ring and in the counters must be what an undisturbed
 * worker leaves: each expectation told of once and used once, no connection
 * other than without the kill, nothing lost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/helper/helper.h"
#include "daemon/tracker/key.h"
#include "daemon/worker/help.h"
#include "shm/check.h"
#include "shm/proc.h"
#include "shm/rcu.h"
#include "shm/region.h"
#include "tests/lib/image.h"
#include "tests/lib/keys.h"
#include "tests/lib/packet.h"

#define T0      1700000000000000000ull
#define FRAMES  64u
#define PAGES   4096u
#define RECORDS 256u

/* as many as PPTP needs beside those of FTP and TFTP */
#define SOURCE_MAX 6u

/* ---- a capture in memory ---- */

struct capture {
	struct packet *b;
	uint8_t *data[FRAMES];
	struct pkt pkt[FRAMES];
	unsigned int n;
	uint64_t now;
};

static struct capture cap;

static void frame_end(uint32_t ms)
{
	struct pkt *p = &cap.pkt[cap.n];

	assert_true(cap.n < FRAMES);
	packet_end(cap.b);
	packet_pkt(cap.b, p);
	cap.data[cap.n] = malloc(p->caplen);
	memcpy(cap.data[cap.n], p->data, p->caplen);
	p->data = cap.data[cap.n];
	cap.now += ms * NS_PER_MS;
	p->ts_ns = T0 + cap.now;
	p->frame = ++cap.n;
}

static void frame_begin(bool reply)
{
	packet_begin(cap.b);
	packet_eth(cap.b);
	packet_ip4(cap.b, reply ? "10.0.1.1" : "10.0.0.1",
	           reply ? "10.0.0.1" : "10.0.1.1");
}

static void udp(bool reply, uint16_t sport, uint16_t dport, const void *data,
                uint32_t len)
{
	frame_begin(reply);
	packet_udp(cap.b, sport, dport);
	packet_data(cap.b, data, len);
	frame_end(5);
}

static uint32_t seq[2];

static void tcp_bytes(bool reply, uint16_t sport, uint16_t dport, uint8_t flags,
                      const void *data, uint32_t len)
{
	frame_begin(reply);
	packet_tcp(cap.b, sport, dport, seq[reply], seq[!reply], flags, 65535);
	packet_data(cap.b, data, len);
	seq[reply] += len + (flags & 2 ? 1 : 0);
	frame_end(5);
}

static void tcp(bool reply, uint16_t sport, uint16_t dport, uint8_t flags,
                const char *text)
{
	tcp_bytes(reply, sport, dport, flags, text, (uint32_t)strlen(text));
}

#define SYN 0x02
#define ACK 0x10
#define PSH 0x18

static void tftp_frames(void)
{
	static const char rrq[] = "\0\1file\0octet";

	udp(false, 2001, 69, rrq,
	    sizeof(rrq)); /* first packet: EXP, then NEW */
	udp(false, 2001, 69, rrq, sizeof(rrq)); /* again: the old one goes */
	udp(true, 3001, 2001, "data", 4);       /* expected, from any port */
	udp(true, 3002, 2001, "data", 4);       /* used up: a new connection */
	udp(false, 2001, 3001, "ack", 3);
	udp(false, 2001, 69, rrq, sizeof(rrq));
}

/* the first packet of a data connection, whose numbers are its own */
static void ftp_data(uint16_t sport, uint16_t dport, uint8_t flags,
                     const char *text)
{
	uint32_t was[2] = {seq[0], seq[1]};

	tcp(false, sport, dport, flags, text);
	memcpy(seq, was, sizeof(seq));
}

static void ftp_frames(void)
{
	seq[0] = 1000;
	seq[1] = 5000;
	tcp(false, 4000, 21, SYN, "");
	tcp(true, 21, 4000, SYN | ACK, "");
	tcp(false, 4000, 21, ACK, "");
	tcp(true, 21, 4000, PSH, "220 ready\r\n");
	tcp(false, 4000, 21, PSH, "USER x\r\n");
	tcp(true, 21, 4000, PSH,
	    "227 Entering Passive Mode (10,0,1,1,40,1).\r\n");
	tcp(true, 21, 4000, PSH,
	    "227 Entering Passive Mode (10,0,1,1,40,2).\r\n");
	ftp_data(4001, 40 * 256 + 1, SYN, ""); /* thrown out: not expected */
	ftp_data(4002, 40 * 256 + 2, SYN, ""); /* expected */
	tcp(true, 21, 4000, PSH,
	    "227 Entering Passive Mode (10,0,1,1,40,3).\r\n");
	/* expected, and refused by its tracker: used up nevertheless */
	ftp_data(4003, 40 * 256 + 3, ACK, "x");
	tcp(true, 21, 4000, PSH,
	    "227 Entering Passive Mode (10,0,1,1,40,4).\r\n");
}

/* RFC 2637 section 2: a control message of `len` bytes */
static void pptp(bool reply, uint16_t type, uint32_t len, uint16_t id,
                 uint16_t peer, uint8_t result)
{
	uint8_t m[168] = {0};

	put16(m, (uint16_t)len);
	put16(m + 2, 1);
	put32(m + 4, 0x1a2b3c4d);
	put16(m + 8, type);
	put16(m + 12, type <= 2 ? 0x100 : id);
	put16(m + 14, peer);
	if (type == 2)
		m[14] = result;
	else if (type == 8)
		m[16] = result;
	tcp_bytes(reply, reply ? 1723 : 5000, reply ? 5000 : 1723, PSH, m, len);
}

static void gre(bool reply, uint16_t id)
{
	uint8_t *g;

	frame_begin(reply);
	g = packet_gre(cap.b, 0x3001);
	put16(g + 2, 0x880b);
	packet_data(cap.b, "\0\4\0\0\0\0\0\1data", 12);
	put16(cap.b->buf + packet_at(cap.b, PACKET_GRE) + 6, id);
	frame_end(5);
}

/* both GRE expectations go with the first packet, keys and connection with the
 * end of the call */
static void pptp_frames(void)
{
	seq[0] = 100;
	seq[1] = 900;
	tcp(false, 5000, 1723, SYN, "");
	tcp(true, 1723, 5000, SYN | ACK, "");
	tcp(false, 5000, 1723, ACK, "");
	pptp(false, 1, 156, 0, 0, 0);
	pptp(true, 2, 156, 0, 0, 1);
	pptp(false, 7, 168, 11, 0, 0);
	pptp(true, 8, 32, 22, 11, 1);
	gre(false, 22);
	gre(true, 11);
	pptp(true, 13, 148, 22, 0, 1);
	gre(false, 22);
	/* a call that ends with its master: keys and connection go with it */
	pptp(false, 7, 168, 12, 0, 0);
	pptp(true, 8, 32, 23, 12, 1);
	gre(false, 23);
	gre(true, 12);
	tcp(false, 5000, 1723, 0x04, "");
	/* by itself: two masters that end at once may change places when
	 * somebody is killed */
	cap.now += 11000 * NS_PER_MS;
	udp(false, 7, 7, "x", 1);
}

static void sip(bool reply, uint16_t port, const char *text)
{
	udp(reply, reply ? 5060 : port, reply ? port : 5060, text,
	    (uint32_t)strlen(text));
}

/* A registration: permanent, silently made active, used and still there; and
 * what the kernel drops (F203): a first packet that had announced a flow, and
 * an answer that is told with what comes next. */
static void sip_frames(void)
{
	sip(false, 5080,
	    "INVITE sip:b@10.0.1.1 SIP/2.0\r\nCSeq: 1 INVITE\r\n"
	    "Content-Type: application/sdp\r\nContent-Length: 83\r\n\r\n"
	    "v=0\r\nm=audio 5000 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n"
	    "m=video 5002 RTP/AVP 31\r\na=x\r\n");
	sip(false, 5060,
	    "REGISTER sip:10.0.1.1 SIP/2.0\r\nCSeq: 1 REGISTER\r\n"
	    "Contact: <sip:a@10.0.0.1:5062>;expires=60\r\n\r\n");
	sip(true, 5060, "SIP/2.0 200\r\n\r\n");
	sip(true, 5060,
	    "SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\n"
	    "Contact: <sip:a@10.0.0.1:5062>;expires=600\r\n\r\n");
	udp(true, 5061, 5062, "x", 1);
	sip(false, 5060,
	    "REGISTER sip:10.0.1.1 SIP/2.0\r\nCSeq: 2 REGISTER\r\n"
	    "Contact: <sip:a@10.0.0.1:5062>;expires=0\r\n\r\n");
	sip(true, 5060, "SIP/2.0 200 OK\r\nCSeq: 2 REGISTER\r\n\r\n");
}

/* One more than its source may have; the others are used, for whose master ends
 * first is told first only as long as nobody is killed. */
static void source_frames(void)
{
	static const char rrq[] = "\0\1file\0octet";
	uint16_t port;

	for (port = 2101; port < 2101 + SOURCE_MAX; port++)
		udp(false, port, 69, rrq, sizeof(rrq));
	for (port = 2101; port < 2101 + SOURCE_MAX; port++)
		udp(true, 3001, port, "data", 4);
}

static void capture_make(void)
{
	memset(&cap, 0, sizeof(cap));
	cap.b = malloc(sizeof(*cap.b));
	tftp_frames();
	ftp_frames();
	pptp_frames();
	sip_frames();
	source_frames();
	/* later than the timeout of the TFTP master, and of all expectations:
	 * what is left goes, by the sweep and with its masters */
	cap.now += 60000 * NS_PER_MS;
	udp(false, 9, 9, "x", 1);
	cap.now += 400000 * NS_PER_MS;
	udp(false, 9, 9, "x", 1);
}

/* ---- a worker ---- */

struct bed {
	struct table *t;
	struct policy pol;
};

static void worker_run(struct bed *bed)
{
	struct table *t = bed->t;
	struct pipeline *p = calloc(1, sizeof(*p));
	uint64_t n;

	pipeline_init(p, t, 0, 1, true);
	expect_settle(t, 0);
	for (n = t->ring[0].hdr->cursor[0]; n < cap.n; n++) {
		struct pkt pkt = cap.pkt[n];

		p->pol = rcud_enter(t);
		pipeline_batch(p, &pkt, 1);
		rcud_leave(t);
	}
	free(p);
}

static bool bed_open(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	bed->t = table_make(64, true, 256);
	if (!bed->t)
		return false;
	tracker_defaults(&bed->pol);
	helper_defaults(&bed->pol);
	bed->pol.acct = 1;
	bed->pol.events = 1;
	bed->pol.max = 64;
	bed->pol.expect_max = 100;
	bed->pol.expect_source_max = SOURCE_MAX;
	/* a first packet in the middle of a connection is refused */
	bed->pol.option[0][0] = 0;
	return !rcud_publish(bed->t, &bed->pol);
}

/* what is killed: how it begins, what it does, and what an heir does again */
struct act {
	bool (*open)(struct bed *bed);
	void (*run)(struct bed *bed);
};

/* ---- what it left ---- */

struct outcome {
	/* events of connections, of expectations: each in its own order */
	uint64_t records[2][RECORDS];
	uint64_t table, counters, cursors;
	unsigned int nrecord[2], conns, expects;
	unsigned int entries;     /* seen by packets alone, too */
	unsigned int expected[2]; /* by one that ends, by a permanent one */
	char why[64];
};

static uint64_t mix(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

/* the same but for numbers that a repair may move on */
static uint64_t record_hash(const struct event_ring *g, uint64_t at)
{
	struct event_cell e = g->cell[at & g->mask];
	uint64_t h;

	e.ver = 0;
	e.seq = 0;
	e.ordinal = 0;
	h = mix(1, &e, sizeof(e));
	if (e.cells == 2) {
		struct event_more m;

		memcpy(&m, &g->cell[(at + 1) & g->mask], sizeof(m));
		if (event_of_expect(e.type))
			((struct expect_info *)(void *)&m.detail)->serial = 0;
		h = mix(h, (const char *)&m + 8, sizeof(m) - 8);
	}
	return h;
}

static void outcome_records(const struct table *t, struct outcome *o)
{
	const struct event_ring *g = &t->ring[0];
	uint64_t at;

	for (at = 0; at < g->hdr->tail;) {
		const struct event_cell *e = &g->cell[at & g->mask];
		unsigned int k = event_of_expect(e->type);

		if (e->type != EVENT_PAD && o->nrecord[k] < RECORDS)
			o->records[k][o->nrecord[k]++] = record_hash(g, at);
		at += e->cells ? e->cells : 1;
	}
}

/* The kernel's order (F184): what is used is told to be gone before the
 * connection that has used it is told to be there, and nothing but what its own
 * first packet announces comes between. */
static void outcome_order(const struct table *t, struct outcome *o)
{
	const struct event_ring *g = &t->ring[0];
	const struct event_cell *used = NULL;
	uint64_t at;

	for (at = 0; at < g->hdr->tail;) {
		const struct event_cell *e = &g->cell[at & g->mask];

		at += e->cells ? e->cells : 1;
		if (e->type == EVENT_EXP_DESTROY)
			used = e;
		if (e->type == EVENT_PAD || event_of_expect(e->type))
			continue;
		if (e->type == EVENT_NEW && e->status & CONN_EXPECTED) {
			if (used && used->ts_ns != e->ts_ns)
				snprintf(o->why, sizeof(o->why),
				         "NEW behind another's end");
			o->expected[!used]++;
		}
		used = NULL;
	}
}

static void outcome_faults(const struct table *t, struct outcome *o)
{
	uint32_t sh;

	for (sh = 0; sh < t->nshard; sh++)
		if (t->shard[sh].count &&
		    shard_check(t, sh, key_home, NULL, NULL))
			snprintf(o->why, sizeof(o->why), "check of %u", sh);
	if (shard_check(t->expect, 0, NULL, NULL, NULL))
		snprintf(o->why, sizeof(o->why), "check of expectations");
	if (rings_check(t, NULL, NULL))
		snprintf(o->why, sizeof(o->why), "check of rings");
}

/* Each is counted as often as it is told. */
static void outcome_counts(const struct table *t, struct outcome *o)
{
	const struct event_ring *g = &t->ring[0];
	const uint64_t *counter = g->hdr->counter;
	uint64_t at, made = 0, gone = 0;

	for (at = 0; at < g->hdr->tail;) {
		const struct event_cell *e = &g->cell[at & g->mask];

		made += e->type == EVENT_EXP_NEW;
		gone += e->type == EVENT_EXP_DESTROY;
		at += e->cells ? e->cells : 1;
	}
	if (made != counter[CTR_EXPECT_CREATE] ||
	    gone != counter[CTR_EXPECT_DELETE])
		snprintf(o->why, sizeof(o->why), "counts of expectations");
}

static struct outcome outcome_of(const struct table *t)
{
	struct outcome o = {0};
	struct conn_walk w = {0, 0}, x = {0, 0};
	const struct ring_header *h = t->ring[0].hdr;
	struct conn_view v;
	struct expect e;
	uint64_t id;

	memset(&e, 0, sizeof(e)); /* its holes, too */
	while (conn_walk(t, &w, &v)) {
		id = conn_id(v.conn.gen, v.shard, v.idx);
		v.conn.seq = 0;
		v.conn.ext = v.conn.ext != 0;
		o.table += mix(mix(id, &v.conn, sizeof(v.conn)), &v.detail,
		               sizeof(v.detail));
		if (v.conn.ext)
			o.table += mix(id, &v.ext.master, 8) ^ v.ext.helper;
		o.conns++;
	}
	while (expect_walk(t, &x, &e)) {
		e.info.serial = 0;
		o.table += mix(7, &e, sizeof(e));
		o.expects++;
	}
	o.entries = t->expect->shard->count;
	outcome_records(t, &o);
	outcome_order(t, &o);
	outcome_counts(t, &o);
	o.counters = mix(3, h->counter, sizeof(h->counter));
	o.cursors = h->cursor[0];
	outcome_faults(t, &o);
	return o;
}

static const char *outcome_differs(const struct outcome *a,
                                   const struct outcome *b)
{
	if (b->why[0])
		return b->why;
	if (memcmp(a->nrecord, b->nrecord, sizeof(a->nrecord)) != 0)
		return "number of events";
	if (memcmp(a->records, b->records, sizeof(a->records)) != 0)
		return "events";
	if (memcmp(a->expected, b->expected, sizeof(a->expected)) != 0)
		return "number of those expected";
	if (a->conns != b->conns || a->expects != b->expects ||
	    a->entries != b->entries)
		return "number of connections";
	if (a->table != b->table)
		return "table";
	if (a->cursors != b->cursors)
		return "cursor";
	return a->counters != b->counters ? "counters" : NULL;
}

/* ---- pages that a worker writes ---- */

static struct {
	char *at[PAGES];
	unsigned int n;
	struct {
		char *at;
		size_t len;
	} range[8];
	unsigned int nrange;
} pages;

static void on_write(int sig, siginfo_t *si, void *uc)
{
	char *p = (char *)((uintptr_t)si->si_addr & ~(uintptr_t)(PAGE - 1));
	unsigned int i;

	(void)uc;
	for (i = 0; i < pages.nrange; i++)
		if (p >= pages.range[i].at &&
		    p < pages.range[i].at + pages.range[i].len)
			break;
	if (i == pages.nrange || pages.n == PAGES) {
		signal(sig, SIG_DFL);
		return;
	}
	pages.at[pages.n++] = p;
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
}

static void range_add(void *at, size_t len)
{
	pages.range[pages.nrange].at = at;
	pages.range[pages.nrange++].len = len;
}

static void pages_protect(int prot)
{
	unsigned int i;

	for (i = 0; i < pages.nrange; i++)
		mprotect(pages.range[i].at, pages.range[i].len, prot);
}

/* Runs the worker once, and notes what it touches. */
static void pages_learn(const struct act *a, struct bed *bed)
{
	struct sigaction sa = {.sa_sigaction = on_write,
	                       .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction old;
	struct table *t = bed->t;

	memset(&pages, 0, sizeof(pages));
	range_add(t->hdr, t->hdr->size);
	range_add(t->ring[0].hdr,
	          RING_HEADER + ((size_t)t->ring[0].mask + 1) *
	                                sizeof(struct event_cell));
	range_add(t->proc, (size_t)NSLOT * PAGE);
	sigaction(SIGSEGV, &sa, &old);
	pages_protect(PROT_READ);
	a->run(bed);
	pages_protect(PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &old, NULL);
}

static bool pages_sync(char *img)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < pages.n; i++, img += PAGE)
		if (memcmp(img, pages.at[i], PAGE) != 0) {
			memcpy(img, pages.at[i], PAGE);
			changed = true;
		}
	return changed;
}

static void pages_load(const char *img)
{
	unsigned int i;

	for (i = 0; i < pages.n; i++)
		memcpy(pages.at[i], img + (size_t)i * PAGE, PAGE);
}

/* ---- the test ---- */

static const struct act *acting;

static void child(void *arg)
{
	acting->run(arg);
}

/* what an undisturbed one leaves, twice: secrets and boxes are constants */
static struct outcome undisturbed(const struct act *a)
{
	struct outcome o[2];
	struct bed bed;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		assert_true(a->open(&bed));
		pages_learn(a, &bed);
		o[i] = outcome_of(bed.t);
		table_drop(bed.t);
	}
	assert_string_equal(o[0].why, "");
	assert_null(outcome_differs(&o[0], &o[1]));
	return o[0];
}

/* A bed at its beginning, of which it is known what the act will write. */
static void bed_learnt(const struct act *a, struct bed *bed)
{
	struct bed fresh;

	assert_true(a->open(bed));
	pages_learn(a, bed);
	assert_true(a->open(&fresh));
	memcpy(bed->t->hdr, fresh.t->hdr, fresh.t->hdr->size);
	memcpy(bed->t->ring[0].hdr, fresh.t->ring[0].hdr, RING_HEADER);
	table_drop(fresh.t);
	bed->t->keys_gone = false;
	assert_int_equal(table_proc(bed->t, 0)->qs, 0);
}

/* number of expectations that a packet has claimed */
static unsigned int claims(const struct table *t)
{
	unsigned int i, n = 0;

	for (i = 1; i < 32; i++)
		n += table_conn(t->expect, 0, i)->bytes[0] &&
		     table_conn(t->expect, 0, i)->status;
	return n;
}

/* The heir of who has just been killed, and what is wrong in the end. */
static const char *inherit(const struct act *a, struct bed *bed,
                           const struct outcome *want, struct outcome *got)
{
	const struct shard *q = bed->t->expect->shard;

	if (q->op != OP_IDLE && !q->lock)
		return "an operation without the lock";
	image_kill(bed->t, 0);
	bed->t->expect_depth = 0;
	bed->t->keys_gone = false;
	assert_int_equal(proc_attach(bed->t, 0, 0), 0);
	a->run(bed);
	*got = outcome_of(bed->t);
	return outcome_differs(want, got);
}

static void kill_anywhere(const struct act *a, const struct outcome *want)
{
	uint64_t images = 0, bad = 0, claimed = 0;
	struct outcome got = {0};
	struct stepper st;
	struct bed bed;
	const char *why;
	char *now;

	acting = a;
	bed_learnt(a, &bed);
	now = malloc((size_t)pages.n * PAGE);
	pages_sync(now);
	assert_int_equal(stepper_start(&st, child, &bed), 0);
	/* enough is known after so many bad ones */
	while (bad < 20 && stepper_next(&st)) {
		if (!pages_sync(now))
			continue;
		images++;
		claimed += claims(bed.t);
		why = inherit(a, &bed, want, &got);
		if (why && bad++ < 5)
			print_error("step %llu: %s (events %u of %u, conns %u "
			            "of %u)\n",
			            (unsigned long long)st.steps, why,
			            got.nrecord[0] + got.nrecord[1],
			            want->nrecord[0] + want->nrecord[1],
			            got.conns, want->conns);
		pages_load(now);
	}
	if (bad)
		stepper_kill(&st);
	else
		assert_int_equal(stepper_collect(&st), 0);
	print_message("expectations: %u events, %llu instructions, %llu images "
	              "(%llu claims), %llu bad\n",
	              want->nrecord[0] + want->nrecord[1],
	              (unsigned long long)st.steps, (unsigned long long)images,
	              (unsigned long long)claimed, (unsigned long long)bad);
	assert_true(claimed > 0);
	assert_int_equal(bad, 0);
	got = outcome_of(bed.t);
	assert_null(outcome_differs(want, &got));
	table_drop(bed.t);
	free(now);
}

static void test_kill_anywhere(void **state)
{
	static const struct act packets = {bed_open, worker_run};
	struct outcome want;

	(void)state;
	if (!stepper_allowed() || STEPPER_SLOW)
		skip();
	capture_make();
	want = undisturbed(&packets);
	assert_true(want.nrecord[0] > 8 && want.nrecord[1] > 8);
	/* one of FTP, one of TFTP, two of PPTP; and of the last source as many
	 * as it may have beside one of FTP and one of TFTP */
	assert_int_equal(want.expected[0], 4 + SOURCE_MAX - 2);
	assert_int_equal(want.expected[1], 1);
	kill_anywhere(&packets, &want);
}

/* ---- settling, which may be killed, too ---- */

#define CLAIMED 6u /* and two without a claim */

/*
 * What a worker left that was killed in the middle of packet 11: claims of
 * packets that are done, two of one call (F219), and of one that is not.
 */
static bool claims_open(struct bed *bed)
{
	struct expect_by by = {.max = 100, .tell = true, .ts_ns = T0};
	struct expect_tuple tp = {.sport = 5};
	struct expect e = {.deadline = 10000}, got;
	struct conn_lookup k;
	struct table *t;
	uint32_t idx, i, sh;

	if (!bed_open(bed))
		return false;
	t = bed->t;
	k = key_make(t, 1, false, 0);
	k.shard = key_home(t, &k.key, &k.addr6);
	sh = k.shard;
	idx = conn_put(t, &k);
	shard_lock(t, sh);
	op_update_begin(t, sh, idx);
	table_conn(t, sh, idx)->deadline = 100000;
	op_update_commit(t, sh, idx, NULL, (struct op_cursor){0, 0});
	shard_unlock(t, sh);
	e.master = conn_id(table_conn(t, sh, idx)->gen, sh, idx);
	for (i = 0; i < CLAIMED + 2; i++) {
		by.pkt = 1;
		e.l4proto = i < 2 ? 47 : 6;
		e.dport = (uint16_t)(100 + i);
		if (expect_add(t, &e, 0, &by))
			return false;
		if (i == 0 || i > CLAIMED)
			continue;
		by.pkt = i < CLAIMED ? 10 : 11;
		tp.l4proto = e.l4proto;
		tp.dport = e.dport;
		expect_lock(t);
		idx = expect_find(t, &tp, &by, &got);
		expect_claim(t, idx, &by, sh);
		expect_unlock(t);
	}
	t->ring[0].hdr->cursor[0] = 10;
	return true;
}

static void claims_settle(struct bed *bed)
{
	expect_settle(bed->t, 0);
}

static void test_kill_settle(void **state)
{
	static const struct act settling = {claims_open, claims_settle};
	struct outcome want;
	struct bed bed;

	(void)state;
	if (!stepper_allowed() || STEPPER_SLOW)
		skip();
	assert_true(claims_open(&bed));
	assert_int_equal(claims(bed.t), CLAIMED + 1);
	table_drop(bed.t);
	want = undisturbed(&settling);
	/* that of the packet to come, and what nobody has claimed */
	assert_int_equal(want.entries, 2);
	assert_int_equal(want.expects, 1);
	kill_anywhere(&settling, &want);
}

/* ---- a client's flush: what packets have claimed stays ---- */

static void client_flush(struct bed *bed)
{
	struct conn_walk w = {0, 0};
	struct expect e;

	while (expect_walk(bed->t, &w, &e))
		expect_forget(bed->t, e.id, T0, 5000, true);
	/* the heir of who was killed has settled before it serves anybody */
	expect_settle(bed->t, 0);
}

static void test_kill_flush(void **state)
{
	static const struct act flushing = {claims_open, client_flush};
	struct outcome want;

	(void)state;
	if (!stepper_allowed() || STEPPER_SLOW)
		skip();
	want = undisturbed(&flushing);
	/* that of the packet to come */
	assert_int_equal(want.entries, 1);
	assert_int_equal(want.expects, 0);
	kill_anywhere(&flushing, &want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_anywhere),
		cmocka_unit_test(test_kill_settle),
		cmocka_unit_test(test_kill_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

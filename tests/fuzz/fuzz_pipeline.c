/*
 * fuzz_pipeline.c - frames through the whole pipeline, on a table that is
 * soon full.
 *
 * Few hosts and ports, so that frames meet each other's connections; built by
 * layers with a byte changed here and there, or raw.  Afterwards the table is
 * in order, and the counters tell where each frame went.
 */
#include "daemon/worker/fragment.h"
#include "daemon/worker/pipeline.h"
#include "shm/check.h"
#include "shm/read.h"
#include "tests/fuzz/still.h"
#include "tests/lib/packet.h"

#define T0     1700000000000000000ull
#define FRAMES 256u

static struct still still[2]; /* without and with detail lines */
static struct pipeline pipe_of[2];

struct bed {
	struct table *t;
	struct still *still;
	struct policy pol;
	uint32_t nworker;
	uint64_t frame, now;
	struct pkt pkt[PIPELINE_BATCH];
	uint8_t *data[PIPELINE_BATCH];
	uint32_t n;
	uint64_t told; /* frames given to the pipeline */
	bool frags;    /* are reassembled */
	bool mirror;
};

static struct packet work, before;

static void bed_make(struct still *s, bool detail)
{
	struct region_params p = {.max = 256,
	                          .nworker = 2,
	                          .ring_bytes = 1 << 14,
	                          .log_bytes = 1 << 14,
	                          .detail = detail,
	                          .clock_mode = CLOCK_CAPTURE};
	struct table *t = region_memory(&p);
	uint8_t *b;
	size_t i;

	fuzz_check(t && !proc_attach(t, 0, 0), "no table");
	b = (uint8_t *)&t->key;
	for (i = 0; i < sizeof(t->key); i++)
		b[i] = (uint8_t)(i * 37 + 11);
	still_keep(s, t);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bed_make(&still[0], false);
	bed_make(&still[1], true);
	packet_begin(&work);
	packet_ip4(&work, "10.0.0.1", "10.0.1.1");
	packet_udp(&work, 1, 2);
	packet_end(&work);
	before = work;
	return 0;
}

/* ---- frames ---- */

static void put_network(struct fuzz_in *in, uint8_t hosts)
{
	static const char *const four[] = {"10.0.0.1", "10.0.1.1", "10.0.0.2",
	                                   "10.0.0.1"};
	static const char *const six[] = {"fd00::1", "fd01::1", "fd00::2",
	                                  "fd00::1"};
	const char *const *a = hosts & 0x10 ? six : four;
	uint8_t frag[6] = {0, 0, 0, 0, 0, 7}, word;

	if (hosts & 0x20)
		packet_vlan(&work, 5);
	if (!(hosts & 0x10)) {
		uint8_t *ip =
			packet_ip4(&work, a[hosts & 3], a[hosts >> 2 & 3]);

		if (hosts & 0x40) {
			word = fuzz8(in);
			put16(ip + 6,
			      (uint16_t)((word & 0x80) << 6 | (word & 7)));
		}
		return;
	}
	packet_ip6(&work, a[hosts & 3], a[hosts >> 2 & 3]);
	if (hosts & 0x40) {
		word = fuzz8(in);
		put16(frag, (uint16_t)((word & 7) << 3 | word >> 7));
		packet_ext(&work, 44, frag, sizeof(frag));
	}
}

/* what comes next in order, by port and direction */
static uint32_t next_seq[16][2];

static void put_tcp(struct fuzz_in *in, uint8_t ports)
{
	static const uint8_t flags[] = {0x02, 0x12, 0x10, 0x11,
	                                0x04, 0x14, 0x18, 0x00};
	uint8_t kind = fuzz8(in), p = ports & 15, f;
	bool back = ports & 0x80, in_order = kind & 0x08;
	uint32_t seq = 1000 + (kind >> 3 & 3), ack = kind & 0x20 ? 0 : 1001;
	uint32_t len;

	if (in_order) {
		seq = next_seq[p][back];
		ack = next_seq[p][!back];
	}
	f = kind & 0x40 ? fuzz8(in) : flags[kind & 7];
	packet_tcp(&work, back ? 80 : 4000 + p, back ? 4000 + p : 80, seq, ack,
	           f, 65535);
	len = kind & 0x80 ? fuzz8(in) : 0;
	packet_fill(&work, 'd', len);
	if (in_order)
		next_seq[p][back] += len + (f & 1) + (f >> 1 & 1);
}

/* an error about the frame before, by anybody, to whom it may concern */
static void put_error(struct fuzz_in *in, bool v6)
{
	packet_icmp(&work, v6 ? 1 : 3, fuzz8(in) & 7, 0);
	if (before.len < 200)
		packet_data(&work, before.buf, before.len);
}

static void put_transport(struct fuzz_in *in, uint8_t kind, bool v6)
{
	uint8_t ports = fuzz8(in), p = ports & 15;
	bool back = ports & 0x80;
	const uint8_t *raw;
	size_t n;

	switch (kind & 7) {
	case 0:
	case 1:
		put_tcp(in, ports);
		return;
	case 2:
		packet_udp(&work, back ? 53 : 4000 + p, back ? 4000 + p : 53);
		return;
	case 3:
		packet_icmp(&work, v6 ? 128 + back : 8 - 8 * back, 0,
		            (uint32_t)p << 16);
		return;
	case 4:
		put_error(in, v6);
		return;
	case 5:
		packet_sctp(&work, back ? 80 : 4000 + p, back ? 4000 + p : 80,
		            back ? 7 : 0);
		packet_chunk(&work, ports >> 4 & 7, 0,
		             "\0\0\0\7\0\0\0\0\0\1"
		             "\0\1\0\0\0\1",
		             16);
		return;
	case 6:
		packet_udplite(&work, back ? 53 : 4000 + p,
		               back ? 4000 + p : 53, 0);
		return;
	default:
		raw = fuzz_bytes(in, 40, &n);
		packet_other(&work,
		             p == 1   ? 47
		             : p == 2 ? 33
		                      : fuzz8(in),
		             raw, (uint32_t)n);
	}
}

static void build(struct fuzz_in *in, uint8_t kind)
{
	uint8_t hosts = fuzz8(in), n;

	packet_begin(&work);
	packet_eth(&work);
	put_network(in, hosts);
	put_transport(in, kind, hosts & 0x10);
	packet_end(&work);
	/* what is quoted later: the network layer and some bytes behind it */
	if ((kind & 7) != 4) {
		before.len = work.len - 14 < 60 ? work.len - 14 : 60;
		memcpy(before.buf, work.buf + 14, before.len);
	}
	for (n = kind >> 6; n; n--) {
		uint8_t at = fuzz8(in);

		if (at < work.len)
			work.buf[at] ^= fuzz8(in);
	}
}

/* ---- batches ---- */

static void bed_flush(struct bed *bed)
{
	struct pkt copy[PIPELINE_BATCH];
	uint32_t w, i;

	for (w = 0; w < bed->nworker && bed->n; w++) {
		memcpy(copy, bed->pkt, sizeof(copy));
		bed->t->me = w;
		pipe_of[w].pol = &bed->pol;
		pipeline_batch(&pipe_of[w], copy, bed->n);
	}
	bed->t->me = 0;
	bed->told += bed->n;
	for (i = 0; i < bed->n; i++)
		free(bed->data[i]);
	bed->n = 0;
}

/* kind: 7 layers, 0x08 raw, 0x10 late or early, 0x20 ends the batch */
static void bed_frame(struct bed *bed, struct fuzz_in *in)
{
	static const uint32_t ms[] = {0, 1, 100, 2500, 31000, 130000};
	uint8_t kind = fuzz8(in), cut = 0;
	struct pkt *p = &bed->pkt[bed->n];
	const uint8_t *raw = work.buf;
	size_t len;

	memset(p, 0, sizeof(*p));
	p->linktype = 1;
	if (kind & 8) {
		p->linktype = kind & 1 ? 101 : 1;
		len = fuzz8(in);
		raw = fuzz_bytes(in, len, &len);
	} else {
		build(in, kind);
		len = work.len;
	}
	if (kind & 0x10) {
		uint8_t when = fuzz8(in);

		bed->now += ms[when % ARRAY_SIZE(ms)] * NS_PER_MS;
		cut = when >> 4;
	}
	p->wirelen = (uint32_t)len;
	p->caplen = (uint32_t)(len > cut ? len - cut : 0);
	bed->data[bed->n] = fuzz_copy(raw, p->caplen);
	p->data = bed->data[bed->n++];
	p->ts_ns = cut == 15 ? bed->now - NS_PER_S : bed->now;
	p->frame = ++bed->frame;
	if (kind & 0x20 || bed->n == PIPELINE_BATCH)
		bed_flush(bed);
}

/* ---- what must hold ---- */

static void no_fault(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static uint64_t sum_of(const struct bed *bed, uint32_t counter)
{
	return bed->t->ring[0].hdr->counter[counter] +
	       bed->t->ring[1].hdr->counter[counter];
}

static void check_table(const struct bed *bed)
{
	struct conn_walk w = {0, 0};
	struct conn_view v;
	uint64_t n = 0;
	uint32_t sh;

	for (sh = 0; sh < bed->t->nshard; sh++) {
		if (!still_touched(bed->still, sh))
			continue;
		fuzz_check(!shard_check(bed->t, sh, key_home, no_fault, NULL),
		           "shard %u", sh);
		fuzz_check(!bed->t->shard[sh].lock, "shard %u is locked", sh);
	}
	fuzz_check(!rings_check(bed->t, no_fault, NULL), "rings");
	while (conn_walk(bed->t, &w, &v)) {
		fuzz_check(v.conn.status & CONN_CONFIRMED, "not confirmed");
		n++;
	}
	fuzz_check(n == table_count(bed->t), "%llu walked, %llu counted",
	           (unsigned long long)n,
	           (unsigned long long)table_count(bed->t));
	fuzz_check(!bed->pol.max || n <= bed->pol.max, "%llu over max",
	           (unsigned long long)n);
}

static void check_counters(const struct bed *bed)
{
	uint64_t classes = 0, n = table_count(bed->t), events = 0, credit = 0;
	uint64_t least;
	uint32_t c;

	for (c = CTR_NEW_PKT; c <= CTR_UNTRACKED; c++)
		classes += sum_of(bed, c);
	for (c = CTR_COUNT; c < STATS_MIRROR; c++)
		classes += sum_of(bed, c);
	classes += sum_of(bed, CTR_DROP) + sum_of(bed, CTR_INSERT_FAILED);
	if (bed->pol.duplicates == DUPLICATES_DROP)
		classes += sum_of(bed, CTR_DUPLICATES);
	/* the last fragment of a datagram is two things, and so is one that
	 * goes on alone (F006), which nobody counts */
	least = classes + sum_of(bed, CTR_FRAG_RECEIVED) -
	        sum_of(bed, CTR_FRAG_REASSEMBLED);
	fuzz_check(sum_of(bed, CTR_FRAMES) == bed->told && least >= bed->told &&
	                   (pipe_of[0].frags ? classes <= bed->told
	                                     : least == bed->told),
	           "%llu frames, %llu counted, %llu classed, %llu fragments",
	           (unsigned long long)bed->told,
	           (unsigned long long)sum_of(bed, CTR_FRAMES),
	           (unsigned long long)classes,
	           (unsigned long long)sum_of(bed, CTR_FRAG_RECEIVED));
	fuzz_check(sum_of(bed, CTR_INSERT) - sum_of(bed, CTR_DELETE) == n,
	           "inserts and deletes");
	fuzz_check(sum_of(bed, CTR_TABLE_FULL) == sum_of(bed, CTR_DROP),
	           "drops");
	fuzz_check(sum_of(bed, CTR_EVENT_NEW) ==
	                   (bed->pol.events ? sum_of(bed, CTR_INSERT) : 0),
	           "NEW events");
	fuzz_check(sum_of(bed, CTR_EVENT_DESTROY) ==
	                   (bed->pol.events ? sum_of(bed, CTR_DELETE) : 0),
	           "DESTROY events");
	for (c = 0; c < bed->nworker; c++) {
		events += bed->t->ring[c].hdr->ordinal;
		credit += bed->t->ring[c].hdr->credit;
		fuzz_check(bed->t->ring[c].hdr->done == bed->told, "done %llu",
		           (unsigned long long)bed->t->ring[c].hdr->done);
	}
	fuzz_check(events == sum_of(bed, CTR_EVENT_NEW) +
	                             sum_of(bed, CTR_EVENT_UPDATE) +
	                             sum_of(bed, CTR_EVENT_DESTROY),
	           "%llu events", (unsigned long long)events);
	fuzz_check(!bed->pol.max || bed->t->hdr->budget == n + credit,
	           "budget %llu of %llu and %llu",
	           (unsigned long long)bed->t->hdr->budget,
	           (unsigned long long)n, (unsigned long long)credit);
}

static void bed_policy(struct bed *bed, struct fuzz_in *in)
{
	static const uint32_t max[] = {0, 3, 16, 256};
	uint8_t ctl = fuzz8(in), more = fuzz8(in);

	memset(&bed->pol, 0, sizeof(bed->pol));
	tracker_defaults(&bed->pol);
	bed->pol.acct = ctl & 1;
	bed->pol.events = !(ctl & 2);
	bed->pol.timestamp = ctl >> 2 & 1;
	bed->pol.checksum = ctl & 8 ? CHECKSUM_ON : CHECKSUM_OFF;
	bed->pol.max = max[ctl >> 4 & 3];
	bed->nworker = ctl & 0x40 ? 2 : 1;
	/* never the last, which serves the others' packets */
	bed->pol.tracker_off[0] = more & 1;
	bed->pol.tracker_off[1] = more >> 1 & 1;
	bed->mirror = more & 4;
	bed->frags = more & 8;
	bed->pol.duplicates = (uint8_t)((more >> 4 & 3) % 3);
	bed->pol.duplicates_ms = 50;
}

static void bed_fragments(struct bed *bed)
{
	static const struct fragment_limits limit = {
		{1 << 14, 1 << 13}, {30 * NS_PER_S, 60 * NS_PER_S}};
	uint32_t w;

	for (w = 0; w < bed->nworker && bed->frags; w++) {
		pipe_of[w].frags = fragments_new(&limit, 7, true);
		fuzz_check(pipe_of[w].frags, "out of memory");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	static struct bed bed;
	uint32_t w;

	memset(&bed, 0, sizeof(bed));
	memset(next_seq, 0, sizeof(next_seq));
	bed.still = &still[size && data[0] & 0x80];
	bed.t = bed.still->t;
	bed.now = T0;
	bed_policy(&bed, &in);
	for (w = 0; w < 2; w++) {
		bed.t->me = w;
		pipeline_init(&pipe_of[w], bed.t, w, bed.nworker, true);
		pipe_of[w].mirror = bed.mirror;
	}
	bed.t->me = 0;
	bed_fragments(&bed);
	while (in.left && bed.frame < FRAMES)
		bed_frame(&bed, &in);
	bed_flush(&bed);
	if (bed.told) {
		check_table(&bed);
		check_counters(&bed);
		for (w = 0; w < bed.nworker; w++) {
			bed.t->me = w;
			pipeline_sweep(&pipe_of[w], bed.now + NS_PER_S);
		}
		bed.t->me = 0;
		check_table(&bed);
		check_counters(&bed);
	}
	for (w = 0; w < 2; w++)
		fragments_free(pipe_of[w].frags);
	still_reset(bed.still);
	return 0;
}

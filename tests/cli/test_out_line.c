/* test_out_line.c - the bytes of conntrack(8) and /proc/net/nf_conntrack. */
#include "tests/cli/sample.h"

#define TCP_TUPLES                                                            \
	"src=10.0.0.1 dst=10.0.1.1 sport=40000 dport=80 packets=3 bytes=137 " \
	"src=10.0.1.1 dst=10.0.0.1 sport=80 dport=40000 packets=2 bytes=92 "

static void test_tcp_row(void **state)
{
	struct ctshard_conn c = sample_tcp();

	(void)state;
	assert_string_equal(sample_list(&out_line, 0, &c),
	                    "tcp      6 431999 ESTABLISHED " TCP_TUPLES
	                    "[ASSURED] mark=0 use=1\n");
	assert_string_equal(
		sample_list(&out_extended, OUT_ID, &c),
		"ipv4     2 tcp      6 431999 ESTABLISHED " TCP_TUPLES
		"[ASSURED] mark=0 use=1 id=7\n");
	assert_string_equal(
		sample_list(&out_proc, 0, &c),
		"ipv4     2 tcp      6 431999 ESTABLISHED " TCP_TUPLES
		"[ASSURED] mark=0 zone=0 use=1\n");
}

static void test_times(void **state)
{
	struct ctshard_conn c = sample_tcp();

	(void)state;
	setenv("TZ", "UTC", 1);
	c.timestamp = 1;
	c.has |= CTSHARD_CONN_START | CTSHARD_CONN_LAST;
	c.start_ns = 1795359629999000000ull;
	c.now_ns = 1795359630001000000ull;
	assert_string_equal(
		sample_list(&out_extended, OUT_ID | OUT_KTIMESTAMP, &c),
		"ipv4     2 tcp      6 431999 ESTABLISHED " TCP_TUPLES
		"[ASSURED] mark=0 delta-time=1 "
		"[start=Sun Nov 22 15:00:29 2026] use=1 id=7\n");
	/* without the sysctl there is nothing to print (F109) */
	c.timestamp = 0;
	assert_string_equal(sample_list(&out_line, OUT_KTIMESTAMP, &c),
	                    "tcp      6 431999 ESTABLISHED " TCP_TUPLES
	                    "[ASSURED] mark=0 use=1\n");
}

static void test_zones_helper_labels(void **state)
{
	struct ctshard_conn c = sample_conn("udp", 17);

	(void)state;
	sample_ports(&c, 7000, 7002);
	c.timeout_ms = 29999;
	c.status = CTSHARD_S_SEEN_REPLY;
	c.dir[0].has |= CTSHARD_TUPLE_ZONE;
	c.dir[0].zone = 12;
	sample_counters(&c, 0, 1, 29);
	sample_counters(&c, 1, 1, 29);
	assert_string_equal(
		sample_list(&out_proc, 0, &c),
		"ipv4     2 udp      17 29 src=10.0.0.1 dst=10.0.1.1 "
		"sport=7000 dport=7002 zone-orig=12 packets=1 bytes=29 "
		"src=10.0.1.1 dst=10.0.0.1 sport=7002 dport=7000 packets=1 "
		"bytes=29 mark=0 use=1\n");
	c.dir[0].has &= ~CTSHARD_TUPLE_ZONE;
	c.zone = 11;
	c.mark = 7;
	c.helper = "ftp";
	c.use = 2;
	c.has |= CTSHARD_CONN_LABELS;
	c.labels[0] = 6;
	assert_string_equal(
		sample_list(&out_line, OUT_LABELS, &c),
		"udp      17 29 src=10.0.0.1 dst=10.0.1.1 sport=7000 "
		"dport=7002 packets=1 bytes=29 src=10.0.1.1 dst=10.0.0.1 "
		"sport=7002 dport=7000 packets=1 bytes=29 mark=7 zone=11 "
		"labels=one,2 helper=ftp use=2\n");
}

static void test_icmp_v6(void **state)
{
	struct ctshard_conn c = sample_conn("icmpv6", 58);

	(void)state;
	c.l3 = 6;
	sample_tuple(&c.dir[0], AF_INET6, "fd00::1", "fd01::1");
	sample_tuple(&c.dir[1], AF_INET6, "fd01::1", "fd00::1");
	c.dir[0].has = c.dir[1].has = CTSHARD_TUPLE_ICMP;
	c.dir[0].type = 128;
	c.dir[1].type = 129;
	c.dir[0].icmp_id = c.dir[1].icmp_id = 5;
	c.timeout_ms = 29000;
	assert_string_equal(
		sample_list(&out_extended, 0, &c),
		"ipv6     10 icmpv6   58 29 src=fd00::1 dst=fd01::1 type=128 "
		"code=0 id=5 [UNREPLIED] src=fd01::1 dst=fd00::1 type=129 "
		"code=0 id=5 mark=0 use=1\n");
	assert_string_equal(
		sample_list(&out_proc, 0, &c),
		"ipv6     10 icmpv6   58 29 "
		"src=fd00:0000:0000:0000:0000:0000:0000:0001 "
		"dst=fd01:0000:0000:0000:0000:0000:0000:0001 type=128 code=0 "
		"id=5 [UNREPLIED] src=fd01:0000:0000:0000:0000:0000:0000:0001 "
		"dst=fd00:0000:0000:0000:0000:0000:0000:0001 type=129 code=0 "
		"id=5 mark=0 zone=0 use=1\n");
}

static void test_gre_and_unknown(void **state)
{
	struct ctshard_conn c = sample_conn("gre", 47);

	(void)state;
	c.timeout_ms = 29000;
	c.status = CTSHARD_S_SEEN_REPLY;
	c.dir[0].has = c.dir[1].has = CTSHARD_TUPLE_GRE;
	c.dir[0].srckey = c.dir[1].dstkey = 0x1111;
	c.dir[0].dstkey = c.dir[1].srckey = 0x2222;
	assert_string_equal(
		sample_list(&out_proc, 0, &c),
		"ipv4     2 gre      47 29 timeout=30, stream_timeout=180 "
		"src=10.0.0.1 dst=10.0.1.1 srckey=0x1111 dstkey=0x2222 "
		"src=10.0.1.1 dst=10.0.0.1 srckey=0x2222 dstkey=0x1111 "
		"mark=0 zone=0 use=1\n");
	c = sample_conn(NULL, 89);
	c.timeout_ms = 599000;
	assert_string_equal(sample_list(&out_line, 0, &c),
	                    "unknown  89 599 src=10.0.0.1 dst=10.0.1.1 "
	                    "[UNREPLIED] src=10.0.1.1 dst=10.0.0.1 mark=0 "
	                    "use=1\n");
}

static void test_new_and_update(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct ctshard_event e = {.type = CTSHARD_NEW,
	                          .conn = &c,
	                          .bits = CTSHARD_BIT_PROTOINFO | 1,
	                          .time_ns = 1795359629612006789ull};

	(void)state;
	c.state = "SYN_SENT";
	c.timeout_ms = 120000;
	c.status = 0;
	assert_string_equal(
		sample_event(&out_extended, OUT_TIMESTAMP | OUT_ID, &e),
		"[1795359629.612006]\t    [NEW] ipv4     2 tcp      6 120 "
		"SYN_SENT src=10.0.0.1 dst=10.0.1.1 sport=40000 dport=80 "
		"[UNREPLIED] src=10.0.1.1 dst=10.0.0.1 sport=80 dport=40000 "
		"id=7\n");
	/* F249: a change of the reply bit alone shows no state */
	e.type = CTSHARD_UPDATE;
	e.bits = 8;
	c.status = CTSHARD_S_SEEN_REPLY;
	c.mark = 51;
	c.helper = "tftp";
	assert_string_equal(
		sample_event(&out_line, 0, &e),
		" [UPDATE] tcp      6 120 src=10.0.0.1 dst=10.0.1.1 "
		"sport=40000 dport=80 src=10.0.1.1 dst=10.0.0.1 sport=80 "
		"dport=40000 mark=51 helper=tftp\n");
}

static void test_destroy(void **state)
{
	struct ctshard_conn c = sample_conn("udp", 17);
	struct ctshard_event e = {.type = CTSHARD_DESTROY, .conn = &c};

	(void)state;
	setenv("TZ", "UTC", 1);
	sample_ports(&c, 1, 2);
	sample_counters(&c, 0, 1, 29);
	sample_counters(&c, 1, 0, 0);
	c.has = CTSHARD_CONN_START | CTSHARD_CONN_STOP;
	c.timestamp = 1;
	c.start_ns = 1795360297100000000ull;
	c.stop_ns = 1795360299000000000ull;
	c.helper = "ftp";
	assert_string_equal(
		sample_event(&out_line, OUT_KTIMESTAMP | OUT_ID, &e),
		"[DESTROY] udp      17 src=10.0.0.1 dst=10.0.1.1 sport=1 "
		"dport=2 packets=1 bytes=29 [UNREPLIED] src=10.0.1.1 "
		"dst=10.0.0.1 sport=2 dport=1 packets=0 bytes=0 delta-time=2 "
		"[start=Sun Nov 22 15:11:37 2026] "
		"[stop=Sun Nov 22 15:11:39 2026] id=7\n");
	/* one that was ended before its time shows what was left */
	c = sample_tcp();
	c.state = "TIME_WAIT";
	c.timeout_ms = 119999;
	assert_string_equal(sample_event(&out_line, 0, &e),
	                    "[DESTROY] tcp      6 119 TIME_WAIT " TCP_TUPLES
	                    "[ASSURED]\n");
}

static void test_ours(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct ctshard_detail d = {"mss", "14 60\x1b"};
	struct ctshard_event e = {.type = CTSHARD_GAP,
	                          .from = 5,
	                          .to = 9,
	                          .lost = 3,
	                          .source = "ring.worker0"};

	(void)state;
	assert_string_equal(
		sample_event(&out_line, 0, &e),
		"    [GAP] lost=3 from=5 to=9 source=ring.worker0\n");
	e.type = CTSHARD_LIST_END;
	assert_string_equal(sample_event(&out_line, 0, &e), "");
	e.type = CTSHARD_LIST;
	e.conn = &c;
	c.detail = &d;
	c.n_detail = 1;
	/* what came over the socket never reaches a terminal as it is */
	assert_string_equal(
		sample_event(&out_line, OUT_WIDE, &e),
		"   [LIST] tcp      6 431999 ESTABLISHED " TCP_TUPLES
		"[ASSURED] mark=0 use=1 conn=281474976710663 "
		"mss=14?60?\n");
}

/* a line is never cut where the buffer is flushed */
static void test_many(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct out *o = sample_out(&out_line, 0);
	char line[512];
	FILE *f;
	int i, n = 0;

	(void)state;
	for (i = 0; i < 3000; i++)
		out_conn(o, &c);
	out_flush(o);
	lseek(o->fd, 0, SEEK_SET);
	f = fdopen(dup(o->fd), "r");
	while (fgets(line, sizeof(line), f)) {
		assert_string_equal(line,
		                    "tcp      6 431999 ESTABLISHED " TCP_TUPLES
		                    "[ASSURED] mark=0 use=1\n");
		n++;
	}
	fclose(f);
	assert_int_equal(n, 3000);
	close(o->fd);
	free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_row),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_zones_helper_labels),
		cmocka_unit_test(test_icmp_v6),
		cmocka_unit_test(test_gre_and_unknown),
		cmocka_unit_test(test_new_and_update),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_many),
	};

	strcpy(sample_labels.name[1], "one");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_out_trace.c - traced packets in words and as objects. */
#include "tests/cli/sample.h"

static const struct ctshard_detail header[] = {
	{"flags", "ACK"}, {"seq", "101"}, {"len", "100"}};
static const struct ctshard_detail before[] = {{"original.end", "101"},
                                               {"original.scale", "7"},
                                               {"original.flags", "none"},
                                               {"reply.end", "0"},
                                               {"retrans", "0"}};
static const struct ctshard_detail after[] = {{"original.end", "201"},
                                              {"original.scale", "7"},
                                              {"original.flags", "UNACKED"},
                                              {"reply.end", "0"},
                                              {"retrans", "0"}};

static struct ctshard_trace sample_trace(void)
{
	struct ctshard_trace t = {
		.has = CTSHARD_TRACE_FRAME | CTSHARD_TRACE_SINCE |
	               CTSHARD_TRACE_CONN | CTSHARD_TRACE_BEFORE |
	               CTSHARD_TRACE_AFTER,
		.frame = 12,
		.time_ns = 1700000000034512000ull,
		.since_ns = 34512000,
		.l3 = 4,
		.protonum = 6,
		.proto = "tcp",
		.packet = {.has = CTSHARD_TUPLE_PORTS,
	                   .sport = 40000,
	                   .dport = 80},
		.length = 152,
		.n_header = 3,
		.header = header,
		.direction = "original",
		.class_name = "established",
		.verdict = "accepted",
		.conn = (1ull << 40) + 5,
		.before = {"ESTABLISHED", 431999500, 14, 0, 5, before},
		.after = {"ESTABLISHED", 432000000, 14, 0, 5, after},
	};

	inet_pton(AF_INET, "10.0.0.1", t.packet.src);
	inet_pton(AF_INET, "10.0.1.1", t.packet.dst);
	return t;
}

static const char *text(const struct out_format *f, unsigned mods,
                        const struct ctshard_trace *t)
{
	struct out *o = sample_out(f, mods);

	out_trace(o, t);
	return sample_text(o);
}

static void test_line(void **state)
{
	struct ctshard_trace t = sample_trace();

	(void)state;
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 original 10.0.0.1:40000 > 10.0.1.1:80 tcp ACK "
		"seq 101 len 100: established, ESTABLISHED (timeout 432000)\n"
		"      original end 101 -> 201 scale 7 flags none -> "
		"UNACKED\n");
	t.after.timeout_ms = 1050;
	t.after.state = "FIN_WAIT";
	t.after.mark = 9;
	t.after.n_inside = 0;
	assert_string_equal(
		text(&out_line, OUT_ID | OUT_TIMESTAMP, &t),
		"#12 1700000000.034512 original 10.0.0.1:40000 > 10.0.1.1:80 "
		"tcp ACK seq 101 len 100: established, ESTABLISHED -> FIN_WAIT "
		"(timeout 1.050) mark 9 id=5\n");
}

/* refused: nothing is known but the packet, and why */
static void test_invalid(void **state)
{
	struct ctshard_trace t = sample_trace();

	(void)state;
	t.has = CTSHARD_TRACE_FRAME | CTSHARD_TRACE_SINCE;
	memset(&t.before, 0, sizeof(t.before));
	memset(&t.after, 0, sizeof(t.after));
	t.direction = NULL;
	t.class_name = t.verdict = "invalid";
	t.reason = "bad checksum\33[2J";
	t.n_header = 0;
	t.reassembled = 1;
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 10.0.0.1:40000 > 10.0.1.1:80 tcp length 152 "
		"reassembled: invalid: bad checksum?[2J\n");
}

/* of a datagram its fragments, of a fragment its place */
static void test_fragments(void **state)
{
	static const uint64_t frames[] = {10, 11};
	struct ctshard_trace t = sample_trace();

	(void)state;
	t.has = CTSHARD_TRACE_FRAME | CTSHARD_TRACE_SINCE;
	memset(&t.before, 0, sizeof(t.before));
	memset(&t.after, 0, sizeof(t.after));
	t.direction = NULL;
	t.class_name = t.verdict = "new";
	t.n_header = 0;
	t.reassembled = 1;
	t.fragments = 3;
	t.fragment_frame = frames;
	t.n_fragment_frame = 2;
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 10.0.0.1:40000 > 10.0.1.1:80 tcp length 152 "
		"reassembled from 3 fragments (#10 #11): new\n");
	t.fragments = 9;
	assert_non_null(strstr(text(&out_line, 0, &t),
	                       " from 9 fragments (#10 #11 ...): new\n"));
	t.n_fragment_frame = 0;
	t.fragments = 1;
	assert_non_null(strstr(text(&out_line, 0, &t),
	                       " reassembled from 1 fragment: new\n"));
	t.reassembled = 0;
	t.has |= CTSHARD_TRACE_FRAGMENT;
	t.fragments = 2;
	t.fragment_from = 1480;
	t.fragment_to = 2960;
	t.class_name = "fragment";
	t.verdict = "refused";
	t.reason = "overlaps another";
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 10.0.0.1:40000 > 10.0.1.1:80 tcp length 152 "
		"bytes 1480-2960: fragment, refused, 2 so far: overlaps "
		"another\n");
}

static void test_rules(void **state)
{
	static const struct ctshard_trace_rule rule[] = {
		{"web", "zone"}, {"web", "mark"}, {"slow", "timeout"}};
	struct ctshard_trace t = sample_trace();

	(void)state;
	t.class_name = t.verdict = "new";
	t.reopened = 1;
	t.n_rule = 3;
	t.rule = rule;
	t.zone = 4;
	t.has |= CTSHARD_TRACE_ZONE_REPLY;
	t.before.state = "TIME_WAIT";
	t.after.n_inside = 0;
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 original 10.0.0.1:40000 > 10.0.1.1:80 tcp ACK "
		"seq 101 len 100: new, reopened, rule web: zone mark, rule "
		"slow: timeout, zone 4, zone-reply 0, TIME_WAIT -> "
		"ESTABLISHED (timeout 432000)\n");
}

static void test_error(void **state)
{
	struct ctshard_trace t = sample_trace();
	struct ctshard_tuple quoted = {
		.has = CTSHARD_TUPLE_PORTS, .sport = 5, .dport = 53};

	(void)state;
	t.l3 = 6;
	inet_pton(AF_INET6, "fd00::1", t.packet.src);
	inet_pton(AF_INET6, "fd00::2", t.packet.dst);
	inet_pton(AF_INET6, "fd00::2", quoted.src);
	inet_pton(AF_INET6, "fd00::3", quoted.dst);
	t.packet.has = CTSHARD_TUPLE_ICMP;
	t.packet.type = 1;
	t.packet.code = 4;
	t.proto = "icmpv6";
	t.n_header = 0;
	t.quoted = &quoted;
	t.quoted_proto = NULL;
	t.quoted_protonum = 200;
	t.class_name = "related_reply";
	t.verdict = "related";
	t.after.n_inside = 0;
	assert_string_equal(
		text(&out_line, 0, &t),
		"#12 0.034512 original fd00::1 > fd00::2 icmpv6 type 1 code 4 "
		"[[fd00::2]:5 > [fd00::3]:53 200] length 152: related_reply, "
		"ESTABLISHED (timeout 432000)\n");
}

static void test_gap(void **state)
{
	struct ctshard_trace t = {.lost = 17};

	(void)state;
	assert_string_equal(text(&out_line, 0, &t), "[GAP] lost=17\n");
	assert_string_equal(text(&out_jsonl, 0, &t), "{\"lost\":17}\n");
}

static void test_json(void **state)
{
	struct ctshard_trace t = sample_trace();

	(void)state;
	t.before.n_inside = 0;
	assert_string_equal(
		text(&out_jsonl, 0, &t),
		"{\"frame\":12,\"time\":\"2023-11-14T22:13:20.034512000Z\","
		"\"time_ns\":1700000000034512000,\"since_ns\":34512000,"
		"\"l3\":\"ipv4\",\"packet\":{\"proto\":\"tcp\",\"protonum\":6,"
		"\"src\":\"10.0.0.1\",\"dst\":\"10.0.1.1\",\"sport\":40000,"
		"\"dport\":80},\"length\":152,\"header\":{\"flags\":\"ACK\","
		"\"seq\":101,\"len\":100},\"direction\":\"original\","
		"\"class\":\"established\",\"verdict\":\"accepted\","
		"\"zone\":0,\"id\":\"1099511627781\",\"before\":{"
		"\"state\":\"ESTABLISHED\",\"timeout\":431999.500,"
		"\"status\":[\"SEEN_REPLY\",\"ASSURED\",\"CONFIRMED\"],"
		"\"mark\":0},\"after\":{\"state\":\"ESTABLISHED\","
		"\"timeout\":432000.000,\"status\":[\"SEEN_REPLY\","
		"\"ASSURED\",\"CONFIRMED\"],\"mark\":0,\"inside\":{"
		"\"original\":{\"end\":201,\"scale\":7,\"flags\":"
		"\"UNACKED\"},\"reply\":{\"end\":0},\"retrans\":0}}}\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

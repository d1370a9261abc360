/* test_out_json.c - JSON to the letter. */
#include "tests/cli/sample.h"

#include <time.h>

#define TCP_JSON                                                             \
	"\"id\":\"281474976710663\",\"l3\":\"ipv4\",\"proto\":\"tcp\","      \
	"\"protonum\":6,\"state\":\"ESTABLISHED\","                          \
	"\"status\":[\"SEEN_REPLY\",\"ASSURED\",\"CONFIRMED\"],"             \
	"\"timeout\":431999,\"mark\":0,\"zone\":0,"                          \
	"\"original\":{\"src\":\"10.0.0.1\",\"dst\":\"10.0.1.1\","           \
	"\"sport\":40000,\"dport\":80,\"packets\":3,\"bytes\":137},"         \
	"\"reply\":{\"src\":\"10.0.1.1\",\"dst\":\"10.0.0.1\",\"sport\":80," \
	"\"dport\":40000,\"packets\":2,\"bytes\":92}"

static void test_conn(void **state)
{
	struct ctshard_conn c = sample_tcp();

	(void)state;
	assert_string_equal(sample_list(&out_jsonl, 0, &c), "{" TCP_JSON "}\n");
	c.helper = "ftp";
	c.has |= CTSHARD_CONN_MASTER | CTSHARD_CONN_LABELS | CTSHARD_CONN_START;
	c.master = 18446744073709551615ull;
	c.labels[0] = 2;
	c.start_ns = 1795359629000000123ull;
	assert_string_equal(
		sample_list(&out_jsonl, 0, &c),
		"{" TCP_JSON
		",\"helper\":\"ftp\",\"master\":\"18446744073709551615\","
		"\"labels\":[\"one\"],"
		"\"start\":\"2026-11-22T15:00:29.000000123Z\","
		"\"start_ns\":1795359629000000123}\n");
}

static void test_array(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct out *o = sample_out(&out_json, 0);

	(void)state;
	assert_string_equal(sample_text(o), "[]\n");
	o = sample_out(&out_json, 0);
	out_conn(o, &c);
	out_conn(o, &c);
	assert_string_equal(sample_text(o),
	                    "[\n{" TCP_JSON "},\n{" TCP_JSON "}\n]\n");
}

static void test_absent(void **state)
{
	struct ctshard_conn c = sample_conn(NULL, 89);

	(void)state;
	c.has = 0;
	c.dir[0].has = c.dir[1].has = CTSHARD_TUPLE_ZONE;
	c.dir[0].zone = 1;
	c.dir[1].zone = 2;
	assert_string_equal(
		sample_list(&out_jsonl, 0, &c),
		"{\"id\":\"281474976710663\",\"l3\":\"ipv4\","
		"\"proto\":\"unknown\",\"protonum\":89,\"status\":[],"
		"\"mark\":0,\"zone_orig\":1,\"zone_reply\":2,"
		"\"original\":{\"src\":\"10.0.0.1\",\"dst\":\"10.0.1.1\"},"
		"\"reply\":{\"src\":\"10.0.1.1\",\"dst\":\"10.0.0.1\"}}\n");
}

static void test_icmp_gre(void **state)
{
	struct ctshard_conn c = sample_conn("icmp", 1);
	const char *text;

	(void)state;
	c.dir[0].has = CTSHARD_TUPLE_ICMP;
	c.dir[0].type = 8;
	c.dir[0].icmp_id = 77;
	text = sample_list(&out_jsonl, 0, &c);
	assert_non_null(strstr(text, "\"dst\":\"10.0.1.1\",\"type\":8,"
	                             "\"code\":0,\"id\":77}"));
	c.dir[0].has = CTSHARD_TUPLE_GRE;
	c.dir[0].srckey = 17;
	text = sample_list(&out_jsonl, 0, &c);
	assert_non_null(strstr(text, "\"srckey\":17,\"dstkey\":0}"));
}

static void test_events(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct ctshard_event e = {.type = CTSHARD_DESTROY,
	                          .seq = 42,
	                          .time_ns = 1795359629000000123ull,
	                          .conn = &c};

	(void)state;
	c.reason = "timeout";
	assert_string_equal(sample_event(&out_jsonl, 0, &e),
	                    "{\"event\":\"DESTROY\",\"seq\":42,"
	                    "\"time\":\"2026-11-22T15:00:29.000000123Z\","
	                    "\"time_ns\":1795359629000000123," TCP_JSON
	                    ",\"reason\":\"timeout\"}\n");
	memset(&e, 0, sizeof(e));
	e.type = CTSHARD_GAP;
	e.from = 5;
	e.to = 9;
	e.lost = 3;
	e.source = "log";
	assert_string_equal(sample_event(&out_jsonl, 0, &e),
	                    "{\"event\":\"GAP\",\"from\":5,\"to\":9,"
	                    "\"lost\":3,\"source\":\"log\"}\n");
	e.type = CTSHARD_LIST_END;
	e.seq = 7;
	assert_string_equal(sample_event(&out_jsonl, 0, &e),
	                    "{\"event\":\"LIST_END\",\"seq\":7}\n");
}

static void test_strings(void **state)
{
	struct out *o = sample_out(&out_jsonl, 0);

	(void)state;
	out_json_string(o, "a\"b\\c\n\x7f\xff");
	assert_string_equal(sample_text(o),
	                    "\"a\\\"b\\\\c\\u000a\\u007f\\ufffd\"");
}

/* every day that 64 bits of nanoseconds reach, and any time of it */
static void test_time(void **state)
{
	uint64_t x = 88172645463325252ull, day;

	(void)state;
	for (day = 0; day <= UINT64_MAX / 86400000000000ull; day++) {
		uint64_t ns = day * 86400000000000ull;
		struct out *o = sample_out(&out_jsonl, 0);
		char want[96], when[32];
		struct tm tm;
		time_t s;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (ns <= UINT64_MAX - 86400000000000ull)
			ns += x % 86400000000000ull;
		s = (time_t)(ns / 1000000000);
		assert_non_null(gmtime_r(&s, &tm));
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(want, sizeof(want), "t\"%s.%09luZ\"n%lu", when,
		         (unsigned long)(ns % 1000000000), (unsigned long)ns);
		out_json_time(o, "t", "n", ns);
		assert_string_equal(sample_text(o), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conn),   cmocka_unit_test(test_array),
		cmocka_unit_test(test_absent), cmocka_unit_test(test_icmp_gre),
		cmocka_unit_test(test_events), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_time),
	};

	strcpy(sample_labels.name[1], "one");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

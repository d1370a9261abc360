/* test_out.c - formats by name; xml, save and csv as conntrack has them. */
#include "tests/cli/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static void test_parse(void **state)
{
	const struct out_format *f = NULL;
	unsigned mods = 0;
	char why[64];

	(void)state;
	assert_int_equal(out_parse("id,extended,ktimestamp", &f, &mods, why,
	                           sizeof(why)),
	                 0);
	assert_ptr_equal(f, &out_extended);
	assert_int_equal(mods, OUT_ID | OUT_KTIMESTAMP);
	f = NULL;
	assert_int_equal(out_parse("wide", &f, &mods, why, sizeof(why)), 0);
	assert_null(f);
	assert_int_equal(out_parse("id,pdf", &f, &mods, why, sizeof(why)), -1);
	assert_string_equal(why, "pdf");
	assert_int_equal(out_parse("", &f, &mods, why, sizeof(why)), -1);
}

#define L3(a, b)                                                            \
	"<layer3 protonum=\"2\" protoname=\"ipv4\"><src>" a "</src><dst>" b \
	"</dst></layer3>"
#define L4(a, b)                                             \
	"<layer4 protonum=\"6\" protoname=\"tcp\"><sport>" a \
	"</sport><dport>" b "</dport></layer4>"
#define COUNTERS(p, b) \
	"<counters><packets>" p "</packets><bytes>" b "</bytes></counters>"

static void test_xml(void **state)
{
	struct ctshard_conn c = sample_tcp();

	(void)state;
	c.id = 2403524961u;
	c.timestamp = 1;
	c.has |= CTSHARD_CONN_START;
	c.start_ns = 1000000000;
	c.now_ns = 2000000000;
	assert_string_equal(
		sample_list(&out_xml, 0, &c),
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n"
		"<flow><meta direction=\"original\">" L3("10.0.0.1", "10.0.1.1")
			L4("40000", "80") COUNTERS(
				"3", "137") "</meta><meta "
					    "direction=\"reply\">" L3("10.0.1."
	                                                              "1",
	                                                              "10.0.0."
	                                                              "1")
						    L4("80", "40000") COUNTERS(
							    "2",
							    "92") "</"
								  "meta><meta "
								  "direction="
								  "\"independen"
								  "t\">"
								  "<state>"
								  "ESTABLISHED<"
								  "/state><"
								  "timeout>"
								  "431999</"
								  "timeout>"
								  "<mark>0</"
								  "mark><use>1<"
								  "/use><id>"
								  "2403524961</"
								  "id><assured/"
								  ">"
								  "<deltatime>"
								  "1</"
								  "deltatime></"
								  "meta></"
								  "flow>\n</"
								  "conntrack>"
								  "\n");
}

static void test_save(void **state)
{
	struct ctshard_conn c = sample_tcp();

	(void)state;
	assert_string_equal(
		sample_list(&out_save, 0, &c),
		"-A -t 431999 -u SEEN_REPLY,ASSURED -s 10.0.0.1 -d 10.0.1.1 "
		"-r 10.0.1.1 -q 10.0.0.1 -p tcp --sport 40000 --dport 80 "
		"--reply-port-src 80 --reply-port-dst 40000 "
		"--state ESTABLISHED\n");
	c = sample_conn("icmp", 1);
	c.timeout_ms = 29000;
	c.dir[0].has = CTSHARD_TUPLE_ICMP;
	c.dir[0].type = 8;
	c.dir[0].icmp_id = 5;
	assert_string_equal(sample_list(&out_save, 0, &c),
	                    "-A -t 29 -u UNSET -s 10.0.0.1 -d 10.0.1.1 "
	                    "-r 10.0.1.1 -q 10.0.0.1 -p icmp --icmp-type 8 "
	                    "--icmp-code 0 --icmp-id 5\n");
	c = sample_conn(NULL, 89);
	c.timeout_ms = 599000;
	assert_string_equal(sample_list(&out_save, 0, &c),
	                    "-A -t 599 -u UNSET -s 10.0.0.1 -d 10.0.1.1 "
	                    "-r 10.0.1.1 -q 10.0.0.1 -p 89\n");
}

/* every column of csv has its cell, and a comma in one stays in one */
static void test_csv(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct ctshard_detail d = {"a", "1,\"2\""};
	const char *text, *p;
	int commas[2] = {0, 0}, line = 0;

	(void)state;
	text = sample_list(&out_csv, 0, &c);
	for (p = text; *p; p++) {
		line += *p == '\n';
		commas[line & 1] += *p == ',';
	}
	assert_int_equal(line, 2);
	assert_int_equal(commas[0], commas[1]);
	c.detail = &d;
	c.n_detail = 1;
	assert_non_null(
		strstr(sample_list(&out_csv, 0, &c), ",\"a=1,\"\"2\"\"\","));
}

/* what the daemon tells by name has columns of its own */
static void test_named(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct ctshard_detail d[] = {{"rtt_us_orig", "70"},
	                             {"retrans_reply", "3"},
	                             {"rate_reply", "1000"}};
	const char *text;

	(void)state;
	c.detail = d;
	c.n_detail = 3;
	c.has |= CTSHARD_CONN_START | CTSHARD_CONN_LAST;
	c.start_ns = 5;
	c.last_ns = 2000000005;
	text = sample_list(&out_csv, 0, &c);
	assert_non_null(strstr(text, ",2.000000000,,1000,70,,,3,,,,,,,,,,\n"));
	text = sample_list(&out_xml, OUT_WIDE, &c);
	assert_non_null(strstr(text,
	                       "<duration_ns>2000000000</duration_ns>"
	                       "<detail key=\"rtt_us_orig\">70</detail>"));
	text = sample_list(&out_jsonl, OUT_WIDE, &c);
	assert_non_null(strstr(text, "\"duration_ns\":2000000000,"));
	assert_non_null(strstr(text, "\"retrans_reply\":\"3\""));
}

static void test_broken_pipe(void **state)
{
	struct ctshard_conn c = sample_tcp();
	struct out *o = sample_out(&out_line, 0);
	int p[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	close(o->fd);
	o->fd = p[1];
	out_conn(o, &c);
	assert_int_equal(out_end(o), EPIPE);
	assert_int_equal(o->error, EPIPE);
	close(p[1]);
	free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_xml),
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_broken_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

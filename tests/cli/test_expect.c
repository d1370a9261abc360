/* test_expect.c - expectations in every format: the bytes of conntrack(8) 1.4.7
 * and of /proc/net/nf_conntrack_expect, as a kernel printed them. */
#include "tests/cli/sample.h"

#define LINE                                                               \
	"proto=6 src=10.0.1.1 dst=10.0.0.1 sport=0 dport=51211 "           \
	"mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0 "       \
	"dport=65535 master-src=10.0.0.1 master-dst=10.0.1.1 sport=40001 " \
	"dport=21 class=0 helper=ftp"

static struct ctshard_expect sample(void)
{
	struct ctshard_expect x = {.id = 12,
	                           .l3 = 4,
	                           .protonum = 6,
	                           .proto = "tcp",
	                           .timeout_ms = 299999,
	                           .master_protonum = 6,
	                           .master_id = 77,
	                           .helper = "ftp"};

	sample_tuple(&x.tuple, AF_INET, "10.0.1.1", "10.0.0.1");
	sample_tuple(&x.mask, AF_INET, "255.255.255.255", "255.255.255.255");
	sample_tuple(&x.master, AF_INET, "10.0.0.1", "10.0.1.1");
	x.tuple.has = x.mask.has = x.master.has = CTSHARD_TUPLE_PORTS;
	x.tuple.dport = 51211;
	x.mask.dport = 65535;
	x.master.sport = 40001;
	x.master.dport = 21;
	return x;
}

static struct ctshard_expect sample_gre(void)
{
	struct ctshard_expect x = sample();

	x.protonum = 47;
	x.proto = "gre";
	x.helper = "pptp";
	x.tuple.has = x.mask.has = CTSHARD_TUPLE_GRE;
	x.tuple.srckey = 0x1111;
	x.tuple.dstkey = 0x2222;
	x.mask.srckey = x.mask.dstkey = 0xffff;
	return x;
}

static const char *text(const struct out_format *f, unsigned mods,
                        const struct ctshard_expect *x,
                        const struct ctshard_event *e)
{
	struct out *o = malloc(sizeof(*o));

	assert_non_null(o);
	out_init(o, f, mods, memfd_create("out", 0), &sample_labels);
	o->expect = true;
	out_begin(o);
	if (e)
		out_event(o, e);
	else
		out_expect(o, x);
	return sample_text(o);
}

static void test_line(void **state)
{
	struct ctshard_expect x = sample();
	const unsigned all = OUT_ID | OUT_KTIMESTAMP | OUT_LABELS;

	(void)state;
	assert_string_equal(text(&out_line, 0, &x, NULL), "299 " LINE "\n");
	assert_string_equal(text(&out_extended, all, &x, NULL),
	                    "299 " LINE "\n");
	assert_string_equal(text(&out_save, 0, &x, NULL), "299 " LINE "\n");
	x.assign = "sip";
	x.zone = 4;
	assert_string_equal(text(&out_line, OUT_WIDE, &x, NULL),
	                    "299 " LINE
	                    " expect=12 master=77 zone=4 assign=sip\n");
	x = sample_gre();
	assert_non_null(strstr(text(&out_line, 0, &x, NULL),
	                       "299 proto=47 src=10.0.1.1 dst=10.0.0.1 "
	                       "srckey=0x1111 dstkey=0x2222 "
	                       "mask-src=255.255.255.255 "
	                       "mask-dst=255.255.255.255 "
	                       "srckey=0xffff dstkey=0xffff "
	                       "master-src=10.0.0.1"));
}

static void test_flags(void **state)
{
	struct ctshard_expect x = sample();

	(void)state;
	x.flags = 1;
	assert_non_null(strstr(text(&out_line, 0, &x, NULL),
	                       " dport=21 PERMANENT class=0 helper=ftp\n"));
	x.flags = 3;
	assert_non_null(strstr(text(&out_line, 0, &x, NULL),
	                       " PERMANENT,INACTIVE class=0"));
	assert_non_null(strstr(text(&out_json, 0, &x, NULL),
	                       "\"flags\":[\"PERMANENT\",\"INACTIVE\"]"));
	assert_non_null(strstr(text(&out_xml, 0, &x, NULL),
	                       "<class>0</class><permanent/><inactive/>"
	                       "</meta>"));
	x.helper = "sip";
	x.class_name = "signalling";
	assert_string_equal(text(&out_proc, 0, &x, NULL),
	                    "299 l3proto = 2 proto=6 src=10.0.1.1 "
	                    "dst=10.0.0.1 sport=0 dport=51211 "
	                    "PERMANENT,INACTIVE sip/signalling\n");
	x = sample_gre();
	assert_string_equal(text(&out_proc, 0, &x, NULL),
	                    "299 l3proto = 2 proto=47 src=10.0.1.1 "
	                    "dst=10.0.0.1 srckey=0x1111 dstkey=0x2222 "
	                    "pptp\n");
}

static void test_events(void **state)
{
	struct ctshard_expect x = sample();
	struct ctshard_event e = {.type = CTSHARD_NEW,
	                          .seq = 3,
	                          .time_ns = 1795381309411805000ull,
	                          .expect = &x};

	(void)state;
	x.timeout_ms = 300000;
	assert_string_equal(text(&out_line, 0, NULL, &e),
	                    "    [NEW] 300 " LINE "\n");
	e.type = CTSHARD_DESTROY;
	assert_string_equal(text(&out_line, OUT_TIMESTAMP | OUT_ID, NULL, &e),
	                    "[1795381309.411805]\t[DESTROY] 300 " LINE "\n");
	assert_non_null(strstr(text(&out_jsonl, 0, NULL, &e),
	                       "{\"event\":\"DESTROY\",\"seq\":3,\"time\":"
	                       "\"2026-11-22T21:01:49.411805000Z\""));
	assert_non_null(strstr(text(&out_csv, 0, NULL, &e),
	                       "\nDESTROY,3,1795381309.411805000,12,ipv4,tcp,6,"
	                       "300,10.0.1.1,0,10.0.0.1,51211,10.0.0.1,40001,"
	                       "10.0.1.1,21,0,ftp,77,class=0\n"));
	assert_non_null(strstr(text(&out_table, 0, NULL, &e), "DESTROY"));
}

/* Every byte is conntrack's. */
static void test_xml(void **state)
{
	struct ctshard_expect x = sample();

	(void)state;
	assert_string_equal(
		text(&out_xml, OUT_ID, &x, NULL),
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>\n"
		"<flow><layer3 protonum=\"2\" protoname=\"ipv4\"><expected>"
		"<src>10.0.1.1</src><dst>10.0.0.1</dst></expected><mask>"
		"<src>255.255.255.255</src><dst>255.255.255.255</dst></mask>"
		"<master><src>10.0.0.1</src><dst>10.0.1.1</dst></master>"
		"</layer3><layer4 protonum=\"6\" protoname=\"tcp\"><expected>"
		"<sport>0</sport><dport>51211</dport></expected><mask>"
		"<sport>0</sport><dport>65535</dport></mask><master>"
		"<sport>40001</sport><dport>21</dport></master></layer4><meta>"
		"<helper-name>ftp</helper-name><timeout>299</timeout>"
		"<class>0</class></meta></flow>\n</expect>\n");
	x = sample_gre();
	assert_non_null(strstr(text(&out_xml, 0, &x, NULL),
	                       "protoname=\"gre\"><expected>"
	                       "<srckey>0x1111</srckey><dstkey>0x2222</dstkey>"
	                       "</expected><mask><srckey>0xffff</srckey>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_xml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

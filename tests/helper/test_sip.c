/* test_sip.c - SIP: methods, calls and registrations (F210-F213) */
#include <errno.h>
#include <netinet/in.h>

#include "tests/helper/sip.h"

static void test_descriptor(void **state)
{
	const struct helper_class *c = helper_sip.classes;

	(void)state;
	assert_string_equal(helper_sip.name, "sip");
	assert_int_equal(helper_sip.nports, 2);
	assert_int_equal(helper_sip.ports[0].port, 5060);
	assert_int_equal(helper_sip.nclasses, 4);
	assert_string_equal(c[0].name, "signalling");
	assert_string_equal(c[3].name, "image");
	assert_int_equal(c[0].max, 1);
	assert_int_equal(c[1].max, 4);
	assert_int_equal(c[3].max, 2);
	assert_int_equal(c[2].seconds, 180);
	assert_string_equal(helper_sip.options[2].key, "sip_external_media");
	assert_int_equal(helper_sip.options[3].value, 3600);
}

/* Every packet with payload, whatever it is; nothing else for CANCEL (9.1 of
 * RFC 3261), for a method that is not known, and for a first line of another
 * protocol. */
static void test_refresh(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, "x", "");
	sip_is(&f, A, "SIP/2.0 20", "");
	sip_is(&f, B, "\r\n\r\n", "");
	sip_is(&f, A, "CANCEL sip:b@10.0.1.1 SIP/2.0\r\nCSeq: 1 CANCEL\r\n\r\n",
	       "");
	sip_is(&f, A, "INVITEX sip:b SIP/2.0\r\nCSeq: 1 X\r\n" SDP("4000"), "");
	sip_is(&f, A, "INVITE <sip:b> SIP/2.0\r\nCSeq: 1 X\r\n" SDP("4000"),
	       "");
	assert_int_equal(f.count[HELP_MALFORMED], 0);
	f.option[3] = 60;
	fake_send(&f, A, "x");
	assert_string_equal(fake_log(&f), "refresh 60\n");
	fake_close(&f);
}

static void test_tcp_state(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_TCP);
	f.h.info = CTINFO_NEW;
	f.h.len = 20;
	f.h.pkt = &f.pkt;
	f.pkt.l4proto = IPPROTO_TCP;
	helper_sip.help(&f.h);
	assert_string_equal(fake_log(&f), "");
	fake_close(&f);
}

static void test_call(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, INVITE("1") SDP("4000"),
	       FORGET RTP("10.0.1.1", "10.0.0.1", "4000", "4001"));
	sip_is(&f, B, "SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n", "");
	sip_is(&f, B,
	       "SIP/2.0 183 Progress\r\nCSeq: 1 INVITE\r\n" SDP_OF("10.0.1.1",
	                                                           "5001"),
	       RTP("10.0.0.1", "10.0.1.1", "5000", "5001"));
	sip_is(&f, B,
	       "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n" SDP_OF("10.0.1.1",
	                                                     "5000"),
	       RTP("10.0.0.1", "10.0.1.1", "5000", "5001"));
	sip_is(&f, A, "ACK sip:b SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n", "");
	sip_is(&f, A, "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n", FORGET);
	fake_close(&f);
}

/* The other requests that may carry an offer (RFC 3311, RFC 3262). */
static void test_offers(void **state)
{
	static const char *const methods[] = {"UPDATE", "ACK", "PRACK",
	                                      "update"};
	char text[512];
	struct fake f;
	unsigned int i;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	for (i = 0; i < ARRAY_SIZE(methods); i++) {
		snprintf(text, sizeof(text),
		         "%s sip:b SIP/2.0\r\nCSeq: 7 X\r\n" SDP("4000"),
		         methods[i]);
		sip_is(&f, A, text,
		       RTP("10.0.1.1", "10.0.0.1", "4000", "4001"));
	}
	sip_is(&f, A, "MESSAGE sip:b SIP/2.0\r\nCSeq: 7 X\r\n" SDP("4000"), "");
	fake_close(&f);
}

/* A call that fails takes its media with it, but not when it is another's. */
static void test_failure(void **state)
{
	static const char *const gone[] = {"INVITE", "UPDATE", "PRACK"};
	static const char *const stay[] = {"BYE", "ACK", "CANCEL", "REGISTER"};
	char text[128];
	struct fake f;
	unsigned int i;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, INVITE("77") "\r\n", FORGET);
	for (i = 0; i < ARRAY_SIZE(gone); i++) {
		snprintf(text, sizeof(text),
		         "SIP/2.0 487 x\r\nCSeq: 77 %s\r\n\r\n", gone[i]);
		sip_is(&f, B, text, FORGET);
		snprintf(text, sizeof(text),
		         "SIP/2.0 487 x\r\nCSeq: 78 %s\r\n\r\n", gone[i]);
		sip_is(&f, B, text, "");
	}
	for (i = 0; i < ARRAY_SIZE(stay); i++) {
		snprintf(text, sizeof(text),
		         "SIP/2.0 487 x\r\nCSeq: 77 %s\r\n\r\n", stay[i]);
		sip_is(&f, B, text, "");
	}
	/* of an INVITE that was not understood nothing is remembered */
	sip_is(&f, A, INVITE("79") SDP("80"), FORGET);
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	sip_is(&f, B, "SIP/2.0 487 x\r\nCSeq: 79 INVITE\r\n\r\n", "");
	sip_is(&f, B, "SIP/2.0 487 x\r\nCSeq: 77 INVITE\r\n\r\n", FORGET);
	fake_close(&f);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"BYE sip:b SIP/2.0\r\n\r\n",
		"BYE sip:b SIP/2.0\r\nCSeq: x BYE\r\n\r\n",
		"BYE sip:b SIP/2.0\r\nCSeq: 4294967296 BYE\r\n\r\n",
		"BYE sip:b SIP/2.0\r\nCSeq: 000000000001 BYE\r\n\r\n",
		"SIP/2.0 abc OK\r\nCSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 000 OK\r\nCSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 200 OK\r\n\r\n",
	};
	struct fake f;
	unsigned int i;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		sip_is(&f, A, bad[i], "");
		assert_int_equal(f.count[HELP_MALFORMED], i + 1);
	}
	sip_is(&f, A, "BYE sip:b SIP/2.0\r\nCSeq: 0 BYE\r\n\r\n", FORGET);
	/* the kernel's letters */
	sip_is(&f, A, "BYE \xe9 SIP/2.0\r\nCSeq: 0 BYE\r\n\r\n", FORGET);
	sip_is(&f, A, "BYE \xd7 SIP/2.0\r\nCSeq: 0 BYE\r\n\r\n", "");
	sip_is(&f, A, "BYE \xbf SIP/2.0\r\nCSeq: 0 BYE\r\n\r\n", "");
	fake_close(&f);
}

static void test_register(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A,
	       REGISTER("1") "Contact: <sip:a@10.0.0.1:5062>;expires=60\r\n",
	       CALL("udp", "10.0.1.1", "10.0.0.1", "5062"));
	sip_is(&f, B, REGISTERED("100", "1") "\r\n", "");
	f.matched = 1;
	sip_is(&f, B,
	       REGISTERED("200",
	                  "1") "Contact: <sip:a@10.0.0.1:5062>;expires=77\r\n",
	       "revise 0 10.0.0.1:5062 udp on seconds=77\n");
	/* the header holds for contacts that say nothing */
	sip_is(&f, B,
	       REGISTERED("200", "1") "Expires: 99\r\n"
	                              "m: sip:a@10.0.0.1\r\n",
	       "revise 0 10.0.0.1:5060 udp on seconds=99\n");
	/* a late answer, and one that refuses */
	sip_is(&f, B, REGISTERED("403", "2") "\r\n", "");
	sip_is(&f, B, REGISTERED("403", "1") "\r\n", "unexpect 0\n");
	fake_close(&f);
}

/* The registrar lists all bindings of a user, also other phones'. */
static void test_bindings(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A,
	       REGISTER("1") "Contact: <sip:a@10.0.0.1:5062>;expires=60\r\n",
	       CALL("udp", "10.0.1.1", "10.0.0.1", "5062"));
	f.matched = 1;
	sip_is(&f, B,
	       REGISTERED("200", "1") "Contact: <sip:a@10.9.9.9>;expires=1, "
	                              "<sip:a@name.org>,\r\n"
	                              " <sip:a@10.9.9.8:80>,\"B\" "
	                              "<sip:a@10.0.0.1:5062>;expires=9\r\n",
	       "revise 0 10.0.0.1:5062 udp on seconds=9\n");
	sip_is(&f, B,
	       REGISTERED("200", "1") "Contact: <sip:a@10.9.9.9>;expires=1\r\n"
	                              "Contact: <sip:a@name.org>\r\n"
	                              "M: <sip:a@10.0.0.1>;expires=9\r\n",
	       "revise 0 10.0.0.1:5060 udp on seconds=9\n");
	/* none, none of the phone's, one that ends now, or a broken one */
	sip_is(&f, B, REGISTERED("200", "1") "\r\n", "unexpect 0\n");
	sip_is(&f, B, REGISTERED("200", "1") "m: <sip:a@10.9.9.9>\r\n",
	       "unexpect 0\n");
	sip_is(&f, B,
	       REGISTERED("200", "1") "m: <sip:a@10.0.0.1>;expires=0\r\n",
	       "unexpect 0\n");
	sip_is(&f, B,
	       REGISTERED("200", "1") "m: <sip:a@10.0.0.1>;expires=x\r\n", "");
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	/* another port than the one that is expected */
	f.matched = 0;
	sip_is(&f, B,
	       REGISTERED("200", "1") "m: <sip:a@10.0.0.1:5064>;expires=9\r\n",
	       "revise 0 10.0.0.1:5064 udp on seconds=9\nunexpect 0\n");
	fake_close(&f);
}

static void test_register_not(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, REGISTER("1") "Contact: *\r\nExpires: 0\r\n", "");
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.0.0.1>\r\n", "");
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.0.0.1>;expires=0\r\n", "");
	sip_is(&f, A, REGISTER("1") "m: <sip:a@name.org>;expires=9\r\n", "");
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.0.0.1:80>;expires=9\r\n", "");
	sip_is(&f, A,
	       REGISTER("1") "m: <sip:a@10.0.0.1;transport=tcp>;expires=9\r\n",
	       "");
	assert_int_equal(f.count[HELP_MALFORMED], 0);
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.0.0.1>;expires=a\r\n", "");
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	assert_int_equal(f.count[HELP_FOREIGN], 0);
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.9.9.9>;expires=9\r\n", "");
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	f.h.expected = true;
	sip_is(&f, A, REGISTER("1") "m: <sip:a@10.0.0.1>;expires=9\r\n", "");
	fake_close(&f);
}

/* A registration that could not be expected has no answer; to renew one that
 * stands is no fault. */
static void test_register_refused(void **state)
{
	static const char text[] =
		REGISTER("5") "m: <sip:a@10.0.0.1>;expires=9\r\n";
	static const char call[] = CALL("udp", "10.0.1.1", "10.0.0.1", "5060");
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	f.expect_rc = -EBUSY;
	sip_is(&f, A, text, call);
	assert_int_equal(f.count[HELP_LIMIT], 1);
	sip_is(&f, B, REGISTERED("403", "5") "\r\n", "");
	f.expect_rc = -EEXIST;
	sip_is(&f, A, text, call);
	sip_is(&f, B, REGISTERED("403", "5") "\r\n", "unexpect 0\n");
	fake_close(&f);
}

static void test_register_options(void **state)
{
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_TCP);
	f.option[0] = 0;
	sip_is(&f, A,
	       REGISTER("1") "m: <sip:a@10.0.0.1;transport=TCP>;expires=9\r\n"
	                     "l: 0\r\n\r\n",
	       "expect tcp *:* -> 10.0.0.1:5060 flags=3 assign=sip\n");
	fake_close(&f);
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_sip, IPPROTO_UDP, "fd00::1", 5060, "fd00::2",
	          5060);
	sip_is(&f, A, REGISTER("1") "m: <sip:a@[fd00::1]:5062>;expires=60\r\n",
	       CALL("udp", "[fd00::2]", "[fd00::1]", "5062"));
	sip_is(&f, A, REGISTER("1") "m: <sip:a@fd00::1>;expires=60\r\n", "");
	sip_is(&f, A, REGISTER("1") "m: <sip:a@[fd00::1>;expires=60\r\n", "");
	sip_is(&f, A,
	       INVITE("1") "\r\nv=0\r\nc=IN IP6 fd00:0::1\r\n"
	                   "m=audio 4000 RTP/AVP 0\r\n",
	       FORGET RTP("[fd00::2]", "[fd00::1]", "4000", "4001"));
	sip_is(&f, A, INVITE("1") SDP("4000"), FORGET);
	fake_close(&f);
}

/* A message that the capture cut: a number or address at its end may be the
 * beginning of a longer one, and is not taken. */
static void sip_cut(const char *text, const char *want)
{
	uint32_t n, len = (uint32_t)strlen(text);
	struct fake f;
	const char *log;

	for (n = 0; n <= len; n++) {
		sip_open(&f, IPPROTO_UDP);
		fake_cut(&f, A, text, n, len, 1);
		log = strstr(fake_log(&f), "expect udp");
		if (n == len)
			assert_non_null(log);
		if (log)
			assert_string_equal(log, want);
		fake_close(&f);
	}
}

static void test_cut(void **state)
{
	(void)state;
	sip_cut(REGISTER("1") "Contact: <sip:a@10.0.0.1:50620>;expires=60\r\n",
	        CALL("udp", "10.0.1.1", "10.0.0.1", "50620"));
	sip_cut(INVITE("1") SDP("40000"),
	        RTP("10.0.1.1", "10.0.0.1", "40000", "40001"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_tcp_state),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_register_not),
		cmocka_unit_test(test_register_refused),
		cmocka_unit_test(test_register_options),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

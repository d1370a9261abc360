/* test_sip_sdp.c - media of a session description (RFC 4566, F211) */
#include <errno.h>
#include <netinet/in.h>

#include "tests/helper/sip.h"

#define ACK                    "ACK sip:b@10.0.1.1 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n"
#define PEER(class, rtp, rtcp) MEDIA(class, "10.0.1.1", "10.0.0.1", rtp, rtcp)
#define OWN                    "c=IN IP4 10.0.0.1\r\n"

static void sdp_is(const char *body, const char *want)
{
	char text[1024];
	struct fake f;

	snprintf(text, sizeof(text), ACK "%s", body);
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, text, want);
	fake_close(&f);
}

static void test_ports(void **state)
{
	(void)state;
	sdp_is("v=0\r\n" OWN "m=audio 4000 x\r\n", PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio 4001 x\r\n", PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio 4000/2 x\r\n", PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio 1024", PEER("1", "1024", "1025"));
	sdp_is("v=0\r\n" OWN "m=audio 65535 x\r\n",
	       PEER("1", "65534", "65535"));
	/* 0 refuses this medium alone, what cannot be ends it all */
	sdp_is("v=0\r\n" OWN "m=audio 0 x\r\nm=video 4000 x\r\n",
	       PEER("2", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio x\r\nm=video 4000 x\r\n",
	       PEER("2", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio 1023 x\r\nm=video 4000 x\r\n", "");
	sdp_is("v=0\r\n" OWN "m=audio 65536 x\r\nm=video 4000 x\r\n", "");
}

static void test_types(void **state)
{
	(void)state;
	sdp_is("v=0\r\n" OWN "m=video 4000 x\r\n", PEER("2", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=image 4000 udptl t38\r\n",
	       PEER("3", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=application 1 x\r\nm=audio 4000 x\r\n",
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=AUDIO 4002 x\r\nM=audio 4000 x\r\n",
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audios 4002 x\r\n", "");
	sdp_is("v=0\r\n" OWN "m=audio\t4002 x\r\nm=audio 4000 x\r\n", "");
	sdp_is("v=0\r\n" OWN "m=- 4002 x\r\nm=audio 4000 x\r\n", "");
	/* three are taken */
	sdp_is("v=0\r\n" OWN "m=audio 4000 x\r\nm=audio 0 x\r\n"
	       "m=video 4002 x\r\nm=image 4004 x\r\nm=audio 4006 x\r\n",
	       PEER("1", "4000", "4001") PEER("2", "4002", "4003")
	               PEER("3", "4004", "4005"));
}

static void test_addresses(void **state)
{
	(void)state;
	/* that of the medium before that of the session */
	sdp_is("v=0\r\nm=audio 4000 x\r\n" OWN, PEER("1", "4000", "4001"));
	sdp_is("v=0\r\nc=IN IP4 10.9.9.9\r\nm=audio 4000 x\r\n" OWN,
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\nc=IN IP4 host.org\r\nm=audio 4000 x\r\n" OWN,
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\n" OWN "m=audio 4000 x\r\nc=IN IP4 10.9.9.9\r\n"
	       "m=video 4002 x\r\n",
	       PEER("2", "4002", "4003"));
	sdp_is("v=0\r\n" OWN "m=audio 4000 x\r\nc=IN IP4 host.org\r\n",
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\nC=x IN IP4 10.0.0.1/127\r\nm=audio 4000 x\r\n",
	       PEER("1", "4000", "4001"));
	/* one that is behind the next medium is not this one's */
	sdp_is("v=0\r\nm=audio 4000 x\r\nm=video 4002 x\r\n" OWN, "");
	sdp_is("v=0\r\n" OWN "c=IN IP4 10.9.9.9\r\nm=audio 4000 x\r\n",
	       PEER("1", "4000", "4001"));
	sdp_is("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 x\r\n", "");
	sdp_is("v=0\r\nc=in ip4 10.0.0.1\r\nm=audio 4000 x\r\n", "");
	sdp_is("v=0\r\nc=IN IP6 fd00::1\r\nm=audio 4000 x\r\n", "");
	sdp_is("v=0\r\nc=IN IP4\r\n 10.0.0.1\r\nm=audio 4000 x\r\n", "");
}

static void test_begin(void **state)
{
	(void)state;
	sdp_is("", "");
	sdp_is(OWN "m=audio 4000 x\r\n", "");
	sdp_is("v=\r\n" OWN "m=audio 4000 x\r\n", "");
	sdp_is("V=1\r\n" OWN "m=audio 4000 x\r\n", PEER("1", "4000", "4001"));
	sdp_is("m=video 4002 x\r\nv=0\r\n" OWN "m=audio 4000 x\r\n",
	       PEER("1", "4000", "4001"));
}

/* A line behind one of a line feed alone: only mirror mode sees it. */
static void test_line_feeds(void **state)
{
	static const char text[] = "ACK sip:b SIP/2.0\nCSeq: 1 ACK\n\n"
				   "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 x\n";
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, text, "");
	f.h.mirror = true;
	sip_is(&f, A, text, PEER("1", "4000", "4001"));
	fake_close(&f);
}

static void test_direct(void **state)
{
	static const char text[] =
		ACK "v=0\r\nc=IN IP4 10.9.9.9\r\nm=audio 4000 x\r\n";
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	sip_is(&f, A, text, "");
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	f.option[SIP_DIRECT_MEDIA] = 0;
	sip_is(&f, A, text, MEDIA("1", "*", "10.9.9.9", "4000", "4001"));
	sip_is(&f, B, ACK "v=0\r\n" OWN "m=audio 4000 x\r\n",
	       MEDIA("1", "*", "10.0.0.1", "4000", "4001"));
	fake_close(&f);
}

static int refuse_rtcp(struct help_ctx *h, const struct expect_spec *s)
{
	fake_expect(h, s);
	return s->dport & 1 ? -ENOSPC : 0;
}

static void test_limits(void **state)
{
	static const char text[] =
		ACK "v=0\r\n" OWN "m=audio 4000 x\r\nm=video 4002 x\r\n";
	struct fake f;

	(void)state;
	sip_open(&f, IPPROTO_UDP);
	/* another one has it already: as good as done */
	f.expect_rc = -EBUSY;
	sip_is(&f, A, text,
	       PEER("1", "4000", "4001") PEER("2", "4002", "4003"));
	f.expect_rc = -EEXIST;
	sip_is(&f, A, text,
	       PEER("1", "4000", "4001") PEER("2", "4002", "4003"));
	assert_int_equal(f.count[HELP_LIMIT], 0);
	f.expect_rc = -ENOSPC;
	sip_is(&f, A, text, "expect udp 10.0.1.1:* -> 10.0.0.1:4000 class=1\n");
	assert_int_equal(f.count[HELP_LIMIT], 1);
	f.h.expect = refuse_rtcp;
	sip_is(&f, A, text,
	       PEER("1", "4000", "4001") "unexpect 1 10.0.0.1:4000 udp\n");
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_line_feeds),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

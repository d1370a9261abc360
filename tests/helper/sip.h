/* sip.h - what the tests of the SIP helper share: a connection, parts of
 * messages, and the lines that are expected to be asked for. */
#ifndef TESTS_HELPER_SIP_H
#define TESTS_HELPER_SIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/helper/sip.h"
#include "tests/helper/fake.h"

extern const struct helper helper_sip;

#define FORGET "unexpect 1-3\n"
#define MEDIA(class, src, dst, rtp, rtcp)                       \
	"expect udp " src ":* -> " dst ":" rtp                  \
	" class=" class "\n"                                    \
			"expect udp " src ":* -> " dst ":" rtcp \
			" class=" class "\n"
#define RTP(src, dst, rtp, rtcp) MEDIA("1", src, dst, rtp, rtcp)
#define CALL(proto, src, dst, port) \
	"expect " proto " " src ":* -> " dst ":" port " flags=3 assign=sip\n"

#define VIA "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n"
#define INVITE(cseq) \
	"INVITE sip:b@10.0.1.1 SIP/2.0\r\n" VIA "CSeq: " cseq " INVITE\r\n"
#define REGISTER(cseq) \
	"REGISTER sip:10.0.1.1 SIP/2.0\r\n" VIA "CSeq: " cseq " REGISTER\r\n"
#define REGISTERED(code, cseq) \
	"SIP/2.0 " code " x\r\n" VIA "CSeq: " cseq " REGISTER\r\n"
/* the end of the headers, and a body */
#define SDP_OF(addr, port)                       \
	"\r\nv=0\r\no=- 1 1 IN IP4 " addr "\r\n" \
	"s=-\r\nc=IN IP4 " addr "\r\nt=0 0\r\nm=audio " port " RTP/AVP 0\r\n"
#define SDP(port) SDP_OF("10.0.0.1", port)

static inline void sip_open(struct fake *f, uint8_t l4proto)
{
	fake_open(f, &helper_sip, l4proto, "10.0.0.1", 5060, "10.0.1.1", 5060);
}

/* What is asked for, after the refreshing that every packet does. */
static inline void sip_is(struct fake *f, uint8_t dir, const char *text,
                          const char *want)
{
	static const char refresh[] = "refresh 3600\n";
	const char *log;

	fake_send(f, dir, text);
	log = fake_log(f);
	assert_memory_equal(log, refresh, strlen(refresh));
	assert_string_equal(log + strlen(refresh), want);
}

#endif

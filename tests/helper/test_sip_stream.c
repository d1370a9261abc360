/* test_sip_stream.c - SIP over TCP: messages out of segments (F214) */
#include <netinet/in.h>

#include "tests/helper/sip.h"

#define BODY "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\n"
#define CALLING                                                      \
	"ACK sip:b SIP/2.0\r\nCSeq: 1 ACK\r\nContent-Length: 49\r\n" \
	"\r\n" BODY
#define CALLED  RTP("10.0.1.1", "10.0.0.1", "40000", "40001")
#define LEAVING "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\nl: 0\r\n\r\n"
#define REFRESH "refresh 3600\n"

_Static_assert(sizeof(BODY) - 1 == 49, "Content-Length is a lie");

static void stream_open(struct fake *f, bool mirror)
{
	sip_open(f, IPPROTO_TCP);
	f->h.mirror = mirror;
}

/* What was asked for, without the refreshing that every segment does. */
static const char *stream_log(struct fake *f)
{
	static char out[sizeof(f->log)];
	const size_t n = strlen(REFRESH);
	const char *log = fake_log(f);
	size_t len = 0;

	while (*log) {
		size_t line = strcspn(log, "\n") + 1;

		if (strncmp(log, REFRESH, n) != 0) {
			memcpy(out + len, log, line);
			len += line;
		}
		log += line;
	}
	out[len] = 0;
	return out;
}

/* -- strict ---------------------------------------------------------------- */

static void test_framing(void **state)
{
	struct fake f;

	(void)state;
	stream_open(&f, false);
	sip_is(&f, A, CALLING, CALLED);
	sip_is(&f, A, CALLING LEAVING CALLING, CALLED FORGET CALLED);
	sip_is(&f, A, "SIP/2.0 200 x\r\nCSeq: 1 BYE\r\nl: 0\r\n\r\n" LEAVING,
	       FORGET);
	/* what follows a message that is not whole is not looked at */
	sip_is(&f, A, LEAVING "BYE sip:b SIP/2.0\r\nl: 9\r\n\r\n" LEAVING,
	       FORGET);
	sip_is(&f, A, "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n", "");
	sip_is(&f, A, "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\nl: x\r\n\r\n", "");
	sip_is(&f, A, "BYE sip:b SIP/2.0\nCSeq: 2 BYE\nl: 0\n\n", "");
	/* nor what follows one that cannot be understood */
	sip_is(&f, A,
	       "BYE sip:b SIP/2.0\r\nCSeq: x BYE\r\nl: 0\r\n\r\n" LEAVING, "");
	sip_is(&f, A, "BYE b\r\nl:0\r\n", "");
	fake_close(&f);
}

/* A body as long as the header says, not as it looks. */
static void test_body_length(void **state)
{
	struct fake f;

	(void)state;
	stream_open(&f, false);
	sip_is(&f, A, "ACK sip:b SIP/2.0\r\nCSeq: 1 ACK\r\nl: 30\r\n\r\n" BODY,
	       "");
	sip_is(&f, A,
	       "ACK sip:b SIP/2.0\r\nCSeq: 1 ACK\r\nl: 4294967295\r\n"
	       "\r\n" BODY,
	       "");
	fake_close(&f);
}

static void test_strict_partial(void **state)
{
	const size_t len = strlen(CALLING);
	struct fake f;
	size_t n;

	(void)state;
	for (n = 1; n < len; n++) {
		stream_open(&f, false);
		fake_bytes(&f, A, CALLING, (uint32_t)n);
		fake_bytes(&f, A, &CALLING[n], (uint32_t)(len - n));
		assert_string_equal(stream_log(&f), "");
		assert_int_equal(f.kept[A].len, 0);
		fake_close(&f);
	}
}

/* -- mirror ---------------------------------------------------------------- */

/* Three messages in segments cut at any two bytes. */
static void test_every_cut(void **state)
{
	static const char text[] = CALLING "\r\n\r\n" LEAVING CALLING;
	const uint32_t len = sizeof(text) - 1;
	struct fake f;
	uint32_t i, j;

	(void)state;
	for (i = 1; i < len; i++)
		for (j = i; j < len; j += 7) {
			stream_open(&f, true);
			fake_bytes(&f, A, text, i);
			if (j > i)
				fake_bytes(&f, A, text + i, j - i);
			fake_bytes(&f, A, text + j, len - j);
			assert_string_equal(stream_log(&f),
			                    CALLED FORGET CALLED);
			assert_int_equal(f.count[HELP_RESYNC], 0);
			assert_int_equal(f.kept[A].len, 0);
			fake_close(&f);
		}
}

static void test_byte_by_byte(void **state)
{
	static const char text[] = LEAVING CALLING LEAVING;
	struct fake f;
	uint32_t i;

	(void)state;
	stream_open(&f, true);
	for (i = 0; i < sizeof(text) - 1; i++) {
		fake_bytes(&f, A, text + i, 1);
		/* the other direction has a stream of its own */
		fake_bytes(&f, B, text + i, 1);
	}
	assert_string_equal(stream_log(&f), FORGET FORGET CALLED FORGET FORGET);
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	fake_close(&f);
}

static void test_repetition(void **state)
{
	const uint32_t len = sizeof(CALLING) - 1;
	struct fake f;

	(void)state;
	stream_open(&f, true);
	fake_bytes(&f, A, CALLING, 50);
	fake_cut(&f, A, CALLING, 50, 50, f.seq[A] - 50);
	fake_cut(&f, A, &CALLING[20], 30, 30, f.seq[A] - 30);
	assert_string_equal(stream_log(&f), "");
	/* half old, half new */
	fake_cut(&f, A, &CALLING[20], len - 20, len - 20, f.seq[A] - 30);
	assert_string_equal(stream_log(&f), CALLED);
	assert_int_equal(f.count[HELP_RESYNC], 0);
	fake_close(&f);
}

static void test_gap(void **state)
{
	struct fake f;

	(void)state;
	stream_open(&f, true);
	fake_bytes(&f, A, CALLING, 50);
	f.seq[A] += 10;
	fake_send(&f, A, "IP4 10.0.0.1\r\nm=audio 40000 x\r\n" LEAVING);
	assert_string_equal(stream_log(&f), FORGET);
	assert_true(f.count[HELP_RESYNC] > 0);
	assert_int_equal(f.kept[A].len, 0);
	/* begun in the middle of a connection */
	fake_send(&f, B, "of it\r\nSIP/2.0 of this\r\nl: 0\r\n\r\n" LEAVING);
	assert_string_equal(stream_log(&f), FORGET);
	fake_close(&f);
}

static void test_no_length(void **state)
{
	struct fake f;

	(void)state;
	stream_open(&f, true);
	sip_is(&f, A, "BYE sip:b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n" LEAVING,
	       FORGET);
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	sip_is(&f, A, "BYE b SIP/2.0\r\nl: 99999999\r\n\r\nv=0\r\n" LEAVING,
	       FORGET);
	assert_int_equal(f.count[HELP_MALFORMED], 2);
	assert_int_equal(f.count[HELP_RESYNC], 1);
	/* one that cannot be understood does not hide the next one */
	sip_is(&f, A,
	       "BYE sip:b SIP/2.0\r\nCSeq: x BYE\r\nl: 0\r\n\r\n" LEAVING,
	       FORGET);
	fake_close(&f);
}

/* A message longer than can be kept is read as far as it goes, and the next
 * one is found where it ends. */
static void stream_long(uint32_t segment)
{
	static char text[20000];
	const uint32_t body = 12000;
	uint32_t n, i, len;
	struct fake f;

	n = (uint32_t)sprintf(text,
	                      "ACK sip:b SIP/2.0\r\nCSeq: 1 ACK\r\n"
	                      "Content-Length: %u\r\n\r\n" BODY,
	                      body);
	len = n - (uint32_t)strlen(BODY) + body;
	for (; n < len; n++)
		text[n] = n % 50 ? 'a' : '\n';
	strcpy(text + len, LEAVING);
	len += (uint32_t)strlen(LEAVING);
	stream_open(&f, true);
	for (i = 0; i < len; i += n) {
		n = len - i < segment ? len - i : segment;
		fake_bytes(&f, A, text + i, n);
	}
	assert_string_equal(stream_log(&f), CALLED FORGET);
	assert_int_equal(f.count[HELP_RESYNC], 0);
	fake_close(&f);
}

static void test_long(void **state)
{
	(void)state;
	stream_long(100);
	stream_long(1460);
	stream_long(4096);
	stream_long(5000);
	stream_long(9000);
	stream_long(19000);
}

/* Headers without an end are not kept for ever. */
static void test_endless(void **state)
{
	char text[1001];
	struct fake f;
	unsigned int i;

	(void)state;
	stream_open(&f, true);
	fake_send(&f, A, "BYE sip:b SIP/2.0\r\n");
	memset(text, 'a', 1000);
	text[1000] = 0;
	for (i = 0; i < 10; i++) {
		fake_send(&f, A, text);
		assert_true(f.kept[A].len <= HELP_KEEP);
	}
	assert_true(f.count[HELP_RESYNC] > 0);
	fake_send(&f, A, "\r\n" LEAVING);
	assert_string_equal(stream_log(&f), FORGET);
	fake_close(&f);
}

static void test_keep_fails(void **state)
{
	struct fake f;

	(void)state;
	stream_open(&f, true);
	f.keep_fails = true;
	fake_bytes(&f, A, CALLING, sizeof(CALLING) - 10);
	assert_string_equal(stream_log(&f), "");
	fake_send(&f, A, &CALLING[sizeof(CALLING) - 10]);
	fake_send(&f, A, LEAVING);
	assert_string_equal(stream_log(&f), FORGET);
	fake_close(&f);
}

/* A capture that is shorter than the segment: whole lines are read, and the
 * next message is found all the same. */
static void test_snaplen(void **state)
{
	const uint32_t len = sizeof(CALLING) - 1;
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 0; n <= len; n++) {
		bool mirror = n & 1;
		const char *log;

		stream_open(&f, mirror);
		fake_cut(&f, A, CALLING, n, len, f.seq[A]);
		f.seq[A] += len;
		log = stream_log(&f);
		if (*log)
			assert_string_equal(log, CALLED);
		if (n == len)
			assert_string_equal(log, CALLED);
		fake_send(&f, A, LEAVING);
		assert_string_equal(stream_log(&f), FORGET);
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_body_length),
		cmocka_unit_test(test_strict_partial),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_repetition),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_no_length),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_keep_fails),
		cmocka_unit_test(test_snaplen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

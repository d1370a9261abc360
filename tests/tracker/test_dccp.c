/* test_dccp.c - DCCP: the grid by role, assurance, resync, header checks
 * (F171-F177) */
#include "tests/tracker/feed.h"

#define PROTO 33
#define SEQ_A 0x000111112222u
#define SEQ_B 0x0a0b33334444u

enum {
	REQUEST,
	RESPONSE,
	DATA,
	ACK,
	DATAACK,
	CLOSEREQ,
	CLOSE,
	RESET,
	SYNC,
	SYNCACK
};

/* bytes behind the header of 16, RFC 4340 sections 5.1 to 5.8 */
static const uint8_t more[16] = {4, 12, 0, 8, 8, 8, 8, 12, 8, 8};

static void put48(uint8_t *b, uint64_t v)
{
	put16(b, (uint32_t)(v >> 32));
	put32(b + 2, (uint32_t)v);
}

static uint32_t build(uint8_t *l4, uint8_t type, uint64_t seq, uint64_t ack)
{
	uint32_t len = 16u + more[type & 15];

	memset(l4, 0, 64);
	put32(l4, 5001u << 16 | 5002);
	l4[4] = (uint8_t)(len / 4);
	l4[8] = (uint8_t)(type << 1 | 1);
	put48(l4 + 10, seq);
	if (len >= 24)
		put48(l4 + 18, ack);
	return len;
}

static enum trk_verdict dccp(struct feed *f, uint8_t dir, uint8_t type,
                             uint64_t seq, uint64_t ack)
{
	uint8_t l4[64];

	return feed(f, dir, l4, build(l4, type, seq, ack));
}

#define OK(f, dir, type, seq, ack, name, seconds)                           \
	do {                                                                \
		assert_int_equal(dccp(f, dir, type, seq, ack), TRK_ACCEPT); \
		assert_conn(f, name, seconds);                              \
	} while (0)

/* opens from `client`, who need not be ORIGINAL */
static void handshake(struct feed *f, uint8_t client)
{
	OK(f, client, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(f, !client, RESPONSE, SEQ_B, SEQ_A, "RESPOND", 480);
	OK(f, client, ACK, SEQ_A + 1, SEQ_B, "PARTOPEN", 480);
	OK(f, !client, DATAACK, SEQ_B + 1, SEQ_A + 1, "OPEN", 43200);
}

static void test_life(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(&f, B, RESPONSE, SEQ_B, SEQ_A, "RESPOND", 480);
	assert_int_equal(f.c.events, EVB_PROTOINFO | EVB_REPLY);
	assert_not_assured(&f);
	/* sent again: the number of the first is the one to acknowledge */
	OK(&f, B, RESPONSE, SEQ_B + 9, SEQ_A, "RESPOND", 480);
	OK(&f, A, ACK, SEQ_A + 1, SEQ_B, "PARTOPEN", 480);
	assert_assured(&f);
	assert_int_equal(f.c.events, EVB_PROTOINFO); /* F175: and no more */
	OK(&f, B, ACK, SEQ_B + 1, SEQ_A + 1, "OPEN", 43200);
	OK(&f, A, DATA, SEQ_A + 2, 0, "OPEN", 43200);
	assert_int_equal(f.c.events, 0);
	assert_false(f.t->closing(&f.conn));
	OK(&f, B, CLOSEREQ, SEQ_B + 2, SEQ_A + 2, "CLOSEREQ", 64);
	assert_true(f.t->closing(&f.conn));
	assert_int_equal(dccp(&f, B, DATA, SEQ_B + 3, 0), TRK_INVALID);
	OK(&f, A, CLOSE, SEQ_A + 3, SEQ_B + 2, "CLOSING", 64);
	assert_true(f.t->closing(&f.conn));
	OK(&f, B, RESET, SEQ_B + 3, SEQ_A + 3, "TIMEWAIT", 240);
	assert_true(f.t->closing(&f.conn));
	assert_assured(&f);
}

/* F172 */
static void test_first(void **state)
{
	struct feed f;
	int type, loose;

	(void)state;
	for (loose = 0; loose < 2; loose++) {
		for (type = 0; type < 16; type++) {
			feed_open(&f, 4, PROTO);
			f.pol.option[f.id][0] = (uint32_t)loose;
			assert_int_equal(dccp(&f, A, (uint8_t)type, 1, 2),
			                 type == REQUEST ? TRK_ACCEPT
			                                 : TRK_INVALID);
		}
	}
}

/* F175: the Ack must name the Response */
static void test_assured(void **state)
{
	uint8_t l4[64];
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(&f, B, RESPONSE, SEQ_B, SEQ_A, "RESPOND", 480);
	OK(&f, A, ACK, SEQ_A + 1, SEQ_B ^ 1ull << 40, "PARTOPEN", 480);
	assert_not_assured(&f);
	OK(&f, A, ACK, SEQ_A + 1, SEQ_B, "PARTOPEN", 480); /* too late */
	assert_not_assured(&f);

	feed_open(&f, 4, PROTO);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(&f, B, RESPONSE, SEQ_B, SEQ_A, "RESPOND", 480);
	OK(&f, A, DATAACK, SEQ_A + 1, SEQ_B, "PARTOPEN", 480);
	assert_not_assured(&f);

	feed_open(&f, 4, PROTO); /* short numbers never do, not even 0 */
	OK(&f, A, REQUEST, 0, 0, "REQUEST", 240);
	OK(&f, B, RESPONSE, 0, 0, "RESPOND", 480);
	build(l4, ACK, 0, 0);
	l4[4] = 4;
	l4[8] = ACK << 1;
	assert_int_equal(feed(&f, A, l4, 16), TRK_ACCEPT);
	assert_conn(&f, "PARTOPEN", 480);
	assert_not_assured(&f);
}

/* F173 */
static void test_reset(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	assert_int_equal(dccp(&f, B, RESET, SEQ_B, SEQ_A), TRK_KILL);
	assert_false(f.live);
	assert_int_equal(f.conn.packets[B], 1);

	feed_open(&f, 4, PROTO);
	OK(&f, A, REQUEST, SEQ_A, 0, "REQUEST", 240);
	assert_int_equal(dccp(&f, A, RESET, SEQ_A, 0), TRK_KILL);

	feed_open(&f, 4, PROTO);
	handshake(&f, A);
	OK(&f, A, RESET, SEQ_A + 2, SEQ_B, "TIMEWAIT", 240);
	f.timeout = 0;
	assert_int_equal(dccp(&f, A, RESET, SEQ_A + 2, SEQ_B), TRK_IGNORE);
	assert_int_equal(f.timeout, 0);
	OK(&f, B, RESET, SEQ_B + 2, SEQ_A, "TIMEWAIT", 240);
}

/* F174 */
static void test_roles(void **state)
{
	char text[64], want[64];
	struct feed f;

	(void)state;
	snprintf(want, sizeof(want), "client=reply handshake_seq=%llu",
	         (unsigned long long)SEQ_B);
	feed_open(&f, 4, PROTO);
	handshake(&f, A);
	OK(&f, A, CLOSE, SEQ_A + 2, SEQ_B, "CLOSING", 64);
	OK(&f, B, RESET, SEQ_B + 2, SEQ_A, "TIMEWAIT", 240);
	OK(&f, B, REQUEST, SEQ_A, 0, "REQUEST", 240);
	f.t->describe(&f.conn, text, sizeof(text));
	assert_memory_equal(text, "client=reply ", 13);
	handshake(&f, B);
	f.t->describe(&f.conn, text, sizeof(text));
	assert_string_equal(text, want);
	/* now A plays the server */
	assert_int_equal(dccp(&f, B, CLOSEREQ, SEQ_A, SEQ_B), TRK_INVALID);
	OK(&f, A, CLOSEREQ, SEQ_B, SEQ_A, "CLOSEREQ", 64);
	OK(&f, B, CLOSE, SEQ_A, SEQ_B, "CLOSING", 64);
	OK(&f, A, RESET, SEQ_B, SEQ_A, "TIMEWAIT", 240);
	/* the client again: nothing to exchange */
	OK(&f, B, REQUEST, SEQ_A, 0, "REQUEST", 240);
	OK(&f, A, RESPONSE, SEQ_B, SEQ_A, "RESPOND", 480);
}

static void test_resync(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	handshake(&f, A);
	assert_int_equal(dccp(&f, A, RESPONSE, 7, 8), TRK_IGNORE);
	assert_int_equal(dccp(&f, B, REQUEST, 7, 0), TRK_IGNORE);
	assert_int_equal(dccp(&f, B, RESPONSE, 7, 8), TRK_IGNORE); /* itself */
	assert_int_equal(dccp(&f, A, RESPONSE, 7, 8), TRK_IGNORE); /* late */
	assert_int_equal(dccp(&f, B, REQUEST, 7, 0), TRK_IGNORE);
	OK(&f, A, RESPONSE, 99, 7, "RESPOND", 480);
	assert_int_equal(f.c.events, EVB_PROTOINFO);
	OK(&f, B, ACK, 8, 99, "PARTOPEN", 480);
	OK(&f, A, ACK, 100, 8, "OPEN", 43200);
}

static void test_ignored(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	handshake(&f, A);
	f.timeout = 0;
	assert_int_equal(dccp(&f, B, SYNC, 1, 2), TRK_IGNORE);
	assert_int_equal(dccp(&f, A, SYNCACK, 1, 2), TRK_IGNORE);
	assert_int_equal(f.timeout, 0);
	assert_int_equal(f.c.events, 0);
	assert_string_equal(tracker_state_name(PROTO, f.conn.state), "OPEN");
	/* the two cells that look wrong */
	OK(&f, A, CLOSE, 1, 2, "CLOSING", 64);
	assert_int_equal(dccp(&f, A, CLOSE, 1, 2), TRK_INVALID);
	OK(&f, B, CLOSE, 1, 2, "CLOSING", 64);
}

/* F176 */
static void test_check(void **state)
{
	static const uint8_t may_be_short[16] = {
		[DATA] = 1, [ACK] = 1, [DATAACK] = 1};
	uint8_t l4[64];
	struct feed f;
	uint32_t len, n;

	(void)state;
	feed_open(&f, 4, PROTO);
	handshake(&f, A);
	len = build(l4, ACK, 5, 6);
	for (n = 0; n <= 255; n++) {
		l4[4] = (uint8_t)n;
		assert_int_equal(feed(&f, A, l4, len), n < 3 || n * 4 > len
		                                               ? TRK_INVALID
		                                               : TRK_ACCEPT);
	}
	for (n = 0; n < 16; n++) {
		build(l4, (uint8_t)n, 5, 6);
		l4[8] &= 0xfe;
		l4[4] = 4;
		if (n == RESET) /* would end the entry if it were let in */
			assert_int_equal(feed(&f, A, l4, 64), TRK_INVALID);
		feed(&f, A, l4, 64);
		if (n >= 10)
			assert_string_equal(
				f.c.why, "nf_ct_dccp: reserved packet type ");
		else if (!may_be_short[n])
			assert_string_equal(f.c.why,
			                    "nf_ct_dccp: type lacks 48bit "
			                    "sequence numbers");
		else
			assert_null(f.c.why);
	}
}

static void test_cut(void **state)
{
	uint8_t l4[64];
	struct feed f;
	uint32_t len, n;

	(void)state;
	len = build(l4, REQUEST, 5, 0);
	assert_int_equal(len, 20);
	for (n = 0; n <= len; n++) {
		feed_open(&f, 4, PROTO);
		assert_int_equal(feed(&f, A, l4, n),
		                 n < len ? TRK_INVALID : TRK_ACCEPT);
		feed_open(&f, 4, PROTO);
		assert_int_equal(feed_cut(&f, A, l4, n, len),
		                 n < len ? TRK_INVALID : TRK_ACCEPT);
	}
}

static void test_checksum(void **state)
{
	uint8_t l4[64];
	struct feed f;
	uint32_t n;

	(void)state;
	feed_open(&f, 4, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	for (n = 0; n < 16; n++) {
		/* a Request with 8 bytes of data: up to n = 3 they suffice */
		uint32_t len = build(l4, REQUEST, 5, 0) + 8;
		uint32_t cover = n == 0 ? len : len - 8 + (n - 1) * 4;

		l4[5] = (uint8_t)n;
		if (cover <= len)
			feed_checksum(&f, l4, len, cover, 6, PROTO);
		assert_int_equal(feed(&f, A, l4, len),
		                 cover <= len ? TRK_ACCEPT : TRK_INVALID);
		if (cover > len) {
			assert_string_equal(f.c.why, "nf_ct_dccp: bad "
			                             "checksum coverage ");
			continue;
		}
		l4[len - 1] ^= 1;
		assert_int_equal(feed(&f, A, l4, len),
		                 cover == len ? TRK_INVALID : TRK_ACCEPT);
		l4[15] ^= 2;
		assert_int_equal(feed(&f, A, l4, len), TRK_INVALID);
		assert_string_equal(f.c.why, "nf_ct_dccp: bad checksum ");
	}
}

static void test_notes(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	feed_notes(f.t);
	assert_true(f.t->cell(0, 10, 1) > f.t->nstates); /* no such type */
	assert_true(f.t->cell(0, 0, 200) > f.t->nstates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),    cmocka_unit_test(test_first),
		cmocka_unit_test(test_assured), cmocka_unit_test(test_reset),
		cmocka_unit_test(test_roles),   cmocka_unit_test(test_resync),
		cmocka_unit_test(test_ignored), cmocka_unit_test(test_check),
		cmocka_unit_test(test_cut),     cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

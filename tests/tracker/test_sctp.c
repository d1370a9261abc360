/* test_sctp.c - SCTP: the grid, tags, heartbeats, collisions, chunk rules,
 * CRC32c (F161-F170, B13) */
#include "tests/tracker/feed.h"

#define PROTO 132
#define TAG_A 0xaaaa1111u /* chosen by A: what B has to send */
#define TAG_B 0xbbbb2222u
#define TAG_X 0x12345678u

enum {
	DATA,
	INIT,
	INIT_ACK,
	SACK,
	HEARTBEAT,
	HEARTBEAT_ACK,
	ABORT,
	SHUTDOWN,
	SHUTDOWN_ACK,
	ERROR,
	COOKIE_ECHO,
	COOKIE_ACK,
	SHUTDOWN_COMPLETE = 14
};

struct chunk {
	uint8_t type, flags;
	uint32_t tag;  /* INIT, INIT_ACK: announced */
	uint16_t body; /* bytes, others */
};

#define C(...) ((const struct chunk[]){__VA_ARGS__})
#define SEND(f, dir, tag, ...) \
	sctp(f, dir, tag, C(__VA_ARGS__), ARRAY_SIZE(C(__VA_ARGS__)))
/* accepted, and then in this state for this time */
#define OK(f, dir, tag, name, seconds, ...)                                   \
	do {                                                                  \
		assert_int_equal(SEND(f, dir, tag, __VA_ARGS__), TRK_ACCEPT); \
		assert_conn(f, name, seconds);                                \
	} while (0)
#define BAD(f, dir, tag, ...) \
	assert_int_equal(SEND(f, dir, tag, __VA_ARGS__), TRK_INVALID)

static uint32_t build(uint8_t *l4, uint32_t tag, const struct chunk *c,
                      size_t n)
{
	uint32_t at = 12;

	memset(l4, 0, 256);
	put32(l4, 100u << 16 | 200);
	put32(l4 + 4, tag);
	for (; n > 0; n--, c++) {
		bool init = c->type == INIT || c->type == INIT_ACK;
		uint32_t len = 4u + (init ? 16 : c->body);

		l4[at] = c->type;
		l4[at + 1] = c->flags;
		put16(l4 + at + 2, len);
		if (init)
			put32(l4 + at + 4, c->tag);
		at += (len + 3) & ~3u;
	}
	return at;
}

static enum trk_verdict sctp(struct feed *f, uint8_t dir, uint32_t tag,
                             const struct chunk *c, size_t n)
{
	uint8_t l4[256];

	return feed(f, dir, l4, build(l4, tag, c, n));
}

static void handshake(struct feed *f)
{
	feed_open(f, 4, PROTO);
	OK(f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	OK(f, B, TAG_A, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_B, 0});
	OK(f, A, TAG_B, "COOKIE_ECHOED", 3, {COOKIE_ECHO, 0, 0, 16});
	assert_not_assured(f);
	OK(f, B, TAG_A, "ESTABLISHED", 210, {COOKIE_ACK, 0, 0, 0});
	assert_assured(f);
	assert_int_equal(f->c.events, EVB_PROTOINFO | EVB_ASSURED);
}

static void test_life(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	OK(&f, A, TAG_B, "ESTABLISHED", 210, {DATA, 3, 0, 20});
	assert_int_equal(f.c.events, 0);
	OK(&f, B, TAG_A, "ESTABLISHED", 210, {SACK, 0, 0, 12});
	assert_false(f.t->closing(&f.conn));
	OK(&f, A, TAG_B, "SHUTDOWN_SENT", 3, {SHUTDOWN, 0, 0, 4});
	assert_int_equal(f.c.events, EVB_PROTOINFO);
	assert_true(f.t->closing(&f.conn));
	OK(&f, B, TAG_A, "SHUTDOWN_ACK_SENT", 3, {SHUTDOWN_ACK, 0, 0, 0});
	OK(&f, A, TAG_B, "CLOSED", 10, {SHUTDOWN_COMPLETE, 0, 0, 0});
	assert_assured(&f);
}

static void test_server_shutdown(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	OK(&f, B, TAG_A, "SHUTDOWN_RECD", 3, {SHUTDOWN, 0, 0, 4});
	assert_true(f.t->closing(&f.conn));
	OK(&f, A, TAG_B, "SHUTDOWN_ACK_SENT", 3, {SHUTDOWN_ACK, 0, 0, 0});
	OK(&f, B, TAG_A, "CLOSED", 10, {SHUTDOWN_COMPLETE, 0, 0, 0});
}

/* F164: what may begin */
static void test_first(void **state)
{
	static const uint8_t never[] = {
		DATA, SACK, ABORT, SHUTDOWN_COMPLETE, COOKIE_ACK, 12, 130, 192};
	struct feed f;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(never); i++) {
		feed_open(&f, 4, PROTO);
		BAD(&f, A, 0, {never[i], 0, 0, 4});
		BAD(&f, A, TAG_X, {never[i], 0, 0, 4});
		assert_false(f.live);
	}
	feed_open(&f, 4, PROTO);
	BAD(&f, A, TAG_X, {INIT, 0, TAG_A, 0}); /* tag must be 0 */
	OK(&f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	feed_open(&f, 4, PROTO);
	OK(&f, A, TAG_X, "SHUTDOWN_ACK_SENT", 3, {SHUTDOWN_ACK, 0, 0, 0});
	/* the answer reflects the tag; A's own is not known, so T fails */
	BAD(&f, B, TAG_A, {SHUTDOWN_COMPLETE, 0, 0, 0});
	BAD(&f, B, TAG_X, {SHUTDOWN_COMPLETE, 1, 0, 0});
	OK(&f, B, TAG_X, "CLOSED", 10, {SHUTDOWN_COMPLETE, 0, 0, 0});
}

/* a path whose INIT went elsewhere (F164, F165) */
static void test_heartbeat_path(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, TAG_B, "HEARTBEAT_SENT", 30, {HEARTBEAT, 0, 0, 8});
	OK(&f, A, TAG_B, "HEARTBEAT_SENT", 30, {HEARTBEAT, 0, 0, 8});
	BAD(&f, B, TAG_A, {SHUTDOWN, 0, 0, 4});
	OK(&f, B, TAG_A, "ESTABLISHED", 210, {HEARTBEAT_ACK, 0, 0, 8});
	assert_assured(&f);
	OK(&f, B, TAG_A, "ESTABLISHED", 210, {DATA, 0, 0, 8});
	BAD(&f, B, TAG_X, {DATA, 0, 0, 8});
}

/* F166 */
static void test_tags(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	/* the handshake is over: nobody asks for another tag */
	BAD(&f, B, TAG_A, {INIT_ACK, 0, TAG_X, 0});
	BAD(&f, A, TAG_A, {DATA, 0, 0, 8});
	assert_string_equal(f.c.why, "verification tag check failed %x vs %x "
	                             "for dir 0");
	assert_int_equal(f.c.why_arg[0], TAG_A);
	assert_int_equal(f.c.why_arg[1], TAG_B);
	BAD(&f, B, TAG_X, {SHUTDOWN, 0, 0, 4});
	BAD(&f, A, TAG_X, {COOKIE_ECHO, 0, 0, 8});
	BAD(&f, A, TAG_A, {ABORT, 0, 0, 0});
	BAD(&f, A, TAG_B, {ABORT, 1, 0, 0}); /* T: the own one */
	assert_conn(&f, "ESTABLISHED", 210);
	OK(&f, A, TAG_A, "CLOSED", 10, {ABORT, 1, 0, 0});
	handshake(&f);
	OK(&f, B, TAG_A, "CLOSED", 10, {ABORT, 0, 0, 0});
}

/* F168: an INIT sent again lets the entry die */
static void test_init_again(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	assert_int_equal(SEND(&f, A, 0, {INIT, 0, TAG_X, 0}), TRK_IGNORE);
	assert_int_equal(f.conn.packets[A], 1);
	/* the later tag counts */
	BAD(&f, B, TAG_A, {INIT_ACK, 0, TAG_B, 0});
	OK(&f, B, TAG_X, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_B, 0});
	/* B restarted: its later answer counts as well, A asked for it */
	OK(&f, B, TAG_X, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_B + 1, 0});
	BAD(&f, A, TAG_B, {COOKIE_ECHO, 0, 0, 8});
	OK(&f, A, TAG_B + 1, "COOKIE_ECHOED", 3, {COOKIE_ECHO, 0, 0, 8});
}

/* F168: a third INIT ends the collision in favour of its sender */
static void test_collision_ends(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	assert_int_equal(SEND(&f, B, 0, {INIT, 0, TAG_B, 0}), TRK_IGNORE);
	assert_int_equal(SEND(&f, A, 0, {INIT, 0, TAG_A + 1, 0}), TRK_IGNORE);
	BAD(&f, A, TAG_B, {INIT_ACK, 0, TAG_X, 0}); /* B no longer asks */
	OK(&f, B, TAG_A + 1, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_X, 0});
}

/* F168: an INIT of the tag that is known changes nothing about who asks */
static void test_init_known(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	OK(&f, B, 0, "ESTABLISHED", 210, {INIT, 0, TAG_B, 0});
	BAD(&f, A, TAG_B, {INIT_ACK, 0, TAG_X, 0});
	OK(&f, A, TAG_B, "ESTABLISHED", 210, {INIT_ACK, 0, TAG_A, 0});
	OK(&f, B, 0, "ESTABLISHED", 210, {INIT, 0, TAG_X, 0});
	OK(&f, A, TAG_X, "ESTABLISHED", 210, {INIT_ACK, 0, TAG_X, 0});

	/* not even the end of a collision */
	feed_open(&f, 4, PROTO);
	OK(&f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	assert_int_equal(SEND(&f, B, 0, {INIT, 0, TAG_B, 0}), TRK_IGNORE);
	assert_int_equal(SEND(&f, A, 0, {INIT, 0, TAG_A, 0}), TRK_IGNORE);
	BAD(&f, B, TAG_A, {INIT_ACK, 0, TAG_X, 0});
	OK(&f, B, TAG_A, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_B, 0});
}

static void test_collision(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	OK(&f, A, 0, "CLOSED", 10, {INIT, 0, TAG_A, 0});
	assert_int_equal(SEND(&f, B, 0, {INIT, 0, TAG_B, 0}), TRK_IGNORE);
	/* answers must repeat the tag of their sender's own INIT */
	BAD(&f, B, TAG_A, {INIT_ACK, 0, TAG_X, 0});
	OK(&f, B, TAG_A, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_B, 0});
	BAD(&f, A, TAG_B, {INIT_ACK, 0, TAG_X, 0});
	OK(&f, A, TAG_B, "COOKIE_WAIT", 3, {INIT_ACK, 0, TAG_A, 0});
	OK(&f, A, TAG_B, "COOKIE_ECHOED", 3, {COOKIE_ECHO, 0, 0, 8});
	OK(&f, B, TAG_A, "ESTABLISHED", 210, {COOKIE_ACK, 0, 0, 0});
	/* the handshake is over: nobody asked any more */
	BAD(&f, B, TAG_A, {INIT_ACK, 0, TAG_X, 0});
}

/* F167 */
static void test_heartbeat_tag(void **state)
{
	struct feed f;
	uint64_t before;

	(void)state;
	handshake(&f);
	before = f.conn.packets[A];
	BAD(&f, B, TAG_X, {HEARTBEAT_ACK, 0, 0, 8}); /* nothing was asked */
	assert_int_equal(SEND(&f, A, TAG_X, {HEARTBEAT, 0, 0, 8}), TRK_IGNORE);
	assert_int_equal(f.conn.packets[A], before);
	BAD(&f, A, TAG_X, {HEARTBEAT, 0, 0, 8}, {DATA, 0, 0, 8});
	BAD(&f, A, TAG_X, {HEARTBEAT_ACK, 0, 0, 8}); /* the same side */
	OK(&f, B, TAG_X, "ESTABLISHED", 210, {HEARTBEAT_ACK, 0, 0, 8});
	BAD(&f, B, TAG_A, {DATA, 0, 0, 8});
	OK(&f, B, TAG_X, "ESTABLISHED", 210, {DATA, 0, 0, 8});
	/* A's is learnt again from its next heartbeat */
	OK(&f, A, TAG_X + 1, "ESTABLISHED", 210, {HEARTBEAT, 0, 0, 8});
	OK(&f, A, TAG_X + 1, "ESTABLISHED", 210, {DATA, 0, 0, 8});
}

/* a good heartbeat in between takes the doubt away */
static void test_heartbeat_doubt(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	assert_int_equal(SEND(&f, A, TAG_X, {HEARTBEAT, 0, 0, 8}), TRK_IGNORE);
	OK(&f, A, TAG_B, "ESTABLISHED", 210, {HEARTBEAT, 0, 0, 8});
	BAD(&f, B, TAG_X, {HEARTBEAT_ACK, 0, 0, 8});
	BAD(&f, A, TAG_X, {HEARTBEAT, 0, 0, 8}, {HEARTBEAT, 0, 0, 8});
}

/* F163 */
static void test_chunk_rules(void **state)
{
	uint8_t l4[256];
	struct feed f;
	uint32_t len;

	(void)state;
	handshake(&f);
	BAD(&f, A, TAG_B, {DATA, 0, 0, 8}, {COOKIE_ECHO, 0, 0, 8});
	assert_int_equal(f.c.why_arg[0], 1);
	assert_int_equal(f.c.why_arg[1], COOKIE_ECHO);
	BAD(&f, A, TAG_B, {DATA, 0, 0, 8}, {COOKIE_ACK, 0, 0, 0});
	BAD(&f, A, TAG_B, {SHUTDOWN_COMPLETE, 0, 0, 0}, {DATA, 0, 0, 8});
	BAD(&f, B, TAG_A, {DATA, 0, 0, 8}, {INIT_ACK, 0, TAG_B, 0});
	OK(&f, A, TAG_B, "ESTABLISHED", 210, {COOKIE_ECHO, 0, 0, 8},
	   {DATA, 0, 0, 8});
	len = build(l4, TAG_B, C({DATA, 0, 0, 8}, {SACK, 0, 0, 12}), 2);
	assert_int_equal(feed(&f, A, l4, 12), TRK_INVALID); /* none */
	assert_int_equal(feed(&f, A, l4, len), TRK_ACCEPT);
	put16(l4 + 24 + 2, 0);
	assert_int_equal(feed(&f, A, l4, len), TRK_INVALID);
	put16(l4 + 24 + 2, 1); /* a lie, but not nothing */
	put16(l4 + 28 + 2, 4);
	put16(l4 + 32 + 2, 4);
	put16(l4 + 36 + 2, 4);
	assert_int_equal(feed(&f, A, l4, len), TRK_ACCEPT);
	put16(l4 + 12 + 2, 65535); /* leads behind the end */
	assert_int_equal(feed(&f, A, l4, len), TRK_ACCEPT);
}

/* F169, and what is left of a packet that ends as INVALID */
static void test_many_chunks(void **state)
{
	struct feed f;

	(void)state;
	handshake(&f);
	OK(&f, A, TAG_B, "SHUTDOWN_ACK_SENT", 3, {SHUTDOWN, 0, 0, 4},
	   {SHUTDOWN_ACK, 0, 0, 0});
	assert_int_equal(f.c.events, EVB_PROTOINFO);
	handshake(&f);
	BAD(&f, A, TAG_B, {SHUTDOWN, 0, 0, 4}, {ABORT, 1, 0, 0});
	assert_conn(&f, "SHUTDOWN_SENT", 210); /* kept, but not refreshed */
	OK(&f, A, TAG_B, "SHUTDOWN_SENT", 3, {DATA, 0, 0, 8});
	assert_int_equal(f.c.events, EVB_PROTOINFO);
	OK(&f, A, TAG_B, "SHUTDOWN_SENT", 3, {DATA, 0, 0, 8});
	assert_int_equal(f.c.events, 0);
}

static void test_stale_cookie(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	SEND(&f, A, 0, {INIT, 0, TAG_A, 0});
	SEND(&f, B, TAG_A, {INIT_ACK, 0, TAG_B, 0});
	SEND(&f, A, TAG_B, {COOKIE_ECHO, 0, 0, 8});
	OK(&f, A, TAG_B, "COOKIE_ECHOED", 3, {ERROR, 0, 0, 8});
	OK(&f, B, TAG_A, "CLOSED", 10, {ERROR, 0, 0, 8});
}

/* Every packet cut at every byte, on the wire and in the capture. */
static void test_short(void **state)
{
	uint8_t l4[256];
	struct feed f;
	uint32_t len, n;

	(void)state;
	len = build(l4, 0, C({INIT, 0, TAG_A, 0}), 1);
	assert_int_equal(len, 32);
	for (n = 0; n <= len; n++) {
		feed_open(&f, 4, PROTO);
		assert_int_equal(feed(&f, A, l4, n),
		                 n < len ? TRK_INVALID : TRK_ACCEPT);
		if (n < 12)
			assert_string_equal(f.c.why,
			                    "nf_ct_sctp: short packet ");
		feed_open(&f, 4, PROTO);
		assert_int_equal(feed_cut(&f, A, l4, n, len),
		                 n < len ? TRK_INVALID : TRK_ACCEPT);
	}
	/* data that was not captured is not missed */
	handshake(&f);
	len = build(l4, TAG_B, C({DATA, 0, 0, 100}), 1);
	assert_int_equal(feed_cut(&f, A, l4, 16, len), TRK_ACCEPT);
}

/* CRC32c bit by bit: RFC 9260 appendix A */
static uint32_t crc32c(const uint8_t *b, uint32_t len)
{
	uint32_t crc = 0xffffffff;
	int i;

	while (len-- > 0) {
		crc ^= *b++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void test_crc(void **state)
{
	uint8_t l4[256];
	uint32_t len, crc;
	struct feed f;

	(void)state;
	/* the known answer of the polynomial */
	assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	feed_open(&f, 4, PROTO);
	f.pol.checksum = CHECKSUM_ON;
	len = build(l4, 0, C({INIT, 0, TAG_A, 0}), 1);
	crc = crc32c(l4, len);
	put32(l4 + 8, __builtin_bswap32(crc));
	assert_int_equal(feed(&f, A, l4, len), TRK_ACCEPT);
	l4[8] ^= 1;
	assert_int_equal(feed(&f, A, l4, len), TRK_INVALID);
	assert_string_equal(f.c.why, "nf_ct_sctp: bad CRC ");
	f.pol.checksum = CHECKSUM_OFF;
	assert_int_equal(feed(&f, A, l4, len), TRK_IGNORE);
}

static void test_describe(void **state)
{
	char text[64], want[64];
	struct feed f;

	(void)state;
	handshake(&f);
	snprintf(want, sizeof(want), "vtag_original=%u vtag_reply=%u", TAG_B,
	         TAG_A);
	assert_int_equal(f.t->describe(&f.conn, text, sizeof(text)),
	                 strlen(want));
	assert_string_equal(text, want);
}

static void test_notes(void **state)
{
	struct feed f;

	(void)state;
	feed_open(&f, 4, PROTO);
	feed_notes(f.t);
	assert_int_equal(f.t->cell(A, DATA, 4), 4); /* others keep the state */
	assert_int_equal(f.t->cell(A, 255, 4), 4);
	assert_true(f.t->cell(A, INIT, 200) >= f.t->nstates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_server_shutdown),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_heartbeat_path),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_init_again),
		cmocka_unit_test(test_init_known),
		cmocka_unit_test(test_collision),
		cmocka_unit_test(test_collision_ends),
		cmocka_unit_test(test_heartbeat_tag),
		cmocka_unit_test(test_heartbeat_doubt),
		cmocka_unit_test(test_chunk_rules),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_stale_cookie),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

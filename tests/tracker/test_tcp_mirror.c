/*
 * test_tcp_mirror.c - who began, and what is news; the repairs themselves are
 * scripts, tests/seq/mirror-*.seq.
 */
#include "daemon/tracker/tcp.h"

#include "tests/tracker/feed.h"

static uint8_t head[TCP_HLEN + 40];

/* a segment as a tracker sees it */
static struct pkt segment(uint16_t src, uint16_t dst, uint32_t seq,
                          uint32_t ack, uint8_t flags, uint32_t len)
{
	struct pkt p = {.data = head,
	                .caplen = TCP_HLEN,
	                .l3proto = 4,
	                .l4proto = PROTO_TCP,
	                .l4len = TCP_HLEN + len};

	memset(head, 0, sizeof(head));
	put16(head, src);
	put16(head + 2, dst);
	put32(head + 4, seq);
	put32(head + 8, ack);
	head[12] = 5 << 4;
	head[13] = flags;
	put16(head + 14, 1000);
	return p;
}

static void test_origin(void **state)
{
	static const struct {
		uint16_t src, dst;
		uint8_t flags, by;
		bool answer;
	} rows[] = {
		/* a handshake tells, whatever the ports */
		{80, 40000, TH_SYN, CONN_DIR_SYN, false},
		{40000, 80, TH_SYN | TH_ACK, CONN_DIR_SYNACK, true},
		/* system ports are servers' */
		{40000, 443, TH_ACK, CONN_DIR_PORT, false},
		{443, 40000, TH_ACK, CONN_DIR_PORT, true},
		{443, 8080, TH_ACK, CONN_DIR_PORT, true},
		{22, 2000, TH_FIN | TH_ACK, CONN_DIR_PORT, true},
		/* known ones, against any other */
		{3306, 4000, TH_ACK, CONN_DIR_PORT, true},
		{50000, 27017, TH_ACK, CONN_DIR_PORT, false},
		/* ephemeral ones are clients' */
		{20000, 50000, TH_ACK, CONN_DIR_PORT, true},
		/* but who sends from FTP's data port calls */
		{20, 50000, TH_ACK, CONN_DIR_PORT, false},
		{50000, 20, TH_ACK, CONN_DIR_PORT, true},
		/* nobody knows */
		{50000, 50001, TH_ACK, CONN_DIR_UNKNOWN, false},
		{2000, 20000, TH_ACK, CONN_DIR_UNKNOWN, false},
		{25, 80, TH_ACK, CONN_DIR_UNKNOWN, false},
		{3306, 5432, TH_ACK, CONN_DIR_UNKNOWN, false},
	};
	bool answer;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pkt p = segment(rows[i].src, rows[i].dst, 1, 1,
		                       rows[i].flags, 0);

		assert_int_equal(tcp_origin(&p, &answer), rows[i].by);
		assert_int_equal(answer, rows[i].answer);
	}
	struct pkt cut = segment(443, 40000, 1, 1, TH_SYN | TH_ACK, 0);

	cut.caplen = 13;
	assert_int_equal(tcp_origin(&cut, &answer), CONN_DIR_UNKNOWN);
	assert_false(answer);
}

/* SYN, SYN/ACK, ACK, 100 bytes: what came again is no news */
static void test_news(void **state)
{
	static const struct {
		uint8_t dir;
		uint32_t seq, ack;
		uint8_t flags;
		uint32_t len;
	} talk[] = {
		{0, 1000, 0, TH_SYN, 0},    {1, 5000, 1001, TH_SYN | TH_ACK, 0},
		{0, 1001, 5001, TH_ACK, 0}, {0, 1001, 5001, TH_ACK, 100},
		{1, 5001, 1101, TH_ACK, 0}, {0, 1101, 5001, TH_FIN | TH_ACK, 0},
		{1, 5001, 1102, TH_ACK, 0}};
	const struct tracker *tcp;
	struct policy pol;
	struct conn conn = {0};
	uint8_t id;
	struct trk_ctx c;
	size_t i, j;

	(void)state;
	tracker_defaults(&pol);
	tcp = tracker_find(&pol, PROTO_TCP, &id);
	for (i = 0; i < ARRAY_SIZE(talk); i++) {
		struct pkt p = segment(talk[i].dir ? 80 : 40000,
		                       talk[i].dir ? 40000 : 80, talk[i].seq,
		                       talk[i].ack, talk[i].flags, talk[i].len);

		c = (struct trk_ctx){.pkt = &p,
		                     .pol = &pol,
		                     .dir = talk[i].dir,
		                     .first = i == 0,
		                     .mirror = true};
		if (i)
			assert_true(tcp_news(&p, &conn, talk[i].dir));
		assert_int_equal(tcp->packet(&c, &conn), TRK_ACCEPT);
		if (talk[i].dir)
			conn.status |= CONN_SEEN_REPLY;
		for (j = 0; j <= i; j++) {
			p = segment(1, 2, talk[j].seq, talk[j].ack,
			            talk[j].flags, talk[j].len);
			assert_false(tcp_news(&p, &conn, talk[j].dir));
		}
	}
	struct pkt p = segment(1, 2, 1101, 5002, TH_ACK, 0);

	assert_true(tcp_news(&p, &conn, 0));
	p.caplen = 10;
	assert_false(tcp_news(&p, &conn, 0));
}

/* What was refused teaches nothing, and yet its double is no news: a segment
 * that fits nowhere, and a second RST. */
static void test_old_news(void **state)
{
	static const struct {
		uint8_t dir;
		uint32_t seq, ack;
		uint8_t flags;
		bool taken;
	} talk[] = {{0, 1000, 0, TH_SYN, true},
	            {1, 5000, 1001, TH_SYN | TH_ACK, true},
	            {0, 1001, 5001, TH_ACK, true},
	            {0, 2000001001, 3000005001u, TH_ACK, false},
	            {0, 1001, 0, TH_RST, true}};
	const struct tracker *tcp;
	struct policy pol;
	struct conn conn = {0};
	struct trk_ctx c;
	struct pkt p;
	uint8_t id;
	size_t i;

	(void)state;
	tracker_defaults(&pol);
	tcp = tracker_find(&pol, PROTO_TCP, &id);
	for (i = 0; i < ARRAY_SIZE(talk); i++) {
		p = segment(40000, 80, talk[i].seq, talk[i].ack, talk[i].flags,
		            0);
		c = (struct trk_ctx){.pkt = &p,
		                     .pol = &pol,
		                     .dir = talk[i].dir,
		                     .first = !i,
		                     .mirror = true};
		if (!talk[i].taken)
			assert_true(tcp_news(&p, &conn, talk[i].dir));
		assert_int_equal(tcp->packet(&c, &conn) == TRK_ACCEPT,
		                 talk[i].taken);
		if (talk[i].dir)
			conn.status |= CONN_SEEN_REPLY;
		assert_false(tcp_news(&p, &conn, talk[i].dir));
	}
	/* behind an RST no number is news */
	p = segment(40000, 80, 9000, 0, TH_RST, 0);
	assert_false(tcp_news(&p, &conn, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_old_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

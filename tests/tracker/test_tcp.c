/* test_tcp.c - what scripts cannot say of TCP: the whole grid, the defaults,
 * numbers that wrap, input of any kind.  The exchanges are in tests/seq. */
#include "daemon/tracker/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shm/tick.h"
#include "tests/lib/mini.h"
#include "tests/lib/packet.h"

static const struct tracker *tcp(void)
{
	struct policy pol = {0};
	uint8_t id;

	return tracker_find(&pol, PROTO_TCP, &id);
}

/* ---- the grid ---- */

static uint8_t cell(unsigned int dir, unsigned int event, unsigned int from)
{
	return tcp()->cell((uint8_t)dir, (uint8_t)event, (uint8_t)from);
}

static void grid_cells(void **state)
{
	unsigned int dir, event, from;
	uint8_t to;

	(void)state;
	for (dir = 0; dir < 2; dir++)
		for (event = 0; event < TCP_NCLASSES; event++)
			for (from = 0; from < TCP_NSTATES; from++) {
				to = cell(dir, event, from);
				assert_true(to < TCP_NSTATES || to == IG ||
				            to == IV);
				assert_int_not_equal(to, NO);
			}
}

/* what the meaning of the states asks of whole rows and columns */
static void grid_rules(void **state)
{
	unsigned int dir, event, from;

	(void)state;
	for (dir = 0; dir < 2; dir++) {
		for (from = 1; from < TCP_NSTATES; from++) {
			assert_int_equal(cell(dir, RST, from), CL);
			assert_int_equal(cell(dir, NONE, from), IV);
		}
		/* closing never goes back, but for a SYN that opens again */
		for (event = FIN; event <= ACK; event++)
			for (from = FW; from <= CL; from++)
				assert_true(cell(dir, event, from) >= from);
	}
	/* F116 */
	for (event = 0; event < TCP_NCLASSES; event++) {
		uint8_t to = cell(DIR_ORIGINAL, event, NO);

		assert_int_equal(to, event == SYN   ? SS
		                     : event == ACK ? ES
		                                    : IV);
		assert_int_equal(cell(DIR_REPLY, event, NO), IV);
	}
}

static void closing(void **state)
{
	struct conn conn = {0};

	(void)state;
	for (conn.state = 0; conn.state < TCP_NSTATES; conn.state++)
		assert_int_equal(tcp()->closing(&conn),
		                 conn.state == FW || conn.state == CW ||
		                         conn.state == LA || conn.state == TW ||
		                         conn.state == CL);
}

/* ---- the table of settings ---- */

static void defaults(void **state)
{
	/* F282, F283 */
	static const struct {
		const char *key;
		uint32_t value;
	} want[] = {
		{"tcp_timeout_syn_sent", 120},
		{"tcp_timeout_syn_recv", 60},
		{"tcp_timeout_established", 432000},
		{"tcp_timeout_fin_wait", 120},
		{"tcp_timeout_close_wait", 60},
		{"tcp_timeout_last_ack", 30},
		{"tcp_timeout_time_wait", 120},
		{"tcp_timeout_close", 10},
		{"tcp_timeout_max_retrans", 300},
		{"tcp_timeout_unacknowledged", 300},
		{"tcp_loose", 1},
		{"tcp_be_liberal", 0},
		{"tcp_ignore_invalid_rst", 0},
		{"tcp_max_retrans", 3},
	};
	unsigned int i, j, found = 0, silent = 0;

	(void)state;
	for (i = 0; i < tcp()->ntimeouts; i++) {
		const struct trk_timeout *t = &tcp()->timeouts[i];

		silent += !t->key;
		for (j = 0; t->key && j < ARRAY_SIZE(want); j++)
			if (!strcmp(t->key, want[j].key)) {
				assert_int_equal(t->seconds, want[j].value);
				found++;
			}
	}
	for (i = 0; i < tcp()->noptions; i++)
		for (j = 0; j < ARRAY_SIZE(want); j++)
			if (!strcmp(tcp()->options[i].key, want[j].key)) {
				assert_int_equal(tcp()->options[i].value,
				                 want[j].value);
				found++;
			}
	assert_int_equal(found, ARRAY_SIZE(want));
	assert_int_equal(tcp()->ntimeouts + tcp()->noptions, found + silent);
	/* SYN_SENT2 alone has no key */
	assert_int_equal(silent, 1);
}

/* ---- segments ---- */

struct seg {
	uint8_t side, flags, wscale;
	bool sack;
	uint32_t seq, ack, len;
	uint16_t win;
};

static struct packet b;

static void send_seg(struct mini *m, const struct seg *s, bool v6)
{
	static const char *const a4[2] = {"10.0.0.1", "10.0.1.1"};
	static const char *const a6[2] = {"fd00::1", "fd01::1"};
	uint8_t side = s->side;
	struct pkt p;

	packet_begin(&b);
	packet_eth(&b);
	if (v6)
		packet_ip6(&b, a6[side], a6[!side]);
	else
		packet_ip4(&b, a4[side], a4[!side]);
	packet_tcp(&b, side ? 80 : 1024, side ? 1024 : 80, s->seq, s->ack,
	           s->flags, s->win);
	if (s->wscale)
		packet_tcp_wscale(&b, s->wscale);
	if (s->sack)
		packet_tcp_sack(&b, s->ack + 10, s->ack + 30);
	packet_tcp_pad(&b);
	packet_fill(&b, 'd', s->len);
	packet_end(&b);
	packet_pkt(&b, &p);
	assert_int_equal(pkt_parse(&p), PKT_OK);
	mini_packet(m, &p, side);
}

static void handshake(struct mini *m)
{
	static const struct seg segs[] = {
		{0, TH_SYN, 0, false, 1000, 0, 0, 65535},
		{1, TH_SYN | TH_ACK, 0, false, 5000, 1001, 0, 65535},
		{0, TH_ACK, 0, false, 1001, 5001, 0, 65535},
	};
	unsigned int i;

	mini_start(m);
	for (i = 0; i < ARRAY_SIZE(segs); i++)
		send_seg(m, &segs[i], false);
	assert_int_equal(m->conn.state, ES);
	assert_true(m->conn.status & CONN_ASSURED);
}

/* The last private byte is next to the state: counting past its end must not
 * reach it.  The count wraps, so one in 256 looks like the first (F120). */
static void retrans_wraps(void **state)
{
	static const struct seg ack = {0,    TH_ACK, 0, false,
	                               1001, 5001,   0, 65535};
	struct mini m;
	int i;

	(void)state;
	handshake(&m);
	for (i = 1; i <= 600; i++) {
		send_seg(&m, &ack, false);
		assert_int_equal(m.conn.state, ES);
		assert_int_equal(tick_left(m.conn.deadline, m.now),
		                 (i % 256 >= 3 ? 300 : 432000) * 1000);
	}
}

/* The SYN of an entry that another program made, without private data. */
static void blank_private(void **state)
{
	static const struct seg ack = {1, TH_ACK, 0, false, 7, 9, 3, 100};
	struct mini m;

	(void)state;
	handshake(&m);
	memset(m.conn.priv, 0, sizeof(m.conn.priv));
	send_seg(&m, &ack, false);
	assert_int_equal(m.verdict, TRK_ACCEPT);
	assert_int_equal(m.conn.state, ES);
}

/* A state that does not exist cannot index the grid. */
static void strange_state(void **state)
{
	static const struct seg ack = {0, TH_ACK, 0, false, 7, 9, 3, 100};
	struct mini m;

	(void)state;
	handshake(&m);
	m.conn.state = TCP_NSTATES;
	send_seg(&m, &ack, false);
	assert_int_equal(m.verdict, TRK_INVALID);
	m.conn.state = 255;
	send_seg(&m, &ack, false);
	assert_int_equal(m.verdict, TRK_INVALID);
}

/* F097: no lower timeout for one that is fixed */
static void fixed_timeout(void **state)
{
	static const struct seg fins[] = {
		{0, TH_FIN | TH_ACK, 0, false, 900000, 5001, 0, 100},
		{1, TH_FIN | TH_ACK, 0, false, 900000, 1001, 0, 100},
	};
	struct mini m;

	(void)state;
	handshake(&m);
	m.conn.status |= CONN_FIXED_TIMEOUT;
	send_seg(&m, &fins[0], false);
	send_seg(&m, &fins[1], false);
	assert_int_equal(m.verdict, TRK_INVALID);
	assert_int_equal(tick_left(m.conn.deadline, m.now), 432000 * 1000);
}

static uint32_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (rnd_state >> 8) % below;
}

/* Numbers are multiples of ten, so that with a base of five none is ever the
 * zero that an RST may carry. */
static struct seg any_seg(unsigned int step)
{
	static const uint8_t kinds[] = {
		TH_SYN,          TH_SYN | TH_ACK, TH_ACK,
		TH_ACK,          TH_ACK | TH_PSH, TH_ACK,
		TH_FIN | TH_ACK, TH_RST,          TH_RST | TH_ACK};
	static const uint16_t wins[] = {0, 10, 100, 65535};
	struct seg s = {0};

	s.side = (uint8_t)rnd(2);
	s.flags = kinds[rnd(ARRAY_SIZE(kinds))];
	if (step == 0 && rnd(4)) {
		s.side = 0;
		s.flags = TH_SYN;
	}
	s.wscale = rnd(3) ? 0 : (uint8_t)(1 + rnd(20));
	s.sack = !rnd(6);
	s.seq = 10 * rnd(step + 2) + (rnd(9) ? 0 : 70000);
	s.ack = s.flags & TH_ACK ? 10 * rnd(step + 2) + (rnd(9) ? 0 : 70000)
	                         : 0;
	s.len = rnd(2) && !(s.flags & (TH_SYN | TH_RST)) ? 10 * rnd(3) : 0;
	s.win = wins[rnd(ARRAY_SIZE(wins))];
	return s;
}

static void start_without_pickup(struct mini *m)
{
	unsigned int i;

	mini_start(m);
	for (i = 0; i < tcp()->noptions; i++)
		if (!strcmp(tcp()->options[i].key, "tcp_loose"))
			m->pol.option[0][tcp()->options[i].slot] = 0;
}

/* Would it acknowledge a side that has sent nothing yet? */
static bool acks_nothing(const struct mini *m, const struct seg *s)
{
	const struct tcp_priv *t = (const void *)m->conn.priv;

	return m->alive && s->flags & TH_ACK &&
	       !t->side[s->side == m->owner].maxwin;
}

/*
 * Whatever happens at one place of the sequence space happens at all, and in
 * IPv6 as in IPv4.  One thing is left out: while a side has sent nothing its
 * end is a plain 0, and what acknowledges it depends on where that is.
 */
static void same_anywhere(void **state)
{
	static const uint32_t base[] = {5, 0x7fffff05 + 6, 0xffffff05, 995};
	struct mini m[ARRAY_SIZE(base)];
	unsigned int run, i, k, states = 0;

	(void)state;
	rnd_state = 7;
	for (run = 0; run < 3000; run++) {
		for (k = 0; k < ARRAY_SIZE(base); k++)
			start_without_pickup(&m[k]);
		for (i = 0; i < 20; i++) {
			struct seg s = any_seg(i);

			if (acks_nothing(&m[0], &s))
				continue;
			for (k = 0; k < ARRAY_SIZE(base); k++) {
				struct seg t = s;

				t.seq += base[k];
				if (t.flags & TH_ACK)
					t.ack += base[k];
				send_seg(&m[k], &t, k & 1);
			}
			for (k = 1; k < ARRAY_SIZE(base); k++) {
				assert_int_equal(m[k].verdict, m[0].verdict);
				assert_int_equal(m[k].class, m[0].class);
				assert_int_equal(m[k].alive, m[0].alive);
				assert_int_equal(m[k].conn.state,
				                 m[0].conn.state);
				assert_int_equal(m[k].conn.deadline,
				                 m[0].conn.deadline);
				assert_int_equal(m[k].nevents, m[0].nevents);
			}
			states |= 1u << m[0].conn.state;
		}
	}
	/* the runs went through all states, or this says little */
	assert_int_equal(states | 1u, (1u << TCP_NSTATES) - 1);
}

/* Any bytes, cut anywhere: an answer, and a state that exists. */
static void any_bytes(void **state)
{
	uint8_t buf[80];
	struct mini m;
	unsigned int n, i, accepted = 0;

	(void)state;
	rnd_state = 3;
	mini_start(&m);
	m.pol.checksum = CHECKSUM_ON;
	for (n = 0; n < 200000; n++) {
		struct pkt p = {.l3proto = 4, .l4proto = PROTO_TCP};

		if (n % 64 == 0) {
			mini_start(&m);
			m.pol.checksum = n % 128 ? CHECKSUM_ON : CHECKSUM_OFF;
		}
		for (i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)rnd(i < 12 ? 4 : 256);
		if (n & 1)
			buf[12] = (uint8_t)((5 + rnd(4)) << 4);
		p.caplen = rnd(sizeof(buf) + 1);
		p.data = buf + sizeof(buf) - p.caplen;
		p.l4len = p.caplen + rnd(3) * rnd(1000);
		p.l3len = p.l4len + 20;
		m.now += rnd(100);
		mini_packet(&m, &p, (uint8_t)rnd(2));
		assert_true(m.conn.state < TCP_NSTATES);
		accepted += m.verdict != TRK_INVALID;
	}
	assert_true(accepted > 1000);
}

static void describe(void **state)
{
	static const char want[] = "wscale_orig=7 wscale_reply=9 "
				   "flags_orig=0x21 flags_reply=0x21 retrans=0";
	static const struct seg segs[] = {
		{0, TH_SYN, 7, false, 1000, 0, 0, 65535},
		{1, TH_SYN | TH_ACK, 9, false, 5000, 1001, 0, 65535},
		{0, TH_ACK, 0, false, 1001, 5001, 0, 65535},
		{1, TH_ACK, 0, false, 5001, 1001, 0, 65535},
	};
	struct mini m;
	char buf[128];
	unsigned int i;
	int n;

	(void)state;
	mini_start(&m);
	for (i = 0; i < ARRAY_SIZE(segs); i++)
		send_seg(&m, &segs[i], false);
	n = tcp()->describe(&m.conn, buf, sizeof(buf));
	assert_string_equal(buf, want);
	assert_int_equal(n, strlen(want));
	n = tcp()->describe(&m.conn, buf, 10);
	assert_int_equal(n, 9);
	assert_string_equal(buf, "wscale_or");
	assert_int_equal(tcp()->describe(&m.conn, buf, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grid_cells),
		cmocka_unit_test(grid_rules),
		cmocka_unit_test(closing),
		cmocka_unit_test(defaults),
		cmocka_unit_test(retrans_wraps),
		cmocka_unit_test(blank_private),
		cmocka_unit_test(strange_state),
		cmocka_unit_test(fixed_timeout),
		cmocka_unit_test(same_anywhere),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

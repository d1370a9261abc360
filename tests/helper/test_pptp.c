/* test_pptp.c - PPTP: both directions of GRE (F219, F220) */
#include <errno.h>

#include "tests/helper/says.h"

extern const struct helper helper_pptp;

#define OUT      "expect gre 10.0.0.1:7 -> 10.0.1.1:513 keys\n"
#define IN       "expect gre 10.0.1.1:513 -> 10.0.0.1:7 keys\n"
#define KEYS     "key_add 0 513 7\nkey_add 1 7 513\n"
#define CALL     OUT IN KEYS
#define KILL_OUT "kill gre 10.0.0.1:7 -> 10.0.1.1:513 keys\n"
#define GONE_OUT "unexpect 0 10.0.1.1:513 gre from 7\n"
#define GONE_IN  "unexpect 0 10.0.0.1:7 gre from 513\n"
#define GONE     "key_flush\n" KILL_OUT GONE_OUT GONE_IN

struct msg {
	uint8_t b[512];
	uint32_t len;
};

static void put16(struct msg *m, uint32_t at, uint16_t v)
{
	m->b[at] = (uint8_t)(v >> 8);
	m->b[at + 1] = (uint8_t)v;
}

/* Three numbers stand at 12, 14 and, as a byte, at 16. */
static struct msg control(uint16_t type, uint32_t len, uint16_t a, uint16_t b,
                          uint8_t result)
{
	struct msg m = {.len = len};

	put16(&m, 0, (uint16_t)len);
	put16(&m, 2, 1);
	put16(&m, 4, 0x1a2b);
	put16(&m, 6, 0x3c4d);
	put16(&m, 8, type);
	put16(&m, 12, a);
	put16(&m, 14, b);
	m.b[16] = result;
	return m;
}

/* Shorthands; 7 is the client's number, 513 the server's. */
static struct msg start_request(void)
{
	return control(1, 156, 0x100, 0, 0);
}
static struct msg start_reply(uint8_t result)
{
	return control(2, 156, 0x100, (uint16_t)(result << 8), 0);
}
static struct msg out_request(void)
{
	return control(7, 168, 7, 1, 0);
}
static struct msg out_reply(uint8_t result)
{
	return control(8, 32, 513, 7, result);
}
static struct msg in_request(void)
{
	return control(9, 220, 513, 1, 0);
}
static struct msg in_reply(uint8_t result)
{
	return control(10, 24, 7, 513, result);
}
static struct msg in_connected(void)
{
	return control(11, 28, 7, 0, 0);
}
static struct msg notify(void)
{
	return control(13, 148, 513, 0x100, 0);
}

static void say(struct fake *f, uint8_t dir, struct msg m)
{
	fake_bytes(f, dir, m.b, m.len);
}

static void pptp(struct fake *f)
{
	fake_open(f, &helper_pptp, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          1723);
}

static void session(struct fake *f)
{
	pptp(f);
	say(f, A, start_request());
	say(f, B, start_reply(1));
	says(f, "");
}

static void test_out(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, A, out_request());
	says(&f, "");
	say(&f, B, out_reply(1));
	says(&f, CALL);
	say(&f, B, out_reply(1)); /* again */
	says(&f, CALL);
	say(&f, B, notify());
	says(&f, GONE);
	say(&f, B, out_reply(1)); /* nobody asked */
	says(&f, "");
	fake_end(&f);
	says(&f, GONE);
	fake_close(&f);
}

static void test_in(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, B, in_connected());
	say(&f, A, in_reply(1));
	says(&f, "");
	say(&f, B, in_request());
	say(&f, B, in_connected());
	says(&f, "");
	say(&f, A, in_reply(1));
	says(&f, "");
	say(&f, B, in_connected());
	says(&f, CALL);
	say(&f, B, in_connected());
	says(&f, CALL);
	fake_close(&f);
}

static void test_refused(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, A, out_request());
	say(&f, B, out_reply(2));
	say(&f, B, out_reply(1));
	says(&f, "");
	say(&f, B, in_request());
	say(&f, A, in_reply(2));
	say(&f, A, in_reply(1));
	say(&f, B, in_connected());
	says(&f, "");
	fake_close(&f);

	pptp(&f);
	say(&f, A, start_request());
	say(&f, B, start_reply(2));
	say(&f, A, out_request());
	say(&f, B, out_reply(1));
	says(&f, "");
	fake_close(&f);
}

/* The reply must name the call that was asked for. */
static void test_numbers(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, A, out_request());
	say(&f, B, control(8, 32, 513, 8, 1));
	says(&f, "");
	say(&f, B, in_request());
	say(&f, A, control(10, 24, 7, 514, 1));
	say(&f, B, in_connected());
	says(&f, "");
	say(&f, A, in_reply(1));
	say(&f, B, control(11, 28, 8, 0, 0));
	says(&f, "");
	fake_close(&f);
}

static void test_stop(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, A, control(3, 16, 0x100, 0, 0));
	say(&f, A, out_request());
	say(&f, B, out_reply(1));
	says(&f, "");
	say(&f, B, control(4, 16, 0x100, 0, 0));
	say(&f, A, start_request());
	say(&f, B, start_reply(1));
	say(&f, A, out_request());
	say(&f, B, out_reply(1));
	says(&f, CALL);
	say(&f, A, control(12, 16, 7, 0, 0)); /* clearing */
	say(&f, B, out_reply(1));
	says(&f, "");
	fake_close(&f);
}

/* What the table says decides what is taken back. */
static void test_answers(void **state)
{
	struct fake f;

	(void)state;
	session(&f);
	say(&f, A, out_request());
	f.expect_rc = -EEXIST;
	say(&f, B, out_reply(1));
	says(&f, CALL);
	f.expect_rc = -ENOSPC;
	say(&f, B, out_reply(1));
	says(&f, OUT);
	assert_int_equal(f.count[HELP_LIMIT], 1);
	f.expect_rc = 0;
	f.key_rc = -EEXIST;
	say(&f, B, out_reply(1));
	says(&f, OUT IN "key_add 0 513 7\n" GONE_IN GONE_OUT);
	f.kills = true;
	say(&f, B, notify());
	says(&f, "key_flush\n" KILL_OUT GONE_IN);
	fake_close(&f);
}

static void test_side(void **state)
{
	struct fake f;

	(void)state;
	pptp(&f);
	say(&f, B, start_request());
	say(&f, A, start_reply(1));
	say(&f, B, out_request());
	say(&f, A, out_reply(1));
	say(&f, A, notify());
	says(&f, "");
	fake_close(&f);
}

static void test_malformed(void **state)
{
	struct fake f;
	struct msg m;

	(void)state;
	session(&f);
	say(&f, A, out_request());
	m = out_reply(1);
	m.b[3] = 2; /* a management message */
	say(&f, B, m);
	m = out_reply(1);
	m.b[4]++; /* magic cookie */
	say(&f, B, m);
	m = out_reply(1);
	m.len--;
	say(&f, B, m);
	m = control(99, 32, 513, 7, 1);
	say(&f, B, m);
	say(&f, B, control(0, 32, 513, 7, 1));
	say(&f, B, control(6, 20, 513, 7, 1)); /* an echo */
	says(&f, "");
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	fake_close(&f);
}

/* Not established: nothing is looked at. */
static void test_info(void **state)
{
	struct fake f;
	struct msg m = notify();

	(void)state;
	pptp(&f);
	fake_packet(&f, B, m.b, m.len, m.len, 0);
	f.h.pkt = &f.pkt;
	f.h.len = m.len;
	f.h.dir = B;
	f.h.info = CTINFO_NEW;
	helper_pptp.help(&f.h);
	says(&f, "");
	fake_close(&f);
}

/* Strict mode reads one message of a segment, mirror mode all of them. */
static void test_two(void **state)
{
	struct fake f;
	struct msg a = start_reply(1), b = out_reply(1);
	int mirror;

	(void)state;
	for (mirror = 0; mirror < 2; mirror++) {
		pptp(&f);
		f.h.mirror = mirror;
		say(&f, A, start_request());
		say(&f, A, out_request());
		memcpy(a.b + a.len, b.b, b.len);
		fake_bytes(&f, B, a.b, a.len + b.len);
		says(&f, mirror ? CALL : "");
		fake_close(&f);
	}
}

/* Mirror mode has not seen the beginning. */
static void test_pickup(void **state)
{
	struct fake f;

	(void)state;
	pptp(&f);
	f.h.mirror = true;
	say(&f, B, out_reply(1));
	says(&f, CALL);
	fake_close(&f);
	pptp(&f);
	f.h.mirror = true;
	say(&f, A, in_reply(1));
	say(&f, B, in_connected());
	says(&f, CALL);
	fake_close(&f);
	pptp(&f);
	f.h.mirror = true;
	say(&f, B, in_connected());
	says(&f, "");
	fake_close(&f);
}

/* Cut in two anywhere, and captured in part. */
static void test_cut(void **state)
{
	struct msg m = out_reply(1);
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 0; n < m.len; n++) {
		session(&f);
		say(&f, A, out_request());
		fake_bytes(&f, B, m.b, n);
		fake_bytes(&f, B, m.b + n, m.len - n);
		says(&f, n ? "" : CALL);
		fake_close(&f);

		session(&f);
		f.h.mirror = true;
		say(&f, A, out_request());
		fake_bytes(&f, B, m.b, n);
		says(&f, "");
		fake_bytes(&f, B, m.b + n, m.len - n);
		says(&f, CALL);
		fake_cut(&f, B, m.b, n, m.len, f.seq[B]);
		says(&f, "");
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_in),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_side),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_pickup),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

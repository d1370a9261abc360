/* test_q931.c - the call of H.323 (F216) */
#include "tests/helper/h323.h"
#include "tests/helper/says.h"

extern const struct helper helper_q931;

#define H245_A   "expect tcp 10.0.1.1:* -> 10.0.0.1:6001 assign=H.245\n"
#define H245_B   "expect tcp 10.0.0.1:* -> 10.0.1.1:6002 assign=H.245\n"
#define FORWARD  "expect tcp 10.0.0.1:* -> 192.0.2.9:6003 assign=Q.931\n"
#define A_(port) "expect udp 10.0.1.1:* -> 10.0.0.1:" #port "\n"
#define B_(port) "expect udp 10.0.0.1:* -> 10.0.1.1:" #port "\n"
#define RTP_A    A_(5004) A_(5005)

static void q931(struct fake *f)
{
	fake_open(f, &helper_q931, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          1720);
}

static void say(struct fake *f, uint8_t dir, const char *text)
{
	struct bytes m = hex(text);

	fake_bytes(f, dir, m.b, m.len);
}

struct row {
	uint8_t dir;
	const char *text, *said;
};

static const struct row rows[] = {
	{A, HEX_SETUP, H245_A},
	{A, HEX_SETUP_V6, ""},
	{A, HEX_SETUP_RICH, H245_A RTP_A RTP_A A_(7000) A_(7001)},
	{A, HEX_SETUP_FOREIGN, ""},
	{A, HEX_SETUP_NETBIOS, ""},
	{A, HEX_SETUP_FAST, RTP_A RTP_A A_(5010) A_(5011)},
	{B, HEX_SETUP, ""},
	{B, HEX_PROCEEDING, H245_B},
	{B, HEX_ALERTING, H245_B},
	{B, HEX_CONNECT, H245_B},
	{B, HEX_PROGRESS, H245_B B_(5020) B_(5021)},
	{B, HEX_FACILITY, H245_B},
	{B, HEX_RELEASE, B_(7000) B_(7001)},
	{B, HEX_EMPTY, B_(7000) B_(7001)},
	/* as many as the kernel looks at */
	{B, HEX_FIVE_TUNNELLED,
         B_(7000) B_(7001) B_(7002) B_(7003) B_(7004) B_(7005) B_(7006)
                 B_(7007)},
	/* nothing else of a call that is forwarded, but what is tunnelled */
	{B, HEX_FORWARDED, FORWARD B_(7000) B_(7001)},
};

static void test_rows(void **state)
{
	const struct row *r;
	struct fake f;

	(void)state;
	for (r = rows; r < rows + ARRAY_SIZE(rows); r++) {
		q931(&f);
		say(&f, A, ""); /* so that the server was heard */
		say(&f, r->dir, r->text);
		says(&f, r->said);
		f.h.mirror = true;
		say(&f, r->dir, r->text);
		says(&f, r->said);
		fake_close(&f);
	}
}

static void test_forward_off(void **state)
{
	struct fake f;

	(void)state;
	q931(&f);
	f.option[0] = 0;
	say(&f, B, HEX_FORWARDED);
	says(&f, B_(7000) B_(7001));
	fake_close(&f);
}

/* Elements of one byte: strict mode knows them in the first place alone. */
static void test_single(void **state)
{
	struct fake f;

	(void)state;
	q931(&f);
	say(&f, A, HEX_SETUP_SINGLE);
	says(&f, H245_A);
	say(&f, A, HEX_SETUP_SECOND);
	says(&f, "");
	f.h.mirror = true;
	say(&f, A, HEX_SETUP_SINGLE);
	says(&f, H245_A);
	say(&f, A, HEX_SETUP_SECOND);
	says(&f, H245_A);
	fake_close(&f);
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_q931, IPPROTO_TCP, "2001:db8::1", 40001,
	          "2001:db8::2", 1720);
	say(&f, A, HEX_SETUP_V6);
	says(&f, "expect tcp [2001:db8::2]:* -> [2001:db8::1]:6001 "
	         "assign=H.245\n");
	say(&f, A, HEX_SETUP);
	says(&f, "");
	fake_close(&f);
}

static void test_cut(void **state)
{
	struct bytes m = hex(HEX_SETUP_RICH);
	const char *said = H245_A RTP_A RTP_A A_(7000) A_(7001);
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 1; n < m.len; n++) {
		q931(&f);
		fake_bytes(&f, A, m.b, n);
		fake_bytes(&f, A, m.b + n, m.len - n);
		says(&f, n == 4 ? said : "");
		fake_close(&f);

		q931(&f);
		f.h.mirror = true;
		fake_bytes(&f, A, m.b, n);
		says(&f, "");
		fake_bytes(&f, A, m.b + n, m.len - n);
		says(&f, said);
		fake_close(&f);

		q931(&f); /* short inside its frame */
		m.b[3] = (uint8_t)n;
		fake_bytes(&f, A, m.b, n);
		says(&f, "");
		m.b[3] = (uint8_t)m.len;
		fake_close(&f);
	}
}

/* All that a head of Q.931 may have wrong. */
static void test_head(void **state)
{
	static const char *const bad[] = {
		"03000004",
		"0300000508",
		"030000060800",
		"0300000709010105",
		"03000007080505",
		"030000080801017e",
		"0300000a0801010504ff",
		"0300000b0801017e000000",
		"0300000a080101057e00",
	};
	struct fake f;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		q931(&f);
		say(&f, A, bad[i]);
		f.h.mirror = true;
		say(&f, A, bad[i]);
		says(&f, "");
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_forward_off),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

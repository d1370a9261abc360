/* test_ras.c - registration and admission of H.323 (F215) */
#include <errno.h>

#include "tests/helper/h323.h"
#include "tests/helper/says.h"

extern const struct helper helper_ras;

#define Q931        " flags=1 assign=Q.931\n"
#define TO_A        "expect tcp 10.0.1.1:* -> 10.0.0.1:6001" Q931
#define TO_X        "expect tcp 10.0.0.1:* -> 192.0.2.9:6003" Q931
#define TO_X_FROM_B "expect tcp 10.0.1.1:* -> 192.0.2.9:6003" Q931
#define REVISED(n)  "revise 0 10.0.0.1:6001 tcp seconds=" #n "\n"

static void ras(struct fake *f)
{
	fake_open(f, &helper_ras, IPPROTO_UDP, "10.0.0.1", 1719, "10.0.1.1",
	          1719);
}

static void say(struct fake *f, uint8_t dir, const char *text)
{
	struct bytes m = hex(text);

	fake_bytes(f, dir, m.b, m.len);
}

/* The second address is its own. */
static void test_register(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	say(&f, A, HEX_RRQ);
	says(&f, TO_A);
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	say(&f, B, HEX_RCF);
	says(&f, "refresh 300\n");
	say(&f, A, HEX_URQ);
	says(&f, "unexpect *\nrefresh 30\n");
	say(&f, B, HEX_UCF);
	says(&f, "");
	say(&f, B, HEX_RCF);
	says(&f, "refresh 300\n");
	fake_close(&f);
}

/* Calls from anybody: then their time is the registration's. */
static void test_anybody(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	f.option[0] = 0;
	f.option[1] = 77;
	say(&f, A, HEX_RRQ);
	says(&f, "expect tcp *:* -> 10.0.0.1:6001" Q931);
	say(&f, B, HEX_RCF);
	says(&f, "refresh 77\n" REVISED(77));
	fake_close(&f);
}

/* The kernel stumbles over the time. */
static void test_time(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	say(&f, A, HEX_RRQ_TTL);
	say(&f, B, HEX_RCF_TTL);
	says(&f, "");
	assert_int_equal(f.count[HELP_MALFORMED], 2);
	f.h.mirror = true;
	say(&f, A, HEX_RRQ_TTL);
	says(&f, TO_A);
	say(&f, B, HEX_RCF);
	says(&f, "refresh 70\n" REVISED(70));
	say(&f, B, HEX_RCF_TTL);
	says(&f, "refresh 100000\n" REVISED(100000));
	fake_close(&f);
}

static void test_unasked(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	say(&f, B, HEX_RCF);
	says(&f, "");
	say(&f, B, HEX_RRQ); /* not its own addresses */
	says(&f, "");
	fake_close(&f);
}

static void test_gatekeeper(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	say(&f, B, HEX_GCF);
	says(&f, "expect udp 10.0.0.1:* -> 192.0.2.9:1719 assign=RAS\n");
	say(&f, B, HEX_GCF_SAME);
	says(&f, "");
	say(&f, A, HEX_GCF_SAME);
	says(&f, "expect udp 10.0.1.1:* -> 10.0.1.1:1719 assign=RAS\n");
	fake_close(&f);
}

static void test_admission(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	say(&f, B, HEX_ACF);
	says(&f, TO_X);
	say(&f, B, HEX_ACF_CALLER);
	says(&f, "");
	say(&f, B, HEX_LCF);
	says(&f, TO_X);
	say(&f, A, HEX_LCF);
	says(&f, TO_X_FROM_B);
	say(&f, B, HEX_LCF_NONE);
	says(&f, "expect tcp 10.0.0.1:* -> 192.0.2.9:0" Q931);
	f.h.mirror = true;
	say(&f, B, HEX_LCF_NONE);
	says(&f, "");
	fake_close(&f);
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_ras, IPPROTO_UDP, "2001:db8::1", 1719,
	          "2001:db8::2", 1719);
	say(&f, A, HEX_RRQ_V6);
	says(&f, "expect tcp [2001:db8::2]:* -> [2001:db8::1]:6001" Q931);
	say(&f, A, HEX_RRQ);
	say(&f, B, HEX_ACF);
	say(&f, B, HEX_GCF);
	says(&f, "");
	fake_close(&f);
}

static void test_limit(void **state)
{
	struct fake f;

	(void)state;
	ras(&f);
	f.expect_rc = -ENOSPC;
	say(&f, A, HEX_RRQ);
	says(&f, TO_A);
	assert_int_equal(f.count[HELP_LIMIT], 1);
	fake_close(&f);
}

/* Short by any number of bytes, on the wire or in the capture. */
static void test_cut(void **state)
{
	struct bytes m = hex(HEX_RRQ);
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 0; n < m.len; n++) {
		ras(&f);
		fake_cut(&f, A, m.b, n, n, 0);
		fake_cut(&f, A, m.b, n, m.len, 0);
		says(&f, "");
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_anybody),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_gatekeeper),
		cmocka_unit_test(test_admission),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

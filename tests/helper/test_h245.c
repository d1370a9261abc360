/* test_h245.c - channels of media (F217) */
#include <errno.h>

#include "tests/helper/h323.h"
#include "tests/helper/says.h"

extern const struct helper helper_h245;

/* by side A at 10.0.0.1, so from B to it */
#define UDP_A(port) "expect udp 10.0.1.1:* -> 10.0.0.1:" #port "\n"
#define UDP_B(port) "expect udp 10.0.0.1:* -> 10.0.1.1:" #port "\n"
#define RTP_A       UDP_A(5004) UDP_A(5005)
#define T120_A      "expect tcp 10.0.1.1:* -> 10.0.0.1:1503 flags=1\n"
#define T120_B      "expect tcp 10.0.0.1:* -> 10.0.1.1:1503 flags=1\n"

static void h245(struct fake *f)
{
	fake_open(f, &helper_h245, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          40002);
}

static void say(struct fake *f, uint8_t dir, const char *text)
{
	struct bytes m = hex(text);

	fake_bytes(f, dir, m.b, m.len);
}

static void test_open(void **state)
{
	struct fake f;

	(void)state;
	h245(&f);
	say(&f, A, HEX_MASTER_SLAVE);
	says(&f, "");
	/* both places of one channel are told, and say the same */
	say(&f, A, HEX_OPEN_CHANNEL);
	says(&f, RTP_A RTP_A);
	say(&f, B, HEX_OPEN_CHANNEL); /* of the other side */
	says(&f, "");
	assert_int_equal(f.count[HELP_FOREIGN], 2);
	say(&f, A, HEX_OPEN_FOREIGN);
	say(&f, A, HEX_OPEN_GROUP);
	say(&f, A, HEX_OPEN_V6);
	says(&f, "");
	say(&f, A, HEX_OPEN_BOTH);
	says(&f, RTP_A UDP_A(5006) UDP_A(5007));
	fake_close(&f);
}

static void test_ack(void **state)
{
	struct fake f;

	(void)state;
	h245(&f);
	say(&f, B, HEX_ACK);
	says(&f, UDP_B(5030) UDP_B(5031) UDP_B(5030) UDP_B(5031));
	say(&f, B, HEX_ACK_RICH);
	says(&f, UDP_B(5040) UDP_B(5041) UDP_B(5030) UDP_B(5031) T120_B);
	fake_close(&f);
}

static void test_t120(void **state)
{
	struct fake f;

	(void)state;
	h245(&f);
	say(&f, A, HEX_OPEN_T120);
	says(&f, T120_A);
	say(&f, A, HEX_OPEN_STACK); /* not for T.120 */
	says(&f, "");
	fake_close(&f);
}

/* Whatever the channel carries is stepped over. */
static void test_kinds(void **state)
{
	static const char *const kinds[] = {HEX_KIND_0, HEX_KIND_1, HEX_KIND_2,
	                                    HEX_KIND_3, HEX_KIND_4, HEX_KIND_5,
	                                    HEX_KIND_6, HEX_KIND_7, HEX_KIND_8};
	struct fake f;
	unsigned int i;

	(void)state;
	h245(&f);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		say(&f, A, kinds[i]);
		says(&f, RTP_A);
	}
	fake_close(&f);
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_h245, IPPROTO_TCP, "2001:db8::1", 1,
	          "2001:db8::2", 2);
	say(&f, A, HEX_OPEN_CHANNEL);
	says(&f, "");
	say(&f, A, HEX_OPEN_V6);
	says(&f, "expect udp [2001:db8::2]:* -> [2001:db8::1]:5004\n"
	         "expect udp [2001:db8::2]:* -> [2001:db8::1]:5005\n"
	         "expect udp [2001:db8::2]:* -> [2001:db8::1]:5004\n"
	         "expect udp [2001:db8::2]:* -> [2001:db8::1]:5005\n");
	fake_close(&f);
}

static struct fake *once;

/* The first is granted, the second not. */
static int second_fails(struct help_ctx *h, const struct expect_spec *s)
{
	once->expect_rc = s->dport & 1 ? -EBUSY : 0;
	return fake_expect(h, s);
}

static void test_half(void **state)
{
	struct fake f;

	(void)state;
	h245(&f);
	once = &f;
	f.h.expect = second_fails;
	say(&f, A, HEX_KIND_0);
	says(&f, RTP_A "unexpect 0 10.0.0.1:5004 udp\n");
	f.h.expect = fake_expect;
	f.expect_rc = -EBUSY;
	say(&f, A, HEX_KIND_0);
	says(&f, UDP_A(5004));
	f.expect_rc = -EEXIST;
	say(&f, A, HEX_KIND_0);
	says(&f, RTP_A);
	fake_close(&f);
}

static void test_cut(void **state)
{
	struct bytes m = hex(HEX_KIND_8);
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 1; n < m.len; n++) {
		h245(&f);
		fake_bytes(&f, A, m.b, n);
		fake_bytes(&f, A, m.b + n, m.len - n);
		says(&f, ""); /* n == 4: the rest looks like a head */
		fake_close(&f);

		h245(&f);
		f.h.mirror = true;
		fake_bytes(&f, A, m.b, n);
		says(&f, "");
		fake_bytes(&f, A, m.b + n, m.len - n);
		says(&f, RTP_A);
		fake_cut(&f, A, m.b, n, m.len, f.seq[A]);
		says(&f, "");
		fake_close(&f);

		h245(&f); /* the message is short inside its frame */
		m.b[3] = (uint8_t)n;
		fake_bytes(&f, A, m.b, n);
		says(&f, "");
		m.b[3] = (uint8_t)m.len;
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open), cmocka_unit_test(test_ack),
		cmocka_unit_test(test_t120), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_v6),   cmocka_unit_test(test_half),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

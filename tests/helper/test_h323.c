/* test_h323.c - addresses and framing of H.323 */
#include <errno.h>

#include "tests/helper/h323.h"
#include "tests/helper/says.h"

#include "daemon/helper/h323.h"

static bool readable;

static bool given(struct help_ctx *h, const uint8_t *msg, uint32_t len)
{
	fake_say(h->arg, "%.*s|", (int)len, (const char *)msg);
	return readable;
}

static void help(struct help_ctx *h)
{
	h323_stream(h, h->priv, given);
}

static const struct helper helper_tpkt = {.help = help};

static void open_(struct fake *f)
{
	fake_open(f, &helper_tpkt, IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
	readable = true;
}

static void say(struct fake *f, uint8_t dir, const char *text)
{
	struct bytes m = hex(text);

	fake_bytes(f, dir, m.b, m.len);
}

#define ABC  "03000007616263"
#define D    "0300000564"
#define NONE "03000004"

static void test_strict(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	say(&f, A, ABC D);
	says(&f, "abc|d|");
	say(&f, B, NONE ABC);
	says(&f, "|abc|");
	say(&f, A, ABC "0400000564"); /* no version 3 */
	say(&f, A, ABC "0301000564");
	say(&f, A, ABC "0300000364"); /* shorter than its head */
	says(&f, "abc|abc|abc|");
	say(&f, A, ABC "030000066465");
	says(&f, "abc|de|");
	say(&f, A, ABC "0300000964"); /* ends behind the segment */
	says(&f, "abc|");
	readable = false;
	say(&f, A, ABC D);
	says(&f, "abc|");
	fake_close(&f);
}

/* The head alone, then the message. */
static void test_head_alone(void **state)
{
	struct fake f;

	(void)state;
	open_(&f);
	say(&f, A, "03000007");
	says(&f, "");
	say(&f, B, "616263"); /* of the other side */
	says(&f, "");
	say(&f, A, "616263");
	says(&f, "abc|");
	say(&f, A, "616263");
	says(&f, "");
	say(&f, A, "03000007");
	say(&f, A, "6162"); /* less than it takes */
	say(&f, A, "616263");
	says(&f, "");
	say(&f, A, "03000007");
	say(&f, A, D); /* something else */
	say(&f, A, "616263");
	says(&f, "d|");
	say(&f, A, "03000006");
	say(&f, A, "61626364"); /* and more */
	says(&f, "ab|");
	fake_close(&f);
}

static void test_mirror(void **state)
{
	struct bytes m = hex(ABC NONE D);
	struct fake f;
	uint32_t n;

	(void)state;
	for (n = 0; n <= m.len; n++) {
		open_(&f);
		f.h.mirror = true;
		readable = n & 1; /* does not matter here */
		fake_bytes(&f, A, m.b, n);
		fake_bytes(&f, A, m.b + n, m.len - n);
		says(&f, "abc||d|");
		fake_close(&f);
	}
}

static void test_capture(void **state)
{
	struct bytes m = hex(ABC);
	struct fake f;
	uint32_t n;

	(void)state;
	open_(&f);
	for (n = 0; n < m.len; n++) {
		fake_cut(&f, A, m.b, n, m.len, 0);
		says(&f, "");
	}
	say(&f, A, "03000007");
	fake_cut(&f, A, "abc", 2, 3, 0);
	says(&f, "");
	fake_close(&f);
}

static void test_places(void **state)
{
	static const uint8_t four[] = {10, 0, 0, 1}, six[16] = {0x20, 1};
	struct h323_place p;
	struct fake f;

	(void)state;
	open_(&f);
	memset(&p, 0xff, sizeof(p));
	assert_false(h323_place(&p, SEE_IP4, 4, four));
	assert_false(h323_usable(&f.h, &p)); /* without a port */
	assert_true(h323_place(&p, SEE_PORT, 99, NULL));
	assert_true(h323_usable(&f.h, &p));
	f.h.dir = A;
	assert_true(h323_own(&f.h, &p));
	f.h.dir = B;
	assert_false(h323_own(&f.h, &p));
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	assert_false(h323_place(&p, SEE_IP6, 16, six));
	assert_true(h323_place(&p, SEE_PORT, 99, NULL));
	assert_false(h323_usable(&f.h, &p)); /* of another family */
	assert_false(h323_place(&p, SEE_REASON, 1, NULL));
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_head_alone),
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_amanda.c - Amanda: ports of the streams (F221) */
#include "tests/helper/says.h"

extern const struct helper helper_amanda;

#define R         "refresh 300\n"
#define TO(port)  "expect tcp 10.0.0.1:* -> 10.0.1.1:" #port "\n"
#define TO6(port) "expect tcp [2001:db8::1]:* -> [2001:db8::2]:" #port "\n"

static void amanda(struct fake *f)
{
	fake_open(f, &helper_amanda, IPPROTO_UDP, "10.0.0.1", 840, "10.0.1.1",
	          10080);
}

struct row {
	const char *text, *strict, *mirror;
};

/* what strict mode takes was tried on the kernel */
static const struct row rows[] = {
	{"CONNECT DATA 50001 MESG 50002 INDEX 50003 STATE 50004\n",
         R TO(50001) TO(50002) TO(50003) TO(50004),
         R TO(50001) TO(50002) TO(50003) TO(50004)},
	{"Amanda 2.6 REP\nCONNECT MESG 5 DATA 6\nSTATE 7\n", R TO(6) TO(5),
         R TO(6) TO(5)},
	{"CONNECT INDEX 9\n", R TO(9), R TO(9)},
	{"CONNECT DATA 5MESG 6\n", R TO(5) TO(6), R TO(5) TO(6)},
	{"CONNECT DATA 5\nCONNECT MESG 6\n", R TO(5), R TO(5)},
	{"CONNECT DATA 70000\n", R TO(4464), R},
	{"CONNECT DATA 123456\n", R TO(12345), R},
	{"CONNECT DATA 65536 MESG 7\n", R, R},
	{"CONNECT DATA 0 MESG 5\n", R, R},
	{"CONNECT DATA x MESG 5\n", R, R},
	{"CONNECT DATA  5\n", R, R},
	{"CONNECT DATA 5", R, R},
	{"CONNECT DATA \n", R, R},
	{"CONNECT \n", R, R},
	{"connect DATA 5\n", R, R},
	{"CONNECTDATA 5\n", R, R},
	{"OPTIONS features=1;\n", R, R},
	{"", R, R},
};

static void test_rows(void **state)
{
	const struct row *r;
	struct fake f;

	(void)state;
	for (r = rows; r < rows + ARRAY_SIZE(rows); r++) {
		amanda(&f);
		fake_send(&f, A, r->text);
		says(&f, "");
		fake_send(&f, B, r->text);
		says(&f, r->strict);
		f.h.mirror = true;
		fake_send(&f, B, r->text);
		says(&f, r->mirror);
		fake_close(&f);
	}
}

static void test_v6(void **state)
{
	struct fake f;

	(void)state;
	fake_open(&f, &helper_amanda, IPPROTO_UDP, "2001:db8::1", 840,
	          "2001:db8::2", 10080);
	fake_send(&f, B, "CONNECT DATA 5 MESG 6\n");
	says(&f, R TO6(5) TO6(6));
	fake_close(&f);
}

static void test_timeout(void **state)
{
	struct fake f;

	(void)state;
	amanda(&f);
	f.option[0] = 77;
	fake_send(&f, B, "x");
	says(&f, "refresh 77\n");
	fake_close(&f);
}

static void test_cut(void **state)
{
	static const char text[] = "CONNECT DATA 5 MESG 6\n";
	const uint32_t len = sizeof(text) - 1;
	struct fake f;
	uint32_t cap;

	(void)state;
	amanda(&f);
	for (cap = 0; cap < len; cap++) {
		fake_cut(&f, B, text, cap, len, 0);
		says(&f, R);
		fake_cut(&f, B, text, cap, cap, 0);
		says(&f, R);
	}
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

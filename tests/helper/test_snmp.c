/* test_snmp.c - SNMP to all agents (F223) */
#include "tests/helper/says.h"

extern const struct helper helper_snmp;

#define ANSWERS                                                  \
	"expect udp *:161 -> 10.0.0.1:4000 flags=1 seconds=30\n" \
	"refresh 30\n"

static void snmp(struct fake *f, const char *dst, bool mirror)
{
	fake_open(f, &helper_snmp, IPPROTO_UDP, "10.0.0.1", 4000, dst, 161);
	f->h.mirror = mirror;
}

static void test_all(void **state)
{
	static const uint8_t get[] = {0x30, 0x1a, 0x02, 0x01, 0x01, 0x04};
	struct fake f;
	uint32_t cap;

	(void)state;
	snmp(&f, "255.255.255.255", true);
	for (cap = 0; cap <= sizeof(get); cap++) {
		fake_cut(&f, A, get, cap, sizeof(get), 0);
		says(&f, cap ? ANSWERS : "");
	}
	fake_bytes(&f, A, "\2\1", 2); /* no message begins so */
	says(&f, "");
	assert_int_equal(f.count[HELP_MALFORMED], 1);
	fake_bytes(&f, B, get, sizeof(get));
	says(&f, "");
	fake_close(&f);
}

static void test_none(void **state)
{
	struct fake f;

	(void)state;
	snmp(&f, "10.0.0.255", true); /* may as well be a host */
	fake_bytes(&f, A, "\x30\x00", 2);
	says(&f, "");
	f.option[2] = 24;
	fake_bytes(&f, A, "\x30\x00", 2);
	says(&f, "expect udp 10.0.0.255/255.255.255.0:161 -> 10.0.0.1:4000 "
	         "flags=1 seconds=30\nrefresh 30\n");
	fake_close(&f);
	snmp(&f, "255.255.255.255", false);
	fake_bytes(&f, A, "\x30\x00", 2);
	says(&f, "");
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

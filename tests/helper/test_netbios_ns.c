/* test_netbios_ns.c - NetBIOS names: what is a question to all (F223) */
#include "tests/helper/says.h"

extern const struct helper helper_netbios_ns;

#define ANSWERS                                                          \
	"expect udp 192.168.2.255/255.255.255.0:137 -> 192.168.2.7:137 " \
	"flags=1 seconds=3\nrefresh 3\n"

static void nbns(struct fake *f, bool mirror)
{
	fake_open(f, &helper_netbios_ns, IPPROTO_UDP, "192.168.2.7", 137,
	          "192.168.2.255", 137);
	f->h.mirror = mirror;
}

/* a name query; RFC 1002, 4.2.12 */
static void query(uint8_t *b, uint16_t flags)
{
	memset(b, 0, 50);
	b[2] = (uint8_t)(flags >> 8);
	b[3] = (uint8_t)flags;
	b[5] = 1;
}

static void test_flags(void **state)
{
	uint8_t b[50];
	struct fake f;

	(void)state;
	nbns(&f, true);
	query(b, 0x0110); /* recursion desired, broadcast */
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, ANSWERS);
	fake_bytes(&f, A, b, sizeof(b)); /* asked three times */
	says(&f, ANSWERS);
	fake_bytes(&f, B, b, sizeof(b));
	says(&f, "");
	query(b, 0x0100); /* to one */
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, "");
	query(b, 0x8510); /* an answer */
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, "");
	query(b, 0x2910); /* a registration */
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, ANSWERS);
	fake_close(&f);
}

static void test_strict(void **state)
{
	uint8_t b[50];
	struct fake f;

	(void)state;
	nbns(&f, false);
	query(b, 0x0110);
	fake_bytes(&f, A, b, sizeof(b));
	says(&f, "");
	fake_close(&f);
}

static void test_cut(void **state)
{
	uint8_t b[50];
	struct fake f;
	uint32_t cap;

	(void)state;
	nbns(&f, true);
	query(b, 0x0110);
	for (cap = 0; cap < sizeof(b); cap++) {
		fake_cut(&f, A, b, cap, sizeof(b), 0);
		says(&f, cap < 12 ? "" : ANSWERS);
		fake_cut(&f, A, b, cap, cap, 0);
		says(&f, cap < 12 ? "" : ANSWERS);
	}
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

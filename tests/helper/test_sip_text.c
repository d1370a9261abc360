/* test_sip_text.c - headers, contacts and numbers (RFC 3261, 7.3, 20.10) */
#include <netinet/in.h>

#include "tests/helper/sip.h"

/* A message in memory of its own, so that a sanitizer sees reads behind it. */
struct message {
	struct sip_msg m;
	uint8_t *copy;
};

static void message_open(struct message *g, const char *text, bool mirror)
{
	size_t len = strlen(text);

	g->copy = malloc(len ? len : 1);
	assert_non_null(g->copy);
	memcpy(g->copy, text, len);
	g->m.at = g->copy;
	g->m.end = g->copy + len;
	g->m.mirror = mirror;
}

/* The number in a message of this text in the kernel's way, or -1 or -2 for
 * SIP_NONE and SIP_BAD. */
static int64_t number_in(const char *text, enum sip_header which, bool mirror)
{
	struct message g;
	enum sip_find rc;
	uint32_t v = 0;

	message_open(&g, text, mirror);
	rc = sip_number(&g.m, which, &v);
	free(g.copy);
	return rc == SIP_FOUND ? (int64_t)v : rc == SIP_NONE ? -1 : -2;
}

#define strict(text) number_in("X\r\n" text, SIP_EXPIRES, false)
#define mirror(text) number_in("X\r\n" text, SIP_EXPIRES, true)

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(strict("Expires: 60\r\n"), 60);
	assert_int_equal(strict("eXPIRES:60"), 60);
	assert_int_equal(strict("Expires \t: \t60"), 60);
	assert_int_equal(strict("Expires:\r\n 60"), 60);
	assert_int_equal(strict("Expires\r\n\t: 60"), 60);
	assert_int_equal(strict("A: b\r\n Expires: 60"), -1);
	assert_int_equal(strict("A: b\nExpires: 60"), 60);
	assert_int_equal(strict("A: b\rExpires: 60"), 60);
	assert_int_equal(number_in("Expires: 60", SIP_EXPIRES, true), -1);
	assert_int_equal(number_in("\r\nl: 7", SIP_LENGTH, false), 7);
	assert_int_equal(number_in("\r\nL: 7", SIP_LENGTH, false), 7);
	assert_int_equal(number_in("\r\nlx: 7", SIP_LENGTH, false), -1);
	assert_int_equal(number_in("\r\nl", SIP_LENGTH, false), -1);
	assert_int_equal(number_in("\r\nContent-Length: 7", SIP_LENGTH, true),
	                 7);
}

/* What the kernel does not see, and mirror mode does. */
static void test_modes(void **state)
{
	(void)state;
	assert_int_equal(strict("Expires-X: 1\r\nExpires: 60"), -1);
	assert_int_equal(mirror("Expires-X: 1\r\nExpires: 60"), 60);
	assert_int_equal(strict("\nExpires: 60"), -1);
	assert_int_equal(mirror("\nExpires: 60"), 60);
	assert_int_equal(strict("\r\nExpires: 60"), 60);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(strict("Expires: 0"), 0);
	assert_int_equal(strict("Expires: 4294967295"), 4294967295);
	assert_int_equal(strict("Expires: 4294967296"), -2);
	assert_int_equal(strict("Expires: 00000000060"), 60);
	assert_int_equal(strict("Expires: 000000000060"), -2);
	assert_int_equal(strict("Expires: 99999999999999999999999"), -2);
	assert_int_equal(strict("Expires: 60abc"), 60);
	assert_int_equal(strict("Expires: 0x10"), 0);
	assert_int_equal(strict("Expires: -1"), -2);
	assert_int_equal(strict("Expires: "), -1);
	assert_int_equal(strict("Expires"), -1);
	assert_int_equal(strict("Expires:\r\n"), -1);
}

/* An address and how many bytes it has, 0: none. */
static size_t addr_len(const char *text, uint8_t l3proto, bool uri)
{
	struct message g;
	union pkt_addr a;
	struct text t;
	size_t n = 0;

	message_open(&g, text, false);
	t = (struct text){g.m.at, g.m.end};
	if (sip_addr(&t, l3proto, uri, &a))
		n = (size_t)(t.at - g.m.at);
	else
		assert_ptr_equal(t.at, g.m.at);
	free(g.copy);
	return n;
}

static void test_addr4(void **state)
{
	(void)state;
	assert_int_equal(addr_len("10.0.0.1", 4, false), 8);
	assert_int_equal(addr_len("10.0.0.1/127", 4, false), 8);
	assert_int_equal(addr_len("10.0.0.1:5060", 4, true), 8);
	assert_int_equal(addr_len("010.0.0.001 ", 4, false), 11);
	assert_int_equal(addr_len("255.255.255.255", 4, false), 15);
	assert_int_equal(addr_len("10.0.0.256", 4, false), 0);
	assert_int_equal(addr_len("10.0.0", 4, false), 0);
	assert_int_equal(addr_len("10.0..1", 4, false), 0);
	assert_int_equal(addr_len("10.0.0.1.2", 4, false), 0);
	assert_int_equal(addr_len("10.0.0.1a", 4, false), 0);
	assert_int_equal(addr_len("10.0.0.1g", 4, false), 8);
	assert_int_equal(addr_len("host.org", 4, false), 0);
	assert_int_equal(addr_len("", 4, true), 0);
}

static void test_addr6(void **state)
{
	(void)state;
	assert_int_equal(addr_len("fd00::1", 6, false), 7);
	assert_int_equal(addr_len("fd00::1%eth0", 6, false), 7);
	assert_int_equal(addr_len("[fd00::1]:5060", 6, true), 9);
	assert_int_equal(addr_len("0fd00::0001", 6, false), 11);
	assert_int_equal(addr_len("::ffff:10.0.0.1", 6, false), 15);
	assert_int_equal(addr_len("0:0:0:0:0:0:0:0", 6, false), 15);
	assert_int_equal(
		addr_len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 6,
	                 false),
		45);
	assert_int_equal(
		addr_len("0001:0002:0003:0004:0005:0006:0007:0008", 6, false),
		39);
	assert_int_equal(addr_len("fd00::1", 6, true), 0);
	assert_int_equal(addr_len("[fd00::1", 6, true), 0);
	assert_int_equal(addr_len("[fd00::1%eth0]", 6, true), 0);
	assert_int_equal(addr_len("fd00::1::", 6, false), 0);
	assert_int_equal(addr_len("10.0.0.1", 6, false), 0);
	assert_int_equal(
		addr_len("1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7:8:9:a", 6,
	                 false),
		0);
}

/* All contacts of a message, as text. */
static const char *contacts_in(const char *text, bool mirror)
{
	static char out[512];
	char addr[INET_ADDRSTRLEN];
	struct sip_contacts c = {NULL, false, 0};
	struct message g;
	struct sip_uri u;
	uint32_t seconds;
	size_t n = 0;

	message_open(&g, text, mirror);
	out[0] = 0;
	while (sip_contact(&g.m, &c, 4, &u)) {
		inet_ntop(AF_INET, u.addr.b, addr, sizeof(addr));
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s:%u", addr,
		                      u.port);
		if (sip_contact_expires(&g.m, &c, &seconds) == SIP_FOUND)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "=%u",
			                      seconds);
		if (!sip_contact_here(&g.m, &c, IPPROTO_UDP))
			n += (size_t)snprintf(out + n, sizeof(out) - n, "!");
		n += (size_t)snprintf(out + n, sizeof(out) - n, " ");
	}
	free(g.copy);
	return out;
}

#define contacts_are(text, want) \
	assert_string_equal(contacts_in("X\r\n" text, false), want)

static void test_contacts(void **state)
{
	(void)state;
	contacts_are("Contact: <sip:a@10.0.0.1:5062>", "10.0.0.1:5062 ");
	contacts_are("m: sip:10.0.0.1", "10.0.0.1:5060 ");
	contacts_are("m: \"sip\" <SIP:a;b@10.0.0.1>", "10.0.0.1:5060 ");
	contacts_are("m: <sip:10.0.0.1>, <sip:10.0.0.2>,sip:10.0.0.3:6000",
	             "10.0.0.1:5060 10.0.0.2:5060 10.0.0.3:6000 ");
	contacts_are("m: <sip:10.0.0.1>\r\nA: <sip:10.0.0.9>\r\n"
	             "Contact: <sip:10.0.0.2>",
	             "10.0.0.1:5060 10.0.0.2:5060 ");
	contacts_are("m: <sip:10.0.0.1>,\r\n <sip:10.0.0.2>",
	             "10.0.0.1:5060 10.0.0.2:5060 ");
	/* names, other schemes and impossible ports are stepped over, but the
	 * first of a header must be an address */
	contacts_are("m: <sip:10.0.0.1>, <sip:x.org>, <sip:10.0.0.2>",
	             "10.0.0.1:5060 10.0.0.2:5060 ");
	contacts_are("m: <sip:x.org>, <sip:10.0.0.2>", "");
	contacts_are("m: <sip:x.org>\r\nm: <sip:10.0.0.2>", "10.0.0.2:5060 ");
	contacts_are("m: <sips:a@10.0.0.1>", "");
	contacts_are("m: *", "");
	contacts_are("m: <sip:10.0.0.1:1023>\r\nm: <sip:10.0.0.1:65536>\r\n"
	             "m: <sip:10.0.0.1:>\r\nm: <sip:10.0.0.1:005060>",
	             "");
	contacts_are("m: <sip:10.0.0.1:1024>, <sip:10.0.0.1:65535>",
	             "10.0.0.1:1024 10.0.0.1:65535 ");
}

static void test_params(void **state)
{
	(void)state;
	contacts_are("m: <sip:10.0.0.1>;expires=60", "10.0.0.1:5060=60 ");
	contacts_are("m: <sip:10.0.0.1;expires=60>", "10.0.0.1:5060=60 ");
	contacts_are("m: <sip:10.0.0.1>;q=1;EXPIRES=60", "10.0.0.1:5060=60 ");
	contacts_are("m: <sip:10.0.0.1>, <sip:10.0.0.2>;expires=60",
	             "10.0.0.1:5060 10.0.0.2:5060=60 ");
	contacts_are("m: <sip:10.0.0.1>\r\nX: expires=60", "10.0.0.1:5060 ");
	contacts_are("m: <sip:10.0.0.1>;expires=", "10.0.0.1:5060 ");
	contacts_are("m: <sip:10.0.0.1;transport=UDP>", "10.0.0.1:5060 ");
	contacts_are("m: <sip:10.0.0.1;transport=tcp>", "10.0.0.1:5060! ");
	contacts_are("m: <sip:10.0.0.1;transport=tls>", "10.0.0.1:5060! ");
	contacts_are("m: <sip:10.0.0.1>\r\n ;expires=60", "10.0.0.1:5060=60 ");
	/* of a continued line the kernel does not see the first letter */
	contacts_are("m: <sip:10.0.0.1>;\r\n expires=60", "10.0.0.1:5060 ");
	assert_string_equal(
		contacts_in("X\r\nm: <sip:10.0.0.1>;\r\n expires=60", true),
		"10.0.0.1:5060=60 ");
}

/* A user part ends within the line, and is not sought without end. */
static void test_user(void **state)
{
	char text[1024] = "X\r\nm: sip:";
	size_t n = strlen(text);

	(void)state;
	contacts_are("m: <sip:10.0.0.1>\r\nX: a@b", "10.0.0.1:5060 ");
	contacts_are("m: <sip:a@b@10.0.0.1>", "");
	memset(text + n, 'u', 500);
	strcpy(text + n + 500, "@10.0.0.1");
	assert_string_equal(contacts_in(text, false), "10.0.0.1:5060 ");
	memset(text + n, 'u', 600);
	strcpy(text + n + 600, "@10.0.0.1");
	assert_string_equal(contacts_in(text, false), "");
}

/* Nor is a list without end. */
static void test_long_list(void **state)
{
	static char text[8192];
	struct sip_contacts c = {NULL, false, 0};
	struct message g;
	struct sip_uri u;
	unsigned int i, n = 0;

	(void)state;
	strcpy(text, "X\r\nm: sip:10.0.0.1");
	for (i = 0; i < 400; i++)
		strcat(text, i & 1 ? ",sip:x.org" : ",sip:10.0.0.2");
	message_open(&g, text, true);
	while (sip_contact(&g.m, &c, 4, &u))
		n++;
	free(g.copy);
	assert_int_equal(n, 1 + 256 / 2);
}

/* Whatever byte a message ends at, nothing behind it is read. */
static void test_cut(void **state)
{
	static const char text[] =
		"X\r\nContact:\r\n <sip:a@10.0.0.1:5062;transport=udp>;\r\n"
		"\t;expires=60, <sip:10.0.0.2>\r\nl : 7\r\nExpires: 9\r\n\r\n";
	char cut[sizeof(text)];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text); n++) {
		memcpy(cut, text, n);
		cut[n] = 0;
		contacts_in(cut, n & 1);
		number_in(cut, SIP_LENGTH, n & 1);
		if (strstr(cut, "Expires: 9"))
			assert_int_equal(number_in(cut, SIP_EXPIRES, n & 1), 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_addr4),
		cmocka_unit_test(test_addr6),
		cmocka_unit_test(test_contacts),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

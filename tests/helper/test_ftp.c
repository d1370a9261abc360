/* test_ftp.c - FTP: PORT, EPRT, 227, 229 (F203-F206, B14) */
#include "tests/helper/says.h"

extern const struct helper helper_ftp;

#define ACTIVE   "expect tcp 10.0.1.1:* -> 10.0.0.1:51211\n"
#define PASSIVE  "expect tcp 10.0.0.1:* -> 10.0.1.1:51211\n"
#define ACTIVE6  "expect tcp [2001:db8:1::1]:* -> [2001:db8::1]:51211\n"
#define PASSIVE6 "expect tcp [2001:db8::1]:* -> [2001:db8:1::1]:51211\n"

static void ftp(struct fake *f)
{
	fake_open(f, &helper_ftp, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          21);
}

static void ftp6(struct fake *f)
{
	fake_open(f, &helper_ftp, IPPROTO_TCP, "2001:db8::1", 40001,
	          "2001:db8:1::1", 21);
}

/* strict: what a line behind a known newline makes */
static void primed(struct fake *f, uint8_t dir, const char *line)
{
	fake_send(f, dir, dir ? "220 hello\r\n" : "USER x\r\n");
	fake_send(f, dir, line);
}

struct row {
	uint8_t dir;
	const char *line;
	const char *strict, *mirror; /* NULL: nothing */
};

/* F204; what strict mode takes was tried on the kernel */
static const struct row rows[] = {
	{A, "PORT 10,0,0,1,200,11\r\n", ACTIVE, ACTIVE},
	{A, "port 10,0,0,1,200,11\r\n", ACTIVE, ACTIVE},
	{A, "EPRT |1|10.0.0.1|51211|\r\n", ACTIVE, ACTIVE},
	{A, "eprt !1!10.0.0.1!51211!\r\n", ACTIVE, ACTIVE},
	{B, "227 Entering Passive Mode (10,0,1,1,200,11).\r\n", PASSIVE,
         PASSIVE},
	{B, "227 10,0,1,1,200,11\r\n", PASSIVE, PASSIVE},
	{B, "229 Entering Extended Passive Mode (|||51211|)\r\n", PASSIVE,
         PASSIVE},
	/* the kernel's narrow view */
	{A, "PORT 10,0,0,1,200,11\n", NULL, ACTIVE},
	{A, "PORT 10,0,0,1,200,11 \r\n", NULL, ACTIVE},
	{A, "NOOP\r\nPORT 10,0,0,1,200,11\r\n", NULL, ACTIVE},
	{B, "227 for 2 users (10,0,1,1,200,11)\r\n", NULL, PASSIVE},
	/* and its wide one */
	{A, "PORTABLE 10,0,0,1,200,11\r\n", ACTIVE, NULL},
	{A, "PORT 10,0,0,1,0,51211\r\n", ACTIVE, NULL},
	{A, "PORT 10,,,1,200,11\r\n", ACTIVE, NULL},
	{A, "PORT 10,0,0,1,4294967496,11\r\n", ACTIVE, NULL},
	{A, "EPRT |1|10.0.0.1|116747|\r\n", ACTIVE, NULL},
	{B, "229 (|||116747|)\r\n", PASSIVE, NULL},
	{A, "PORT 10,0,0,1,0,0\r\n", "expect tcp 10.0.1.1:* -> 10.0.0.1:0\n",
         NULL},
	/* no announcement for either */
	{A, "PORT 10,0,0,1,200\r\n", NULL, NULL},
	{A, "PORT 10,0,0,1,200,11,5\r\n", NULL, NULL},
	{A, "PORT  10,0,0,1,200,11\r\n", NULL, NULL},
	{A, "XPORT 10,0,0,1,200,11\r\n", NULL, NULL},
	{A, "EPRT |1|10.0.0.1|51211\r\n", NULL, NULL},
	{A, "EPRT |1|10.0.0.1|0|\r\n", NULL, NULL},
	{A, "EPRT |1|10.0.0.1||\r\n", NULL, NULL},
	{A, "EPRT |2|10.0.0.1|51211|\r\n", NULL, NULL},
	{A, "EPRT 11110.0.0.1151211\r\n", NULL, NULL},
	{A, "EPRT |1\r\n", NULL, NULL},
	{B, "227-Entering (10,0,1,1,200,11)\r\n", NULL, NULL},
	{B, "227 none\r\n", NULL, NULL},
	{B, "229 (|1|10.0.1.1|51211|)\r\n", NULL, NULL},
	{B, "229 |||51211|\r\n", NULL, NULL},
	{B, "229 (|||0|)\r\n", NULL, NULL},
	{B, "229 (\r\n", NULL, NULL},
	/* F206: somebody else's address */
	{A, "PORT 10,0,0,2,200,11\r\n", NULL, NULL},
	{A, "EPRT |1|10.0.0.2|51211|\r\n", NULL, NULL},
	{B, "227 (10,0,1,2,200,11)\r\n", NULL, NULL},
	/* the other side's command */
	{B, "PORT 10,0,1,1,200,11\r\n", NULL, NULL},
	{A, "227 (10,0,0,1,200,11)\r\n", NULL, NULL},
};

static void test_rows(void **state)
{
	const struct row *r;
	struct fake f;

	(void)state;
	for (r = rows; r < rows + ARRAY_SIZE(rows); r++) {
		ftp(&f);
		primed(&f, r->dir, r->line);
		says(&f, r->strict ? r->strict : "");
		fake_close(&f);
		ftp(&f);
		f.h.mirror = true;
		fake_send(&f, r->dir, r->line);
		says(&f, r->mirror ? r->mirror : "");
		assert_int_equal(f.kept[r->dir].len, 0);
		fake_close(&f);
	}
}

static void test_v6(void **state)
{
	struct fake f;
	int mirror;

	(void)state;
	for (mirror = 0; mirror < 2; mirror++) {
		ftp6(&f);
		f.h.mirror = mirror;
		primed(&f, A, "EPRT |2|2001:db8::1|51211|\r\n");
		says(&f, ACTIVE6);
		primed(&f, B, "229 ok (|||51211|)\r\n");
		says(&f, PASSIVE6);
		primed(&f, A, "EPRT |1|10.0.0.1|51211|\r\n");
		primed(&f, A, "EPRT |2|2001:db8::2|51211|\r\n");
		primed(&f, A, "EPRT |2|2001:db8::1\r\n");
		primed(&f, A, "EPRT |2||51211|\r\n");
		primed(&f, A, "PORT 10,0,0,1,200,11\r\n");
		says(&f, "");
		/* the first four bytes of the sender's address */
		primed(&f, A, "PORT 32,1,13,184,200,11\r\n");
		says(&f, mirror ? "" : ACTIVE6);
		fake_close(&f);
	}
}

static void test_loose(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	primed(&f, A, "PORT 10,0,0,9,200,11\r\n");
	says(&f, "");
	assert_int_equal(f.count[HELP_FOREIGN], 1);
	f.option[0] = 1;
	primed(&f, A, "PORT 10,0,0,9,200,11\r\n");
	says(&f, "expect tcp 10.0.1.1:* -> 10.0.0.9:51211\n");
	fake_close(&f);
}

/* F205, B14: the first segment of a direction only says where the next line
 * begins */
static void test_first(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	fake_send(&f, A, "PORT 10,0,0,1,200,10\r\n");
	says(&f, "");
	fake_send(&f, A, "PORT 10,0,0,1,200,11\r\n");
	says(&f, ACTIVE);
	fake_send(&f, B, "227 (10,0,1,1,200,11)\r\n");
	says(&f, "");
	fake_send(&f, B, "227 (10,0,1,1,200,11)\r\n");
	says(&f, PASSIVE);
	fake_close(&f);
}

/* two places are remembered, the older one goes */
static void test_places(void **state)
{
	static const char line[] = "PORT 10,0,0,1,200,11\r\n";
	const uint32_t len = sizeof(line) - 1;
	struct fake f;

	(void)state;
	ftp(&f);
	primed(&f, A, line);
	says(&f, ACTIVE);
	fake_again(&f, A, line, len); /* behind USER: the older of two */
	says(&f, ACTIVE);
	fake_send(&f, A, "NOOP\r\n");
	fake_again(&f, A, line, len + 6); /* three places back */
	says(&f, "");
	f.seq[A] += 10; /* bytes are missing */
	fake_send(&f, A, line);
	says(&f, "");
	fake_send(&f, A, line);
	says(&f, ACTIVE);
	fake_close(&f);
}

/* F203: a command cut in two is dropped, so its end is not remembered */
static void test_partial_strict(void **state)
{
	static const char line[] = "PORT 10,0,0,1,200,11\r\n";
	char part[sizeof(line)];
	struct fake f;
	uint32_t cut;

	(void)state;
	for (cut = 1; cut < sizeof(line) - 1; cut++) {
		snprintf(part, sizeof(part), "%.*s", (int)cut, line);
		ftp(&f);
		primed(&f, A, part);
		/* the number is known when its end is */
		says(&f, cut >= sizeof(line) - 2 ? ACTIVE : "");
		fake_send(&f, A, line + cut);
		says(&f, "");
		fake_close(&f);
	}
	/* as is one that says something else, newline or not */
	ftp(&f);
	primed(&f, A, "PORT 1,2\r\n");
	fake_send(&f, A, line);
	says(&f, "");
	fake_send(&f, A, line);
	says(&f, ACTIVE);
	fake_close(&f);
}

/* the same line in mirror mode, cut at every byte, and byte by byte */
static void test_partial_mirror(void **state)
{
	static const char line[] = "USER a\r\nPORT 10,0,0,1,200,11\r\nLIST\r\n";
	struct fake f;
	uint32_t cut, len = sizeof(line) - 1;

	(void)state;
	for (cut = 0; cut <= len; cut++) {
		ftp(&f);
		f.h.mirror = true;
		fake_bytes(&f, A, line, cut);
		fake_bytes(&f, A, line + cut, len - cut);
		says(&f, ACTIVE);
		fake_close(&f);
	}
	ftp(&f);
	f.h.mirror = true;
	for (cut = 0; cut < len; cut++)
		fake_bytes(&f, A, line + cut, 1);
	says(&f, ACTIVE);
	assert_int_equal(f.count[HELP_LINES], 3);
	fake_close(&f);
}

/* captured up to every byte: never more than what is there */
static void test_snaplen(void **state)
{
	static const char line[] = "PORT 10,0,0,1,200,11\r\n";
	const uint32_t len = sizeof(line) - 1;
	struct fake f;
	uint32_t cap;

	(void)state;
	for (cap = 0; cap < len; cap++) {
		ftp(&f);
		primed(&f, A, "NOOP\r\n");
		fake_cut(&f, A, line, cap, len, f.seq[A]);
		says(&f, cap == len - 1 ? ACTIVE : "");
		fake_close(&f);
		ftp(&f);
		f.h.mirror = true;
		fake_cut(&f, A, line, cap, len, f.seq[A]);
		says(&f, "");
		assert_int_equal(f.count[HELP_RESYNC], 1);
		f.seq[A] += len;
		/* the rest of the line is not taken for a line */
		fake_send(&f, A, "NOOP\r\nPORT 10,0,0,1,200,11\r\n");
		says(&f, ACTIVE);
		fake_close(&f);
	}
}

/* mirror: a gap is stepped over up to the next line, old bytes are ignored */
static void test_gap(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	f.h.mirror = true;
	fake_send(&f, A, "PORT 10,0,");
	f.seq[A] += 3;
	fake_send(&f, A, "0,1,200,11\r\nPORT 10,0,0,1,200,11\r\n");
	says(&f, ACTIVE);
	assert_int_equal(f.count[HELP_RESYNC], 1);
	assert_int_equal(f.count[HELP_MALFORMED], 0);
	fake_again(&f, A, "PORT 10,0,0,1,200,11\r\n", 22);
	says(&f, "");
	fake_again(&f, A, "\r\nPORT 10,0,0,1,200,11\r\n", 2);
	says(&f, ACTIVE);
	fake_close(&f);
}

/* mirror: RFC 959, 4.2, a line inside a reply may look like anything */
static void test_long_reply(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	f.h.mirror = true;
	fake_send(&f, B, "211-Status\r\n227 (10,0,1,1,200,11)\r\n");
	fake_send(&f, B, "229 (|||5|)\r\n211-more\r\n211 End\r\n");
	says(&f, "");
	fake_send(&f, B, "227 (10,0,1,1,200,11)\r\n");
	says(&f, PASSIVE);
	fake_send(&f, B, "229-Well\r\n 229 (|||1|)\r\n229 (|||51211|)\r\n");
	says(&f, PASSIVE);
	/* a server that never says the end: the client goes on, so does this */
	fake_send(&f, B, "230-Welcome\r\n");
	fake_send(&f, A, "PASV\r\n");
	fake_send(&f, B, "227 (10,0,1,1,200,11)\r\n");
	says(&f, PASSIVE);
	fake_close(&f);
}

static void test_states(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	f.h.mirror = true;
	fake_packet(&f, A, "PORT 10,0,0,1,200,11\r\n", 22, 22, 1);
	f.h.pkt = &f.pkt;
	f.h.len = 22;
	f.h.info = CTINFO_NEW; /* F202 */
	helper_ftp.help(&f.h);
	says(&f, "");
	f.h.info = CTINFO_ESTABLISHED;
	helper_ftp.help(&f.h);
	says(&f, ACTIVE);
	fake_close(&f);
}

static void test_limit(void **state)
{
	struct fake f;

	(void)state;
	ftp(&f);
	f.expect_rc = -28; /* ENOSPC */
	primed(&f, A, "PORT 10,0,0,1,200,11\r\n");
	says(&f, ACTIVE);
	assert_int_equal(f.count[HELP_LIMIT], 1);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_loose),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_partial_strict),
		cmocka_unit_test(test_partial_mirror),
		cmocka_unit_test(test_snaplen),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_long_reply),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

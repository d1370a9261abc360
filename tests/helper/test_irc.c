/* test_irc.c - IRC: offers of direct connections (F209) */
#include "tests/helper/says.h"

extern const struct helper helper_irc;

#define OFFER "expect tcp *:* -> 10.0.0.1:5555 seconds=300\n"

static void irc(struct fake *f)
{
	fake_open(f, &helper_irc, IPPROTO_TCP, "10.0.0.1", 40001, "10.0.1.1",
	          6667);
}

struct row {
	const char *text;
	bool strict, mirror;
};

/* 167772161 is 10.0.0.1; what strict mode takes was tried on the kernel */
static const struct row rows[] = {
	{"PRIVMSG x :\1DCC SEND t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC CHAT t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC MOVE t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC TSEND t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC SCHAT t 167772161 5555\1\r\n", true, true},
	{"privmsg x :\1DCC SEND t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC SEND t 167772161 5555\1\n", true, true},
	{"PRIVMSG x :\1DCC SEND t 167772161 5555 1000\1\r\n", true, true},
	{"PRIVMSG x :\1DCC SEND t 167772161  5555\1\r\n", true, true},
	{" \r\nPRIVMSG x :\1DCC SEND t 167772161 5555\1\r\n", true, true},
	{"PRIVMSG x :\1DCC SEND \"t 167772161 5555\1\r\n", true, true},
	/* the kernel's narrow view */
	{"NICK y\r\nPRIVMSG x :\1DCC SEND t 167772161 5555\1\r\n", false, true},
	{"PRIVMSG x :\1DCC SEND \"a b\" 167772161 5555\1\r\n", false, true},
	{"PRIVMSG x :\1DCC SEND t  167772161 5555\1\r\n", false, true},
	/* and its wide one */
	{"PRIVMSG x :\1DCC SEND t 167772161 5555\r\n", true, false},
	{"PRIVMSG x :\1DCC SEND t 4462739457 5555\1\r\n", true, false},
	{"PRIVMSG x :\1DCC SEND t 167772161 71091\1\r\n", true, false},
	{"PRIVMSG x :\1DCC SEND \nt 167772161 5555\1\r\n", true, false},
	{"PRIVMSG x\r\nx :\1DCC SEND t 167772161 5555\1\r\n", true, false},
	/* no offer for either */
	{"PRIVMSG x :\1DCC RESUME t 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x :\1dcc SEND t 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x :\1DCC send t 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x : \1DCC SEND t 167772161 5555\1\r\n", false, false},
	{"NOTICE x :\1DCC SEND t 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x :\1DCC SEND a b 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x :\1DCC SEND CHAT t 167772161 5555\1\r\n", false, false},
	{"PRIVMSG x :\1DCC SEND t\n 167772161 5555\1", false, false},
	{"PRIVMSG x :\1DCC SEND ttttttttttttttttttttttt\n", false, false},
	{"PRIVMSG x :\1DCC SEND t 167772161 \1\r\n", false, false},
	{"PRIVMSG x :\1DCC SEND \r\n", false, false},
	/* not the client's address; and the other shall wait */
	{"PRIVMSG x :\1DCC SEND t 167772162 5555\1\r\n", false, false},
	{"PRIVMSG x :\1DCC SEND t 167772161 0\1\r\n", false, false},
	{"PRIVMSG x :hello\r\n", false, false},
	{"\r\n", false, false},
};

static void test_rows(void **state)
{
	const struct row *r;
	struct fake f;

	(void)state;
	for (r = rows; r < rows + ARRAY_SIZE(rows); r++) {
		irc(&f);
		fake_send(&f, A, r->text);
		says(&f, r->strict ? OFFER : "");
		fake_close(&f);
		irc(&f);
		f.h.mirror = true;
		fake_send(&f, A, r->text);
		says(&f, r->mirror ? OFFER : "");
		fake_close(&f);
	}
}

static void test_direction(void **state)
{
	struct fake f;
	int mirror;

	(void)state;
	for (mirror = 0; mirror < 2; mirror++) {
		irc(&f);
		f.h.mirror = mirror;
		fake_send(&f, B,
		          "PRIVMSG x :\1DCC SEND t 167772417 5555\1\r\n");
		says(&f, "");
		fake_close(&f);
	}
}

static void test_timeout(void **state)
{
	struct fake f;

	(void)state;
	irc(&f);
	f.option[0] = 60;
	fake_send(&f, A, rows[0].text);
	says(&f, "expect tcp *:* -> 10.0.0.1:5555 seconds=60\n");
	fake_close(&f);
}

static void test_cut(void **state)
{
	const char *text = rows[0].text;
	uint32_t len = (uint32_t)strlen(text), cut;
	struct fake f;

	(void)state;
	for (cut = 0; cut < len; cut++) {
		irc(&f);
		fake_bytes(&f, A, text, cut);
		fake_bytes(&f, A, text + cut, len - cut);
		says(&f, cut ? "" : OFFER);
		fake_cut(&f, A, text, cut, len, f.seq[A]);
		says(&f, "");
		fake_close(&f);
		irc(&f);
		f.h.mirror = true;
		fake_bytes(&f, A, text, cut);
		fake_bytes(&f, A, text + cut, len - cut);
		says(&f, OFFER);
		fake_cut(&f, A, text, cut, len, f.seq[A]);
		says(&f, "");
		fake_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

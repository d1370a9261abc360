/* test_broadcast.c - who was asked, and who may answer (F223) */
#include "daemon/helper/broadcast.h"
#include "tests/helper/says.h"

static bool told;

static void help(struct help_ctx *h)
{
	broadcast_request(h, told);
}

static const struct helper_option options[] = {BROADCAST_ROWS("x", 9)};
static const struct helper asker = {
	.name = "asker",
	.noptions = BROADCAST_OPTIONS,
	.options = options,
	.help = help,
};

static void ask_to(struct fake *f, const char *dst)
{
	told = false;
	fake_open(f, &asker, IPPROTO_UDP, "192.168.1.7", 4000, dst, 137);
	f->h.mirror = true;
}

#define FROM(who)                                                        \
	"expect udp " who ":137 -> 192.168.1.7:4000 flags=1 seconds=9\n" \
	"refresh 9\n"

/* a frame to a group address, or whatever `head` says */
static void frame(struct fake *f, uint16_t linktype, const char *head,
                  uint32_t len)
{
	memset(f->frame, 0xff, sizeof(f->frame));
	memcpy(f->frame, head, len);
	f->frame_len = 64;
	f->pkt.linktype = linktype;
	f->pkt.l3 = len;
}

static void test_address(void **state)
{
	static const struct {
		const char *dst, *untold, *told;
	} rows[] = {
		{"255.255.255.255", FROM("*"), FROM("*")},
		{"224.0.0.1", FROM("*"), FROM("*")},
		{"192.168.1.9", "", ""},
		{"192.168.1.255", "", FROM("192.168.1.255/255.255.254.0")},
		{"192.168.2.255", "", FROM("192.168.2.255/255.255.255.0")},
		{"10.255.255.255", "", FROM("10.255.255.255/255.0.0.0")},
		{"192.168.1.11", "", FROM("192.168.1.11/255.255.255.252")},
	};
	struct fake f;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ask_to(&f, rows[i].dst);
		fake_send(&f, A, "x");
		says(&f, rows[i].untold);
		told = true;
		fake_send(&f, A, "x");
		says(&f, rows[i].told);
		fake_send(&f, B, "x");
		says(&f, "");
		f.option[BROADCAST_ON] = 0;
		fake_send(&f, A, "x");
		says(&f, "");
		f.option[BROADCAST_ON] = 1;
		f.h.mirror = false;
		fake_send(&f, A, "x");
		says(&f, "");
		fake_close(&f);
	}
}

static void test_prefix(void **state)
{
	struct fake f;

	(void)state;
	ask_to(&f, "192.168.1.255");
	f.option[BROADCAST_PREFIX] = 24;
	fake_send(&f, A, "x");
	says(&f, FROM("192.168.1.255/255.255.255.0"));
	f.option[BROADCAST_PREFIX] = 30;
	fake_send(&f, A, "x");
	says(&f, FROM("192.168.1.255/255.255.255.252"));
	f.option[BROADCAST_PREFIX] = 23;
	fake_send(&f, A, "x");
	says(&f, FROM("192.168.1.255/255.255.254.0"));
	f.option[BROADCAST_PREFIX] = 16;
	told = true;
	fake_send(&f, A, "x");
	says(&f, "");
	fake_close(&f);
	ask_to(&f, "255.255.255.255");
	f.option[BROADCAST_PREFIX] = 24;
	fake_send(&f, A, "x");
	says(&f, FROM("*"));
	fake_close(&f);
}

static void test_frame(void **state)
{
	static const struct {
		uint16_t linktype;
		uint32_t l3;
		const char *head;
		bool group;
	} rows[] = {
		{1, 14, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x08\0", true},
		{1, 14, "\1\0\x5e\0\0\1\2\0\0\0\0\1\x08\0", true},
		{1, 14, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", false},
		{1, 0, "", false}, /* put together from fragments */
		{101, 0, "", false},
		{113, 16, "\0\1\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", true},
		{113, 16, "\0\2\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", true},
		{113, 16, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", false},
		{276, 20, "\x08\0\0\0\0\0\0\1\0\1\1\6\2\0\0\0\0\1\0\0", true},
		{276, 20, "\x08\0\0\0\0\0\0\1\0\1\4\6\2\0\0\0\0\1\0\0", false},
	};
	struct fake f;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ask_to(&f, "192.168.2.255");
		frame(&f, rows[i].linktype, rows[i].head, rows[i].l3);
		fake_send(&f, A, "x");
		says(&f,
		     rows[i].group ? FROM("192.168.2.255/255.255.255.0") : "");
		fake_close(&f);
	}
	/* a destination that names no network */
	ask_to(&f, "192.168.1.0");
	frame(&f, 1, rows[0].head, 14);
	fake_send(&f, A, "x");
	says(&f, FROM("*"));
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

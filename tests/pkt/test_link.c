/* test_link.c - every link type, tags, and frames cut at every byte. */
#include "daemon/pkt/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/packet.h"

/* a packet of each family, with a link header of `len` bytes before it */
struct frame {
	uint8_t buf[512];
	uint32_t len;
	uint32_t ip; /* where IP begins */
};

static void ip_bytes(struct packet *b, bool v6)
{
	packet_begin(b);
	if (v6)
		packet_ip6(b, "2001:db8::1", "2001:db8::2");
	else
		packet_ip4(b, "10.0.0.1", "10.0.1.1");
	packet_udp(b, 1000, 53);
	packet_fill(b, 'x', 10);
	packet_end(b);
}

static void frame_make(struct frame *f, const void *link, uint32_t len, bool v6)
{
	static struct packet b;

	ip_bytes(&b, v6);
	memcpy(f->buf, link, len);
	memcpy(f->buf + len, b.buf, b.len);
	f->ip = len;
	f->len = len + b.len;
}

/* Parses `len` bytes of it from memory of just that size, so that the
 * sanitizer sees a read beyond. */
static struct pkt parse(const struct frame *f, uint32_t len, uint16_t linktype)
{
	uint8_t *exact = malloc(len ? len : 1);
	enum pkt_reason r;
	struct pkt p;

	assert_non_null(exact);
	memcpy(exact, f->buf, len);
	memset(&p, 0xa5, sizeof(p));
	p.data = exact;
	p.caplen = len;
	p.wirelen = f->len;
	p.linktype = linktype;
	r = pkt_parse(&p);
	assert_int_equal(r, p.reason);
	if (p.reason == PKT_OK) {
		assert_true(p.l3 < p.l4 && p.l4 <= len);
		assert_true(p.l4 - p.l3 + p.l4len == p.l3len);
	}
	free(exact);
	p.data = f->buf;
	return p;
}

struct row {
	const char *what;
	uint16_t linktype;
	bool v6;
	uint16_t vlan;
	uint32_t len;
	const char *link;
};

#define MACS "\x02\0\0\0\0\1\x02\0\0\0\0\2"
#define SLL  "\0\0\0\1\0\6\x02\0\0\0\0\1\0\0"
/* an attribute before the packet, 4 bytes and one to fill */
#define NFLOG4 "\2\0\0\0\7\0\x0a\0abc\0\x2a\0\x09\0"
#define NFLOG6                 \
	"\x0a\0\0\0\0\7\0\x0a" \
	"abc\0\0\x3e\0\x09"
#define SLL2 "\0\0\0\0\0\2\0\1\0\6\x02\0\0\0\0\1\0\0"

static const struct row rows[] = {
	{"Ethernet, IPv4", 1, false, 0, 14, MACS "\x08\0"},
	{"Ethernet, IPv6", 1, true, 0, 14, MACS "\x86\xdd"},
	{"802.1Q", 1, false, 5, 18, MACS "\x81\0\x20\5\x08\0"},
	{"802.1Q, IPv6", 1, true, 0xfff, 18, MACS "\x81\0\xef\xff\x86\xdd"},
	{"QinQ", 1, false, 7, 22, MACS "\x88\xa8\0\5\x81\0\0\7\x08\0"},
	{"0x9100", 1, false, 7, 22, MACS "\x91\0\0\5\x81\0\0\7\x08\0"},
	{"three tags", 1, true, 9, 26,
         MACS "\x88\xa8\0\5\x91\0\0\7\x81\0\0\x09\x86\xdd"},
	{"raw 101, IPv4", 101, false, 0, 0, ""},
	{"raw 101, IPv6", 101, true, 0, 0, ""},
	{"raw 12", 12, false, 0, 0, ""},
	{"raw 14", 14, true, 0, 0, ""},
	{"228", 228, false, 0, 0, ""},
	{"229", 229, true, 0, 0, ""},
	{"null, little", 0, false, 0, 4, "\2\0\0\0"},
	{"null, big", 0, false, 0, 4, "\0\0\0\2"},
	{"null, Linux v6", 0, true, 0, 4, "\x0a\0\0\0"},
	{"null, BSD v6", 0, true, 0, 4, "\0\0\0\x18"},
	{"null, FreeBSD v6", 0, true, 0, 4, "\x1c\0\0\0"},
	{"null, Darwin v6", 0, true, 0, 4, "\x1e\0\0\0"},
	{"loop, big", 108, false, 0, 4, "\0\0\0\2"},
	{"loop, little", 108, true, 0, 4, "\x1e\0\0\0"},
	{"cooked", 113, false, 0, 16, SLL "\x08\0"},
	{"PPP", 9, false, 0, 4, "\xff\3\0\x21"},
	{"PPP, IPv6", 9, true, 0, 4, "\xff\3\0\x57"},
	{"PPP, compressed", 9, false, 0, 1, "\x21"},
	{"PPP, no address", 9, true, 0, 2, "\0\x57"},
	{"PPP on a line", 50, false, 0, 4, "\xff\3\0\x21"},
	{"Cisco on a line", 50, true, 0, 4, "\x0f\0\x86\xdd"},
	{"Cisco HDLC", 104, false, 0, 4, "\x8f\0\x08\0"},
	{"PPPoE", 51, false, 0, 8, "\x11\0\0\1\0\x28\0\x21"},
	{"PPPoE, IPv6", 51, true, 0, 8, "\x11\0\0\1\0\x3c\0\x57"},
	{"enc", 109, false, 0, 12, "\2\0\0\0\0\0\0\1\0\0\0\0"},
	{"enc, v6", 109, true, 0, 12, "\0\0\0\x18\0\0\0\1\0\0\0\0"},
	{"nflog, little", 239, false, 0, 16, NFLOG4},
	{"nflog, big, v6", 239, true, 0, 16, NFLOG6},
	{"cooked, tag", 113, true, 3, 20, SLL "\x81\0\0\3\x86\xdd"},
	{"cooked 2", 276, false, 0, 20, "\x08\0" SLL2},
	{"cooked 2, IPv6", 276, true, 0, 20, "\x86\xdd" SLL2},
	{"cooked 2, tag", 276, false, 4, 24, "\x81\0" SLL2 "\0\4\x08\0"},
};

static void test_every_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct frame f;
		struct pkt p;

		frame_make(&f, r->link, r->len, r->v6);
		p = parse(&f, f.len, r->linktype);
		assert_int_equal(p.reason, PKT_OK);
		assert_int_equal(p.l3, f.ip);
		assert_int_equal(p.l3proto, r->v6 ? 6 : 4);
		assert_int_equal(p.l4proto, 17);
		assert_int_equal(p.vlan, r->vlan);
		assert_int_equal(p.zone, 0);
		assert_int_equal(p.l4, f.ip + (r->v6 ? 40 : 20));
		assert_int_equal(p.l4len, 18);
		assert_int_equal(get16(pkt_l4(&p, 2, 2)), 53);
	}
}

/* Cut anywhere, each frame has the reason that the place of the cut gives. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		uint32_t head = r->len + (r->v6 ? 40 : 20);
		struct frame f;

		frame_make(&f, r->link, r->len, r->v6);
		for (uint32_t len = 0; len <= f.len; len++) {
			struct pkt p = parse(&f, len, r->linktype);

			if (len < r->len)
				assert_int_equal(p.reason, PKT_LINK_SHORT);
			else if (len < head)
				assert_int_equal(p.reason, PKT_IP_SHORT);
			else
				assert_int_equal(p.reason, PKT_OK);
			if (len < r->len)
				assert_int_equal(p.l3proto, 0);
		}
	}
}

static enum pkt_reason reason_of(const void *link, uint32_t len, uint16_t type,
                                 bool v6)
{
	struct frame f;

	frame_make(&f, link, len, v6);
	return parse(&f, f.len, type).reason;
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(reason_of(MACS "\x08\6", 14, 1, false), PKT_NOT_IP);
	/* an 802.3 length, LLC behind it */
	assert_int_equal(reason_of(MACS "\0\x26", 14, 1, false), PKT_NOT_IP);
	assert_int_equal(reason_of(MACS "\x81\0\0\1\x08\6", 18, 1, false),
	                 PKT_NOT_IP);
	assert_int_equal(reason_of(MACS "\x08\0", 14, 1, true), PKT_IP_VERSION);
	assert_int_equal(reason_of(MACS "\x86\xdd", 14, 1, false),
	                 PKT_IP_VERSION);
	assert_int_equal(reason_of("", 0, 228, true), PKT_IP_VERSION);
	assert_int_equal(reason_of("", 0, 229, false), PKT_IP_VERSION);
	assert_int_equal(reason_of("\x50", 1, 101, false), PKT_IP_VERSION);
	assert_int_equal(reason_of("\0\0\0\7", 4, 0, false), PKT_NOT_IP);
	assert_int_equal(reason_of("\xff\xff\xff\xff", 4, 0, false),
	                 PKT_NOT_IP);
	/* LCP, a PPPoE discovery, an attribute without end, another family */
	assert_int_equal(reason_of("\xff\3\xc0\x21", 4, 9, false), PKT_NOT_IP);
	assert_int_equal(reason_of("\x11\x09\0\0\0\0", 6, 51, false),
	                 PKT_NOT_IP);
	assert_int_equal(reason_of("\2\0\0\0\0\0\1\0", 8, 239, false),
	                 PKT_NOT_IP);
	assert_int_equal(reason_of("\7\0\0\0\4\0\x09\0", 8, 239, false),
	                 PKT_NOT_IP);
	assert_false(pkt_link_known(105));
	assert_true(pkt_link_known(9));
	assert_int_equal(reason_of("", 0, 105, false), PKT_LINK_TYPE);
	assert_int_equal(reason_of("", 0, 65535, false), PKT_LINK_TYPE);
}

/* eight tags are stepped over, nine are not */
static void test_tag_depth(void **state)
{
	uint8_t link[64] = MACS;

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		memcpy(link + 12 + 4 * i, "\x81\0\0\1", 4);
		link[15 + 4 * i] = (uint8_t)(i + 1);
		memcpy(link + 16 + 4 * i, "\x08\0", 2);
		assert_int_equal(reason_of(link, 18 + 4 * i, 1, false),
		                 i < 8 ? PKT_OK : PKT_TUNNEL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tag_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_filter.c - which connections a Filter message means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/api/filter.h"
#include "tests/api/rig.h"

#define TCP    6
#define UDP    17
#define ICMP   1
#define GRE    47
#define ICMPV6 58

static struct policy pol;

static Ctshard__Filter__Net net(uint8_t *addr, size_t len, int prefix)
{
	Ctshard__Filter__Net n = CTSHARD__FILTER__NET__INIT;

	n.has_addr = 1;
	n.addr.data = addr;
	n.addr.len = len;
	n.has_prefix = prefix >= 0;
	n.prefix = prefix >= 0 ? (uint32_t)prefix : 0;
	return n;
}

static bool matches(const Ctshard__Filter *m, const struct conn_view *v)
{
	char err[FILTER_ERR];
	struct filter *f;
	bool yes;

	assert_int_equal(filter_new(&f, m, err), 0);
	yes = filter_view(f, &pol, v, true);
	filter_free(f);
	return yes;
}

static bool refused(const Ctshard__Filter *m)
{
	char err[FILTER_ERR] = "";
	struct filter *f;

	if (!filter_new(&f, m, err)) {
		filter_free(f);
		return false;
	}
	assert_null(f);
	assert_true(err[0] != '\0');
	return true;
}

/* 10.0.0.1:40000 (endpoint 0) speaks first to 10.0.1.1:80 */
static struct conn_view web(uint32_t status)
{
	struct conn_view v =
		rig_view(TCP, "10.0.0.1", 40000, "10.0.1.1", 80, status);

	v.conn.state = 3;
	v.conn.mark = 0x12;
	return v;
}

static void test_nothing_asked(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	char err[FILTER_ERR];
	struct conn_view v = web(0);
	struct filter *f = (struct filter *)&v;

	(void)state;
	assert_int_equal(filter_new(&f, NULL, err), 0);
	assert_null(f);
	assert_int_equal(filter_new(&f, &m, err), 0);
	assert_null(f);
	assert_true(filter_view(NULL, &pol, &v, true));
}

static void test_addresses(void **state)
{
	uint8_t src[4] = {10, 0, 0, 1}, dst[4] = {10, 0, 1, 1};
	Ctshard__Filter__Net s = net(src, 4, -1), d = net(dst, 4, 24);
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view v = web(0), turned = web(CONN_ORIG1);

	(void)state;
	m.orig_src = &s;
	assert_true(matches(&m, &v));
	assert_false(matches(&m, &turned));
	m.orig_dst = &d;
	assert_true(matches(&m, &v));
	dst[2] = 2;
	assert_false(matches(&m, &v));
	m.orig_dst = NULL;
	m.orig_src = NULL;
	m.reply_dst = &s;
	assert_true(matches(&m, &v));
	m.reply_dst = NULL;
	m.any_addr = &s;
	assert_true(matches(&m, &v));
	assert_true(matches(&m, &turned));
	s.prefix = 0;
	s.has_prefix = 1;
	src[0] = 99;
	assert_true(matches(&m, &v));
	s.prefix = 33;
	assert_true(refused(&m));
	s.prefix = 8;
	s.addr.len = 5;
	assert_true(refused(&m));
}

static void test_addresses_v6(void **state)
{
	uint8_t a[16] = {0xfd, 0, [15] = 1}, four[4] = {10, 0, 0, 1};
	Ctshard__Filter__Net n = net(a, 16, 9), w = net(four, 4, 0);
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view v = rig_view(UDP, "fd00::1", 1, "fd01::1", 2, 0);

	(void)state;
	m.orig_src = &n;
	assert_true(matches(&m, &v));
	a[1] = 0x80; /* the ninth bit */
	assert_false(matches(&m, &v));
	/* 0.0.0.0/0 is every IPv4 address and no other */
	m.orig_src = &w;
	assert_false(matches(&m, &v));
	v = web(0);
	assert_true(matches(&m, &v));
}

static void test_ports(void **state)
{
	Ctshard__Filter__Range r = CTSHARD__FILTER__RANGE__INIT;
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view v = web(0), ping;

	(void)state;
	r.has_from = 1;
	r.from = 80;
	m.dport = &r;
	assert_true(matches(&m, &v));
	m.dport = NULL;
	m.sport = &r;
	assert_false(matches(&m, &v));
	m.sport = NULL;
	m.reply_sport = &r;
	assert_true(matches(&m, &v));
	r.has_to = 1;
	r.from = 79;
	r.to = 81;
	assert_true(matches(&m, &v));
	r.to = 79;
	assert_false(matches(&m, &v));
	/* an echo id is no port */
	r.from = 0;
	r.to = 65535;
	ping = rig_view(ICMP, "10.0.0.1", 77, "10.0.1.1", 8 << 8, 0);
	assert_false(matches(&m, &ping));
	r.to = 65536;
	assert_true(refused(&m));
	r.from = 3;
	r.to = 2;
	assert_true(refused(&m));
}

static void test_words(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view v = web(CONN_ASSURED);
	char name[32];

	(void)state;
	m.has_l3 = 1;
	m.l3 = 4;
	m.has_protonum = 1;
	m.protonum = TCP;
	m.has_status_set = 1;
	m.status_set = CONN_ASSURED;
	m.has_status_clear = 1;
	m.status_clear = CONN_SEEN_REPLY;
	m.has_mark = m.has_mark_mask = 1;
	m.mark = 0x02;
	m.mark_mask = 0x0f;
	assert_true(matches(&m, &v));
	v.conn.status |= CONN_SEEN_REPLY;
	assert_false(matches(&m, &v));
	v.conn.status &= ~CONN_SEEN_REPLY;
	v.conn.mark = 0x13;
	assert_false(matches(&m, &v));
	v.conn.mark = 0x12;
	snprintf(name, sizeof(name), "%s",
	         tracker_state_name(TCP, v.conn.state));
	m.state = name;
	assert_true(matches(&m, &v));
	v.conn.state = 1;
	assert_false(matches(&m, &v));
	snprintf(name, sizeof(name), "NO_SUCH_STATE");
	assert_true(refused(&m));
	m.state = NULL;
	m.l3 = 5;
	assert_true(refused(&m));
	m.l3 = 6;
	assert_false(matches(&m, &v));
	m.has_l3 = 0;
	m.protonum = 256;
	assert_true(refused(&m));
}

static void test_ids(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view v = web(0);
	char err[FILTER_ERR];
	struct filter *f;
	uint64_t id = 0;

	(void)state;
	m.has_id = 1;
	m.id = conn_id(3, 5, 7);
	assert_true(matches(&m, &v));
	assert_int_equal(filter_new(&f, &m, err), 0);
	assert_true(filter_id(f, &id));
	assert_int_equal(id, conn_id(3, 5, 7));
	filter_free(f);
	v.conn.gen = 4; /* another connection in the same entry */
	assert_false(matches(&m, &v));
	m.has_id = 0;
	m.has_id32 = 1;
	m.id32 = 5 << 24 | 7;
	assert_true(matches(&m, &v));
	v.idx = 8;
	assert_false(matches(&m, &v));
}

static void test_icmp_and_gre(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	struct conn_view ping =
		rig_view(ICMP, "10.0.0.1", 77, "10.0.1.1", 8 << 8 | 1, 0);
	struct conn_view gre = rig_view(GRE, "10.0.0.1", 5, "10.0.1.1", 6, 0);

	(void)state;
	m.has_icmp_type = m.has_icmp_code = m.has_icmp_id = 1;
	m.icmp_type = 8;
	m.icmp_code = 1;
	m.icmp_id = 77;
	assert_true(matches(&m, &ping));
	assert_false(matches(&m, &gre));
	m.icmp_id = 78;
	assert_false(matches(&m, &ping));
	m.has_icmp_type = m.has_icmp_code = m.has_icmp_id = 0;
	m.has_srckey = m.has_dstkey = 1;
	m.srckey = 5;
	m.dstkey = 6;
	assert_true(matches(&m, &gre));
	assert_false(matches(&m, &ping));
	gre.conn.status |= CONN_ORIG1;
	assert_false(matches(&m, &gre));
}

static bool says(const char *text, const struct conn_view *v)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	m.expression = copy;
	return matches(&m, v);
}

static void test_expression(void **state)
{
	struct conn_view v = web(0);
	struct conn_view six = rig_view(UDP, "fd00::1", 5000, "fd01::1", 53, 0);
	struct conn_view ping =
		rig_view(ICMP, "10.0.0.1", 77, "10.0.1.1", 8 << 8, 0);

	(void)state;
	assert_true(says("tcp port 80", &v));
	/* either direction */
	assert_true(says("src port 80", &v));
	assert_true(says("dst port 80", &v));
	assert_false(says("tcp port 81", &v));
	assert_false(says("udp", &v));
	assert_true(says("src host 10.0.0.1 and dst net 10.0.1.0/24", &v));
	assert_true(says("not host 10.9.9.9 and portrange 79-81", &v));
	assert_true(says("port http", &v));
	assert_true(says("ip6 and udp port 53", &six));
	assert_true(says("host fd00::1", &six));
	assert_false(says("ip", &six));
	assert_true(says("icmp[icmptype] == icmp-echo", &ping));
	assert_false(says("icmp[0] == 13", &ping));
}

static void test_expression_refused(void **state)
{
	static const char *const bad[] = {
		"tcp and (",
		"host www.example.org",
		"tcp port 80 and gateway",
		"ether host 1",
		"protochain 6",
	};
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	char text[2048];
	size_t i;

	(void)state;
	m.expression = text;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		assert_true(refused(&m));
	}
	memset(text, '(', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(refused(&m));
	text[1000] = '\0';
	assert_true(refused(&m));
}

/* An event is matched by the same words as the entry it tells of. */
static void test_event(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	uint8_t labels[16] = {2};
	struct conn_view v = web(0);
	struct event_slot s;
	char err[FILTER_ERR];
	struct filter *f;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.cell.type = EVENT_UPDATE;
	s.cell.cells = 2;
	s.cell.key = v.conn.key;
	s.cell.id = conn_id(3, 5, 7);
	s.cell.vlan = 9;
	s.more.labels[0] = 3;
	m.has_labels = m.has_vlan = 1;
	m.labels.data = labels;
	m.labels.len = 16;
	m.vlan = 9;
	assert_int_equal(filter_new(&f, &m, err), 0);
	assert_true(filter_event(f, &pol, &s));
	s.more.labels[0] = 1;
	assert_false(filter_event(f, &pol, &s));
	s.more.labels[0] = 2;
	s.cell.vlan = 8;
	assert_false(filter_event(f, &pol, &s));
	filter_free(f);
	m.labels.len = 15;
	assert_true(refused(&m));
}

/* F048: each direction has its zone; a zone of one is none of both, and one of
 * both is none of either */
static void test_zones(void **state)
{
	static const struct {
		uint16_t zone;
		uint8_t flags;
		uint32_t zone_is, orig_is, reply_is;
	} row[] = {
		{12, 0, 12, 0, 0},
		{12, KEY_ZONE_ORIG, 0, 12, 0},
		{12, KEY_ZONE_REPLY, 0, 0, 12},
		{0, 0, 0, 0, 0},
	};
	Ctshard__Filter m[3];
	struct conn_view v = web(0);
	char err[FILTER_ERR];
	struct filter *f;
	unsigned int i, k;

	(void)state;
	for (k = 0; k < 3; k++)
		ctshard__filter__init(&m[k]);
	m[0].has_zone = m[1].has_orig_zone = m[2].has_reply_zone = 1;
	for (i = 0; i < 2 * ARRAY_SIZE(row); i++) {
		const uint32_t asked = i % 2 ? 12 : 0;
		const uint32_t is[3] = {row[i / 2].zone_is, row[i / 2].orig_is,
		                        row[i / 2].reply_is};

		m[0].zone = m[1].orig_zone = m[2].reply_zone = asked;
		v.conn.key.zone = row[i / 2].zone;
		v.conn.key.flags = row[i / 2].flags;
		for (k = 0; k < 3; k++) {
			assert_int_equal(filter_new(&f, &m[k], err), 0);
			assert_int_equal(filter_view(f, &pol, &v, true),
			                 is[k] == asked);
			filter_free(f);
		}
	}
}

/* labels of an entry are in its extension record, if it has one */
static void test_labels(void **state)
{
	Ctshard__Filter m = CTSHARD__FILTER__INIT;
	uint8_t labels[16] = {[15] = 0x80};
	struct conn_view v = web(0);
	char err[FILTER_ERR];
	struct filter *f;

	(void)state;
	m.has_labels = 1;
	m.labels.data = labels;
	m.labels.len = 16;
	assert_int_equal(filter_new(&f, &m, err), 0);
	v.conn.ext = 0;
	v.ext.labels[1] = 1ull << 63;
	assert_false(filter_view(f, &pol, &v, true));
	v.conn.ext = 9;
	assert_true(filter_view(f, &pol, &v, true));
	v.ext.labels[1] = 1;
	assert_false(filter_view(f, &pol, &v, true));
	filter_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_v6),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_icmp_and_gre),
		cmocka_unit_test(test_expression),
		cmocka_unit_test(test_expression_refused),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_labels),
	};

	pol = rig_policy();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

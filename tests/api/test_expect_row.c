/* test_expect_row.c - expectations as messages: masks, keys, flags, names. */
#include "daemon/api/expect_row.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/helper/helper.h"
#include "tests/api/rig.h"

static struct expect_rows rows;

/* The batch as a client would get it: packed and unpacked. */
static Ctshard__Response *carry(void)
{
	Ctshard__Response *m = expect_rows_response(&rows), *got;
	size_t n = ctshard__response__get_packed_size(m);
	uint8_t *buf = malloc(n + 1);

	assert_non_null(buf);
	ctshard__response__pack(m, buf);
	got = ctshard__response__unpack(NULL, n, buf);
	assert_non_null(got);
	free(buf);
	return got;
}

static struct expect sample(const char *helper)
{
	struct expect e = {.id = 5,
	                   .master = 77,
	                   .dport = 51211,
	                   .l4proto = 6,
	                   .info = {.src_len = 32,
	                            .master_port = {40001, 21},
	                            .helper = helper_find(helper),
	                            .master_proto = 6}};

	inet_pton(AF_INET, "10.0.1.1", e.info.src);
	inet_pton(AF_INET, "10.0.0.1", e.dst);
	inet_pton(AF_INET, "10.0.0.1", e.info.master[0]);
	inet_pton(AF_INET, "10.0.1.1", e.info.master[1]);
	return e;
}

static void is_addr(const ProtobufCBinaryData *b, const char *text)
{
	uint8_t a[16];
	bool v6 = strchr(text, ':') != NULL;

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, a), 1);
	assert_int_equal(b->len, v6 ? 16 : 4);
	assert_memory_equal(b->data, a, b->len);
}

static void test_ftp(void **state)
{
	const struct policy pol = rig_policy();
	struct expect e = sample("ftp");
	Ctshard__Response *m;
	Ctshard__Expect *x;

	(void)state;
	expect_rows_begin(&rows);
	expect_rows_list(&rows, &pol, &e, 299500);
	m = carry();
	assert_int_equal(m->n_expect, 1);
	x = m->expect[0];
	assert_int_equal(x->id, 5);
	assert_int_equal(x->master_id, 77);
	assert_int_equal(x->timeout_ms, 299500);
	assert_string_equal(x->proto, "tcp");
	assert_string_equal(x->helper, "ftp");
	assert_null(x->class_name);
	assert_null(x->assign);
	assert_int_equal(x->flags, 0);
	assert_false(x->has_zone);
	is_addr(&x->tuple->src, "10.0.1.1");
	is_addr(&x->tuple->dst, "10.0.0.1");
	assert_true(x->tuple->has_sport);
	assert_int_equal(x->tuple->sport, 0);
	assert_int_equal(x->tuple->dport, 51211);
	is_addr(&x->mask->src, "255.255.255.255");
	is_addr(&x->mask->dst, "255.255.255.255");
	assert_int_equal(x->mask->sport, 0);
	assert_int_equal(x->mask->dport, 65535);
	is_addr(&x->master->src, "10.0.0.1");
	assert_int_equal(x->master->sport, 40001);
	assert_int_equal(x->master->dport, 21);
	ctshard__response__free_unpacked(m, NULL);
}

/* F182, F212: any source of a network, an exact port, flags, and names */
static void test_sip(void **state)
{
	const struct policy pol = rig_policy();
	struct expect e = sample("sip");
	Ctshard__Response *m;

	(void)state;
	e.l4proto = 17;
	e.zone = 9;
	e.info.src_len = 20;
	e.info.sport = 5060;
	e.info.flags = EXPECT_PERMANENT | EXPECT_INACTIVE | EXPECT_SPORT;
	e.info.assign = helper_find("sip");
	expect_rows_begin(&rows);
	expect_rows_list(&rows, &pol, &e, 1);
	e.info.src_len = 0;
	e.info.flags = 0;
	expect_rows_list(&rows, &pol, &e, 1);
	m = carry();
	assert_int_equal(m->n_expect, 2);
	assert_int_equal(m->expect[0]->flags, 3);
	assert_int_equal(m->expect[0]->zone, 9);
	assert_string_equal(m->expect[0]->class_name, "signalling");
	assert_string_equal(m->expect[0]->assign, "sip");
	is_addr(&m->expect[0]->mask->src, "255.255.240.0");
	assert_int_equal(m->expect[0]->mask->sport, 65535);
	assert_int_equal(m->expect[0]->tuple->sport, 5060);
	is_addr(&m->expect[1]->mask->src, "0.0.0.0");
	assert_int_equal(m->expect[1]->tuple->sport, 0);
	ctshard__response__free_unpacked(m, NULL);
}

/* what stands in a record of the log: GRE keys, IPv6 */
static void test_events(void **state)
{
	const struct policy pol = rig_policy();
	struct expect e = sample("ftp");
	struct event_slot s;
	Ctshard__Response *m;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.cell.type = EVENT_EXP_NEW;
	s.cell.id = 12;
	s.cell.ts_ns = 99;
	s.cell.shard_seq = 3;
	s.cell.left_ms = 300000;
	s.cell.key.l4proto = 47;
	s.cell.key.flags = KEY_V6;
	s.cell.key.port[0] = 0x2222;
	inet_pton(AF_INET6, "fd00::1", s.cell.addr6.a[0]);
	s.more.packets[0] = 78;
	e.info.src_len = 128;
	e.info.sport = 0x1111;
	e.info.flags = EXPECT_SPORT;
	memset(e.info.src, 0, sizeof(e.info.src));
	memcpy(&s.more.detail, &e.info, sizeof(e.info));
	expect_rows_begin(&rows);
	expect_rows_event(&rows, &pol, &s);
	s.cell.type = EVENT_EXP_DESTROY;
	expect_rows_event(&rows, &pol, &s);
	expect_rows_gap(&rows, 3, 7);
	expect_rows_begun(&rows, 8);
	m = carry();
	assert_int_equal(m->n_event, 4);
	assert_int_equal(m->event[0]->type, CTSHARD__EVENT_TYPE__NEW);
	assert_int_equal(m->event[0]->seq, 3);
	assert_int_equal(m->event[0]->time_ns, 99);
	assert_null(m->event[0]->conn);
	assert_int_equal(m->event[0]->expect->id, 12);
	assert_int_equal(m->event[0]->expect->master_id, 78);
	assert_int_equal(m->event[0]->expect->timeout_ms, 300000);
	is_addr(&m->event[0]->expect->tuple->dst, "fd00::1");
	is_addr(&m->event[0]->expect->mask->src,
	        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_false(m->event[0]->expect->tuple->has_sport);
	assert_int_equal(m->event[0]->expect->tuple->srckey, 0x1111);
	assert_int_equal(m->event[0]->expect->tuple->dstkey, 0x2222);
	assert_int_equal(m->event[0]->expect->mask->srckey, 0xffff);
	assert_int_equal(m->event[1]->type, CTSHARD__EVENT_TYPE__DESTROY);
	assert_int_equal(m->event[2]->type, CTSHARD__EVENT_TYPE__GAP);
	assert_int_equal(m->event[2]->lost, 3);
	assert_string_equal(m->event[2]->source, "log");
	assert_int_equal(m->event[3]->type, CTSHARD__EVENT_TYPE__LIST_END);
	assert_int_equal(m->event[3]->seq, 8);
	ctshard__response__free_unpacked(m, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ftp),
		cmocka_unit_test(test_sip),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

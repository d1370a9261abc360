/*
 * test_rules.c - rules in the pipeline: what a packet is asked, what it is
 * given, and zones of one direction in both look-ups.
 */
#include "daemon/worker/rules.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shm/check.h"
#include "shm/rcu.h"
#include "shm/read.h"
#include "shm/region.h"
#include "shm/tick.h"
#include "tests/lib/packet.h"

#define T0 1700000000000000000ull

struct bed {
	struct table *t;
	struct pipeline *pipe;
	struct policy pol;
	struct policy_rule *r; /* the rule that was added last */
	uint64_t frame, now;
	uint16_t vlan;
	uint8_t iface;
	struct packet b;
};

static void bed_policy(struct bed *bed)
{
	unsigned int i;

	bed->pol.rule_gives = 0;
	for (i = 0; i < bed->pol.nrule; i++)
		bed->pol.rule_gives |= (uint8_t)bed->pol.rule[i].gives;
	assert_int_equal(rcud_publish(bed->t, &bed->pol), 0);
}

static int bed_open(void **state)
{
	struct region_params p = {.max = 1000,
	                          .nworker = 1,
	                          .ring_bytes = 1 << 18,
	                          .log_bytes = 1 << 16,
	                          .detail = true,
	                          .clock_mode = CLOCK_CAPTURE};
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_non_null(bed);
	bed->t = region_memory(&p);
	assert_non_null(bed->t);
	assert_int_equal(proc_attach(bed->t, 0, 0), 0);
	tracker_defaults(&bed->pol);
	bed->pol.acct = bed->pol.events = 1;
	bed_policy(bed);
	bed->pipe = calloc(1, sizeof(*bed->pipe));
	assert_non_null(bed->pipe);
	pipeline_init(bed->pipe, bed->t, 0, 1, true);
	bed->now = T0;
	*state = bed;
	return 0;
}

static void no_fault(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

static int bed_close(void **state)
{
	struct bed *bed = *state;
	uint32_t sh;
	int n = 0;

	for (sh = 0; sh < bed->t->nshard; sh++)
		n += shard_check(bed->t, sh, key_home, no_fault, NULL);
	n += rings_check(bed->t, no_fault, NULL);
	region_memory_free(bed->t);
	free(bed->pipe);
	free(bed);
	return n ? -1 : 0;
}

/* a rule with this to give; bed_policy() makes it hold */
static struct policy_rule *rule(struct bed *bed, uint16_t gives)
{
	bed->r = &bed->pol.rule[bed->pol.nrule++];
	memset(bed->r, 0, sizeof(*bed->r));
	bed->r->gives = gives;
	return bed->r;
}

/* ... and a zone of one direction, 0, or 1, or of both, 2 */
static struct policy_rule *zone(struct bed *bed, unsigned int dir, uint16_t z)
{
	struct policy_rule *r = rule(bed, RULE_ZONE);

	r->zone[0] = dir == 1 ? 0 : z;
	r->zone[1] = dir == 0 ? 0 : z;
	if (dir < 2) {
		bed->pol.zone[dir][bed->pol.nzone[dir]++] = z;
		bed->pol.zone_dirs = 1;
	}
	return r;
}

static void from_port(struct policy_rule *r, bool dst, uint16_t from,
                      uint16_t to)
{
	struct policy_range *g =
		dst ? &r->dport[r->ndport++] : &r->sport[r->nsport++];

	r->asks |= dst ? RULE_DPORT : RULE_SPORT;
	g->from = from;
	g->to = to;
}

static void bed_send(struct bed *bed, uint32_t ms)
{
	struct pkt p;

	packet_end(&bed->b);
	packet_pkt(&bed->b, &p);
	bed->now += ms * NS_PER_MS;
	p.ts_ns = bed->now;
	p.iface = bed->iface;
	p.frame = ++bed->frame;
	bed->pipe->pol = rcud_enter(bed->t);
	pipeline_batch(bed->pipe, &p, 1);
	rcud_leave(bed->t);
}

static void bed_begin(struct bed *bed, bool reply)
{
	packet_begin(&bed->b);
	packet_eth(&bed->b);
	if (bed->vlan)
		packet_vlan(&bed->b, bed->vlan);
	packet_ip4(&bed->b, reply ? "10.0.1.1" : "10.0.0.1",
	           reply ? "10.0.0.1" : "10.0.1.1");
}

static void bed_udp(struct bed *bed, bool reply)
{
	bed_begin(bed, reply);
	packet_udp(&bed->b, reply ? 53 : 1000, reply ? 1000 : 53);
	packet_fill(&bed->b, 'x', 10);
	bed_send(bed, 1);
}

static void bed_tcp(struct bed *bed, bool reply, uint32_t seq, uint32_t ack,
                    uint8_t flags)
{
	bed_begin(bed, reply);
	packet_tcp(&bed->b, reply ? 80 : 4000, reply ? 4000 : 80, seq, ack,
	           flags, 65535);
	bed_send(bed, 1);
}

static uint64_t counter(const struct bed *bed, enum counter c)
{
	return bed->t->ring[0].hdr->counter[c];
}

static uint64_t count(const struct bed *bed)
{
	return table_count(bed->t);
}

static struct conn_view only(const struct bed *bed)
{
	struct conn_walk w = {0, 0};
	struct conn_view v, more;

	assert_true(conn_walk(bed->t, &w, &v));
	assert_false(conn_walk(bed->t, &w, &more));
	return v;
}

static const struct event_cell *event(const struct bed *bed, uint64_t n)
{
	const struct event_ring *g = &bed->t->ring[0];
	uint64_t at = 0;

	while (at < g->hdr->tail) {
		const struct event_cell *c = &g->cell[at & g->mask];

		at += c->cells;
		if (c->type != EVENT_PAD && !n--)
			return c;
	}
	return NULL;
}

/* F105, F106, F246: given at creation, told with NEW; later packets that no
 * rule fits any more change nothing */
static void test_mark_labels(void **state)
{
	const struct event_more *m;
	struct bed *bed = *state;
	struct policy_rule *r;
	struct conn_view v;

	r = rule(bed, RULE_MARK | RULE_LABELS);
	from_port(r, true, 53, 53);
	r->mark = 5;
	r->mark_mask = ~0u;
	r->labels[1] = 8;
	r = rule(bed, RULE_MARK);
	r->mark = 6;
	r->mark_mask = ~0u;
	bed_policy(bed);
	bed_udp(bed, false);
	bed_udp(bed, true);
	v = only(bed);
	assert_int_equal(v.conn.mark, 5);
	assert_int_equal(v.ext.labels[0], 0);
	assert_int_equal(v.ext.labels[1], 8);
	assert_int_equal(event(bed, 0)->bits, EVB_NEW | EVB_MARK | EVB_LABEL);
	assert_int_equal(event(bed, 0)->mark, 5);
	assert_int_equal(event(bed, 0)->cells, 2);
	m = (const struct event_more *)(const void *)(event(bed, 0) + 1);
	assert_int_equal(m->labels[1], 8);
	assert_int_equal(event(bed, 1)->bits, EVB_REPLY);
	bed_tcp(bed, false, 1000, 0, 2);
	assert_int_equal(event(bed, 2)->mark, 6);
	assert_int_equal(event(bed, 2)->bits & (EVB_MARK | EVB_LABEL),
	                 EVB_MARK);
	assert_int_equal(event(bed, 2)->cells, 1);
}

/* a rule asks all that it asks; each condition is enough to keep it out */
static void test_asks(void **state)
{
	struct bed *bed = *state;
	struct policy_rule *r = rule(bed, RULE_NOTRACK), all;
	unsigned int i, untracked = 0;

	r->notrack = 1;
	r->asks = RULE_IFACE | RULE_VLAN | RULE_FAMILY | RULE_PROTO | RULE_SRC |
	          RULE_DST;
	r->iface = 3;
	r->vlan = 9;
	r->l3proto = 4;
	r->l4proto = 17;
	r->src.addr[0] = inet_addr("10.0.0.0");
	r->dst.addr[0] = inet_addr("10.0.1.0");
	r->src.mask[0] = r->dst.mask[0] = htonl(0xffffff00);
	from_port(r, false, 1, 2);
	from_port(r, false, 999, 1000);
	from_port(r, true, 53, 53);
	all = *r;
	bed->iface = 3;
	bed->vlan = 9;
	for (i = 0; i < 9; i++) {
		*r = all;
		switch (i) {
		case 0:
			untracked++;
			break;
		case 1:
			r->iface = 2;
			break;
		case 2:
			r->vlan = 0;
			break;
		case 3:
			r->l3proto = 6;
			break;
		case 4:
			r->l4proto = 6;
			break;
		case 5:
			r->src.addr[0] = inet_addr("10.0.2.0");
			break;
		case 6:
			r->dst.addr[0] = inet_addr("10.0.2.0");
			break;
		case 7:
			r->sport[1].to = 999;
			break;
		default:
			r->dport[0].from = 52;
			r->dport[0].to = 52;
		}
		bed_policy(bed);
		bed_udp(bed, false);
		assert_int_equal(counter(bed, CTR_UNTRACKED), untracked);
	}
	assert_int_equal(count(bed), 1);
	assert_int_equal(counter(bed, CTR_FRAMES), 9);
}

/* ports are asked of protocols that have them, and of bytes that are there */
static void test_ports(void **state)
{
	struct bed *bed = *state;
	struct policy_rule *r = rule(bed, RULE_NOTRACK);

	r->notrack = 1;
	from_port(r, true, 0, 65535);
	bed_policy(bed);
	bed_begin(bed, false);
	packet_icmp(&bed->b, 8, 0, 77u << 16);
	bed_send(bed, 1);
	bed_begin(bed, false);
	packet_other(&bed->b, 17, "ab", 2);
	bed_send(bed, 1);
	assert_int_equal(counter(bed, CTR_UNTRACKED), 0);
	bed_udp(bed, false);
	assert_int_equal(counter(bed, CTR_UNTRACKED), 1);
}

/* the first rule that says anything of notrack decides, also by "no" */
static void test_notrack_first(void **state)
{
	struct bed *bed = *state;

	from_port(rule(bed, RULE_NOTRACK), true, 53, 53);
	rule(bed, RULE_NOTRACK)->notrack = 1;
	bed_policy(bed);
	bed_udp(bed, false);
	assert_int_equal(count(bed), 1);
	bed_tcp(bed, false, 1000, 0, 2);
	assert_int_equal(count(bed), 1);
	assert_int_equal(counter(bed, CTR_UNTRACKED), 1);
}

/* F049 */
static void test_zone_both(void **state)
{
	struct bed *bed = *state;
	struct policy_rule *r = zone(bed, 2, 7);

	r->asks = RULE_IFACE;
	r->iface = 1;
	bed_policy(bed);
	bed_udp(bed, false);
	bed->iface = 1;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 2);
	assert_int_equal(counter(bed, CTR_NEW_PKT), 2);
	bed_udp(bed, false);
	bed->iface = 0;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 2);
	assert_int_equal(counter(bed, CTR_ESTABLISHED_REPLY), 2);
}

/* A tunnel's number is of 24 bits; the mapped one is asked first. */
static void test_zone_numbers(void **state)
{
	static const struct {
		uint8_t from;
		uint16_t vlan, qinq;
		uint32_t vni;
		uint16_t zone;
	} row[] = {
		{ZONE_FROM_VLAN, 1, 2, 3, 1},
		{ZONE_FROM_QINQ, 1, 2, 3, 2},
		{ZONE_FROM_VNI, 1, 2, 3, 3},
		{ZONE_FROM_VNI, 1, 2, 0, 0},
		{ZONE_FROM_VNI, 0, 0, 0x10006, 7},
		{ZONE_FROM_VNI, 0, 0, 70000, 8},
		{ZONE_FROM_IFACE, 1, 2, 3, 5},
	};
	struct bed *bed = *state;

	bed->pol.nzone_map = 1;
	bed->pol.zone_map[0] = (struct policy_zone_map){70000, 70000, 8};
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		struct pkt p = {.vlan = row[i].vlan,
		                .qinq = row[i].qinq,
		                .vni = row[i].vni,
		                .iface = 4,
		                .zone = 9};

		bed->pol.zone_from = row[i].from;
		rules_zone_from(&bed->pol, &p);
		assert_int_equal(p.zone, row[i].zone);
	}
}

static void test_zone_from(void **state)
{
	struct bed *bed = *state;
	struct conn_walk w = {0, 0};
	struct conn_view v;
	unsigned int seen = 0;

	bed->pol.zone_from = ZONE_FROM_VLAN;
	bed_policy(bed);
	bed_udp(bed, false);
	bed->vlan = 12;
	bed_udp(bed, false);
	bed_udp(bed, true);
	assert_int_equal(count(bed), 2);
	while (conn_walk(bed->t, &w, &v))
		seen |= 1u << v.conn.key.zone;
	assert_int_equal(seen, 1u << 12 | 1);
	bed->pol.zone_from = ZONE_FROM_IFACE;
	bed_policy(bed);
	bed->iface = 4;
	bed_udp(bed, false);
	assert_int_equal(count(bed), 3);
	/* numbers that have one zone; the first that fits */
	bed->pol.zone_from = ZONE_FROM_VLAN;
	bed->pol.nzone_map = 2;
	bed->pol.zone_map[0] = (struct policy_zone_map){100, 200, 12};
	bed->pol.zone_map[1] = (struct policy_zone_map){150, 4095, 7};
	bed_policy(bed);
	bed->vlan = 100;
	bed_udp(bed, false);
	bed->vlan = 200;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 3);
	assert_int_equal(counter(bed, CTR_ESTABLISHED_REPLY), 2);
	bed->vlan = 201;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 4);
	bed->vlan = 99;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 5);
	bed->pol.nzone_map = 0;
	/* a rule wins over it */
	zone(bed, 2, 0);
	bed_policy(bed);
	bed->vlan = 0;
	bed_udp(bed, true);
	assert_int_equal(count(bed), 5);
	assert_int_equal(counter(bed, CTR_ESTABLISHED_REPLY), 3);
}

/* F048: zone-orig = 12 on one direction; the answer comes in zone 0 */
static void test_zone_orig(void **state)
{
	struct bed *bed = *state;
	struct conn_view v;

	from_port(zone(bed, 0, 12), true, 53, 53);
	bed_policy(bed);
	bed_udp(bed, false);
	bed_udp(bed, true);
	bed_udp(bed, false);
	v = only(bed);
	assert_int_equal(key_zone(&v.conn.key, 0), 12);
	assert_int_equal(key_zone(&v.conn.key, 1), 0);
	assert_int_equal(v.conn.packets[0], 2);
	assert_int_equal(v.conn.packets[1], 1);
	assert_int_equal(v.conn.ext, 0);
	assert_int_equal(counter(bed, CTR_ESTABLISHED_REPLY), 1);
	/* the rule is gone, its zone is still looked for; an original packet
	 * without it would make a second connection with the same answers */
	bed->pol.nrule = 0;
	bed_policy(bed);
	bed_udp(bed, true);
	assert_int_equal(counter(bed, CTR_ESTABLISHED_REPLY), 2);
	assert_int_equal(counter(bed, CTR_INSERT_FAILED), 0);
	bed_udp(bed, false);
	assert_int_equal(count(bed), 1);
	assert_int_equal(counter(bed, CTR_INSERT_FAILED), 1);
	assert_int_equal(counter(bed, CTR_DROP), 1);
	assert_int_equal(counter(bed, CTR_NEW_PKT), 2);
}

/* the responder speaks first, outside any zone: two connections, as the
 * kernel has them, and each finds its own again */
static void test_zone_reply(void **state)
{
	struct bed *bed = *state;
	struct conn_walk w = {0, 0};
	struct conn_view v;

	from_port(zone(bed, 1, 12), true, 53, 53);
	bed_policy(bed);
	bed_udp(bed, true);
	bed_udp(bed, false);
	assert_int_equal(count(bed), 2);
	bed_udp(bed, true);
	bed_udp(bed, false);
	assert_int_equal(count(bed), 2);
	assert_int_equal(counter(bed, CTR_NEW_PKT), 4);
	while (conn_walk(bed->t, &w, &v)) {
		assert_int_equal(v.conn.packets[0], 2);
		assert_int_equal(v.conn.packets[1], 0);
	}
}

/* an expired one is ended in whichever look-up it is met */
static void test_zone_expired(void **state)
{
	struct bed *bed = *state;
	struct conn_view v;

	from_port(zone(bed, 0, 12), true, 53, 53);
	bed_policy(bed);
	bed_udp(bed, false);
	/* the sweep must not come first */
	bed->pipe->due = TICK_BEHIND;
	bed->pipe->swept_ns = UINT64_MAX / 2;
	bed->now += 31 * NS_PER_S;
	bed_udp(bed, true);
	assert_int_equal(event(bed, 1)->type, EVENT_DESTROY);
	assert_int_equal(event(bed, 1)->ts_ns, T0 + NS_PER_MS + 30 * NS_PER_S);
	assert_int_equal(event(bed, 2)->type, EVENT_NEW);
	v = only(bed);
	assert_int_equal(v.conn.key.zone, 0);
}

/* ICMP errors: the zones of the packet that carries the error, in the direction
 * of who answers the quoted one */
static void test_zone_error(void **state)
{
	struct bed *bed = *state;
	struct policy_rule *r;
	struct packet q[2];
	unsigned int i;

	from_port(zone(bed, 0, 12), true, 53, 53);
	bed_policy(bed);
	for (i = 0; i < 2; i++) {
		bed_udp(bed, i);
		q[i] = bed->b;
	}
	for (i = 0; i < 2; i++) {
		bed_begin(bed, !i);
		packet_icmp(&bed->b, 3, 3, 0);
		packet_quote(&bed->b, &q[i], 8);
		bed_send(bed, 1);
	}
	/* about the original: an answer, in zone 0; about the reply: from the
	 * originator, who would need zone 12 */
	assert_int_equal(counter(bed, CTR_RELATED_REPLY), 1);
	assert_int_equal(counter(bed, CTR_RELATED), 0);
	assert_int_equal(counter(bed, CTR_ERROR), 1);
	r = zone(bed, 0, 12);
	r->asks = RULE_PROTO;
	r->l4proto = 1;
	bed_policy(bed);
	bed_begin(bed, false);
	packet_icmp(&bed->b, 3, 3, 0);
	packet_quote(&bed->b, &q[1], 8);
	bed_send(bed, 1);
	assert_int_equal(counter(bed, CTR_RELATED), 1);
	assert_int_equal(count(bed), 1);
}

/* F110: the connection's own timeouts, from the first packet on; another set
 * for new ones does not touch it; without its policy the sysctls hold */
static void test_timeout(void **state)
{
	struct bed *bed = *state;
	struct policy_rule *r = rule(bed, RULE_TIMEOUT);
	struct conn_view v;
	uint8_t udp;

	tracker_find(&bed->pol, 17, &udp);
	memcpy(bed->pol.profile[2], bed->pol.timeout, sizeof(bed->pol.timeout));
	memcpy(bed->pol.profile[1], bed->pol.timeout, sizeof(bed->pol.timeout));
	bed->pol.profile_on[1] = bed->pol.profile_on[2] = 1;
	bed->pol.profile[2][udp][0] = 77;
	bed->pol.profile[1][udp][0] = 5;
	r->profile = 3;
	bed_policy(bed);
	bed_udp(bed, false);
	v = only(bed);
	assert_int_equal(v.conn.deadline, 77000);
	assert_int_equal(v.ext.policy, 3);
	r->profile = 2;
	bed->pol.timeout[udp][0] = 9;
	bed_policy(bed);
	bed_udp(bed, false);
	assert_int_equal(only(bed).conn.deadline, 1 + 77000);
	bed->pol.profile[2][udp][0] = 88;
	bed_policy(bed);
	bed_udp(bed, false);
	assert_int_equal(only(bed).conn.deadline, 2 + 88000);
	bed->pol.profile_on[2] = 0;
	bed_policy(bed);
	bed_udp(bed, false);
	assert_int_equal(only(bed).conn.deadline, 3 + 9000);
}

/* F109 */
static void test_timestamp(void **state)
{
	struct bed *bed = *state;

	bed_udp(bed, false);
	bed->pol.timestamp = 1;
	bed_policy(bed);
	bed_udp(bed, true);
	assert_false(only(bed).conn.status & CONN_TIMESTAMP);
	assert_int_equal(event(bed, 1)->flags, EVENT_F_ACCT);
	bed_tcp(bed, false, 1000, 0, 2);
	assert_int_equal(event(bed, 2)->flags,
	                 EVENT_F_ACCT | EVENT_F_TIMESTAMP);
}

/* which zones a packet looks for: bounded, its own first, none twice */
static void test_zones_bounded(void **state)
{
	struct bed *bed = *state;
	struct zones to[ZONES_MAX];
	struct conn_key k = {.zone = 1};
	unsigned int i, j, n, kind;

	for (i = 0; i < POLICY_RULES; i++)
		bed->pol.zone[0][i] = bed->pol.zone[1][i] = (uint16_t)(i + 1);
	bed->pol.nzone[0] = bed->pol.nzone[1] = POLICY_RULES;
	for (kind = 0; kind < 4; kind++) {
		k.zone = kind ? 1 : 0;
		k.flags = kind == 2   ? KEY_ZONE_ORIG
		          : kind == 3 ? KEY_ZONE_REPLY
		                      : 0;
		n = rules_zones(&bed->pol, &k, to);
		assert_true(n <= ZONES_MAX);
		assert_int_equal(to[0].zone, k.zone);
		assert_int_equal(to[0].dir, k.flags);
		for (i = 0; i < n; i++)
			for (j = 0; j < i; j++)
				assert_false(to[i].zone == to[j].zone &&
				             to[i].dir == to[j].dir);
	}
	/* no rules of one direction: its own, and what may stand beside it */
	bed->pol.nzone[0] = bed->pol.nzone[1] = 0;
	k.zone = k.flags = 0;
	assert_int_equal(rules_zones(&bed->pol, &k, to), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, bed_open, bed_close)
	const struct CMUnitTest tests[] = {
		T(test_mark_labels),   T(test_asks),
		T(test_ports),         T(test_notrack_first),
		T(test_zone_both),     T(test_zone_from),
		T(test_zone_orig),     T(test_zone_reply),
		T(test_zone_expired),  T(test_zone_error),
		T(test_timeout),       T(test_timestamp),
		T(test_zones_bounded), T(test_zone_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

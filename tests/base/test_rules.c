/* test_rules.c - titled keys, and the rules and timeout policies made of them.
 */
#include "daemon/base/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct conf *c;
static char err[CONF_ERR];
static struct policy pol, old;
static const char *const names[] = {"eth0", "eth1"};
static const struct rule_ifaces ifaces = {names, 2}, capture = {NULL, 0};

/* what main.c adds of the trackers */
static const struct conf_key forms[] = {
	{.name = "rule.*.proto",
         .type = CONF_NAMED,
         .max = 255,
         .words = "tcp=6 udp=17",
         .flags = CONF_LIVE},
	{.name = "timeout.*.a_timeout",
         .type = CONF_SECONDS,
         .max = 1000,
         .flags = CONF_LIVE,
         .policy_at = offsetof(struct policy, timeout[1][2])},
	{.name = "timeout.*.b_timeout",
         .type = CONF_SECONDS,
         .max = 1000,
         .flags = CONF_LIVE,
         .policy_at = offsetof(struct policy, timeout[15][15])},
};

static int fresh(void **state)
{
	(void)state;
	memset(&old, 0, sizeof(old));
	*err = '\0';
	c = conf_new();
	return c ? conf_add_table(c, forms, ARRAY_SIZE(forms)) : -1;
}

static int done(void **state)
{
	(void)state;
	conf_free(c);
	return 0;
}

static void set(const char *pair)
{
	if (conf_set_pair(c, pair, err))
		fail_msg("%s: %s", pair, err);
}

static int make(const struct rule_ifaces *i)
{
	unsigned int k;

	memset(&pol, 0, sizeof(pol));
	for (k = 0; k < POLICY_TRACKERS; k++)
		pol.timeout[k][2] = pol.timeout[k][15] = 30;
	return rules_to_policy(c, i, &old, &pol, err);
}

static void refuses(const char *pair, const char *why)
{
	set(pair);
	assert_int_equal(make(&ifaces), -1);
	if (!strstr(err, why) || strncmp(err, pair, strcspn(pair, "=")) != 0)
		fail_msg("%s gives '%s', not '%s'", pair, err, why);
	conf_free(c);
	fresh(NULL);
}

static void test_values(void **state)
{
	static const struct {
		const char *key, *value, *canonical;
	} row[] = {
		{"rule.a.src", "10.1.2.3/8", "10.0.0.0/8"},
		{"rule.a.src", "10.1.2.3", "10.1.2.3"},
		{"rule.a.src", "10.1.2.3/32", "10.1.2.3"},
		{"rule.a.src", "0.0.0.0/0", "0.0.0.0/0"},
		{"rule.a.src", "fd00::0:1/33", "fd00::/33"},
		{"rule.a.src", "10.1.2/8", NULL},
		{"rule.a.src", "10.1.2.3/33", NULL},
		{"rule.a.src", "10.1.2.3/", NULL},
		{"rule.a.src", "::/129", NULL},
		{"rule.a.dport", "{80, 443, 1-2,9:10}", "80,443,1-2,9-10"},
		{"rule.a.dport", "", ""},
		{"zone.map", "{1=2, 300-400:5,16777215=65535}",
	         "1=2,300-400=5,16777215=65535"},
		{"zone.map", "", ""},
		{"zone.map", "0-4294967295=0", "0-4294967295=0"},
		{"zone.map", "4294967296=1", NULL},
		{"zone.map", "42949672960=1", NULL},
		{"zone.map", "1=65536", NULL},
		{"zone.map", "2-1=1", NULL},
		{"zone.map", "1", NULL},
		{"zone.map", "1=", NULL},
		{"zone.map", "=1", NULL},
		{"zone.map", "1-=1", NULL},
		{"zone.map", "1-2-3=1", NULL},
		{"zone.map", "1=2=3", NULL},
		{"zone.map", "-1=2", NULL},
		{"zone.map", "1=x", NULL},
		{"rule.a.dport", "0", "0"},
		{"rule.a.dport", "1-2-3", NULL},
		{"rule.a.dport", "1-", NULL},
		{"rule.a.dport", "-1", NULL},
		{"rule.a.dport", "65536", NULL},
		{"rule.a.dport", "5-4", NULL},
		{"rule.a.dport", "1,2,3,4,5,6,7,8", "1,2,3,4,5,6,7,8"},
		{"rule.a.dport", "1,2,3,4,5,6,7,8,9", NULL},
		{"rule.a.mark", "16", "0x10"},
		{"rule.a.mark", "0x10/0xff", "0x10/0xff"},
		{"rule.a.mark", "0xffffffff/0xffffffff", "0xffffffff"},
		{"rule.a.mark", "0x100000000", NULL},
		{"rule.a.mark", "1/", NULL},
		{"rule.a.mark", "-1", NULL},
		{"rule.a.proto", "TCP", "tcp"},
		{"rule.a.proto", "89", "89"},
		{"rule.a.proto", "256", NULL},
		{"rule.a.proto", "tc", NULL},
		{"rule.a.proto", "", NULL},
		{"rule.a.labels", "{one, t-2}", "one,t-2"},
		{"rule.a.labels", "one.two", NULL},
		{"rule.a.zone-orig", "65535", "65535"},
		{"rule.a.zone-orig", "65536", NULL},
		{"rule.a b.zone", "1", NULL},
		{"rule..zone", "1", NULL},
		{"rule.a.b.zone", "1", NULL},
		{"rule.a23456789012345678901234.zone", "1", NULL},
		{"timeout.a.c_timeout", "1", NULL},
		{"timeout.a.a_timeout", "1001", NULL},
		{"timeout.a.a_timeout", "2m", "120"},
	};
	char *before, *after;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(row); i++) {
		before = conf_text_of(c);
		if (!conf_set(c, row[i].key, row[i].value, err) !=
		    (row[i].canonical != NULL))
			fail_msg("%s = %s: %s", row[i].key, row[i].value, err);
		after = conf_text_of(c);
		if (row[i].canonical)
			assert_string_equal(conf_text(c, row[i].key),
			                    row[i].canonical);
		else
			assert_string_equal(before, after);
		free(before);
		free(after);
	}
}

static void test_rule(void **state)
{
	const struct policy_rule *r = &pol.rule[0];

	(void)state;
	set("label.two.bit=66");
	set("rule.a.iface=eth1");
	set("rule.a.vlan=0");
	set("rule.a.proto=udp");
	set("rule.a.src=10.0.0.0/8");
	set("rule.a.dport=53,80-90");
	set("rule.a.mark=5/7");
	set("rule.a.labels=two,3");
	set("rule.a.notrack=no");
	set("rule.b.vlan=7");
	assert_int_equal(make(&ifaces), 0);
	/* one that gives nothing is not there */
	assert_int_equal(pol.nrule, 1);
	assert_int_equal(r->asks, RULE_IFACE | RULE_VLAN | RULE_FAMILY |
	                                  RULE_PROTO | RULE_SRC | RULE_DPORT);
	assert_int_equal(r->gives, RULE_MARK | RULE_LABELS | RULE_NOTRACK);
	assert_int_equal(pol.rule_gives, r->gives);
	assert_int_equal(r->iface, 1);
	assert_int_equal(r->vlan, 0);
	assert_int_equal(r->l3proto, 4);
	assert_int_equal(r->l4proto, 17);
	assert_int_equal(r->src.mask[0], htonl(0xff000000));
	assert_int_equal(r->ndport, 2);
	assert_int_equal(r->dport[1].from, 80);
	assert_int_equal(r->dport[1].to, 90);
	assert_int_equal(r->mark, 5);
	assert_int_equal(r->mark_mask, 7);
	assert_int_equal(r->labels[0], 8);
	assert_int_equal(r->labels[1], 4);
	assert_int_equal(r->notrack, 0);
}

static void test_refused(void **state)
{
	(void)state;
	refuses("rule.a.iface=eth2", "one of the interfaces");
	refuses("rule.a.labels=none", "labels");
	refuses("rule.a.timeout=none", "title of a timeout");
	set("rule.a.family=ipv6");
	refuses("rule.a.dst=10.0.0.1", "family");
	set("rule.a.zone=1");
	refuses("rule.a.zone-reply=2", "one of zone");
}

/* a capture has no interfaces by name: the rule fits nothing */
static void test_capture(void **state)
{
	(void)state;
	set("rule.a.iface=eth0");
	set("rule.a.mark=1");
	set("rule.b.iface=1");
	set("rule.b.mark=2");
	assert_int_equal(make(&capture), 0);
	assert_int_equal(pol.nrule, 1);
	assert_int_equal(pol.rule[0].mark, 2);
}

/* as they were written, unless `order` says otherwise; through text and back */
static void test_order(void **state)
{
	struct conf *d = conf_new();
	char *text;

	(void)state;
	set("rule.z.mark=1");
	set("rule.a.mark=2");
	set("rule.m.mark=3");
	set("rule.m.order=0");
	text = conf_text_of(c);
	assert_int_equal(conf_add_table(d, forms, ARRAY_SIZE(forms)), 0);
	assert_int_equal(conf_read_text(d, text, err), 0);
	free(text);
	conf_free(c);
	c = d;
	assert_int_equal(make(&capture), 0);
	assert_int_equal(pol.rule[0].mark, 3);
	assert_int_equal(pol.rule[1].mark, 1);
	assert_int_equal(pol.rule[2].mark, 2);
}

/* 64 rules, 8 timeout policies; a title that is there may always grow */
static void test_bounds(void **state)
{
	char pair[64];
	unsigned int i;

	(void)state;
	for (i = 0; i < POLICY_RULES; i++) {
		snprintf(pair, sizeof(pair), "rule.r%u.mark=%u", i, i);
		set(pair);
	}
	assert_int_equal(conf_set_pair(c, "rule.x.mark=1", err), -1);
	assert_non_null(strstr(err, "no more than 64"));
	set("rule.r7.vlan=1");
	for (i = 0; i < POLICY_PROFILES; i++) {
		snprintf(pair, sizeof(pair), "timeout.t%u.a_timeout=%u", i, i);
		set(pair);
	}
	assert_int_equal(conf_set_pair(c, "timeout.x.a_timeout=1", err), -1);
	assert_int_equal(make(&ifaces), 0);
	assert_int_equal(pol.nrule, POLICY_RULES);
	for (i = 0; i < POLICY_PROFILES; i++) {
		assert_true(pol.profile_on[i]);
		assert_int_equal(pol.profile[i][1][2], i);
		assert_int_equal(pol.profile[i][2][2], 30);
	}
}

/* places of timeout policies and zones outlive their keys */
/* 64 numbers; the policy has them in their order */
static void test_zone_map(void **state)
{
	char text[POLICY_ZONES * 12 + 16];
	unsigned int i;
	size_t n = 0;

	(void)state;
	assert_int_equal(make(&ifaces), 0);
	assert_int_equal(pol.nzone_map, 0);
	for (i = 0; i < POLICY_ZONES; i++)
		n += (size_t)sprintf(text + n, "%u-%u=%u,", i * 10, i * 10 + 3,
		                     i + 1);
	text[n - 1] = '\0';
	assert_int_equal(conf_set(c, "zone.map", text, err), 0);
	assert_int_equal(make(&ifaces), 0);
	assert_int_equal(pol.nzone_map, POLICY_ZONES);
	for (i = 0; i < POLICY_ZONES; i++) {
		assert_int_equal(pol.zone_map[i].from, i * 10);
		assert_int_equal(pol.zone_map[i].to, i * 10 + 3);
		assert_int_equal(pol.zone_map[i].zone, i + 1);
	}
	strcat(text, ",9=9");
	assert_int_equal(conf_set(c, "zone.map", text, err), -1);
	assert_non_null(strstr(err, "no more than 64"));
}

static void test_kept(void **state)
{
	(void)state;
	set("timeout.b.a_timeout=1");
	set("timeout.c.b_timeout=2");
	set("rule.a.zone-orig=12");
	set("rule.b.zone-reply=13");
	set("rule.c.zone=14");
	assert_int_equal(make(&ifaces), 0);
	assert_string_equal(pol.profile_name[0], "b");
	assert_int_equal(pol.profile[1][15][15], 2);
	assert_int_equal(pol.nzone[0], 1);
	assert_int_equal(pol.nzone[1], 1);
	old = pol;
	conf_free(c);
	fresh(NULL);
	old = pol;
	set("timeout.a.a_timeout=5");
	set("timeout.c.a_timeout=6");
	assert_int_equal(make(&ifaces), 0);
	assert_false(pol.profile_on[0]);
	assert_int_equal(pol.profile[1][1][2], 6);
	assert_string_equal(pol.profile_name[2], "a");
	assert_int_equal(pol.zone[0][0], 12);
	assert_int_equal(pol.zone[1][0], 13);
	assert_true(pol.zone_dirs);
}

static void ignored(void *arg, const char *name, const char *was,
                    const char *value)
{
	(void)arg;
	fail_msg("%s: %s, %s", name, was, value);
}

static void test_reload(void **state)
{
	struct conf *want = conf_copy(c);

	(void)state;
	set("rule.a.mark=1");
	set("rule.b.mark=1");
	assert_int_equal(conf_set(want, "rule.b.mark", "2", err), 0);
	assert_int_equal(conf_set(want, "rule.c.mark", "3", err), 0);
	assert_true(conf_reload(c, want, ignored, NULL) > 0);
	assert_false(conf_is_set(c, "rule.a.mark"));
	assert_false(conf_is_set(c, "rule.a.order"));
	assert_string_equal(conf_text(c, "rule.b.mark"), "0x2");
	assert_string_equal(conf_text(c, "rule.c.order"),
	                    conf_text(want, "rule.c.order"));
	assert_int_equal(conf_replace_text(c, "acct = 0\n", err), 0);
	assert_false(conf_is_set(c, "rule.b.mark"));
	assert_false(conf_on(c, "acct"));
	conf_free(want);
}

static int labels_try(const char *text)
{
	char path[] = "/tmp/ctshardd-test-labels.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(conf_set(c, "labels.file", path, err), 0);
	r = rules_labels_load(c, err);
	unlink(path);
	return r;
}

static void test_labels(void **state)
{
	(void)state;
	assert_int_equal(rules_labels_load(c, err), 0);
	set("label.one.bit=7");
	assert_int_equal(labels_try("# names\n\n1 one\n 127\tlast # end\n"), 0);
	assert_string_equal(conf_text(c, "label.one.bit"), "7");
	assert_string_equal(conf_text(c, "label.last.bit"), "127");
	assert_int_equal(labels_try("1 a\n128 b\n"), -1);
	assert_non_null(strstr(err, ":2: "));
	assert_int_equal(labels_try("1\n"), -1);
	assert_int_equal(labels_try("1 a.b\n"), -1);
	assert_int_equal(conf_set(c, "labels.file", "/nonexistent", err), 0);
	assert_int_equal(rules_labels_load(c, err), -1);
	assert_non_null(strstr(err, "/nonexistent"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_values),  T(test_zone_map), T(test_rule),
		T(test_refused), T(test_capture),  T(test_order),
		T(test_bounds),  T(test_kept),     T(test_reload),
		T(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

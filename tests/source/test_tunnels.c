/* test_tunnels.c - which tunnels, how deep, at which ports. */
#include "daemon/source/tunnels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct conf *c;
static struct decap d;
static char err[CONF_ERR];

static int fresh(void **state)
{
	(void)state;
	c = conf_new();
	return c && !tunnels_keys(c) ? 0 : -1;
}

static int done(void **state)
{
	(void)state;
	conf_free(c);
	return 0;
}

static void set(const char *key, const char *value)
{
	if (conf_set(c, key, value, err))
		fail_msg("%s = %s: %s", key, value, err);
}

static void test_default(void **state)
{
	(void)state;
	assert_true(tunnels_read(c, &d, err));
	assert_int_equal(d.on, 0);
	assert_int_equal(d.depth, DECAP_DEPTH);
	assert_int_equal(d.nports, 0);
	assert_int_equal(tunnels_check(c, err), 0);
}

/* each word is its bit, and brings its own ports alone */
static void test_words(void **state)
{
	static const struct {
		const char *word;
		enum decap_kind kind;
		uint16_t ports[2];
	} row[] = {
		{"mpls", DECAP_MPLS, {0, 0}},
		{"pppoe", DECAP_PPPOE, {0, 0}},
		{"ipip", DECAP_IPIP, {0, 0}},
		{"6in4", DECAP_6IN4, {0, 0}},
		{"4in6", DECAP_4IN6, {0, 0}},
		{"6in6", DECAP_6IN6, {0, 0}},
		{"gre", DECAP_GRE, {0, 0}},
		{"nvgre", DECAP_NVGRE, {0, 0}},
		{"erspan", DECAP_ERSPAN, {0, 0}},
		{"VXLAN", DECAP_VXLAN, {4789, 8472}},
		{"geneve", DECAP_GENEVE, {6081, 0}},
		{"tzsp", DECAP_TZSP, {37008, 0}},
		{"gtpu", DECAP_GTPU, {2152, 0}},
	};
	char all[256] = "{";

	(void)state;
	assert_int_equal(ARRAY_SIZE(row), DECAP_COUNT);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		set("decap", row[i].word);
		assert_true(tunnels_read(c, &d, err));
		assert_int_equal(d.on, 1u << row[i].kind);
		assert_int_equal(d.nports, (row[i].ports[0] != 0) +
		                                   (row[i].ports[1] != 0));
		for (unsigned int k = 0; k < d.nports; k++)
			assert_int_equal(decap_port_kind(&d, row[i].ports[k]),
			                 row[i].kind);
		strcat(strcat(all, row[i].word), ", ");
	}
	set("decap", strcat(all, "}"));
	assert_true(tunnels_read(c, &d, err));
	assert_int_equal(d.on, (1u << DECAP_COUNT) - 1);
	assert_int_equal(d.nports, 5);
	set("decap", "");
	assert_true(tunnels_read(c, &d, err));
	assert_int_equal(d.on, 0);
}

static void test_refused(void **state)
{
	char ports[256] = "";
	size_t n = 0;

	(void)state;
	assert_int_equal(conf_set(c, "decap", "vxlan,l2tp", err), -1);
	assert_non_null(strstr(err, "'l2tp'"));
	assert_int_equal(conf_set(c, "decap_depth", "0", err), -1);
	assert_int_equal(conf_set(c, "decap_depth", "17", err), -1);
	set("decap_depth", "16");
	/* no matter while one of the two is off */
	set("tunnel.geneve.ports", "6081,4789");
	set("decap", "geneve");
	assert_true(tunnels_read(c, &d, err));
	assert_int_equal(d.depth, 16);
	assert_int_equal(decap_port_kind(&d, 4789), DECAP_GENEVE);
	set("decap", "geneve,vxlan");
	assert_false(tunnels_read(c, &d, err));
	assert_string_equal(err, "tunnel.geneve.ports: port 4789 is another "
	                         "tunnel's, too");
	assert_int_equal(tunnels_check(c, err), -1);
	set("decap", "gtpu");
	for (unsigned int i = 0; i < DECAP_PORTS; i++)
		n += (size_t)sprintf(ports + n, "%u,", 1000 + i);
	set("tunnel.gtpu.ports", ports);
	assert_true(tunnels_read(c, &d, err));
	assert_int_equal(d.nports, DECAP_PORTS);
	strcpy(ports + n, "7");
	set("tunnel.gtpu.ports", ports);
	assert_false(tunnels_read(c, &d, err));
	assert_non_null(strstr(err, "no more than 32"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_default, fresh, done),
		cmocka_unit_test_setup_teardown(test_words, fresh, done),
		cmocka_unit_test_setup_teardown(test_refused, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

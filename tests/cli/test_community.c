/* test_community.c - Community ID against the examples of its specification. */
#include "tests/cli/sample.h"

#include "cli/community.h"

static struct ctshard_conn conn(int l3, uint32_t proto, const char *src,
                                const char *dst, uint32_t a, uint32_t b)
{
	struct ctshard_conn c;

	memset(&c, 0, sizeof(c));
	c.l3 = (uint32_t)l3;
	c.protonum = proto;
	sample_tuple(&c.dir[0], l3 == 4 ? AF_INET : AF_INET6, src, dst);
	c.dir[0].sport = c.dir[0].type = a;
	c.dir[0].dport = c.dir[0].code = b;
	return c;
}

static void is(struct ctshard_conn c, uint16_t seed, const char *want)
{
	char text[COMMUNITY_TEXT];

	community_id(&c, seed, text);
	assert_string_equal(text, want);
}

static void test_examples(void **state)
{
	(void)state;
	is(conn(4, 6, "128.232.110.120", "66.35.250.204", 34855, 80), 0,
	   "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	is(conn(4, 6, "66.35.250.204", "128.232.110.120", 80, 34855), 0,
	   "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	is(conn(4, 6, "128.232.110.120", "66.35.250.204", 34855, 80), 1,
	   "1:3V71V58M3Ksw/yuFALMcW0LAHvc=");
	is(conn(4, 17, "192.168.1.52", "8.8.8.8", 54585, 53), 0,
	   "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
	is(conn(4, 1, "192.168.0.89", "192.168.0.1", 8, 0), 0,
	   "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
	is(conn(4, 1, "192.168.0.1", "192.168.0.89", 0, 0), 0,
	   "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
	is(conn(6, 58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea",
	        135, 0),
	   0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=");
}

/* No answer: who sent stays first. */
static void test_one_way(void **state)
{
	char a[COMMUNITY_TEXT], b[COMMUNITY_TEXT];
	struct ctshard_conn c = conn(4, 1, "10.0.0.2", "10.0.0.1", 3, 1);
	struct ctshard_conn d = conn(4, 1, "10.0.0.1", "10.0.0.2", 3, 1);

	(void)state;
	community_id(&c, 0, a);
	community_id(&d, 0, b);
	assert_string_not_equal(a, b);
	c.protonum = d.protonum = 47;
	community_id(&c, 0, a);
	community_id(&d, 0, b);
	assert_string_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_h323_per.c - aligned PER (ITU-T X.691) */
#include "tests/helper/says.h"

#include "daemon/helper/h323_per.h"

enum { NUMBER = 1, BYTES, INDEX, BEGIN };

static struct fake said; /* for its log alone */

static void see(void *arg, uint8_t mark, uint8_t emit, uint32_t value,
                const uint8_t *bytes)
{
	(void)arg;
	fake_say(&said, "%u:%u=%u", mark, emit, value);
	if (bytes && value)
		fake_say(&said, "(%02x)", bytes[0]);
	fake_say(&said, " ");
}

/* What is told of a type's bits, given in hex; "wrong" if it is none.  Shorter
 * by any number of bytes it has to be wrong, too. */
static const char *reads(const struct per_type *t, const char *text,
                         bool strict)
{
	uint8_t b[64], *exact;
	unsigned int v, len = (unsigned int)strlen(text) / 2, i;
	const char *log;
	bool ok;

	for (i = 0; i < len; i++) {
		assert_int_equal(sscanf(text + 2 * i, "%2x", &v), 1);
		b[i] = (uint8_t)v;
	}
	exact = malloc(len + !len);
	memcpy(exact, b, len);
	ok = per_read(t, exact, len, strict, NULL, NULL);
	assert_int_equal(ok, per_read(t, exact, len, strict, see, NULL));
	log = fake_log(&said);
	free(exact);
	return ok ? log : "wrong";
}

#define is(type, hex, text) \
	assert_string_equal(reads(&(type), hex, false), text)
#define is_strict(type, hex, text) \
	assert_string_equal(reads(&(type), hex, true), text)

static const struct per_type boolean = {.kind = PER_BOOL};
static const struct per_type null = {.kind = PER_NULL};
static const struct per_type oid = {.kind = PER_OID};

#define NUM(name, low, high)                  \
	static const struct per_type name = { \
		.kind = PER_INT, .emit = NUMBER, .lb = low, .ub = high}
NUM(n1, 7, 7);
NUM(n4, 1, 4);
NUM(n255, 0, 254);
NUM(n256, 1, 256);
NUM(n257, 0, 256);
NUM(n64k, 0, 65535);
NUM(n17, 0, 65536);
NUM(n32, 0, 4294967295u);

static void test_numbers(void **state)
{
	(void)state;
	is(n1, "", "0:1=7 ");
	is(n4, "80", "0:1=3 ");
	is(n255, "fe", "0:1=254 ");
	is(n256, "ff", "0:1=256 ");
	is(n257, "0100", "0:1=256 ");
	is(n64k, "ffff", "0:1=65535 ");
	is(n17, "00ff", "0:1=255 "); /* one byte */
	is(n17, "80010000", "0:1=65536 ");
	is(n17, "c0010000", "wrong"); /* four, where three do */
	is(n32, "c0fffffffe", "0:1=4294967294 ");
	is(n32, "c0ffffff", "wrong");
	is(n64k, "ff", "wrong");
	is(n4, "", "wrong");
}

static const struct per_type o2 = {
	.kind = PER_OCTETS, .emit = BYTES, .lb = 2, .ub = 2};
static const struct per_type o3 = {
	.kind = PER_OCTETS, .emit = BYTES, .lb = 3, .ub = 3};
static const struct per_type any = {.kind = PER_OCTETS, .emit = BYTES};
static PER_TEXT(digits, 4, 1, 128);
static PER_OF(aligned, PER_SEQ, 0, 4, BEGIN, PER_F(boolean), PER_F(o2),
              PER_F(boolean), PER_F(o3));
static PER_OF(text, PER_SEQ, 0, 2, 0, PER_F(digits), PER_F(n4));

static void test_bytes(void **state)
{
	(void)state;
	/* two bytes of a fixed size begin at any bit, three do not */
	is(aligned, "809140abcdef", "0:4=0 0:2=2 0:2=3(ab) ");
	is(any, "0361626364", "0:2=3(61) ");
	is(any, "8003616263", "0:2=3(61) ");
	is(any, "c0", "wrong"); /* in pieces */
	is(any, "0461", "wrong");
	is(text, "04555c", "0:1=4 "); /* three letters, four bits each */
	is(oid, "0100", "");
	is(oid, "0200", "wrong");
}

/* The kernel wants two bytes where a length begins. */
static void test_strict(void **state)
{
	(void)state;
	is(any, "00", "0:2=0 ");
	is_strict(any, "00", "wrong");
	is_strict(any, "0000", "0:2=0 ");
	is_strict(oid, "00", "");
}

static PER_OF(small, PER_CHOICE, 1, 2, INDEX, PER_F(null), PER_FM(n4, 5),
              PER_FM(n4, 6), PER_SKIP);
static PER_OF(one, PER_CHOICE, 0, 1, INDEX, PER_F(n4));
static PER_OF(three, PER_CHOICE, 0, 3, INDEX, PER_F(null), PER_F(null),
              PER_F(null));
static PER_OF(ends, PER_SEQ, 0, 2, 0, PER_END, PER_F(n64k));

static void test_choice(void **state)
{
	(void)state;
	is(small, "00", "0:3=0 ");
	is(small, "70", "0:3=1 5:1=4 ");
	is(small, "800140", "0:3=2 6:1=2 ");
	is(small, "810100", "0:3=3 ");       /* known, not described */
	is(small, "8f0100", "0:3=17 ");      /* not known */
	is(small, "8f02ff", "wrong");        /* not there */
	is(small, "c001fe0100", "0:3=256 "); /* a large number */
	is(one, "c0", "0:3=0 0:1=4 ");
	is(three, "c0", "wrong");
	is(ends, "", "");
}

static PER_OF(inner, PER_SEQ, 1, 1, 0, PER_O(n4), PER_FM(n64k, 2), PER_SKIP,
              PER_F(n4));
static PER_OF(outer, PER_SEQ, 0, 2, 0, PER_FM(inner, 9), PER_F(n256));

static void test_additions(void **state)
{
	(void)state;
	is(outer,
	   "60"
	   "07",
	   "9:1=3 0:1=8 ");
	is(outer,
	   "00"
	   "07",
	   "0:1=8 ");
	/* the first of one */
	is(outer, "804002010207", "2:1=258 0:1=8 ");
	/* the first and the third of three; and all, the second unknown */
	is(outer, "8150020102014007", "2:1=258 9:1=2 0:1=8 ");
	is(outer, "817002010203ffffff014007", "2:1=258 9:1=2 0:1=8 ");
	is(outer, "817002010204ffffff014007", "wrong");
	/* more than are described; and one that is too short for its type, or
	 * longer */
	is(outer, "830101ff07", "0:1=8 ");
	is(outer, "8040010107", "wrong");
	is(outer, "8040040102030407", "2:1=258 0:1=8 ");
	/* more additions than bytes */
	is(outer, "bf", "wrong");
	is(outer, "ffffff", "wrong");
}

static PER_MANY(list, 2, PER_FM(n64k, 3));
static PER_MANY(nulls, 0, PER_F(null));
static PER_INSIDE(open_number, PER_F(n64k));
static PER_MANY(opened, 0, PER_F(open_number));

static void test_lists(void **state)
{
	(void)state;
	is(list, "00", "");
	is(list, "03000100020003", "3:1=1 3:1=2 "); /* the third is mute */
	is(list, "0300010002", "wrong");
	is(list, "8001ffff", "3:1=65535 ");
	is(nulls, "05", "wrong"); /* would cost nothing and take long */
	is(opened, "02020007040008ffff", "0:1=7 0:1=8 ");
	is(opened, "0201000700", "wrong");
}

/* As deep as nothing is. */
static void test_depth(void **state)
{
	static struct per_type t[40];
	static struct per_field f[40];
	unsigned int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		t[i] = (struct per_type){.kind = PER_SEQ,
		                         .root = 1,
		                         .count = 1,
		                         .fields = &f[i]};
		f[i].type = i + 1 < 40 ? &t[i + 1] : &n1;
	}
	is(t[39], "", "0:1=7 ");
	is(t[20], "", "0:1=7 ");
	is(t[0], "", "wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),   cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_strict),    cmocka_unit_test(test_choice),
		cmocka_unit_test(test_additions), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

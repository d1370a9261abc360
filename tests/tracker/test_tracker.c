/* test_tracker.c - the list of trackers, and what all descriptors must keep. */
#include "daemon/tracker/tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* counted, so that one more needs no word here */
enum {
#define TRACKER(name) ROW_##name##_HERE,
#include "daemon/tracker/trackers.h"
#undef TRACKER
	NTRACKERS
};

static const struct policy all_on;

static void find_by_number(void **state)
{
	static const struct {
		uint8_t l4proto;
		const char *name;
	} known[] = {
		{6, "tcp"},     {17, "udp"},   {136, "udplite"}, {1, "icmp"},
		{58, "icmpv6"}, {132, "sctp"}, {33, "dccp"},     {47, "gre"},
	};
	unsigned int i;
	uint8_t id;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct tracker *t =
			tracker_find(&all_on, known[i].l4proto, &id);

		assert_string_equal(t->name, known[i].name);
		assert_ptr_equal(t, tracker_at(id));
		assert_int_equal(id, i);
		assert_string_equal(tracker_proto_name(known[i].l4proto),
		                    known[i].name);
	}
}

static void the_rest_is_generic(void **state)
{
	const struct tracker *generic = tracker_at(NTRACKERS - 1);
	unsigned int n, others = 0;
	uint8_t id;

	(void)state;
	assert_non_null(generic);
	assert_null(tracker_at(NTRACKERS));
	assert_null(tracker_at(255));
	for (n = 0; n < 256; n++) {
		const struct tracker *t =
			tracker_find(&all_on, (uint8_t)n, &id);

		if (t == generic) {
			assert_string_equal(tracker_proto_name((uint8_t)n),
			                    "unknown");
			assert_null(tracker_state_name((uint8_t)n, 1));
			others++;
		} else {
			assert_int_equal(t->l4proto, n);
		}
	}
	assert_int_equal(others, 256 - (NTRACKERS - 1));
}

static void off_is_generic(void **state)
{
	struct policy pol = {0};
	uint8_t id;

	(void)state;
	(void)tracker_find(&pol, 33, &id);
	pol.tracker_off[id] = 1;
	assert_ptr_equal(tracker_find(&pol, 33, &id),
	                 tracker_at(NTRACKERS - 1));
	assert_int_equal(id, NTRACKERS - 1);
	(void)tracker_find(&pol, 6, &id);
	assert_int_equal(id, 0);
}

static void defaults(void **state)
{
	struct policy pol;
	const struct tracker *t;
	unsigned int id, i, seen = 0;

	(void)state;
	memset(&pol, 0xff, sizeof(pol));
	tracker_defaults(&pol);
	for (id = 0; (t = tracker_at(id)); id++) {
		assert_int_equal(pol.tracker_off[id], 0);
		for (i = 0; i < t->ntimeouts; i++, seen++)
			assert_int_equal(pol.timeout[id][t->timeouts[i].slot],
			                 t->timeouts[i].seconds);
		for (i = 0; i < t->noptions; i++, seen++)
			assert_int_equal(pol.option[id][t->options[i].slot],
			                 t->options[i].value);
	}
	assert_true(seen > 20);
	/* what belongs to others stays */
	assert_int_equal(pol.max, 0xffffffff);
	assert_int_equal(pol.version, UINT64_MAX);
}

static void state_names(void **state)
{
	(void)state;
	assert_string_equal(tracker_state_name(6, 3), "ESTABLISHED");
	assert_string_equal(tracker_state_name(6, 9), "SYN_SENT2");
	assert_null(tracker_state_name(6, 0));
	assert_null(tracker_state_name(6, 10));
	assert_null(tracker_state_name(6, 255));
	assert_null(tracker_state_name(17, 1));
	assert_null(tracker_state_name(1, 1));
}

/* every surprising cell is in the grid as its note says */
static void notes(void **state)
{
	const struct tracker *t;
	unsigned int id, i, seen = 0;

	(void)state;
	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->nnotes; i++, seen++) {
			const struct trk_note *n = &t->notes[i];

			assert_non_null(t->cell);
			assert_non_null(n->why);
			if (t->cell(n->dir, n->event, n->from) != n->to)
				fail_msg("%s note %u: the cell is %u, not %u",
				         t->name, i,
				         t->cell(n->dir, n->event, n->from),
				         n->to);
		}
	}
	assert_true(seen > 10);
}

/* descriptors are data that others trust: slots, names, keys */
static void descriptors(void **state)
{
	const struct tracker *t;
	unsigned int id, i;

	(void)state;
	for (id = 0; (t = tracker_at(id)); id++) {
		unsigned int times = 0, opts = 0;

		assert_non_null(t->name);
		assert_non_null(t->packet);
		for (i = 0; i < t->nstates; i++)
			assert_non_null(t->states[i]);
		for (i = 0; i < t->ntimeouts; i++) {
			assert_true(t->timeouts[i].slot < POLICY_TIMEOUTS);
			assert_false(times & 1u << t->timeouts[i].slot);
			times |= 1u << t->timeouts[i].slot;
			assert_non_null(t->timeouts[i].doc);
		}
		for (i = 0; i < t->noptions; i++) {
			const struct trk_option *o = &t->options[i];

			assert_true(o->slot < POLICY_OPTIONS);
			assert_false(opts & 1u << o->slot);
			opts |= 1u << o->slot;
			assert_true(o->min <= o->value && o->value <= o->max);
			assert_non_null(o->key);
			assert_non_null(o->doc);
		}
	}
}

static unsigned int key_uses(const char *key)
{
	const struct tracker *t;
	unsigned int id, i, n = 0;

	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->ntimeouts; i++)
			n += t->timeouts[i].key &&
			     !strcmp(t->timeouts[i].key, key);
		for (i = 0; i < t->noptions; i++)
			n += !strcmp(t->options[i].key, key);
	}
	return n;
}

static void keys_are_unique(void **state)
{
	const struct tracker *t;
	unsigned int id, i;

	(void)state;
	for (id = 0; (t = tracker_at(id)); id++) {
		for (i = 0; i < t->ntimeouts; i++)
			if (t->timeouts[i].key)
				assert_int_equal(key_uses(t->timeouts[i].key),
				                 1);
		for (i = 0; i < t->noptions; i++)
			assert_int_equal(key_uses(t->options[i].key), 1);
	}
	assert_int_equal(key_uses("tcp_timeout_established"), 1);
	assert_int_equal(key_uses("tcp_loose"), 1);
	assert_int_equal(key_uses("no_such_key"), 0);
}

/* "key=value key=value", whole words, in its room */
static void pairs_well(const char *text, int n, size_t len)
{
	const char *p = text;

	assert_true(n >= 0 && (size_t)n < len);
	if (!n)
		return;
	assert_int_equal(strlen(text), n);
	while (*p) {
		size_t key = strcspn(p, "= "), word = strcspn(p, " ");

		/* the last may have been cut short */
		assert_true((key > 0 && key < word) || !p[word]);
		p += word + (p[word] != '\0');
	}
}

/* What trackers say for a trace, of bytes that no tracker wrote. */
static void words(void **state)
{
	const struct tracker *t;
	unsigned int id, i, k;
	uint32_t r = 1;

	(void)state;
	for (id = 0; (t = tracker_at(id)); id++)
		for (i = 0; i < 2000; i++) {
			uint8_t head[60];
			struct pkt p = {.data = head,
			                .caplen = i % (sizeof(head) + 1),
			                .l4proto = t->l4proto,
			                .l4len = i};
			size_t len = 1 + i % 700;
			struct conn c;
			char text[700];
			uint8_t *b = (uint8_t *)&c;

			for (k = 0; k < sizeof(c); k++)
				b[k] = (uint8_t)((r = r * 1664525 +
				                      1013904223) >>
				                 24);
			memcpy(head, b, sizeof(head));
			memset(text, 0, sizeof(text));
			if (t->inside)
				pairs_well(text, t->inside(&c, text, len), len);
			memset(text, 0, sizeof(text));
			if (t->header)
				pairs_well(text, t->header(&p, text, len), len);
		}
}

static void words_of_tcp(void **state)
{
	static const uint8_t syn[] = {0x9c, 0x40, 0, 80, 0,    0,    3,    0xe8,
	                              0,    0,    0, 0,  0x80, 0x02, 0xfa, 0xf0,
	                              0,    0,    0, 0,  4,    2,    3,    3,
	                              7,    1,    1, 1,  1,    1,    1,    1};
	struct pkt p = {.data = syn,
	                .caplen = sizeof(syn),
	                .l4proto = 6,
	                .l4len = sizeof(syn) + 5};
	const struct tracker *t;
	struct conn c;
	char text[500];
	uint8_t id;

	(void)state;
	t = tracker_find(&all_on, 6, &id);
	assert_true(t->header(&p, text, sizeof(text)) > 0);
	assert_string_equal(text, "flags=SYN seq=1000 ack=0 win=64240 len=5 "
	                          "wscale=7 sack=OK");
	memset(&c, 0, sizeof(c));
	assert_true(t->inside(&c, text, sizeof(text)) > 0);
	assert_string_equal(
		text,
		"original.end=0 original.maxend=0 original.maxwin=0 "
		"original.maxack=0 original.scale=0 original.flags=none "
		"reply.end=0 reply.maxend=0 reply.maxwin=0 reply.maxack=0 "
		"reply.scale=0 reply.flags=none retrans=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(words_of_tcp),
		cmocka_unit_test(find_by_number),
		cmocka_unit_test(the_rest_is_generic),
		cmocka_unit_test(off_is_generic),
		cmocka_unit_test(defaults),
		cmocka_unit_test(state_names),
		cmocka_unit_test(notes),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(keys_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

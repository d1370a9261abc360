/* test_rows.c - rows are packed and unpacked as protobuf-c does it. */
#include "proto/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 6u

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* of every length as a varint */
static uint64_t number(void)
{
	uint64_t v = (uint64_t)rnd() << 32 | rnd();

	return rnd() % 8 ? v >> rnd() % 64 : 0;
}

static char *text(void)
{
	static char words[4][40] = {"", "tcp", "ESTABLISHED",
	                            "a longer word with spaces in between"};

	return rnd() % 3 ? words[rnd() % 4] : NULL;
}

static ProtobufCBinaryData bytes(void)
{
	static uint8_t data[128];

	return (ProtobufCBinaryData){rnd() % 5 ? rnd() % 17 : 128, data};
}

/* A message with any of its fields, by its description: new ones too. */
static void fill(ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	unsigned int i;

	for (i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		char *at = (char *)m + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		if (f->quantifier_offset)
			*(protobuf_c_boolean *)((char *)m +
			                        f->quantifier_offset) =
				rnd() & 1;
		switch (f->type) {
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_FIXED64:
			*(uint64_t *)(void *)at = number();
			break;
		case PROTOBUF_C_TYPE_UINT32:
			*(uint32_t *)(void *)at = (uint32_t)number();
			break;
		case PROTOBUF_C_TYPE_ENUM:
			*(int *)(void *)at = (int)(rnd() % 7);
			break;
		case PROTOBUF_C_TYPE_BOOL:
			*(protobuf_c_boolean *)(void *)at = rnd() & 1;
			break;
		case PROTOBUF_C_TYPE_STRING:
			*(char **)(void *)at = text();
			break;
		case PROTOBUF_C_TYPE_BYTES:
			*(ProtobufCBinaryData *)(void *)at = bytes();
			break;
		default:
			break;
		}
	}
}

struct all {
	Ctshard__Response r;
	Ctshard__Conn conn[2 * ROWS], *conns[ROWS];
	Ctshard__Tuple tuple[2 * ROWS][2];
	Ctshard__Event event[ROWS], *events[ROWS];
	Ctshard__Detail detail[3], *details[3];
};

static Ctshard__Conn *make_conn(struct all *x, unsigned int i)
{
	Ctshard__Conn *c = &x->conn[i];
	unsigned int d;

	ctshard__conn__init(c);
	fill(&c->base);
	for (d = 0; d < 2; d++) {
		ctshard__tuple__init(&x->tuple[i][d]);
		fill(&x->tuple[i][d].base);
	}
	c->original = rnd() % 4 ? &x->tuple[i][0] : NULL;
	c->reply = rnd() % 4 ? &x->tuple[i][1] : NULL;
	c->n_detail = rnd() % 4;
	c->detail = x->details;
	return c;
}

static void make(struct all *x)
{
	unsigned int i;

	ctshard__response__init(&x->r);
	x->r.has_id = x->r.has_now_ns = 1;
	x->r.id = number();
	x->r.now_ns = number();
	x->r.has_end = x->r.end = rnd() & 1;
	for (i = 0; i < 3; i++) {
		ctshard__detail__init(&x->detail[i]);
		fill(&x->detail[i].base);
		x->details[i] = &x->detail[i];
	}
	x->r.conn = x->conns;
	x->r.event = x->events;
	x->r.n_conn = rnd() % ROWS;
	x->r.n_event = rnd() % ROWS;
	if (!x->r.n_conn)
		x->r.n_event++;
	for (i = 0; i < ROWS; i++) {
		x->conns[i] = make_conn(x, i);
		ctshard__event__init(&x->event[i]);
		fill(&x->event[i].base);
		x->event[i].conn = rnd() % 4 ? make_conn(x, ROWS + i) : NULL;
		x->events[i] = &x->event[i];
	}
}

static uint8_t packed[64 << 10];

static size_t pack(const Ctshard__Response *r)
{
	assert_true(ctshard__response__get_packed_size(r) <= sizeof(packed));
	return ctshard__response__pack(r, packed);
}

/* A new field of the schema must be told to rows.c, or all goes the slow way:
 * then this fails. */
static void test_pack(void **state)
{
	static struct all x;
	struct frame_buf b;
	unsigned int i;

	(void)state;
	frame_init(&b, FRAME_ANSWER_MAX);
	for (i = 0; i < 20000; i++) {
		const uint8_t *body;
		size_t len, n;

		make(&x);
		n = pack(&x.r);
		assert_true(rows_put(&b, &x.r));
		/* several wait at once, now and then */
		if (rnd() % 3 == 0)
			assert_true(rows_put(&b, &x.r));
		while (frame_next(&b, &body, &len)) {
			assert_int_equal(len, n);
			assert_memory_equal(body, packed, n);
		}
	}
	frame_free(&b);
}

/* Events one by one, and put together, are the same bytes. */
static void test_parts(void **state)
{
	static uint8_t parts[16 << 10], room[4096];
	static struct all x;
	struct frame_buf b;
	unsigned int i;

	(void)state;
	frame_init(&b, FRAME_ANSWER_MAX);
	for (i = 0; i < 20000; i++) {
		size_t len = 0, k, n, part;
		const uint8_t *body;

		make(&x);
		x.r.n_conn = 0;
		x.r.has_end = 0;
		for (k = 0; k < x.r.n_event; k++) {
			part = rows_event(parts + len, 2048, x.r.event[k]);
			assert_true(part);
			/* not a byte more than there is room for */
			assert_int_equal(
				rows_event(room, part - 1, x.r.event[k]), 0);
			assert_int_equal(rows_event(room, part, x.r.event[k]),
			                 part);
			len += part;
		}
		n = pack(&x.r);
		assert_true(
			rows_put_events(&b, x.r.id, x.r.now_ns, parts, len));
		assert_int_equal(frame_next(&b, &body, &len), 1);
		assert_int_equal(len, n);
		assert_memory_equal(body, packed, n);
	}
	frame_free(&b);
}

static void same(const Ctshard__Response *m, const uint8_t *body, size_t len)
{
	Ctshard__Response *want = ctshard__response__unpack(NULL, len, body);
	static uint8_t again[64 << 10];
	size_t n;

	assert_non_null(want);
	n = ctshard__response__get_packed_size(want);
	assert_true(n <= sizeof(again));
	assert_int_equal(ctshard__response__pack(want, again), n);
	assert_int_equal(ctshard__response__get_packed_size(m), n);
	assert_int_equal(pack(m), n);
	assert_memory_equal(packed, again, n);
	ctshard__response__free_unpacked(want, NULL);
}

static void test_unpack(void **state)
{
	static struct all x;
	struct frame_arena a;
	unsigned int i;

	(void)state;
	arena_init(&a, 1 << 20);
	for (i = 0; i < 20000; i++) {
		static uint8_t body[64 << 10];
		Ctshard__Response *m;
		size_t n;

		make(&x);
		n = pack(&x.r);
		memcpy(body, packed, n);
		arena_reset(&a);
		m = rows_unpack(&a, body, n);
		assert_non_null(m);
		same(m, body, n);
	}
	arena_free(&a);
}

/* Damaged bytes: what is taken at all is what protobuf-c takes. */
static void test_damaged(void **state)
{
	static struct all x;
	struct frame_arena a;
	unsigned int i, k, taken = 0;

	(void)state;
	arena_init(&a, 1 << 20);
	for (i = 0; i < 60000; i++) {
		Ctshard__Response *m;
		uint8_t *body;
		size_t n;

		make(&x);
		n = pack(&x.r);
		if (rnd() % 4 == 0)
			n = rnd() % n;
		/* of exactly this size, for who looks beyond */
		body = malloc(n + !n);
		assert_non_null(body);
		memcpy(body, packed, n);
		for (k = rnd() % 4; n && k; k--)
			body[rnd() % n] = (uint8_t)rnd();
		arena_reset(&a);
		m = rows_unpack(&a, body, n);
		if (m)
			same(m, body, n);
		taken += m != NULL;
		free(body);
	}
	assert_in_range(taken, 10000, 59000);
	arena_free(&a);
}

static void test_others(void **state)
{
	static struct all x;
	Ctshard__Expect expect = CTSHARD__EXPECT__INIT;
	struct frame_buf b;
	static char longer[70000];

	(void)state;
	frame_init(&b, FRAME_ANSWER_MAX);
	make(&x);
	x.r.has_affected = 1;
	assert_false(rows_put(&b, &x.r));
	make(&x);
	x.r.n_event = 1;
	x.event[0].expect = &expect;
	assert_false(rows_put(&b, &x.r));
	/* too long for the room that is made: the other way has it */
	make(&x);
	memset(longer, 'x', sizeof(longer) - 1);
	x.r.n_conn = 1;
	x.conn[0].state = longer;
	assert_false(rows_put(&b, &x.r));
	ctshard__response__init(&x.r);
	assert_false(rows_put(&b, &x.r));
	assert_int_equal(b.len, 0);
	frame_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),   cmocka_unit_test(test_parts),
		cmocka_unit_test(test_unpack), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

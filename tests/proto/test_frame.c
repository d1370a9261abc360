/* test_frame.c - frames in pieces, limits, and memory for unpacking. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ctshard.pb-c.h"
#include "proto/frame.h"

static void put(struct frame_buf *b, const void *p, size_t n)
{
	size_t room;
	uint8_t *to = frame_room(b, n, &room);

	assert_non_null(to);
	assert_true(room >= n);
	memcpy(to, p, n);
	frame_added(b, n);
}

static void test_round(void **state)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Set set = CTSHARD__SET__INIT;
	Ctshard__Request *back;
	struct frame_arena a;
	struct frame_buf out, in;
	const uint8_t *p, *body;
	size_t len, i, n;

	(void)state;
	frame_init(&out, FRAME_REQUEST_MAX);
	frame_init(&in, FRAME_REQUEST_MAX);
	arena_init(&a, 1 << 20);
	r.has_id = 1;
	r.body_case = CTSHARD__REQUEST__BODY_SET;
	r.set = &set;
	for (i = 0; i < 100; i++) {
		r.id = i;
		assert_int_equal(frame_put(&out, &r.base), 0);
	}
	/* byte by byte: a frame is there when its last byte is, not before */
	p = frame_data(&out, &len);
	for (i = 0, n = 0; i < len; i++) {
		put(&in, p + i, 1);
		if (frame_next(&in, &body, &(size_t){0}) != 1)
			continue;
		n++;
	}
	assert_int_equal(n, 100);
	assert_null(frame_data(&in, &n));
	/* all at once */
	put(&in, p, len);
	for (i = 0; frame_next(&in, &body, &n) == 1; i++) {
		arena_reset(&a);
		back = (Ctshard__Request *)(void *)frame_unpack(
			&a, &ctshard__request__descriptor, body, n);
		assert_non_null(back);
		assert_int_equal(back->id, i);
		assert_int_equal(back->body_case, CTSHARD__REQUEST__BODY_SET);
	}
	assert_int_equal(i, 100);
	arena_free(&a);
	frame_free(&in);
	frame_free(&out);
}

static void test_limits(void **state)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__List list = CTSHARD__LIST__INIT;
	Ctshard__Filter f = CTSHARD__FILTER__INIT;
	static const uint8_t huge[] = {0x00, 0x01, 0x00, 0x01};
	static const uint8_t full[] = {0x00, 0x01, 0x00, 0x00};
	struct frame_buf b;
	const uint8_t *body;
	char *text = malloc(FRAME_REQUEST_MAX + 1);
	size_t n;

	(void)state;
	frame_init(&b, FRAME_REQUEST_MAX);
	put(&b, full, sizeof(full)); /* 65536: the longest that may be */
	assert_int_equal(frame_next(&b, &body, &n), 0);
	frame_drop(&b, 4);
	put(&b, huge, sizeof(huge));
	assert_int_equal(frame_next(&b, &body, &n), -EMSGSIZE);
	frame_drop(&b, 4);
	/* what the other side would refuse is not written */
	memset(text, 'x', FRAME_REQUEST_MAX);
	text[FRAME_REQUEST_MAX] = '\0';
	f.expression = text;
	list.filter = &f;
	r.body_case = CTSHARD__REQUEST__BODY_LIST;
	r.list = &list;
	assert_int_equal(frame_put(&b, &r.base), -EMSGSIZE);
	assert_null(frame_data(&b, &n));
	free(text);
	frame_free(&b);
}

/* A frame of empty submessages must not become gigabytes of structs. */
static void test_bounded(void **state)
{
	size_t n = 1 << 20, i;
	uint8_t *body = malloc(n);
	struct frame_arena a;

	(void)state;
	for (i = 0; i < n; i += 2) {
		body[i] = 5 << 3 | 2; /* Response.conn, length-delimited */
		body[i + 1] = 0;
	}
	arena_init(&a, 8 << 20);
	assert_null(frame_unpack(&a, &ctshard__response__descriptor, body, n));
	assert_true(a.used <= a.limit);
	arena_reset(&a);
	assert_non_null(
		frame_unpack(&a, &ctshard__response__descriptor, body, 2000));
	assert_null(frame_unpack(&a, &ctshard__response__descriptor,
	                         (const uint8_t *)"\xff\xff\xff", 3));
	arena_free(&a);
	free(body);
}

static void test_arena(void **state)
{
	struct frame_arena a;
	uint8_t *p, *first;
	int turn, i;

	(void)state;
	arena_init(&a, 1 << 20);
	first = arena_get(&a, 1);
	for (turn = 0; turn < 3; turn++) {
		arena_reset(&a);
		assert_ptr_equal(arena_get(&a, 1), first);
		for (i = 0; i < 90; i++) {
			p = arena_get(&a, 10001);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, turn, 10001);
		}
	}
	assert_null(arena_get(&a, 1 << 20));
	assert_null(arena_get(&a, SIZE_MAX));
	arena_free(&a);
	assert_non_null(arena_get(&a, 100000));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

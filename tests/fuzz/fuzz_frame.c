/* fuzz_frame.c - any bytes as frames, as requests and as answers. */
#include "proto/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_conn(void *arg, const struct ctshard_conn *c)
{
	*(uint64_t *)arg += c->l3 + c->dir[1].dst[15] + c->n_detail;
	return 0;
}

static int on_event(void *arg, const struct ctshard_event *e)
{
	*(uint64_t *)arg += e->seq + (e->conn ? e->conn->l3 : 0);
	return 0;
}

static int on_row(void *arg, const struct ctshard_row *r)
{
	*(uint64_t *)arg += r->cells + r->table->columns;
	return 0;
}

static void fuzz_body(struct frame_arena *a, const uint8_t *body, size_t len)
{
	uint64_t sum = 0;
	struct ctshard_handler h = {
		.arg = &sum, .conn = on_conn, .event = on_event, .row = on_row};
	ProtobufCMessage *m;
	const char *why = NULL;

	arena_reset(a);
	frame_unpack(a, &ctshard__request__descriptor, body, len);
	arena_reset(a);
	m = frame_unpack(a, &ctshard__response__descriptor, body, len);
	if (m &&
	    decode_response((Ctshard__Response *)(void *)m, a, &h, &why) < 0 &&
	    !why)
		__builtin_trap(); /* an answer refused without a reason */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_buf b;
	struct frame_arena a;
	const uint8_t *body;
	size_t room, len, i;
	uint8_t *p;

	frame_init(&b, FRAME_REQUEST_MAX);
	arena_init(&a, 1 << 20);
	fuzz_body(&a, data, size);
	p = frame_room(&b, size, &room);
	for (i = 0; p && i < size; i++)
		p[i] = data[i];
	frame_added(&b, p ? size : 0);
	while (frame_next(&b, &body, &len) > 0)
		fuzz_body(&a, body, len);
	arena_free(&a);
	frame_free(&b);
	return 0;
}

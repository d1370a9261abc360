/*
 * fuzz_filter.c - what a client may ask for: Filter messages, expressions.
 *
 * Byte 0: the rest is a Filter as on the wire, or the text of an expression,
 * or both behind each other.  A connection must match as the event that tells
 * of it does, and a filter that is taken apart and packed again must match the
 * same.
 */
#include "daemon/api/filter.h"
#include "daemon/tracker/tracker.h"
#include "proto/frame.h"
#include "tests/api/rig.h"
#include "tests/fuzz/fuzz.h"

#define VIEWS 8u

static struct policy pol;
static struct conn_view view[VIEWS];
static struct event_slot event[VIEWS];
static struct frame_arena arena;

static void event_of(struct event_slot *e, const struct conn_view *v)
{
	memset(e, 0, sizeof(*e));
	e->cell.key = v->conn.key;
	e->cell.addr6 = v->addr6;
	e->cell.status = v->conn.status;
	e->cell.mark = v->conn.mark;
	e->cell.state = v->conn.state;
	e->cell.id = conn_id(v->conn.gen, v->shard, v->idx);
	e->cell.iface = v->detail.iface;
	e->cell.vlan = v->detail.vlan;
	e->cell.cells = 2;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	uint32_t i;

	(void)argc;
	(void)argv;
	pol = rig_policy();
	arena_init(&arena, 1 << 20);
	view[0] = rig_view(6, "10.0.0.1", 4000, "10.0.1.1", 80, 0);
	view[1] = rig_view(6, "fd00::1", 4000, "fd01::1", 80, CONN_ASSURED);
	view[2] = rig_view(17, "10.0.0.1", 53, "10.0.1.1", 53, CONN_ORIG1);
	view[3] = rig_view(1, "10.0.0.1", 77, "10.0.1.1", 0x0800, 0);
	view[4] = rig_view(58, "fd00::1", 77, "fd01::1", 0x8000, 0);
	view[5] = rig_view(47, "10.0.0.1", 0, "10.0.1.1", 7, 0);
	view[6] = rig_view(132, "10.0.0.1", 4000, "10.0.1.1", 80, 0);
	view[7] = rig_view(99, "10.0.0.1", 0, "10.0.1.1", 0, 0);
	view[3].conn.key.flags |= KEY_REQ1;
	view[0].conn.state = 3;
	view[6].conn.state = 4;
	view[2].conn.mark = 0xff;
	view[2].detail.vlan = 5;
	view[2].detail.iface = 1;
	for (i = 0; i < VIEWS; i++)
		event_of(&event[i], &view[i]);
	return 0;
}

static uint32_t matches(const struct filter *f)
{
	uint32_t i, bits = 0;

	for (i = 0; i < VIEWS; i++) {
		bool there = filter_view(f, &pol, &view[i], true);

		fuzz_check(there == filter_event(f, &pol, &event[i]),
		           "view %u and its event differ", i);
		bits |= (uint32_t)there << i;
	}
	return bits;
}

static void try_filter(const Ctshard__Filter *m)
{
	char err[FILTER_ERR] = "", err2[FILTER_ERR] = "";
	struct filter *f, *g = NULL;
	Ctshard__Filter *again;
	uint8_t *packed;
	uint64_t id = 0;
	size_t len;
	int r, r2;

	r = filter_new(&f, m, err);
	fuzz_check(r ? !f && *err : !*err, "%d, \"%s\"", r, err);
	len = protobuf_c_message_get_packed_size(&m->base);
	packed = malloc(len ? len : 1);
	fuzz_check(packed, "out of memory");
	protobuf_c_message_pack(&m->base, packed);
	again = (Ctshard__Filter *)(void *)frame_unpack(
		&arena, &ctshard__filter__descriptor, packed, len);
	/* the library refuses an unknown field number 0 that it has packed */
	r2 = again ? filter_new(&g, again, err2) : r;
	fuzz_check(r == r2, "\"%s\", then \"%s\"", err, err2);
	if (!r) {
		fuzz_check(!again || matches(f) == matches(g),
		           "another filter");
		fuzz_check(!filter_id(f, &id) || id == m->id, "another id");
	}
	filter_free(f);
	filter_free(g);
	free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Ctshard__Filter empty = CTSHARD__FILTER__INIT, *m = &empty;
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz8(&in), *body;
	const uint8_t *at;
	char text[1200];
	size_t len;

	arena_reset(&arena);
	if (how & 1) {
		at = fuzz_bytes(&in, how & 2 ? fuzz8(&in) : in.left, &len);
		body = fuzz_copy(at, len);
		m = (Ctshard__Filter *)(void *)frame_unpack(
			&arena, &ctshard__filter__descriptor, body, len);
		free(body);
		if (!m)
			return 0;
	}
	if (in.left) {
		at = fuzz_bytes(&in, sizeof(text) - 1, &len);
		memcpy(text, at, len);
		text[len] = '\0';
		m->expression = text;
	}
	try_filter(m);
	return 0;
}

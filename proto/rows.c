/*
 * rows.c - see rows.h.
 *
 * Packing goes from the last field to the first, so that the length of a
 * message inside another is known when it is written; lists of fields are in
 * that order.  It happens at the end of the room behind what is queued, and is
 * then moved to its front.
 */
#include "proto/rows.h"

#include <string.h>

/* Of one row, without what the daemon has no room for either; an answer with
 * longer ones goes the general way. */
#define ROW_BYTES 1024u
#define REST      256u
#define DETAILS   64u

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

#define TUPLE_FIELDS(X)            \
	X(UINT, 14, delta_bytes)   \
	X(UINT, 13, delta_packets) \
	X(UINT, 12, zone)          \
	X(UINT, 11, bytes)         \
	X(UINT, 10, packets)       \
	X(UINT, 9, dstkey)         \
	X(UINT, 8, srckey)         \
	X(UINT, 7, icmp_id)        \
	X(UINT, 6, code)           \
	X(UINT, 5, type)           \
	X(UINT, 4, dport)          \
	X(UINT, 3, sport)          \
	X(BYTES, 2, dst)           \
	X(BYTES, 1, src)

#define DETAIL_FIELDS(X)  \
	X(TEXT, 2, value) \
	X(TEXT, 1, key)

#define CONN_FIELDS(X)         \
	X(BYTES, 30, private_) \
	X(UINT, 24, version)   \
	X(UINT, 23, shard_seq) \
	X(UINT, 22, shard)     \
	X(BOOL, 21, timestamp) \
	X(DETAILS, 20, detail) \
	X(UINT, 19, use)       \
	X(TEXT, 18, reason)    \
	X(UINT, 17, stop_ns)   \
	X(UINT, 16, last_ns)   \
	X(UINT, 15, start_ns)  \
	X(BYTES, 14, labels)   \
	X(FIXED64, 13, master) \
	X(TEXT, 12, helper)    \
	X(TUPLE, 11, reply)    \
	X(TUPLE, 10, original) \
	X(UINT, 9, zone)       \
	X(UINT, 8, mark)       \
	X(UINT, 7, timeout_ms) \
	X(UINT, 6, status)     \
	X(TEXT, 5, state)      \
	X(TEXT, 4, proto)      \
	X(UINT, 3, protonum)   \
	X(UINT, 2, l3)         \
	X(FIXED64, 1, id)

#define EVENT_FIELDS(X)       \
	X(BOOL, 30, restored) \
	X(TEXT, 9, source)    \
	X(UINT, 8, lost)      \
	X(UINT, 7, to)        \
	X(UINT, 6, from)      \
	X(UINT, 5, bits)      \
	X(CONN, 4, conn)      \
	X(UINT, 3, time_ns)   \
	X(UINT, 2, seq)       \
	X(ENUM, 1, type)

/* besides rows; what other answers have is told by the description */
#define RESPONSE_FIELDS 15u

#define ONE(kind, n, f) +1u
/* A schema that has grown must not lose its new fields here. */
static bool schema_known(void)
{
	return ctshard__tuple__descriptor.n_fields == 0 TUPLE_FIELDS(ONE) &&
	       ctshard__detail__descriptor.n_fields == 0 DETAIL_FIELDS(ONE) &&
	       ctshard__conn__descriptor.n_fields == 0 CONN_FIELDS(ONE) &&
	       /* and `expect` and `audit` */
	       ctshard__event__descriptor.n_fields == 2 EVENT_FIELDS(ONE) &&
	       ctshard__response__descriptor.n_fields == RESPONSE_FIELDS;
}

/* ---- packing ---- */

struct pack {
	uint8_t *start, *p;
	bool full;
};

static inline bool pack_room(struct pack *w, size_t n)
{
	if ((size_t)(w->p - w->start) >= n)
		return true;
	w->full = true;
	return false;
}

static inline void pack_varint(struct pack *w, uint64_t v)
{
	unsigned n = 1;
	uint64_t rest;
	uint8_t *p;

	if (!pack_room(w, 10))
		return;
	for (rest = v >> 7; rest; rest >>= 7)
		n++;
	p = w->p -= n;
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p = (uint8_t)v;
}

static inline void pack_mem(struct pack *w, const void *from, size_t n)
{
	if (!pack_room(w, n))
		return;
	w->p -= n;
	if (n)
		memcpy(w->p, from, n);
}

static inline void pack_head(struct pack *w, unsigned n, unsigned wire)
{
	pack_varint(w, n << 3 | wire);
}

static inline void pack_bytes(struct pack *w, unsigned n, const void *from,
                              size_t len)
{
	pack_mem(w, from, len);
	pack_varint(w, len);
	pack_head(w, n, WIRE_BYTES);
}

static inline void pack_fixed64(struct pack *w, unsigned n, uint64_t v)
{
	uint8_t b[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> 8 * i);
	pack_mem(w, b, sizeof(b));
	pack_head(w, n, WIRE_FIXED64);
}

/* the length and number of a message that ended at `end` */
static inline void pack_message(struct pack *w, unsigned n, const uint8_t *end)
{
	pack_varint(w, (uint64_t)(end - w->p));
	pack_head(w, n, WIRE_BYTES);
}

#define PACK_UINT(w, m, n, f)                 \
	if ((m)->has_##f) {                   \
		pack_varint(w, (m)->f);       \
		pack_head(w, n, WIRE_VARINT); \
	}
#define PACK_BOOL(w, m, n, f)                 \
	if ((m)->has_##f) {                   \
		pack_varint(w, !!(m)->f);     \
		pack_head(w, n, WIRE_VARINT); \
	}
#define PACK_ENUM(w, m, n, f)                              \
	if ((m)->has_##f) {                                \
		pack_varint(w, (uint64_t)(int64_t)(m)->f); \
		pack_head(w, n, WIRE_VARINT);              \
	}
#define PACK_FIXED64(w, m, n, f) \
	if ((m)->has_##f)        \
		pack_fixed64(w, n, (m)->f);
#define PACK_TEXT(w, m, n, f) \
	if ((m)->f)           \
		pack_bytes(w, n, (m)->f, strlen((m)->f));
#define PACK_BYTES(w, m, n, f) \
	if ((m)->has_##f)      \
		pack_bytes(w, n, (m)->f.data, (m)->f.len);
#define PACK_INNER(w, m, n, pack_it)        \
	if (m) {                            \
		const uint8_t *at = (w)->p; \
		pack_it(w, m);              \
		pack_message(w, n, at);     \
	}
#define PACK_TUPLE(w, m, n, f) PACK_INNER(w, (m)->f, n, pack_tuple)
#define PACK_CONN(w, m, n, f)  PACK_INNER(w, (m)->f, n, pack_conn)
#define PACK_DETAILS(w, m, n, f)              \
	for (size_t i = (m)->n_##f; i-- > 0;) \
	PACK_INNER(w, (m)->f[i], n, pack_detail)
#define PACK(kind, n, f) PACK_##kind(w, m, n, f)

static void pack_tuple(struct pack *w, const Ctshard__Tuple *m)
{
	TUPLE_FIELDS(PACK)
}

static void pack_detail(struct pack *w, const Ctshard__Detail *m)
{
	DETAIL_FIELDS(PACK)
}

static void pack_conn(struct pack *w, const Ctshard__Conn *m)
{
	CONN_FIELDS(PACK)
}

static void pack_event(struct pack *w, const Ctshard__Event *m)
{
	EVENT_FIELDS(PACK)
}

static void pack_response(struct pack *w, const Ctshard__Response *m)
{
	size_t i;

	PACK_UINT(w, m, 12, now_ns)
	for (i = m->n_event; i-- > 0;)
		PACK_INNER(w, m->event[i], 6, pack_event)
	for (i = m->n_conn; i-- > 0;)
		PACK_INNER(w, m->conn[i], 5, pack_conn)
	PACK_BOOL(w, m, 2, end)
	PACK_UINT(w, m, 1, id)
}

static bool rows_only(const Ctshard__Response *r)
{
	size_t i;

	if (!(r->n_conn + r->n_event) || r->error || r->hello || r->n_count ||
	    r->n_scope || r->n_table || r->n_fault || r->has_affected ||
	    r->n_expect || r->has_text || r->n_trace ||
	    r->base.n_unknown_fields)
		return false;
	for (i = 0; i < r->n_event; i++)
		if (r->event[i]->expect || r->event[i]->audit)
			return false;
	return schema_known();
}

bool rows_put(struct frame_buf *b, const Ctshard__Response *r)
{
	size_t n, room;
	struct pack w;

	if (!rows_only(r))
		return false;
	n = (r->n_conn + r->n_event) * ROW_BYTES + REST;
	w.start = frame_room(b, FRAME_HEAD + n, &room);
	if (!w.start)
		return false;
	w.start += FRAME_HEAD;
	w.p = w.start + n;
	w.full = false;
	pack_response(&w, r);
	n -= (size_t)(w.p - w.start);
	if (w.full || n > b->max)
		return false;
	memmove(w.start, w.p, n);
	frame_head(w.start - FRAME_HEAD, (uint32_t)n);
	frame_added(b, FRAME_HEAD + n);
	return true;
}

size_t rows_event(uint8_t *to, size_t room, const Ctshard__Event *e)
{
	uint8_t bytes[ROW_BYTES];
	struct pack w = {bytes, bytes + sizeof(bytes), false};
	size_t n;

	if (e->expect || e->audit || !schema_known())
		return 0;
	PACK_INNER(&w, e, 6, pack_event)
	n = (size_t)(bytes + sizeof(bytes) - w.p);
	if (w.full || n > room)
		return 0;
	memcpy(to, w.p, n);
	return n;
}

static size_t put_number(uint8_t *to, unsigned field, uint64_t v)
{
	uint8_t *p = to;

	*p++ = (uint8_t)(field << 3 | WIRE_VARINT);
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return (size_t)(p - to);
}

bool rows_put_events(struct frame_buf *b, uint64_t id, uint64_t now_ns,
                     const uint8_t *events, size_t len)
{
	size_t most = 2 * 11 + len, n, room;
	uint8_t *to = frame_room(b, FRAME_HEAD + most, &room);

	if (!to || most > b->max)
		return false;
	to += FRAME_HEAD;
	n = put_number(to, 1, id);
	memcpy(to + n, events, len);
	n += len;
	n += put_number(to + n, 12, now_ns);
	frame_head(to - FRAME_HEAD, (uint32_t)n);
	frame_added(b, FRAME_HEAD + n);
	return true;
}

/* ---- unpacking ---- */

struct unpack {
	struct frame_arena *a;
	const uint8_t *p, *end;
};

static bool take_long(struct unpack *u, uint64_t *v)
{
	unsigned shift = 0;
	uint8_t b;

	*v = 0;
	do {
		if (u->p == u->end || shift > 63)
			return false;
		b = *u->p++;
		*v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	return true;
}

static inline bool take_varint(struct unpack *u, uint64_t *v)
{
	if (u->p == u->end || *u->p & 0x80)
		return take_long(u, v);
	*v = *u->p++;
	return true;
}

static inline bool take_bytes(struct unpack *u, const uint8_t **at, size_t *n)
{
	uint64_t len;

	if (!take_varint(u, &len) || len > (uint64_t)(u->end - u->p))
		return false;
	*at = u->p;
	*n = (size_t)len;
	u->p += len;
	return true;
}

static bool take_text(struct unpack *u, char **to)
{
	const uint8_t *at;
	size_t n;

	if (*to || !take_bytes(u, &at, &n))
		return false;
	*to = arena_get(u->a, n + 1);
	if (!*to)
		return false;
	memcpy(*to, at, n);
	(*to)[n] = '\0';
	return true;
}

static bool take_fixed64(struct unpack *u, uint64_t *v)
{
	unsigned i;

	if (u->end - u->p < 8)
		return false;
	*v = 0;
	for (i = 0; i < 8; i++)
		*v |= (uint64_t)u->p[i] << 8 * i;
	u->p += 8;
	return true;
}

/* what is inside the next field */
static bool take_inner(struct unpack *u, struct unpack *in)
{
	const uint8_t *at;
	size_t n;

	if (!take_bytes(u, &at, &n))
		return false;
	*in = (struct unpack){u->a, at, at + n};
	return true;
}

#define TAKE_UINT(u, m, n, f)            \
	case (n) << 3 | WIRE_VARINT:     \
		if (!take_varint(u, &v)) \
			return false;    \
		(m)->has_##f = 1;        \
		(m)->f = v;              \
		break;
#define TAKE_BOOL(u, m, n, f)            \
	case (n) << 3 | WIRE_VARINT:     \
		if (!take_varint(u, &v)) \
			return false;    \
		(m)->has_##f = 1;        \
		(m)->f = v != 0;         \
		break;
#define TAKE_ENUM(u, m, n, f)            \
	case (n) << 3 | WIRE_VARINT:     \
		if (!take_varint(u, &v)) \
			return false;    \
		(m)->has_##f = 1;        \
		(m)->f = (int)v;         \
		break;
#define TAKE_FIXED64(u, m, n, f)               \
	case (n) << 3 | WIRE_FIXED64:          \
		if (!take_fixed64(u, &(m)->f)) \
			return false;          \
		(m)->has_##f = 1;              \
		break;
#define TAKE_TEXT(u, m, n, f)               \
	case (n) << 3 | WIRE_BYTES:         \
		if (!take_text(u, &(m)->f)) \
			return false;       \
		break;
#define TAKE_BYTES(u, m, n, f)                         \
	case (n) << 3 | WIRE_BYTES:                    \
		if (!take_bytes(u, &at, &(m)->f.len))  \
			return false;                  \
		(m)->has_##f = 1;                      \
		memcpy(&(m)->f.data, &at, sizeof(at)); \
		break;
#define TAKE_INNER(u, m, n, f, take)                                      \
	case (n) << 3 | WIRE_BYTES:                                       \
		if ((m)->f || !take_inner(u, &in) || !take(&in, &(m)->f)) \
			return false;                                     \
		break;
#define TAKE_TUPLE(u, m, n, f) TAKE_INNER(u, m, n, f, take_tuple)
#define TAKE_CONN(u, m, n, f)  TAKE_INNER(u, m, n, f, take_conn)
#define TAKE_DETAILS(u, m, n, f)                                    \
	case (n) << 3 | WIRE_BYTES:                                 \
		if ((m)->n_##f == DETAILS || !take_inner(u, &in) || \
		    !take_detail(&in, &details[(m)->n_##f]))        \
			return false;                               \
		(m)->n_##f++;                                       \
		break;
#define TAKE(kind, n, f) TAKE_##kind(u, m, n, f)
/* all fields of a message; false from here: one that is not known */
#define TAKE_ALL(fields)                                     \
	while (u->p < u->end) {                              \
		if (!take_varint(u, &tag))                   \
			return false;                        \
		switch (tag) {                               \
			fields(TAKE) default : return false; \
		}                                            \
	}

static bool take_tuple(struct unpack *u, Ctshard__Tuple **to)
{
	static const Ctshard__Tuple empty = CTSHARD__TUPLE__INIT;
	Ctshard__Tuple *m = arena_get(u->a, sizeof(*m));
	const uint8_t *at;
	uint64_t tag, v;

	if (!m)
		return false;
	*m = empty;
	*to = m;
	TAKE_ALL(TUPLE_FIELDS)
	return true;
}

static bool take_detail(struct unpack *u, Ctshard__Detail **to)
{
	static const Ctshard__Detail empty = CTSHARD__DETAIL__INIT;
	Ctshard__Detail *m = arena_get(u->a, sizeof(*m));
	uint64_t tag;

	if (!m)
		return false;
	*m = empty;
	*to = m;
	TAKE_ALL(DETAIL_FIELDS)
	return true;
}

static bool take_conn(struct unpack *u, Ctshard__Conn **to)
{
	static const Ctshard__Conn empty = CTSHARD__CONN__INIT;
	Ctshard__Conn *m = arena_get(u->a, sizeof(*m));
	Ctshard__Detail *details[DETAILS];
	struct unpack in;
	const uint8_t *at;
	uint64_t tag, v;

	if (!m)
		return false;
	*m = empty;
	*to = m;
	TAKE_ALL(CONN_FIELDS)
	if (!m->n_detail)
		return true;
	m->detail = arena_get(u->a, m->n_detail * sizeof(void *));
	if (!m->detail)
		return false;
	memcpy(m->detail, details, m->n_detail * sizeof(void *));
	return true;
}

static bool take_event(struct unpack *u, Ctshard__Event **to)
{
	static const Ctshard__Event empty = CTSHARD__EVENT__INIT;
	Ctshard__Event *m = arena_get(u->a, sizeof(*m));
	struct unpack in;
	uint64_t tag, v;

	if (!m)
		return false;
	*m = empty;
	*to = m;
	TAKE_ALL(EVENT_FIELDS)
	return true;
}

#define ROWS_TAG(n) ((n) << 3 | WIRE_BYTES)

/* How many of each there are, and that there is nothing else. */
static bool rows_count(struct unpack u, size_t *conns, size_t *events)
{
	const uint8_t *at;
	uint64_t tag, v;
	size_t n;

	*conns = *events = 0;
	while (u.p < u.end) {
		if (!take_varint(&u, &tag))
			return false;
		if (tag == ROWS_TAG(5) || tag == ROWS_TAG(6)) {
			if (!take_bytes(&u, &at, &n))
				return false;
			++*(tag == ROWS_TAG(5) ? conns : events);
		} else if (tag != (1 << 3 | WIRE_VARINT) &&
		           tag != (2 << 3 | WIRE_VARINT) &&
		           tag != (12 << 3 | WIRE_VARINT)) {
			return false;
		} else if (!take_varint(&u, &v)) {
			return false;
		}
	}
	return *conns || *events;
}

static bool take_rows(struct unpack *u, Ctshard__Response *m)
{
	struct unpack in;
	uint64_t tag, v;

	while (u->p < u->end) {
		if (!take_varint(u, &tag))
			return false;
		switch (tag) {
			TAKE_UINT(u, m, 1, id)
			TAKE_BOOL(u, m, 2, end)
			TAKE_UINT(u, m, 12, now_ns)
		case ROWS_TAG(5):
			if (!take_inner(u, &in) ||
			    !take_conn(&in, &m->conn[m->n_conn++]))
				return false;
			break;
		case ROWS_TAG(6):
			if (!take_inner(u, &in) ||
			    !take_event(&in, &m->event[m->n_event++]))
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

Ctshard__Response *rows_unpack(struct frame_arena *a, const uint8_t *body,
                               size_t len)
{
	static const Ctshard__Response empty = CTSHARD__RESPONSE__INIT;
	struct unpack u = {a, body, body + len};
	Ctshard__Response *m;
	size_t conns, events;

	if (!rows_count(u, &conns, &events))
		return NULL;
	m = arena_get(a, sizeof(*m));
	if (!m)
		return NULL;
	*m = empty;
	m->conn = arena_get(a, conns * sizeof(void *));
	m->event = arena_get(a, events * sizeof(void *));
	if (!m->conn || !m->event || !take_rows(&u, m))
		return NULL;
	return m;
}

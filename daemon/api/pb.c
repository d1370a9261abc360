/*
 * pb.c - see pb.h.
 *
 * A field that does not apply is absent, so nothing here writes a zero where
 * the table knows nothing.  Time: a deadline is a tick of the table's clock,
 * and a row tells what is left of it; everything else is packet time.
 */
#include "daemon/api/pb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/tuple.h"
#include "daemon/helper/helper.h"
#include "daemon/tracker/tracker.h"
#include "shm/clock.h"
#include "shm/rate.h"
#include "shm/told.h"

#define PB_DETAILS 32u
#define PB_TEXT    640u

/* Conn.private: means something to a daemon of the same layout alone */
struct pb_private {
	uint64_t layout;
	uint8_t priv[CONN_PRIV];
	uint8_t pad[5];
	struct conn_detail detail;
};
_Static_assert(sizeof(struct pb_private) == 128, "pb_private");

struct pb_row {
	Ctshard__Event event;
	Ctshard__Audit audit;
	Ctshard__Conn conn;
	Ctshard__Tuple dir[2];
	struct tuples tuples;
	uint64_t labels[2];
	struct pb_private private;
	Ctshard__Detail detail[PB_DETAILS];
	Ctshard__Detail *details[PB_DETAILS];
	size_t used; /* of text */
	char text[PB_TEXT];
};

/* what a row is made of, be it an entry or an event */
struct facts {
	uint64_t id;
	const struct conn_key *key;
	const struct addr6 *addr6;
	uint32_t status, mark;
	uint8_t state;
	uint8_t helper;  /* number, 0 = none */
	uint64_t master; /* id, 0 = none */
	bool acct;
	const uint64_t *packets, *bytes;
	const struct conn_detail *detail; /* NULL: not known */
	const uint64_t *labels;           /* NULL: none */
	const struct conn_delta *delta;   /* NULL: none */
	uint64_t now_ns;
};

int pb_init(struct pb *b, const struct table *t, const struct policy *pol)
{
	memset(b, 0, sizeof(*b));
	b->t = t;
	b->pol = pol;
	b->row = calloc(PB_ROWS, sizeof(*b->row));
	return b->row ? 0 : -ENOMEM;
}

void pb_free(struct pb *b)
{
	free(b->row);
	b->row = NULL;
}

void pb_begin(struct pb *b)
{
	static const Ctshard__Response empty = CTSHARD__RESPONSE__INIT;

	b->resp = empty;
	b->n = 0;
	b->uses = NULL;
	b->brief = false;
	b->now_ns = table_clock_ns(b->t);
	b->now = table_tick_of(b->t, b->now_ns);
}

void pb_clear(struct pb *b)
{
	b->n = 0;
	b->resp.n_conn = b->resp.n_event = 0;
}

Ctshard__Response *pb_response(struct pb *b)
{
	b->resp.conn = b->conn;
	b->resp.event = b->event;
	b->resp.has_now_ns = b->resp.n_conn || b->resp.n_event;
	b->resp.now_ns = b->now_ns;
	return &b->resp;
}

bool pb_expired(const struct pb *b, const struct conn_view *v)
{
	return tick_expired(v->conn.deadline, b->now);
}

void pb_source_name(uint32_t slot, char *buf, size_t len)
{
	if (slot == SLOT_REAPER)
		snprintf(buf, len, "ring.reaper");
	else
		snprintf(buf, len, "ring.worker%u", slot);
}

/* ---- details: ours, what `wide` prints ---- */

static char *row_room(struct pb_row *r, size_t *left)
{
	*left = sizeof(r->text) - r->used;
	return r->text + r->used;
}

/* A copy: messages point to what may be written, names may not.  NULL: no room.
 */
static char *row_text(struct pb_row *r, const char *s)
{
	size_t left, n = strlen(s) + 1;
	char *at = row_room(r, &left);

	if (n > left)
		return NULL;
	memcpy(at, s, n);
	r->used += n;
	return at;
}

static void detail_add(struct pb_row *r, char *key, char *value)
{
	static const Ctshard__Detail empty = CTSHARD__DETAIL__INIT;
	Ctshard__Detail *d;

	if (r->conn.n_detail == PB_DETAILS)
		return;
	d = &r->detail[r->conn.n_detail];
	*d = empty;
	d->key = key;
	d->value = value;
	r->details[r->conn.n_detail++] = d;
	r->conn.detail = r->details;
}

static void detail_number(struct pb_row *r, const char *key, uint64_t value)
{
	char text[21], *p = text + sizeof(text) - 1, *k, *v;
	size_t used = r->used;

	if (!value)
		return;
	*p = '\0';
	for (; value; value /= 10)
		*--p = (char)('0' + value % 10);
	k = row_text(r, key);
	v = k ? row_text(r, p) : NULL;
	if (v)
		detail_add(r, k, v);
	else
		r->used = used;
}

/* X(member, "key of the original direction", "of the reply") */
#define DETAIL_PAIRS(X)                                         \
	X(rtt_us, "rtt_us_orig", "rtt_us_reply")                \
	X(retrans, "retrans_orig", "retrans_reply")             \
	X(disorder, "disorder_orig", "disorder_reply")          \
	X(zero_window, "zero_window_orig", "zero_window_reply") \
	X(resets, "resets_orig", "resets_reply")

/* X(member, "key") */
#define DETAIL_NUMBERS(X) \
	X(vlan, "vlan")   \
	X(iface, "iface") \
	X(dups, "dups")

/* `now_ns`: what rates are seen from */
static void row_detail(struct pb_row *r, const struct conn_detail *x,
                       uint64_t now_ns)
{
	unsigned int i;
	uint32_t repairs = 0;

#define X(member, orig, reply)                \
	detail_number(r, orig, x->member[0]); \
	detail_number(r, reply, x->member[1]);
	DETAIL_PAIRS(X)
#undef X
#define X(member, key) detail_number(r, key, x->member);
	DETAIL_NUMBERS(X)
#undef X
	for (i = 0; i < ARRAY_SIZE(x->repairs); i++)
		repairs += x->repairs[i];
	detail_number(r, "repairs", repairs);
	detail_number(r, "rate_orig", rate_of(x, 0, now_ns));
	detail_number(r, "rate_reply", rate_of(x, 1, now_ns));
}

static void detail_word(struct pb_row *r, const char *key, const char *word)
{
	size_t left;
	char *at = row_room(r, &left);
	int n = snprintf(at, left, "%s%c%s", key, 0, word);

	if (n < 0 || (size_t)n >= left)
		return;
	r->used += (size_t)n + 1;
	detail_add(r, at, at + strlen(key) + 1);
}

/* What tcp.mode = mirror knows of a connection (F138). */
static void row_mirror(struct pb_row *r, uint32_t status)
{
	static const char *const dirs[8] = {
#define X(name, word) [CONN_DIR_##name] = word,
		CONN_DIRS(X)
#undef X
	};
	static const char *const fixes[] = {
#define X(name, word) "," word,
		CONN_FIXES(X)
#undef X
	};
	const char *dir = dirs[(status & CONN_DIR_MASK) >> CONN_DIR_SHIFT];
	char text[64] = "";
	unsigned int i;

	if (dir && *dir)
		detail_word(r, "direction", dir);
	for (i = 0; i < CONN_NFIX; i++)
		if (status >> (CONN_FIX_SHIFT + i) & 1)
			strncat(text, fixes[i],
			        sizeof(text) - strlen(text) - 1);
	if (*text)
		detail_word(r, "repaired", text + 1);
	if (status & CONN_ONE_WAY)
		detail_word(r, "one_way", "1");
	if (status & CONN_DOUBLED)
		detail_word(r, "doubled", "1");
}

/* The tracker's own words: "key=value key=value", cut up in place. */
static void row_describe(const struct pb *b, struct pb_row *r,
                         const struct conn *c)
{
	uint8_t id;
	const struct tracker *trk = tracker_find(b->pol, c->key.l4proto, &id);
	size_t left;
	char *at = row_room(r, &left), *word, *save = NULL, *eq;
	int n;

	if (!trk->describe || left < 2)
		return;
	n = trk->describe(c, at, left);
	if (n <= 0 || (size_t)n >= left)
		return;
	r->used += (size_t)n + 1;
	for (word = strtok_r(at, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		eq = strchr(word, '=');
		if (!eq)
			continue;
		*eq = '\0';
		detail_add(r, word, eq + 1);
	}
}

/* ---- rows ---- */

static struct pb_row *row_new(struct pb *b)
{
	static const Ctshard__Conn conn = CTSHARD__CONN__INIT;
	static const Ctshard__Tuple tuple = CTSHARD__TUPLE__INIT;
	struct pb_row *r = &b->row[b->n++];

	r->conn = conn;
	r->dir[0] = tuple;
	r->dir[1] = tuple;
	r->used = 0;
	return r;
}

static void row_tuple(struct pb_row *r, unsigned int d)
{
	Ctshard__Tuple *m = &r->dir[d];
	struct tuple *t = &r->tuples.dir[d];

	m->has_src = m->has_dst = 1;
	m->src.len = m->dst.len = r->tuples.addr_len;
	m->src.data = t->addr[0];
	m->dst.data = t->addr[1];
	switch (r->tuples.kind) {
	case TUPLE_ADDRESSES:
		break;
	case TUPLE_PORTS:
		m->has_sport = m->has_dport = 1;
		m->sport = t->port[0];
		m->dport = t->port[1];
		break;
	case TUPLE_TYPE:
		m->has_type = m->has_code = m->has_icmp_id = 1;
		m->type = t->type;
		m->code = t->code;
		m->icmp_id = t->id;
		break;
	case TUPLE_KEYS:
		m->has_srckey = m->has_dstkey = 1;
		m->srckey = t->port[0];
		m->dstkey = t->port[1];
		break;
	}
}

static char *row_name(struct pb_row *r, const char *name)
{
	return name ? row_text(r, name) : NULL;
}

static void row_names(struct pb_row *r, const struct facts *f)
{
	const char *proto = tracker_proto_name(f->key->l4proto);

	if (strcmp(proto, "unknown") != 0)
		r->conn.proto = row_name(r, proto);
	r->conn.state =
		row_name(r, tracker_state_name(f->key->l4proto, f->state));
	r->conn.helper = row_name(r, helper_name(f->helper));
}

/* F048: a zone of one direction stands with its tuple, 0 nowhere */
static void row_zones(struct pb_row *r, const struct facts *f)
{
	const struct conn_key *k = f->key;
	unsigned int d;

	if (!(k->flags & KEY_ZONE_DIR)) {
		r->conn.has_zone = k->zone != 0;
		r->conn.zone = k->zone;
		return;
	}
	for (d = 0; d < 2; d++) {
		r->dir[d].zone = key_zone(k, d);
		r->dir[d].has_zone = r->dir[d].zone != 0;
	}
}

static void row_labels(struct pb_row *r, const uint64_t *labels)
{
	if (!labels || !(labels[0] | labels[1]))
		return;
	memcpy(r->labels, labels, sizeof(r->labels));
	r->conn.has_labels = 1;
	r->conn.labels.len = sizeof(r->labels);
	r->conn.labels.data = (uint8_t *)r->labels;
}

static void row_fill(struct pb *b, struct pb_row *r, const struct facts *f)
{
	Ctshard__Conn *m = &r->conn;
	unsigned int d;

	tuples_of(&r->tuples, b->pol, f->key, f->addr6, f->status);
	m->original = &r->dir[0];
	m->reply = &r->dir[1];
	for (d = 0; d < 2; d++) {
		row_tuple(r, d);
		if (!f->acct)
			continue;
		r->dir[d].has_packets = r->dir[d].has_bytes = 1;
		r->dir[d].packets = f->packets[d];
		r->dir[d].bytes = f->bytes[d];
		if (!f->delta)
			continue;
		r->dir[d].has_delta_packets = r->dir[d].has_delta_bytes = 1;
		r->dir[d].delta_packets = f->delta->packets[d];
		r->dir[d].delta_bytes = delta_bytes(f->delta, d);
	}
	row_names(r, f);
	m->has_id = m->has_l3 = m->has_protonum = 1;
	m->id = f->id;
	m->l3 = f->key->flags & KEY_V6 ? 6 : 4;
	m->protonum = f->key->l4proto;
	m->has_status = m->has_mark = 1;
	m->status = f->status & CONN_CTA_MASK;
	m->mark = f->mark;
	row_zones(r, f);
	row_labels(r, f->labels);
	m->has_use = 1;
	m->use = 1 + (b->uses ? uses_of(b->uses, f->id) : 0);
	m->has_master = f->master != 0;
	m->master = f->master;
	m->has_shard = 1;
	m->shard = conn_id_shard(f->id);
	if (f->detail && !b->brief)
		row_detail(r, f->detail, f->now_ns);
	if (f->status & CONN_MIRROR && !b->brief)
		row_mirror(r, f->status);
}

/* A tick as time of day; ticks wrap, so it is reckoned back from `at`. */
static uint64_t tick_ns(const struct pb *b, uint32_t tick, uint64_t at)
{
	return at - (uint64_t)(table_tick_of(b->t, at) - tick) * NS_PER_MS;
}

static void row_times(struct pb_row *r, const struct conn_detail *x,
                      uint64_t start_ns)
{
	r->conn.has_start_ns = 1;
	r->conn.start_ns = x && x->start_ns ? x->start_ns : start_ns;
	if (x && x->last_ns) {
		r->conn.has_last_ns = 1;
		r->conn.last_ns = x->last_ns;
	}
}

static struct pb_row *row_view(struct pb *b, const struct conn_view *v)
{
	const struct conn *c = &v->conn;
	const struct conn_detail *x = b->t->detail ? &v->detail : NULL;
	struct pb_row *r = row_new(b);
	const struct facts f = {
		.id = conn_id(c->gen, v->shard, v->idx),
		.key = &c->key,
		.addr6 = &v->addr6,
		.status = c->status,
		.mark = c->mark,
		.state = c->state,
		.acct = c->status & CONN_ACCT,
		.packets = c->packets,
		.bytes = c->bytes,
		.detail = x,
		.labels = c->ext ? v->ext.labels : NULL,
		.helper = c->ext ? v->ext.helper : 0,
		.master = c->ext ? v->ext.master : 0,
		.now_ns = b->now_ns,
	};
	int64_t left = tick_left(c->deadline, b->now);

	row_fill(b, r, &f);
	row_times(r, x, tick_ns(b, c->start, b->now_ns));
	if (!b->brief)
		row_describe(b, r, c);
	r->conn.has_timeout_ms = left > 0;
	r->conn.timeout_ms = left > 0 ? (uint64_t)left : 0;
	r->conn.has_timestamp = (c->status & CONN_TIMESTAMP) != 0;
	r->conn.timestamp = (c->status & CONN_TIMESTAMP) != 0;
	r->conn.has_version = 1;
	r->conn.version = c->seq;
	return r;
}

void pb_conn(struct pb *b, const struct conn_view *v)
{
	b->conn[b->resp.n_conn++] = &row_view(b, v)->conn;
}

bool pb_parent(struct pb *b, uint64_t id, Ctshard__Parent *to)
{
	static const Ctshard__Parent empty = CTSHARD__PARENT__INIT;
	uint32_t sh = conn_id_shard(id), idx = conn_id_idx(id);
	struct conn_view v;
	struct pb_row *r;

	if (sh >= b->t->nshard || !idx || idx >= b->t->cap ||
	    conn_read(b->t, sh, idx, &v) <= 0 ||
	    v.conn.gen != conn_id_gen(id) || pb_expired(b, &v))
		return false;
	r = row_view(b, &v);
	*to = empty;
	to->has_l3 = to->has_protonum = 1;
	to->l3 = r->conn.l3;
	to->protonum = r->conn.protonum;
	to->original = &r->dir[0];
	to->original->has_packets = to->original->has_bytes = 0;
	to->has_zone = to->has_reply_zone = v.conn.key.zone != 0;
	to->zone = key_zone(&v.conn.key, 0);
	to->reply_zone = key_zone(&v.conn.key, 1);
	return true;
}

void pb_whole(struct pb *b, const struct conn_view *v)
{
	struct pb_row *r = row_view(b, v);
	struct pb_private *p = &r->private;

	memset(p, 0, sizeof(*p));
	p->layout = layout_hash();
	memcpy(p->priv, v->conn.priv, sizeof(p->priv));
	if (b->t->detail)
		p->detail = v->detail;
	r->conn.has_private_ = 1;
	r->conn.private_.len = sizeof(*p);
	r->conn.private_.data = (uint8_t *)p;
	b->conn[b->resp.n_conn++] = &r->conn;
}

bool pb_private_read(const ProtobufCBinaryData *from, uint8_t priv[CONN_PRIV],
                     struct conn_detail *x)
{
	struct pb_private p;

	if (from->len != sizeof(p))
		return false;
	memcpy(&p, from->data, sizeof(p));
	if (p.layout != layout_hash())
		return false;
	memcpy(priv, p.priv, sizeof(p.priv));
	*x = p.detail;
	return true;
}

/* ---- events ---- */

static Ctshard__Event *event_new(struct pb *b, struct pb_row *r,
                                 Ctshard__EventType type)
{
	static const Ctshard__Event empty = CTSHARD__EVENT__INIT;

	r->event = empty;
	r->event.has_type = 1;
	r->event.type = type;
	b->event[b->resp.n_event++] = &r->event;
	return &r->event;
}

void pb_list(struct pb *b, const struct conn_view *v, uint64_t shard_seq)
{
	struct pb_row *r = row_view(b, v);
	Ctshard__Event *e = event_new(b, r, CTSHARD__EVENT_TYPE__LIST);

	e->conn = &r->conn;
	e->has_time_ns = 1;
	e->time_ns = b->now_ns;
	r->conn.has_shard_seq = 1;
	r->conn.shard_seq = shard_seq;
}

/* nothing but a number, and the time that it is of */
static void pb_number(struct pb *b, Ctshard__EventType type, uint64_t seq)
{
	Ctshard__Event *e = event_new(b, row_new(b), type);

	e->has_seq = 1;
	e->seq = seq;
	e->has_time_ns = 1;
	e->time_ns = b->now_ns;
}

void pb_list_end(struct pb *b, uint64_t seq)
{
	pb_number(b, CTSHARD__EVENT_TYPE__LIST_END, seq);
}

void pb_position(struct pb *b, uint64_t seq)
{
	pb_number(b, CTSHARD__EVENT_TYPE__POSITION, seq);
}

void pb_gap(struct pb *b, uint64_t from, uint64_t to, const char *source)
{
	struct pb_row *r = row_new(b);
	Ctshard__Event *e = event_new(b, r, CTSHARD__EVENT_TYPE__GAP);

	snprintf(r->text, sizeof(r->text), "%s", source);
	e->source = r->text;
	e->has_from = e->has_to = e->has_lost = 1;
	e->from = from;
	e->to = to;
	e->lost = to > from ? to - from - 1 : 0;
}

static char *reason_name(uint8_t reason)
{
	static char names[REASON_COUNT][16] = {
#define X(name, word) [REASON_##name] = word,
		CONN_REASONS(X)
#undef X
	};

	return reason > REASON_NONE && reason < REASON_COUNT ? names[reason]
	                                                     : NULL;
}

/* Where the delta stands was something else, which is told elsewhere. */
static const struct conn_detail *event_detail(const struct event_slot *s,
                                              struct conn_detail *room)
{
	uint32_t repairs = s->cell.len & 0xffff;
	unsigned int i;

	if (!(s->cell.flags & EVENT_F_DELTA))
		return &s->more.detail;
	*room = s->more.detail;
	memset(&room->delta, 0, sizeof(room->delta));
	for (i = 0; i < ARRAY_SIZE(room->repairs) && repairs; i++) {
		room->repairs[i] = (uint8_t)(repairs < 255 ? repairs : 255);
		repairs -= room->repairs[i];
	}
	room->dups = (uint8_t)(s->cell.len >> 16);
	room->vlan = s->cell.vlan;
	room->iface = s->cell.iface;
	return room;
}

/* What was counted since the connection was last told of; a DESTROY has it in
 * any case, if long ones are told of at all. */
static const struct conn_delta *event_delta(const struct pb *b,
                                            const struct event_slot *s,
                                            struct conn_delta *room)
{
	unsigned int i;

	if (s->cell.cells == 2 && s->cell.flags & EVENT_F_DELTA)
		return &s->more.detail.delta;
	if (s->cell.cells != 2 || s->cell.type != EVENT_DESTROY ||
	    !b->pol->active_timeout)
		return NULL;
	for (i = 0; i < 2; i++)
		delta_set(room, i, s->more.packets[i], s->more.bytes[i]);
	return room;
}

/* one cell has no counters: the first packet is all there was (F249) */
static void event_conn(struct pb *b, struct pb_row *r,
                       const struct event_slot *s)
{
	const struct event_cell *c = &s->cell;
	bool more = c->cells == 2;
	const uint64_t first_packets[2] = {1, 0}, first_bytes[2] = {c->len, 0};
	struct conn_detail plain;
	struct conn_delta rest;
	const struct conn_detail *x =
		more && b->t->detail ? event_detail(s, &plain) : NULL;
	const struct facts f = {
		.delta = event_delta(b, s, &rest),
		.id = c->id,
		.key = &c->key,
		.addr6 = &c->addr6,
		.status = c->status,
		.mark = c->mark,
		.state = c->state,
		.acct = (c->flags & EVENT_F_ACCT) && (more || c->len),
		.packets = more ? s->more.packets : first_packets,
		.bytes = more ? s->more.bytes : first_bytes,
		.detail = x,
		.labels = more ? s->more.labels : NULL,
		.helper = c->helper,
		.master = more ? s->more.master : 0,
		.now_ns = c->ts_ns,
	};

	row_fill(b, r, &f);
	row_times(r, x,
	          c->type == EVENT_NEW ? c->ts_ns
	                               : tick_ns(b, c->start, c->ts_ns));
	r->conn.has_timeout_ms = c->left_ms != 0;
	r->conn.timeout_ms = c->left_ms;
	r->conn.has_timestamp = (c->flags & EVENT_F_TIMESTAMP) != 0;
	r->conn.timestamp = (c->flags & EVENT_F_TIMESTAMP) != 0;
	r->conn.has_version = r->conn.has_shard_seq = 1;
	r->conn.version = c->ver;
	r->conn.shard_seq = c->shard_seq;
	if (c->type == EVENT_DESTROY) {
		r->conn.has_stop_ns = 1;
		r->conn.stop_ns = c->ts_ns;
		r->conn.reason = reason_name(c->reason);
	}
	if (!x && !b->brief) {
		detail_number(r, "vlan", c->vlan);
		detail_number(r, "iface", c->iface);
	}
}

void pb_ended(struct pb *b, const struct event_slot *s, uint64_t start_ns)
{
	struct pb_row *r = row_new(b);

	event_conn(b, r, s);
	r->conn.has_start_ns = 1;
	r->conn.start_ns = start_ns;
	/* of a table that may be another one by now */
	r->conn.has_version = r->conn.has_shard_seq = 0;
	r->conn.has_use = 0;
	b->conn[b->resp.n_conn++] = &r->conn;
}

static void pb_audit(struct pb *b, const struct event_slot *s)
{
	static const Ctshard__Audit none = CTSHARD__AUDIT__INIT;
	struct pb_row *r = row_new(b);
	Ctshard__Event *e = event_new(b, r, CTSHARD__EVENT_TYPE__AUDIT);
	struct event_audit x;

	memcpy(&x, &s->more, sizeof(x));
	x.text[sizeof(x.text) - 1] = '\0';
	snprintf(r->text, sizeof(r->text), "%s", x.text);
	r->audit = none;
	r->audit.has_uid = r->audit.has_pid = 1;
	r->audit.uid = (uint32_t)(s->cell.id >> 32);
	r->audit.pid = (uint32_t)s->cell.id;
	r->audit.request = r->text;
	e->has_seq = e->has_time_ns = 1;
	e->seq = s->cell.gseq;
	e->time_ns = s->cell.ts_ns;
	e->audit = &r->audit;
}

void pb_event(struct pb *b, const struct event_slot *s)
{
	static const Ctshard__EventType types[] = {
		[EVENT_NEW] = CTSHARD__EVENT_TYPE__NEW,
		[EVENT_UPDATE] = CTSHARD__EVENT_TYPE__UPDATE,
		[EVENT_DESTROY] = CTSHARD__EVENT_TYPE__DESTROY,
	};
	struct pb_row *r;
	Ctshard__Event *e;

	if (s->cell.type == EVENT_GAP) {
		char name[24];

		pb_source_name(s->cell.source, name, sizeof(name));
		pb_gap(b, s->cell.gseq - s->cell.id, s->cell.gseq + 1, name);
		return;
	}
	if (s->cell.type == EVENT_AUDIT) {
		pb_audit(b, s);
		return;
	}
	r = row_new(b);
	e = event_new(b, r, types[s->cell.type % ARRAY_SIZE(types)]);
	e->has_seq = e->has_time_ns = e->has_bits = 1;
	e->seq = s->cell.gseq;
	e->time_ns = s->cell.ts_ns;
	e->bits = s->cell.bits;
	e->has_restored = (s->cell.flags & EVENT_F_RESTORED) != 0;
	e->restored = e->has_restored;
	event_conn(b, r, s);
	e->conn = &r->conn;
}

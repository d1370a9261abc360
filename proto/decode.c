/*
 * decode.c - messages of the daemon to the plain structs of ctshard.h.
 *
 * The daemon is trusted to speak the schema, not to be right: lengths of
 * addresses, labels and tables are checked here, once, so that a printer may
 * use every struct as it stands.
 */
#include "proto/client.h"

#include <string.h>

static int decode_addr(uint8_t to[16], const ProtobufCBinaryData *b,
                       uint32_t l3)
{
	if (b->len != (l3 == 4 ? 4 : 16))
		return -1;
	memcpy(to, b->data, b->len);
	return 0;
}

int decode_tuple(struct ctshard_tuple *t, const Ctshard__Tuple *p, uint32_t l3)
{
	t->has = 0;
	if (!p || decode_addr(t->src, &p->src, l3) ||
	    decode_addr(t->dst, &p->dst, l3))
		return -1;
	if (p->has_sport || p->has_dport)
		t->has |= CTSHARD_TUPLE_PORTS;
	if (p->has_type || p->has_code || p->has_icmp_id)
		t->has |= CTSHARD_TUPLE_ICMP;
	if (p->has_srckey || p->has_dstkey)
		t->has |= CTSHARD_TUPLE_GRE;
	if (p->has_packets || p->has_bytes)
		t->has |= CTSHARD_TUPLE_COUNTER;
	if (p->has_zone)
		t->has |= CTSHARD_TUPLE_ZONE;
	if (p->has_delta_packets && p->has_delta_bytes)
		t->has |= CTSHARD_TUPLE_DELTA;
	t->delta_packets = p->delta_packets;
	t->delta_bytes = p->delta_bytes;
	t->sport = p->sport;
	t->dport = p->dport;
	t->type = p->type;
	t->code = p->code;
	t->icmp_id = p->icmp_id;
	t->srckey = p->srckey;
	t->dstkey = p->dstkey;
	t->zone = p->zone;
	t->packets = p->packets;
	t->bytes = p->bytes;
	return 0;
}

const char *decode_word(const char *s)
{
	return s && *s ? s : NULL;
}

int decode_details(size_t *n, const struct ctshard_detail **to, size_t n_from,
                   Ctshard__Detail *const *from, struct frame_arena *a)
{
	struct ctshard_detail *d;
	size_t i;

	*n = 0;
	*to = NULL;
	if (!n_from)
		return 0;
	d = arena_get(a, n_from * sizeof(*d));
	if (!d)
		return -1;
	for (i = 0; i < n_from; i++) {
		d[i].key = from[i]->key ? from[i]->key : "";
		d[i].value = from[i]->value ? from[i]->value : "";
	}
	*n = n_from;
	*to = d;
	return 0;
}

static uint32_t decode_has(const Ctshard__Conn *p)
{
	return (p->has_timeout_ms ? CTSHARD_CONN_TIMEOUT : 0) |
	       (p->has_mark ? CTSHARD_CONN_MARK : 0) |
	       (p->has_zone ? CTSHARD_CONN_ZONE : 0) |
	       (p->has_master ? CTSHARD_CONN_MASTER : 0) |
	       (p->has_start_ns ? CTSHARD_CONN_START : 0) |
	       (p->has_last_ns ? CTSHARD_CONN_LAST : 0) |
	       (p->has_stop_ns ? CTSHARD_CONN_STOP : 0) |
	       (p->has_use ? CTSHARD_CONN_USE : 0) |
	       (p->has_shard ? CTSHARD_CONN_SHARD : 0) |
	       (p->has_version ? CTSHARD_CONN_VERSION : 0);
}

static int decode_labels(struct ctshard_conn *c, const Ctshard__Conn *p)
{
	if (!p->has_labels || !p->labels.len)
		return 0;
	if (p->labels.len != sizeof(c->labels))
		return -1;
	memcpy(c->labels, p->labels.data, sizeof(c->labels));
	c->has |= CTSHARD_CONN_LABELS;
	return 0;
}

static const char *decode_conn(struct ctshard_conn *c, const Ctshard__Conn *p,
                               struct frame_arena *a, uint64_t now_ns)
{
	if (p->l3 != 4 && p->l3 != 6)
		return "a connection of no known family";
	c->has = decode_has(p);
	c->id = p->id;
	c->l3 = p->l3;
	c->protonum = p->protonum;
	c->proto = decode_word(p->proto);
	c->state = decode_word(p->state);
	c->status = p->status;
	c->timeout_ms = p->timeout_ms;
	c->mark = p->mark;
	c->zone = p->zone;
	c->helper = decode_word(p->helper);
	c->master = p->master;
	c->start_ns = p->start_ns;
	c->last_ns = p->last_ns;
	c->stop_ns = p->stop_ns;
	c->reason = decode_word(p->reason);
	c->use = p->use;
	c->timestamp = p->timestamp;
	c->shard = p->shard;
	c->shard_seq = p->shard_seq;
	c->version = p->version;
	c->now_ns = now_ns;
	c->private_data = p->has_private_ ? p->private_.data : NULL;
	c->private_len = p->has_private_ ? p->private_.len : 0;
	if (decode_tuple(&c->dir[0], p->original, p->l3) ||
	    decode_tuple(&c->dir[1], p->reply, p->l3))
		return "a connection with a bad address";
	if (decode_labels(c, p))
		return "a connection with bad labels";
	return decode_details(&c->n_detail, &c->detail, p->n_detail, p->detail,
	                      a)
	               ? "too many details"
	               : NULL;
}

static int decode_conns(const Ctshard__Response *r, struct frame_arena *a,
                        const struct ctshard_handler *h, const char **why)
{
	struct ctshard_conn c;
	size_t i;

	for (i = 0; h->conn && i < r->n_conn; i++) {
		*why = decode_conn(&c, r->conn[i], a, r->now_ns);
		if (*why)
			return -1;
		if (h->conn(h->arg, &c))
			return 1;
	}
	return 0;
}

static const char *decode_expect(struct ctshard_expect *x,
                                 const Ctshard__Expect *p)
{
	if (p->l3 != 4 && p->l3 != 6)
		return "an expectation of no known family";
	x->id = p->id;
	x->l3 = p->l3;
	x->protonum = p->protonum;
	x->proto = decode_word(p->proto);
	x->timeout_ms = p->timeout_ms;
	x->master_protonum = p->master_protonum;
	x->master_id = p->master_id;
	x->zone = p->zone;
	x->flags = p->flags;
	x->class_id = p->class_;
	x->class_name = decode_word(p->class_name);
	x->helper = decode_word(p->helper);
	x->assign = decode_word(p->assign);
	if (decode_tuple(&x->tuple, p->tuple, p->l3) ||
	    decode_tuple(&x->mask, p->mask, p->l3) ||
	    decode_tuple(&x->master, p->master, p->l3))
		return "an expectation with a bad address";
	return NULL;
}

static int decode_expects(const Ctshard__Response *r,
                          const struct ctshard_handler *h, const char **why)
{
	struct ctshard_expect x;
	size_t i;

	for (i = 0; h->expect && i < r->n_expect; i++) {
		*why = decode_expect(&x, r->expect[i]);
		if (*why)
			return -1;
		if (h->expect(h->arg, &x))
			return 1;
	}
	return 0;
}

/* what an event is about, where its conn and expect are put */
struct decode_room {
	struct ctshard_audit audit;
	struct ctshard_conn conn;
	struct ctshard_expect expect;
};

static const char *decode_event(struct ctshard_event *e, struct decode_room *to,
                                const Ctshard__Event *p, struct frame_arena *a,
                                uint64_t now_ns)
{
	e->type = (enum ctshard_event_type)p->type;
	e->seq = p->seq;
	e->time_ns = p->time_ns;
	e->bits = p->bits;
	e->from = p->from;
	e->to = p->to;
	e->lost = p->lost;
	e->source = decode_word(p->source);
	e->restored = p->has_restored && p->restored;
	e->conn = NULL;
	e->expect = NULL;
	e->audit = NULL;
	if (p->audit) {
		e->audit = &to->audit;
		to->audit.uid = p->audit->uid;
		to->audit.pid = p->audit->pid;
		to->audit.request = p->audit->request ? p->audit->request : "";
		return NULL;
	}
	if (p->type == CTSHARD__EVENT_TYPE__AUDIT)
		return "an audit of nothing";
	if (p->type == CTSHARD__EVENT_TYPE__GAP ||
	    p->type == CTSHARD__EVENT_TYPE__LIST_END ||
	    p->type == CTSHARD__EVENT_TYPE__POSITION)
		return NULL;
	if (p->expect) {
		e->expect = &to->expect;
		return decode_expect(&to->expect, p->expect);
	}
	if (!p->conn)
		return "an event without its connection";
	e->conn = &to->conn;
	return decode_conn(&to->conn, p->conn, a, now_ns);
}

static int decode_events(const Ctshard__Response *r, struct frame_arena *a,
                         const struct ctshard_handler *h, const char **why)
{
	struct ctshard_event e;
	struct decode_room room;
	size_t i;
	int type;

	for (i = 0; h->event && i < r->n_event; i++) {
		type = (int)r->event[i]->type;
		/* a newer daemon may know more kinds */
		if (type < CTSHARD_NEW || type > CTSHARD_AUDIT)
			continue;
		*why = decode_event(&e, &room, r->event[i], a, r->now_ns);
		if (*why)
			return -1;
		if (h->event(h->arg, &e))
			return 1;
	}
	return 0;
}

static int decode_counts(const Ctshard__Response *r,
                         const struct ctshard_handler *h)
{
	struct ctshard_count row;
	size_t i;

	for (i = 0; h->count && i < r->n_count; i++) {
		row.key = decode_word(r->count[i]->key);
		row.count = r->count[i]->count;
		if (h->count(h->arg, &row))
			return 1;
	}
	return 0;
}

static int decode_scope(const Ctshard__Scope *s,
                        const struct ctshard_handler *h)
{
	struct ctshard_counter row;
	size_t i;

	row.total = !s->has_worker;
	row.worker = s->worker;
	/* a callback may have ended the request */
	for (i = 0; h->counter && i < s->n_counter; i++) {
		row.name = decode_word(s->counter[i]->name);
		row.value = s->counter[i]->value;
		if (row.name && h->counter(h->arg, &row))
			return 1;
	}
	return 0;
}

static int decode_table(const Ctshard__Table *t,
                        const struct ctshard_handler *h)
{
	struct ctshard_table table;
	struct ctshard_row row;
	size_t i;

	table.name = t->name ? t->name : "";
	table.columns = t->n_column;
	table.column = (const char *const *)t->column;
	if (h->table && h->table(h->arg, &table))
		return 1;
	row.table = &table;
	for (i = 0; h->row && i < t->n_row; i++) {
		row.cells = t->row[i]->n_cell;
		row.cell = (const char *const *)t->row[i]->cell;
		if (h->row(h->arg, &row))
			return 1;
	}
	return 0;
}

static int decode_rest(const Ctshard__Response *r,
                       const struct ctshard_handler *h)
{
	size_t i;

	for (i = 0; h->counter && i < r->n_scope; i++)
		if (decode_scope(r->scope[i], h))
			return 1;
	for (i = 0; i < r->n_table; i++)
		if (decode_table(r->table[i], h))
			return 1;
	for (i = 0; h->fault && i < r->n_fault; i++)
		if (h->fault(h->arg,
		             r->fault[i]->text ? r->fault[i]->text : ""))
			return 1;
	if (h->text && r->has_text &&
	    h->text(h->arg, (const char *)r->text.data, r->text.len))
		return 1;
	if (h->affected && r->has_affected)
		return !!h->affected(h->arg, r->affected);
	return 0;
}

int decode_response(const Ctshard__Response *r, struct frame_arena *a,
                    const struct ctshard_handler *h, const char **why)
{
	int rc = decode_conns(r, a, h, why);

	if (!rc)
		rc = decode_events(r, a, h, why);
	if (!rc)
		rc = decode_expects(r, h, why);
	if (!rc)
		rc = decode_traces(r, a, h, why);
	if (!rc)
		rc = decode_counts(r, h);
	if (!rc)
		rc = decode_rest(r, h);
	return rc;
}

int decode_error(const Ctshard__Error *e)
{
	switch (e->code) {
	case CTSHARD__ERROR_CODE__OK:
		return 0;
	case CTSHARD__ERROR_CODE__BAD_REQUEST:
		return CTSHARD_EREQUEST;
	case CTSHARD__ERROR_CODE__DENIED:
		return CTSHARD_EDENIED;
	case CTSHARD__ERROR_CODE__NOT_FOUND:
		return CTSHARD_ENOTFOUND;
	case CTSHARD__ERROR_CODE__BUSY:
		return CTSHARD_EBUSY;
	case CTSHARD__ERROR_CODE__UNSUPPORTED:
		return CTSHARD_EUNSUPPORTED;
	default: /* FAILED, and codes of a newer daemon */
		return CTSHARD_EFAILED;
	}
}

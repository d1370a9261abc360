/* request.c - option structs of ctshard.h to requests. */
#include "proto/client.h"

#include <string.h>

/* The messages that a filter needs besides itself. */
struct request_filter {
	Ctshard__Filter f;
#define X(name, member) Ctshard__Filter__Net member;
	CTSHARD_FILTER_NETS(X)
#undef X
#define X(name, member) Ctshard__Filter__Range member;
	CTSHARD_FILTER_RANGES(X)
#undef X
};

/* protobuf-c's members are not const, though packing only reads them */
static ProtobufCBinaryData request_bytes(const uint8_t *p, size_t len)
{
	ProtobufCBinaryData b = {.len = len};

	memcpy(&b.data, &p, sizeof(p));
	return b;
}

static char *request_text(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

static void request_net(Ctshard__Filter__Net *to, const struct ctshard_net *n)
{
	ctshard__filter__net__init(to);
	to->has_addr = 1;
	/* the daemon refuses what is neither 4 nor 16 */
	to->addr =
		request_bytes(n->addr, n->len <= sizeof(n->addr) ? n->len : 0);
	to->has_prefix = 1;
	to->prefix = n->prefix;
}

static void request_range(Ctshard__Filter__Range *to,
                          const struct ctshard_range *r)
{
	ctshard__filter__range__init(to);
	to->has_from = 1;
	to->from = r->from;
	to->has_to = 1;
	to->to = r->to;
}

static Ctshard__Filter *request_filter(struct request_filter *to,
                                       const struct ctshard_filter *f)
{
	if (!f)
		return NULL;
	ctshard__filter__init(&to->f);
#define X(name, member, type)                    \
	if (f->has & CTSHARD_FILTER_HAS(name)) { \
		to->f.has_##member = 1;          \
		to->f.member = f->member;        \
	}
	CTSHARD_FILTER_SCALARS(X)
#undef X
#define X(name, member)                               \
	if (f->has & CTSHARD_FILTER_HAS(name)) {      \
		request_net(&to->member, &f->member); \
		to->f.member = &to->member;           \
	}
	CTSHARD_FILTER_NETS(X)
#undef X
#define X(name, member)                                 \
	if (f->has & CTSHARD_FILTER_HAS(name)) {        \
		request_range(&to->member, &f->member); \
		to->f.member = &to->member;             \
	}
	CTSHARD_FILTER_RANGES(X)
#undef X
	if (f->has & CTSHARD_FILTER_HAS(STATE))
		to->f.state = request_text(f->state);
	if (f->has & CTSHARD_FILTER_HAS(EXPRESSION))
		to->f.expression = request_text(f->expression);
	if (f->has & CTSHARD_FILTER_HAS(LABELS)) {
		to->f.has_labels = 1;
		to->f.labels = request_bytes(f->labels, sizeof(f->labels));
	}
	return &to->f;
}

static void request_list(Ctshard__List *m, struct request_filter *f,
                         const struct ctshard_list_opts *o)
{
	ctshard__list__init(m);
	m->filter = request_filter(f, o ? o->filter : NULL);
	if (o && o->limit) {
		m->has_limit = 1;
		m->limit = o->limit;
	}
	m->has_whole = m->whole = o && o->whole;
	m->has_brief = m->brief = o && o->brief;
}

int ctshard_list(struct ctshard *c, const struct ctshard_list_opts *o,
                 const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	struct request_filter f;
	Ctshard__List m;

	request_list(&m, &f, o);
	r.body_case = CTSHARD__REQUEST__BODY_LIST;
	r.list = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_expect_list(struct ctshard *c, const struct ctshard_list_opts *o,
                        const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__ExpectList x = CTSHARD__EXPECT_LIST__INIT;
	struct request_filter f;
	Ctshard__List m;

	request_list(&m, &f, o);
	x.list = &m;
	r.body_case = CTSHARD__REQUEST__BODY_EXPECT_LIST;
	r.expect_list = &x;
	return client_submit(c, &r, h, id);
}

int ctshard_get(struct ctshard *c, const struct ctshard_filter *filter,
                const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Get m = CTSHARD__GET__INIT;
	struct request_filter f;

	m.filter = request_filter(&f, filter);
	r.body_case = CTSHARD__REQUEST__BODY_GET;
	r.get = &m;
	return client_submit(c, &r, h, id);
}

static void request_count(Ctshard__Count *m, struct request_filter *f,
                          const struct ctshard_count_opts *o)
{
	ctshard__count__init(m);
	m->filter = request_filter(f, o ? o->filter : NULL);
	if (o && o->by)
		m->by = request_text(o->by);
}

int ctshard_count(struct ctshard *c, const struct ctshard_count_opts *o,
                  const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	struct request_filter f;
	Ctshard__Count m;

	request_count(&m, &f, o);
	r.body_case = CTSHARD__REQUEST__BODY_COUNT;
	r.count = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_expect_count(struct ctshard *c, const struct ctshard_count_opts *o,
                         const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__ExpectCount x = CTSHARD__EXPECT_COUNT__INIT;
	struct request_filter f;
	Ctshard__Count m;

	request_count(&m, &f, o);
	x.count = &m;
	r.body_case = CTSHARD__REQUEST__BODY_EXPECT_COUNT;
	r.expect_count = &x;
	return client_submit(c, &r, h, id);
}

static void request_flag(protobuf_c_boolean *has, protobuf_c_boolean *to, int v)
{
	*has = *to = !!v;
}

static void request_watch(Ctshard__Watch *m, struct request_filter *f,
                          const struct ctshard_watch_opts *o)
{
	static const struct ctshard_watch_opts none;

	if (!o)
		o = &none;
	ctshard__watch__init(m);
	m->filter = request_filter(f, o->filter);
	if (o->types) {
		m->has_types = 1;
		m->types = o->types;
	}
	if (o->has_since) {
		m->has_since = 1;
		m->since = o->since;
	}
	if (o->uuid) {
		m->has_uuid = 1;
		m->uuid = request_bytes(o->uuid, 16);
	}
	request_flag(&m->has_from_start, &m->from_start, o->from_start);
	request_flag(&m->has_snapshot, &m->snapshot, o->snapshot);
	request_flag(&m->has_until_end, &m->until_end, o->until_end);
	request_flag(&m->has_brief, &m->brief, o->brief);
	request_flag(&m->has_positions, &m->positions, o->positions);
}

int ctshard_watch(struct ctshard *c, const struct ctshard_watch_opts *o,
                  const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	struct request_filter f;
	Ctshard__Watch m;

	request_watch(&m, &f, o);
	r.body_case = CTSHARD__REQUEST__BODY_WATCH;
	r.watch = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_expect_watch(struct ctshard *c, const struct ctshard_watch_opts *o,
                         const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__ExpectWatch x = CTSHARD__EXPECT_WATCH__INIT;
	struct request_filter f;
	Ctshard__Watch m;

	request_watch(&m, &f, o);
	x.watch = &m;
	r.body_case = CTSHARD__REQUEST__BODY_EXPECT_WATCH;
	r.expect_watch = &x;
	return client_submit(c, &r, h, id);
}

int ctshard_stats(struct ctshard *c, const struct ctshard_handler *h,
                  uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Stats m = CTSHARD__STATS__INIT;

	r.body_case = CTSHARD__REQUEST__BODY_STATS;
	r.stats = &m;
	return client_submit(c, &r, h, id);
}

/* A command line's worth: more is refused, and nothing is allocated. */
#define REQUEST_WORDS 256

int ctshard_show(struct ctshard *c, const char *const *what, size_t n,
                 const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Show m = CTSHARD__SHOW__INIT;
	char *word[REQUEST_WORDS];
	size_t i;

	if (n > REQUEST_WORDS)
		return client_fail(c, CTSHARD_ETOOBIG, "%s", "too many words");
	for (i = 0; i < n; i++)
		word[i] = request_text(what[i]);
	m.n_what = n;
	m.what = word;
	r.body_case = CTSHARD__REQUEST__BODY_SHOW;
	r.show = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_set(struct ctshard *c, const struct ctshard_pair *item, size_t n,
                const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Set m = CTSHARD__SET__INIT;
	Ctshard__Set__Item items[REQUEST_WORDS], *p[REQUEST_WORDS];
	size_t i;

	if (n > REQUEST_WORDS)
		return client_fail(c, CTSHARD_ETOOBIG, "%s", "too many keys");
	for (i = 0; i < n; i++) {
		ctshard__set__item__init(&items[i]);
		items[i].key = request_text(item[i].key);
		items[i].value = request_text(item[i].value);
		p[i] = &items[i];
	}
	m.n_item = n;
	m.item = p;
	r.body_case = CTSHARD__REQUEST__BODY_SET;
	r.set = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_delete(struct ctshard *c, const struct ctshard_filter *filter,
                   const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Delete m = CTSHARD__DELETE__INIT;
	struct request_filter f;

	m.filter = request_filter(&f, filter);
	m.has_rows = m.rows = h->conn != NULL;
	r.body_case = CTSHARD__REQUEST__BODY_DELETE;
	r.delete_ = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_flush(struct ctshard *c, uint32_t l3,
                  const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Flush m = CTSHARD__FLUSH__INIT;

	if (l3) {
		m.has_l3 = 1;
		m.l3 = l3;
	}
	r.body_case = CTSHARD__REQUEST__BODY_FLUSH;
	r.flush = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_expect_flush(struct ctshard *c, uint32_t l3,
                         const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__ExpectFlush m = CTSHARD__EXPECT_FLUSH__INIT;

	if (l3) {
		m.has_l3 = 1;
		m.l3 = l3;
	}
	r.body_case = CTSHARD__REQUEST__BODY_EXPECT_FLUSH;
	r.expect_flush = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_update(struct ctshard *c, const struct ctshard_update_opts *o,
                   const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Update m = CTSHARD__UPDATE__INIT;
	struct request_filter f;

	m.filter = request_filter(&f, o->filter);
	if (o->has_mark) {
		m.has_mark = m.has_mark_mask = 1;
		m.mark = o->mark;
		m.mark_mask = o->mark_mask;
	}
	if (o->has_timeout) {
		m.has_timeout_s = 1;
		m.timeout_s = o->timeout_s;
	}
	if (o->labels_set) {
		m.has_labels_set = 1;
		m.labels_set = request_bytes(o->labels_set, 16);
	}
	if (o->labels_clear) {
		m.has_labels_clear = 1;
		m.labels_clear = request_bytes(o->labels_clear, 16);
	}
	if (o->status_set) {
		m.has_status_set = 1;
		m.status_set = o->status_set;
	}
	if (o->state)
		m.state = request_text(o->state);
	m.has_rows = m.rows = h->conn != NULL;
	r.body_case = CTSHARD__REQUEST__BODY_UPDATE;
	r.update = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_zero(struct ctshard *c, const struct ctshard_filter *filter,
                 const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Zero m = CTSHARD__ZERO__INIT;
	struct request_filter f;

	m.filter = request_filter(&f, filter);
	r.body_case = CTSHARD__REQUEST__BODY_ZERO;
	r.zero = &m;
	return client_submit(c, &r, h, id);
}

/* The messages that a connection needs besides itself. */
struct request_conn {
	Ctshard__Conn c;
	Ctshard__Tuple dir[2];
};

static void request_tuple(Ctshard__Tuple *to, const struct ctshard_tuple *t,
                          uint32_t l3)
{
	ctshard__tuple__init(to);
	to->has_src = to->has_dst = 1;
	to->src = request_bytes(t->src, l3 == 4 ? 4 : 16);
	to->dst = request_bytes(t->dst, l3 == 4 ? 4 : 16);
	to->has_sport = to->has_dport = !!(t->has & CTSHARD_TUPLE_PORTS);
	to->sport = t->sport;
	to->dport = t->dport;
	to->has_type = to->has_code = to->has_icmp_id =
		!!(t->has & CTSHARD_TUPLE_ICMP);
	to->type = t->type;
	to->code = t->code;
	to->icmp_id = t->icmp_id;
	to->has_srckey = to->has_dstkey = !!(t->has & CTSHARD_TUPLE_GRE);
	to->srckey = t->srckey;
	to->dstkey = t->dstkey;
	to->has_packets = to->has_bytes = !!(t->has & CTSHARD_TUPLE_COUNTER);
	to->packets = t->packets;
	to->bytes = t->bytes;
	to->has_zone = !!(t->has & CTSHARD_TUPLE_ZONE);
	to->zone = t->zone;
}

static Ctshard__Conn *request_conn(struct request_conn *to,
                                   const struct ctshard_conn *c)
{
	Ctshard__Conn *m = &to->c;
	int d;

	ctshard__conn__init(m);
	for (d = 0; d < 2; d++)
		request_tuple(&to->dir[d], &c->dir[d], c->l3);
	m->original = &to->dir[0];
	m->reply = &to->dir[1];
	m->has_l3 = m->has_protonum = m->has_status = m->has_mark = 1;
	m->l3 = c->l3;
	m->protonum = c->protonum;
	m->status = c->status;
	m->mark = c->mark;
	m->state = request_text(c->state);
	m->helper = request_text(c->helper);
	m->has_timeout_ms = 1;
	m->timeout_ms = c->timeout_ms;
	m->has_zone = !!(c->has & CTSHARD_CONN_ZONE);
	m->zone = c->zone;
	m->has_start_ns = !!(c->has & CTSHARD_CONN_START);
	m->start_ns = c->start_ns;
	m->has_labels = !!(c->has & CTSHARD_CONN_LABELS);
	m->labels = request_bytes(c->labels, sizeof(c->labels));
	m->has_private_ = c->private_data != NULL;
	m->private_ = request_bytes(c->private_data, c->private_len);
	return m;
}

int ctshard_add(struct ctshard *c, const struct ctshard_conn *conn, size_t n,
                int restored, const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Add m = CTSHARD__ADD__INIT;
	struct request_conn row[CTSHARD_ADD_MAX];
	Ctshard__Conn *p[CTSHARD_ADD_MAX];
	size_t i;

	if (!n || n > CTSHARD_ADD_MAX)
		return client_fail(c, CTSHARD_ETOOBIG, "%s",
		                   "1 to 128 connections");
	for (i = 0; i < n; i++)
		p[i] = request_conn(&row[i], &conn[i]);
	m.n_conn = n;
	m.conn = p;
	m.has_restored = m.restored = !!restored;
	r.body_case = CTSHARD__REQUEST__BODY_ADD;
	r.add = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_dump(struct ctshard *c, const struct ctshard_handler *h,
                 uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Dump m = CTSHARD__DUMP__INIT;

	r.body_case = CTSHARD__REQUEST__BODY_DUMP;
	r.dump = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_restore(struct ctshard *c, const void *message, size_t len,
                    const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	int rc;

	r.add = ctshard__add__unpack(NULL, len, message);
	if (!r.add)
		return client_fail(c, CTSHARD_EINVAL, "%s",
		                   "the message is malformed");
	r.body_case = CTSHARD__REQUEST__BODY_ADD;
	rc = client_submit(c, &r, h, id);
	ctshard__add__free_unpacked(r.add, NULL);
	return rc;
}

int ctshard_history(struct ctshard *c, const struct ctshard_history_opts *o,
                    const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__History m = CTSHARD__HISTORY__INIT;
	static const struct ctshard_history_opts none;
	struct request_filter f;

	if (!o)
		o = &none;
	m.filter = request_filter(&f, o->filter);
	m.has_since_ns = o->since_ns != 0;
	m.since_ns = o->since_ns;
	m.has_until_ns = o->until_ns != 0;
	m.until_ns = o->until_ns;
	m.has_limit = o->limit != 0;
	m.limit = o->limit;
	r.body_case = CTSHARD__REQUEST__BODY_HISTORY;
	r.history = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_check(struct ctshard *c, int deep, const struct ctshard_handler *h,
                  uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Check m = CTSHARD__CHECK__INIT;

	request_flag(&m.has_deep, &m.deep, deep);
	request_flag(&m.has_progress, &m.progress, h && h->count);
	r.body_case = CTSHARD__REQUEST__BODY_CHECK;
	r.check = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_metrics(struct ctshard *c, const struct ctshard_handler *h,
                    uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Metrics m = CTSHARD__METRICS__INIT;

	r.body_case = CTSHARD__REQUEST__BODY_METRICS;
	r.metrics = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_start(struct ctshard *c, const struct ctshard_handler *h,
                  uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Start m = CTSHARD__START__INIT;

	r.body_case = CTSHARD__REQUEST__BODY_START;
	r.start = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_wait_end(struct ctshard *c, const struct ctshard_handler *h,
                     uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__WaitEnd m = CTSHARD__WAIT_END__INIT;

	r.body_case = CTSHARD__REQUEST__BODY_WAIT_END;
	r.wait_end = &m;
	return client_submit(c, &r, h, id);
}

int ctshard_trace(struct ctshard *c, const struct ctshard_trace_opts *o,
                  const struct ctshard_handler *h, uint64_t *id)
{
	Ctshard__Request r = CTSHARD__REQUEST__INIT;
	Ctshard__Trace m = CTSHARD__TRACE__INIT;
	static const struct ctshard_trace_opts none;
	struct request_filter f;

	if (!o)
		o = &none;
	m.filter = request_filter(&f, o->filter);
	request_flag(&m.has_until_end, &m.until_end, o->until_end);
	r.body_case = CTSHARD__REQUEST__BODY_TRACE;
	r.trace = &m;
	return client_submit(c, &r, h, id);
}

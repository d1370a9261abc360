/*
 * pb_trace.c - see pb_trace.h.
 *
 * A record holds a tracker's private bytes and the first bytes of layer 4;
 * what they mean only the tracker knows, so it is asked here, away from the
 * packet path.  A record is data: a number in it that names nothing is told as
 * nothing.
 */
#include "daemon/api/pb_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tracker/tracker.h"

#define ROW_PAIRS 16u
#define ROW_TEXT  2048u

struct pairs {
	Ctshard__Detail pair[ROW_PAIRS];
	Ctshard__Detail *list[ROW_PAIRS];
};

struct side {
	Ctshard__TraceConn msg;
	struct pairs inside;
};

struct pb_trace_row {
	struct trace_rec rec;
	Ctshard__TraceLine msg;
	Ctshard__Tuple packet, quoted;
	struct pairs header;
	struct side before, after;
	Ctshard__TraceRule rule[TRACE_RULES];
	Ctshard__TraceRule *rules[TRACE_RULES];
	size_t used;
	char text[ROW_TEXT];
};

int pb_trace_init(struct pb_trace *b, const struct table *t,
                  const struct policy *pol, bool live)
{
	memset(b, 0, sizeof(*b));
	b->t = t;
	b->pol = pol;
	b->live = live;
	b->row = calloc(PB_TRACES, sizeof(*b->row));
	return b->row ? 0 : -ENOMEM;
}

void pb_trace_free(struct pb_trace *b)
{
	free(b->row);
	b->row = NULL;
}

/* ---- text ---- */

/* A copy in the row, NULL for an empty one or when there is no room.  Strings
 * of protobuf are UTF-8, and a segment may be damaged. */
static char *row_word(struct pb_trace_row *r, const char *s)
{
	size_t left = sizeof(r->text) - r->used, n = s ? strlen(s) + 1 : 0;
	char *at = r->text + r->used, *p;

	if (n < 2 || n > left)
		return NULL;
	memcpy(at, s, n);
	for (p = at; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
			*p = '?';
	r->used += n;
	return at;
}

/* "key=value key=value", cut up in place */
static size_t pairs_cut(struct pairs *to, char *text)
{
	static const Ctshard__Detail empty = CTSHARD__DETAIL__INIT;
	char *word, *save = NULL, *eq;
	size_t n = 0;

	for (word = strtok_r(text, " ", &save); word && n < ROW_PAIRS;
	     word = strtok_r(NULL, " ", &save)) {
		eq = strchr(word, '=');
		if (!eq)
			continue;
		*eq = '\0';
		to->pair[n] = empty;
		to->pair[n].key = word;
		to->pair[n].value = eq + 1;
		to->list[n] = &to->pair[n];
		n++;
	}
	return n;
}

static size_t row_header(struct pb_trace_row *r)
{
	const struct tracker *trk = tracker_at(r->rec.flow.trk);
	size_t left = sizeof(r->text) - r->used;
	struct pkt p = {.data = r->rec.head,
	                .caplen = r->rec.nhead,
	                .wirelen = r->rec.l4len,
	                .l3proto = r->rec.flow.l3proto,
	                .l4proto = r->rec.flow.l4proto,
	                .l4len = r->rec.l4len};
	int n;

	if (!trk || !trk->header)
		return 0;
	n = trk->header(&p, r->text + r->used, left);
	if (n <= 0 || (size_t)n >= left)
		return 0;
	r->used += (size_t)n + 1;
	return pairs_cut(&r->header, r->text + r->used - n - 1);
}

static size_t row_inside(struct pb_trace_row *r, struct pairs *to,
                         const struct tracker *trk, const struct conn *c)
{
	int (*tell)(const struct conn *, char *, size_t) =
		trk->inside ? trk->inside : trk->describe;
	size_t left = sizeof(r->text) - r->used;
	int n;

	n = tell ? tell(c, r->text + r->used, left) : 0;
	if (n <= 0 || (size_t)n >= left)
		return 0;
	r->used += (size_t)n + 1;
	return pairs_cut(to, r->text + r->used - n - 1);
}

/* ---- parts ---- */

/* the tracker of the connection: an error's is that of the quoted packet */
static uint8_t rec_trk(const struct trace_rec *r)
{
	return r->quoted.l3proto ? r->quoted.trk : r->flow.trk;
}

static Ctshard__TraceConn *row_side(struct pb_trace_row *r, struct side *s,
                                    const struct trace_conn *from)
{
	static const Ctshard__TraceConn empty = CTSHARD__TRACE_CONN__INIT;
	const struct tracker *trk = tracker_at(rec_trk(&r->rec));
	Ctshard__TraceConn *m = &s->msg;
	struct conn c;

	if (!from->status)
		return NULL;
	*m = empty;
	m->has_timeout_ms = m->has_status = m->has_mark = 1;
	m->timeout_ms = from->left_ms;
	m->status = from->status & CONN_CTA_MASK;
	m->mark = from->mark;
	if (!trk)
		return m;
	if (from->state && from->state < trk->nstates)
		m->state = row_word(r, trk->states[from->state]);
	memset(&c, 0, sizeof(c));
	c.status = from->status;
	c.state = from->state;
	memcpy(c.priv, from->priv, sizeof(c.priv));
	m->n_inside = row_inside(r, &s->inside, trk, &c);
	m->inside = s->inside.list;
	return m;
}

static void flow_tuple(Ctshard__Tuple *m, struct trace_flow *f)
{
	static const Ctshard__Tuple empty = CTSHARD__TUPLE__INIT;

	*m = empty;
	m->has_src = m->has_dst = 1;
	m->src.len = m->dst.len = f->l3proto == 6 ? 16 : 4;
	m->src.data = (uint8_t *)f->addr[0];
	m->dst.data = (uint8_t *)f->addr[1];
	switch (f->kind) {
	case TRACE_PORTS:
		m->has_sport = m->has_dport = 1;
		m->sport = f->port[0];
		m->dport = f->port[1];
		break;
	case TRACE_TYPE:
		m->has_type = m->has_code = m->has_icmp_id = 1;
		m->type = f->port[1] >> 8;
		m->code = f->port[1] & 0xff;
		m->icmp_id = f->port[0];
		break;
	case TRACE_KEYS:
		m->has_srckey = m->has_dstkey = 1;
		m->srckey = f->port[0];
		m->dstkey = f->port[1];
		break;
	default:
		break;
	}
}

static char *proto_name(struct pb_trace_row *r, uint8_t l4proto)
{
	const char *name = tracker_proto_name(l4proto);

	return strcmp(name, "unknown") ? row_word(r, name) : NULL;
}

static bool rec_is_fragment(const struct trace_rec *rec)
{
	return rec->verdict == TRACE_HELD || rec->verdict == TRACE_REFUSED;
}

static void row_fragments(struct pb_trace_row *r)
{
	Ctshard__TraceLine *m = &r->msg;
	struct trace_rec *rec = &r->rec;

	m->has_fragments = rec->nfrags != 0;
	m->fragments = rec->nfrags;
	m->n_fragment_frame =
		rec->nframes < TRACE_FRAMES ? rec->nframes : TRACE_FRAMES;
	m->fragment_frame = rec->frag_frame;
	if (!rec_is_fragment(rec))
		return;
	m->has_fragment_from = m->has_fragment_to = 1;
	m->fragment_from = rec->frag_from;
	m->fragment_to = rec->frag_to;
}

static void row_packet(struct pb_trace_row *r)
{
	Ctshard__TraceLine *m = &r->msg;
	struct trace_rec *rec = &r->rec;

	m->has_l3 = m->has_protonum = m->has_length = 1;
	m->l3 = rec->flow.l3proto;
	m->protonum = rec->flow.l4proto;
	m->proto = proto_name(r, rec->flow.l4proto);
	m->length = rec->l3len;
	flow_tuple(&r->packet, &rec->flow);
	m->packet = &r->packet;
	m->n_header = row_header(r);
	m->header = r->header.list;
	m->has_reassembled = m->reassembled =
		(rec->flags & TRACE_F_REASSEMBLED) != 0;
	row_fragments(r);
	if (rec->quoted.l3proto != rec->flow.l3proto)
		return;
	m->has_quoted_protonum = 1;
	m->quoted_protonum = rec->quoted.l4proto;
	m->quoted_proto = proto_name(r, rec->quoted.l4proto);
	flow_tuple(&r->quoted, &rec->quoted);
	m->quoted = &r->quoted;
}

/* as the counters call the classes */
static const char *class_name(uint8_t info)
{
	switch (info) {
	case CTINFO_ESTABLISHED:
		return "established";
	case CTINFO_RELATED:
		return "related";
	case CTINFO_NEW:
		return "new";
	case CTINFO_ESTABLISHED_REPLY:
		return "established_reply";
	case CTINFO_RELATED_REPLY:
		return "related_reply";
	case CTINFO_UNTRACKED:
		return "untracked";
	default:
		return "invalid";
	}
}

static const char *verdict_name(uint8_t v)
{
	static const char *const names[] = {
#define X(name, word) word,
		TRACE_VERDICTS(X)
#undef X
	};

	return v < ARRAY_SIZE(names) ? names[v] : "";
}

static void row_rules(const struct pb_trace *b, struct pb_trace_row *r)
{
	static const Ctshard__TraceRule empty = CTSHARD__TRACE_RULE__INIT;
	static const char *const gave[] = {"zone",   "notrack", "mark",
	                                   "labels", "timeout", "helper"};
	Ctshard__TraceLine *m = &r->msg;
	unsigned int i;

	m->rule = r->rules;
	for (i = 0; i < TRACE_RULES; i++) {
		uint8_t at = r->rec.rule[i];
		Ctshard__TraceRule *to = &r->rule[m->n_rule];

		if (!at || at > POLICY_RULES)
			continue;
		*to = empty;
		to->name = row_word(r, b->pol->rule[at - 1].name);
		to->gave = row_word(r, gave[i]);
		r->rules[m->n_rule++] = to;
	}
}

static void row_zone(struct pb_trace_row *r)
{
	Ctshard__TraceLine *m = &r->msg;
	uint16_t zone = r->rec.zone;

	m->has_zone = zone != 0;
	m->zone = r->rec.flags & TRACE_F_ZONE_REPLY ? 0 : zone;
	if (!(r->rec.flags & (TRACE_F_ZONE_ORIG | TRACE_F_ZONE_REPLY)))
		return;
	m->has_zone_reply = 1;
	m->zone_reply = r->rec.flags & TRACE_F_ZONE_REPLY ? zone : 0;
}

static void row_judged(const struct pb_trace *b, struct pb_trace_row *r)
{
	Ctshard__TraceLine *m = &r->msg;
	struct trace_rec *rec = &r->rec;

	if (rec->flags & TRACE_F_DIR)
		m->direction = row_word(r, rec->dir == DIR_REPLY ? "reply"
		                                                 : "original");
	/* it belongs to no class (F004) */
	m->class_ = row_word(r, rec_is_fragment(rec) ? "fragment"
	                                             : class_name(rec->info));
	m->verdict = row_word(r, verdict_name(rec->verdict));
	rec->why[sizeof(rec->why) - 1] = '\0';
	m->reason = row_word(r, rec->why);
	row_rules(b, r);
	row_zone(r);
	m->has_conn = rec->id != 0;
	m->conn = rec->id;
	m->has_reopened = m->reopened = (rec->flags & TRACE_F_REOPENED) != 0;
	m->before = row_side(r, &r->before, &rec->before);
	m->after = row_side(r, &r->after, &rec->after);
}

static struct pb_trace_row *row_new(struct pb_trace *b)
{
	static const Ctshard__TraceLine empty = CTSHARD__TRACE_LINE__INIT;
	struct pb_trace_row *r = &b->row[b->n];

	r->msg = empty;
	r->used = 0;
	b->line[b->n++] = &r->msg;
	return r;
}

void pb_trace_add(struct pb_trace *b, const struct trace_rec *rec)
{
	struct pb_trace_row *r = row_new(b);
	uint64_t t0 = b->t->hdr->t0_real_ns;

	r->rec = *rec;
	if (r->rec.nhead > TRACE_HEAD)
		r->rec.nhead = TRACE_HEAD;
	r->msg.has_time_ns = 1;
	r->msg.time_ns = rec->ts_ns;
	if (!b->live) {
		r->msg.has_frame = r->msg.has_since_ns = 1;
		r->msg.frame = rec->frame;
		r->msg.since_ns = rec->ts_ns > t0 ? rec->ts_ns - t0 : 0;
	}
	row_packet(r);
	row_judged(b, r);
}

void pb_trace_lost(struct pb_trace *b, uint64_t lost)
{
	struct pb_trace_row *r = row_new(b);

	r->msg.has_lost = 1;
	r->msg.lost = lost;
}

/*
 * out_line.c - the lines of conntrack(8) and /proc/net/nf_conntrack.
 *
 * Theory: one walk over the fields in libnetfilter_conntrack's order makes
 * all three formats; what differs is a question asked at the field.  Which
 * fields a line has depends on where the kernel would have taken it from: a
 * row of the table has everything (F300, F302), an UPDATE only what changed,
 * a DESTROY has counters but neither helper nor use (F249).  Parsers out there
 * count on the exact bytes, so every field ends in a space and the last space
 * is taken back.
 */
#include "cli/out.h"

#include "cli/community.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum line_style { LINE_PLAIN, LINE_EXTENDED, LINE_PROC };

/* Where a line comes from, as far as its fields depend on it. */
struct line {
	enum line_style style;
	const struct ctshard_event *e; /* NULL: a row of a list */
	bool row;                      /* all of a table's row */
	bool destroy;
};

static void line_pair(struct out *o, const char *key, uint64_t v)
{
	out_str(o, key);
	out_u64(o, v);
	out_char(o, ' ');
}

/* /proc does not shorten: eight groups of four digits */
static void line_addr6_full(struct out *o, const uint8_t *a)
{
	static const char hex[] = "0123456789abcdef";
	int i;

	for (i = 0; i < 16; i++) {
		if (i && i % 2 == 0)
			out_char(o, ':');
		out_char(o, hex[a[i] >> 4]);
		out_char(o, hex[a[i] & 15]);
	}
}

static void line_addr(struct out *o, enum line_style style, const char *key,
                      uint32_t l3, const uint8_t *addr)
{
	out_str(o, key);
	if (l3 == 6 && style == LINE_PROC)
		line_addr6_full(o, addr);
	else
		out_addr(o, addr, l3);
	out_char(o, ' ');
}

static void line_key(struct out *o, const char *key, uint32_t v)
{
	char t[16];

	snprintf(t, sizeof(t), "0x%x ", v);
	out_str(o, key);
	out_str(o, t);
}

static bool line_dccp(const struct line *l, const struct ctshard_conn *c)
{
	return l->style != LINE_PROC && c->protonum == 33;
}

static void line_tuple(struct out *o, const struct line *l,
                       const struct ctshard_conn *c, int dir)
{
	const struct ctshard_tuple *t = &c->dir[dir];

	line_addr(o, l->style, "src=", c->l3, t->src);
	line_addr(o, l->style, "dst=", c->l3, t->dst);
	/* conntrack prints ports for DCCP also where no tracker reads them */
	if (t->has & CTSHARD_TUPLE_PORTS || line_dccp(l, c)) {
		line_pair(o, "sport=", t->sport);
		line_pair(o, "dport=", t->dport);
	}
	if (t->has & CTSHARD_TUPLE_ICMP) {
		line_pair(o, "type=", t->type);
		line_pair(o, "code=", t->code);
		line_pair(o, "id=", t->icmp_id);
	}
	if (t->has & CTSHARD_TUPLE_GRE) {
		line_key(o, "srckey=", t->srckey);
		line_key(o, "dstkey=", t->dstkey);
	}
	if (t->has & CTSHARD_TUPLE_ZONE)
		line_pair(o, dir ? "zone-reply=" : "zone-orig=", t->zone);
	if ((l->row || l->destroy) && t->has & CTSHARD_TUPLE_COUNTER) {
		line_pair(o, "packets=", t->packets);
		line_pair(o, "bytes=", t->bytes);
	}
}

/* "[Sun Nov 22 15:00:29 2026] " with the caller's word in it */
static void line_date(struct out *o, const char *key, uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    !strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y] ", &tm))
		return;
	out_str(o, key);
	out_str(o, text);
}

static void line_times(struct out *o, const struct line *l,
                       const struct ctshard_conn *c)
{
	if (!c->timestamp || !(c->has & CTSHARD_CONN_START))
		return;
	line_pair(o, "delta-time=", out_delta(c));
	if (l->style == LINE_PROC || !(o->mods & OUT_KTIMESTAMP))
		return;
	line_date(o, "[start=", c->start_ns);
	if (c->has & CTSHARD_CONN_STOP)
		line_date(o, "[stop=", c->stop_ns);
}

static void line_head(struct out *o, const struct line *l,
                      const struct ctshard_conn *c)
{
	uint64_t left = out_seconds(c);

	if (l->style != LINE_PLAIN) {
		out_padded(o, out_l3(c), 8);
		out_char(o, ' ');
		out_u64(o, out_l3num(c));
		out_char(o, ' ');
	}
	out_padded(o, c->proto ? c->proto : "unknown", 8);
	out_char(o, ' ');
	out_u64(o, c->protonum);
	out_char(o, ' ');
	/* an entry that ran out has none in its DESTROY (F249) */
	if (!l->destroy || left)
		line_pair(o, "", left);
	if (l->style == LINE_PROC && c->dir[0].has & CTSHARD_TUPLE_GRE) {
		out_str(o, "timeout=");
		out_u64(o, o->gre_timeout);
		line_pair(o, ", stream_timeout=", o->gre_stream);
	}
	if (c->state &&
	    (l->row || l->destroy || l->e->bits & CTSHARD_BIT_PROTOINFO)) {
		out_word(o, c->state);
		out_char(o, ' ');
	}
}

static bool line_zoned(const struct ctshard_conn *c)
{
	return (c->dir[0].has | c->dir[1].has) & CTSHARD_TUPLE_ZONE;
}

static void line_tail(struct out *o, const struct line *l,
                      const struct ctshard_conn *c)
{
	bool proc = l->style == LINE_PROC;

	if (l->row || c->mark || l->e->bits & CTSHARD_BIT_MARK)
		line_pair(o, "mark=", c->mark);
	if (c->zone || (proc && !line_zoned(c)))
		line_pair(o, "zone=", c->zone);
	if (l->row || l->destroy)
		line_times(o, l, c);
	if (!proc && o->mods & OUT_LABELS && out_has_labels(c) &&
	    (l->row || l->e->bits & CTSHARD_BIT_LABEL)) {
		out_str(o, "labels=");
		out_labels(o, c->labels, ",", "");
		out_char(o, ' ');
	}
	if (!proc && c->helper && !l->destroy) {
		out_str(o, "helper=");
		out_word(o, c->helper);
		out_char(o, ' ');
	}
	if (l->row)
		line_pair(o, "use=", c->use ? c->use : 1);
	if (o->mods & OUT_ID)
		line_pair(o, "id=", c->id & UINT32_MAX);
}

static void line_delta(struct out *o, const struct ctshard_conn *c)
{
	if (!(c->dir[0].has & c->dir[1].has & CTSHARD_TUPLE_DELTA))
		return;
	line_pair(o, "delta_packets_orig=", c->dir[0].delta_packets);
	line_pair(o, "delta_bytes_orig=", c->dir[0].delta_bytes);
	line_pair(o, "delta_packets_reply=", c->dir[1].delta_packets);
	line_pair(o, "delta_bytes_reply=", c->dir[1].delta_bytes);
}

/* What conntrack does not know: behind all that it does. */
static void line_wide(struct out *o, const struct line *l,
                      const struct ctshard_conn *c)
{
	size_t i;

	line_pair(o, "conn=", c->id);
	if (c->has & CTSHARD_CONN_SHARD)
		line_pair(o, "shard=", c->shard);
	if (c->has & CTSHARD_CONN_MASTER && c->master)
		line_pair(o, "master=", c->master);
	if (c->has & CTSHARD_CONN_START)
		line_pair(o, "start_ns=", c->start_ns);
	if (c->has & CTSHARD_CONN_LAST)
		line_pair(o, "last_ns=", c->last_ns);
	if (l->destroy && c->reason) {
		out_str(o, "reason=");
		out_word(o, c->reason);
		out_char(o, ' ');
	}
	if (l->e && l->e->restored)
		out_str(o, "restored=1 ");
	line_delta(o, c);
	for (i = 0; i < c->n_detail; i++) {
		out_word(o, c->detail[i].key);
		out_char(o, '=');
		out_word(o, c->detail[i].value);
		out_char(o, ' ');
	}
}

static void line_end(struct out *o)
{
	if (o->len && o->buf[o->len - 1] == ' ')
		o->len--;
	out_char(o, '\n');
}

static void line_put(struct out *o, const struct line *l,
                     const struct ctshard_conn *c)
{
	line_head(o, l, c);
	line_tuple(o, l, c, 0);
	if (!(c->status & CTSHARD_S_SEEN_REPLY))
		out_str(o, "[UNREPLIED] ");
	line_tuple(o, l, c, 1);
	if (c->status & CTSHARD_S_ASSURED)
		out_str(o, "[ASSURED] ");
	line_tail(o, l, c);
	if (o->mods & OUT_WIDE)
		line_wide(o, l, c);
	if (o->mods & OUT_COMMUNITY) {
		char text[COMMUNITY_TEXT];

		community_id(c, o->community_seed, text);
		out_str(o, "community-id=");
		out_str(o, text);
	}
	line_end(o);
}

/* A line's last space must still be in the buffer when it is taken back. */
static void line_room(struct out *o)
{
	if (sizeof(o->buf) - o->len < 8192)
		out_flush(o);
}

static void line_conn(struct out *o, const struct ctshard_conn *c,
                      enum line_style style)
{
	struct line l = {.style = style, .row = true};

	line_room(o);
	line_put(o, &l, c);
}

static void line_gap(struct out *o, const struct ctshard_event *e)
{
	line_pair(o, "lost=", e->lost);
	line_pair(o, "from=", e->from);
	line_pair(o, "to=", e->to);
	out_str(o, "source=");
	out_word(o, e->source ? e->source : "unknown");
	out_char(o, '\n');
}

static void line_audit(struct out *o, const struct ctshard_audit *a)
{
	line_pair(o, "uid=", a->uid);
	line_pair(o, "pid=", a->pid);
	out_str(o, "request=");
	out_text(o, a->request);
	out_char(o, '\n');
}

static void line_tag(struct out *o, const struct ctshard_event *e)
{
	char t[64];

	if (o->mods & OUT_TIMESTAMP) {
		snprintf(t, sizeof(t), "[%-.8ld.%-.6ld]\t",
		         (long)(e->time_ns / 1000000000),
		         (long)(e->time_ns % 1000000000 / 1000));
		out_str(o, t);
	}
	snprintf(t, sizeof(t), "[%s]", out_event_name(e->type));
	snprintf(t + 32, sizeof(t) - 32, "%9.20s ", t);
	out_str(o, t + 32);
}

static void line_event(struct out *o, const struct ctshard_event *e,
                       enum line_style style)
{
	struct line l = {.style = style, .e = e};

	if (e->type == CTSHARD_LIST_END)
		return;
	line_room(o);
	line_tag(o, e);
	if (e->type == CTSHARD_GAP) {
		line_gap(o, e);
		return;
	}
	if (e->audit) {
		line_audit(o, e->audit);
		return;
	}
	l.row = e->type == CTSHARD_LIST;
	l.destroy = e->type == CTSHARD_DESTROY;
	line_put(o, &l, e->conn);
}

/* ---- expectations ---- */

static void expect_tuple(struct out *o, enum line_style style, uint32_t l3,
                         const char *src, const char *dst,
                         const struct ctshard_tuple *t)
{
	line_addr(o, style, src, l3, t->src);
	line_addr(o, style, dst, l3, t->dst);
	if (t->has & CTSHARD_TUPLE_PORTS) {
		line_pair(o, "sport=", t->sport);
		line_pair(o, "dport=", t->dport);
	}
	if (t->has & CTSHARD_TUPLE_GRE) {
		line_key(o, "srckey=", t->srckey);
		line_key(o, "dstkey=", t->dstkey);
	}
}

static void expect_flags(struct out *o, const struct ctshard_expect *x)
{
	const char *word = out_expect_flags(x);

	out_str(o, word);
	if (*word)
		out_char(o, ' ');
}

/* as /proc/net/nf_conntrack_expect has it (F301) */
static void expect_proc(struct out *o, const struct ctshard_expect *x)
{
	line_pair(o, "l3proto = ", x->l3 == 4 ? 2 : 10);
	line_pair(o, "proto=", x->protonum);
	expect_tuple(o, LINE_PROC, x->l3, "src=", "dst=", &x->tuple);
	expect_flags(o, x);
	out_word(o, x->helper ? x->helper : "");
	if (x->class_name) {
		out_char(o, '/');
		out_word(o, x->class_name);
	}
}

static void expect_plain(struct out *o, const struct ctshard_expect *x)
{
	line_pair(o, "proto=", x->protonum);
	expect_tuple(o, LINE_PLAIN, x->l3, "src=", "dst=", &x->tuple);
	expect_tuple(o, LINE_PLAIN, x->l3, "mask-src=", "mask-dst=", &x->mask);
	expect_tuple(o, LINE_PLAIN, x->l3,
	             "master-src=", "master-dst=", &x->master);
	expect_flags(o, x);
	line_pair(o, "class=", x->class_id);
	if (x->helper) {
		out_str(o, "helper=");
		out_word(o, x->helper);
		out_char(o, ' ');
	}
}

static void expect_wide(struct out *o, const struct ctshard_expect *x)
{
	line_pair(o, "expect=", x->id);
	line_pair(o, "master=", x->master_id);
	if (x->zone)
		line_pair(o, "zone=", x->zone);
	if (x->assign) {
		out_str(o, "assign=");
		out_word(o, x->assign);
		out_char(o, ' ');
	}
}

/* conntrack has one line for expectations, whatever is asked for, and never
 * shows an id. */
static void expect_put(struct out *o, const struct ctshard_expect *x,
                       const struct ctshard_event *e, enum line_style style)
{
	line_room(o);
	if (e)
		line_tag(o, e);
	line_pair(o, "", x->timeout_ms / 1000);
	if (style == LINE_PROC)
		expect_proc(o, x);
	else
		expect_plain(o, x);
	if (o->mods & OUT_WIDE) {
		if (style == LINE_PROC)
			out_char(o, ' ');
		expect_wide(o, x);
	}
	line_end(o);
}

#define LINE_FORMAT(word, style)                                            \
	static void word##_row(struct out *o, const struct ctshard_conn *c) \
	{                                                                   \
		line_conn(o, c, style);                                     \
	}                                                                   \
	static void word##_happen(struct out *o,                            \
	                          const struct ctshard_event *e)            \
	{                                                                   \
		line_event(o, e, style);                                    \
	}                                                                   \
	static void word##_expect(struct out *o,                            \
	                          const struct ctshard_expect *x,           \
	                          const struct ctshard_event *e)            \
	{                                                                   \
		expect_put(o, x, e, style);                                 \
	}                                                                   \
	const struct out_format out_##word = {                              \
		.name = #word,                                              \
		.conn = word##_row,                                         \
		.event = word##_happen,                                     \
		.expect = word##_expect,                                    \
		.trace = out_trace_text,                                    \
	};

LINE_FORMAT(line, LINE_PLAIN)
LINE_FORMAT(extended, LINE_EXTENDED)
LINE_FORMAT(proc, LINE_PROC)

void out_line_expect(struct out *o, const struct ctshard_expect *x,
                     const struct ctshard_event *e)
{
	expect_put(o, x, e, LINE_PLAIN);
}

/* out_xml.c - conntrack's XML: one <flow> a line. */
#include "cli/out.h"

#include <stdio.h>
#include <time.h>

static void xml_number(struct out *o, const char *tag, uint64_t v)
{
	out_char(o, '<');
	out_str(o, tag);
	out_char(o, '>');
	out_u64(o, v);
	out_str(o, "</");
	out_str(o, tag);
	out_char(o, '>');
}

/* A word between tags: the characters that XML gives a meaning are escaped. */
void out_xml_text(struct out *o, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			out_str(o, "&lt;");
		else if (*s == '>')
			out_str(o, "&gt;");
		else if (*s == '&')
			out_str(o, "&amp;");
		else if (*s == '"')
			out_str(o, "&quot;");
		else
			out_char(o, *s >= ' ' && *s < 0x7f ? *s : '?');
	}
}

static void xml_word(struct out *o, const char *tag, const char *s)
{
	out_char(o, '<');
	out_str(o, tag);
	out_char(o, '>');
	out_xml_text(o, s);
	out_str(o, "</");
	out_str(o, tag);
	out_char(o, '>');
}

/* the ports or keys of a tuple */
static void xml_keys(struct out *o, const struct ctshard_tuple *t)
{
	char text[64];

	if (t->has & CTSHARD_TUPLE_PORTS) {
		xml_number(o, "sport", t->sport);
		xml_number(o, "dport", t->dport);
	} else if (t->has & CTSHARD_TUPLE_GRE) {
		snprintf(text, sizeof(text),
		         "<srckey>0x%x</srckey><dstkey>0x%x</dstkey>",
		         t->srckey, t->dstkey);
		out_str(o, text);
	}
}

static void xml_layers(struct out *o, const struct ctshard_conn *c,
                       const struct ctshard_tuple *t)
{
	out_str(o, "<layer3 protonum=\"");
	out_u64(o, out_l3num(c));
	out_str(o, "\" protoname=\"");
	out_str(o, out_l3(c));
	out_str(o, "\"><src>");
	out_addr(o, t->src, c->l3);
	out_str(o, "</src><dst>");
	out_addr(o, t->dst, c->l3);
	out_str(o, "</dst></layer3><layer4 protonum=\"");
	out_u64(o, c->protonum);
	out_str(o, "\" protoname=\"");
	out_xml_text(o, c->proto ? c->proto : "unknown");
	out_str(o, "\">");
	xml_keys(o, t);
	out_str(o, "</layer4>");
}

static void xml_direction(struct out *o, const struct ctshard_conn *c, int dir,
                          bool counters)
{
	const struct ctshard_tuple *t = &c->dir[dir];

	out_str(o, dir ? "<meta direction=\"reply\">"
	               : "<meta direction=\"original\">");
	xml_layers(o, c, t);
	if (t->has & CTSHARD_TUPLE_ZONE)
		xml_number(o, "zone", t->zone);
	if (counters && t->has & CTSHARD_TUPLE_COUNTER) {
		out_str(o, "<counters>");
		xml_number(o, "packets", t->packets);
		xml_number(o, "bytes", t->bytes);
		out_str(o, "</counters>");
	}
	out_str(o, "</meta>");
}

static void xml_labels(struct out *o, const struct ctshard_conn *c)
{
	char name[32];
	unsigned i;

	out_str(o, "<labels>");
	for (i = 0; i < LABELS_BITS; i++) {
		if (!(c->labels[i / 8] >> i % 8 & 1))
			continue;
		labels_name(o->labels, i, name, sizeof(name));
		xml_word(o, "label", name);
	}
	out_str(o, "</labels>");
}

static void xml_when(struct out *o, uint64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return;
	out_str(o, "<when>");
	/* conntrack writes two digits of hour, minute and second */
	out_str(o, tm.tm_hour < 10 ? "<hour>0" : "<hour>");
	out_u64(o, (uint64_t)tm.tm_hour);
	out_str(o, tm.tm_min < 10 ? "</hour><min>0" : "</hour><min>");
	out_u64(o, (uint64_t)tm.tm_min);
	out_str(o, tm.tm_sec < 10 ? "</min><sec>0" : "</min><sec>");
	out_u64(o, (uint64_t)tm.tm_sec);
	out_str(o, "</sec>");
	/* Sunday is 1 there */
	xml_number(o, "wday", (uint64_t)tm.tm_wday + 1);
	xml_number(o, "day", (uint64_t)tm.tm_mday);
	xml_number(o, "month", (uint64_t)tm.tm_mon + 1);
	xml_number(o, "year", (uint64_t)tm.tm_year + 1900);
	out_str(o, "</when>");
}

static void xml_times(struct out *o, const struct ctshard_conn *c)
{
	if (!c->timestamp || !(c->has & CTSHARD_CONN_START))
		return;
	xml_number(o, "deltatime", out_delta(c));
	if (!(o->mods & OUT_KTIMESTAMP))
		return;
	out_str(o, "<timestamp>");
	xml_number(o, "start", c->start_ns);
	if (c->has & CTSHARD_CONN_STOP)
		xml_number(o, "stop", c->stop_ns);
	out_str(o, "</timestamp>");
}

/* what conntrack does not know */
static void xml_wide(struct out *o, const struct ctshard_conn *c)
{
	size_t i;

	if (out_has_duration(c))
		xml_number(o, "duration_ns", c->last_ns - c->start_ns);
	for (i = 0; i < c->n_detail; i++) {
		out_str(o, "<detail key=\"");
		out_xml_text(o, c->detail[i].key);
		out_str(o, "\">");
		out_xml_text(o, c->detail[i].value);
		out_str(o, "</detail>");
	}
}

static void xml_independent(struct out *o, const struct ctshard_conn *c,
                            const struct ctshard_event *e)
{
	bool row = !e || e->type == CTSHARD_LIST;
	bool destroy = e && e->type == CTSHARD_DESTROY;

	out_str(o, "<meta direction=\"independent\">");
	if (c->state && (row || destroy || e->bits & CTSHARD_BIT_PROTOINFO))
		xml_word(o, "state", c->state);
	if (!destroy || out_seconds(c))
		xml_number(o, "timeout", out_seconds(c));
	if (row || c->mark || e->bits & CTSHARD_BIT_MARK)
		xml_number(o, "mark", c->mark);
	if (c->zone)
		xml_number(o, "zone", c->zone);
	if (o->mods & OUT_LABELS && out_has_labels(c))
		xml_labels(o, c);
	if (row)
		xml_number(o, "use", c->use ? c->use : 1);
	xml_number(o, "id", c->id & UINT32_MAX);
	if (c->status & CTSHARD_S_ASSURED)
		out_str(o, "<assured/>");
	if (!(c->status & CTSHARD_S_SEEN_REPLY))
		out_str(o, "<unreplied/>");
	if (row || destroy)
		xml_times(o, c);
	if (e && o->mods & OUT_TIMESTAMP)
		xml_when(o, e->time_ns);
	if (o->mods & OUT_WIDE)
		xml_wide(o, c);
	out_str(o, "</meta>");
	if (c->helper && !destroy)
		xml_word(o, "helper", c->helper);
	out_str(o, "</flow>\n");
}

static void xml_flow(struct out *o, const struct ctshard_conn *c,
                     const struct ctshard_event *e)
{
	bool counters =
		!e || e->type == CTSHARD_LIST || e->type == CTSHARD_DESTROY;

	xml_direction(o, c, 0, counters);
	xml_direction(o, c, 1, counters);
	xml_independent(o, c, e);
}

static void xml_begin(struct out *o)
{
	out_str(o, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	           "<");
	out_str(o, o->expect ? "expect>\n" : "conntrack>\n");
}

static void xml_conn(struct out *o, const struct ctshard_conn *c)
{
	out_str(o, "<flow>");
	xml_flow(o, c, NULL);
}

static void xml_gap(struct out *o, const struct ctshard_event *e)
{
	out_str(o, "<gap lost=\"");
	out_u64(o, e->lost);
	out_str(o, "\" from=\"");
	out_u64(o, e->from);
	out_str(o, "\" to=\"");
	out_u64(o, e->to);
	out_str(o, "\" source=\"");
	out_xml_text(o, e->source ? e->source : "unknown");
	out_str(o, "\"/>\n");
}

static void xml_audit(struct out *o, const struct ctshard_audit *a)
{
	out_str(o, "<audit uid=\"");
	out_u64(o, a->uid);
	out_str(o, "\" pid=\"");
	out_u64(o, a->pid);
	out_str(o, "\" request=\"");
	out_xml_text(o, a->request);
	out_str(o, "\"/>\n");
}

static const char *xml_type(enum ctshard_event_type type)
{
	switch (type) {
	case CTSHARD_NEW:
		return "<flow type=\"new\">";
	case CTSHARD_UPDATE:
		return "<flow type=\"update\">";
	case CTSHARD_DESTROY:
		return "<flow type=\"destroy\">";
	default:
		return "<flow>";
	}
}

static void xml_event(struct out *o, const struct ctshard_event *e)
{
	if (e->type == CTSHARD_GAP)
		xml_gap(o, e);
	if (e->audit)
		xml_audit(o, e->audit);
	if (!e->conn)
		return;
	out_str(o, xml_type(e->type));
	xml_flow(o, e->conn, e);
}

static void xml_end(struct out *o)
{
	out_str(o, o->expect ? "</expect>\n" : "</conntrack>\n");
}

/* ---- expectations ---- */

/* one of the three tuples, its layer 3 or 4 half */
static void xml_half(struct out *o, const char *tag, uint32_t l3, bool layer3,
                     const struct ctshard_tuple *t)
{
	out_char(o, '<');
	out_str(o, tag);
	out_char(o, '>');
	if (layer3) {
		out_str(o, "<src>");
		out_addr(o, t->src, l3);
		out_str(o, "</src><dst>");
		out_addr(o, t->dst, l3);
		out_str(o, "</dst>");
	} else {
		xml_keys(o, t);
	}
	out_str(o, "</");
	out_str(o, tag);
	out_char(o, '>');
}

static void xml_layer(struct out *o, const struct ctshard_expect *x,
                      bool layer3)
{
	const char *proto = x->proto ? x->proto : "unknown";

	out_str(o, layer3 ? "<layer3 protonum=\"" : "<layer4 protonum=\"");
	out_u64(o, !layer3 ? x->protonum : x->l3 == 4 ? 2 : 10);
	out_str(o, "\" protoname=\"");
	out_xml_text(o, !layer3 ? proto : x->l3 == 4 ? "ipv4" : "ipv6");
	out_str(o, "\">");
	xml_half(o, "expected", x->l3, layer3, &x->tuple);
	xml_half(o, "mask", x->l3, layer3, &x->mask);
	xml_half(o, "master", x->l3, layer3, &x->master);
	out_str(o, layer3 ? "</layer3>" : "</layer4>");
}

static void xml_expect(struct out *o, const struct ctshard_expect *x,
                       const struct ctshard_event *e)
{
	out_str(o, e ? xml_type(e->type) : "<flow>");
	xml_layer(o, x, true);
	xml_layer(o, x, false);
	out_str(o, "<meta>");
	if (x->helper)
		xml_word(o, "helper-name", x->helper);
	xml_number(o, "timeout", x->timeout_ms / 1000);
	xml_number(o, "class", x->class_id);
	if (x->flags & CTSHARD_EXPECT_PERMANENT)
		out_str(o, "<permanent/>");
	if (x->flags & CTSHARD_EXPECT_INACTIVE)
		out_str(o, "<inactive/>");
	if (e && o->mods & OUT_TIMESTAMP)
		xml_when(o, e->time_ns);
	out_str(o, "</meta></flow>\n");
}

const struct out_format out_xml = {
	.name = "xml",
	.begin = xml_begin,
	.conn = xml_conn,
	.event = xml_event,
	.expect = xml_expect,
	.end = xml_end,
};

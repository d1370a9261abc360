/*
 * out_json.c - one object a connection or event: an array, or one a line.
 *
 * A key that does not apply is absent, never null.  Ids are strings, because
 * readers round numbers over 2^53.
 */
#include "cli/out.h"

#include "cli/community.h"

#include <stdio.h>

void out_json_string(struct out *o, const char *s)
{
	const char *from;
	char t[8];

	out_char(o, '"');
	for (; *s; s++) {
		for (from = s;
		     *s >= ' ' && *s < 0x7f && *s != '"' && *s != '\\'; s++)
			;
		out_mem(o, from, (size_t)(s - from));
		if (!*s)
			break;
		if (*s == '"' || *s == '\\') {
			out_char(o, '\\');
			out_char(o, *s);
		} else if ((unsigned char)*s < ' ' || *s == 0x7f) {
			snprintf(t, sizeof(t), "\\u%04x", *s & 0x7fu);
			out_str(o, t);
		} else {
			/* no promise that it is UTF-8, which JSON must be */
			out_str(o, "\\ufffd");
		}
	}
	out_char(o, '"');
}

static void json_number(struct out *o, const char *key, uint64_t v)
{
	out_str(o, key);
	out_u64(o, v);
}

static void json_string(struct out *o, const char *key, const char *s)
{
	out_str(o, key);
	out_json_string(o, s);
}

static void json_id(struct out *o, const char *key, uint64_t id)
{
	out_str(o, key);
	out_char(o, '"');
	out_u64(o, id);
	out_char(o, '"');
}

/* `n` digits of `v`, with zeros in front */
static void put_digits(char *to, uint64_t v, unsigned n)
{
	while (n--) {
		to[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/*
 * The day `n` of 1970 and later, as "YYYY-MM-DD".  Years are counted from
 * March, so that a leap day is a year's last; 146097 days are 400 years.
 */
static void put_day(char *to, uint64_t n)
{
	uint64_t day = n + 719468, era = day / 146097, year, of_year, month;

	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	of_year = day - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	day = of_year - (153 * month + 2) / 5 + 1;
	month = month < 10 ? month + 3 : month - 9;
	put_digits(to, year + era * 400 + (month < 3), 4);
	to[4] = to[7] = '-';
	put_digits(to + 5, month, 2);
	put_digits(to + 8, day, 2);
}

/* 64 bits of ns end in the year 2554, so four digits are enough */
void out_json_time(struct out *o, const char *key, const char *key_ns,
                   uint64_t ns)
{
	uint64_t s = ns / 1000000000;
	char text[] = "\"0000-00-00T00:00:00.000000000Z\"";

	put_day(text + 1, s / 86400);
	put_digits(text + 12, s / 3600 % 24, 2);
	put_digits(text + 15, s / 60 % 60, 2);
	put_digits(text + 18, s % 60, 2);
	put_digits(text + 21, ns % 1000000000, 9);
	out_str(o, key);
	out_mem(o, text, sizeof(text) - 1);
	json_number(o, key_ns, ns);
}

static void json_addr(struct out *o, const char *key, uint32_t l3,
                      const uint8_t *addr)
{
	out_str(o, key);
	out_char(o, '"');
	out_addr(o, addr, l3);
	out_char(o, '"');
}

static void json_tuple(struct out *o, const char *key, uint32_t l3,
                       const struct ctshard_tuple *t)
{
	out_str(o, key);
	json_addr(o, "{\"src\":", l3, t->src);
	json_addr(o, ",\"dst\":", l3, t->dst);
	if (t->has & CTSHARD_TUPLE_PORTS) {
		json_number(o, ",\"sport\":", t->sport);
		json_number(o, ",\"dport\":", t->dport);
	}
	if (t->has & CTSHARD_TUPLE_ICMP) {
		json_number(o, ",\"type\":", t->type);
		json_number(o, ",\"code\":", t->code);
		json_number(o, ",\"id\":", t->icmp_id);
	}
	if (t->has & CTSHARD_TUPLE_GRE) {
		json_number(o, ",\"srckey\":", t->srckey);
		json_number(o, ",\"dstkey\":", t->dstkey);
	}
	if (t->has & CTSHARD_TUPLE_COUNTER) {
		json_number(o, ",\"packets\":", t->packets);
		json_number(o, ",\"bytes\":", t->bytes);
	}
	if (t->has & CTSHARD_TUPLE_DELTA) {
		json_number(o, ",\"delta_packets\":", t->delta_packets);
		json_number(o, ",\"delta_bytes\":", t->delta_bytes);
	}
	out_char(o, '}');
}

void out_json_status(struct out *o, uint32_t status)
{
	const char *before = "";

	out_str(o, ",\"status\":[");
#define X(name, bit, word)                  \
	if (status & CTSHARD_S_##name) {    \
		out_str(o, before);         \
		out_str(o, "\"" word "\""); \
		before = ",";               \
	}
	CTSHARD_STATUS(X)
#undef X
	out_char(o, ']');
}

static void json_zones(struct out *o, const struct ctshard_conn *c)
{
	if (c->dir[0].has & CTSHARD_TUPLE_ZONE)
		json_number(o, ",\"zone_orig\":", c->dir[0].zone);
	if (c->dir[1].has & CTSHARD_TUPLE_ZONE)
		json_number(o, ",\"zone_reply\":", c->dir[1].zone);
	if (!((c->dir[0].has | c->dir[1].has) & CTSHARD_TUPLE_ZONE))
		json_number(o, ",\"zone\":", c->zone);
}

static void json_detail(struct out *o, const struct ctshard_conn *c)
{
	size_t i;

	out_str(o, ",\"detail\":{");
	for (i = 0; i < c->n_detail; i++) {
		if (i)
			out_char(o, ',');
		out_json_string(o, c->detail[i].key);
		out_char(o, ':');
		out_json_string(o, c->detail[i].value);
	}
	out_char(o, '}');
}

static void json_tail(struct out *o, const struct ctshard_conn *c)
{
	if (c->helper)
		json_string(o, ",\"helper\":", c->helper);
	if (c->has & CTSHARD_CONN_MASTER && c->master)
		json_id(o, ",\"master\":", c->master);
	if (out_has_labels(c)) {
		out_str(o, ",\"labels\":[");
		out_labels(o, c->labels, ",", "\"");
		out_char(o, ']');
	}
	if (c->has & CTSHARD_CONN_START)
		out_json_time(o, ",\"start\":", ",\"start_ns\":", c->start_ns);
	if (c->has & CTSHARD_CONN_LAST)
		out_json_time(o, ",\"last\":", ",\"last_ns\":", c->last_ns);
	if (c->has & CTSHARD_CONN_STOP)
		out_json_time(o, ",\"stop\":", ",\"stop_ns\":", c->stop_ns);
	if (c->reason)
		json_string(o, ",\"reason\":", c->reason);
	if (o->mods & OUT_WIDE && c->has & CTSHARD_CONN_SHARD)
		json_number(o, ",\"shard\":", c->shard);
	if (o->mods & OUT_WIDE && out_has_duration(c))
		json_number(o, ",\"duration_ns\":", c->last_ns - c->start_ns);
	if (o->mods & OUT_WIDE && c->n_detail)
		json_detail(o, c);
	if (o->mods & OUT_COMMUNITY) {
		char text[COMMUNITY_TEXT];

		community_id(c, o->community_seed, text);
		json_string(o, ",\"community_id\":", text);
	}
}

/* The members of a connection, without braces. */
bool out_is_json(const struct out *o)
{
	return o->format == &out_json || o->format == &out_jsonl;
}

void out_items(struct out *o)
{
	if (o->format == &out_json)
		out_char(o, '[');
}

void out_item(struct out *o, uint64_t before)
{
	if (o->format == &out_json)
		out_str(o, before ? ",\n" : "\n");
	else if (before)
		out_char(o, '\n');
}

void out_items_end(struct out *o, uint64_t n)
{
	if (o->format == &out_json)
		out_str(o, n ? "\n]\n" : "]\n");
	else if (n)
		out_char(o, '\n');
}

void out_json_conn(struct out *o, const struct ctshard_conn *c)
{
	json_id(o, "\"id\":", c->id);
	json_string(o, ",\"l3\":", out_l3(c));
	json_string(o, ",\"proto\":", c->proto ? c->proto : "unknown");
	json_number(o, ",\"protonum\":", c->protonum);
	if (c->state)
		json_string(o, ",\"state\":", c->state);
	out_json_status(o, c->status);
	if (c->has & CTSHARD_CONN_TIMEOUT)
		json_number(o, ",\"timeout\":", out_seconds(c));
	json_number(o, ",\"mark\":", c->mark);
	json_zones(o, c);
	json_tuple(o, ",\"original\":", c->l3, &c->dir[0]);
	json_tuple(o, ",\"reply\":", c->l3, &c->dir[1]);
	json_tail(o, c);
}

static void json_flags(struct out *o, const struct ctshard_expect *x)
{
	out_str(o, ",\"flags\":[");
	if (x->flags & CTSHARD_EXPECT_PERMANENT)
		out_str(o, "\"PERMANENT\"");
	if ((x->flags & 3) == 3)
		out_char(o, ',');
	if (x->flags & CTSHARD_EXPECT_INACTIVE)
		out_str(o, "\"INACTIVE\"");
	out_char(o, ']');
}

/* The members of an expectation, without braces. */
static void json_expect(struct out *o, const struct ctshard_expect *x)
{
	json_id(o, "\"id\":", x->id);
	json_string(o, ",\"l3\":", x->l3 == 4 ? "ipv4" : "ipv6");
	json_string(o, ",\"proto\":", x->proto ? x->proto : "unknown");
	json_number(o, ",\"protonum\":", x->protonum);
	json_number(o, ",\"timeout\":", x->timeout_ms / 1000);
	json_number(o, ",\"zone\":", x->zone);
	json_flags(o, x);
	json_number(o, ",\"class\":", x->class_id);
	if (x->class_name)
		json_string(o, ",\"class_name\":", x->class_name);
	if (x->helper)
		json_string(o, ",\"helper\":", x->helper);
	if (x->assign)
		json_string(o, ",\"assign\":", x->assign);
	json_tuple(o, ",\"expected\":", x->l3, &x->tuple);
	json_tuple(o, ",\"mask\":", x->l3, &x->mask);
	json_id(o, ",\"master\":", x->master_id);
	json_number(o, ",\"master_protonum\":", x->master_protonum);
	json_tuple(o, ",\"master_original\":", x->l3, &x->master);
}

static void json_event(struct out *o, const struct ctshard_event *e)
{
	json_string(o, "{\"event\":", out_event_name(e->type));
	if (e->type == CTSHARD_GAP) {
		json_number(o, ",\"from\":", e->from);
		json_number(o, ",\"to\":", e->to);
		json_number(o, ",\"lost\":", e->lost);
		json_string(o, ",\"source\":", e->source ? e->source : "");
	} else {
		json_number(o, ",\"seq\":", e->seq);
	}
	if (e->time_ns && e->type != CTSHARD_GAP)
		out_json_time(o, ",\"time\":", ",\"time_ns\":", e->time_ns);
	if (e->restored)
		out_str(o, ",\"restored\":true");
	if (e->audit) {
		json_number(o, ",\"uid\":", e->audit->uid);
		json_number(o, ",\"pid\":", e->audit->pid);
		json_string(o, ",\"request\":", e->audit->request);
	}
	if (e->conn) {
		out_char(o, ',');
		out_json_conn(o, e->conn);
	}
	if (e->expect) {
		out_char(o, ',');
		json_expect(o, e->expect);
	}
	out_char(o, '}');
}

static void json_begin(struct out *o)
{
	out_char(o, '[');
}

/* between two objects of the array */
static void json_next(struct out *o)
{
	out_str(o, o->table ? ",\n" : "\n");
	o->table = o;
}

static void json_array_conn(struct out *o, const struct ctshard_conn *c)
{
	json_next(o);
	out_char(o, '{');
	out_json_conn(o, c);
	out_char(o, '}');
}

static void json_array_event(struct out *o, const struct ctshard_event *e)
{
	json_next(o);
	json_event(o, e);
}

static void json_put_expect(struct out *o, const struct ctshard_expect *x,
                            const struct ctshard_event *e)
{
	if (e) {
		json_event(o, e);
		return;
	}
	out_char(o, '{');
	json_expect(o, x);
	out_char(o, '}');
}

static void json_array_expect(struct out *o, const struct ctshard_expect *x,
                              const struct ctshard_event *e)
{
	json_next(o);
	json_put_expect(o, x, e);
}

static void json_array_trace(struct out *o, const struct ctshard_trace *t)
{
	json_next(o);
	out_trace_json(o, t);
}

static void json_end(struct out *o)
{
	out_str(o, o->table ? "\n]\n" : "]\n");
	o->table = NULL;
}

const struct out_format out_json = {
	.name = "json",
	.begin = json_begin,
	.conn = json_array_conn,
	.event = json_array_event,
	.expect = json_array_expect,
	.trace = json_array_trace,
	.end = json_end,
};

static void jsonl_conn(struct out *o, const struct ctshard_conn *c)
{
	out_char(o, '{');
	out_json_conn(o, c);
	out_str(o, "}\n");
}

static void jsonl_event(struct out *o, const struct ctshard_event *e)
{
	json_event(o, e);
	out_char(o, '\n');
}

static void jsonl_expect(struct out *o, const struct ctshard_expect *x,
                         const struct ctshard_event *e)
{
	json_put_expect(o, x, e);
	out_char(o, '\n');
}

static void jsonl_trace(struct out *o, const struct ctshard_trace *t)
{
	out_trace_json(o, t);
	out_char(o, '\n');
}

const struct out_format out_jsonl = {
	.name = "jsonl",
	.conn = jsonl_conn,
	.event = jsonl_event,
	.expect = jsonl_expect,
	.trace = jsonl_trace,
};

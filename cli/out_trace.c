/*
 * out_trace.c - traced packets: a line or two for people, an object for
 * programs.
 *
 *	#12 0.034512 original 10.0.0.1:40000 > 10.0.1.1:80 tcp ACK seq 101
 *	  ack 1 win 502 len 100: established, ESTABLISHED (timeout 432000)
 *	      original end 101 -> 201 maxend 65701 ...; reply end 1 ...
 *
 * The first part is the packet, the second, behind the colon, what was made of
 * it.  The second line is what the tracker keeps to itself: `a -> b` where the
 * packet changed it.  Values that are 0 or none before and after are left out
 * there, never in JSON.
 */
#include "cli/out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull

/* ---- words ---- */

static void text_ports(struct out *o, const struct ctshard_tuple *t,
                       const uint8_t *addr, uint32_t l3, uint32_t port)
{
	bool has = t->has & CTSHARD_TUPLE_PORTS;

	if (has && l3 == 6)
		out_char(o, '[');
	out_addr(o, addr, l3);
	if (has && l3 == 6)
		out_char(o, ']');
	if (!has)
		return;
	out_char(o, ':');
	out_u64(o, port);
}

static void text_tuple(struct out *o, const struct ctshard_tuple *t,
                       uint32_t l3, const char *proto, uint32_t protonum,
                       bool id)
{
	text_ports(o, t, t->src, l3, t->sport);
	out_str(o, " > ");
	text_ports(o, t, t->dst, l3, t->dport);
	out_char(o, ' ');
	if (proto)
		out_word(o, proto);
	else
		out_u64(o, protonum);
	if (t->has & CTSHARD_TUPLE_ICMP) {
		out_str(o, " type ");
		out_u64(o, t->type);
		out_str(o, " code ");
		out_u64(o, t->code);
		if (id) {
			out_str(o, " id ");
			out_u64(o, t->icmp_id);
		}
	}
	if (t->has & CTSHARD_TUPLE_GRE) {
		out_str(o, " key ");
		out_u64(o, t->srckey);
		out_char(o, '/');
		out_u64(o, t->dstkey);
	}
}

static void text_fraction(struct out *o, uint64_t ns)
{
	char t[16];

	snprintf(t, sizeof(t), ".%06u", (unsigned)(ns % NS_PER_S / 1000));
	out_str(o, t);
}

/* since the first frame of a capture, or the time of day; or since 1970 */
static void text_time(struct out *o, const struct ctshard_trace *t)
{
	time_t at = (time_t)(t->time_ns / NS_PER_S);
	char text[16];
	struct tm tm;

	if (t->has & CTSHARD_TRACE_SINCE && !(o->mods & OUT_TIMESTAMP)) {
		out_u64(o, t->since_ns / NS_PER_S);
		text_fraction(o, t->since_ns);
	} else {
		if (o->mods & OUT_TIMESTAMP || !localtime_r(&at, &tm) ||
		    !strftime(text, sizeof(text), "%H:%M:%S", &tm))
			out_u64(o, t->time_ns / NS_PER_S);
		else
			out_str(o, text);
		text_fraction(o, t->time_ns);
	}
	out_char(o, ' ');
}

/* "seq 101"; a name says by itself what it is */
static void text_header(struct out *o, const struct ctshard_trace *t)
{
	size_t i;

	for (i = 0; i < t->n_header; i++) {
		const struct ctshard_detail *d = &t->header[i];

		out_char(o, ' ');
		if (i || *d->value < 'A' || *d->value > 'Z') {
			out_word(o, d->key);
			out_char(o, ' ');
		}
		out_word(o, d->value);
	}
	if (!t->n_header) {
		out_str(o, " length ");
		out_u64(o, t->length);
	}
}

/* "reassembled from 3 fragments (#10 #11)", or its place in the datagram */
static void text_fragments(struct out *o, const struct ctshard_trace *t)
{
	size_t i;

	if (t->has & CTSHARD_TRACE_FRAGMENT) {
		out_str(o, " bytes ");
		out_u64(o, t->fragment_from);
		out_char(o, '-');
		out_u64(o, t->fragment_to);
	}
	if (!t->reassembled)
		return;
	out_str(o, " reassembled");
	if (!t->fragments)
		return;
	out_str(o, " from ");
	out_u64(o, t->fragments);
	out_str(o, t->fragments == 1 ? " fragment" : " fragments");
	for (i = 0; i < t->n_fragment_frame; i++) {
		out_str(o, i ? " #" : " (#");
		out_u64(o, t->fragment_frame[i]);
	}
	if (i && i + 1 < t->fragments)
		out_str(o, " ...");
	if (i)
		out_char(o, ')');
}

static void text_packet(struct out *o, const struct ctshard_trace *t)
{
	if (t->has & CTSHARD_TRACE_FRAME) {
		out_char(o, '#');
		out_u64(o, t->frame);
		out_char(o, ' ');
	}
	text_time(o, t);
	if (t->direction) {
		out_word(o, t->direction);
		out_char(o, ' ');
	}
	text_tuple(o, &t->packet, t->l3, t->proto, t->protonum, !t->quoted);
	if (t->quoted) {
		out_str(o, " [");
		text_tuple(o, t->quoted, t->l3, t->quoted_proto,
		           t->quoted_protonum, true);
		out_char(o, ']');
	}
	text_header(o, t);
	text_fragments(o, t);
}

static void text_timeout(struct out *o, uint64_t ms)
{
	char t[8];

	out_str(o, " (timeout ");
	out_u64(o, ms / 1000);
	if (ms % 1000) {
		snprintf(t, sizeof(t), ".%03u", (unsigned)(ms % 1000));
		out_str(o, t);
	}
	out_char(o, ')');
}

static void text_rules(struct out *o, const struct ctshard_trace *t)
{
	const char *name = NULL;
	size_t i;

	for (i = 0; i < t->n_rule; i++) {
		if (!name || strcmp(name, t->rule[i].name)) {
			name = t->rule[i].name;
			out_str(o, ", rule ");
			out_word(o, name);
			out_char(o, ':');
		}
		out_char(o, ' ');
		out_word(o, t->rule[i].gave);
	}
	if (t->zone) {
		out_str(o, ", zone ");
		out_u64(o, t->zone);
	}
	if (t->has & CTSHARD_TRACE_ZONE_REPLY) {
		out_str(o, ", zone-reply ");
		out_u64(o, t->zone_reply);
	}
}

static bool text_state(struct out *o, const struct ctshard_trace *t)
{
	const char *from = t->before.state, *to = t->after.state;

	if (!from && !to)
		return false;
	out_str(o, ", ");
	if (from && (!to || strcmp(from, to))) {
		out_word(o, from);
		if (to)
			out_str(o, " -> ");
	}
	if (to)
		out_word(o, to);
	return true;
}

/* What a class does not say already. */
static void text_verdict(struct out *o, const struct ctshard_trace *t)
{
	static const char *const implied[] = {"accepted", "new", "invalid",
	                                      "related", "untracked"};
	size_t i;

	for (i = 0; i < sizeof(implied) / sizeof(implied[0]); i++)
		if (!strcmp(t->verdict, implied[i]))
			break;
	/* one that was expected is related, and new */
	if (i == sizeof(implied) / sizeof(implied[0]) ||
	    (!strcmp(t->verdict, "new") && strcmp(t->class_name, "new"))) {
		out_str(o, ", ");
		out_word(o, t->verdict);
	}
	if (t->has & CTSHARD_TRACE_FRAGMENT && t->fragments) {
		out_str(o, ", ");
		out_u64(o, t->fragments);
		out_str(o, " so far");
	}
	if (t->reopened)
		out_str(o, ", reopened");
	if (t->reason) {
		out_str(o, ": ");
		out_text(o, t->reason);
	}
}

static void text_judged(struct out *o, const struct ctshard_trace *t)
{
	out_str(o, ": ");
	out_word(o, t->class_name);
	text_verdict(o, t);
	text_rules(o, t);
	text_state(o, t);
	if (t->has & CTSHARD_TRACE_AFTER && strcmp(t->verdict, "ended"))
		text_timeout(o, t->after.timeout_ms);
	if (t->after.mark) {
		out_str(o, " mark ");
		out_u64(o, t->after.mark);
	}
	if (o->mods & OUT_ID && t->has & CTSHARD_TRACE_CONN) {
		out_str(o, " id=");
		out_u64(o, (uint32_t)t->conn);
	}
	out_char(o, '\n');
}

/* ---- the tracker's own ---- */

static const char *pair_find(const struct ctshard_trace_conn *c,
                             const char *key)
{
	size_t i;

	for (i = 0; i < c->n_inside; i++)
		if (!strcmp(c->inside[i].key, key))
			return c->inside[i].value;
	return NULL;
}

static bool pair_empty(const char *v)
{
	return !v || !strcmp(v, "0") || !strcmp(v, "none") || !strcmp(v, "no");
}

/* bytes of "original" in "original.end", 0: no dot */
static size_t pair_group(const char *key)
{
	const char *dot = strchr(key, '.');

	return dot ? (size_t)(dot - key) : 0;
}

static void text_change(struct out *o, const char *from, const char *to)
{
	if (from && strcmp(from, to)) {
		out_word(o, from);
		out_str(o, " -> ");
	}
	out_word(o, to);
}

static void text_inside(struct out *o, const struct ctshard_trace *t)
{
	const char *last = NULL;
	size_t i;

	for (i = 0; i < t->after.n_inside; i++) {
		const struct ctshard_detail *d = &t->after.inside[i];
		const char *from = pair_find(&t->before, d->key);
		size_t n = pair_group(d->key);

		if (pair_empty(from) && pair_empty(d->value))
			continue;
		if (!last)
			out_str(o, "      ");
		if (!last || pair_group(last) != n ||
		    strncmp(last, d->key, n)) {
			out_str(o, last ? "; " : "");
			out_mem(o, d->key, n);
			out_str(o, n ? " " : "");
		} else {
			out_char(o, ' ');
		}
		last = d->key;
		out_word(o, d->key + n + (n != 0));
		out_char(o, ' ');
		text_change(o, from, d->value);
	}
	if (last)
		out_char(o, '\n');
}

void out_trace_text(struct out *o, const struct ctshard_trace *t)
{
	if (t->lost) {
		out_str(o, "[GAP] lost=");
		out_u64(o, t->lost);
		out_char(o, '\n');
		return;
	}
	text_packet(o, t);
	text_judged(o, t);
	text_inside(o, t);
}

/* ---- objects ---- */

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

static void json_addr(struct out *o, const char *key, const uint8_t *addr,
                      uint32_t l3)
{
	out_str(o, key);
	out_char(o, '"');
	out_addr(o, addr, l3);
	out_char(o, '"');
}

/* a number stays one */
static void json_value(struct out *o, const char *key, size_t from,
                       const char *v)
{
	size_t n = strspn(v, "0123456789");

	out_json_string(o, key + from);
	out_char(o, ':');
	if (n && n < 20 && !v[n] && (*v != '0' || n == 1))
		out_str(o, v);
	else
		out_json_string(o, v);
}

/* "original.end" is a member of "original"; such keys stand together */
static void json_pairs(struct out *o, const struct ctshard_detail *d, size_t n)
{
	size_t i, group = 0;

	out_char(o, '{');
	for (i = 0; i < n; i++) {
		size_t g = pair_group(d[i].key);
		bool same =
			i && g == group && !strncmp(d[i].key, d[i - 1].key, g);

		if (i && !same && group)
			out_char(o, '}');
		if (i)
			out_char(o, ',');
		if (g && !same) {
			char name[32];

			snprintf(name, sizeof(name), "%.*s", (int)g, d[i].key);
			out_json_string(o, name);
			out_str(o, ":{");
		}
		json_value(o, d[i].key, g + (g != 0), d[i].value);
		group = g;
	}
	out_str(o, group ? "}}" : "}");
}

static void json_tuple(struct out *o, const struct ctshard_tuple *t,
                       uint32_t l3, bool id)
{
	json_addr(o, "\"src\":", t->src, l3);
	json_addr(o, ",\"dst\":", t->dst, l3);
	if (t->has & CTSHARD_TUPLE_PORTS) {
		json_number(o, ",\"sport\":", t->sport);
		json_number(o, ",\"dport\":", t->dport);
	}
	if (t->has & CTSHARD_TUPLE_ICMP) {
		json_number(o, ",\"type\":", t->type);
		json_number(o, ",\"code\":", t->code);
		if (id)
			json_number(o, ",\"id\":", t->icmp_id);
	}
	if (t->has & CTSHARD_TUPLE_GRE) {
		json_number(o, ",\"srckey\":", t->srckey);
		json_number(o, ",\"dstkey\":", t->dstkey);
	}
}

static void json_proto(struct out *o, const char *proto, uint32_t protonum)
{
	json_string(o, "\"proto\":", proto ? proto : "unknown");
	json_number(o, ",\"protonum\":", protonum);
	out_char(o, ',');
}

static void json_fragments(struct out *o, const struct ctshard_trace *t)
{
	size_t i;

	if (t->reassembled)
		out_str(o, ",\"reassembled\":true");
	if (t->has & CTSHARD_TRACE_FRAGMENT) {
		json_number(o, ",\"fragment\":{\"from\":", t->fragment_from);
		json_number(o, ",\"to\":", t->fragment_to);
		out_char(o, '}');
	}
	if (t->fragments)
		json_number(o, ",\"fragments\":", t->fragments);
	if (!t->n_fragment_frame)
		return;
	for (i = 0; i < t->n_fragment_frame; i++)
		json_number(o, i ? "," : ",\"fragment_frames\":[",
		            t->fragment_frame[i]);
	out_char(o, ']');
}

static void json_packet(struct out *o, const struct ctshard_trace *t)
{
	if (t->has & CTSHARD_TRACE_FRAME) {
		json_number(o, "\"frame\":", t->frame);
		out_char(o, ',');
	}
	out_json_time(o, "\"time\":", ",\"time_ns\":", t->time_ns);
	if (t->has & CTSHARD_TRACE_SINCE)
		json_number(o, ",\"since_ns\":", t->since_ns);
	json_string(o, ",\"l3\":", t->l3 == 4 ? "ipv4" : "ipv6");
	out_str(o, ",\"packet\":{");
	json_proto(o, t->proto, t->protonum);
	json_tuple(o, &t->packet, t->l3, !t->quoted);
	out_char(o, '}');
	json_number(o, ",\"length\":", t->length);
	if (t->n_header) {
		out_str(o, ",\"header\":");
		json_pairs(o, t->header, t->n_header);
	}
	if (t->quoted) {
		out_str(o, ",\"quoted\":{");
		json_proto(o, t->quoted_proto, t->quoted_protonum);
		json_tuple(o, t->quoted, t->l3, true);
		out_char(o, '}');
	}
	json_fragments(o, t);
}

static void json_side(struct out *o, const char *key,
                      const struct ctshard_trace_conn *c)
{
	char ms[40];

	out_str(o, key);
	if (c->state) {
		json_string(o, "\"state\":", c->state);
		out_char(o, ',');
	}
	snprintf(ms, sizeof(ms), "\"timeout\":%llu.%03u",
	         (unsigned long long)(c->timeout_ms / 1000),
	         (unsigned)(c->timeout_ms % 1000));
	out_str(o, ms);
	out_json_status(o, c->status);
	json_number(o, ",\"mark\":", c->mark);
	if (c->n_inside) {
		out_str(o, ",\"inside\":");
		json_pairs(o, c->inside, c->n_inside);
	}
	out_char(o, '}');
}

static void json_rules(struct out *o, const struct ctshard_trace *t)
{
	size_t i;

	out_str(o, ",\"rules\":[");
	for (i = 0; i < t->n_rule; i++) {
		json_string(o,
		            i ? ",{\"name\":" : "{\"name\":", t->rule[i].name);
		json_string(o, ",\"gave\":", t->rule[i].gave);
		out_char(o, '}');
	}
	out_char(o, ']');
}

static void json_judged(struct out *o, const struct ctshard_trace *t)
{
	if (t->direction)
		json_string(o, ",\"direction\":", t->direction);
	json_string(o, ",\"class\":", t->class_name);
	json_string(o, ",\"verdict\":", t->verdict);
	if (t->reason)
		json_string(o, ",\"reason\":", t->reason);
	if (t->n_rule)
		json_rules(o, t);
	json_number(o, ",\"zone\":", t->zone);
	if (t->has & CTSHARD_TRACE_ZONE_REPLY)
		json_number(o, ",\"zone_reply\":", t->zone_reply);
	if (t->has & CTSHARD_TRACE_CONN) {
		json_number(o, ",\"id\":\"", t->conn);
		out_char(o, '"');
	}
	if (t->reopened)
		out_str(o, ",\"reopened\":true");
	if (t->has & CTSHARD_TRACE_BEFORE)
		json_side(o, ",\"before\":{", &t->before);
	if (t->has & CTSHARD_TRACE_AFTER)
		json_side(o, ",\"after\":{", &t->after);
}

void out_trace_json(struct out *o, const struct ctshard_trace *t)
{
	out_char(o, '{');
	if (t->lost) {
		json_number(o, "\"lost\":", t->lost);
	} else {
		json_packet(o, t);
		json_judged(o, t);
	}
	out_char(o, '}');
}

/* decode_trace.c - traced packets, to the structs of ctshard.h; see decode.c.
 */
#include "proto/client.h"

#include <string.h>

static int decode_side(struct ctshard_trace_conn *to,
                       const Ctshard__TraceConn *p, struct frame_arena *a)
{
	to->state = decode_word(p->state);
	to->timeout_ms = p->timeout_ms;
	to->status = p->status;
	to->mark = p->mark;
	return decode_details(&to->n_inside, &to->inside, p->n_inside,
	                      p->inside, a);
}

static int decode_sides(struct ctshard_trace *t, const Ctshard__TraceLine *p,
                        struct frame_arena *a)
{
	int rc = 0;

	if (p->before) {
		t->has |= CTSHARD_TRACE_BEFORE;
		rc |= decode_side(&t->before, p->before, a);
	}
	if (p->after) {
		t->has |= CTSHARD_TRACE_AFTER;
		rc |= decode_side(&t->after, p->after, a);
	}
	return rc;
}

static int decode_rules(struct ctshard_trace *t, const Ctshard__TraceLine *p,
                        struct frame_arena *a)
{
	struct ctshard_trace_rule *r;
	size_t i;

	if (!p->n_rule)
		return 0;
	r = arena_get(a, p->n_rule * sizeof(*r));
	if (!r)
		return -1;
	for (i = 0; i < p->n_rule; i++) {
		r[i].name = p->rule[i]->name ? p->rule[i]->name : "";
		r[i].gave = p->rule[i]->gave ? p->rule[i]->gave : "";
	}
	t->n_rule = p->n_rule;
	t->rule = r;
	return 0;
}

static uint32_t decode_has(const Ctshard__TraceLine *p)
{
	return (p->has_frame ? CTSHARD_TRACE_FRAME : 0) |
	       (p->has_since_ns ? CTSHARD_TRACE_SINCE : 0) |
	       (p->has_zone_reply ? CTSHARD_TRACE_ZONE_REPLY : 0) |
	       (p->has_conn ? CTSHARD_TRACE_CONN : 0) |
	       (p->has_fragment_to ? CTSHARD_TRACE_FRAGMENT : 0);
}

static const char *word_or(const char *s, const char *other)
{
	return s && *s ? s : other;
}

static const char *decode_trace(struct ctshard_trace *t,
                                struct ctshard_tuple *quoted,
                                const Ctshard__TraceLine *p,
                                struct frame_arena *a)
{
	memset(t, 0, sizeof(*t));
	t->lost = p->lost;
	if (t->lost)
		return NULL;
	if (p->l3 != 4 && p->l3 != 6)
		return "a packet of no known family";
	t->has = decode_has(p);
	t->frame = p->frame;
	t->time_ns = p->time_ns;
	t->since_ns = p->since_ns;
	t->l3 = p->l3;
	t->protonum = p->protonum;
	t->proto = decode_word(p->proto);
	t->length = p->length;
	t->quoted_protonum = p->quoted_protonum;
	t->quoted_proto = decode_word(p->quoted_proto);
	t->reassembled = p->reassembled;
	t->direction = decode_word(p->direction);
	t->class_name = word_or(p->class_, "invalid");
	t->verdict = word_or(p->verdict, "invalid");
	t->reason = decode_word(p->reason);
	t->zone = p->zone;
	t->zone_reply = p->has_zone_reply ? p->zone_reply : p->zone;
	t->conn = p->conn;
	t->reopened = p->reopened;
	t->fragments = p->fragments;
	t->n_fragment_frame = p->n_fragment_frame;
	t->fragment_frame = p->fragment_frame;
	t->fragment_from = p->fragment_from;
	t->fragment_to = p->fragment_to;
	if (decode_tuple(&t->packet, p->packet, p->l3))
		return "a packet with a bad address";
	if (p->quoted) {
		if (decode_tuple(quoted, p->quoted, p->l3))
			return "a quoted packet with a bad address";
		t->quoted = quoted;
	}
	if (decode_details(&t->n_header, &t->header, p->n_header, p->header,
	                   a) ||
	    decode_rules(t, p, a) || decode_sides(t, p, a))
		return "too many details";
	return NULL;
}

int decode_traces(const Ctshard__Response *r, struct frame_arena *a,
                  const struct ctshard_handler *h, const char **why)
{
	struct ctshard_tuple quoted;
	struct ctshard_trace t;
	size_t i;

	for (i = 0; h->trace && i < r->n_trace; i++) {
		*why = decode_trace(&t, &quoted, r->trace[i], a);
		if (*why)
			return -1;
		if (h->trace(h->arg, &t))
			return 1;
	}
	return 0;
}

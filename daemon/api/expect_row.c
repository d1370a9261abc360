/*
 * expect_row.c - see expect_row.h.
 *
 * The mask is what the kernel would have (F182): of the source as many bits as
 * are compared, of the destination all; a source port only where it is exact,
 * else it is told as 0 under a mask of 0.
 */
#include "daemon/api/expect_row.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/tuple.h"
#include "daemon/helper/helper.h"
#include "daemon/tracker/tracker.h"

void expect_rows_begin(struct expect_rows *b)
{
	static const Ctshard__Response empty = CTSHARD__RESPONSE__INIT;

	b->resp = empty;
	b->n = 0;
}

Ctshard__Response *expect_rows_response(struct expect_rows *b)
{
	b->resp.expect = b->expect;
	b->resp.event = b->event;
	return &b->resp;
}

static struct expect_row *row_new(struct expect_rows *b)
{
	static const Ctshard__Expect expect = CTSHARD__EXPECT__INIT;
	static const Ctshard__Event event = CTSHARD__EVENT__INIT;
	static const Ctshard__Tuple tuple = CTSHARD__TUPLE__INIT;
	struct expect_row *r = &b->row[b->n++];

	r->expect = expect;
	r->event = event;
	r->tuple = r->mask = r->master = tuple;
	return r;
}

static void tuple_addrs(Ctshard__Tuple *m, uint8_t *src, uint8_t *dst, bool v6)
{
	m->has_src = m->has_dst = 1;
	m->src.len = m->dst.len = v6 ? 16 : 4;
	m->src.data = src;
	m->dst.data = dst;
}

static void tuple_ports(Ctshard__Tuple *m, enum tuple_kind kind, uint16_t sport,
                        uint16_t dport)
{
	if (kind == TUPLE_KEYS) {
		m->has_srckey = m->has_dstkey = 1;
		m->srckey = sport;
		m->dstkey = dport;
	} else if (kind == TUPLE_PORTS) {
		m->has_sport = m->has_dport = 1;
		m->sport = sport;
		m->dport = dport;
	}
}

static void mask_fill(uint8_t to[16], unsigned int bits)
{
	unsigned int i;

	for (i = 0; i<16; i++, bits = bits> 8 ? bits - 8 : 0)
		to[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
}

static void row_tuples(struct expect_row *r, const struct policy *pol,
                       const struct expect *e)
{
	const struct expect_info *i = &e->info;
	enum tuple_kind kind = tuple_kind(pol, e->l4proto);
	bool exact = i->flags & EXPECT_SPORT;

	memcpy(r->addr[0], i->src, 16);
	memcpy(r->addr[1], e->dst, 16);
	mask_fill(r->addr[2], i->src_len);
	mask_fill(r->addr[3], 128);
	memcpy(r->addr[4], i->master[0], 16);
	memcpy(r->addr[5], i->master[1], 16);
	tuple_addrs(&r->tuple, r->addr[0], r->addr[1], e->v6);
	tuple_addrs(&r->mask, r->addr[2], r->addr[3], e->v6);
	tuple_addrs(&r->master, r->addr[4], r->addr[5], e->v6);
	tuple_ports(&r->tuple, kind, exact ? i->sport : 0, e->dport);
	tuple_ports(&r->mask, kind, exact ? 0xffff : 0, 0xffff);
	tuple_ports(&r->master, tuple_kind(pol, i->master_proto),
	            i->master_port[0], i->master_port[1]);
	r->expect.tuple = &r->tuple;
	r->expect.mask = &r->mask;
	r->expect.master = &r->master;
}

/* messages point to what may be written, the names may not */
static char *row_word(char to[EXPECT_WORD], const char *word)
{
	if (!word)
		return NULL;
	snprintf(to, EXPECT_WORD, "%s", word);
	return to;
}

static void row_words(struct expect_row *r, const struct expect *e)
{
	const struct expect_info *i = &e->info;
	const struct helper *h = i->helper ? helper_at(i->helper - 1u) : NULL;
	const char *proto = tracker_proto_name(e->l4proto);

	if (strcmp(proto, "unknown") != 0)
		r->expect.proto = row_word(r->proto, proto);
	if (h && i->class < h->nclasses)
		r->expect.class_name =
			row_word(r->class_name, h->classes[i->class].name);
	r->expect.helper = row_word(r->helper, helper_name(i->helper));
	r->expect.assign = row_word(r->assign, helper_name(i->assign));
}

static void row_fill(struct expect_row *r, const struct policy *pol,
                     const struct expect *e, uint64_t left_ms)
{
	Ctshard__Expect *m = &r->expect;

	m->has_id = m->has_l3 = m->has_protonum = m->has_timeout_ms = 1;
	m->id = e->id;
	m->l3 = e->v6 ? 6 : 4;
	m->protonum = e->l4proto;
	m->timeout_ms = left_ms;
	m->has_master_protonum = m->has_master_id = 1;
	m->master_protonum = e->info.master_proto;
	m->master_id = e->master;
	m->has_zone = e->zone != 0;
	m->zone = e->zone;
	m->has_flags = m->has_class_ = 1;
	m->flags = e->info.flags & EXPECT_SHOWN;
	m->class_ = e->info.class;
	row_tuples(r, pol, e);
	row_words(r, e);
}

void expect_rows_list(struct expect_rows *b, const struct policy *pol,
                      const struct expect *e, uint64_t left_ms)
{
	struct expect_row *r = row_new(b);

	row_fill(r, pol, e, left_ms);
	b->expect[b->resp.n_expect++] = &r->expect;
}

static Ctshard__Event *event_new(struct expect_rows *b, struct expect_row *r,
                                 Ctshard__EventType type)
{
	r->event.has_type = 1;
	r->event.type = type;
	b->event[b->resp.n_event++] = &r->event;
	return &r->event;
}

void expect_rows_event(struct expect_rows *b, const struct policy *pol,
                       const struct event_slot *s)
{
	struct expect_row *r = row_new(b);
	Ctshard__Event *m = event_new(b, r,
	                              s->cell.type == EVENT_EXP_NEW
	                                      ? CTSHARD__EVENT_TYPE__NEW
	                                      : CTSHARD__EVENT_TYPE__DESTROY);
	struct expect e;

	expect_of_event(s, &e);
	row_fill(r, pol, &e, s->cell.left_ms);
	m->has_seq = m->has_time_ns = 1;
	m->seq = s->cell.shard_seq;
	m->time_ns = s->cell.ts_ns;
	m->expect = &r->expect;
}

void expect_rows_begun(struct expect_rows *b, uint64_t seq)
{
	Ctshard__Event *m =
		event_new(b, row_new(b), CTSHARD__EVENT_TYPE__LIST_END);

	m->has_seq = 1;
	m->seq = seq;
}

void expect_rows_gap(struct expect_rows *b, uint64_t from, uint64_t to)
{
	struct expect_row *r = row_new(b);
	Ctshard__Event *m = event_new(b, r, CTSHARD__EVENT_TYPE__GAP);

	m->source = row_word(r->source, "log");
	m->has_from = m->has_to = m->has_lost = 1;
	m->from = from;
	m->to = to;
	m->lost = to > from ? to - from - 1 : 0;
}

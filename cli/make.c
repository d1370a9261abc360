/* make.c - see make.h. */
#include "cli/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HAS(c, name) ((c)->filter.has & CTSHARD_FILTER_HAS(name))

static bool net_whole(const struct ctshard_net *n)
{
	return n->len && n->prefix == n->len * 8;
}

static bool range_one(const struct ctshard_range *r)
{
	return r->from == r->to;
}

/* -s and -d, or -r and -q; the reply is the mirror of the original */
static int make_addr(struct ctshard_conn *to, const struct cmd *c)
{
	const struct ctshard_filter *f = &c->filter;
	const struct ctshard_net *src = HAS(c, ORIG_SRC)    ? &f->orig_src
	                                : HAS(c, REPLY_DST) ? &f->reply_dst
	                                                    : NULL;
	const struct ctshard_net *dst = HAS(c, ORIG_DST)    ? &f->orig_dst
	                                : HAS(c, REPLY_SRC) ? &f->reply_src
	                                                    : NULL;

	if (!src || !dst || !net_whole(src) || !net_whole(dst))
		return -1;
	memcpy(to->dir[0].src, src->addr, 16);
	memcpy(to->dir[0].dst, dst->addr, 16);
	memcpy(to->dir[1].src,
	       HAS(c, REPLY_SRC) ? f->reply_src.addr : dst->addr, 16);
	memcpy(to->dir[1].dst,
	       HAS(c, REPLY_DST) ? f->reply_dst.addr : src->addr, 16);
	to->l3 = src->len == 4 ? 4 : 6;
	return 0;
}

static int make_ports(struct ctshard_conn *to, const struct cmd *c)
{
	const struct ctshard_filter *f = &c->filter;
	struct ctshard_tuple *a = &to->dir[0], *b = &to->dir[1];

	if (!range_one(&f->sport) || !range_one(&f->dport) ||
	    !range_one(&f->reply_sport) || !range_one(&f->reply_dport))
		return -1;
	if (HAS(c, SPORT) && HAS(c, DPORT)) {
		a->has |= CTSHARD_TUPLE_PORTS;
		b->has |= CTSHARD_TUPLE_PORTS;
	}
	a->sport = f->sport.from;
	a->dport = f->dport.from;
	b->sport = HAS(c, REPLY_SPORT) ? f->reply_sport.from : a->dport;
	b->dport = HAS(c, REPLY_DPORT) ? f->reply_dport.from : a->sport;
	return 0;
}

static void make_keys(struct ctshard_conn *to, const struct cmd *c)
{
	const struct ctshard_filter *f = &c->filter;
	struct ctshard_tuple *a = &to->dir[0];

	if (HAS(c, ICMP_TYPE))
		a->has |= CTSHARD_TUPLE_ICMP;
	a->type = f->icmp_type;
	a->code = f->icmp_code;
	a->icmp_id = f->icmp_id;
	if (HAS(c, SRCKEY) || HAS(c, DSTKEY))
		a->has |= CTSHARD_TUPLE_GRE;
	a->srckey = f->srckey;
	a->dstkey = f->dstkey;
}

static void make_zones(struct ctshard_conn *to, const struct cmd *c)
{
	const struct ctshard_filter *f = &c->filter;

	if (HAS(c, ZONE))
		to->has |= CTSHARD_CONN_ZONE;
	to->zone = f->zone;
	if (HAS(c, ORIG_ZONE))
		to->dir[0].has |= CTSHARD_TUPLE_ZONE;
	to->dir[0].zone = f->orig_zone;
	if (HAS(c, REPLY_ZONE))
		to->dir[1].has |= CTSHARD_TUPLE_ZONE;
	to->dir[1].zone = f->reply_zone;
}

int make_conn(struct ctshard_conn *to, const struct cmd *c, char *why,
              size_t size)
{
	memset(to, 0, sizeof(*to));
	if (!HAS(c, PROTONUM)) {
		snprintf(why, size, "the protocol (-p) is missing");
		return -1;
	}
	if (make_addr(to, c)) {
		snprintf(why, size, "two whole addresses (-s, -d) are needed");
		return -1;
	}
	if (make_ports(to, c)) {
		snprintf(why, size, "one port of each side is needed");
		return -1;
	}
	if (!c->update.has_timeout) {
		snprintf(why, size, "the timeout (-t) is missing");
		return -1;
	}
	make_keys(to, c);
	make_zones(to, c);
	to->protonum = c->filter.protonum;
	to->state = HAS(c, STATE) ? c->filter.state : NULL;
	to->timeout_ms = c->update.timeout_s * 1000;
	to->status = c->update.status_set;
	to->mark = c->update.has_mark ? c->update.mark : 0;
	if (c->update.labels_set) {
		to->has |= CTSHARD_CONN_LABELS;
		memcpy(to->labels, c->labels_set, sizeof(to->labels));
	}
	return 0;
}

/* "N: why" about the batch under way */
static int make_fault(void *arg, const char *text)
{
	struct make *m = arg;
	const char *end;
	char *stop;
	bool exists;
	unsigned long n = strtoul(text, &stop, 10);

	end = stop;

	if (end == text || *end != ':' || n >= m->n)
		return 0;
	exists = !strcmp(end, ": File exists");
	if (m->fine[n] && exists)
		return 0;
	m->failed++;
	if (exists) /* F306 */
		end = ": Operation failed: Such conntrack exists, try update";
	if (m->file)
		cmd_warn("%s:%u%s", m->file, m->line[n], end);
	else
		cmd_warn("add%s", end);
	return 0;
}

static int make_affected(void *arg, uint64_t n)
{
	struct make *m = arg;

	m->made += n;
	return 0;
}

void make_flush(struct make *m)
{
	struct ctshard_handler h = {
		.arg = m, .fault = make_fault, .affected = make_affected};
	uint64_t id;

	if (!m->n || m->error)
		return;
	m->error = ctshard_add(m->ct, m->conn, m->n, m->restored, &h, &id);
	if (!m->error)
		m->error = ctshard_wait(m->ct, id);
	m->n = 0;
}

void make_add(struct make *m, const struct ctshard_conn *c, unsigned line,
              bool exist_ok)
{
	size_t n = m->n;

	m->conn[n] = *c;
	if (c->state) {
		snprintf(m->state[n], sizeof(m->state[n]), "%s", c->state);
		m->conn[n].state = m->state[n];
	}
	m->line[n] = line;
	m->fine[n] = exist_ok;
	if (++m->n == CTSHARD_ADD_MAX)
		make_flush(m);
}

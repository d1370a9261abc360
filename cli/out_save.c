/* out_save.c - options that would make each connection again (-o save). */
#include "cli/out.h"

#include <string.h>

static void save_pair(struct out *o, const char *key, uint64_t v)
{
	out_str(o, key);
	out_u64(o, v);
}

static void save_addr(struct out *o, const char *key,
                      const struct ctshard_conn *c, const uint8_t *a)
{
	out_str(o, key);
	out_addr(o, a, c->l3);
}

static void save_status(struct out *o, uint32_t status)
{
	const char *before = " -u ";

	if (status & CTSHARD_S_SEEN_REPLY) {
		out_str(o, " -u SEEN_REPLY");
		before = ",";
	}
	if (status & CTSHARD_S_ASSURED) {
		out_str(o, before);
		out_str(o, "ASSURED");
		before = ",";
	}
	if (status & CTSHARD_S_FIXED_TIMEOUT) {
		out_str(o, before);
		out_str(o, "FIXED_TIMEOUT");
		before = ",";
	}
	if (*before == ' ')
		out_str(o, " -u UNSET");
}

static void save_zones(struct out *o, const struct ctshard_conn *c)
{
	if (c->zone)
		save_pair(o, " -w ", c->zone);
	if (c->dir[0].has & CTSHARD_TUPLE_ZONE)
		save_pair(o, " --orig-zone ", c->dir[0].zone);
	if (c->dir[1].has & CTSHARD_TUPLE_ZONE)
		save_pair(o, " --reply-zone ", c->dir[1].zone);
}

static void save_icmp(struct out *o, const struct ctshard_conn *c)
{
	const struct ctshard_tuple *t = &c->dir[0];
	bool v6 = c->protonum == 58;

	save_pair(o, v6 ? " --icmpv6-type " : " --icmp-type ", t->type);
	save_pair(o, v6 ? " --icmpv6-code " : " --icmp-code ", t->code);
	save_pair(o, v6 ? " --icmpv6-id " : " --icmp-id ", t->icmp_id);
}

static void save_keys(struct out *o, const struct ctshard_conn *c)
{
	const struct ctshard_tuple *a = &c->dir[0], *b = &c->dir[1];

	if (a->has & CTSHARD_TUPLE_PORTS) {
		save_pair(o, " --sport ", a->sport);
		save_pair(o, " --dport ", a->dport);
		save_pair(o, " --reply-port-src ", b->sport);
		save_pair(o, " --reply-port-dst ", b->dport);
	}
	if (a->has & CTSHARD_TUPLE_ICMP)
		save_icmp(o, c);
	if (a->has & CTSHARD_TUPLE_GRE) {
		save_pair(o, " --srckey ", a->srckey);
		save_pair(o, " --dstkey ", a->dstkey);
		save_pair(o, " --reply-key-src ", b->srckey);
		save_pair(o, " --reply-key-dst ", b->dstkey);
	}
}

static void save_line(struct out *o, const char *verb,
                      const struct ctshard_conn *c)
{
	out_str(o, verb);
	save_pair(o, " -t ", out_seconds(c));
	save_status(o, c->status);
	/* conntrack forgets mark and labels, which makes a load incomplete */
	if (c->mark)
		save_pair(o, " -m ", c->mark);
	if (out_has_labels(c)) {
		out_str(o, " --label-add ");
		out_labels(o, c->labels, ",", "");
	}
	save_zones(o, c);
	save_addr(o, " -s ", c, c->dir[0].src);
	save_addr(o, " -d ", c, c->dir[0].dst);
	save_addr(o, " -r ", c, c->dir[1].src);
	save_addr(o, " -q ", c, c->dir[1].dst);
	if (c->proto) {
		out_str(o, " -p ");
		out_word(o, c->proto);
	} else {
		save_pair(o, " -p ", c->protonum);
	}
	save_keys(o, c);
	if (c->state) {
		out_str(o, " --state ");
		out_word(o, c->state);
	}
	out_char(o, '\n');
}

static void save_conn(struct out *o, const struct ctshard_conn *c)
{
	save_line(o, o->verb, c);
}

static void save_event(struct out *o, const struct ctshard_event *e)
{
	if (!e->conn)
		return;
	save_line(o,
	          e->type == CTSHARD_DESTROY  ? "-D"
	          : e->type == CTSHARD_UPDATE ? "-U"
	                                      : "-A",
	          e->conn);
}

const struct out_format out_save = {
	.name = "save",
	.conn = save_conn,
	.event = save_event,
	.expect = out_line_expect,
};

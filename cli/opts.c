/*
 * opts.c - the options: conntrack's letters and ours, one row each.
 *
 * The rows are the only list: parsing, help and the check of the manual read
 * them.  A letter may mean different things to different verbs (-s is a source
 * here and a setting of `replay`), so a row says for which groups it holds.
 */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

#include "cli/value.h"
#include "cli/when.h"

enum { NET_orig_src, NET_orig_dst, NET_reply_src, NET_reply_dst, NET_any_addr };

static struct ctshard_net *opt_net_at(struct cmd *c, int which, uint64_t *has)
{
	switch (which) {
	case NET_orig_src:
		*has = CTSHARD_FILTER_HAS(ORIG_SRC);
		return &c->filter.orig_src;
	case NET_orig_dst:
		*has = CTSHARD_FILTER_HAS(ORIG_DST);
		return &c->filter.orig_dst;
	case NET_reply_src:
		*has = CTSHARD_FILTER_HAS(REPLY_SRC);
		return &c->filter.reply_src;
	case NET_reply_dst:
		*has = CTSHARD_FILTER_HAS(REPLY_DST);
		return &c->filter.reply_dst;
	default:
		*has = CTSHARD_FILTER_HAS(ANY_ADDR);
		return &c->filter.any_addr;
	}
}

/* An address says the family too; two that differ match nothing. */
static int opt_set_l3(struct cmd *c, uint32_t l3)
{
	if (c->filter.has & CTSHARD_FILTER_HAS(L3) && c->filter.l3 != l3)
		return -1;
	c->filter.l3 = l3;
	c->filter.has |= CTSHARD_FILTER_HAS(L3);
	return 0;
}

static int opt_net(struct cmd *c, const char *v, int which)
{
	uint64_t has;
	struct ctshard_net *n = opt_net_at(c, which, &has);

	if (value_net(v, n))
		return -1;
	c->filter.has |= has;
	return opt_set_l3(c, n->len == 4 ? 4 : 6);
}

static int opt_net_mask(struct cmd *c, const char *v, int which)
{
	uint64_t has;
	struct ctshard_net *n = opt_net_at(c, which, &has);

	return c->filter.has & has ? value_mask(v, n) : -1;
}

static int opt_family(struct cmd *c, const char *v, int arg)
{
	uint32_t l3;

	(void)arg;
	return value_family(v, &l3) ? -1 : opt_set_l3(c, l3);
}

static int opt_proto(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->filter.has |= CTSHARD_FILTER_HAS(PROTONUM);
	return value_proto(v, &c->filter.protonum);
}

/* One number of the filter; `arg` is its bit. */
static int opt_number(struct cmd *c, const char *v, int arg)
{
	uint32_t *to, max = UINT16_MAX;

	switch (arg) {
	case CTSHARD_FILTER_BIT_ZONE:
		to = &c->filter.zone;
		break;
	case CTSHARD_FILTER_BIT_ORIG_ZONE:
		to = &c->filter.orig_zone;
		break;
	case CTSHARD_FILTER_BIT_REPLY_ZONE:
		to = &c->filter.reply_zone;
		break;
	case CTSHARD_FILTER_BIT_ICMP_TYPE:
		to = &c->filter.icmp_type;
		max = UINT8_MAX;
		break;
	case CTSHARD_FILTER_BIT_ICMP_CODE:
		to = &c->filter.icmp_code;
		max = UINT8_MAX;
		break;
	case CTSHARD_FILTER_BIT_ICMP_ID:
		to = &c->filter.icmp_id;
		break;
	case CTSHARD_FILTER_BIT_SRCKEY:
		to = &c->filter.srckey;
		max = UINT32_MAX;
		break;
	case CTSHARD_FILTER_BIT_DSTKEY:
		to = &c->filter.dstkey;
		max = UINT32_MAX;
		break;
	default:
		to = &c->filter.vlan;
		max = 4095;
		break;
	}
	c->filter.has |= 1ull << arg;
	return value_u32(v, max, to);
}

/* A number, or a name that the daemon will be asked for. */
static int opt_iface(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->filter.has |= CTSHARD_FILTER_HAS(IFACE);
	c->iface = NULL;
	if (*v >= '0' && *v <= '9' &&
	    !value_u32(v, UINT16_MAX, &c->filter.iface))
		return 0;
	c->iface = v;
	return *v ? 0 : -1;
}

static int opt_range(struct cmd *c, const char *v, int arg)
{
	struct ctshard_range *to;

	if (arg == CTSHARD_FILTER_BIT_SPORT)
		to = &c->filter.sport;
	else if (arg == CTSHARD_FILTER_BIT_DPORT)
		to = &c->filter.dport;
	else if (arg == CTSHARD_FILTER_BIT_REPLY_SPORT)
		to = &c->filter.reply_sport;
	else
		to = &c->filter.reply_dport;
	c->filter.has |= 1ull << arg;
	return value_range(v, UINT16_MAX, to);
}

/* `-o id` prints the low half, JSON the whole: both are taken */
static int opt_id(struct cmd *c, const char *v, int arg)
{
	uint64_t id;

	(void)arg;
	if (value_u64(v, UINT64_MAX, &id))
		return -1;
	if (id <= UINT32_MAX) {
		c->filter.has |= CTSHARD_FILTER_HAS(ID32);
		c->filter.id32 = (uint32_t)id;
	} else {
		c->filter.has |= CTSHARD_FILTER_HAS(ID);
		c->filter.id = id;
	}
	return 0;
}

static int opt_state(struct cmd *c, const char *v, int arg)
{
	static char word[32];
	size_t i;

	(void)arg;
	if (!*v || strlen(v) >= sizeof(word))
		return -1;
	for (i = 0; v[i]; i++)
		word[i] = v[i] >= 'a' && v[i] <= 'z' ? (char)(v[i] - 32) : v[i];
	word[i] = '\0';
	c->filter.state = word;
	c->filter.has |= CTSHARD_FILTER_HAS(STATE);
	return 0;
}

/* conntrack's -U: what it shall be, not what it is */
static int opt_set_state(struct cmd *c, const char *v, int arg)
{
	uint64_t has = c->filter.has;

	if (opt_state(c, v, arg))
		return -1;
	c->update.state = c->filter.state;
	c->filter.has = has;
	return 0;
}

static int opt_expression(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->filter.expression = v;
	c->filter.has |= CTSHARD_FILTER_HAS(EXPRESSION);
	return 0;
}

static int opt_status(struct cmd *c, const char *v, int arg)
{
	struct ctshard_filter *f = &c->filter;

	(void)arg;
	if (value_status(v, &f->status_set, &f->status_clear))
		return -1;
	if (f->status_set)
		f->has |= CTSHARD_FILTER_HAS(STATUS_SET);
	if (f->status_clear)
		f->has |= CTSHARD_FILTER_HAS(STATUS_CLEAR);
	return 0;
}

static int opt_mark(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->filter.has |=
		CTSHARD_FILTER_HAS(MARK) | CTSHARD_FILTER_HAS(MARK_MASK);
	return value_mark(v, &c->filter.mark, &c->filter.mark_mask);
}

/* What a name means is known when the daemon has told its own: the words are
 * kept for cmd_labels(). */
static int opt_label_bits(struct cmd *c, const char *v, enum cmd_label which,
                          uint8_t *bits)
{
	c->label_words[which] = v;
	if (!*v)
		return -1;
	labels_bits(&c->labels, v, bits);
	return 0;
}

static int opt_label(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->filter.has |= CTSHARD_FILTER_HAS(LABELS);
	return opt_label_bits(c, v, LABEL_FILTER, c->filter.labels);
}

static int opt_label_add(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->update.labels_set = c->labels_set;
	return opt_label_bits(c, v, LABEL_ADD, c->labels_set);
}

static int opt_label_del(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->update.labels_clear = c->labels_clear;
	if (!strcmp(v, "all")) {
		memset(c->labels_clear, 0xff, sizeof(c->labels_clear));
		return 0;
	}
	return opt_label_bits(c, v, LABEL_DEL, c->labels_clear);
}

static int opt_set_mark(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->update.has_mark = 1;
	return value_mark(v, &c->update.mark, &c->update.mark_mask);
}

static int opt_set_timeout(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	c->update.has_timeout = 1;
	return value_u64(v, UINT32_MAX, &c->update.timeout_s);
}

static int opt_set_status(struct cmd *c, const char *v, int arg)
{
	uint32_t clear = 0;

	(void)arg;
	if (value_status(v, &c->update.status_set, &clear) || clear)
		return -1;
	return 0;
}

/* One that is made begins without any: what is to be clear is. */
static int opt_add_status(struct cmd *c, const char *v, int arg)
{
	uint32_t clear = 0;

	(void)arg;
	return value_status(v, &c->update.status_set, &clear);
}

static int opt_output(struct cmd *c, const char *v, int arg)
{
	char why[64];

	(void)arg;
	return out_parse(v, &c->format, &c->mods, why, sizeof(why));
}

static int opt_colour(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	if (!strcmp(v, "auto"))
		c->colour = COLOUR_AUTO;
	else if (!strcmp(v, "always"))
		c->colour = COLOUR_ALWAYS;
	else if (!strcmp(v, "never"))
		c->colour = COLOUR_NEVER;
	else
		return -1;
	return 0;
}

static int opt_limit(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	return value_u64(v, UINT64_MAX, &c->limit) || !c->limit ? -1 : 0;
}

static int opt_events(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	return value_events(v, &c->watch.types);
}

/* SEQ | UUID:SEQ | start */
static int opt_since(struct cmd *c, const char *v, int arg)
{
	const char *colon = strrchr(v, ':');

	(void)arg;
	if (!strcmp(v, "start")) {
		c->watch.from_start = 1;
		return 0;
	}
	if (colon) {
		if (value_uuid(v, (size_t)(colon - v), c->uuid))
			return -1;
		c->watch.uuid = c->uuid;
		v = colon + 1;
	}
	c->watch.has_since = 1;
	return value_u64(v, UINT64_MAX, &c->watch.since);
}

static int opt_when(struct cmd *c, const char *v, int until)
{
	return when_parse(v, time(NULL), until ? &c->until_ns : &c->since_ns);
}

static int opt_buffer(struct cmd *c, const char *v, int arg)
{
	uint64_t n;

	/* conntrack's -b: the daemon's queue needs no such help */
	(void)c;
	(void)arg;
	return value_u64(v, UINT32_MAX, &n);
}

/* The source is the client: who opens is. */
static int opt_role(struct cmd *c, const char *v, int arg)
{
	(void)c;
	(void)arg;
	return strcmp(v, "client") && strcmp(v, "server") && strcmp(v, "none");
}

enum {
	FLAG_SNAPSHOT,
	FLAG_STRICT,
	FLAG_NO_RECONNECT,
	FLAG_DEEP,
	FLAG_BPF,
	FLAG_NO_HEADER,
	FLAG_ZERO,
	FLAG_ONCE,
	FLAG_COMMUNITY,
	FLAG_JSON,
	FLAG_EXPLAIN,
	FLAG_HELP
};

static int opt_flag(struct cmd *c, const char *v, int arg)
{
	(void)v;
	switch (arg) {
	case FLAG_SNAPSHOT:
		c->watch.snapshot = 1;
		break;
	case FLAG_STRICT:
		c->strict = true;
		break;
	case FLAG_NO_RECONNECT:
		c->no_reconnect = true;
		break;
	case FLAG_DEEP:
		c->deep = true;
		break;
	case FLAG_BPF:
		c->bpf = true;
		break;
	case FLAG_COMMUNITY:
		c->mods |= OUT_COMMUNITY;
		break;
	case FLAG_ONCE:
		c->once = true;
		break;
	case FLAG_ZERO:
		c->zero = true;
		break;
	case FLAG_NO_HEADER:
		c->no_header = true;
		break;
	case FLAG_JSON:
		c->format = &out_json;
		break;
	case FLAG_EXPLAIN:
		c->replay.explain = true;
		break;
	default:
		c->help = true;
		break;
	}
	return 0;
}

enum {
	TEXT_RUNDIR,
	TEXT_BY,
	TEXT_COLUMNS,
	TEXT_SORT,
	TEXT_TABLE,
	TEXT_EVENTS,
	TEXT_EXPECT,
	TEXT_EXPECT_EVENTS,
	TEXT_STATS,
	TEXT_COMMUNITY,
	TEXT_TOP
};

static int opt_text(struct cmd *c, const char *v, int arg)
{
	const char **const to[] = {
		[TEXT_RUNDIR] = &c->rundir,
		[TEXT_BY] = &c->by,
		[TEXT_COLUMNS] = &c->columns,
		[TEXT_SORT] = &c->sort,
		[TEXT_TABLE] = &c->replay.table,
		[TEXT_EVENTS] = &c->replay.events,
		[TEXT_EXPECT] = &c->replay.expect,
		[TEXT_EXPECT_EVENTS] = &c->replay.expect_events,
		[TEXT_STATS] = &c->replay.stats,
		[TEXT_COMMUNITY] = &c->community,
		[TEXT_TOP] = &c->top,
	};

	*to[arg] = v;
	return *v ? 0 : -1;
}

static int opt_workers(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	return value_u32(v, 4096, &c->replay.workers) || !c->replay.workers ? -1
	                                                                    : 0;
}

static int opt_seed(struct cmd *c, const char *v, int arg)
{
	uint32_t seed;

	(void)arg;
	if (value_u32(v, UINT16_MAX, &seed))
		return -1;
	c->community_seed = (uint16_t)seed;
	return 0;
}

static int opt_delta(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	return value_ms(v, &c->delta_ms) || !c->delta_ms ? -1 : 0;
}

/* -s of `replay --explain` may be conntrack's: no address has a `=' */
static int opt_set(struct cmd *c, const char *v, int arg)
{
	(void)arg;
	if (c->verb->groups & WORD_TUPLE && !strchr(v, '='))
		return opt_net(c, v, NET_orig_src);
	if (!strchr(v, '=') || *v == '=' || c->replay.n_set == CMD_ARGS)
		return -1;
	c->replay.set[c->replay.n_set++] = v;
	return 0;
}

#define NUM(name)   opt_number, CTSHARD_FILTER_BIT_##name
#define RANGE(name) opt_range, CTSHARD_FILTER_BIT_##name
#define F           WORD_FILTER
#define T           WORD_TUPLE

/* clang-format off */
const struct word_opt word_opts[] = {
{'s', "src|orig-src", "NET", F | WORD_TRACE | WORD_COMPARE, opt_net, NET_orig_src, "original source"},
{0, "src|orig-src", "NET", WORD_REPLAY, opt_net, NET_orig_src, "original source"},
{'d', "dst|orig-dst", "NET", F | T, opt_net, NET_orig_dst, "original destination"},
{'r', "reply-src", "NET", F, opt_net, NET_reply_src, "reply source"},
{'q', "reply-dst", "NET", F, opt_net, NET_reply_dst, "reply destination"},
{0, "mask-src", "MASK", F, opt_net_mask, NET_orig_src, "mask of -s"},
{0, "mask-dst", "MASK", F, opt_net_mask, NET_orig_dst, "mask of -d"},
{0, "addr", "NET", F, opt_net, NET_any_addr, "any address of the connection"},
{'p', "proto|protonum", "PROTO", F | T | WORD_EXPECT, opt_proto, 0, "layer 4 protocol, name or number"},
{'f', "family", "ipv4|ipv6", F | T | WORD_FLUSH | WORD_EXPECT, opt_family, 0, "layer 3 protocol"},
{0, "sport|orig-port-src", "PORT[:PORT]", F | T, RANGE(SPORT), "original source port"},
{0, "dport|orig-port-dst", "PORT[:PORT]", F | T, RANGE(DPORT), "original destination port"},
{0, "reply-port-src", "PORT[:PORT]", F, RANGE(REPLY_SPORT), "reply source port"},
{0, "reply-port-dst", "PORT[:PORT]", F, RANGE(REPLY_DPORT), "reply destination port"},
{0, "state", "STATE", WORD_UPDATE, opt_set_state, 0, "state to set, with -p"},
{0, "state", "STATE", F, opt_state, 0, "state of tcp, sctp, dccp"},
{0, "icmp-type|icmpv6-type", "N", F, NUM(ICMP_TYPE), "original ICMP type"},
{0, "icmp-code|icmpv6-code", "N", F, NUM(ICMP_CODE), "original ICMP code"},
{0, "icmp-id|icmpv6-id", "N", F | T, NUM(ICMP_ID), "ICMP id"},
{0, "srckey|orig-key-src", "KEY", F, NUM(SRCKEY), "original GRE key"},
{0, "dstkey|orig-key-dst", "KEY", F, NUM(DSTKEY), "other GRE key"},
{'u', "status", "STATUS[,...]", WORD_ADD, opt_add_status, 0, "status bits, UNSET"},
{'u', "status", "STATUS[,...]", WORD_UPDATE, opt_set_status, 0, "status bits to set"},
{'u', "status", "[!]STATUS[,...]", F, opt_status, 0, "status bits, UNREPLIED, UNSET"},
{'m', "mark", "MARK", WORD_ADD, opt_set_mark, 0, "mark"},
{'m', "mark", "MARK[/MASK]", WORD_UPDATE, opt_set_mark, 0, "mark to set"},
{'m', "mark", "MARK[/MASK]", F, opt_mark, 0, "mark"},
{'t', "timeout", "SECONDS", WORD_ADD, opt_set_timeout, 0, "timeout"},
{'t', "timeout", "SECONDS", WORD_UPDATE, opt_set_timeout, 0, "timeout to set"},
{'l', "label", "LABEL[,...]", WORD_ADD, opt_label_add, 0, "labels"},
{'l', "label", "LABEL[,...]", F, opt_label, 0, "all of these labels"},
{0, "label-add", "LABEL[,...]", WORD_UPDATE | WORD_ADD, opt_label_add, 0, "labels to set"},
{0, "label-del", "LABEL[,...]|all", WORD_UPDATE, opt_label_del, 0, "labels to clear"},
{0, "reply-key-src|reply-key-dst", "KEY", WORD_ADD, opt_buffer, 0, "GRE keys of the reply"},
{0, "orig-vtag|reply-vtag", "TAG", WORD_ADD, opt_buffer, 0, "SCTP's tags: accepted, not kept"},
{0, "role", "client|server|none", WORD_ADD, opt_role, 0, "DCCP's role: accepted, not kept"},
{'z', "zero", NULL, WORD_ZERO, opt_flag, FLAG_ZERO, "zero the counters that are shown"},
{'w', "zone", "ZONE", F | T, NUM(ZONE), "zone"},
{0, "orig-zone", "ZONE", F, NUM(ORIG_ZONE), "zone of the original direction"},
{0, "reply-zone", "ZONE", F, NUM(REPLY_ZONE), "zone of the reply direction"},
{0, "id", "ID", F, opt_id, 0, "id, as `-o id' or JSON print it"},
{0, "iface", "NAME|N", F, opt_iface, 0, "interface, or its number"},
{0, "vlan", "VID", F, NUM(VLAN), "VLAN"},
{0, "filter", "EXPR", F, opt_expression, 0, "tcpdump syntax"},
{'n', "limit", "COUNT", WORD_LIST | WORD_EXPECT, opt_limit, 0, "no more rows than this"},
{'n', "count", "COUNT", WORD_WATCH, opt_limit, 0, "end after so many events"},
{'n', "count", "COUNT", WORD_TRACE, opt_limit, 0, "end after so many packets"},
{0, "by", "WORD[,...]", WORD_COUNT, opt_text, TEXT_BY, "proto, state, zone, shard"},
{0, "community-id", "ID", WORD_GET, opt_text, TEXT_COMMUNITY, "the one that has this Community ID"},
{0, "community-id", NULL, WORD_ID, opt_flag, FLAG_COMMUNITY, "with Community ID, version 1"},
{0, "community-seed", "N", WORD_ID, opt_seed, 0, "seed of Community IDs"},
{0, "once", NULL, WORD_TOP, opt_flag, FLAG_ONCE, "print one page and end"},
{0, "delta", "TIME", WORD_TOP, opt_delta, 0, "time between two samples"},
{'n', "limit", "COUNT", WORD_TOP, opt_limit, 0, "rows of --once"},
{0, "sort", "rate|bytes|age", WORD_TOP, opt_text, TEXT_SORT, "the greatest first"},
{0, "delta", "TIME", WORD_STATS, opt_delta, 0, "what is counted within it: 1s, 500ms"},
{0, "settle", "TIME", WORD_COMPARE, opt_delta, 0, "a difference counts if it lasts so long"},
{0, "top", "src|dst|dport|zone", WORD_STATS, opt_text, TEXT_TOP, "who has most connections"},
{'n', "limit", "COUNT", WORD_STATS, opt_limit, 0, "so many of --top"},
{0, "bpf", NULL, WORD_GET, opt_flag, FLAG_BPF, "print a tcpdump filter for it"},
{'e', "event-mask", "EVENT[,...]", WORD_WATCH | WORD_EXPECT, opt_events, 0, "new, update, destroy, audit"},
{0, "since", "[UUID:]SEQ|start", WORD_WATCH | WORD_EXPECT, opt_since, 0, "events after this one"},
{0, "since", "TIME", WORD_HISTORY, opt_when, 0, "lived after: 05:20, 2026-11-22T05:20, -2h, seconds"},
{0, "until", "TIME", WORD_HISTORY, opt_when, 1, "lived before"},
{0, "snapshot", NULL, WORD_WATCH, opt_flag, FLAG_SNAPSHOT, "the table first, then events"},
{0, "strict", NULL, WORD_WATCH | WORD_EXPECT, opt_flag, FLAG_STRICT, "end with 5 at a gap"},
{0, "no-reconnect", NULL, WORD_WATCH | WORD_EXPECT, opt_flag, FLAG_NO_RECONNECT, "end with 3 when the daemon goes"},
{'b', "buffer-size", "BYTES", WORD_WATCH | WORD_EXPECT, opt_buffer, 0, "accepted, not needed"},
{0, "deep", NULL, WORD_CHECK, opt_flag, FLAG_DEEP, "walk every entry"},
{0, "workers", "N", WORD_REPLAY, opt_workers, 0, "worker processes"},
{'s', "set", "KEY=VALUE", WORD_REPLAY, opt_set, 0, "a setting of the daemon; -s NET: original source"},
{0, "explain", NULL, WORD_REPLAY, opt_flag, FLAG_EXPLAIN, "what becomes of each packet, of one connection"},
{0, "table", "FILE", WORD_REPLAY, opt_text, TEXT_TABLE, "what is alive at the end"},
{0, "events", "FILE", WORD_REPLAY, opt_text, TEXT_EVENTS, "all events"},
{0, "expect", "FILE", WORD_REPLAY, opt_text, TEXT_EXPECT, "expectations at the end"},
{0, "expect-events", "FILE", WORD_REPLAY, opt_text, TEXT_EXPECT_EVENTS, "events of expectations"},
{0, "stats", "FILE", WORD_REPLAY, opt_text, TEXT_STATS, "counters, as JSON"},
{'o', "output", "FORMAT[,MOD...]", WORD_OUTPUT, opt_output, 0,
 "table line extended proc json jsonl csv xml save; id timestamp ktimestamp labels wide community-id"},
{'j', "json", NULL, WORD_OUTPUT, opt_flag, FLAG_JSON, "the same as -o json"},
{0, "columns", "NAME[,...]", WORD_OUTPUT, opt_text, TEXT_COLUMNS, "of table and csv"},
{0, "sort", "[-]NAME[,...]", WORD_LIST, opt_text, TEXT_SORT, "by columns, - is downwards"},
{'H', "no-header", NULL, WORD_OUTPUT, opt_flag, FLAG_NO_HEADER, "of table and csv"},
{0, "color|colour", "auto|always|never", WORD_OUTPUT, opt_colour, 0, "of table"},
{'R', "rundir", "DIR", WORD_ANY, opt_text, TEXT_RUNDIR, "run directory of the daemon"},
{'h', "help", NULL, WORD_ANY, opt_flag, FLAG_HELP, "this"},
{0, NULL, NULL, 0, NULL, 0, NULL},
};
/* clang-format on */

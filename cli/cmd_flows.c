/* cmd_flows.c - list, get, count, delete, update, flush. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cells.h"
#include "cli/community.h"
#include "cli/snapshot.h"
#include "cli/sort.h"
#include "cli/words.h"

/* The rows of one answer on their way to stdout. */
struct flows {
	struct out *o;
	struct sort sort;
	bool sorted;
	struct progress progress;
	bool no_memory;
	const struct cmd *c;
	int (*print)(void *arg, const struct ctshard_conn *c);
	uint64_t affected;
	bool has_affected;
};

static int flows_conn(void *arg, const struct ctshard_conn *c)
{
	struct flows *f = arg;

	if (f->sorted) {
		progress_add(&f->progress, 1);
		f->no_memory = sort_add(&f->sort, c);
		return f->no_memory;
	}
	out_conn(f->o, c);
	return f->o->error;
}

static int flows_affected(void *arg, uint64_t n)
{
	struct flows *f = arg;

	f->affected = n;
	f->has_affected = true;
	return 0;
}

static struct ctshard_handler flows_handler(struct flows *f)
{
	struct ctshard_handler h = {
		.arg = f, .conn = flows_conn, .affected = flows_affected};

	return h;
}

/* The last answer's rows are out, or the reason that they are not is said. */
static int flows_end(struct flows *f, struct ctshard *ct, int rc)
{
	int code = CMD_OK;

	progress_end(&f->progress);
	if (f->no_memory) {
		cmd_warn("out of memory");
		code = CMD_FAILED;
	} else if (rc && !f->o->error) {
		code = cmd_error(ct, rc);
	} else if (f->sorted) {
		sort_print(&f->sort, f->o);
	}
	sort_free(&f->sort);
	return code;
}

void cmd_done(uint64_t n, const char *what)
{
	cmd_warn("%" PRIu64 " flow entries have been %s.", n, what);
}

typedef int flows_ask(struct ctshard *ct, const struct cmd *c,
                      const struct ctshard_handler *h, uint64_t *id);

static int list_ask(struct ctshard *ct, const struct cmd *c,
                    const struct ctshard_handler *h, uint64_t *id)
{
	const struct flows *f = h->arg;
	const struct ctshard_list_opts opts = {.filter = &c->filter,
	                                       .limit = c->limit,
	                                       .brief = !f->sorted &&
	                                                out_brief(f->o)};

	return c->zero ? ctshard_zero(ct, &c->filter, h, id)
	               : ctshard_list(ct, &opts, h, id);
}

static int history_ask(struct ctshard *ct, const struct cmd *c,
                       const struct ctshard_handler *h, uint64_t *id)
{
	const struct ctshard_history_opts opts = {.filter = &c->filter,
	                                          .since_ns = c->since_ns,
	                                          .until_ns = c->until_ns,
	                                          .limit = c->limit};

	return ctshard_history(ct, &opts, h, id);
}

static int flows_list(struct cmd *c, flows_ask *ask)
{
	struct flows f = {.sorted = c->sort != NULL,
	                  .progress = {.what = "connections"}};
	struct ctshard_handler h = flows_handler(&f);
	struct ctshard *ct;
	uint64_t id, rows;
	int code, rc;
	char why[64];

	if (c->sort && sort_parse(&f.sort, c->sort, why, sizeof(why))) {
		cmd_warn("`%s' is no column", why);
		return CMD_USAGE;
	}
	f.o = cmd_out(c, &out_line, &out_table, &code);
	if (!f.o)
		return code;
	ct = cmd_open(c, c->zero ? CTSHARD_CONTROL : 0, &code);
	if (!ct) {
		free(f.o);
		return code;
	}
	cmd_proc(ct, f.o);
	out_begin(f.o);
	rc = c->nothing ? 0 : ask(ct, c, &h, &id);
	if (!rc && !c->nothing)
		rc = ctshard_wait(ct, id);
	code = flows_end(&f, ct, rc);
	ctshard_close(ct);
	rows = f.o->rows;
	code = cmd_finish(f.o, code);
	if (code == CMD_OK)
		cmd_done(rows, "shown");
	return code;
}

int cmd_list(struct cmd *c)
{
	return flows_list(c, list_ask);
}

int cmd_history(struct cmd *c)
{
	return flows_list(c, history_ask);
}

/* What makes a tuple complete besides addresses: of protocols that have it, and
 * conntrack's words for what is missing. */
static const struct {
	uint32_t protonum;
	uint64_t need;
	const char *text;
} get_needs[] = {
#define PORTS(protonum)                                         \
	{protonum, CTSHARD_FILTER_HAS(SPORT), PORTS_TEXT},      \
	{                                                       \
		protonum, CTSHARD_FILTER_HAS(DPORT), PORTS_TEXT \
	}
#define PORTS_TEXT "you have to specify `--sport' and `--dport'"
#define NEEDS(opt) "You need to supply the `" opt "' option for this command"
	PORTS(IPPROTO_TCP),
	PORTS(IPPROTO_UDP),
	PORTS(IPPROTO_UDPLITE),
	PORTS(IPPROTO_SCTP),
	PORTS(IPPROTO_DCCP),
	{IPPROTO_GRE, CTSHARD_FILTER_HAS(SRCKEY),
         "you have to specify `--srckey' and `--dstkey'"},
	{IPPROTO_GRE, CTSHARD_FILTER_HAS(DSTKEY),
         "you have to specify `--srckey' and `--dstkey'"},
	{IPPROTO_ICMP, CTSHARD_FILTER_HAS(ICMP_TYPE), NEEDS("--icmp-type")},
	{IPPROTO_ICMP, CTSHARD_FILTER_HAS(ICMP_CODE), NEEDS("--icmp-code")},
	{IPPROTO_ICMPV6, CTSHARD_FILTER_HAS(ICMP_TYPE), NEEDS("--icmpv6-type")},
	{IPPROTO_ICMPV6, CTSHARD_FILTER_HAS(ICMP_CODE), NEEDS("--icmpv6-code")},
};

static int get_detail(const struct cmd *c)
{
	uint64_t has = c->filter.has;
	uint64_t reply = CTSHARD_FILTER_HAS(REPLY_SPORT) |
	                 CTSHARD_FILTER_HAS(REPLY_DPORT);
	size_t i;

	if ((has & reply) == reply)
		return 0;
	for (i = 0; i < sizeof(get_needs) / sizeof(get_needs[0]); i++)
		if (get_needs[i].protonum == c->filter.protonum &&
		    !(has & get_needs[i].need)) {
			cmd_warn("%s", get_needs[i].text);
			return -1;
		}
	return 0;
}

/* F304: a tuple's protocol and one direction of it, or an id. */
static int get_complete(const struct cmd *c)
{
	uint64_t has = c->filter.has;
	uint64_t orig =
		CTSHARD_FILTER_HAS(ORIG_SRC) | CTSHARD_FILTER_HAS(ORIG_DST);
	uint64_t reply =
		CTSHARD_FILTER_HAS(REPLY_SRC) | CTSHARD_FILTER_HAS(REPLY_DST);

	if (c->community ||
	    has & (CTSHARD_FILTER_HAS(ID) | CTSHARD_FILTER_HAS(ID32)))
		return 0;
	if (!(has & CTSHARD_FILTER_HAS(PROTONUM))) {
		cmd_warn("You need to supply the `--protonum' option for this "
		         "command");
		return -1;
	}
	if ((has & orig) == orig || (has & reply) == reply)
		return get_detail(c);
	cmd_warn("You have to supply the source and the destination of one "
	         "direction, or --id");
	return -1;
}

static void bpf_pair(struct out *o, const char *word, uint32_t v)
{
	out_str(o, word);
	out_u64(o, v);
}

/* One direction as tcpdump would say it. */
static void bpf_direction(struct out *o, const struct ctshard_conn *c, int dir)
{
	const struct ctshard_tuple *t = &c->dir[dir];

	out_str(o, "(src host ");
	out_addr(o, t->src, c->l3);
	out_str(o, " and dst host ");
	out_addr(o, t->dst, c->l3);
	if (t->has & CTSHARD_TUPLE_PORTS) {
		bpf_pair(o, " and src port ", t->sport);
		bpf_pair(o, " and dst port ", t->dport);
	}
	if (t->has & CTSHARD_TUPLE_ICMP) {
		bpf_pair(o, c->l3 == 4 ? " and icmp[0] = " : " and icmp6[0] = ",
		         t->type);
		bpf_pair(o,
		         c->l3 == 4 ? " and icmp[4:2] = "
		                    : " and icmp6[4:2] = ",
		         t->icmp_id);
	}
	out_char(o, ')');
}

static void bpf_both(struct out *o, const struct ctshard_conn *c)
{
	bpf_pair(o, c->l3 == 4 ? "ip proto " : "ip6 proto ", c->protonum);
	out_str(o, " and (");
	bpf_direction(o, c, 0);
	out_str(o, " or ");
	bpf_direction(o, c, 1);
	out_char(o, ')');
}

static int bpf_conn(void *arg, const struct ctshard_conn *c)
{
	struct flows *f = arg;
	size_t i;

	bpf_both(f->o, c);
	/* `vlan' moves all that follows by a tag, so it comes last */
	for (i = 0; i < c->n_detail; i++)
		if (!strcmp(c->detail[i].key, "vlan")) {
			out_str(f->o, " or (vlan and ");
			bpf_both(f->o, c);
			out_char(f->o, ')');
		}
	out_char(f->o, '\n');
	f->o->rows++;
	return 0;
}

/* The daemon knows no Community IDs: rows are asked for, and held against it
 * here. */
static int community_conn(void *arg, const struct ctshard_conn *c)
{
	struct flows *f = arg;
	char text[COMMUNITY_TEXT];

	community_id(c, f->c->community_seed, text);
	return strcmp(text, f->c->community) ? 0 : f->print(f, c);
}

static int get_ask(struct ctshard *ct, const struct cmd *c,
                   const struct ctshard_handler *h, uint64_t *id)
{
	const struct ctshard_list_opts opts = {.filter = &c->filter};

	if (c->community)
		return ctshard_list(ct, &opts, h, id);
	return c->zero ? ctshard_zero(ct, &c->filter, h, id)
	               : ctshard_get(ct, &c->filter, h, id);
}

/* conntrack's --icmp-id need not be given: it is 0 then */
static void get_icmp_id(struct cmd *c)
{
	struct ctshard_filter *f = &c->filter;

	if (f->has & CTSHARD_FILTER_HAS(ICMP_ID) ||
	    !(f->has & CTSHARD_FILTER_HAS(ICMP_TYPE)))
		return;
	f->has |= CTSHARD_FILTER_HAS(ICMP_ID);
	f->icmp_id = 0;
}

int cmd_get(struct cmd *c)
{
	struct flows f = {.c = c};
	struct ctshard_handler h = flows_handler(&f);
	struct ctshard *ct;
	uint64_t id, rows;
	int code, rc;

	if (get_complete(c))
		return CMD_USAGE;
	get_icmp_id(c);
	f.o = cmd_out(c, &out_line, &out_table, &code);
	if (!f.o)
		return code;
	ct = cmd_open(c, c->zero ? CTSHARD_CONTROL : 0, &code);
	if (!ct) {
		free(f.o);
		return code;
	}
	cmd_proc(ct, f.o);
	if (c->bpf)
		h.conn = bpf_conn;
	else
		out_begin(f.o);
	f.print = h.conn;
	if (c->community)
		h.conn = community_conn;
	rc = get_ask(ct, c, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	rows = f.o->rows;
	if (rc == CTSHARD_ENOTFOUND || (!rc && !rows)) {
		cmd_warn("Operation failed: such conntrack doesn't exist");
		code = CMD_NOT_FOUND;
	} else {
		code = flows_end(&f, ct, rc);
	}
	ctshard_close(ct);
	code = cmd_finish(f.o, code);
	if (code == CMD_OK)
		cmd_done(rows, "shown");
	return code;
}

/* count: one number, or a row for each key */
struct count {
	struct out *o;
	bool json;
	bool by;
	uint64_t rows;
	struct cells cells;
};

static void count_cells(struct count *n, const struct ctshard_count *row)
{
	char text[24];
	const char *const both[] = {row->key, text};

	snprintf(text, sizeof(text), "%" PRIu64, row->count);
	cells_row(&n->cells, both + !n->by, 1 + n->by);
}

static void count_begin(struct count *n, const char *verb)
{
	static const char *const column[] = {"key", "count"};

	if (cells_begin(&n->cells, n->o, verb))
		cells_table(&n->cells, n->by ? "by" : "all", column + !n->by,
		            1 + n->by);
}

static int count_row(void *arg, const struct ctshard_count *row)
{
	struct count *n = arg;

	if (n->cells.o) {
		count_cells(n, row);
		return n->o->error;
	}
	if (n->json) {
		out_item(n->o, n->rows++);
		out_char(n->o, '{');
		if (row->key) {
			out_str(n->o, "\"key\":");
			out_json_string(n->o, row->key);
			out_char(n->o, ',');
		}
		out_str(n->o, "\"count\":");
		out_u64(n->o, row->count);
		out_char(n->o, '}');
		return 0;
	}
	if (row->key) {
		out_text(n->o, row->key);
		out_char(n->o, '\t');
	}
	out_u64(n->o, row->count);
	out_char(n->o, '\n');
	return n->o->error;
}

int cmd_count_of(struct cmd *c,
                 int (*ask)(struct ctshard *ct,
                            const struct ctshard_count_opts *opts,
                            const struct ctshard_handler *h, uint64_t *id))
{
	struct ctshard_count_opts opts = {.filter = &c->filter, .by = c->by};
	struct count n = {.by = c->by != NULL};
	struct ctshard_handler h = {.arg = &n, .count = count_row};
	struct ctshard *ct;
	uint64_t id;
	int code, rc;

	n.o = cmd_out(c, &out_line, &out_line, &code);
	if (!n.o)
		return code;
	ct = cmd_open(c, 0, &code);
	if (!ct) {
		free(n.o);
		return code;
	}
	count_begin(&n, c->verb->name);
	n.json = out_is_json(n.o);
	if (n.json)
		out_items(n.o);
	rc = ask(ct, &opts, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	if (n.json)
		out_items_end(n.o, n.rows);
	if (n.cells.o)
		cells_end(&n.cells);
	code = rc && !n.o->error ? cmd_error(ct, rc) : CMD_OK;
	ctshard_close(ct);
	return cmd_finish(n.o, code);
}

int cmd_count(struct cmd *c)
{
	return cmd_count_of(c, ctshard_count);
}

/*
 * What delete and update have in common: the rows (F305, F307), and how many
 * they were.
 */
static int flows_change(struct cmd *c, const char *done)
{
	bool delete = !strcmp(c->verb->name, "delete");

	struct flows f = {0};
	struct ctshard_handler h = flows_handler(&f);
	struct ctshard *ct;
	uint64_t id, n;
	int code, rc;

	f.o = cmd_out(c, &out_line, &out_table, &code);
	if (!f.o)
		return code;
	ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!ct) {
		free(f.o);
		return code;
	}
	cmd_proc(ct, f.o);
	f.o->verb = delete ? "-D" : "-U";
	out_begin(f.o);
	c->update.filter = &c->filter;
	if (delete)
		rc = ctshard_delete(ct, &c->filter, &h, &id);
	else
		rc = ctshard_update(ct, &c->update, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	if (rc == CTSHARD_ENOTFOUND) /* the count says it */
		rc = 0;
	code = flows_end(&f, ct, rc);
	ctshard_close(ct);
	n = f.has_affected ? f.affected : f.o->rows;
	code = cmd_finish(f.o, code);
	if (code != CMD_OK)
		return code;
	cmd_done(n, done);
	return n ? CMD_OK : CMD_NOT_FOUND;
}

int cmd_delete(struct cmd *c)
{
	return flows_change(c, "deleted");
}

int cmd_update(struct cmd *c)
{
	struct ctshard_update_opts *u = &c->update;

	if (!u->has_mark && !u->has_timeout && !u->labels_set &&
	    !u->labels_clear && !u->status_set && !u->state) {
		cmd_warn("update: nothing to change: give --mark, --timeout, "
		         "--label-add, --label-del, --status or --state");
		return CMD_USAGE;
	}
	return flows_change(c, "updated");
}

int cmd_flush_of(struct cmd *c,
                 int (*ask)(struct ctshard *ct, uint32_t l3,
                            const struct ctshard_handler *h, uint64_t *id),
                 const char *done)
{
	static const struct ctshard_handler h;
	uint32_t l3 = c->filter.has & CTSHARD_FILTER_HAS(L3) ? c->filter.l3 : 0;
	struct ctshard *ct;
	uint64_t id;
	int code, rc;

	ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!ct)
		return code;
	rc = ask(ct, l3, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	code = rc ? cmd_error(ct, rc) : CMD_OK;
	ctshard_close(ct);
	if (code == CMD_OK)
		cmd_warn("%s", done);
	return code;
}

int cmd_flush(struct cmd *c)
{
	return cmd_flush_of(c, ctshard_flush,
	                    "connection tracking table has been emptied.");
}

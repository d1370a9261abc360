/* column.c - a connection as cells of text. */
#include "cli/column.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/community.h"

struct cell {
	const struct out *o;
	const struct ctshard_conn *c;
	const struct ctshard_event *e;
	char *to;
	size_t size;
};

static void cell_u64(struct cell *t, uint64_t v)
{
	snprintf(t->to, t->size, "%" PRIu64, v);
}

/* Cells go to terminals: nothing of the daemon's but printable ASCII. */
static void cell_add(struct cell *t, const char *s)
{
	size_t n = strlen(t->to);

	for (; *s && n + 1 < t->size; s++)
		t->to[n++] = *s >= ' ' && *s < 0x7f ? *s : '?';
	t->to[n] = '\0';
}

static void cell_str(struct cell *t, const char *s)
{
	t->to[0] = '\0';
	cell_add(t, s ? s : "");
}

static void cell_addr(struct cell *t, const uint8_t *a)
{
	if (!inet_ntop(t->c->l3 == 4 ? AF_INET : AF_INET6, a, t->to,
	               (socklen_t)t->size))
		t->to[0] = '\0';
}

/* what stands in place of a source port */
static void cell_sport(struct cell *t, const struct ctshard_tuple *p)
{
	if (p->has & CTSHARD_TUPLE_PORTS)
		cell_u64(t, p->sport);
	else if (p->has & CTSHARD_TUPLE_ICMP)
		cell_u64(t, p->icmp_id);
	else if (p->has & CTSHARD_TUPLE_GRE)
		snprintf(t->to, t->size, "0x%x", p->srckey);
}

static void cell_dport(struct cell *t, const struct ctshard_tuple *p)
{
	if (p->has & CTSHARD_TUPLE_PORTS)
		cell_u64(t, p->dport);
	else if (p->has & CTSHARD_TUPLE_ICMP)
		snprintf(t->to, t->size, "%u/%u", p->type, p->code);
	else if (p->has & CTSHARD_TUPLE_GRE)
		snprintf(t->to, t->size, "0x%x", p->dstkey);
}

static void cell_if(struct cell *t, uint32_t has, uint64_t v)
{
	if (t->c->has & has)
		cell_u64(t, v);
}

static void cell_counter(struct cell *t, int dir, int bytes)
{
	const struct ctshard_tuple *p = &t->c->dir[dir];

	if (p->has & CTSHARD_TUPLE_COUNTER)
		cell_u64(t, bytes ? p->bytes : p->packets);
}

static void cell_delta(struct cell *t, unsigned id)
{
	int dir = id == COLUMN_rdpackets || id == COLUMN_rdbytes;
	const struct ctshard_tuple *p = &t->c->dir[dir];

	if (!(p->has & CTSHARD_TUPLE_DELTA))
		return;
	cell_u64(t, id == COLUMN_dpackets || id == COLUMN_rdpackets
	                    ? p->delta_packets
	                    : p->delta_bytes);
}

static void cell_status(struct cell *t)
{
	uint32_t s = t->c->status;

	cell_str(t, s & CTSHARD_S_SEEN_REPLY ? "" : "UNREPLIED");
	if (s & CTSHARD_S_ASSURED)
		cell_add(t, *t->to ? ",ASSURED" : "ASSURED");
	if (s & CTSHARD_S_EXPECTED)
		cell_add(t, *t->to ? ",EXPECTED" : "EXPECTED");
	if (s & CTSHARD_S_FIXED_TIMEOUT)
		cell_add(t, *t->to ? ",FIXED_TIMEOUT" : "FIXED_TIMEOUT");
	if (s & CTSHARD_S_DYING)
		cell_add(t, *t->to ? ",DYING" : "DYING");
}

static void cell_zone(struct cell *t)
{
	const struct ctshard_tuple *d = t->c->dir;

	if ((d[0].has | d[1].has) & CTSHARD_TUPLE_ZONE)
		snprintf(t->to, t->size, "%u/%u", d[0].zone, d[1].zone);
	else
		cell_u64(t, t->c->zone);
}

static void cell_labels(struct cell *t)
{
	char name[32];
	unsigned i;

	if (!out_has_labels(t->c))
		return;
	for (i = 0; i < LABELS_BITS; i++) {
		if (!(t->c->labels[i / 8] >> i % 8 & 1))
			continue;
		labels_name(t->o->labels, i, name, sizeof(name));
		if (*t->to)
			cell_add(t, " ");
		cell_add(t, name);
	}
}

static void cell_detail(struct cell *t)
{
	size_t i;

	for (i = 0; i < t->c->n_detail; i++) {
		if (i)
			cell_add(t, " ");
		cell_add(t, t->c->detail[i].key);
		cell_add(t, "=");
		cell_add(t, t->c->detail[i].value);
	}
}

/* what the daemon tells by name, under the name of a column */
static void cell_named(struct cell *t, unsigned id)
{
	static const char *const keys[] = {
		[COLUMN_rate] = "rate_orig",
		[COLUMN_rrate] = "rate_reply",
		[COLUMN_rtt] = "rtt_us_orig",
		[COLUMN_rrtt] = "rtt_us_reply",
		[COLUMN_retrans] = "retrans_orig",
		[COLUMN_rretrans] = "retrans_reply",
		[COLUMN_disorder] = "disorder_orig",
		[COLUMN_rdisorder] = "disorder_reply",
		[COLUMN_zero_window] = "zero_window_orig",
		[COLUMN_rzero_window] = "zero_window_reply",
		[COLUMN_resets] = "resets_orig",
		[COLUMN_rresets] = "resets_reply",
	};
	size_t i;

	for (i = 0; i < t->c->n_detail; i++)
		if (!strcmp(t->c->detail[i].key, keys[id]))
			cell_str(t, t->c->detail[i].value);
}

static void cell_seconds(struct cell *t, uint64_t ns)
{
	snprintf(t->to, t->size, "%" PRIu64 ".%09" PRIu64, ns / 1000000000,
	         ns % 1000000000);
}

static void cell_event(struct cell *t, unsigned id)
{
	if (!t->e)
		return;
	if (id == COLUMN_event)
		cell_str(t, out_event_name(t->e->type));
	else if (id == COLUMN_seq)
		cell_u64(t, t->e->type == CTSHARD_GAP ? t->e->to : t->e->seq);
	else if (t->e->time_ns)
		cell_seconds(t, t->e->time_ns);
}

static void cell_put(struct cell *t, unsigned id)
{
	const struct ctshard_conn *c = t->c;

	switch ((enum column_id)id) {
	case COLUMN_id:
		cell_u64(t, c->id);
		break;
	case COLUMN_l3:
		cell_str(t, out_l3(c));
		break;
	case COLUMN_proto:
		cell_str(t, c->proto ? c->proto : "unknown");
		break;
	case COLUMN_protonum:
		cell_u64(t, c->protonum);
		break;
	case COLUMN_state:
		cell_str(t, c->state);
		break;
	case COLUMN_timeout:
		cell_if(t, CTSHARD_CONN_TIMEOUT, out_seconds(c));
		break;
	case COLUMN_src:
		cell_addr(t, c->dir[0].src);
		break;
	case COLUMN_sport:
		cell_sport(t, &c->dir[0]);
		break;
	case COLUMN_dst:
		cell_addr(t, c->dir[0].dst);
		break;
	case COLUMN_dport:
		cell_dport(t, &c->dir[0]);
		break;
	case COLUMN_packets:
		cell_counter(t, 0, 0);
		break;
	case COLUMN_bytes:
		cell_counter(t, 0, 1);
		break;
	case COLUMN_rsrc:
		cell_addr(t, c->dir[1].src);
		break;
	case COLUMN_rsport:
		cell_sport(t, &c->dir[1]);
		break;
	case COLUMN_rdst:
		cell_addr(t, c->dir[1].dst);
		break;
	case COLUMN_rdport:
		cell_dport(t, &c->dir[1]);
		break;
	case COLUMN_rpackets:
		cell_counter(t, 1, 0);
		break;
	case COLUMN_rbytes:
		cell_counter(t, 1, 1);
		break;
	case COLUMN_status:
		cell_status(t);
		break;
	case COLUMN_mark:
		cell_u64(t, c->mark);
		break;
	case COLUMN_zone:
		cell_zone(t);
		break;
	case COLUMN_helper:
		cell_str(t, c->helper);
		break;
	case COLUMN_master:
		if (c->master)
			cell_u64(t, c->master);
		break;
	case COLUMN_labels:
		cell_labels(t);
		break;
	case COLUMN_start:
		if (c->has & CTSHARD_CONN_START)
			cell_seconds(t, c->start_ns);
		break;
	case COLUMN_last:
		if (c->has & CTSHARD_CONN_LAST)
			cell_seconds(t, c->last_ns);
		break;
	case COLUMN_duration:
		if (out_has_duration(c))
			cell_seconds(t, c->last_ns - c->start_ns);
		break;
#define X(name, right, table) case COLUMN_##name:
		COLUMNS_NAMED(X)
#undef X
		cell_named(t, id);
		break;
	case COLUMN_dpackets:
	case COLUMN_dbytes:
	case COLUMN_rdpackets:
	case COLUMN_rdbytes:
		cell_delta(t, id);
		break;
	case COLUMN_reason:
		cell_str(t, c->reason);
		break;
	case COLUMN_shard:
		cell_if(t, CTSHARD_CONN_SHARD, c->shard);
		break;
	case COLUMN_detail:
		cell_detail(t);
		break;
	case COLUMN_community_id:
		if (t->size >= COMMUNITY_TEXT)
			community_id(c, t->o->community_seed, t->to);
		break;
	case COLUMN_event:
	case COLUMN_seq:
	case COLUMN_time:
	case COLUMN_COUNT:
		break;
	}
}

/* who it was, where a connection has its own */
static void cell_audit(struct cell *t, unsigned id)
{
	const struct ctshard_audit *a = t->e->audit;

	if (id == COLUMN_detail)
		snprintf(t->to, t->size, "uid=%" PRIu32 " pid=%" PRIu32 " %s",
		         a->uid, a->pid, a->request);
}

void column_text(const struct out *o, unsigned id, const struct ctshard_conn *c,
                 const struct ctshard_event *e, char *to, size_t size)
{
	struct cell t = {.o = o, .c = c, .e = e, .to = to, .size = size};

	to[0] = '\0';
	if (id <= COLUMN_time)
		cell_event(&t, id);
	else if (e && e->audit)
		cell_audit(&t, id);
	else if (c)
		cell_put(&t, id);
}

static const struct {
	const char *name;
	bool right;
	bool table;
} columns[] = {
#define X(name, right, table) [COLUMN_##name] = {#name, right, table},
	COLUMNS(X)
#undef X
};

const char *column_name(unsigned id)
{
	return columns[id].name;
}

bool column_right(unsigned id)
{
	return columns[id].right;
}

bool column_default(unsigned id)
{
	return columns[id].table;
}

int column_find(const char *name)
{
	int i;

	for (i = 0; i < COLUMN_COUNT; i++)
		if (!strcmp(columns[i].name, name))
			return i;
	return -1;
}

int column_parse(struct out *o, const char *spec, char *why, size_t size)
{
	char word[32];
	size_t n;
	int id;

	o->columns = 0;
	do {
		n = strcspn(spec, ",");
		snprintf(word, sizeof(word), "%.*s", (int)n, spec);
		id = column_find(word);
		if (id < 0 || o->columns == OUT_COLUMNS) {
			snprintf(why, size, "%s", word);
			return -1;
		}
		o->column[o->columns++] = (unsigned char)id;
		spec += n;
	} while (*spec++);
	return 0;
}

void column_expect_default(struct out *o, bool all)
{
	/* X(column, shown by `table` too) */
	static const struct {
		unsigned char id;
		bool table;
	} list[] = {
		{COLUMN_event, false},    {COLUMN_seq, false},
		{COLUMN_time, false},     {COLUMN_id, false},
		{COLUMN_l3, false},       {COLUMN_proto, true},
		{COLUMN_protonum, false}, {COLUMN_timeout, true},
		{COLUMN_src, true},       {COLUMN_sport, true},
		{COLUMN_dst, true},       {COLUMN_dport, true},
		{COLUMN_rsrc, true},      {COLUMN_rsport, true},
		{COLUMN_rdst, true},      {COLUMN_rdport, true},
		{COLUMN_zone, false},     {COLUMN_helper, true},
		{COLUMN_master, false},   {COLUMN_detail, true},
	};
	size_t i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (all || list[i].table)
			o->column[o->columns++] = list[i].id;
}

void column_expect(const struct ctshard_expect *x, struct column_expect *to)
{
	struct ctshard_conn *c = &to->conn;
	const char *flags = out_expect_flags(x);

	memset(to, 0, sizeof(*to));
	c->has = CTSHARD_CONN_TIMEOUT;
	c->id = x->id;
	c->l3 = x->l3;
	c->proto = x->proto;
	c->protonum = x->protonum;
	c->timeout_ms = x->timeout_ms;
	c->dir[0] = x->tuple;
	c->dir[1] = x->master;
	c->zone = x->zone;
	c->helper = x->helper;
	c->master = x->master_id;
	snprintf(to->class_id, sizeof(to->class_id), "%u", x->class_id);
	to->detail[c->n_detail++] =
		(struct ctshard_detail){"class", to->class_id};
	if (*flags)
		to->detail[c->n_detail++] =
			(struct ctshard_detail){"flags", flags};
	if (x->assign)
		to->detail[c->n_detail++] =
			(struct ctshard_detail){"assign", x->assign};
	c->detail = to->detail;
}

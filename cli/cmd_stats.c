/*
 * cmd_stats.c - stats: counters, what they count in a while, and who has most.
 *
 * --top is made here of the rows of a list: it costs the daemon what a list
 * costs, and its memory is ours.
 */
#include "cli/cmd.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/stats.h"
#include "cli/tally.h"

#define TOP_ROWS 10

static int stats_read(struct ctshard *ct, struct stats *s)
{
	struct ctshard_handler h = {.arg = s, .counter = stats_counter};
	uint64_t id;
	int rc = ctshard_stats(ct, &h, &id);

	return rc ? rc : ctshard_wait(ct, id);
}

static int stats_print(struct cmd *c, struct ctshard *ct, struct out *o)
{
	struct timespec ts = {.tv_sec = c->delta_ms / 1000,
	                      .tv_nsec = c->delta_ms % 1000 * 1000000l};
	struct stats s = {0}, before = {0};
	struct cells cells;
	int rc = 0;

	if (c->delta_ms) {
		rc = stats_read(ct, &before);
		nanosleep(&ts, NULL);
	}
	if (!rc)
		rc = stats_read(ct, &s);
	if (!rc) {
		stats_less(&s, &before);
		if (cells_begin(&cells, o, "stats")) {
			stats_cells(&s, &cells);
			cells_end(&cells);
		} else if (out_is_json(o)) {
			stats_json(&s, o);
		} else {
			stats_text(&s, o);
		}
	}
	stats_free(&s);
	stats_free(&before);
	return rc;
}

/* ---- --top ---- */

static const struct top_by {
	const char *word;
	enum { BY_SRC, BY_DST, BY_DPORT, BY_ZONE } by;
} top_words[] = {{"src", BY_SRC},
                 {"dst", BY_DST},
                 {"dport", BY_DPORT},
                 {"zone", BY_ZONE}};

struct top {
	struct tally tally;
	const struct top_by *by;
	bool no_memory;
};

/* key: what it is, then up to 16 bytes */
static void top_key(const struct top *t, const struct ctshard_conn *c,
                    uint8_t key[20])
{
	const struct ctshard_tuple *d = &c->dir[0];

	memset(key, 0, 20);
	switch (t->by->by) {
	case BY_SRC:
	case BY_DST:
		key[0] = (uint8_t)c->l3;
		memcpy(key + 1, t->by->by == BY_SRC ? d->src : d->dst,
		       c->l3 == 4 ? 4 : 16);
		break;
	case BY_DPORT:
		key[0] = (uint8_t)c->protonum;
		memcpy(key + 1, &d->dport, sizeof(d->dport));
		snprintf((char *)key + 5, 15, "%s", c->proto ? c->proto : "");
		break;
	case BY_ZONE:
		memcpy(key + 1, &c->zone, sizeof(c->zone));
		break;
	}
}

static int top_conn(void *arg, const struct ctshard_conn *c)
{
	struct top *t = arg;
	struct tally_row *r;
	uint8_t key[20];

	if (t->by->by == BY_DPORT && !(c->dir[0].has & CTSHARD_TUPLE_PORTS))
		return 0;
	top_key(t, c, key);
	r = tally_at(&t->tally, key);
	t->no_memory = !r;
	if (!r)
		return 1;
	r->count++;
	r->packets += c->dir[0].packets + c->dir[1].packets;
	r->bytes += c->dir[0].bytes + c->dir[1].bytes;
	return 0;
}

static void top_text(const struct top *t, const struct tally_row *r, char *to,
                     size_t size)
{
	uint32_t v;

	memcpy(&v, r->key + 1, sizeof(v));
	if (t->by->by == BY_DPORT && r->key[5])
		snprintf(to, size, "%.14s/%u", (const char *)r->key + 5, v);
	else if (t->by->by == BY_DPORT)
		snprintf(to, size, "%u/%u", r->key[0], v);
	else if (t->by->by == BY_ZONE)
		snprintf(to, size, "%u", v);
	else if (!inet_ntop(r->key[0] == 4 ? AF_INET : AF_INET6, r->key + 1, to,
	                    (socklen_t)size))
		to[0] = '\0';
}

static void top_line(struct out *o, const char *key, const struct tally_row *r)
{
	out_word(o, key);
	out_str(o, "\tcount=");
	out_u64(o, r->count);
	out_str(o, " packets=");
	out_u64(o, r->packets);
	out_str(o, " bytes=");
	out_u64(o, r->bytes);
	out_char(o, '\n');
}

static void top_cells(struct top *t, struct cells *c, uint64_t most)
{
	static const char *const column[] = {"key", "count", "packets",
	                                     "bytes"};
	char key[INET6_ADDRSTRLEN], n[3][24];
	const char *const cell[] = {key, n[0], n[1], n[2]};
	const struct tally_row *r;
	size_t i;

	cells_table(c, t->by->word, column, 4);
	for (i = 0; i < t->tally.rows && i < most; i++) {
		r = &t->tally.row[i];
		top_text(t, r, key, sizeof(key));
		snprintf(n[0], sizeof(n[0]), "%" PRIu64, r->count);
		snprintf(n[1], sizeof(n[1]), "%" PRIu64, r->packets);
		snprintf(n[2], sizeof(n[2]), "%" PRIu64, r->bytes);
		cells_row(c, cell, 4);
	}
	cells_end(c);
}

static void top_json(struct out *o, const char *key, const struct tally_row *r)
{
	out_str(o, "{\"key\":");
	out_json_string(o, key);
	out_str(o, ",\"count\":");
	out_u64(o, r->count);
	out_str(o, ",\"packets\":");
	out_u64(o, r->packets);
	out_str(o, ",\"bytes\":");
	out_u64(o, r->bytes);
	out_char(o, '}');
}

static void top_print(struct top *t, struct out *o, uint64_t most)
{
	bool json = out_is_json(o);
	char key[INET6_ADDRSTRLEN];
	struct cells cells;
	size_t i;

	tally_sort(&t->tally);
	if (cells_begin(&cells, o, "top")) {
		top_cells(t, &cells, most);
		return;
	}
	if (json)
		out_items(o);
	for (i = 0; i < t->tally.rows && i < most; i++) {
		top_text(t, &t->tally.row[i], key, sizeof(key));
		if (!json) {
			top_line(o, key, &t->tally.row[i]);
			continue;
		}
		out_item(o, i);
		top_json(o, key, &t->tally.row[i]);
	}
	if (json)
		out_items_end(o, i);
}

static int stats_top(struct cmd *c, struct ctshard *ct, struct out *o,
                     const struct top_by *by)
{
	struct top t = {.by = by};
	struct ctshard_handler h = {.arg = &t, .conn = top_conn};
	uint64_t id;
	int rc = ctshard_list(ct, NULL, &h, &id);

	if (!rc)
		rc = ctshard_wait(ct, id);
	if (t.no_memory)
		rc = CTSHARD_ENOMEM;
	if (!rc)
		top_print(&t, o, c->limit ? c->limit : TOP_ROWS);
	tally_free(&t.tally);
	return rc;
}

int cmd_stats(struct cmd *c)
{
	const struct top_by *by = NULL;
	struct ctshard *ct;
	struct out *o;
	int code, rc;
	size_t i;

	for (i = 0; c->top && i < sizeof(top_words) / sizeof(top_words[0]); i++)
		if (!strcmp(top_words[i].word, c->top))
			by = &top_words[i];
	if (c->top && !by) {
		cmd_warn("stats: `%.32s' is none of src, dst, dport, zone",
		         c->top);
		return CMD_USAGE;
	}
	o = cmd_out(c, &out_line, &out_line, &code);
	if (!o)
		return code;
	ct = cmd_open(c, 0, &code);
	if (ct) {
		rc = by ? stats_top(c, ct, o, by) : stats_print(c, ct, o);
		code = rc ? cmd_error(ct, rc) : CMD_OK;
		ctshard_close(ct);
	}
	return cmd_finish(o, code);
}

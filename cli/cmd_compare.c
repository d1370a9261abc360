/*
 * cmd_compare.c - compare: the tracker's table against this host's own.
 *
 * The two are read one after the other while packets pass, so a look finds
 * differences that are none.  There are two looks, and what counts is what
 * both have found.
 */
#include "cli/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/compare.h"
#include "cli/kernel.h"

#define SETTLE_MS 1000

struct look {
	const struct cmd *c;
	struct compare_set tracker, kernel;
	struct compare_result result;
};

static int tracker_row(void *arg, const struct ctshard_conn *c)
{
	struct look *l = arg;

	return compare_add(&l->tracker, c);
}

static bool loopback(const struct ctshard_conn *c, const uint8_t *addr)
{
	static const uint8_t v6[16] = {[15] = 1};

	return c->l3 == 4 ? addr[0] == 127 : !memcmp(addr, v6, sizeof(v6));
}

/* what never leaves the host, no tap sees */
static int kernel_row(void *arg, const struct ctshard_conn *c)
{
	struct look *l = arg;

	if (loopback(c, c->dir[0].src) && loopback(c, c->dir[0].dst))
		return 0;
	return compare_match(&l->c->filter, c) ? compare_add(&l->kernel, c) : 0;
}

static void look_free(struct look *l)
{
	compare_free(&l->tracker);
	compare_free(&l->kernel);
	free(l->result.d);
}

static int look_take(struct look *l, struct ctshard *ct)
{
	const struct ctshard_list_opts all = {.filter = &l->c->filter};
	struct ctshard_handler h = {.arg = l, .conn = tracker_row};
	uint64_t id;
	char why[256];
	int rc = ctshard_list(ct, &all, &h, &id);

	if (!rc)
		rc = ctshard_wait(ct, id);
	if (rc && !l->tracker.no_memory)
		return cmd_error(ct, rc);
	if (kernel_each(kernel_row, l, why, sizeof(why))) {
		cmd_warn("compare: %s", why);
		return CMD_FAILED;
	}
	if (!compare_sets(&l->tracker, &l->kernel, &l->result))
		return CMD_OK;
	cmd_warn("out of memory");
	return CMD_FAILED;
}

/* ---- what is printed ---- */

static void status_words(struct out *o, uint32_t status)
{
	out_str(o, status & CTSHARD_S_ASSURED      ? "ASSURED"
	           : status & CTSHARD_S_SEEN_REPLY ? "SEEN_REPLY"
	                                           : "UNREPLIED");
}

static void row_line(struct out *o, const struct compare_difference *d)
{
	static const char *const tags[] = {
		[COMPARE_MISSING] = "[MISSING] ",
		[COMPARE_EXTRA] = "  [EXTRA] ",
		[COMPARE_STATE] = "  [STATE] ",
		[COMPARE_STATUS] = " [STATUS] ",
		[COMPARE_TURNED] = " [TURNED] ",
	};

	out_str(o, tags[d->kind]);
	if (d->kind == COMPARE_STATE) {
		out_str(o, "kernel=");
		out_word(o, *d->kernel->state ? d->kernel->state : "none");
		out_char(o, ' ');
	} else if (d->kind == COMPARE_STATUS) {
		out_str(o, "kernel=");
		status_words(o, d->kernel->conn.status);
		out_char(o, ' ');
	}
	out_conn(o, d->tracker ? &d->tracker->conn : &d->kernel->conn);
}

static void row_json(struct out *o, const struct compare_difference *d,
                     bool first)
{
	bool lines = o->format == &out_jsonl;

	if (!lines)
		out_str(o, first ? "\n" : ",\n");
	out_str(o, "{\"difference\":\"");
	out_str(o, compare_word(d->kind));
	out_char(o, '"');
	if (d->tracker) {
		out_str(o, ",\"tracker\":{");
		out_json_conn(o, &d->tracker->conn);
		out_char(o, '}');
	}
	if (d->kernel) {
		out_str(o, ",\"kernel\":{");
		out_json_conn(o, &d->kernel->conn);
		out_char(o, '}');
	}
	out_str(o, lines ? "}\n" : "}");
}

static void rows_print(struct out *o, const struct compare_result *r)
{
	bool json = o->format == &out_json || o->format == &out_jsonl;
	size_t i;

	if (o->format == &out_json)
		out_char(o, '[');
	for (i = 0; i < r->n; i++)
		if (json)
			row_json(o, &r->d[i], !i);
		else
			row_line(o, &r->d[i]);
	if (o->format == &out_json)
		out_str(o, r->n ? "\n]\n" : "]\n");
}

static int looks_compare(struct cmd *c, struct ctshard *ct, struct look look[2])
{
	uint32_t ms = c->delta_ms ? c->delta_ms : SETTLE_MS;
	const struct timespec pause = {.tv_sec = ms / 1000,
	                               .tv_nsec = ms % 1000 * 1000000l};
	int code = look_take(&look[0], ct);

	if (code)
		return code;
	if (!look[0].result.n) {
		look[1].result.equal = look[0].result.equal;
		return CMD_OK;
	}
	nanosleep(&pause, NULL);
	code = look_take(&look[1], ct);
	if (!code)
		compare_lasting(&look[1].result, &look[0].result);
	return code;
}

int cmd_compare(struct cmd *c)
{
	struct look look[2] = {{.c = c}, {.c = c}};
	const struct compare_result *r = &look[1].result;
	struct ctshard *ct;
	struct out *o;
	int code;

	if (c->format && c->format != &out_line && c->format != &out_extended &&
	    c->format != &out_json && c->format != &out_jsonl) {
		cmd_warn("compare: -o line, extended, json or jsonl");
		return CMD_USAGE;
	}
	o = cmd_out(c, &out_line, &out_line, &code);
	if (!o)
		return code;
	ct = cmd_open(c, 0, &code);
	if (ct)
		code = looks_compare(c, ct, look);
	ctshard_close(ct);
	if (!code) {
		rows_print(o, r);
		cmd_warn("%zu connections are the same, %zu differ.", r->equal,
		         r->n);
		code = r->n ? CMD_FAILED : CMD_OK;
	}
	look_free(&look[0]);
	look_free(&look[1]);
	return cmd_finish(o, code);
}

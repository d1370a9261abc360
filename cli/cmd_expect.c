/* cmd_expect.c - the connections that others have announced. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int expect_row(void *arg, const struct ctshard_expect *x)
{
	struct out *o = arg;

	out_expect(o, x);
	return o->error;
}

static int expect_list(struct cmd *c)
{
	struct ctshard_list_opts opts = {.filter = &c->filter,
	                                 .limit = c->limit};
	struct ctshard_handler h = {.expect = expect_row};
	struct ctshard *ct;
	struct out *o;
	uint64_t id, rows;
	int code, rc;

	o = cmd_out(c, &out_line, &out_table, &code);
	if (!o)
		return code;
	h.arg = o;
	o->expect = true;
	ct = cmd_open(c, 0, &code);
	if (!ct) {
		free(o);
		return code;
	}
	out_begin(o);
	rc = ctshard_expect_list(ct, &opts, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	code = rc && !o->error ? cmd_error(ct, rc) : CMD_OK;
	ctshard_close(ct);
	rows = o->rows;
	code = cmd_finish(o, code);
	if (code == CMD_OK)
		cmd_warn("%" PRIu64 " expectations have been shown.", rows);
	return code;
}

/* a beginning will do, as for verbs */
static bool expect_word(const struct cmd *c, const char *word)
{
	size_t n = c->args == 1 ? strlen(c->arg[0]) : 0;

	return n && !strncmp(word, c->arg[0], n);
}

static int expect_flush(struct cmd *c)
{
	if (c->filter.has & CTSHARD_FILTER_HAS(PROTONUM)) {
		cmd_warn("Illegal option `--protonum' with this command");
		return CMD_USAGE;
	}
	return cmd_flush_of(c, ctshard_expect_flush,
	                    "expectation table has been emptied.");
}

int cmd_expect(struct cmd *c)
{
	if (expect_word(c, "list"))
		return expect_list(c);
	if (expect_word(c, "watch"))
		return cmd_expect_watch(c);
	if (expect_word(c, "count"))
		return cmd_count_of(c, ctshard_expect_count);
	if (expect_word(c, "flush"))
		return expect_flush(c);
	cmd_warn("expect: list, watch, count or flush?");
	return CMD_USAGE;
}

/* cmd_metrics.c - metrics: the daemon's text, to stdout. */
#include "cli/cmd.h"

static int metrics_part(void *arg, const char *text, size_t len)
{
	struct out *o = arg;
	size_t i;

	for (i = 0; i < len; i++)
		out_char(o,
		         text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f)
		                 ? text[i]
		                 : '?');
	return o->error;
}

int cmd_metrics(struct cmd *c)
{
	struct ctshard_handler h = {.text = metrics_part};
	struct ctshard *ct;
	struct out *o;
	uint64_t id;
	int code, rc;

	o = cmd_out(c, &out_line, &out_line, &code);
	if (!o)
		return code;
	ct = cmd_open(c, 0, &code);
	if (ct) {
		h.arg = o;
		rc = ctshard_metrics(ct, &h, &id);
		if (!rc)
			rc = ctshard_wait(ct, id);
		code = rc && !o->error ? cmd_error(ct, rc) : CMD_OK;
		ctshard_close(ct);
	}
	return cmd_finish(o, code);
}

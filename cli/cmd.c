/* cmd.c - what the verbs share: the daemon, stdout, errors to exit codes. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/column.h"

void cmd_warn(const char *fmt, ...)
{
	char text[1024], *p;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* the daemon's words may be part of it: no escapes to a terminal */
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "ctctl: %s\n", text);
}

int cmd_error(const struct ctshard *ct, int error)
{
	const char *text = ct ? ctshard_errmsg(ct) : "";

	cmd_warn("%s", *text ? text : ctshard_strerror(error));
	switch (error) {
	case CTSHARD_ENODAEMON:
		return CMD_NO_DAEMON;
	case CTSHARD_EREQUEST:
	case CTSHARD_ETOOBIG:
		return CMD_USAGE;
	case CTSHARD_ENOTFOUND:
		return CMD_NOT_FOUND;
	default:
		return CMD_FAILED;
	}
}

struct ctshard *cmd_open(const struct cmd *c, unsigned flags, int *code)
{
	struct ctshard *ct;
	int rc = ctshard_open(c->rundir, flags, &ct);

	if (!rc)
		return ct;
	*code = cmd_error(ct, rc);
	ctshard_close(ct);
	return NULL;
}

static bool cmd_colour(const struct cmd *c)
{
	const char *no = getenv("NO_COLOR");

	if (c->colour != COLOUR_AUTO)
		return c->colour == COLOUR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no);
}

struct out *cmd_out(const struct cmd *c, const struct out_format *piped,
                    const struct out_format *tty, int *code)
{
	struct out *o = malloc(sizeof(*o));
	const struct out_format *f = c->format;
	char why[64];

	if (!o) {
		cmd_warn("out of memory");
		*code = CMD_FAILED;
		return NULL;
	}
	if (!f)
		f = isatty(STDOUT_FILENO) ? tty : piped;
	out_init(o, f, c->mods, STDOUT_FILENO, &c->labels);
	o->colour = cmd_colour(c);
	o->header = !c->no_header;
	if (c->columns && column_parse(o, c->columns, why, sizeof(why))) {
		cmd_warn("`%s' is no column", why);
		*code = CMD_USAGE;
		free(o);
		return NULL;
	}
	return o;
}

int cmd_finish(struct out *o, int code)
{
	int error = out_end(o);

	/* a reader that has seen enough is no failure (head, less) */
	if (error && code == CMD_OK && error != EPIPE) {
		cmd_warn("stdout: %s", strerror(error));
		code = CMD_FAILED;
	}
	free(o);
	return code;
}

static int proc_row(void *arg, const struct ctshard_row *r)
{
	struct out *o = arg;
	unsigned v;
	size_t i;

	for (i = 0; i + 1 < r->cells; i++) {
		v = (unsigned)strtoul(r->cell[i + 1], NULL, 10);
		if (v && !strcmp(r->cell[i], "gre_timeout"))
			o->gre_timeout = v;
		if (v && !strcmp(r->cell[i], "gre_timeout_stream"))
			o->gre_stream = v;
	}
	return 0;
}

void cmd_proc(struct ctshard *ct, struct out *o)
{
	static const char *const what[] = {"gre_timeout", "gre_timeout_stream"};
	struct ctshard_handler h = {.arg = o, .row = proc_row};
	uint64_t id;

	/* a daemon that does not tell leaves the kernel's defaults */
	if (o->format == &out_proc && !ctshard_show(ct, what, 2, &h, &id))
		ctshard_wait(ct, id);
}

/* cmd.c - what the verbs share: the daemon, stdout, errors to exit codes. */
#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/column.h"
#include "cli/words.h"

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
	/* whoever chooses columns wants to see them, in a pipe, too */
	if (!c->format && c->columns && !f->columns)
		f = &out_table;
	out_init(o, f, c->mods, STDOUT_FILENO, &c->labels);
	o->colour = cmd_colour(c);
	o->header = !c->no_header;
	o->community_seed = c->community_seed;
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

int cmd_said(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return CMD_OK;
	if (errno == EPIPE)
		return CMD_OK;
	cmd_warn("stdout: %s", strerror(errno));
	return CMD_FAILED;
}

static int label_row(void *arg, const struct ctshard_row *r)
{
	if (r->cells >= 2)
		labels_setting(arg, r->cell[0], r->cell[1]);
	return 0;
}

static bool labels_matter(const struct cmd *c)
{
	unsigned i;

	if (!c->verb || !(c->verb->groups & (WORD_FILTER | WORD_REPLAY)))
		return false;
	for (i = 0; i < LABEL_WORDS; i++)
		if (c->label_words[i])
			return true;
	return c->mods & OUT_LABELS || c->columns || c->format == &out_json ||
	       c->format == &out_jsonl;
}

int cmd_labels(struct cmd *c, struct ctshard *ct)
{
	static const char *const what[] = {"label"};
	uint8_t *const bits[LABEL_WORDS] = {[LABEL_FILTER] = c->filter.labels,
	                                    [LABEL_ADD] = c->labels_set,
	                                    [LABEL_DEL] = c->labels_clear};
	struct ctshard_handler h = {.arg = &c->labels, .row = label_row};
	uint64_t id;
	unsigned i;

	if (!labels_matter(c))
		return CMD_OK;
	/* a daemon without names has nothing to show, and says so */
	if (!ctshard_show(ct, what, 1, &h, &id))
		ctshard_wait(ct, id);
	for (i = 0; i < LABEL_WORDS; i++) {
		if (!c->label_words[i])
			continue;
		memset(bits[i], 0, 16);
		if (!labels_bits(&c->labels, c->label_words[i], bits[i]))
			continue;
		cmd_warn("`%.64s': there is no such label", c->label_words[i]);
		return CMD_USAGE;
	}
	return CMD_OK;
}

/* The rows of `show mirror`: interfaces stand in the order of their numbers. */
struct iface_look {
	const char *name;
	bool here, found;
	uint32_t next, number;
};

static int iface_table(void *arg, const struct ctshard_table *t)
{
	struct iface_look *l = arg;

	l->here = !strcmp(t->name, "interfaces");
	return 0;
}

static int iface_row(void *arg, const struct ctshard_row *r)
{
	struct iface_look *l = arg;

	if (!l->here)
		return 0;
	if (!l->found && r->cells && !strcmp(r->cell[0], l->name)) {
		l->found = true;
		l->number = l->next;
	}
	l->next++;
	return 0;
}

/* The daemon knows which number the interface of a name has. */
static int cmd_iface(struct cmd *c, struct ctshard *ct)
{
	static const char *const what[] = {"mirror"};
	struct iface_look l = {.name = c->iface};
	struct ctshard_handler h = {
		.arg = &l, .table = iface_table, .row = iface_row};
	uint64_t id;
	int rc;

	if (!c->iface)
		return CMD_OK;
	rc = ctshard_show(ct, what, 1, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	if (rc)
		return cmd_error(ct, rc);
	if (!l.found) {
		cmd_warn("`%.64s': no such interface is listened to", c->iface);
		return CMD_USAGE;
	}
	c->filter.iface = l.number;
	return CMD_OK;
}

struct ctshard *cmd_open(struct cmd *c, unsigned flags, int *code)
{
	struct ctshard *ct;
	int rc = ctshard_open(c->rundir, flags, &ct);

	*code = rc ? cmd_error(ct, rc) : cmd_labels(c, ct);
	if (*code == CMD_OK)
		*code = cmd_iface(c, ct);
	if (*code == CMD_OK)
		return ct;
	ctshard_close(ct);
	return NULL;
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

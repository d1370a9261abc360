/*
 * cmd_add.c - add, and load of `-o save' lines.
 *
 * A line is what conntrack would be called with: -A or -I makes, -D forgets
 * and -U changes the connection that the tuple names.  The lines of a file are
 * carried out in its order.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/make.h"
#include "cli/snapshot.h"
#include "cli/words.h"

static int add_error(const struct make *m)
{
	if (m->error)
		return cmd_error(m->ct, m->error);
	return m->failed ? CMD_FAILED : CMD_OK;
}

int cmd_add(struct cmd *c)
{
	static struct make m;
	struct ctshard_conn conn;
	char why[96];
	int code;

	if (make_conn(&conn, c, why, sizeof(why))) {
		cmd_warn("add: %s", why);
		return CMD_USAGE;
	}
	m.ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!m.ct)
		return code;
	/* what labels mean is known now */
	memcpy(conn.labels, c->labels_set, sizeof(conn.labels));
	make_add(&m, &conn, 0, c->exist_ok);
	make_flush(&m);
	code = add_error(&m);
	ctshard_close(m.ct);
	if (code == CMD_OK)
		cmd_done(m.made, c->exist_ok ? "added" : "created");
	return code;
}

/* ---- load ---- */

struct load {
	struct make make;
	const struct cmd *c;
	uint64_t deleted, updated;
	unsigned line;
};

static void load_fault(struct load *l, const char *why)
{
	l->make.failed++;
	cmd_warn("%s:%u: %s", l->make.file, l->line, why);
}

#define TUPLE                                                             \
	(CTSHARD_FILTER_HAS(L3) | CTSHARD_FILTER_HAS(PROTONUM) |          \
	 CTSHARD_FILTER_HAS(ZONE) | CTSHARD_FILTER_HAS(ORIG_ZONE) |       \
	 CTSHARD_FILTER_HAS(REPLY_ZONE) | CTSHARD_FILTER_HAS(ICMP_TYPE) | \
	 CTSHARD_FILTER_HAS(ICMP_CODE) | CTSHARD_FILTER_HAS(ICMP_ID) |    \
	 CTSHARD_FILTER_HAS(SRCKEY) | CTSHARD_FILTER_HAS(DSTKEY) |        \
	 CTSHARD_FILTER_HAS(ORIG_SRC) | CTSHARD_FILTER_HAS(ORIG_DST) |    \
	 CTSHARD_FILTER_HAS(REPLY_SRC) | CTSHARD_FILTER_HAS(REPLY_DST) |  \
	 CTSHARD_FILTER_HAS(SPORT) | CTSHARD_FILTER_HAS(DPORT) |          \
	 CTSHARD_FILTER_HAS(REPLY_SPORT) | CTSHARD_FILTER_HAS(REPLY_DPORT))

static int load_affected(void *arg, uint64_t n)
{
	*(uint64_t *)arg += n;
	return 0;
}

/* -D and -U: by the tuple alone, what else the line says is news */
static void load_change(struct load *l, struct cmd *c, bool forget)
{
	struct ctshard_handler h = {.affected = load_affected};
	struct make *m = &l->make;
	uint64_t id, n = 0;

	make_flush(m);
	if (m->error)
		return;
	h.arg = &n;
	if (c->filter.has & CTSHARD_FILTER_HAS(STATE))
		c->update.state = c->filter.state;
	c->filter.has &= TUPLE;
	c->update.filter = &c->filter;
	c->update.labels_clear = NULL;
	m->error = forget ? ctshard_delete(m->ct, &c->filter, &h, &id)
	                  : ctshard_update(m->ct, &c->update, &h, &id);
	if (!m->error)
		m->error = ctshard_wait(m->ct, id);
	if (m->error == CTSHARD_ENOTFOUND)
		m->error = 0;
	if (!m->error && !n)
		load_fault(l, "no such connection");
	l->deleted += forget ? n : 0;
	l->updated += forget ? 0 : n;
}

static void load_words(struct load *l, int argc, char **argv)
{
	static struct cmd c;
	static char name[] = "ctctl", add[] = "-A";
	char verb[8], why[256];
	struct ctshard_conn conn;

	snprintf(verb, sizeof(verb), "%s", argv[1]);
	argv[0] = name;
	if (strcmp(verb, "-A") && strcmp(verb, "-I") && strcmp(verb, "-D") &&
	    strcmp(verb, "-U")) {
		load_fault(l, "a line begins with -A, -I, -D or -U");
		return;
	}
	argv[1] = add;
	memset(&c, 0, sizeof(c));
	c.labels = l->c->labels;
	if (word_parse(&c, argc, argv, why, sizeof(why)) ||
	    make_conn(&conn, &c, why, sizeof(why)))
		load_fault(l, why);
	else if (verb[1] == 'A' || verb[1] == 'I')
		make_add(&l->make, &conn, l->line, verb[1] == 'A');
	else
		load_change(l, &c, verb[1] == 'D');
}

static void load_line(struct load *l, char *text)
{
	char *argv[CMD_ARGS], *save = NULL, *word;
	int argc = 1;

	for (word = strtok_r(text, " \t\n", &save); word && argc < CMD_ARGS;
	     word = strtok_r(NULL, " \t\n", &save))
		argv[argc++] = word;
	if (argc > 1 && argv[1][0] != '#')
		load_words(l, argc, argv);
}

static int load_lines(struct load *l, FILE *f)
{
	struct progress p = {.what = "lines"};
	char *text = NULL;
	size_t room = 0;

	while (!l->make.error && getline(&text, &room, f) > 0) {
		l->line++;
		load_line(l, text);
		progress_add(&p, 1);
	}
	progress_end(&p);
	free(text);
	make_flush(&l->make);
	if (ferror(f)) {
		cmd_warn("%s: %s", l->make.file, strerror(errno));
		return CMD_FAILED;
	}
	return add_error(&l->make);
}

int cmd_load(struct cmd *c)
{
	static struct load l;
	const char *path = c->args ? c->arg[0] : "";
	bool in = !strcmp(path, "-");
	FILE *f;
	int code;

	if (c->args != 1) {
		cmd_warn("load: which file?");
		return CMD_USAGE;
	}
	f = in ? stdin : fopen(path, "re");
	if (!f) {
		cmd_warn("%s: %s", path, strerror(errno));
		return CMD_FAILED;
	}
	if (snapshot_is(f)) {
		code = snapshot_load(c, f, path);
		if (!in)
			fclose(f);
		return code;
	}
	l.c = c;
	l.make.file = in ? "stdin" : path;
	l.make.ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (l.make.ct) {
		code = load_lines(&l, f);
		cmd_done(l.make.made, "created");
		if (l.deleted)
			cmd_done(l.deleted, "deleted");
		if (l.updated)
			cmd_done(l.updated, "updated");
		ctshard_close(l.make.ct);
	}
	if (!in)
		fclose(f);
	return code;
}

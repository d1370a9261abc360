/* cmd_state.c - stats, show, set, check, help. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cells.h"
#include "cli/child.h"
#include "cli/snapshot.h"
#include "cli/turn.h"
#include "cli/words.h"

/*
 * show: each table of the answer is printed when the next begins.  The answer
 * may bring one table in parts (the same name again): rows go on then.
 */
struct show {
	struct out *o;
	struct libscols_table *t;
	char name[64];
	bool config; /* `KEY = VALUE` lines, as ctshardd -T prints */
	uint64_t tables;
	uint64_t rows;
	char (*column)[64];
	size_t columns;
	struct cells cells;
};

static void show_flush(struct show *s)
{
	struct libscols_table *on_side = NULL;
	char *text = NULL;

	if (s->t && s->columns >= TURN_COLUMNS &&
	    scols_table_get_nlines(s->t) < s->columns)
		on_side = turn_table(s->t, s->o->header);
	if (on_side) {
		scols_unref_table(s->t);
		s->t = on_side;
	}
	if (s->t && !scols_print_table_to_string(s->t, &text) && text) {
		out_str(s->o, text);
		out_char(s->o, '\n');
	}
	free(text);
	if (s->t)
		scols_unref_table(s->t);
	s->t = NULL;
}

static int show_columns(struct show *s, const struct ctshard_table *t)
{
	size_t i;
	const char *p;
	char *q;

	free(s->column);
	s->columns = t->columns;
	s->column = calloc(t->columns + 1, sizeof(*s->column));
	if (!s->column)
		return -1;
	for (i = 0; i < t->columns; i++) {
		q = s->column[i];
		for (p = t->column[i]; *p && q < s->column[i] + 63; p++)
			*q++ = *p > ' ' && *p < 0x7f ? *p : '?';
	}
	return 0;
}

static int show_begin(struct show *s, const struct ctshard_table *t)
{
	struct libscols_column *col;
	size_t i;

	s->t = scols_new_table();
	if (!s->t)
		return -1;
	scols_table_enable_noheadings(s->t, !s->o->header);
	for (i = 0; i < t->columns; i++) {
		col = scols_table_new_column(s->t, s->column[i], 0.1, 0);
		if (!col)
			return -1;
	}
	return 0;
}

static void show_cells(struct show *s)
{
	const char *column[CELLS_MAX];
	size_t i;

	for (i = 0; i < s->columns && i < CELLS_MAX; i++)
		column[i] = s->column[i];
	cells_table(&s->cells, s->name, column, i);
}

static void show_next(struct show *s)
{
	if (s->o->format == &out_jsonl) {
		/* each row says whose it is */
	} else if (out_is_json(s->o)) {
		out_str(s->o, s->tables ? "\n],\n" : "");
		out_json_string(s->o, s->name);
		out_str(s->o, ":[");
	} else {
		show_flush(s);
		/* a line between two tables for the eye, none in settings */
		if (s->tables && !s->config)
			out_char(s->o, '\n');
	}
	s->tables++;
	s->rows = 0;
}

static int show_table(void *arg, const struct ctshard_table *t)
{
	struct show *s = arg;

	if (s->tables && !strcmp(s->name, t->name))
		return 0;
	snprintf(s->name, sizeof(s->name), "%s", t->name);
	if (show_columns(s, t))
		return -1;
	if (s->cells.o) {
		s->tables++;
		show_cells(s);
		return 0;
	}
	s->config = !strcmp(t->name, "config") && t->columns == 2;
	show_next(s);
	if (out_is_json(s->o) || s->config)
		return 0;
	return show_begin(s, t);
}

static void show_json(struct show *s, const struct ctshard_row *r)
{
	bool lines = s->o->format == &out_jsonl;
	size_t i;

	if (lines) {
		out_str(s->o, "{\"table\":");
		out_json_string(s->o, s->name);
	} else {
		out_str(s->o, s->rows++ ? ",\n{" : "\n{");
	}
	for (i = 0; i < r->cells && i < s->columns; i++) {
		if (i || lines)
			out_char(s->o, ',');
		out_json_string(s->o, s->column[i]);
		out_char(s->o, ':');
		out_json_string(s->o, r->cell[i]);
	}
	out_str(s->o, lines ? "}\n" : "}");
}

static int show_line(struct show *s, const struct ctshard_row *r)
{
	struct libscols_line *line = scols_table_new_line(s->t, NULL);
	char text[512];
	size_t i, n;

	if (!line)
		return -1;
	for (i = 0; i < r->cells && i < s->columns; i++) {
		for (n = 0; r->cell[i][n] && n + 1 < sizeof(text); n++)
			text[n] = r->cell[i][n] >= ' ' && r->cell[i][n] < 0x7f
			                  ? r->cell[i][n]
			                  : '?';
		text[n] = '\0';
		scols_line_set_data(line, i, text);
	}
	return 0;
}

static int show_row(void *arg, const struct ctshard_row *r)
{
	struct show *s = arg;

	if (s->cells.o) {
		cells_row(&s->cells, r->cell, r->cells);
	} else if (out_is_json(s->o)) {
		show_json(s, r);
	} else if (s->config) {
		out_text(s->o, r->cells > 0 ? r->cell[0] : "");
		out_str(s->o, " = ");
		out_text(s->o, r->cells > 1 ? r->cell[1] : "");
		out_char(s->o, '\n');
	} else if (s->t) {
		return show_line(s, r);
	}
	return s->o->error;
}

const char *const cmd_show_words[] = {
	"workers",  "shards",  "subscribers", "config", "memory", "mirror",
	"recorder", "version", "protocols",   "check",  NULL,
};

/* The subject that a beginning means, or the word as it stands. */
static const char *show_word(const char *word)
{
	const char *found = NULL;
	size_t i, n = strlen(word);

	for (i = 0; cmd_show_words[i]; i++) {
		if (strncmp(cmd_show_words[i], word, n))
			continue;
		if (found)
			return word;
		found = cmd_show_words[i];
	}
	return found && n ? found : word;
}

int cmd_show(struct cmd *c)
{
	struct show s = {0};
	struct ctshard_handler h = {
		.arg = &s, .table = show_table, .row = show_row};
	struct ctshard *ct;
	uint64_t id;
	int code, rc;
	size_t i;

	if (!c->args) {
		cmd_warn("show: what? (ctctl help show)");
		return CMD_USAGE;
	}
	for (i = 0; i < c->args; i++)
		c->arg[i] = show_word(c->arg[i]);
	s.o = cmd_out(c, &out_line, &out_line, &code);
	if (!s.o)
		return code;
	ct = cmd_open(c, 0, &code);
	if (!ct) {
		free(s.o);
		return code;
	}
	cells_begin(&s.cells, s.o, "show");
	if (s.o->format == &out_json)
		out_char(s.o, '{');
	rc = ctshard_show(ct, c->arg, c->args, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	show_flush(&s);
	if (s.cells.o)
		cells_end(&s.cells);
	if (s.o->format == &out_json)
		out_str(s.o, s.tables ? "\n]}\n" : "}\n");
	code = rc && !s.o->error ? cmd_error(ct, rc) : CMD_OK;
	ctshard_close(ct);
	free(s.column);
	return cmd_finish(s.o, code);
}

int cmd_set(struct cmd *c)
{
	static const struct ctshard_handler h;
	struct ctshard_pair item[CMD_ARGS];
	char *copy[CMD_ARGS], *eq;
	struct ctshard *ct = NULL;
	uint64_t id;
	int code = CMD_USAGE, rc;
	size_t i, n = 0;

	for (i = 0; i < c->args; i++) {
		if (!strchr(c->arg[i], '=') || c->arg[i][0] == '=') {
			cmd_warn("set: `%.64s' is no KEY=VALUE", c->arg[i]);
			goto out;
		}
		copy[n] = strdup(c->arg[i]);
		if (!copy[n])
			goto out;
		eq = strchr(copy[n], '=');
		*eq = '\0';
		item[n].key = copy[n];
		item[n++].value = eq + 1;
	}
	if (!n) {
		cmd_warn("set: KEY=VALUE is missing");
		goto out;
	}
	ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!ct)
		goto out;
	rc = ctshard_set(ct, item, n, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	code = rc ? cmd_error(ct, rc) : CMD_OK;
out:
	for (i = 0; i < n; i++)
		free(copy[i]);
	ctshard_close(ct);
	return code;
}

struct check {
	struct out *o;
	uint64_t faults;
	struct cells cells;
	struct progress progress;
};

static int check_count(void *arg, const struct ctshard_count *row)
{
	struct check *k = arg;

	progress_add(&k->progress, row->count - k->progress.n);
	return 0;
}

static void check_begin(struct check *k)
{
	static const char *const column[] = {"fault"};

	if (cells_begin(&k->cells, k->o, "check"))
		cells_table(&k->cells, "faults", column, 1);
	else if (out_is_json(k->o))
		out_items(k->o);
}

static void check_end(struct check *k)
{
	if (k->cells.o)
		cells_end(&k->cells);
	else if (out_is_json(k->o))
		out_items_end(k->o, k->faults);
}

static int check_fault(void *arg, const char *text)
{
	struct check *k = arg;

	if (out_is_json(k->o)) {
		out_item(k->o, k->faults++);
		out_json_string(k->o, text);
		return k->o->error;
	}
	k->faults++;
	if (k->cells.o) {
		cells_row(&k->cells, &text, 1);
		return k->o->error;
	}
	out_text(k->o, text);
	out_char(k->o, '\n');
	return k->o->error;
}

/* Its lines are faults; what it ends with is the verdict. */
static int check_lines(const struct cmd *c, const char *const *argv)
{
	struct check k = {0};
	char *line = NULL;
	size_t size = 0;
	int p[2], code = CMD_OK, status = 0;
	ssize_t n;
	pid_t pid;
	FILE *f;

	k.o = cmd_out(c, &out_line, &out_line, &code);
	if (!k.o)
		return code;
	if (pipe2(p, O_CLOEXEC) || !(f = fdopen(p[0], "r"))) {
		cmd_warn("pipe: %s", strerror(errno));
		return cmd_finish(k.o, CMD_FAILED);
	}
	pid = fork();
	if (!pid) {
		if (dup2(p[1], STDOUT_FILENO) >= 0)
			child_exec(argv);
		_exit(127);
	}
	close(p[1]);
	check_begin(&k);
	while ((n = getline(&line, &size, f)) > 0) {
		line[n - 1] = line[n - 1] == '\n' ? '\0' : line[n - 1];
		check_fault(&k, line);
	}
	check_end(&k);
	free(line);
	fclose(f);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	code = pid < 0 || !WIFEXITED(status) ? CMD_FAILED : WEXITSTATUS(status);
	if (code == 127) {
		cmd_warn("no daemon, and ctshardd is not found");
		code = CMD_NO_DAEMON;
	}
	return cmd_finish(k.o, code);
}

/* Nobody runs: the daemon's program looks at the segments that it left. */
static int check_offline(const struct cmd *c)
{
	const char *argv[8] = {"ctshardd", "-R"};
	size_t n = 2;

	argv[n++] = c->rundir ? c->rundir : CTSHARD_RUNDIR;
	argv[n++] = "--check";
	if (c->deep)
		argv[n++] = "--deep";
	argv[n] = NULL;
	if (c->format && c->format != &out_line)
		return check_lines(c, argv);
	child_exec(argv);
	cmd_warn("no daemon, and ctshardd is not found");
	return CMD_NO_DAEMON;
}

int cmd_check(struct cmd *c)
{
	struct check k = {.progress = {.what = "shards"}};
	struct ctshard_handler h = {.arg = &k, .fault = check_fault};
	struct ctshard *ct;
	uint64_t id;
	int code, rc;

	/* the reaper walks under the shards' locks: not for everybody */
	rc = ctshard_open(c->rundir, CTSHARD_CONTROL, &ct);
	if (rc == CTSHARD_ENODAEMON) {
		ctshard_close(ct);
		return check_offline(c);
	}
	if (rc) {
		code = cmd_error(ct, rc);
		ctshard_close(ct);
		return code;
	}
	k.o = cmd_out(c, &out_line, &out_line, &code);
	if (k.o) {
		check_begin(&k);
		if (progress_seen())
			h.count = check_count;
		rc = ctshard_check(ct, c->deep, &h, &id);
		if (!rc)
			rc = ctshard_wait(ct, id);
		progress_end(&k.progress);
		check_end(&k);
		code = rc && !k.o->error ? cmd_error(ct, rc) : CMD_OK;
		code = cmd_finish(k.o, code);
		if (code == CMD_OK && k.faults)
			code = CMD_FAILED;
	}
	ctshard_close(ct);
	return code;
}

static void help_option(const struct word_opt *p)
{
	char left[64], letter[5] = "    ";
	size_t n = strcspn(p->names, "|");

	if (p->letter)
		snprintf(letter, sizeof(letter), "-%c, ", p->letter);
	snprintf(left, sizeof(left), "%s--%.*s%s%s", letter, (int)n, p->names,
	         p->value ? " " : "", p->value ? p->value : "");
	printf("  %-34s %s\n", left, p->what);
}

/* A verb's own meaning of a name stands first, and is the only one. */
static bool help_hidden(const struct word_verb *v, const struct word_opt *o)
{
	const struct word_opt *p;

	for (p = word_opts; p != o; p++)
		if (p->groups & v->groups && !strcmp(p->names, o->names) &&
		    !p->value == !o->value)
			return true;
	return false;
}

static void help_verb(const struct word_verb *v)
{
	const struct word_opt *p;

	printf("usage: ctctl [-R RUNDIR] %s [OPTION]...%s%s\n", v->name,
	       *v->args ? " " : "", v->args);
	printf("%s\n", v->what);
	for (p = word_opts; p->apply; p++)
		if (p->groups & v->groups && !help_hidden(v, p))
			help_option(p);
}

static void help_all(void)
{
	const struct word_verb *v;
	char letter[8];

	printf("usage: ctctl [-R RUNDIR] VERB [OPTION]...\n"
	       "       ctctl -h | -V\n");
	for (v = word_verbs; v->name; v++) {
		letter[0] = '\0';
		if (v->letter)
			snprintf(letter, sizeof(letter), "-%c", v->letter);
		printf("  %-8s %-4s %s\n", v->name, letter, v->what);
	}
	printf("`ctctl help VERB' lists a verb's options; verbs and options "
	       "may be shortened.\n");
}

int cmd_help(struct cmd *c)
{
	const struct word_verb *v = c->verb;
	char why[128];

	if (c->args) {
		v = word_verb_find(c->arg[0], why, sizeof(why));
		if (!v) {
			cmd_warn("%s", why);
			return CMD_USAGE;
		}
		help_verb(v);
	} else if (v && v->run != cmd_help) {
		help_verb(v);
	} else {
		help_all();
	}
	return cmd_said();
}

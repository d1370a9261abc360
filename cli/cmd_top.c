/* cmd_top.c - top: who talks most, on a screen or once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/top.h"

#define ONCE_ROWS 20

static void once_line(struct out *o, const char *text)
{
	out_text(o, text);
	out_char(o, '\n');
}

static void once_print(const struct top *t, struct out *o, uint64_t most)
{
	char text[TOP_LINE];
	size_t i;

	top_title(t, text, TOP_LINE - 1);
	once_line(o, text);
	top_health(t, text, TOP_LINE - 1);
	once_line(o, text);
	top_mirror(t, text, TOP_LINE - 1);
	once_line(o, text);
	top_ports(t, text, TOP_LINE - 1);
	once_line(o, text);
	top_heads(text, TOP_LINE - 1);
	once_line(o, text);
	for (i = 0; i < t->rows && i < most; i++) {
		top_text(&t->row[i], text, TOP_LINE - 1);
		once_line(o, text);
	}
}

/* Two samples, for the rates. */
static int top_once(struct top *t, struct cmd *c)
{
	struct timespec ts = {.tv_sec = c->delta_ms / 1000,
	                      .tv_nsec = c->delta_ms % 1000 * 1000000l};
	struct out *o;
	int code;

	o = cmd_out(c, &out_line, &out_line, &code);
	if (!o)
		return code;
	code = top_sample(t);
	nanosleep(&ts, NULL);
	if (!code)
		code = top_sample(t);
	if (code)
		code = cmd_error(t->ct, code);
	else
		once_print(t, o, c->limit ? c->limit : ONCE_ROWS);
	return cmd_finish(o, code);
}

static int top_by(struct top *t, const char *word)
{
	static const char *const words[] = {
#define X(name, key, word) word,
		TOP_SORTS(X)
#undef X
	};
	size_t i;

	for (i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i], word)) {
			t->sort = (enum top_sort)i;
			return 0;
		}
	return word ? -1 : 0;
}

int cmd_top(struct cmd *c)
{
	struct top *t;
	int code;

	if (!c->delta_ms)
		c->delta_ms = 1000;
	if (!c->once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		cmd_warn("top: this is no terminal; --once prints one page");
		return CMD_USAGE;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		cmd_warn("out of memory");
		return CMD_FAILED;
	}
	if (top_by(t, c->sort)) {
		cmd_warn("top: --sort is rate, bytes or age");
		free(t);
		return CMD_USAGE;
	}
	t->cmd = c;
	t->ct = cmd_open(c, 0, &code);
	if (t->ct)
		code = c->once ? top_once(t, c) : top_screen(t);
	ctshard_close(t->ct);
	top_free(t);
	free(t);
	return code;
}

/* out_csv.c - comma-separated values (RFC 4180), every column by default. */
#include "cli/column.h"

#include <string.h>

void out_csv_cell(struct out *o, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		out_str(o, s);
		return;
	}
	out_char(o, '"');
	for (; *s; s++) {
		if (*s == '"')
			out_char(o, '"');
		out_char(o, *s);
	}
	out_char(o, '"');
}

static void csv_begin(struct out *o)
{
	unsigned i;

	if (!o->columns && o->expect)
		column_expect_default(o, true);
	if (!o->columns)
		for (i = 0; i < COLUMN_COUNT - !(o->mods & OUT_COMMUNITY); i++)
			o->column[o->columns++] = (unsigned char)i;
	for (i = 0; o->header && i < o->columns; i++) {
		if (i)
			out_char(o, ',');
		out_str(o, column_name(o->column[i]));
	}
	if (o->header)
		out_char(o, '\n');
}

static void csv_row(struct out *o, const struct ctshard_conn *c,
                    const struct ctshard_event *e)
{
	char text[COLUMN_TEXT];
	unsigned i;

	for (i = 0; i < o->columns; i++) {
		if (i)
			out_char(o, ',');
		column_text(o, o->column[i], c, e, text, sizeof(text));
		out_csv_cell(o, text);
	}
	out_char(o, '\n');
}

static void csv_conn(struct out *o, const struct ctshard_conn *c)
{
	csv_row(o, c, NULL);
}

static void csv_event(struct out *o, const struct ctshard_event *e)
{
	if (e->type != CTSHARD_LIST_END)
		csv_row(o, e->conn, e);
}

static void csv_expect(struct out *o, const struct ctshard_expect *x,
                       const struct ctshard_event *e)
{
	struct column_expect c;

	column_expect(x, &c);
	csv_row(o, &c.conn, e);
}

const struct out_format out_csv = {
	.name = "csv",
	.columns = true,
	.begin = csv_begin,
	.conn = csv_conn,
	.event = csv_event,
	.expect = csv_expect,
};

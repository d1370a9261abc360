/*
 * out_table.c - aligned columns by libsmartcols, for eyes.
 *
 * Rows are printed in pages of a few thousand, so that a large table neither
 * waits for its end nor fills the memory; widths are those of a page.
 */
#include "cli/column.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 4096

static const char *table_colour(const struct ctshard_conn *c,
                                const struct ctshard_event *e)
{
	if (e && e->type == CTSHARD_GAP)
		return "red";
	if (e && e->type == CTSHARD_DESTROY)
		return "darkgray";
	if (c && !(c->status & CTSHARD_S_SEEN_REPLY))
		return "brown";
	if (c && c->status & CTSHARD_S_ASSURED)
		return "green";
	return NULL;
}

static void table_columns(struct out *o, bool events)
{
	unsigned i;

	if (o->columns)
		return;
	if (events)
		o->column[o->columns++] = COLUMN_event;
	if (o->expect) {
		column_expect_default(o, false);
		return;
	}
	for (i = 0; i < COLUMN_COUNT; i++)
		if (column_default(i) || (i == COLUMN_id && o->mods & OUT_ID) ||
		    (i == COLUMN_labels && o->mods & OUT_LABELS) ||
		    (i == COLUMN_time && events && o->mods & OUT_TIMESTAMP) ||
		    ((i == COLUMN_shard || i == COLUMN_detail) &&
		     o->mods & OUT_WIDE) ||
		    (i == COLUMN_detail && o->audit) ||
		    (i == COLUMN_community_id && o->mods & OUT_COMMUNITY))
			o->column[o->columns++] = (unsigned char)i;
}

static struct libscols_table *table_new(struct out *o)
{
	struct libscols_table *t = scols_new_table();
	struct libscols_column *col;
	char name[32], *p;
	unsigned i;

	if (!t)
		return NULL;
	scols_table_enable_colors(t, o->colour);
	scols_table_enable_noheadings(t, !o->header);
	for (i = 0; i < o->columns; i++) {
		snprintf(name, sizeof(name), "%s", column_name(o->column[i]));
		for (p = name; *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
		col = scols_table_new_column(
			t, name, 0.1,
			column_right(o->column[i]) ? SCOLS_FL_RIGHT : 0);
		if (!col) {
			scols_unref_table(t);
			return NULL;
		}
	}
	return t;
}

static void table_page(struct out *o)
{
	char *text = NULL;

	if (!o->table)
		return;
	if (!scols_print_table_to_string(o->table, &text) && text) {
		out_str(o, text);
		out_char(o, '\n');
	}
	free(text);
	scols_unref_table(o->table);
	o->table = NULL;
	o->header = false;
}

static void table_row(struct out *o, const struct ctshard_conn *c,
                      const struct ctshard_event *e)
{
	struct libscols_line *line;
	char text[COLUMN_TEXT];
	const char *colour =
		o->colour ? table_colour(o->expect ? NULL : c, e) : NULL;
	unsigned i;

	table_columns(o, e != NULL);
	if (!o->table)
		o->table = table_new(o);
	line = o->table ? scols_table_new_line(o->table, NULL) : NULL;
	if (!line)
		return;
	for (i = 0; i < o->columns; i++) {
		column_text(o, o->column[i], c, e, text, sizeof(text));
		scols_line_set_data(line, i, text);
	}
	if (colour)
		scols_line_set_color(line, colour);
	if (scols_table_get_nlines(o->table) >= PAGE_ROWS)
		table_page(o);
}

static void table_conn(struct out *o, const struct ctshard_conn *c)
{
	table_row(o, c, NULL);
}

static void table_event(struct out *o, const struct ctshard_event *e)
{
	if (e->type != CTSHARD_LIST_END)
		table_row(o, e->conn, e);
}

static void table_expect(struct out *o, const struct ctshard_expect *x,
                         const struct ctshard_event *e)
{
	struct column_expect c;

	column_expect(x, &c);
	table_row(o, &c.conn, e);
}

const struct out_format out_table = {
	.name = "table",
	.columns = true,
	.conn = table_conn,
	.event = table_event,
	.expect = table_expect,
	.pause = table_page,
	.end = table_page,
};

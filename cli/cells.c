/* cells.c - see cells.h. */
#include "cli/cells.h"

#include <ctype.h>

bool cells_begin(struct cells *c, struct out *o, const char *verb)
{
	*c = (struct cells){.verb = verb};
	if (o->format != &out_csv && o->format != &out_xml)
		return false;
	c->o = o;
	if (o->format == &out_csv)
		return true;
	out_str(o, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<");
	out_str(o, verb);
	out_str(o, ">\n");
	return true;
}

static void xml_name(struct out *o, const char *s)
{
	if (!isalpha((unsigned char)*s))
		out_char(o, '_');
	for (; *s; s++)
		out_char(o, isalnum((unsigned char)*s) ? *s : '_');
}

static void xml_attribute(struct out *o, const char *name, const char *value)
{
	out_char(o, ' ');
	xml_name(o, name);
	out_str(o, "=\"");
	out_xml_text(o, value);
	out_char(o, '"');
}

static void csv_row(struct out *o, const char *const *cell, size_t n,
                    size_t columns)
{
	size_t i;

	for (i = 0; i < columns; i++) {
		if (i)
			out_char(o, ',');
		if (i < n)
			out_csv_cell(o, cell[i]);
	}
	out_char(o, '\n');
}

static void table_end(struct cells *c)
{
	if (c->table)
		out_str(c->o, c->o->format == &out_csv ? "\n" : "</table>\n");
	c->table = false;
}

void cells_table(struct cells *c, const char *name, const char *const *column,
                 size_t columns)
{
	size_t i;

	table_end(c);
	c->table = true;
	c->columns = columns < CELLS_MAX ? columns : CELLS_MAX;
	for (i = 0; i < c->columns; i++)
		c->column[i] = column[i];
	if (c->o->format == &out_csv) {
		if (c->o->header)
			csv_row(c->o, c->column, c->columns, c->columns);
		return;
	}
	out_str(c->o, "<table");
	xml_attribute(c->o, "name", name);
	out_str(c->o, ">\n");
}

void cells_row(struct cells *c, const char *const *cell, size_t n)
{
	size_t i;

	if (c->o->format == &out_csv) {
		csv_row(c->o, cell, n, c->columns);
		return;
	}
	out_str(c->o, "<row");
	for (i = 0; i < n && i < c->columns; i++)
		xml_attribute(c->o, c->column[i], cell[i]);
	out_str(c->o, "/>\n");
}

void cells_end(struct cells *c)
{
	if (c->o->format == &out_csv)
		return;
	table_end(c);
	out_str(c->o, "</");
	out_str(c->o, c->verb);
	out_str(c->o, ">\n");
}

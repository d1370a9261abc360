/* turn.c - see turn.h */
#include "cli/turn.h"

#include <stddef.h>

static const char *turn_cell(struct libscols_table *t, size_t line, size_t col)
{
	struct libscols_line *l = scols_table_get_line(t, line);
	struct libscols_cell *c = l ? scols_line_get_cell(l, col) : NULL;
	const char *text = c ? scols_cell_get_data(c) : NULL;

	return text ? text : "";
}

static const char *turn_head(struct libscols_table *t, size_t col)
{
	struct libscols_column *c = scols_table_get_column(t, col);
	const char *text =
		c ? scols_cell_get_data(scols_column_get_header(c)) : NULL;

	return text ? text : "";
}

static int turn_fill(struct libscols_table *to, struct libscols_table *t)
{
	size_t lines = scols_table_get_nlines(t), i, k;
	size_t columns = scols_table_get_ncols(t);

	if (!scols_table_new_column(to, turn_head(t, 0), 0.1, 0))
		return -1;
	for (i = 0; i < lines; i++)
		if (!scols_table_new_column(to, turn_cell(t, i, 0), 0.1,
		                            SCOLS_FL_RIGHT))
			return -1;
	for (k = 1; k < columns; k++) {
		struct libscols_line *l = scols_table_new_line(to, NULL);

		if (!l || scols_line_set_data(l, 0, turn_head(t, k)))
			return -1;
		for (i = 0; i < lines; i++)
			if (scols_line_set_data(l, i + 1, turn_cell(t, i, k)))
				return -1;
	}
	return 0;
}

struct libscols_table *turn_table(struct libscols_table *t, int headings)
{
	struct libscols_table *to = scols_new_table();

	if (!to)
		return NULL;
	scols_table_enable_noheadings(to, !headings);
	if (!turn_fill(to, t))
		return to;
	scols_unref_table(to);
	return NULL;
}

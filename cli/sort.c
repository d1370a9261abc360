/*
 * sort.c - rows kept to be printed in the order of columns.
 *
 * Only --sort pays for it: without, rows go from the socket to stdout.  Cells
 * that are numbers are compared as numbers, addresses byte by byte, the rest
 * as text; equal rows keep the daemon's order.
 */
#include "cli/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/column.h"

struct sort_row {
	struct ctshard_conn c;
	const struct sort *s;
	size_t at;
	char text[]; /* what the pointers of c point to */
};

int sort_parse(struct sort *s, const char *spec, char *why, size_t size)
{
	char word[32];
	size_t n;
	int id;

	do {
		s->down[s->keys] = *spec == '-';
		spec += *spec == '-';
		n = strcspn(spec, ",");
		snprintf(word, sizeof(word), "%.*s", (int)n, spec);
		id = column_find(word);
		if (id < 0 || s->keys + 1 == SORT_KEYS) {
			snprintf(why, size, "%s", word);
			return -1;
		}
		s->key[s->keys++] = (unsigned char)id;
		spec += n;
	} while (*spec++);
	return 0;
}

static size_t sort_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static const char *sort_copy(char **to, const char *s)
{
	char *p = *to;

	if (!s)
		return NULL;
	*to = stpcpy(p, s) + 1;
	return p;
}

static struct sort_row *sort_row_new(const struct ctshard_conn *c)
{
	size_t n = sort_size(c->proto) + sort_size(c->state) +
	           sort_size(c->helper) + sort_size(c->reason);
	size_t pad = c->n_detail * sizeof(struct ctshard_detail), i;
	struct ctshard_detail *d;
	struct sort_row *r;
	char *p;

	for (i = 0; i < c->n_detail; i++)
		n += sort_size(c->detail[i].key) +
		     sort_size(c->detail[i].value);
	r = malloc(sizeof(*r) + pad + n);
	if (!r)
		return NULL;
	r->c = *c;
	d = (struct ctshard_detail *)(void *)r->text;
	p = r->text + pad;
	for (i = 0; i < c->n_detail; i++) {
		d[i].key = sort_copy(&p, c->detail[i].key);
		d[i].value = sort_copy(&p, c->detail[i].value);
	}
	r->c.detail = d;
	r->c.proto = sort_copy(&p, c->proto);
	r->c.state = sort_copy(&p, c->state);
	r->c.helper = sort_copy(&p, c->helper);
	r->c.reason = sort_copy(&p, c->reason);
	return r;
}

int sort_add(struct sort *s, const struct ctshard_conn *c)
{
	size_t room = s->room ? s->room * 2 : 1024;
	struct sort_row **row, *r;

	if (s->rows == s->room) {
		row = realloc(s->row, room * sizeof(void *));
		if (!row)
			return -1;
		s->row = row;
		s->room = room;
	}
	r = sort_row_new(c);
	if (!r)
		return -1;
	r->s = s;
	r->at = s->rows;
	s->row[s->rows++] = r;
	return 0;
}

static int sort_addr(const struct ctshard_conn *a, const struct ctshard_conn *b,
                     unsigned id)
{
	int dir = id == COLUMN_rsrc || id == COLUMN_rdst;
	int src = id == COLUMN_src || id == COLUMN_rsrc;

	if (a->l3 != b->l3)
		return a->l3 < b->l3 ? -1 : 1;
	return memcmp(src ? a->dir[dir].src : a->dir[dir].dst,
	              src ? b->dir[dir].src : b->dir[dir].dst,
	              a->l3 == 4 ? 4 : 16);
}

static int sort_text(const char *a, const char *b)
{
	char *ea, *eb;
	double x = strtod(a, &ea), y = strtod(b, &eb);

	if (ea != a && eb != b && !*ea && !*eb)
		return x < y ? -1 : x > y;
	return strcmp(a, b);
}

static int sort_key(const struct sort_row *a, const struct sort_row *b,
                    unsigned id)
{
	char ta[COLUMN_TEXT], tb[COLUMN_TEXT];

	if (id == COLUMN_src || id == COLUMN_dst || id == COLUMN_rsrc ||
	    id == COLUMN_rdst)
		return sort_addr(&a->c, &b->c, id);
	column_text(a->s->out, id, &a->c, NULL, ta, sizeof(ta));
	column_text(b->s->out, id, &b->c, NULL, tb, sizeof(tb));
	return sort_text(ta, tb);
}

static int sort_compare(const void *pa, const void *pb)
{
	const struct sort_row *a = *(struct sort_row *const *)pa;
	const struct sort_row *b = *(struct sort_row *const *)pb;
	const struct sort *s = a->s;
	unsigned i;
	int d;

	for (i = 0; i < s->keys; i++) {
		d = sort_key(a, b, s->key[i]);
		if (d)
			return s->down[i] ? -d : d;
	}
	return a->at < b->at ? -1 : a->at > b->at;
}

void sort_print(struct sort *s, struct out *o)
{
	size_t i;

	s->out = o;
	if (s->rows)
		qsort(s->row, s->rows, sizeof(void *), sort_compare);
	for (i = 0; i < s->rows && !o->error; i++)
		out_conn(o, &s->row[i]->c);
}

void sort_free(struct sort *s)
{
	size_t i;

	for (i = 0; i < s->rows; i++)
		free(s->row[i]);
	free(s->row);
	memset(s, 0, sizeof(*s));
}

/*
 * stats.c - counters as JSON, nested by the dots of their names, and as text.
 *
 * The daemon's list of counters is the only one: an object here is whatever
 * names begin alike, in the order in which the first of them came.
 */
#include "cli/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* more than any daemon has; a mad one shall not fill the memory */
#define STATS_SCOPES   4096u
#define STATS_COUNTERS 4096u

static struct stats_scope *stats_scope(struct stats *s,
                                       const struct ctshard_counter *c)
{
	struct stats_scope *sc;
	size_t i;

	for (i = s->scopes; i--;) {
		sc = &s->scope[i];
		if (sc->total == !!c->total &&
		    (sc->total || sc->worker == c->worker))
			return sc;
	}
	if (s->scopes == STATS_SCOPES)
		return NULL;
	sc = realloc(s->scope, (s->scopes + 1) * sizeof(*sc));
	if (!sc)
		return NULL;
	s->scope = sc;
	sc += s->scopes++;
	memset(sc, 0, sizeof(*sc));
	sc->total = c->total;
	sc->worker = c->worker;
	return sc;
}

int stats_counter(void *arg, const struct ctshard_counter *c)
{
	struct stats_scope *sc = stats_scope(arg, c);
	struct stats_counter *p;

	if (!sc || sc->counters == STATS_COUNTERS)
		return -1;
	if (sc->counters == sc->room) {
		sc->room = sc->room ? sc->room * 2 : 64;
		p = realloc(sc->counter, sc->room * sizeof(*p));
		if (!p)
			return -1;
		sc->counter = p;
	}
	p = &sc->counter[sc->counters];
	p->name = strdup(c->name);
	p->value = c->value;
	sc->counters += p->name != NULL;
	return p->name ? 0 : -1;
}

void stats_free(struct stats *s)
{
	size_t i, j;

	for (i = 0; i < s->scopes; i++) {
		for (j = 0; j < s->scope[i].counters; j++)
			free(s->scope[i].counter[j].name);
		free(s->scope[i].counter);
	}
	free(s->scope);
	memset(s, 0, sizeof(*s));
}

static const struct stats_counter *stats_find(const struct stats *s,
                                              const struct stats_scope *sc,
                                              const char *name)
{
	size_t i, j;

	for (i = 0; i < s->scopes; i++) {
		if (s->scope[i].total != sc->total ||
		    (!sc->total && s->scope[i].worker != sc->worker))
			continue;
		for (j = 0; j < s->scope[i].counters; j++)
			if (!strcmp(s->scope[i].counter[j].name, name))
				return &s->scope[i].counter[j];
	}
	return NULL;
}

void stats_less(struct stats *s, const struct stats *before)
{
	const struct stats_counter *old;
	struct stats_counter *c;
	size_t i, j;

	for (i = 0; i < s->scopes; i++)
		for (j = 0; j < s->scope[i].counters; j++) {
			c = &s->scope[i].counter[j];
			/* these two are no counters */
			if (!strcmp(c->name, "count") ||
			    !strcmp(c->name, "max"))
				continue;
			old = stats_find(before, &s->scope[i], c->name);
			if (old && old->value <= c->value)
				c->value -= old->value;
		}
}

/* Do both names agree in their first n bytes, and does a part end there? */
static bool stats_same(const char *a, const char *b, size_t n)
{
	return !strncmp(a, b, n) && (a[n] == '.' || !a[n]) &&
	       (b[n] == '.' || !b[n]);
}

/* Has an earlier name brought this part of that length out already? */
static bool stats_seen(const struct stats_scope *sc, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (strlen(sc->counter[i].name) >= n &&
		    stats_same(sc->counter[i].name, sc->counter[at].name, n))
			return true;
	return false;
}

/* One part of a name: a key of the object that is being written. */
static void stats_key(struct out *o, const char *name, size_t n, bool first)
{
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)n, name);
	if (!first)
		out_char(o, ',');
	out_json_string(o, word);
	out_char(o, ':');
}

#define STATS_DEPTH 8

/*
 * The members of all counters whose name begins with that of `like` up to
 * `skip` (a dot, or nothing), from the index `from` on.
 */
static void stats_members(const struct stats_scope *sc, size_t from,
                          size_t skip, int depth, bool first, struct out *o)
{
	const char *like = sc->counter[from].name, *name;
	size_t i, n;

	for (i = from; i < sc->counters; i++) {
		name = sc->counter[i].name;
		if (strlen(name) <= skip || strncmp(name, like, skip))
			continue;
		n = skip + strcspn(name + skip, ".");
		if (depth == STATS_DEPTH)
			n = strlen(name);
		if (stats_seen(sc, i, n))
			continue;
		stats_key(o, name + skip, n - skip, first);
		first = false;
		if (!name[n]) {
			out_u64(o, sc->counter[i].value);
			continue;
		}
		out_char(o, '{');
		stats_members(sc, i, n + 1, depth + 1, true, o);
		out_char(o, '}');
	}
}

static void stats_object(const struct stats_scope *sc, bool first,
                         struct out *o)
{
	if (sc->counters)
		stats_members(sc, 0, 0, 0, first, o);
}

static void stats_worker(const struct stats_scope *sc, struct out *o)
{
	out_str(o, "{\"worker\":");
	out_u64(o, (uint64_t)sc->worker);
	stats_object(sc, false, o);
	out_char(o, '}');
}

/* The scope of all, or NULL. */
static const struct stats_scope *stats_total(const struct stats *s)
{
	size_t i;

	for (i = 0; i < s->scopes; i++)
		if (s->scope[i].total)
			return &s->scope[i];
	return NULL;
}

/* What all have counted but the workers behind this one, the first. */
static uint64_t stats_rest(const struct stats *s, size_t first,
                           const struct stats_counter *c)
{
	const struct stats_scope *total = stats_total(s);
	const struct stats_counter *one;
	uint64_t rest;
	size_t i;

	one = total ? stats_find(s, total, c->name) : NULL;
	if (!one)
		return c->value;
	rest = one->value;
	for (i = first + 1; i < s->scopes; i++) {
		if (s->scope[i].total || s->scope[i].worker < 0)
			continue;
		one = stats_find(s, &s->scope[i], c->name);
		if (one && one->value <= rest)
			rest -= one->value;
	}
	return rest;
}

/*
 * Rows over workers and the totals agree: what no worker did (the reaper ended
 * it, a reader was too slow) stands with the first, as the kernel's collector
 * counts for whichever processor it runs on.  Lines keep it apart.
 */
static void stats_fold(struct stats *s)
{
	struct stats_counter *c;
	size_t first = 0, j;

	while (first < s->scopes &&
	       (s->scope[first].total || s->scope[first].worker < 0))
		first++;
	for (j = 0; first < s->scopes && j < s->scope[first].counters; j++) {
		c = &s->scope[first].counter[j];
		/* these two are no sums */
		if (strcmp(c->name, "elapsed_ns") && strcmp(c->name, "max"))
			c->value = stats_rest(s, first, c);
	}
}

void stats_json(struct stats *s, struct out *o)
{
	/* jsonl: all of it is one line */
	const char *line = o->format == &out_jsonl ? "" : "\n";
	bool first = true;
	size_t i;

	stats_fold(s);
	out_char(o, '{');
	for (i = 0; i < s->scopes; i++) {
		if (!s->scope[i].total)
			continue;
		stats_object(&s->scope[i], true, o);
		first = !s->scope[i].counters;
	}
	out_str(o, first ? "\"workers\":[" : ",\"workers\":[");
	first = true;
	for (i = 0; i < s->scopes; i++) {
		if (s->scope[i].total || s->scope[i].worker < 0)
			continue;
		out_str(o, first ? "" : ",");
		out_str(o, line);
		first = false;
		stats_worker(&s->scope[i], o);
	}
	out_char(o, ']');
	out_str(o, "}\n");
}

static void stats_line(const struct stats_scope *sc, struct out *o)
{
	char head[32];
	size_t i;

	if (sc->total)
		snprintf(head, sizeof(head), "total      \t");
	else if (sc->worker < 0)
		snprintf(head, sizeof(head), "reaper     \t");
	else
		snprintf(head, sizeof(head), "worker=%-4d\t", sc->worker);
	out_str(o, head);
	for (i = 0; i < sc->counters; i++) {
		out_word(o, sc->counter[i].name);
		out_char(o, '=');
		out_u64(o, sc->counter[i].value);
		out_char(o, ' ');
	}
	out_char(o, '\n');
}

void stats_text(const struct stats *s, struct out *o)
{
	size_t i;

	for (i = 0; i < s->scopes; i++)
		if (!s->scope[i].total)
			stats_line(&s->scope[i], o);
	for (i = 0; i < s->scopes; i++)
		if (s->scope[i].total)
			stats_line(&s->scope[i], o);
}

void stats_cells(const struct stats *s, struct cells *c)
{
	static const char *const column[] = {"scope", "counter", "value"};
	const struct stats_scope *sc;
	char scope[24], value[24];
	const char *cell[] = {scope, NULL, value};
	size_t i, k;

	cells_table(c, "counters", column, 3);
	for (i = 0; i < s->scopes; i++) {
		sc = &s->scope[i];
		if (sc->total)
			snprintf(scope, sizeof(scope), "total");
		else if (sc->worker < 0)
			snprintf(scope, sizeof(scope), "reaper");
		else
			snprintf(scope, sizeof(scope), "worker%d", sc->worker);
		for (k = 0; k < sc->counters; k++) {
			cell[1] = sc->counter[k].name;
			snprintf(value, sizeof(value), "%" PRIu64,
			         sc->counter[k].value);
			cells_row(c, cell, 3);
		}
	}
}

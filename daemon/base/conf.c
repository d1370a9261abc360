/*
 * conf.c - the table of keys and its values.
 *
 * Terms: a row is a struct conf_key with its value.  Rows are kept sorted by
 * name, so that looking up is a search and printing a walk.  A value is never
 * in the table without having passed its row's check, so whoever reads one
 * need not check it again.
 */
#include "daemon/base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/conf_value.h"
#include "daemon/base/defaults.h"
#include "daemon/base/log.h"

struct conf_row {
	struct conf_key key;
	char *text;
	uint64_t number;
};

struct conf {
	struct conf_row *row;
	size_t n, room;
	struct conf_key *form; /* see conf.h */
	size_t nform;
};

/* blocks whose titles users choose, and how many of each there may be */
static const struct {
	const char *block;
	unsigned int most;
} titled[] = {
	{"label.", 128},
	{"rule.", POLICY_RULES},
	{"timeout.", POLICY_PROFILES},
};

#define LIVE    CONF_LIVE
#define AT_NONE 0, 0
#define AT_(field) \
	offsetof(struct policy, field), sizeof(((struct policy *)0)->field)
#define AT_acct           AT_(acct)
#define AT_active_timeout AT_(active_timeout)
#define AT_checksum       AT_(checksum)
#define AT_duplicates     AT_(duplicates)
#define AT_duplicates_ms  AT_(duplicates_ms)
#define AT_events         AT_(events)
#define AT_expect_max     AT_(expect_max)
#define AT_frag6_timeout  AT_(frag6_timeout)
#define AT_ipfrag_time    AT_(ipfrag_time)
#define AT_log_invalid    AT_(log_invalid)
#define AT_max            AT_(max)
#define AT_tcp_mode       AT_(tcp_mode)
#define AT_timestamp      AT_(timestamp)
#define AT_zone_from      AT_(zone_from)

#define AT_expect_source_max AT_(expect_source_max)

static const struct conf_key base_keys[] = {
#define K(name, type, def, min, max, words, flags, at, doc) \
	{name, CONF_##type, def, min, max, words, flags, AT_##at, doc},
	CONF_KEYS(K)
#undef K
#define H(name, ports, doc)       \
	{"helper." name ".ports", \
	 CONF_PORTS,              \
	 ports,                   \
	 0,                       \
	 0,                       \
	 NULL,                    \
	 LIVE,                    \
	 0,                       \
	 0,                       \
	 doc},
		HELPER_PORTS(H)
#undef H
#define F(name, type, min, max, words, doc) \
	{name, CONF_##type, "", min, max, words, LIVE, 0, 0, doc},
			CONF_FORMS(F)
#undef F
};

/* Place of `name`, or where it would go. */
static size_t row_place(const struct conf *c, const char *name, bool *found)
{
	size_t low = 0, high = c->n, mid;
	int r;

	*found = false;
	while (low < high) {
		mid = (low + high) / 2;
		r = strcmp(name, c->row[mid].key.name);
		if (!r) {
			*found = true;
			return mid;
		}
		if (r < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct conf_row *row_find(const struct conf *c, const char *name)
{
	bool found;
	size_t i = row_place(c, name, &found);

	return found ? &c->row[i] : NULL;
}

/* -- keys that come into being ------------------------------------------ */
static bool title_char(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_' || ch == '-';
}

/* Length of BLOCK.TITLE. when the form fits the name, else 0. */
static size_t form_fits(const struct conf_key *form, const char *name)
{
	size_t n = strcspn(form->name, "*"), at = n;

	if (strncmp(form->name, name, n) != 0)
		return 0;
	while (title_char(name[at]))
		at++;
	if (at == n || at - n >= POLICY_NAME ||
	    strcmp(name + at, form->name + n + 1) != 0)
		return 0;
	return at + 1;
}

static const struct conf_key *form_find(const struct conf *c, const char *name,
                                        size_t *len)
{
	size_t i;

	for (i = 0; i < c->nform; i++) {
		*len = form_fits(&c->form[i], name);
		if (*len)
			return &c->form[i];
	}
	return NULL;
}

static int form_add(struct conf *c, const struct conf_key *key)
{
	struct conf_key *more =
		realloc(c->form, (c->nform + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->form = more;
	c->form[c->nform++] = *key;
	return 0;
}

/* Titles of this block, without those that begin with `but`; *order is the
 * greatest `order` of them. */
static unsigned int titles_count(const struct conf *c, const char *block,
                                 const char *but, size_t but_len,
                                 uint64_t *order)
{
	size_t len = strlen(block), n, last_len = 0, i;
	const char *last = NULL, *name;
	unsigned int titles = 0;

	*order = 0;
	for (i = 0; i < c->n; i++) {
		name = c->row[i].key.name;
		if (strncmp(name, block, len) || !strncmp(name, but, but_len))
			continue;
		n = len + strcspn(name + len, ".") + 1;
		if (!last || n != last_len || strncmp(name, last, n) != 0)
			titles++;
		last = name;
		last_len = n;
		if (!strcmp(name + n, "order") && c->row[i].number > *order)
			*order = c->row[i].number;
	}
	return titles;
}

static bool name_begins(const char *name, const char *with, size_t len)
{
	return name && !strncmp(name, with, len);
}

static bool title_there(const struct conf *c, const char *name, size_t len)
{
	bool found;
	size_t i = row_place(c, name, &found);

	/* neighbours in the order of names: all keys of the title */
	return (i < c->n && name_begins(c->row[i].key.name, name, len)) ||
	       (i && name_begins(c->row[i - 1].key.name, name, len));
}

static int row_insert(struct conf *c, const struct conf_key *key,
                      const char *text, uint64_t number)
{
	struct conf_row row = {.key = *key, .number = number}, *more;
	bool found;
	size_t i = row_place(c, key->name, &found);

	if (found)
		return -EEXIST;
	if (c->n == c->room) {
		more = realloc(c->row, (c->room + 64) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->row = more;
		c->room += 64;
	}
	row.text = strdup(text);
	if (!row.text)
		return -ENOMEM;
	memmove(&c->row[i + 1], &c->row[i], (c->n - i) * sizeof(row));
	c->row[i] = row;
	c->n++;
	return 0;
}

static int conf_add(struct conf *c, const struct conf_key *key)
{
	char text[CONF_TEXT_MAX], err[CONF_ERR];
	uint64_t number;

	if (strstr(key->name, ".*."))
		return form_add(c, key);
	if (conf_value_read(key, key->def, &number, text, err))
		return -EINVAL;
	return row_insert(c, key, text, number);
}

int conf_add_table(struct conf *c, const struct conf_key *keys, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && !r; i++)
		r = conf_add(c, &keys[i]);
	return r;
}

struct conf *conf_new(void)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c && conf_add_table(c, base_keys, ARRAY_SIZE(base_keys))) {
		conf_free(c);
		return NULL;
	}
	return c;
}

void conf_free(struct conf *c)
{
	size_t i;

	for (i = 0; c && i < c->n; i++)
		free(c->row[i].text);
	if (c) {
		free(c->row);
		free(c->form);
	}
	free(c);
}

struct conf *conf_copy(const struct conf *c)
{
	struct conf *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->row = calloc(c->n + 1, sizeof(*d->row));
	d->form = calloc(c->nform + 1, sizeof(*d->form));
	if (!d->row || !d->form) {
		conf_free(d);
		return NULL;
	}
	for (d->nform = 0; d->nform < c->nform; d->nform++)
		d->form[d->nform] = c->form[d->nform];
	for (d->room = c->n; d->n < c->n; d->n++) {
		d->row[d->n] = c->row[d->n];
		d->row[d->n].text = strdup(c->row[d->n].text);
		if (!d->row[d->n].text) {
			conf_free(d);
			return NULL;
		}
	}
	return d;
}

static int row_set(struct conf_row *row, const char *value, char *err)
{
	char text[CONF_TEXT_MAX], *copy;
	uint64_t number;

	if (conf_value_read(&row->key, value, &number, text, err))
		return -1;
	copy = strdup(text);
	if (!copy) {
		snprintf(err, CONF_ERR, "out of memory");
		return -1;
	}
	free(row->text);
	row->text = copy;
	row->number = number;
	return 0;
}

/* A row of its own for a key that has only a form. */
static int row_make(struct conf *c, const struct conf_key *form,
                    const char *name, const char *value, char *err)
{
	struct conf_key key = *form;
	char text[CONF_TEXT_MAX];
	uint64_t number;

	snprintf(key.name, sizeof(key.name), "%s", name);
	if (conf_value_read(&key, value, &number, text, err))
		return -1;
	if (!row_insert(c, &key, text, number))
		return 0;
	snprintf(err, CONF_ERR, "out of memory");
	return -1;
}

/* Is there room for one more title?  *last: the greatest `order` so far. */
static int title_room(const struct conf *c, const char *name, size_t len,
                      uint64_t *last, char *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titled); i++)
		if (!strncmp(name, titled[i].block, strlen(titled[i].block)) &&
		    titles_count(c, titled[i].block, name, len, last) >=
		            titled[i].most) {
			snprintf(err, CONF_ERR,
			         "there is room for no more than %u of them",
			         titled[i].most);
			return -1;
		}
	return 0;
}

/* The first key of a title brings the title's place in the order. */
static int form_set(struct conf *c, const char *name, const char *value,
                    char *err)
{
	size_t len, n;
	const struct conf_key *form = form_find(c, name, &len), *order;
	char place[CONF_NAME + 8], text[24];
	uint64_t last = 0;
	bool first;

	if (!form) {
		snprintf(err, CONF_ERR, "there is no such key");
		return -1;
	}
	first = !title_there(c, name, len);
	if (first && title_room(c, name, len, &last, err))
		return -1;
	if (row_make(c, form, name, value, err))
		return -1;
	snprintf(place, sizeof(place), "%.*sorder", (int)len, name);
	order = form_find(c, place, &n);
	snprintf(text, sizeof(text), "%u",
	         last < 65535 ? (unsigned int)last + 1 : 65535u);
	return first && order && !row_find(c, place)
	               ? row_make(c, order, place, text, err)
	               : 0;
}

int conf_set(struct conf *c, const char *name, const char *value, char *err)
{
	struct conf_row *row = row_find(c, name);

	return row ? row_set(row, value, err) : form_set(c, name, value, err);
}

const struct conf_key *conf_key_of(const struct conf *c, const char *name)
{
	const struct conf_row *row = row_find(c, name);
	size_t len;

	return row ? &row->key : form_find(c, name, &len);
}

const struct conf_key *conf_form_at(const struct conf *c, unsigned int i)
{
	return i < c->nform ? &c->form[i] : NULL;
}

/* NAME and VALUE around the first '=' of a line, without blanks around them */
static int pair_split(const char *pair, size_t len, char *name, char *value)
{
	const char *eq = memchr(pair, '=', len), *end = pair + len, *stop = eq;

	if (!eq)
		return -1;
	while (pair < stop && *pair == ' ')
		pair++;
	while (stop > pair && stop[-1] == ' ')
		stop--;
	for (eq++; eq < end && *eq == ' '; eq++)
		;
	while (end > eq && end[-1] == ' ')
		end--;
	if (stop - pair >= CONF_NAME || end - eq >= CONF_TEXT_MAX)
		return -1;
	sprintf(name, "%.*s", (int)(stop - pair), pair);
	sprintf(value, "%.*s", (int)(end - eq), eq);
	return 0;
}

int conf_set_pair(struct conf *c, const char *pair, char *err)
{
	char name[CONF_NAME], value[CONF_TEXT_MAX], why[CONF_ERR];

	if (pair_split(pair, strlen(pair), name, value)) {
		snprintf(err, CONF_ERR, "-s %.*s: KEY=VALUE is needed",
		         (int)strnlen(pair, CONF_NAME), pair);
		return -1;
	}
	if (!conf_set(c, name, value, why))
		return 0;
	snprintf(err, CONF_ERR, "-s %s: %.180s", name, why);
	return -1;
}

int conf_read_text(struct conf *c, const char *text, char *err)
{
	char name[CONF_NAME], value[CONF_TEXT_MAX], why[CONF_ERR];
	size_t len;

	for (; *text && *text != '\n'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (pair_split(text, len, name, value)) {
			snprintf(err, CONF_ERR, "not KEY = VALUE: %.*s",
			         (int)(len < 100 ? len : 100), text);
			return -1;
		}
		if (conf_set(c, name, value, why)) {
			snprintf(err, CONF_ERR, "%s: %.190s", name, why);
			return -1;
		}
	}
	return 0;
}

void conf_print(const struct conf *c, FILE *to)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		fprintf(to, "%s = %s\n", c->row[i].key.name, c->row[i].text);
}

char *conf_text_of(const struct conf *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	conf_print(c, f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static const struct conf_row *row_must(const struct conf *c, const char *name)
{
	const struct conf_row *row = row_find(c, name);

	if (!row)
		fatalx("conf",
		       "%s: the program asks for a key that it does "
		       "not have",
		       name);
	return row;
}

uint64_t conf_number(const struct conf *c, const char *name)
{
	return row_must(c, name)->number;
}

const char *conf_text(const struct conf *c, const char *name)
{
	return row_must(c, name)->text;
}

bool conf_on(const struct conf *c, const char *name)
{
	return row_must(c, name)->number != 0;
}

bool conf_is_set(const struct conf *c, const char *name)
{
	return row_find(c, name) != NULL;
}

bool conf_known(const struct conf *c, const char *name)
{
	return conf_key_of(c, name) != NULL;
}

unsigned int conf_ports(const struct conf *c, const char *name, uint16_t *port,
                        unsigned int max)
{
	const char *s = conf_text(c, name);
	unsigned int n;
	char *end;

	for (n = 0; *s; n++) {
		if (n < max)
			port[n] = (uint16_t)strtoul(s, &end, 10);
		s += strcspn(s, ",");
		s += *s == ',';
	}
	return n;
}

const struct conf_key *conf_at(const struct conf *c, unsigned int i,
                               const char **value)
{
	if (i >= c->n)
		return NULL;
	*value = c->row[i].text;
	return &c->row[i].key;
}

static void row_to_policy(const struct conf_row *row, struct policy *p)
{
	uint8_t *at = (uint8_t *)p + row->key.policy_at;
	uint64_t v = row->number;
	uint32_t word;

	if (row->key.flags & CONF_INVERT)
		v = !v;
	if (row->key.policy_size == 1)
		*at = (uint8_t)v;
	word = (uint32_t)v;
	if (row->key.policy_size == 4)
		memcpy(at, &word, sizeof(word));
}

void conf_to_policy(const struct conf *c, struct policy *p)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		row_to_policy(&c->row[i], p);
}

/* Takes back keys of titles that `keep` does not have; NULL: all of them. */
static unsigned int titles_drop(struct conf *c, const struct conf *keep)
{
	unsigned int dropped = 0;
	size_t i, len;

	for (i = c->n; i-- > 0;) {
		const char *name = c->row[i].key.name;

		if ((keep && row_find(keep, name)) || !form_find(c, name, &len))
			continue;
		free(c->row[i].text);
		c->n--;
		memmove(&c->row[i], &c->row[i + 1],
		        (c->n - i) * sizeof(*c->row));
		dropped++;
	}
	return dropped;
}

int conf_replace_text(struct conf *c, const char *text, char *err)
{
	titles_drop(c, NULL);
	return conf_read_text(c, text, err);
}

/* Keys of titles that the new configuration has, or has no more. */
static unsigned int titles_reload(struct conf *c, const struct conf *want)
{
	unsigned int changed = titles_drop(c, want);
	char err[CONF_ERR];
	size_t i;

	for (i = 0; i < want->n; i++) {
		const struct conf_row *w = &want->row[i];

		if (!row_find(c, w->key.name))
			changed += !conf_set(c, w->key.name, w->text, err);
	}
	return changed;
}

unsigned int conf_reload(struct conf *c, const struct conf *want,
                         void (*refused)(void *arg, const char *name,
                                         const char *old, const char *value),
                         void *arg)
{
	const struct conf_row *w;
	unsigned int changed = titles_reload(c, want);
	struct conf_row *row;
	char err[CONF_ERR];
	size_t i;

	for (i = 0; i < c->n; i++) {
		row = &c->row[i];
		w = row_find(want, row->key.name);
		if (!w || !strcmp(w->text, row->text))
			continue;
		if (!(row->key.flags & CONF_LIVE))
			refused(arg, row->key.name, row->text, w->text);
		else if (!row_set(row, w->text, err))
			changed++;
	}
	return changed;
}

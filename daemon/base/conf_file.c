/*
 * conf_file.c - the configuration file, by libconfuse.
 *
 * libconfuse knows the shape (blocks, titles, lists) and the line
 * numbers; each value goes to its row as text the moment it is read, so the
 * row's message gets the line it belongs to.  libconfuse's table of options is
 * made from ours: `a.b` is an option b of a block a, or written a.b as it
 * stands; `a.title.b` one of a titled block; `a.*.b` (a form, see conf.h) one
 * of a block with any title.
 */
#include "daemon/base/conf.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/conf_text.h"
#include "daemon/base/conf_value.h"

/* libconfuse hands no argument to its callbacks: the file being read */
static struct {
	struct conf *conf;
	const char *path;
	char *err;
} reading;

struct shape {
	cfg_opt_t *opt; /* the top, ended by CFG_END */
	size_t nopt;
	cfg_opt_t **block; /* tables of blocks, for free() */
	size_t nblock;
	char **name; /* copies of names, for free() */
	size_t nname;
};

static void file_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char what[CONF_ERR];

	if (*reading.err)
		return;
	vsnprintf(what, sizeof(what), fmt, ap);
	what[strcspn(what, "\n")] = '\0';
	snprintf(reading.err, CONF_ERR, "%.120s:%d: %.120s", reading.path,
	         cfg->line, what);
}

static bool key_name(char *name, cfg_t *cfg, const char *opt)
{
	const char *block = cfg_name(cfg), *title = cfg_title(cfg);
	int n;

	if (!block || !strcmp(block, "root"))
		n = snprintf(name, CONF_NAME, "%s", opt);
	else if (title)
		n = snprintf(name, CONF_NAME, "%s.%s.%s", block, title, opt);
	else
		n = snprintf(name, CONF_NAME, "%s.%s", block, opt);
	return n > 0 && n < CONF_NAME;
}

/* an option's values, joined by commas */
static bool value_join(cfg_opt_t *opt, char *text)
{
	unsigned int i;
	size_t n = 0;

	*text = '\0';
	for (i = 0; i < cfg_opt_size(opt) && n < CONF_TEXT_MAX; i++)
		n += (size_t)snprintf(text + n, CONF_TEXT_MAX - n, "%s%s",
		                      i ? "," : "", cfg_opt_getnstr(opt, i));
	return n < CONF_TEXT_MAX;
}

static int option_read(cfg_t *cfg, cfg_opt_t *opt)
{
	char name[CONF_NAME], text[CONF_TEXT_MAX], why[CONF_ERR];

	if (!key_name(name, cfg, opt->name) ||
	    !conf_known(reading.conf, name)) {
		cfg_error(cfg, "%s: there is no such key", opt->name);
		return -1;
	}
	if (!value_join(opt, text)) {
		cfg_error(cfg, "%s: a shorter value is needed", name);
		return -1;
	}
	if (conf_set(reading.conf, name, text, why)) {
		cfg_error(cfg, "%s: %s", name, why);
		return -1;
	}
	return 0;
}

/* An empty list sets nothing and calls nobody: seen when its block ends. */
static int lists_read(cfg_t *cfg)
{
	cfg_opt_t *o;

	for (o = cfg->opts; o->name; o++)
		if (o->flags & CFGF_LIST && o->flags & CFGF_MODIFIED &&
		    !cfg_opt_size(o) && option_read(cfg, o))
			return -1;
	return 0;
}

static int block_read(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const char *title = cfg_title(block);
	char name[CONF_NAME];
	cfg_opt_t *o;

	for (o = block->opts; title && o->name; o++)
		if (!key_name(name, block, o->name) ||
		    !conf_known(reading.conf, name)) {
			cfg_error(cfg, "there is no %s '%s'", cfg_name(block),
			          title);
			return -1;
		}
	return lists_read(block);
}

/* -- the shape ------------------------------------------------------------- */
static const char *name_keep(struct shape *s, const char *name, size_t len)
{
	char *copy = strndup(name, len);

	if (copy)
		s->name[s->nname++] = copy;
	return copy;
}

static cfg_opt_t option_of(const struct conf_key *k, const char *name)
{
	cfg_opt_t list = CFG_STR_LIST(name, NULL, CFGF_NONE);
	cfg_opt_t text = CFG_STR(name, NULL, CFGF_NONE);
	cfg_opt_t *o = &text;

	if (k->type == CONF_PORTS || k->type == CONF_LIST ||
	    k->type == CONF_RANGES || k->type == CONF_NAMES ||
	    k->type == CONF_MAP)
		o = &list;
	o->validcb = option_read;
	return *o;
}

static cfg_opt_t *option_find(cfg_opt_t *o, const char *name, size_t len)
{
	for (; o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

/* room for any number of options that there are keys, and the end */
static cfg_opt_t *options_new(struct shape *s, size_t n)
{
	const cfg_opt_t end = CFG_END();
	cfg_opt_t *o = calloc(n + 1, sizeof(*o));
	size_t i;

	for (i = 0; o && i <= n; i++)
		o[i] = end;
	if (o && s->block)
		s->block[s->nblock++] = o;
	return o;
}

/* The block that `name` belongs to; made when it is its first. */
static cfg_opt_t *block_find(struct shape *s, const char *name, size_t len,
                             bool titled, size_t nkeys)
{
	cfg_opt_t *o = option_find(s->opt, name, len), *inner;
	const char *copy;

	if (o)
		return o->subopts;
	inner = options_new(s, nkeys);
	copy = name_keep(s, name, len);
	if (!inner || !copy)
		return NULL;
	o = &s->opt[s->nopt++];
	*o = (cfg_opt_t)CFG_SEC(copy, inner,
	                        titled ? CFGF_MULTI | CFGF_TITLE : CFGF_MULTI);
	o->validcb = block_read;
	return inner;
}

static int shape_add(struct shape *s, const struct conf_key *k, size_t nkeys)
{
	const char *dot = strchr(k->name, '.'), *last = strrchr(k->name, '.');
	const char *copy;
	cfg_opt_t *o;

	copy = name_keep(s, k->name, strlen(k->name));
	if (!copy)
		return -ENOMEM;
	s->opt[s->nopt++] = option_of(k, copy);
	if (!dot)
		return 0;
	o = block_find(s, k->name, (size_t)(dot - k->name), dot != last, nkeys);
	if (!o)
		return -ENOMEM;
	last++;
	if (option_find(o, last, strlen(last)))
		return 0;
	while (o->name)
		o++;
	copy = name_keep(s, last, strlen(last));
	if (!copy)
		return -ENOMEM;
	*o = option_of(k, copy);
	return 0;
}

static void shape_free(struct shape *s)
{
	while (s->nblock)
		free(s->block[--s->nblock]);
	while (s->nname)
		free(s->name[--s->nname]);
	free(s->block);
	free(s->name);
	free(s->opt);
}

static int shape_make(struct shape *s, const struct conf *c)
{
	const struct conf_key *k;
	const char *value;
	unsigned int i, n;

	memset(s, 0, sizeof(*s));
	for (n = 0; conf_at(c, n, &value); n++)
		;
	for (i = 0; conf_form_at(c, i); i++)
		n++;
	/* each key may bring a block of its own */
	s->opt = options_new(s, 2 * n);
	s->block = calloc(n + 1, sizeof(cfg_opt_t *));
	s->name = calloc(3 * n + 1, sizeof(*s->name));
	if (!s->opt || !s->block || !s->name)
		return -ENOMEM;
	for (i = 0; (k = conf_at(c, i, &value)); i++)
		if (shape_add(s, k, n))
			return -ENOMEM;
	for (i = 0; (k = conf_form_at(c, i)); i++)
		if (shape_add(s, k, n))
			return -ENOMEM;
	return 0;
}

/* libconfuse's own words go to err through file_error() */
static int text_parse(struct conf *c, char *text, char *err)
{
	struct shape s;
	cfg_t *cfg = NULL;
	int r = -1;

	if (!shape_make(&s, c))
		cfg = cfg_init(s.opt, CFGF_NONE);
	if (cfg) {
		cfg_set_error_function(cfg, file_error);
		r = cfg_parse_buf(cfg, text);
		if (r == CFG_SUCCESS)
			r = lists_read(cfg);
		cfg_free(cfg);
	}
	shape_free(&s);
	/* it has been seen to complain and to say that all went well */
	return r || *err ? -1 : 0;
}

int conf_read_file(struct conf *c, const char *path, char *err)
{
	char *text = conf_text_load(path, err);
	int r;

	if (!text)
		return -1;
	*err = '\0';
	reading.conf = c;
	reading.path = path;
	reading.err = err;
	r = text_parse(c, text, err);
	if (r && !*err)
		snprintf(err, CONF_ERR, "%.200s: it cannot be read", path);
	free(text);
	return r;
}

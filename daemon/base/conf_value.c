/* conf_value.c - see conf_value.h. */
#include "daemon/base/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/conf_listen.h"

struct unit {
	const char *word;
	uint64_t times;
};

static const struct unit size_units[] = {
	{"", 1},
	{"k", 1ull << 10},
	{"m", 1ull << 20},
	{"g", 1ull << 30},
};

/* in milliseconds; a bare number is seconds */
static const struct unit time_units[] = {
	{"", 1000},   {"ms", 1},      {"s", 1000},
	{"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static int bad(char *err, const char *what, const char *text)
{
	snprintf(err, CONF_ERR, "%s, not '%.100s'", what, text);
	return -1;
}

/* digits and a unit; no sign, no fraction, no overflow */
static int unit_read(const char *text, const struct unit *u, size_t n,
                     uint64_t *value)
{
	char *end;
	size_t i;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return -1;
	while (*end == ' ')
		end++;
	for (i = 0; i < n; i++)
		if (!strcasecmp(end, u[i].word))
			return __builtin_mul_overflow(*value, u[i].times, value)
			               ? -1
			               : 0;
	return -1;
}

int conf_number_read(const char *text, uint64_t *value)
{
	static const struct unit none = {"", 1};

	return unit_read(text, &none, 1, value);
}

static int bounds(const struct conf_key *k, uint64_t v, uint64_t unit,
                  const char *name, char *err)
{
	if (v >= k->min && v <= k->max)
		return 0;
	snprintf(err, CONF_ERR, "from %" PRIu64 "%s to %" PRIu64 "%s",
	         k->min / unit, name, k->max / unit, name);
	return -1;
}

static int read_number(const struct conf_key *k, const char *text, uint64_t *v,
                       char *out, char *err)
{
	if (conf_number_read(text, v))
		return bad(err, "a number is needed", text);
	sprintf(out, "%" PRIu64, *v);
	return bounds(k, *v, 1, "", err);
}

static int flag_word(const char *text)
{
	static const char *const words[] = {"0", "1", "no", "yes", "off", "on"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(text, words[i]))
			return (int)(i & 1);
	return -1;
}

static int read_flag(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	int f = flag_word(text);

	if (f < 0)
		return bad(err, "0 1 no yes off or on is needed", text);
	*v = (uint64_t)f;
	if (k->type == CONF_FLAG)
		sprintf(out, "%d", f);
	else
		sprintf(out, "%s", f ? "on" : "off");
	return 0;
}

static int read_seconds(const struct conf_key *k, const char *text, uint64_t *v,
                        char *out, char *err)
{
	if (unit_read(text, time_units, ARRAY_SIZE(time_units), v))
		return bad(err,
		           "seconds, or a number with ms s m h d, "
		           "are needed",
		           text);
	if (*v % 1000)
		return bad(err, "whole seconds are needed", text);
	*v /= 1000;
	sprintf(out, "%" PRIu64, *v);
	return bounds(k, *v, 1, "s", err);
}

static int read_ms(const struct conf_key *k, const char *text, uint64_t *v,
                   char *out, char *err)
{
	if (unit_read(text, time_units, ARRAY_SIZE(time_units), v))
		return bad(err,
		           "seconds, or a number with ms s m h d, "
		           "are needed",
		           text);
	if (*v % 1000)
		sprintf(out, "%" PRIu64 "ms", *v);
	else
		sprintf(out, "%" PRIu64 "s", *v / 1000);
	return bounds(k, *v, 1, "ms", err);
}

static int read_size(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	static const char letter[] = "\0KMG";
	int shift = 0;

	if (unit_read(text, size_units, ARRAY_SIZE(size_units), v))
		return bad(err,
		           "a size is needed: a number, or one with k M "
		           "or G",
		           text);
	while (k->type == CONF_SIZE && *v && shift < 3 &&
	       !(*v >> 10 * shift & 1023))
		shift++;
	sprintf(out, "%" PRIu64 "%.1s", *v >> 10 * shift, letter + shift);
	return bounds(k, *v, 1, " bytes", err);
}

/* Place of a word among words; -1: not there. */
static int word_place(const char *words, const char *word, size_t len)
{
	const char *w = words;
	size_t n;
	int i;

	for (i = 0; w && *w; i++) {
		n = strcspn(w, " ");
		if (n == len && !strncasecmp(w, word, n))
			return i;
		w += n;
		w += *w == ' ';
	}
	return -1;
}

static int read_enum(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	int i = word_place(k->words, text, strlen(text));
	const char *w = k->words;

	/* checksum = 0 | 1 | auto takes the booleans' words too */
	if (i < 0 && flag_word(text) >= 0)
		i = word_place(k->words, flag_word(text) ? "1" : "0", 1);
	if (i < 0) {
		snprintf(err, CONF_ERR, "one of %.100s is needed, not '%.100s'",
		         k->words, text);
		return -1;
	}
	*v = (uint64_t)i;
	while (i--)
		w = strchr(w, ' ') + 1;
	sprintf(out, "%.*s", (int)strcspn(w, " "), w);
	return 0;
}

static int port_read(const char *item, size_t len, char *err)
{
	char text[8];
	uint64_t v;

	snprintf(text, sizeof(text), "%.*s", (int)len, item);
	if (len >= sizeof(text) || conf_number_read(text, &v) || !v ||
	    v > 65535) {
		snprintf(err, CONF_ERR, "a port is needed, not '%.*s'",
		         (int)(len < 100 ? len : 100), item);
		return -1;
	}
	return 0;
}

static int item_check(const struct conf_key *k, const char *item, size_t len,
                      char *err)
{
	if (k->type == CONF_PORTS)
		return port_read(item, len, err);
	if (k->type == CONF_NAMES)
		return conf_name_check(item, len, err);
	if (word_place(k->words, item, len) >= 0)
		return 0;
	snprintf(err, CONF_ERR, "'%.*s' is not known",
	         (int)(len < 100 ? len : 100), item);
	return -1;
}

/* Items between commas, with blanks and {} around as in the file. */
static int read_list(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	static const char gap[] = " \t,{}";
	size_t len, n = 0;

	*v = 0;
	*out = '\0';
	for (text += strspn(text, gap); *text; text += strspn(text, gap)) {
		len = strcspn(text, gap);
		if (item_check(k, text, len, err))
			return -1;
		if (n + len + 2 > CONF_TEXT_MAX)
			return bad(err, "a shorter list is needed", text);
		n += (size_t)sprintf(out + n, "%s%.*s", n ? "," : "", (int)len,
		                     text);
		text += len;
		++*v;
	}
	return 0;
}

/* Text travels in lines, so it has none of its own. */
static int read_text(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	size_t i, len = strlen(text);

	*v = 0;
	if (len < k->min || len > k->max || len >= CONF_TEXT_MAX)
		return bad(err,
		           len ? "a shorter text is needed"
		               : "a text is needed",
		           text);
	for (i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]))
			return bad(err,
			           "text without control characters is "
			           "needed",
			           "...");
	memcpy(out, text, len + 1);
	return 0;
}

int conf_value_read(const struct conf_key *key, const char *text,
                    uint64_t *number, char *out, char *err)
{
	static int (*const read[])(const struct conf_key *, const char *,
	                           uint64_t *, char *, char *) = {
		[CONF_NUMBER] = read_number,
		[CONF_FLAG] = read_flag,
		[CONF_ONOFF] = read_flag,
		[CONF_SECONDS] = read_seconds,
		[CONF_MS] = read_ms,
		[CONF_BYTES] = read_size,
		[CONF_SIZE] = read_size,
		[CONF_ENUM] = read_enum,
		[CONF_PORTS] = read_list,
		[CONF_LIST] = read_list,
		[CONF_TEXT] = read_text,
		[CONF_NAMES] = read_list,
		[CONF_NAMED] = conf_named_read,
		[CONF_RANGES] = conf_ranges_read,
		[CONF_NET] = conf_net_read,
		[CONF_LISTEN] = conf_listen_read,
		[CONF_MARK] = conf_mark_read,
		[CONF_MAP] = conf_map_read,
	};

	return read[key->type](key, text, number, out, err);
}

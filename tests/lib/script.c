/* script.c - see script.h: lines, words and what several statements know. */
#include "tests/lib/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void script_bad(struct script *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s:%u: %s\n", s->path, s->line, text);
	if (s->say)
		s->say(s->arg, stderr);
	fail_msg("%s:%u: %s", s->path, s->line, text);
	abort(); /* fail_msg() does not return, but its type says it may */
}

/* ---- lines ---- */

static uint8_t hex(struct script *s, const char *at)
{
	char two[3] = {at[0], at[0] ? at[1] : '\0', '\0'};
	char *end;
	unsigned long v = strtoul(two, &end, 16);

	if (end != two + 2)
		script_bad(s, "\\x wants two digits");
	return (uint8_t)v;
}

/* one character of a string; returns what follows it */
static const char *string_byte(struct script *s, const char *at)
{
	static const char plain[] = "rnt\\\"", means[] = "\r\n\t\\\"";
	const char *p;
	uint8_t byte = (uint8_t)*at++;

	if (byte == '\\' && *at == 'x') {
		byte = hex(s, at + 1);
		at += 3;
	} else if (byte == '\\') {
		p = *at ? strchr(plain, *at) : NULL;
		if (!p)
			script_bad(s, "no such escape: \\%c", *at);
		byte = (uint8_t)means[p - plain];
		at++;
	}
	if (s->ndata == SCRIPT_DATA)
		script_bad(s, "a string is too long");
	s->data[s->ndata++] = byte;
	return at;
}

/* takes strings and the comment out of the line */
static void line_strings(struct script *s)
{
	char *at = s->text, *from;
	const char *p;

	s->ndata = 0;
	while ((at = strpbrk(at, "\"#\n")) && *at == '"') {
		from = at;
		for (p = at + 1; *p != '"';) {
			if (!*p || *p == '\n')
				script_bad(s, "a string without an end");
			p = string_byte(s, p);
		}
		at += p + 1 - from;
		memset(from, ' ', (size_t)(at - from));
	}
	if (at)
		*at = '\0';
}

/* takes <options> out of the line */
static void line_options(struct script *s)
{
	char *from = strchr(s->text, '<'), *to;

	free(s->opts);
	s->opts = NULL;
	if (!from)
		return;
	to = strchr(from, '>');
	if (!to)
		script_bad(s, "options without an end");
	s->opts = strndup(from + 1, (size_t)(to - from - 1));
	assert_non_null(s->opts);
	memset(from, ' ', (size_t)(to - from + 1));
}

bool script_next(struct script *s, FILE *f)
{
	size_t n = 0;

	do {
		if (!fgets(s->text + n, (int)(sizeof(s->text) - n), f)) {
			if (n)
				script_bad(s, "the last line goes on");
			free(s->opts);
			s->opts = NULL;
			return false;
		}
		s->line++;
		n += strlen(s->text + n);
		if (!n || s->text[n - 1] != '\n')
			script_bad(s,
			           "line too long, or the last without an end");
		/* a backslash at the end: it goes on */
		n -= n > 1 && s->text[n - 2] == '\\' ? 2 : 0;
	} while (s->text[n] == '\\');
	line_strings(s);
	line_options(s);
	return true;
}

/* ---- words ---- */

char *script_first(struct script *s)
{
	return strtok_r(s->text, " \t", &s->words);
}

char *script_word(struct script *s)
{
	return strtok_r(NULL, " \t", &s->words);
}

char *script_word_must(struct script *s, const char *after)
{
	char *w = script_word(s);

	if (!w)
		script_bad(s, "something must follow `%s`", after);
	return w;
}

static uint32_t number(struct script *s, const char *text, char **end)
{
	char *e;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &e, 0);
	if (e == text || errno || v > UINT32_MAX || (!end && *e))
		script_bad(s, "`%s` is not a number", text);
	if (end)
		*end = e;
	return (uint32_t)v;
}

uint32_t script_number(struct script *s, const char *text)
{
	return number(s, text, NULL);
}

uint64_t script_ms(struct script *s, const char *text)
{
	char *end;
	uint64_t ms = number(s, text, &end) * 1000ull;
	uint32_t unit = 1000;

	if (*end != '.' && *end)
		script_bad(s, "`%s` is no time", text);
	for (end += *end == '.'; *end; end++) {
		unit /= 10;
		if (*end < '0' || *end > '9' || !unit)
			script_bad(s, "`%s` is no time", text);
		ms += (uint64_t)(*end - '0') * unit;
	}
	return ms;
}

void script_pair(struct script *s, const char *text, uint32_t v[2])
{
	char *end;

	v[0] = number(s, text, &end);
	v[1] = *end == '/' ? number(s, end + 1, NULL) : 0;
	if (*end != '/' && *end)
		script_bad(s, "`%s` is not N/M", text);
}

/* ---- hosts ---- */

static const struct {
	char name;
	const char *addr[2]; /* IPv4, IPv6 */
} hosts[] = {
	{'A', {"10.0.0.1", "fd00::1"}},    {'B', {"10.0.1.1", "fd01::1"}},
	{'C', {"10.0.2.1", "fd02::1"}},    {'R', {"10.9.9.9", "fd09::9"}},
	{'L', {"169.254.0.1", "fe80::1"}},
};

const char *script_host(struct script *s, char host)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hosts); i++)
		if (hosts[i].name == host)
			return hosts[i].addr[s->v6];
	script_bad(s, "no host `%c`", host);
}

static uint8_t proto_of(struct script *s, const char *name)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protos[] = {{"tcp", 6},     {"udp", 17},  {"udplite", 136},
	              {"sctp", 132},  {"dccp", 33}, {"gre", 47},
	              {"generic", 99}};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcmp(protos[i].name, name))
			return protos[i].number;
	script_bad(s, "no protocol `%s`", name);
}

static uint16_t usual_port(char host, uint8_t l4proto)
{
	if (host != 'B')
		return 1024;
	return l4proto == 17 || l4proto == 136 ? 53 : 80;
}

/* "A", "A:20"; returns what follows */
static const char *one_end(struct script *s, const char *at,
                           struct script_ends *e, unsigned int i)
{
	char *end;

	e->host[i] = *at;
	script_host(s, *at++);
	e->port[i] = usual_port(e->host[i], e->l4proto);
	if (*at == ':') {
		e->port[i] = (uint16_t)number(s, at + 1, &end);
		at = end;
	}
	return at;
}

struct script_ends script_ends(struct script *s, const char *text,
                               uint8_t l4proto)
{
	const char *proto = strchr(text, '/'), *at;
	struct script_ends e = {.l4proto = l4proto};

	if (proto)
		e.l4proto = proto_of(s, proto + 1);
	at = one_end(s, text, &e, 0);
	if (*at++ != '>')
		script_bad(s, "`%s` is not FROM>TO", text);
	if (!*at || *at == '/')
		at = e.host[0] == 'A' ? "B" : "A";
	at = one_end(s, at, &e, 1);
	if (*at && *at != '/')
		script_bad(s, "`%s` is not FROM>TO", text);
	return e;
}

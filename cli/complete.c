/*
 * complete.c - the grammar's tables as words that a shell may offer.
 *
 * What an option's value may be is told by the word that stands for it in the
 * help: nothing has to be said twice.
 */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "cli/column.h"

#define X(name) #name " "
static const char format_words[] = OUT_FORMATS(X)
#undef X
#define X(name, word) word " "
	OUT_MODS(X)
#undef X
	;

#define X(name, bit, word) word " "
static const char status_words[] = CTSHARD_STATUS(X) "UNREPLIED UNSET ";
#undef X

/* The value's name in the help, and what it can be. */
static const struct {
	const char *value;
	enum complete_kind kind;
	const char *words; /* NULL: the columns */
} values[] = {
	{"DIR", COMPLETE_DIR, ""},
	{"FILE", COMPLETE_FILE, ""},
	{"[FILE]", COMPLETE_FILE, ""},
	{"CAPTURE...", COMPLETE_FILE, ""},
	{"FORMAT[,MOD...]", COMPLETE_LIST, format_words},
	{"NAME[,...]", COMPLETE_LIST, NULL},
	{"[-]NAME[,...]", COMPLETE_LIST, NULL},
	{"WORD[,...]", COMPLETE_LIST, "proto state zone shard"},
	{"EVENT[,...]", COMPLETE_LIST, "new update destroy audit"},
	{"STATUS[,...]", COMPLETE_LIST, status_words},
	{"[!]STATUS[,...]", COMPLETE_LIST, status_words},
	{"PROTO", COMPLETE_WORDS, "tcp udp udplite icmp icmpv6 sctp dccp gre"},
};

static size_t complete_add(char *to, size_t at, size_t size, const char *word)
{
	int n = snprintf(to + at, size - at, "%s%s", at ? " " : "", word);

	return n > 0 && (size_t)n < size - at ? at + (size_t)n : at;
}

static void complete_columns(char *to, size_t size)
{
	size_t at = 0;
	unsigned i;

	for (i = 0; i < COLUMN_COUNT; i++)
		at = complete_add(to, at, size, column_name(i));
}

/* "a|b|c" are words themselves, when they are not in capitals. */
static enum complete_kind complete_choice(const char *value, char *to,
                                          size_t size)
{
	char *p;

	if (!strchr(value, '|') ||
	    strpbrk(value, "[ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return COMPLETE_NONE;
	snprintf(to, size, "%s", value);
	for (p = to; *p; p++)
		if (*p == '|')
			*p = ' ';
	return COMPLETE_WORDS;
}

static enum complete_kind complete_word(const char *value, char *to,
                                        size_t size)
{
	size_t i, n;

	to[0] = '\0';
	if (!value)
		return COMPLETE_NONE;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].value, value))
			continue;
		if (!values[i].words)
			complete_columns(to, size);
		else
			snprintf(to, size, "%s", values[i].words);
		n = strlen(to);
		if (n && to[n - 1] == ' ')
			to[n - 1] = '\0';
		return values[i].kind;
	}
	return complete_choice(value, to, size);
}

enum complete_kind complete_value(const struct word_opt *o, char *words,
                                  size_t size)
{
	return complete_word(o->value, words, size);
}

enum complete_kind complete_args(const struct word_verb *v, char *words,
                                 size_t size)
{
	const struct word_verb *p;
	size_t at = 0, i;

	words[0] = '\0';
	if (v->run == cmd_help) {
		for (p = word_verbs; p->name; p++)
			at = complete_add(words, at, size, p->name);
		return COMPLETE_WORDS;
	}
	if (v->run == cmd_show) {
		for (i = 0; cmd_show_words[i]; i++)
			at = complete_add(words, at, size, cmd_show_words[i]);
		return COMPLETE_WORDS;
	}
	return complete_word(v->args, words, size);
}

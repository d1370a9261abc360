/* labels.c - names of label bits, from the file that iptables reads. */
#include "cli/labels.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void labels_line(struct labels *l, const char *line)
{
	char *end;
	unsigned long bit = strtoul(line, &end, 10);
	const char *name = end + strspn(end, " \t");
	size_t n = 0;

	if (end == line || name == end || bit >= LABELS_BITS)
		return;
	while (isgraph((unsigned char)name[n]))
		n++;
	if (n && n < sizeof(l->name[bit]) &&
	    (!name[n] || isspace((unsigned char)name[n])))
		snprintf(l->name[bit], sizeof(l->name[bit]), "%.*s", (int)n,
		         name);
}

void labels_load(struct labels *l, const char *path)
{
	char line[256];
	FILE *f;

	memset(l, 0, sizeof(*l));
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		labels_line(l, line);
	fclose(f);
}

int labels_find(const struct labels *l, const char *word)
{
	unsigned long n;
	unsigned i;
	char *end;

	for (i = 0; i < LABELS_BITS; i++)
		if (l->name[i][0] && !strcmp(l->name[i], word))
			return (int)i;
	if (!isdigit((unsigned char)*word))
		return -1;
	n = strtoul(word, &end, 10);
	return *end || n >= LABELS_BITS ? -1 : (int)n;
}

int labels_bits(const struct labels *l, const char *words, uint8_t *bits)
{
	char word[32];
	size_t n;
	int bit;

	do {
		n = strcspn(words, ",");
		snprintf(word, sizeof(word), "%.*s", (int)n, words);
		bit = n < sizeof(word) ? labels_find(l, word) : -1;
		if (bit < 0)
			return -1;
		bits[bit / 8] |= (uint8_t)(1u << bit % 8);
		words += n;
	} while (*words++);
	return 0;
}

void labels_setting(struct labels *l, const char *key, const char *value)
{
	const char *name, *dot;
	unsigned long bit;
	char *end;

	if (strncmp(key, "label.", 6) != 0)
		return;
	name = key + 6;
	dot = strchr(name, '.');
	bit = strtoul(value, &end, 10);
	if (!dot || strcmp(dot, ".bit") != 0 || end == value || *end ||
	    bit >= LABELS_BITS || dot == name ||
	    (size_t)(dot - name) >= sizeof(l->name[bit]))
		return;
	snprintf(l->name[bit], sizeof(l->name[bit]), "%.*s", (int)(dot - name),
	         name);
}

void labels_name(const struct labels *l, unsigned bit, char *to, size_t size)
{
	if (l->name[bit][0])
		snprintf(to, size, "%s", l->name[bit]);
	else
		snprintf(to, size, "%u", bit);
}

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

void labels_name(const struct labels *l, unsigned bit, char *to, size_t size)
{
	if (l->name[bit][0])
		snprintf(to, size, "%s", l->name[bit]);
	else
		snprintf(to, size, "%u", bit);
}

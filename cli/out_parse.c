/*
 * out_parse.c - the words of -o.
 *
 * Apart from out.c, so that who needs one format does not link them all.
 */
#include "cli/out.h"

#include <stdio.h>
#include <string.h>

static const struct out_format *const formats[] = {
#define X(name) &out_##name,
	OUT_FORMATS(X)
#undef X
};

static const char *const mod_words[] = {
#define X(name, word) [OUT_BIT_##name] = (word),
	OUT_MODS(X)
#undef X
};

static int out_parse_word(const char *w, const struct out_format **format,
                          unsigned *mods)
{
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!strcmp(w, formats[i]->name)) {
			*format = formats[i];
			return 0;
		}
	}
	for (i = 0; i < sizeof(mod_words) / sizeof(mod_words[0]); i++) {
		if (!strcmp(w, mod_words[i])) {
			*mods |= 1u << i;
			return 0;
		}
	}
	return -1;
}

int out_parse(const char *spec, const struct out_format **format,
              unsigned *mods, char *why, size_t size)
{
	char word[32];
	size_t n;

	do {
		n = strcspn(spec, ",");
		snprintf(word, sizeof(word), "%.*s", (int)n, spec);
		if (n >= sizeof(word) || out_parse_word(word, format, mods)) {
			snprintf(why, size, "%s", word);
			return -1;
		}
		spec += n;
	} while (*spec++);
	return 0;
}

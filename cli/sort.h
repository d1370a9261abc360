/* sort.h - rows kept to be printed in the order of columns. */
#ifndef CLI_SORT_H
#define CLI_SORT_H

#include "cli/out.h"

#define SORT_KEYS 8

struct sort_row;

struct sort {
	unsigned char key[SORT_KEYS];
	bool down[SORT_KEYS];
	unsigned keys;
	const struct out *out; /* for the names of labels */
	struct sort_row **row;
	size_t rows;
	size_t room;
};

/* "[-]column,...": 0, or -1 with the bad word in `why` */
int sort_parse(struct sort *s, const char *spec, char *why, size_t size);
/* A copy of the row: 0, or -1 without memory. */
int sort_add(struct sort *s, const struct ctshard_conn *c);
/* All rows, sorted, to `o`. */
void sort_print(struct sort *s, struct out *o);
void sort_free(struct sort *s);

#endif

/* number.c - see number.h. */
#include "cli/number.h"

#include <stdlib.h>
#include <string.h>

#include "proto/ctshard.h"

struct number {
	const char *key;
	unsigned int cell;
	uint64_t *value;
};

static int number_row(void *arg, const struct ctshard_row *r)
{
	const struct number *n = arg;

	if (r->cells > n->cell && !strcmp(r->cell[0], n->key))
		*n->value = strtoull(r->cell[n->cell], NULL, 10);
	return 0;
}

int number_ask(struct ctshard *ct, const char *what, const char *key,
               unsigned int cell, uint64_t *value)
{
	struct number n = {.key = key, .cell = cell, .value = value};
	struct ctshard_handler h = {.arg = &n, .row = number_row};
	uint64_t id;
	int rc;

	*value = 0;
	rc = ctshard_show(ct, &what, 1, &h, &id);
	return rc ? rc : ctshard_wait(ct, id);
}

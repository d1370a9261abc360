/*
 * number.h - one number of a table that `ctctl show` prints.
 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdint.h>

struct ctshard;

/* The number in column @cell of @what's row that begins with @key; 0 if there
 * is no such row.  Returns as ctshard_wait() does. */
int number_ask(struct ctshard *ct, const char *what, const char *key,
               unsigned int cell, uint64_t *value);

#endif

/* tally.h - sums over connections by a key, the greatest first. */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_row {
	uint64_t count, packets, bytes;
	uint8_t key[20];
	uint8_t used;
};

struct tally {
	struct tally_row *row;
	size_t room, rows;
};

/* The row of a key, made if it is new; NULL: no memory. */
struct tally_row *tally_at(struct tally *t, const uint8_t key[20]);
/* The same, or NULL when it is not there. */
const struct tally_row *tally_find(const struct tally *t,
                                   const uint8_t key[20]);
/* Puts those with most connections first; no tally_at() after it. */
void tally_sort(struct tally *t);
void tally_free(struct tally *t);

#endif

/* labels.h - names of the 128 label bits (F106). */
#ifndef CLI_LABELS_H
#define CLI_LABELS_H

#include <stddef.h>
#include <stdint.h>

#define LABELS_FILE "/etc/xtables/connlabel.conf"
#define LABELS_BITS 128u

struct labels {
	char name[LABELS_BITS][32]; /* empty: the bit's number is its name */
};

/* "bit name" lines; a missing file leaves all bits without a name. */
void labels_load(struct labels *l, const char *path);
/* The bit of a name or number, or -1. */
int labels_find(const struct labels *l, const char *word);
/* Names and numbers with commas between, into 16 bytes of bits; -1: one of
 * them is no label. */
int labels_bits(const struct labels *l, const char *words, uint8_t *bits);
/* "label.NAME.bit" and a number, as the daemon tells its settings; anything
 * else is left alone. */
void labels_setting(struct labels *l, const char *key, const char *value);
void labels_name(const struct labels *l, unsigned bit, char *to, size_t size);

#endif

/* conf_value.h - a value as text: read, check, canonical form. */
#ifndef BASE_CONF_VALUE_H
#define BASE_CONF_VALUE_H

#include "daemon/base/conf.h"

#define CONF_TEXT_MAX 4096

/* Reads `text` as the row wants it.  *number and out[CONF_TEXT_MAX] are the
 * value and its canonical text.  0, or -1 and why not in err[CONF_ERR]. */
int conf_value_read(const struct conf_key *key, const char *text,
                    uint64_t *number, char *out, char *err);

/* digits alone */
int conf_number_read(const char *text, uint64_t *value);

/* conf_match.c: the types that rules ask with, each like conf_value_read() */
int conf_named_read(const struct conf_key *k, const char *text, uint64_t *v,
                    char *out, char *err);
int conf_ranges_read(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err);
int conf_net_read(const struct conf_key *k, const char *text, uint64_t *v,
                  char *out, char *err);
int conf_mark_read(const struct conf_key *k, const char *text, uint64_t *v,
                   char *out, char *err);
int conf_map_read(const struct conf_key *k, const char *text, uint64_t *v,
                  char *out, char *err);
/* one of CONF_NAMES */
int conf_name_check(const char *item, size_t len, char *err);

/* A value that has been read, as rules want it: the family, 4 or 6; and how
 * many ranges, or zones, there are. */
uint8_t conf_net_parse(const char *text, struct policy_net *n);
unsigned int conf_ranges_parse(const char *text, struct policy_range *r,
                               unsigned int max);
unsigned int conf_map_parse(const char *text, struct policy_zone_map *m,
                            unsigned int max);

#endif

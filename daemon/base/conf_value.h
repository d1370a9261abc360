/* conf_value.h - a value as text: read, check, canonical form. */
#ifndef BASE_CONF_VALUE_H
#define BASE_CONF_VALUE_H

#include "daemon/base/conf.h"

#define CONF_TEXT_MAX 4096

/* Reads `text` as the row wants it.  *number and out[CONF_TEXT_MAX] are the
 * value and its canonical text.  0, or -1 and why not in err[CONF_ERR]. */
int conf_value_read(const struct conf_key *key, const char *text,
                    uint64_t *number, char *out, char *err);

#endif

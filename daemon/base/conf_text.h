/* conf_text.h - a configuration file as libconfuse can be trusted with it. */
#ifndef BASE_CONF_TEXT_H
#define BASE_CONF_TEXT_H

#include "daemon/base/conf.h"

/* The file's text for free(), comments blanked out, quotes and braces paired.
 * NULL, and why ("file:line: ...") in err[CONF_ERR]. */
char *conf_text_load(const char *path, char *err);

#endif

/*
 * audit.h - who asked for which change, as events of the log.
 */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "daemon/api/cmd.h"

/* False: too many wait for a place in the log. */
bool audit_event(struct api *a, const struct peer *p, const char *text);
/* Those that wait, as far as the log has room below `limit`. */
void audits_write(struct api *a, uint64_t limit);

#endif

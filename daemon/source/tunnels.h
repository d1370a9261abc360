/*
 * tunnels.h - the keys `decap`, `decap_depth` and `tunnel.NAME.ports`.
 */
#ifndef SOURCE_TUNNELS_H
#define SOURCE_TUNNELS_H

#include "daemon/base/conf.h"
#include "daemon/pkt/decap.h"

/* adds their rows; as conf_add_table() */
int tunnels_keys(struct conf *c);

/* False, and why in err[CONF_ERR]: of the kinds that are on, more ports than
 * there is room for, or one for two kinds. */
bool tunnels_read(const struct conf *c, struct decap *d, char *err);
/* The same question: 0, or -1 and why. */
int tunnels_check(const struct conf *c, char *err);

#endif

/*
 * fanout.h - a capture socket joins its interface's fanout group.
 */
#ifndef SOURCE_FANOUT_H
#define SOURCE_FANOUT_H

#include "daemon/pkt/steer.h"
#include "daemon/source/source.h"

/* Puts a packet socket that is bound and running into the group of `iface`,
 * and gives the group its program.  False with a text. */
bool fanout_join(int fd, const struct source_fanout *fanout, const char *iface,
                 char *err);

/* Gives the group of a member its program. */
bool fanout_program(int fd, const uint32_t *key, unsigned int nworkers,
                    const struct decap *decap, const char *iface, char *err);

/* The group's number: 16 bits from the daemon's word and the name. */
uint16_t fanout_group(uint32_t group, const char *iface);

#endif

/* made.h - a connection of a request as the reaper takes it. */
#ifndef API_MADE_H
#define API_MADE_H

#include "daemon/api/cmd.h"

/*
 * Connection or expectation `i` of the request: NULL, or why it cannot be made;
 * the empty text says that it has expired since it was saved.
 */
const char *made_read(const struct table *t, const struct policy *pol,
                      struct command *k, struct command_conn *c,
                      const Ctshard__Add *add, size_t i);
const char *made_expect(const struct table *t, const struct policy *pol,
                        struct command *k, struct command_conn *c,
                        const Ctshard__Add *add, size_t i);

#endif

/* conf_listen.h - the value of CONF_LISTEN as a socket's address */
#ifndef BASE_CONF_LISTEN_H
#define BASE_CONF_LISTEN_H

#include <sys/socket.h>

#include "daemon/base/conf.h"

/* like conf_value_read(); the empty text is one, too */
int conf_listen_read(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err);
/* False: it is none. */
bool conf_listen_parse(const char *text, struct sockaddr_storage *sa,
                       socklen_t *len);

#endif

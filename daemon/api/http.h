/* http.h - metrics for whoever speaks HTTP. */
#ifndef API_HTTP_H
#define API_HTTP_H

#include "daemon/api/cmd.h"

struct http;

/* A listening socket, or -1: none is wanted (the empty address), or it cannot
 * be had, which has been said. */
int http_listen(const char *address);
/* Serves on it; takes it over.  NULL: no memory. */
struct http *http_new(struct api *a, int fd);
void http_free(struct http *h);

#endif

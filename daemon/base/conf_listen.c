/* conf_listen.c - addresses to listen on: ADDRESS:PORT, [ADDRESS]:PORT. */
#include "daemon/base/conf_listen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/conf_value.h"

bool conf_listen_parse(const char *text, struct sockaddr_storage *sa,
                       socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)sa;
	const char *colon = strrchr(text, ':');
	char addr[INET6_ADDRSTRLEN + 2];
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	memset(sa, 0, sizeof(*sa));
	if (!n || n >= sizeof(addr) || conf_number_read(colon + 1, &port) ||
	    !port || port > UINT16_MAX)
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (addr[0] == '[' && addr[n - 1] == ']') {
		addr[n - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*v6);
		return inet_pton(AF_INET6, addr + 1, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof(*v4);
	return inet_pton(AF_INET, addr, &v4->sin_addr) == 1;
}

int conf_listen_read(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	struct sockaddr_storage sa;
	socklen_t len;

	(void)k;
	*v = *text != '\0';
	if (*text && !conf_listen_parse(text, &sa, &len)) {
		snprintf(err, CONF_ERR,
		         "ADDRESS:PORT or [ADDRESS]:PORT is needed, not "
		         "'%.100s'",
		         text);
		return -1;
	}
	sprintf(out, "%s", text);
	return 0;
}

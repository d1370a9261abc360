/* rig.h - a connection view made by hand, for tests of the api */
#ifndef TESTS_API_RIG_H
#define TESTS_API_RIG_H

#include <arpa/inet.h>
#include <string.h>

#include "daemon/tracker/tracker.h"
#include "shm/read.h"

static inline struct policy rig_policy(void)
{
	struct policy pol;

	memset(&pol, 0, sizeof(pol));
	tracker_defaults(&pol);
	pol.acct = 1;
	return pol;
}

/* endpoint 0 is a:ap, endpoint 1 is b:bp; `status` may have CONN_ORIG1 */
static inline struct conn_view rig_view(uint8_t proto, const char *a,
                                        uint16_t ap, const char *b, uint16_t bp,
                                        uint32_t status)
{
	struct conn_view v;

	memset(&v, 0, sizeof(v));
	v.conn.key.l4proto = proto;
	v.conn.key.port[0] = ap;
	v.conn.key.port[1] = bp;
	if (strchr(a, ':')) {
		v.conn.key.flags = KEY_V6;
		inet_pton(AF_INET6, a, v.addr6.a[0]);
		inet_pton(AF_INET6, b, v.addr6.a[1]);
	} else {
		inet_pton(AF_INET, a, &v.conn.key.addr[0]);
		inet_pton(AF_INET, b, &v.conn.key.addr[1]);
	}
	v.conn.status = status | CONN_LIVE | CONN_CONFIRMED;
	v.conn.gen = 3;
	v.shard = 5;
	v.idx = 7;
	return v;
}

#endif

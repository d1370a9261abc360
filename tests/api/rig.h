/*
 * rig.h - for tests of the api: a connection view made by hand, a table in
 * memory, an answer as a client gets it.
 */
#ifndef TESTS_API_RIG_H
#define TESTS_API_RIG_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tracker/tracker.h"
#include "proto/ctshard.pb-c.h"
#include "shm/clock.h"
#include "shm/read.h"
#include "shm/region.h"

#define RIG_T0 (1700000000ull * NS_PER_S)

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

/* a small table of a capture, 10 s old; NULL: no memory */
static inline struct table *rig_table(void)
{
	const struct region_params p = {
		.max = 1024,
		.nworker = 1,
		.ring_bytes = 64 * sizeof(struct event_cell),
		.log_bytes = 64 * sizeof(struct event_slot),
		.detail = true,
		.clock_mode = CLOCK_CAPTURE,
	};
	struct table *t = region_memory(&p);

	if (!t)
		return NULL;
	t->hdr->t0_real_ns = RIG_T0;
	t->hdr->clock_ns = RIG_T0 + 10 * NS_PER_S;
	return t;
}

/* packed and unpacked, NULL if that fails; the caller frees it */
static inline Ctshard__Response *rig_carry(const Ctshard__Response *m)
{
	size_t n = ctshard__response__get_packed_size(m);
	uint8_t *buf = malloc(n + 1);
	Ctshard__Response *got = NULL;

	if (buf && ctshard__response__pack(m, buf) == n)
		got = ctshard__response__unpack(NULL, n, buf);
	free(buf);
	return got;
}

#endif

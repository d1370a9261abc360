/*
 * mktable.c - segments with many connections in them, as a daemon finds them.
 *
 *	mktable DIR NAME CONNECTIONS MAX [SECONDS]
 *
 * UDP conversations that were answered and last so long, a day unless said
 * otherwise, without a packet having been sent: what takes a sender minutes on
 * a busy machine.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tracker/key.h"
#include "shm/clock.h"
#include "shm/ops.h"
#include "shm/proc.h"
#include "shm/region.h"

#define DAY 86400u

static bool add(struct table *t, uint32_t n, uint32_t now, uint32_t lasts)
{
	const struct op_cursor none = {0, 0};
	const struct trk_tuple ports = {(uint16_t)(1024 + n % 60000), 53};
	union pkt_addr src = {.w = {htonl(0x0a000000u + n)}};
	union pkt_addr dst = {.w = {htonl(0x0b000000u + (n & 0xff))}};
	struct conn_detail x = {.last_ns = clock_real_ns()};
	struct conn init = {0};
	struct conn_lookup k;
	enum op_refusal why;
	uint32_t idx;

	memset(&k, 0, sizeof(k));
	key_of_tuple(t, false, &src, &dst, &ports, IPPROTO_UDP, 0, &k);
	init.status =
		CONN_CONFIRMED | CONN_SEEN_REPLY | CONN_ASSURED | CONN_ACCT;
	init.deadline = tick_after_s(now, lasts);
	init.start = now;
	init.packets[0] = init.packets[1] = 1;
	init.bytes[0] = init.bytes[1] = 48;
	x.start_ns = x.last_ns;
	shard_lock(t, k.shard);
	idx = op_insert(t, &k, &init, &x, NULL, NULL, none, &why);
	shard_unlock(t, k.shard);
	return idx;
}

int main(int argc, char **argv)
{
	struct region_params p = {.nworker = 1,
	                          .ring_bytes = 16 << 20,
	                          .log_bytes = 32 << 20,
	                          .detail = true,
	                          .clock_mode = CLOCK_LIVE};
	struct region_error err;
	static struct table t;
	struct region r;
	uint32_t n, now, many, lasts = DAY;

	if (argc < 5 || argc > 6)
		return 2;
	if (argc == 6)
		lasts = (uint32_t)strtoul(argv[5], NULL, 10);
	p.dir = argv[1];
	p.name = argv[2];
	many = (uint32_t)strtoul(argv[3], NULL, 10);
	p.max = (uint32_t)strtoul(argv[4], NULL, 10);
	if (region_create(&r, &p, &err) ||
	    region_map(&r, &t, REGION_WORKER, 0, &err)) {
		fprintf(stderr, "mktable: %s\n", err.text);
		return 1;
	}
	if (proc_attach(&t, 0, REGION_WORKER))
		return 1;
	now = table_now(&t);
	for (n = 0; n < many; n++)
		if (!add(&t, n, now, lasts)) {
			fprintf(stderr, "mktable: room for %u\n", n);
			return 1;
		}
	proc_detach(&t);
	region_unmap(&t);
	region_close(&r);
	return 0;
}

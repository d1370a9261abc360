/*
 * ports.c - how many connections each destination port has.
 *
 *	cc ports.c $(pkg-config --cflags --libs libctshard) -o ports
 *	./ports [RUNDIR]
 *
 * Blocking use of libctshard: open, ask, wait, close.
 */
#include <stdio.h>

#include <ctshard.h>

static unsigned long count[65536];

/* Called for each connection; what `c` points to ends with the call. */
static int conn(void *arg, const struct ctshard_conn *c)
{
	(void)arg;
	if (c->dir[0].has & CTSHARD_TUPLE_PORTS)
		count[c->dir[0].dport & 0xffff]++;
	return 0; /* anything else ends the request */
}

int main(int argc, char **argv)
{
	struct ctshard_handler h = {.conn = conn};
	struct ctshard *ct;
	uint64_t id;
	int rc, port;

	rc = ctshard_open(argc > 1 ? argv[1] : NULL, 0, &ct);
	if (!rc)
		rc = ctshard_list(ct, NULL, &h, &id);
	if (!rc)
		rc = ctshard_wait(ct, id);
	if (rc)
		fprintf(stderr, "ports: %s\n",
		        ct ? ctshard_errmsg(ct) : ctshard_strerror(rc));
	for (port = 0; !rc && port < 65536; port++)
		if (count[port])
			printf("%d %lu\n", port, count[port]);
	ctshard_close(ct);
	return rc ? 1 : 0;
}

/*
 * fanout.c - PACKET_FANOUT_CBPF with the shard function as its program.
 *
 * Theory.  The kernel gives each packet to the member whose index is the
 * program's result, modulo the members.  The index is the order of joining,
 * and when a member leaves, the last one takes its place: so for as long as
 * membership changes, workers see each other's packets.  That is allowed, any
 * worker may write any shard; it costs speed only.
 *
 * Between joining and the program's arrival a new group sends all to its
 * first member; the program is the same whoever sets it.
 *
 * PACKET_FANOUT_FLAG_DEFRAG is not used: it knows IPv4 only and would hide
 * from the fragment counters what the wire had.  Fragments steer by addresses
 * and so meet in one worker anyway.
 */
#include "daemon/source/fanout.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

#include "daemon/source/kind.h"

uint16_t fanout_group(uint32_t group, const char *iface)
{
	uint32_t h = 2166136261u ^ group; /* FNV-1a */

	for (; *iface; iface++)
		h = (h ^ (uint8_t)*iface) * 16777619u;
	return (uint16_t)(h ^ h >> 16);
}

bool fanout_program(int fd, const uint32_t *key, unsigned int nworkers,
                    const struct decap *decap, const char *iface, char *err)
{
	struct sock_filter code[STEER_TUNNELS_MAX];
	struct sock_fprog prog = {.filter = code};
	int n = steer_program_decap(key, nworkers, decap, code,
	                            ARRAY_SIZE(code));

	if (n < 0) {
		source_complain(err, iface, "%u workers cannot be steered",
		                nworkers);
		return false;
	}
	prog.len = (unsigned short)n;
	if (!setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &prog,
	                sizeof(prog)))
		return true;
	source_complain(err, iface, "fanout program: %s", strerror(errno));
	return false;
}

bool fanout_join(int fd, const struct source_fanout *fanout, const char *iface,
                 char *err)
{
	uint16_t group = fanout_group(fanout->group, iface);
	uint32_t arg = group | (uint32_t)PACKET_FANOUT_CBPF << 16;

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &arg, sizeof(arg))) {
		source_complain(err, iface, "fanout group %u: %s", group,
		                strerror(errno));
		return false;
	}
	return fanout_program(fd, fanout->key, fanout->nworkers, fanout->decap,
	                      iface, err);
}

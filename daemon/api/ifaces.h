/*
 * ifaces.h - what is known of each interface or capture, for `show mirror` and
 * for metrics: the same figures under the same names.
 */
#ifndef API_IFACES_H
#define API_IFACES_H

#include "daemon/api/cmd.h"

/* X(name, kind, "meaning"): COUNT counters of STATS_IFACE and of the source;
 * LEVEL how it stands; SHARE in hundredths of a percent. */
#define IFACE_FIGURES(X)                                                      \
	X(received, COUNT, "packets that the kernel had for us")              \
	X(bytes, COUNT, "bytes of them, as on the wire")                      \
	X(interface_drops, COUNT, "lost by the interface itself")             \
	X(ring_drops, COUNT, "lost since a kernel's ring was full")           \
	X(connections, COUNT, "connections that began there")                 \
	X(gaps, COUNT, "acknowledgements of data never seen")                 \
	X(lost_bytes, COUNT, "bytes acknowledged and never seen")             \
	X(hole_bytes, COUNT, "bytes stepped over, which may come late")       \
	X(duplicates, COUNT, "packets that came twice")                       \
	X(one_way, COUNT, "connections of which one side was seen")           \
	X(doubled, COUNT, "connections of which a packet came twice")         \
	X(repaired, COUNT, "connections that needed a repair")                \
	X(clock_back, COUNT, "times that its clock went back")                \
	X(lost_share, SHARE, "of the bytes, those that the mirror lost")      \
	X(one_way_share, SHARE,                                               \
	  "of the connections, those seen from one side")                     \
	X(doubled_share, SHARE, "of the connections, those that came double") \
	X(repaired_share, SHARE, "of the connections, those repaired")        \
	X(sampled, LEVEL, "one of so many packets is shown, 0: all are")      \
	X(quiet_seconds, LEVEL, "since anything arrived")                     \
	X(skew_us, LEVEL,                                                     \
	  "its clock behind that of the foremost, microseconds")              \
	X(mtu, LEVEL, "its MTU")                                              \
	X(up, LEVEL, "1: it is up")                                           \
	X(changes, LEVEL, "times it went, came back, or got another MTU")

struct iface_row {
	const char *name;
	const char *offload; /* "gro", "lro", both, or "" */
#define X(name, kind, meaning) uint64_t name;
	IFACE_FIGURES(X)
#undef X
};

/* How many there are; the last may stand for all behind it. */
unsigned int ifaces_count(const struct api *a);
void iface_row(const struct api *a, unsigned int i, struct iface_row *r);

#endif

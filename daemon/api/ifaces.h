/*
 * ifaces.h - what is known of each interface or capture, for `show mirror` and
 * for metrics: the same figures under the same names.
 */
#ifndef API_IFACES_H
#define API_IFACES_H

#include "daemon/api/cmd.h"

/* X(name, kind, "meaning"): COUNT counters of STATS_IFACE and of the source;
 * LEVEL how it stands; SHARE in hundredths of a percent; MICROS a time in
 * microseconds, of which seconds are shown. */
#define IFACE_FIGURES(X)                                                      \
	X(up, LEVEL, "1: it is up")                                           \
	X(mtu, LEVEL, "its MTU")                                              \
	X(changes, LEVEL, "times it went, came back, or got another MTU")     \
	X(quiet_seconds, LEVEL, "since anything arrived")                     \
	X(received, COUNT, "packets that the kernel had for us")              \
	X(bytes, COUNT, "bytes of them, as on the wire")                      \
	X(drops_interface, COUNT, "lost by the interface itself")             \
	X(drops_kernel_ring, COUNT, "lost since a kernel's ring was full")    \
	X(lost_share, SHARE, "of the bytes, those that the mirror lost")      \
	X(gap, COUNT, "acknowledgements of data that it never showed")        \
	X(lost_bytes, COUNT, "bytes acknowledged and never seen")             \
	X(hole_bytes, COUNT, "bytes stepped over, which may come late")       \
	X(late_bytes, COUNT, "bytes that came behind what stepped over them") \
	X(sampled, LEVEL, "one of so many packets is shown, 0: all are")      \
	X(connections, COUNT, "connections that began there")                 \
	X(one_way, COUNT, "connections of which one side was seen")           \
	X(one_way_share, SHARE,                                               \
	  "of the connections, those seen from one side")                     \
	X(doubled, COUNT, "connections of which a packet came twice")         \
	X(doubled_share, SHARE, "of the connections, those that came double") \
	X(repaired, COUNT, "connections that needed a repair")                \
	X(repaired_share, SHARE, "of the connections, those repaired")        \
	X(duplicates, COUNT, "packets that came twice")                       \
	X(clock_back, COUNT, "times that its clock went back")                \
	X(skew_seconds, MICROS, "its clock behind that of the foremost")

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

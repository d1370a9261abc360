/*
 * stats.h - the counters, once: C(NAME, "name in JSON with dots", "meaning").
 *
 * Each producer (worker, reaper) has a block of them in its ring's segment and
 * writes it alone.  What a packet adds is part of the packet: see `pend` in
 * layout.h.  Names, order and meaning are the interface.
 */
#ifndef SHM_STATS_H
#define SHM_STATS_H

#include "shm/base.h"

/* A new one comes last: those of a table that is migrated keep their places. */
#define COUNTERS(C)                                                            \
	C(FRAMES, "frames", "frames taken from the source")                    \
	C(NEW_PKT, "packets.new", "class NEW (F062)")                          \
	C(ESTABLISHED, "packets.established", "class ESTABLISHED, original")   \
	C(ESTABLISHED_REPLY, "packets.established_reply",                      \
	  "class ESTABLISHED, reply")                                          \
	C(RELATED, "packets.related", "class RELATED, original")               \
	C(RELATED_REPLY, "packets.related_reply", "class RELATED, reply")      \
	C(INVALID, "packets.invalid", "no connection, and not untracked")      \
	C(UNTRACKED, "packets.untracked", "never tracked (F033)")              \
	C(SEARCHED, "searched", "entries compared and unequal (F270)")         \
	C(FOUND, "found", "look-ups that hit (F260)")                          \
	C(NEW, "new", "connections made that nobody expected (F270)")          \
	C(INSERT, "insert", "connections made (F262)")                         \
	C(INSERT_FAILED, "insert_failed", "chain too long (F263, F046)")       \
	C(DELETE, "delete", "connections ended")                               \
	C(DROP, "drop", "no room for a new connection (F264)")                 \
	C(EARLY_DROP, "early_drop", "ended early for a new one (F265)")        \
	C(ERROR, "error", "bad ICMP, or about nothing known (F266)")           \
	C(EXPECT_NEW, "expect_new", "expectations that matched (F267)")        \
	C(EXPECT_CREATE, "expect_create", "expectations made (F267)")          \
	C(EXPECT_DELETE, "expect_delete", "expectations unlinked (F267)")      \
	C(EVENT_NEW, "events.new", "NEW events")                               \
	C(EVENT_UPDATE, "events.update", "UPDATE events")                      \
	C(EVENT_DESTROY, "events.destroy", "DESTROY events")                   \
	C(FRAG_RECEIVED, "fragments.received", "fragments seen")               \
	C(FRAG_REASSEMBLED, "fragments.reassembled", "datagrams completed")    \
	C(FRAG_TIMEOUT, "fragments.timeout", "datagrams given up (F009)")      \
	C(FRAG_DROPPED, "fragments.dropped", "fragments refused (F007, F008)") \
	C(TABLE_FULL, "drops.table_full", "packets without room (F234)")       \
	C(EXPECT_SOURCE, "expect_source_limit",                                \
	  "expectations refused: too many of one source (F191)")

enum counter {
#define C(name, str, meaning) CTR_##name,
	COUNTERS(C)
#undef C
		CTR_COUNT
};

/* behind the counters of the list: skips by enum pkt_reason */
#define STATS_DECODE 24u
/* then what helpers found wrong, by helper and enum help_counter */
#define STATS_HELPERS 13u
#define STATS_HELPS   7u
#define STATS_HELP(helper, what) \
	(CTR_COUNT + STATS_DECODE + (helper)*STATS_HELPS + (what))
/* and what mirror mode repaired: rare, so not among those with a bit each */
#define MIRROR_COUNTERS(C)                                                     \
	C(MIRROR_GAP, "mirror.gap", "ACKs of data never seen (F138)")          \
	C(MIRROR_PICKUP, "mirror.pickup", "handshakes not seen whole (F138)")  \
	C(MIRROR_STATE, "mirror.state", "states that caught up (F138)")        \
	C(MIRROR_WINDOW, "mirror.window", "windows learnt anew (F138)")        \
	C(MIRROR_LOST, "mirror.lost_bytes", "acknowledged, never seen (F138)") \
	C(MIRROR_HOLES, "mirror.hole_bytes",                                   \
	  "stepped over in the sequence; may have come later (F138)")          \
	C(MIRROR_TURNED, "mirror.turned",                                      \
	  "connections whose first packet was an answer (F138)")               \
	C(MIRROR_ONE_WAY, "mirror.one_way",                                    \
	  "connections that became one-way (F138)")                            \
	C(MIRROR_DOUBLED, "mirror.doubled",                                    \
	  "connections of which a packet came twice (F138)")                   \
	C(DUPLICATES, "mirror.duplicates", "packets that came twice (F138)")   \
	C(MIRROR_LATE, "mirror.late_bytes",                                    \
	  "came after all, behind what stepped over them (F138)")              \
	C(SHED_HELPERS, "shed.helpers",                                        \
	  "packets not shown to a helper: the ring was half full")             \
	C(SHED_DETAILS, "shed.details",                                        \
	  "packets not compared with earlier ones: it was three quarters "     \
	  "full")

enum mirror_counter {
	MIRROR_BEFORE = STATS_HELP(STATS_HELPERS, 0) - 1,
#define C(name, str, meaning) CTR_##name,
	MIRROR_COUNTERS(C)
#undef C
		MIRROR_END
};
#define STATS_MIRROR (MIRROR_BEFORE + 1)
#define STATS_NAMED  ((unsigned int)MIRROR_END)

/* then what each interface shows; of captures beyond that many, the last is
 * all the others, too.  NEW is not counted where there is one alone. */
#define STATS_IFACES 14u
#define IFACE_COUNTERS(C) \
	C(NEW)            \
	C(ONE_WAY)        \
	C(DOUBLED)        \
	C(REPAIRED)       \
	C(GAPS)           \
	C(LOST)           \
	C(HOLES)          \
	C(DUPLICATES)     \
	C(LATE)

enum iface_counter {
#define C(name) IFACE_##name,
	IFACE_COUNTERS(C)
#undef C
		IFACE_COUNT
};
#define STATS_IFACE(iface, what)                                               \
	(STATS_NAMED +                                                         \
	 ((iface) < STATS_IFACES ? (iface) : STATS_IFACES - 1) * IFACE_COUNT + \
	 (what))
#define STATS_SLOTS STATS_IFACE(STATS_IFACES - 1, IFACE_COUNT)

const char *counter_name(enum counter c);
const char *mirror_counter_name(unsigned int c); /* from STATS_MIRROR on */

#endif

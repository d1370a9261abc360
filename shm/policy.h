/*
 * policy.h - settings that the packet path reads, in one block that is
 * replaced whole (RCU): the supervisor writes a new block and publishes it,
 * the old one is free again after a grace period.
 *
 * Timeouts and options of a tracker sit in rows by the tracker's place in
 * trackers.h; what a slot means is known to the tracker alone.
 *
 * Rules and timeout policies stand behind everything else: who has none never
 * touches their lines.
 */
#ifndef SHM_POLICY_H
#define SHM_POLICY_H

#include "shm/base.h"

#define POLICY_TRACKERS 16u
#define POLICY_TIMEOUTS 16u
#define POLICY_OPTIONS  8u
#define POLICY_RULES    64u
#define POLICY_RANGES   8u
#define POLICY_PROFILES 8u
#define POLICY_NAME     24u
#define POLICY_HELPERS  16u
#define POLICY_PORTS    96u
#define POLICY_ZONES    64u

enum tcp_mode { TCP_MODE_AUTO, TCP_MODE_STRICT, TCP_MODE_MIRROR };
enum duplicates { DUPLICATES_OFF, DUPLICATES_COUNT, DUPLICATES_DROP };
enum checksum_mode { CHECKSUM_OFF, CHECKSUM_ON, CHECKSUM_AUTO };
enum zone_from {
	ZONE_FROM_NONE,
	ZONE_FROM_IFACE,
	ZONE_FROM_VLAN,
	ZONE_FROM_QINQ,
	ZONE_FROM_VNI
};

/* what a rule asks of a packet ... */
#define RULE_IFACE  (1u << 0)
#define RULE_VLAN   (1u << 1)
#define RULE_FAMILY (1u << 2)
#define RULE_PROTO  (1u << 3)
#define RULE_SRC    (1u << 4)
#define RULE_DST    (1u << 5)
#define RULE_SPORT  (1u << 6)
#define RULE_DPORT  (1u << 7)
/* ... and what it gives it: two of each packet, the others of the packet that
 * begins a connection */
#define RULE_ZONE    (1u << 0)
#define RULE_NOTRACK (1u << 1)
#define RULE_MARK    (1u << 2)
#define RULE_LABELS  (1u << 3)
#define RULE_TIMEOUT (1u << 4)
#define RULE_HELPER  (1u << 5)
#define RULE_ONE_WAY (1u << 6)
#define RULE_PACKET  (RULE_ZONE | RULE_NOTRACK)
#define RULE_CONN \
	(RULE_MARK | RULE_LABELS | RULE_TIMEOUT | RULE_HELPER | RULE_ONE_WAY)

/* IPv4 in the first word; network order, addr is masked */
struct policy_net {
	uint32_t addr[4], mask[4];
};

struct policy_range {
	uint16_t from, to;
};

/* numbers of `zone.from` that have one zone */
struct policy_zone_map {
	uint32_t from, to;
	uint16_t zone;
};

struct policy_rule {
	uint16_t asks, gives;
	uint16_t vlan;
	uint16_t zone[2]; /* of the original direction, of the reply */
	uint8_t iface;
	uint8_t l3proto; /* 4 or 6 */
	uint8_t l4proto;
	uint8_t profile; /* timeout policy + 1 */
	uint8_t notrack;
	uint8_t one_way;
	uint8_t nsport, ndport;
	uint32_t mark, mark_mask; /* mark = (mark & ~mask) ^ value */
	uint64_t labels[2];
	char helper[POLICY_NAME];
	struct policy_net src, dst;
	struct policy_range sport[POLICY_RANGES], dport[POLICY_RANGES];
	char name[POLICY_NAME];
};

/* a helper is bound by the port of the reply tuple (F200) */
struct policy_port {
	uint16_t port;
	uint8_t l4proto;
	uint8_t helper; /* place in the list of helpers + 1 */
	uint8_t v4, v6;
};

struct policy {
	uint64_t version;
	uint32_t max; /* connections in all, 0 = as many as there is room for */
	uint8_t acct;
	uint8_t timestamp;
	uint8_t checksum; /* enum checksum_mode */
	uint8_t events;   /* 0 none, else always */
	uint8_t tcp_mode; /* enum tcp_mode, AUTO resolved by the source */
	uint8_t log_invalid;
	uint8_t duplicates; /* enum duplicates, in mirror mode */
	uint8_t tracker_off[POLICY_TRACKERS]; /* 1 = use the generic one */
	uint8_t zone_from;                    /* enum zone_from */
	uint8_t zone_dirs; /* there may be zones of one direction (F048) */
	uint8_t nrule;
	uint8_t rule_gives;                  /* what any of the rules gives */
	uint8_t nzone[2];                    /* of the two lists below */
	uint32_t ipfrag_time, frag6_timeout; /* seconds */
	uint32_t duplicates_ms;              /* a double comes within so long */
	uint32_t active_timeout;             /* seconds, 0 = never (told.h) */
	uint32_t timeout[POLICY_TRACKERS][POLICY_TIMEOUTS]; /* seconds */
	uint32_t option[POLICY_TRACKERS][POLICY_OPTIONS];
	/* zones that connections may have in one direction alone: the original,
	 * the reply */
	uint16_t zone[2][POLICY_RULES];
	/* timeout policies (F110): whole sets, also of what they do not change;
	 * a place keeps its name for as long as connections may point to it */
	char profile_name[POLICY_PROFILES][POLICY_NAME];
	uint8_t profile_on[POLICY_PROFILES];
	uint32_t profile[POLICY_PROFILES][POLICY_TRACKERS][POLICY_TIMEOUTS];
	struct policy_rule rule[POLICY_RULES];
	/* helpers; `port_hint` has a bit for each port that is in the list,
	 * and for others (policy_port_hint()) */
	uint32_t expect_max;
	uint32_t expect_source_max; /* 0 = by the mode */
	uint32_t nport;
	uint64_t port_hint[4];
	struct policy_port port[POLICY_PORTS];
	uint32_t helper_option[POLICY_HELPERS][POLICY_OPTIONS];
	uint32_t nzone_map;
	struct policy_zone_map zone_map[POLICY_ZONES]; /* first fit */
};

static inline uint8_t policy_port_bit(uint16_t port)
{
	return (uint8_t)(port ^ port >> 8);
}

/* false: no helper has this port */
static inline bool policy_port_hint(const struct policy *p, uint16_t port)
{
	uint8_t b = policy_port_bit(port);

	return p->port_hint[b >> 6] >> (b & 63) & 1;
}

#endif

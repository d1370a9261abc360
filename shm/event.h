/*
 * event.h - records of what happened to connections.
 *
 * A record is one cell of 128 bytes (NEW) or two (UPDATE, DESTROY, and NEW
 * with a helper, labels or a master): the second has what the first has no
 * room for, so that a DESTROY carries everything that was known, for the entry
 * is used again at once.
 */
#ifndef SHM_EVENT_H
#define SHM_EVENT_H

#include "shm/conn.h"

enum event_type {
	EVENT_PAD, /* fills the last cell of a ring before a two-cell record */
	EVENT_NEW,
	EVENT_UPDATE,
	EVENT_DESTROY,
	EVENT_GAP,     /* in the merged log alone */
	EVENT_EXP_NEW, /* an expectation: see expect.h */
	EVENT_EXP_DESTROY,
	EVENT_AUDIT /* in the merged log alone: a change that was asked for */
};

/* why a connection ended: X(NAME, "word in JSON") */
#define CONN_REASONS(X)               \
	X(NONE, "")                   \
	X(TIMEOUT, "timeout")         \
	X(EARLY_DROP, "early_drop")   \
	X(GC_PRESSURE, "gc_pressure") \
	X(TCP_RESET, "tcp_reset")     \
	X(REOPEN, "reopen")           \
	X(API, "api")                 \
	X(FLUSH, "flush")             \
	X(MASTER, "master")

enum conn_reason {
#define X(name, word) REASON_##name,
	CONN_REASONS(X)
#undef X
		REASON_COUNT
};

/* seq of a second cell: a consumer that lands on it steps over */
#define EVENT_CONT (1ull << 63)

struct event_cell {
	uint64_t seq;       /* cell number in its ring + 1 */
	uint64_t id;        /* of the connection; GAP: events lost */
	uint64_t ts_ns;     /* packet time; DESTROY: when it ended */
	uint64_t shard_seq; /* events of one shard are numbered, no holes */
	uint32_t ver;       /* conn.seq behind this change */
	uint32_t ordinal;   /* number of this event in its ring */
	uint8_t type;
	uint8_t cells; /* 1 or 2 */
	uint8_t state;
	uint8_t reason;
	uint16_t bits; /* IPCT_* */
	uint8_t helper;
	uint8_t source; /* merged log: slot of the producer */
	struct conn_key key;
	struct addr6 addr6; /* KEY_V6 only */
	uint32_t status;
	uint32_t left_ms; /* to the deadline; 0 = passed */
	uint32_t mark;
	uint32_t start; /* ms tick */
	/* NEW in one cell: bytes of the first packet, or 0; EVENT_F_DELTA: sum
	 * of repairs | dups << 16 */
	uint32_t len;
	uint16_t vlan;
	uint8_t iface;
	uint8_t flags; /* EVENT_F_* */
	uint64_t gseq; /* merged log: number of the event */
};
_Static_assert(sizeof(struct event_cell) == 128, "event_cell");

/* its number is one of the expectations' */
static inline bool event_of_expect(uint8_t type)
{
	return type == EVENT_EXP_NEW || type == EVENT_EXP_DESTROY;
}

/* Does it move the log's number on? */
static inline bool event_numbered(uint8_t type)
{
	return !event_of_expect(type) && type != EVENT_AUDIT;
}

#define EVENT_F_ACCT      1u /* counters are meant */
#define EVENT_F_TIMESTAMP 2u /* timestamp=1 when it was created */
#define EVENT_F_RESTORED  4u /* NEW: it lived before, elsewhere or earlier */
/* detail.delta is what was counted since the connection was last told of */
#define EVENT_F_DELTA 8u

struct event_more {
	uint64_t seq; /* EVENT_CONT | cell number + 1 */
	struct conn_detail detail;
	uint64_t packets[2];
	uint64_t bytes[2];
	uint64_t master;
	uint64_t labels[2];
};
_Static_assert(sizeof(struct event_more) == 128, "event_more");

/* AUDIT: id is uid << 32 | pid; in place of `detail` and what follows it */
struct event_audit {
	uint64_t seq;
	char text[120]; /* ends with a 0 */
};
_Static_assert(sizeof(struct event_audit) == sizeof(struct event_more),
               "event_audit");

/* One record of the merged log: 256 bytes, its position dense, its gseq not:
 * a jump is preceded by a GAP record. */
struct event_slot {
	struct event_cell cell;
	struct event_more more;
};
_Static_assert(sizeof(struct event_slot) == 256, "event_slot");

#endif

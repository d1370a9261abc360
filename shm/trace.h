/*
 * trace.h - packets that somebody wants to be told of, one by one.
 *
 * Who asks is up to TRACE_TUPLES tuples in the log's segment, written by the
 * api and copied by a worker when `version` has changed.  What is told is a
 * record a packet, in a ring of the worker's own that lies between its header
 * and its event cells.
 *
 * The ring's tail has the discipline of the counters (`pend` in layout.h): what
 * it is to be stands in the ring's header before the packet's cursor moves,
 * and it moves iff the cursor did, be it by a successor.  So a record is told
 * exactly once, wherever a worker is killed, and the record behind the tail is
 * nobody's.  It is no counter because those are added up once a batch: a
 * reader is to see a record as soon as its packet is done.
 */
#ifndef SHM_TRACE_H
#define SHM_TRACE_H

#include "shm/conn.h"
#include "shm/policy.h"

#define TRACE_TUPLES  4u
#define TRACE_RECORDS 256u /* of a ring; a power of two */
#define TRACE_HEAD    60u
#define TRACE_TEXT    120u
#define TRACE_FRAMES  6u

/* what a tuple asks for */
#define TRACE_FAMILY (1u << 0)
#define TRACE_PROTO  (1u << 1)
#define TRACE_SRC    (1u << 2)
#define TRACE_DST    (1u << 3)
#define TRACE_SPORT  (1u << 4)
#define TRACE_DPORT  (1u << 5)
#define TRACE_ID     (1u << 6) /* of ICMP */
#define TRACE_ZONE   (1u << 7)

/* fits a packet and its answers alike */
struct trace_tuple {
	uint16_t asks;
	uint16_t zone;
	uint16_t id;
	uint8_t l3proto; /* 4 or 6 */
	uint8_t l4proto;
	struct policy_net src, dst;
	struct policy_range sport, dport;
};

struct trace_want {
	uint32_t version; /* odd while it is written */
	uint32_t on;      /* bit n: tuple n is meant */
	uint32_t waits;   /* workers wait for `taken` (captures) */
	uint32_t spare;
	struct trace_tuple tuple[TRACE_TUPLES];
};

/* what became of the packet: X(NAME, "word in JSON") */
#define TRACE_VERDICTS(X)           \
	X(NONE, "")                 \
	X(NEW, "new")               \
	X(ACCEPTED, "accepted")     \
	X(IGNORED, "ignored")       \
	X(INVALID, "invalid")       \
	X(ENDED, "ended")           \
	X(RELATED, "related")       \
	X(UNTRACKED, "untracked")   \
	X(CLASH, "clash")           \
	X(CHAIN_FULL, "chain_full") \
	X(TABLE_FULL, "table_full") \
	/* a fragment alone */      \
	X(HELD, "held")             \
	X(REFUSED, "refused")       \
	X(HELPER, "helper")

enum trace_verdict {
#define X(name, word) TRACE_##name,
	TRACE_VERDICTS(X)
#undef X
		TRACE_VERDICT_COUNT
};

/* a packet's addresses and the tracker's tuple, in its own direction */
struct trace_flow {
	uint32_t addr[2][4]; /* as on the wire; IPv4: the first word */
	uint16_t port[2];    /* or what stands for them, see trk_tuple */
	uint8_t l3proto;     /* 0: not known */
	uint8_t l4proto;
	uint8_t trk;  /* the tracker's row in the policy */
	uint8_t kind; /* of what port[] is */
};

enum trace_kind { TRACE_NO_TUPLE, TRACE_PORTS, TRACE_TYPE, TRACE_KEYS };

/* the connection before or after the packet */
struct trace_conn {
	uint32_t status; /* 0: there is none */
	uint32_t left_ms;
	uint32_t mark;
	uint8_t state;
	uint8_t priv[CONN_PRIV];
};
_Static_assert(sizeof(struct trace_conn) == 64, "trace_conn");

#define TRACE_F_REASSEMBLED 1u /* of fragments; `frame` is the last one's */
#define TRACE_F_REOPENED    2u /* `before` is a connection that it ended */
#define TRACE_F_DIR         4u /* `dir` is known */
#define TRACE_F_ZONE_ORIG   8u /* the zone is that of one direction */
#define TRACE_F_ZONE_REPLY  16u

/* places of trace_rec.rule: by the bit of RULE_* */
#define TRACE_RULES 6u

struct trace_rec {
	uint64_t seq; /* place in its ring + 1 */
	uint64_t frame;
	uint64_t ts_ns;
	uint64_t id;                       /* of the connection, 0: none */
	uint64_t frag_frame[TRACE_FRAMES]; /* of the first others */
	uint32_t version; /* of the tuples that it was compared with */
	uint32_t l3len, l4len;
	uint16_t zone;
	uint8_t tuples; /* bit n: tuple n asks for it */
	uint8_t verdict;
	uint8_t info; /* conntrack's class */
	uint8_t dir;
	uint8_t flags; /* TRACE_F_* */
	uint8_t nhead;
	uint8_t rule[TRACE_RULES]; /* rule that gave it + 1, 0: none */
	uint8_t iface;
	uint8_t spare;
	struct trace_flow flow;
	struct trace_flow quoted; /* what an ICMP error is about */
	struct trace_conn before, after;
	/* of its datagram: how many fragments were there with this one, those
	 * in `frag_frame`; a fragment alone: its place in it */
	uint32_t nfrags, nframes;
	uint32_t frag_from, frag_to;
	uint8_t head[TRACE_HEAD]; /* layer 4 begins so */
	char why[TRACE_TEXT];
};
_Static_assert(sizeof(struct trace_rec) == 512, "trace_rec");

struct table;
struct ring_header;

struct op_cursor;
/* Writes the record of the packet at `cur` behind the tail of this process's
 * ring; again if the packet is tried again. */
void trace_put(struct table *t, struct trace_rec *rec,
               const struct op_cursor *cur);
/* Moves the tail over it, if the packet's cursor has moved; else it was never
 * there. */
void trace_settle(struct ring_header *h);

#endif

/*
 * conn.h - one connection in the table.
 *
 * Entries are type-stable: memory of an entry is only ever an entry, and is
 * used again at once.  A reader copies it and looks at `seq` again; a writer
 * makes `seq` odd, writes, and makes it even: that store is the commit (see
 * ops.h for the order of everything else).
 *
 * One entry serves both directions.  `key` is canonical: its two endpoints
 * are sorted, so a packet and its answer have the same key; CONN_ORIG1 in
 * `status` says which endpoint sent first.  The original and the reply tuple
 * are derived from both for output.
 *
 * Life: free -> (insert commits) -> confirmed -> (delete commits) -> free.
 * A connection whose first packet is still being tried is in nobody's sight:
 * the tracker works on a private candidate, see pipeline.c.
 */
#ifndef SHM_CONN_H
#define SHM_CONN_H

#include "shm/base.h"

/* status: the bits of ctnetlink's CTA_STATUS (F090-F101) ... */
#define CONN_EXPECTED      (1u << 0)
#define CONN_SEEN_REPLY    (1u << 1)
#define CONN_ASSURED       (1u << 2)
#define CONN_CONFIRMED     (1u << 3)
#define CONN_DYING         (1u << 9)
#define CONN_FIXED_TIMEOUT (1u << 10)
#define CONN_HELPER        (1u << 13)
#define CONN_CTA_MASK      0x0000ffffu
/* ... and ours.  Those of the mirror (F138) are 0 in strict mode:
 * how the original direction is known, an enum conn_dir; whether the connection
 * shows one side alone, and came double; and a bit for each kind of repair. */
#define CONN_DIR_SHIFT 16
#define CONN_DIR_MASK  (7u << CONN_DIR_SHIFT)
#define CONN_ONE_WAY   (1u << 19)
#define CONN_DOUBLED   (1u << 20)
#define CONN_FIX_SHIFT 21
#define CONN_FIX_MASK  (15u << CONN_FIX_SHIFT)
/* for the tracker: the last byte of the original side, of the reply's, was
 * acknowledged and never seen */
#define CONN_TAIL_SHIFT 25
#define CONN_TAIL_MASK  (3u << CONN_TAIL_SHIFT)
#define CONN_MIRROR \
	(CONN_DIR_MASK | CONN_ONE_WAY | CONN_DOUBLED | CONN_FIX_MASK)
#define CONN_TOLD      (1u << 27) /* struct conn_told is valid */
#define CONN_TIMESTAMP (1u << 28) /* made with timestamp=1 (F109) */
#define CONN_ACCT      (1u << 29) /* made with acct=1: counters are meant (F109) */
#define CONN_ORIG1     (1u << 30) /* endpoint 1 of the key sent first */
#define CONN_LIVE      (1u << 31) /* the entry holds a connection */

/* how the original direction is known: X(NAME, "word") */
#define CONN_DIRS(X)                                                      \
	X(NONE, "")           /* not asked */                             \
	X(SYN, "syn")         /* the first packet was a SYN */            \
	X(SYNACK, "synack")   /* ... a SYN/ACK, that is, an answer */     \
	X(PORT, "port")       /* guessed: servers have the lower ports */ \
	X(UNKNOWN, "unknown") /* who was seen first */

enum conn_dir {
#define X(name, word) CONN_DIR_##name,
	CONN_DIRS(X)
#undef X
};

/* what a mirror's loss made necessary: X(NAME, "word") */
#define CONN_FIXES(X)                                                    \
	X(GAP, "gap")       /* an ACK of data never seen was believed */ \
	X(PICKUP, "pickup") /* taken up without the whole handshake */   \
	X(STATE, "state")   /* caught up with later evidence */          \
	X(WINDOW, "window") /* windows learnt anew */

enum conn_fix {
#define X(name, word) CONN_FIX_##name,
	CONN_FIXES(X)
#undef X
		CONN_NFIX
};

/* key flags: part of the compared key */
#define KEY_V6   (1u << 0) /* addr[] are folds, the addresses are in addr6 */
#define KEY_REQ1 (1u << 1) /* ICMP, ICMPv6: endpoint 1 asks */
/* the zone is that of one direction, the other's is 0 (F048) */
#define KEY_ZONE_ORIG  (1u << 2)
#define KEY_ZONE_REPLY (1u << 3)
#define KEY_ZONE_DIR   (KEY_ZONE_ORIG | KEY_ZONE_REPLY)

/*
 * The canonical key, 16 bytes, no padding.  Addresses in network order as
 * they are on the wire, ports in host order.  ICMP and ICMPv6: port[0] is the
 * echo id, port[1] is request type << 8 | code.
 */
struct conn_key {
	uint32_t addr[2];
	uint16_t port[2];
	uint8_t l4proto;
	uint8_t flags;
	uint16_t zone;
};
_Static_assert(sizeof(struct conn_key) == 16, "the key is hashed and compared");

/* A key from its parts, and its two words as key_equal() and the hash see them:
 * by way of registers, for loads that are wider than the stores before them
 * would wait for these. */
static inline void key_join(struct conn_key *k, uint64_t word[2],
                            const struct conn_key *of)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word[0] = of->addr[0] | (uint64_t)of->addr[1] << 32;
	word[1] = of->port[0] | (uint64_t)of->port[1] << 16 |
	          (uint64_t)of->l4proto << 32 | (uint64_t)of->flags << 40 |
	          (uint64_t)of->zone << 48;
	__builtin_memcpy(k, word, sizeof(*k));
#else
	*k = *of;
	__builtin_memcpy(word, k, sizeof(*k));
#endif
}

/* of the original direction, 0, or of the reply, 1 */
static inline uint16_t key_zone(const struct conn_key *k, unsigned int dir)
{
	return k->flags & (dir ? KEY_ZONE_ORIG : KEY_ZONE_REPLY) ? 0 : k->zone;
}

/* both addresses of an IPv6 connection, in the order of the key's endpoints */
struct addr6 {
	uint64_t a[2][2];
};
_Static_assert(sizeof(struct addr6) == 32, "addr6");

/* bytes of an entry that belong to the protocol's tracker */
#define CONN_PRIV 51u

struct conn {
	/* the seqlock and the incarnation, written by ops.c alone */
	uint32_t seq;
	uint32_t gen;
	/* set at insert, never after */
	struct conn_key key;
	/* written inside the odd-seq window, covered by the undo image */
	uint32_t status;
	uint32_t deadline; /* ms tick, see tick.h */
	uint64_t packets[2];
	uint64_t bytes[2];
	/* second line */
	uint8_t priv[CONN_PRIV];
	uint8_t state;  /* the tracker's state, 0 = none */
	uint32_t start; /* ms tick of the first packet */
	uint32_t ext;   /* live: record of labels, helper, master; free: next */
	uint32_t mark;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct conn) == 128, "conn");
_Static_assert(offsetof(struct conn, key) == 8, "conn.key");
_Static_assert(offsetof(struct conn, status) == 24, "conn.status");
_Static_assert(offsetof(struct conn, priv) == 64, "conn.priv");
_Static_assert(offsetof(struct conn, start) == 116, "conn.start");
_Static_assert(offsetof(struct conn, mark) == 124, "conn.mark");

/* what the undo image of an entry covers: everything behind the key */
#define CONN_UNDO_FROM offsetof(struct conn, status)
#define CONN_UNDO_LEN  (sizeof(struct conn) - CONN_UNDO_FROM)
_Static_assert(CONN_UNDO_LEN == 104, "undo image");

/*
 * A tracker keeps its data in priv through a struct of its own:
 *	TRACKER_PRIV(struct tcp_priv, retrans);
 * fails to compile when the struct's last member does not fit.  A struct may
 * end in padding that overlaps `state`: never assign such a struct whole.
 */
#define TRACKER_PRIV(type, last)                                           \
	_Static_assert(offsetof(type, last) + sizeof(((type *)0)->last) <= \
	                       CONN_PRIV,                                  \
	               #type " does not fit in conn.priv");                \
	_Static_assert(_Alignof(type) <= 4, #type " wants too much alignment")

/*
 * What a connection counted when it was last told of (active_timeout), in an
 * array beside the entries that gets memory where there is one.  Same window,
 * same undo image.
 */
struct conn_told {
	uint64_t packets[2];
	uint64_t bytes[2];
	uint32_t at; /* ms tick */
	uint32_t pad;
};

/* in an event: what was counted since; bytes have 48 bits */
struct conn_delta {
	uint32_t packets[2];
	uint32_t bytes_low[2];
	uint16_t bytes_high[2];
};
_Static_assert(sizeof(struct conn_delta) == 20, "conn_delta");

/*
 * Detail line: times, rates and quality, behind its entry, so that a packet
 * finds both on one page (`detail = off` leaves it out, and entries stand
 * closer).  Same window, same undo image.
 */
struct conn_detail {
	uint64_t start_ns; /* packet time of the first packet, since epoch */
	uint64_t last_ns;  /* and of the last that was accepted */
	uint32_t rate[2];  /* see rate.h */
	/* how long the side took to answer in the handshake, 0 = not known */
	uint32_t rtt_us[2];
	/* what the side sent again, sent late, and how often it had no room or
	 * gave up */
	uint16_t retrans[2];
	uint16_t disorder[2];
	uint8_t zero_window[2];
	uint8_t resets[2];
	union {
		struct {
			uint8_t repairs[4];
			uint16_t dup[4];
			/* when the side's newest hole came, 0 = none */
			uint16_t hole_at[2];
			uint16_t vlan;
			uint8_t iface;
			uint8_t dups;
		};
		struct conn_delta delta; /* EVENT_F_DELTA */
	};
};
_Static_assert(sizeof(struct conn_detail) == 64, "conn_detail");

struct conn_entry {
	struct conn conn;
	struct conn_detail detail;
};
_Static_assert(sizeof(struct conn_entry) == 192, "conn_entry");

/*
 * Extension record: what few connections have.  A connection with labels, a
 * helper, a master or a timeout policy has one, and `ext` is its index in the
 * shard; the record has one owner.  Same window, same undo image.
 */
#define CONN_EXT_PRIV 96u

struct conn_ext {
	uint64_t labels[2];
	uint64_t
		master; /* id of the connection that announced this one, or 0 */
	uint32_t next;  /* free list */
	uint16_t untold; /* IPCT_* bits that wait for the next packet (F203) */
	uint8_t helper;  /* place in the list of helpers + 1 */
	uint8_t policy;  /* place in the list of timeout policies + 1 */
	/* the helper's own; written in the entry's window like all else */
	uint8_t priv[CONN_EXT_PRIV] __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct conn_ext) == 128, "conn_ext");

/*
 * Identity for the world: never used again while the segment lives.
 * gen << 32 | shard << 24 | index; conntrack-style output prints the low half.
 */
static inline uint64_t conn_id(uint32_t gen, uint32_t shard, uint32_t idx)
{
	return (uint64_t)gen << 32 | (uint64_t)shard << 24 | idx;
}

static inline uint32_t conn_id_shard(uint64_t id)
{
	return (uint32_t)id >> 24;
}

static inline uint32_t conn_id_idx(uint64_t id)
{
	return (uint32_t)id & 0xffffffu;
}

static inline uint32_t conn_id_gen(uint64_t id)
{
	return (uint32_t)(id >> 32);
}

#endif

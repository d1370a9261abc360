/*
 * expect.h - expectations: connections that others have announced (F180-F196).
 *
 * Theory
 *
 * Expectations are few, whoever looks for one does not know its shard, and a
 * limit counts over all of them.  So they are one table of their own (the
 * handle `t->expect`, one shard), made of the same entries and changed by the
 * same operations as connections, hence kill-safe and told of by the same
 * means.  The key of an entry is what is expected at the destination; the rest
 * stands in its detail line (struct expect_info), so an event carries it.
 *
 * Locks.  The lock of the expectations may be taken while a shard's is held,
 * never the other way round, and may be taken again by who has it.  Readers of
 * a master's entry take none.  While there are no expectations, which is
 * nearly always, nobody takes it.
 *
 * Using one up is operations in two tables.  The claim names the packet (slot,
 * source, cursor) and tells the DESTROY; then comes the operation that moves
 * the cursor, NEW with it; then the entry goes.  Who is killed in between
 * leaves an entry that others see no more, and a claim that the heir settles
 * by whether the cursor did move (expect_settle()).  So an expectation is told
 * of once and used once, not twice and not never (expect_use.c).
 *
 * What a packet's helper does to expectations are actions, numbered within the
 * packet.  The last operation of an action moves the cursor SOURCE_EXPECT to
 * (packet, number); a packet that runs again skips what is done (ops.h: the
 * same rule as for packets, one floor down), and is told what it came to.
 *
 * An expectation whose master has ended, or is not there yet, matches nothing;
 * expect_sweep() removes those that have lost theirs.
 *
 * The keys that PPTP announces for its GRE packets stand here too
 * (EXPECT_KEYMAP): never matched, never told, looked up by every GRE packet.
 * They know their GRE connection, and take it along when they go (F220).
 */
#ifndef SHM_EXPECT_H
#define SHM_EXPECT_H

#include "shm/atomic.h"
#include "shm/ops.h"
#include "shm/read.h"

/* flags (F186) ... */
#define EXPECT_PERMANENT 1u
#define EXPECT_INACTIVE  2u
/* ... and ours */
#define EXPECT_SPORT  4u    /* the source port (GRE: key) is compared */
#define EXPECT_TOLD   0x20u /* its end has been: only its packet may find it */
#define EXPECT_KEYMAP 0x40u /* not an expectation: a GRE key */
#define EXPECT_GONE   0x80u /* a key that is to end its connection */
#define EXPECT_SHOWN  3u    /* what of it others see */
/* entries that others do not see */
#define EXPECT_HIDDEN (EXPECT_TOLD | EXPECT_KEYMAP)

/* In place of an entry's detail line.  Addresses in network order, IPv4 in the
 * first four bytes; ports and keys in host order. */
struct expect_info {
	uint64_t src[2];
	uint64_t master[2][2]; /* original tuple: source, destination */
	uint16_t master_port[2];
	uint16_t sport;  /* keymap: the key that packets of this side lack */
	uint8_t src_len; /* bits of the source that are compared */
	uint8_t class;
	uint8_t flags;
	uint8_t helper; /* of the master: place in the list + 1 */
	uint8_t assign; /* of the expected connection: place + 1, or 0 */
	uint8_t master_proto;
	uint32_t serial; /* the newest of several that fit is used */
};
_Static_assert(sizeof(struct expect_info) == sizeof(struct conn_detail),
               "expect_info stands in a detail line");

/* an expectation, as asked for and as read */
struct expect {
	struct expect_info info;
	uint64_t master; /* id */
	uint64_t dst[2];
	uint64_t id; /* of its own, like a connection's */
	uint16_t dport;
	uint16_t zone;
	uint8_t l4proto;
	bool v6;
	uint32_t deadline; /* ms tick */
};

/* the original tuple of a packet without a connection */
struct expect_tuple {
	uint64_t src[2], dst[2];
	uint16_t sport, dport;
	uint16_t zone;
	uint8_t l4proto;
	bool v6;
};

/* who acts: position of the packet, its time, and what the policy says */
struct expect_by {
	uint64_t pkt; /* 0: no packet */
	uint32_t src; /* source of the cursor */
	uint32_t now; /* tick */
	uint64_t ts_ns;
	uint32_t max;        /* expectations in all */
	uint32_t source_max; /* and of one source, 0 = no limit */
	bool tell;
	uint8_t act; /* actions of this packet so far */
};

static inline bool expect_some(const struct table *t)
{
	return unlikely(shm_load(&t->expect->shard->count) != 0);
}

void expect_lock(struct table *t);
void expect_unlock(struct table *t);

/* ---- at the packet that begins a connection; lock held ---- */

/* The newest that fits, is active and has a living master, or 0 (F183-F185);
 * *e gets it. */
uint32_t expect_find(struct table *t, const struct expect_tuple *tp,
                     const struct expect_by *by, struct expect *e);
/* This packet uses it up, unless it is permanent, and that is told now (F184);
 * its connection will be in shard `sh`, where there is room for it. */
void expect_claim(struct table *t, uint32_t idx, const struct expect_by *by,
                  uint32_t sh);
/* The packet is done: what it has claimed goes. */
void expect_use(struct table *t, uint32_t idx, const struct expect_by *by);

/* ---- by a helper; they take the lock, and count as one action each ---- */

/* Announces one: 0, -EBUSY another stands in its way (F190), -EALREADY the very
 * same of another master or class (F189), -ENOSPC a limit (F188, F191), -EDQUOT
 * that of the master's source.
 * `class_max` 0 = no limit. */
int expect_add(struct table *t, const struct expect *e, unsigned int class_max,
               struct expect_by *by);

/* which ones of a master */
struct expect_pick {
	uint64_t master;
	bool any_class;
	uint8_t class;
	uint8_t class_to;    /* 0: `class` alone, else all up to this */
	uint8_t l4proto;     /* 0 = any */
	const uint64_t *dst; /* NULL = any, else with dport */
	uint16_t dport;
	bool keyed; /* GRE: the source's key is sport */
	uint16_t sport;
};
unsigned int expect_remove(struct table *t, const struct expect_pick *p,
                           struct expect_by *by);
/* INACTIVE off and/or another deadline, silently (F195) */
unsigned int expect_revise(struct table *t, const struct expect_pick *p,
                           bool activate, bool renew, uint32_t deadline,
                           struct expect_by *by);
/* A key: packets from e->info.src to e->dst with key e->dport have the source
 * key e->info.sport; `gre` is the connection that they make.  0 also if this
 * key stands there already, -EEXIST if another does in this direction, -EDQUOT
 * if the master's source has too many. */
int expect_key_add(struct table *t, const struct expect *e,
                   const struct conn_lookup *gre, struct expect_by *by);
/* Its keys are forgotten. */
void expect_key_flush(struct table *t, uint64_t master, struct expect_by *by);
/* This connection, made of e's tuple, is to end in expect_sweep() (F220). */
int expect_conn_end(struct table *t, const struct expect *e,
                    const struct conn_lookup *conn, struct expect_by *by);

/* ---- looked up by a packet ---- */

/* Lock-free: the source key of a GRE packet with this tuple (sport ignored) */
bool expect_key_find(const struct table *t, const struct expect_tuple *tp,
                     uint16_t *key);

/* ---- ends ---- */

/* The master is about to end: what it announced notes when, in case that
 * whoever ends it does not come to expect_flush(). */
void expect_doom(struct table *t, uint64_t master, uint64_t ts_ns, uint32_t now,
                 bool tell);
/* The master has ended: all that it announced goes (F192).  The master's shard
 * is locked.  True: keys were among it, expect_sweep() should run soon. */
bool expect_flush(struct table *t, uint64_t master, uint64_t ts_ns,
                  uint32_t now, bool tell);

/* A client's will: the one with this id goes, and that is told.  -ENOENT: it
 * has gone, or a packet has used it. */
int expect_forget(struct table *t, uint64_t id, uint64_t ts_ns, uint32_t now,
                  bool tell);

/* Ends what has expired, has lost its master, or was claimed and used; and the
 * connections of keys that are gone.  No lock held. */
void expect_sweep(struct table *t, uint64_t now_ns, uint32_t max, bool tell);

/* What the dead process in slot `slot` had claimed: it goes if its packet is
 * done, else the next packet uses it up.  Before the slot's first packet. */
void expect_settle(struct table *t, uint32_t slot);

/* ---- reading ---- */

/* Walk over all, without a lock; start with {0, 0}. */
bool expect_walk(const struct table *t, struct conn_walk *w, struct expect *e);
/* the same with keys (EXPECT_KEYMAP) */
bool expect_walk_all(const struct table *t, struct conn_walk *w,
                     struct expect *e);
/* from a record of the merged log */
void expect_of_event(const struct event_slot *s, struct expect *e);

#endif

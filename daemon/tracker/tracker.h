/*
 * tracker.h - the contract of a layer-4 protocol.
 *
 * A protocol is one file that ends in a `const struct tracker`, and one line
 * in trackers.h.  It says how a packet becomes a tuple, what states there are
 * and how long they last, and what each packet does to a connection.  It
 * knows nothing of tables, locks, events or output.
 *
 * Trackers report facts through struct trk_ctx; the pipeline draws the
 * conclusions (refresh, accounting, SEEN_REPLY, events).
 */
#ifndef TRACKER_TRACKER_H
#define TRACKER_TRACKER_H

#include "shm/conn.h"
#include "shm/policy.h"
#include "daemon/pkt/pkt.h"

enum { DIR_ORIGINAL, DIR_REPLY };

/* conntrack's classes of packets (F062), in the kernel's numbering */
enum ctinfo {
	CTINFO_ESTABLISHED = 0,
	CTINFO_RELATED = 1,
	CTINFO_NEW = 2,
	CTINFO_ESTABLISHED_REPLY = 3,
	CTINFO_RELATED_REPLY = 4,
	CTINFO_UNTRACKED = 7,
	CTINFO_INVALID = 8
};

/* event bits, the kernel's IPCT_* numbers (F240-F246) */
enum {
	EVB_NEW = 1u << 0,
	EVB_RELATED = 1u << 1,
	EVB_DESTROY = 1u << 2,
	EVB_REPLY = 1u << 3,
	EVB_ASSURED = 1u << 4,
	EVB_PROTOINFO = 1u << 5,
	EVB_HELPER = 1u << 6,
	EVB_MARK = 1u << 7,
	EVB_LABEL = 1u << 10
};

enum trk_verdict {
	TRK_ACCEPT,   /* belongs: refresh to ctx->timeout, count */
	TRK_IGNORE,   /* belongs, but neither refreshes nor counts (B1) */
	TRK_INVALID,  /* INVALID; changes to the connection are kept */
	TRK_KILL,     /* belongs, is counted, and ends the connection now */
	TRK_REPEAT,   /* delete this connection, try the packet as new */
	TRK_UNTRACKED /* never gets a connection (F033); from check() only */
};

/* what a packet says of how well its connection fares; bits of
 * trk_ctx.quality */
enum {
	TRK_Q_BEHIND = 1u << 0,  /* begins with what others came behind */
	TRK_Q_AHEAD = 1u << 1,   /* what stands before it has not come */
	TRK_Q_NO_ROOM = 1u << 2, /* its sender can take no more */
	TRK_Q_RESET = 1u << 3,
	TRK_Q_ANSWER = 1u << 4 /* the handshake's last, to the first answer */
};

/* What a tracker is told, and what it answers. */
struct trk_ctx {
	/* in */
	const struct pkt *pkt;
	const struct policy *pol;
	uint8_t id;   /* the tracker's row in the policy */
	uint8_t dir;  /* DIR_ORIGINAL or DIR_REPLY */
	bool first;   /* the connection is a candidate, all zero but key */
	bool mirror;  /* tcp.mode = mirror is in force */
	uint32_t now; /* ms tick of this packet */
	/* timeouts of the connection's policy (F110), NULL: the sysctls' */
	const uint32_t (*timeouts)[POLICY_TIMEOUTS];
	/* out */
	uint32_t timeout; /* seconds, for TRK_ACCEPT */
	uint16_t events;  /* EVB_* that this packet causes, without NEW */
	/* TRK_INVALID on a live connection only (F118): lower the deadline to
	 * `timeout` seconds from now */
	bool lower_timeout;
	uint8_t quality; /* TRK_Q_*, not for a first packet */
	/* mirror mode: bits 1 << CONN_FIX_*, what was repaired, and the bytes
	 * that somebody acknowledged and we never saw */
	uint32_t repairs;
	uint32_t lost;
	uint32_t holes; /* bytes stepped over in the sequence */
	/* text for log_invalid (F290, behaviour.md 4.9), NULL = none; args are
	 * two numbers that the text may use with %u */
	const char *why;
	uint32_t why_arg[2];
};

/* The packet's tuple in its own direction, as the kernel prints it: ports, or
 * ICMP id and type << 8 | code, or GRE keys, in host order. */
struct trk_tuple {
	uint16_t src;
	uint16_t dst;
};

struct trk_timeout {
	const char *key; /* sysctl without nf_conntrack_: udp_timeout_stream */
	uint8_t slot;    /* place in policy.timeout[tracker] */
	uint32_t seconds;
	const char *doc;
};

struct trk_option {
	const char *key; /* tcp_loose */
	uint8_t slot;
	uint32_t value, min, max;
	const char *doc;
};

/* A surprising cell of a transition table, with its reason.  One test walks
 * the notes of all trackers and compares them with .cell(). */
struct trk_note {
	uint8_t dir, event, from, to;
	const char *why;
};

struct tracker {
	const char *name; /* as conntrack prints it: tcp, udp, icmp, ... */
	uint8_t l4proto;  /* IP protocol number */
	uint8_t nstates;  /* entries in states; 0 = no state is shown */
	uint8_t ntimeouts, noptions, nnotes;
	const char *const *states; /* names by conn.state */
	const struct trk_timeout *timeouts;
	const struct trk_option *options;
	const struct trk_note *notes;
	uint8_t (*cell)(uint8_t dir, uint8_t event, uint8_t from);

	/* The tuple; false = there is none (too short): INVALID.
	 * NULL: ports, the first four bytes of layer 4 (F024). */
	bool (*tuple)(const struct pkt *p, struct trk_tuple *t);

	/* ICMP-like protocols: sets t->dst to the request's type << 8 | code
	 * and *requester_is_dst for an answer.  False: no inverse exists, the
	 * packet is INVALID (F025).  NULL: endpoints are sorted with their
	 * ports, nothing to map. */
	bool (*request)(struct trk_tuple *t, bool *requester_is_dst);

	/* Tests that need no connection: lengths, flags, checksum (F010, F011:
	 * with checksums only when ctx->pol says so and all bytes are there).
	 * Returns TRK_ACCEPT, TRK_INVALID or TRK_UNTRACKED.  NULL: none. */
	enum trk_verdict (*check)(struct trk_ctx *c);

	/* The quoted packet's offset within layer 4 when this packet is an
	 * error about another one (F155), else 0.  -1: malformed, or a type
	 * that counts as `error` (F148, F159).  NULL: never. */
	int (*error)(struct trk_ctx *c);

	/* The state machine.  Called inside the connection's odd-seq window,
	 * or on a private candidate when ctx->first; may write conn->priv,
	 * state, status (ASSURED, and CONN_MIRROR in mirror mode).  SEEN_REPLY
	 * is set by the pipeline after an accepted or ignored reply, so the
	 * first reply is still judged as unreplied (F066). */
	enum trk_verdict (*packet)(struct trk_ctx *c, struct conn *conn);

	/* Mirror mode: is this first packet an answer, so that its receiver is
	 * who began?  Returns an enum conn_dir.  NULL: the sender began. */
	uint8_t (*origin)(const struct pkt *p, bool *answer);

	/* Mirror mode: does the packet tell what no packet of its direction
	 * has told before?  Then it is no double.  NULL: cannot be known. */
	bool (*news)(const struct pkt *p, const struct conn *conn, uint8_t dir);

	/* Mirror mode: may this first packet, which was refused, be the answer
	 * to one that is still to come?  Then a number that tells which, else
	 * 0.  NULL: never. */
	uint32_t (*early)(const struct pkt *p);
	/* A first packet was accepted, and one of that number was there
	 * before it.  Is it the answer?  Then the connection is what it has
	 * become by both. */
	bool (*answered)(struct trk_ctx *c, struct conn *conn, uint32_t number);

	/* closing: first to go under pressure (F236).  NULL: never. */
	bool (*closing)(const struct conn *conn);

	/* extra pairs for the API and `-o wide`: writes "key=value key=value"
	 * without a leading blank, returns its length.  NULL: none. */
	int (*describe)(const struct conn *conn, char *buf, size_t len);

	/* For `trace`, written likewise; a key may have a dot: what stands
	 * before it is told once for all keys that share it.  NULL: what
	 * describe() says, and nothing. */
	int (*inside)(const struct conn *conn, char *buf, size_t len);
	/* what stands in the packet's header */
	int (*header)(const struct pkt *p, char *buf, size_t len);
};

/* of another tracker's row */
static inline uint32_t trk_timeout_of(const struct trk_ctx *c, uint8_t row,
                                      uint8_t slot)
{
	if (unlikely(c->timeouts))
		return c->timeouts[row][slot];
	return c->pol->timeout[row][slot];
}

static inline uint32_t trk_timeout(const struct trk_ctx *c, uint8_t slot)
{
	return trk_timeout_of(c, c->id, slot);
}

static inline uint32_t trk_option(const struct trk_ctx *c, uint8_t slot)
{
	return c->pol->option[c->id][slot];
}

/* By IP protocol number: never NULL, the generic tracker serves the rest
 * (F032).  *id is the row in the policy. */
const struct tracker *tracker_find(const struct policy *pol, uint8_t l4proto,
                                   uint8_t *id);
/* By place in the list; NULL behind the end. */
const struct tracker *tracker_at(unsigned int id);
/* The defaults of all trackers into a policy block. */
void tracker_defaults(struct policy *pol);
/* "ESTABLISHED" or NULL when the protocol shows none. */
const char *tracker_state_name(uint8_t l4proto, uint8_t state);
/* conntrack's name of an IP protocol: tcp ... or "unknown". */
const char *tracker_proto_name(uint8_t l4proto);

#endif

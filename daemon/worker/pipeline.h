/*
 * pipeline.h - the way of a packet, as a function of (table, packet, clock).
 *
 * A batch goes through three stages, because a connection is two or three
 * cache lines that are not in the cache, and a loop that fetches them one
 * packet at a time is several times slower:
 *
 *	parse	 layers, tuple, canonical key, shard, hash; index line fetched
 *	locate	 the index word that fits; entry and detail line fetched
 *	apply	 under the shard's lock, one packet after the other:
 *		 look up or create, tracker, refresh and account, event
 *
 * `apply` believes nothing of what `locate` saw; that was only to warm the
 * cache, and to say which word is to be looked at first.  A packet is one
 * operation on the table, or several of which the last moves the capture cursor
 * (ops.h): whoever goes on after a kill starts with the first packet that is
 * not done, and neither loses nor doubles one.
 */
#ifndef WORKER_PIPELINE_H
#define WORKER_PIPELINE_H

#include "daemon/pkt/decap.h"
#include "daemon/tracker/key.h"
#include "daemon/tracker/segment.h"
#include "daemon/worker/early.h"
#include "shm/ops.h"
#include "shm/proc.h"

#define PIPELINE_BATCH 64u
/* that go through the stages together: as many as make up for the memory's
 * delay, and no more than the nearest cache has room for */
#define PIPELINE_PART 32u

/* where a packet of the batch stands */
enum lane_kind {
	LANE_SKIP,      /* another worker's */
	LANE_DECODE,    /* no packet, counted by its reason */
	LANE_FRAGMENT,  /* anybody's; may complete a datagram */
	LANE_INVALID,   /* no tuple, or refused without a look at the table */
	LANE_ERROR,     /* a bad ICMP error: invalid, and `error` */
	LANE_UNTRACKED, /* F033 */
	LANE_RELATED,   /* an ICMP error about `look` */
	LANE_TRACK
};

struct lane {
	struct pkt *pkt;
	const struct tracker *trk;
	struct conn_lookup look;
	const struct line *line; /* of the index, where `look` belongs */
	/* that fitted when the packet was located, and where; 0 = none did */
	uint32_t word, at;
	/* of that word, and what belongs to it (NULL with detail = off) */
	struct conn *conn;
	struct conn_detail *detail;
	const struct addr6 *addr6; /* for a key of IPv6 */
	struct tcp_plain seg;      /* if `plain` */
	uint64_t now_ns;           /* table time of this packet */
	uint64_t awaits; /* capture: the frame that help_order() waits for */
	uint8_t kind;
	uint8_t trk_id;
	bool land;        /* both endpoints are the same (shm.md: LAND) */
	bool outer_ok;    /* LANE_RELATED: the error goes to who caused it */
	bool hinted;      /* capture: may run a helper (help_watch()) */
	bool plain;       /* a plain segment (plain.h) */
	uint8_t zone_dir; /* KEY_ZONE_*: its zone is that of one direction */
};

struct fragments;  /* fragment.h */
struct help_store; /* help.h */

/* what is to be traced, and the packet under way (trace.h) */
struct tracing {
	uint32_t version; /* of the copy */
	uint32_t on;
	struct trace_tuple tuple[TRACE_TUPLES];
	struct trace_rec rec;
};

/* what plain.h needs of the policy and the table, for a batch */
struct plain_rules {
	bool on; /* else every packet goes the general way */
	uint8_t trk_id;
	const struct tracker *trk;
	uint32_t timeout[2]; /* ms; [1] while data wait for an ack */
};

/* each with those before it; what follows is lost in the kernel's ring */
enum shed { SHED_NOTHING, SHED_HELPERS, SHED_DETAILS };

struct pipeline {
	struct table *t;
	const struct policy *pol; /* valid during a batch */
	uint32_t worker, nworker;
	bool capture; /* packet time is the clock; foreign shards skipped */
	bool shares;  /* capture: with other workers */
	bool mirror;  /* tcp.mode in force */
	bool many;    /* more than one interface or capture */
	uint8_t shed; /* enum shed: what is given up, since packets come faster
	               * than they are tracked */
	uint64_t clock_ns; /* capture: the clock, never goes back */
	uint64_t last_pkt; /* cursor of the newest packet taken */
	uint32_t due;      /* capture: tick of the next sweep at the earliest */
	uint64_t swept_ns;
	/* capture, several workers (help.h): the newest frame parsed that may
	 * run another one's helper; the newest such datagram; and what all
	 * others are known to be behind of */
	uint64_t hinted, hinted_whole, passed;
	bool waits; /* live: there are other workers to wait for */
	/* the process is to end (NULL: it never is); and: it ended in the
	 * middle of a batch, of which the rest is for the next start */
	const volatile int *stop;
	bool cut;
	uint64_t late[NWORKER_MAX]; /* who made us wait in vain, and where */
	struct help_store *store;   /* bytes that helpers keep */
	const struct decap *decap;  /* NULL: no tunnel is stepped into */
	struct fragments *frags;    /* NULL: all are refused */
	bool told;     /* an event was published since it was last false */
	uint8_t plain; /* lanes of this kind need no more than apply_track() */
	struct plain_rules rules;
	struct lane lane[PIPELINE_PART];
	struct tracing trace;
	struct early early; /* mirror mode */
	/* several interfaces: where the answers to what one shows were seen
	 * last, + 1 */
	uint8_t answers[STATS_IFACES];
};

void pipeline_init(struct pipeline *p, struct table *t, uint32_t worker,
                   uint32_t nworker, bool capture);

/* Up to PIPELINE_BATCH packets, in order.  `frame` of each is its cursor: in
 * a capture the frame's number, live a count that goes on from the cursor. */
void pipeline_batch(struct pipeline *p, struct pkt *pkts, unsigned int n);

/* Are things of this shard this worker's to count and apply? */
bool pipeline_mine(const struct pipeline *p, uint8_t shard);

/* A datagram out of fragments: into its tunnels, if it has any. */
void pipeline_decap(struct pipeline *p, struct pkt *pkt);

/* Capture: ends what has expired in this worker's shards by `now_ns`. */
void pipeline_sweep(struct pipeline *p, uint64_t now_ns);

#endif

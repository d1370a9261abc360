/*
 * ctshard.h - libctshard: talk to a running ctshardd.
 *
 * A handle is one connection to one daemon.  Two ways to use it:
 *
 *   blocking      ctshard_open, ctshard_list(...), ctshard_wait
 *   own loop      wait until ctshard_fd is ready for ctshard_events, then call
 *                 ctshard_dispatch; several requests may be under way
 *
 * Functions return 0 or an `enum ctshard_error` (negative); the words for the
 * last error of a handle are ctshard_errmsg.
 *
 * Threads.  There is no global state: handles are independent of each other.
 * One handle belongs to one thread at a time, and does not survive fork() in
 * both processes.  No function changes signals, and none raises SIGPIPE.
 *
 * Memory.  What a function is given (options, filter, strings, the handler) is
 * copied or used up when it returns; but `arg` must live until its request has
 * ended.  What a callback is given, and all that it points to, ends with the
 * call.  Texts of a handle (ctshard_errmsg, ctshard_peer) live until the next
 * call with it.
 *
 * Callbacks come out of ctshard_dispatch, ctshard_wait and ctshard_cancel
 * alone. They may start and cancel requests, and close the handle; they must
 * not dispatch or wait (CTSHARD_EINVAL).
 *
 * A lost connection is not mended: CTSHARD_ELOST ends all requests, and the
 * handle can only be closed.  Open another; how a watch goes on where it was is
 * told at struct ctshard_watch_opts.
 *
 * Growth.  Structs that a caller fills have `reserved` members, which must be 0
 * ({0}, or naming the others) and from which later ones will be taken.  Structs
 * that callbacks are given grow at their end: look at them where they are.
 */
#ifndef PROTO_CTSHARD_H
#define PROTO_CTSHARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CTSHARD_RUNDIR "/run/ctshardd"
#define CTSHARD_GROUP  "ctshard"

/* X(NAME, number, "words"): the first row's kind is the one to read */
#define CTSHARD_ERRORS(X)                                    \
	X(ENODAEMON, 1, "no daemon")                         \
	X(EACCESS, 2, "permission denied")                   \
	X(EPROTO, 3, "the daemon's answer is malformed")     \
	X(ELOST, 4, "the connection to the daemon was lost") \
	X(ENOMEM, 5, "out of memory")                        \
	X(EINTR, 6, "interrupted")                           \
	X(ECANCELLED, 7, "cancelled")                        \
	X(EINVAL, 8, "invalid argument")                     \
	X(ETOOBIG, 9, "the request is too long")             \
	X(EREQUEST, 10, "bad request")                       \
	X(EDENIED, 11, "not allowed")                        \
	X(ENOTFOUND, 12, "not found")                        \
	X(EBUSY, 13, "busy")                                 \
	X(EFAILED, 14, "failed")                             \
	X(EUNSUPPORTED, 15, "not supported")

enum ctshard_error {
#define X(name, number, words) CTSHARD_##name = -(number),
	CTSHARD_ERRORS(X)
#undef X
};

const char *ctshard_strerror(int error);

/* Which members of a struct are set. */
#define CTSHARD_TUPLE_PORTS   0x01u /* sport, dport */
#define CTSHARD_TUPLE_ICMP    0x02u /* type, code, icmp_id */
#define CTSHARD_TUPLE_GRE     0x04u /* srckey, dstkey */
#define CTSHARD_TUPLE_COUNTER 0x08u /* packets, bytes */
#define CTSHARD_TUPLE_ZONE    0x10u
#define CTSHARD_TUPLE_DELTA   0x20u /* delta_packets, delta_bytes */

struct ctshard_tuple {
	uint32_t has;
	uint8_t src[16]; /* 4 bytes are used when l3 is 4 */
	uint8_t dst[16];
	uint32_t sport;
	uint32_t dport;
	uint32_t type;
	uint32_t code;
	uint32_t icmp_id;
	uint32_t srckey;
	uint32_t dstkey;
	uint32_t zone;
	uint64_t packets;
	uint64_t bytes;
	/* DESTROY, and UPDATE by active_timeout: what was counted since the
	 * connection was last told of with these */
	uint64_t delta_packets;
	uint64_t delta_bytes;
};

struct ctshard_detail {
	const char *key;
	const char *value;
};

#define CTSHARD_CONN_TIMEOUT 0x001u
#define CTSHARD_CONN_MARK    0x002u
#define CTSHARD_CONN_ZONE    0x004u
#define CTSHARD_CONN_MASTER  0x008u
#define CTSHARD_CONN_LABELS  0x010u
#define CTSHARD_CONN_START   0x020u
#define CTSHARD_CONN_LAST    0x040u
#define CTSHARD_CONN_STOP    0x080u
#define CTSHARD_CONN_USE     0x100u
#define CTSHARD_CONN_SHARD   0x200u
#define CTSHARD_CONN_VERSION 0x400u

struct ctshard_conn {
	uint32_t has;
	uint64_t id;
	uint32_t l3; /* 4 or 6 */
	uint32_t protonum;
	const char *proto; /* NULL: without a name */
	const char *state; /* NULL: none */
	uint32_t status;   /* IPS_* as in CTA_STATUS */
	uint64_t timeout_ms;
	uint32_t mark;
	uint32_t zone;
	struct ctshard_tuple dir[2]; /* original, reply */
	const char *helper;          /* NULL: none */
	uint64_t master;
	uint8_t labels[16]; /* bit n = label n, the lowest in byte 0 */
	uint64_t start_ns;
	uint64_t last_ns;
	uint64_t stop_ns;
	const char *reason;
	uint32_t use;
	int timestamp; /* timestamp=1 when it was created */
	uint32_t shard;
	uint64_t shard_seq;
	uint32_t version;
	uint64_t now_ns; /* the tracker's clock, 0: not told */
	size_t n_detail;
	const struct ctshard_detail *detail;
	const uint8_t *private_data; /* of `whole` lists, or NULL */
	size_t private_len;
};

#define CTSHARD_EXPECT_PERMANENT 1u
#define CTSHARD_EXPECT_INACTIVE  2u

struct ctshard_expect {
	uint64_t id;
	uint32_t l3;
	uint32_t protonum;
	const char *proto; /* NULL: without a name */
	uint64_t timeout_ms;
	/* the tuple is compared where the mask has ones */
	struct ctshard_tuple tuple;
	struct ctshard_tuple mask;
	struct ctshard_tuple master; /* its original tuple */
	uint32_t master_protonum;
	uint64_t master_id;
	uint32_t zone;
	uint32_t flags; /* CTSHARD_EXPECT_* */
	uint32_t class_id;
	const char *class_name; /* NULL: none */
	const char *helper;     /* NULL: none */
	const char *assign;     /* NULL: none */
};

/* X(NAME, bit, "word"): IPS_* that are ever set */
#define CTSHARD_STATUS(X)                     \
	X(EXPECTED, 0, "EXPECTED")            \
	X(SEEN_REPLY, 1, "SEEN_REPLY")        \
	X(ASSURED, 2, "ASSURED")              \
	X(CONFIRMED, 3, "CONFIRMED")          \
	X(DYING, 9, "DYING")                  \
	X(FIXED_TIMEOUT, 10, "FIXED_TIMEOUT") \
	X(HELPER, 13, "HELPER")

enum ctshard_status {
#define X(name, bit, word) CTSHARD_S_##name = 1 << (bit),
	CTSHARD_STATUS(X)
#undef X
};

/* X(NAME, number, "word") */
#define CTSHARD_EVENTS(X)          \
	X(NEW, 1, "NEW")           \
	X(UPDATE, 2, "UPDATE")     \
	X(DESTROY, 3, "DESTROY")   \
	X(LIST, 4, "LIST")         \
	X(LIST_END, 5, "LIST_END") \
	X(GAP, 6, "GAP")           \
	X(POSITION, 7, "POSITION") \
	X(AUDIT, 8, "AUDIT")

enum ctshard_event_type {
#define X(name, number, word) CTSHARD_##name = (number),
	CTSHARD_EVENTS(X)
#undef X
};

/* bits of ctshard_event.bits that a printer looks at (IPCT_*) */
#define CTSHARD_BIT_PROTOINFO (1u << 5)
#define CTSHARD_BIT_MARK      (1u << 7)
#define CTSHARD_BIT_LABEL     (1u << 10)

/* who asked for which change; `request` is as the daemon's log has it */
struct ctshard_audit {
	uint32_t uid;
	uint32_t pid;
	const char *request;
};

struct ctshard_event {
	enum ctshard_event_type type;
	uint64_t seq;
	uint64_t time_ns;
	const struct ctshard_conn *conn; /* NULL: LIST_END, GAP, AUDIT */
	uint32_t bits;
	uint64_t from;
	uint64_t to;
	uint64_t lost;
	const char *source;
	int restored;                        /* NEW: it lived before */
	const struct ctshard_expect *expect; /* ctshard_expect_watch() */
	const struct ctshard_audit *audit;   /* AUDIT */
};

struct ctshard_net {
	uint8_t addr[16];
	uint8_t len; /* 4 or 16; 0: not set */
	uint8_t prefix;
};

struct ctshard_range {
	uint32_t from;
	uint32_t to;
};

/*
 * The scalar members of a filter: X(NAME, member, type).  All members that are
 * set must hold.
 */
#define CTSHARD_FILTER_SCALARS(X)               \
	X(L3, l3, uint32_t)                     \
	X(PROTONUM, protonum, uint32_t)         \
	X(STATUS_SET, status_set, uint32_t)     \
	X(STATUS_CLEAR, status_clear, uint32_t) \
	X(MARK, mark, uint32_t)                 \
	X(MARK_MASK, mark_mask, uint32_t)       \
	X(ZONE, zone, uint32_t)                 \
	X(ORIG_ZONE, orig_zone, uint32_t)       \
	X(REPLY_ZONE, reply_zone, uint32_t)     \
	X(ICMP_TYPE, icmp_type, uint32_t)       \
	X(ICMP_CODE, icmp_code, uint32_t)       \
	X(ICMP_ID, icmp_id, uint32_t)           \
	X(SRCKEY, srckey, uint32_t)             \
	X(DSTKEY, dstkey, uint32_t)             \
	X(ID, id, uint64_t)                     \
	X(ID32, id32, uint32_t)                 \
	X(IFACE, iface, uint32_t)               \
	X(VLAN, vlan, uint32_t)

#define CTSHARD_FILTER_NETS(X)  \
	X(ORIG_SRC, orig_src)   \
	X(ORIG_DST, orig_dst)   \
	X(REPLY_SRC, reply_src) \
	X(REPLY_DST, reply_dst) \
	X(ANY_ADDR, any_addr)

#define CTSHARD_FILTER_RANGES(X)    \
	X(SPORT, sport)             \
	X(DPORT, dport)             \
	X(REPLY_SPORT, reply_sport) \
	X(REPLY_DPORT, reply_dport)

enum ctshard_filter_bit {
#define X(name, ...) CTSHARD_FILTER_BIT_##name,
	CTSHARD_FILTER_SCALARS(X) CTSHARD_FILTER_NETS(X)
		CTSHARD_FILTER_RANGES(X) X(STATE, state) X(LABELS, labels)
			X(EXPRESSION, expression)
#undef X
};

#define CTSHARD_FILTER_HAS(name) (1ull << CTSHARD_FILTER_BIT_##name)

struct ctshard_filter {
	uint64_t has; /* CTSHARD_FILTER_HAS(NAME) */
#define X(name, member, type) type member;
	CTSHARD_FILTER_SCALARS(X)
#undef X
#define X(name, member) struct ctshard_net member;
	CTSHARD_FILTER_NETS(X)
#undef X
#define X(name, member) struct ctshard_range member;
	CTSHARD_FILTER_RANGES(X)
#undef X
	const char *state;
	const char *expression;
	uint8_t labels[16];
	void *reserved[8];
};

#define CTSHARD_TRACE_FRAME      0x01u
#define CTSHARD_TRACE_SINCE      0x02u
#define CTSHARD_TRACE_ZONE_REPLY 0x04u
#define CTSHARD_TRACE_CONN       0x08u
#define CTSHARD_TRACE_BEFORE     0x10u
#define CTSHARD_TRACE_AFTER      0x20u
#define CTSHARD_TRACE_FRAGMENT   0x40u

/* a connection before or after a packet */
struct ctshard_trace_conn {
	const char *state; /* NULL: none */
	uint64_t timeout_ms;
	uint32_t status;
	uint32_t mark;
	size_t n_inside;
	const struct ctshard_detail *inside;
};

struct ctshard_trace_rule {
	const char *name;
	const char *gave;
};

/* a packet of Trace; with `lost` nothing else is set */
struct ctshard_trace {
	uint32_t has;
	uint64_t lost;
	uint64_t frame;
	uint64_t time_ns;
	uint64_t since_ns;
	uint32_t l3;
	uint32_t protonum;
	const char *proto; /* NULL: without a name */
	struct ctshard_tuple packet;
	uint32_t length;
	size_t n_header;
	const struct ctshard_detail *header;
	uint32_t quoted_protonum;
	const char *quoted_proto;
	const struct ctshard_tuple *quoted; /* NULL: none */
	int reassembled;
	const char *direction; /* NULL: of no connection */
	const char *class_name;
	const char *verdict;
	const char *reason; /* NULL: none */
	size_t n_rule;
	const struct ctshard_trace_rule *rule;
	uint32_t zone;
	uint32_t zone_reply;
	uint64_t conn;
	int reopened;
	struct ctshard_trace_conn before, after;
	uint32_t
		fragments; /* of its datagram, with this one; 0: in one piece */
	size_t n_fragment_frame; /* the first others of them */
	const uint64_t *fragment_frame;
	uint32_t fragment_from, fragment_to; /* a fragment alone: its bytes */
};

struct ctshard_counter {
	int total;  /* of all workers; `worker` means nothing then */
	int worker; /* -1: the reaper */
	const char *name;
	uint64_t value;
};

struct ctshard_count {
	const char *key; /* NULL: the whole */
	uint64_t count;
};

struct ctshard_table {
	const char *name;
	size_t columns;
	const char *const *column;
};

struct ctshard_row {
	const struct ctshard_table *table;
	size_t cells;
	const char *const *cell;
};

/*
 * What to call for the parts of an answer; NULL: not interested.  A callback
 * that returns non-zero cancels its request.  `done` is called once, last, with
 * 0 or an error and the daemon's words for it (or NULL); ctshard_close alone
 * ends requests without calling anything.
 */
struct ctshard_handler {
	void *arg;
	int (*conn)(void *arg, const struct ctshard_conn *conn);
	int (*event)(void *arg, const struct ctshard_event *event);
	int (*count)(void *arg, const struct ctshard_count *count);
	int (*counter)(void *arg, const struct ctshard_counter *counter);
	int (*table)(void *arg, const struct ctshard_table *table);
	int (*row)(void *arg, const struct ctshard_row *row);
	int (*fault)(void *arg, const char *text);
	int (*affected)(void *arg, uint64_t count);
	int (*text)(void *arg, const char *text, size_t len);
	void (*done)(void *arg, int error, const char *text);
	int (*expect)(void *arg, const struct ctshard_expect *expect);
	int (*trace)(void *arg, const struct ctshard_trace *trace);
	void *reserved[8];
};

struct ctshard;

#define CTSHARD_CONTROL 1u /* control.sock: may change things */

/*
 * Connect to the daemon of a run directory (NULL: CTSHARD_RUNDIR) and say
 * hello: waits for a daemon that does not answer, but no longer than some
 * seconds.  *out is set even on failure, so that its ctshard_errmsg can be
 * read, and must be closed; it is NULL when there is no memory for it, which
 * ctshard_errmsg and ctshard_close take, too.
 */
int ctshard_open(const char *rundir, unsigned flags, struct ctshard **out);
void ctshard_close(struct ctshard *c);
const char *ctshard_errmsg(const struct ctshard *c);

struct ctshard_peer {
	const char *version;
	uint8_t uuid[16];
	uint64_t seq; /* of the newest event at hello */
	uint64_t pid; /* of the supervisor */
};

const struct ctshard_peer *ctshard_peer(const struct ctshard *c);

/*
 * The caller's loop: descriptor (-1: lost, which poll(2) passes over), poll(2)
 * events to wait for, what to do then.  Dispatching never waits, and does so
 * much and no more: what is left, the descriptor tells again.  Who does not
 * dispatch for a while is not worked for by the daemon, and harms nobody.
 */
int ctshard_fd(const struct ctshard *c);
short ctshard_events(const struct ctshard *c);
int ctshard_dispatch(struct ctshard *c);

/*
 * Until the request has ended: its error, or CTSHARD_EINTR when a signal came
 * (call again to go on).  Only for requests whose handler has no `done`; those
 * must be waited for.  It has no time limit: who wants one has a loop.
 */
int ctshard_wait(struct ctshard *c, uint64_t id);

/* Ends a request early; no callback of it is called any more, but `done`, now.
 * One that is waited for must be, still. */
int ctshard_cancel(struct ctshard *c, uint64_t id);

struct ctshard_list_opts {
	const struct ctshard_filter *filter; /* NULL: all */
	uint64_t limit;                      /* 0: none */
	int whole;                           /* with private_data, for add */
	int brief;                           /* without details */
	void *reserved[4];
};

struct ctshard_count_opts {
	const struct ctshard_filter *filter;
	const char *by; /* NULL, or proto, state, zone, shard */
	void *reserved[4];
};

/*
 * Events are numbered, one by one, over all kinds, told to this caller or not;
 * a number belongs to the table whose UUID the daemon tells when a handle is
 * opened (ctshard_peer).  After DESTROY nothing more comes of a connection.
 *
 * To hold a copy of the table: `snapshot`.  LIST rows come, then LIST_END with
 * a number, then all events after it.  A row may be newer than that number, so
 * events may follow that tell what the row has: of two accounts of one
 * connection the one with the higher `version` is the newer (they wrap: compare
 * the difference, as int32_t), and a DESTROY of a connection that is not known
 * means nothing.
 *
 * To go on, after a restart of anything: `since` with the number of the last
 * event that was worked off (LIST_END's, POSITION's, or GAP's `to` - 1) and
 * `uuid` with the table's.  What comes is what would have come, or first of all
 * a GAP: `lost` events, those between `from` and `to`, are gone, because the
 * log does not reach so far back, a process was slow, or it is another table.
 * A copy needs another snapshot then.
 */
struct ctshard_watch_opts {
	const struct ctshard_filter *filter;
	/* 1 << event type; 0: all but AUDIT.  GAP and LIST always come */
	uint32_t types;
	int has_since;
	uint64_t since;
	const uint8_t *uuid; /* 16 bytes, or NULL */
	int from_start;      /* as far back as the log reaches */
	int snapshot;
	int until_end; /* captures: the request ends with them */
	int brief;     /* without details */
	/* CTSHARD_POSITION, about once a second, where a filter or `types` hide
	 * events: a number to go on from that is no older than it need be */
	int positions;
	void *reserved[4];
};

struct ctshard_trace_opts {
	const struct ctshard_filter *filter; /* NULL: all packets */
	int until_end;
	void *reserved[4];
};

struct ctshard_history_opts {
	const struct ctshard_filter *filter; /* NULL: all */
	uint64_t since_ns;                   /* 0: as far back as it goes */
	uint64_t until_ns;                   /* 0: until now */
	uint64_t limit;                      /* 0: none */
	void *reserved[4];
};

struct ctshard_pair {
	const char *key;
	const char *value;
};

struct ctshard_update_opts {
	const struct ctshard_filter *filter;
	int has_mark;
	uint32_t mark;
	uint32_t mark_mask;
	int has_timeout;
	uint64_t timeout_s;
	const uint8_t *labels_set;   /* 16 bytes, or NULL */
	const uint8_t *labels_clear; /* 16 bytes, or NULL */
	uint32_t status_set;
	const char *state; /* or NULL; the filter must have protonum then */
	void *reserved[3];
};

/*
 * Requests.  Each queues one and returns; *id names it for ctshard_wait and
 * ctshard_cancel (NULL: not needed).  Options that are NULL are those of all
 * zeros, a handler that is NULL has no callbacks.
 */
int ctshard_list(struct ctshard *c, const struct ctshard_list_opts *o,
                 const struct ctshard_handler *h, uint64_t *id);
int ctshard_get(struct ctshard *c, const struct ctshard_filter *f,
                const struct ctshard_handler *h, uint64_t *id);
/* Connections that have ended: rows to the handler's `conn`. */
int ctshard_history(struct ctshard *c, const struct ctshard_history_opts *o,
                    const struct ctshard_handler *h, uint64_t *id);
int ctshard_count(struct ctshard *c, const struct ctshard_count_opts *o,
                  const struct ctshard_handler *h, uint64_t *id);
int ctshard_watch(struct ctshard *c, const struct ctshard_watch_opts *o,
                  const struct ctshard_handler *h, uint64_t *id);
/* Expectations: a filter may have l3 and protonum alone, and there is no
 * snapshot; the events are NEW, DESTROY, GAP, and LIST_END where it begins. */
int ctshard_expect_list(struct ctshard *c, const struct ctshard_list_opts *o,
                        const struct ctshard_handler *h, uint64_t *id);
int ctshard_expect_watch(struct ctshard *c, const struct ctshard_watch_opts *o,
                         const struct ctshard_handler *h, uint64_t *id);
int ctshard_expect_count(struct ctshard *c, const struct ctshard_count_opts *o,
                         const struct ctshard_handler *h, uint64_t *id);
int ctshard_stats(struct ctshard *c, const struct ctshard_handler *h,
                  uint64_t *id);
int ctshard_show(struct ctshard *c, const char *const *what, size_t n,
                 const struct ctshard_handler *h, uint64_t *id);
int ctshard_set(struct ctshard *c, const struct ctshard_pair *item, size_t n,
                const struct ctshard_handler *h, uint64_t *id);
/* Delete and update: how many to the handler's `affected`; with a `conn` there
 * it gets what was deleted as it was, what was updated as it is now. */
int ctshard_delete(struct ctshard *c, const struct ctshard_filter *f,
                   const struct ctshard_handler *h, uint64_t *id);
int ctshard_flush(struct ctshard *c, uint32_t l3,
                  const struct ctshard_handler *h, uint64_t *id);
/* All expectations: how many to `affected`. */
int ctshard_expect_flush(struct ctshard *c, uint32_t l3,
                         const struct ctshard_handler *h, uint64_t *id);
int ctshard_update(struct ctshard *c, const struct ctshard_update_opts *o,
                   const struct ctshard_handler *h, uint64_t *id);
/* Make connections: l3, protonum, both directions (reply: all zero but `has`
 * if it mirrors the original), timeout_ms, state, status, mark, zones, labels,
 * start_ns and private_data are looked at.  Each that is not made is a `fault`
 * "N: why", N its place in `conn`. */
#define CTSHARD_ADD_MAX 128
int ctshard_add(struct ctshard *c, const struct ctshard_conn *conn, size_t n,
                int restored, const struct ctshard_handler *h, uint64_t *id);
/* A snapshot's bytes, in parts, to the handler's `text`. */
int ctshard_dump(struct ctshard *c, const struct ctshard_handler *h,
                 uint64_t *id);
/* One message of a snapshot: answered as ctshard_add. */
int ctshard_restore(struct ctshard *c, const void *message, size_t len,
                    const struct ctshard_handler *h, uint64_t *id);
/* List, and take what is told off the counters. */
int ctshard_zero(struct ctshard *c, const struct ctshard_filter *f,
                 const struct ctshard_handler *h, uint64_t *id);
/* Faults to `fault`; with `count`, too, how many shards are done. */
int ctshard_check(struct ctshard *c, int deep, const struct ctshard_handler *h,
                  uint64_t *id);
/* OpenMetrics, to the handler's `text` */
int ctshard_metrics(struct ctshard *c, const struct ctshard_handler *h,
                    uint64_t *id);
int ctshard_start(struct ctshard *c, const struct ctshard_handler *h,
                  uint64_t *id);
int ctshard_wait_end(struct ctshard *c, const struct ctshard_handler *h,
                     uint64_t *id);
int ctshard_trace(struct ctshard *c, const struct ctshard_trace_opts *o,
                  const struct ctshard_handler *h, uint64_t *id);

#ifdef __cplusplus
}
#endif

#endif

/*
 * layout.h - the map of what processes share.
 *
 * Segments are files below `shm_dir` (or memfds, for a private table):
 *
 *	segment  what                                   who writes
 *	tbl      header, shards, index lines, chk[],    workers, reaper;
 *	         entries with details, IPv6 addresses,  the api reads
 *	         extension records
 *	proc     one page a process slot                each its own page
 *	ev.N     ring of events, of traced packets,     workers, reaper (a
 *	         capture cursor, counters of N          repairer finishes for N)
 *	mlog     merged log, command ring, what is      api
 *	         to be traced
 *	pol      policy blocks, RCU epoch               supervisor
 *	key      hash key, steering key (0600)          supervisor, once
 *
 * No pointers, only indices, and whoever turns one into an address checks it
 * against private copies of the geometry.  Every size and offset that two
 * builds must agree on enters the layout hash (layout.c).
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include "shm/conn.h"
#include "shm/event.h"
#include "shm/hash.h"
#include "shm/policy.h"
#include "shm/stats.h"
#include "shm/trace.h"

#define TBL_MAGIC    0x31304448534354ull /* "TCSHD01" */
#define LAYOUT_MAJOR 2u                  /* earlier ones: migrate.h */
#define LAYOUT_MINOR 0u

#define NSHARD        256u
#define NWORKER_MAX   64u
#define SLOT_REAPER   64u
#define SLOT_API      65u
#define SLOT_SUPER    66u
#define SLOT_RECORDER 67u
#define NSLOT         68u
#define NRING         65u /* workers and the reaper */

#define PAGE 4096u

/* capture positions: one a source of a worker; the last counts operations that
 * belong to no packet (expiry, victims, commands) */
#define NSOURCE 16u
#define SOURCE_EXPECT                                          \
	14u /* what a packet did to expectations, see expect.h \
	     */
#define SOURCE_OPS 15u

/* Expectations are a table of their own behind the shards: one shard, entries
 * of the same kind, the same operations (expect.h). */
#define EXPECT_ROOM   8192u
#define EXPECT_BUCKET (EXPECT_ROOM / 8)
#define EXPECT_HOSTS  1024u
#define EXPECT_LINE   (EXPECT_BUCKET + EXPECT_BUCKET / 8)

/* events are numbered by shard, those of expectations on their own */
#define STREAM_EXPECT NSHARD
#define NSTREAM       (NSHARD + 1)

enum op { OP_IDLE, OP_UPDATE, OP_INSERT, OP_DELETE, OP_REBUILD };

/* where an insert takes its index from; list or bump of either family */
enum op_from { FROM_LIST4, FROM_LIST6, FROM_BUMP4, FROM_BUMP6 };

#define LINE_SLOTS 15u
/* op_lnext: the line to link comes from the bump, not from the free list */
#define LINE_FROM_BUMP 0xffffffffu

/* one line of the index: 15 x (8 bit tag, 24 bit index), overflow line */
struct line {
	uint32_t slot[LINE_SLOTS];
	uint32_t next;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct line) == 64, "line");

#define SLOT_IDX 0x00ffffffu
#define SLOT_TAG 0xff000000u

struct shard {
	/* line 0: lock and op record, written before the op's first store; all
	 * that an update without an event needs */
	uint32_t lock; /* incarnation << 8 | slot + 1, 0 = free */
	uint32_t op;
	uint32_t op_idx;
	uint32_t op_seq; /* the entry's even seq before the op */
	uint64_t op_pkt; /* capture cursor after the op, 0 = leave it */
	uint16_t op_owner;
	uint16_t op_src;
	uint32_t op_ordinal;
	uint32_t op_slot; /* line << 4 | i */
	uint32_t op_line; /* line to link or to trim, 0 = none */
	uint32_t op_prev;
	uint32_t op_lnext;
	uint32_t op_cnt;
	uint32_t op_ext;  /* record taken or given back by the op, 0 = none */
	uint64_t op_tail; /* ring position behind the op's event, 0 = none */
	/* line 1: the lock holder's */
	uint32_t free_head[2]; /* FIFO lists by family: [0] IPv4, [1] IPv6 */
	uint32_t free_tail[2];
	uint32_t bump[2]; /* [0] up from 1, [1] down from cap - 1 */
	uint32_t count;
	uint32_t ovf_free;
	uint32_t ovf_bump;
	uint32_t addr6_ready; /* entries of addr6[] that have memory */
	uint64_t ev_seq;
	uint64_t op_ev;
	uint32_t op_from;
	uint32_t pad;
	/* line 2: extension records, like overflow lines */
	uint32_t ext_free;
	uint32_t ext_bump;
	uint32_t ext_ready; /* records that have memory */
	uint32_t op_enext;  /* what follows op_ext on the free list */
	uint32_t op_gen;    /* of the entry before an insert */
	uint32_t repairs;
	uint32_t damaged;  /* times rebuilt from the entries */
	uint32_t serial;   /* expectations: number of the next */
	uint32_t isolated; /* out of use: see mend.h */
	uint32_t spare[7];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct shard) == 192, "shard");
_Static_assert(offsetof(struct shard, free_head) == 64, "shard line 1");
_Static_assert(offsetof(struct shard, ext_free) == 128, "shard line 2");

/*
 * What an update or delete under way overwrites.  A process has at most one
 * under way in the table of connections, and one in that of expectations
 * within it; so there are two of these, and they stand in its ring header,
 * where they stay in the processor's nearest cache; the record's op_owner says
 * in whose.  A successor in the slot does not touch them before the shard is
 * repaired.
 */
enum { UNDO_CONN, UNDO_EXPECT, NUNDO };

struct undo {
	uint8_t entry[CONN_UNDO_LEN]; /* behind its key */
	uint64_t last_ns;             /* of the detail line */
	uint32_t rate[2];             /* likewise */
	uint32_t whole;               /* UNDO_*: what below is valid */
	uint32_t pad[1];
	struct conn_detail detail;
	struct conn_ext ext; /* if the entry has a record */
	struct conn_told told;
	uint8_t spare[24];
};
_Static_assert(sizeof(struct undo) == 384, "undo");

/* the whole detail line, not last_ns and rate alone; what was told */
#define UNDO_WHOLE 1u
#define UNDO_TOLD  2u

/* areas of the table segment: AREA(name, type, count) */
enum area {
	AREA_SHARD,
	AREA_LINE,
	AREA_CHK,
	AREA_CONN, /* with its detail line, if these are there */
	AREA_EXPECT,
	AREA_ADDR6,
	AREA_EXT,
	AREA_TOLD,
	AREA_COUNT
};

/* what stands in AREA_EXPECT, all of it always in memory */
struct expect_area {
	struct shard shard;
	struct line line[EXPECT_LINE];
	uint32_t chk[EXPECT_ROOM];
	uint32_t tag[EXPECT_ROOM]; /* of the master and its source: a hint */
	/* by a hash of addresses: tick of the latest packet of a connection
	 * with a helper, 0 = none; [0] of any address */
	uint32_t host[EXPECT_HOSTS];
	struct conn_entry entry[EXPECT_ROOM]; /* detail: struct expect_info */
	struct addr6 addr6[EXPECT_ROOM];
};

enum seg_state { SEG_INIT, SEG_READY };

/* The check of all shards after an unclean start, written by the reaper, whose
 * heir goes on with it.  `next` counts shards, then that of the expectations;
 * `tries` of it have begun. */
struct check_state {
	uint32_t generation; /* that it belongs to, 0 = never */
	uint32_t next, tries;
	uint32_t faulty;   /* shards in which something was wrong, of these: */
	uint32_t rebuilt;  /* put in order from their entries */
	uint32_t emptied;  /* begun anew without connections */
	uint32_t isolated; /* taken out of use */
	uint32_t over;
	uint64_t lost;             /* connections that could not be kept */
	uint64_t begin_ns, end_ns; /* monotonic */
};
enum clock_mode { CLOCK_LIVE, CLOCK_CAPTURE };

struct tbl_header {
	/* what two builds must agree on */
	uint64_t magic;
	uint32_t major, minor;
	uint64_t layout; /* hash of the layout */
	uint32_t endian; /* 0x01020304 */
	uint32_t page;
	uint8_t boot_id[16];
	uint8_t uuid[16];
	/* geometry, never changed */
	uint64_t size;
	uint32_t nshard;
	uint32_t cap;     /* entries a shard, index 0 unused */
	uint32_t nbucket; /* main lines a shard */
	uint32_t nline;   /* and with overflow lines */
	uint32_t max;     /* connections that the room was made for */
	uint32_t detail;  /* detail lines are there */
	uint32_t hash_id;
	uint32_t sparse;     /* private memory: pages come when touched */
	uint32_t ring_cells; /* of each ring, a power of two */
	uint32_t log_slots;  /* of the merged log, a power of two */
	uint32_t clock_mode; /* enum clock_mode */
	uint64_t off[AREA_COUNT];
	uint64_t t0_mono_ns; /* live: tick 0 */
	uint64_t source_id;  /* of the captures (device, inode, size), or 0 */
	uint64_t sum;        /* FNV-1a of all above */
	/* written while running, each on a line of its own */
	uint32_t state __attribute__((aligned(64)));
	uint32_t generation; /* starts of the daemon */
	uint32_t nworker;    /* set by the supervisor before roles start */
	uint64_t clock_ns __attribute__((aligned(64))); /* capture: now */
	uint64_t budget __attribute__((aligned(64)));   /* connections drawn */
	uint32_t pressure __attribute__((aligned(64)));
	uint32_t generation_clean; /* generation that ended cleanly */
	uint64_t t0_real_ns;       /* tick 0; capture: set by the first frame */
	uint64_t huge_bytes;       /* of this segment in huge pages (reaper) */
	struct check_state check __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct tbl_header) <= PAGE, "header page");

struct pend_item {
	uint64_t value;
	uint32_t counter;
	uint32_t pad;
};
#define NPEND     32u
#define PEND_FOLD (~0ull) /* pend_cursor: the log's sums, not a packet's */

/* Packets of a batch, each with the counters that it raises by one (a bit
 * each), by distance from the window's last packet. */
#define NCOUNT 64u
_Static_assert(CTR_COUNT <= 32 && CTR_COUNT <= NPEND, "a bit a counter");

/* Commands from the api to the reaper: a ring in mlog, because the api writes
 * there alone; answers stand in the reaper's ring header, likewise. */
#define NCOMMAND 64u

struct command {
	uint64_t number; /* + 1 when filled: number + 1 */
	uint32_t kind;   /* enum command_kind */
	uint32_t uid;    /* of the peer that asked */
	uint64_t id;     /* of the connection */
	uint32_t value, mask;
	uint64_t seconds;
	uint64_t labels[4];
	uint32_t bits;
	uint32_t pid;
};
_Static_assert(sizeof(struct command) == 80, "command");

enum command_kind {
	COMMAND_NONE,
	COMMAND_DELETE, /* id; value = enum conn_reason */
	COMMAND_UPDATE, /* id; bits = COMMAND_F_*, value/mask, seconds, ... */
	COMMAND_CHECK,  /* shard `value`, NSHARD: expectations */
	COMMAND_ADD,    /* what stands in the command's place of `add`;
	                 * id = its master, or 0 */
	COMMAND_ZERO,   /* id; labels = packets and bytes to be taken off */
	/* of the connection `id`: the expected tuple in the command's place of
	 * `add`, and struct command_expect in its `priv`; value = most of its
	 * class, 0 = no limit */
	COMMAND_EXPECT,
	COMMAND_EXPECT_DELETE /* id, of an expectation */
};
#define COMMAND_F_MARK     1u
#define COMMAND_F_TIMEOUT  2u
#define COMMAND_F_STATUS   4u
#define COMMAND_F_LABELS   8u
#define COMMAND_F_RESTORED 16u /* ADD: it lived before */
#define COMMAND_F_PRIVATE  32u /* ADD: `priv` and `detail` are meant */
#define COMMAND_F_STATE    64u /* which: above COMMAND_STATE */
#define COMMAND_STATE      24u

/* a connection to be made: its original tuple, and what is known of it */
struct command_conn {
	uint8_t addr[2][16]; /* source, destination; IPv4: 4 bytes */
	uint64_t packets[2], bytes[2];
	uint64_t labels[2];
	uint64_t start_ns;
	uint64_t timeout_ms;
	uint32_t status, mark;
	uint16_t port[2]; /* as in struct trk_tuple */
	uint16_t zone[2]; /* of the original direction, of the reply */
	uint8_t l3, l4proto, state;
	uint8_t priv[CONN_PRIV];
	uint8_t helper; /* number, 0 = none */
	uint8_t pad;
	struct conn_detail detail;
};
_Static_assert(sizeof(struct command_conn) == 232, "command_conn");

struct command_expect {
	uint8_t src_len, class, flags, assign; /* as in struct expect_info */
};

struct command_answer {
	uint64_t number; /* of the command + 1 */
	uint64_t affected;
	int32_t error; /* -errno */
	uint32_t faults;
	char text[104];
};
_Static_assert(sizeof(struct command_answer) == 128, "command_answer");

/* Live: where the numbers of an interface's frames stand in its kernel's ring,
 * in two copies of which `which` names the good one. */
struct ring_place {
	uint32_t which;
	uint32_t spare;
	struct ring_anchor {
		uint64_t generation; /* of the ring */
		uint64_t block;      /* this block of it ... */
		uint64_t count;      /* ... begins behind this frame */
	} at[2];
};

/* What a worker's source says of an interface, as the figures below are. */
struct iface_figures {
	uint64_t received, drop_kernel, drop_interface, bytes;
	uint64_t base_received, base_kernel, base_interface, base_bytes;
	uint64_t back;    /* times that its clock went back */
	uint64_t back_ns; /* and the furthest */
	int64_t lag_ns;   /* live: of its freshest packet behind our clock */
};

/* header of a ring segment; records of traced packets follow behind
 * RING_TRACE, the cells behind RING_HEADER */
struct ring_header {
	/* the producer's; a repairer stores tail and ordinal for it */
	uint64_t intent; /* cells below intent - ncells are being overwritten */
	uint64_t tail;   /* cells published */
	uint32_t ordinal; /* events published, modulo 2^32 */
	uint32_t ncells;
	uint32_t credit; /* of the connection budget, not used up */
	uint32_t spare;
	uint64_t cursor[NSOURCE] __attribute__((aligned(64)));
	struct undo undo[NUNDO] __attribute__((aligned(64)));
	/* Counters that belong to the packet with cursor `pend_cursor`: written
	 * before the cursor moves, applied after.  Recovery applies them iff
	 * the cursor did move. */
	uint64_t pend_cursor __attribute__((aligned(64)));
	/* The same for counts of one, of source 0: written before the cursor
	 * moves too, but added up a batch at a time.  What lies above the
	 * cursor never counts (proc.h). */
	uint64_t count_last; /* packet of count[0]; 0 = closed */
	uint32_t count[NCOUNT];
	uint32_t pend_src;
	uint32_t npend;
	struct pend_item pend[NPEND];
	/* Records of traced packets told; `trace_next` if the cursor is
	 * `trace_cursor`. */
	uint64_t trace_tail, trace_next, trace_cursor, trace_src;
	/* what the actions came to that the packet at cursor[SOURCE_EXPECT]
	 * has done, by number (expect.h) */
	uint8_t acted[256];
	uint64_t counter[STATS_SLOTS] __attribute__((aligned(64)));
	/* figures of the source, absolute: base of dead predecessors + own */
	uint64_t drop_kernel, drop_interface, received;
	uint64_t base_kernel, base_interface, base_received;
	struct iface_figures iface[STATS_IFACES];
	uint32_t ended; /* capture: 1 every frame worked off, 2 broken file */
	uint32_t commands_done; /* reaper: answers given, modulo 2^32 */
	uint64_t done;          /* capture: last frame looked at */
	uint64_t clock_ns; /* capture: its clock before the batch under way */
	char error[256];   /* what was wrong with the capture */
	struct ring_place place[SOURCE_EXPECT];
	struct command_answer answer[NCOMMAND] __attribute__((aligned(64)));
};
#define RING_TRACE (4 * PAGE)
#define RING_HEADER \
	(RING_TRACE + TRACE_RECORDS * (uint32_t)sizeof(struct trace_rec))
_Static_assert(sizeof(struct ring_header) <= RING_TRACE, "ring header");
_Static_assert(RING_HEADER % PAGE == 0, "ring cells");

/* what the recorder has done, over all its lives; one for each file */
enum record_file { RECORD_FLOW_LOG, RECORD_HISTORY, RECORD_COUNT };

struct record_figures {
	uint64_t written, bytes, errors;
	uint64_t lost; /* events of all kinds, overwritten before it came */
	uint64_t gseq; /* the last event that it is done with */
};

/* What the supervisor sees of an interface. */
struct iface_state {
	uint32_t flags; /* IFACE_F_* */
	uint32_t mtu;
	uint32_t changes; /* times it went, came, or got another MTU */
	uint32_t spare;
	uint64_t moved_ns; /* monotonic: it was seen that packets arrived */
	uint64_t received; /* as of then */
};
#define IFACE_F_THERE 1u
#define IFACE_F_UP    2u
#define IFACE_F_GRO   4u
#define IFACE_F_LRO   8u
#define IFACE_F_QUIET 16u /* that nothing arrives has been told */

/* one page a process; its own page is the only one that a process may write,
 * but for the supervisor, who clears what the dead left */
struct proc_page {
	uint32_t token;       /* robust futex: TID, or |FUTEX_OWNER_DIED */
	uint32_t incarnation; /* + 1 at each attach */
	uint32_t role;
	uint32_t pid;
	uint64_t start_ns;
	uint32_t beat;  /* + 1 each turn of the loop */
	uint32_t state; /* enum proc_state */
	/* waiting longer than 20 ms for a shard: which, and the lock word */
	uint32_t blocked_shard, blocked_lock;
	uint32_t sleeping; /* api: wants the doorbell */
	/* part of its capture rings that waits for it, in percent */
	uint32_t fill;
	/* processor time used, and when that was looked at, now and before;
	 * `cpu_turn` says which is now */
	uint32_t cpu_turn;
	uint64_t cpu_ns[2], cpu_at_ns[2];
	/* supervisor: the interfaces of the daemon */
	struct iface_state iface[STATS_IFACES];
	/* RCU reader: 0 = offline, else the epoch seen; on a line of its own */
	uint64_t qs __attribute__((aligned(64)));
	/* recorder: the log's slot that it wants next, + 1; 0 = nobody does */
	uint64_t holds __attribute__((aligned(64)));
	struct record_figures record[RECORD_COUNT];
};
_Static_assert(sizeof(struct proc_page) <= PAGE, "proc page");

enum proc_state { PROC_NONE, PROC_STARTING, PROC_READY };

#define POLICY_BLOCKS 8u
#define RETIRED_NO    ~0ull

struct policy_segment {
	uint64_t epoch;
	uint32_t current;
	uint32_t version;
	uint64_t retired[POLICY_BLOCKS]; /* 0 free, RETIRED_NO in use */
	struct policy block[POLICY_BLOCKS] __attribute__((aligned(64)));
};

/* merged log: header, then log_slots slots */
struct mlog_header {
	uint64_t tail;           /* slots written */
	uint64_t gseq;           /* number of the newest event */
	uint64_t intent;         /* slots below intent - log_slots are going */
	uint64_t at_tail;        /* tail that the cursors below belong to */
	uint64_t cursor[NRING];  /* cells taken from each ring */
	uint32_t ordinal[NRING]; /* events taken or known lost */
	uint64_t next[NSTREAM];  /* next shard_seq wanted */
	uint64_t lost[NRING];    /* events lost by ring */
	uint32_t started;        /* capture held back: workers may begin */
	uint32_t lossless;       /* capture: producers wait for the log */
	uint64_t ncommand;       /* commands written */
	/* position + 1 of the furthest subscriber that still reads, if he is
	 * behind the tail, else 0 */
	uint64_t followed;
	struct command command[NCOMMAND] __attribute__((aligned(64)));
	struct command_conn add[NCOMMAND];
	/* on lines of their own: workers look at each batch */
	struct trace_want trace __attribute__((aligned(64)));
	uint64_t trace_taken[NRING] __attribute__((aligned(64)));
};
#define MLOG_HEADER (8 * PAGE)
_Static_assert(sizeof(struct mlog_header) <= MLOG_HEADER, "mlog header");

struct key_segment {
	uint64_t hash[HASH_KEYS];
	uint32_t steer[6]; /* daemon/pkt/steer.h; hash_fold() */
};

/* FNV-1a over sizes and offsets of all of the above */
uint64_t layout_hash(void);

#endif

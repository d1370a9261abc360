/*
 * layout1.h - layout version 1, as it was; see migrate.h.
 *
 * Nothing here changes any more, whatever becomes of the structures of today:
 * these are descriptions of files.  What version 2 took over without a change
 * has the fields' names of today, so that the lists in migrate1.c can name
 * both; what nobody needs of the old table is room without a name.
 */
#ifndef SHM_LAYOUT1_H
#define SHM_LAYOUT1_H

#include "shm/base.h"

#define L1_HASH        0xd84a37515d12e693ull
#define L1_NSHARD      256u
#define L1_NRING       65u
#define L1_NSOURCE     16u
#define L1_NPEND       32u
#define L1_NCOUNT      64u
#define L1_NSTREAM     257u
#define L1_NCOMMAND    64u
#define L1_PAGE        4096u
#define L1_EXPECT_ROOM 8192u
#define L1_EXPECT_HOST 1024u
#define L1_EXPECT_LINE (1024u + 128u)
#define L1_AREAS       8u
/* statistics: counters, reasons of decoding, helpers, mirror */
#define L1_COUNTERS 28u
#define L1_DECODE   24u
#define L1_HELPERS  96u
#define L1_HELPS    6u
#define L1_MIRROR   10u
#define L1_SLOTS    158u
#define L1_RING     (3 * L1_PAGE + 256 * 448u)
#define L1_MLOG     (8 * L1_PAGE)

struct key1 {
	uint32_t addr[2];
	uint16_t port[2];
	uint8_t l4proto;
	uint8_t flags;
	uint16_t zone;
};

struct addr61 {
	uint64_t a[2][2];
};

struct conn1 {
	uint32_t seq;
	uint32_t gen;
	struct key1 key;
	uint32_t status;
	uint32_t deadline;
	uint64_t packets[2];
	uint64_t bytes[2];
	uint8_t priv[51];
	uint8_t state;
	uint32_t start;
	uint32_t ext;
	uint32_t mark;
} __attribute__((aligned(128)));
_Static_assert(sizeof(struct conn1) == 128, "conn1");
#define L1_UNDO_FROM offsetof(struct conn1, status)

/* the detail line of an expectation is an expect_info of the same size */
struct detail1 {
	uint64_t start_ns;
	uint64_t last_ns;
	uint32_t rtt_us[2];
	uint32_t rate[2];
	uint16_t retrans[2];
	uint16_t disorder[2];
	uint8_t zero_window[2];
	uint8_t resets[2];
	uint8_t repairs[4];
	uint16_t dup[4];
	uint16_t vlan;
	uint16_t zone2;
	uint8_t iface;
	uint8_t policy;
	uint8_t marks;
	uint8_t dups;
};
_Static_assert(sizeof(struct detail1) == 64, "detail1");

struct info1 {
	uint64_t src[2];
	uint64_t master[2][2];
	uint16_t master_port[2];
	uint16_t sport;
	uint8_t src_len;
	uint8_t class;
	uint8_t flags;
	uint8_t helper;
	uint8_t assign;
	uint8_t master_proto;
	uint32_t serial;
};
_Static_assert(sizeof(struct info1) == sizeof(struct detail1), "info1");

struct ext1 {
	uint64_t labels[2];
	uint64_t master;
	uint32_t next;
	uint16_t spare;
	uint8_t helper;
	uint8_t policy;
	uint8_t priv[96] __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct ext1) == 128, "ext1");

struct line1 {
	uint32_t slot[15];
	uint32_t next;
} __attribute__((aligned(64)));

struct shard1 {
	uint32_t lock;
	uint32_t op;
	uint32_t op_idx;
	uint32_t op_seq;
	uint64_t op_pkt;
	uint16_t op_owner;
	uint16_t op_src;
	uint32_t op_ordinal;
	uint32_t op_slot;
	uint32_t op_line;
	uint32_t op_prev;
	uint32_t op_lnext;
	uint32_t op_cnt;
	uint32_t op_ext;
	uint64_t op_tail;
	uint32_t free_head[2];
	uint32_t free_tail[2];
	uint32_t bump[2];
	uint32_t count;
	uint32_t ovf_free;
	uint32_t ovf_bump;
	uint32_t addr6_ready;
	uint64_t ev_seq;
	uint64_t op_ev;
	uint32_t op_from;
	uint32_t pad;
	uint32_t ext_free;
	uint32_t ext_bump;
	uint32_t ext_ready;
	uint32_t op_enext;
	uint32_t op_gen;
	uint32_t repairs;
	uint32_t damaged;
	uint32_t serial;
	uint32_t spare[8];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct shard1) == 192, "shard1");

struct undo1 {
	uint8_t entry[sizeof(struct conn1) - L1_UNDO_FROM];
	uint64_t last_ns;
	uint32_t whole;
	uint32_t pad[3];
	struct detail1 detail;
	struct ext1 ext;
};
_Static_assert(sizeof(struct undo1) == 320, "undo1");

struct expect_area1 {
	struct shard1 shard;
	struct line1 line[L1_EXPECT_LINE];
	uint32_t chk[L1_EXPECT_ROOM];
	uint32_t tag[L1_EXPECT_ROOM];
	uint32_t host[L1_EXPECT_HOST];
	struct conn1 conn[L1_EXPECT_ROOM];
	struct detail1 detail[L1_EXPECT_ROOM];
	struct addr61 addr6[L1_EXPECT_ROOM];
};
_Static_assert(sizeof(struct expect_area1) == 1978624, "expect_area1");

/* order of the areas in off[] */
enum {
	L1_SHARD,
	L1_LINE,
	L1_CHK,
	L1_CONN,
	L1_DETAIL,
	L1_EXPECT,
	L1_ADDR6,
	L1_EXT
};

struct header1 {
	uint64_t magic;
	uint32_t major, minor;
	uint64_t layout;
	uint32_t endian;
	uint32_t page;
	uint8_t boot_id[16];
	uint8_t uuid[16];
	uint64_t size;
	uint32_t nshard;
	uint32_t cap;
	uint32_t nbucket;
	uint32_t nline;
	uint32_t max;
	uint32_t detail;
	uint32_t hash_id;
	uint32_t sparse;
	uint32_t ring_cells;
	uint32_t log_slots;
	uint32_t clock_mode;
	uint64_t off[L1_AREAS];
	uint64_t t0_mono_ns;
	uint64_t source_id;
	uint64_t sum;
	uint32_t state __attribute__((aligned(64)));
	uint32_t generation;
	uint32_t nworker;
	uint64_t clock_ns __attribute__((aligned(64)));
	uint64_t budget __attribute__((aligned(64)));
	uint32_t pressure __attribute__((aligned(64)));
	uint32_t generation_clean;
	uint64_t t0_real_ns;
	uint64_t huge_bytes;
};
_Static_assert(sizeof(struct header1) == 512, "header1");

struct pend1 {
	uint64_t value;
	uint32_t counter;
	uint32_t pad;
};

struct anchor1 {
	uint64_t generation;
	uint64_t block;
	uint64_t count;
};

struct place1 {
	uint32_t which;
	uint32_t spare;
	struct anchor1 at[2];
};

struct answer1 {
	uint64_t number;
	uint64_t affected;
	int32_t error;
	uint32_t faults;
	char text[104];
};

struct ring1 {
	uint64_t intent;
	uint64_t tail;
	uint32_t ordinal;
	uint32_t ncells;
	uint32_t credit;
	uint32_t spare;
	uint64_t cursor[L1_NSOURCE] __attribute__((aligned(64)));
	struct undo1 undo[2] __attribute__((aligned(64)));
	uint64_t pend_cursor __attribute__((aligned(64)));
	uint64_t count_last;
	uint32_t count[L1_NCOUNT];
	uint32_t pend_src;
	uint32_t npend;
	struct pend1 pend[L1_NPEND];
	uint64_t trace_tail, trace_next, trace_cursor, trace_src;
	uint64_t counter[L1_SLOTS] __attribute__((aligned(64)));
	uint64_t drop_kernel, drop_interface, received;
	uint64_t base_kernel, base_interface, base_received;
	uint32_t ended;
	uint32_t commands_done;
	uint64_t done;
	uint64_t clock_ns;
	char error[256];
	struct place1 place[14];
	struct answer1 answer[L1_NCOMMAND] __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct ring1) == 12288, "ring1");

struct cell1 {
	uint64_t seq;
	uint64_t id;
	uint64_t ts_ns;
	uint64_t shard_seq;
	uint32_t ver;
	uint32_t ordinal;
	uint8_t type;
	uint8_t cells;
	uint8_t state;
	uint8_t reason;
	uint16_t bits;
	uint8_t helper;
	uint8_t source;
	struct key1 key;
	struct addr61 addr6;
	uint32_t status;
	uint32_t left_ms;
	uint32_t mark;
	uint32_t start;
	uint32_t len;
	uint16_t vlan;
	uint8_t iface;
	uint8_t flags;
	uint64_t gseq;
};
_Static_assert(sizeof(struct cell1) == 128, "cell1");

struct more1 {
	uint64_t seq;
	struct detail1 detail;
	uint64_t packets[2];
	uint64_t bytes[2];
	uint64_t master;
	uint64_t labels[2];
};
_Static_assert(sizeof(struct more1) == 128, "more1");

struct slot1 {
	struct cell1 cell;
	struct more1 more;
};

struct mlog1 {
	uint64_t tail;
	uint64_t gseq;
	uint64_t intent;
	uint64_t at_tail;
	uint64_t cursor[L1_NRING];
	uint32_t ordinal[L1_NRING];
	uint64_t next[L1_NSTREAM];
	uint64_t lost[L1_NRING];
	uint32_t started;
	uint32_t lossless;
	uint64_t ncommand;
	/* commands that nobody waits for, and what is traced, end here */
};

struct keys1 {
	uint64_t hash[8];
	uint32_t steer[6];
	uint32_t fold[4];
};

#endif

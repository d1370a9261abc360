/*
 * expect_in.h - what the files expect*.c share; no other needs it.
 */
#ifndef SHM_EXPECT_IN_H
#define SHM_EXPECT_IN_H

#include "shm/expect.h"

/*
 * Fields of an entry that expectations use otherwise:
 *	packets[0]  id of the master
 *	packets[1]  the packet that made it: slot << 56 | source << 48 | cursor
 *	bytes[0]    claim: cursor of the packet, 0 = nobody's
 *	bytes[1]    claim: slot << 16 | shard << 8 | source
 *	priv        when its master ended (struct moment)
 */
static inline struct expect_info *info_at(const struct table *t, uint32_t idx)
{
	return (struct expect_info *)(void *)table_detail(t->expect, 0, idx);
}

static inline struct conn *entry_at(const struct table *t, uint32_t idx)
{
	return table_conn(t->expect, 0, idx);
}

static inline bool entry_live(const struct table *t, uint32_t idx)
{
	return entry_at(t, idx)->status & CONN_LIVE;
}

/* in the array of hints: this much of the master's id, above it its source's
 * hash */
#define EXPECT_HINT_MASTER 0xffffu

static inline uint32_t expect_master_hint(uint64_t id)
{
	return ((uint32_t)id ^ (uint32_t)id >> 16) & EXPECT_HINT_MASTER;
}

struct chain {
	uint32_t li, i, hop, tag;
};

/* from the newest to the oldest of a master, for ends come in that order */
struct age {
	bool begun;
	uint32_t serial;
	uint32_t turns;
};

/* so that whoever finishes what another began tells of it with its time */
struct moment {
	uint64_t ts_ns;
	uint32_t now;
	bool tell;
};

void expect_dst_lookup(const struct table *t, bool v6, const uint64_t dst[2],
                       uint16_t dport, uint8_t l4proto, uint16_t zone,
                       struct conn_lookup *k);
struct chain expect_chain_of(const struct table *t,
                             const struct conn_lookup *k);
uint32_t expect_chain_next(const struct table *t, const struct conn_lookup *k,
                           struct chain *w, uint32_t *slot);
uint32_t expect_master_next(const struct table *t, uint64_t master,
                            uint32_t idx);
uint32_t expect_master_older(const struct table *t, uint64_t master,
                             struct age *a);
void expect_entry_end(struct table *t, uint32_t idx, uint64_t ts_ns,
                      uint32_t now, bool tell, struct op_cursor cur);
/* `source`: the first eight bytes of the master's source address */
int expect_entry_make(struct table *t, const struct expect *e, uint64_t source,
                      const struct conn_lookup *k, const struct expect_by *by);
uint32_t expect_hint(const struct table *t, const struct expect *e,
                     uint64_t source);
/* May the master's source have one more?  `max` 0: no limit. */
bool expect_source_room(const struct table *t, const struct expect *e,
                        unsigned int max);
bool expect_src_fits(const struct expect_info *info, const uint64_t src[2]);
bool expect_maker_done(const struct table *t, uint64_t maker);
struct op_cursor expect_cursor_step(const struct table *t);
/* `was`: an errno or a number, 0 if an operation closed the action */
bool expect_action_done(const struct table *t, struct expect_by *by,
                        uint8_t *was);
void expect_action_close(struct table *t, const struct expect_by *by,
                         uint8_t was);
void expect_read_at(const struct table *t, uint32_t idx, struct expect *e);
bool expect_same(const struct table *t, uint32_t idx, const struct expect *e);

#endif

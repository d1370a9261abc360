/*
 * pb.h - connections and events as messages of the API.
 *
 * A batch has room for PB_ROWS rows with all that they point to, and is used
 * again and again: a row costs no allocation.
 */
#ifndef API_PB_H
#define API_PB_H

#include "daemon/api/uses.h"
#include "proto/ctshard.pb-c.h"
#include "shm/read.h"

#define PB_ROWS 128u

struct pb_row;

struct pb {
	const struct table *t;
	const struct policy *pol; /* the caller may change it between batches */
	uint64_t now_ns;          /* taken by pb_begin() */
	uint32_t now;
	const struct uses *uses; /* set behind pb_begin(); NULL: not counted */
	bool brief;              /* likewise: no details */
	unsigned int n;          /* rows in use */
	Ctshard__Response resp;
	Ctshard__Conn *conn[PB_ROWS];
	Ctshard__Event *event[PB_ROWS];
	struct pb_row *row;
};

/* 0 or -ENOMEM */
int pb_init(struct pb *b, const struct table *t, const struct policy *pol);
void pb_free(struct pb *b);

void pb_begin(struct pb *b);

static inline bool pb_full(const struct pb *b)
{
	return b->n == PB_ROWS;
}

/* Has its deadline passed?  Such a connection is gone, whether the reaper has
 * come by or not (F230). */
bool pb_expired(const struct pb *b, const struct conn_view *v);

/* Empty again, of the same time. */
void pb_clear(struct pb *b);

/* All of these want a batch that is not full. */
void pb_conn(struct pb *b, const struct conn_view *v);
/* The same with Conn.private: what pb_private_read() takes. */
void pb_whole(struct pb *b, const struct conn_view *v);
/* Who has this id, as Parent; takes a row.  False: nobody, any more. */
bool pb_parent(struct pb *b, uint64_t id, Ctshard__Parent *to);
/* A connection's private part; false: another layout made it. */
bool pb_private_read(const ProtobufCBinaryData *from, uint8_t priv[CONN_PRIV],
                     struct conn_detail *x);
/* a row of a snapshot; shard_seq was read before the row was copied */
void pb_list(struct pb *b, const struct conn_view *v, uint64_t shard_seq);
void pb_list_end(struct pb *b, uint64_t seq);
void pb_position(struct pb *b, uint64_t seq);
/* NEW, UPDATE, DESTROY, or the log's GAP or AUDIT */
void pb_event(struct pb *b, const struct event_slot *s);
/* A connection that has ended, as a row; its tick may be of older segments. */
void pb_ended(struct pb *b, const struct event_slot *s, uint64_t start_ns);
void pb_gap(struct pb *b, uint64_t from, uint64_t to, const char *source);

/* The batch as an answer; valid until the next pb_begin(). */
Ctshard__Response *pb_response(struct pb *b);

/* "ring.worker0", "ring.reaper" */
void pb_source_name(uint32_t slot, char *buf, size_t len);

#endif

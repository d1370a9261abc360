/*
 * expect_row.h - expectations as messages of the API.
 *
 * A batch of its own, as pb.h has one for connections: a row costs no
 * allocation, and what it points to stands in it.
 */
#ifndef API_EXPECT_ROW_H
#define API_EXPECT_ROW_H

#include "proto/ctshard.pb-c.h"
#include "shm/expect.h"
#include "shm/policy.h"

#define EXPECT_ROWS 64u
#define EXPECT_WORD 24u

struct expect_row {
	Ctshard__Event event;
	Ctshard__Expect expect;
	Ctshard__Tuple tuple, mask, master;
	uint8_t addr[6][16];
	char proto[EXPECT_WORD], class_name[EXPECT_WORD];
	char helper[EXPECT_WORD], assign[EXPECT_WORD], source[EXPECT_WORD];
};

struct expect_rows {
	unsigned int n;
	Ctshard__Response resp;
	Ctshard__Expect *expect[EXPECT_ROWS];
	Ctshard__Event *event[EXPECT_ROWS];
	struct expect_row row[EXPECT_ROWS];
};

void expect_rows_begin(struct expect_rows *b);

static inline bool expect_rows_full(const struct expect_rows *b)
{
	return b->n == EXPECT_ROWS;
}

/* All of these want a batch that is not full. */
void expect_rows_list(struct expect_rows *b, const struct policy *pol,
                      const struct expect *e, uint64_t left_ms);
/* EVENT_EXP_NEW or EVENT_EXP_DESTROY */
void expect_rows_event(struct expect_rows *b, const struct policy *pol,
                       const struct event_slot *s);
/* events after this number follow */
void expect_rows_begun(struct expect_rows *b, uint64_t seq);
/* expectations numbered from + 1 to to - 1 are not to be had */
void expect_rows_gap(struct expect_rows *b, uint64_t from, uint64_t to);

/* The batch as an answer; valid until the next expect_rows_begin(). */
Ctshard__Response *expect_rows_response(struct expect_rows *b);

#endif

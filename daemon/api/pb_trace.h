/*
 * pb_trace.h - records of traced packets as messages of the API.
 */
#ifndef API_PB_TRACE_H
#define API_PB_TRACE_H

#include "daemon/api/pb.h"

#define PB_TRACES 32u

struct pb_trace_row;

struct pb_trace {
	const struct table *t;
	const struct policy *pol;
	bool live;
	unsigned int n;
	struct pb_trace_row *row; /* PB_TRACES of them */
	Ctshard__TraceLine *line[PB_TRACES];
};

/* 0 or -ENOMEM */
int pb_trace_init(struct pb_trace *b, const struct table *t,
                  const struct policy *pol, bool live);
void pb_trace_free(struct pb_trace *b);

/* Both want a batch that is not full. */
void pb_trace_add(struct pb_trace *b, const struct trace_rec *rec);
void pb_trace_lost(struct pb_trace *b, uint64_t lost);

#endif

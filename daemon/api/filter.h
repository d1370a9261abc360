/*
 * filter.h - which connections a client means.
 *
 * A Filter message is checked once and kept as plain values.  Matching looks
 * at the cheap words first and derives tuples only when one is asked for.
 */
#ifndef API_FILTER_H
#define API_FILTER_H

#include "proto/ctshard.pb-c.h"
#include "shm/read.h"

struct filter;

#define FILTER_ERR 160u

/* *out is NULL when the message asks for nothing (all match).  0, or -1 and
 * what is wrong with it in err[FILTER_ERR]. */
int filter_new(struct filter **out, const Ctshard__Filter *m, char *err);
void filter_free(struct filter *f);

/* A NULL filter matches all.  `detail` says that v->detail is filled. */
bool filter_view(const struct filter *f, const struct policy *pol,
                 const struct conn_view *v, bool detail);
bool filter_event(const struct filter *f, const struct policy *pol,
                  const struct event_slot *s);

/* The one connection that an id names: no walk is needed. */
bool filter_id(const struct filter *f, uint64_t *id);

#endif

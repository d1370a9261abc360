/*
 * rows.h - answers that are rows, to bytes and back, without protobuf-c.
 *
 * A list or a watch is nothing but connections, and protobuf-c works off a
 * message by its description, field by field, twice for packing.  Here the
 * fields of a row are code.  The bytes are the same; whatever else an answer
 * has, or a field that these functions do not know, goes the general way.
 */
#ifndef PROTO_ROWS_H
#define PROTO_ROWS_H

#include <stdbool.h>

#include "proto/ctshard.pb-c.h"
#include "proto/frame.h"

/* Appends an answer like frame_put().  False: nothing was written, it is not of
 * the kind. */
bool rows_put(struct frame_buf *b, const Ctshard__Response *r);

/* An event of a connection as a part of an answer: how many bytes; 0: not of
 * the kind, or more than `room`. */
size_t rows_event(uint8_t *to, size_t room, const Ctshard__Event *e);
/* Appends an answer of such parts.  False: nothing was written, no memory. */
bool rows_put_events(struct frame_buf *b, uint64_t id, uint64_t now_ns,
                     const uint8_t *events, size_t len);

/* What frame_unpack() would make of it.  Bytes fields point into `body`.  NULL:
 * not of the kind, broken, or over the arena's limit. */
Ctshard__Response *rows_unpack(struct frame_arena *a, const uint8_t *body,
                               size_t len);

#endif

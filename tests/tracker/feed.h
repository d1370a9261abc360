/*
 * feed.h - one connection, fed by hand: what the pipeline does around a
 * tracker, in miniature, for the tests of single protocols.
 *
 * feed() takes the bytes of layer 4, asks check(), error() and packet() in
 * the pipeline's order and applies the rules for SEEN_REPLY (after the
 * tracker, F066), refresh and counters (accepted packets alone, B1).
 */
#ifndef TESTS_TRACKER_FEED_H
#define TESTS_TRACKER_FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/tracker/tracker.h"

#define A DIR_ORIGINAL
#define B DIR_REPLY

struct feed {
	struct policy pol;
	const struct tracker *t;
	struct conn conn;
	struct trk_ctx c; /* of the last packet */
	struct pkt pkt;
	uint32_t now;
	uint32_t timeout; /* of the last refresh */
	uint8_t id;
	bool live;
	int error; /* what error() said, 0 without one */
};

static inline void feed_open(struct feed *f, uint8_t l3proto, uint8_t l4proto)
{
	memset(f, 0, sizeof(*f));
	tracker_defaults(&f->pol);
	f->t = tracker_find(&f->pol, l4proto, &f->id);
	f->pkt.l3proto = l3proto;
	f->pkt.l4proto = l4proto;
	f->pkt.ttl = 64;
	f->now = 1000000;
}

/* The address of a side; the low byte is all that differs. */
static inline union pkt_addr feed_addr(const struct feed *f, uint8_t side)
{
	union pkt_addr a;

	memset(&a, 0, sizeof(a));
	a.b[0] = f->pkt.l3proto == 6 ? 0x20 : 10;
	a.b[f->pkt.l3proto == 6 ? 15 : 3] = side + 1;
	return a;
}

/* Fills f->pkt; the copy has exactly `caplen` bytes, so that a sanitizer sees
 * every read behind it.  The caller frees it by feed_drop(). */
static inline void feed_load(struct feed *f, uint8_t dir, const uint8_t *l4,
                             uint32_t caplen, uint32_t l4len)
{
	uint8_t *copy = malloc(caplen ? caplen : 1);

	assert_non_null(copy);
	memcpy(copy, l4, caplen);
	f->pkt.data = copy;
	f->pkt.caplen = caplen;
	f->pkt.wirelen = l4len;
	f->pkt.reason = PKT_OK;
	f->pkt.l4len = l4len;
	f->pkt.l3len = l4len + (f->pkt.l3proto == 6 ? 40 : 20);
	f->pkt.src = feed_addr(f, dir);
	f->pkt.dst = feed_addr(f, !dir);
	memset(&f->c, 0, sizeof(f->c));
	f->c.pkt = &f->pkt;
	f->c.pol = &f->pol;
	f->c.id = f->id;
	f->c.dir = f->live ? dir : DIR_ORIGINAL;
	f->c.first = !f->live;
	f->c.now = f->now;
}

static inline void feed_drop(struct feed *f)
{
	free((void *)(uintptr_t)f->pkt.data);
	f->pkt.data = NULL;
}

static inline enum trk_verdict feed_apply(struct feed *f, struct conn *conn,
                                          enum trk_verdict v)
{
	if (v == TRK_ACCEPT || v == TRK_KILL) {
		conn->packets[f->c.dir]++;
		conn->bytes[f->c.dir] += f->pkt.l3len;
	}
	if (v == TRK_ACCEPT)
		f->timeout = f->c.timeout;
	if ((v == TRK_ACCEPT || v == TRK_IGNORE) && f->c.dir == DIR_REPLY &&
	    !(conn->status & CONN_SEEN_REPLY)) {
		conn->status |= CONN_SEEN_REPLY;
		f->c.events |= EVB_REPLY;
	}
	if (v == TRK_KILL)
		f->live = false;
	else if (f->c.first && v != TRK_INVALID)
		f->live = true;
	return v;
}

static inline enum trk_verdict feed_judge(struct feed *f)
{
	enum trk_verdict v;
	struct conn candidate;
	struct conn *conn = &f->conn;

	f->error = 0;
	v = f->t->check ? f->t->check(&f->c) : TRK_ACCEPT;
	if (v != TRK_ACCEPT)
		return v;
	if (f->t->error)
		f->error = f->t->error(&f->c);
	if (f->error != 0)
		return TRK_INVALID; /* no connection of its own */
	memset(&candidate, 0, sizeof(candidate));
	if (f->c.first)
		conn = &candidate;
	v = feed_apply(f, conn, f->t->packet(&f->c, conn));
	if (f->c.first && f->live)
		f->conn = candidate;
	return v;
}

/* A packet of which only `caplen` bytes were captured. */
static inline enum trk_verdict feed_cut(struct feed *f, uint8_t dir,
                                        const uint8_t *l4, uint32_t caplen,
                                        uint32_t l4len)
{
	enum trk_verdict v;

	feed_load(f, dir, l4, caplen, l4len);
	v = feed_judge(f);
	feed_drop(f);
	return v;
}

static inline enum trk_verdict feed(struct feed *f, uint8_t dir,
                                    const uint8_t *l4, uint32_t len)
{
	return feed_cut(f, dir, l4, len, len);
}

static inline bool feed_tuple(struct feed *f, const uint8_t *l4, uint32_t len,
                              struct trk_tuple *t)
{
	bool found;

	feed_load(f, A, l4, len, len);
	found = f->t->tuple(&f->pkt, t);
	feed_drop(f);
	return found;
}

/* state and timeout after the last packet */
#define assert_conn(f, name, seconds)                                          \
	do {                                                                   \
		assert_true((f)->live);                                        \
		assert_string_equal(                                           \
			tracker_state_name((f)->pkt.l4proto, (f)->conn.state), \
			name);                                                 \
		assert_int_equal((f)->timeout, seconds);                       \
	} while (0)

#define assert_assured(f)     assert_true((f)->conn.status &CONN_ASSURED)
#define assert_not_assured(f) assert_false((f)->conn.status &CONN_ASSURED)

static inline void put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void put32(uint8_t *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b + 2, v);
}

/* RFC 1071, byte by byte, to hold against the code's own */
static inline uint32_t feed_sum(const uint8_t *b, uint32_t len)
{
	uint32_t sum = 0, i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

/* Writes the checksum of the first `cover` bytes at `at`. */
static inline void feed_checksum(const struct feed *f, uint8_t *l4,
                                 uint32_t len, uint32_t cover, uint32_t at,
                                 uint32_t proto)
{
	union pkt_addr a = feed_addr(f, A), b = feed_addr(f, B);
	uint32_t sum;

	put16(l4 + at, 0);
	sum = feed_sum(l4, cover);
	if (proto)
		sum += feed_sum(a.b, 16) + feed_sum(b.b, 16) + proto + len;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(l4 + at, ~sum & 0xffff);
}

/* Every cell that a tracker calls surprising is what it says. */
static inline void feed_notes(const struct tracker *t)
{
	unsigned int i;

	assert_true(t->nnotes > 0);
	for (i = 0; i < t->nnotes; i++) {
		const struct trk_note *n = &t->notes[i];

		if (t->cell(n->dir, n->event, n->from) != n->to)
			fail_msg("%s note %u: %s", t->name, i, n->why);
		assert_non_null(n->why);
	}
}

#endif

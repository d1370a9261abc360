/*
 * h323_per.h - aligned PER (ITU-T X.691), read by tables.
 *
 * A type is data: what it is, its bounds, its fields.  One interpreter walks
 * over a message by its type, steps over all that is of no interest, and tells
 * what is: a type with `emit` is told with its value, and with the mark of the
 * innermost field around it that has one.  So one description of an address
 * serves everywhere, and the mark says whose it is.
 *
 * Nothing is allocated or copied; the depth is limited, every step moves on.
 */
#ifndef HELPER_H323_PER_H
#define HELPER_H323_PER_H

#include <stdbool.h>
#include <stdint.h>

enum per_kind {
	PER_NULL,
	PER_BOOL,
	PER_INT, /* lb..ub */
	PER_OID,
	PER_OCTETS, /* size lb..ub, ub 0: any */
	PER_CHARS,  /* size lb..ub, of `bits` each */
	PER_SEQ,
	PER_CHOICE,
	PER_LIST, /* any number of fields[0]; those behind `keep` are mute */
	PER_OPEN  /* bytes that contain fields[0] */
};

struct per_field;

struct per_type {
	uint8_t kind; /* enum per_kind */
	uint8_t emit; /* told under this number; 0: not */
	uint8_t ext;  /* has an extension marker */
	uint8_t root; /* fields before it */
	uint8_t count;
	uint8_t bits;
	uint8_t keep;
	uint32_t lb, ub;
	const struct per_field *fields;
};

/* Without a type: in an extension it is stepped over; otherwise nothing is
 * read any more, as far as the extension reaches that is around it. */
struct per_field {
	const struct per_type *type;
	uint8_t optional;
	uint8_t mark;
};

/* `value`: of an integer; the alternative of a choice, counted on through its
 * extensions.  `bytes`: of octets that are `value` long. */
typedef void (*per_see)(void *arg, uint8_t mark, uint8_t emit, uint32_t value,
                        const uint8_t *bytes);

/* False: the bytes are no such message.  `see` may be NULL.  `strict`: as the
 * kernel reads, which wants two bytes where a length begins, also at the end
 * of a message, where one would do for 0. */
bool per_read(const struct per_type *type, const uint8_t *data, uint32_t len,
              bool strict, per_see see, void *arg);

/* -- descriptions ---------------------------------------------------------- */

#define PER_F(t)           \
	{                  \
		&(t), 0, 0 \
	}
#define PER_O(t)           \
	{                  \
		&(t), 1, 0 \
	}
#define PER_FM(t, m)       \
	{                  \
		&(t), 0, m \
	}
#define PER_OM(t, m)       \
	{                  \
		&(t), 1, m \
	}
#define PER_SKIP        \
	{               \
		0, 1, 0 \
	}
#define PER_END         \
	{               \
		0, 0, 0 \
	}
/* Additions that have a name and are of no interest; strict mode treats those
 * behind the last one otherwise, so all that the kernel knows are listed. */
#define PER_SKIP_2  PER_SKIP, PER_SKIP
#define PER_SKIP_3  PER_SKIP_2, PER_SKIP
#define PER_SKIP_4  PER_SKIP_2, PER_SKIP_2
#define PER_SKIP_8  PER_SKIP_4, PER_SKIP_4
#define PER_SKIP_16 PER_SKIP_8, PER_SKIP_8
/* optional; strict mode does not look whether it is there before it stops */
#define PER_BLIND 2
#define PER_B(t)                   \
	{                          \
		&(t), PER_BLIND, 0 \
	}
#define PER_STOP                \
	{                       \
		0, PER_BLIND, 0 \
	}
#define PER_COUNT(f) (sizeof(f) / sizeof((f)[0]))

#define PER_NUMBER(name, low, high) \
	const struct per_type name = {.kind = PER_INT, .lb = low, .ub = high}
#define PER_BYTES(name, low, high) \
	const struct per_type name = {.kind = PER_OCTETS, .lb = low, .ub = high}
#define PER_TEXT(name, width, low, high) \
	const struct per_type name = {   \
		.kind = PER_CHARS, .bits = width, .lb = low, .ub = high}
/* `what` PER_SEQ or PER_CHOICE; `known` fields or alternatives in its root */
#define PER_OF(name, what, extends, known, tells, ...)                     \
	const struct per_type name = {                                     \
		.kind = what,                                              \
		.emit = tells,                                             \
		.ext = extends,                                            \
		.root = known,                                             \
		.count = sizeof((const struct per_field[]){__VA_ARGS__}) / \
	                 sizeof(struct per_field),                         \
		.fields = (const struct per_field[]){__VA_ARGS__}}
#define PER_MANY(name, most, ...)      \
	const struct per_type name = { \
		.kind = PER_LIST,      \
		.keep = most,          \
		.fields = (const struct per_field[]){__VA_ARGS__}}
#define PER_INSIDE(name, ...)          \
	const struct per_type name = { \
		.kind = PER_OPEN,      \
		.fields = (const struct per_field[]){__VA_ARGS__}}

#endif

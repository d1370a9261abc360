/*
 * text.h - a place in bytes that were captured, and steps over them.
 *
 * A step that fails leaves the place where it was.  Nothing here reads at or
 * behind `end`.
 */
#ifndef HELPER_TEXT_H
#define HELPER_TEXT_H

#include "daemon/helper/helper.h"

struct text {
	const uint8_t *at, *end;
};

static inline uint32_t text_left(const struct text *t)
{
	return (uint32_t)(t->end - t->at);
}

/* All payload that was captured, from `off` on. */
struct text text_payload(const struct help_ctx *h, uint32_t off);

/* Steps over `word`, letter by letter or in any case. */
bool text_word(struct text *t, const char *word);
bool text_nocase(struct text *t, const char *word);
/* The same, but also true for a text that ends inside the word. */
bool text_begins_nocase(const struct text *t, const char *word);
/* Steps over everything up to and with the first `word`. */
bool text_find(struct text *t, const char *word);
/* Steps over one byte. */
bool text_byte(struct text *t, uint8_t c);
void text_skip(struct text *t, uint8_t c);

/* A decimal number that is at most `max`. */
bool text_number(struct text *t, uint32_t max, uint32_t *v);
/* As many digits as there are, also none: 0.  What does not fit into 32 bits
 * wraps, as it does in the kernel's parsers. */
uint32_t text_wrapped(struct text *t);

/* An IPv6 address that ends before `term`. */
bool text_addr6(struct text *t, uint8_t term, union pkt_addr *a);

static inline bool text_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

#endif

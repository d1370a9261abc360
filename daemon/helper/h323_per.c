/*
 * h323_per.c - aligned PER (ITU-T X.691), read by tables.
 *
 * Strict mode reads as the kernel does also what is no PER, for what it makes
 * of that can be seen in its expectations:
 *
 *	an open type does not confine what is read within it;
 *	the length of an object identifier is one byte, lengths are never in
 *	pieces (10.9.3.8), and a number that is small (10.6) has seven bits;
 *	there are no more than 32 additions; those behind the last that has a
 *	name are stepped over also where the bitmap says that they are absent;
 *	a bitmap that ends 32 bits behind the byte it begins in begins there;
 *	what is open in elements that are too many to be kept stays shut;
 *	a number of up to four bytes that is kept is stepped over twice.
 */
#include <stddef.h>

#include "daemon/helper/h323_per.h"

/* more than any message of H.225.0 and H.245 that is described nests */
#define PER_DEPTH 24u
/* that the kernel takes */
#define PER_ADDITIONS 32u

enum per_result { PER_GOOD, PER_STOPPED, PER_WRONG };

struct per {
	const uint8_t *data;
	uint32_t bit, end; /* place, and the end of what may be read, in bits */
	uint32_t all;      /* the end of the message */
	uint32_t work;     /* values that may still be read */
	bool strict;
	bool element; /* an element of a list is about to be read */
	unsigned int depth, mute;
	per_see see;
	void *arg;
};

static enum per_result per_type(struct per *p, const struct per_type *t,
                                uint8_t mark);

static void per_tell(struct per *p, const struct per_type *t, uint8_t mark,
                     uint32_t value, const uint8_t *bytes)
{
	if (t->emit && p->see && !p->mute)
		p->see(p->arg, mark, t->emit, value, bytes);
}

/* -- bits ------------------------------------------------------------------ */

static bool per_bits(struct per *p, unsigned int n, uint32_t *v)
{
	uint32_t out = 0, at;

	if (n > p->end - p->bit)
		return false;
	for (at = p->bit; at < p->bit + n; at++)
		out = out << 1 | (p->data[at / 8] >> (7 - at % 8) & 1);
	p->bit += n;
	*v = out;
	return true;
}

static bool per_align(struct per *p)
{
	uint32_t at = (p->bit + 7) & ~7u;

	if (at > p->end)
		return false;
	p->bit = at;
	return true;
}

static bool per_step(struct per *p, uint64_t bits)
{
	if (bits > p->end - p->bit)
		return false;
	p->bit += (uint32_t)bits;
	return true;
}

/* Bits that hold 0..range. */
static unsigned int per_width(uint32_t range)
{
	return range ? 32 - (unsigned int)__builtin_clz(range) : 0;
}

/* -- numbers and lengths --------------------------------------------------- */

/* X.691, 10.5: a whole number lb..ub */
static bool per_number(struct per *p, uint32_t lb, uint32_t ub, uint32_t *v)
{
	uint32_t range = ub - lb, n;
	bool ok;

	*v = 0;
	if (range < 255) {
		ok = per_bits(p, per_width(range), v);
	} else if (range <= 0xffff) {
		ok = per_align(p) && per_bits(p, range > 255 ? 16 : 8, v);
	} else { /* bytes, and how many; one at least */
		n = (per_width(range) + 7) / 8;
		ok = per_bits(p, per_width(n - 1), &n) && n < 4 &&
		     per_align(p) && per_bits(p, 8 * (n + 1), v);
	}
	*v += lb;
	return ok;
}

/* X.691, 10.9.3.5 to 10.9.3.8: a length without bounds; none is in pieces */
static bool per_length(struct per *p, uint32_t *n)
{
	uint32_t low;

	if (!per_align(p) || !per_bits(p, 8, n))
		return false;
	if (!(*n & 0x80))
		return true;
	if ((*n & 0x40 && !p->strict) || !per_bits(p, 8, &low))
		return false;
	*n = (*n & 0x3f) << 8 | low;
	return true;
}

/* A number that is small as a rule (10.6): of an alternative, or of additions
 * less one. */
static bool per_small(struct per *p, uint32_t *n)
{
	uint32_t large;

	if (p->strict)
		return per_bits(p, 7, n);
	if (!per_bits(p, 1, &large))
		return false;
	if (!large)
		return per_bits(p, 6, n);
	if (!per_length(p, &large) || large < 1 || large > 4)
		return false;
	return per_bits(p, 8 * large, n);
}

/* The length of a list, of bytes of any number, or of an open type. */
static bool per_wide(struct per *p, uint32_t *n)
{
	if (p->strict && (!per_align(p) || p->all - p->bit < 16))
		return false;
	return per_length(p, n);
}

static bool per_size(struct per *p, const struct per_type *t, uint32_t *n)
{
	if (t->ub)
		return per_number(p, t->lb, t->ub, n);
	return per_wide(p, n);
}

/* -- simple types ---------------------------------------------------------- */

static bool per_int(struct per *p, const struct per_type *t, uint8_t mark)
{
	uint32_t v, at = (p->bit + 2 + 7) & ~7u;

	if (!per_number(p, t->lb, t->ub, &v))
		return false;
	if (p->strict && t->emit && t->ub - t->lb > 0xffff &&
	    !per_step(p, p->bit - at))
		return false;
	per_tell(p, t, mark, v, NULL);
	return true;
}

/* X.691, 16: up to two bytes of a fixed size do not begin at one */
static bool per_octets(struct per *p, const struct per_type *t, uint8_t mark)
{
	bool small = t->lb == t->ub && t->ub && t->ub <= 2;
	uint32_t n, at;

	if (!per_size(p, t, &n) || (!small && n && !per_align(p)))
		return false;
	at = p->bit;
	if (!per_step(p, 8 * (uint64_t)n))
		return false;
	per_tell(p, t, mark, n, small ? NULL : p->data + at / 8);
	return true;
}

/* X.691, 27.5: all that are described are aligned */
static bool per_chars(struct per *p, const struct per_type *t)
{
	uint32_t n;

	return per_size(p, t, &n) && per_align(p) &&
	       per_step(p, (uint64_t)n * t->bits);
}

/* -- what contains others -------------------------------------------------- */

static enum per_result per_field(struct per *p, const struct per_field *f,
                                 uint8_t mark)
{
	if (!f->type)
		return PER_STOPPED;
	return per_type(p, f->type, f->mark ? f->mark : mark);
}

static bool per_oid(struct per *p)
{
	uint32_t n;

	if (!(p->strict ? per_align(p) && per_bits(p, 8, &n)
	                : per_length(p, &n)))
		return false;
	return per_step(p, 8 * (uint64_t)n);
}

/* X.691, 10.2: bytes that contain a value; one that is not known, or that is
 * not read to its end, is stepped over. */
static enum per_result per_open(struct per *p, const struct per_field *f,
                                uint8_t mark)
{
	uint32_t n, next, end = p->end;
	enum per_result rc = PER_GOOD;
	bool shut = p->strict && !p->element;

	p->element = false;
	if (!per_wide(p, &n))
		return PER_WRONG;
	if (8 * (uint64_t)n > end - p->bit)
		return PER_WRONG;
	next = p->bit + 8 * n;
	if (!p->strict)
		p->end = next;
	if (f && f->type && (!shut || !p->mute))
		rc = per_field(p, f, mark);
	p->end = end;
	p->bit = next;
	return rc == PER_WRONG ? rc : PER_GOOD;
}

/* Additions behind the extension marker (X.691, 18.7 to 18.9). */
static enum per_result per_additions(struct per *p, const struct per_type *t,
                                     uint8_t mark)
{
	const struct per_field *f;
	uint32_t n, i, here, map;

	if (!per_small(p, &n) || n >= p->end - p->bit ||
	    (p->strict && n >= PER_ADDITIONS))
		return PER_WRONG;
	n++;
	map = p->bit;
	if (p->strict && map % 8 + n == 32)
		map &= ~7u;
	p->bit += n;
	for (i = 0; i < n; i++) {
		here = p->data[(map + i) / 8] >> (7 - (map + i) % 8) & 1;
		f = i + t->root < t->count ? &t->fields[t->root + i] : NULL;
		if (p->strict && f && !f->type && f->optional == PER_BLIND)
			return PER_STOPPED;
		if (!here && (f || !p->strict))
			continue;
		if (per_open(p, f, mark) == PER_WRONG)
			return PER_WRONG;
	}
	return PER_GOOD;
}

static unsigned int per_optional(const struct per_type *t)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->root; i++)
		n += t->fields[i].optional != 0;
	return n;
}

static enum per_result per_seq(struct per *p, const struct per_type *t,
                               uint8_t mark)
{
	uint32_t more = 0, here;
	unsigned int i, left = per_optional(t);
	enum per_result rc;

	if ((t->ext && !per_bits(p, 1, &more)) || !per_bits(p, left, &here))
		return PER_WRONG;
	per_tell(p, t, mark, 0, NULL);
	for (i = 0; i < t->root; i++) {
		if (p->strict && t->fields[i].optional == PER_BLIND)
			return PER_STOPPED;
		if (t->fields[i].optional && (!left || !(here >> --left & 1)))
			continue;
		rc = per_field(p, &t->fields[i], mark);
		if (rc != PER_GOOD)
			return rc;
	}
	return more ? per_additions(p, t, mark) : PER_GOOD;
}

static enum per_result per_choice(struct per *p, const struct per_type *t,
                                  uint8_t mark)
{
	const struct per_field *f = NULL;
	uint32_t more = 0, i;

	if (t->ext && !per_bits(p, 1, &more))
		return PER_WRONG;
	if (!(more ? per_small(p, &i) : per_number(p, 0, t->root - 1u, &i)))
		return PER_WRONG;
	if (!more && i >= t->root) /* a number for which there is no name */
		return PER_WRONG;
	if (more)
		i = i < 0xff ? i + t->root : 0xffff;
	if (i < t->count)
		f = &t->fields[i];
	per_tell(p, t, mark, i, NULL);
	if (more)
		return per_open(p, f, mark);
	return f ? per_field(p, f, mark) : PER_STOPPED;
}

static enum per_result per_list(struct per *p, const struct per_type *t,
                                uint8_t mark)
{
	enum per_result rc = PER_GOOD;
	uint32_t n, i, at;

	if (!per_size(p, t, &n))
		return PER_WRONG;
	for (i = 0; i < n && rc == PER_GOOD; i++) {
		at = p->bit;
		p->mute += t->keep && i >= t->keep;
		p->element = t->fields->type->kind == PER_OPEN;
		rc = per_field(p, t->fields, mark);
		p->mute -= t->keep && i >= t->keep;
		if (p->bit == at)
			return PER_WRONG;
	}
	return rc;
}

static enum per_result per_result(bool ok)
{
	return ok ? PER_GOOD : PER_WRONG;
}

static enum per_result per_kind(struct per *p, const struct per_type *t,
                                uint8_t mark)
{
	switch ((enum per_kind)t->kind) {
	case PER_NULL:
		return PER_GOOD;
	case PER_BOOL:
		return per_result(per_step(p, 1));
	case PER_INT:
		return per_result(per_int(p, t, mark));
	case PER_OID:
		return per_result(per_oid(p));
	case PER_OCTETS:
		return per_result(per_octets(p, t, mark));
	case PER_CHARS:
		return per_result(per_chars(p, t));
	case PER_SEQ:
		return per_seq(p, t, mark);
	case PER_CHOICE:
		return per_choice(p, t, mark);
	case PER_LIST:
		return per_list(p, t, mark);
	case PER_OPEN:
		return per_open(p, t->fields, mark);
	}
	return PER_WRONG;
}

static enum per_result per_type(struct per *p, const struct per_type *t,
                                uint8_t mark)
{
	enum per_result rc;

	if (p->depth == PER_DEPTH || !p->work)
		return PER_WRONG;
	p->work--;
	p->depth++;
	rc = per_kind(p, t, mark);
	p->depth--;
	return rc;
}

bool per_read(const struct per_type *type, const uint8_t *data, uint32_t len,
              bool strict, per_see see, void *arg)
{
	struct per p = {
		.data = data,
		.end = 8 * len,
		.all = 8 * len,
		/* each has a bit at least, unless it is read again: strict
	         * mode steps back where an open type ends */
		.work = 64 + 32 * len,
		.strict = strict,
		.see = see,
		.arg = arg,
	};

	/* no message is longer than what TPKT can frame */
	return len <= 0xffff && per_type(&p, type, 0) != PER_WRONG;
}

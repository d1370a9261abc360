/* text.c - steps over bytes. */
#include <arpa/inet.h>
#include <string.h>

#include "daemon/helper/text.h"

struct text text_payload(const struct help_ctx *h, uint32_t off)
{
	uint32_t cap = help_cap(h);
	struct text t = {NULL, NULL};

	if (off < cap)
		t.at = help_data(h, off, cap - off);
	if (t.at)
		t.end = t.at + (cap - off);
	return t;
}

bool text_word(struct text *t, const char *word)
{
	size_t n = strlen(word);

	if (text_left(t) < n || memcmp(t->at, word, n) != 0)
		return false;
	t->at += n;
	return true;
}

static uint8_t text_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* letters that agree, not more than either has */
static uint32_t text_common(const struct text *t, const char *word)
{
	uint32_t i = 0, left = text_left(t);

	while (i < left && word[i] &&
	       text_lower(t->at[i]) == text_lower((uint8_t)word[i]))
		i++;
	return i;
}

bool text_nocase(struct text *t, const char *word)
{
	uint32_t n = text_common(t, word);

	if (word[n])
		return false;
	t->at += n;
	return true;
}

bool text_begins_nocase(const struct text *t, const char *word)
{
	uint32_t n = text_common(t, word);

	return !word[n] || n == text_left(t);
}

bool text_find(struct text *t, const char *word)
{
	size_t n = strlen(word);
	const uint8_t *at;

	if (!text_left(t))
		return false;
	at = memmem(t->at, text_left(t), word, n);
	if (!at)
		return false;
	t->at = at + n;
	return true;
}

bool text_byte(struct text *t, uint8_t c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

void text_skip(struct text *t, uint8_t c)
{
	while (text_byte(t, c))
		;
}

bool text_number(struct text *t, uint32_t max, uint32_t *v)
{
	const uint8_t *at = t->at;
	uint64_t n = 0;

	for (; at < t->end && text_is_digit(*at); at++) {
		n = n * 10 + (*at - (uint32_t)'0');
		if (n > max)
			return false;
	}
	if (at == t->at)
		return false;
	t->at = at;
	*v = (uint32_t)n;
	return true;
}

uint32_t text_wrapped(struct text *t)
{
	uint32_t n = 0;

	for (; t->at < t->end && text_is_digit(*t->at); t->at++)
		n = n * 10 + (*t->at - (uint32_t)'0');
	return n;
}

bool text_addr6(struct text *t, uint8_t term, union pkt_addr *a)
{
	char buf[INET6_ADDRSTRLEN];
	const uint8_t *end;

	if (!text_left(t))
		return false;
	end = memchr(t->at, term, text_left(t));
	if (!end || (size_t)(end - t->at) >= sizeof(buf))
		return false;
	memcpy(buf, t->at, (size_t)(end - t->at));
	buf[end - t->at] = 0;
	if (inet_pton(AF_INET6, buf, a->b) != 1)
		return false;
	t->at = end;
	return true;
}

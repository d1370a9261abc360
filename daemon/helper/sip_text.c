/*
 * sip_text.c - headers, addresses and numbers of SIP (RFC 3261, 7.3, 25.1).
 *
 * A header stands at the beginning of a line, in any case, maybe as one letter
 * (7.3.3), with white space around its colon; its value goes on in the next
 * line when that begins with white space (7.3.1).
 *
 * Strict mode finds what the kernel finds.  That is less in three places: a
 * header whose name only begins like the one that is looked for ends the
 * search, a line that follows one of nothing but a line feed is not seen, and
 * of a continued line the first letter is not.  Mirror mode has none of these.
 * In both, the search does not end with the headers: what an SDP body says
 * never looks like one of those that are looked for.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/sip.h"

#define SIP_PORT_DIGITS 5u
#define SIP_DIGITS      11u /* the kernel takes one more than 2^32 has */
/* so that a line of very many URIs is not read once for each of them */
#define SIP_USER_MAX   512u
#define SIP_LISTED_MAX 256u

enum sip_kind { SIP_KIND_NUMBER, SIP_KIND_URI };

static const struct sip_header_name {
	const char *name, *compact;
	enum sip_kind kind;
} sip_names[] = {
	[SIP_CSEQ] = {"CSeq", NULL, SIP_KIND_NUMBER},
	[SIP_CONTACT] = {"Contact", "m", SIP_KIND_URI},
	[SIP_EXPIRES] = {"Expires", NULL, SIP_KIND_NUMBER},
	[SIP_LENGTH] = {"Content-Length", "l", SIP_KIND_NUMBER},
};

/* -- lines ----------------------------------------------------------------- */

static bool sip_is_eol(uint8_t c)
{
	return c == '\r' || c == '\n';
}

static bool sip_is_white(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Behind the line's end at `at`, which is CR, LF or CR LF. */
static const uint8_t *sip_eol(const uint8_t *at, const uint8_t *end)
{
	if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
		at++;
	return at + 1;
}

const uint8_t *sip_line(const uint8_t *at, const uint8_t *end)
{
	while (at < end && !sip_is_eol(*at))
		at++;
	if (at == end)
		return NULL;
	at = sip_eol(at, end);
	return at < end ? at : NULL;
}

const uint8_t *sip_line_after(const struct sip_msg *m, const uint8_t *line)
{
	return m->mirror ? line : line + 1;
}

/* From a line's end into the line that continues it; NULL: none does. */
static const uint8_t *sip_unfold(const uint8_t *at, const uint8_t *end)
{
	at = sip_eol(at, end);
	if (at >= end || !sip_is_white(*at))
		return NULL;
	while (at < end && sip_is_white(*at))
		at++;
	return at;
}

/* Steps over white space, also at most one line's end; false: the header ends
 * there. */
static bool sip_white(struct text *t)
{
	while (t->at < t->end && sip_is_white(*t->at))
		t->at++;
	if (t->at < t->end && sip_is_eol(*t->at))
		t->at = sip_unfold(t->at, t->end);
	return t->at && t->at < t->end;
}

/* `word` in the rest of this header, with something behind it; NULL: not
 * there. */
static const uint8_t *sip_search(const struct sip_msg *m, const uint8_t *at,
                                 const uint8_t *end, const char *word)
{
	size_t len = strlen(word);
	struct text t;

	while (at && (size_t)(end - at) > len) {
		t = (struct text){at, end};
		if (sip_is_eol(*at)) {
			at = sip_unfold(at, end - len);
			if (at && !m->mirror)
				at++;
		} else if (text_nocase(&t, word)) {
			return at;
		} else {
			at++;
		}
	}
	return NULL;
}

/* -- numbers and addresses ------------------------------------------------- */

/* The kernel's letters are those of Latin-1. */
bool sip_is_alpha(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static bool sip_decimal(struct text *t, uint32_t max_digits, uint32_t *v)
{
	const uint8_t *at = t->at;
	uint64_t n = 0;

	for (; at < t->end && text_is_digit(*at); at++) {
		if (at - t->at == (ptrdiff_t)max_digits)
			return false;
		n = n * 10 + (*at - (uint32_t)'0');
	}
	if (at == t->at || n > UINT32_MAX)
		return false;
	t->at = at;
	*v = (uint32_t)n;
	return true;
}

bool sip_digits(struct text *t, uint32_t *v)
{
	return sip_decimal(t, SIP_DIGITS, v);
}

static bool sip_octet(struct text *t, uint8_t *v)
{
	const uint8_t *at = t->at;
	uint32_t n = 0;

	for (; at < t->end && text_is_digit(*at); at++) {
		n = n * 10 + (*at - (uint32_t)'0');
		if (n > 255)
			return false;
	}
	if (at == t->at)
		return false;
	t->at = at;
	*v = (uint8_t)n;
	return true;
}

/* what would make another address of the one before it */
static bool sip_is_addr(uint8_t c)
{
	return text_is_digit(c) || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F') || c == '.';
}

static bool sip_addr4(struct text *t, union pkt_addr *a)
{
	struct text s = *t;
	unsigned int i;

	memset(a, 0, sizeof(*a));
	for (i = 0; i < 4; i++)
		if ((i && !text_byte(&s, '.')) || !sip_octet(&s, &a->b[i]))
			return false;
	if (s.at < s.end && sip_is_addr(*s.at))
		return false;
	*t = s;
	return true;
}

/* Leading zeros are left out, for here they may make a group longer than four
 * digits. */
static bool sip_addr6(struct text *t, union pkt_addr *a)
{
	char buf[INET6_ADDRSTRLEN];
	const uint8_t *at = t->at;
	uint8_t before = ':';
	size_t n = 0;

	for (; at < t->end && (sip_is_addr(*at) || *at == ':'); at++) {
		if (*at == '0' && (before == ':' || before == '.') &&
		    t->end - at > 1 && at[1] != '.' && sip_is_addr(at[1]))
			continue;
		if (n == sizeof(buf) - 1)
			return false;
		before = *at;
		buf[n++] = (char)*at;
	}
	buf[n] = 0;
	if (inet_pton(AF_INET6, buf, a->b) != 1)
		return false;
	t->at = at;
	return true;
}

bool sip_addr(struct text *t, uint8_t l3proto, bool uri, union pkt_addr *a)
{
	struct text s = *t;

	if (l3proto != 6)
		return sip_addr4(t, a);
	if (uri && !text_byte(&s, '['))
		return false;
	if (!sip_addr6(&s, a) || (uri && !text_byte(&s, ']')))
		return false;
	*t = s;
	return true;
}

/* -- headers --------------------------------------------------------------- */

static bool sip_named(struct text *t, const struct sip_header_name *n)
{
	struct text s = *t;

	if (text_nocase(t, n->name))
		return true;
	if (!n->compact || !text_nocase(&s, n->compact) || s.at == s.end ||
	    sip_is_alpha(*s.at))
		return false;
	*t = s;
	return true;
}

/* Steps over the user part of a URI, if it has one. */
static void sip_user(struct text *t)
{
	const uint8_t *at = t->at, *end = t->end;

	if (text_left(t) > SIP_USER_MAX)
		end = at + SIP_USER_MAX;
	while (at < end && *at != '@' && !sip_is_eol(*at))
		at++;
	if (at < end && *at == '@')
		t->at = at + 1;
}

/* Steps over host and port. */
static bool sip_host_port(struct text *t, uint8_t l3proto, struct sip_uri *u)
{
	uint32_t port = SIP_PORT;
	struct text s = *t;

	if (!sip_addr(&s, l3proto, true, &u->addr))
		return false;
	if (text_byte(&s, ':') && (!sip_decimal(&s, SIP_PORT_DIGITS, &port) ||
	                           port < SIP_PORT_MIN || port > UINT16_MAX))
		return false;
	u->port = (uint16_t)port;
	*t = s;
	return true;
}

/* From somewhere before a URI to its host; SIP_BAD: that is a name, or the
 * port cannot be, and v->at is the URI. */
static enum sip_find sip_host(const struct sip_msg *m, uint8_t l3proto,
                              struct text *v)
{
	const uint8_t *at = sip_search(m, v->at, v->end, "sip:");
	struct text host, t;
	struct sip_uri u;

	if (!at)
		return SIP_NONE;
	v->at = at + strlen("sip:");
	host = *v;
	sip_user(&host);
	t = host;
	if (!sip_host_port(&t, l3proto, &u))
		return SIP_BAD;
	*v = host;
	return SIP_FOUND;
}

static enum sip_find sip_value(const struct sip_msg *m, enum sip_kind kind,
                               uint8_t l3proto, struct text *v)
{
	struct text begin = *v;

	if (kind == SIP_KIND_NUMBER)
		return text_is_digit(*v->at) ? SIP_FOUND : SIP_BAD;
	if (sip_host(m, l3proto, v) == SIP_FOUND)
		return SIP_FOUND;
	*v = begin;
	return SIP_BAD;
}

enum sip_find sip_header(const struct sip_msg *m, const uint8_t *from,
                         enum sip_header which, uint8_t l3proto, struct text *v)
{
	const struct sip_header_name *n = &sip_names[which];
	const uint8_t *line = from;

	while ((line = sip_line(line, m->end))) {
		*v = (struct text){line, m->end};
		line = sip_line_after(m, line);
		if (sip_is_white(*v->at) || !sip_named(v, n))
			continue;
		if (sip_white(v) && text_byte(v, ':') && sip_white(v))
			return sip_value(m, n->kind, l3proto, v);
		if (!m->mirror)
			return SIP_NONE;
	}
	return SIP_NONE;
}

enum sip_find sip_number(const struct sip_msg *m, enum sip_header which,
                         uint32_t *v)
{
	struct text t;
	enum sip_find rc = sip_header(m, m->at, which, 4, &t);

	if (rc == SIP_FOUND && !sip_digits(&t, v))
		return SIP_BAD;
	return rc;
}

/* -- contacts -------------------------------------------------------------- */

/* The next URI of a header that lists several. */
static enum sip_find sip_listed(const struct sip_msg *m, uint8_t l3proto,
                                struct text *v)
{
	v->at = sip_search(m, v->at, v->end, ",");
	return v->at ? sip_host(m, l3proto, v) : SIP_NONE;
}

/* The next URI whose host is an address: of this header, or one further on. */
static bool sip_next_host(const struct sip_msg *m, struct sip_contacts *c,
                          uint8_t l3proto, struct text *v)
{
	enum sip_find rc;

	*v = (struct text){c->at ? c->at : m->at, m->end};
	while (c->inside) {
		struct text t = *v;

		rc = sip_listed(m, l3proto, &t);
		if (rc == SIP_NONE)
			break;
		if (++c->listed > SIP_LISTED_MAX)
			return false;
		*v = t;
		if (rc == SIP_FOUND)
			return true;
	}
	do
		rc = sip_header(m, v->at, SIP_CONTACT, l3proto, v);
	while (rc == SIP_BAD);
	c->inside = rc == SIP_FOUND;
	return c->inside;
}

bool sip_contact(const struct sip_msg *m, struct sip_contacts *c,
                 uint8_t l3proto, struct sip_uri *u)
{
	struct text t;

	if (!sip_next_host(m, c, l3proto, &t) || !sip_host_port(&t, l3proto, u))
		return false;
	c->at = t.at;
	return true;
}

/* Behind `name` among the parameters of this contact, those in its URI and
 * those of the header alike (RFC 3261, 20.10). */
static bool sip_param(const struct sip_msg *m, const struct sip_contacts *c,
                      const char *name, struct text *v)
{
	const uint8_t *comma = sip_search(m, c->at, m->end, ",");

	v->end = comma ? comma : m->end;
	v->at = sip_search(m, c->at, v->end, name);
	if (!v->at)
		return false;
	v->at += strlen(name);
	v->end = m->end;
	return true;
}

bool sip_contact_here(const struct sip_msg *m, const struct sip_contacts *c,
                      uint8_t l4proto)
{
	struct text t;

	if (!sip_param(m, c, "transport=", &t))
		return true;
	return text_nocase(&t, l4proto == IPPROTO_TCP ? "TCP" : "UDP");
}

enum sip_find sip_contact_expires(const struct sip_msg *m,
                                  const struct sip_contacts *c,
                                  uint32_t *seconds)
{
	struct text t;

	if (!sip_param(m, c, "expires=", &t))
		return SIP_NONE;
	return sip_digits(&t, seconds) ? SIP_FOUND : SIP_BAD;
}

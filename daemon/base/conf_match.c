/* conf_match.c - values that packets are compared with; see conf_value.h. */
#include "daemon/base/conf_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int bad(char *err, const char *what, const char *text)
{
	snprintf(err, CONF_ERR, "%s, not '%.100s'", what, text);
	return -1;
}

/* "name=number name=number": the row's words are the only list of names */
static bool name_find(const char *words, const char *text, uint64_t *v)
{
	size_t len = strlen(text), n;

	for (; words && *words; words += n, words += *words == ' ') {
		n = strcspn(words, " ");
		if (len < n && words[len] == '=' &&
		    !strncasecmp(words, text, len)) {
			*v = strtoul(words + len + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

int conf_named_read(const struct conf_key *k, const char *text, uint64_t *v,
                    char *out, char *err)
{
	size_t i, len = strlen(text);

	if (len && len < 32 && name_find(k->words, text, v)) {
		for (i = 0; i <= len; i++)
			out[i] = (char)tolower((unsigned char)text[i]);
		return 0;
	}
	if (conf_number_read(text, v) || *v < k->min || *v > k->max)
		return bad(err,
		           "a name that is known, or a number in range, "
		           "is needed",
		           text);
	sprintf(out, "%" PRIu64, *v);
	return 0;
}

int conf_name_check(const char *item, size_t len, char *err)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)item[i]) && item[i] != '_' &&
		    item[i] != '-')
			break;
	if (len && i == len && len < POLICY_NAME)
		return 0;
	snprintf(err, CONF_ERR,
	         "up to %u letters, digits, _ and - are needed, not '%.*s'",
	         POLICY_NAME - 1, (int)(len < 100 ? len : 100), item);
	return -1;
}

/* -- ports -------------------------------------------------------------- */
/* FROM, FROM-TO or FROM:TO at *text, which goes behind it */
static bool range_read(const char **text, struct policy_range *r)
{
	unsigned long n[2];
	unsigned int i;
	char *end;

	for (i = 0; i < 2; i++) {
		if (!isdigit((unsigned char)**text))
			return false;
		n[i] = strtoul(*text, &end, 10);
		if (n[i] > 65535 || end - *text > 5)
			return false;
		*text = end;
		if (*end != '-' && *end != ':')
			break;
		*text += !i;
	}
	if (i == 2)
		return false;
	r->from = (uint16_t)n[0];
	r->to = (uint16_t)(i ? n[1] : n[0]);
	return r->from <= r->to;
}

int conf_ranges_read(const struct conf_key *k, const char *text, uint64_t *v,
                     char *out, char *err)
{
	static const char gap[] = " \t,{}";
	const char *at = text;
	struct policy_range r;

	(void)k;
	*v = 0;
	*out = '\0';
	for (at += strspn(at, gap); *at; at += strspn(at, gap), ++*v) {
		if (!range_read(&at, &r) || (*at && !strchr(gap, *at)))
			return bad(err, "ports, or ranges FROM-TO, are needed",
			           text);
		if (*v == POLICY_RANGES)
			return bad(err, "no more than 8 ports or ranges fit",
			           text);
		out += sprintf(out, r.from == r.to ? "%s%u" : "%s%u-%u",
		               *v ? "," : "", r.from, r.to);
	}
	return 0;
}

unsigned int conf_ranges_parse(const char *text, struct policy_range *r,
                               unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max && *text && range_read(&text, &r[n]); n++)
		text += *text == ',';
	return n;
}

/* -- zones -------------------------------------------------------------- */
static bool digits_read(const char **text, unsigned long most, unsigned long *n)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*n = strtoul(*text, &end, 10);
	/* longer than any 32 bits are written: it may have wrapped */
	if (end - *text > 10 || *n > most)
		return false;
	*text = end;
	return true;
}

/* FROM=ZONE or FROM-TO=ZONE at *text, which goes behind it.  In a file '=' has
 * to stand between quotes, so ':' does as well. */
static bool zone_read(const char **text, struct policy_zone_map *m)
{
	unsigned long from, to, zone;

	if (!digits_read(text, UINT32_MAX, &from))
		return false;
	to = from;
	if (**text == '-') {
		++*text;
		if (!digits_read(text, UINT32_MAX, &to))
			return false;
	}
	if (**text != '=' && **text != ':')
		return false;
	++*text;
	if (!digits_read(text, UINT16_MAX, &zone) || from > to)
		return false;
	m->from = (uint32_t)from;
	m->to = (uint32_t)to;
	m->zone = (uint16_t)zone;
	return true;
}

int conf_map_read(const struct conf_key *k, const char *text, uint64_t *v,
                  char *out, char *err)
{
	static const char gap[] = " \t,{}";
	const char *at = text;
	struct policy_zone_map m;

	(void)k;
	*v = 0;
	*out = '\0';
	for (at += strspn(at, gap); *at; at += strspn(at, gap), ++*v) {
		if (!zone_read(&at, &m) || (*at && !strchr(gap, *at)))
			return bad(err, "NUMBER=ZONE or FROM-TO=ZONE is needed",
			           text);
		if (*v == POLICY_ZONES) {
			snprintf(err, CONF_ERR, "no more than %u of them fit",
			         POLICY_ZONES);
			return -1;
		}
		out += sprintf(out, m.from == m.to ? "%s%u" : "%s%u-%u",
		               *v ? "," : "", m.from, m.to);
		out += sprintf(out, "=%u", m.zone);
	}
	return 0;
}

unsigned int conf_map_parse(const char *text, struct policy_zone_map *m,
                            unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max && *text && zone_read(&text, &m[n]); n++)
		text += *text == ',';
	return n;
}

/* -- networks ----------------------------------------------------------- */
static bool net_read(const char *text, struct policy_net *n, uint8_t *family,
                     unsigned int *bits)
{
	char addr[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int most, i;
	uint64_t v;

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	memset(n, 0, sizeof(*n));
	*family = strchr(addr, ':') ? 6 : 4;
	if (inet_pton(*family == 6 ? AF_INET6 : AF_INET, addr, n->addr) != 1)
		return false;
	most = *family == 6 ? 128 : 32;
	*bits = most;
	if (text[len]) {
		if (conf_number_read(text + len + 1, &v) || v > most)
			return false;
		*bits = (unsigned int)v;
	}
	for (i = 0; i < 4 && i * 32 < *bits; i++) {
		unsigned int left = *bits - i * 32;

		n->mask[i] = htonl(left >= 32 ? ~0u : ~0u << (32 - left));
	}
	for (i = 0; i < 4; i++)
		n->addr[i] &= n->mask[i];
	return true;
}

int conf_net_read(const struct conf_key *k, const char *text, uint64_t *v,
                  char *out, char *err)
{
	char addr[INET6_ADDRSTRLEN];
	struct policy_net n;
	unsigned int bits;
	uint8_t family;

	(void)k;
	if (!net_read(text, &n, &family, &bits))
		return bad(err, "ADDRESS or ADDRESS/BITS is needed", text);
	inet_ntop(family == 6 ? AF_INET6 : AF_INET, n.addr, addr, sizeof(addr));
	if (bits == (family == 6 ? 128u : 32u))
		sprintf(out, "%s", addr);
	else
		sprintf(out, "%s/%u", addr, bits);
	*v = family;
	return 0;
}

uint8_t conf_net_parse(const char *text, struct policy_net *n)
{
	unsigned int bits;
	uint8_t family;

	return net_read(text, n, &family, &bits) ? family : 0;
}

/* -- marks -------------------------------------------------------------- */
static bool word_read(const char **text, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*v = strtoull(*text, &end, 0);
	/* longer than any 32 bits are written: it may have wrapped */
	if (end - *text > 16)
		return false;
	*text = end;
	return *v <= UINT32_MAX;
}

int conf_mark_read(const struct conf_key *k, const char *text, uint64_t *v,
                   char *out, char *err)
{
	const char *at = text;
	uint64_t value, mask = UINT32_MAX;
	bool ok;

	(void)k;
	ok = word_read(&at, &value);
	if (ok && *at == '/') {
		at++;
		ok = word_read(&at, &mask);
	}
	if (!ok || *at)
		return bad(err, "MARK or MARK/MASK is needed", text);
	if (mask == UINT32_MAX)
		sprintf(out, "0x%" PRIx64, value);
	else
		sprintf(out, "0x%" PRIx64 "/0x%" PRIx64, value, mask);
	*v = value | mask << 32;
	return 0;
}

/* value.c - words of the command line to values. */
#include "cli/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int value_u64(const char *s, uint64_t max, uint64_t *to)
{
	unsigned long long v;
	char *end;
	int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;

	/* strtoull would take signs and spaces */
	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	v = strtoull(s, &end, base);
	if (*end || errno || v > max)
		return -1;
	*to = v;
	return 0;
}

int value_u32(const char *s, uint32_t max, uint32_t *to)
{
	uint64_t v;

	if (value_u64(s, max, &v))
		return -1;
	*to = (uint32_t)v;
	return 0;
}

/* "text" up to a separator, copied: -1 when it does not fit */
static int value_part(char *to, size_t size, const char *s, size_t n)
{
	if (n >= size)
		return -1;
	memcpy(to, s, n);
	to[n] = '\0';
	return 0;
}

int value_ms(const char *s, uint32_t *ms)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}};
	char digits[16];
	size_t n = strspn(s, "0123456789"), i;
	uint32_t v;

	if (value_part(digits, sizeof(digits), s, n) ||
	    value_u32(digits, 86400000, &v))
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(s + n, units[i].unit) &&
		    v <= 86400000 / units[i].ms) {
			*ms = v * units[i].ms;
			return 0;
		}
	return -1;
}

int value_net(const char *s, struct ctshard_net *to)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(s, "/");
	uint32_t prefix;

	if (value_part(addr, sizeof(addr), s, n))
		return -1;
	if (inet_pton(AF_INET, addr, to->addr) == 1)
		to->len = 4;
	else if (inet_pton(AF_INET6, addr, to->addr) == 1)
		to->len = 16;
	else
		return -1;
	prefix = to->len * 8u;
	if (s[n] && value_u32(s + n + 1, prefix, &prefix))
		return -1;
	to->prefix = (uint8_t)prefix;
	return 0;
}

int value_mask(const char *s, struct ctshard_net *to)
{
	struct ctshard_net m;
	unsigned i, bits = 0;

	if (value_net(s, &m) || m.len != to->len)
		return -1;
	while (bits < m.len * 8u && m.addr[bits / 8] >> (7 - bits % 8) & 1)
		bits++;
	for (i = bits; i < m.len * 8u; i++)
		if (m.addr[i / 8] >> (7 - i % 8) & 1)
			return -1; /* with holes: no prefix says that */
	to->prefix = (uint8_t)bits;
	return 0;
}

int value_range(const char *s, uint32_t max, struct ctshard_range *to)
{
	char first[16];
	size_t n = strcspn(s, ":-");

	if (value_part(first, sizeof(first), s, n) ||
	    value_u32(first, max, &to->from))
		return -1;
	to->to = to->from;
	if (s[n] && value_u32(s + n + 1, max, &to->to))
		return -1;
	return to->to < to->from ? -1 : 0;
}

int value_mark(const char *s, uint32_t *mark, uint32_t *mask)
{
	char first[16];
	size_t n = strcspn(s, "/");

	*mask = UINT32_MAX;
	if (value_part(first, sizeof(first), s, n) ||
	    value_u32(first, UINT32_MAX, mark))
		return -1;
	return s[n] ? value_u32(s + n + 1, UINT32_MAX, mask) : 0;
}

/* Names that an option may give; what the daemon prints is the daemon's. */
static const struct {
	const char *name;
	uint32_t num;
} protos[] = {
	{"icmp", 1},   {"tcp", 6},        {"udp", 17},    {"dccp", 33},
	{"gre", 47},   {"esp", 50},       {"ah", 51},     {"icmpv6", 58},
	{"ospf", 89},  {"ipv6-icmp", 58}, {"sctp", 132},  {"udplite", 136},
	{"igmp", 2},   {"ipip", 4},       {"ipencap", 4}, {"ipv6", 41},
	{"vrrp", 112}, {"pim", 103},
};

int value_proto(const char *s, uint32_t *to)
{
	size_t i;

	for (i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		if (!strcasecmp(protos[i].name, s)) {
			*to = protos[i].num;
			return 0;
		}
	}
	return value_u32(s, 255, to);
}

int value_family(const char *s, uint32_t *to)
{
	if (!strcasecmp(s, "ipv4") || !strcmp(s, "4") || !strcmp(s, "inet"))
		*to = 4;
	else if (!strcasecmp(s, "ipv6") || !strcmp(s, "6") ||
	         !strcmp(s, "inet6"))
		*to = 6;
	else
		return -1;
	return 0;
}

/* The kernel sets OFFLOAD; we never do, so that filter matches nothing. */
#define STATUS_OFFLOAD (1u << 14)

static uint32_t status_bit(const char *w)
{
#define X(name, bit, word)        \
	if (!strcasecmp(w, word)) \
		return CTSHARD_S_##name;
	CTSHARD_STATUS(X)
#undef X
	return strcasecmp(w, "OFFLOAD") ? 0 : STATUS_OFFLOAD;
}

static int status_word(const char *w, uint32_t *set, uint32_t *clear)
{
	uint32_t bit;

	if (!strcasecmp(w, "UNREPLIED")) {
		*clear |= CTSHARD_S_SEEN_REPLY;
		return 0;
	}
	if (!strcasecmp(w, "UNSET")) {
		*clear |= CTSHARD_S_SEEN_REPLY | CTSHARD_S_ASSURED |
		          CTSHARD_S_EXPECTED | CTSHARD_S_FIXED_TIMEOUT;
		return 0;
	}
	bit = status_bit(*w == '!' ? w + 1 : w);
	if (*w == '!')
		*clear |= bit;
	else
		*set |= bit;
	return bit ? 0 : -1;
}

int value_status(const char *s, uint32_t *set, uint32_t *clear)
{
	char word[32];
	size_t n;

	do {
		n = strcspn(s, ",");
		if (value_part(word, sizeof(word), s, n) ||
		    status_word(word, set, clear))
			return -1;
		s += n;
	} while (*s++);
	return 0;
}

#define TYPE_BIT(name) (1u << CTSHARD_##name)

static uint32_t event_word(const char *w)
{
	if (!strcasecmp(w, "new"))
		return TYPE_BIT(NEW);
	if (!strcasecmp(w, "update") || !strcasecmp(w, "updates"))
		return TYPE_BIT(UPDATE);
	if (!strcasecmp(w, "destroy"))
		return TYPE_BIT(DESTROY);
	if (!strcasecmp(w, "audit"))
		return TYPE_BIT(AUDIT);
	if (!strcasecmp(w, "all"))
		return TYPE_BIT(NEW) | TYPE_BIT(UPDATE) | TYPE_BIT(DESTROY);
	return 0;
}

int value_events(const char *s, uint32_t *types)
{
	char word[16];
	uint32_t bits;
	size_t n;

	do {
		n = strcspn(s, ",");
		if (value_part(word, sizeof(word), s, n))
			return -1;
		bits = event_word(word);
		if (!bits)
			return -1;
		/* the marks of the stream itself are never filtered away */
		*types |= bits | TYPE_BIT(LIST) | TYPE_BIT(LIST_END) |
		          TYPE_BIT(GAP);
		s += n;
	} while (*s++);
	return 0;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

int value_uuid(const char *s, size_t n, uint8_t to[16])
{
	unsigned digits = 0;
	size_t i;
	int d;

	memset(to, 0, 16);
	for (i = 0; i < n; i++) {
		if (s[i] == '-')
			continue;
		d = hex_digit(s[i]);
		if (d < 0 || digits == 32)
			return -1;
		to[digits / 2] = (uint8_t)(to[digits / 2] << 4 | d);
		digits++;
	}
	return digits == 32 ? 0 : -1;
}

void value_uuid_text(const uint8_t uuid[16], char to[37])
{
	unsigned i, at = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			to[at++] = '-';
		snprintf(to + at, 37 - at, "%02x", uuid[i]);
		at += 2;
	}
}

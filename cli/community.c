/*
 * community.c - see community.h.
 *
 * "1:" and, in base64, the SHA-1 (RFC 3174) of: seed, both addresses, protocol,
 * a zero byte, both ports; all in network order, the lesser endpoint first.
 * ICMP has its type and the type that answers it for ports; types that nothing
 * answers have type and code, and keep their direction.
 */
#include "cli/community.h"

#include <stdbool.h>
#include <string.h>

#define SHA1_LEN 20

struct sha1 {
	uint32_t h[5];
};

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void sha1_block(struct sha1 *s, const uint8_t *p)
{
	static const uint32_t k[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
	                             0xca62c1d6};
	uint32_t w[80], v[5], f, t;
	unsigned i;

	for (i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(v, s->h, sizeof(v));
	for (i = 0; i < 80; i++) {
		if (i < 20)
			f = (v[1] & v[2]) | (~v[1] & v[3]);
		else if (i < 40 || i >= 60)
			f = v[1] ^ v[2] ^ v[3];
		else
			f = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
		t = rotate(v[0], 5) + f + v[4] + k[i / 20] + w[i];
		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = t;
	}
	for (i = 0; i < 5; i++)
		s->h[i] += v[i];
}

/* What is hashed here fits into one block with its padding. */
static void sha1_short(const uint8_t *data, size_t n, uint8_t to[SHA1_LEN])
{
	struct sha1 s = {
		{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
	uint8_t block[64] = {0};
	unsigned i;

	memcpy(block, data, n);
	block[n] = 0x80;
	block[62] = (uint8_t)(n * 8 >> 8);
	block[63] = (uint8_t)(n * 8);
	sha1_block(&s, block);
	for (i = 0; i < SHA1_LEN; i++)
		to[i] = (uint8_t)(s.h[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const uint8_t *p, size_t n, char *to)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v;
	size_t i;

	for (i = 0; i < n; i += 3) {
		v = (uint32_t)p[i] << 16;
		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		*to++ = digit[v >> 18];
		*to++ = digit[v >> 12 & 63];
		*to++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digit[v & 63] : '=';
	}
	*to = '\0';
}

/* The type of the other direction, or -1. */
static int icmp_pair(uint32_t protonum, uint32_t type)
{
	static const uint8_t v4[][2] = {
		{8, 0}, {13, 14}, {15, 16}, {17, 18}, {10, 9}};
	static const uint8_t v6[][2] = {{128, 129}, {133, 134}, {135, 136},
	                                {130, 131}, {144, 145}, {139, 140}};
	const uint8_t(*pair)[2] = protonum == 1 ? v4 : v6;
	size_t i, n = protonum == 1 ? sizeof(v4) / 2 : sizeof(v6) / 2;

	for (i = 0; i < n; i++)
		if (pair[i][0] == type || pair[i][1] == type)
			return pair[i][pair[i][0] == type];
	return -1;
}

/* True: the flow has two directions, of which either may come first. */
static bool ports(const struct ctshard_conn *c, uint32_t port[2], bool *has)
{
	const struct ctshard_tuple *t = &c->dir[0];
	int other;

	*has = true;
	switch (c->protonum) {
	case 1:
	case 58:
		other = icmp_pair(c->protonum, t->type);
		port[0] = t->type;
		port[1] = other < 0 ? t->code : (uint32_t)other;
		return other >= 0;
	case 6:
	case 17:
	case 132:
		port[0] = t->sport;
		port[1] = t->dport;
		return true;
	default:
		*has = false;
		port[0] = port[1] = 0;
		return true;
	}
}

static size_t put(uint8_t *to, size_t at, const void *p, size_t n)
{
	memcpy(to + at, p, n);
	return at + n;
}

static size_t put16(uint8_t *to, size_t at, uint32_t v)
{
	to[at] = (uint8_t)(v >> 8);
	to[at + 1] = (uint8_t)v;
	return at + 2;
}

void community_id(const struct ctshard_conn *c, uint16_t seed,
                  char to[COMMUNITY_TEXT])
{
	const struct ctshard_tuple *t = &c->dir[0];
	size_t len = c->l3 == 4 ? 4 : 16, n;
	uint8_t data[48], sum[SHA1_LEN];
	const uint8_t *addr[2] = {t->src, t->dst};
	uint32_t port[2];
	bool has, both = ports(c, port, &has);
	int order = memcmp(addr[0], addr[1], len), a;

	/* which end comes first */
	a = both && (order > 0 || (!order && port[0] > port[1]));
	n = put16(data, 0, seed);
	n = put(data, n, addr[a], len);
	n = put(data, n, addr[!a], len);
	data[n++] = (uint8_t)c->protonum;
	data[n++] = 0;
	if (has) {
		n = put16(data, n, port[a]);
		n = put16(data, n, port[!a]);
	}
	sha1_short(data, n, sum);
	to[0] = '1';
	to[1] = ':';
	base64(sum, sizeof(sum), to + 2);
}

/*
 * csum.c - the Internet checksum over layer 4 (RFC 1071).
 *
 * Theory.  One's complement addition does not care in which order words are
 * added nor how wide they are, and a sum in the host's byte order is the sum
 * in the wire's with its bytes swapped (RFC 1071 §2).  So bytes are added as
 * words of the host, carries counted, and folded once at the end; whether the
 * result is "all ones" is the same question in either order.  Payloads are
 * added 32 bytes at a time, as words of 32 bits in lanes of 64, where no carry
 * gets lost however long a frame is.
 */
#include "daemon/pkt/pkt.h"

#include <string.h>

enum { PROTO_ICMP = 1 };

static inline uint64_t add64(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

typedef uint64_t lanes __attribute__((vector_size(16)));

/* `len`: a multiple of 32 */
static uint64_t sum_wide(const uint8_t *at, uint32_t len, uint64_t sum)
{
	const lanes low = {UINT32_MAX, UINT32_MAX};
	lanes a = {0}, b = {0}, c = {0}, d = {0}, v, w;

	for (; len; at += 32, len -= 32) {
		memcpy(&v, at, sizeof(v));
		memcpy(&w, at + sizeof(v), sizeof(w));
		a += v & low;
		b += v >> 32;
		c += w & low;
		d += w >> 32;
	}
	a += b;
	a += c;
	a += d;
	return add64(sum, a[0] + a[1]);
}

static uint64_t sum_bytes(const uint8_t *at, uint32_t len, uint64_t sum)
{
	uint32_t wide = len & ~31u;
	uint64_t w;

	if (wide)
		sum = sum_wide(at, wide, sum);
	at += wide;
	for (len -= wide; len >= 8; at += 8, len -= 8) {
		memcpy(&w, at, 8);
		sum = add64(sum, w);
	}
	if (len) {
		w = 0;
		memcpy(&w, at, len);
		sum = add64(sum, w);
	}
	return sum;
}

static uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Addresses, length and protocol; ICMP over IPv4 has none (RFC 792). */
static uint64_t pseudo_header(const struct pkt *p, uint8_t proto)
{
	uint8_t tail[8] = {(uint8_t)(p->l4len >> 24),
	                   (uint8_t)(p->l4len >> 16),
	                   (uint8_t)(p->l4len >> 8),
	                   (uint8_t)p->l4len,
	                   0,
	                   0,
	                   0,
	                   proto};
	uint64_t sum;

	if (p->l3proto == 4 && proto == PROTO_ICMP)
		return 0;
	sum = sum_bytes(p->src.b, p->l3proto == 4 ? 4 : 16, 0);
	sum = sum_bytes(p->dst.b, p->l3proto == 4 ? 4 : 16, sum);
	return sum_bytes(tail, sizeof(tail), sum);
}

uint16_t pkt_l4_checksum_part(const struct pkt *p, uint8_t proto,
                              uint32_t cover, bool *known)
{
	const uint8_t *at = pkt_l4(p, 0, cover);

	*known = at != NULL && p->reason == PKT_OK;
	if (!*known)
		return 0;
	return (uint16_t)~sum_fold(
		sum_bytes(at, cover, pseudo_header(p, proto)));
}

uint16_t pkt_l4_checksum(const struct pkt *p, uint8_t proto, bool *known)
{
	return pkt_l4_checksum_part(p, proto, p->l4len, known);
}

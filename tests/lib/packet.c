/* packet.c - see packet.h.  The checksums are written here once more, and not
 * taken from the code under test. */
#include "tests/lib/packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static uint8_t *packet_grow(struct packet *b, uint32_t len)
{
	uint8_t *at = b->buf + b->len;

	assert(len <= PACKET_MAX - b->len);
	memset(at, 0, len);
	b->len += len;
	return at;
}

/* ---- which layer is in which ---- */

static const struct {
	uint16_t ethertype; /* 0: not directly within a link layer */
	uint8_t proto;
} packet_ids[] = {
	[PACKET_ETH] = {0x6558, 0},  [PACKET_VLAN] = {0x8100, 0},
	[PACKET_IP4] = {0x0800, 4},  [PACKET_IP6] = {0x86dd, 41},
	[PACKET_TCP] = {0, 6},       [PACKET_UDP] = {0, 17},
	[PACKET_UDPLITE] = {0, 136}, [PACKET_ICMP] = {0, 1},
	[PACKET_ICMP6] = {0, 58},    [PACKET_SCTP] = {0, 132},
	[PACKET_GRE] = {0, 47},
};

/* the layer before says what follows it */
static void packet_link(struct packet *b, uint16_t ethertype, uint8_t proto)
{
	const struct packet_layer *l;
	uint8_t *h;

	if (!b->nlayers)
		return;
	l = &b->layer[b->nlayers - 1];
	h = b->buf + l->off;
	switch (l->kind) {
	case PACKET_ETH:
		put16(h + 12, ethertype);
		break;
	case PACKET_VLAN:
	case PACKET_GRE:
		put16(h + 2, ethertype);
		break;
	case PACKET_IP4:
		h[9] = proto;
		break;
	case PACKET_IP6:
		h[6] = proto;
		break;
	case PACKET_EXT:
		h[0] = proto;
		break;
	default:
		break;
	}
}

static uint8_t *packet_push(struct packet *b, enum packet_kind kind,
                            uint8_t proto, uint32_t len)
{
	if (kind == PACKET_EXT || kind == PACKET_OTHER)
		packet_link(b, 0, proto);
	else
		packet_link(b, packet_ids[kind].ethertype,
		            packet_ids[kind].proto);
	assert(b->nlayers < PACKET_LAYERS);
	b->layer[b->nlayers].kind = kind;
	b->layer[b->nlayers].off = b->len;
	b->nlayers++;
	return packet_grow(b, len);
}

uint32_t packet_at(const struct packet *b, enum packet_kind kind)
{
	uint32_t i = b->nlayers;

	while (i-- > 0)
		if (b->layer[i].kind == kind)
			return b->layer[i].off;
	assert(!"no such layer");
	return 0;
}

/* ---- layers ---- */

void packet_begin(struct packet *b)
{
	b->len = 0;
	b->nlayers = 0;
}

uint8_t *packet_eth(struct packet *b)
{
	static const uint8_t mac[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint8_t *h = packet_push(b, PACKET_ETH, 0, 14);

	memcpy(h, mac, sizeof(mac));
	return h;
}

uint8_t *packet_vlan(struct packet *b, uint16_t id)
{
	uint8_t *h = packet_push(b, PACKET_VLAN, 0, 4);

	put16(h, id);
	return h;
}

uint8_t *packet_ip4(struct packet *b, const char *src, const char *dst)
{
	uint8_t *h = packet_push(b, PACKET_IP4, 0, 20);
	int ok;

	h[0] = 0x45;
	h[8] = 64;
	ok = inet_pton(AF_INET, src, h + 12) == 1 &&
	     inet_pton(AF_INET, dst, h + 16) == 1;
	assert(ok);
	(void)ok;
	return h;
}

uint8_t *packet_ip6(struct packet *b, const char *src, const char *dst)
{
	uint8_t *h = packet_push(b, PACKET_IP6, 0, 40);
	int ok;

	h[0] = 0x60;
	h[7] = 64;
	ok = inet_pton(AF_INET6, src, h + 8) == 1 &&
	     inet_pton(AF_INET6, dst, h + 24) == 1;
	assert(ok);
	(void)ok;
	return h;
}

uint8_t *packet_ext(struct packet *b, uint8_t proto, const void *body,
                    uint32_t len)
{
	uint8_t *h = packet_push(b, PACKET_EXT, proto, len + 2);

	memcpy(h + 2, body, len);
	h[0] = 59; /* no next header, until one comes */
	if (proto == 51)
		h[1] = (uint8_t)((len + 2) / 4 - 2); /* AH counts words */
	else if (proto != 44)
		h[1] = (uint8_t)((len + 2) / 8 - 1);
	return h;
}

uint8_t *packet_tcp(struct packet *b, uint16_t sport, uint16_t dport,
                    uint32_t seq, uint32_t ack, uint8_t flags, uint16_t win)
{
	uint8_t *h = packet_push(b, PACKET_TCP, 0, 20);

	put16(h, sport);
	put16(h + 2, dport);
	put32(h + 4, seq);
	put32(h + 8, ack);
	h[12] = 5 << 4;
	h[13] = flags;
	put16(h + 14, win);
	return h;
}

void packet_tcp_option(struct packet *b, uint8_t kind, const void *body,
                       uint8_t len)
{
	uint8_t *h = b->buf + packet_at(b, PACKET_TCP), *o;

	o = packet_grow(b, kind < 2 ? 1 : len + 2u);
	o[0] = kind;
	if (kind >= 2) {
		o[1] = (uint8_t)(len + 2);
		memcpy(o + 2, body, len);
	}
	h[12] = (uint8_t)((b->buf + b->len - h + 3) / 4 << 4);
}

void packet_tcp_wscale(struct packet *b, uint8_t scale)
{
	packet_tcp_option(b, 3, &scale, 1);
}

void packet_tcp_sack(struct packet *b, uint32_t left, uint32_t right)
{
	uint8_t body[8];

	put32(body, left);
	put32(body + 4, right);
	packet_tcp_option(b, 5, body, sizeof(body));
}

void packet_tcp_pad(struct packet *b)
{
	uint32_t off = packet_at(b, PACKET_TCP);

	while ((b->len - off) % 4)
		packet_tcp_option(b, 1, NULL, 0);
}

uint8_t *packet_udp(struct packet *b, uint16_t sport, uint16_t dport)
{
	uint8_t *h = packet_push(b, PACKET_UDP, 0, 8);

	put16(h, sport);
	put16(h + 2, dport);
	return h;
}

uint8_t *packet_udplite(struct packet *b, uint16_t sport, uint16_t dport,
                        uint16_t cover)
{
	uint8_t *h = packet_push(b, PACKET_UDPLITE, 0, 8);

	put16(h, sport);
	put16(h + 2, dport);
	put16(h + 4, cover);
	return h;
}

uint8_t *packet_icmp(struct packet *b, uint8_t type, uint8_t code,
                     uint32_t rest)
{
	bool v6 = false;
	uint32_t i;
	uint8_t *h;

	for (i = 0; i < b->nlayers; i++)
		if (b->layer[i].kind == PACKET_IP4 ||
		    b->layer[i].kind == PACKET_IP6)
			v6 = b->layer[i].kind == PACKET_IP6;
	h = packet_push(b, v6 ? PACKET_ICMP6 : PACKET_ICMP, 0, 8);
	h[0] = type;
	h[1] = code;
	put32(h + 4, rest);
	return h;
}

uint8_t *packet_sctp(struct packet *b, uint16_t sport, uint16_t dport,
                     uint32_t vtag)
{
	uint8_t *h = packet_push(b, PACKET_SCTP, 0, 12);

	put16(h, sport);
	put16(h + 2, dport);
	put32(h + 4, vtag);
	return h;
}

void packet_chunk(struct packet *b, uint8_t type, uint8_t flags,
                  const void *body, uint16_t len)
{
	uint8_t *h = packet_grow(b, 4 + ((len + 3u) & ~3u));

	h[0] = type;
	h[1] = flags;
	put16(h + 2, (uint16_t)(len + 4));
	if (len)
		memcpy(h + 4, body, len);
}

uint8_t *packet_gre(struct packet *b, uint16_t flags)
{
	uint8_t *h = packet_push(b, PACKET_GRE, 0, 4);

	put16(h, flags);
	return h;
}

uint8_t *packet_other(struct packet *b, uint8_t proto, const void *body,
                      uint32_t len)
{
	uint8_t *h = packet_push(b, PACKET_OTHER, proto, len);

	if (len)
		memcpy(h, body, len);
	return h;
}

uint8_t *packet_data(struct packet *b, const void *data, uint32_t len)
{
	uint8_t *at = packet_grow(b, len);

	if (len)
		memcpy(at, data, len);
	return at;
}

uint8_t *packet_fill(struct packet *b, uint8_t byte, uint32_t len)
{
	uint8_t *at = packet_grow(b, len);

	memset(at, byte, len);
	return at;
}

void packet_quote(struct packet *b, const struct packet *q, uint32_t l4len)
{
	uint32_t i, from = 0, hlen = 0;

	for (i = 0; i < q->nlayers && !hlen; i++) {
		from = q->layer[i].off;
		if (q->layer[i].kind == PACKET_IP4)
			hlen = 20;
		else if (q->layer[i].kind == PACKET_IP6)
			hlen = 40;
	}
	assert(hlen && l4len <= q->len - from - hlen);
	packet_data(b, q->buf + from, hlen + l4len);
}

/* ---- lengths and checksums ---- */

static uint32_t sum_add(uint32_t sum, const uint8_t *at, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint16_t sum_end(uint32_t sum)
{
	return (uint16_t)(~sum & 0xffff);
}

/* sum of the pseudo header of the IP layer that encloses layer i */
static uint32_t sum_pseudo(const struct packet *b, uint32_t i, uint8_t proto)
{
	uint32_t len = b->len - b->layer[i].off;
	uint8_t tail[8] = {0};
	const uint8_t *h;

	put32(tail, len);
	tail[7] = proto;
	while (i-- > 0) {
		h = b->buf + b->layer[i].off;
		if (b->layer[i].kind == PACKET_IP4)
			return sum_add(sum_add(0, h + 12, 8), tail, 8);
		if (b->layer[i].kind == PACKET_IP6)
			return sum_add(sum_add(0, h + 8, 32), tail, 8);
	}
	return 0;
}

/* RFC 9260 appendix A, bit by bit */
static uint32_t crc32c(const uint8_t *at, uint32_t len)
{
	uint32_t crc = 0xffffffff, i;
	int bit;

	for (i = 0; i < len; i++) {
		crc ^= at[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void end_sctp(uint8_t *h, uint32_t len)
{
	uint32_t crc = crc32c(h, len);

	h[8] = (uint8_t)crc;
	h[9] = (uint8_t)(crc >> 8);
	h[10] = (uint8_t)(crc >> 16);
	h[11] = (uint8_t)(crc >> 24);
}

/* a sum of zero would say that there is none (RFC 768) */
static void end_udp(const struct packet *b, uint32_t i, uint8_t *h,
                    uint32_t len, uint8_t proto)
{
	uint32_t cover = get16(h + 4);
	uint16_t sum;

	if (proto == 17)
		put16(h + 4, (uint16_t)len);
	if (proto == 17 || cover == 0 || cover > len)
		cover = len;
	sum = sum_end(sum_add(sum_pseudo(b, i, proto), h, cover));
	put16(h + 6, sum ? sum : 0xffff);
}

static void end_layer(struct packet *b, uint32_t i)
{
	uint8_t *h = b->buf + b->layer[i].off;
	uint32_t len = b->len - b->layer[i].off;

	switch (b->layer[i].kind) {
	case PACKET_IP4:
		put16(h + 2, (uint16_t)len);
		put16(h + 10, 0);
		put16(h + 10, sum_end(sum_add(0, h, (h[0] & 15) * 4u)));
		break;
	case PACKET_IP6:
		put16(h + 4, (uint16_t)(len - 40));
		break;
	case PACKET_TCP:
		put16(h + 16, 0);
		put16(h + 16, sum_end(sum_add(sum_pseudo(b, i, 6), h, len)));
		break;
	case PACKET_UDP:
		put16(h + 6, 0);
		end_udp(b, i, h, len, 17);
		break;
	case PACKET_UDPLITE:
		put16(h + 6, 0);
		end_udp(b, i, h, len, 136);
		break;
	case PACKET_ICMP:
		put16(h + 2, 0);
		put16(h + 2, sum_end(sum_add(0, h, len)));
		break;
	case PACKET_ICMP6:
		put16(h + 2, 0);
		put16(h + 2, sum_end(sum_add(sum_pseudo(b, i, 58), h, len)));
		break;
	case PACKET_SCTP:
		put32(h + 8, 0);
		end_sctp(h, len);
		break;
	default:
		break;
	}
}

void packet_end(struct packet *b)
{
	uint32_t i = b->nlayers;

	while (i-- > 0)
		end_layer(b, i);
}

void packet_pkt(const struct packet *b, struct pkt *p)
{
	memset(p, 0, sizeof(*p));
	p->data = b->buf;
	p->caplen = p->wirelen = b->len;
	p->linktype = 1;
	p->ts_ns = NS_PER_S;
	p->frame = 1;
}

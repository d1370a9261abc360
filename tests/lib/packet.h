/*
 * packet.h - frames for tests, built layer by layer.
 *
 *	struct packet b;
 *
 *	packet_begin(&b);
 *	packet_eth(&b);
 *	packet_ip4(&b, "10.0.0.1", "10.0.1.1");
 *	packet_tcp(&b, 1024, 80, 1000, 0, 0x02, 65535);
 *	packet_tcp_wscale(&b, 7);
 *	packet_fill(&b, 'd', 100);
 *	packet_end(&b);
 *
 * Each layer writes its protocol number into the layer before it, and
 * packet_end() fills in lengths and checksums from the innermost layer out.  A
 * layer's function returns its header, so that a test can change fields; those
 * of packet_end() it changes afterwards.
 */
#ifndef TESTS_LIB_PACKET_H
#define TESTS_LIB_PACKET_H

#include "daemon/pkt/pkt.h"

#define PACKET_MAX    66000u
#define PACKET_LAYERS 16u

enum packet_kind {
	PACKET_ETH,
	PACKET_VLAN,
	PACKET_IP4,
	PACKET_IP6,
	PACKET_EXT,
	PACKET_TCP,
	PACKET_UDP,
	PACKET_UDPLITE,
	PACKET_ICMP,
	PACKET_ICMP6,
	PACKET_SCTP,
	PACKET_GRE,
	PACKET_OTHER
};

struct packet_layer {
	enum packet_kind kind;
	uint32_t off;
};

struct packet {
	uint32_t len;
	uint32_t nlayers;
	struct packet_layer layer[PACKET_LAYERS];
	uint8_t buf[PACKET_MAX];
};

void packet_begin(struct packet *b);
void packet_end(struct packet *b);

/* the parts that a source would set; pkt_parse() does the rest */
void packet_pkt(const struct packet *b, struct pkt *p);

/* offset of the last layer of this kind; the test ends if there is none */
uint32_t packet_at(const struct packet *b, enum packet_kind kind);

uint8_t *packet_eth(struct packet *b);
uint8_t *packet_vlan(struct packet *b, uint16_t id);
/* addresses as text, of the family */
uint8_t *packet_ip4(struct packet *b, const char *src, const char *dst);
uint8_t *packet_ip6(struct packet *b, const char *src, const char *dst);
/* an IPv6 extension header; len counts what follows its first two bytes and
 * must make it a multiple of eight (a fragment header: len 6) */
uint8_t *packet_ext(struct packet *b, uint8_t proto, const void *body,
                    uint32_t len);

uint8_t *packet_tcp(struct packet *b, uint16_t sport, uint16_t dport,
                    uint32_t seq, uint32_t ack, uint8_t flags, uint16_t win);
/* options directly behind the header, before any data; packet_end() does not
 * pad them: packet_tcp_pad() does */
void packet_tcp_option(struct packet *b, uint8_t kind, const void *body,
                       uint8_t len);
void packet_tcp_wscale(struct packet *b, uint8_t scale);
void packet_tcp_sack(struct packet *b, uint32_t left, uint32_t right);
void packet_tcp_pad(struct packet *b);

uint8_t *packet_udp(struct packet *b, uint16_t sport, uint16_t dport);
/* cover: bytes under the checksum, 0 = all */
uint8_t *packet_udplite(struct packet *b, uint16_t sport, uint16_t dport,
                        uint16_t cover);
/* ICMP within IPv4, ICMPv6 within IPv6; rest: the second four bytes */
uint8_t *packet_icmp(struct packet *b, uint8_t type, uint8_t code,
                     uint32_t rest);
uint8_t *packet_sctp(struct packet *b, uint16_t sport, uint16_t dport,
                     uint32_t vtag);
void packet_chunk(struct packet *b, uint8_t type, uint8_t flags,
                  const void *body, uint16_t len);
/* flags: the first 16 bits, e.g. 0x2000 for a key, which is then the caller's
 * to append; the second 16 come from the layer inside */
uint8_t *packet_gre(struct packet *b, uint16_t flags);
/* any other protocol: its number, and its bytes */
uint8_t *packet_other(struct packet *b, uint8_t proto, const void *body,
                      uint32_t len);

uint8_t *packet_data(struct packet *b, const void *data, uint32_t len);
uint8_t *packet_fill(struct packet *b, uint8_t byte, uint32_t len);
/* what an ICMP error quotes: `q`'s IP header and l4len bytes behind it */
void packet_quote(struct packet *b, const struct packet *q, uint32_t l4len);

static inline void put16(void *at, uint16_t v)
{
	uint8_t *b = at;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void put32(void *at, uint32_t v)
{
	put16(at, (uint16_t)(v >> 16));
	put16((uint8_t *)at + 2, (uint16_t)v);
}

#endif

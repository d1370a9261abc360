/*
 * fuzz_pkt.c - frames of every link type: layers, quotes, checksums, shards;
 * and once more with all tunnels switched on.
 *
 * The shard of a packet must be that of its answer, and of all fragments: the
 * program swaps the addresses and ports and asks again.
 */
#include "daemon/pkt/decap.h"
#include "daemon/pkt/pkt.h"
#include "daemon/pkt/steer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/packet.h"

static const uint32_t key[STEER_KEYS] = {0x12345678, 0x9abcdef0, 0x0badcafe,
                                         0x13579bdf, 0x2468ace0, 0xfeedface};

static void check_layers(const struct pkt *p)
{
	fuzz_check(p->l3proto == 4 || p->l3proto == 6, "l3proto %u",
	           p->l3proto);
	fuzz_check(p->l3 < p->l4 && p->l4 <= p->caplen && p->vlan < 4096,
	           "layers at %u, %u of %u", p->l3, p->l4, p->caplen);
	fuzz_check(pkt_l4cap(p) <= p->l4len && p->l4len <= p->l3len,
	           "lengths %u %u %u", pkt_l4cap(p), p->l4len, p->l3len);
	fuzz_check(!p->l4len || !pkt_l4(p, pkt_l4cap(p), 1),
	           "bytes behind the end");
	fuzz_check(!pkt_l4cap(p) || pkt_l4(p, pkt_l4cap(p) - 1, 1),
	           "the last byte is out of reach");
}

static void check_sum(const struct pkt *p, uint8_t proto)
{
	uint32_t cover;
	bool known = true;

	pkt_l4_checksum(p, proto, &known);
	fuzz_check(!known || pkt_l4cap(p) == p->l4len, "known without bytes");
	for (cover = 0; cover <= p->l4len && cover < 24; cover += 3)
		pkt_l4_checksum_part(p, proto, cover, &known);
}

static void check_shard(const struct pkt *p)
{
	struct pkt back = *p;
	uint8_t sh = steer_shard(key, p), ports[4];
	const uint8_t *l4;
	bool v6 = p->l3proto == 6;

	fuzz_check(steer_tuple(key, v6, &p->src, &p->dst, 0, 0, 0) ==
	                   steer_tuple(key, v6, &p->dst, &p->src, 0, 0, 0),
	           "addresses the other way round have another shard");
	if (p->reason != PKT_OK || !steer_has_ports(p->l4proto))
		return;
	l4 = pkt_l4(p, 0, 4);
	if (!l4)
		return;
	memcpy(ports, l4 + 2, 2);
	memcpy(ports + 2, l4, 2);
	back.src = p->dst;
	back.dst = p->src;
	back.data = ports;
	back.l3 = back.l4 = 0;
	back.caplen = back.l4len = 4;
	fuzz_check(steer_shard(key, &back) == sh, "the answer is in shard %u",
	           steer_shard(key, &back));
}

static void check_inner(const struct pkt *p, unsigned int depth)
{
	struct pkt inner;
	uint32_t off;

	for (off = 0; off <= 16 && off <= p->l4len; off += 4) {
		if (!pkt_inner(p, off, &inner))
			continue;
		fuzz_check(inner.data == p->data && inner.l3 >= p->l4 + off &&
		                   /* a quote's header length is believed,
		                    * whatever it says (F156) */
		                   inner.l4 >= inner.l3 &&
		                   inner.l4 <= inner.caplen &&
		                   inner.caplen <= p->caplen,
		           "quote %u %u %u", inner.l3, inner.l4, inner.caplen);
		pkt_l4cap(&inner);
		steer_shard(key, &inner);
		if (depth)
			check_inner(&inner, depth - 1);
	}
}

static void check_found(const struct pkt *p)
{
	steer_shard(key, p);
	if (p->reason == PKT_OK || p->reason == PKT_FRAGMENT) {
		check_layers(p);
		check_shard(p);
	}
	if (p->reason == PKT_OK) {
		check_sum(p, p->l4proto);
		check_sum(p, 1);
		check_inner(p, 1);
	}
}

/* what is inside stands behind what is outside, and is found in one go */
static void check_decap(const struct pkt *outer)
{
	static const struct decap all = {.on = (1u << DECAP_COUNT) - 1,
	                                 .depth = 6,
	                                 .nports = 5,
	                                 .marks = UINT64_MAX,
	                                 .port = {{4789, DECAP_VXLAN},
	                                          {8472, DECAP_VXLAN},
	                                          {6081, DECAP_GENEVE},
	                                          {37008, DECAP_TZSP},
	                                          {2152, DECAP_GTPU}}};
	struct pkt p = *outer;
	enum pkt_reason r = pkt_decap(&p, &all);

	fuzz_check(r == p.reason && r < PKT_NREASONS, "reason %u", r);
	fuzz_check(p.caplen <= outer->caplen && p.depth <= all.depth &&
	                   p.vlan < 4096 && p.qinq < 4096,
	           "%u bytes of %u, depth %u", p.caplen, outer->caplen,
	           p.depth);
	fuzz_check(p.data >= outer->data &&
	                   p.data + p.caplen <= outer->data + outer->caplen,
	           "outside of the frame");
	if (r == PKT_OK)
		fuzz_check(pkt_decap(&p, &all) == PKT_OK, "twice, and more");
	check_found(&p);
}

static void parse(const uint8_t *bytes, size_t len, uint16_t linktype)
{
	struct pkt p, again;
	uint8_t *data = fuzz_copy(bytes, len);
	enum pkt_reason r;

	memset(&p, 0, sizeof(p));
	p.data = data;
	p.caplen = (uint32_t)len;
	p.wirelen = p.caplen + 100;
	p.linktype = linktype;
	again = p;
	r = pkt_parse(&p);
	fuzz_check(r == p.reason && r < PKT_NREASONS && pkt_reason_name(r),
	           "reason %u", r);
	fuzz_check(pkt_parse(&again) == r && again.l4 == p.l4 &&
	                   again.l4len == p.l4len,
	           "twice the same frame, two answers");
	check_found(&p);
	check_decap(&p);
	free(data);
}

/* byte 0: the link type; byte 1: bytes cut off the end; then the frame */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t type[] = {1,   0,   12,  14,  101, 108,
	                                113, 228, 229, 276, 9999};
	size_t len;

	if (size < 2)
		return 0;
	len = size - 2;
	len -= data[1] < len ? data[1] : 0;
	parse(data + 2, len, type[data[0] % ARRAY_SIZE(type)]);
	if (data[0] & 0x80)
		parse(data + 2, len, 101);
	return 0;
}

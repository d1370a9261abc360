/*
 * checksum.c - checksums that trackers verify when the policy says so (F010).
 *
 * On a mirror a wrong sum often means an offloading sender or a capture cut
 * short, so a packet whose covered bytes are not all there is never called
 * wrong.  A mode of `auto` has been resolved to on or off by whoever knows
 * the source; what is not off is on here.
 */
#include "daemon/tracker/common.h"

bool checksum_verify(const struct trk_ctx *c, uint8_t proto, uint32_t cover)
{
	bool known;

	return pkt_l4_checksum_part(c->pkt, proto, cover, &known) && known;
}

/* CRC32c (RFC 9260 appendix A, reflected 0x1edc6f41), a nibble at a time: SCTP
 * is rare enough that 64 bytes of table serve better than a kilobyte. */
static const uint32_t crc32c_nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t crc32c_add(uint32_t crc, const uint8_t *b, uint32_t len)
{
	while (len-- > 0) {
		crc ^= *b++;
		crc = crc >> 4 ^ crc32c_nibble[crc & 15];
		crc = crc >> 4 ^ crc32c_nibble[crc & 15];
	}
	return crc;
}

bool checksum_crc32c_wrong(const struct trk_ctx *c)
{
	static const uint8_t zero[4];
	const struct pkt *p = c->pkt;
	const uint8_t *b = pkt_l4(p, 0, p->l4len);
	uint32_t crc, sent;

	if (c->pol->checksum == CHECKSUM_OFF || b == NULL || p->l4len < 12)
		return false;
	/* the field counts as zero, and travels least byte first */
	crc = crc32c_add(0xffffffff, b, 8);
	crc = crc32c_add(crc, zero, sizeof(zero));
	crc = ~crc32c_add(crc, b + 12, p->l4len - 12);
	sent = (uint32_t)b[11] << 24 | (uint32_t)b[10] << 16 |
	       (uint32_t)b[9] << 8 | b[8];
	return crc != sent;
}

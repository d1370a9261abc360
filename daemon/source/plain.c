/*
 * plain.c - see plain.h.
 *
 * Theory.  Two pieces take turns: the rest of a record that a piece cuts in two
 * is moved to the front of the other one.  The file is read and not mapped, for
 * a mapped one that somebody cuts short would end the process.
 *
 * A record is taken if libpcap would hand it out as it is: no longer than the
 * capture says, with a fraction below a second.
 */
#include "daemon/source/plain.h"

#include <byteswap.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* less than what the second level of the cache holds */
#define PIECE_BYTES (1u << 18)

#define MAGIC_MICRO 0xa1b2c3d4u
#define MAGIC_NANO  0xa1b23c4du

struct file_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, linktype;
};

struct record_head {
	uint32_t sec, frac, caplen, wirelen;
};

struct plain {
	int fd;
	bool swapped;
	uint32_t snaplen;
	uint32_t scale, fracs; /* ns in a unit of `frac`; units a second */
	uint64_t at;           /* of the piece's first byte in the file */
	size_t pos, have;
	uint8_t *piece, *other;
};

static uint32_t word(const struct plain *p, uint32_t v)
{
	return p->swapped ? bswap_32(v) : v;
}

/* What libpcap changes in the bytes of others is none of our business. */
static bool link_fits(int dlt)
{
	return dlt == DLT_EN10MB || dlt == DLT_RAW;
}

static bool head_fits(struct plain *p, const struct file_head *h, pcap_t *pcap)
{
	p->swapped = h->magic == bswap_32(MAGIC_MICRO) ||
	             h->magic == bswap_32(MAGIC_NANO);
	switch (word(p, h->magic)) {
	case MAGIC_MICRO:
		p->scale = NS_PER_US;
		break;
	case MAGIC_NANO:
		p->scale = 1;
		break;
	default:
		return false;
	}
	p->fracs = (uint32_t)(NS_PER_S / p->scale);
	p->snaplen = (uint32_t)pcap_snapshot(pcap);
	if (p->snaplen > PIECE_BYTES - sizeof(struct record_head))
		p->snaplen = PIECE_BYTES - sizeof(struct record_head);
	return h->major == (p->swapped ? bswap_16(2) : 2) &&
	       h->minor == (p->swapped ? bswap_16(4) : 4) &&
	       link_fits(pcap_datalink(pcap));
}

struct plain *plain_open(pcap_t *pcap)
{
	FILE *f = pcap_file(pcap);
	struct plain *p;
	struct file_head h;
	struct stat st;
	int fd = f ? fileno(f) : -1;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->fd = fd;
	p->at = sizeof(h);
	p->piece = malloc(PIECE_BYTES);
	p->other = malloc(PIECE_BYTES);
	if (p->piece && p->other && head_fits(p, &h, pcap))
		return p;
	plain_close(p);
	return NULL;
}

/* The head of the record at `pos`, if all of the record is there. */
static inline bool record_look(const struct plain *p, struct record_head *h)
{
	if (p->have - p->pos < sizeof(*h))
		return false;
	memcpy(h, p->piece + p->pos, sizeof(*h));
	if (unlikely(p->swapped)) {
		h->sec = bswap_32(h->sec);
		h->frac = bswap_32(h->frac);
		h->caplen = bswap_32(h->caplen);
		h->wirelen = bswap_32(h->wirelen);
	}
	return h->caplen <= p->snaplen && h->frac < p->fracs &&
	       p->have - p->pos - sizeof(*h) >= h->caplen;
}

void plain_turn(struct plain *p)
{
	size_t rest = p->have - p->pos;
	uint8_t *from = p->piece;
	struct record_head h;
	ssize_t n;

	if (record_look(p, &h))
		return;
	p->piece = p->other;
	p->other = from;
	memcpy(p->piece, from + p->pos, rest);
	p->at += p->pos;
	p->pos = 0;
	p->have = rest;
	do
		n = pread(p->fd, p->piece + rest, PIECE_BYTES - rest,
		          (off_t)(p->at + rest));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		p->have += (size_t)n;
}

bool plain_next(struct plain *p, struct plain_record *r)
{
	struct record_head h;

	if (!record_look(p, &h))
		return false;
	r->bytes = p->piece + p->pos + sizeof(h);
	r->caplen = h.caplen;
	r->wirelen = h.wirelen;
	r->ts_ns = h.sec * NS_PER_S + (uint64_t)h.frac * p->scale;
	p->pos += sizeof(h) + h.caplen;
	return true;
}

bool plain_leave(struct plain *p, pcap_t *pcap)
{
	return !fseeko(pcap_file(pcap), (off_t)(p->at + p->pos), SEEK_SET);
}

void plain_close(struct plain *p)
{
	if (!p)
		return;
	free(p->piece);
	free(p->other);
	free(p);
}

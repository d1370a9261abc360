/*
 * mkflows.c - write a large capture of many conversations at once.
 *
 *	mkflows FILE CONNECTIONS PACKETS
 *
 * Three of four are TCP: opened, data to and fro with numbers that fit, never
 * closed; one of four is UDP, a packet from each side in turn.  Packet i
 * belongs to connection i % CONNECTIONS, 10 us after the packet before it.
 * Always the same bytes for the same arguments.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0     1700000000u
#define STEP   10 /* us */
#define DATA   20
#define SYN    0x02
#define ACK    0x10
#define FRAME  (14 + 20 + 20 + DATA)
#define RECORD 16

struct flow {
	uint32_t seq[2];
	uint32_t turns;
};

static void put(uint8_t *to, uint32_t v, int n)
{
	while (n--)
		*to++ = (uint8_t)(v >> 8 * n);
}

/* who speaks: SYN, SYN ACK, ACK, then by turns */
static int flow_side(const struct flow *f)
{
	return (int)(f->turns & 1);
}

/* whoever is addressed looks at it (RFC 791) */
static uint32_t header_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static size_t put_ip(uint8_t *b, uint32_t n, int side, unsigned int proto,
                     size_t len)
{
	uint32_t client = 0x0a000000u + n, server = 0x0b000000u + (n & 0xff);

	memset(b, 0, FRAME);
	put(b + 12, 0x0800, 2);
	b[14] = 0x45;
	put(b + 16, (uint32_t)(20 + len), 2);
	put(b + 20, 0x4000, 2);
	b[22] = 64;
	b[23] = (uint8_t)proto;
	put(b + 26, side ? server : client, 4);
	put(b + 30, side ? client : server, 4);
	put(b + 24, header_sum(b + 14), 2);
	put(b + 34, side ? 80 : 1024 + n % 60000, 2);
	put(b + 36, side ? 1024 + n % 60000 : 80, 2);
	return 14 + 20 + len;
}

static size_t put_udp(uint8_t *b, uint32_t n, struct flow *f)
{
	size_t len = put_ip(b, n, flow_side(f), 17, 8 + DATA);

	put(b + 38, 8 + DATA, 2);
	f->turns++;
	return len;
}

static size_t put_tcp(uint8_t *b, uint32_t n, struct flow *f)
{
	int side = flow_side(f);
	uint32_t data = f->turns > 2 ? DATA : 0;
	unsigned int flags = f->turns == 0   ? SYN
	                     : f->turns == 1 ? SYN | ACK
	                                     : ACK;
	size_t len = put_ip(b, n, side, 6, 20 + data);

	put(b + 38, f->seq[side], 4);
	put(b + 42, flags & ACK ? f->seq[1 - side] : 0, 4);
	b[46] = 0x50;
	b[47] = (uint8_t)flags;
	put(b + 48, 0xffff, 2);
	f->seq[side] += data + (flags & SYN ? 1 : 0);
	f->turns++;
	return len;
}

static int record(FILE *out, uint64_t i, const uint8_t *b, size_t len)
{
	uint64_t us = i * STEP;
	uint32_t h[4] = {T0 + (uint32_t)(us / 1000000),
	                 (uint32_t)(us % 1000000), (uint32_t)len,
	                 (uint32_t)len};

	return fwrite(h, RECORD, 1, out) == 1 && fwrite(b, len, 1, out) == 1
	               ? 0
	               : -1;
}

static int write_all(FILE *out, struct flow *f, uint32_t flows,
                     uint64_t packets)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0,
	                                 0,          65535,       1};
	uint8_t b[FRAME];
	uint64_t i;
	int r = fwrite(head, sizeof(head), 1, out) == 1 ? 0 : -1;

	for (i = 0; i < packets && !r; i++) {
		uint32_t n = (uint32_t)(i % flows);

		r = record(out, i, b,
		           n % 4 == 3 ? put_udp(b, n, &f[n])
		                      : put_tcp(b, n, &f[n]));
	}
	return r;
}

int main(int argc, char **argv)
{
	uint32_t flows = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint64_t packets = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	struct flow *f = flows ? calloc(flows, sizeof(*f)) : NULL;
	FILE *out;
	int bad;

	if (!f) {
		fprintf(stderr, "usage: mkflows FILE CONNECTIONS PACKETS\n");
		return 2;
	}
	out = fopen(argv[1], "wb");
	bad = !out || write_all(out, f, flows, packets);
	if (out && fclose(out))
		bad = 1;
	free(f);
	if (bad)
		perror(argv[1]);
	return bad;
}

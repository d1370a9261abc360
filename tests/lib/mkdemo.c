/*
 * mkdemo.c - write the demonstration capture.
 *
 *	mkdemo FILE
 *
 * One of each kind that a reader of the list wants to see: TCP closed, open
 * and reset, UDP answered and not, ICMP and ICMPv6 echo, an error that quotes
 * a datagram, an FTP session with both kinds of data connection, IPv6 and a
 * VLAN tag.  Clients live in 10.0.0.0/24 and fd00::/64, servers in
 * 10.0.1.0/24 and fd01::/64, so that a router between two test namespaces can
 * forward the same frames.  Always the same bytes: tests compare the result.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_MS  1000000ull
#define T0     (1700000000ull * 1000 * NS_MS) /* 2023-11-14 22:13:20 UTC */
#define MTU    1500
#define F_FIN  0x01
#define F_SYN  0x02
#define F_RST  0x04
#define F_PSH  0x08
#define F_ACK  0x10
#define CLIENT 0
#define SERVER 1

/* one conversation: both ends, and how far each has counted */
struct talk {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint32_t seq[2];
	int v6;
	int vlan;
	uint8_t l4;
};

struct frame {
	uint8_t b[14 + 4 + MTU];
	size_t len;
};

static FILE *out;
static uint64_t now = T0;

static void put8(struct frame *f, unsigned int v)
{
	if (f->len < sizeof(f->b))
		f->b[f->len++] = (uint8_t)v;
}

static void put16(struct frame *f, unsigned int v)
{
	put8(f, v >> 8);
	put8(f, v & 0xff);
}

static void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v & 0xffff);
}

static void put(struct frame *f, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n--)
		put8(f, *p++);
}

static void set16(struct frame *f, size_t at, unsigned int v)
{
	f->b[at] = (uint8_t)(v >> 8);
	f->b[at + 1] = (uint8_t)v;
}

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void wait_ms(uint64_t ms)
{
	now += ms * NS_MS;
}

/* struct pcap_sf_pkthdr, microseconds, in the byte order of this machine */
static void frame_write(const struct frame *f)
{
	uint32_t h[4] = {(uint32_t)(now / 1000000000ull),
	                 (uint32_t)(now % 1000000000ull / 1000),
	                 (uint32_t)f->len, (uint32_t)f->len};

	fwrite(h, sizeof(h), 1, out);
	fwrite(f->b, f->len, 1, out);
	wait_ms(1);
}

static void pcap_begin(void)
{
	uint32_t magic = 0xa1b2c3d4;
	uint16_t version[2] = {2, 4};
	uint32_t rest[4] = {0, 0, 65535, 1};

	fwrite(&magic, sizeof(magic), 1, out);
	fwrite(version, sizeof(version), 1, out);
	fwrite(rest, sizeof(rest), 1, out);
}

static void put_ether(struct frame *f, const struct talk *t, int dir)
{
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1},
	                                  {2, 0, 0, 0, 0, 2}};

	put(f, mac[!dir], 6);
	put(f, mac[dir], 6);
	if (t->vlan) {
		put16(f, 0x8100);
		put16(f, (unsigned int)t->vlan);
	}
	put16(f, t->v6 ? 0x86dd : 0x0800);
}

static void put_ip(struct frame *f, const struct talk *t, int dir, uint8_t l4,
                   size_t n)
{
	size_t at = f->len;

	if (t->v6) {
		put32(f, 0x60000000);
		put16(f, (unsigned int)n);
		put8(f, l4);
		put8(f, 64);
		put(f, t->addr[dir], 16);
		put(f, t->addr[!dir], 16);
		return;
	}
	put16(f, 0x4500);
	put16(f, (unsigned int)(20 + n));
	put32(f, 0x00004000); /* id 0, don't fragment */
	put8(f, 64);
	put8(f, l4);
	put16(f, 0);
	put(f, t->addr[dir], 4);
	put(f, t->addr[!dir], 4);
	set16(f, at + 10, fold(sum16(f->b + at, 20, 0)));
}

/* The layer 4 checksum of l4[0..n), whose own field is at offset `field`. */
static void checksum(const struct talk *t, uint8_t proto, uint8_t *l4, size_t n,
                     size_t field)
{
	size_t alen = t->v6 ? 16 : 4;
	uint32_t sum = 0;
	uint16_t c;

	if (proto != IPPROTO_ICMP) {
		sum = sum16(t->addr[0], alen, sum);
		sum = sum16(t->addr[1], alen, sum);
		sum += proto + (uint32_t)n;
	}
	c = fold(sum16(l4, n, sum));
	l4[field] = (uint8_t)(c >> 8);
	l4[field + 1] = (uint8_t)c;
}

static void talk_init(struct talk *t, uint8_t l4, const char *client,
                      uint16_t cport, const char *server, uint16_t sport)
{
	memset(t, 0, sizeof(*t));
	t->v6 = strchr(client, ':') != NULL;
	t->l4 = l4;
	inet_pton(t->v6 ? AF_INET6 : AF_INET, client, t->addr[CLIENT]);
	inet_pton(t->v6 ? AF_INET6 : AF_INET, server, t->addr[SERVER]);
	t->port[CLIENT] = cport;
	t->port[SERVER] = sport;
	t->seq[CLIENT] = 1000;
	t->seq[SERVER] = 5000;
}

static void tcp(struct talk *t, int dir, unsigned int flags, const char *text)
{
	struct frame f = {.len = 0};
	size_t n = strlen(text);
	size_t at;

	put_ether(&f, t, dir);
	put_ip(&f, t, dir, IPPROTO_TCP, 20 + n);
	at = f.len;
	put16(&f, t->port[dir]);
	put16(&f, t->port[!dir]);
	put32(&f, t->seq[dir]);
	put32(&f, flags & F_ACK ? t->seq[!dir] : 0);
	put16(&f, 0x5000 | flags);
	put16(&f, 65535);
	put32(&f, 0);
	put(&f, text, n);
	checksum(t, IPPROTO_TCP, f.b + at, 20 + n, 16);
	t->seq[dir] += (uint32_t)n + !!(flags & (F_SYN | F_FIN));
	frame_write(&f);
}

static void udp(const struct talk *t, int dir, const void *data, size_t n)
{
	struct frame f = {.len = 0};
	size_t at;

	put_ether(&f, t, dir);
	put_ip(&f, t, dir, IPPROTO_UDP, 8 + n);
	at = f.len;
	put16(&f, t->port[dir]);
	put16(&f, t->port[!dir]);
	put16(&f, (unsigned int)(8 + n));
	put16(&f, 0);
	put(&f, data, n);
	checksum(t, IPPROTO_UDP, f.b + at, 8 + n, 6);
	frame_write(&f);
}

/* An ICMP or ICMPv6 message: the four bytes after the checksum, the body. */
static void icmp(const struct talk *t, int dir, unsigned int type,
                 unsigned int code, uint32_t word, const void *body, size_t n)
{
	uint8_t l4 = t->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct frame f = {.len = 0};
	size_t at;

	put_ether(&f, t, dir);
	put_ip(&f, t, dir, l4, 8 + n);
	at = f.len;
	put8(&f, type);
	put8(&f, code);
	put16(&f, 0);
	put32(&f, word);
	put(&f, body, n);
	checksum(t, l4, f.b + at, 8 + n, 2);
	frame_write(&f);
}

static void tcp_open(struct talk *t, int dir)
{
	tcp(t, dir, F_SYN, "");
	tcp(t, !dir, F_SYN | F_ACK, "");
	tcp(t, dir, F_ACK, "");
}

/* Text one way and the acknowledgement the other. */
static void tcp_say(struct talk *t, int dir, const char *text)
{
	tcp(t, dir, F_PSH | F_ACK, text);
	tcp(t, !dir, F_ACK, "");
}

static void tcp_close(struct talk *t, int dir)
{
	tcp(t, dir, F_FIN | F_ACK, "");
	tcp(t, !dir, F_ACK, "");
	tcp(t, !dir, F_FIN | F_ACK, "");
	tcp(t, dir, F_ACK, "");
}

static void demo_tcp(const char *client, const char *server)
{
	struct talk t;

	talk_init(&t, IPPROTO_TCP, client, 40001, server, 80);
	tcp_open(&t, CLIENT);
	tcp_say(&t, CLIENT, "GET / HTTP/1.0\r\n\r\n");
	tcp_say(&t, SERVER, "HTTP/1.0 200 OK\r\n\r\nhello\n");
	tcp_close(&t, SERVER);

	talk_init(&t, IPPROTO_TCP, client, 40002, server, 22);
	tcp_open(&t, CLIENT);
	tcp_say(&t, SERVER, "SSH-2.0-demo\r\n");

	/* refused: the only answer is a reset, the entry goes at once */
	talk_init(&t, IPPROTO_TCP, client, 40003, server, 81);
	tcp(&t, CLIENT, F_SYN, "");
	tcp(&t, SERVER, F_RST | F_ACK, "");

	talk_init(&t, IPPROTO_TCP, client, 40004, server, 443);
	tcp_open(&t, CLIENT);
	tcp_say(&t, CLIENT, "hello");
	tcp(&t, CLIENT, F_RST | F_ACK, "");
}

/* A question for the address of "demo.test", and its answer. */
static void demo_dns(const char *client, const char *server)
{
	static const uint8_t query[] =
		"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
		"\x04"
		"demo\x04test\x00\x00\x01\x00\x01";
	static const uint8_t answer[] =
		"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
		"\x04"
		"demo\x04test\x00\x00\x01\x00\x01"
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"
		"\x0a\x00\x01\x50";
	struct talk t;

	talk_init(&t, IPPROTO_UDP, client, 40053, server, 53);
	udp(&t, CLIENT, query, sizeof(query) - 1);
	udp(&t, SERVER, answer, sizeof(answer) - 1);
}

/* More than two seconds of both directions: a stream, so ASSURED. */
static void demo_stream(const char *client, const char *server)
{
	struct talk t;
	int i;

	talk_init(&t, IPPROTO_UDP, client, 40060, server, 5004);
	for (i = 0; i < 4; i++) {
		udp(&t, CLIENT, "frame", 5);
		udp(&t, SERVER, "report", 6);
		wait_ms(900);
	}
}

static void demo_ping(const char *client, const char *server)
{
	struct talk t;
	uint32_t i;

	talk_init(&t, IPPROTO_ICMP, client, 0, server, 0);
	for (i = 1; i <= 2; i++) {
		icmp(&t, CLIENT, t.v6 ? 128 : 8, 0, 0x4d2u << 16 | i, "ping",
		     4);
		icmp(&t, SERVER, t.v6 ? 129 : 0, 0, 0x4d2u << 16 | i, "ping",
		     4);
	}
}

/* A datagram to a closed port, and the error that quotes it. */
static void demo_error(const char *client, const char *server)
{
	struct talk t;
	struct frame quote = {.len = 0};

	talk_init(&t, IPPROTO_UDP, client, 40070, server, 33434);
	udp(&t, CLIENT, "anyone?!", 8);
	put_ip(&quote, &t, CLIENT, IPPROTO_UDP, 16);
	put16(&quote, t.port[CLIENT]);
	put16(&quote, t.port[SERVER]);
	put16(&quote, 16);
	put16(&quote, 0);
	if (t.v6)
		icmp(&t, SERVER, 1, 4, 0, quote.b, quote.len);
	else
		icmp(&t, SERVER, 3, 3, 0, quote.b, quote.len);
}

static void demo_ftp(const char *client, const char *server)
{
	struct talk ctl;
	struct talk data;

	talk_init(&ctl, IPPROTO_TCP, client, 40021, server, 21);
	tcp_open(&ctl, CLIENT);
	tcp_say(&ctl, SERVER, "220 demo\r\n");
	tcp_say(&ctl, CLIENT, "USER anonymous\r\n");
	tcp_say(&ctl, SERVER, "230 welcome\r\n");

	/* active: the server connects from port 20 to 10.0.0.21:51211 */
	tcp_say(&ctl, CLIENT, "PORT 10,0,0,21,200,11\r\n");
	tcp_say(&ctl, SERVER, "200 PORT ok\r\n");
	tcp_say(&ctl, CLIENT, "RETR one\r\n");
	talk_init(&data, IPPROTO_TCP, client, 51211, server, 20);
	tcp_open(&data, SERVER);
	tcp_say(&data, SERVER, "contents of file one\n");
	tcp_close(&data, SERVER);
	tcp_say(&ctl, SERVER, "226 done\r\n");

	/* passive: the client connects to 10.0.1.21:50000 */
	tcp_say(&ctl, CLIENT, "PASV\r\n");
	tcp_say(&ctl, SERVER,
	        "227 Entering Passive Mode (10,0,1,21,195,80)\r\n");
	tcp_say(&ctl, CLIENT, "STOR two\r\n");
	talk_init(&data, IPPROTO_TCP, client, 40022, server, 50000);
	tcp_open(&data, CLIENT);
	tcp_say(&data, CLIENT, "contents of file two\n");
	tcp_close(&data, CLIENT);
	tcp_say(&ctl, SERVER, "226 done\r\n");

	/* and one that was announced and never came */
	tcp_say(&ctl, CLIENT, "PASV\r\n");
	tcp_say(&ctl, SERVER,
	        "227 Entering Passive Mode (10,0,1,21,195,81)\r\n");
}

static void demo_vlan(const char *client, const char *server)
{
	struct talk t;

	talk_init(&t, IPPROTO_TCP, client, 40101, server, 8080);
	t.vlan = 101;
	tcp_open(&t, CLIENT);
	tcp_say(&t, CLIENT, "through a trunk");
}

static void demo_all(void)
{
	struct talk lone;

	/* Never answered and 30 s old before the capture ends: it expires. */
	talk_init(&lone, IPPROTO_UDP, "10.0.0.9", 40009, "10.0.1.9", 9);
	udp(&lone, CLIENT, "discard", 7);
	wait_ms(33000);

	demo_tcp("10.0.0.10", "10.0.1.80");
	demo_ftp("10.0.0.21", "10.0.1.21");
	demo_dns("10.0.0.10", "10.0.1.53");
	demo_stream("10.0.0.10", "10.0.1.60");
	demo_ping("10.0.0.10", "10.0.1.80");
	demo_error("10.0.0.10", "10.0.1.80");
	demo_vlan("10.0.0.10", "10.0.1.80");
	demo_tcp("fd00::10", "fd01::80");
	demo_dns("fd00::10", "fd01::53");
	demo_ping("fd00::10", "fd01::80");
	demo_error("fd00::10", "fd01::80");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: mkdemo FILE\n");
		return 2;
	}
	out = fopen(argv[1], "wb");
	if (!out) {
		perror(argv[1]);
		return 1;
	}
	pcap_begin();
	demo_all();
	if (ferror(out) || fclose(out)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}

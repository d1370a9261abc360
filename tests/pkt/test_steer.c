/* test_steer.c - the shard function and its program agree: the program runs in
 * an interpreter of classic BPF (bpf.h), and the kernel accepts it. */
#include "daemon/pkt/steer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/packet.h"
#include "tests/pkt/bpf.h"

static struct packet B;
static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static void random_key(uint32_t key[STEER_KEYS])
{
	for (unsigned int i = 0; i < STEER_KEYS; i++)
		key[i] = rnd();
}

/* -- random packets -------------------------------------------------------- */

static void random_l4(struct packet *b, bool v6)
{
	switch (rnd() % 7) {
	case 0:
		packet_tcp(b, (uint16_t)rnd(), (uint16_t)rnd(), 1, 2, 2, 3);
		break;
	case 1:
		packet_udp(b, (uint16_t)rnd(), (uint16_t)rnd());
		break;
	case 2:
		packet_udplite(b, (uint16_t)rnd(), (uint16_t)rnd(), 0);
		break;
	case 3:
		packet_sctp(b, (uint16_t)rnd(), (uint16_t)rnd(), rnd());
		break;
	case 4:
		packet_other(b, 33, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c", 12);
		break;
	case 5:
		packet_icmp(b, v6 ? 128 : 8, 0, rnd());
		break;
	default:
		packet_other(b, 50, "\1\2\3\4\5\6\7\x08", 8);
	}
	packet_fill(b, 'x', rnd() % 20);
}

/* A packet without link header, `tags` tags before IP as a kernel leaves them:
 * the network header is where the first tag's number is. */
static struct vm random_packet(bool v6, unsigned int tags, struct pkt *p)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};
	static uint8_t buf[256];
	uint16_t type = v6 ? 0x86dd : 0x0800, first = type;
	uint32_t ip = 4 * tags;

	packet_begin(&B);
	if (v6)
		packet_ip6(&B, "2001:db8::1", "2001:db8::2");
	else
		packet_ip4(&B, "10.0.0.1", "10.0.0.2");
	random_l4(&B, v6);
	packet_end(&B);
	for (uint32_t i = v6 ? 8 : 12; i < (v6 ? 40u : 20u); i++)
		B.buf[i] = (uint8_t)rnd();
	if (!v6 && rnd() % 8 == 0) /* a fragment of some kind */
		put16(B.buf + 6, rnd() & 1 ? 0x2000 : 0x00b9);
	memcpy(buf + ip, B.buf, B.len);
	for (unsigned int i = tags; i-- > 0;) {
		put16(buf + 4 * i, (uint16_t)rnd());
		put16(buf + 4 * i + 2, first);
		first = types[rnd() % 3];
	}
	*p = (struct pkt){.data = B.buf,
	                  .caplen = B.len,
	                  .wirelen = B.len,
	                  .linktype = 101};
	assert_in_range(pkt_parse(p), PKT_OK, PKT_FRAGMENT);
	return (struct vm){.net = buf, .len = ip + B.len, .protocol = first};
}

static void test_twins(void **state)
{
	struct sock_filter prog[STEER_MAX];
	uint32_t key[STEER_KEYS];

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		unsigned int nworkers = round < 20 ? round + 1 : 256 - round;
		int n;

		random_key(key);
		n = steer_program(key, nworkers, prog, STEER_MAX);
		assert_true(n > 0);
		for (int i = 0; i < 2000; i++) {
			struct pkt p;
			struct vm v = random_packet(rnd() & 1, rnd() % 3, &p);
			uint8_t shard = steer_shard(key, &p);

			assert_int_equal(vm_run(&v, prog, (uint32_t)n),
			                 steer_worker(shard, nworkers));
		}
	}
}

static void test_symmetric(void **state)
{
	uint32_t key[STEER_KEYS];

	(void)state;
	random_key(key);
	for (int i = 0; i < 20000; i++) {
		union pkt_addr a = {{rnd(), rnd(), rnd(), rnd()}};
		union pkt_addr b = {{rnd(), rnd(), rnd(), rnd()}};
		uint16_t x = (uint16_t)rnd(), y = (uint16_t)rnd();
		uint8_t proto = (uint8_t)(i & 1 ? 6 : rnd());
		bool v6 = rnd() & 1;

		assert_int_equal(steer_tuple(key, v6, &a, &b, x, y, proto),
		                 steer_tuple(key, v6, &b, &a, y, x, proto));
	}
}

/* Ports count for protocols that have them, and for no others. */
static void test_ports(void **state)
{
	union pkt_addr a = {{1, 0, 0, 0}}, b = {{2, 0, 0, 0}};
	uint32_t key[STEER_KEYS];

	(void)state;
	random_key(key);
	for (unsigned int proto = 0; proto < 256; proto++) {
		uint8_t base =
			steer_tuple(key, false, &a, &b, 1, 2, (uint8_t)proto);
		bool differs = false;

		for (uint16_t port = 3; port < 40; port++)
			differs |= steer_tuple(key, false, &a, &b, port, 2,
			                       (uint8_t)proto) != base;
		assert_int_equal(differs, steer_has_ports((uint8_t)proto));
	}
}

/* One changed bit of any input moves half of the shard's bits or so: here,
 * neighbours fill all 256 shards evenly. */
static void test_spread(void **state)
{
	uint32_t key[STEER_KEYS], hits[256];

	(void)state;
	random_key(key);
	for (unsigned int word = 0; word < 5; word++) {
		memset(hits, 0, sizeof(hits));
		for (uint32_t i = 0; i < 65536; i++) {
			union pkt_addr a = {{1, 2, 3, 4}}, b = {{5, 6, 7, 8}};
			uint16_t port = word == 4 ? (uint16_t)i : 1;

			if (word < 4)
				a.w[word] = __builtin_bswap32(i);
			hits[steer_tuple(key, true, &a, &b, port, 2, 6)]++;
		}
		for (unsigned int i = 0; i < 256; i++)
			assert_in_range(hits[i], 64, 1024);
	}
}

/* IPv6 behind extension headers: the kernel's form steers by addresses, ours
 * by ports, whatever stands between */
static void test_extension(void **state)
{
	uint32_t key[STEER_KEYS];
	struct pkt p;
	uint8_t plain;

	(void)state;
	random_key(key);
	packet_begin(&B);
	packet_ip6(&B, "2001:db8::1", "2001:db8::2");
	packet_udp(&B, 5, 6);
	packet_end(&B);
	packet_pkt(&B, &p);
	p.linktype = 101;
	pkt_parse(&p);
	plain = steer_shard(key, &p);
	packet_begin(&B);
	packet_ip6(&B, "2001:db8::1", "2001:db8::2");
	packet_ext(&B, 60, "\0\0\0\0\0\0", 6);
	packet_udp(&B, 5, 6);
	packet_end(&B);
	packet_pkt(&B, &p);
	p.linktype = 101;
	pkt_parse(&p);
	assert_int_equal(steer_shard(key, &p), plain);
}

static void test_bounds(void **state)
{
	struct sock_filter prog[STEER_MAX];
	uint32_t key[STEER_KEYS] = {0};
	int n;

	(void)state;
	n = steer_program(key, 256, prog, STEER_MAX);
	assert_true(n > 0);
	assert_int_equal(steer_program(key, 256, prog, (unsigned int)n), n);
	for (int max = 0; max < n; max++)
		assert_int_equal(steer_program(key, 2, prog, (unsigned int)max),
		                 -1);
	assert_int_equal(steer_program(key, 0, prog, STEER_MAX), -1);
	assert_int_equal(steer_program(key, 257, prog, STEER_MAX), -1);
	for (unsigned int w = 1; w <= 256; w++) {
		assert_int_equal(steer_worker(0, w), 0);
		assert_int_equal(steer_worker(255, w), w - 1);
	}
}

/* the kernel's own checker: jumps, scratch memory written before read */
static void test_kernel_accepts(void **state)
{
	struct sock_filter code[STEER_MAX];
	struct sock_fprog prog = {.filter = code};
	uint32_t key[STEER_KEYS];
	int pair[2], n;

	(void)state;
	random_key(key);
	n = steer_program(key, 3, code, STEER_MAX);
	assert_true(n > 0);
	prog.len = (unsigned short)n;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER,
	                            &prog, sizeof(prog)),
	                 0);
	close(pair[0]);
	close(pair[1]);
}

/* What is told by a look at a frame is what parsing would have told; damaged
 * and shortened frames, too. */
static void test_look(void **state)
{
	uint32_t key[STEER_KEYS];
	unsigned int told = 0;

	(void)state;
	random_key(key);
	for (int i = 0; i < 200000; i++) {
		bool v6 = rnd() & 1;
		struct steer_plain f = {.v6 = false};
		struct pkt p;

		packet_begin(&B);
		packet_eth(&B);
		if (rnd() % 8 == 0)
			packet_vlan(&B, 5);
		if (v6)
			packet_ip6(&B, "2001:db8::1", "2001:db8::2");
		else
			packet_ip4(&B, "10.0.0.1", "10.0.0.2");
		random_l4(&B, v6);
		packet_end(&B);
		if (rnd() & 1)
			B.buf[12 + rnd() % 26] = (uint8_t)rnd();
		packet_pkt(&B, &p);
		if (rnd() % 4 == 0)
			p.caplen = rnd() % (B.len + 1);
		if (!steer_look(&p, &f))
			continue;
		told++;
		assert_int_equal(pkt_parse(&p), PKT_OK);
		assert_int_equal(p.l4proto, f.l4proto);
		assert_int_equal(steer_shard(key, &p),
		                 steer_tuple(key, f.v6, &f.src, &f.dst, f.sport,
		                             f.dport, f.l4proto));
	}
	assert_in_range(told, 30000, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_symmetric),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_extension),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_kernel_accepts),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

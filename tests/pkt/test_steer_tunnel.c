/*
 * test_steer_tunnel.c - the program steps into tunnels as decap.c does: the
 * shard is that of the packet inside, or that of the carrier's addresses where
 * the program does not reach.
 */
#include "daemon/pkt/steer_asm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/pkt/bpf.h"
#include "tests/pkt/tunnel.h"

static const char *const not_reached[] = {
	"TZSP, fields",
	"GTP-U, extensions",
	"PPPoE, short type",
};

static bool reached(const struct tunnel *t)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(not_reached); i++)
		if (!strcmp(not_reached[i], t->what))
			return false;
	return true;
}

static void random_key(uint32_t key[STEER_KEYS])
{
	for (unsigned int i = 0; i < STEER_KEYS; i++)
		key[i] = rnd();
}

/* Other addresses, ports, perhaps another protocol, perhaps a fragment. */
static void mix_inner(bool v6)
{
	uint32_t l4 = packet_at(&B, PACKET_UDP), ip = l4 - (v6 ? 40 : 20), i;
	static const uint8_t protos[] = {6, 17, 132, 1, 50};

	for (i = ip + (v6 ? 8 : 12); i < l4 + 2; i++)
		B.buf[i] = (uint8_t)rnd();
	put16(B.buf + l4 + 2, 53); /* no tunnel's port */
	B.buf[ip + (v6 ? 6 : 9)] = protos[rnd() % ARRAY_SIZE(protos)];
	if (!v6 && rnd() % 4 == 0)
		put16(B.buf + ip + 6, rnd() & 1 ? 0x2000 : 0x0010);
}

static struct pkt parsed(const struct decap *d)
{
	struct pkt p;

	packet_pkt(&B, &p);
	(void)pkt_parse(&p);
	if (d)
		(void)pkt_decap(&p, d);
	return p;
}

/* the worker that the kernel would choose for B */
static uint32_t chosen(const struct sock_filter *prog, int n)
{
	/* as the kernel hands it over: the link header is before the data */
	struct vm v = {.net = B.buf + 14,
	               .len = B.len - 14,
	               .protocol = get16(B.buf + 12)};

	return vm_run(&v, prog, (uint32_t)n);
}

static void test_reached(void **state)
{
	static struct sock_filter prog[STEER_TUNNELS_MAX];
	uint32_t key[STEER_KEYS];

	(void)state;
	for (unsigned int round = 0; round < 200; round++) {
		/* all of them at first, then some */
		struct decap d = decap_of(round < 20 ? ALL : rnd() & ALL, 8);
		unsigned int nworkers = rnd() % 256 + 1;
		int n;

		random_key(key);
		n = steer_program_decap(key, nworkers, &d, prog,
		                        STEER_TUNNELS_MAX);
		assert_true(n > 0);
		for (unsigned int i = 0; i < 4 * ARRAY_SIZE(tunnels); i++) {
			const struct tunnel *t = &tunnels[i / 4];
			struct pkt p;

			if (!reached(t))
				continue;
			build(t, i & 2, i & 1);
			mix_inner(inside_v6(t, i & 2));
			p = parsed(&d);
			/* GRE is on and MPLS in it is not */
			if (p.reason == PKT_NOT_IP)
				continue;
			if (chosen(prog, n) !=
			    steer_worker(steer_shard(key, &p), nworkers))
				fail_msg("%s", t->what);
		}
	}
}

/* two of them in each other, tags before either */
static void test_two(void **state)
{
	static struct sock_filter prog[STEER_TUNNELS_MAX];
	struct decap d = decap_of(ALL, 8);
	uint32_t key[STEER_KEYS];
	unsigned int built = 0;
	int n;

	(void)state;
	random_key(key);
	n = steer_program_decap(key, 256, &d, prog, STEER_TUNNELS_MAX);
	assert_true(n > 0);
	while (built < 20000) {
		const struct tunnel *t = &tunnels[rnd() % ARRAY_SIZE(tunnels)];
		const struct tunnel *u = &tunnels[rnd() % ARRAY_SIZE(tunnels)];
		bool v6, outer6 = rnd() & 1;
		struct pkt p;

		if (!reached(t) || !reached(u) ||
		    (u->link && t->inside != FRAME) ||
		    /* two and one, or two and two */
		    __builtin_popcount(t->on) + __builtin_popcount(u->on) > 2)
			continue;
		begin();
		for (unsigned int i = t->link ? 0 : rnd() % 3; i; i--)
			packet_vlan(&B, (uint16_t)(rnd() & 0xfff));
		wrap(t, outer6, false);
		for (unsigned int i = u->link || t->inside != FRAME ? 0
		                                                    : rnd() % 3;
		     i; i--)
			packet_vlan(&B, (uint16_t)(rnd() & 0xfff));
		wrap(u, inside_v6(t, rnd() & 1), t->inside != FRAME);
		v6 = inside_v6(u, rnd() & 1);
		conversation(v6);
		end();
		mix_inner(v6);
		p = parsed(&d);
		assert_int_equal(p.depth, 2);
		if (chosen(prog, n) != steer_shard(key, &p))
			fail_msg("%s in %s", u->what, t->what);
		built++;
	}
}

/* What is not reached goes by the carrier's addresses, whatever is in it. */
static void test_outer(void **state)
{
	static struct sock_filter prog[STEER_TUNNELS_MAX];
	struct decap d = decap_of(ALL, 8);
	uint32_t key[STEER_KEYS];
	int n;

	(void)state;
	random_key(key);
	n = steer_program_decap(key, 256, &d, prog, STEER_TUNNELS_MAX);
	assert_true(n > 0);
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(tunnels); i++) {
		const struct tunnel *t = &tunnels[i / 4];
		struct pkt p;
		uint32_t want;

		if (reached(t))
			continue;
		build(t, i & 2, i & 1);
		p = parsed(NULL);
		want = t->link ? 0
		               : steer_tuple(key, p.l3proto == 6, &p.src,
		                             &p.dst, 0, 0, p.l4proto);
		for (unsigned int k = 0; k < 20; k++) {
			mix_inner(inside_v6(t, i & 2));
			assert_int_equal(chosen(prog, n), want);
			if (t->link)
				continue;
			/* a port for each flow inside */
			put16(B.buf + p.l4, (uint16_t)rnd());
		}
	}
	/* deeper than it goes: three */
	begin();
	for (unsigned int i = 0; i < 3; i++)
		wrap(&tunnels[12], false, false);
	conversation(false);
	end();
	for (unsigned int k = 0; k < 20; k++) {
		static const union pkt_addr src = {.b = {192, 0, 2, 1}},
					    dst = {.b = {192, 0, 2, 2}};

		mix_inner(false);
		assert_int_equal(chosen(prog, n),
		                 steer_tuple(key, false, &src, &dst, 0, 0, 17));
	}
}

/* Packets without a tunnel are steered as by the program without. */
static void test_plain(void **state)
{
	static struct sock_filter prog[STEER_TUNNELS_MAX];
	struct decap d = decap_of(ALL, 8);
	struct sock_filter same[STEER_MAX];
	uint32_t key[STEER_KEYS];
	int n, m;

	(void)state;
	random_key(key);
	n = steer_program_decap(key, 256, &d, prog, STEER_TUNNELS_MAX);
	assert_true(n > 0);
	for (unsigned int i = 0; i < 20000; i++) {
		bool v6 = rnd() & 1;
		struct pkt p;

		begin();
		for (unsigned int k = rnd() % 3; k; k--)
			packet_vlan(&B, (uint16_t)(rnd() & 0xfff));
		conversation(v6);
		end();
		mix_inner(v6);
		p = parsed(&d);
		assert_int_equal(p.depth, 0);
		assert_int_equal(chosen(prog, n), steer_shard(key, &p));
	}
	/* PPTP's GRE is no tunnel */
	begin();
	packet_ip4(&B, "10.0.0.1", "10.0.1.1");
	put16(packet_gre(&B, 0x3001) + 2, 0x880b);
	packet_fill(&B, 1, 40);
	end();
	put16(B.buf + packet_at(&B, PACKET_GRE) + 2, 0x880b);
	{
		struct pkt p = parsed(&d);

		assert_int_equal(p.depth, 0);
		assert_int_equal(chosen(prog, n), steer_shard(key, &p));
	}
	/* nothing switched on: the same instructions */
	d.on = 0;
	n = steer_program_decap(key, 3, &d, prog, STEER_TUNNELS_MAX);
	m = steer_program(key, 3, same, STEER_MAX);
	assert_int_equal(n, m);
	assert_memory_equal(prog, same, (size_t)n * sizeof(*same));
}

/* frames cut at every byte, and noise: it ends, with a worker's number */
static void test_cut(void **state)
{
	static struct sock_filter prog[STEER_TUNNELS_MAX];
	struct decap d = decap_of(ALL, 8);
	uint32_t key[STEER_KEYS];
	int n;

	(void)state;
	random_key(key);
	n = steer_program_decap(key, 7, &d, prog, STEER_TUNNELS_MAX);
	assert_true(n > 0);
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(tunnels); i++) {
		build(&tunnels[i / 4], i & 2, i & 1);
		for (; B.len >= 14; B.len--)
			assert_in_range(chosen(prog, n), 0, 6);
	}
	for (unsigned int i = 0; i < 50000; i++) {
		build(&tunnels[rnd() % ARRAY_SIZE(tunnels)], rnd() & 1,
		      rnd() & 1);
		for (unsigned int k = rnd() % 4 + 1; k; k--)
			B.buf[12 + rnd() % (B.len - 12)] = (uint8_t)rnd();
		assert_in_range(chosen(prog, n), 0, 6);
	}
}

/* the kernel's own checker, for all of them and for each alone; and no more
 * room than it is given */
static void test_kernel_accepts(void **state)
{
	static struct sock_filter code[STEER_TUNNELS_MAX];
	struct sock_fprog prog = {.filter = code};
	uint32_t key[STEER_KEYS];
	int pair[2], n;

	(void)state;
	random_key(key);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	for (unsigned int i = 0; i <= DECAP_COUNT; i++) {
		struct decap d = decap_of(i < DECAP_COUNT ? 1u << i : ALL, 8);

		n = steer_program_decap(key, 3, &d, code, STEER_TUNNELS_MAX);
		assert_true(n > 0);
		prog.len = (unsigned short)n;
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET,
		                            SO_ATTACH_FILTER, &prog,
		                            sizeof(prog)),
		                 0);
		for (int max = 0; max < n; max += 7)
			assert_int_equal(steer_program_decap(key, 3, &d, code,
			                                     (unsigned int)max),
			                 -1);
	}
	/* as many ports as there may be */
	{
		struct decap d = {.on = ALL, .depth = 8};

		for (uint16_t i = 0; i < DECAP_PORTS; i++)
			assert_true(decap_port_add(
				&d, (enum decap_kind)(DECAP_VXLAN + i % 4),
				(uint16_t)(4789 + i)));
		n = steer_program_decap(key, 3, &d, code, STEER_TUNNELS_MAX);
		assert_true(n > 0);
	}
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_kernel_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

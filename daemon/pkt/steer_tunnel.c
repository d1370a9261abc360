/*
 * steer_tunnel.c - decap.c's twin for the kernel, as far as classic BPF goes.
 *
 * Theory.  Jumps go forward only, so there is no loop: the code for one tunnel
 * (a level) is written `LEVELS` times, each jumping into the next.  M_BASE is
 * where the next header begins, M_IP and M_FAMILY the innermost IP header so
 * far.  Two ways out of a level lead nowhere deeper:
 *
 *	plain	no tunnel: the shard of this IP packet, with its ports
 *	outer	a tunnel that is not stepped into here: the shard of the
 *		addresses that carry it, for the ports may be different for
 *		each fragment inside
 *
 * Reached: IP in IP, GRE and NVGRE with all options, ERSPAN I to III, VXLAN,
 * GENEVE with options, GTP-U with one extension header, TZSP without fields,
 * PPPoE, four MPLS labels; two of these in each other, two tags before each.
 * Everything else is `outer`, and so is what lies deeper.  All the differences
 * to decap.c make strays, which any worker may apply.
 */
#include "daemon/pkt/steer_asm.h"

enum { LEVELS = 2, LABELS = 4 };

/* ways into a level */
struct entry {
	struct jumps frame; /* Ethernet is at M_BASE */
	struct jumps raw;   /* IP, its version tells which */
	struct jumps v4, v6, mpls;
};

struct level {
	struct asmbl *a;
	const struct decap *d;
	struct jumps *plain, *outer;
	struct jumps udp, gre, pppoe, mpls; /* inside this level */
	/* into the next level; of the last one, all are `outer` */
	struct jumps *frame, *raw, *v4, *v6, *next_mpls;
};

static void when(struct level *l, uint32_t k, struct jumps *to)
{
	jump_far(l->a, to, BPF_JEQ | BPF_K, k);
}

static void go(struct level *l, struct jumps *to)
{
	jump(l->a, to, BPF_JA, 0);
}

/* M_BASE = cell + k; X stays */
static void advance(struct asmbl *a, uint32_t from, uint32_t k)
{
	fetch(a, from);
	alu(a, BPF_ADD, k);
	store(a, M_BASE);
}

static void add_x(struct asmbl *a)
{
	put(a, BPF_ALU | BPF_ADD | BPF_X, 0);
}

static void set(struct asmbl *a, uint32_t cell, uint32_t k)
{
	put(a, BPF_LD | BPF_IMM, k);
	store(a, cell);
}

/* -- link ------------------------------------------------------------------ */

static void put_frame(struct level *l)
{
	struct asmbl *a = l->a;

	fetch_x(a, M_BASE);
	load(a, BPF_H, 12);
	store(a, M_TYPE);
	advance(a, M_BASE, 14);
	fetch(a, M_TYPE);
}

/* A = Ethernet type; ends in a jump */
static void put_type(struct level *l, struct entry *in)
{
	struct asmbl *a = l->a;

	for (unsigned int i = 0;; i++) {
		struct jumps tag = {.n = 0};

		when(l, 0x0800, &in->v4);
		when(l, 0x86dd, &in->v6);
		if (decap_on(l->d, DECAP_MPLS)) {
			when(l, 0x8847, &l->mpls);
			when(l, 0x8848, &l->mpls);
		}
		if (decap_on(l->d, DECAP_PPPOE))
			when(l, 0x8864, &l->pppoe);
		if (i == TAGS)
			break;
		jump(a, &tag, BPF_JEQ | BPF_K, 0x8100);
		jump(a, &tag, BPF_JEQ | BPF_K, 0x88a8);
		jump(a, &tag, BPF_JEQ | BPF_K, 0x9100);
		go(l, l->outer);
		land(a, &tag);
		fetch(a, M_BASE);
		put(a, BPF_MISC | BPF_TAX, 0);
		alu(a, BPF_ADD, 4);
		store(a, M_BASE);
		load(a, BPF_H, 2);
	}
	go(l, l->outer);
}

static void put_raw(struct level *l, struct entry *in)
{
	struct asmbl *a = l->a;

	fetch_x(a, M_BASE);
	load(a, BPF_B, 0);
	alu(a, BPF_RSH, 4);
	when(l, 4, &in->v4);
	when(l, 6, &in->v6);
	go(l, l->outer);
}

static void put_pppoe(struct level *l)
{
	struct asmbl *a = l->a;

	fetch_x(a, M_BASE);
	advance(a, M_BASE, 8);
	load(a, BPF_H, 6);
	when(l, 0x0021, l->v4);
	when(l, 0x0057, l->v6);
	go(l, l->outer);
}

/* frame_likely() of decap.c, for the types that may lead on */
static void put_likely(struct asmbl *a, uint32_t off, struct jumps *yes)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8,
	                                 0x8847, 0x8848, 0x8864};

	load(a, BPF_H, off);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
		jump_far(a, yes, BPF_JEQ | BPF_K, types[i]);
}

static void put_mpls(struct level *l)
{
	struct asmbl *a = l->a;
	struct jumps bottom = {.n = 0}, zero = {.n = 0}, word = {.n = 0};

	for (unsigned int i = 0; i < LABELS; i++) {
		fetch_x(a, M_BASE);
		advance(a, M_BASE, 4);
		load(a, BPF_W, 0);
		jump(a, &bottom, BPF_JSET | BPF_K, 0x100);
	}
	go(l, l->outer);
	land(a, &bottom);
	fetch_x(a, M_BASE);
	load(a, BPF_B, 0);
	alu(a, BPF_RSH, 4);
	when(l, 4, l->v4);
	when(l, 6, l->v6);
	jump(a, &zero, BPF_JEQ | BPF_K, 0);
	go(l, l->frame);
	land(a, &zero);
	put_likely(a, 16, &word);
	put_likely(a, 12, l->frame);
	land(a, &word);
	advance(a, M_BASE, 4);
	go(l, l->frame);
}

/* -- IP -------------------------------------------------------------------- */

/* A = the protocol; IP in IP goes by both families */
static void put_ip_in_ip(struct level *l, enum decap_kind v4,
                         enum decap_kind v6, struct jumps *in4,
                         struct jumps *in6)
{
	if (decap_on(l->d, v4))
		when(l, 4, in4);
	if (decap_on(l->d, v6))
		when(l, 41, in6);
}

static void put_v4(struct level *l, struct jumps *proto, struct jumps *in4,
                   struct jumps *in6)
{
	struct asmbl *a = l->a;

	set(a, M_FAMILY, 4);
	fetch(a, M_BASE);
	store(a, M_IP);
	fetch_x(a, M_BASE);
	load(a, BPF_H, 6);
	jump_far(a, l->plain, BPF_JSET | BPF_K, 0x3fff);
	load(a, BPF_B, 0);
	alu(a, BPF_AND, 15);
	alu(a, BPF_LSH, 2);
	add_x(a);
	store(a, M_L4);
	load(a, BPF_B, 9);
	put_ip_in_ip(l, DECAP_IPIP, DECAP_6IN4, in4, in6);
	go(l, proto);
}

static void put_v6(struct level *l, struct jumps *in4, struct jumps *in6)
{
	struct asmbl *a = l->a;

	set(a, M_FAMILY, 6);
	fetch(a, M_BASE);
	store(a, M_IP);
	alu(a, BPF_ADD, 40);
	store(a, M_L4);
	fetch_x(a, M_BASE);
	load(a, BPF_B, 6);
	put_ip_in_ip(l, DECAP_4IN6, DECAP_6IN6, in4, in6);
}

/* A = the protocol behind IP of either family; ends in a jump */
static void put_proto(struct level *l, struct jumps *in_mpls)
{
	const uint32_t gre =
		1u << DECAP_GRE | 1u << DECAP_NVGRE | 1u << DECAP_ERSPAN;

	if (l->d->nports)
		when(l, 17, &l->udp);
	if (l->d->on & gre)
		when(l, 47, &l->gre);
	if (decap_on(l->d, DECAP_MPLS))
		when(l, 137, in_mpls);
	go(l, l->plain);
}

static void put_inside(struct level *l, struct jumps *from, struct jumps *to)
{
	if (!from->n)
		return;
	land(l->a, from);
	advance(l->a, M_L4, 0);
	go(l, to);
}

/* -- GRE: X = where it begins ---------------------------------------------- */

/* A = 4 if this flag is set */
static void put_option(struct asmbl *a, uint32_t shift)
{
	load(a, BPF_H, 0);
	alu(a, BPF_RSH, shift);
	alu(a, BPF_AND, 4);
}

/* M_BASE = behind the options */
static void put_gre_options(struct asmbl *a)
{
	put_option(a, 13); /* checksum */
	store(a, M_TMP);
	put_option(a, 11); /* key */
	fetch_x(a, M_TMP);
	add_x(a);
	store(a, M_TMP);
	fetch_x(a, M_L4);
	put_option(a, 10); /* number */
	fetch_x(a, M_TMP);
	add_x(a);
	fetch_x(a, M_L4);
	add_x(a);
	alu(a, BPF_ADD, 4);
	store(a, M_BASE);
}

static void put_erspan(struct level *l, struct jumps *two, struct jumps *three)
{
	struct asmbl *a = l->a;
	struct jumps header = {.n = 0};

	land(a, two);
	load(a, BPF_H, 0);
	jump(a, &header, BPF_JSET | BPF_K, 0x1000);
	go(l, l->frame);
	land(a, &header);
	advance(a, M_BASE, 8);
	go(l, l->frame);
	land(a, three);
	fetch_x(a, M_BASE);
	load(a, BPF_H, 10);
	alu(a, BPF_AND, 1); /* a subheader of 8 bytes */
	alu(a, BPF_LSH, 3);
	add_x(a);
	alu(a, BPF_ADD, 12);
	store(a, M_BASE);
	load(a, BPF_H, 10);
	alu(a, BPF_AND, 0x7c00); /* frame type: Ethernet, IP */
	when(l, 0, l->frame);
	when(l, 2 << 10, l->raw);
	go(l, l->outer);
}

static void put_gre(struct level *l)
{
	struct asmbl *a = l->a;
	struct jumps zero = {.n = 0}, two = {.n = 0}, three = {.n = 0},
		     frame = {.n = 0};
	bool gre = decap_on(l->d, DECAP_GRE);

	fetch_x(a, M_L4);
	load(a, BPF_H, 0);
	alu(a, BPF_AND, 0x4007); /* routes, version */
	jump(a, &zero, BPF_JEQ | BPF_K, 0);
	go(l, l->plain);
	land(a, &zero);
	put_gre_options(a);
	load(a, BPF_H, 2);
	if (decap_on(l->d, DECAP_ERSPAN)) {
		when(l, 0x88be, &two);
		when(l, 0x22eb, &three);
	}
	if (decap_on(l->d, DECAP_NVGRE))
		when(l, 0x6558, &frame);
	if (gre) {
		when(l, 0x6558, l->frame);
		when(l, 0x0800, l->v4);
		when(l, 0x86dd, l->v6);
		if (decap_on(l->d, DECAP_MPLS))
			when(l, 0x8847, l->next_mpls);
	}
	go(l, l->plain);
	if (two.n)
		put_erspan(l, &two, &three);
	if (!frame.n)
		return;
	land(a, &frame);
	load(a, BPF_H, 0);
	jump_far(a, l->frame, BPF_JSET | BPF_K, 0x2000); /* a key */
	go(l, gre ? l->frame : l->plain);
}

/* -- UDP: X = where it begins ---------------------------------------------- */

static void put_vxlan(struct level *l)
{
	struct asmbl *a = l->a;

	advance(a, M_L4, 16);
	load(a, BPF_B, 8);
	alu(a, BPF_AND, 0x0c);
	when(l, 0x08, l->frame);
	load(a, BPF_B, 11); /* VXLAN-GPE, or nothing known */
	when(l, 3, l->frame);
	when(l, 1, l->v4);
	when(l, 2, l->v6);
	go(l, l->outer);
}

static void put_geneve(struct level *l)
{
	struct asmbl *a = l->a;

	load(a, BPF_B, 8);
	alu(a, BPF_AND, 63);
	alu(a, BPF_LSH, 2);
	add_x(a);
	alu(a, BPF_ADD, 16);
	store(a, M_BASE);
	load(a, BPF_H, 10);
	when(l, 0x6558, l->frame);
	when(l, 0x0800, l->v4);
	when(l, 0x86dd, l->v6);
	go(l, l->outer);
}

static void put_tzsp(struct level *l)
{
	struct asmbl *a = l->a;
	struct jumps is = {.n = 0};

	load(a, BPF_W, 8);
	alu(a, BPF_AND, 0xfffeffff); /* received, or to be sent */
	jump(a, &is, BPF_JEQ | BPF_K, 0x01000001);
	go(l, l->plain);
	land(a, &is);
	advance(a, M_L4, 13);
	load(a, BPF_B, 12);
	when(l, 1, l->frame);
	go(l, l->outer);
}

static void put_gtpu(struct level *l)
{
	struct asmbl *a = l->a;
	struct jumps user = {.n = 0}, more = {.n = 0}, chain = {.n = 0},
		     none = {.n = 0};

	load(a, BPF_H, 8);
	alu(a, BPF_AND, 0xf0ff);
	jump(a, &user, BPF_JEQ | BPF_K, 0x30ff);
	go(l, l->outer);
	land(a, &user);
	load(a, BPF_B, 8);
	jump(a, &more, BPF_JSET | BPF_K, 7);
	advance(a, M_L4, 16);
	go(l, l->raw);
	land(a, &more);
	jump(a, &chain, BPF_JSET | BPF_K, 4);
	jump(a, &none, BPF_JA, 0);
	land(a, &chain);
	load(a, BPF_B, 19); /* type of the first extension */
	jump(a, &none, BPF_JEQ | BPF_K, 0);
	load(a, BPF_B, 20); /* its length in words */
	alu(a, BPF_LSH, 2);
	add_x(a);
	alu(a, BPF_ADD, 16);
	put(a, BPF_MISC | BPF_TAX, 0);
	alu(a, BPF_ADD, 4);
	store(a, M_BASE);
	load(a, BPF_B, 3); /* the type behind it: its last byte */
	when(l, 0, l->raw);
	go(l, l->outer);
	land(a, &none);
	advance(a, M_L4, 20);
	go(l, l->raw);
}

static void put_udp(struct level *l)
{
	static const struct {
		enum decap_kind kind;
		void (*put)(struct level *l);
	} of[] = {{DECAP_VXLAN, put_vxlan},
	          {DECAP_GENEVE, put_geneve},
	          {DECAP_TZSP, put_tzsp},
	          {DECAP_GTPU, put_gtpu}};
	struct jumps to[ARRAY_SIZE(of)] = {{.n = 0}};
	struct asmbl *a = l->a;
	unsigned int i, k;

	fetch_x(a, M_L4);
	load(a, BPF_H, 2);
	for (i = 0; i < l->d->nports && i < DECAP_PORTS; i++)
		for (k = 0; k < ARRAY_SIZE(of); k++)
			if (decap_port_kind(l->d, l->d->port[i].port) ==
			    of[k].kind)
				when(l, l->d->port[i].port, &to[k]);
	go(l, l->plain);
	for (k = 0; k < ARRAY_SIZE(of); k++) {
		if (!to[k].n)
			continue;
		land(a, &to[k]);
		of[k].put(l);
	}
}

/* -- levels ---------------------------------------------------------------- */

/* The first one begins with A = Ethernet type of what is at M_BASE. */
static void put_level(struct level *l, struct entry *in, bool first)
{
	struct jumps proto = {.n = 0}, in4 = {.n = 0}, in6 = {.n = 0},
		     in_mpls = {.n = 0};
	struct asmbl *a = l->a;

	if (in->frame.n) {
		land(a, &in->frame);
		put_frame(l);
	}
	if (first || in->frame.n)
		put_type(l, in);
	if (in->raw.n) {
		land(a, &in->raw);
		put_raw(l, in);
	}
	if (in->v4.n) {
		land(a, &in->v4);
		put_v4(l, &proto, &in4, &in6);
	}
	if (in->v6.n) {
		land(a, &in->v6);
		put_v6(l, &in4, &in6);
	}
	if (in->v4.n || in->v6.n) {
		land(a, &proto);
		put_proto(l, &in_mpls);
	}
	put_inside(l, &in4, l->v4);
	put_inside(l, &in6, l->v6);
	if (l->udp.n) {
		land(a, &l->udp);
		put_udp(l);
	}
	if (l->gre.n) {
		land(a, &l->gre);
		put_gre(l);
	}
	if (l->pppoe.n) {
		land(a, &l->pppoe);
		put_pppoe(l);
	}
	if (in_mpls.n) {
		land(a, &in_mpls);
		advance(a, M_L4, 0);
	}
	if (l->mpls.n || in->mpls.n || in_mpls.n) {
		land(a, &l->mpls);
		land(a, &in->mpls);
		put_mpls(l);
	}
}

void steer_tunnels(struct asmbl *a, const struct decap *d, struct jumps *v4,
                   struct jumps *v6)
{
	struct jumps plain = {.n = 0}, outer = {.n = 0};
	struct entry entry[LEVELS + 1] = {{.raw = {.n = 0}}};

	/* A, the type, is kept: the kernel wants cells written before read */
	store(a, M_TYPE);
	for (uint32_t cell = M_L4; cell <= M_PLAIN; cell++)
		set(a, cell, 0);
	fetch(a, M_TYPE);
	for (unsigned int i = 0; i <= LEVELS; i++) {
		struct entry *next = &entry[i + 1];
		bool last = i == LEVELS;
		struct level l = {
			.a = a,
			.d = d,
			.plain = &plain,
			.outer = &outer,
			.frame = last ? &outer : &next->frame,
			.raw = last ? &outer : &next->raw,
			.v4 = last ? &outer : &next->v4,
			.v6 = last ? &outer : &next->v6,
			.next_mpls = last ? &outer : &next->mpls,
		};

		put_level(&l, &entry[i], !i);
	}
	land(a, &outer);
	set(a, M_PLAIN, 1);
	land(a, &plain);
	advance(a, M_IP, 0);
	fetch(a, M_FAMILY);
	jump(a, v4, BPF_JEQ | BPF_K, 4);
	jump(a, v6, BPF_JEQ | BPF_K, 6);
}

/*
 * fuzz_sip.c - SIP: packets of one connection.
 *
 * An input is a byte of choices (1 TCP, 2 IPv6, 4 mirror, 8 media of anybody,
 * 16 signalling of anybody, 32 expected) and packets: a byte of choices (1 the
 * other direction, 2 a gap before it, 4 seen before, 8 cut by the capture),
 * two bytes of length, and the payload.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/helper/fake.h"

extern const struct helper helper_sip;

enum { SIGNALLING, AUDIO, VIDEO, IMAGE };

/* What may be asked for, whatever was read. */
static int sip_expect(struct help_ctx *h, const struct expect_spec *s)
{
	const struct fake *f = h->arg;
	const union pkt_addr *own = &h->addr[h->dir];

	fuzz_check(s->class <= IMAGE, "class %u", s->class);
	fuzz_check(s->dport >= 1024, "port %u", s->dport);
	fuzz_check(s->any_sport, "a source port");
	if (s->class == SIGNALLING) {
		fuzz_check(s->flags == (EXPECT_PERMANENT | EXPECT_INACTIVE) &&
		                   s->assign && !h->expected &&
		                   s->l4proto == f->l4proto &&
		                   s->any_src == !h->option[0],
		           "a call that is none");
		fuzz_check(!memcmp(&s->dst, own, sizeof(*own)), "a foreigner");
		return 0;
	}
	fuzz_check(s->l4proto == 17 && !s->flags && !s->assign &&
	                   s->any_src == !h->option[1],
	           "media that are none");
	if (h->option[1])
		fuzz_check(!memcmp(&s->dst, own, sizeof(*own)) &&
		                   !memcmp(&s->src, &h->addr[!h->dir],
		                           sizeof(s->src)),
		           "foreigners");
	return s->dport & 64 ? -17 : s->dport & 128 ? -28 : 0;
}

static unsigned int sip_unexpect(struct help_ctx *h,
                                 const struct expect_match *m)
{
	(void)h;
	fuzz_check(!m->any_class && m->class <= IMAGE, "class %u", m->class);
	return 1;
}

static unsigned int sip_revise(struct help_ctx *h, const struct expect_match *m,
                               bool activate, uint32_t seconds)
{
	fuzz_check(!m->any_class && m->class == SIGNALLING && m->dst &&
	                   activate && seconds && m->dport >= 1024,
	           "a registration that is none");
	fuzz_check(!memcmp(m->dst, &h->addr[!h->dir], sizeof(*m->dst)),
	           "a foreigner");
	return m->dport & 1;
}

static void sip_packet(struct fake *f, struct fuzz_in *in)
{
	uint8_t how = fuzz8(in), dir = how & 1;
	uint32_t len = fuzz16(in) & 0x3fff;
	size_t n;
	const uint8_t *data = fuzz_bytes(in, len, &n);

	if (how & 2)
		f->seq[dir] += 1 + (how >> 4);
	if (how & 4)
		f->seq[dir] -= how >> 4;
	len = (uint32_t)n;
	fake_cut(f, dir, data, how & 8 ? len / 2 : len, len, f->seq[dir]);
	f->seq[dir] += len;
	f->log_len = 0;
	fuzz_check(f->kept[dir].len <= HELP_KEEP, "kept %u", f->kept[dir].len);
	fuzz_check(f->h.mirror || !f->kept[dir].len, "strict mode keeps");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake f;
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz8(&in);

	fake_open(&f, &helper_sip, how & 1 ? 6 : 17,
	          how & 2 ? "fd00::1" : "10.0.0.1", 5060,
	          how & 2 ? "fd00::2" : "10.0.1.1", 5060);
	f.h.mirror = how & 4;
	f.option[1] = !(how & 8);
	f.option[0] = !(how & 16);
	f.h.expected = how & 32;
	f.h.expect = sip_expect;
	f.h.unexpect = sip_unexpect;
	f.h.revise = sip_revise;
	while (in.left)
		sip_packet(&f, &in);
	fake_close(&f);
	return 0;
}

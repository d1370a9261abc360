/*
 * talk.h - a connection with a helper, out of an input's bytes.
 *
 * The first byte chooses mode and family, the second the options.  Then come
 * packets: direction and manner, length, bytes.  What is asked for must be
 * possible whatever the bytes are: only addresses of the connection itself
 * unless an option allows others, no class that the helper does not have, and
 * nothing at all from an empty capture.  TALK_THIRDS: the protocol itself sends
 * to others.
 */
#ifndef TESTS_FUZZ_TALK_H
#define TESTS_FUZZ_TALK_H

#include "tests/fuzz/fuzz.h"
#include "tests/helper/fake.h"

#define TALK_PACKETS 64u

struct talk {
	struct fake f;
	bool any_dst; /* an option lets others' addresses through */
	unsigned int asked;
};

static inline int talk_expect(struct help_ctx *h, const struct expect_spec *s)
{
	struct fake *f = h->arg;
	struct talk *t = (struct talk *)f;
	bool own = !memcmp(&s->dst, &h->addr[0], 16) ||
	           !memcmp(&s->dst, &h->addr[1], 16);

	fuzz_check(own || t->any_dst, "an address of a third");
	fuzz_check(s->class < f->helper->nclasses, "class %u", s->class);
	fuzz_check(!s->any_src || !s->src.d[0], "any source has an address");
	fuzz_check(help_cap(h) > 0, "out of nothing");
	t->asked++;
	return fake_expect(h, s);
}

static inline void talk_packet(struct talk *t, struct fuzz_in *in)
{
	uint8_t how = fuzz8(in), dir = how & 1;
	size_t len;
	const uint8_t *b = fuzz_bytes(in, fuzz8(in) | (how & 2) << 7, &len);
	uint32_t seq = t->f.seq[dir], n = (uint32_t)len;

	if (how & 4)
		seq += (uint32_t)(int8_t)fuzz8(in);
	if (how & 8)
		t->f.kept[dir].len = 0; /* lost */
	t->f.keep_fails = how & 16;
	fake_cut(&t->f, dir, b, n, how & 32 ? n + fuzz8(in) : n, seq);
	t->f.seq[dir] = seq + t->f.h.len;
	fuzz_check(t->f.kept[dir].len <= HELP_KEEP, "kept too much");
	t->f.log_len = 0;
}

static inline int talk_run(const struct helper *helper, uint8_t l4proto,
                           bool v6, const uint8_t *data, size_t size)
{
	static struct talk t;
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz8(&in), opts = fuzz8(&in);
	unsigned int i;

	v6 = v6 && (how & 2);
	t.asked = 0;
	fake_open(&t.f, helper, l4proto, v6 ? "2001:db8::1" : "10.0.0.1", 40001,
	          v6        ? "2001:db8::2"
	          : how & 4 ? "10.0.0.255"
	                    : "10.0.0.2",
	          21);
	t.f.h.expect = talk_expect;
	t.f.h.mirror = how & 1;
	for (i = 0; i < helper->noptions; i++)
		if (opts & 1u << i)
			t.f.option[i] = helper->options[i].max;
#ifdef TALK_THIRDS
	t.any_dst = true;
#else
	t.any_dst = t.f.option[0] && helper->noptions &&
	            strstr(helper->options[0].key, "loose");
#endif
	for (i = 0; i < TALK_PACKETS && in.left; i++)
		talk_packet(&t, &in);
	fake_end(&t.f);
	fake_close(&t.f);
	return 0;
}

#endif

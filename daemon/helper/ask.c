/* ask.c - the expectation that most helpers want. */
#include <errno.h>
#include <string.h>

#include "daemon/helper/ask.h"

int ask(struct help_ctx *h, const struct expect_spec *s)
{
	int rc = h->expect(h, s);

	if (rc == -ENOSPC)
		h->count(h, HELP_LIMIT);
	return rc == -EEXIST ? 0 : rc;
}

void ask_expect(struct help_ctx *h, uint8_t l4proto, const union pkt_addr *src,
                const union pkt_addr *dst, uint16_t dport, uint32_t seconds)
{
	struct expect_spec s;

	memset(&s, 0, sizeof(s));
	s.l4proto = l4proto;
	s.any_src = !src;
	s.any_sport = true;
	if (src) {
		s.src = *src;
		memset(&s.src_mask, 0xff, h->l3proto == 6 ? 16 : 4);
	}
	s.dst = *dst;
	s.dport = dport;
	s.seconds = seconds;
	if (ask(h, &s))
		h->drop = true;
}

bool ask_same_addr(const union pkt_addr *a, const union pkt_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* ask.h - the expectation that most helpers want, in one call. */
#ifndef HELPER_ASK_H
#define HELPER_ASK_H

#include "daemon/helper/helper.h"

/* Expects class 0: `src`, or anybody when NULL, from any port to dst:dport
 * (F182); `seconds` 0 means the class's timeout.  What cannot be expected is
 * to come again (F203). */
void ask_expect(struct help_ctx *h, uint8_t l4proto, const union pkt_addr *src,
                const union pkt_addr *dst, uint16_t dport, uint32_t seconds);
/* A request that was written by hand: 0, also if the very same stood there, or
 * -errno. */
int ask(struct help_ctx *h, const struct expect_spec *s);

bool ask_same_addr(const union pkt_addr *a, const union pkt_addr *b);

#endif

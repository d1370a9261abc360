/* invalid.c - see invalid.h. */
#include "daemon/worker/invalid.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "daemon/base/log.h"

#define LOG_ALL 255

static void addr_text(const struct pkt *p, const union pkt_addr *a, char *buf,
                      size_t len)
{
	if (!inet_ntop(p->l3proto == 6 ? AF_INET6 : AF_INET, a->b, buf,
	               (socklen_t)len))
		snprintf(buf, len, "?");
}

void invalid_log(const struct policy *pol, const struct trk_ctx *c)
{
	static struct log_limit limit;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], text[128];
	char ports[32] = "";
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, 4);

	if (pol->log_invalid != LOG_ALL && pol->log_invalid != p->l4proto)
		return;
	if (!log_allow(&limit, "invalid", c->why))
		return;
	/* the trackers' texts are constants with at most two numbers */
	snprintf(text, sizeof(text), c->why, c->why_arg[0], c->why_arg[1]);
	addr_text(p, &p->src, src, sizeof(src));
	addr_text(p, &p->dst, dst, sizeof(dst));
	if (h && p->l4proto != 1 && p->l4proto != 58)
		snprintf(ports, sizeof(ports), " SPT=%u DPT=%u", get16(h),
		         get16(h + 2));
	log_warnx("invalid",
	          "nf_ct_proto_%u: %s SRC=%s DST=%s LEN=%u PROTO=%u%s",
	          p->l4proto, text, src, dst, p->l3len, p->l4proto, ports);
}

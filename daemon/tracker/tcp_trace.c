/* tcp_trace.c - what a trace tells of a segment and of its connection. */
#include "daemon/tracker/tcp.h"

#include <stdio.h>

#include "daemon/tracker/common.h"

/* Names of the bits, comma separated. */
static void bits_text(uint32_t bits, const char *const *name, unsigned int n,
                      char *buf, size_t len)
{
	size_t used = 0;
	unsigned int i;

	snprintf(buf, len, "none");
	for (i = 0; i < n; i++)
		if (bits & 1u << i)
			used += (size_t)trk_printed(
				snprintf(buf + used, len - used, "%s%s",
			                 used ? "," : "", name[i]),
				len - used);
}

int tcp_heading(const struct pkt *p, char *buf, size_t len)
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH",
	                                    "ACK", "URG", "ECE", "CWR"};
	char flags[40], opt[32] = "";
	uint32_t scale, offers;
	struct tcp_seg s;

	if (!tcp_seg_read(p, &s))
		return 0;
	bits_text(s.flags, names, ARRAY_SIZE(names), flags, sizeof(flags));
	if (s.flags & TH_SYN) {
		offers = tcp_seg_offers(&s, &scale);
		if (offers & SIDE_WSCALE)
			snprintf(opt, sizeof(opt), " wscale=%u%s", scale,
			         offers & SIDE_SACK ? " sack=OK" : "");
		else if (offers & SIDE_SACK)
			snprintf(opt, sizeof(opt), " sack=OK");
	}
	return trk_printed(snprintf(buf, len,
	                            "flags=%s seq=%u ack=%u win=%u len=%u%s",
	                            flags, s.seq, s.ack, s.win,
	                            s.end - s.seq - !!(s.flags & TH_SYN) -
	                                    !!(s.flags & TH_FIN),
	                            opt),
	                   len);
}

static int tcp_side_text(const struct tcp_priv *t, uint8_t dir, char *buf,
                         size_t len)
{
	static const char *const names[] = {"WSCALE",  "SACK",    "CLOSED",
	                                    "LIBERAL", "UNACKED", "MAXACK"};
	static const char *const dirs[] = {"original", "reply"};
	const struct tcp_side *s = &t->side[dir];
	const char *d = dirs[dir];
	char flags[48];

	bits_text(t->flags >> dir * SIDE_BITS & SIDE_ALL, names,
	          ARRAY_SIZE(names), flags, sizeof(flags));
	return trk_printed(snprintf(buf, len,
	                            "%s.end=%u %s.maxend=%u %s.maxwin=%u "
	                            "%s.maxack=%u %s.scale=%u %s.flags=%s ",
	                            d, s->end, d, s->maxend, d, s->maxwin, d,
	                            s->maxack, d, side_scale(t, dir), d, flags),
	                   len);
}

int tcp_inside(const struct conn *conn, char *buf, size_t len)
{
	const struct tcp_priv *t = (const void *)conn->priv;
	int n = tcp_side_text(t, DIR_ORIGINAL, buf, len);

	n += tcp_side_text(t, DIR_REPLY, buf + n, len - (size_t)n);
	n += trk_printed(
		snprintf(buf + n, len - (size_t)n, "retrans=%u", t->retrans),
		len - (size_t)n);
	return n;
}

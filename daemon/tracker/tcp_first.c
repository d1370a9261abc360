/*
 * tcp_first.c - how nearly every connection begins: a SYN of the original side.
 *
 * What tcp_judge() comes to for it, with all else left out.  It is judged on a
 * candidate of which nothing is known: no state but one can follow, and there
 * is no window to be out of.  That both ways end alike is what
 * tests/tracker/test_tcp_plain.c is for.
 */
#include "daemon/tracker/tcp.h"

bool tcp_plain_syn(struct trk_ctx *c, struct conn *conn)
{
	struct tcp_priv *t = tcp_of(conn);
	uint32_t hlen, scale, normal, retrans;
	const uint8_t *h = tcp_header(c->pkt, &hlen);
	struct tcp_seg s;

	if (!h || tcp_class(h[13]) != SYN || c->dir != DIR_ORIGINAL ||
	    conn->state || conn->status & (CONN_SEEN_REPLY | CONN_ONE_WAY))
		return false;
	s.optlen = hlen - TCP_HLEN;
	s.opt = s.optlen ? pkt_l4(c->pkt, TCP_HLEN, s.optlen) : NULL;
	if (s.opt) {
		t->flags = tcp_seg_offers(&s, &scale);
		t->scale = scale & 0xf;
	}
	t->side[DIR_ORIGINAL].end = t->side[DIR_ORIGINAL].maxend =
		get32(h + 4) + c->pkt->l4len - hlen + 1 + (h[13] & TH_FIN);
	t->side[DIR_ORIGINAL].maxwin = t->side[DIR_REPLY].maxend =
		tcp_win_seen(get16(h + 14));
	conn->state = SS;
	/* as tcp_timeout(): there was no window yet, so it is a closed one */
	normal = trk_timeout(c, SS);
	retrans = trk_timeout(c, TMO_RETRANS);
	c->timeout = normal > retrans ? retrans : normal;
	c->quality = TRK_Q_BEHIND;
	c->events |= EVB_PROTOINFO;
	return true;
}

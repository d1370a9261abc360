/*
 * tcp_early.c - resets that are seen before what they answer (F138).
 *
 * A mirror that joins the two directions may show the answer first.  For most
 * segments that makes no difference in the end; a reset is another thing, for
 * it ends what is not there yet, and then what it has ended begins.
 *
 * Refused: RFC 9293 3.10.7.1 has a closed port answer a SYN with RST,ACK, and
 * what it acknowledges is the number behind the SYN.  The worker keeps it until
 * that SYN comes.
 *
 * Given up: who resets what it has asked for, at the number behind its SYN, has
 * got a SYN/ACK (RFC 9293 3.5.2, group 2).  It was lost or comes later, so the
 * connection is not one that nobody ever answered (F121), and stays for as long
 * as one that was reset.
 */
#include "daemon/tracker/tcp.h"

#include "daemon/tracker/common.h"

uint32_t tcp_early(const struct pkt *p)
{
	const uint8_t *h = pkt_l4(p, 0, TCP_HLEN);

	if (!h ||
	    (h[13] & (TH_RST | TH_ACK | TH_SYN | TH_FIN)) != (TH_RST | TH_ACK))
		return 0;
	return get32(h + 8);
}

bool tcp_answered(struct trk_ctx *c, struct conn *conn, uint32_t number)
{
	struct tcp_priv *t = tcp_of(conn);

	if (conn->state != SS || t->side[DIR_ORIGINAL].end != number)
		return false;
	conn->state = CL;
	conn->status |= 1u << (CONN_FIX_SHIFT + CONN_FIX_STATE);
	/* in order nothing would be left of it: whoever tries again may begin
	 * at once (F127) */
	t->last_index = RST;
	t->last_dir = DIR_ORIGINAL;
	c->repairs |= 1u << CONN_FIX_STATE;
	c->timeout = trk_timeout(c, CL);
	return true;
}

bool tcp_mirror_refused(const struct tcp_step *st)
{
	return st->c->mirror && st->dir == DIR_ORIGINAL && st->from == SS &&
	       st->to == CL && st->s.seq == st->snd->end;
}

/*
 * tcp_plain.h - the segment that nearly every segment is, in a straight line.
 *
 * Van Jacobson's "header prediction" (RFC 1323 and before), for a tracker: on
 * an ESTABLISHED connection whose sides are both known, a segment of class ACK
 * that is the next of its side, in the window, not the same as the one before
 * and without options but timestamps changes no state and is judged by nothing
 * but tcp_win_judge().  What follows is that path through tcp_packet() with all
 * else left out, and nothing is written before it is sure that the segment is
 * one of these; any other goes the general way.
 *
 * In parts, because the packet path takes them apart (daemon/worker/plain.h):
 * the header is read when the frame is parsed, the rest waits for the entry.
 *
 * That both ways end alike is what tests/tracker/test_tcp_plain.c is for.
 */
#ifndef TRACKER_TCP_PLAIN_H
#define TRACKER_TCP_PLAIN_H

#include "daemon/tracker/common.h"
#include "daemon/tracker/segment.h"
#include "daemon/tracker/tcp.h"

/* an acknowledgement may lag this far behind, however small the window */
#define ACK_LAG_MIN 66000u

/* NOP, NOP, timestamps: as all stacks send them (RFC 7323 appendix A) */
#define OPT_TIMESTAMPS     0x0101080au
#define OPT_TIMESTAMPS_LEN 12u

/* False: not such a segment by its header alone. */
static inline bool plain_read(const struct pkt *p, struct tcp_plain *s)
{
	uint32_t hlen;
	const uint8_t *h = tcp_header(p, &hlen), *opt;

	if (unlikely(!h ||
	             (h[13] & (TH_FIN | TH_SYN | TH_RST | TH_ACK)) != TH_ACK))
		return false;
	if (hlen != TCP_HLEN) {
		opt = pkt_l4(p, TCP_HLEN, OPT_TIMESTAMPS_LEN);
		if (hlen != TCP_HLEN + OPT_TIMESTAMPS_LEN || !opt ||
		    get32(opt) != OPT_TIMESTAMPS)
			return false;
	}
	s->seq = get32(h + 4);
	s->ack = get32(h + 8);
	s->win = get16(h + 14);
	s->end = s->seq + (p->l4len - hlen);
	return true;
}

/*
 * win_test(), all of it passed, for one that begins where its side has ended:
 * so it is not below the window, and the acknowledgement, if it is not of what
 * was never sent, is this far behind.
 */
static inline bool plain_fits(const struct tcp_plain *s,
                              const struct tcp_side *snd,
                              const struct tcp_side *rcv)
{
	uint32_t lag = snd->maxwin > ACK_LAG_MIN ? snd->maxwin : ACK_LAG_MIN;

	return s->seq == snd->end && snd->maxwin && rcv->maxwin &&
	       !after(s->seq, snd->maxend) && rcv->end - s->ack <= lag;
}

/* Something was sent between, so retransmissions are counted anew. */
static inline bool plain_differs(const struct tcp_plain *s,
                                 const struct tcp_priv *t, uint8_t dir)
{
	return (t->last_dir ^ dir) | (t->last_seq ^ s->seq) |
	       (t->last_ack ^ s->ack) | (t->last_end ^ s->end) |
	       (uint32_t)(t->last_win ^ s->win);
}

/* Either side's data are as likely as not, so here, too, nothing branches:
 * `to` is `v` or stays. */
static inline void plain_if(bool cond, uint32_t *to, uint32_t v)
{
	*to ^= (*to ^ v) & -(uint32_t)cond;
}

/*
 * win_sender(), win_receiver(), win_retrans(), and what tcp_enter() notes.
 * True: somebody waits for an acknowledgement.
 */
static inline bool plain_learn(const struct tcp_plain *s, struct tcp_priv *t,
                               uint8_t dir)
{
	struct tcp_side *snd = &t->side[dir], *rcv = &t->side[!dir];
	uint32_t win = (uint32_t)s->win << side_scale(t, dir), acked;
	uint32_t own = dir * SIDE_BITS, peer = !dir * SIDE_BITS;
	struct tcp_priv is = {.bits = t->bits};
	uint32_t flags = is.flags;

	if (unlikely(snd->maxwin < win))
		snd->maxwin = win;
	acked = flags >> own & SIDE_MAXACK ? snd->maxack : s->ack;
	snd->maxack = after(s->ack, acked) ? s->ack : acked;
	flags |= ((s->end != s->seq) * SIDE_UNACKED | SIDE_MAXACK) << own;
	flags &= ~((uint32_t)(s->ack == rcv->end) * SIDE_UNACKED << peer);
	snd->end = s->end;
	if (unlikely(after(s->end, snd->maxend)))
		rcv->maxwin += s->end - snd->maxend;
	plain_if(after(s->ack + win, rcv->maxend - 1), &rcv->maxend,
	         s->ack + win);
	is.flags = flags;
	is.last_index = ACK;
	is.last_dir = dir;
	t->bits = is.bits;
	t->last_seq = s->seq;
	t->last_ack = s->ack;
	t->last_end = s->end;
	t->last_win = s->win;
	t->retrans = 0;
	return flags & (SIDE_UNACKED << SIDE_BITS | SIDE_UNACKED);
}

/* F119 for such a segment, by whether somebody waits; as tcp_timeout().  False:
 * each segment counts as sent too often, so none is plain. */
static inline bool plain_timeouts(const struct trk_ctx *c, uint32_t to[2])
{
	const uint32_t *timeout =
		c->timeouts ? c->timeouts[c->id] : c->pol->timeout[c->id];

	to[0] = timeout[ES];
	to[1] = timeout[ES] < timeout[TMO_UNACK] ? timeout[ES]
	                                         : timeout[TMO_UNACK];
	return trk_option(c, OPT_RETRANS);
}

/* Has the connection all that is asked here? */
static inline bool plain_talks(const struct conn *conn)
{
	return conn->state == ES && conn->status & CONN_SEEN_REPLY &&
	       !(conn->status & (CONN_ONE_WAY | CONN_TAIL_MASK));
}

/* May this segment, of such a connection, take the short way? */
static inline bool plain_next(const struct tcp_plain *s,
                              const struct tcp_priv *t, uint8_t dir)
{
	return plain_fits(s, &t->side[dir], &t->side[!dir]) && s->win &&
	       plain_differs(s, t, dir);
}

/* True: that was one, and it is accepted. */
static inline bool tcp_plain(struct trk_ctx *c, struct conn *conn)
{
	struct tcp_priv *t = tcp_of(conn);
	uint8_t dir = c->dir & 1;
	struct tcp_plain s;
	uint32_t to[2];

	if (unlikely(!plain_talks(conn) || c->first))
		return false;
	if (!plain_read(c->pkt, &s) || !plain_next(&s, t, dir) ||
	    !plain_timeouts(c, to))
		return false;
	c->timeout = to[plain_learn(&s, t, dir)];
	trk_assure(c, conn); /* F112 */
	return true;
}

#endif

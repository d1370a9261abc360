/*
 * tcp_plain.h - the segment that nearly every segment is, in a straight line.
 *
 * Van Jacobson's "header prediction" (RFC 1323 and before), for a tracker: on
 * an ESTABLISHED connection whose sides are both known, a segment of class ACK
 * that is the next of its side, in the window and has no options but timestamps
 * changes no state and is judged by nothing but tcp_win_judge().  What follows
 * is that path through tcp_packet() with all else left out, and nothing is
 * written before it is sure that the segment is one of these; any other goes
 * the general way.
 *
 * That both ways end alike is what tests/tracker/test_tcp_plain.c is for.
 */
#ifndef TRACKER_TCP_PLAIN_H
#define TRACKER_TCP_PLAIN_H

#include "daemon/tracker/common.h"
#include "daemon/tracker/tcp.h"

/* an acknowledgement may lag this far behind, however small the window */
#define ACK_LAG_MIN 66000u

/* NOP, NOP, timestamps: as all stacks send them (RFC 7323 appendix A) */
#define OPT_TIMESTAMPS     0x0101080au
#define OPT_TIMESTAMPS_LEN 12u

struct tcp_plain {
	uint32_t seq, ack, end;
	uint16_t win;
};

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

/* win_test(), all of it passed */
static inline bool plain_fits(const struct tcp_plain *s,
                              const struct tcp_side *snd,
                              const struct tcp_side *rcv)
{
	uint32_t lag = snd->maxwin > ACK_LAG_MIN ? snd->maxwin : ACK_LAG_MIN;

	return snd->maxwin && rcv->maxwin && before(s->seq, snd->maxend + 1) &&
	       before(s->ack, rcv->end + 1) &&
	       after(s->end, snd->end - rcv->maxwin - 1) &&
	       after(s->ack, rcv->end - lag - 1);
}

/* Either side's data are as likely as not, so here, too, nothing branches:
 * `to` is `v` or stays. */
static inline void plain_if(bool cond, uint32_t *to, uint32_t v)
{
	*to ^= (*to ^ v) & -(uint32_t)cond;
}

/* win_sender() and win_receiver() */
static inline void plain_learn(const struct tcp_plain *s, struct tcp_priv *t,
                               uint8_t dir)
{
	struct tcp_side *snd = &t->side[dir], *rcv = &t->side[!dir];
	uint32_t win = (uint32_t)s->win << side_scale(t, dir);
	uint32_t flags = t->flags, own = dir * SIDE_BITS,
		 peer = !dir * SIDE_BITS;
	bool more = after(s->end, snd->end), had = flags >> own & SIDE_MAXACK;

	if (unlikely(snd->maxwin < win))
		snd->maxwin = win;
	plain_if(more, &snd->end, s->end);
	flags |= (more * SIDE_UNACKED | SIDE_MAXACK) << own;
	plain_if(!had | after(s->ack, snd->maxack), &snd->maxack, s->ack);
	if (unlikely(after(s->end, snd->maxend)))
		rcv->maxwin += s->end - snd->maxend;
	plain_if(after(s->ack + win, rcv->maxend - 1), &rcv->maxend,
	         s->ack + win + !win);
	t->flags = flags &
	           ~((uint32_t)(s->ack == rcv->end) * SIDE_UNACKED << peer);
}

/* win_retrans(), and what tcp_enter() notes */
static inline void plain_note(const struct tcp_plain *s, struct tcp_priv *t,
                              uint8_t dir)
{
	uint32_t differs = (t->last_dir ^ dir) | (t->last_seq ^ s->seq) |
	                   (t->last_ack ^ s->ack) | (t->last_end ^ s->end) |
	                   (uint32_t)(t->last_win ^ s->win);

	t->retrans = differs ? 0 : (uint8_t)(t->retrans + 1);
	t->last_seq = s->seq;
	t->last_ack = s->ack;
	t->last_end = s->end;
	t->last_win = s->win;
	t->last_dir = dir & 1;
	t->last_index = ACK;
}

/* F119 for this class; as tcp_timeout() */
static inline uint32_t plain_timeout(const struct trk_ctx *c,
                                     const struct tcp_priv *t)
{
	const uint32_t *timeout =
		c->timeouts ? c->timeouts[c->id] : c->pol->timeout[c->id];
	uint32_t normal = timeout[ES], to = normal;
	uint32_t retrans = timeout[TMO_RETRANS], unack = timeout[TMO_UNACK];
	bool waits = t->flags & (SIDE_UNACKED << SIDE_BITS | SIDE_UNACKED);

	if (unlikely(!t->last_win && normal > retrans))
		to = retrans;
	plain_if(waits & (normal > unack), &to, unack);
	if (unlikely(t->retrans >= trk_option(c, OPT_RETRANS)) &&
	    normal > retrans)
		to = retrans;
	return to;
}

/* True: that was one, and it is accepted. */
static inline bool tcp_plain(struct trk_ctx *c, struct conn *conn)
{
	struct tcp_priv *t = tcp_of(conn);
	uint8_t dir = c->dir & 1;
	struct tcp_plain s;

	if (unlikely(conn->state != ES || !(conn->status & CONN_SEEN_REPLY) ||
	             c->first ||
	             conn->status & (CONN_ONE_WAY | CONN_TAIL_MASK)))
		return false;
	if (!plain_read(c->pkt, &s) ||
	    !plain_fits(&s, &t->side[dir], &t->side[!dir]))
		return false;
	/* sent again, or not in order, or there is no room: that is told */
	if (unlikely((s.seq != t->side[dir].end) | !s.win))
		return false;
	plain_learn(&s, t, dir);
	plain_note(&s, t, dir);
	c->timeout = plain_timeout(c, t);
	trk_assure(c, conn); /* F112 */
	return true;
}

#endif

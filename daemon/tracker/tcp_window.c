/*
 * tcp_window.c - is this segment one that its receiver can take?
 *
 * After Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter"
 * (2001).  For each side we keep what it has sent (`end`), how far the other
 * side allows it to send (`maxend`) and the largest window that it offered
 * itself (`maxwin`).  A segment from sender to receiver is in the window when
 *
 *	I.	seq  <= sender.maxend		the receiver has room for it
 *	II.	end  >= sender.end - receiver.maxwin
 *						and had not yet to forget it
 *	III.	sack <= receiver.end		it acknowledges what was sent
 *	IV.	sack >= receiver.end - lag	and not what is long done
 *
 * A receiver cannot have got what we did not see, so I and III refuse; II and
 * IV, and a little too much of I, are old or greedy but harmless: they pass
 * and teach us nothing.  A connection that was picked up in its middle (its
 * scales are not known), or one whose mirror loses frames, is judged
 * liberally: only tcp_rst() in tcp.c refuses then.
 *
 * The labels W1 to W7 are those of the behaviour's section 3.
 */
#include "daemon/tracker/tcp_plain.h"

#define WSCALE_MAX 14 /* RFC 7323 2.3 */

/* ---- options ---- */

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_WSCALE = 3,
	OPT_SACK_OK = 4,
	OPT_SACK = 5
};

struct tcp_opt {
	const uint8_t *at;
	uint32_t left;
	uint8_t kind;
	uint8_t len; /* of the body */
	const uint8_t *body;
};

/* The next option with a length; false at the end, and at the first that does
 * not fit: what follows cannot be told from it. */
static bool opt_next(struct tcp_opt *o)
{
	while (o->left && *o->at == OPT_NOP) {
		o->at++;
		o->left--;
	}
	if (o->left < 2 || o->at[0] == OPT_END)
		return false;
	if (o->at[1] < 2 || o->at[1] > o->left)
		return false;
	o->kind = o->at[0];
	o->len = (uint8_t)(o->at[1] - 2);
	o->body = o->at + 2;
	o->left -= o->at[1];
	o->at += o->at[1];
	return true;
}

/* What a SYN offers (F136): its flags, and the scale. */
uint32_t tcp_seg_offers(const struct tcp_seg *s, uint32_t *scale)
{
	struct tcp_opt o = {.at = s->opt, .left = s->optlen};
	uint32_t flags = 0;

	*scale = 0;
	while (opt_next(&o)) {
		if (o.kind == OPT_SACK_OK && o.len == 0)
			flags |= SIDE_SACK;
		if (o.kind == OPT_WSCALE && o.len == 1) {
			flags |= SIDE_WSCALE;
			*scale = *o.body > WSCALE_MAX ? WSCALE_MAX : *o.body;
		}
	}
	return flags;
}

/* The sender's side takes what its SYN offers in place of all it knew but
 * liberality.  A SYN without any option changes nothing. */
void tcp_side_offers(struct tcp_step *st)
{
	uint32_t flags, scale;

	if (!st->s.optlen)
		return;
	flags = tcp_seg_offers(&st->s, &scale);
	side_clear(st->t, st->dir, SIDE_ALL & ~SIDE_LIBERAL);
	side_set(st->t, st->dir, flags);
	side_set_scale(st->t, st->dir, scale);
}

/* The highest right edge in the first SACK option, if it is behind `sack`
 * (RFC 2018 3). */
static uint32_t opt_sack(const struct tcp_seg *s, uint32_t sack)
{
	struct tcp_opt o = {.at = s->opt, .left = s->optlen};
	uint32_t i, edge;

	while (opt_next(&o)) {
		if (o.kind != OPT_SACK || !o.len || o.len % 8)
			continue;
		for (i = 0; i < o.len; i += 8) {
			edge = get32(o.body + i + 4);
			if (after(edge, sack))
				sack = edge;
		}
		break;
	}
	return sack;
}

/* ---- the window ---- */

/* A SYN or SYN/ACK starts its side anew.  Scaling is on only when both SYNs
 * offered it (RFC 7323 2.2); the answer decides for both. */
static void win_start(struct tcp_step *st)
{
	st->snd->end = st->snd->maxend = st->s.end;
	st->snd->maxwin = tcp_win_seen(st->s.win);
	tcp_side_offers(st);
	if (st->dir == DIR_REPLY && !(side_has(st->t, 0, SIDE_WSCALE) &&
	                              side_has(st->t, 1, SIDE_WSCALE)))
		st->t->scale = 0;
}

/* On a mirror it may be that we did not come late, and this side's first
 * segments alone were lost: then the other's numbers are known. */
static bool start_seen(const struct tcp_step *st)
{
	return st->c->mirror && (st->conn->status & CONN_DIR_MASK) ==
	                                CONN_DIR_SYN << CONN_DIR_SHIFT;
}

/* First segment of its side, and not a SYN: we came late, believe it. */
static void win_guess(struct tcp_step *st)
{
	uint32_t win = st->s.win, known = st->snd->end;

	win = tcp_win_seen(win << side_scale(st->t, st->dir));
	st->snd->end = st->s.end;
	/* on a mirror, its peer may have told how far it was */
	if (st->c->mirror && st->s.index != RST && after(known, st->s.end))
		st->snd->end = known;
	st->conn->status &= ~CONN_ONE_WAY;
	st->snd->maxwin = win;
	st->snd->maxend = st->s.end + win;
	if (!st->rcv->maxwin)
		st->rcv->end = st->rcv->maxend = st->sack;
	else if (st->sack == st->rcv->end + 1 && !start_seen(st))
		st->rcv->end++; /* answers a keepalive that we took for old */
}

/* W3.  True: accepted at once, a SYN that crosses the other side's. */
static bool win_first(struct tcp_step *st)
{
	bool syn = st->s.flags & TH_SYN;
	uint8_t state = st->conn->state;

	if (!st->snd->maxwin) {
		if (!syn) {
			win_guess(st);
			return false;
		}
		win_start(st);
		return st->s.index == SYN;
	}
	/* a new attempt with higher numbers, perhaps with other options */
	if (syn && after(st->s.end, st->snd->end) &&
	    (state == SS || state == SR)) {
		win_start(st);
		return st->dir == DIR_REPLY && st->s.index == SYN;
	}
	return false;
}

/* W4: segments whose numbers mean nothing get the ones that fit. */
static void win_repair(struct tcp_step *st)
{
	struct tcp_seg *s = &st->s;

	if (!(s->flags & TH_ACK) || (s->flags & TH_RST && s->ack == 0))
		s->ack = st->sack = st->rcv->end;
	/* answers a SYN: there was no number to take */
	if (s->flags & TH_RST && s->seq == 0 && st->conn->state == SS)
		s->seq = s->end = st->snd->end;
}

static enum trk_verdict win_refuse(struct tcp_step *st, enum trk_verdict v,
                                   const char *why, uint32_t arg)
{
	if (side_has(st->t, st->dir, SIDE_LIBERAL) ||
	    trk_option(st->c, OPT_LIBERAL)) {
		st->trusted = true;
		return TRK_ACCEPT;
	}
	st->c->why = why;
	st->c->why_arg[0] = arg;
	return v;
}

/* Starts behind the right edge.  If all else fits, the receiver may yet take
 * and acknowledge it: then that ACK must not be "over upper bound". */
static enum trk_verdict win_over(struct tcp_step *st, uint32_t low_seq,
                                 uint32_t low_ack)
{
	uint32_t over = st->s.end - st->snd->maxend + 1;

	if (!after(st->s.end, low_seq) || !after(st->sack, low_ack) ||
	    over > st->rcv->maxwin || after(st->sack, st->rcv->end))
		return win_refuse(st, TRK_INVALID,
		                  "SEQ is over upper bound %u (over the window "
		                  "of the receiver)",
		                  st->snd->maxend + 1);
	st->snd->end = st->s.end;
	side_set(st->t, st->dir, SIDE_UNACKED);
	return win_refuse(st, TRK_IGNORE, "%u bytes more than expected", over);
}

/* W5.  The upper bound is for a segment's start, the lower for its end: a
 * retransmission may begin with acknowledged bytes. */
static enum trk_verdict win_test(struct tcp_step *st)
{
	const struct tcp_side *snd = st->snd, *rcv = st->rcv;
	uint32_t lag = snd->maxwin > ACK_LAG_MIN ? snd->maxwin : ACK_LAG_MIN;
	uint32_t low_seq = snd->end - rcv->maxwin - 1;
	uint32_t low_ack = rcv->end - lag - 1;

	if (!before(st->s.seq, snd->maxend + 1))
		return win_over(st, low_seq, low_ack);
	if (!before(st->sack, rcv->end + 1))
		return win_refuse(st, TRK_INVALID,
		                  "ACK is over upper bound %u (ACKed data not "
		                  "seen yet)",
		                  rcv->end + 1);
	if (rcv->maxwin && !after(st->s.end, low_seq))
		return win_refuse(st, TRK_IGNORE,
		                  "SEQ is under lower bound %u (already ACKed "
		                  "data retransmitted)",
		                  low_seq);
	if (!after(st->sack, low_ack))
		return win_refuse(st, TRK_IGNORE,
		                  "ignored ACK under lower bound %u (possible "
		                  "overly delayed)",
		                  low_ack);
	return TRK_ACCEPT;
}

/* W6: what the segment tells of its sender ... */
static void win_sender(struct tcp_step *st, uint32_t win)
{
	struct tcp_side *snd = st->snd;
	const struct tcp_seg *s = &st->s;

	if (unlikely(st->conn->status & CONN_TAIL_MASK))
		tcp_mirror_tail(st);
	win += st->sack - s->ack;
	if (snd->maxwin < win)
		snd->maxwin = win;
	if (after(s->end, snd->end)) {
		if (unlikely(s->seq != snd->end) && st->c->mirror)
			tcp_mirror_hole(st);
		snd->end = s->end;
		side_set(st->t, st->dir, SIDE_UNACKED);
	}
	if (likely(s->flags & TH_ACK)) {
		/* as often as not: no branch */
		uint32_t more =
			(uint32_t)(!side_has(st->t, st->dir, SIDE_MAXACK)) |
			(uint32_t)after(s->ack, snd->maxack);

		snd->maxack += (s->ack - snd->maxack) & -(uint32_t) !!more;
		side_set(st->t, st->dir, SIDE_MAXACK);
	}
}

/* ... and of what its receiver may send and has got acknowledged */
static void win_receiver(struct tcp_step *st, uint32_t win)
{
	struct tcp_side *snd = st->snd, *rcv = st->rcv;
	const struct tcp_seg *s = &st->s;

	if (rcv->maxwin && after(s->end, snd->maxend))
		rcv->maxwin += s->end - snd->maxend;
	/* a closed window still lets one byte probe it (RFC 9293 3.8.6.1) */
	if (after(st->sack + win, rcv->maxend - 1))
		rcv->maxend = st->sack + win + !win;
	if (s->ack == rcv->end)
		side_clear(st->t, !st->dir, SIDE_UNACKED);
}

/* W7.  Eight bits, and they wrap as conntrack's do (F120). */
static void win_retrans(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	const struct tcp_seg *s = &st->s;
	uint32_t differs;

	if (s->index != ACK)
		return;
	/* one branch: half of the packets differ in the direction alone */
	differs = (t->last_dir ^ st->dir) | (t->last_seq ^ s->seq) |
	          (t->last_ack ^ s->ack) | (t->last_end ^ s->end) |
	          (uint32_t)(t->last_win ^ s->win);
	if (unlikely(!differs)) {
		t->retrans++;
		return;
	}
	t->last_dir = st->dir;
	t->last_seq = s->seq;
	t->last_ack = s->ack;
	t->last_end = s->end;
	t->last_win = s->win;
	t->retrans = 0;
}

enum trk_verdict tcp_win_judge(struct tcp_step *st)
{
	enum trk_verdict v;
	uint32_t win = st->s.win;

	st->sack = st->s.ack; /* W1 */
	if (side_has(st->t, !st->dir, SIDE_SACK))
		st->sack = opt_sack(&st->s, st->sack);
	if (win_first(st))
		return TRK_ACCEPT;
	win_repair(st);
	v = win_test(st);
	if (unlikely(v != TRK_ACCEPT || st->trusted)) {
		if (!st->c->mirror)
			return v;
		v = tcp_mirror_window(st, v);
		if (v != TRK_ACCEPT || st->trusted)
			return v;
	}
	if (!(st->s.flags & TH_SYN)) /* RFC 7323 2.2 */
		win <<= side_scale(st->t, st->dir);
	win_sender(st, win);
	win_receiver(st, win);
	win_retrans(st);
	return TRK_ACCEPT;
}

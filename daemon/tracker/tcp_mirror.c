/*
 * tcp_mirror.c - TCP on a mirror that loses, doubles and swaps (F138).
 *
 * nf_conntrack stands in the path: what it has not seen, the receiver has not
 * got, and what it refuses never arrives.  A tap has neither certainty.  So
 * where the rules of tcp.c and tcp_window.c refuse a segment, its sender and
 * its receiver are asked instead what must have happened:
 *
 *	gap	an acknowledgement of what was never seen: the receiver has it
 *	pickup	the handshake is over, though a part of it was not seen
 *	state	a FIN that was lost takes one number of the sequence space, and
 *		its acknowledgement shows it; data behind a FIN shows that it
 *		was none
 *	window	the sender is further than what it was allowed, so the leave
 *		was not seen; or a second segment confirms that both ends are
 *		elsewhere
 *
 * All of this lies on paths that strict mode calls invalid or ignored.  A
 * segment that is ahead by less than a gigabyte is believed at once, one that
 * is behind or further ahead only when a second one fits to it: that one is
 * called STRAY, and its numbers are in last_*.
 */
#include "daemon/tracker/tcp.h"

#include "daemon/tracker/common.h"

/* so far ahead is a gap in what we saw, further is another conversation */
#define AHEAD_MAX (1u << 30)
/* so far behind the window is old, further is another conversation */
#define BEHIND_MAX (1u << 20)
/* what is stepped over at once and more than this says nothing of a mirror's
 * loss: one broken number would drown all others */
#define LOST_MAX (64u << 20)
/* a segment fits to the one before it when it begins so near */
#define NEAR (1u << 20)

/* RFC 7323 2.3: the largest scale, for a side whose SYN was not seen: windows
 * are then too wide rather than too narrow */
#define SCALE_UNKNOWN 14u

static void fix(struct tcp_step *st, enum conn_fix kind)
{
	st->c->repairs |= 1u << kind;
	st->conn->status |= 1u << (CONN_FIX_SHIFT + kind);
}

/* ---- news ---- */

/* What was noted of a segment that nothing was learnt from is this one. */
static bool noted_same(const struct tcp_priv *t, const struct tcp_seg *s,
                       uint8_t dir)
{
	return t->last_dir == dir && t->last_seq == s->seq &&
	       t->last_ack == s->ack && t->last_end == s->end;
}

bool tcp_news(const struct pkt *p, const struct conn *conn, uint8_t dir)
{
	const struct tcp_priv *t = (const void *)conn->priv;
	const struct tcp_side *snd = &t->side[dir];
	struct tcp_seg s;

	if (!tcp_seg_read(p, &s))
		return false;
	/* behind an RST numbers are not learnt any more */
	if ((s.flags & TH_RST && conn->state == CL) ||
	    (t->last_index == STRAY && noted_same(t, &s, dir)))
		return false;
	return after(s.end, snd->end) ||
	       (s.flags & TH_ACK &&
	        (!side_has(t, dir, SIDE_MAXACK) || after(s.ack, snd->maxack)));
}

/* ---- first packets that strict mode refuses ---- */

/* The SYN was lost, or comes later.  What its sender offered is known as far
 * as the answer may only repeat it (RFC 7323 2.2, RFC 2018 2). */
static void new_synack(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	uint8_t peer = !st->dir;

	st->snd->end = st->snd->maxend = st->s.end;
	st->snd->maxwin = tcp_win_seen(st->s.win);
	tcp_side_offers(st);
	st->rcv->end = st->s.ack;
	st->rcv->maxend = st->s.ack + st->s.win;
	if (side_has(t, st->dir, SIDE_WSCALE)) {
		side_set(t, peer, SIDE_WSCALE);
		side_set_scale(t, peer, SCALE_UNKNOWN);
	}
	if (side_has(t, st->dir, SIDE_SACK))
		side_set(t, peer, SIDE_SACK);
	st->to = SR;
}

/* the middle of a conversation, by whichever side */
void tcp_mirror_late(struct tcp_step *st)
{
	struct tcp_side *snd = st->snd;
	uint32_t win = (uint32_t)st->s.win << SCALE_UNKNOWN;

	snd->end = st->s.end;
	snd->maxwin = tcp_win_seen(win);
	snd->maxend = st->s.end + snd->maxwin;
	st->rcv->end = st->s.ack;
	st->rcv->maxend = st->s.ack + snd->maxwin;
	side_set(st->t, DIR_ORIGINAL, SIDE_SACK | SIDE_LIBERAL);
	side_set(st->t, DIR_REPLY, SIDE_SACK | SIDE_LIBERAL);
	side_set_scale(st->t, DIR_ORIGINAL, SCALE_UNKNOWN);
	side_set_scale(st->t, DIR_REPLY, SCALE_UNKNOWN);
	fix(st, CONN_FIX_PICKUP);
}

/* True: taken, `to` is its state. */
bool tcp_mirror_new(struct tcp_step *st)
{
	switch (st->s.index) {
	case SYNACK:
		if (st->dir != DIR_REPLY)
			return false;
		new_synack(st);
		fix(st, CONN_FIX_PICKUP);
		break;
	case ACK:
	case FIN:
		tcp_mirror_late(st);
		st->to = st->s.index == FIN ? FW : ES;
		break;
	default:
		return false;
	}
	st->snd->maxack = st->s.ack;
	side_set(st->t, st->dir, SIDE_MAXACK);
	return true;
}

/* ---- cells that strict mode refuses or ignores ---- */

/* Data or its end in SYN_SENT: both sides have agreed, the SYN/ACK was lost.
 * A challenge ACK for an older connection has other numbers (F133). */
static bool cell_pickup(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	struct tcp_side *client = &t->side[DIR_ORIGINAL];
	struct tcp_side *server = &t->side[DIR_REPLY];
	uint32_t at = st->dir == DIR_ORIGINAL ? st->s.seq : st->s.ack;

	if (at - client->end > NEAR)
		return false;
	if (!server->maxwin) {
		server->end = st->dir == DIR_ORIGINAL ? st->s.ack : st->s.end;
		server->maxend = server->end;
		if (side_has(t, DIR_ORIGINAL, SIDE_WSCALE)) {
			side_set(t, DIR_REPLY, SIDE_WSCALE);
			side_set_scale(t, DIR_REPLY, SCALE_UNKNOWN);
		}
		if (side_has(t, DIR_ORIGINAL, SIDE_SACK))
			side_set(t, DIR_REPLY, SIDE_SACK);
	}
	if (st->dir == DIR_ORIGINAL && before(client->maxend, st->s.seq))
		client->maxend = st->s.seq;
	/* where a rule says so, this is all that there will be */
	if (st->conn->status & CONN_ONE_WAY)
		trk_assure(st->c, st->conn);
	t->simultaneous = 0;
	st->from = SR;
	st->to = st->s.index == FIN ? FW : ES;
	fix(st, CONN_FIX_PICKUP);
	return true;
}

/* What was guessed of a side whose SYN comes late, SYN or SYN/ACK, gives way to
 * what it offers. */
static void side_learns(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	uint32_t scale, offers = tcp_seg_offers(&st->s, &scale);

	st->snd->maxwin = tcp_win_seen(st->s.win);
	side_clear(t, st->dir, SIDE_WSCALE | SIDE_SACK);
	side_set(t, st->dir, offers);
	side_set_scale(t, st->dir, scale);
	if (!side_has(t, 0, SIDE_WSCALE) || !side_has(t, 1, SIDE_WSCALE))
		t->scale = 0;
	st->conn->status &= ~CONN_ONE_WAY;
	fix(st, CONN_FIX_STATE);
}

/* Is it the first of its side, and what is known of that side from the other
 * is not far behind it? */
static bool first_late(const struct tcp_step *st)
{
	return !st->snd->maxwin && st->snd->end - st->s.end <= NEAR;
}

/* The SYN behind its SYN/ACK, or more: two sources, and one was faster. */
bool tcp_mirror_late_syn(struct tcp_step *st)
{
	if (st->dir != DIR_ORIGINAL || st->from < SR || !first_late(st))
		return false;
	side_learns(st);
	st->conn->status &= ~CONN_DIR_MASK;
	st->conn->status |= CONN_DIR_SYN << CONN_DIR_SHIFT;
	st->to = st->from;
	st->trusted = st->from != SR;
	return true;
}

/* Has the client reset it, and nothing was seen of the server? */
static bool reset_unseen(const struct tcp_step *st)
{
	return st->from == CL && !st->snd->maxwin &&
	       !(st->conn->status & CONN_SEEN_REPLY) &&
	       st->rcv->end == st->s.ack;
}

/* The SYN/ACK behind the client's next segments, which have answered it. */
static bool cell_late_synack(struct tcp_step *st)
{
	if (st->dir != DIR_REPLY || st->from < ES)
		return false;
	if (reset_unseen(st))
		st->snd->end = st->snd->maxend = st->s.end;
	else if (!first_late(st) || st->rcv->end - st->s.ack > NEAR)
		return false;
	else
		trk_assure(st->c, st->conn);
	side_learns(st);
	st->snd->maxack = st->s.ack;
	side_set(st->t, st->dir, SIDE_MAXACK);
	st->to = st->from;
	st->trusted = true;
	return true;
}

static void note(struct tcp_step *st, uint8_t index)
{
	struct tcp_priv *t = st->t;

	t->last_index = index & 7;
	t->last_dir = st->dir & 1;
	t->last_seq = st->s.seq;
	t->last_ack = st->s.ack;
	t->last_end = st->s.end;
	t->last_win = st->s.win;
}

static bool syn_noted(const struct tcp_step *st, uint8_t dir)
{
	return st->t->last_index == SYN && st->t->last_dir == dir;
}

/* A SYN/ACK that strict mode refuses: the other side has begun anew, or it was
 * always the one who began. */
static bool cell_synack(const struct tcp_step *st)
{
	uint32_t known = st->conn->status & CONN_DIR_MASK;

	if (syn_noted(st, !st->dir))
		return st->dir == DIR_ORIGINAL && st->s.ack == st->t->last_end;
	/* a late one of what has ended answers the SYN that we know */
	if (st->from >= TW && st->from != S2)
		return after(st->s.seq, st->snd->end) &&
		       st->s.ack != st->rcv->end;
	return st->dir == DIR_ORIGINAL && st->from == ES &&
	       known >= (uint32_t)CONN_DIR_PORT << CONN_DIR_SHIFT;
}

/* True: *v is the word about a segment that the grid refuses or ignores. */
bool tcp_mirror_cell(struct tcp_step *st, enum trk_verdict *v)
{
	uint8_t index = st->s.index;

	*v = TRK_ACCEPT;
	if (st->from == SS || st->from == S2)
		return (index == ACK || index == FIN) && cell_pickup(st);
	if (index == SYNACK && cell_late_synack(st))
		return true;
	if (index == SYNACK) {
		*v = TRK_REPEAT;
		return cell_synack(st);
	}
	if (index != SYN)
		return false;
	if (tcp_mirror_late_syn(st))
		return true;
	/* a new start from the other end: its answer will tell */
	*v = TRK_IGNORE;
	if (st->dir == DIR_REPLY)
		note(st, SYN);
	return st->dir == DIR_REPLY;
}

/* SYN_RECV: servers send nothing before the last step of the handshake, which
 * was lost if they do. */
bool tcp_mirror_talks(struct tcp_step *st)
{
	if (!after(st->s.end, st->snd->end) && !after(st->s.ack, st->rcv->end))
		return false;
	fix(st, CONN_FIX_STATE);
	return true;
}

/* ... nor do they end before it: it comes later, or was lost. */
void tcp_mirror_ends(struct tcp_step *st)
{
	if (st->from != SR || st->dir != DIR_REPLY)
		return;
	trk_assure(st->c, st->conn);
	fix(st, CONN_FIX_STATE);
}

/* ---- the end ---- */

/* A second FIN of one side is the first again, not the other side's (B7). */
bool tcp_mirror_fin_again(const struct tcp_step *st)
{
	return st->s.index == FIN && (st->from == FW || st->from == CW) &&
	       side_has(st->t, st->dir, SIDE_CLOSED);
}

static bool tail_unseen(const struct tcp_step *st)
{
	return st->conn->status & 1u << (CONN_TAIL_SHIFT + st->dir);
}

/* This side's last bytes have now been seen. */
void tcp_mirror_tail(struct tcp_step *st)
{
	if (st->s.seq != st->s.end && !before(st->s.end, st->snd->end))
		st->conn->status &= ~(1u << (CONN_TAIL_SHIFT + st->dir));
}

/* The last that this side sent was not seen, and it answers the other's FIN
 * with no FIN of its own: that has been in what was not seen.  If it comes
 * after all, or more data, nothing is lost by it. */
static void tail_was_fin(struct tcp_step *st)
{
	if (!tail_unseen(st) || side_has(st->t, st->dir, SIDE_CLOSED) ||
	    st->s.ack != st->rcv->end || st->s.end != st->snd->end)
		return;
	st->to = TW;
	fix(st, CONN_FIX_STATE);
}

/* What was not seen comes late, and there is no FIN in it. */
static bool tail_comes(struct tcp_step *st)
{
	if (!tail_unseen(st) || st->s.index != ACK ||
	    st->s.end != st->snd->end || st->s.seq == st->s.end ||
	    side_has(st->t, st->dir, SIDE_CLOSED))
		return false;
	fix(st, CONN_FIX_STATE);
	return true;
}

/* This side's FIN was inferred, and it goes on sending: it was data. */
void tcp_mirror_sends_on(struct tcp_step *st)
{
	if (st->to == CW)
		tail_was_fin(st);
	else if (tail_comes(st))
		st->to = CW;
	if (!after(st->s.end, st->snd->end) || st->s.seq - st->snd->end > NEAR)
		return;
	if (st->from == FW || st->from == CW) {
		if (!side_has(st->t, st->dir, SIDE_CLOSED))
			return;
		side_clear(st->t, st->dir, SIDE_CLOSED);
		st->to = ES;
	} else {
		if (side_has(st->t, st->dir, SIDE_CLOSED) || st->s.index != ACK)
			return;
		st->to = CW;
	}
	fix(st, CONN_FIX_STATE);
}

/* A number was acknowledged that no segment had: the other side's FIN. */
static void fin_inferred(struct tcp_step *st)
{
	bool fin = st->s.index == FIN;

	switch (st->from) {
	case SR:
	case ES:
		side_set(st->t, !st->dir, SIDE_CLOSED);
		st->to = fin ? LA : CW;
		break;
	case FW:
	case CW:
		st->to = fin ? LA : TW;
		break;
	default:
		return;
	}
	fix(st, CONN_FIX_STATE);
}

/* This segment begins behind the last of its side.  When it has no data, what
 * was stepped over is the last of that side, and one number alone its FIN. */
void tcp_mirror_hole(struct tcp_step *st)
{
	uint32_t hole = st->s.seq - st->snd->end;

	if (!after(st->s.seq, st->snd->end))
		return;
	if (hole < LOST_MAX)
		st->c->holes = hole;
	if (st->s.index != ACK || st->s.seq != st->s.end)
		return;
	st->conn->status |= 1u << (CONN_TAIL_SHIFT + st->dir);
	if (hole != 1 || side_has(st->t, st->dir, SIDE_CLOSED))
		return;
	if (side_has(st->t, !st->dir, SIDE_CLOSED) && st->from == ES) {
		st->to = LA; /* it acknowledged a FIN that was lost, too */
	} else if (st->from == ES) {
		side_set(st->t, st->dir, SIDE_CLOSED);
		st->to = FW;
	} else if (st->from == FW || st->from == CW) {
		st->to = st->s.ack == st->rcv->end ? TW : LA;
	} else {
		return;
	}
	fix(st, CONN_FIX_STATE);
}

/* The other side has sent more behind the FIN that it was said to have sent. */
static void fin_taken_back(struct tcp_step *st)
{
	side_clear(st->t, !st->dir, SIDE_CLOSED);
	st->to = ES;
	if (st->s.index == FIN) {
		side_set(st->t, st->dir, SIDE_CLOSED);
		st->to = FW;
	}
	fix(st, CONN_FIX_STATE);
}

/* An RST that does not stand at what was last acknowledged, of an established
 * connection: is it where its sender stands? */
bool tcp_mirror_rst(struct tcp_step *st)
{
	uint32_t ahead = st->s.seq - st->snd->end;
	uint32_t room = st->rcv->maxwin;

	if (ahead == 0)
		return true;
	/* data before it was lost: then it is in the window */
	if (ahead > room || ahead > AHEAD_MAX)
		return false;
	fix(st, CONN_FIX_STATE);
	return true;
}

/* ---- windows ---- */

/* Was the last of the bytes that were acknowledged and never seen a FIN?  One
 * number alone is: few send single bytes.  More of them are data, and perhaps
 * a FIN: who has sent one itself is mostly answered by one. */
static bool fin_likely(const struct tcp_step *st, uint32_t lost, bool seen)
{
	return lost == 1 || (seen && (st->from == FW || st->from == CW));
}

/* What was acknowledged was received, seen or not. */
static void window_gap(struct tcp_step *st)
{
	struct tcp_side *rcv = st->rcv;
	uint32_t lost = st->sack - rcv->end;
	bool seen = rcv->maxwin != 0;
	bool closed = side_has(st->t, !st->dir, SIDE_CLOSED);

	rcv->end = st->sack;
	if (before(rcv->maxend, st->sack))
		rcv->maxend = st->sack;
	st->conn->status |= 1u << (CONN_TAIL_SHIFT + !st->dir);
	if (seen) {
		if (lost < LOST_MAX)
			st->c->lost += lost;
		fix(st, CONN_FIX_GAP);
	} else {
		/* it lives, and we see the other half of it alone */
		st->conn->status |= CONN_ONE_WAY;
		trk_assure(st->c, st->conn);
	}
	if (st->s.index != ACK && st->s.index != FIN)
		return;
	if (closed && (st->from == FW || st->from == CW))
		fin_taken_back(st);
	else if (!closed && fin_likely(st, lost, seen))
		fin_inferred(st);
}

static bool near_to(uint32_t a, uint32_t b)
{
	return a - b < NEAR || b - a < NEAR;
}

/* Does it go on from the one that was called a stray before?  The same again
 * may be that one's double, and says no more than it. */
static bool stray_again(const struct tcp_step *st)
{
	const struct tcp_priv *t = st->t;

	if (t->last_index != STRAY || noted_same(t, &st->s, st->dir))
		return false;
	if (t->last_dir == st->dir)
		return st->s.seq - t->last_end < NEAR &&
		       near_to(st->s.ack, t->last_ack);
	return near_to(st->s.seq, t->last_ack) &&
	       near_to(st->s.ack, t->last_end);
}

/* Neither side stands where we thought.  Two segments must agree on it. */
static enum trk_verdict window_stray(struct tcp_step *st, enum trk_verdict v)
{
	struct tcp_side *snd = st->snd, *rcv = st->rcv;
	uint32_t win = (uint32_t)st->s.win << side_scale(st->t, st->dir);

	if (st->s.index != ACK && st->s.index != FIN)
		return v;
	/* goes on from a SYN that was ignored: a new connection, whose answer
	 * was lost */
	if (syn_noted(st, st->dir) && st->s.seq - st->t->last_end < NEAR)
		return TRK_REPEAT;
	if (!stray_again(st)) {
		note(st, STRAY);
		return v;
	}
	/* what ended, ended; these are others */
	if (st->from >= FW && st->from != S2)
		return TRK_REPEAT;
	snd->end = st->s.end;
	snd->maxwin = tcp_win_seen(win);
	snd->maxend = st->s.end + (rcv->maxwin > NEAR ? rcv->maxwin : NEAR);
	rcv->end = st->sack;
	rcv->maxend = st->sack + win;
	side_clear(st->t, st->dir, SIDE_UNACKED);
	side_clear(st->t, !st->dir, SIDE_UNACKED | SIDE_MAXACK);
	side_clear(st->t, st->dir, SIDE_MAXACK);
	fix(st, CONN_FIX_WINDOW);
	return TRK_ACCEPT;
}

/* Another conversation than ours, by its numbers? */
static bool window_far(const struct tcp_step *st)
{
	const struct tcp_side *snd = st->snd, *rcv = st->rcv;
	uint32_t old = BEHIND_MAX + rcv->maxwin;
	uint32_t lag = BEHIND_MAX + snd->maxwin;

	return (st->s.end - snd->end > AHEAD_MAX &&
	        snd->end - st->s.end > old) ||
	       (st->sack - rcv->end > AHEAD_MAX && rcv->end - st->sack > lag);
}

/* What win_test() refuses, ignores, or lets pass by liberality; its word is
 * `v`.  TRK_ACCEPT: repaired, learn from it, unless `trusted` is set. */
enum trk_verdict tcp_mirror_window(struct tcp_step *st, enum trk_verdict v)
{
	struct tcp_side *snd = st->snd, *rcv = st->rcv;
	bool liberal = st->trusted;

	/* a first packet has nothing to be held against */
	if (st->s.flags & TH_SYN || st->from == NO)
		return v;
	if (window_far(st)) {
		if (liberal)
			v = TRK_IGNORE;
		st->trusted = false;
		return window_stray(st, v);
	}
	if (st->s.index == RST && st->s.seq - snd->end > rcv->maxwin &&
	    after(st->s.seq, snd->maxend))
		return v;
	if (after(st->sack, rcv->end))
		window_gap(st);
	if (after(st->s.seq, snd->maxend)) {
		/* who is never seen cannot be seen to open its window */
		snd->maxend = st->s.end + (rcv->maxwin ? 0 : NEAR);
		if (rcv->maxwin)
			fix(st, CONN_FIX_WINDOW);
	}
	/* what is left is old: as strict mode has it */
	if (rcv->maxwin && !after(st->s.end, snd->end - rcv->maxwin - 1))
		return liberal ? TRK_ACCEPT : TRK_IGNORE;
	st->c->why = NULL;
	st->trusted = false;
	return TRK_ACCEPT;
}

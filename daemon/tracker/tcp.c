/*
 * tcp.c - TCP (RFC 9293), seen from the middle.
 *
 * We see what both ends send but never what they decide, so a state says what
 * the packets so far have shown:
 *
 *	SYN_SENT	the originator's SYN
 *	SYN_SENT2	SYNs of both, crossing (simultaneous open)
 *	SYN_RECV	a SYN/ACK
 *	ESTABLISHED	an ACK that completes the handshake, or a connection
 *			picked up in its middle (tcp_loose)
 *	FIN_WAIT	the first FIN
 *	CLOSE_WAIT	and an ACK behind it
 *	LAST_ACK	a second FIN
 *	TIME_WAIT	and an ACK behind that
 *	CLOSE		an RST
 *
 * A segment has one class (F113), and the grid gives the next state from
 * direction, class and state.  The grid cannot see sequence numbers; where
 * they decide, a function below corrects its word: tcp_syn(), tcp_ignored(),
 * tcp_rst().
 *
 * Two rules keep our picture from being led astray.  A segment that we do not
 * understand but whose receiver may is *ignored*: it passes, we only note it,
 * and believe it when the other side answers it (F125, F126).  And a segment
 * must fit in the windows: tcp_window.c.
 *
 * The order of the steps is part of the behaviour: the table, its corrections,
 * the window, then the timeout.  A refused segment leaves the state as it was.
 */
#include "daemon/tracker/tcp.h"

#include <stdio.h>
#include <string.h>

#include "shm/tick.h"
#include "daemon/tracker/common.h"
#include "daemon/tracker/tcp_plain.h"

static const char *const tcp_states[] = {[NO] = "NONE",
#define X(abbr, name, seconds, key, meaning) [abbr] = #name,
                                         TCP_STATES(X)
#undef X
};
_Static_assert(ARRAY_SIZE(tcp_states) == TCP_NSTATES, "a name each");

static const struct trk_timeout tcp_timeouts[] = {
#define X(abbr, name, seconds, key, meaning) {key, abbr, seconds, meaning},
	TCP_STATES(X)
#undef X
		{"tcp_timeout_max_retrans", TMO_RETRANS, 300,
                 "at most, after tcp_max_retrans retransmissions or a closed "
                 "window"},
	{"tcp_timeout_unacknowledged", TMO_UNACK, 300,
         "at most, while sent data is not acknowledged"},
};

static const struct trk_option tcp_options[] = {
	{"tcp_loose", OPT_LOOSE, 1, 0, 1,
         "pick up connections whose start was not seen"},
	{"tcp_be_liberal", OPT_LIBERAL, 0, 0, 1,
         "of segments outside the window only an RST is refused"},
	{"tcp_ignore_invalid_rst", OPT_IGNORE_RST, 0, 0, 1,
         "an RST below the acknowledged data is not refused"},
	{"tcp_max_retrans", OPT_RETRANS, 3, 0, 255,
         "equal segments in a row that make the timeout short"},
};

/* clang-format off */
static const uint8_t tcp_grid[2][TCP_NCLASSES][TCP_NSTATES] = {
	[DIR_ORIGINAL] = {
		/*          NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[SYN] =    {SS, SS, IG, IG, IG, IG, IG, SS, SS, S2},
		[SYNACK] = {IV, IV, SR, IV, IV, IV, IV, IV, IV, SR},
		[FIN] =    {IV, IV, FW, FW, LA, LA, LA, TW, CL, IV},
		[ACK] =    {ES, IV, ES, ES, CW, CW, TW, TW, CL, IV},
		[RST] =    {IV, CL, CL, CL, CL, CL, CL, CL, CL, CL},
		[NONE] =   {IV, IV, IV, IV, IV, IV, IV, IV, IV, IV},
	},
	[DIR_REPLY] = {
		/*          NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[SYN] =    {IV, S2, IV, IV, IV, IV, IV, SS, IV, S2},
		[SYNACK] = {IV, SR, IG, IG, IG, IG, IG, IG, IG, SR},
		[FIN] =    {IV, IV, FW, FW, LA, LA, LA, TW, CL, IV},
		[ACK] =    {IV, IG, SR, ES, CW, CW, TW, TW, CL, IG},
		[RST] =    {IV, CL, CL, CL, CL, CL, CL, CL, CL, CL},
		[NONE] =   {IV, IV, IV, IV, IV, IV, IV, IV, IV, IV},
	},
};
/* clang-format on */

static const struct trk_note tcp_notes[] = {
	{DIR_ORIGINAL, SYN, ES, IG,
         "perhaps the client restarted: only the server's answer tells (B5)"},
	{DIR_ORIGINAL, SYN, TW, SS,
         "the ports are used again; or ignored, see tcp_syn() (F127, B6)"},
	{DIR_REPLY, SYN, TW, SS,
         "used again from the other end, the roles change (F128)"},
	{DIR_REPLY, SYN, CL, IV,
         "after an RST only the originator may open again (F127)"},
	{DIR_ORIGINAL, SYNACK, SR, SR,
         "simultaneous open: the second SYN/ACK, or the first again (F129)"},
	{DIR_ORIGINAL, SYNACK, NO, IV,
         "the middle of a handshake is not enough to pick it up (F116)"},
	{DIR_ORIGINAL, FIN, FW, LA,
         "the same FIN again looks like the other side's (F134)"},
	{DIR_ORIGINAL, ACK, FW, CW,
         "late data of the sender looks like the ack of its FIN (B7)"},
	{DIR_REPLY, ACK, LA, TW,
         "any ACK ends it, but for a challenge ACK, see tcp_ack() (F130)"},
	{DIR_REPLY, ACK, SS, IG,
         "a challenge ACK for an old connection: an RST may follow (F133)"},
	{DIR_ORIGINAL, ACK, SS, IV,
         "no SYN/ACK was seen to acknowledge (F138)"},
	{DIR_REPLY, ACK, SR, SR,
         "the server's data before our ACK, unless both opened (F129)"},
	{DIR_REPLY, SYNACK, SR, IG,
         "a retransmission, but it may answer an ignored SYN (F126)"},
	{DIR_ORIGINAL, RST, TW, CL, "taken without any test (F132)"},
};

/* F114: what any stack sends, PSH, ECE and CWR aside */
static bool flags_valid(uint8_t flags)
{
	static const uint64_t valid =
		1ull << TH_SYN | 1ull << (TH_SYN | TH_URG) |
		1ull << (TH_SYN | TH_ACK) | 1ull << TH_RST |
		1ull << (TH_RST | TH_ACK) | 1ull << (TH_FIN | TH_ACK) |
		1ull << (TH_FIN | TH_ACK | TH_URG) | 1ull << TH_ACK |
		1ull << (TH_ACK | TH_URG);

	return valid >> (flags & (TH_FIN | TH_SYN | TH_RST | TH_ACK | TH_URG)) &
	       1;
}

static enum trk_verdict tcp_check(struct trk_ctx *c)
{
	uint32_t hlen;
	const uint8_t *h = tcp_header(c->pkt, &hlen);

	if (!h)
		return trk_invalid(c, "truncated packet");
	if (checksum_wrong(c, PROTO_TCP, c->pkt->l4len))
		return trk_invalid(c, "bad checksum");
	if (!flags_valid(h[13]))
		return trk_invalid(c, "invalid tcp flag combination");
	return TRK_ACCEPT;
}

/* ---- corrections of the grid ---- */

/* F116, W2, F124.  The candidate is all zero. */
static bool tcp_new(struct tcp_step *st)
{
	uint8_t to = tcp_grid[DIR_ORIGINAL][st->s.index][NO];

	if (to == IV || st->dir != DIR_ORIGINAL ||
	    (to == ES && !trk_option(st->c, OPT_LOOSE)))
		return false;
	st->snd->end = st->snd->maxend = st->s.end;
	st->snd->maxwin = tcp_win_seen(st->s.win);
	if (to == SS) {
		tcp_side_offers(st);
	} else {
		st->snd->maxend += st->snd->maxwin;
		side_set(st->t, DIR_ORIGINAL, SIDE_SACK | SIDE_LIBERAL);
		side_set(st->t, DIR_REPLY, SIDE_SACK | SIDE_LIBERAL);
		if (st->c->mirror)
			tcp_mirror_late(st);
	}
	return true;
}

/* the others, of which a mirror may have lost what came before */
static bool tcp_new_late(struct tcp_step *st)
{
	return st->c->mirror &&
	       (st->s.index == SYNACK || trk_option(st->c, OPT_LOOSE)) &&
	       tcp_mirror_new(st);
}

static const char *const tcp_ignored_why[] = {
#define X(abbr, name, seconds, key, meaning) \
	[abbr] = "packet (index %u) in dir %u ignored, state " #name,
	TCP_STATES(X)
#undef X
};

static const char *const tcp_invalid_why[] = {
	[NO] = "packet (index %u) in dir %u invalid, state NONE",
#define X(abbr, name, seconds, key, meaning) \
	[abbr] = "packet (index %u) in dir %u invalid, state " #name,
	TCP_STATES(X)
#undef X
};

static enum trk_verdict tcp_why(struct tcp_step *st, enum trk_verdict v,
                                const char *why)
{
	st->c->why = why;
	st->c->why_arg[0] = st->s.index;
	st->c->why_arg[1] = st->dir;
	return v;
}

/* F126: the SYN/ACK takes up a SYN that we ignored.  Both ends agree, we were
 * wrong: go back to that SYN, from what we noted of it. */
static void tcp_resync(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	uint8_t peer = t->last_dir;

	st->rcv->end = st->rcv->maxend = t->last_end;
	st->rcv->maxwin = tcp_win_seen(t->last_win);
	t->challenge = 0;
	side_clear(t, peer, SIDE_ALL);
	if (t->last_scaled)
		side_set(t, peer, SIDE_WSCALE);
	if (t->last_sack)
		side_set(t, peer, SIDE_SACK);
	side_set_scale(t, peer, t->last_wscale);
	/* liberality stays with the answering side alone, as conntrack does */
	memset(st->snd, 0, sizeof(*st->snd));
	side_clear(t, st->dir, SIDE_ALL & ~SIDE_LIBERAL);
	side_set_scale(t, st->dir, 0);
	st->from = SS;
	st->to = SR;
}

/* F125: remember the options of a SYN that may be a new start. */
static void tcp_note_syn(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	uint32_t scale, flags = tcp_seg_offers(&st->s, &scale);

	t->last_scaled = !!(flags & SIDE_WSCALE);
	t->last_wscale = scale & 0xf;
	t->last_sack = !!(flags & SIDE_SACK);
	t->simultaneous = 0;
	t->challenge = st->from == LA;
}

static enum trk_verdict tcp_ignored(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;
	const struct tcp_seg *s = &st->s;

	if (s->index == SYNACK && t->last_index == SYN &&
	    st->dir != t->last_dir && s->ack == t->last_end) {
		tcp_resync(st);
		return TRK_ACCEPT;
	}
	t->last_index = s->index;
	t->last_dir = st->dir;
	t->last_seq = s->seq;
	t->last_end = s->end;
	t->last_win = s->win;
	if (s->index == SYN && st->dir == DIR_ORIGINAL)
		tcp_note_syn(st);
	/* a challenge ACK: the RST that it draws will carry this number */
	if (st->from == SS && s->index == ACK && st->dir == DIR_REPLY)
		t->last_ack = s->ack;
	return tcp_why(st, TRK_IGNORE, tcp_ignored_why[st->from]);
}

/* F127: ports are used again when a side has closed, or the one who reset
 * comes back (RFC 1122 4.2.2.13); else it may be an old duplicate. */
static enum trk_verdict tcp_syn(struct tcp_step *st)
{
	const struct tcp_priv *t = st->t;

	if (st->from < TW || (st->c->mirror && tcp_mirror_late_syn(st)))
		return TRK_ACCEPT;
	if (side_has(t, DIR_ORIGINAL, SIDE_CLOSED) ||
	    side_has(t, DIR_REPLY, SIDE_CLOSED) ||
	    (t->last_dir == st->dir && t->last_index == RST))
		return TRK_REPEAT;
	return tcp_ignored(st);
}

/* F130: an ACK that is no ack of the last FIN but a challenge to the SYN that
 * we ignored (RFC 5961 4.2). */
static enum trk_verdict tcp_ack(struct tcp_step *st)
{
	struct tcp_priv *t = st->t;

	if (st->from != LA || st->s.index != ACK || t->last_dir == st->dir ||
	    t->last_index != SYN || !t->challenge)
		return TRK_ACCEPT;
	t->challenge = 0;
	return tcp_why(st, TRK_IGNORE, "challenge-ack ignored");
}

/* The RST answers a segment that we let pass without believing it (F133). */
static bool rst_answers(const struct tcp_step *st)
{
	const struct tcp_priv *t = st->t;
	uint32_t status = st->conn->status;
	/* an RST of the SYN's own sender answers nothing */
	bool ignored_syn = status & CONN_SEEN_REPLY && t->last_index == SYN &&
	                   t->last_dir != st->dir;
	bool early_ack = !(status & CONN_ASSURED) && t->last_index == ACK;

	if ((ignored_syn || early_ack) && st->s.ack == t->last_end)
		return true;
	return st->from == SS && t->last_index == ACK &&
	       t->last_dir == DIR_REPLY && st->s.seq == t->last_ack;
}

static bool tcp_closing(const struct conn *conn)
{
	return conn->state >= FW && conn->state <= CL;
}

/* F131-F133, RFC 5961 3.2: an RST must name exactly the number that its
 * receiver waits for.  One that is merely in the window draws a challenge ACK,
 * and so does not end the connection yet. */
static enum trk_verdict tcp_rst(struct tcp_step *st)
{
	const struct tcp_priv *t = st->t;
	uint32_t seq = st->s.seq, expected = st->rcv->maxack;
	bool settled = st->from == ES && st->conn->status & CONN_ASSURED;

	if (tcp_closing(st->conn)) {
		/* perhaps the ports serve a new connection already, and what
		 * we know is of the old one */
		st->trusted = true;
		return TRK_ACCEPT;
	}
	if (side_has(t, !st->dir, SIDE_MAXACK) && t->last_index != SYN) {
		if (seq == 0 && !settled)
			return TRK_ACCEPT;
		if (before(seq, expected) && !trk_option(st->c, OPT_IGNORE_RST))
			return tcp_why(st, TRK_INVALID, "invalid rst");
		if (!settled || seq == expected)
			return TRK_ACCEPT;
		if (st->c->mirror && tcp_mirror_rst(st))
			return TRK_ACCEPT;
		/* directly behind this side's last data */
		if (t->last_index == ACK && t->last_dir == st->dir &&
		    seq == t->last_end)
			return TRK_ACCEPT;
		st->to = st->from;
	}
	st->trusted = rst_answers(st);
	return TRK_ACCEPT;
}

static enum trk_verdict tcp_correct(struct tcp_step *st)
{
	enum trk_verdict v;

	switch (st->to) {
	case IV:
		if (st->c->mirror && tcp_mirror_cell(st, &v))
			return v;
		return tcp_why(st, TRK_INVALID, tcp_invalid_why[st->from]);
	case IG:
		if (st->c->mirror && tcp_mirror_cell(st, &v))
			return v;
		return tcp_ignored(st);
	case SS:
		return tcp_syn(st);
	case FW:
		if (st->c->mirror)
			tcp_mirror_ends(st);
		return TRK_ACCEPT;
	case CW:
		if (st->c->mirror)
			tcp_mirror_sends_on(st);
		return TRK_ACCEPT;
	case LA:
		if (st->c->mirror && tcp_mirror_fin_again(st))
			st->to = st->from;
		return TRK_ACCEPT;
	case TW:
		if (st->c->mirror)
			tcp_mirror_sends_on(st);
		return st->to == TW ? tcp_ack(st) : TRK_ACCEPT;
	case S2:
		st->t->simultaneous = 1;
		return TRK_ACCEPT;
	case SR:
		/* F129: no SYN/ACK of the other side is needed any more */
		if (st->dir == DIR_REPLY && st->s.index == ACK &&
		    (st->t->simultaneous ||
		     (st->c->mirror && tcp_mirror_talks(st))))
			st->to = ES;
		return TRK_ACCEPT;
	case CL:
		return st->s.index == RST ? tcp_rst(st) : TRK_ACCEPT;
	default:
		return TRK_ACCEPT;
	}
}

/* ---- quality ---- */

/* What the segment says of its connection's quality: data that is sent again or
 * leaves a hole, but no keepalive; windows of zero; resets. */
static uint8_t tcp_quality(const struct tcp_step *st)
{
	const struct tcp_seg *s = &st->s;
	const struct tcp_side *snd = st->snd;
	uint8_t q = 0;

	if (s->flags & TH_RST)
		return TRK_Q_RESET;
	if (s->flags & TH_SYN)
		return snd->maxwin && s->end == snd->end ? TRK_Q_BEHIND : 0;
	if (!s->win)
		q = TRK_Q_NO_ROOM;
	if (s->end == s->seq || !snd->maxwin)
		return q;
	if (after(s->seq, snd->end))
		return q | TRK_Q_AHEAD;
	/* one byte, the last: somebody asks whether the other is there */
	if (before(s->seq, snd->end) &&
	    (s->flags & TH_FIN || s->end - s->seq > 1 || s->end != snd->end))
		q |= TRK_Q_BEHIND;
	return q;
}

/* ---- what follows ---- */

/* F118: a FIN or RST out of the window, then one of the other side: the
 * connection is over and it is us who are out of step. */
static void tcp_stray_end(struct tcp_step *st)
{
	struct trk_ctx *c = st->c;
	struct tcp_priv *t = st->t;
	uint32_t low = trk_timeout(c, TMO_UNACK);
	int64_t left;

	if (!(st->conn->status & CONN_ASSURED) ||
	    st->conn->status & CONN_FIXED_TIMEOUT)
		return;
	if (st->s.index != RST && st->s.index != FIN)
		return;
	if (t->last_dir == st->dir ||
	    (t->last_index != FIN && t->last_index != RST)) {
		t->last_index = st->s.index;
		t->last_dir = st->dir;
		return;
	}
	left = tick_left(st->conn->deadline, c->now);
	if (left < 120 * (int64_t)TICK_PER_S ||
	    left <= (int64_t)low * TICK_PER_S)
		return;
	c->lower_timeout = true;
	c->timeout = low;
	c->why = "lowered timeout to UNACK";
}

/* F119: the last of these that applies.  Whether there is unacknowledged data
 * changes with every other packet, so that one is not a branch. */
static uint32_t tcp_timeout(const struct tcp_step *st)
{
	const struct tcp_priv *t = st->t;
	uint32_t normal = trk_timeout(st->c, st->to), to = normal;
	uint32_t retrans = trk_timeout(st->c, TMO_RETRANS);
	uint32_t unack = trk_timeout(st->c, TMO_UNACK);
	uint32_t both = SIDE_UNACKED << SIDE_BITS | SIDE_UNACKED;
	bool waits = !!(t->flags & both) & (normal > unack);

	if (t->last_win == 0 && normal > retrans)
		to = retrans;
	to ^= (to ^ unack) & -(uint32_t)waits;
	if (st->s.index == RST)
		to = trk_timeout(st->c, CL);
	if (t->retrans >= trk_option(st->c, OPT_RETRANS) && normal > retrans)
		to = retrans;
	return to;
}

/* The segment is believed: enter the state. */
static enum trk_verdict tcp_enter(struct tcp_step *st)
{
	struct trk_ctx *c = st->c;
	uint32_t unack = trk_timeout(c, TMO_UNACK);

	st->t->last_index = st->s.index & 7;
	st->t->last_dir = st->dir & 1;
	st->conn->state = st->to;
	if (st->to != st->from) {
		c->events |= EVB_PROTOINFO;
		if (st->from == SR && st->to == ES && st->dir == DIR_ORIGINAL)
			c->quality |= TRK_Q_ANSWER;
		if (st->to == FW)
			side_set(st->t, st->dir, SIDE_CLOSED);
	}
	c->timeout = tcp_timeout(st);
	if (unlikely(st->conn->status & CONN_ONE_WAY)) {
		/* nobody will be seen to acknowledge */
		c->timeout = trk_timeout(c, st->to);
		if (st->conn->status & CONN_ASSURED)
			unack = UINT32_MAX;
	}
	if (st->conn->status & CONN_SEEN_REPLY) {
		if (st->to == ES && (st->from == SR || st->from == ES))
			trk_assure(c, st->conn); /* F112 */
		return TRK_ACCEPT;
	}
	if (st->s.flags & TH_RST) /* F121 */
		return tcp_mirror_refused(st) ? TRK_ACCEPT : TRK_KILL;
	/* F122: else ports that are tried over and over keep a dead entry */
	if (st->s.index == SYN && st->from == SS)
		return TRK_IGNORE;
	if (st->to == ES && c->timeout > unack)
		c->timeout = unack; /* F123 */
	return TRK_ACCEPT;
}

/* any segment; tcp_packet() for short ways */
enum trk_verdict tcp_judge(struct trk_ctx *c, struct conn *conn)
{
	struct tcp_priv *t = tcp_of(conn);
	struct tcp_step st = {
		.c = c,
		.conn = conn,
		.t = t,
		.snd = &t->side[c->dir],
		.rcv = &t->side[!c->dir],
		.dir = c->dir,
		.from = conn->state,
	};
	enum trk_verdict v = TRK_ACCEPT;

	if (!tcp_seg_read(c->pkt, &st.s) || st.from >= TCP_NSTATES)
		return TRK_INVALID;
	if (unlikely(c->first) && !tcp_new(&st)) {
		if (!tcp_new_late(&st))
			return TRK_INVALID;
		st.trusted = true;
	} else {
		c->quality = tcp_quality(&st);
		st.to = tcp_grid[st.dir][st.s.index][st.from];
		v = tcp_correct(&st);
		if (v != TRK_ACCEPT)
			return v;
	}
	if (!st.trusted)
		v = tcp_win_judge(&st);
	if (v == TRK_INVALID)
		tcp_stray_end(&st);
	return v == TRK_ACCEPT ? tcp_enter(&st) : v;
}

/* out of line: it is not to cost plain segments a register */
static __attribute__((noinline)) enum trk_verdict tcp_other(struct trk_ctx *c,
                                                            struct conn *conn)
{
	if (c->first && likely(tcp_plain_syn(c, conn)))
		return TRK_ACCEPT;
	return tcp_judge(c, conn);
}

static enum trk_verdict tcp_packet(struct trk_ctx *c, struct conn *conn)
{
	return likely(tcp_plain(c, conn)) ? TRK_ACCEPT : tcp_other(c, conn);
}

/* ---- the descriptor ---- */

static uint8_t tcp_cell(uint8_t dir, uint8_t event, uint8_t from)
{
	return tcp_grid[dir][event][from];
}

static int tcp_describe(const struct conn *conn, char *buf, size_t len)
{
	const struct tcp_priv *t = (const void *)conn->priv;
	int n = snprintf(buf, len,
	                 "wscale_orig=%u wscale_reply=%u flags_orig=0x%02x "
	                 "flags_reply=0x%02x retrans=%u",
	                 side_scale(t, DIR_ORIGINAL), side_scale(t, DIR_REPLY),
	                 t->flags & SIDE_ALL, t->flags >> SIDE_BITS,
	                 t->retrans);

	return trk_printed(n, len);
}

const struct tracker tracker_tcp = {
	.name = "tcp",
	.l4proto = PROTO_TCP,
	.nstates = TCP_NSTATES,
	.ntimeouts = ARRAY_SIZE(tcp_timeouts),
	.noptions = ARRAY_SIZE(tcp_options),
	.nnotes = ARRAY_SIZE(tcp_notes),
	.states = tcp_states,
	.timeouts = tcp_timeouts,
	.options = tcp_options,
	.notes = tcp_notes,
	.cell = tcp_cell,
	.check = tcp_check,
	.packet = tcp_packet,
	.closing = tcp_closing,
	.origin = tcp_origin,
	.news = tcp_news,
	.early = tcp_early,
	.answered = tcp_answered,
	.describe = tcp_describe,
	.inside = tcp_inside,
	.header = tcp_heading,
};

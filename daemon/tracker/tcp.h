/*
 * tcp.h - what tcp.c (states), tcp_window.c (sequence numbers), tcp_mirror.c
 * (repairs) and tcp_trace.c share; no other file needs it.
 */
#ifndef TRACKER_TCP_H
#define TRACKER_TCP_H

#include "daemon/tracker/tracker.h"

#define PROTO_TCP 6u

/* X(short name, NAME, seconds, key, meaning); the order is the API's (F111).
 * The slot of a state's timeout is the state's number. */
#define TCP_STATES(X)                                                          \
	X(SS, SYN_SENT, 120, "tcp_timeout_syn_sent", "a SYN alone")            \
	X(SR, SYN_RECV, 60, "tcp_timeout_syn_recv", "a SYN/ACK, no ACK yet")   \
	X(ES, ESTABLISHED, 432000, "tcp_timeout_established", "data can flow") \
	X(FW, FIN_WAIT, 120, "tcp_timeout_fin_wait", "the first FIN")          \
	X(CW, CLOSE_WAIT, 60, "tcp_timeout_close_wait", "the FIN is acked")    \
	X(LA, LAST_ACK, 30, "tcp_timeout_last_ack", "the second FIN")          \
	X(TW, TIME_WAIT, 120, "tcp_timeout_time_wait", "both FINs are acked")  \
	X(CL, CLOSE, 10, "tcp_timeout_close", "an RST")                        \
	X(S2, SYN_SENT2, 120, NULL, "SYNs of both sides")

enum {
	NO,
#define X(abbr, name, seconds, key, meaning) abbr,
	TCP_STATES(X)
#undef X
		TCP_NSTATES,
	/* what a cell can say besides a state */
	IG = 0xfe,
	IV = 0xff
};

/* slots of the timeouts that belong to no state */
enum { TMO_RETRANS = TCP_NSTATES, TMO_UNACK };

enum { OPT_LOOSE, OPT_LIBERAL, OPT_IGNORE_RST, OPT_RETRANS };

/* classes of segments, in order of the numbers that log lines print */
enum { SYN, SYNACK, FIN, ACK, RST, NONE, TCP_NCLASSES };

/* in last_index: a segment that belongs to no conversation we know */
#define STRAY 7u

/* flags of one side, numbered as in the API (F137) */
enum {
	SIDE_WSCALE = 0x01,
	SIDE_SACK = 0x02,
	SIDE_CLOSED = 0x04, /* sent the FIN that began FIN_WAIT (F135) */
	SIDE_LIBERAL = 0x08,
	SIDE_UNACKED = 0x10, /* has sent what was not acknowledged */
	SIDE_MAXACK = 0x20,  /* maxack is set */
	SIDE_ALL = 0x3f
};
#define SIDE_BITS 6

struct tcp_side {
	uint32_t end;    /* behind the highest byte sent */
	uint32_t maxend; /* right edge of the window that the peer offered */
	uint32_t maxwin; /* largest window offered, 0 = nothing sent yet */
	uint32_t maxack; /* highest acknowledgement sent */
};

/* "last" is the last segment that was accepted, or ignored by tcp_ignored();
 * its numbers are those of the last of class ACK, or of the last ignored. */
struct tcp_priv {
	struct tcp_side side[2];
	uint32_t last_seq;
	uint32_t last_ack;
	uint32_t last_end;
	union {
		struct {
			uint32_t flags : 2 * SIDE_BITS;
			uint32_t scale : 8; /* four bits a side */
			uint32_t simultaneous : 1;
			/* options of the ignored SYN, and whether it may draw a
			 * challenge ACK (RFC 5961 4.2) */
			uint32_t challenge : 1;
			uint32_t last_sack : 1;
			uint32_t last_scaled : 1;
			uint32_t last_wscale : 4;
			uint32_t last_index : 3;
			uint32_t last_dir : 1;
		};
		uint32_t bits; /* all of them */
	};
	uint16_t last_win; /* as on the wire */
	uint8_t retrans;
};
TRACKER_PRIV(struct tcp_priv, retrans);

/* bits of the flags byte */
enum {
	TH_FIN = 1,
	TH_SYN = 2,
	TH_RST = 4,
	TH_PSH = 8,
	TH_ACK = 16,
	TH_URG = 32
};
#define TCP_HLEN 20u

struct tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint32_t end; /* seq + what the segment takes of the sequence space */
	uint16_t win;
	uint8_t flags;
	uint8_t index;
	uint32_t optlen; /* 0 also when the options were not captured */
	const uint8_t *opt;
};

/* one segment on its way through the tracker */
struct tcp_step {
	struct trk_ctx *c;
	struct conn *conn;
	struct tcp_priv *t;
	struct tcp_side *snd, *rcv;
	struct tcp_seg s;
	uint32_t sack; /* s.ack, or the right edge of a SACK block behind it */
	uint8_t dir;
	uint8_t from, to;
	bool trusted; /* no window test */
};

/* sequence numbers are compared as RFC 9293 3.4 says: modulo 2^32 */
static inline bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool after(uint32_t a, uint32_t b)
{
	return before(b, a);
}

static inline bool side_has(const struct tcp_priv *t, uint8_t dir,
                            uint32_t flag)
{
	return t->flags >> dir * SIDE_BITS & flag;
}

static inline void side_set(struct tcp_priv *t, uint8_t dir, uint32_t flag)
{
	t->flags |= flag << dir * SIDE_BITS;
}

static inline void side_clear(struct tcp_priv *t, uint8_t dir, uint32_t flag)
{
	t->flags &= ~(flag << dir * SIDE_BITS);
}

static inline uint32_t side_scale(const struct tcp_priv *t, uint8_t dir)
{
	return t->scale >> dir * 4 & 0xf;
}

static inline void side_set_scale(struct tcp_priv *t, uint8_t dir,
                                  uint32_t scale)
{
	t->scale = (t->scale & ~(0xfu << dir * 4)) | scale << dir * 4;
}

static inline struct tcp_priv *tcp_of(struct conn *conn)
{
	return (struct tcp_priv *)(void *)conn->priv;
}

/* The header, and its length in bytes; NULL: there is no whole one, or its
 * length is a lie (F115). */
static inline const uint8_t *tcp_header(const struct pkt *p, uint32_t *hlen)
{
	const uint8_t *h = pkt_l4(p, 0, TCP_HLEN);

	if (unlikely(!h))
		return NULL;
	*hlen = (uint32_t)(h[12] >> 4) * 4;
	return likely(*hlen >= TCP_HLEN && *hlen <= p->l4len) ? h : NULL;
}

/* F113 */
static inline uint8_t tcp_class(uint8_t flags)
{
#define C(f)                                      \
	((f)&TH_RST   ? RST                       \
	 : (f)&TH_SYN ? (f)&TH_ACK ? SYNACK : SYN \
	 : (f)&TH_FIN ? FIN                       \
	 : (f)&TH_ACK ? ACK                       \
	              : NONE)
#define C4(f) C(f), C(f + 1), C(f + 2), C(f + 3)
	static const uint8_t class_of[32] = {C4(0),  C4(4),  C4(8),  C4(12),
	                                     C4(16), C4(20), C4(24), C4(28)};
#undef C4
#undef C

	return class_of[flags & 31];
}

/* What is in the header, with lengths as on the wire: what a snaplen cut off
 * was sent all the same.  False: no header. */
static inline bool tcp_seg_read(const struct pkt *p, struct tcp_seg *s)
{
	uint32_t hlen;
	const uint8_t *h = tcp_header(p, &hlen);

	if (unlikely(!h))
		return false;
	s->seq = get32(h + 4);
	s->ack = get32(h + 8);
	s->flags = h[13];
	s->win = get16(h + 14);
	s->index = tcp_class(s->flags);
	s->end = s->seq + (p->l4len - hlen) + (s->flags / TH_SYN & 1) +
	         (s->flags & TH_FIN);
	s->opt = NULL;
	s->optlen = 0;
	if (hlen > TCP_HLEN) {
		s->opt = pkt_l4(p, TCP_HLEN, hlen - TCP_HLEN);
		s->optlen = s->opt ? hlen - TCP_HLEN : 0;
	}
	return true;
}

/* What a SYN offers (F136): SIDE_WSCALE, SIDE_SACK, and the scale. */
uint32_t tcp_seg_offers(const struct tcp_seg *s, uint32_t *scale);

/* The sender's side takes what its SYN offers. */
void tcp_side_offers(struct tcp_step *st);

/* A window as one that was seen: 0 stands for "nothing sent yet". */
static inline uint32_t tcp_win_seen(uint32_t win)
{
	return win ? win : 1;
}

/* tracker_tcp.packet without the short way for plain segments */
enum trk_verdict tcp_judge(struct trk_ctx *c, struct conn *conn);
/* The same for a connection's first SYN, on a candidate.  False: that was none,
 * and nothing is written. */
bool tcp_plain_syn(struct trk_ctx *c, struct conn *conn);

/* W1-W7: TRK_ACCEPT, TRK_IGNORE or TRK_INVALID. */
enum trk_verdict tcp_win_judge(struct tcp_step *st);

/* For traces: apart from tcp.c, where a second caller would keep what reads a
 * segment from being inlined. */
int tcp_inside(const struct conn *conn, char *buf, size_t len);
int tcp_heading(const struct pkt *p, char *buf, size_t len);
/* ---- mirror mode; see tcp_mirror.c ---- */

uint8_t tcp_origin(const struct pkt *p, bool *answer);
bool tcp_news(const struct pkt *p, const struct conn *conn, uint8_t dir);
uint32_t tcp_early(const struct pkt *p);
bool tcp_answered(struct trk_ctx *c, struct conn *conn, uint32_t number);
bool tcp_mirror_refused(const struct tcp_step *st);
bool tcp_mirror_new(struct tcp_step *st);
void tcp_mirror_late(struct tcp_step *st);
bool tcp_mirror_cell(struct tcp_step *st, enum trk_verdict *v);
bool tcp_mirror_talks(struct tcp_step *st);
bool tcp_mirror_late_syn(struct tcp_step *st);
void tcp_mirror_ends(struct tcp_step *st);
bool tcp_mirror_fin_again(const struct tcp_step *st);
void tcp_mirror_sends_on(struct tcp_step *st);
void tcp_mirror_hole(struct tcp_step *st);
void tcp_mirror_tail(struct tcp_step *st);
bool tcp_mirror_rst(struct tcp_step *st);
enum trk_verdict tcp_mirror_window(struct tcp_step *st, enum trk_verdict v);

#endif

/*
 * pptp.c - the control connection of PPTP (RFC 2637, F219, F220).
 *
 * The client opens a control session, then one of both asks for a call.  Each
 * side gives the call a number, which the other writes into the key of the
 * GRE packets that it sends:
 *
 *	client                          server
 *	Outgoing-Call-Request  P   ->
 *	                           <-   Outgoing-Call-Reply     S, P, connected
 *	or
 *	                           <-   Incoming-Call-Request   S
 *	Incoming-Call-Reply  P, S, accepted ->
 *	                           <-   Incoming-Call-Connected P
 *
 * A GRE packet carries but the key of its receiver, so the tracker of GRE has
 * to be told what the sender's is: key_add().  Then both directions are
 * expected, with exact keys; whichever comes first makes the connection, and
 * the other expectation ends with it.
 *
 * Whoever opened the TCP connection is the client, as in the kernel; RFC 2637
 * lets the server dial out as well, but nobody does.  One call at a time.
 *
 * Strict mode takes one message at the beginning of a segment.  Mirror mode
 * takes all of the stream, and does not ask that it has seen the session
 * begin: a reply has both numbers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/frame.h"

#define PPTP_CONTROL 1u
#define PPTP_MANAGE  2u
#define PPTP_COOKIE  0x1a2b3c4du
#define PPTP_HEAD    8u
#define PPTP_MIN     12u /* of a control message */
#define PPTP_GOOD    1u  /* in every result code */

/* offsets in a message, RFC 2637, 2.1 to 2.13 */
#define PPTP_TYPE    8u
#define PPTP_CALL    12u /* the sender's number */
#define PPTP_PEER    14u /* and the receiver's */
#define PPTP_RESULT  16u
#define PPTP_STARTED 14u /* result of Start-Control-Connection-Reply */
#define PPTP_STOPPED 12u
#define PPTP_CONN    12u /* the receiver's in Incoming-Call-Connected */

/* number, size, and who sends it: those that change something here */
#define PPTP_MESSAGES(M)                   \
	M(1, 156, START_REQUEST, ORIGINAL) \
	M(2, 156, START_REPLY, REPLY)      \
	M(3, 16, STOP_REQUEST, ORIGINAL)   \
	M(4, 16, STOP_REPLY, REPLY)        \
	M(7, 168, OUT_REQUEST, ORIGINAL)   \
	M(8, 32, OUT_REPLY, REPLY)         \
	M(9, 220, IN_REQUEST, REPLY)       \
	M(10, 24, IN_REPLY, ORIGINAL)      \
	M(11, 28, IN_CONNECTED, REPLY)     \
	M(12, 16, CLEAR_REQUEST, ORIGINAL) \
	M(13, 148, DISCONNECT_NOTIFY, REPLY)

enum pptp_message {
#define M(n, size, name, dir) PPTP_##name = n,
	PPTP_MESSAGES(M)
#undef M
};

static const struct {
	uint16_t size;
	uint8_t dir;
} pptp_messages[] = {
#define M(n, size, name, dir) [n] = {size, DIR_##dir},
	PPTP_MESSAGES(M)
#undef M
};

/* of the session; the order is what the comparisons mean */
enum pptp_session {
	PPTP_S_NONE,
	PPTP_S_ERROR,
	PPTP_S_STOPPING,
	PPTP_S_REQUESTED,
	PPTP_S_UP
};

enum pptp_call {
	PPTP_C_NONE,
	PPTP_C_OUT_ASKED,
	PPTP_C_OUT,
	PPTP_C_IN_ASKED,
	PPTP_C_IN_ACCEPTED,
	PPTP_C_IN,
	PPTP_C_CLEARING
};

struct pptp_priv {
	struct frame frame[2]; /* mirror */
	uint8_t session;       /* enum pptp_session */
	uint8_t call;          /* enum pptp_call */
	uint16_t number[2];    /* of the call: the client's, the server's */
};
HELPER_PRIV(struct pptp_priv);

/* -- both directions of GRE ------------------------------------------------ */

/* What the packets of direction `dir` look like: they carry the number that
 * their receiver gave. */
static struct expect_spec pptp_tuple(const struct help_ctx *h,
                                     const struct pptp_priv *p, uint8_t dir)
{
	struct expect_spec s;

	memset(&s, 0, sizeof(s));
	s.l4proto = IPPROTO_GRE;
	s.reply_keys = true;
	s.src = h->addr[dir];
	memset(&s.src_mask, 0xff, 4);
	s.dst = h->addr[!dir];
	s.sport = p->number[dir];
	s.dport = p->number[!dir];
	return s;
}

/* Whether it is expected now; the same once more is (F189). */
static bool pptp_ask(struct help_ctx *h, const struct expect_spec *s)
{
	int rc = h->expect(h, s);

	if (rc == -ENOSPC)
		h->count(h, HELP_LIMIT);
	return !rc || rc == -EEXIST;
}

static void pptp_unexpect(struct help_ctx *h, const struct expect_spec *s)
{
	const struct expect_match m = {
		.class = s->class,
		.dst = &s->dst,
		.dport = s->dport,
		.l4proto = s->l4proto,
		.keyed = true,
		.sport = s->sport,
	};

	h->unexpect(h, &m);
}

static bool pptp_key(struct help_ctx *h, const struct pptp_priv *p, uint8_t dir)
{
	int rc = h->key_add(h, dir, p->number[!dir], p->number[dir]);

	if (rc == -ENOSPC)
		h->count(h, HELP_LIMIT);
	return !rc;
}

static bool pptp_learn(struct help_ctx *h, const struct pptp_priv *p)
{
	if (!pptp_key(h, p, DIR_ORIGINAL))
		return false;
	if (!pptp_key(h, p, DIR_REPLY)) {
		h->key_flush(h);
		return false;
	}
	return true;
}

static void pptp_expect(struct help_ctx *h, const struct pptp_priv *p)
{
	struct expect_spec out = pptp_tuple(h, p, DIR_ORIGINAL);
	struct expect_spec in = pptp_tuple(h, p, DIR_REPLY);

	if (!pptp_ask(h, &out))
		return;
	if (pptp_ask(h, &in)) {
		if (pptp_learn(h, p))
			return;
		pptp_unexpect(h, &in);
	}
	pptp_unexpect(h, &out);
}

/* Ends what was made of the call.  Where there is a connection the kernel
 * leaves what is expected in its original direction, which is so when the
 * call's answer came once more. */
static void pptp_forget(struct help_ctx *h, const struct pptp_priv *p)
{
	const struct expect_spec out = pptp_tuple(h, p, DIR_ORIGINAL);
	const struct expect_spec in = pptp_tuple(h, p, DIR_REPLY);

	h->key_flush(h);
	if (!h->kill(h, &out))
		pptp_unexpect(h, &out);
	pptp_unexpect(h, &in);
}

/* -- messages -------------------------------------------------------------- */

/* In mirror mode the session may have begun before we looked. */
static bool pptp_up(const struct help_ctx *h, const struct pptp_priv *p)
{
	return p->session == PPTP_S_UP || h->mirror;
}

static void pptp_started(struct pptp_priv *p, const uint8_t *msg)
{
	if (p->session >= PPTP_S_REQUESTED)
		p->session = msg[PPTP_STARTED] == PPTP_GOOD ? PPTP_S_UP
		                                            : PPTP_S_ERROR;
}

static void pptp_stopped(struct pptp_priv *p, const uint8_t *msg)
{
	if (p->session <= PPTP_S_STOPPING)
		p->session = msg[PPTP_STOPPED] == PPTP_GOOD ? PPTP_S_NONE
		                                            : PPTP_S_ERROR;
}

static void pptp_out_reply(struct help_ctx *h, struct pptp_priv *p,
                           const uint8_t *msg)
{
	bool asked = p->call == PPTP_C_OUT_ASKED || p->call == PPTP_C_OUT;
	uint16_t client = get16(msg + PPTP_PEER);

	if (!asked && h->mirror)
		p->number[0] = client;
	else if (!asked)
		return;
	if (!pptp_up(h, p) || p->number[0] != client)
		return;
	if (msg[PPTP_RESULT] != PPTP_GOOD) {
		p->call = PPTP_C_NONE;
		return;
	}
	p->call = PPTP_C_OUT;
	p->number[1] = get16(msg + PPTP_CALL);
	pptp_expect(h, p);
}

static void pptp_in_reply(struct help_ctx *h, struct pptp_priv *p,
                          const uint8_t *msg)
{
	bool asked =
		p->call == PPTP_C_IN_ASKED || p->call == PPTP_C_IN_ACCEPTED;
	uint16_t server = get16(msg + PPTP_PEER);

	if (!asked && h->mirror)
		p->number[1] = server;
	else if (!asked)
		return;
	if (p->number[1] != server)
		return;
	if (msg[PPTP_RESULT] != PPTP_GOOD) {
		p->call = PPTP_C_NONE;
		return;
	}
	p->call = PPTP_C_IN_ACCEPTED;
	p->number[0] = get16(msg + PPTP_CALL);
}

static void pptp_in_connected(struct help_ctx *h, struct pptp_priv *p,
                              const uint8_t *msg)
{
	if (!pptp_up(h, p) || p->number[0] != get16(msg + PPTP_CONN) ||
	    (p->call != PPTP_C_IN_ACCEPTED && p->call != PPTP_C_IN))
		return;
	p->call = PPTP_C_IN;
	pptp_expect(h, p);
}

/* One message, which has its size and comes from the right side. */
static void pptp_message(struct help_ctx *h, struct pptp_priv *p,
                         const uint8_t *msg)
{
	switch ((enum pptp_message)get16(msg + PPTP_TYPE)) {
	case PPTP_START_REQUEST:
		if (p->session == PPTP_S_NONE)
			p->session = PPTP_S_REQUESTED;
		break;
	case PPTP_START_REPLY:
		pptp_started(p, msg);
		break;
	case PPTP_STOP_REQUEST:
		p->session = PPTP_S_STOPPING;
		break;
	case PPTP_STOP_REPLY:
		pptp_stopped(p, msg);
		break;
	case PPTP_OUT_REQUEST:
		if (!pptp_up(h, p))
			break;
		p->call = PPTP_C_OUT_ASKED;
		p->number[0] = get16(msg + PPTP_CALL);
		break;
	case PPTP_OUT_REPLY:
		pptp_out_reply(h, p, msg);
		break;
	case PPTP_IN_REQUEST:
		if (!pptp_up(h, p))
			break;
		p->call = PPTP_C_IN_ASKED;
		p->number[1] = get16(msg + PPTP_CALL);
		break;
	case PPTP_IN_REPLY:
		pptp_in_reply(h, p, msg);
		break;
	case PPTP_IN_CONNECTED:
		pptp_in_connected(h, p, msg);
		break;
	case PPTP_CLEAR_REQUEST:
		if (pptp_up(h, p))
			p->call = PPTP_C_CLEARING;
		break;
	case PPTP_DISCONNECT_NOTIFY:
		p->call = PPTP_C_NONE;
		pptp_forget(h, p);
		break;
	}
}

static bool pptp_one(struct help_ctx *h, const uint8_t *msg, uint32_t len)
{
	uint16_t type;

	if (len < PPTP_MIN || get16(msg + 2) != PPTP_CONTROL)
		return false;
	type = get16(msg + PPTP_TYPE);
	if (type >= ARRAY_SIZE(pptp_messages) || !pptp_messages[type].size ||
	    pptp_messages[type].dir != h->dir)
		return true;
	if (len < pptp_messages[type].size) {
		h->count(h, HELP_MALFORMED);
		return false;
	}
	pptp_message(h, h->priv, msg);
	return true;
}

/* -- strict: one message a segment ----------------------------------------- */

static void pptp_segment(struct help_ctx *h)
{
	uint32_t cap = help_cap(h);
	const uint8_t *msg = help_data(h, 0, cap);

	if (!msg || cap < PPTP_MIN || get32(msg + 4) != PPTP_COOKIE)
		return;
	h->count(h, HELP_LINES);
	pptp_one(h, msg, cap);
}

/* -- mirror: the stream ---------------------------------------------------- */

static uint32_t pptp_measure(const uint8_t *head)
{
	uint16_t len = get16(head), type = get16(head + 2);

	if (get32(head + 4) != PPTP_COOKIE || len < PPTP_MIN ||
	    (type != PPTP_CONTROL && type != PPTP_MANAGE))
		return 0;
	return len;
}

static const struct frame_rule pptp_rule = {PPTP_HEAD, 0, pptp_measure};

static void pptp_help(struct help_ctx *h)
{
	struct pptp_priv *p = h->priv;

	if (h->info != CTINFO_ESTABLISHED &&
	    h->info != CTINFO_ESTABLISHED_REPLY)
		return;
	if (h->mirror)
		frame_feed(h, &p->frame[h->dir], &pptp_rule, pptp_one);
	else
		pptp_segment(h);
}

static void pptp_end(struct help_ctx *h)
{
	pptp_forget(h, h->priv);
}

static const struct helper_port pptp_ports[] = {
	{.l4proto = IPPROTO_TCP, .port = 1723, .v4 = true},
};

static const struct helper_class pptp_classes[] = {
	{.max = 2, .seconds = 300},
};

const struct helper helper_pptp = {
	.name = "pptp",
	.key = "pptp",
	.nports = ARRAY_SIZE(pptp_ports),
	.nclasses = ARRAY_SIZE(pptp_classes),
	.ports = pptp_ports,
	.classes = pptp_classes,
	.help = pptp_help,
	.end = pptp_end,
};

/*
 * dccp.c - DCCP, RFC 4340 (F171-F177).
 *
 * The grid goes by role, not by direction: the client is who sent the last
 * Request that counted.  Usually that is the original direction; a Request by
 * the server in TIMEWAIT opens a new connection with the roles exchanged, and
 * a Response to a Request that was ignored shows that the peers know better
 * than we do, so we follow them (F174).
 *
 * REQUEST -> RESPOND -> PARTOPEN -> OPEN -> (CLOSEREQ ->) CLOSING -> TIMEWAIT.
 * The client's Ack of the Response, proven by its number, is the step that
 * only a real pair of peers can make: it assures the connection (F175).
 *
 * The grid keeps two cells as the kernel has them although their neighbours
 * say otherwise: see the notes.
 */
#include <stdio.h>

#include "daemon/tracker/common.h"

#define PROTO_DCCP  33u
#define DCCP_HEADER 12u /* with short sequence numbers */
#define DCCP_LONG   16u /* with 48 bit ones */

/* X(NAME, key, seconds, meaning); seconds by RFC 4340: MSL is 2 minutes, a
 * Request is given up after 4 (section 8.1.1), PARTOPEN after 8 (8.1.5), and
 * 64 s is the longest backoff between two Close or CloseReq (8.3) */
#define DCCP_STATES(X)                                                        \
	X(NONE, NULL, 0, "no connection")                                     \
	X(REQUEST, "dccp_timeout_request", 240, "Request seen")               \
	X(RESPOND, "dccp_timeout_respond", 480, "Response seen")              \
	X(PARTOPEN, "dccp_timeout_partopen", 480, "the client's Ack seen")    \
	X(OPEN, "dccp_timeout_open", 43200, "the server's data or Ack seen")  \
	X(CLOSEREQ, "dccp_timeout_closereq", 64, "the server wants to close") \
	X(CLOSING, "dccp_timeout_closing", 64, "Close seen")                  \
	X(TIMEWAIT, "dccp_timeout_timewait", 240, "Reset seen: it is over")

enum dccp_state {
#define X(name, key, seconds, doc) DCCP_##name,
	DCCP_STATES(X)
#undef X
		DCCP_NSTATES
};

static const char *const dccp_states[] = {
#define X(name, key, seconds, doc) #name,
	DCCP_STATES(X)
#undef X
};

/* slots are states; NONE is never waited in */
static const struct trk_timeout dccp_timeouts[] = {
#define X(name, key, seconds, doc) {key, DCCP_##name, seconds, doc},
	DCCP_STATES(X)
#undef X
};

enum { DCCP_LOOSE };

static const struct trk_option dccp_options[] = {
	{"dccp_loose", DCCP_LOOSE, 1, 0, 1,
         "pick up without a Request: no packet type allows it, so either "
         "value does the same (F172)"},
};

/* packet types (RFC 4340 section 5.1): X(NAME, bytes behind the generic header
 * that the type always has, with 48 bit numbers) */
#define DCCP_TYPES(X)   \
	X(REQUEST, 4)   \
	X(RESPONSE, 12) \
	X(DATA, 0)      \
	X(ACK, 8)       \
	X(DATAACK, 8)   \
	X(CLOSEREQ, 8)  \
	X(CLOSE, 8)     \
	X(RESET, 12)    \
	X(SYNC, 8)      \
	X(SYNCACK, 8)

enum dccp_type {
#define X(name, bytes) TYPE_##name,
	DCCP_TYPES(X)
#undef X
		DCCP_NTYPES
};

static const uint8_t dccp_type_bytes[] = {
#define X(name, bytes) bytes,
	DCCP_TYPES(X)
#undef X
};

enum { CLIENT, SERVER };

enum {
	NO = DCCP_NONE,
	RQ = DCCP_REQUEST,
	RS = DCCP_RESPOND,
	PO = DCCP_PARTOPEN,
	OP = DCCP_OPEN,
	CR = DCCP_CLOSEREQ,
	CG = DCCP_CLOSING,
	TW = DCCP_TIMEWAIT,
	IG = DCCP_NSTATES, /* not ours to judge: let through, no refresh */
	IV                 /* invalid */
};

// clang-format off
static const uint8_t dccp_grid[2][DCCP_NTYPES][DCCP_NSTATES] = {
	[CLIENT] = {
	/*                 NO  RQ  RS  PO  OP  CR  CG  TW */
	[TYPE_REQUEST]  = { RQ, RQ, RS, IG, IG, IG, IG, RQ },
	[TYPE_RESPONSE] = { IV, IG, IG, IG, IG, IG, IG, IV },
	[TYPE_ACK]      = { IV, IV, PO, PO, OP, CR, CG, IV },
	[TYPE_DATA]     = { IV, IV, IV, IV, OP, CR, CG, IV },
	[TYPE_DATAACK]  = { IV, IV, PO, PO, OP, CR, CG, IV },
	[TYPE_CLOSEREQ] = { IV, IV, IV, IV, IV, IV, IV, IV },
	[TYPE_CLOSE]    = { IV, IV, IV, CG, CG, CG, IV, IV },
	[TYPE_RESET]    = { IV, TW, TW, TW, TW, TW, TW, IG },
	[TYPE_SYNC]     = { IV, IG, IG, IG, IG, IG, IG, IG },
	[TYPE_SYNCACK]  = { IV, IG, IG, IG, IG, IG, IG, IG },
	},
	[SERVER] = {
	/*                 NO  RQ  RS  PO  OP  CR  CG  TW */
	[TYPE_REQUEST]  = { IV, IG, IG, IG, IG, IG, IG, RQ },
	[TYPE_RESPONSE] = { IV, RS, RS, IG, IG, IG, IG, IV },
	[TYPE_ACK]      = { IV, IV, IV, OP, OP, IV, CG, IV },
	[TYPE_DATA]     = { IV, IV, IV, OP, OP, IV, CG, IV },
	[TYPE_DATAACK]  = { IV, IV, IV, OP, OP, IV, CG, IV },
	[TYPE_CLOSEREQ] = { IV, IV, IV, CR, CR, CR, CR, IV },
	[TYPE_CLOSE]    = { IV, IV, IV, CG, CG, IV, CG, IV },
	[TYPE_RESET]    = { IV, TW, TW, TW, TW, TW, TW, TW },
	[TYPE_SYNC]     = { IV, IG, IG, IG, IG, IG, IG, IG },
	[TYPE_SYNCACK]  = { IV, IG, IG, IG, IG, IG, IG, IG },
	},
};
// clang-format on

static const struct trk_note dccp_notes[] = {
	{CLIENT, TYPE_CLOSE, CG, IV,
         "a client's Close sent again ought to keep CLOSING as the server's "
         "does; the kernel's table says invalid, and we follow it (F171)"},
	{SERVER, TYPE_RESET, TW, TW,
         "F173: refreshes, where the client's Reset is ignored; a slip in the "
         "kernel's table that users have come to see"},
	{CLIENT, TYPE_RESET, TW, IG, "the connection is over already"},
	{SERVER, TYPE_REQUEST, TW, RQ,
         "F174: opens in the other direction, with the roles exchanged"},
	{CLIENT, TYPE_REQUEST, OP, IG,
         "perhaps we are out of step: wait for the Response (F174)"},
	{SERVER, TYPE_RESPONSE, RS, RS, "the answer to a Request sent again"},
	{CLIENT, TYPE_RESPONSE, RQ, IG,
         "the Response to a Request of the other side that was ignored"},
	{CLIENT, TYPE_DATA, PO, IV,
         "RFC 4340 8.1.5: in PARTOPEN a client acknowledges with all it sends"},
	{SERVER, TYPE_ACK, CR, IV,
         "RFC 4340 8.3: a server that sent CloseReq sends nothing else"},
	{SERVER, TYPE_CLOSEREQ, CG, CR, "sent again: the Close was lost"},
	{CLIENT, TYPE_CLOSEREQ, OP, IV, "only servers send CloseReq"},
	{CLIENT, TYPE_SYNC, OP, IG, "proves nothing about the connection"},
};

struct dccp_priv {
	uint32_t response_low; /* sequence number of the Response */
	uint16_t response_high;
	uint8_t client; /* direction that plays the client */
	uint8_t last_type;
	uint8_t last_dir;
};
TRACKER_PRIV(struct dccp_priv, last_dir);

#define NO_ACK UINT64_MAX

/* the fields of a header that passed dccp_check() */
struct dccp_header {
	uint64_t seq;
	uint64_t ack; /* NO_ACK also for a short one: it proves too little */
	uint8_t type;
};

static uint64_t get48(const uint8_t *b)
{
	return (uint64_t)get16(b) << 32 | get32(b + 2);
}

/* Type and numbers; false = not captured, or not as long as the type is. */
static bool dccp_parse(const struct pkt *p, struct dccp_header *d)
{
	const uint8_t *h = pkt_l4(p, 0, DCCP_HEADER);
	bool ext;

	if (h == NULL)
		return false;
	d->type = h[8] >> 1 & 15;
	ext = h[8] & 1;
	d->seq = (uint32_t)h[9] << 16 | get16(h + 10);
	d->ack = NO_ACK;
	if (d->type >= DCCP_NTYPES)
		return false;
	if (!ext) /* DATA, ACK, DATAACK: their Ack number has 4 bytes */
		return d->type == TYPE_DATA || pkt_l4(p, DCCP_HEADER, 4);
	h = pkt_l4(p, 0, DCCP_LONG + dccp_type_bytes[d->type]);
	if (h == NULL)
		return false;
	d->seq = get48(h + 10);
	if (dccp_type_bytes[d->type] >= 8)
		d->ack = get48(h + DCCP_LONG + 2);
	return true;
}

/* RFC 4340 section 9.2: 0 = all, else header and options and (n - 1) words of
 * data.  (The kernel counts the words from the start of the header and so
 * verifies another sum than the sender made.) */
static uint32_t dccp_coverage(const struct pkt *p, const uint8_t *h)
{
	uint32_t n = h[5] & 15;

	return n == 0 ? p->l4len : h[4] * 4u + (n - 1) * 4;
}

/* F176 */
static enum trk_verdict dccp_check(struct trk_ctx *c)
{
	const struct pkt *p = c->pkt;
	const uint8_t *h = pkt_l4(p, 0, DCCP_HEADER);
	uint8_t type;

	if (p->l4len < DCCP_HEADER)
		return trk_invalid(c,
		                   "nf_ct_dccp: truncated/malformed packet ");
	if (h == NULL)
		return TRK_ACCEPT;
	if (h[4] * 4u < DCCP_HEADER || h[4] * 4u > p->l4len)
		return trk_invalid(c,
		                   "nf_ct_dccp: truncated/malformed packet ");
	if (dccp_coverage(p, h) > p->l4len)
		return trk_invalid(c, "nf_ct_dccp: bad checksum coverage ");
	if (checksum_wrong(c, PROTO_DCCP, dccp_coverage(p, h)))
		return trk_invalid(c, "nf_ct_dccp: bad checksum ");
	type = h[8] >> 1 & 15;
	if (type >= DCCP_NTYPES)
		return trk_invalid(c, "nf_ct_dccp: reserved packet type ");
	if (!(h[8] & 1) && type != TYPE_DATA && type != TYPE_ACK &&
	    type != TYPE_DATAACK)
		return trk_invalid(c, "nf_ct_dccp: type lacks 48bit sequence "
		                      "numbers");
	return TRK_ACCEPT;
}

static uint8_t dccp_cell(uint8_t role, uint8_t type, uint8_t from)
{
	if (type >= DCCP_NTYPES || from >= DCCP_NSTATES)
		return IV;
	return dccp_grid[role][type][from];
}

static bool dccp_begin(struct dccp_priv *d, uint8_t type)
{
	if (dccp_cell(CLIENT, type, NO) == IV)
		return false;
	d->client = DIR_ORIGINAL;
	d->last_type = TYPE_REQUEST;
	d->last_dir = DIR_ORIGINAL;
	return true;
}

static void dccp_note_response(struct dccp_priv *d, uint64_t seq)
{
	d->response_high = (uint16_t)(seq >> 32);
	d->response_low = (uint32_t)seq;
}

static uint64_t dccp_response(const struct dccp_priv *d)
{
	return (uint64_t)d->response_high << 32 | d->response_low;
}

/* F174: a Response to a Request that we ignored tells us that the peers have
 * begun anew, and who the client is. */
static bool dccp_resync(const struct trk_ctx *c, struct dccp_priv *d,
                        const struct dccp_header *h)
{
	if (h->type != TYPE_RESPONSE || d->last_type != TYPE_REQUEST ||
	    d->last_dir == c->dir)
		return false;
	d->client = !c->dir;
	dccp_note_response(d, h->seq);
	return true;
}

/* What the step from one state to the next does beside the state. */
static void dccp_step(const struct trk_ctx *c, struct conn *conn,
                      const struct dccp_header *h, uint8_t role, uint8_t to)
{
	struct dccp_priv *d = (void *)conn->priv;
	uint8_t from = conn->state;

	if (to == RQ && from == TW && role == SERVER)
		d->client = c->dir;
	if (to == RS && from == RQ)
		dccp_note_response(d, h->seq);
	/* F175: no event of its own, it rides on that of the new state */
	if (to == PO && from == RS && h->type == TYPE_ACK &&
	    h->ack == dccp_response(d))
		conn->status |= CONN_ASSURED;
}

static enum trk_verdict dccp_move(struct trk_ctx *c, struct conn *conn,
                                  const struct dccp_header *h)
{
	struct dccp_priv *d = (void *)conn->priv;
	uint8_t role = c->dir == d->client ? CLIENT : SERVER;
	uint8_t to = dccp_cell(role, h->type, conn->state);

	if (to == IV)
		return trk_invalid(c, "nf_ct_dccp: invalid state transition ");
	if (to == IG && dccp_resync(c, d, h))
		to = RS;
	else if (to != IG)
		dccp_step(c, conn, h, role, to);
	d->last_dir = c->dir;
	d->last_type = h->type;
	if (to == IG) {
		c->why = "nf_ct_dccp: invalid packet";
		return TRK_IGNORE;
	}
	if (to != conn->state)
		c->events |= EVB_PROTOINFO;
	conn->state = to;
	c->timeout = trk_timeout(c, to);
	return TRK_ACCEPT;
}

static enum trk_verdict dccp_packet(struct trk_ctx *c, struct conn *conn)
{
	struct dccp_header h;

	if (!dccp_parse(c->pkt, &h))
		return trk_invalid(c,
		                   "nf_ct_dccp: truncated/malformed packet ");
	if (c->first && !dccp_begin((void *)conn->priv, h.type))
		return trk_invalid(c, "nf_ct_dccp: invalid state transition ");
	/* F173: nobody ever answered, there is nothing to close gently */
	if (h.type == TYPE_RESET && !(conn->status & CONN_SEEN_REPLY))
		return TRK_KILL;
	return dccp_move(c, conn, &h);
}

static bool dccp_closing(const struct conn *conn)
{
	return conn->state == CR || conn->state == CG || conn->state == TW;
}

static int dccp_describe(const struct conn *conn, char *buf, size_t len)
{
	const struct dccp_priv *d = (const void *)conn->priv;

	return trk_printed(
		snprintf(buf, len, "client=%s handshake_seq=%llu",
	                 d->client == DIR_ORIGINAL ? "original" : "reply",
	                 (unsigned long long)dccp_response(d)),
		len);
}

static int dccp_header(const struct pkt *p, char *buf, size_t len)
{
	static const char *const names[] = {
#define X(name, bytes) #name,
		DCCP_TYPES(X)
#undef X
	};
	struct dccp_header d;
	int n;

	if (!dccp_parse(p, &d))
		return 0;
	n = trk_printed(snprintf(buf, len, "type=%s seq=%llu", names[d.type],
	                         (unsigned long long)d.seq),
	                len);
	if (d.ack == NO_ACK)
		return n;
	return n + trk_printed(snprintf(buf + n, len - (size_t)n, " ack=%llu",
	                                (unsigned long long)d.ack),
	                       len - (size_t)n);
}

const struct tracker tracker_dccp = {
	.name = "dccp",
	.l4proto = PROTO_DCCP,
	.nstates = DCCP_NSTATES,
	.ntimeouts = ARRAY_SIZE(dccp_timeouts),
	.noptions = ARRAY_SIZE(dccp_options),
	.nnotes = ARRAY_SIZE(dccp_notes),
	.states = dccp_states,
	.timeouts = dccp_timeouts,
	.options = dccp_options,
	.notes = dccp_notes,
	.cell = dccp_cell,
	.check = dccp_check,
	.packet = dccp_packet,
	.closing = dccp_closing,
	.describe = dccp_describe,
	.header = dccp_header,
};

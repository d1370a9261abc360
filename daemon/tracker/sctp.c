/*
 * sctp.c - SCTP, RFC 9260 (F161-F170).
 *
 * A packet is a header with a verification tag and a list of chunks.  Each
 * chunk that controls the association moves the state by the grid below, in
 * the order of the packet (F169); others (DATA, SACK, ...) keep it, so an
 * entry cannot begin with them.
 *
 * Tags.  Each end chooses the tag that the other has to send: INIT and
 * INIT ACK announce it.  `vtag[dir]` is the tag that packets of that direction
 * must carry; an INIT of one direction therefore sets vtag of the other.  RFC
 * 9260 section 8.5.1 exempts the chunks that stand before or outside an
 * association; rules A to D there are `sctp_tag_ok()`.
 *
 * A peer that restarts, or a NAT that rebinds, shows first in heartbeats:
 * one with a foreign tag is let through without refresh, and if the other
 * side acknowledges it, the acknowledgement's tag becomes the new one and the
 * opposite one is learnt again (F167).
 *
 * `init[dir]` remembers who asked.  When both did (a collision, RFC 9260
 * section 5.2.1), an INIT ACK must repeat the tag that is already known, else
 * it belongs to an attempt that has been overtaken (F168).
 *
 * A verdict of INVALID keeps what earlier chunks of the packet did, as in the
 * kernel; the events of these wait in `pending` for the next good packet.
 */
#include <stdio.h>

#include "daemon/tracker/common.h"

#define PROTO_SCTP   132u
#define SCTP_HEADER  12u
#define CHUNK_HEADER 4u
#define INIT_BODY    16u /* up to the optional parameters */
#define CHUNK_FLAG_T 1u  /* the tag is the sender's own */

/* X(NAME, key, seconds, meaning) */
#define SCTP_STATES(X)                                                        \
	X(NONE, NULL, 0, "no connection")                                     \
	X(CLOSED, "sctp_timeout_closed", 10, "INIT seen, or all is over")     \
	X(COOKIE_WAIT, "sctp_timeout_cookie_wait", 3, "INIT ACK seen")        \
	X(COOKIE_ECHOED, "sctp_timeout_cookie_echoed", 3, "COOKIE ECHO seen") \
	X(ESTABLISHED, "sctp_timeout_established", 210, "COOKIE ACK seen")    \
	X(SHUTDOWN_SENT, "sctp_timeout_shutdown_sent", 3,                     \
	  "SHUTDOWN by the side that began the connection")                   \
	X(SHUTDOWN_RECD, "sctp_timeout_shutdown_recd", 3,                     \
	  "SHUTDOWN by the other side")                                       \
	X(SHUTDOWN_ACK_SENT, "sctp_timeout_shutdown_ack_sent", 3,             \
	  "SHUTDOWN ACK seen")                                                \
	X(HEARTBEAT_SENT, "sctp_timeout_heartbeat_sent", 30,                  \
	  "HEARTBEAT on a path that showed no INIT")

enum sctp_state {
#define X(name, key, seconds, doc) SCTP_##name,
	SCTP_STATES(X)
#undef X
		SCTP_NSTATES
};

static const char *const sctp_states[] = {
#define X(name, key, seconds, doc) #name,
	SCTP_STATES(X)
#undef X
};

/* slots are states; NONE is never waited in */
static const struct trk_timeout sctp_timeouts[] = {
#define X(name, key, seconds, doc) {key, SCTP_##name, seconds, doc},
	SCTP_STATES(X)
#undef X
};

/* chunk types (RFC 9260 section 3.2) that move the state: X(NAME, type) */
#define SCTP_EVENTS(X)      \
	X(INIT, 1)          \
	X(INIT_ACK, 2)      \
	X(HEARTBEAT, 4)     \
	X(HEARTBEAT_ACK, 5) \
	X(ABORT, 6)         \
	X(SHUTDOWN, 7)      \
	X(SHUTDOWN_ACK, 8)  \
	X(ERROR, 9)         \
	X(COOKIE_ECHO, 10)  \
	X(COOKIE_ACK, 11)   \
	X(SHUTDOWN_COMPLETE, 14)

enum sctp_chunk_type {
	CHUNK_DATA = 0,
#define X(name, type) CHUNK_##name = type,
	SCTP_EVENTS(X)
#undef X
		CHUNK_TYPES
};

#define BIT(type) (1u << (type))
/* what the grid has a row for */
enum {
#define X(name, type) | BIT(type)
	CHUNKS_CONTROL = 0 SCTP_EVENTS(X)
#undef X
};
/* must be alone, may only be the first (F163, RFC 9260 sections 6.10, 5.1) */
#define CHUNKS_ALONE \
	(BIT(CHUNK_INIT) | BIT(CHUNK_INIT_ACK) | BIT(CHUNK_SHUTDOWN_COMPLETE))
#define CHUNKS_HEARTBEAT (BIT(CHUNK_HEARTBEAT) | BIT(CHUNK_HEARTBEAT_ACK))
#define CHUNKS_LEADING   (BIT(CHUNK_COOKIE_ECHO) | BIT(CHUNK_COOKIE_ACK))
/* out of the blue these end or answer something: no beginning (F164) */
#define CHUNKS_NOT_FIRST                                   \
	(BIT(CHUNK_ABORT) | BIT(CHUNK_SHUTDOWN_COMPLETE) | \
	 BIT(CHUNK_COOKIE_ACK))
/* packets with any of these are excused from the plain tag test (F166) */
#define CHUNKS_OWN_TAG_RULE                                                    \
	(BIT(CHUNK_INIT) | BIT(CHUNK_SHUTDOWN_COMPLETE) |                      \
	 BIT(CHUNK_COOKIE_ECHO) | BIT(CHUNK_ABORT) | BIT(CHUNK_SHUTDOWN_ACK) | \
	 BIT(CHUNK_HEARTBEAT) | BIT(CHUNK_HEARTBEAT_ACK))

enum {
	NO = SCTP_NONE,
	CL = SCTP_CLOSED,
	CW = SCTP_COOKIE_WAIT,
	CE = SCTP_COOKIE_ECHOED,
	ES = SCTP_ESTABLISHED,
	SS = SCTP_SHUTDOWN_SENT,
	SR = SCTP_SHUTDOWN_RECD,
	SA = SCTP_SHUTDOWN_ACK_SENT,
	HS = SCTP_HEARTBEAT_SENT,
	IV = SCTP_NSTATES /* invalid */
};

/*
 * What a chunk of one direction makes of each state.  NONE is only left by a
 * packet of the original direction; HEARTBEAT_SENT knows no other reply than
 * a heartbeat's.
 */
// clang-format off
static const uint8_t sctp_grid[2][CHUNK_TYPES][SCTP_NSTATES] = {
	[DIR_ORIGINAL] = {
	/*                            NO  CL  CW  CE  ES  SS  SR  SA  HS */
	[CHUNK_INIT]              = { CL, CL, CW, CE, ES, CL, CL, SA, CW },
	[CHUNK_INIT_ACK]          = { CL, CL, CW, CE, ES, SS, SR, SA, CL },
	[CHUNK_ABORT]             = { CL, CL, CL, CL, CL, CL, CL, CL, CL },
	[CHUNK_SHUTDOWN]          = { CL, CL, CW, CE, SS, SS, SR, SA, CL },
	[CHUNK_SHUTDOWN_ACK]      = { SA, CL, CW, CE, ES, SA, SA, SA, SA },
	[CHUNK_ERROR]             = { CL, CL, CW, CE, ES, SS, SR, SA, CL },
	[CHUNK_COOKIE_ECHO]       = { CL, CL, CE, CE, ES, SS, SR, SA, CL },
	[CHUNK_COOKIE_ACK]        = { CL, CL, CW, ES, ES, SS, SR, SA, CL },
	[CHUNK_SHUTDOWN_COMPLETE] = { CL, CL, CW, CE, ES, SS, SR, CL, CL },
	[CHUNK_HEARTBEAT]         = { HS, CL, CW, CE, ES, SS, SR, SA, HS },
	[CHUNK_HEARTBEAT_ACK]     = { CL, CL, CW, CE, ES, SS, SR, SA, HS },
	},
	[DIR_REPLY] = {
	/*                            NO  CL  CW  CE  ES  SS  SR  SA  HS */
	[CHUNK_INIT]              = { IV, CL, CW, CE, ES, SS, SR, SA, IV },
	[CHUNK_INIT_ACK]          = { IV, CW, CW, CE, ES, SS, SR, SA, IV },
	[CHUNK_ABORT]             = { IV, CL, CL, CL, CL, CL, CL, CL, IV },
	[CHUNK_SHUTDOWN]          = { IV, CL, CW, CE, SR, SS, SR, SA, IV },
	[CHUNK_SHUTDOWN_ACK]      = { IV, CL, CW, CE, ES, SA, SA, SA, IV },
	[CHUNK_ERROR]             = { IV, CL, CW, CL, ES, SS, SR, SA, IV },
	[CHUNK_COOKIE_ECHO]       = { IV, CL, CE, CE, ES, SS, SR, SA, IV },
	[CHUNK_COOKIE_ACK]        = { IV, CL, CW, ES, ES, SS, SR, SA, IV },
	[CHUNK_SHUTDOWN_COMPLETE] = { IV, CL, CW, CE, ES, SS, SR, CL, IV },
	[CHUNK_HEARTBEAT]         = { IV, CL, CW, CE, ES, SS, SR, SA, HS },
	[CHUNK_HEARTBEAT_ACK]     = { IV, CL, CW, CE, ES, SS, SR, SA, ES },
	},
};
// clang-format on

static const struct trk_note sctp_notes[] = {
	{DIR_ORIGINAL, CHUNK_INIT, NO, CL,
         "F162: an INIT alone may be anybody's, so it gets the short time of "
         "CLOSED until an INIT ACK answers"},
	{DIR_ORIGINAL, CHUNK_INIT, SS, CL,
         "who asked for the shutdown begins anew"},
	{DIR_ORIGINAL, CHUNK_SHUTDOWN_ACK, NO, SA,
         "RFC 9260 8.4 (5): out of the blue it is answered by SHUTDOWN "
         "COMPLETE, which belongs to this entry"},
	{DIR_ORIGINAL, CHUNK_HEARTBEAT, NO, HS,
         "a second path of an association whose INIT went another way"},
	{DIR_REPLY, CHUNK_HEARTBEAT_ACK, HS, ES,
         "F165: the peer confirms the path, which is all a handshake does"},
	{DIR_ORIGINAL, CHUNK_HEARTBEAT_ACK, HS, HS,
         "one's own acknowledgement proves nothing about the other side"},
	{DIR_REPLY, CHUNK_ERROR, CE, CL,
         "RFC 9260 5.2.6: an error in answer to COOKIE ECHO is a stale cookie"},
	{DIR_REPLY, CHUNK_INIT, CL, CL,
         "collision: both ask, the INIT ACK decides (F168)"},
	{DIR_ORIGINAL, CHUNK_ABORT, ES, CL,
         "the entry stays for 10 s: retransmissions may still be on their way"},
	{DIR_ORIGINAL, CHUNK_SHUTDOWN_COMPLETE, SA, CL,
         "only behind SHUTDOWN ACK does it end anything"},
	{DIR_REPLY, CHUNK_ABORT, HS, IV,
         "behind a HEARTBEAT of unknown origin nothing but its "
         "acknowledgement is believed"},
};

enum { INIT_ORIGINAL = 1u << DIR_ORIGINAL, INIT_REPLY = 1u << DIR_REPLY };

struct sctp_priv {
	uint32_t vtag[2]; /* host order; 0 = not known */
	uint8_t init;     /* bit dir: INIT seen, handshake not over */
	uint8_t foreign;  /* 1 + direction of a heartbeat with a wrong tag */
	uint8_t pending;  /* EVB_* of a packet that ended as INVALID */
};
TRACKER_PRIV(struct sctp_priv, pending);

/* one chunk's header and place */
struct sctp_chunk {
	const struct pkt *pkt;
	uint32_t at;
	uint32_t count; /* chunks before it */
	uint16_t len;
	uint8_t type, flags;
};

static bool chunk_load(struct sctp_chunk *k)
{
	const uint8_t *h = pkt_l4(k->pkt, k->at, CHUNK_HEADER);

	if (h == NULL)
		return false;
	k->type = h[0];
	k->flags = h[1];
	k->len = get16(h + 2);
	return true;
}

static bool chunk_first(struct sctp_chunk *k, const struct pkt *p)
{
	k->pkt = p;
	k->at = SCTP_HEADER;
	k->count = 0;
	return chunk_load(k);
}

static bool chunk_next(struct sctp_chunk *k)
{
	if (k->len == 0) /* leads nowhere */
		return false;
	k->at += (k->len + 3u) & ~3u; /* padded to four bytes */
	k->count++;
	return chunk_load(k);
}

static bool chunk_in(const struct sctp_chunk *k, uint32_t set)
{
	return k->type < CHUNK_TYPES && (set & BIT(k->type));
}

/* the tag that an INIT or INIT ACK announces */
static bool chunk_init_tag(const struct sctp_chunk *k, uint32_t *tag)
{
	const uint8_t *body = pkt_l4(k->pkt, k->at + CHUNK_HEADER, INIT_BODY);

	if (body == NULL)
		return false;
	*tag = get32(body);
	return true;
}

static uint8_t sctp_cell(uint8_t dir, uint8_t event, uint8_t from)
{
	if (from >= SCTP_NSTATES)
		return IV;
	if (event >= CHUNK_TYPES || !(CHUNKS_CONTROL & BIT(event)))
		return from;
	return sctp_grid[dir][event][from];
}

static enum trk_verdict sctp_check(struct trk_ctx *c)
{
	if (c->pkt->l4len < SCTP_HEADER)
		return trk_invalid(c, "nf_ct_sctp: short packet ");
	if (checksum_crc32c_wrong(c))
		return trk_invalid(c, "nf_ct_sctp: bad CRC ");
	return TRK_ACCEPT;
}

/* F163; *map is the set of the packet's chunk types below CHUNK_TYPES */
static bool sctp_chunks_ok(struct trk_ctx *c, uint32_t *map)
{
	struct sctp_chunk k;
	bool more, alone = false;

	*map = 0;
	for (more = chunk_first(&k, c->pkt); more; more = chunk_next(&k)) {
		bool misplaced;

		alone = alone || chunk_in(&k, CHUNKS_ALONE);
		misplaced = alone || chunk_in(&k, CHUNKS_LEADING);
		if (k.len == 0 || (k.count > 0 && misplaced)) {
			c->why = "do_basic_checks failed. chunk num %u, "
				 "type %u";
			c->why_arg[0] = k.count;
			c->why_arg[1] = k.type;
			return false;
		}
		if (k.type < CHUNK_TYPES)
			*map |= BIT(k.type);
	}
	return k.count > 0;
}

/* F164: may the packet begin a connection, and which tags does it teach?
 * Every chunk is judged as if it were the first. */
static bool sctp_begin(struct trk_ctx *c, struct sctp_priv *s, uint32_t tag,
                       uint32_t map)
{
	struct sctp_chunk k;
	bool more;

	if (map & CHUNKS_NOT_FIRST)
		return false;
	for (more = chunk_first(&k, c->pkt); more; more = chunk_next(&k)) {
		if (sctp_cell(DIR_ORIGINAL, k.type, NO) == NO)
			return false;
		if (k.type == CHUNK_INIT) {
			if (!chunk_init_tag(&k, &s->vtag[DIR_REPLY]))
				return false;
		} else if (k.type == CHUNK_HEARTBEAT) {
			s->vtag[DIR_ORIGINAL] = tag;
		} else if (k.type == CHUNK_SHUTDOWN_ACK) {
			/* RFC 9260 8.4 (5): the answer reflects the tag */
			s->vtag[DIR_REPLY] = tag;
		}
	}
	return true;
}

/* The plain test: no chunk has a rule of its own (F166). */
static bool sctp_tag_matches(struct trk_ctx *c, const struct sctp_priv *s,
                             uint32_t tag, uint32_t map)
{
	static const char *const why[] = {
		"verification tag check failed %x vs %x for dir 0",
		"verification tag check failed %x vs %x for dir 1",
	};

	if ((map & CHUNKS_OWN_TAG_RULE) || tag == s->vtag[c->dir])
		return true;
	c->why = why[c->dir];
	c->why_arg[0] = tag;
	c->why_arg[1] = s->vtag[c->dir];
	return false;
}

/*
 * A heartbeat or its acknowledgement whose tag is not the expected one
 * (F167).  TRK_ACCEPT: go on with the chunk.  TRK_IGNORE: it is let through,
 * but neither moves nor refreshes anything.
 */
static enum trk_verdict sctp_heartbeat(const struct trk_ctx *c,
                                       struct sctp_priv *s, uint8_t type,
                                       uint32_t tag, bool strict)
{
	uint8_t here = c->dir + 1;

	if (s->vtag[c->dir] == 0) {
		s->vtag[c->dir] = tag;
		return TRK_ACCEPT;
	}
	if (tag == s->vtag[c->dir]) {
		s->foreign = 0;
		return TRK_ACCEPT;
	}
	if (strict)
		return TRK_INVALID;
	if (type == CHUNK_HEARTBEAT) {
		s->foreign = here;
		return TRK_IGNORE;
	}
	if (s->foreign == 0 || s->foreign == here)
		return TRK_INVALID;
	s->foreign = 0;
	s->vtag[c->dir] = tag;
	s->vtag[!c->dir] = 0;
	return TRK_ACCEPT;
}

/* RFC 9260 section 8.5.1, rules A to D */
static bool sctp_tag_ok(const struct trk_ctx *c, const struct sctp_priv *s,
                        const struct sctp_chunk *k, uint32_t tag)
{
	switch (k->type) {
	case CHUNK_INIT:
		return tag == 0;
	case CHUNK_ABORT:
	case CHUNK_SHUTDOWN_COMPLETE:
		if (k->flags & CHUNK_FLAG_T)
			return tag == s->vtag[!c->dir];
		return tag == s->vtag[c->dir];
	case CHUNK_COOKIE_ECHO:
		return tag == s->vtag[c->dir];
	default:
		return true;
	}
}

static bool sctp_init(const struct trk_ctx *c, struct sctp_priv *s,
                      const struct sctp_chunk *k)
{
	uint8_t here = (uint8_t)(1u << c->dir);
	uint32_t tag;

	if (!chunk_init_tag(k, &tag))
		return false;
	/* F168: the tag that is known already is the same question sent
	 * again, late or by somebody else: it opens nothing */
	if (!c->first && tag == s->vtag[!c->dir])
		return true;
	/* both had asked before: this one starts over, the other is void */
	if (s->init == (INIT_ORIGINAL | INIT_REPLY))
		s->init = here;
	s->init |= here;
	s->vtag[!c->dir] = tag;
	return true;
}

static bool sctp_init_ack(const struct trk_ctx *c, struct sctp_priv *s,
                          const struct sctp_chunk *k)
{
	uint32_t known = s->vtag[!c->dir], tag;
	bool asked = s->init & (1u << !c->dir);
	bool collision = s->init == (INIT_ORIGINAL | INIT_REPLY);

	if (!chunk_init_tag(k, &tag))
		return false;
	/* nobody asked for it, and it contradicts what is known */
	if (!asked && known != 0 && known != tag)
		return false;
	if (collision && known != tag)
		return false;
	s->vtag[!c->dir] = tag;
	return true;
}

/* What an accepted chunk teaches beyond the state. */
static bool sctp_learn(const struct trk_ctx *c, struct sctp_priv *s,
                       const struct sctp_chunk *k)
{
	if (k->type == CHUNK_INIT)
		return sctp_init(c, s, k);
	if (k->type == CHUNK_INIT_ACK)
		return sctp_init_ack(c, s, k);
	return true;
}

static void sctp_enter(struct trk_ctx *c, struct conn *conn, uint8_t state)
{
	if (state == conn->state)
		return;
	conn->state = state;
	c->events |= EVB_PROTOINFO;
	if (state == ES)
		trk_assure(c, conn);
}

static bool sctp_why_state(struct trk_ctx *c, uint8_t from, uint8_t type)
{
	static const char *const why[] = {
		"Invalid, old_state %u, dir 0, type %u",
		"Invalid, old_state %u, dir 1, type %u",
	};

	c->why = why[c->dir];
	c->why_arg[0] = from;
	c->why_arg[1] = type;
	return false;
}

/* One chunk; *ignore is set when the packet shall not refresh. */
static bool sctp_chunk(struct trk_ctx *c, struct conn *conn,
                       const struct sctp_chunk *k, uint32_t tag, uint32_t map,
                       bool *ignore)
{
	struct sctp_priv *s = (void *)conn->priv;
	uint8_t from = conn->state, to;

	if (!sctp_tag_ok(c, s, k, tag))
		return false;
	if (k->type == CHUNK_COOKIE_ACK)
		s->init = 0;
	if (chunk_in(k, CHUNKS_HEARTBEAT)) {
		bool strict = (map & BIT(CHUNK_DATA)) || *ignore;

		switch (sctp_heartbeat(c, s, k->type, tag, strict)) {
		case TRK_ACCEPT:
			break;
		case TRK_IGNORE:
			*ignore = true;
			return true;
		default:
			return false;
		}
	}
	to = sctp_cell(c->dir, k->type, from);
	if (to == IV)
		return sctp_why_state(c, from, k->type);
	if (!sctp_learn(c, s, k))
		return false;
	/* F168: an INIT that is sent again must not keep an entry that nobody
	 * answers, or a client could hold its ports for ever */
	if (k->type == CHUNK_INIT && from == CL && to == CL)
		*ignore = true;
	sctp_enter(c, conn, to);
	return true;
}

static enum trk_verdict sctp_packet(struct trk_ctx *c, struct conn *conn)
{
	struct sctp_priv *s = (void *)conn->priv;
	const uint8_t *h = pkt_l4(c->pkt, 0, SCTP_HEADER);
	struct sctp_chunk k;
	uint32_t map, tag;
	bool more, ignore = false;

	if (h == NULL || !sctp_chunks_ok(c, &map))
		return TRK_INVALID;
	tag = get32(h + 4);
	if (c->first && !sctp_begin(c, s, tag, map))
		return TRK_INVALID;
	if (!sctp_tag_matches(c, s, tag, map))
		return TRK_INVALID;
	for (more = chunk_first(&k, c->pkt); more; more = chunk_next(&k)) {
		if (!sctp_chunk(c, conn, &k, tag, map, &ignore)) {
			s->pending |= (uint8_t)c->events;
			return TRK_INVALID;
		}
	}
	c->events |= s->pending;
	s->pending = 0;
	c->timeout = trk_timeout(c, conn->state);
	return ignore ? TRK_IGNORE : TRK_ACCEPT;
}

static bool sctp_closing(const struct conn *conn)
{
	return conn->state == SS || conn->state == SR || conn->state == SA;
}

static int sctp_describe(const struct conn *conn, char *buf, size_t len)
{
	const struct sctp_priv *s = (const void *)conn->priv;

	return trk_printed(snprintf(buf, len, "vtag_original=%u vtag_reply=%u",
	                            s->vtag[DIR_ORIGINAL], s->vtag[DIR_REPLY]),
	                   len);
}

static const char *chunk_name(uint8_t type)
{
	static const char *const names[CHUNK_TYPES] = {[CHUNK_DATA] = "DATA",
	                                               [3] = "SACK",
#define X(name, number) [number] = #name,
	                                               SCTP_EVENTS(X)
#undef X
	};

	return type < CHUNK_TYPES && names[type] ? names[type] : "OTHER";
}

/* the chunks that were captured */
static int sctp_header(const struct pkt *p, char *buf, size_t len)
{
	const uint8_t *h = pkt_l4(p, 0, SCTP_HEADER);
	struct sctp_chunk k;
	int n = 0;
	bool more;

	if (!h)
		return 0;
	for (more = chunk_first(&k, p); more; more = chunk_next(&k))
		n += trk_printed(
			snprintf(buf + n, len - (size_t)n, "%s%s",
		                 k.count ? "," : "chunks=", chunk_name(k.type)),
			len - (size_t)n);
	return n + trk_printed(snprintf(buf + n, len - (size_t)n, "%svtag=%u",
	                                n ? " " : "", get32(h + 4)),
	                       len - (size_t)n);
}

const struct tracker tracker_sctp = {
	.name = "sctp",
	.l4proto = PROTO_SCTP,
	.nstates = SCTP_NSTATES,
	.ntimeouts = ARRAY_SIZE(sctp_timeouts),
	.nnotes = ARRAY_SIZE(sctp_notes),
	.states = sctp_states,
	.timeouts = sctp_timeouts,
	.notes = sctp_notes,
	.cell = sctp_cell,
	.check = sctp_check,
	.packet = sctp_packet,
	.closing = sctp_closing,
	.describe = sctp_describe,
	.header = sctp_header,
};

/*
 * q931.c - the call of H.323 (ITU-T Q.931 with H.225.0, F216).
 *
 * A message is a head and information elements of Q.931; that of the user
 * (0x7e) contains what H.225.0 has to say, in PER.  Of that count: where to
 * connect for H.245, the channels of media that are offered at once
 * (fastStart), messages of H.245 that travel inside (h245Control), and where
 * a call is forwarded to.
 *
 * The kernel expects a forwarded call only where its routes lead to other
 * places for both ends (callforward_filter).  Who looks at a mirror has no
 * routes (F218), so q931_callforward says whether to expect them.
 *
 * Mirror mode knows that elements above 0x80 are one byte (Q.931, 4.5.1);
 * strict mode that the first may be one, and takes all others for such with a
 * length, as the kernel does.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/h323.h"

enum { Q931_FORWARD };

#define Q931_PROTOCOL  0x08u
#define Q931_USER      0x7eu
#define Q931_SINGLE    0x80u /* this bit, in mirror mode */
#define Q931_FORWARDED 1u    /* reason of a Facility */

struct q931_priv {
	struct h323_stream stream;
};
HELPER_PRIV(struct q931_priv);

/* -- types (H.225.0) ------------------------------------------------------- */

static PER_INSIDE(h225_channel, PER_F(h245_channel));
static PER_INSIDE(h225_tunnel, PER_F(h245_message));
/* as many are looked at as the kernel does */
static PER_MANY(h225_fast_start, 30, PER_FM(h225_channel, OF_FAST));
static PER_MANY(h225_tunnels, 4, PER_F(h225_tunnel));

static PER_OF(h225_q954, PER_SEQ, 1, 2, 0, PER_F(per_bool), PER_F(per_bool));
static PER_OF(h225_qseries, PER_SEQ, 1, 8, 0, PER_F(per_bool), PER_F(per_bool),
              PER_F(per_bool), PER_F(per_bool), PER_F(per_bool),
              PER_F(per_bool), PER_F(per_bool), PER_F(h225_q954));
static PER_MANY(h225_references, 0, PER_F(per_u16));

static PER_OF(h225_setup, PER_SEQ, 1, 13, 0, PER_F(per_oid),
              PER_OM(h225_transport, OF_H245), PER_O(h225_aliases),
              PER_F(h225_endpoint), PER_O(h225_aliases),
              PER_OM(h225_transport, OF_OTHER), PER_O(h225_aliases),
              PER_O(h225_references), PER_F(per_bool), PER_F(per_octets_16),
              PER_F(per_null_3), PER_O(h225_qseries), PER_F(per_null_4),
              PER_SKIP, PER_SKIP, PER_SKIP, PER_SKIP, PER_SKIP, PER_SKIP,
              PER_F(h225_fast_start), PER_SKIP_16, PER_SKIP_8, PER_SKIP);
static PER_OF(h225_proceeding, PER_SEQ, 1, 3, 0, PER_F(per_oid),
              PER_F(h225_endpoint), PER_OM(h225_transport, OF_H245), PER_SKIP,
              PER_SKIP, PER_SKIP, PER_SKIP, PER_F(h225_fast_start), PER_SKIP_4);
static PER_OF(h225_alerting, PER_SEQ, 1, 3, 0, PER_F(per_oid),
              PER_F(h225_endpoint), PER_OM(h225_transport, OF_H245), PER_SKIP,
              PER_SKIP, PER_SKIP, PER_SKIP, PER_F(h225_fast_start), PER_SKIP_8,
              PER_SKIP);
static PER_OF(h225_connect, PER_SEQ, 1, 4, 0, PER_F(per_oid),
              PER_OM(h225_transport, OF_H245), PER_F(h225_endpoint),
              PER_F(per_octets_16), PER_SKIP, PER_SKIP, PER_SKIP, PER_SKIP,
              PER_F(h225_fast_start), PER_SKIP_8, PER_SKIP_2);
static PER_OF(h225_information, PER_SEQ, 1, 1, 0, PER_F(per_oid), PER_SKIP_4,
              PER_SKIP_2);
static PER_OF(h225_release_reason, PER_CHOICE, 1, 12, 0, PER_F(per_null),
              PER_F(per_null), PER_F(per_null), PER_F(per_null),
              PER_F(per_null), PER_F(per_null), PER_F(per_null),
              PER_F(per_null), PER_F(per_null), PER_F(per_null),
              PER_F(per_null), PER_F(per_null));
static PER_OF(h225_release, PER_SEQ, 1, 2, 0, PER_F(per_oid),
              PER_O(h225_release_reason), PER_SKIP_8, PER_SKIP);
static PER_OF(h225_reason, PER_CHOICE, 1, 4, SEE_REASON, PER_F(per_null),
              PER_F(per_null), PER_F(per_null), PER_F(per_null));
static PER_OF(h225_facility, PER_SEQ, 1, 5, 0, PER_F(per_oid),
              PER_OM(h225_transport, OF_FORWARDED), PER_O(h225_aliases),
              PER_O(per_octets_16), PER_F(h225_reason), PER_SKIP, PER_SKIP,
              PER_SKIP, PER_SKIP, PER_SKIP, PER_SKIP,
              PER_OM(h225_transport, OF_H245), PER_F(h225_fast_start),
              PER_SKIP_8);

static PER_OF(h225_guid, PER_SEQ, 1, 1, 0, PER_F(per_octets_16));
static PER_OF(h225_security_mode, PER_CHOICE, 1, 3, 0, PER_F(h225_nonstandard),
              PER_F(per_null), PER_F(per_null));
static PER_OF(h225_security_caps, PER_SEQ, 1, 4, 0, PER_O(h225_nonstandard),
              PER_F(h225_security_mode), PER_F(h225_security_mode),
              PER_F(h225_security_mode));
static PER_OF(h225_security, PER_CHOICE, 1, 4, 0, PER_F(h225_nonstandard),
              PER_F(per_null), PER_F(h225_security_caps),
              PER_F(h225_security_caps));
/* its tokens are not read, nor what is behind them */
static PER_OF(h225_progress, PER_SEQ, 1, 8, 0, PER_F(per_oid),
              PER_F(h225_endpoint), PER_OM(h225_transport, OF_H245),
              PER_F(h225_guid), PER_O(h225_security), PER_SKIP, PER_SKIP,
              PER_O(h225_fast_start), PER_SKIP_3);

static PER_OF(h225_body, PER_CHOICE, 1, 7, 0, PER_F(h225_setup),
              PER_F(h225_proceeding), PER_F(h225_connect), PER_F(h225_alerting),
              PER_F(h225_information), PER_F(h225_release),
              PER_F(h225_facility), PER_F(h225_progress));
static PER_OF(h225_pdu, PER_SEQ, 1, 2, 0, PER_F(h225_body),
              PER_O(h225_nonstandard), PER_SKIP, PER_SKIP, PER_F(h225_tunnels),
              PER_STOP);
static PER_OF(h225_user, PER_SEQ, 1, 2, 0, PER_F(h225_pdu), PER_STOP);

/* -- what follows ---------------------------------------------------------- */

struct q931_reading {
	struct help_ctx *h;
	struct h245_seen seen;
	struct h323_place place;   /* h245Address */
	struct h323_place forward; /* alternativeAddress */
	bool forwarded;            /* nothing else of this Facility counts, */
	bool mute;                 /* but for what is tunnelled with it */
};

static void q931_h245(struct help_ctx *h, const struct h323_place *p)
{
	struct expect_spec s;

	if (!h323_own(h, p))
		return;
	s = h323_spec(h, IPPROTO_TCP, p);
	s.assign = "H.245";
	h323_ask(h, &s);
}

static void q931_forward(struct help_ctx *h, const struct h323_place *p)
{
	struct expect_spec s;

	if (!h->option[Q931_FORWARD] || !h323_usable(h, p))
		return;
	s = h323_spec(h, IPPROTO_TCP, p);
	s.assign = "Q.931";
	h323_ask(h, &s);
}

static void q931_told(void *arg, uint8_t mark, uint8_t emit, uint32_t value,
                      const uint8_t *bytes)
{
	struct q931_reading *r = arg;

	if (emit == SEE_REASON) {
		r->forwarded = value == Q931_FORWARDED;
		if (r->forwarded)
			q931_forward(r->h, &r->forward);
	} else if (mark == OF_FORWARDED) {
		h323_place(&r->forward, emit, value, bytes);
	} else if (mark == OF_H245) {
		if (h323_place(&r->place, emit, value, bytes) && !r->forwarded)
			q931_h245(r->h, &r->place);
	} else {
		if (emit == SEE_CHANNEL || emit == SEE_CHANNEL_ACK)
			r->mute = r->forwarded && mark == OF_FAST;
		if (!r->mute)
			h245_see(r->h, &r->seen, mark, emit, value, bytes);
	}
}

/* Once to know that it is sound, and once to do what it says. */
static bool q931_user(struct help_ctx *h, const uint8_t *data, uint32_t len)
{
	struct q931_reading r = {.h = h};

	if (!per_read(&h225_user, data, len, !h->mirror, NULL, NULL)) {
		h->count(h, HELP_MALFORMED);
		return false;
	}
	per_read(&h225_user, data, len, !h->mirror, q931_told, &r);
	h245_done(h, &r.seen);
	return true;
}

/* -- information elements -------------------------------------------------- */

/* Steps over the head; 0: it is none. */
static uint32_t q931_head(const uint8_t *msg, uint32_t len)
{
	uint32_t at;

	if (len < 2 || msg[0] != Q931_PROTOCOL)
		return 0;
	at = 2 + (uint32_t)msg[1]; /* the call reference */
	return len >= 2 && at <= len - 2 ? at + 1 : 0;
}

static bool q931_one(struct help_ctx *h, const uint8_t *msg, uint32_t len)
{
	uint32_t at = q931_head(msg, len), size;

	if (!at) {
		h->count(h, HELP_MALFORMED);
		return false;
	}
	if (!h->mirror && at < len && msg[at] & Q931_SINGLE)
		at++;
	while (len - at >= 2) {
		if (msg[at] == Q931_USER) {
			if (len - at < 3)
				return false;
			size = get16(msg + at + 1);
			at += 3;
			/* the first byte tells that it is H.225.0 */
			if (size > len - at || size < 1)
				return false;
			return q931_user(h, msg + at + 1, size - 1);
		}
		if (h->mirror && msg[at] & Q931_SINGLE) {
			at++;
			continue;
		}
		size = msg[at + 1];
		if (size > len - at - 2)
			return false;
		at += 2 + size;
	}
	return false; /* says nothing of H.225.0 */
}

static void q931_help(struct help_ctx *h)
{
	struct q931_priv *p = h->priv;

	h323_stream(h, &p->stream, q931_one);
}

static const struct helper_port q931_ports[] = {
	{.l4proto = IPPROTO_TCP, .port = 1720, .v4 = true, .v6 = true},
};

/* four channels of media, each with two connections in two directions, T.120,
 * H.245 and what is forwarded */
static const struct helper_class q931_classes[] = {
	{.max = 20, .seconds = 240},
};

static const struct helper_option q931_options[] = {
	[Q931_FORWARD] = {"q931_callforward", 1, 0, 1,
                          "expect calls that are forwarded"},
};

const struct helper helper_q931 = {
	.name = "Q.931",
	.key = "q931",
	.nports = ARRAY_SIZE(q931_ports),
	.nclasses = ARRAY_SIZE(q931_classes),
	.noptions = ARRAY_SIZE(q931_options),
	.ports = q931_ports,
	.classes = q931_classes,
	.options = q931_options,
	.help = q931_help,
};

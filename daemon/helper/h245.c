/*
 * h245.c - the control channel of H.323 (ITU-T H.245, F217).
 *
 * OpenLogicalChannel and its Ack name where media, and what is told about
 * them, are to be sent: an even port for RTP and the odd one behind it for
 * RTCP, of which one is enough to know both.  A T.120 conference gets a
 * connection of its own, to which many may come.  Only addresses of who sends
 * the message count.
 *
 * The same messages travel in Q.931 (fastStart, h245Control), so what is done
 * with them is for q931.c, too.  The connection has no port of its own: it is
 * expected.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/h323.h"

/* alternatives that matter */
#define H245_T120      1u
#define H245_LAN_STACK 10u /* the fourth behind seven of the root */

/* -- types: addresses ------------------------------------------------------ */

static PER_OF(h245_h221, PER_SEQ, 0, 3, 0, PER_F(per_u8), PER_F(per_u8),
              PER_F(per_u16));
static PER_OF(h245_nonstandard_id, PER_CHOICE, 0, 2, 0, PER_F(per_oid),
              PER_F(h245_h221));
static PER_OF(h245_nonstandard, PER_SEQ, 0, 2, 0, PER_F(h245_nonstandard_id),
              PER_F(per_octets));
static PER_MANY(h245_nonstandards, 0, PER_F(h245_nonstandard));

static PER_OF(h245_ip, PER_SEQ, 1, 2, 0, PER_F(per_ip4), PER_F(per_port));
static PER_OF(h245_ip6, PER_SEQ, 1, 2, 0, PER_F(per_ip6), PER_F(per_port));
static PER_OF(h245_ipx, PER_SEQ, 1, 3, 0, PER_F(per_octets_6),
              PER_F(per_octets_4), PER_F(per_octets_2));
static PER_MANY(h245_route, 0, PER_F(per_octets_4));
static PER_OF(h245_routing, PER_CHOICE, 0, 2, 0, PER_F(per_null),
              PER_F(per_null));
static PER_OF(h245_source_route, PER_SEQ, 1, 4, 0, PER_F(h245_routing),
              PER_F(per_octets_4), PER_F(per_u16), PER_F(h245_route));
static PER_OF(h245_unicast, PER_CHOICE, 1, 5, 0, PER_F(h245_ip),
              PER_F(h245_ipx), PER_F(h245_ip6), PER_F(per_octets_16),
              PER_F(h245_source_route));

static PER_OF(h245_group4, PER_SEQ, 1, 2, 0, PER_F(per_octets_4),
              PER_F(per_u16));
static PER_OF(h245_group6, PER_SEQ, 1, 2, 0, PER_F(per_octets_16),
              PER_F(per_u16));
static PER_OF(h245_multicast, PER_CHOICE, 1, 2, 0, PER_F(h245_group4),
              PER_F(h245_group6));
static PER_OF(h245_transport, PER_CHOICE, 1, 2, 0, PER_F(h245_unicast),
              PER_F(h245_multicast));

/* -- types: what a channel carries ----------------------------------------- */

#define B PER_F(per_bool)

static PER_NUMBER(per_0_2, 0, 2);
static PER_NUMBER(per_0_15, 0, 15);
static PER_NUMBER(per_0_192, 0, 192);
static PER_NUMBER(per_1_4, 1, 4);
static PER_NUMBER(per_1_32, 1, 32);
static PER_NUMBER(per_1_127, 1, 127);
static PER_NUMBER(per_1_255, 1, 255);
static PER_NUMBER(per_1_448, 1, 448);
static PER_NUMBER(per_1_1130, 1, 1130);
static PER_NUMBER(per_1_4095, 1, 4095);
static PER_NUMBER(per_1_19200, 1, 19200);
static PER_NUMBER(per_1_192400, 1, 192400);
static PER_NUMBER(per_13_bits, 0, 8191);
static PER_NUMBER(per_14_bits, 0, 16383);
static PER_NUMBER(per_18_bits, 0, 262143);
static PER_NUMBER(per_19_bits, 0, 524287);
static PER_NUMBER(per_24_bits, 0, 16777215);
static PER_NUMBER(per_30_bits, 0, 1073741823);
static PER_NUMBER(per_96_127, 96, 127);

static PER_OF(h245_h261, PER_SEQ, 1, 5, 0, PER_O(per_1_4), PER_O(per_1_4), B,
              PER_F(per_1_19200), B, PER_SKIP);
static PER_OF(h245_h262, PER_SEQ, 1, 17, 0, B, B, B, B, B, B, B, B, B, B, B,
              PER_O(per_30_bits), PER_O(per_18_bits), PER_O(per_14_bits),
              PER_O(per_14_bits), PER_O(per_0_15), PER_O(per_u32), PER_SKIP);
static PER_OF(h245_h263, PER_SEQ, 1, 13, 0, PER_O(per_1_32), PER_O(per_1_32),
              PER_O(per_1_32), PER_O(per_1_32), PER_O(per_1_32),
              PER_F(per_1_192400), B, B, B, B, B, PER_O(per_19_bits),
              PER_O(per_u16), PER_SKIP_8);
static PER_OF(h245_mpeg_video, PER_SEQ, 1, 7, 0, B, PER_O(per_30_bits),
              PER_O(per_18_bits), PER_O(per_14_bits), PER_O(per_14_bits),
              PER_O(per_0_15), PER_O(per_u32), PER_SKIP);
static PER_OF(h245_video, PER_CHOICE, 1, 5, 0, PER_F(h245_nonstandard),
              PER_F(h245_h261), PER_F(h245_h262), PER_F(h245_h263),
              PER_F(h245_mpeg_video));

static PER_OF(h245_g7231, PER_SEQ, 0, 2, 0, PER_F(per_1_256), B);
static PER_OF(h245_is11172, PER_SEQ, 1, 9, 0, B, B, B, B, B, B, B, B,
              PER_F(per_1_448));
static PER_OF(h245_is13818, PER_SEQ, 1, 21, 0, B, B, B, B, B, B, B, B, B, B, B,
              B, B, B, B, B, B, B, B, B, PER_F(per_1_1130));
static PER_OF(h245_audio, PER_CHOICE, 1, 14, 0, PER_F(h245_nonstandard),
              PER_F(per_1_256), PER_F(per_1_256), PER_F(per_1_256),
              PER_F(per_1_256), PER_F(per_1_256), PER_F(per_1_256),
              PER_F(per_1_256), PER_F(h245_g7231), PER_F(per_1_256),
              PER_F(per_1_256), PER_F(per_1_256), PER_F(h245_is11172),
              PER_F(h245_is13818));

static PER_OF(h245_protocol, PER_CHOICE, 1, 7, SEE_PROTOCOL,
              PER_F(h245_nonstandard), PER_F(per_null), PER_F(per_null),
              PER_F(per_null), PER_F(per_null), PER_F(per_null),
              PER_F(per_null));
static PER_OF(h245_t84_restricted, PER_SEQ, 1, 19, 0, B, B, B, B, B, B, B, B, B,
              B, B, B, B, B, B, B, B, B, B);
static PER_OF(h245_t84_profile, PER_CHOICE, 0, 2, 0, PER_F(per_null),
              PER_F(h245_t84_restricted));
static PER_OF(h245_t84, PER_SEQ, 0, 2, 0, PER_F(h245_protocol),
              PER_F(h245_t84_profile));
static PER_OF(h245_nlpid, PER_SEQ, 0, 2, 0, PER_F(h245_protocol),
              PER_F(per_octets));
static PER_OF(h245_application, PER_CHOICE, 1, 10, SEE_APPLICATION,
              PER_F(h245_nonstandard), PER_F(h245_protocol),
              PER_F(h245_protocol), PER_F(h245_protocol), PER_F(h245_t84),
              PER_F(h245_protocol), PER_F(h245_protocol), PER_F(h245_nlpid),
              PER_F(per_null), PER_F(h245_protocol));
static PER_OF(h245_data, PER_SEQ, 1, 2, 0, PER_F(h245_application),
              PER_F(per_u32));
static PER_OF(h245_encryption, PER_CHOICE, 1, 2, 0, PER_F(h245_nonstandard),
              PER_F(per_null));
static PER_OF(h245_data_type, PER_CHOICE, 1, 6, 0, PER_F(h245_nonstandard),
              PER_F(per_null), PER_F(h245_video), PER_F(h245_audio),
              PER_F(h245_data), PER_F(h245_encryption));

/* -- types: how a channel is carried --------------------------------------- */

static PER_OF(h245_h222, PER_SEQ, 1, 5, 0, PER_F(per_u16), PER_F(per_13_bits),
              PER_O(per_13_bits), PER_O(per_octets), PER_O(per_octets));
static PER_OF(h245_al3, PER_SEQ, 0, 2, 0, PER_F(per_0_2), PER_F(per_24_bits));
static PER_OF(h245_adaptation, PER_CHOICE, 1, 6, 0, PER_F(h245_nonstandard),
              PER_F(per_null), PER_F(per_null), PER_F(per_null),
              PER_F(per_null), PER_F(h245_al3));
static PER_OF(h245_h223, PER_SEQ, 1, 2, 0, PER_F(h245_adaptation), B);
static PER_OF(h245_hdlc, PER_SEQ, 1, 3, 0, PER_F(per_null_3), PER_F(per_1_4095),
              B);
static PER_OF(h245_erm, PER_SEQ, 1, 2, 0, PER_F(per_1_127), PER_F(per_null_3));
static PER_OF(h245_v76_mode, PER_CHOICE, 1, 2, 0, PER_F(h245_erm),
              PER_F(per_null));
static PER_OF(h245_v75, PER_SEQ, 1, 1, 0, B);
static PER_OF(h245_v76, PER_SEQ, 1, 5, 0, PER_F(h245_hdlc), PER_F(per_null_3),
              B, PER_F(h245_v76_mode), PER_F(h245_v75));

static PER_OF(h245_label, PER_SEQ, 1, 2, 0, PER_F(per_0_192), PER_F(per_0_192));
static PER_OF(h245_packetization, PER_CHOICE, 1, 1, 0, PER_F(per_null));
static PER_OF(h245_h2250, PER_SEQ, 1, 11, 0, PER_O(h245_nonstandards),
              PER_F(per_u8), PER_O(per_1_255), PER_OM(h245_transport, OF_MEDIA),
              PER_O(per_bool), PER_OM(h245_transport, OF_MEDIA),
              PER_B(per_bool), PER_O(per_bool), PER_O(h245_label),
              PER_O(per_96_127), PER_O(h245_packetization), PER_SKIP_3);
static PER_OF(h245_h2250_ack, PER_SEQ, 1, 5, 0, PER_O(h245_nonstandards),
              PER_O(per_1_255), PER_OM(h245_transport, OF_MEDIA),
              PER_OM(h245_transport, OF_MEDIA), PER_O(per_96_127), PER_SKIP_2);

static PER_TEXT(per_numeric_1_16, 4, 1, 16);
static PER_OF(h245_q2931_number, PER_CHOICE, 1, 2, 0, PER_F(per_numeric_1_16),
              PER_F(per_octets_1_20));
static PER_OF(h245_q2931, PER_SEQ, 1, 2, 0, PER_F(h245_q2931_number),
              PER_O(per_octets_1_20));
static PER_OF(h245_network, PER_CHOICE, 1, 3, 0, PER_F(h245_q2931),
              PER_F(per_digits_1_128), PER_F(h245_transport));
static PER_OF(h245_stack, PER_SEQ, 1, 4, 0, PER_O(per_null_2),
              PER_F(h245_network), B, PER_O(per_octets_1_255), PER_SKIP);

#undef B

/* -- types: messages ------------------------------------------------------- */

static PER_OF(h245_forward_how, PER_CHOICE, 1, 3, 0, PER_F(h245_h222),
              PER_F(h245_h223), PER_F(h245_v76), PER_F(h245_h2250));
static PER_OF(h245_forward, PER_SEQ, 1, 3, 0, PER_O(per_u16),
              PER_FM(h245_data_type, OF_DATA), PER_F(h245_forward_how),
              PER_SKIP_2);
static PER_OF(h245_reverse_how, PER_CHOICE, 1, 2, 0, PER_F(h245_h223),
              PER_F(h245_v76), PER_F(h245_h2250));
static PER_OF(h245_reverse, PER_SEQ, 1, 2, 0, PER_F(h245_data_type),
              PER_O(h245_reverse_how), PER_SKIP_2);
PER_OF(h245_channel, PER_SEQ, 1, 3, SEE_CHANNEL, PER_F(per_1_65535),
       PER_F(h245_forward), PER_O(h245_reverse), PER_OM(h245_stack, OF_STACK),
       PER_STOP);

static PER_OF(h245_ack_how, PER_CHOICE, 1, 1, 0, PER_F(h245_h222),
              PER_F(h245_h2250));
static PER_OF(h245_ack_reverse, PER_SEQ, 1, 3, 0, PER_F(per_1_65535),
              PER_O(per_u16), PER_O(h245_ack_how), PER_SKIP);
static PER_OF(h245_ack_forward, PER_CHOICE, 1, 1, 0, PER_F(h245_h2250_ack));
static PER_OF(h245_channel_ack, PER_SEQ, 1, 2, SEE_CHANNEL_ACK,
              PER_F(per_1_65535), PER_O(h245_ack_reverse),
              PER_OM(h245_stack, OF_STACK), PER_O(h245_ack_forward), PER_STOP);

static PER_OF(h245_request, PER_CHOICE, 1, 11, 0, PER_END, PER_END, PER_END,
              PER_F(h245_channel));
static PER_OF(h245_response, PER_CHOICE, 1, 19, 0, PER_END, PER_END, PER_END,
              PER_END, PER_END, PER_F(h245_channel_ack));
PER_OF(h245_message, PER_CHOICE, 1, 4, 0, PER_F(h245_request),
       PER_F(h245_response));

/* -- what follows ---------------------------------------------------------- */

static void h245_unexpect(struct help_ctx *h, const struct expect_spec *s)
{
	const struct expect_match m = {
		.class = s->class,
		.dst = &s->dst,
		.dport = s->dport,
		.l4proto = s->l4proto,
	};

	h->unexpect(h, &m);
}

/* Both ports, or none. */
static void h245_media(struct help_ctx *h, const struct h323_place *p)
{
	struct expect_spec s;

	if (!h323_own(h, p))
		return;
	s = h323_spec(h, IPPROTO_UDP, p);
	s.dport &= 0xfffe;
	if (!h323_ask(h, &s))
		return;
	s.dport |= 1;
	if (h323_ask(h, &s))
		return;
	s.dport &= 0xfffe;
	h245_unexpect(h, &s);
}

static void h245_conference(struct help_ctx *h, const struct h245_seen *s)
{
	struct expect_spec spec;

	if (!s->ack &&
	    (s->application != H245_T120 || s->protocol != H245_LAN_STACK))
		return;
	if (!h323_own(h, &s->stack))
		return;
	spec = h323_spec(h, IPPROTO_TCP, &s->stack);
	spec.flags = EXPECT_PERMANENT;
	h323_ask(h, &spec);
}

void h245_done(struct help_ctx *h, struct h245_seen *s)
{
	if (s->stack.port)
		h245_conference(h, s);
	memset(s, 0, sizeof(*s));
}

void h245_see(struct help_ctx *h, struct h245_seen *s, uint8_t mark,
              uint8_t emit, uint32_t value, const uint8_t *bytes)
{
	switch (emit) {
	case SEE_CHANNEL:
	case SEE_CHANNEL_ACK:
		h245_done(h, s);
		s->ack = emit == SEE_CHANNEL_ACK;
		return;
	case SEE_APPLICATION:
	case SEE_PROTOCOL:
		if (mark == OF_DATA && emit == SEE_APPLICATION)
			s->application = (uint8_t)value;
		else if (mark == OF_DATA)
			s->protocol = (uint8_t)value;
		return;
	}
	if (mark == OF_STACK)
		h323_place(&s->stack, emit, value, bytes);
	else if (mark == OF_MEDIA && h323_place(&s->place, emit, value, bytes))
		h245_media(h, &s->place);
}

/* -- the helper ------------------------------------------------------------ */

struct h245_priv {
	struct h323_stream stream;
};
HELPER_PRIV(struct h245_priv);

struct h245_reading {
	struct help_ctx *h;
	struct h245_seen seen;
};

static void h245_told(void *arg, uint8_t mark, uint8_t emit, uint32_t value,
                      const uint8_t *bytes)
{
	struct h245_reading *r = arg;

	h245_see(r->h, &r->seen, mark, emit, value, bytes);
}

/* Once to know that it is sound, and once to do what it says. */
static bool h245_one(struct help_ctx *h, const uint8_t *msg, uint32_t len)
{
	struct h245_reading r = {.h = h};

	if (!per_read(&h245_message, msg, len, !h->mirror, NULL, NULL)) {
		h->count(h, HELP_MALFORMED);
		return false;
	}
	per_read(&h245_message, msg, len, !h->mirror, h245_told, &r);
	h245_done(h, &r.seen);
	return true;
}

static void h245_help(struct help_ctx *h)
{
	struct h245_priv *p = h->priv;

	h323_stream(h, &p->stream, h245_one);
}

/* four channels of media, each with two connections in two directions, and
 * T.120 */
static const struct helper_class h245_classes[] = {
	{.max = 18, .seconds = 240},
};

const struct helper helper_h245 = {
	.name = "H.245",
	.key = "h245",
	.nclasses = ARRAY_SIZE(h245_classes),
	.classes = h245_classes,
	.help = h245_help,
};

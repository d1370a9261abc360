/*
 * h323.h - what the three protocols of H.323 have in common.
 *
 * A terminal registers at a gatekeeper (RAS, ras.c), which tells it where to
 * call; the call is set up with Q.931 (q931.c), which tells where to connect
 * for H.245 (h245.c), or carries it; that opens the channels of RTP and RTCP.
 */
#ifndef HELPER_H323_H
#define HELPER_H323_H

#include "daemon/helper/frame.h"
#include "daemon/helper/h323_per.h"
#include "daemon/helper/helper.h"

/* what the interpreter tells of a message */
enum h323_emit {
	SEE_IP4 = 1, /* an address; its port follows */
	SEE_IP6,
	SEE_PORT,
	SEE_CHANNEL,     /* an OpenLogicalChannel begins */
	SEE_CHANNEL_ACK, /* an OpenLogicalChannelAck begins */
	SEE_APPLICATION, /* of data: its alternative */
	SEE_PROTOCOL,    /* of an application: its alternative */
	SEE_REASON,      /* of a Facility */
	SEE_RAS,         /* which message of RAS it is */
	SEE_SECONDS
};

/* and of which field */
enum h323_mark {
	OF_H245 = 1,  /* h245Address */
	OF_FORWARDED, /* where a call is to go: alternativeAddress */
	OF_DATA,      /* dataType of the forward channel */
	OF_MEDIA,     /* mediaChannel, mediaControlChannel */
	OF_STACK,     /* separateStack */
	OF_SIGNAL,    /* callSignalAddress */
	OF_CALLED,    /* destCallSignalAddress */
	OF_RAS,       /* rasAddress of a gatekeeper that confirms */
	OF_FAST,      /* a channel of fastStart */
	OF_OTHER
};

/* -- addresses ------------------------------------------------------------- */

struct h323_place {
	union pkt_addr addr;
	uint16_t port;
	uint8_t l3proto; /* 4 or 6; 0 = no address of IP */
};

/* Adds what was told; true: that was the port, and the place is whole. */
bool h323_place(struct h323_place *p, uint8_t emit, uint32_t value,
                const uint8_t *bytes);
/* It is of the connection's family and has a port. */
bool h323_usable(const struct help_ctx *h, const struct h323_place *p);
/* It is also the sender's own (F217); one that is not is counted. */
bool h323_own(struct help_ctx *h, const struct h323_place *p);

/* The receiver of this packet, from any port, to `dst`. */
struct expect_spec h323_spec(const struct help_ctx *h, uint8_t l4proto,
                             const struct h323_place *dst);
/* Whether it is expected now; the same once more is (F189). */
bool h323_ask(struct help_ctx *h, const struct expect_spec *s);

/* -- types of H.225.0 and of PER, h323_types.c ----------------------------- */

extern const struct per_type per_null, per_bool, per_oid, per_u8, per_u16,
	per_u32, per_1_256, per_1_65535, per_octets, per_octets_2, per_octets_4,
	per_octets_6, per_octets_16, per_octets_1_20, per_octets_1_131,
	per_octets_1_255, per_digits_1_128, per_bmp_1_128, per_null_2,
	per_null_3, per_null_4;
extern const struct per_type per_ip4, per_ip6, per_port;
extern const struct per_type h225_nonstandard, h225_transport, h225_transports,
	h225_aliases, h225_vendor, h225_endpoint;

/* -- H.245, h245.c --------------------------------------------------------- */

extern const struct per_type h245_channel; /* OpenLogicalChannel */
extern const struct per_type h245_message; /* all of it */

struct h245_seen {
	struct h323_place place, stack;
	uint8_t application, protocol;
	bool ack;
};

/* A per_see of channels, for whoever reads a message that contains them;
 * h245_done() when all is read. */
void h245_see(struct help_ctx *h, struct h245_seen *s, uint8_t mark,
              uint8_t emit, uint32_t value, const uint8_t *bytes);
void h245_done(struct help_ctx *h, struct h245_seen *s);

/* -- TPKT (RFC 1006), tpkt in h323.c --------------------------------------- */

struct h323_stream {
	struct frame frame[2]; /* mirror */
	uint16_t awaited[2];   /* strict: its head came alone */
};

/* Each message of a TCP segment. */
void h323_stream(struct help_ctx *h, struct h323_stream *s, frame_fn fn);

#endif

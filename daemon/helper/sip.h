/*
 * sip.h - what the files of the SIP helper share.
 *
 * sip.c knows methods, sip_text.c headers, sip_sdp.c media, sip_stream.c where
 * in a TCP stream a message begins.
 */
#ifndef HELPER_SIP_H
#define HELPER_SIP_H

#include "daemon/helper/text.h"

/* in the order of the kernel's class numbers (F210) */
enum sip_class { SIP_SIGNALLING, SIP_AUDIO, SIP_VIDEO, SIP_IMAGE };

enum {
	SIP_DIRECT_SIGNALLING,
	SIP_DIRECT_MEDIA,
	SIP_EXTERNAL_MEDIA,
	SIP_TIMEOUT
};

#define SIP_PORT     5060u
#define SIP_PORT_MIN 1024u /* below: neither a phone nor media (F211) */
#define SIP_SHORTEST 11u   /* SIP/2.0 200 */

struct sip_stream {
	uint32_t skip_to; /* sequence number at which a message ends */
	uint8_t skipping; /* `skip_to` means something */
	uint8_t unused[3];
};

struct sip_priv {
	/* of the last request that was taken; an answer to another one says
	 * nothing about what is expected now */
	uint32_t invite_cseq, register_cseq;
	struct sip_stream stream[2]; /* mirror, TCP */
};

/* one message, or as much of it as there is */
struct sip_msg {
	const uint8_t *at, *end;
	bool mirror;
};

/* what a search comes to */
enum sip_find {
	SIP_BAD = -1, /* it stands there, but not as it should */
	SIP_NONE,
	SIP_FOUND
};

enum sip_header { SIP_CSEQ, SIP_CONTACT, SIP_EXPIRES, SIP_LENGTH };

struct sip_uri {
	union pkt_addr addr;
	uint16_t port;
};

/* where in a message's list of contacts one is; all zero to begin with */
struct sip_contacts {
	const uint8_t *at; /* behind the last one's port */
	bool inside;       /* of a header that may list more */
	uint16_t listed;   /* URIs that were not the first of their header */
};

/* -- sip_text.c ------------------------------------------------------------ */

/* The first byte of the next line, or NULL: none, or nothing is in it. */
const uint8_t *sip_line(const uint8_t *at, const uint8_t *end);
/* Where the search for a line goes on when `line` was the wrong one. */
const uint8_t *sip_line_after(const struct sip_msg *m, const uint8_t *line);

/* The value of the next such header behind `from`: its digits, or the host of
 * its URI and all behind it.  SIP_BAD: v->at is where to look further. */
enum sip_find sip_header(const struct sip_msg *m, const uint8_t *from,
                         enum sip_header which, uint8_t l3proto,
                         struct text *v);
/* A number in a header; SIP_BAD: no number, or one that cannot be. */
enum sip_find sip_number(const struct sip_msg *m, enum sip_header which,
                         uint32_t *v);
/* Decimal digits.  False: none, or more than a number has. */
bool sip_digits(struct text *t, uint32_t *v);

/* The next contact whose host is an address. */
bool sip_contact(const struct sip_msg *m, struct sip_contacts *c,
                 uint8_t l3proto, struct sip_uri *u);
/* Of the contact that sip_contact() gave last: whether it is reached by the
 * protocol that this message came by ... */
bool sip_contact_here(const struct sip_msg *m, const struct sip_contacts *c,
                      uint8_t l4proto);
/* ... and for how many seconds, if it says so. */
enum sip_find sip_contact_expires(const struct sip_msg *m,
                                  const struct sip_contacts *c,
                                  uint32_t *seconds);

/* Steps over an address; in a URI one of IPv6 has its brackets. */
bool sip_addr(struct text *t, uint8_t l3proto, bool uri, union pkt_addr *a);
bool sip_is_alpha(uint8_t c);

/* -- sip_sdp.c ------------------------------------------------------------- */

/* Expects the media of a session description, if there is one.  False: the
 * kernel would have dropped the packet. */
bool sip_sdp(struct help_ctx *h, const struct sip_msg *m);
void sip_forget_media(struct help_ctx *h);

/* -- sip.c, sip_stream.c --------------------------------------------------- */

/* False as for sip_sdp(). */
bool sip_message(struct help_ctx *h, struct text t);
/* The part of `t` up to its last line's end: a line that was cut may say
 * another number or address than it did. */
struct text sip_whole_lines(struct text t);
/* The segments of a stream, message by message. */
void sip_segment(struct help_ctx *h);
void sip_stream(struct help_ctx *h, struct sip_stream *s);

#endif

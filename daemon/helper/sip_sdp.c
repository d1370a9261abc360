/*
 * sip_sdp.c - which media a session description announces (RFC 4566, F211).
 *
 * The description names an address for all media (c= before the first m=) or
 * for one (c= behind its m=), and for each a port:
 *
 *	v=0
 *	c=IN IP4 10.0.0.1
 *	m=audio 20000 RTP/AVP 0
 *
 * From it follow two flows to that address: RTP to the port, made even, and
 * RTCP to the one above (RFC 3550, 11).  They come from the other end of the
 * signalling connection, from any port; with sip_direct_media=0 from anybody,
 * as when a proxy signals for a phone.  With sip_direct_media=1 the address
 * must be the sender's own.
 *
 * Limits of the kernel, kept in both modes: three media are taken, a port
 * below 1024 ends it all, and so does a medium of which no address is known.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/sip.h"

static const struct sip_media_type {
	const char *name;
	enum sip_class kind;
} sip_media_types[] = {
	{"audio ", SIP_AUDIO},
	{"video ", SIP_VIDEO},
	{"image ", SIP_IMAGE},
};

#define SIP_MEDIA_MAX ARRAY_SIZE(sip_media_types)

void sip_forget_media(struct help_ctx *h)
{
	const struct expect_match m = {.class = SIP_AUDIO,
	                               .class_to = SIP_IMAGE};

	h->unexpect(h, &m);
}

/* Another connection, or another medium, that expects the very same flow is
 * no fault: two phones behind one proxy hear the same offer (F189). */
static bool sip_accepted(struct help_ctx *h, const struct expect_spec *s)
{
	int rc = h->expect(h, s);

	if (!rc || rc == -EEXIST || rc == -EBUSY || rc == -EALREADY)
		return true;
	h->count(h, HELP_LIMIT);
	return false;
}

static bool sip_expect_media(struct help_ctx *h, const union pkt_addr *addr,
                             uint16_t port, enum sip_class kind)
{
	struct expect_match m;
	struct expect_spec s;

	memset(&s, 0, sizeof(s));
	s.class = (uint8_t)kind;
	s.l4proto = IPPROTO_UDP;
	s.any_sport = true;
	s.any_src = true;
	if (h->option[SIP_DIRECT_MEDIA]) {
		if (!ask_same_addr(addr, &h->addr[h->dir])) {
			h->count(h, HELP_FOREIGN);
			return true;
		}
		s.any_src = false;
		s.src = h->addr[!h->dir];
		memset(&s.src_mask, 0xff, h->l3proto == 6 ? 16 : 4);
	}
	s.dst = *addr;
	s.dport = port & 0xfffeu;
	if (!sip_accepted(h, &s))
		return false;
	s.dport |= 1;
	if (sip_accepted(h, &s))
		return true;
	/* control without data, or data without control, is of no use */
	memset(&m, 0, sizeof(m));
	m.class = s.class;
	m.dst = &s.dst;
	m.dport = port & 0xfffeu;
	m.l4proto = IPPROTO_UDP;
	h->unexpect(h, &m);
	return false;
}

/* -- lines of the description ---------------------------------------------- */

static bool sdp_is(const uint8_t *line, const uint8_t *end, char letter)
{
	return end - line >= 2 && (line[0] | 0x20) == letter && line[1] == '=';
}

/* Behind "letter=" of the next such line; none behind one of `stop`. */
static bool sdp_line(const struct sip_msg *m, const uint8_t *from, char letter,
                     char stop, struct text *v)
{
	const uint8_t *line = from;

	while ((line = sip_line(line, m->end))) {
		if (stop && sdp_is(line, m->end, stop))
			return false;
		if (sdp_is(line, m->end, letter)) {
			*v = (struct text){line + 2, m->end};
			return true;
		}
		line = sip_line_after(m, line);
	}
	return false;
}

/* The address of the next c= line before the next medium. */
static enum sip_find sdp_addr(const struct sip_msg *m, const uint8_t *from,
                              uint8_t l3proto, union pkt_addr *a)
{
	const char *word = l3proto == 6 ? "IN IP6 " : "IN IP4 ";
	struct text v;

	if (!sdp_line(m, from, 'c', 'm', &v))
		return SIP_NONE;
	while (v.at < v.end && *v.at != '\r' && *v.at != '\n') {
		if (!text_word(&v, word)) {
			v.at++;
			continue;
		}
		return sip_addr(&v, l3proto, false, a) ? SIP_FOUND : SIP_BAD;
	}
	return SIP_BAD;
}

/* Whether this looks like a medium at all: letters and a blank. */
static bool sdp_is_medium(struct text t)
{
	while (t.at < t.end && sip_is_alpha(*t.at))
		t.at++;
	return t.at < t.end && *t.at == ' ';
}

static const struct sip_media_type *sdp_type(struct text *t)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sip_media_types); i++)
		if (text_word(t, sip_media_types[i].name))
			return &sip_media_types[i];
	return NULL;
}

/* One medium, `v` is behind its type.  *taken: it has a port. */
static bool sdp_medium(struct help_ctx *h, const struct sip_msg *m,
                       struct text v, const union pkt_addr *session,
                       enum sip_class kind, bool *taken)
{
	union pkt_addr addr;
	uint32_t port = 0;
	struct text t = v;

	*taken = false;
	if (!sip_digits(&t, &port) || !port)
		return true;
	if (port < SIP_PORT_MIN || port > UINT16_MAX) {
		h->count(h, HELP_MALFORMED);
		return false;
	}
	if (sdp_addr(m, v.at, h->l3proto, &addr) != SIP_FOUND) {
		if (!session) {
			h->count(h, HELP_MALFORMED);
			return false;
		}
		addr = *session;
	}
	*taken = true;
	return sip_expect_media(h, &addr, (uint16_t)port, kind);
}

bool sip_sdp(struct help_ctx *h, const struct sip_msg *m)
{
	const struct sip_media_type *type;
	const union pkt_addr *session = NULL;
	union pkt_addr addr;
	unsigned int taken = 0;
	struct text v;
	bool one;

	if (!sdp_line(m, m->at, 'v', 0, &v) || v.at == v.end ||
	    !text_is_digit(*v.at))
		return true;
	if (sdp_addr(m, v.at, h->l3proto, &addr) == SIP_FOUND)
		session = &addr;
	while (taken < SIP_MEDIA_MAX && sdp_line(m, v.at, 'm', 0, &v) &&
	       sdp_is_medium(v)) {
		type = sdp_type(&v);
		if (!type)
			continue;
		if (!sdp_medium(h, m, v, session, type->kind, &one))
			return false;
		taken += one;
	}
	return true;
}

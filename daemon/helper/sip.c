/*
 * sip.c - SIP: calls and registrations (RFC 3261, F210-F214).
 *
 * Two things are announced on a signalling connection.  A session description,
 * in a request or in the answer to one, names the flows of a call's media;
 * they are forgotten when a new INVITE describes it anew, when it fails, and
 * with BYE.  And REGISTER says where a phone wants to be called: the registrar
 * will open a connection to its Contact address.  Since only the registrar can
 * know whether it will, that expectation matches nothing (INACTIVE) until its
 * answer says so and for how long; then it matches again and again
 * (PERMANENT), and what it matches speaks SIP too.
 *
 * Answers are told from late ones by the number in CSeq of the last request
 * that was understood.
 *
 * CANCEL needs no place here: what it ends is told by the final answer to the
 * INVITE (487), and until then media may still flow (RFC 3261, 9.1).
 *
 * Where the kernel drops a packet that it cannot understand, nothing more of
 * that packet is looked at, and it is counted; what was found before stays, if
 * the connection does (F203).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/sip.h"

HELPER_PRIV(struct sip_priv);

/* False: the kernel would have dropped the packet. */
typedef bool (*sip_request)(struct help_ctx *h, const struct sip_msg *m,
                            uint32_t cseq);
typedef bool (*sip_response)(struct help_ctx *h, const struct sip_msg *m,
                             uint32_t cseq, uint32_t code);

struct sip_method {
	const char *name;
	sip_request request;
	sip_response response;
};

static bool sip_malformed(struct help_ctx *h)
{
	h->count(h, HELP_MALFORMED);
	return false;
}

/* -- calls ----------------------------------------------------------------- */

static bool sip_offer(struct help_ctx *h, const struct sip_msg *m,
                      uint32_t cseq)
{
	(void)cseq;
	return sip_sdp(h, m);
}

static bool sip_invite(struct help_ctx *h, const struct sip_msg *m,
                       uint32_t cseq)
{
	struct sip_priv *p = h->priv;

	sip_forget_media(h);
	if (!sip_sdp(h, m))
		return false;
	p->invite_cseq = cseq;
	return true;
}

static bool sip_bye(struct help_ctx *h, const struct sip_msg *m, uint32_t cseq)
{
	(void)m;
	(void)cseq;
	sip_forget_media(h);
	return true;
}

/* to INVITE and those that change what it began (RFC 3311, RFC 3262) */
static bool sip_answer(struct help_ctx *h, const struct sip_msg *m,
                       uint32_t cseq, uint32_t code)
{
	struct sip_priv *p = h->priv;

	if (code >= 100 && code <= 299)
		return sip_sdp(h, m);
	if (p->invite_cseq == cseq)
		sip_forget_media(h);
	return true;
}

/* -- registrations --------------------------------------------------------- */

static void sip_forget_registration(struct help_ctx *h)
{
	struct expect_match m;

	memset(&m, 0, sizeof(m));
	m.class = SIP_SIGNALLING;
	h->unexpect(h, &m);
}

static bool sip_expect_call(struct help_ctx *h, const struct sip_uri *u)
{
	struct expect_spec s;
	int rc;

	memset(&s, 0, sizeof(s));
	s.class = SIP_SIGNALLING;
	s.l4proto = h->pkt->l4proto;
	s.flags = EXPECT_PERMANENT | EXPECT_INACTIVE;
	s.any_sport = true;
	s.any_src = !h->option[SIP_DIRECT_SIGNALLING];
	if (!s.any_src) {
		s.src = h->addr[!h->dir];
		memset(&s.src_mask, 0xff, h->l3proto == 6 ? 16 : 4);
	}
	s.dst = u->addr;
	s.dport = u->port;
	s.assign = "sip";
	rc = h->expect(h, &s);
	if (!rc || rc == -EEXIST)
		return true;
	h->count(h, HELP_LIMIT);
	return false;
}

/* The seconds that hold for all contacts; 0 when there are none. */
static uint32_t sip_expires(const struct sip_msg *m)
{
	uint32_t v = 0;

	return sip_number(m, SIP_EXPIRES, &v) == SIP_FOUND ? v : 0;
}

static bool sip_register(struct help_ctx *h, const struct sip_msg *m,
                         uint32_t cseq)
{
	struct sip_contacts c = {NULL, false, 0};
	uint32_t seconds = sip_expires(m);
	struct sip_priv *p = h->priv;
	struct sip_uri u;

	/* on an expected connection it is the registrar that calls (F212) */
	if (h->expected || !sip_contact(m, &c, h->l3proto, &u))
		return true;
	if (!ask_same_addr(&u.addr, &h->addr[h->dir])) {
		h->count(h, HELP_FOREIGN);
		return true;
	}
	if (!sip_contact_here(m, &c, h->pkt->l4proto))
		return true;
	if (sip_contact_expires(m, &c, &seconds) == SIP_BAD)
		return sip_malformed(h);
	/* 0 takes the binding back (RFC 3261, 10.2.2); the answer tells */
	if (seconds && !sip_expect_call(h, &u))
		return false;
	p->register_cseq = cseq;
	return true;
}

static bool sip_confirm(struct help_ctx *h, const struct sip_uri *u,
                        uint32_t seconds)
{
	struct expect_match m;

	memset(&m, 0, sizeof(m));
	m.class = SIP_SIGNALLING;
	m.dst = &u->addr;
	m.dport = u->port;
	m.l4proto = h->pkt->l4proto;
	return h->revise(h, &m, true, seconds) > 0;
}

/* What is left of the registration: the first contact of the asker's that the
 * registrar keeps.  *kept: there is one. */
static bool sip_bindings(struct help_ctx *h, const struct sip_msg *m,
                         bool *kept)
{
	struct sip_contacts c = {NULL, false, 0};
	uint32_t all = sip_expires(m), seconds;
	struct sip_uri u;

	*kept = false;
	while (!*kept && sip_contact(m, &c, h->l3proto, &u)) {
		if (!ask_same_addr(&u.addr, &h->addr[!h->dir]) ||
		    !sip_contact_here(m, &c, h->pkt->l4proto))
			continue;
		seconds = all;
		if (sip_contact_expires(m, &c, &seconds) == SIP_BAD)
			return sip_malformed(h);
		if (!seconds)
			break;
		*kept = sip_confirm(h, &u, seconds);
	}
	return true;
}

static bool sip_registered(struct help_ctx *h, const struct sip_msg *m,
                           uint32_t cseq, uint32_t code)
{
	struct sip_priv *p = h->priv;
	bool kept = false;

	if (p->register_cseq != cseq || (code >= 100 && code <= 199))
		return true;
	if (code >= 200 && code <= 299 && !sip_bindings(h, m, &kept))
		return false;
	if (!kept)
		sip_forget_registration(h);
	return true;
}

/* -- messages -------------------------------------------------------------- */

static const struct sip_method sip_methods[] = {
	{"INVITE", sip_invite, sip_answer},
	{"UPDATE", sip_offer, sip_answer},
	{"ACK", sip_offer, NULL},
	{"PRACK", sip_offer, sip_answer},
	{"BYE", sip_bye, NULL},
	{"REGISTER", sip_register, sip_registered},
};

/* The number of CSeq, and what stands behind it. */
static bool sip_cseq(const struct sip_msg *m, uint32_t *cseq, struct text *rest)
{
	if (sip_header(m, m->at, SIP_CSEQ, 4, rest) != SIP_FOUND)
		return false;
	return sip_digits(rest, cseq);
}

static bool sip_handle_request(struct help_ctx *h, const struct sip_msg *m)
{
	const struct sip_method *method;
	struct text t, rest;
	uint32_t cseq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sip_methods); i++) {
		method = &sip_methods[i];
		t = (struct text){m->at, m->end};
		if (!text_nocase(&t, method->name) || !text_byte(&t, ' ') ||
		    t.at == t.end || !sip_is_alpha(*t.at))
			continue;
		if (!sip_cseq(m, &cseq, &rest))
			return sip_malformed(h);
		return method->request(h, m, cseq);
	}
	return true;
}

/* `t` is behind the version. */
static bool sip_handle_response(struct help_ctx *h, const struct sip_msg *m,
                                struct text t)
{
	const struct sip_method *method;
	uint32_t cseq, code;
	struct text rest;
	unsigned int i;

	if (!sip_digits(&t, &code) || !code || !sip_cseq(m, &cseq, &rest))
		return sip_malformed(h);
	if (rest.at < rest.end)
		rest.at++; /* one blank, whatever it is */
	for (i = 0; i < ARRAY_SIZE(sip_methods); i++) {
		method = &sip_methods[i];
		t = rest;
		if (method->response && text_nocase(&t, method->name))
			return method->response(h, m, cseq, code);
	}
	return true;
}

bool sip_message(struct help_ctx *h, struct text t)
{
	struct sip_msg m = {t.at, t.end, h->mirror};

	h->count(h, HELP_LINES);
	if (!text_nocase(&t, "SIP/2.0 "))
		return sip_handle_request(h, &m);
	return text_left(&t) < SIP_SHORTEST - strlen("SIP/2.0 ") ||
	       sip_handle_response(h, &m, t);
}

struct text sip_whole_lines(struct text t)
{
	while (t.at < t.end && t.end[-1] != '\n')
		t.end--;
	return t;
}

static void sip_datagram(struct help_ctx *h)
{
	struct text t = text_payload(h, 0);

	if (h->len < SIP_SHORTEST)
		return;
	if (text_left(&t) < h->len)
		t = sip_whole_lines(t);
	if (text_left(&t) >= SIP_SHORTEST)
		h->drop = !sip_message(h, t);
}

static void sip_help(struct help_ctx *h)
{
	struct sip_priv *p = h->priv;
	bool tcp = h->pkt->l4proto == IPPROTO_TCP;

	if (tcp && h->info != CTINFO_ESTABLISHED &&
	    h->info != CTINFO_ESTABLISHED_REPLY)
		return;
	h->refresh(h, h->option[SIP_TIMEOUT]);
	if (!tcp)
		sip_datagram(h);
	else if (h->mirror)
		sip_stream(h, &p->stream[h->dir & 1]);
	else
		sip_segment(h);
}

static const struct helper_port sip_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = SIP_PORT, .v4 = true, .v6 = true},
	{.l4proto = IPPROTO_TCP, .port = SIP_PORT, .v4 = true, .v6 = true},
};

static const struct helper_class sip_classes[] = {
	[SIP_SIGNALLING] = {"signalling", 1, 180},
	[SIP_AUDIO] = {"audio", 4, 180},
	[SIP_VIDEO] = {"video", 4, 180},
	[SIP_IMAGE] = {"image", 2, 180},
};

static const struct helper_option sip_options[] = {
	[SIP_DIRECT_SIGNALLING] = {"sip_direct_signalling", 1, 0, 1,
                                   "calls come from the registrar alone"},
	[SIP_DIRECT_MEDIA] = {"sip_direct_media", 1, 0, 1,
                              "media flow between the ends of the signalling "
                              "connection alone"},
	/* the kernel asks its routing table (F213); a mirror port has none */
	[SIP_EXTERNAL_MEDIA] = {"sip_external_media", 0, 0, 0,
                                "media outside of the router: not possible"},
	[SIP_TIMEOUT] = {"sip_timeout", 3600, 1, 31536000,
                         "seconds that a signalling connection lives"},
};

const struct helper helper_sip = {
	.name = "sip",
	.key = "sip",
	.nports = ARRAY_SIZE(sip_ports),
	.nclasses = ARRAY_SIZE(sip_classes),
	.noptions = ARRAY_SIZE(sip_options),
	.ports = sip_ports,
	.classes = sip_classes,
	.options = sip_options,
	.help = sip_help,
};

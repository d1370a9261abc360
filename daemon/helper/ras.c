/*
 * ras.c - registration, admission and status of H.323 (H.225.0, F215).
 *
 * Terminal and gatekeeper talk over UDP:
 *
 *	GCF	a gatekeeper that says so: ask me there
 *	RRQ	a terminal: calls for me come there, for so long
 *	RCF	the gatekeeper agrees, maybe for another time
 *	URQ	one of both ends it
 *	ACF, LCF	the gatekeeper: call there
 *
 * Calls come from the gatekeeper alone, as long as ras_gkrouted_only is set.
 * The registration keeps its connection for as long as it is good for.
 *
 * The kernel stumbles over the time that an RRQ or RCF names, and takes no such
 * message unless enough bytes follow.  Strict mode does as it does
 * (h323_per.c); mirror mode reads it.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/h323.h"

enum { RAS_ROUTED, RAS_SECONDS };

#define RAS_UNREGISTERED 30u /* seconds, for the answer to an URQ */

/* alternatives of RasMessage */
#define RAS_GCF 1u
#define RAS_RRQ 3u
#define RAS_RCF 4u
#define RAS_URQ 6u
#define RAS_ACF 10u
#define RAS_LCF 19u

struct ras_priv {
	uint32_t seconds; /* that the registration was asked for */
	uint16_t port[2]; /* where calls come to, of either side */
};
HELPER_PRIV(struct ras_priv);

/* -- types ----------------------------------------------------------------- */

static const struct per_type ras_seconds = {
	.kind = PER_INT, .lb = 1, .ub = 4294967295u, .emit = SEE_SECONDS};

static PER_OF(ras_gcf, PER_SEQ, 1, 5, 0, PER_F(per_1_65535), PER_F(per_oid),
              PER_O(h225_nonstandard), PER_O(per_bmp_1_128),
              PER_FM(h225_transport, OF_RAS), PER_STOP);
static PER_OF(ras_rrq, PER_SEQ, 1, 10, 0, PER_F(per_1_65535), PER_F(per_oid),
              PER_O(h225_nonstandard), PER_F(per_bool),
              PER_FM(h225_transports, OF_SIGNAL),
              PER_FM(h225_transports, OF_OTHER), PER_F(h225_endpoint),
              PER_O(h225_aliases), PER_O(per_bmp_1_128), PER_F(h225_vendor),
              PER_SKIP, PER_F(ras_seconds), PER_STOP);
static PER_OF(ras_rcf, PER_SEQ, 1, 7, 0, PER_F(per_1_65535), PER_F(per_oid),
              PER_O(h225_nonstandard), PER_FM(h225_transports, OF_OTHER),
              PER_O(h225_aliases), PER_O(per_bmp_1_128), PER_F(per_bmp_1_128),
              PER_SKIP, PER_F(ras_seconds), PER_STOP);
static PER_OF(ras_urq, PER_SEQ, 1, 5, 0, PER_F(per_1_65535),
              PER_FM(h225_transports, OF_OTHER), PER_B(h225_aliases),
              PER_O(h225_nonstandard), PER_O(per_bmp_1_128));
static PER_OF(ras_acf, PER_SEQ, 1, 6, 0, PER_F(per_1_65535), PER_F(per_u32),
              PER_F(per_null_2), PER_FM(h225_transport, OF_CALLED),
              PER_B(per_1_65535), PER_O(h225_nonstandard));
static PER_OF(ras_lcf, PER_SEQ, 1, 4, 0, PER_F(per_1_65535),
              PER_FM(h225_transport, OF_SIGNAL),
              PER_FM(h225_transport, OF_OTHER), PER_B(h225_nonstandard));

static PER_OF(ras_message, PER_CHOICE, 1, 25, SEE_RAS, PER_END, PER_F(ras_gcf),
              PER_END, PER_F(ras_rrq), PER_F(ras_rcf), PER_END, PER_F(ras_urq),
              PER_END, PER_END, PER_END, PER_F(ras_acf), PER_END, PER_END,
              PER_END, PER_END, PER_END, PER_END, PER_END, PER_END,
              PER_F(ras_lcf));

/* -- what a message says --------------------------------------------------- */

struct ras_reading {
	struct help_ctx *h;
	struct h323_place place;
	struct h323_place signal; /* the one that counts */
	uint32_t message, seconds;
};

static void ras_told(void *arg, uint8_t mark, uint8_t emit, uint32_t value,
                     const uint8_t *bytes)
{
	struct ras_reading *r = arg;

	if (emit == SEE_RAS)
		r->message = value;
	else if (emit == SEE_SECONDS)
		r->seconds = value;
	else if (mark == OF_OTHER || !h323_place(&r->place, emit, value, bytes))
		return;
	else if (mark != OF_SIGNAL || r->message != RAS_RRQ)
		r->signal = r->place;
	else if (!r->signal.port && h323_own(r->h, &r->place))
		r->signal = r->place; /* the first of its own */
}

/* The kernel takes what a gatekeeper says also without a port. */
static bool ras_usable(const struct help_ctx *h, const struct h323_place *p)
{
	return h->mirror ? h323_usable(h, p) : p->l3proto == h->l3proto;
}

static void ras_gatekeeper(struct help_ctx *h, const struct h323_place *p)
{
	struct expect_spec s;

	if (!ras_usable(h, p) ||
	    (p->port == h->port[h->dir] &&
	     !memcmp(&p->addr, &h->addr[h->dir], sizeof(p->addr))))
		return;
	s = h323_spec(h, IPPROTO_UDP, p);
	s.assign = "RAS";
	h323_ask(h, &s);
}

static void ras_call(struct help_ctx *h, struct expect_spec *s)
{
	s->flags = EXPECT_PERMANENT;
	s->assign = "Q.931";
	h323_ask(h, s);
}

static void ras_register(struct help_ctx *h, struct ras_priv *p,
                         const struct ras_reading *r)
{
	struct expect_spec s;

	p->seconds = r->seconds ? r->seconds : h->option[RAS_SECONDS];
	if (!r->signal.port)
		return;
	s = h323_spec(h, IPPROTO_TCP, &r->signal);
	if (!h->option[RAS_ROUTED]) {
		s.any_src = true;
		memset(&s.src, 0, sizeof(s.src));
		memset(&s.src_mask, 0, sizeof(s.src_mask));
	}
	ras_call(h, &s);
	p->port[h->dir] = s.dport;
}

static void ras_registered(struct help_ctx *h, struct ras_priv *p,
                           const struct ras_reading *r)
{
	const struct expect_match m = {
		.dst = &h->addr[!h->dir],
		.dport = p->port[!h->dir],
		.l4proto = IPPROTO_TCP,
	};

	if (r->seconds)
		p->seconds = r->seconds;
	if (!p->seconds)
		return;
	h->refresh(h, p->seconds);
	/* the kernel does not find one that is for the gatekeeper alone */
	if (m.dport && (h->mirror || !h->option[RAS_ROUTED]))
		h->revise(h, &m, false, p->seconds);
}

static void ras_unregister(struct help_ctx *h, struct ras_priv *p)
{
	const struct expect_match all = {.any_class = true};

	h->unexpect(h, &all);
	p->port[0] = p->port[1] = 0;
	h->refresh(h, RAS_UNREGISTERED);
}

/* Where a gatekeeper sends a call. */
static void ras_admit(struct help_ctx *h, const struct ras_reading *r)
{
	const struct h323_place *p = &r->signal;
	struct expect_spec s;

	if (!ras_usable(h, p))
		return;
	if (r->message == RAS_ACF &&
	    !memcmp(&p->addr, &h->addr[!h->dir], sizeof(p->addr)))
		return; /* who asked is the one who is called */
	s = h323_spec(h, IPPROTO_TCP, p);
	ras_call(h, &s);
}

static void ras_act(struct help_ctx *h, const struct ras_reading *r)
{
	switch (r->message) {
	case RAS_GCF:
		ras_gatekeeper(h, &r->signal);
		break;
	case RAS_RRQ:
		ras_register(h, h->priv, r);
		break;
	case RAS_RCF:
		ras_registered(h, h->priv, r);
		break;
	case RAS_URQ:
		ras_unregister(h, h->priv);
		break;
	case RAS_ACF:
	case RAS_LCF:
		ras_admit(h, r);
		break;
	}
}

static void ras_help(struct help_ctx *h)
{
	struct ras_reading r = {.h = h};
	const uint8_t *msg = help_data(h, 0, h->len);

	h->count(h, HELP_LINES);
	if (!msg ||
	    !per_read(&ras_message, msg, h->len, !h->mirror, ras_told, &r)) {
		h->count(h, HELP_MALFORMED);
		return;
	}
	ras_act(h, &r);
}

static const struct helper_port ras_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = 1719, .v4 = true, .v6 = true},
};

static const struct helper_class ras_classes[] = {
	{.max = 32, .seconds = 240},
};

static const struct helper_option ras_options[] = {
	[RAS_ROUTED] = {"ras_gkrouted_only", 1, 0, 1,
                        "calls come from the gatekeeper alone"},
	[RAS_SECONDS] = {"ras_default_ttl", 300, 1, 4294967295u,
                         "seconds of a registration that names none"},
};

const struct helper helper_ras = {
	.name = "RAS",
	.key = "ras",
	.nports = ARRAY_SIZE(ras_ports),
	.nclasses = ARRAY_SIZE(ras_classes),
	.noptions = ARRAY_SIZE(ras_options),
	.ports = ras_ports,
	.classes = ras_classes,
	.options = ras_options,
	.help = ras_help,
};

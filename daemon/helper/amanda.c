/*
 * amanda.c - Amanda, the network backup (F221).
 *
 * The backup server asks over UDP, and the machine that is to be saved
 * answers with the TCP ports where it waits for the streams:
 *
 *	CONNECT DATA 50001 MESG 50002 INDEX 50003\n
 *
 * The answer may take long: estimating the size of a disk takes minutes.  So
 * each packet of the reply direction gives the connection another
 * amanda_master_timeout seconds.
 *
 * In both modes the ports are read wherever the line has their words, and
 * expected in the order above.  Strict mode looks at five digits and lets
 * them wrap, as the kernel does; mirror mode takes ports that exist.
 */
#include <netinet/in.h>
#include <string.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/text.h"

enum { AMANDA_TIMEOUT };

#define AMANDA_DIGITS 5u

static const char *const amanda_words[] = {"DATA ", "MESG ", "INDEX ",
                                           "STATE "};

/* The port at `t`; 0 = none. */
static uint16_t amanda_port(const struct help_ctx *h, struct text t)
{
	uint32_t v;

	if (h->mirror)
		return text_number(&t, 0xffff, &v) ? (uint16_t)v : 0;
	if (text_left(&t) > AMANDA_DIGITS)
		t.end = t.at + AMANDA_DIGITS;
	return (uint16_t)text_wrapped(&t);
}

static void amanda_line(struct help_ctx *h, struct text t)
{
	struct text at;
	uint16_t port;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(amanda_words); i++) {
		at = t;
		if (!text_find(&at, amanda_words[i]))
			continue;
		port = amanda_port(h, at);
		if (!port) {
			h->count(h, HELP_MALFORMED);
			return;
		}
		ask_expect(h, IPPROTO_TCP, &h->addr[0], &h->addr[1], port, 0);
	}
}

static void amanda_help(struct help_ctx *h)
{
	struct text t;
	const uint8_t *nl;

	if (h->dir != DIR_REPLY)
		return;
	h->refresh(h, h->option[AMANDA_TIMEOUT]);
	t = text_payload(h, 0);
	if (!text_find(&t, "CONNECT "))
		return;
	h->count(h, HELP_LINES);
	nl = text_left(&t) ? memchr(t.at, '\n', text_left(&t)) : NULL;
	if (!nl) {
		h->count(h, HELP_MALFORMED);
		return;
	}
	t.end = nl;
	amanda_line(h, t);
}

static const struct helper_port amanda_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = 10080, .v4 = true, .v6 = true},
};

static const struct helper_class amanda_classes[] = {
	{.max = 4, .seconds = 180},
};

static const struct helper_option amanda_options[] = {
	[AMANDA_TIMEOUT] = {"amanda_master_timeout", 300, 1, 86400,
                            "seconds that each answer gives its connection"},
};

const struct helper helper_amanda = {
	.name = "amanda",
	.key = "amanda",
	.nports = ARRAY_SIZE(amanda_ports),
	.nclasses = ARRAY_SIZE(amanda_classes),
	.noptions = ARRAY_SIZE(amanda_options),
	.ports = amanda_ports,
	.classes = amanda_classes,
	.options = amanda_options,
	.empty = true,
	.help = amanda_help,
};

/*
 * tftp.c - TFTP (RFC 1350, F208).
 *
 * A request goes to port 69; the server answers from a port of its own
 * choice, to the port that asked (RFC 1350, 4).  So the packet need only be a
 * request for the answer to be known: the server, from any port, to the
 * client's address and port.  Nothing is remembered, and both modes do the
 * same: the kernel also takes a request in the reply direction, and expects
 * the same connection for it.
 */
#include <netinet/in.h>

#include "daemon/helper/ask.h"

enum { TFTP_RRQ = 1, TFTP_WRQ = 2 };

static void tftp_help(struct help_ctx *h)
{
	const uint8_t *op = help_data(h, 0, 2);

	if (!op)
		return;
	h->count(h, HELP_LINES);
	if (get16(op) == TFTP_RRQ || get16(op) == TFTP_WRQ)
		ask_expect(h, IPPROTO_UDP, &h->addr[1], &h->addr[0], h->port[0],
		           0);
}

static const struct helper_port tftp_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = 69, .v4 = true, .v6 = true},
};

static const struct helper_class tftp_classes[] = {
	{.max = 1, .seconds = 300},
};

const struct helper helper_tftp = {
	.name = "tftp",
	.key = "tftp",
	.nports = ARRAY_SIZE(tftp_ports),
	.nclasses = ARRAY_SIZE(tftp_classes),
	.ports = tftp_ports,
	.classes = tftp_classes,
	.help = tftp_help,
};

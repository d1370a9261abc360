/*
 * netbios_ns.c - NetBIOS names (RFC 1001, RFC 1002, F223).
 *
 * A machine without a name server asks all of its network for a name, and
 * whoever has it answers from port 137 to the port that asked.  See
 * broadcast.c for what is done in which mode.
 */
#include <netinet/in.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/broadcast.h"

/* RFC 1002, 4.2.1.1: the header, and flags in its second word */
#define NBNS_HEADER    12u
#define NBNS_RESPONSE  0x8000u
#define NBNS_BROADCAST 0x0010u

static void netbios_ns_help(struct help_ctx *h)
{
	const uint8_t *b = help_data(h, 0, NBNS_HEADER);

	if (!b)
		return;
	h->count(h, HELP_LINES);
	if (!(get16(b + 2) & NBNS_RESPONSE))
		broadcast_request(h, get16(b + 2) & NBNS_BROADCAST);
}

static const struct helper_port netbios_ns_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = 137, .v4 = true},
};

static const struct helper_class netbios_ns_classes[] = {
	{.max = 1, .seconds = 3},
};

static const struct helper_option netbios_ns_options[] = {
	BROADCAST_ROWS("netbios_ns", 3),
};

const struct helper helper_netbios_ns = {
	.name = "netbios-ns",
	.key = "netbios-ns",
	.nports = ARRAY_SIZE(netbios_ns_ports),
	.nclasses = ARRAY_SIZE(netbios_ns_classes),
	.noptions = ARRAY_SIZE(netbios_ns_options),
	.ports = netbios_ns_ports,
	.classes = netbios_ns_classes,
	.options = netbios_ns_options,
	.help = netbios_ns_help,
};

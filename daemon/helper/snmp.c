/*
 * snmp.c - SNMP to all agents of a network (RFC 3411, F223).
 *
 * A manager that looks for agents asks all of a network, and each answers
 * from port 161 to the port that asked.  Nothing in a message says that it
 * went to all.  See broadcast.c for what is done in which mode.
 */
#include <netinet/in.h>

#include "daemon/helper/ask.h"
#include "daemon/helper/broadcast.h"

#define BER_SEQUENCE 0x30u /* every message is one (RFC 1157, 4) */

static void snmp_help(struct help_ctx *h)
{
	const uint8_t *b = help_data(h, 0, 1);

	if (!b)
		return;
	h->count(h, HELP_LINES);
	if (*b == BER_SEQUENCE)
		broadcast_request(h, false);
	else
		h->count(h, HELP_MALFORMED);
}

static const struct helper_port snmp_ports[] = {
	{.l4proto = IPPROTO_UDP, .port = 161, .v4 = true},
};

static const struct helper_class snmp_classes[] = {
	{.max = 1, .seconds = 30},
};

static const struct helper_option snmp_options[] = {
	BROADCAST_ROWS("snmp", 30),
};

const struct helper helper_snmp = {
	.name = "snmp",
	.key = "snmp",
	.nports = ARRAY_SIZE(snmp_ports),
	.nclasses = ARRAY_SIZE(snmp_classes),
	.noptions = ARRAY_SIZE(snmp_options),
	.ports = snmp_ports,
	.classes = snmp_classes,
	.options = snmp_options,
	.help = snmp_help,
};

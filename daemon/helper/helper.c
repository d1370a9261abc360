/*
 * helper.c - the list of helpers, and who is bound to which port.
 *
 * A helper is known by its place in helpers.h: its row of options in the
 * policy block, and, plus one, the number that stands in a connection's
 * extension record.
 */
#include "daemon/helper/helper.h"

#include <string.h>

#define HELPER(name) extern const struct helper helper_##name;
#include "daemon/helper/helpers.h"
#undef HELPER

static const struct helper *const helpers[] = {
#define HELPER(name) &helper_##name,
#include "daemon/helper/helpers.h"
#undef HELPER
};

_Static_assert(ARRAY_SIZE(helpers) <= POLICY_HELPERS,
               "the policy has a row for each");
_Static_assert(ARRAY_SIZE(helpers) <= STATS_HELPERS, "and so have statistics");

const struct helper *helper_at(unsigned int place)
{
	return place < ARRAY_SIZE(helpers) ? helpers[place] : NULL;
}

uint8_t helper_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(helpers); i++)
		if (!strcmp(helpers[i]->name, name))
			return (uint8_t)(i + 1);
	return 0;
}

const char *helper_name(uint8_t number)
{
	const struct helper *h = number ? helper_at(number - 1u) : NULL;

	return h ? h->name : NULL;
}

void helper_ports_clear(struct policy *pol)
{
	pol->nport = 0;
	memset(pol->port_hint, 0, sizeof(pol->port_hint));
}

static void port_row(struct policy *pol, unsigned int place,
                     const struct helper_port *row, uint16_t port)
{
	uint8_t b = policy_port_bit(port);

	if (pol->nport >= POLICY_PORTS)
		return;
	pol->port[pol->nport++] =
		(struct policy_port){.port = port,
	                             .l4proto = row->l4proto,
	                             .helper = (uint8_t)(place + 1),
	                             .v4 = row->v4,
	                             .v6 = row->v6};
	pol->port_hint[b >> 6] |= 1ull << (b & 63);
}

void helper_port_add(struct policy *pol, unsigned int place, uint16_t port)
{
	const struct helper *h = helper_at(place);
	unsigned int i;

	for (i = 0; h && i < h->nports; i++)
		port_row(pol, place, &h->ports[i], port);
}

void helper_defaults(struct policy *pol)
{
	const struct helper *h;
	unsigned int place, i;

	helper_ports_clear(pol);
	for (place = 0; (h = helper_at(place)); place++) {
		for (i = 0; i < h->noptions && i < POLICY_OPTIONS; i++)
			pol->helper_option[place][i] = h->options[i].value;
		for (i = 0; i < h->nports; i++)
			port_row(pol, place, &h->ports[i], h->ports[i].port);
	}
}

uint8_t helper_of_port(const struct policy *pol, uint8_t l4proto, bool v6,
                       uint16_t port)
{
	unsigned int i;

	for (i = 0; i < pol->nport && i < POLICY_PORTS; i++) {
		const struct policy_port *p = &pol->port[i];

		if (p->port == port && p->l4proto == l4proto &&
		    (v6 ? p->v6 : p->v4))
			return p->helper;
	}
	return 0;
}

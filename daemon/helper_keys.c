/* helper_keys.c - see helper_keys.h. */
#include "daemon/helper_keys.h"

#include <stdio.h>

#include "daemon/helper/helper.h"

static int options_add(struct conf *c, const struct helper *h,
                       unsigned int place)
{
	const struct helper_option *at;
	unsigned int i;
	int r = 0;

	for (i = 0; i < h->noptions && !r; i++) {
		struct conf_key k = {.flags = CONF_LIVE, .policy_size = 4};

		at = &h->options[i];
		k.type = at->max == 1 && !at->min ? CONF_FLAG : CONF_NUMBER;
		k.min = at->min;
		k.max = at->max;
		k.doc = at->doc;
		k.policy_at = (uint16_t)offsetof(struct policy,
		                                 helper_option[place][i]);
		snprintf(k.name, sizeof(k.name), "%s", at->key);
		snprintf(k.def, sizeof(k.def), "%u", at->value);
		r = conf_add_table(c, &k, 1);
	}
	return r;
}

int helper_keys(struct conf *c)
{
	const struct helper *h;
	unsigned int place;
	int r = 0;

	for (place = 0; !r && (h = helper_at(place)); place++)
		r = options_add(c, h, place);
	return r;
}

void helper_policy(const struct conf *c, struct policy *p)
{
	const struct helper *h;
	unsigned int place, i, n;
	uint16_t port[HELPER_PORTS];
	char key[CONF_NAME];

	helper_ports_clear(p);
	for (place = 0; (h = helper_at(place)) && conf_on(c, "helpers");
	     place++) {
		if (!h->nports)
			continue;
		snprintf(key, sizeof(key), "helper.%s.ports", h->key);
		n = conf_ports(c, key, port, HELPER_PORTS);
		for (i = 0; i < n && i < HELPER_PORTS; i++)
			helper_port_add(p, place, port[i]);
	}
}

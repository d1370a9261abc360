/* tunnels.c - see tunnels.h; what there is stands in decap.h alone. */
#include "daemon/source/tunnels.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *word, *ports, *meaning;
} kinds[] = {
#define X(name, word, ports, meaning) {word, ports, meaning},
	DECAPS(X)
#undef X
};

static const char words[] =
#define X(name, word, ports, meaning) " " word
	DECAPS(X)
#undef X
	;

static int ports_add(struct conf *c, unsigned int kind)
{
	struct conf_key k = {.type = CONF_PORTS, .doc = kinds[kind].meaning};

	if (!*kinds[kind].ports)
		return 0;
	snprintf(k.name, sizeof(k.name), "tunnel.%s.ports", kinds[kind].word);
	snprintf(k.def, sizeof(k.def), "%s", kinds[kind].ports);
	return conf_add_table(c, &k, 1);
}

int tunnels_keys(struct conf *c)
{
	static const struct conf_key rows[] = {
		{.name = "decap",
	         .type = CONF_LIST,
	         .words = words + 1,
	         .doc = "tunnels that are stepped into"},
		{.name = "decap_depth",
	         .type = CONF_NUMBER,
	         .def = "8",
	         .min = 1,
	         .max = DECAP_DEPTH_MAX,
	         .doc = "tunnels in tunnels, no more than these"},
	};
	int r = conf_add_table(c, rows, ARRAY_SIZE(rows));
	unsigned int i;

	for (i = 0; i < DECAP_COUNT && !r; i++)
		r = ports_add(c, i);
	return r;
}

/* Is the word in the list?  It is in canonical form: commas alone. */
static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word), n;

	for (; *list; list += n, list += *list == ',') {
		n = strcspn(list, ",");
		if (n == len && !strncasecmp(list, word, n))
			return true;
	}
	return false;
}

static bool ports_read(const struct conf *c, struct decap *d, unsigned int kind,
                       char *err)
{
	uint16_t port[DECAP_PORTS];
	char key[CONF_NAME];
	unsigned int i, n;

	if (!*kinds[kind].ports)
		return true;
	snprintf(key, sizeof(key), "tunnel.%s.ports", kinds[kind].word);
	n = conf_ports(c, key, port, DECAP_PORTS);
	for (i = 0; i < n; i++) {
		if (i == DECAP_PORTS ||
		    !decap_port_add(d, (enum decap_kind)kind, port[i])) {
			snprintf(err, CONF_ERR,
			         "%s: no more than %u ports of tunnels fit",
			         key, DECAP_PORTS);
			return false;
		}
		if (decap_port_kind(d, port[i]) != (enum decap_kind)kind) {
			snprintf(err, CONF_ERR,
			         "%s: port %u is another tunnel's, too", key,
			         port[i]);
			return false;
		}
	}
	return true;
}

bool tunnels_read(const struct conf *c, struct decap *d, char *err)
{
	const char *list = conf_text(c, "decap");
	unsigned int i;

	memset(d, 0, sizeof(*d));
	d->depth = (uint8_t)conf_number(c, "decap_depth");
	for (i = 0; i < DECAP_COUNT; i++) {
		if (!list_has(list, kinds[i].word))
			continue;
		d->on |= 1u << i;
		if (!ports_read(c, d, i, err))
			return false;
	}
	return true;
}

int tunnels_check(const struct conf *c, char *err)
{
	struct decap d;

	return tunnels_read(c, &d, err) ? 0 : -1;
}

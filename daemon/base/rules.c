/*
 * rules.c - see rules.h.
 *
 * Terms: a profile is a timeout policy; a connection keeps the place of its
 * profile in its extension record, so a place belongs to one name while
 * connections may point to it.  A new name takes a place that no name ever
 * had, and only when there is none the place of a name that is gone.
 */
#include "daemon/base/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/conf_value.h"

#define TIMEOUT_AT  offsetof(struct policy, timeout)
#define TIMEOUT_LEN sizeof(((struct policy *)0)->timeout)

/* what a rule is made from, while it is made */
struct making {
	const struct conf *c;
	const struct rule_ifaces *ifaces;
	struct policy *p;
	struct policy_rule *r;
	bool never; /* it asks what no packet has */
	const char *key, *value;
	uint64_t number;
	char *err;
};

static int refuse(struct making *m, const char *what)
{
	snprintf(m->err, CONF_ERR, "%.60s: %s, not '%.80s'", m->key, what,
	         m->value);
	return -1;
}

/* The title in BLOCK.TITLE.KEY and the key behind it. */
static const char *name_cut(const char *name, size_t block, char *title)
{
	size_t len = strcspn(name + block, ".");

	snprintf(title, POLICY_NAME, "%.*s", (int)len, name + block);
	return name + block + len + (name[block + len] == '.');
}

/* -- timeout policies --------------------------------------------------- */
static int profile_find(const struct policy *p, const char *title)
{
	unsigned int i;

	for (i = 0; i < POLICY_PROFILES; i++)
		if (*title && !strcmp(p->profile_name[i], title))
			return (int)i;
	return -1;
}

static int profile_new(struct policy *p, const char *title)
{
	int i = profile_find(p, title);
	unsigned int k;

	for (k = 0; i < 0 && k < POLICY_PROFILES; k++)
		if (!*p->profile_name[k])
			i = (int)k;
	return i;
}

static bool title_used(const struct conf *c, const char *title)
{
	char start[CONF_NAME];
	const struct conf_key *k;
	const char *value;
	unsigned int i;
	int len = snprintf(start, sizeof(start), "timeout.%s.", title);

	for (i = 0; (k = conf_at(c, i, &value)); i++)
		if (!strncmp(k->name, start, (size_t)len))
			return true;
	return false;
}

/* Names of before keep their places; those that are gone give theirs up only
 * when the new ones need them. */
static void profiles_place(const struct conf *c, const struct policy *old,
                           struct policy *p)
{
	char title[POLICY_NAME];
	const struct conf_key *k;
	const char *value;
	unsigned int i, gone;

	if (old)
		memcpy(p->profile_name, old->profile_name,
		       sizeof(p->profile_name));
	for (i = 0; (k = conf_at(c, i, &value)); i++) {
		int at;

		if (strncmp(k->name, "timeout.", 8) != 0)
			continue;
		name_cut(k->name, 8, title);
		at = profile_new(p, title);
		for (gone = 0; at < 0 && gone < POLICY_PROFILES; gone++)
			if (!title_used(c, p->profile_name[gone]))
				at = (int)gone;
		/* there are no more titles than places */
		if (at < 0)
			continue;
		memcpy(p->profile_name[at], title, sizeof(title));
		p->profile_on[at] = 1;
	}
}

/* The form tells which sysctl's place a key stands for. */
static void profiles_fill(const struct conf *c, struct policy *p)
{
	char title[POLICY_NAME];
	const struct conf_key *k;
	const char *value;
	unsigned int i;
	uint32_t v;
	int at;

	for (i = 0; i < POLICY_PROFILES; i++)
		memcpy(p->profile[i], p->timeout, TIMEOUT_LEN);
	for (i = 0; (k = conf_at(c, i, &value)); i++) {
		if (strncmp(k->name, "timeout.", 8) != 0 ||
		    k->policy_at < TIMEOUT_AT ||
		    k->policy_at >= TIMEOUT_AT + TIMEOUT_LEN)
			continue;
		name_cut(k->name, 8, title);
		at = profile_find(p, title);
		if (at < 0)
			continue;
		v = (uint32_t)conf_number(c, k->name);
		memcpy((char *)p->profile[at] + (k->policy_at - TIMEOUT_AT), &v,
		       sizeof(v));
	}
}

/* -- what a rule asks --------------------------------------------------- */
static int make_iface(struct making *m)
{
	uint64_t n;
	unsigned int i;

	m->r->asks |= RULE_IFACE;
	for (i = 0; i < m->ifaces->n && i < 256; i++)
		if (!strcmp(m->ifaces->name[i], m->value)) {
			m->r->iface = (uint8_t)i;
			return 0;
		}
	if (!conf_number_read(m->value, &n) && n < 256) {
		m->r->iface = (uint8_t)n;
		return 0;
	}
	m->never = true;
	return m->ifaces->n ? refuse(m, "one of the interfaces is needed") : 0;
}

static int make_vlan(struct making *m)
{
	m->r->asks |= RULE_VLAN;
	m->r->vlan = (uint16_t)m->number;
	return 0;
}

/* Addresses tell the family too; those that contradict match nothing. */
static int family_set(struct making *m, uint8_t l3proto)
{
	if (m->r->asks & RULE_FAMILY && m->r->l3proto != l3proto)
		return refuse(m, "an address of the rule's family is needed");
	m->r->asks |= RULE_FAMILY;
	m->r->l3proto = l3proto;
	return 0;
}

static int make_family(struct making *m)
{
	return m->number ? family_set(m, m->number == 1 ? 4 : 6) : 0;
}

static int make_proto(struct making *m)
{
	m->r->asks |= RULE_PROTO;
	m->r->l4proto = (uint8_t)m->number;
	return 0;
}

static int make_src(struct making *m)
{
	m->r->asks |= RULE_SRC;
	return family_set(m, conf_net_parse(m->value, &m->r->src));
}

static int make_dst(struct making *m)
{
	m->r->asks |= RULE_DST;
	return family_set(m, conf_net_parse(m->value, &m->r->dst));
}

static int make_sport(struct making *m)
{
	m->r->nsport = (uint8_t)conf_ranges_parse(m->value, m->r->sport,
	                                          POLICY_RANGES);
	m->r->asks |= m->r->nsport ? RULE_SPORT : 0;
	return 0;
}

static int make_dport(struct making *m)
{
	m->r->ndport = (uint8_t)conf_ranges_parse(m->value, m->r->dport,
	                                          POLICY_RANGES);
	m->r->asks |= m->r->ndport ? RULE_DPORT : 0;
	return 0;
}

/* -- what it gives ------------------------------------------------------ */
static int zone_set(struct making *m, unsigned int orig, unsigned int reply)
{
	if (m->r->gives & RULE_ZONE)
		return refuse(m, "one of zone, zone-orig and zone-reply is "
		                 "enough");
	m->r->gives |= RULE_ZONE;
	m->r->zone[0] = (uint16_t)orig;
	m->r->zone[1] = (uint16_t)reply;
	return 0;
}

static int make_zone(struct making *m)
{
	return zone_set(m, (unsigned int)m->number, (unsigned int)m->number);
}

static int make_zone_orig(struct making *m)
{
	return zone_set(m, (unsigned int)m->number, 0);
}

static int make_zone_reply(struct making *m)
{
	return zone_set(m, 0, (unsigned int)m->number);
}

static int make_notrack(struct making *m)
{
	m->r->gives |= RULE_NOTRACK;
	m->r->notrack = m->number != 0;
	return 0;
}

static int make_one_way(struct making *m)
{
	m->r->gives |= RULE_ONE_WAY;
	m->r->one_way = m->number != 0;
	return 0;
}

static int make_mark(struct making *m)
{
	m->r->gives |= RULE_MARK;
	m->r->mark = (uint32_t)m->number;
	m->r->mark_mask = (uint32_t)(m->number >> 32);
	return 0;
}

static int make_labels(struct making *m)
{
	char key[CONF_NAME];
	const char *at = m->value;
	uint64_t bit;
	size_t len;

	m->r->gives |= RULE_LABELS;
	for (; *at; at += len, at += *at == ',') {
		len = strcspn(at, ",");
		snprintf(key, sizeof(key), "label.%.*s.bit", (int)len, at);
		if (conf_is_set(m->c, key)) {
			bit = conf_number(m->c, key);
		} else {
			snprintf(key, sizeof(key), "%.*s", (int)len, at);
			if (conf_number_read(key, &bit) || bit > 127)
				return refuse(m, "labels that have a name, or "
				                 "bits up to 127, are needed");
		}
		m->r->labels[bit / 64] |= 1ull << bit % 64;
	}
	return 0;
}

static int make_timeout(struct making *m)
{
	int at = profile_find(m->p, m->value);

	if (at < 0 || !m->p->profile_on[at])
		return refuse(m, "the title of a timeout block is needed");
	m->r->gives |= RULE_TIMEOUT;
	m->r->profile = (uint8_t)(at + 1);
	return 0;
}

static int make_helper(struct making *m)
{
	m->r->gives |= RULE_HELPER;
	snprintf(m->r->helper, sizeof(m->r->helper), "%s", m->value);
	return 0;
}

/* X(key of a rule, function): the order is that in which they are made */
#define RULE_KEYS(X)                \
	X("family", family)         \
	X("src", src)               \
	X("dst", dst)               \
	X("iface", iface)           \
	X("vlan", vlan)             \
	X("proto", proto)           \
	X("sport", sport)           \
	X("dport", dport)           \
	X("zone", zone)             \
	X("zone-orig", zone_orig)   \
	X("zone-reply", zone_reply) \
	X("notrack", notrack)       \
	X("one-way", one_way)       \
	X("mark", mark)             \
	X("labels", labels)         \
	X("timeout", timeout)       \
	X("helper", helper)

static int rule_make(struct making *m, const char *title)
{
	static const struct {
		const char *key;
		int (*make)(struct making *m);
	} keys[] = {
#define X(name, fn) {name, make_##fn},
		RULE_KEYS(X)
#undef X
	};
	char name[CONF_NAME];
	int r = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys) && !r; i++) {
		snprintf(name, sizeof(name), "rule.%.23s.%s", title,
		         keys[i].key);
		if (!conf_is_set(m->c, name))
			continue;
		m->key = name;
		m->value = conf_text(m->c, name);
		m->number = conf_number(m->c, name);
		/* an empty text takes a key back */
		if (*m->value && keys[i].make(m))
			r = -1;
	}
	m->key = NULL;
	return r;
}

/* -- all of them -------------------------------------------------------- */
struct place {
	char title[POLICY_NAME];
	uint64_t order;
};

static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->title, y->title);
}

/* every rule has a key `order`, see conf.c */
static unsigned int rules_sorted(const struct conf *c,
                                 struct place place[POLICY_RULES])
{
	const struct conf_key *k;
	const char *value;
	unsigned int i, n = 0;

	for (i = 0; (k = conf_at(c, i, &value)) && n < POLICY_RULES; i++) {
		if (strncmp(k->name, "rule.", 5) != 0)
			continue;
		if (strcmp(name_cut(k->name, 5, place[n].title), "order") != 0)
			continue;
		place[n++].order = conf_number(c, k->name);
	}
	qsort(place, n, sizeof(*place), place_compare);
	return n;
}

static void zone_note(struct policy *p, unsigned int dir, uint16_t zone)
{
	unsigned int i;

	for (i = 0; i < p->nzone[dir]; i++)
		if (p->zone[dir][i] == zone)
			return;
	if (p->nzone[dir] < POLICY_RULES)
		p->zone[dir][p->nzone[dir]++] = zone;
}

/* Zones of one direction: a packet of the other direction finds its connection
 * by them, also when the rule that gave them is gone. */
static void zones_note(const struct policy *old, struct policy *p)
{
	unsigned int i, dir;

	for (i = 0; i < p->nrule; i++) {
		const uint16_t *z = p->rule[i].zone;

		if (p->rule[i].gives & RULE_ZONE && z[0] != z[1])
			zone_note(p, z[1] != 0, z[0] | z[1]);
	}
	for (dir = 0; dir < 2; dir++) {
		for (i = 0; old && i < old->nzone[dir] && i < POLICY_RULES; i++)
			zone_note(p, dir, old->zone[dir][i]);
		p->zone_dirs |= p->nzone[dir] != 0;
	}
}

int rules_to_policy(const struct conf *c, const struct rule_ifaces *ifaces,
                    const struct policy *old, struct policy *p, char *err)
{
	struct making m = {.c = c, .ifaces = ifaces, .p = p, .err = err};
	struct place place[POLICY_RULES] = {{.order = 0}};
	unsigned int i, n = rules_sorted(c, place);

	profiles_place(c, old, p);
	profiles_fill(c, p);
	for (i = 0; i < n; i++) {
		m.r = &p->rule[p->nrule];
		m.never = false;
		memset(m.r, 0, sizeof(*m.r));
		memcpy(m.r->name, place[i].title, sizeof(m.r->name));
		if (rule_make(&m, place[i].title))
			return -1;
		if (m.never || !m.r->gives)
			continue;
		p->rule_gives |= (uint8_t)m.r->gives;
		p->nrule++;
	}
	zones_note(old, p);
	p->nzone_map = conf_map_parse(conf_text(c, "zone.map"), p->zone_map,
	                              POLICY_ZONES);
	return 0;
}

/* -- names of labels ---------------------------------------------------- */
/* "BIT NAME"; lines without either, and behind #, are none */
static int label_line(struct conf *c, char *line, char *err)
{
	char key[CONF_NAME], *name, why[CONF_ERR], *save = NULL;
	const char *bit;
	uint64_t v;

	line[strcspn(line, "#\n")] = '\0';
	bit = strtok_r(line, " \t\r", &save);
	if (!bit)
		return 0;
	name = strtok_r(NULL, " \t\r", &save);
	if (!name || conf_number_read(bit, &v) || v > 127) {
		snprintf(err, CONF_ERR,
		         "a bit up to 127 and a name are needed");
		return -1;
	}
	if (conf_name_check(name, strlen(name), err))
		return -1;
	snprintf(key, sizeof(key), "label.%.23s.bit", name);
	if (conf_is_set(c, key) || !conf_set(c, key, bit, why))
		return 0;
	snprintf(err, CONF_ERR, "%.60s: %.180s", key, why);
	return -1;
}

int rules_labels_load(struct conf *c, char *err)
{
	const char *path = conf_text(c, "labels.file");
	char line[256], why[CONF_ERR];
	unsigned int n = 0;
	FILE *f;
	int r = 0;

	if (!*path)
		return 0;
	f = fopen(path, "re");
	if (!f) {
		snprintf(err, CONF_ERR, "labels.file: %.120s: %s", path,
		         strerror(errno));
		return -1;
	}
	while (!r && fgets(line, sizeof(line), f)) {
		n++;
		r = label_line(c, line, why);
	}
	if (r)
		snprintf(err, CONF_ERR, "%.120s:%u: %.120s", path, n, why);
	else if (ferror(f)) {
		snprintf(err, CONF_ERR, "labels.file: %.120s: %s", path,
		         strerror(errno));
		r = -1;
	}
	fclose(f);
	return r;
}

/*
 * main.c - the door: the table of roles, and the keys of trackers and tunnels.
 *
 * Everything else is in rooms that tests link, too.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/api/api.h"
#include "daemon/api/dump.h"
#include "daemon/helper/helper.h"
#include "daemon/helper_keys.h"
#include "daemon/reaper/add.h"
#include "daemon/reaper/reaper.h"
#include "daemon/recorder/recorder.h"
#include "daemon/source/tunnels.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/tracker/key.h"
#include "daemon/tracker/tracker.h"
#include "daemon/worker/worker.h"

/* seconds of a sysctl: 0 to INT_MAX (F289) */
#define SECONDS_MAX 2147483647u

static int timeouts_add(struct conf *c, const struct tracker *t,
                        unsigned int id)
{
	const struct trk_timeout *at;
	unsigned int i;
	int r = 0;

	for (i = 0; i < t->ntimeouts && !r; i++) {
		struct conf_key k = {.type = CONF_SECONDS,
		                     .max = SECONDS_MAX,
		                     .flags = CONF_LIVE,
		                     .policy_size = 4};

		at = &t->timeouts[i];
		/* a state that the kernel has no sysctl for */
		if (!at->key)
			continue;
		k.doc = at->doc;
		k.policy_at = (uint16_t)offsetof(struct policy,
		                                 timeout[id][at->slot]);
		snprintf(k.name, sizeof(k.name), "%s", at->key);
		snprintf(k.def, sizeof(k.def), "%u", at->seconds);
		r = conf_add_table(c, &k, 1);
		if (r)
			break;
		/* the same in a timeout policy; rules.c knows it by its place
		 */
		snprintf(k.name, sizeof(k.name), "timeout.*.%s", at->key);
		k.policy_size = 0;
		r = conf_add_table(c, &k, 1);
	}
	return r;
}

/* rule.NAME.proto takes the names of all trackers, and any number */
static int proto_add(struct conf *c)
{
	static char words[512];
	struct conf_key k = {.name = "rule.*.proto",
	                     .type = CONF_NAMED,
	                     .max = 255,
	                     .words = words,
	                     .flags = CONF_LIVE,
	                     .doc = "layer 4 protocol, a name or number"};
	const struct tracker *t;
	unsigned int id;
	size_t n = 0;

	/* the last, generic one is no protocol */
	for (id = 0; (t = tracker_at(id)) && tracker_at(id + 1); id++)
		if (n < sizeof(words))
			n += (size_t)snprintf(words + n, sizeof(words) - n,
			                      "%s%s=%u", n ? " " : "", t->name,
			                      t->l4proto);
	return conf_add_table(c, &k, 1);
}

static int options_add(struct conf *c, const struct tracker *t, unsigned int id)
{
	const struct trk_option *at;
	unsigned int i;
	int r = 0;

	for (i = 0; i < t->noptions && !r; i++) {
		struct conf_key k = {.flags = CONF_LIVE, .policy_size = 4};

		at = &t->options[i];
		k.type = at->max == 1 && !at->min ? CONF_FLAG : CONF_NUMBER;
		k.min = at->min;
		k.max = at->max;
		k.doc = at->doc;
		k.policy_at =
			(uint16_t)offsetof(struct policy, option[id][at->slot]);
		snprintf(k.name, sizeof(k.name), "%s", at->key);
		snprintf(k.def, sizeof(k.def), "%u", at->value);
		r = conf_add_table(c, &k, 1);
	}
	return r;
}

/* tracker.NAME: off = the generic one in its place, as on kernels without it;
 * the generic one itself, the last, has nothing to make way for. */
static int switch_add(struct conf *c, const struct tracker *t, unsigned int id)
{
	struct conf_key k = {.type = CONF_ONOFF,
	                     .def = "on",
	                     .flags = CONF_LIVE | CONF_INVERT,
	                     .policy_size = 1,
	                     .doc = "off: the generic tracker in its place"};

	if (!tracker_at(id + 1))
		return 0;
	k.policy_at = (uint16_t)offsetof(struct policy, tracker_off[id]);
	snprintf(k.name, sizeof(k.name), "tracker.%s", t->name);
	return conf_add_table(c, &k, 1);
}

static int keys_add(struct conf *c)
{
	const struct tracker *t;
	unsigned int id;
	int r = 0;

	for (id = 0; !r && (t = tracker_at(id)); id++) {
		r = timeouts_add(c, t, id);
		if (!r)
			r = options_add(c, t, id);
		if (!r)
			r = switch_add(c, t, id);
	}
	if (!r)
		r = helper_keys(c);
	if (!r)
		r = proto_add(c);
	return r ? r : tunnels_keys(c);
}

static void policy_defaults(struct policy *p)
{
	tracker_defaults(p);
	helper_defaults(p);
}

static const struct role *const roles[] = {
	&role_supervisor, &role_probe,    &role_worker, &role_reaper,
	&role_api,        &role_recorder, NULL,
};

/* the api reads it, the reaper writes the table */
static int snapshot_load(struct table *t, const struct policy *p, int fd,
                         uint64_t *n)
{
	return dump_read(t, p, fd, command_make, n);
}

static const struct role_table table = {.rows = roles,
                                        .keys = keys_add,
                                        .policy = policy_defaults,
                                        .policy_of = helper_policy,
                                        .check = tunnels_check,
                                        .home = key_home,
                                        .dump = dump_write,
                                        .load = snapshot_load};

int main(int argc, char *argv[])
{
	role_table_set(&table);
	return supervisor_main(argc, argv);
}

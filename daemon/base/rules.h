/*
 * rules.h - rules, timeout policies and names of labels, from the keys of
 * titled blocks into the policy block.
 */
#ifndef BASE_RULES_H
#define BASE_RULES_H

#include "daemon/base/conf.h"

/* Interfaces by their place; n = 0: a capture, where names mean nothing and a
 * rule that asks for one matches nothing. */
struct rule_ifaces {
	const char *const *name;
	unsigned int n;
};

/* `p` has the trackers' timeouts already.  `old`, the block that is in force,
 * keeps the places of timeout policies and the zones of one direction that
 * connections may have; NULL: none.  0, or -1 and why ("KEY: what"). */
int rules_to_policy(const struct conf *c, const struct rule_ifaces *ifaces,
                    const struct policy *old, struct policy *p, char *err);

/* Reads labels.file, if there is one, into keys label.NAME.bit; those that are
 * there win.  0, or -1 and why. */
int rules_labels_load(struct conf *c, char *err);

#endif

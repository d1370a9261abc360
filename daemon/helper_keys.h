/* helper_keys.h - the helpers' keys, and what they make of the policy. */
#ifndef DAEMON_HELPER_KEYS_H
#define DAEMON_HELPER_KEYS_H

#include "daemon/base/conf.h"

/* options of all helpers: 0 or -errno */
int helper_keys(struct conf *c);
/* which ports bind which helper */
void helper_policy(const struct conf *c, struct policy *p);

#endif

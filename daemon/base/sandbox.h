/*
 * sandbox.h - how a role gives up what it must not have.
 *
 * Three steps, in this order: another user and no capabilities; no way to get
 * any back (no_new_privs), no core image and no ptrace by its siblings of the
 * same user; death with the supervisor.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <sys/types.h>

#include "shm/base.h"

/* The user that `name` is, else `fallback` for both ids.  False: fallback. */
bool sandbox_user(const char *name, uint32_t fallback, uid_t *uid, gid_t *gid);

/* For good.  Only root changes its user; anybody loses capabilities.  0 or
 * -errno, *step names what failed. */
int sandbox_drop(const char *user, uint32_t fallback, const char **step);

/* SIGKILL when `parent` dies, -ESRCH if it is already gone.  After the change
 * of user, which takes the wish back. */
int sandbox_bind(pid_t parent);

/* CAP_NET_RAW is in effect. */
bool sandbox_may_capture(void);

#endif

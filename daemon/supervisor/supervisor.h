/*
 * supervisor.h - the role that starts, watches, restarts and reloads.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "daemon/base/role.h"

extern const struct role role_supervisor;
/* asks a program whether it can take over (upgrade.c) */
extern const struct role role_probe;

/* All of ctshardd but its tables (role_table_set() first): a role when the
 * environment names one, else the command line.  The exit code. */
int supervisor_main(int argc, char *argv[]);

#endif

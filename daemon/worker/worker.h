/* worker.h - the role that takes packets from a source. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "daemon/base/role.h"

extern const struct role role_worker;

#endif

/*
 * offline.h - `ctctl check`, `dump` and `load` while no daemon runs.
 *
 * The segments are mapped copy-on-write, so that what the next start would
 * repair can be repaired here first without touching a file: an operation that
 * a killed process left half done is no fault, what remains wrong after its
 * repair is.
 */
#ifndef SUPERVISOR_OFFLINE_H
#define SUPERVISOR_OFFLINE_H

#include "daemon/base/conf.h"
#include "daemon/base/options.h"
#include "shm/table.h"

/* Exit code: 0 clean, 1 faults (one line each on stdout), 3 nothing is there,
 * 4 segments that this program cannot read. */
int offline_check(const struct options *o, const struct conf *c);
/* What `dump` writes to a descriptor, at `path`, whole or not at all: 0 or
 * -errno. */
typedef int dump_fn(const struct table *t, const struct policy *pol, int fd);
int snapshot_write(const struct table *t, const struct policy *pol,
                   const char *path, dump_fn *dump);
/* `ctctl dump', `ctctl load' likewise */
int offline_dump(const struct options *o, const struct conf *c);
int offline_load(const struct options *o, const struct conf *c);

#endif

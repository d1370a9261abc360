/*
 * offline.h - `ctctl check` while no daemon runs.
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

/* Exit code: 0 clean, 1 faults (one line each on stdout), 3 nothing is there,
 * 4 segments that this program cannot read. */
int offline_check(const struct options *o, const struct conf *c);

#endif

/* cpus.h - worker.cpus: which processor a worker keeps to. */
#ifndef SUPERVISOR_CPUS_H
#define SUPERVISOR_CPUS_H

#include <stddef.h>

/* The processor of worker `n`: the list is gone through in turns; -1: any, -2:
 * that is no list, and why. */
int cpus_of(const char *list, unsigned int n, char *why, size_t size);

/* Pins the calling process there; 0 or an errno. */
int cpus_pin(int cpu);

#endif

/*
 * kernel.h - this host's own table, as nf_conntrack has it.
 *
 * Read through libnetfilter_conntrack, which is looked for when it is needed:
 * without it, or built without its headers, all other verbs work.
 */
#ifndef CLI_KERNEL_H
#define CLI_KERNEL_H

#include <stddef.h>

#include "proto/ctshard.h"

/* Every connection of both families to `row` until it returns other than 0;
 * 0, or -1 and why. */
int kernel_each(int (*row)(void *arg, const struct ctshard_conn *c), void *arg,
                char *why, size_t size);

#endif

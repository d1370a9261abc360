/*
 * image.h - what a SIGKILL leaves behind, at every instruction of a writer.
 *
 * A process that dies by SIGKILL dies between two instructions, and none of
 * its finished stores is lost.  So a writer that is single-stepped by
 * ptrace(2) passes through exactly the states that a kill can leave.  Most
 * instructions store nothing that is shared: an image is taken only where the
 * memory has changed.
 *
 * To be fast, an image is not the segments but those parts of them that two
 * shards, two rings and three processes can touch.
 */
#ifndef TESTS_LIB_IMAGE_H
#define TESTS_LIB_IMAGE_H

#include <sys/types.h>

#include "shm/table.h"

#define IMAGE_SHARDS 2u
#define IMAGE_RINGS  2u
#define IMAGE_TRACES 16u /* records of each ring */

size_t image_size(const struct table *t);
void image_save(const struct table *t, char *img);
void image_load(struct table *t, const char *img);
/* Brings `img` up to date; true: something had changed. */
bool image_sync(const struct table *t, char *img);

/* The owner of `slot` is killed, as its peers see it. */
void image_kill(struct table *t, uint32_t slot);

/* a process that is executed instruction by instruction */
struct stepper {
	pid_t pid;
	int status;
	uint64_t steps;
	bool over;
};

/* Starts `body` in a child that stops before it; -1: not allowed here. */
int stepper_start(struct stepper *s, void (*body)(void *), void *arg);
/* One instruction; false: the child has ended. */
bool stepper_next(struct stepper *s);
/* Lets it run on, or kills it, and collects it; exit status or -1. */
int stepper_release(struct stepper *s);
int stepper_collect(struct stepper *s);
void stepper_kill(struct stepper *s);

/* Are the instructions of others visible here? (ptrace may be forbidden) */
bool stepper_allowed(void);

/* Sanitizers make five instructions of one, and a fork of the shadow memory
 * takes its time: tests that step do less under them. */
#if defined(__SANITIZE_ADDRESS__)
#define STEPPER_SLOW true
#elif defined(__has_feature)
#define STEPPER_SLOW (__has_feature(address_sanitizer))
#else
#define STEPPER_SLOW false
#endif

#endif

/*
 * rundir.h - the run directory: lock, pid, sockets, notification.
 *
 * The lock is an flock on RUNDIR/lock, held by the supervisor alone and closed
 * over exec: an inherited one would keep the next instance out.  The segments'
 * name follows from the real path of the directory, so instances live side by
 * side.
 */
#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H

#include <limits.h>
#include <sys/types.h>

#include "shm/base.h"

#define RUNDIR_ERR 512u

struct rundir {
	char path[PATH_MAX]; /* real */
	char segments[32];   /* "ctshardd.0123abcd" */
	int lock;
	bool made;     /* by us, just now */
	bool unshared; /* nobody else starts here: the lock file goes */
};

/* 0, or an exit code (1, 5) and why. */
int rundir_open(struct rundir *r, const char *path, char *err);
/* The same with a lock that is held already; -1: it is not. */
int rundir_reopen(struct rundir *r, const char *path, int lock, char *err);
/* The lock file stays where instances share the directory: whoever takes it
 * away lets two others in, one with the old file and one with a new.  With
 * `unshared` it goes, and the directory too if it was made just now. */
void rundir_close(struct rundir *r);

/* Listening under NAME.new: nobody can connect before rundir_publish().  The
 * descriptor, or -1 and why.  gid (gid_t)-1: leave it. */
int rundir_listen(const struct rundir *r, const char *name, mode_t mode,
                  gid_t gid, char *err);
int rundir_publish(const struct rundir *r, const char *name, char *err);
int rundir_write_pid(const struct rundir *r, char *err);
/* sockets (also those of a predecessor) and pid file */
void rundir_clean(const struct rundir *r);

/* "READY=1" to systemd, where there is one. */
void rundir_notify(const char *text);
/* With a descriptor, for systemd's store. */
void rundir_notify_fd(const char *text, int fd);

#endif

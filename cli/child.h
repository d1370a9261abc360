/* child.h - ctshardd as a child of ctctl. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int log;    /* what it said on stderr */
	off_t told; /* of that, already passed on */
	int status; /* of waitpid, once `gone` */
	bool gone;
};

/* Become ctshardd: beside ctctl's own file, then PATH.  Returns on failure. */
void child_exec(const char *const *argv);
/* 0, or -1 with errno. */
int child_start(struct child *c, const char *const *argv);
/* Has it ended?  Never waits. */
bool child_ended(struct child *c);
/* SIGTERM, wait, and SIGKILL when it does not listen; frees nothing else. */
void child_stop(struct child *c);
/* Its words on stderr that ours has not had yet. */
void child_tell(struct child *c);
void child_close(struct child *c);

#endif

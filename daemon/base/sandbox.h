/*
 * sandbox.h - how a role gives up what it must not have.
 *
 * Four steps, in this order: another user and no capabilities; no way to get
 * any back (no_new_privs), no core image and no ptrace by its siblings of the
 * same user; death with the supervisor; and none of the kernel's calls but
 * those that the role needs.
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

/* What any role needs: memory, time, its descriptors, and to end.  Nothing is
 * opened by name, executed, traced or connected to.  Beyond names: memory is
 * never executable, tgkill() hits the process itself alone (abort),
 * fallocate() takes memory for a segment and never gives any back, and write()
 * and sendto() go to the descriptors that sandbox_calls() is told of: a packet
 * socket would send what is written to it. */
#define SANDBOX_CALLS                                                      \
	"read readv close fstat newfstatat lseek pread64 futex nanosleep " \
	"clock_nanosleep clock_gettime clock_getres gettimeofday poll "    \
	"ppoll restart_syscall sched_yield getpid gettid getuid geteuid "  \
	"getgid getegid getppid munmap mremap madvise brk rt_sigaction "   \
	"rt_sigprocmask rt_sigreturn set_robust_list getrandom recvfrom "  \
	"recvmsg rseq sysinfo sched_getaffinity exit exit_group"

/* What libraries ask for on their way to an error message or a faster path,
 * and can do without: refused, with EPERM. */
#define SANDBOX_REFUSED \
	"openat open access faccessat readlink prctl prlimit64 uname getcwd"

/* Any call but SANDBOX_CALLS, `more` and `also` (names, separated by blanks;
 * NULL: none) ends the process by SIGSYS from here on.  `out`, `n`: descriptors
 * that may be written to, unless `more` has the calls for all.  0 or -errno;
 * -EOPNOTSUPP: this kernel, or whoever confines us, lets nobody do so. */
int sandbox_calls(const char *more, const char *also, const int *out,
                  unsigned int n);
/* Could it? */
bool sandbox_can_limit(void);

/* CAP_NET_RAW is in effect. */
bool sandbox_may_capture(void);

#endif

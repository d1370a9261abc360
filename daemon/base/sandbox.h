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
 * opened by name, executed, traced or connected to. */
#define SANDBOX_CALLS                                                        \
	"read write readv writev close fstat newfstatat lseek pread64 "      \
	"futex nanosleep clock_nanosleep clock_gettime clock_getres "        \
	"gettimeofday poll ppoll restart_syscall sched_yield getpid gettid " \
	"mmap munmap mremap mprotect madvise brk rt_sigaction "              \
	"rt_sigprocmask rt_sigreturn set_robust_list getrandom sendto "      \
	"recvfrom sendmsg recvmsg rseq tgkill getuid geteuid getgid "        \
	"getegid getppid exit exit_group"

/* No system calls from here on but SANDBOX_CALLS and `more` (names, separated
 * by blanks; NULL: none): others fail with EPERM.  0 or -errno. */
int sandbox_calls(const char *more);

/* CAP_NET_RAW is in effect. */
bool sandbox_may_capture(void);

#endif

/* sandbox.c - see sandbox.h. */
#include "daemon/base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool sandbox_user(const char *name, uint32_t fallback, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = name ? getpwnam(name) : NULL;

	*uid = pw ? pw->pw_uid : fallback;
	*gid = pw ? pw->pw_gid : fallback;
	return pw != NULL;
}

/* The bounding set needs CAP_SETPCAP, so it goes while the user is root. */
static int user_change(const char *user, uint32_t fallback, const char **step)
{
	uid_t uid;
	gid_t gid;

	sandbox_user(user, fallback, &uid, &gid);
	*step = "bounding set";
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	*step = "setgroups";
	if (setgroups(0, NULL))
		return -errno;
	*step = "setresgid";
	if (setresgid(gid, gid, gid))
		return -errno;
	*step = "setresuid";
	if (setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

int sandbox_drop(const char *user, uint32_t fallback, const char **step)
{
	int r;

	if (!geteuid()) {
		r = user_change(user, fallback, step);
		if (r)
			return r;
	}
	*step = "capabilities";
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	*step = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	*step = "dumpable";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

int sandbox_bind(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	/* it may have died before the wish was made */
	return getppid() == parent ? 0 : -ESRCH;
}

/* One list of names; a call that this kernel does not know is none to allow,
 * and one that stands in a list before keeps its place there. */
static int calls_list(scmp_filter_ctx ctx, uint32_t action, const char *names)
{
	char name[32];
	size_t n;
	int r = 0, nr;

	for (; names && *names && !r; names += n) {
		n = strcspn(names, " ");
		if (n && n < sizeof(name)) {
			memcpy(name, names, n);
			name[n] = 0;
			nr = seccomp_syscall_resolve_name(name);
			if (nr != __NR_SCMP_ERROR)
				r = seccomp_rule_add(ctx, action, nr, 0);
			if (r == -EEXIST)
				r = 0;
		}
		n += strspn(names + n, " ");
	}
	return r;
}

/* those that are allowed with some arguments only */
static int calls_some(scmp_filter_ctx ctx, const int *out, unsigned int n)
{
	static const int to_fd[] = {SCMP_SYS(write), SCMP_SYS(sendto)};
	static const int mapping[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	unsigned int i, f;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(mapping) && !r; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, mapping[i], 1,
		                     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!r)
		r = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fallocate),
		                     1, SCMP_A1(SCMP_CMP_EQ, 0, 0));
	for (f = 0; f < n; f++)
		for (i = 0; i < ARRAY_SIZE(to_fd) && out[f] >= 0 && !r; i++)
			r = seccomp_rule_add(
				ctx, SCMP_ACT_ALLOW, to_fd[i], 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)out[f], 0));
	return r == -EEXIST ? 0 : r;
}

static int calls_fill(scmp_filter_ctx ctx, const char *more, const char *also,
                      const int *out, unsigned int n)
{
	int r;

	/* calls of another architecture are none of ours either */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	                     SCMP_ACT_KILL_PROCESS);
	if (!r)
		r = calls_list(ctx, SCMP_ACT_ALLOW, SANDBOX_CALLS);
	if (!r)
		r = calls_list(ctx, SCMP_ACT_ALLOW, more);
	if (!r)
		r = calls_list(ctx, SCMP_ACT_ALLOW, also);
	if (!r)
		r = calls_list(ctx, SCMP_ACT_ERRNO(EPERM), SANDBOX_REFUSED);
	if (!r)
		r = calls_some(ctx, out, n);
	return r;
}

/* Sanitizers read /proc, make threads and more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

bool sandbox_can_limit(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return !SANITIZED &&
	       !syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
}

int sandbox_calls(const char *more, const char *also, const int *out,
                  unsigned int n)
{
	scmp_filter_ctx ctx;
	int r;

	if (!sandbox_can_limit())
		return -EOPNOTSUPP;
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	r = calls_fill(ctx, more, also, out, n);
	if (!r)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

bool sandbox_may_capture(void)
{
	if (capng_get_caps_process())
		return false;
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW);
}

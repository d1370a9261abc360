/* sandbox.c - see sandbox.h. */
#include "daemon/base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
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

/* one list of names; a call that this kernel does not know is none to allow */
static int calls_allow(scmp_filter_ctx ctx, const char *names)
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
				r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr,
				                     0);
		}
		n += strspn(names + n, " ");
	}
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

int sandbox_calls(const char *more)
{
	scmp_filter_ctx ctx;
	int r;

	if (SANITIZED)
		return 0;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return -ENOMEM;
	r = calls_allow(ctx, SANDBOX_CALLS);
	if (!r)
		r = calls_allow(ctx, more);
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

/*
 * role.c - the one start routine.
 *
 * Invariants: whatever a role opens by name, it opens in setup(), before its
 * privileges go; whatever a packet or a client can reach runs in loop(), after
 * they are gone.  The slot is taken after the last exec and the last change of
 * user, so the token's death is the process's death.  "ready" is said when the
 * slot is held and begin() has ended: so the reaper has healed the segments
 * before the first worker exists.
 */
#include "daemon/base/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/sandbox.h"
#include "shm/proc.h"

#define TEXT_MAX (16u << 20) /* of a configuration or a command line */

volatile int role_stop;
static int stop_fd = -1;

static const struct role_table *role_rows;

static const char *const fd_names[] = {
#define FD(name, doc) #name,
	ROLE_FDS(FD)
#undef FD
};
_Static_assert(ARRAY_SIZE(fd_names) == ROLE_FD_COUNT, "one name each");

/* -- the table ------------------------------------------------------------- */
void role_table_set(const struct role_table *table)
{
	role_rows = table;
}

const struct role_table *role_table_get(void)
{
	return role_rows;
}

const struct role *role_find(const char *name)
{
	const struct role *const *row;

	for (row = role_rows ? role_rows->rows : NULL; row && *row; row++)
		if (!strcmp((*row)->name, name))
			return *row;
	return NULL;
}

struct conf *role_conf_new(void)
{
	struct conf *c = conf_new();

	if (c && role_rows && role_rows->keys && role_rows->keys(c)) {
		conf_free(c);
		return NULL;
	}
	return c;
}

int role_conf_check(const struct conf *c, char *err)
{
	return role_rows && role_rows->check ? role_rows->check(c, err) : 0;
}

void role_policy(const struct conf *c, struct policy *p)
{
	memset(p, 0, sizeof(*p));
	if (role_rows && role_rows->policy)
		role_rows->policy(p);
	conf_to_policy(c, p);
	if (role_rows && role_rows->policy_of)
		role_rows->policy_of(c, p);
}

/* -- stopping and bells ------------------------------------------------------
 */
static void stop_asked(int sig)
{
	int saved = errno;

	(void)sig;
	role_stop = 1;
	role_ring(stop_fd);
	errno = saved;
}

int role_stop_fd(void)
{
	return stop_fd;
}

/* Ctrl-C goes to all processes of the terminal: the supervisor decides. */
static int signals_set(void)
{
	static const int ignored[] = {SIGINT,  SIGHUP,  SIGPIPE,
	                              SIGUSR1, SIGUSR2, SIGQUIT};
	struct sigaction sa = {.sa_handler = SIG_IGN};
	sigset_t none;
	size_t i;

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &sa, NULL);
	sa.sa_handler = stop_asked;
	sigaction(SIGTERM, &sa, NULL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) ? -errno : 0;
}

void role_ring(int bell)
{
	const uint64_t one = 1;
	ssize_t r = write(bell, &one, sizeof(one));

	(void)r; /* full: the sleeper has something to wake for already */
}

void role_bell_clear(int bell)
{
	uint64_t n;
	ssize_t r = read(bell, &n, sizeof(n));

	(void)r;
}

void role_file(const struct role_env *e, const char *key, const char *name,
               char *path, size_t size)
{
	const char *file = conf_text(e->conf, key);

	if (*file)
		snprintf(path, size, "%s", file);
	else
		snprintf(path, size, "%s/%s", e->opt->rundir, name);
}

/* -- messages ----------------------------------------------------------------
 */
int role_send(int ctl, const char *text)
{
	size_t len = strlen(text);
	ssize_t r;

	if (len >= ROLE_MESSAGE_MAX)
		return -EMSGSIZE;
	do
		r = send(ctl, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

int role_receive(int ctl, char *buf, size_t len)
{
	ssize_t r;

	do
		r = recv(ctl, buf, len - 1, MSG_DONTWAIT | MSG_TRUNC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!r)
		return -EPIPE;
	if ((size_t)r >= len)
		return -EMSGSIZE;
	buf[r] = '\0';
	return (int)r;
}

/* -- what was handed over
 * ------------------------------------------------------ */
static long env_number(const char *name)
{
	const char *s = getenv(name);
	char *end;
	long v;

	if (!s)
		return -1;
	v = strtol(s, &end, 10);
	return *s && !*end ? v : -1;
}

static void fds_import(struct role_env *e, const char *text)
{
	size_t i, len;

	for (i = 0; i < ROLE_FD_COUNT; i++)
		e->fd[i] = -1;
	for (; text && *text; text += *text == ',') {
		len = strcspn(text, "=,");
		for (i = 0; i < ROLE_FD_COUNT; i++)
			if (strlen(fd_names[i]) == len &&
			    !memcmp(fd_names[i], text, len) && text[len] == '=')
				e->fd[i] =
					(int)strtol(text + len + 1, NULL, 10);
		text += strcspn(text, ",");
	}
	for (i = 0; i < ROLE_FD_COUNT; i++)
		if (e->fd[i] >= 0)
			fcntl(e->fd[i], F_SETFD, FD_CLOEXEC);
}

/* All of a memfd, with a zero byte behind; the offset is shared with other
 * processes and never used. */
static char *fd_text(int fd, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t r;

	*len = 0;
	if (fstat(fd, &st) || st.st_size > (off_t)TEXT_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	while (*len < (size_t)st.st_size) {
		r = pread(fd, text + *len, (size_t)st.st_size - *len,
		          (off_t)*len);
		if (r <= 0) {
			free(text);
			return NULL;
		}
		*len += (size_t)r;
	}
	text[*len] = '\0';
	return text;
}

static void options_import(struct role_env *e, struct options *o)
{
	char err[OPTIONS_ERR], *words;
	size_t len;

	words = fd_text(e->fd[ROLE_FD_options], &len);
	if (!words)
		fatal("start", "the command line was not handed over");
	else if (options_read(o, words, len, err))
		fatalx("start", "%s", err);
	free(words);
	e->opt = o;
	e->captures = o->captures;
	e->ncaptures = o->ncaptures;
	e->ifaces = o->ifaces;
	e->nifaces = o->nifaces;
	e->filter = o->filter;
	e->live = !o->ncaptures;
	e->hold = o->hold;
	e->private_instance = o->private_instance;
}

static void conf_import(struct role_env *e)
{
	char err[CONF_ERR], *text;
	size_t len;

	e->conf = role_conf_new();
	text = fd_text(e->fd[ROLE_FD_conf], &len);
	if (!e->conf || !text)
		fatal("start", "the configuration was not handed over");
	else if (conf_read_text(e->conf, text, err))
		fatalx("start", "%s", err);
	free(text);
}

static void segments_map(struct role_env *e, struct table *t)
{
	const char *text = getenv("CTSHARDD_SEGMENTS");
	struct region_error err = {.exit_code = 1};
	int r;

	r = text ? region_import(&e->region, text) : -EINVAL;
	if (r) {
		errno = -r;
		fatal("start", "the segments were not handed over");
	}
	if (region_map(&e->region, t, e->role->access, e->slot, &err))
		fatalx("start", "%s", err.text);
	e->t = t;
}

/* -- the start
 * ------------------------------------------------------------------ */
static void role_name(const struct role *role, uint32_t slot)
{
	char name[32];

	if (role->many)
		snprintf(name, sizeof(name), "%s %u", role->name, slot);
	else
		snprintf(name, sizeof(name), "%s", role->name);
	log_init(role->keeps ? NULL : name, LOG_LEVEL_INFO);
	prctl(PR_SET_NAME, "ctshardd");
}

static void role_log_level(const struct role_env *e)
{
	enum log_level level = LOG_LEVEL_INFO;
	char name[32] = "";

	if (e->opt->debug)
		level = LOG_LEVEL_DEBUG;
	else if (e->private_instance)
		level = LOG_LEVEL_WARN;
	if (e->role->many)
		snprintf(name, sizeof(name), "%s %u", e->role->name, e->slot);
	else if (!e->role->keeps)
		snprintf(name, sizeof(name), "%s", e->role->name);
	log_init(name, level);
}

/* The last step, for from here on nothing can be given up any more. */
static void role_limit(struct role_env *e)
{
	const int out[] = {STDERR_FILENO, stop_fd, e->fd[ROLE_FD_ctl],
	                   e->fd[ROLE_FD_bell_api], e->fd[ROLE_FD_bell_reaper]};
	int r;

	if (!conf_on(e->conf, "seccomp"))
		return;
	r = sandbox_calls(e->role->calls, e->calls, out, ARRAY_SIZE(out));
	/* the supervisor has said of this machine that it cannot */
	if (r && r != -EOPNOTSUPP) {
		errno = -r;
		log_warn("start", "system calls are not limited");
	}
}

static void role_confine(struct role_env *e)
{
	const char *step = "";
	int r;

	r = sandbox_drop(e->role->user, e->role->uid, &step);
	if (r) {
		errno = -r;
		fatal("start", "privileges cannot be dropped (%s)", step);
	}
	if (sandbox_bind((pid_t)env_number("CTSHARDD_PARENT")))
		_exit(0);
	role_limit(e);
}

static int role_attach(struct role_env *e)
{
	int r = proc_attach(e->t, e->slot, (uint32_t)e->role->access);

	if (r) {
		errno = -r;
		log_warn("start", "process slot %u", e->slot);
		return 1;
	}
	return 0;
}

/* roles of the supervisor: from here on nothing is opened by name */
static int role_live(struct role_env *e)
{
	int code;

	role_confine(e);
	if (role_attach(e))
		return 1;
	code = e->role->begin ? e->role->begin(e) : 0;
	if (!code) {
		shm_store_release(&table_proc(e->t, e->slot)->state,
		                  PROC_READY);
		if (role_send(e->fd[ROLE_FD_ctl], "ready"))
			code = 1;
	}
	if (!code)
		code = e->role->loop(e);
	proc_detach(e->t);
	return code;
}

int role_run(const struct role *role)
{
	struct role_env e = {.role = role};
	long slot = env_number("CTSHARDD_SLOT");
	struct options opt = {.file = NULL};
	struct table t;
	int code;

	if (slot < 0 || slot >= (long)NSLOT)
		fatalx("start", "a role is started by the supervisor only");
	e.slot = (uint32_t)slot;
	role_name(role, e.slot);
	fds_import(&e, getenv("CTSHARDD_FDS"));
	options_import(&e, &opt);
	role_log_level(&e);
	conf_import(&e);
	if (!role->keeps) {
		segments_map(&e, &t);
		if (signals_set())
			fatal("start", "signals");
	}
	code = role->setup ? role->setup(&e) : 0;
	if (!code)
		code = role->keeps ? role->loop(&e) : role_live(&e);
	/* nothing is left to do at exit for a process that may do nothing */
	if (!role->keeps)
		_exit(code);
	conf_free(e.conf);
	options_free(&opt);
	return code;
}

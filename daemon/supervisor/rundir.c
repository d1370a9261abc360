/* rundir.c - see rundir.h. */
#include "daemon/supervisor/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A predecessor that was killed between fork and exec leaves a child with the
 * lock for a moment. */
#define LOCK_TRIES  10
#define LOCK_NAP_NS (20 * (long)NS_PER_MS)

#define FILE_MAX (PATH_MAX + 32)

static int refuse(char *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, RUNDIR_ERR, fmt, ap);
	va_end(ap);
	return code;
}

static void file_name(const struct rundir *r, const char *name, char *out)
{
	snprintf(out, FILE_MAX, "%s/%s", r->path, name);
}

static void segments_name(struct rundir *r)
{
	uint32_t h = 0x811c9dc5;
	const char *c;

	for (c = r->path; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x01000193;
	snprintf(r->segments, sizeof(r->segments), "ctshardd.%08x", h);
}

static long pid_read(const struct rundir *r)
{
	char file[FILE_MAX], text[32];
	long pid = 0;
	FILE *f;

	file_name(r, "pid", file);
	f = fopen(file, "re");
	if (f) {
		if (fgets(text, sizeof(text), f))
			pid = strtol(text, NULL, 10);
		fclose(f);
	}
	return pid;
}

static int lock_take(struct rundir *r, char *err)
{
	const struct timespec nap = {0, LOCK_NAP_NS};
	char file[FILE_MAX];
	int i;

	file_name(r, "lock", file);
	r->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock < 0)
		return refuse(err, 1, "%.400s: %s", file, strerror(errno));
	for (i = 0; i < LOCK_TRIES; i++) {
		if (!flock(r->lock, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			break;
		nanosleep(&nap, NULL);
	}
	i = errno;
	close(r->lock);
	r->lock = -1;
	if (i != EWOULDBLOCK)
		return refuse(err, 1, "%.400s: %s", file, strerror(i));
	return refuse(err, 5, "%.400s: another instance runs here (pid %ld)",
	              r->path, pid_read(r));
}

int rundir_open(struct rundir *r, const char *path, char *err)
{
	return rundir_reopen(r, path, -1, err);
}

int rundir_reopen(struct rundir *r, const char *path, int lock, char *err)
{
	memset(r, 0, sizeof(*r));
	r->lock = -1;
	if (!mkdir(path, 0755))
		r->made = true;
	else if (errno != EEXIST)
		return refuse(err, 1, "%.400s: %s", path, strerror(errno));
	/* whatever the umask says: the socket's own mode decides who may */
	if (r->made && chmod(path, 0755))
		return refuse(err, 1, "%.400s: %s", path, strerror(errno));
	if (!realpath(path, r->path))
		return refuse(err, 1, "%.400s: %s", path, strerror(errno));
	segments_name(r);
	if (lock < 0)
		return lock_take(r, err);
	r->lock = lock;
	return 0;
}

void rundir_close(struct rundir *r)
{
	char file[FILE_MAX];

	if (r->unshared && r->lock >= 0) {
		file_name(r, "lock", file);
		unlink(file);
		if (r->made)
			rmdir(r->path);
	}
	if (r->lock >= 0)
		close(r->lock);
	r->lock = -1;
}

static int socket_address(const struct rundir *r, const char *name,
                          struct sockaddr_un *sun, char *err)
{
	int n;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	n = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/%s.new", r->path,
	             name);
	if (n < 0 || (size_t)n >= sizeof(sun->sun_path))
		return refuse(err, -1,
		              "%.400s: the path of a socket has %zu bytes at "
		              "most; choose a shorter run directory",
		              r->path, sizeof(sun->sun_path) - 5);
	return 0;
}

int rundir_listen(const struct rundir *r, const char *name, mode_t mode,
                  gid_t gid, char *err)
{
	struct sockaddr_un sun;
	mode_t mask;
	int fd, bad;

	if (socket_address(r, name, &sun, err))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(err, -1, "socket: %s", strerror(errno));
	unlink(sun.sun_path);
	mask = umask(0177);
	bad = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (!bad && gid != (gid_t)-1)
		bad = lchown(sun.sun_path, (uid_t)-1, gid);
	if (!bad)
		bad = chmod(sun.sun_path, mode);
	if (!bad)
		bad = listen(fd, SOMAXCONN);
	if (!bad)
		return fd;
	refuse(err, -1, "%.400s: %s", sun.sun_path, strerror(errno));
	close(fd);
	unlink(sun.sun_path);
	return -1;
}

int rundir_publish(const struct rundir *r, const char *name, char *err)
{
	char from[FILE_MAX + 8], to[FILE_MAX];

	file_name(r, name, to);
	snprintf(from, sizeof(from), "%s.new", to);
	if (rename(from, to))
		return refuse(err, -1, "%.400s: %s", to, strerror(errno));
	return 0;
}

int rundir_write_pid(const struct rundir *r, char *err)
{
	char file[FILE_MAX], text[32];
	int fd, n, bad;

	file_name(r, "pid.new", file);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
	          0644);
	if (fd < 0)
		return refuse(err, -1, "%.400s: %s", file, strerror(errno));
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	bad = write(fd, text, (size_t)n) != n;
	bad |= close(fd);
	if (bad)
		return refuse(err, -1, "%.400s: cannot be written", file);
	return rundir_publish(r, "pid", err);
}

void rundir_clean(const struct rundir *r)
{
	static const char *const names[] = {
		"api.sock",         "api.sock.new", "control.sock",
		"control.sock.new", "pid",          "pid.new",
	};
	char file[FILE_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		file_name(r, names[i], file);
		unlink(file);
	}
}

void rundir_notify(const char *text)
{
	rundir_notify_fd(text, -1);
}

static void message_attach(struct msghdr *m, int fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* $NOTIFY_SOCKET is a path, or with '@' a name without a file. */
void rundir_notify_fd(const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	struct iovec iov = {.iov_len = strlen(text)};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct msghdr m = {.msg_name = &sun, .msg_iov = &iov, .msg_iovlen = 1};
	int to;

	if (!len || len >= sizeof(sun.sun_path) ||
	    (*path != '/' && *path != '@'))
		return;
	memcpy(sun.sun_path, path, len);
	if (*path == '@')
		sun.sun_path[0] = '\0';
	m.msg_namelen =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	memcpy(&iov.iov_base, &text, sizeof(text));
	if (fd >= 0) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		message_attach(&m, fd);
	}
	to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (to < 0)
		return;
	/* whoever does not listen does not want to know */
	(void)!sendmsg(to, &m, MSG_NOSIGNAL);
	close(to);
}

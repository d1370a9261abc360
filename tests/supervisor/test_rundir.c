/* test_rundir.c - lock, name of the segments, sockets, notification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervisor/rundir.h"

static char base[64];
static char err[RUNDIR_ERR];

static int fresh(void **state)
{
	(void)state;
	strcpy(base, "/tmp/ctshardd-test-run.XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static const char *at(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", base, name);
	return path[i];
}

static int done(void **state)
{
	(void)state;
	unlink(at("run/lock"));
	rmdir(at("run"));
	unlink(at("lock"));
	unlink(at("notify"));
	return rmdir(base);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	r = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? errno : 0;
	close(fd);
	return r;
}

static void test_lock(void **state)
{
	struct rundir a, b;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(rundir_open(&a, at("run"), err), 0);
	assert_true(a.made);
	assert_int_equal(rundir_write_pid(&a, err), 0);
	/* another process: flock is per open file, but be true to life */
	pid = fork();
	if (!pid)
		_exit(rundir_open(&b, at("run"), err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(rundir_open(&b, at("run"), err), 5);
	assert_non_null(strstr(err, "another instance"));
	rundir_clean(&a);
	rundir_close(&a);
	assert_int_equal(rundir_open(&b, at("run"), err), 0);
	assert_false(b.made);
	rundir_close(&b);
	assert_int_equal(access(at("run/lock"), F_OK), 0);
}

static void test_name(void **state)
{
	struct rundir a, b;

	(void)state;
	assert_int_equal(rundir_open(&a, base, err), 0);
	assert_int_equal(strlen(a.segments), strlen("ctshardd.01234567"));
	rundir_close(&a);
	/* the same place by another road */
	assert_int_equal(rundir_open(&b, at("."), err), 0);
	assert_string_equal(a.segments, b.segments);
	rundir_close(&b);
	assert_int_equal(rundir_open(&b, at("run"), err), 0);
	assert_string_not_equal(a.segments, b.segments);
	b.unshared = true;
	rundir_close(&b);
	assert_int_equal(access(at("run"), F_OK), -1);
}

static void test_sockets(void **state)
{
	struct rundir a;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(rundir_open(&a, at("run"), err), 0);
	fd = rundir_listen(&a, "api.sock", 0660, (gid_t)-1, err);
	assert_true(fd >= 0);
	assert_int_equal(connect_to(at("run/api.sock")), ENOENT);
	assert_int_equal(rundir_publish(&a, "api.sock", err), 0);
	assert_int_equal(connect_to(at("run/api.sock")), 0);
	assert_int_equal(stat(at("run/api.sock"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	close(fd);
	rundir_clean(&a);
	assert_int_equal(access(at("run/api.sock"), F_OK), -1);
	assert_int_equal(rundir_publish(&a, "api.sock", err), -1);
	memset(a.path, 'x', 200);
	a.path[200] = '\0';
	assert_int_equal(rundir_listen(&a, "api.sock", 0660, (gid_t)-1, err),
	                 -1);
	assert_non_null(strstr(err, "shorter run directory"));
	rundir_close(&a);
}

static void test_notify(void **state)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char buf[64] = "";

	(void)state;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at("notify"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)),
	                 0);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	rundir_notify("READY=1");
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 7);
	assert_string_equal(buf, "READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	rundir_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
	rundir_notify("READY=1");
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_lock),
		T(test_name),
		T(test_sockets),
		T(test_notify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_supervisor.c - the whole supervisor, with roles that misbehave.
 *
 * This program is its own daemon: the supervisor executes /proc/self/exe, so
 * main() becomes a role when the environment says so.  The roles are played
 * here; what they are to do wrong comes by -F.  Every wait has an end, but no
 * test judges how long anything took.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/sandbox.h"
#include "daemon/supervisor/supervisor.h"
#include "shm/rcu.h"

/* -- the roles ----------------------------------------------------------------
 */
static const char *const orders[] = {"ok",         "refuse-1",    "refuse-2",
                                     "abort-once", "socket-once", "write-once",
                                     "open-once",  "hang-once",   "deaf",
                                     "abort",      "settings"};

/* What the roles of a daemon are to do travels as its filter. */
static void order_filter(char *out, size_t size, const char *what)
{
	size_t i = 0;

	while (strcmp(orders[i], what))
		i++;
	snprintf(out, size, "port %zu", i + 1);
}

static bool told(const struct role_env *e, const char *what)
{
	char filter[32];

	order_filter(filter, sizeof(filter), what);
	return e->filter && !strcmp(e->filter, filter);
}

static void nap(struct role_env *e)
{
	struct pollfd p = {.fd = role_stop_fd(), .events = POLLIN};

	role_beat(e);
	poll(&p, 1, 20);
}

static bool first_life(const struct role_env *e)
{
	return table_proc(e->t, e->slot)->incarnation == 1;
}

static int worker_setup(struct role_env *e)
{
	if (told(e, "refuse-1"))
		return 1;
	return told(e, "refuse-2") ? 2 : 0;
}

static int worker_loop(struct role_env *e)
{
	if (told(e, "abort-once") && first_life(e))
		kill(getpid(), SIGABRT);
	if (told(e, "abort"))
		kill(getpid(), SIGABRT);
	if (told(e, "socket-once") && first_life(e) &&
	    socket(AF_INET, SOCK_DGRAM, 0) >= 0)
		dprintf(2, "a socket was had\n");
	if (told(e, "write-once") && first_life(e) &&
	    write(e->fd[ROLE_FD_options], "", 0) == 0)
		dprintf(2, "a write was had\n");
	if (told(e, "open-once") && open("/dev/null", O_RDONLY) < 0 &&
	    errno == EPERM)
		dprintf(2, "open was refused\n");
	if (told(e, "hang-once") && first_life(e))
		for (;;)
			pause();
	if (told(e, "deaf"))
		for (;;)
			nap(e);
	while (!role_stopping())
		nap(e);
	return 0;
}

static void ask(struct role_env *e, const char *text, const char *want)
{
	char got[ROLE_MESSAGE_MAX];
	int n;

	if (role_send(e->fd[ROLE_FD_ctl], text))
		_exit(1);
	do {
		n = role_receive(e->fd[ROLE_FD_ctl], got, sizeof(got));
		if (n == 0)
			nap(e);
	} while (n == 0 || (n > 0 && !strncmp(got, "config\n", 7)));
	if (n < 0 || strncmp(got, want, strlen(want))) {
		dprintf(2, "FAULT '%s' gave '%s'\n", text, n > 0 ? got : "");
		_exit(1);
	}
}

static void settings(struct role_env *e)
{
	uint8_t acct;

	ask(e, "set acct=0\n", "ok");
	acct = rcud_enter(e->t)->acct;
	rcud_leave(e->t);
	if (acct)
		dprintf(2, "FAULT acct is still 1\n");
	ask(e, "set acct=7", "error 0 1 no yes off or on");
	ask(e, "set workers=2", "error workers cannot be changed");
	ask(e, "set foo=2", "error foo: there is no such key");
	ask(e, "set max=2000000", "error the table has room for 1024");
	ask(e, "set acct", "error KEY=VALUE");
	ask(e, "set max=100", "ok");
	dprintf(2, "settings done\n");
	role_send(e->fd[ROLE_FD_ctl], "nonsense");
	role_send(e->fd[ROLE_FD_ctl], "stop");
}

static int api_loop(struct role_env *e)
{
	if (e->fd[ROLE_FD_listen] < 0 || e->fd[ROLE_FD_control] < 0)
		return 1;
	if (told(e, "settings"))
		settings(e);
	while (!role_stopping())
		nap(e);
	return 0;
}

static const struct role role_worker = {.name = "worker",
                                        .access = REGION_WORKER,
                                        .many = true,
                                        .uid = 65534,
                                        .calls = "kill pause",
                                        .setup = worker_setup,
                                        .loop = worker_loop};
static const struct role role_reaper = {.name = "reaper",
                                        .access = REGION_REAPER,
                                        .uid = 65534,
                                        .calls = "kill pause",
                                        .loop = worker_loop};
static const struct role role_api = {
	.name = "api", .access = REGION_API, .uid = 65533, .loop = api_loop};
static const struct role *const rows[] = {&role_supervisor, &role_worker,
                                          &role_reaper, &role_api, NULL};
static const struct role_table fake_table = {.rows = rows};

/* -- a daemon to test
 * ----------------------------------------------------------- */
#define TRIES 3000 /* of 20 ms: only ends what hangs */

static char base[64], logged[1 << 16];
static pid_t daemon_pid;

static const char *at(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", base, name);
	return path[i];
}

static void file_write(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int fresh(void **state)
{
	(void)state;
	strcpy(base, "/tmp/ctshardd-test-sup.XXXXXX");
	daemon_pid = 0;
	if (!mkdtemp(base) || chmod(base, 0755) || mkdir(at("shm"), 0755))
		return -1;
	file_write("conf", "events = 1\n");
	file_write("capture", "one");
	return 0;
}

static int done(void **state)
{
	char command[128];

	(void)state;
	if (daemon_pid) {
		kill(daemon_pid, SIGKILL);
		waitpid(daemon_pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static pid_t daemon_start(const char *what, const char *extra)
{
	char shm[160];
	pid_t pid;
	int fd;

	snprintf(shm, sizeof(shm), "shm_dir=%s", at("shm"));
	pid = fork();
	if (pid)
		return pid;
	{
		char run[128], conf[128], capture[128], flt[32], more[64];
		char quick[] = "stall_kill=300ms", slow[] = "stall_kill=60s";
		bool hangs = !strcmp(what, "hang-once");
		char *argv[] = {"ctshardd",
		                "-R",
		                run,
		                "-f",
		                conf,
		                "-r",
		                capture,
		                "-s",
		                shm,
		                "-s",
		                "max=1024",
		                "-s",
		                "event.ring=64k",
		                "-s",
		                "event.log=1M",
		                "-s",
		                hangs ? quick : slow,
		                "-F",
		                flt,
		                "-s",
		                more,
		                NULL};
		int n = 0;

		strcpy(run, at("run"));
		strcpy(conf, at("conf"));
		strcpy(capture, at("capture"));
		order_filter(flt, sizeof(flt), what);
		snprintf(more, sizeof(more), "%s", extra);
		fd = open(at("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 2);
		while (argv[n])
			n++;
		_exit(supervisor_main(n, argv));
	}
}

/* How often `text` stands in the log. */
static int count(const char *text)
{
	int fd = open(at("log"), O_RDONLY), n = 0;
	ssize_t len = fd < 0 ? 0 : read(fd, logged, sizeof(logged) - 1);
	const char *c;

	logged[len < 0 ? 0 : len] = '\0';
	if (fd >= 0)
		close(fd);
	for (c = logged; (c = strstr(c, text)); c += strlen(text))
		n++;
	return n;
}

static void wait_for(const char *text, int times)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (count(text) >= times)
			return;
		usleep(20000);
	}
	fail_msg("no '%s' in:\n%s", text, logged);
}

static int wait_end(void)
{
	int status, i;

	for (i = 0; i < TRIES; i++) {
		if (waitpid(daemon_pid, &status, WNOHANG) == daemon_pid) {
			daemon_pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		usleep(20000);
	}
	fail_msg("it does not end:\n%s", count("") ? logged : "");
	return -1;
}

static int connect_api(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", at("run/api.sock"));
	r = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? errno : 0;
	close(fd);
	return r;
}

static int segments(void)
{
	char command[160];
	FILE *f;
	int n = -1;

	snprintf(command, sizeof(command), "ls %s | wc -l", at("shm"));
	f = popen(command, "r");
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

/* -- the tests
 * --------------------------------------------------------------------- */
static void test_life(void **state)
{
	char text[32] = "";
	FILE *f;

	(void)state;
	daemon_pid = daemon_start("ok", "workers=2");
	wait_for("ready\n", 1);
	assert_int_equal(connect_api(), 0);
	f = fopen(at("run/pid"), "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(atoi(text), daemon_pid);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
	assert_int_equal(connect_api(), ENOENT);
	assert_int_equal(access(at("run/pid"), F_OK), -1);
	/* tbl proc mlog pol key ev.0 ev.1 ev.64 */
	assert_int_equal(segments(), 8);
}

static void test_refusal(void **state)
{
	(void)state;
	daemon_pid = daemon_start("refuse-1", "workers=1");
	assert_int_equal(wait_end(), 1);
	daemon_pid = daemon_start("refuse-2", "workers=1");
	assert_int_equal(wait_end(), 2);
	assert_int_equal(count("ready\n"), 0);
	/* nothing stands in the way of the next start */
	assert_int_equal(segments(), 0);
}

static void test_crash(void **state)
{
	(void)state;
	daemon_pid = daemon_start("abort-once", "workers=2");
	wait_for("worker 1 died of signal 6", 1);
	wait_for("worker 0 died of signal 6", 1);
	wait_for("reaper 64 died of signal 6", 1);
	wait_for("ready\n", 1);
	kill(daemon_pid, SIGINT);
	assert_int_equal(wait_end(), 0);
}

static void daemon_end(void)
{
	wait_for("ready\n", 1);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
}

/* What a role's list does not have ends it, and the supervisor says so. */
static void test_forbidden(void **state)
{
	(void)state;
	if (!sandbox_can_limit())
		skip();
	daemon_pid = daemon_start("socket-once", "workers=1");
	wait_for("worker 0 died of signal 31: it made a system call", 1);
	wait_for("reaper 64 died of signal 31: it made a system call", 1);
	daemon_end();
	assert_int_equal(count("a socket was had"), 0);
}

/* A packet socket would send what is written to it. */
static void test_write(void **state)
{
	(void)state;
	if (!sandbox_can_limit())
		skip();
	daemon_pid = daemon_start("write-once", "workers=1");
	wait_for("worker 0 died of signal 31: it made a system call", 1);
	daemon_end();
	assert_int_equal(count("a write was had"), 0);
}

/* Libraries may ask. */
static void test_refused(void **state)
{
	(void)state;
	if (!sandbox_can_limit())
		skip();
	daemon_pid = daemon_start("open-once", "workers=1");
	wait_for("open was refused", 2);
	daemon_end();
	assert_int_equal(count("signal 31"), 0);
}

static void test_unlimited(void **state)
{
	(void)state;
	daemon_pid = daemon_start("socket-once", "seccomp=off");
	wait_for("a socket was had", 2);
	daemon_end();
	assert_int_equal(count("signal 31"), 0);
}

static void test_hang(void **state)
{
	(void)state;
	daemon_pid = daemon_start("hang-once", "workers=1");
	wait_for("): it shows no sign of life; killed", 2);
	wait_for("ready\n", 1);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
}

/* Roles that do not listen to SIGTERM are ended all the same. */
static void test_deaf(void **state)
{
	(void)state;
	daemon_pid = daemon_start("deaf", "workers=1");
	wait_for("ready\n", 1);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
}

static void test_give_up(void **state)
{
	(void)state;
	daemon_pid = daemon_start("abort", "workers=1");
	assert_int_equal(wait_end(), 1);
	assert_int_equal(count("died 10 times within 60 s: giving up"), 1);
}

static void test_second(void **state)
{
	pid_t first;

	(void)state;
	first = daemon_pid = daemon_start("ok", "workers=1");
	wait_for("ready\n", 1);
	daemon_pid = daemon_start("ok", "workers=1");
	assert_int_equal(wait_end(), 5);
	daemon_pid = first;
	assert_int_equal(connect_api(), 0);
	kill(first, SIGTERM);
	assert_int_equal(wait_end(), 0);
}

/* All of it dies with the supervisor, and the next one finds the table. */
static void test_killed(void **state)
{
	int i, refused = 0;

	(void)state;
	daemon_pid = daemon_start("ok", "workers=2");
	wait_for("ready\n", 1);
	kill(daemon_pid, SIGKILL);
	wait_end();
	/* the kernel takes the roles along, each when it is scheduled */
	for (i = 0; i < 10000 && refused != ECONNREFUSED; i++) {
		refused = connect_api();
		usleep(1000);
	}
	assert_int_equal(refused, ECONNREFUSED);
	daemon_pid = daemon_start("ok", "workers=2");
	wait_for("ready\n", 2);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
	/* another number of workers has no use for these positions */
	daemon_pid = daemon_start("ok", "workers=1");
	assert_int_equal(wait_end(), 4);
	assert_int_equal(count("--reset-table"), 1);
	/* nor has another capture */
	file_write("capture", "other");
	daemon_pid = daemon_start("ok", "workers=2");
	assert_int_equal(wait_end(), 4);
	assert_int_equal(segments(), 8);
}

static void test_settings(void **state)
{
	(void)state;
	daemon_pid = daemon_start("settings", "workers=1");
	assert_int_equal(wait_end(), 0);
	assert_int_equal(count("settings done"), 1);
	assert_int_equal(count("FAULT"), 0);
	assert_int_equal(count("'nonsense' not understood"), 1);
}

static void test_reload(void **state)
{
	(void)state;
	daemon_pid = daemon_start("ok", "workers=1");
	wait_for("ready\n", 1);
	file_write("conf", "events = 0\nacct = 0\nsnaplen = 128\n");
	kill(daemon_pid, SIGHUP);
	wait_for("reloaded, 2 settings changed", 1);
	assert_int_equal(count("snaplen cannot be changed"), 1);
	file_write("conf", "events = 0\nacct = x\n");
	kill(daemon_pid, SIGHUP);
	wait_for("conf:2: acct: ", 1);
	wait_for("the old configuration stays", 1);
	kill(daemon_pid, SIGTERM);
	assert_int_equal(wait_end(), 0);
}

int main(int argc, char *argv[])
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_life),      T(test_refusal),   T(test_crash),
		T(test_hang),      T(test_deaf),      T(test_give_up),
		T(test_forbidden), T(test_unlimited), T(test_write),
		T(test_refused),   T(test_second),    T(test_killed),
		T(test_settings),  T(test_reload),
	};

	role_table_set(&fake_table);
	if (getenv("CTSHARDD_ROLE"))
		return supervisor_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

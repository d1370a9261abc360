/* test_log.c - lines as they leave the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"

static int pipe_fd[2];
static char line[4096];

static int open_pipe(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	if (pipe2(pipe_fd, O_NONBLOCK))
		return -1;
	log_to(pipe_fd[1]);
	log_init("worker 3", LOG_LEVEL_INFO);
	return 0;
}

static int close_pipe(void **state)
{
	(void)state;
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return 0;
}

static const char *said(void)
{
	ssize_t n = read(pipe_fd[0], line, sizeof(line) - 1);

	line[n < 0 ? 0 : n] = '\0';
	return line;
}

static void test_forms(void **state)
{
	(void)state;
	log_warnx("capture", "%s: gone", "eth1");
	assert_string_equal(said(),
	                    "ctshardd: worker 3: capture: eth1: gone\n");
	errno = ENOENT;
	log_warn("capture", "x");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(said(), "ctshardd: worker 3: capture: x: "
	                            "No such file or directory\n");
	log_init(NULL, LOG_LEVEL_INFO);
	log_warnx(NULL, "-s foo: no");
	assert_string_equal(said(), "ctshardd: -s foo: no\n");
}

static void test_levels(void **state)
{
	(void)state;
	log_debug("a", "no");
	assert_string_equal(said(), "");
	log_info("a", "yes");
	assert_string_equal(said(), "ctshardd: worker 3: a: yes\n");
	log_init(NULL, LOG_LEVEL_WARN);
	log_info("a", "no");
	assert_string_equal(said(), "");
	log_init(NULL, LOG_LEVEL_DEBUG);
	log_debug("a", "yes");
	assert_string_equal(said(), "ctshardd: a: yes\n");
}

/* Nothing from outside can move the cursor or make a second line. */
static void test_control(void **state)
{
	char big[3000];

	(void)state;
	log_warnx("a", "x\033[2J\ny\177");
	assert_string_equal(said(), "ctshardd: worker 3: a: x?[2J?y?\n");
	memset(big, 'z', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_warnx("a", "%s", big);
	said();
	assert_true(strlen(line) <= 1024);
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void test_journal(void **state)
{
	struct stat st;
	char id[64];

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(id, sizeof(id), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", id, 1);
	log_init(NULL, LOG_LEVEL_INFO);
	log_warnx("a", "b");
	assert_string_equal(said(), "<4>ctshardd: a: b\n");
	snprintf(id, sizeof(id), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", id, 1);
	log_init(NULL, LOG_LEVEL_INFO);
	log_warnx("a", "b");
	assert_string_equal(said(), "ctshardd: a: b\n");
	unsetenv("JOURNAL_STREAM");
}

static void test_limit(void **state)
{
	struct log_limit l = {0, 0, 0};
	uint64_t now = 1000 * NS_PER_S;
	unsigned int i, n = 0;

	(void)state;
	for (i = 0; i < 100; i++)
		n += log_allow_at(&l, "a", "full", now + i);
	assert_int_equal(n, LOG_BURST);
	assert_string_equal(said(), "");
	assert_true(log_allow_at(&l, "a", "full", now + LOG_WINDOW_NS));
	assert_string_equal(said(), "ctshardd: worker 3: a: full: 90 more "
	                            "lines were kept back\n");
	assert_true(log_allow_at(&l, "a", "full", now + 3 * LOG_WINDOW_NS));
	assert_string_equal(said(), "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)
	const struct CMUnitTest tests[] = {
		T(test_forms),   T(test_levels), T(test_control),
		T(test_journal), T(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

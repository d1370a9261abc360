/*
 * test_cmd.c - verbs against a fake daemon: stdout, stderr, exit codes.
 *
 * For `replay`, this program is found in PATH as `ctshardd` too: started under
 * that name it is the fake daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/words.h"
#include "tests/lib/fake.h"

static char dir[128];
static pid_t daemon_pid;
static char out[1 << 16], err[1 << 14];

#define ROW(port)                                                          \
	"tcp      6 300 ESTABLISHED src=10.0.0.1 dst=10.0.1.1 sport=" port \
	" dport=80 src=10.0.1.1 dst=10.0.0.1 sport=80 dport=" port         \
	" [ASSURED] mark=0 use=1\n"
#define UUID "abcd0000-0000-0000-0000-000000000000"

static void send_rows(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	struct fake_conn row[2];
	Ctshard__Conn *p[2] = {&row[0].c, &row[1].c};

	fake_conn(&row[0], 2);
	fake_conn(&row[1], 1);
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.n_conn = 2;
	a.conn = p;
	fake_send(c, &a);
}

static void send_event(struct fake_client *c, const Ctshard__Request *r,
                       Ctshard__EventType type, uint64_t seq)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__Event e = CTSHARD__EVENT__INIT, *p = &e;
	static char source[] = "log";
	struct fake_conn row;

	fake_conn(&row, 1);
	e.has_type = e.has_seq = e.has_bits = 1;
	e.type = type;
	e.seq = seq;
	e.bits = 32;
	if (type == CTSHARD__EVENT_TYPE__GAP) {
		e.has_from = e.has_to = e.has_lost = 1;
		e.from = seq - 1;
		e.to = seq + 5;
		e.lost = 5;
		e.source = source;
	} else {
		e.conn = &row.c;
	}
	a.has_id = 1;
	a.id = r->id;
	a.n_event = 1;
	a.event = &p;
	fake_send(c, &a);
}

/* since tells which story: 7 has a gap, 8 dies after one event */
static void send_watch(struct fake_client *c, const Ctshard__Request *r)
{
	uint64_t since = r->watch->has_since ? r->watch->since : 100;

	send_event(c, r, CTSHARD__EVENT_TYPE__NEW, since + 1);
	if (since == 8)
		_exit(0);
	if (since == 7)
		send_event(c, r, CTSHARD__EVENT_TYPE__GAP, since + 2);
	send_event(c, r, CTSHARD__EVENT_TYPE__UPDATE, since + 10);
	if (r->watch->until_end)
		fake_end(c, r);
}

static void send_stats(struct fake_client *c, const Ctshard__Request *r)
{
	char *name[] = {(char[]){"frames"}, (char[]){"packets.new"},
	                (char[]){"events.new"}, (char[]){"packets.invalid"},
	                (char[]){"drops.decode.not_ip"}};
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__Counter k[5], *kp[5];
	Ctshard__Scope s[2] = {CTSHARD__SCOPE__INIT, CTSHARD__SCOPE__INIT};
	Ctshard__Scope *sp[2] = {&s[0], &s[1]};
	int i;

	for (i = 0; i < 5; i++) {
		ctshard__counter__init(&k[i]);
		k[i].name = name[i];
		k[i].has_value = 1;
		k[i].value = (uint64_t)i + 1;
		kp[i] = &k[i];
	}
	s[1].has_worker = 1;
	s[0].n_counter = s[1].n_counter = 5;
	s[0].counter = s[1].counter = kp;
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.n_scope = 2;
	a.scope = sp;
	fake_send(c, &a);
}

static void send_affected(struct fake_client *c, const Ctshard__Request *r,
                          uint64_t n)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;

	a.has_id = a.has_end = a.end = a.has_affected = 1;
	a.id = r->id;
	a.affected = n;
	fake_send(c, &a);
}

static void send_config(struct fake_client *c, const Ctshard__Request *r)
{
	static char name[] = "config", key[] = "key", value[] = "value",
		    max[] = "max", number[] = "262144";
	char *column[2] = {key, value}, *cell[2] = {max, number};
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__Table t = CTSHARD__TABLE__INIT, *tp = &t;
	Ctshard__Table__Row row = CTSHARD__TABLE__ROW__INIT, *rp = &row;

	row.n_cell = t.n_column = 2;
	row.cell = cell;
	t.name = name;
	t.column = column;
	t.n_row = 1;
	t.row = &rp;
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.n_table = 1;
	a.table = &tp;
	fake_send(c, &a);
}

static void send_count(struct fake_client *c, const Ctshard__Request *r)
{
	Ctshard__Response a = CTSHARD__RESPONSE__INIT;
	Ctshard__CountRow n = CTSHARD__COUNT_ROW__INIT, *p = &n;

	n.has_count = 1;
	n.count = 12;
	a.has_id = a.has_end = a.end = 1;
	a.id = r->id;
	a.n_count = 1;
	a.count = &p;
	fake_send(c, &a);
}

static char broken_text[] = "b.pcap: packet 7: cut short";

static void answer(struct fake_client *c, const Ctshard__Request *r)
{
	switch (r->body_case) {
	case CTSHARD__REQUEST__BODY_LIST:
		send_rows(c, r);
		break;
	case CTSHARD__REQUEST__BODY_WATCH:
		send_watch(c, r);
		break;
	case CTSHARD__REQUEST__BODY_STATS:
		send_stats(c, r);
		break;
	case CTSHARD__REQUEST__BODY_SHOW:
		send_config(c, r);
		break;
	case CTSHARD__REQUEST__BODY_COUNT:
		send_count(c, r);
		break;
	case CTSHARD__REQUEST__BODY_DELETE:
		send_affected(c, r, r->delete_->filter->has_mark ? 0 : 3);
		break;
	case CTSHARD__REQUEST__BODY_GET:
		fake_error(c, r, CTSHARD__ERROR_CODE__NOT_FOUND, NULL);
		break;
	case CTSHARD__REQUEST__BODY_SET:
		fake_error(c, r, CTSHARD__ERROR_CODE__UNSUPPORTED,
		           (char[]){"max cannot be changed\033"});
		break;
	case CTSHARD__REQUEST__BODY_WAIT_END:
		if (getenv("FAKE_BROKEN"))
			fake_error(c, r, CTSHARD__ERROR_CODE__FAILED,
			           broken_text);
		else if (!getenv("FAKE_SLOW"))
			fake_end(c, r);
		break;
	default:
		fake_end(c, r);
	}
}

static void slurp(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0);
	to[n] = '\0';
	close(fd);
}

static int scratch(void)
{
	FILE *f = tmpfile();
	int fd = dup(fileno(f));

	fclose(f);
	return fd;
}

/* the test's end of a pipe, which the program under test must not keep */
static int not_yours = -1;

/* What main() does with these words, in a process of its own. */
static pid_t spawn(const char *line, int fd_out, int fd_err)
{
	static struct cmd cmd;
	char copy[1024], *argv[64] = {(char[]){"ctctl"}}, *save = NULL, *w;
	int argc = 1, code;
	char why[256];
	pid_t pid = fork();

	if (pid)
		return pid;
	close(not_yours);
	dup2(fd_out, STDOUT_FILENO);
	close(fd_out);
	dup2(fd_err, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	snprintf(copy, sizeof(copy), "%s", line);
	for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	code = word_parse(&cmd, argc, argv, why, sizeof(why));
	if (!cmd.rundir)
		cmd.rundir = dir;
	code = code ? 2 : cmd.verb->run(&cmd);
	_exit(code);
}

static int code_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + status;
}

static int run(const char *line)
{
	int fd_out = scratch(), fd_err = scratch();
	int code = code_of(spawn(line, fd_out, fd_err));

	slurp(fd_out, out, sizeof(out));
	slurp(fd_err, err, sizeof(err));
	return code;
}

static void test_list(void **state)
{
	(void)state;
	assert_int_equal(run("list"), 0);
	assert_string_equal(out, ROW("1002") ROW("1001"));
	assert_string_equal(err, "ctctl: 2 flow entries have been shown.\n");
	assert_int_equal(run("list --sort sport"), 0);
	assert_string_equal(out, ROW("1001") ROW("1002"));
	assert_int_equal(run("list --sort nothing"), 2);
	assert_int_equal(run("list -o csv --columns sport,state"), 0);
	assert_string_equal(out, "sport,state\n1002,ESTABLISHED\n"
	                         "1001,ESTABLISHED\n");
	assert_int_equal(run("list -o table --columns sport,state"), 0);
	assert_string_equal(out, "SPORT STATE\n 1002 ESTABLISHED\n"
	                         " 1001 ESTABLISHED\n");
}

static void test_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(run("list -R /nonexistent"), 3);
	assert_string_equal(out, "");
	assert_int_equal(run("list -R /nonexistent -o json"), 3);
	assert_string_equal(out, "");
	assert_int_equal(run("get -p tcp"), 2);
	assert_int_equal(run("get -p tcp -s 10.0.0.1 -d 10.0.0.2"), 2);
	assert_string_equal(err, "ctctl: you have to specify `--sport' and "
	                         "`--dport'\n");
	assert_int_equal(run("get -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 "
	                     "--dport 2"),
	                 4);
	assert_string_equal(err, "ctctl: Operation failed: such conntrack "
	                         "doesn't exist\n");
	assert_int_equal(run("delete"), 0);
	assert_string_equal(err, "ctctl: 3 flow entries have been deleted.\n");
	assert_int_equal(run("delete -m 1"), 4);
	assert_string_equal(err, "ctctl: 0 flow entries have been deleted.\n");
	assert_int_equal(run("set max=1"), 1);
	assert_string_equal(err, "ctctl: max cannot be changed?\n");
	assert_int_equal(run("set max"), 2);
	assert_int_equal(run("update"), 2);
	assert_int_equal(run("count"), 0);
	assert_string_equal(out, "12\n");
	assert_int_equal(run("show max"), 0);
	assert_string_equal(out, "max = 262144\n");
	assert_int_equal(run("show max -o json"), 0);
	assert_string_equal(out, "{\"config\":[\n{\"key\":\"max\","
	                         "\"value\":\"262144\"}\n]}\n");
}

#define STATS_OBJECT                                          \
	"\"frames\":1,\"packets\":{\"new\":2,\"invalid\":4}," \
	"\"events\":{\"new\":3},\"drops\":{\"decode\":{\"not_ip\":5}}"

static void test_stats(void **state)
{
	(void)state;
	assert_int_equal(run("stats -o json"), 0);
	assert_string_equal(out, "{" STATS_OBJECT ",\"workers\":[\n"
	                         "{\"worker\":0," STATS_OBJECT "}]}\n");
	assert_int_equal(run("stats"), 0);
	assert_string_equal(out, "worker=0   \tframes=1 packets.new=2 "
	                         "events.new=3 packets.invalid=4 "
	                         "drops.decode.not_ip=5 \n"
	                         "total      \tframes=1 packets.new=2 "
	                         "events.new=3 packets.invalid=4 "
	                         "drops.decode.not_ip=5 \n");
}

#define EVENT(tag)                                                    \
	tag " tcp      6 300 ESTABLISHED src=10.0.0.1 dst=10.0.1.1 "  \
	    "sport=1001 dport=80 src=10.0.1.1 dst=10.0.0.1 sport=80 " \
	    "dport=1001 [ASSURED]\n"

static void test_watch(void **state)
{
	(void)state;
	assert_int_equal(run("watch -n 2"), 0);
	assert_string_equal(out, EVENT("    [NEW]") EVENT(" [UPDATE]"));
	assert_string_equal(err, "ctctl: 2 flow events have been shown.\n"
	                         "ctctl: resume with --since " UUID ":110\n");
	assert_int_equal(run("watch -n 2 --since 7"), 0);
	assert_string_equal(
		out, EVENT("    [NEW]") "    [GAP] lost=5 from=8 to=14 "
					"source=log\n" EVENT(" [UPDATE]"));
	assert_int_equal(run("watch --since 7 --strict"), 5);
	assert_string_equal(err, "ctctl: 1 flow events have been shown.\n"
	                         "ctctl: resume with --since " UUID ":13\n");
	/* the daemon's end: gone for good, or asked again from where it was */
	assert_int_equal(run("watch --since 8 --no-reconnect"), 3);
	assert_string_equal(out, EVENT("    [NEW]"));
	assert_int_equal(run("watch --since 8 -n 3"), 0);
	assert_string_equal(out, EVENT("    [NEW]") EVENT("    [NEW]")
	                                 EVENT(" [UPDATE]"));
	assert_non_null(strstr(err, "--since " UUID ":19\n"));
}

static void test_watch_signal(void **state)
{
	int fd_out = scratch(), fd_err = scratch(), i;
	pid_t pid = spawn("watch", fd_out, fd_err);

	(void)state;
	for (i = 0; i < 10000 && lseek(fd_out, 0, SEEK_END) <= 0; i++)
		usleep(1000);
	kill(pid, SIGTERM);
	assert_int_equal(code_of(pid), 0);
	slurp(fd_out, out, sizeof(out));
	slurp(fd_err, err, sizeof(err));
	assert_non_null(strstr(err, "ctctl: resume with --since " UUID ":"));
}

static void test_watch_pipe(void **state)
{
	int p[2], fd_err = scratch();
	pid_t pid;
	char ch;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	not_yours = p[0];
	pid = spawn("watch", p[1], fd_err);
	not_yours = -1;
	close(p[1]);
	assert_int_equal(read(p[0], &ch, 1), 1);
	close(p[0]);
	assert_int_equal(code_of(pid), 0);
	slurp(fd_err, err, sizeof(err));
	assert_string_equal(err, "");
}

/* Nothing is left of a run directory. */
static void assert_clean(void)
{
	char line[512];

	snprintf(
		line, sizeof(line),
		"test -z \"$(ls -d %s/ctctl.* 2>&-)\" || { ls -lR %s; false; }",
		dir, dir);
	assert_int_equal(system(line), 0);
}

static void test_replay(void **state)
{
	(void)state;
	assert_int_equal(run("replay --events - a.pcap"), 0);
	assert_string_equal(out, EVENT("    [NEW]") EVENT(" [UPDATE]")
	                                 ROW("1002") ROW("1001"));
	assert_string_equal(err, "");
	assert_clean();
	assert_int_equal(run("replay --table /dev/null --stats - a.pcap"), 0);
	assert_string_equal(out, "{" STATS_OBJECT ",\"workers\":[\n"
	                         "{\"worker\":0," STATS_OBJECT "}]}\n");
	assert_int_equal(run("replay"), 2);
	assert_int_equal(run("replay - -"), 2);
	assert_int_equal(run("replay --table /nonexistent/t a.pcap"), 1);
	assert_clean();
}

/* what came before a broken packet is written; the code says it broke */
static void test_replay_broken(void **state)
{
	(void)state;
	setenv("FAKE_BROKEN", "1", 1);
	assert_int_equal(run("replay a.pcap b.pcap"), 1);
	unsetenv("FAKE_BROKEN");
	assert_string_equal(out, ROW("1002") ROW("1001"));
	assert_string_equal(err, "ctctl: b.pcap: packet 7: cut short\n");
	assert_clean();
}

static void test_replay_refused(void **state)
{
	(void)state;
	assert_int_equal(run("replay -s bad=1 a.pcap"), 2);
	assert_string_equal(out, "");
	assert_string_equal(err, "ctshardd: -s bad: unknown key\n");
	assert_clean();
}

static void test_replay_signal(void **state)
{
	int fd_out = scratch(), fd_err = scratch(), i;
	pid_t pid;

	(void)state;
	setenv("FAKE_SLOW", "1", 1);
	pid = spawn("replay --events - a.pcap", fd_out, fd_err);
	unsetenv("FAKE_SLOW");
	for (i = 0; i < 10000 && lseek(fd_out, 0, SEEK_END) <= 0; i++) {
		usleep(1000);
		if (i > 100)
			break; /* its events may wait in a buffer: long enough
			        */
	}
	kill(pid, SIGINT);
	assert_int_equal(code_of(pid), 1);
	close(fd_out);
	slurp(fd_err, err, sizeof(err));
	assert_string_equal(err, "ctctl: interrupted\n");
	assert_clean();
}

static int setup(void **state)
{
	char self[PATH_MAX], path[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	if (n < 0)
		return -1;
	self[n] = '\0';
	snprintf(dir, sizeof(dir), "/tmp/test_cmd.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/ctshardd", dir);
	if (symlink(self, path))
		return -1;
	setenv("PATH", strcat(strcpy(path, dir), ":/usr/bin:/bin"), 1);
	setenv("TMPDIR", dir, 1);
	daemon_pid = fake_start(dir, answer);
	return 0;
}

static int teardown(void **state)
{
	char line[256];

	(void)state;
	fake_stop(daemon_pid);
	snprintf(line, sizeof(line), "rm -r %s", dir);
	return system(line);
}

/* As `ctshardd -R DIR --private --hold -w N ...`. */
static int fake_main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "bad=1")) {
			fprintf(stderr, "ctshardd: -s bad: unknown key\n");
			return 2;
		}
	}
	if (argc < 7 || strcmp(argv[1], "-R") || strcmp(argv[3], "--private") ||
	    strcmp(argv[4], "--hold") || strcmp(argv[5], "-w"))
		return 1;
	fake_serve(argv[2], answer);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_signal),
		cmocka_unit_test(test_watch_pipe),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_replay_broken),
		cmocka_unit_test(test_replay_refused),
		cmocka_unit_test(test_replay_signal),
	};

	if (strstr(argv[0], "ctshardd"))
		return fake_main(argc, argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}

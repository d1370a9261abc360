/*
 * clients.c - what leaves through the socket: list and events.
 *
 * The real programs: ctshardd (beside ctbench) reads a capture of made-up
 * connections, and K times ctctl asks for rows or follows the events.  Rows go
 * into files, and in turn into /dev/null: the difference is the file system's.
 * Wall time, because several processes work.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 128u

uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

pid_t spawn_to(const struct yard *y, const char *const *argv, int out)
{
	char path[PATH_MAX + 16];
	char *args[16];
	unsigned int i;
	pid_t pid = fork();

	if (pid)
		return pid;
	for (i = 0; argv[i] && i < ARRAY_SIZE(args) - 1; i++)
		args[i] = strdup(argv[i]);
	args[i] = NULL;
	snprintf(path, sizeof(path), "%s/%s", y->bin, args[0]);
	if (out < 0)
		out = open("/dev/null", O_WRONLY);
	if (dup2(out, 1) < 0 || !freopen("/dev/null", "w", stderr))
		_exit(126);
	execv(path, args);
	_exit(127);
}

pid_t spawn(const struct yard *y, const char *const *argv)
{
	return spawn_to(y, argv, -1);
}

int scratch_open(void)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/ctbench.XXXXXX",
	         dir && *dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

int finish(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool capture_write(const struct yard *y, const struct bench_opt *o,
                          uint64_t udp)
{
	const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *f = fopen(y->capture, "w");
	struct frames fr;
	uint64_t id;

	if (!f)
		return false;
	frames_init(&fr, o->connections, o->v6);
	for (id = 0; id < o->connections; id++) {
		/* the last of each of so many equal parts */
		struct flow fl = {.udp = (id + 1) * udp / o->connections !=
		                         id * udp / o->connections};

		frames_add(&fr, id, &fl, 0, FRAME_SYN);
	}
	fwrite(head, sizeof(head), 1, f);
	for (id = 0; id < fr.n; id++) {
		const struct source_frame *s = &fr.f[id];
		const uint32_t rec[4] = {1700000000, (uint32_t)(id / 10),
		                         s->caplen, s->wirelen};

		fwrite(rec, sizeof(rec), 1, f);
		fwrite(s->data, s->caplen, 1, f);
	}
	frames_free(&fr);
	return fclose(f) == 0;
}

bool yard_open(struct yard *y, const struct bench_opt *o, uint64_t udp,
               bool hold)
{
	const char *const daemon[] = {
		"ctshardd",  "-R",           y->run,
		"--private", "-r",           y->capture,
		"-s",        "event.log=1G", hold ? "--hold" : NULL,
		NULL};
	const char *const count[] = {"ctctl", "-R", y->run, "count", NULL};
	unsigned int i;
	ssize_t n;

	snprintf(y->dir, sizeof(y->dir), "/tmp/ctbench.XXXXXX");
	n = readlink("/proc/self/exe", y->bin, sizeof(y->bin) - 1);
	if (n < 0 || !mkdtemp(y->dir))
		return false;
	y->bin[n] = '\0';
	dirname(y->bin);
	snprintf(y->capture, sizeof(y->capture), "%s/in.pcap", y->dir);
	snprintf(y->run, sizeof(y->run), "%s/run", y->dir);
	if (!capture_write(y, o, udp))
		return false;
	y->daemon = spawn(y, daemon);
	for (i = 0; i < 500; i++) {
		if (finish(spawn(y, count)) == 0)
			return true;
		usleep(20000);
	}
	return false;
}

void yard_close(struct yard *y)
{
	const char *const remove[] = {"ctshardd", "-R", y->run,
	                              "--remove-table", NULL};
	char cmd[128];

	if (y->daemon > 0) {
		kill(y->daemon, SIGTERM);
		finish(y->daemon);
		/* a table outlives its daemon, unless somebody says so */
		finish(spawn(y, remove));
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", y->dir);
	if (system(cmd))
		fprintf(stderr, "ctbench: %s stays\n", y->dir);
}

/* K clients at once, each into its file of `out` (NULL: thrown away); seconds
 * until the last has ended, or -1 */
static double clients_run(const struct yard *y, const char *const *argv,
                          unsigned int k, const int *out)
{
	pid_t pid[CLIENTS_MAX];
	unsigned int i;
	uint64_t t0;
	int bad = 0;

	for (i = 0; out && i < k; i++)
		if (ftruncate(out[i], 0) || lseek(out[i], 0, SEEK_SET))
			return -1;
	t0 = wall_ns();
	for (i = 0; i < k; i++)
		pid[i] = spawn_to(y, argv, out ? out[i] : -1);
	for (i = 0; i < k; i++)
		bad |= finish(pid[i]);
	return bad ? -1 : (double)(wall_ns() - t0) / 1e9;
}

static bool client_args(const struct bench_opt *o, unsigned int k)
{
	return k && k <= CLIENTS_MAX && o->repeat;
}

int bench_list(const struct bench_opt *o)
{
	const char *format = o->format ? o->format : "jsonl";
	struct sample file = {0}, none = {0};
	struct yard y = {.daemon = -1};
	unsigned int k = o->clients, i;
	int out[CLIENTS_MAX];
	bool ok;

	if (!client_args(o, k))
		return 2;
	ok = yard_open(&y, o, 0, false);
	for (i = 0; i < k; i++)
		ok &= (out[i] = scratch_open()) >= 0;
	for (i = 0; ok && i <= o->repeat; i++) {
		const char *const list[] = {"ctctl", "-R",   y.run, "list",
		                            "-o",    format, NULL};
		double a = clients_run(&y, list, k, NULL);
		double b = clients_run(&y, list, k, out);

		ok = a > 0 && b > 0;
		/* the first waits for the capture to be worked off */
		if (!i || !ok)
			continue;
		sample_add(&none, (double)o->connections * k / a);
		sample_add(&file, (double)o->connections * k / b);
	}
	for (i = 0; i < k; i++)
		if (out[i] >= 0)
			close(out[i]);
	yard_close(&y);
	if (!ok) {
		fprintf(stderr, "ctbench: list: a client failed\n");
		return 1;
	}
	printf("{\"bench\":\"list\",\"connections\":%llu,\"clients\":%u,"
	       "\"format\":\"%s\",\"rows_per_second\":%.0f,"
	       "\"thrown_away_per_second\":%.0f}\n",
	       (unsigned long long)o->connections, k, format,
	       sample_median(&file), sample_median(&none));
	return 0;
}

int bench_events(const struct bench_opt *o)
{
	const char *format = o->format ? o->format : "jsonl";
	struct sample s = {0};
	struct yard y = {.daemon = -1};
	unsigned int k = o->subscribers, i;
	char many[24];
	bool ok;

	snprintf(many, sizeof(many), "%llu",
	         (unsigned long long)o->connections);
	if (!client_args(o, k))
		return 2;
	ok = yard_open(&y, o, 0, false);
	for (i = 0; ok && i <= o->repeat; i++) {
		const char *const watch[] = {
			"ctctl",   "-R",    y.run, "watch", "-o", format,
			"--since", "start", "-n",  many,    NULL};
		double t = !strcmp(format, "binary")
		                   ? followers_run(&y, o->connections, k)
		                   : clients_run(&y, watch, k, NULL);

		ok = t > 0;
		/* the first waits for the capture to be worked off */
		if (i && ok)
			sample_add(&s, (double)o->connections * k / t);
	}
	yard_close(&y);
	if (!ok) {
		fprintf(stderr, "ctbench: events: a client failed\n");
		return 1;
	}
	printf("{\"bench\":\"events\",\"connections\":%llu,\"clients\":%u,"
	       "\"format\":\"%s\",\"rows_per_second\":%.0f}\n",
	       (unsigned long long)o->connections, k, format,
	       sample_median(&s));
	return 0;
}

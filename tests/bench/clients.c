/*
 * clients.c - what leaves through the socket: list and events.
 *
 * The real programs: ctshardd (beside ctbench) reads a capture of made-up
 * connections, and K times ctctl asks for rows or follows the events, into
 * /dev/null.  Wall time, because several processes work.
 */
#include "tests/bench/bench.h"

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

pid_t spawn(const struct yard *y, const char *const *argv)
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
	if (!freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		_exit(126);
	execv(path, args);
	_exit(127);
}

int finish(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool capture_write(const struct yard *y, const struct bench_opt *o)
{
	const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *f = fopen(y->capture, "w");
	struct frames fr;
	uint64_t id;

	if (!f)
		return false;
	frames_init(&fr, o->connections, o->v6);
	for (id = 0; id < o->connections; id++) {
		struct flow fl = {.udp = false};

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

bool yard_open(struct yard *y, const struct bench_opt *o, bool hold)
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
	if (!capture_write(y, o))
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
	char cmd[128];

	if (y->daemon > 0) {
		kill(y->daemon, SIGTERM);
		finish(y->daemon);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", y->dir);
	if (system(cmd))
		fprintf(stderr, "ctbench: %s stays\n", y->dir);
}

/* K clients at once; seconds until the last has ended, or -1 */
static double clients_run(const struct yard *y, const char *const *argv,
                          unsigned int k)
{
	pid_t pid[CLIENTS_MAX];
	uint64_t t0 = wall_ns();
	unsigned int i;
	int bad = 0;

	for (i = 0; i < k; i++)
		pid[i] = spawn(y, argv);
	for (i = 0; i < k; i++)
		bad |= finish(pid[i]);
	return bad ? -1 : (double)(wall_ns() - t0) / 1e9;
}

static int clients_bench(const struct bench_opt *o, const char *name,
                         unsigned int k, bool events)
{
	const char *format = o->format ? o->format : "jsonl";
	struct sample s = {0};
	struct yard y = {.daemon = -1};
	char many[24];
	unsigned int i;
	bool ok;

	snprintf(many, sizeof(many), "%llu",
	         (unsigned long long)o->connections);
	if (!k || k > CLIENTS_MAX)
		return 2;
	ok = yard_open(&y, o, false);
	for (i = 0; ok && i <= o->repeat; i++) {
		const char *const list[] = {"ctctl", "-R",   y.run, "list",
		                            "-o",    format, NULL};
		const char *const watch[] = {
			"ctctl",   "-R",    y.run, "watch", "-o", format,
			"--since", "start", "-n",  many,    NULL};
		double t = events && !strcmp(format, "binary")
		                   ? followers_run(&y, o->connections, k)
		                   : clients_run(&y, events ? watch : list, k);

		ok = t > 0;
		/* the first waits for the capture to be worked off */
		if (i && ok)
			sample_add(&s, (double)o->connections * k / t);
	}
	yard_close(&y);
	if (!ok) {
		fprintf(stderr, "ctbench: %s: a client failed\n", name);
		return 1;
	}
	printf("{\"bench\":\"%s\",\"connections\":%llu,\"clients\":%u,"
	       "\"format\":\"%s\",\"rows_per_second\":%.0f}\n",
	       name, (unsigned long long)o->connections, k, format,
	       sample_median(&s));
	return 0;
}

int bench_list(const struct bench_opt *o)
{
	return clients_bench(o, "list", o->clients, false);
}

int bench_events(const struct bench_opt *o)
{
	return clients_bench(o, "events", o->subscribers, true);
}

/*
 * start.c - from the command line to the supervisor.
 *
 * What can be wrong with words and files is found here, before anything is
 * touched.  Then the program executes itself again as the supervisor, with the
 * same pid: its title is exact, and what it knows came the same way as to
 * every other role.
 */
#include "daemon/supervisor/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/rules.h"
#include "daemon/base/sandbox.h"
#include "daemon/source/sieve.h"
#include "daemon/supervisor/cpus.h"
#include "daemon/supervisor/offline.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/sizing.h"
#include "daemon/supervisor/super.h"

static const char usage[] =
	"usage: ctshardd [-dtTV] [-f FILE] [-i IFACE]... [-r CAPTURE]... "
	"[-w WORKERS]\n"
	"                [-R RUNDIR] [-s KEY=VALUE]... [-F 'tcpdump filter']\n"
	"                [--reset-table] [--remove-table]\n";

uint64_t super_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int super_memfd(const char *name, const void *text, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	const char *at = text;
	ssize_t r;

	while (fd >= 0 && len) {
		r = write(fd, at, len);
		if (r <= 0) {
			close(fd);
			return -1;
		}
		at += r;
		len -= (size_t)r;
	}
	return fd;
}

/* The default file may be missing.  A private instance reads a file only when
 * told to: a replay gives the same lines on every machine. */
static int file_read(struct conf *c, const struct options *o, char *err)
{
	if (o->file_given)
		return conf_read_file(c, o->file, err);
	if (o->private_instance)
		return conf_set(c, "max", "0", err);
	if (access(o->file, F_OK) && errno == ENOENT)
		return 0;
	return conf_read_file(c, o->file, err);
}

/* Rules name other keys: only all together they can be judged. */
static int rules_try(struct conf *c, const struct options *o, char *err)
{
	const struct rule_ifaces ifaces = {o->ifaces, o->nifaces};
	static struct policy p;
	char why[CONF_ERR];
	unsigned int i;
	size_t len;

	if (rules_labels_load(c, err))
		return -1;
	role_policy(c, &p);
	if (!rules_to_policy(c, &ifaces, NULL, &p, why) &&
	    !role_conf_check(c, why))
		return 0;
	/* "rule.web.mark: ...": whoever spoke of rule.web */
	len = strcspn(why, ":");
	while (len && why[len - 1] != '.')
		len--;
	for (i = 0; i < o->nsets && strncmp(o->sets[i], why, len) != 0; i++)
		;
	snprintf(err, CONF_ERR, "%.100s%s%.140s", i < o->nsets ? "-s" : o->file,
	         i < o->nsets ? " " : ": ", why);
	return -1;
}

struct conf *super_conf_load(const struct options *o, char *err)
{
	struct conf *c = role_conf_new();
	unsigned int i;
	int r;

	if (!c) {
		snprintf(err, CONF_ERR, "the table of keys cannot be made");
		return NULL;
	}
	r = file_read(c, o, err);
	for (i = 0; i < o->nsets && !r; i++)
		r = conf_set_pair(c, o->sets[i], err);
	if (!r)
		r = rules_try(c, o, err);
	if (!r && cpus_of(conf_text(c, "worker.cpus"), 0, err, CONF_ERR) == -2)
		r = -1;
	if (!r)
		return c;
	conf_free(c);
	return NULL;
}

static int print(const struct options *o, const struct conf *c)
{
	struct region_params p;
	char err[PLAN_ERR];

	if (plan_region(o, c, "", &p, err)) {
		log_warnx(NULL, "%s", err);
		return 1;
	}
	conf_print(c, stdout);
	putchar('\n');
	plan_print(&p, plan_capture(o, c), stdout);
	sizing_print(&p, o, c, plan_available(&p), stdout);
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}

static int remove_table(const struct options *o, const struct conf *c)
{
	char err[RUNDIR_ERR];
	struct rundir run;
	int n, r = rundir_open(&run, o->rundir, err);

	if (r) {
		log_warnx(NULL, "%s", err);
		return r;
	}
	n = region_remove(conf_text(c, "shm_dir"), run.segments);
	run.unshared = run.made;
	rundir_close(&run);
	log_info(NULL, "%d segments removed", n);
	return 0;
}

static int capture_refused(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n < 0 ? 0 : n] = '\0';
	log_warnx(NULL,
	          "live capture needs CAP_NET_RAW: be root, or run once: "
	          "setcap cap_net_raw+ep %s",
	          path);
	return 1;
}

/* The same process, from here on as a role. */
static int supervise(const struct options *o, const struct conf *c)
{
	char title[] = "ctshardd: supervisor", fds[64], slot[16];
	char *argv[] = {title, NULL}, *text = conf_text_of(c);
	int conf, words;

	conf = text ? super_memfd("config", text, strlen(text)) : -1;
	words = super_memfd("options", o->words, o->words_len);
	free(text);
	/* these two alone live through exec */
	conf = conf < 0 ? -1 : dup(conf);
	words = words < 0 ? -1 : dup(words);
	if (conf < 0 || words < 0)
		fatal(NULL, "memfd");
	snprintf(fds, sizeof(fds), "conf=%d,options=%d", conf, words);
	snprintf(slot, sizeof(slot), "%u", SLOT_SUPER);
	if (setenv("CTSHARDD_ROLE", role_supervisor.name, 1) ||
	    setenv("CTSHARDD_SLOT", slot, 1) || setenv("CTSHARDD_FDS", fds, 1))
		fatal(NULL, "environment");
	execv("/proc/self/exe", argv);
	fatal(NULL, "/proc/self/exe");
}

static int command(const struct options *o, const struct conf *c)
{
	char err[SOURCE_ERR];

	if (o->filter && *o->filter && !sieve_possible(o->filter, err)) {
		log_warnx(NULL, "%s", err);
		return 2;
	}
	if (o->print)
		return print(o, c);
	if (o->test)
		return 0;
	if (o->check)
		return offline_check(o, c);
	if (o->dump)
		return offline_dump(o, c);
	if (o->load)
		return offline_load(o, c);
	if (o->remove_table)
		return remove_table(o, c);
	if (!o->nifaces && !o->ncaptures) {
		log_warnx(NULL, "nothing to track: -i IFACE or -r CAPTURE is "
		                "needed");
		return 2;
	}
	if (o->nifaces && !sandbox_may_capture())
		return capture_refused();
	return supervise(o, c);
}

/* "file:line: message" begins the line, as a compiler's does */
static int conf_refused(const char *err)
{
	if (!strncmp(err, "-s ", 3))
		log_warnx(NULL, "%s", err);
	else
		fprintf(stderr, "%s\n", err);
	return 2;
}

static int door(int argc, char *argv[])
{
	char err[OPTIONS_ERR > CONF_ERR ? OPTIONS_ERR : CONF_ERR];
	struct options o;
	struct conf *c;
	int r;

	log_init(NULL, LOG_LEVEL_INFO);
	r = options_parse(&o, argc, argv, err);
	if (r) {
		log_warnx(NULL, "%s", err);
		fputs(usage, stderr);
		return r;
	}
	if (o.version) {
		puts("ctshardd " VERSION);
		options_free(&o);
		return 0;
	}
	c = super_conf_load(&o, err);
	r = c ? command(&o, c) : conf_refused(err);
	conf_free(c);
	options_free(&o);
	return r;
}

int supervisor_main(int argc, char *argv[])
{
	const char *name = getenv("CTSHARDD_ROLE");
	const struct role *role;

	if (!name)
		return door(argc, argv);
	role = role_find(name);
	if (!role)
		fatalx("start", "there is no role %s", name);
	return role_run(role);
}

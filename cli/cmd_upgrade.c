/*
 * cmd_upgrade.c - upgrade: the daemon goes on as the program now on disk.
 *
 * The supervisor is told by a signal, for the right to do this is the right to
 * signal it.  Its pid comes from the file in its run directory, not over the
 * socket: what answers there has no business to name processes.  Done is done
 * when a daemon answers that has been started once more than the one before.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "cli/number.h"

#define STEP_MS 50
#define STEPS   400 /* 20 s; a large table takes its time to be adopted */
/* answers of the old daemon, after which it is not going to end: the question
 * to the new program takes 5 s at most */
#define SAME 120

/* How often the daemon has been started. */
static int starts_ask(struct ctshard *ct, uint64_t *starts)
{
	return number_ask(ct, "version", "starts", 1, starts);
}

long cmd_pid(const struct cmd *c)
{
	char path[PATH_MAX], line[32] = "";
	long pid;
	FILE *f;

	snprintf(path, sizeof(path), "%s/pid",
	         c->rundir ? c->rundir : CTSHARD_RUNDIR);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	pid = strtol(line, NULL, 10);
	if (pid <= 1)
		cmd_warn("no pid in %s", path);
	return pid;
}

/* A daemon that answers now, or one that has gone for a moment. */
static uint64_t starts_now(const struct cmd *c)
{
	struct ctshard *ct;
	uint64_t starts = 0;

	if (!ctshard_open(c->rundir, 0, &ct) && starts_ask(ct, &starts))
		starts = 0;
	ctshard_close(ct);
	return starts;
}

static int upgrade_wait(const struct cmd *c, uint64_t before)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000l};
	int i, same = 0;
	uint64_t now;

	for (i = 0; i < STEPS && same < SAME; i++) {
		now = starts_now(c);
		if (now > before)
			return CMD_OK;
		same += now == before;
		nanosleep(&step, NULL);
	}
	cmd_warn("upgrade: the daemon stays what it was; its log says why");
	return CMD_FAILED;
}

int cmd_upgrade(struct cmd *c)
{
	struct ctshard *ct;
	uint64_t before = 0;
	long pid;
	int code, rc;

	ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!ct)
		return code;
	rc = starts_ask(ct, &before);
	if (rc)
		code = cmd_error(ct, rc);
	ctshard_close(ct);
	if (rc)
		return code;
	pid = cmd_pid(c);
	if (pid <= 1)
		return CMD_FAILED;
	if (kill((pid_t)pid, SIGUSR2)) {
		cmd_warn("upgrade: pid %ld: %s", pid, strerror(errno));
		return CMD_FAILED;
	}
	return upgrade_wait(c, before);
}

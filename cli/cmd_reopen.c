/*
 * cmd_reopen.c - reopen: the flow log anew, after its file was renamed.
 *
 * The same as SIGHUP, which also reads the configuration again, but it is known
 * here when it is done: the recorder has been started once more.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli/number.h"

#define STEP_MS 20
#define STEPS   500

/* How often the recorder has been started. */
static int starts_ask(struct ctshard *ct, uint64_t *starts)
{
	return number_ask(ct, "recorder", "flow_log", 3, starts);
}

static int reopen_wait(struct ctshard *ct, uint64_t before)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000l};
	uint64_t now;
	int i, rc;

	for (i = 0; i < STEPS; i++) {
		rc = starts_ask(ct, &now);
		if (rc)
			return cmd_error(ct, rc);
		if (now > before)
			return CMD_OK;
		nanosleep(&step, NULL);
	}
	cmd_warn("reopen: the recorder has not come back; the log says why");
	return CMD_FAILED;
}

int cmd_reopen(struct cmd *c)
{
	struct ctshard *ct;
	uint64_t before;
	long pid;
	int code, rc;

	ct = cmd_open(c, CTSHARD_CONTROL, &code);
	if (!ct)
		return code;
	rc = starts_ask(ct, &before);
	pid = before ? cmd_pid(c) : 0;
	if (rc) {
		code = cmd_error(ct, rc);
	} else if (!before) {
		cmd_warn("reopen: there is no flow_log");
		code = CMD_FAILED;
	} else if (pid <= 1) {
		code = CMD_FAILED;
	} else if (kill((pid_t)pid, SIGHUP)) {
		cmd_warn("reopen: pid %ld: %s", pid, strerror(errno));
		code = CMD_FAILED;
	} else {
		code = reopen_wait(ct, before);
	}
	ctshard_close(ct);
	return code;
}

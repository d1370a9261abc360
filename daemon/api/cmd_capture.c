/*
 * cmd_capture.c - start and wait_end: how a client leads a replay.
 *
 * Workers of a daemon that was started with --hold wait for `started`, so that
 * no subscriber is late.  The end is told when every worker has looked at
 * every frame and all that they said stands in the log.
 */
#include "daemon/api/cmd.h"

#include "shm/atomic.h"

bool capture_ended(const struct table *t, const struct ring_header **broken)
{
	uint32_t i, ended;

	*broken = NULL;
	for (i = 0; i < t->nworker; i++) {
		const struct ring_header *h = t->ring[i].hdr;

		ended = h ? shm_load_acquire(&h->ended) : 0;
		if (!ended)
			return false;
		if (ended == 2 && !*broken)
			*broken = h;
	}
	return true;
}

static enum cmd_step start_start(struct request *q, const Ctshard__Request *r)
{
	(void)r;
	if (q->api->env->live)
		return request_fail(q, CTSHARD__ERROR_CODE__UNSUPPORTED,
		                    "start: there is no capture");
	shm_store_release(&q->api->t->mlog->started, 1);
	return request_end(q);
}

const struct cmd cmd_start = {
	.name = "start",
	.body = CTSHARD__REQUEST__BODY_START,
	.start = start_start,
};

static enum cmd_step wait_end_step(struct request *q)
{
	const struct ring_header *broken;

	if (!capture_ended(q->api->t, &broken) || merge_pending(&q->api->merge))
		return CMD_WAIT;
	if (broken)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED, "%.*s",
		                    (int)sizeof(broken->error), broken->error);
	return request_end(q);
}

static enum cmd_step wait_end_start(struct request *q,
                                    const Ctshard__Request *r)
{
	(void)r;
	if (q->api->env->live)
		return request_fail(q, CTSHARD__ERROR_CODE__UNSUPPORTED,
		                    "interfaces have no end");
	return wait_end_step(q);
}

const struct cmd cmd_wait_end = {
	.name = "wait_end",
	.body = CTSHARD__REQUEST__BODY_WAIT_END,
	.start = wait_end_start,
	.step = wait_end_step,
};

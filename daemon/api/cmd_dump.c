/* cmd_dump.c - dump: a snapshot over the socket, a part a step. */
#include "daemon/api/dump.h"

static enum cmd_step dump_step(struct request *q)
{
	struct dump *d = q->state;
	Ctshard__Response m = CTSHARD__RESPONSE__INIT;
	const uint8_t *at;
	size_t len;

	if (dump_next(d, &at, &len))
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");
	if (len) {
		m.has_text = 1;
		m.text.len = len;
		m.text.data = d->chunk;
		request_send(q, &m);
	}
	return dump_over(d) ? request_end(q) : CMD_MORE;
}

static enum cmd_step dump_start(struct request *q, const Ctshard__Request *r)
{
	struct api *a = q->api;

	(void)r;
	if (dump_begin(q->state, a->t, &a->policy))
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");
	return dump_step(q);
}

static void dump_stop(struct request *q)
{
	dump_end(q->state);
}

const struct cmd cmd_dump = {
	.name = "dump",
	.body = CTSHARD__REQUEST__BODY_DUMP,
	.state = sizeof(struct dump),
	.start = dump_start,
	.step = dump_step,
	.stop = dump_stop,
};

/* cmd_metrics.c - metrics: the text that http.c serves, over the socket. */
#include <stdlib.h>

#include "daemon/api/metrics.h"

static enum cmd_step metrics_start(struct request *q, const Ctshard__Request *r)
{
	Ctshard__Response m = CTSHARD__RESPONSE__INIT;
	size_t len;
	char *text = metrics_text(q->api, &len);

	(void)r;
	if (!text)
		return request_fail(q, CTSHARD__ERROR_CODE__FAILED,
		                    "out of memory");
	m.has_text = 1;
	m.text.data = (uint8_t *)text;
	m.text.len = len;
	request_send(q, &m);
	free(text);
	return request_end(q);
}

const struct cmd cmd_metrics = {
	.name = "metrics",
	.body = CTSHARD__REQUEST__BODY_METRICS,
	.start = metrics_start,
};

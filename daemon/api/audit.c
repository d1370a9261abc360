/*
 * audit.c - see audit.h.
 *
 * One stands in the log before the change that it is about begins.  It has no
 * number of its own but that of the event before it: numbers count what
 * happened to connections, and whoever leaves such events out must not find
 * holes.  Only where readers hold the log back (captures) may it wait, here,
 * and be lost with this process; then the daemon's own log has it alone.
 */
#include "daemon/api/audit.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/client.h"
#include "shm/clock.h"

void audits_write(struct api *a, uint64_t limit)
{
	struct audit_queue *q = &a->audits;
	const struct audit *e;

	while (q->n && a->merge.tail < limit) {
		e = &q->wait[q->first];
		merge_audit(&a->merge, e->uid, e->pid, e->ts_ns, e->text);
		q->first = (q->first + 1) % AUDITS_MAX;
		q->n--;
	}
}

bool audit_event(struct api *a, const struct peer *p, const char *text)
{
	struct audit_queue *q = &a->audits;
	struct audit *e;
	bool whole;

	if (q->n == AUDITS_MAX)
		return false;
	e = &q->wait[(q->first + q->n++) % AUDITS_MAX];
	e->uid = p->uid;
	e->pid = p->pid;
	e->ts_ns = table_clock_ns(a->t);
	whole = strlen(text) < sizeof(e->text);
	snprintf(e->text, sizeof(e->text), "%.*s%s",
	         (int)sizeof(e->text) - (whole ? 1 : 4), text,
	         whole ? "" : "...");
	audits_write(a, api_log_limit(a));
	return true;
}

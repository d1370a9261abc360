/*
 * request.c - requests of a client: begun, answered, ended.
 *
 * Commands stand in commands.h; Hello and Cancel are about the connection and
 * are dealt with here.  Who may change something is decided here, once, before
 * a command sees the request.
 */
#include "daemon/api/audit.h"
#include "daemon/api/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/describe.h"
#include "daemon/base/log.h"
#include "proto/rows.h"

#define SCHEMA_VERSION 1u
/* of a request in the log */
#define AUDIT_TEXT 512

#define CMD(name) extern const struct cmd cmd_##name;
#include "daemon/api/commands.h"
#undef CMD

static const struct cmd *const cmds[] = {
#define CMD(name) &cmd_##name,
#include "daemon/api/commands.h"
#undef CMD
};

/* ---- answers ---- */

void client_put(struct client *c, const ProtobufCMessage *m)
{
	int r;

	if (c->dead)
		return;
	r = frame_put(&c->out, m);
	if (r) {
		log_warnx("api", "client pid %u: answer not sent: %s",
		          c->peer.pid, strerror(-r));
		c->dead = true;
	}
}

void request_send(struct request *q, Ctshard__Response *r)
{
	r->has_id = 1;
	r->id = q->id;
	if (q->client->dead || rows_put(&q->client->out, r))
		return;
	client_put(q->client, &r->base);
}

void request_send_rows(struct request *q)
{
	struct pb *b = &q->api->pb;

	if (!b->n)
		return;
	q->sent += b->n;
	request_send(q, pb_response(b));
	b->n = 0;
}

void request_send_packed(struct request *q)
{
	struct packed *p = &q->api->packed;
	struct client *c = q->client;

	if (!p->n || c->dead)
		return;
	q->sent += p->n;
	if (!rows_put_events(&c->out, q->id, q->api->pb.now_ns, p->bytes,
	                     p->len)) {
		log_warnx("api", "client pid %u: answer not sent: no memory",
		          c->peer.pid);
		c->dead = true;
	}
	packed_begin(p);
}

enum cmd_step request_end(struct request *q)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;

	r.has_end = 1;
	r.end = 1;
	request_send(q, &r);
	q->ended = true;
	return CMD_DONE;
}

void client_error(struct client *c, uint64_t id, Ctshard__ErrorCode code,
                  char *text)
{
	Ctshard__Response r = CTSHARD__RESPONSE__INIT;
	Ctshard__Error e = CTSHARD__ERROR__INIT;

	e.has_code = 1;
	e.code = code;
	e.message = text;
	r.has_id = 1;
	r.id = id;
	r.has_end = 1;
	r.end = 1;
	r.error = &e;
	client_put(c, &r.base);
}

/* protobuf strings are UTF-8, and what a client wrote may stand in here */
static void text_clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			*s = '?';
}

enum cmd_step request_fail(struct request *q, Ctshard__ErrorCode code,
                           const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_clean(text);
	client_error(q->client, q->id, code, text);
	q->ended = true;
	return CMD_DONE;
}

const struct peer *request_peer(const struct request *q)
{
	return &q->client->peer;
}

bool request_filter(struct request *q, struct filter **f,
                    const Ctshard__Filter *m)
{
	char err[FILTER_ERR];

	if (!filter_new(f, m, err))
		return true;
	request_fail(q, CTSHARD__ERROR_CODE__BAD_REQUEST, "filter: %s", err);
	return false;
}

/* ---- requests ---- */

static void request_free(struct request *q)
{
	commands_forget(q->api, q);
	sets_forget(q->api, q);
	if (q->cmd->stop)
		q->cmd->stop(q);
	free(q->state);
	free(q);
}

void requests_sweep(struct client *c, bool all)
{
	struct request **p = &c->requests, *q;

	while ((q = *p)) {
		if (!q->ended && !all) {
			p = &q->next;
			continue;
		}
		*p = q->next;
		c->nrequests--;
		request_free(q);
	}
}

static struct request *request_new(struct client *c, const struct cmd *cmd,
                                   uint64_t id)
{
	struct request *q = calloc(1, sizeof(*q)), **p;

	if (!q)
		return NULL;
	if (cmd->state) {
		q->state = calloc(1, cmd->state);
		if (!q->state) {
			free(q);
			return NULL;
		}
	}
	q->client = c;
	q->api = c->api;
	q->cmd = cmd;
	q->id = id;
	/* behind the others: commands of one client begin in its order */
	for (p = &c->requests; *p; p = &(*p)->next)
		;
	*p = q;
	c->nrequests++;
	return q;
}

void client_refuse(struct client *c, uint64_t id, Ctshard__ErrorCode code,
                   const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", what);
	client_error(c, id, code, text);
}

static void request_hello(struct client *c, const Ctshard__Request *r)
{
	Ctshard__Response m = CTSHARD__RESPONSE__INIT;
	Ctshard__HelloAnswer h = CTSHARD__HELLO_ANSWER__INIT;
	struct api *a = c->api;
	char version[] = VERSION;

	if (r->hello->has_version && r->hello->version != SCHEMA_VERSION) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__UNSUPPORTED,
		              "this daemon speaks version 1 of the schema");
		c->closing = true;
		return;
	}
	c->greeted = true;
	h.has_version = h.has_uuid = h.has_seq = h.has_pid = 1;
	h.version = SCHEMA_VERSION;
	h.daemon = version;
	h.uuid.data = a->t->hdr->uuid;
	h.uuid.len = sizeof(a->t->hdr->uuid);
	h.seq = a->merge.gseq;
	h.pid = (uint64_t)getppid();
	m.has_id = m.has_end = 1;
	m.id = r->id;
	m.end = 1;
	m.hello = &h;
	client_put(c, &m.base);
}

/* The request that is cancelled gets its last answer, then the Cancel. */
static void request_cancel(struct client *c, const Ctshard__Request *r)
{
	Ctshard__Response m = CTSHARD__RESPONSE__INIT;
	struct request *q;

	for (q = c->requests; q; q = q->next)
		if (!q->ended && q->id == r->cancel->request)
			request_end(q);
	m.has_id = m.has_end = 1;
	m.id = r->id;
	m.end = 1;
	client_put(c, &m.base);
}

static const struct cmd *cmd_find(const Ctshard__Request *r)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		if (cmds[i]->body == r->body_case)
			return cmds[i];
	return NULL;
}

static void request_text(const Ctshard__Request *r, char text[AUDIT_TEXT])
{
	Ctshard__Request copy = *r;

	copy.has_id = 0;
	describe(&copy.base, text, AUDIT_TEXT);
}

/* "uid 0 pid 7: delete{filter{protonum=6}}".  False: it was refused, since its
 * event would have no place. */
static bool request_audit(struct client *c, const struct cmd *cmd,
                          const Ctshard__Request *r)
{
	char text[AUDIT_TEXT];

	request_text(r, text);
	if (!cmd->looks && !audit_event(c->api, &c->peer, text)) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__BUSY,
		              "too many changes for the event log");
		return false;
	}
	log_info("audit", "uid %u pid %u: %s", c->peer.uid, c->peer.pid, text);
	return true;
}

static bool request_allowed(struct client *c, const struct cmd *cmd,
                            const Ctshard__Request *r)
{
	char text[AUDIT_TEXT];

	if (!cmd->control || c->peer.control)
		return true;
	request_text(r, text);
	log_info("audit", "uid %u pid %u: %s: denied", c->peer.uid, c->peer.pid,
	         text);
	snprintf(text, sizeof(text),
	         "%s: permission denied: changes go over control.sock, which "
	         "is root's; the group ctshard may read",
	         cmd->name);
	client_error(c, r->id, CTSHARD__ERROR_CODE__DENIED, text);
	return false;
}

static void request_begin(struct client *c, const Ctshard__Request *r)
{
	const struct cmd *cmd = cmd_find(r);
	struct request *q;

	if (!cmd) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__UNSUPPORTED,
		              "this daemon does not know the request");
		return;
	}
	if (!request_allowed(c, cmd, r))
		return;
	if (c->nrequests >= REQUESTS_MAX ||
	    (c->peer.uid &&
	     clients_requests(c->api, c->peer.uid) >= REQUESTS_UID)) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__BUSY,
		              "too many requests under way");
		return;
	}
	if (cmd->control && !request_audit(c, cmd, r))
		return;
	q = request_new(c, cmd, r->id);
	if (!q) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__FAILED,
		              "out of memory");
		return;
	}
	cmd->start(q, r);
}

void client_request(struct client *c, const Ctshard__Request *r)
{
	if (r->body_case == CTSHARD__REQUEST__BODY_HELLO) {
		request_hello(c, r);
	} else if (!c->greeted) {
		client_refuse(c, r->id, CTSHARD__ERROR_CODE__BAD_REQUEST,
		              "the first request must be Hello");
		c->closing = true;
	} else if (r->body_case == CTSHARD__REQUEST__BODY_CANCEL) {
		request_cancel(c, r);
	} else {
		request_begin(c, r);
	}
}

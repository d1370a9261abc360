/*
 * cmd.h - the contract of a command: start, step, stop.
 *
 * A command never waits and never takes long: what it cannot say in one go it
 * says in steps, and the loop serves all others in between.  A step is made
 * only while the client's output queue has room, so a slow client costs its
 * own time.  Commands know requests, not connections: the functions below
 * carry their answers away (client.c).
 */
#ifndef API_CMD_H
#define API_CMD_H

#include "daemon/api/filter.h"
#include "daemon/api/merge.h"
#include "daemon/api/packed.h"
#include "daemon/api/pb.h"
#include "daemon/base/role.h"

enum cmd_step {
	CMD_MORE, /* call step() again, soon */
	CMD_WAIT, /* nothing to do until something happens; ask each turn */
	CMD_DONE  /* request_end() or request_fail() has been called */
};

/* entries or slots that one step may look at */
#define CMD_LOOK 4096u

struct request;

struct cmd {
	const char *name;
	Ctshard__Request__BodyCase body;
	bool control; /* changes something: control.sock alone, and logged */
	bool looks;   /* no: it is only that costly */
	size_t state; /* bytes of request.state, zeroed */
	enum cmd_step (*start)(struct request *q, const Ctshard__Request *r);
	enum cmd_step (*step)(struct request *q); /* NULL: start() does all */
	void (*stop)(struct request *q);          /* frees what start() made */
};

struct client;
struct event_base;

/* one request under way */
struct request {
	struct request *next; /* of the same client */
	struct client *client;
	struct api *api;
	const struct cmd *cmd;
	uint64_t id;
	void *state;
	bool ended;
	/* for `show subscribers`, and for the log's writer */
	bool watching; /* pos means something */
	bool tracing;  /* packets, not events */
	bool pins;     /* slots from pos on must not be overwritten */
	uint64_t pos;  /* in the merged log */
	uint64_t sent; /* rows */
	uint64_t lost; /* events that were overwritten before it came */
	/* what pos and sent came to together when they last moved, and when */
	uint64_t moved, moved_ns;
};

/* who stands at the other end */
struct peer {
	uint32_t uid, gid, pid;
	bool control; /* came over control.sock, and may */
};

/* commands at the reaper: by slot of the ring, who wants the answer */
struct command_queue {
	uint64_t posted;    /* commands written */
	uint64_t collected; /* answers taken, or waited for in vain */
	struct request *owner[NCOMMAND];
	uint64_t since_ns; /* the oldest one waits since then, or later */
};

/* settings at the supervisor, which answers in order */
#define SETS_MAX 64u
struct set_queue {
	uint32_t first, n;
	struct request *owner[SETS_MAX];
};

struct history;

/* changes whose event waits for a place in the log */
#define AUDITS_MAX 32u
struct audit_queue {
	uint32_t first, n;
	struct audit {
		uint32_t uid, pid;
		uint64_t ts_ns;
		char text[120];
	} wait[AUDITS_MAX];
};

struct api {
	struct role_env *env;
	struct history *history; /* NULL: none is kept */
	struct table *t;
	struct policy policy; /* a copy of what is in force */
	struct merge merge;
	struct pb pb;
	struct packed packed;
	struct event_base *base;
	struct client *clients;
	uint32_t nclients;
	uint32_t uid; /* of the daemon, before privileges were dropped */
	uint64_t subscriber_lost;
	uint64_t began_ns, ended_ns; /* monotonic */
	struct command_queue commands;
	struct set_queue sets;
	struct audit_queue audits;
};

/* ---- client.c ---- */

/* One part of the answer: id is filled in.  Counts rows. */
void request_send(struct request *q, Ctshard__Response *r);
/* The batch of q->api->pb, if there is anything in it. */
void request_send_rows(struct request *q);
/* The batch of q->api->packed, likewise. */
void request_send_packed(struct request *q);
/* The last part: nothing more to say, or an error. */
enum cmd_step request_end(struct request *q);
enum cmd_step request_fail(struct request *q, Ctshard__ErrorCode code,
                           const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const struct peer *request_peer(const struct request *q);
/* all requests of all clients; false from fn ends it */
void requests_each(struct api *a,
                   bool (*fn)(void *arg, const struct request *q), void *arg);

/* ---- shared by commands ---- */

/* Have all workers worked off their captures?  *broken is the ring of one
 * whose capture could not be read to its end, or NULL. */
bool capture_ended(const struct table *t, const struct ring_header **broken);

/* NULL, or the filter is bad and the request has been answered so. */
bool request_filter(struct request *q, struct filter **f,
                    const Ctshard__Filter *m);

/* Answers of the reaper and of the supervisor to those who asked; called each
 * turn.  forget: the request is going away. */
void commands_open(struct api *a);
void commands_collect(struct api *a);
void commands_forget(struct api *a, const struct request *q);
void sets_collect(struct api *a);
void sets_forget(struct api *a, const struct request *q);

/* Nothing is traced: those who asked a predecessor are gone. */
void traces_open(struct api *a);

#endif

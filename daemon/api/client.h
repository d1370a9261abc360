/*
 * client.h - connections of clients: frames in, answers out, quotas.
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "daemon/api/cmd.h"
#include "proto/frame.h"

#define CLIENTS_MAX     256u
#define CLIENTS_CONTROL 8u   /* of them kept for control.sock */
#define CLIENTS_UID     64u  /* for one user who is not root */
#define REQUESTS_MAX    32u  /* under way, a client */
#define REQUESTS_UID    128u /* and one user who is not root */
/* who has connected says Hello, and who has begun a frame ends it, within */
#define FRAME_NS (10 * NS_PER_S)

struct event;

struct client {
	struct client *next;
	struct api *api;
	int fd;
	struct event *rd, *wr;
	struct frame_buf in, out;
	struct peer peer;
	struct request *requests;
	unsigned int nrequests;
	uint64_t half_ns; /* since when it owes the rest of a frame, or Hello */
	bool greeted;
	bool reading;
	bool closing; /* when all is written */
	bool dead;
};

/* Takes over `fd`, a connected socket; it is closed when this fails (quota,
 * memory) and when the client goes.  False: refused. */
bool client_new(struct api *a, int fd, bool control);
void clients_free(struct api *a);

/* Requests under way of one user. */
unsigned int clients_requests(const struct api *a, uint32_t uid);

/* Works on what all clients have asked for.  True: call again at once. */
bool clients_turn(struct api *a);

/* The position behind which no slot of the log may be overwritten, for those
 * that were promised to see every event. */
uint64_t api_log_limit(const struct api *a);

/* ---- request.c ---- */

void client_put(struct client *c, const ProtobufCMessage *m);
void client_error(struct client *c, uint64_t id, Ctshard__ErrorCode code,
                  char *text);
void client_refuse(struct client *c, uint64_t id, Ctshard__ErrorCode code,
                   const char *what);
void client_request(struct client *c, const Ctshard__Request *r);
/* Frees the requests that have ended, or all. */
void requests_sweep(struct client *c, bool all);

#endif
